/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "mime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mime_types.h"

#define LONGEST_EXTENSION 15
#define LONGEST_TYPE 127
#define LARGEST_FILE (512 * 1024)

/* An open-addressed table, at most half full. Both strings lie in the pool as offsets, which a
 * growing pool leaves valid. */
struct entry {
	uint32_t extension;
	uint32_t type;
	uint8_t extension_length; /* 0: free */
	uint8_t type_length;
};

struct mime {
	struct entry *entries;
	size_t mask; /* entries - 1, of a power of two */
	size_t count;
	char *pool;
	size_t pool_length;
	size_t pool_size;
};

static const char *const usual_places[] = {
	"/etc/mime.types",
	"/usr/share/misc/mime.types",
	"/usr/local/etc/mime.types",
	"/etc/apache2/mime.types",
};

static bool is_space(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

static char fold(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

/* FNV-1a. */
static uint32_t hash(const char *text, size_t length)
{
	uint32_t value = UINT32_C(2166136261);
	for (size_t i = 0; i < length; i++)
		value = (value ^ (unsigned char)text[i]) * UINT32_C(16777619);
	return value;
}

/* The extension's entry, or the free one where it belongs. extension is in lower case. */
static struct entry *find(const struct mime *mime, const char *extension, size_t length)
{
	for (size_t i = hash(extension, length);; i++) {
		struct entry *entry = &mime->entries[i & mime->mask];
		if (entry->extension_length == 0)
			return entry;
		if (entry->extension_length == length &&
		    memcmp(mime->pool + entry->extension, extension, length) == 0)
			return entry;
	}
}

/* Makes the table of twice the size, or the first one. */
static int grow_table(struct mime *mime)
{
	struct entry *old = mime->entries;
	size_t old_size = old == NULL ? 0 : mime->mask + 1;
	size_t size = old == NULL ? 512 : old_size * 2;
	struct entry *entries = calloc(size, sizeof *entries);

	if (entries == NULL)
		return -ENOMEM;
	mime->entries = entries;
	mime->mask = size - 1;
	for (size_t i = 0; i < old_size; i++) {
		if (old[i].extension_length > 0)
			*find(mime, mime->pool + old[i].extension, old[i].extension_length) =
				old[i];
	}
	free(old);
	return 0;
}

/* Copies text into the pool and sets its offset. */
static int add_text(struct mime *mime, const char *text, size_t length, uint32_t *offset)
{
	if (mime->pool_size - mime->pool_length < length) {
		size_t size = mime->pool_size == 0 ? 8192 : mime->pool_size * 2;
		char *pool = realloc(mime->pool, size);
		if (pool == NULL)
			return -ENOMEM;
		mime->pool = pool;
		mime->pool_size = size;
	}
	memcpy(mime->pool + mime->pool_length, text, length);
	*offset = (uint32_t)mime->pool_length;
	mime->pool_length += length;
	return 0;
}

/* One type of a line: where it stands in the pool, once an extension has needed it. */
struct type {
	char text[LONGEST_TYPE + 1];
	size_t length;
	uint32_t offset;
	bool stored;
};

static int add_extension(struct mime *mime, const char *name, size_t length, struct type *type)
{
	char extension[LONGEST_EXTENSION];
	int result;

	if (length > LONGEST_EXTENSION || memchr(name, '.', length) != NULL)
		return 0; /* could never match */
	for (size_t i = 0; i < length; i++)
		extension[i] = fold(name[i]);
	if (mime->count * 2 >= mime->mask && (result = grow_table(mime)) != 0)
		return result;
	struct entry *entry = find(mime, extension, length);
	if (entry->extension_length > 0)
		return 0;
	if (!type->stored &&
	    (result = add_text(mime, type->text, type->length, &type->offset)) != 0)
		return result;
	type->stored = true;
	if ((result = add_text(mime, extension, length, &entry->extension)) != 0)
		return result;
	entry->extension_length = (uint8_t)length;
	entry->type = type->offset;
	entry->type_length = (uint8_t)type->length;
	mime->count++;
	return 0;
}

static bool begins(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* Those whose text is UTF-8 nowadays and that browsers would else guess at. */
static bool wants_charset(const char *type, size_t length)
{
	return begins(type, "text/") || strcmp(type, "application/javascript") == 0 ||
	       strcmp(type, "application/xml") == 0 || strcmp(type, "application/xml-dtd") == 0 ||
	       (length > 4 && strcmp(type + length - 4, "+xml") == 0);
}

/* Takes over a media type, RFC 9110 8.3.1. It goes into response heads, so only tokens pass. */
static bool set_type(struct type *type, const char *text, size_t length)
{
	static const char charset[] = "; charset=utf-8";
	size_t slashes = 0;

	if (length + sizeof charset > sizeof type->text)
		return false;
	for (size_t i = 0; i < length; i++) {
		char byte = fold(text[i]);
		if (byte == '/')
			slashes++;
		else if ((byte < 'a' || byte > 'z') && (byte < '0' || byte > '9') &&
		         (byte == '\0' || strchr("!#$&-^_.+", byte) == NULL))
			return false;
		type->text[i] = byte;
	}
	type->text[length] = '\0';
	if (slashes != 1 || text[0] == '/' || text[length - 1] == '/')
		return false;
	if (wants_charset(type->text, length)) {
		memcpy(type->text + length, charset, sizeof charset);
		length += sizeof charset - 1;
	}
	type->length = length;
	type->stored = false;
	return true;
}

/* "type/subtype extension extension ..." up to line's end or '#'. */
static int read_line(struct mime *mime, const char *at, const char *end)
{
	struct type type = { .length = 0 };
	const char *name = NULL;
	size_t name_length = 0;

	while (at < end) {
		const char *word = at;
		while (at < end && !is_space(*at))
			at++;
		size_t length = (size_t)(at - word);
		if (length == 0) {
			at++;
			continue;
		}
		if (*word == '#')
			return 0;
		if (name == NULL) {
			name = word;
			name_length = length;
			continue;
		}
		/* Only now: half the lines of a usual file have no extension. */
		if (type.length == 0 && !set_type(&type, name, name_length))
			return 0;
		int result = add_extension(mime, word, length, &type);
		if (result != 0)
			return result;
	}
	return 0;
}

static int read_table(struct mime *mime, const char *text, size_t length)
{
	const char *end = text + length;
	while (text < end) {
		const char *line_end = memchr(text, '\n', (size_t)(end - text));
		if (line_end == NULL)
			line_end = end;
		int result = read_line(mime, text, line_end);
		if (result != 0)
			return result;
		text = line_end + 1;
	}
	return 0;
}

/* Reads a whole file, no more than LARGEST_FILE of it, and its lines. */
static int read_file(struct mime *mime, const char *path)
{
	struct stat status;
	size_t length = 0;
	int result = -EINVAL;
	/* Not to wait for a writer, should somebody put a FIFO there. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
		goto done;
	size_t size = status.st_size < LARGEST_FILE ? (size_t)status.st_size : LARGEST_FILE;
	result = -ENOMEM;
	char *text = malloc(size + 1);
	if (text == NULL)
		goto done;
	while (length < size) {
		ssize_t part = read(fd, text + length, size - length);
		if (part < 0 && errno == EINTR)
			continue;
		if (part <= 0)
			break;
		length += (size_t)part;
	}
	result = read_table(mime, text, length);
	free(text);
done:
	close(fd);
	return result;
}

struct mime *mime_new(const char *path)
{
	struct mime *mime = calloc(1, sizeof *mime);
	size_t places = path != NULL ? 1 : sizeof usual_places / sizeof usual_places[0];
	int result;

	if (mime == NULL)
		return NULL;
	result = grow_table(mime);
	for (size_t i = 0; i < places && result != -ENOMEM; i++) {
		result = read_file(mime, path != NULL ? path : usual_places[i]);
		if (result == 0)
			break;
	}
	if (result == -ENOMEM ||
	    read_table(mime, mime_types_builtin, sizeof mime_types_builtin - 1) != 0)
		mime_free(&mime);
	return mime;
}

void mime_free(struct mime **mime)
{
	if (*mime == NULL)
		return;
	free((*mime)->entries);
	free((*mime)->pool);
	free(*mime);
	*mime = NULL;
}

struct lop_str mime_type(const struct mime *mime, const char *name, size_t length)
{
	static const char unknown[] = "application/octet-stream";
	char extension[LONGEST_EXTENSION];
	size_t start = length;

	while (start > 0 && name[start - 1] != '.' && name[start - 1] != '/')
		start--;
	/* A name, a dot and an extension. */
	if (start < 2 || name[start - 1] != '.' || name[start - 2] == '/')
		goto unknown;
	length -= start;
	if (length == 0 || length > LONGEST_EXTENSION)
		goto unknown;
	for (size_t i = 0; i < length; i++)
		extension[i] = fold(name[start + i]);
	const struct entry *entry = find(mime, extension, length);
	if (entry->extension_length > 0)
		return (struct lop_str){ mime->pool + entry->type, entry->type_length };
unknown:
	return (struct lop_str){ unknown, sizeof unknown - 1 };
}
