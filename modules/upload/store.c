/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/fs.h>
#include <sys/syscall.h>
#endif

#define MODE 0640
#define TRIES 8

/* Whatever the umask says; a file system without modes has none to set. */
static int settle(int descriptor)
{
	if (fchmod(descriptor, MODE) < 0 && errno != EPERM && errno != ENOSYS)
		return -errno;
	return 0;
}

#ifdef O_TMPFILE
/* Gives an unnamed file a name. */
static int link_unnamed(const struct store *store, const char *name)
{
	char path[40];
	int folder = lop_file_descriptor(store->folder);

	if (!store->by_proc)
		return linkat(store->descriptor, "", folder, name, AT_EMPTY_PATH) < 0 ? -errno : 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", store->descriptor);
	return linkat(AT_FDCWD, path, folder, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/* Linking to "." fails in any case: with EEXIST, when everything before that was in order. */
static bool can_link(struct store *store)
{
	store->by_proc = false;
	if (link_unnamed(store, ".") == -EEXIST)
		return true;
	store->by_proc = true;
	return link_unnamed(store, ".") == -EEXIST;
}

static int open_unnamed(struct store *store)
{
	store->descriptor = openat(lop_file_descriptor(store->folder), ".",
	                           O_TMPFILE | O_WRONLY | O_CLOEXEC, MODE);
	if (store->descriptor < 0)
		return -errno;
	if (can_link(store))
		return 0;
	close(store->descriptor);
	return -EOPNOTSUPP;
}
#else
static int link_unnamed(const struct store *store, const char *name)
{
	(void)store;
	(void)name;
	return -EOPNOTSUPP;
}

static int open_unnamed(struct store *store)
{
	(void)store;
	return -EOPNOTSUPP;
}
#endif

static int make_temporary(struct store *store)
{
	char token[NAME_TOKEN_LENGTH + 1];
	int result = name_token(token);

	if (result == 0)
		snprintf(store->temporary, sizeof(store->temporary), NAME_TEMPORARY "%s", token);
	return result;
}

/* The name exists before its lock does: whoever cleans up may come in between, so it is looked at
 * again. */
static int open_named(struct store *store)
{
	int folder = lop_file_descriptor(store->folder);
	struct stat st;

	for (int i = 0; i < TRIES; i++) {
		int result = make_temporary(store);

		if (result < 0)
			return result;
		store->descriptor = openat(folder, store->temporary,
		                           O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC,
		                           MODE);
		if (store->descriptor < 0 && errno != EEXIST)
			return -errno;
		if (store->descriptor < 0)
			continue;
		if (flock(store->descriptor, LOCK_EX | LOCK_NB) == 0 &&
		    fstat(store->descriptor, &st) == 0 && st.st_nlink > 0)
			return 0;
		close(store->descriptor);
	}
	return -EBUSY;
}

static int check_room(int descriptor, int64_t length)
{
	struct statvfs fs;

	/* Some file systems do not know: f_blocks is 0 then. */
	if (length <= 0 || fstatvfs(descriptor, &fs) < 0 || fs.f_blocks == 0)
		return 0;
	return (uint64_t)length / fs.f_frsize >= fs.f_bavail ? -ENOSPC : 0;
}

int store_open(struct store *store, struct lop_file *folder, int64_t length)
{
	int result;

	memset(store, 0, sizeof(*store));
	store->descriptor = -1;
	store->folder = lop_file_retain(folder);
	result = open_unnamed(store);
	/* EISDIR: a kernel that does not know the flag. */
	if (result == -EOPNOTSUPP || result == -EISDIR || result == -EINVAL || result == -ENOENT)
		result = open_named(store);
	else if (result == 0)
		(void)flock(store->descriptor, LOCK_EX | LOCK_NB);
	if (result < 0)
		store->descriptor = -1;
	else
		result = settle(store->descriptor);
	if (result == 0)
		result = check_room(store->descriptor, length);
	if (result < 0)
		store_close(store);
	return result;
}

int store_write(struct store *store, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t count = write(store->descriptor, data, length);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		data += count;
		length -= (size_t)count;
		store->size += count;
	}
	return 0;
}

#ifdef SPLICE_F_MOVE
int store_splice(struct store *store, int pipe, size_t length)
{
	while (length > 0) {
		ssize_t count = splice(pipe, NULL, store->descriptor, NULL, length,
		                       SPLICE_F_MOVE);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count == 0 || errno == EINVAL ? -EOPNOTSUPP : -errno;
		length -= (size_t)count;
		store->size += count;
	}
	return 0;
}
#else
int store_splice(struct store *store, int pipe, size_t length)
{
	(void)store;
	(void)pipe;
	(void)length;
	return -EOPNOTSUPP;
}
#endif

void store_flush(int descriptor, int64_t offset, int64_t length)
{
#ifdef SYNC_FILE_RANGE_WRITE
	(void)sync_file_range(descriptor, offset, length, SYNC_FILE_RANGE_WRITE);
#else
	(void)descriptor;
	(void)offset;
	(void)length;
#endif
}

/* From a hidden name to one that must be free: where there are no hard links, by a rename that
 * replaces nothing. */
static int publish_new(struct store *store, int folder)
{
	if (linkat(folder, store->temporary, folder, store->name, 0) == 0)
		return 0; /* the hidden name goes with store_close() */
	if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
#if defined(SYS_renameat2) && defined(RENAME_NOREPLACE)
	if (syscall(SYS_renameat2, folder, store->temporary, folder, store->name,
	            RENAME_NOREPLACE) < 0)
		return -errno;
	store->temporary[0] = '\0';
	return 0;
#else
	return -EOPNOTSUPP;
#endif
}

static bool same_file(const struct stat *one, const struct stat *other)
{
	return one->st_dev == other->st_dev && one->st_ino == other->st_ino &&
	       one->st_size == other->st_size && one->st_ctime == other->st_ctime;
}

static int publish_over(struct store *store, int folder)
{
	struct stat st;
	int result;

	store->replaced = fstatat(folder, store->name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (store->replaced && !S_ISREG(st.st_mode))
		return -EEXIST;
	if (store->expected && (!store->replaced || !same_file(&st, &store->expect)))
		return -ESTALE;
	if (store->temporary[0] == '\0') {
		result = make_temporary(store);
		if (result == 0)
			result = link_unnamed(store, store->temporary);
		if (result < 0) {
			store->temporary[0] = '\0';
			return result;
		}
	}
	if (renameat(folder, store->temporary, folder, store->name) < 0)
		return -errno;
	store->temporary[0] = '\0';
	return 0;
}

int store_commit(struct store *store)
{
	int folder = lop_file_descriptor(store->folder);
	/* The folder may not be open for reading, nor allow it: then its sync is left out. */
	int readable = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = fsync(store->descriptor) < 0 ? -errno : 0;

	/* Of two that replace what both have seen, one is late: the lock lets it notice. */
	if (result == 0 && store->expected && readable >= 0)
		(void)flock(readable, LOCK_EX);
	if (result == 0 && store->replace)
		result = publish_over(store, folder);
	else if (result == 0 && store->temporary[0] != '\0')
		result = publish_new(store, folder);
	else if (result == 0)
		result = link_unnamed(store, store->name);
	if (readable >= 0) {
		if (result == 0)
			(void)fsync(readable);
		close(readable);
	}
	return result;
}

void store_close(struct store *store)
{
	if (store->folder == NULL)
		return;
	if (store->temporary[0] != '\0' && store->descriptor >= 0)
		(void)unlinkat(lop_file_descriptor(store->folder), store->temporary, 0);
	store->temporary[0] = '\0';
	if (store->descriptor >= 0)
		close(store->descriptor);
	store->descriptor = -1;
	lop_file_release(&store->folder);
}

/* A hidden file without a lock belongs to nobody any more. */
static void remove_stale(int folder, const char *name)
{
	int descriptor = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (descriptor < 0)
		return;
	if (flock(descriptor, LOCK_EX | LOCK_NB) == 0)
		(void)unlinkat(folder, name, 0);
	close(descriptor);
}

int folder_survey(int folder, int64_t *bytes)
{
	int descriptor = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;
	struct stat st;
	DIR *dir;

	*bytes = 0;
	if (descriptor < 0)
		return -errno;
	dir = fdopendir(descriptor);
	if (dir == NULL) {
		close(descriptor);
		return -ENOMEM;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (strncmp(entry->d_name, NAME_TEMPORARY, sizeof(NAME_TEMPORARY) - 1) == 0)
			remove_stale(folder, entry->d_name);
		else if (fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		         S_ISREG(st.st_mode))
			*bytes += st.st_size;
	}
	closedir(dir);
	return 0;
}
