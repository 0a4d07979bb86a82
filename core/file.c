/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Open files, counted, with what is known of them.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "os.h"
#include "root.h"

static int64_t nanoseconds(struct timespec time)
{
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int file_examine(int descriptor, const struct stat *st, struct lop_stat *out)
{
	*out = (struct lop_stat){
		.size_of = sizeof(*out),
		.device = (uint64_t)st->st_dev,
		.inode = (uint64_t)st->st_ino,
		.size = st->st_size,
		.mtime_ns = nanoseconds(OS_MTIME(st)),
		.ctime_ns = nanoseconds(OS_CTIME(st)),
		.mode = st->st_mode,
		.links = (uint32_t)st->st_nlink,
	};
	if (S_ISDIR(st->st_mode)) {
		out->kind = LOP_FILE_FOLDER;
	} else if (S_ISBLK(st->st_mode)) {
		out->kind = LOP_FILE_BLOCK;
		out->size = os_device_size(descriptor);
		/* A drive without a medium. */
		if (out->size < 0)
			return -EACCES;
	} else if (!S_ISREG(st->st_mode)) {
		return -EACCES;
	} else if (st->st_blocks == 0 && os_unsized(descriptor)) {
		/* Pseudo file systems keep no blocks: others are spared the second look. */
		out->kind = LOP_FILE_UNSIZED;
		out->size = -1;
	} else {
		out->kind = LOP_FILE_REGULAR;
	}
	return 0;
}

size_t file_etag(const struct lop_stat *stat, char *text, size_t size)
{
	int length = snprintf(text, size, "\"%llx-%llx-%llx-%llx-%llx\"",
	                      (unsigned long long)stat->device, (unsigned long long)stat->inode,
	                      (unsigned long long)stat->size, (unsigned long long)stat->mtime_ns,
	                      (unsigned long long)stat->ctime_ns);

	assert(length > 0 && (size_t)length < size);
	return (size_t)length;
}

int lop_file_adopt(int descriptor, struct lop_file **file)
{
	struct lop_file *made = malloc(sizeof(*made));
	struct stat st;
	int result = -ENOMEM;

	if (made == NULL)
		goto fail;
	result = fstat(descriptor, &st) < 0 ? -errno : file_examine(descriptor, &st, &made->stat);
	if (result < 0)
		goto fail;
	made->magic = FILE_MAGIC;
	made->references = 1;
	made->descriptor = descriptor;
	*file = made;
	return 0;
fail:
	free(made);
	close(descriptor);
	return result;
}

void file_free(struct lop_file *file)
{
	assert(file->magic == FILE_MAGIC);
	file->magic = 0;
	close(file->descriptor);
	free(file);
}

struct lop_file *lop_file_retain(struct lop_file *file)
{
	return file_retain(file);
}

void lop_file_release(struct lop_file **file)
{
	file_release(file);
}

int lop_file_descriptor(const struct lop_file *file)
{
	return file->descriptor;
}

const struct lop_stat *lop_file_stat(const struct lop_file *file)
{
	return &file->stat;
}
