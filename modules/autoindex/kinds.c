/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kinds of entries, by the end of their names, and the icons that show them.
 */
#include "autoindex.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ICON_MAX ((size_t)16 * 1024)

const char *const kind_names[KIND_COUNT] = {
	[KIND_OTHER] = "other",     [KIND_FOLDER] = "folder",   [KIND_PARENT] = "parent",
	[KIND_TEXT] = "text",       [KIND_IMAGE] = "image",     [KIND_AUDIO] = "audio",
	[KIND_VIDEO] = "video",     [KIND_ARCHIVE] = "archive", [KIND_PACKAGE] = "package",
	[KIND_DISK] = "disk",       [KIND_DOCUMENT] = "document", [KIND_CODE] = "code",
};

/* Words between spaces. */
static const char *const endings[KIND_COUNT] = {
	[KIND_OTHER] = "",
	[KIND_FOLDER] = "",
	[KIND_PARENT] = "",
	[KIND_TEXT] = " txt text md rst log csv tsv nfo asc sig sha1 sha256 sha512 md5 conf ini ",
	[KIND_IMAGE] = " png jpg jpeg gif svg webp avif heic bmp tif tiff ico xcf psd ",
	[KIND_AUDIO] = " mp3 ogg oga opus flac wav m4a aac mid wma ",
	[KIND_VIDEO] = " mp4 m4v mkv webm avi mov mpg mpeg ogv wmv ts ",
	[KIND_ARCHIVE] = " zip tar gz tgz bz2 tbz xz txz zst tzst lz lzma 7z rar cpio ",
	[KIND_PACKAGE] = " deb rpm drpm apk jar whl gem msi flatpak snap appimage exe ",
	[KIND_DISK] = " iso img raw qcow2 vmdk vdi vhd vhdx dmg wim ",
	[KIND_DOCUMENT] = " pdf ps djvu epub mobi odt ods odp doc docx xls xlsx ppt pptx rtf tex "
			  "html htm xhtml ",
	[KIND_CODE] = " c h cc cpp cxx hpp rs go py pl rb sh js mjs css json xml yaml yml toml lua "
		      "java kt swift sql diff patch m4 ",
};

/* An ending as a number, without regard to case; no two have the same, and none has 0. */
static uint64_t ending_number(const char *word, size_t length)
{
	uint64_t number = 0;

	for (size_t i = 0; i < length; i++) {
		char byte = word[i];

		number = number << 8 | (unsigned char)(byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
	}
	return number;
}

/* Where an ending is, or where there is room for it. */
static struct ending *find_ending(struct ending *table, uint64_t number)
{
	size_t at = number * UINT64_C(0x9e3779b97f4a7c15) >> (64 - ENDINGS_BITS);

	while (table[at].number != 0 && table[at].number != number)
		at = (at + 1) % ENDINGS_SIZE;
	return &table[at];
}

void kinds_prepare(struct ending table[ENDINGS_SIZE])
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		for (const char *word = endings[kind] + strspn(endings[kind], " "); *word != '\0';) {
			const size_t length = strcspn(word, " ");
			const uint64_t number = ending_number(word, length);

			*find_ending(table, number) =
				(struct ending){ .number = number, .kind = (enum kind)kind };
			word += length + strspn(word + length, " ");
		}
	}
}

enum kind kind_of(struct ending table[ENDINGS_SIZE], const char *name, size_t length)
{
	size_t dot = length;

	while (dot > 0 && name[dot - 1] != '.' && length - dot <= ENDING_MAX)
		dot--;
	if (dot == 0 || dot == length || name[dot - 1] != '.' || length - dot > ENDING_MAX)
		return KIND_OTHER;
	return find_ending(table, ending_number(name + dot, length - dot))->kind;
}

/* --- icons -------------------------------------------------------------------------------------- */

static int read_icon(struct icon *icon, const char *path)
{
	FILE *file = fopen(path, "rbe");
	char *data = malloc(ICON_MAX);
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	struct stat st;
	size_t size;
	int result = -ENOMEM;

	if (file == NULL || fstat(fileno(file), &st) < 0) {
		result = -errno;
		goto end;
	}
	if (data == NULL)
		goto end;
	icon->modified = (int64_t)st.st_mtime;
	size = fread(data, 1, ICON_MAX, file);
	result = size == 0 || size == ICON_MAX ? -EINVAL : 0;
	if (result < 0)
		goto end;
	icon->memory = lop_memory_new(size);
	if (icon->memory == NULL) {
		result = -ENOMEM;
		goto end;
	}
	memcpy(lop_memory_data(icon->memory), data, size);
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)data[i]) * UINT64_C(0x100000001b3);
	snprintf(icon->etag, sizeof(icon->etag), "\"%016llx\"", (unsigned long long)hash);
end:
	if (file != NULL)
		fclose(file);
	free(data);
	return result;
}

int icons_read(struct icon icons[KIND_COUNT], const char *folder)
{
	int count = 0, error = -ENOENT;
	char path[4096];

	for (int kind = 0; kind < KIND_COUNT; kind++) {
		int result = -ENAMETOOLONG;

		if (snprintf(path, sizeof(path), "%s/%s.svg", folder, kind_names[kind]) <
		    (int)sizeof(path))
			result = read_icon(&icons[kind], path);
		if (result < 0)
			error = result;
		else
			count++;
	}
	return count > 0 ? count : error;
}

void icons_free(struct icon icons[KIND_COUNT])
{
	for (int kind = 0; kind < KIND_COUNT; kind++)
		lop_memory_release(&icons[kind].memory);
}

static const struct icon *find_icon(const struct icon icons[KIND_COUNT], struct lop_str name)
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		size_t length = strlen(kind_names[kind]);

		if (icons[kind].memory != NULL && name.length == length + 4 &&
		    memcmp(name.data, kind_names[kind], length) == 0 &&
		    memcmp(name.data + length, ".svg", 4) == 0)
			return &icons[kind];
	}
	return NULL;
}

#define STR(literal) ((struct lop_str){ (literal), sizeof(literal) - 1 })

int icons_serve(const struct icon icons[KIND_COUNT], struct lop_request *request)
{
	static const size_t prefix = sizeof("/" ICONS_PATH) - 1;
	struct lop_str path = lop_request_path(request);
	const struct icon *icon;
	int result;

	if (path.length < prefix || memcmp(path.data, "/" ICONS_PATH, prefix) != 0)
		return LOP_DECLINED;
	icon = find_icon(icons, (struct lop_str){ path.data + prefix, path.length - prefix });
	if (icon == NULL)
		return 404;
	if (lop_request_method(request) != LOP_METHOD_GET &&
	    lop_request_method(request) != LOP_METHOD_HEAD)
		return LOP_DECLINED;
	result = lop_response_validate(request,
	                               (struct lop_str){ icon->etag, strlen(icon->etag) },
	                               icon->modified);
	if (result < 0 || result == 412)
		return result;
	if (lop_response_add_field(request, "Cache-Control", STR("max-age=86400")) < 0)
		return -ENOMEM;
	if (result == 304) {
		lop_response_set_status(request, 304);
		return LOP_DONE;
	}
	if (lop_response_add_field(request, "Content-Type", STR("image/svg+xml")) < 0 ||
	    lop_response_add_field(request, "X-Content-Type-Options", STR("nosniff")) < 0 ||
	    lop_response_body_memory(request, icon->memory, 0, lop_memory_size(icon->memory)) < 0)
		return -ENOMEM;
	return LOP_DONE;
}
