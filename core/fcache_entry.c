/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "date.h"
#include "fcache_entry.h"
#include "log_open.h"
#include "memory.h"
#include "mime.h"
#include "root.h"

/* Before the bytes there is room for the finished head. */
#define HEAD_ROOM 512
/* Of a file without a size this much is read at once; what is longer is sent as a stream. */
#define UNSIZED_MAX ((size_t)1024 * 1024)

static int status_of(int error)
{
	switch (error) {
	case -ENOENT:
	case -ENOTDIR:
	case -ENAMETOOLONG:
	case -EXDEV: /* it leads out of the root: there is nothing there */
	case -ELOOP:
	case -EINVAL:
		return 404;
	case -EACCES:
	case -EPERM:
		return 403;
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
	case -EAGAIN:
		return 503;
	default:
		return 500;
	}
}

static struct fcache_entry *entry_new(const struct fcache_loader *loader, struct lop_root *root,
                                      struct lop_str path)
{
	const size_t index = strlen(loader->index);
	struct fcache_entry *entry = calloc(1, sizeof *entry + 2 * path.length + index + 2);

	if (entry == NULL)
		return NULL;
	entry->magic = FCACHE_MAGIC;
	entry->references = 1;
	entry->root = root->id;
	entry->size = -1;
	list_init(&entry->age);
	memcpy(entry->key, path.data, path.length);
	entry->key_length = path.length;
	entry->name = entry->key + 1;
	return entry;
}

/* Opens the index of a folder, or the folder itself. */
static int open_folder(const struct fcache_loader *loader, struct lop_root *root,
                       struct fcache_entry *entry)
{
	char *name = entry->key + entry->key_length + 1;
	int result;

	memcpy(name, entry->key + 1, entry->key_length - 1);
	strcpy(name + entry->key_length - 1, loader->index);
	result = lop_root_open(root, name, &entry->file);
	if (result == 0 && entry->file->stat.kind != LOP_FILE_FOLDER) {
		entry->name = name;
		return 0;
	}
	if (result == 0) {
		lop_file_release(&entry->file);
	} else if (result != -ENOENT && result != -ENOTDIR) {
		entry->name = name;
		return result;
	}
	return lop_root_open(root, entry->name, &entry->file);
}

static void set_validators(const struct fcache_loader *loader, struct fcache_entry *entry)
{
	const struct lop_stat *stat = &entry->stat;
	const size_t length = file_etag(stat, entry->etag, sizeof entry->etag);

	entry->modified_second = stat->mtime_ns / 1000000000 - (stat->mtime_ns % 1000000000 < 0);
	if (entry->modified_second > loader->now)
		entry->modified_second = loader->now;
	date_format(entry->modified, entry->modified_second);
	entry->fields[FCACHE_FIELD_ETAG] = (struct response_field){
		STR("ETag"), { entry->etag, length }
	};
	entry->fields[FCACHE_FIELD_MODIFIED] = (struct response_field){
		STR("Last-Modified"), { entry->modified, DATE_LENGTH }
	};
	entry->validators = true;
}

static void set_fields(const struct fcache_loader *loader, struct fcache_entry *entry)
{
	entry->fields[FCACHE_FIELD_RANGES] = (struct response_field){ STR("Accept-Ranges"),
		                                                      STR("bytes") };
	entry->fields[FCACHE_FIELD_TYPE] = (struct response_field){
		STR("Content-Type"), mime_type(loader->mime, entry->name, strlen(entry->name))
	};
	entry->fields[FCACHE_FIELD_NOSNIFF] = (struct response_field){
		STR("X-Content-Type-Options"), STR("nosniff")
	};
	entry->first_field = entry->validators ? FCACHE_FIELD_ETAG
	                     : entry->ranges   ? FCACHE_FIELD_RANGES
	                                       : FCACHE_FIELD_TYPE;
	entry->field_count = FCACHE_FIELDS - entry->first_field;
}

/* Reads up to size bytes from the file's start; returns the count or a negative errno. */
static ssize_t read_all(struct lop_file *file, char *buffer, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t count = pread(file->descriptor, buffer + done, size - done, (off_t)done);

		if (count < 0 && errno == EINTR)
			continue;
		/* A file that would block has no more to say. */
		if (count < 0 && errno == EAGAIN)
			break;
		if (count < 0)
			return -errno;
		if (count == 0)
			break;
		done += (size_t)count;
	}
	return (ssize_t)done;
}

static int set_memory(struct fcache_entry *entry, struct lop_memory *memory, size_t length)
{
	if (memory == NULL)
		return -ENOMEM;
	entry->rendered.memory = memory;
	entry->rendered.body_offset = HEAD_ROOM;
	entry->rendered.body_length = (uint32_t)length;
	return 0;
}

/* A regular file or a device: small ones go to memory. */
static int load_sized(const struct fcache_loader *loader, struct fcache_entry *entry)
{
	const bool keep = entry->stat.kind == LOP_FILE_REGULAR &&
	                  (uint64_t)entry->stat.size <= loader->memory_max;
	size_t room = keep ? (size_t)entry->stat.size : 0;

	entry->size = entry->stat.size;
	entry->ranges = true;
	/* A device's bytes change without its times. */
	if (entry->stat.kind == LOP_FILE_REGULAR)
		set_validators(loader, entry);
	if (set_memory(entry, lop_memory_new(HEAD_ROOM + room), 0) < 0)
		return -ENOMEM;
	if (!keep)
		return 0;

	ssize_t count = read_all(entry->file, entry->rendered.memory->data + HEAD_ROOM, room);

	if (count < 0)
		return (int)count;
	/* It shrank since it was opened: sending it will notice. */
	if ((size_t)count < room)
		return 0;
	entry->rendered.body_length = (uint32_t)room;
	lop_file_release(&entry->file);
	return 0;
}

/* procfs and the like: what it says now is read now, and never kept. */
static int load_unsized(struct fcache_entry *entry)
{
	struct lop_memory *memory = lop_memory_new(UNSIZED_MAX);
	struct lop_memory *fit;
	ssize_t count;

	if (memory == NULL)
		return -ENOMEM;
	count = read_all(entry->file, memory->data, UNSIZED_MAX);
	if (count < 0) {
		memory_release(&memory);
		return (int)count;
	}
	fit = lop_memory_new(HEAD_ROOM + (size_t)count);
	if (fit != NULL)
		memcpy(fit->data + HEAD_ROOM, memory->data, (size_t)count);
	memory_release(&memory);
	if (set_memory(entry, fit, (size_t)count) < 0)
		return -ENOMEM;
	if ((size_t)count < UNSIZED_MAX) {
		entry->size = count;
		lop_file_release(&entry->file);
	}
	return 0;
}

static int examine(const struct fcache_loader *loader, struct fcache_entry *entry)
{
	int result;

	entry->stat = entry->file->stat;
	if (log_target_is_open(loader->log, entry->stat.device, entry->stat.inode))
		return -EACCES;
	switch (entry->stat.kind) {
	case LOP_FILE_FOLDER:
		entry->kind = entry->key[entry->key_length - 1] == '/' ? FCACHE_FOLDER
		                                                       : FCACHE_REDIRECT;
		lop_file_release(&entry->file);
		return 0;
	case LOP_FILE_UNSIZED:
		result = load_unsized(entry);
		break;
	default:
		result = load_sized(loader, entry);
		break;
	}
	if (result < 0)
		return result;
	entry->kind = FCACHE_FILE;
	set_fields(loader, entry);
	return 0;
}

struct fcache_entry *fcache_load(const struct fcache_loader *loader, struct lop_root *root,
                                 struct lop_str path, int *error)
{
	struct fcache_entry *entry = entry_new(loader, root, path);
	int result;

	*error = -ENOMEM;
	if (entry == NULL)
		return NULL;
	if (path.data[path.length - 1] == '/')
		result = open_folder(loader, root, entry);
	else
		result = lop_root_open(root, entry->name, &entry->file);
	if (result == 0)
		result = examine(loader, entry);
	*error = result;
	if (result == -EMFILE || result == -ENFILE || result == -ENOMEM) {
		fcache_entry_free(entry);
		return NULL;
	}
	if (result < 0) {
		entry->kind = FCACHE_ERROR;
		entry->status = status_of(result);
		if (entry->file != NULL)
			lop_file_release(&entry->file);
		memory_release(&entry->rendered.memory);
	}
	return entry;
}

static int64_t to_ns(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

#if defined(__APPLE__)
#define MTIME(st) (&(st)->st_mtimespec)
#define CTIME(st) (&(st)->st_ctimespec)
#else
#define MTIME(st) (&(st)->st_mtim)
#define CTIME(st) (&(st)->st_ctim)
#endif

bool fcache_unchanged(const struct fcache_entry *entry, const struct lop_root *root)
{
	struct stat st;

	if (entry->kind != FCACHE_FILE || entry->stat.kind != LOP_FILE_REGULAR ||
	    root_peek(root, entry->name, &st) < 0)
		return false;
	return (uint64_t)st.st_dev == entry->stat.device &&
	       (uint64_t)st.st_ino == entry->stat.inode &&
	       (int64_t)st.st_size == entry->stat.size &&
	       to_ns(MTIME(&st)) == entry->stat.mtime_ns &&
	       to_ns(CTIME(&st)) == entry->stat.ctime_ns;
}

void fcache_entry_free(struct fcache_entry *entry)
{
	assert(entry->magic == FCACHE_MAGIC && entry->references <= 1);
	if (entry->file != NULL)
		lop_file_release(&entry->file);
	memory_release(&entry->rendered.memory);
	entry->magic = 0;
	free(entry);
}

size_t fcache_entry_bytes(const struct fcache_entry *entry)
{
	return sizeof *entry + 2 * entry->key_length +
	       (entry->rendered.memory != NULL ? entry->rendered.memory->size : 0);
}
