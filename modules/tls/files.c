/* SPDX-License-Identifier: BSD-2-Clause */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tls.h"

#define FILE_MAX_SIZE ((size_t)4 * 1024 * 1024)

static struct files *files_new(size_t count)
{
	struct files *files = calloc(1, sizeof(*files) + count * sizeof(files->items[0]));

	if (files != NULL)
		files->count = count;
	return files;
}

void files_free(struct files **pointer)
{
	struct files *files = *pointer;

	*pointer = NULL;
	if (files == NULL)
		return;
	for (size_t i = 0; i < files->count; i++) {
		if (files->items[i].data != NULL)
			OPENSSL_cleanse(files->items[i].data, files->items[i].length);
		free(files->items[i].data);
	}
	free(files);
}

static bool content_equal(const struct content *a, const struct content *b)
{
	return a->length == b->length && memcmp(a->data, b->data, a->length) == 0;
}

bool files_equal(const struct files *a, const struct files *b)
{
	if (a == NULL || b == NULL || a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!content_equal(&a->items[i], &b->items[i]))
			return false;
	return true;
}

/* ---- reading -------------------------------------------------------------------------------- */

static int read_whole(int descriptor, size_t size, struct content *content)
{
	size_t length = 0;

	content->data = malloc(size + 1);
	if (content->data == NULL)
		return -ENOMEM;
	while (length < size) {
		const ssize_t count = read(descriptor, content->data + length, size - length);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		if (count == 0)
			break;
		length += (size_t)count;
	}
	content->data[length] = '\0';
	content->length = length;
	return 0;
}

static int read_file(const char *path, struct content *content, mode_t *mode)
{
	const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int result;

	if (descriptor < 0)
		return -errno;
	if (fstat(descriptor, &st) < 0)
		result = -errno;
	else if (!S_ISREG(st.st_mode))
		result = -EINVAL;
	else if ((uintmax_t)st.st_size > FILE_MAX_SIZE)
		result = -EFBIG;
	else
		result = read_whole(descriptor, (size_t)st.st_size, content);
	*mode = result == 0 ? st.st_mode : 0;
	close(descriptor);
	return result;
}

bool files_has_key(const struct content *content)
{
	return strstr((const char *)content->data, "PRIVATE KEY-----") != NULL;
}

static const char *name_of(enum file_kind kind)
{
	static const char *const names[] = {
		[FILE_CERTIFICATE] = "certificate", [FILE_KEY] = "key",
		[FILE_STAPLE] = "OCSP response",    [FILE_CLIENT_CA] = "clients' issuers",
		[FILE_DH] = "DH parameters",
	};

	return names[kind];
}

/* In a chroot the path would lead into the folder that is served. */
static bool is_chrooted(const struct tls *tls)
{
	struct stat st;

	return tls->served && (stat("/", &st) < 0 || (uint64_t)st.st_dev != tls->root_device ||
	                       (uint64_t)st.st_ino != tls->root_inode);
}

int files_read(struct tls *tls, struct files **out, char *error, size_t error_size)
{
	const struct tls_options *options = &tls->options;
	struct files *files;

	if (is_chrooted(tls)) {
		snprintf(error, error_size,
		         "a single process cannot read them again from its chroot; restart it, or "
		         "run it with -n 2 or more");
		return -EACCES;
	}
	files = files_new(options->file_count);
	if (files == NULL) {
		snprintf(error, error_size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	for (size_t i = 0; i < files->count; i++) {
		const struct file_option *option = &options->files[i];
		mode_t mode = 0;
		const int result = read_file(option->path, &files->items[i], &mode);

		if (result < 0) {
			snprintf(error, error_size, "cannot read the %s %s: %s",
			         name_of(option->kind), option->path,
			         result == -EINVAL ? "it is not a file" : strerror(-result));
			files_free(&files);
			return result;
		}
		files->items[i].known = tls->files != NULL &&
		                        content_equal(&files->items[i], &tls->files->items[i]);
		if ((mode & S_IRWXO) != 0 && files_has_key(&files->items[i]) && !tls->served)
			lop_core_message(tls->core, LOP_LOG_WARNING,
			                 "the key %s can be read by every user of this machine; "
			                 "take that away with chmod 600",
			                 option->path);
	}
	*out = files;
	return 0;
}

/* ---- as one piece --------------------------------------------------------------------------- */

size_t files_packed_size(const struct files *files)
{
	size_t size = sizeof(size_t);

	for (size_t i = 0; i < files->count; i++)
		size += sizeof(size_t) + files->items[i].length;
	return size;
}

void files_pack(const struct files *files, unsigned char *out)
{
	memcpy(out, &files->count, sizeof(files->count));
	out += sizeof(files->count);
	for (size_t i = 0; i < files->count; i++) {
		const struct content *content = &files->items[i];

		memcpy(out, &content->length, sizeof(content->length));
		out += sizeof(content->length);
		memcpy(out, content->data, content->length);
		out += content->length;
	}
}

/* Takes a number off the front. */
static bool take(const unsigned char **packed, size_t *size, size_t *number)
{
	if (*size < sizeof(*number))
		return false;
	memcpy(number, *packed, sizeof(*number));
	*packed += sizeof(*number);
	*size -= sizeof(*number);
	return true;
}

struct files *files_unpack(const unsigned char *packed, size_t size)
{
	struct files *files;
	size_t count;

	if (!take(&packed, &size, &count) || count > size / sizeof(size_t))
		return NULL;
	files = files_new(count);
	for (size_t i = 0; files != NULL && i < count; i++) {
		struct content *content = &files->items[i];
		size_t length;

		if (!take(&packed, &size, &length) || length > size ||
		    (content->data = malloc(length + 1)) == NULL) {
			files_free(&files);
			return NULL;
		}
		memcpy(content->data, packed, length);
		content->data[length] = '\0';
		content->length = length;
		content->known = true;
		packed += length;
		size -= length;
	}
	return files;
}
