/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "log_open.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lophttpd/message.h>

#include "core.h"
#include "log_outside.h"

#define DEFAULT_PATH "/var/log/lophttpd"
#define LOG_MODE 0640

#if !defined(MAP_ANONYMOUS) && defined(MAP_ANON)
#define MAP_ANONYMOUS MAP_ANON
#endif

struct log_identity {
	_Atomic uint64_t device;
	_Atomic uint64_t inode;
};

static bool is_standard_error(const struct log_target *target)
{
	return strcmp(target->path, "-") == 0;
}

static char *absolute(const char *path)
{
	char folder[PATH_MAX], whole[PATH_MAX];

	if (path[0] == '/' || strcmp(path, "-") == 0)
		return strdup(path);
	if (getcwd(folder, sizeof(folder)) == NULL)
		return NULL;
	if (snprintf(whole, sizeof(whole), "%s/%s", folder, path) >= (int)sizeof(whole)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return strdup(whole);
}

/* The folder, and each worker's file, which may be there already, as a link. */
static int check_outside(struct lop_core *core, const struct log_target *target, const char *folder,
                         int workers)
{
	char path[PATH_MAX];
	int result = log_outside_check(core, folder);

	for (int i = 0; result == 0 && i < workers; i++) {
		log_target_path(target, i, path, sizeof(path));
		result = log_outside_check(core, path);
	}
	return result;
}

/* Splits the path. */
static int find_folder(struct lop_core *core, struct log_target *target, char folder[PATH_MAX])
{
	size_t length;

	target->name = strrchr(target->path, '/') + 1;
	length = (size_t)(target->name - target->path);
	if (target->name[0] == '\0' || length >= PATH_MAX) {
		lop_core_message(core, LOP_LOG_ERROR,
		                 "log file %s: that is a folder, -o wants a file", target->path);
		return -EINVAL;
	}
	memcpy(folder, target->path, length);
	folder[length] = '\0';
	return 0;
}

static int open_folder(struct lop_core *core, struct log_target *target, int workers)
{
	char folder[PATH_MAX];
	int result = find_folder(core, target, folder);

	if (result < 0)
		return result;
	target->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (target->folder < 0) {
		result = -errno;
		lop_core_message(core, LOP_LOG_ERROR,
		                 "log folder %s: %s; name another file with -o, or use -o - or -q",
		                 folder, strerror(-result));
		return result;
	}
	return check_outside(core, target, folder, workers);
}

/* Before the first worker is forked. */
static int share_identities(struct log_target *target, int workers)
{
	const size_t size = (size_t)workers * sizeof(struct log_identity);
	void *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (block == MAP_FAILED)
		return -errno;
	target->open = block;
	target->workers = workers;
	return 0;
}

void log_target_note(struct log_target *target, int worker, const struct stat *st)
{
	if (target->open == NULL || worker >= target->workers)
		return;
	atomic_store(&target->open[worker].device, (uint64_t)st->st_dev);
	atomic_store(&target->open[worker].inode, (uint64_t)st->st_ino);
}

bool log_target_is_open(const struct log_target *target, uint64_t device, uint64_t inode)
{
	for (int i = 0; target->open != NULL && i < target->workers; i++)
		if (atomic_load(&target->open[i].inode) == inode &&
		    atomic_load(&target->open[i].device) == device)
			return true;
	return false;
}

/* Fills in all but the folder. */
static int find(struct lop_core *core, struct log_target *target, int workers)
{
	const struct loaded_module *provider = modules_log(&core->modules);
	const char *path = core->settings.log_file;

	*target = (struct log_target){ .folder = -1 };
	if (path == NULL)
		path = geteuid() == 0 ? DEFAULT_PATH : "-";
	target->none = core->settings.quiet || provider == NULL ||
	               (provider->module->log->flags & LOP_LOG_NO_FILE) != 0;
	target->path = !target->none || provider == NULL ? absolute(path)
	                                                 : strdup(provider->module->name);
	if (target->path == NULL) {
		int result = -errno;

		lop_core_message(core, LOP_LOG_ERROR, "log file %s: %s", path, strerror(-result));
		return result;
	}
	target->name = target->path;
	if (target->none)
		return 0;
	target->readable = (provider->module->log->flags & LOP_LOG_READABLE) != 0;
	target->many = workers > 1 && !is_standard_error(target);
	return 0;
}

int log_target_init(struct lop_core *core, int workers)
{
	struct log_target *target = &core->log;
	int result = find(core, target, workers);

	if (result < 0 || target->none)
		return result;
	result = core->settings.log_in_root ? 0 : share_identities(target, workers);
	if (result < 0)
		lop_core_message(core, LOP_LOG_ERROR, "log file %s: %s", target->path,
		                 strerror(-result));
	else if (!is_standard_error(target))
		result = open_folder(core, target, workers);
	if (result < 0)
		log_target_fini(target);
	return result;
}

int log_target_test(struct lop_core *core, int workers)
{
	struct log_target *target = &core->log;
	char folder[PATH_MAX];
	int result = find(core, target, workers);

	if (result < 0 || target->none || is_standard_error(target))
		return result;
	result = find_folder(core, target, folder);
	return result < 0 ? result : check_outside(core, target, folder, workers);
}

/* As root in a folder where somebody else can put links. */
static bool must_not_follow(int folder)
{
	struct stat st;

	if (geteuid() != 0)
		return false;
	return fstat(folder, &st) < 0 || st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

/* In a chroot a path from the system's root is another one. */
static bool leads_elsewhere(const struct log_target *target, const char *name)
{
	char first;

	return target->chrooted && readlinkat(target->folder, name, &first, 1) == 1 && first == '/';
}

/* Keeps 0, 1 and 2 for what they are. */
static int move_up(int descriptor)
{
	int moved;

	if (descriptor > 2)
		return descriptor;
	moved = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
	if (moved < 0)
		moved = -errno;
	close(descriptor);
	return moved;
}

int log_target_open(const struct log_target *target, int worker, uid_t uid, gid_t gid)
{
	int flags = (target->readable ? O_RDWR : O_WRONLY) | O_APPEND | O_CLOEXEC | O_NOCTTY |
	            O_NONBLOCK;
	char name[NAME_MAX + 1];
	struct stat st;
	bool careful;
	int descriptor;

	if (target->none)
		return -EBADF;
	if (is_standard_error(target)) {
		descriptor = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
		return descriptor < 0 ? -errno : descriptor;
	}
	if (snprintf(name, sizeof(name), target->many ? "%s.%d" : "%s", target->name, worker) >=
	    (int)sizeof(name))
		return -ENAMETOOLONG;
	if (leads_elsewhere(target, name))
		return -EXDEV;
	careful = must_not_follow(target->folder);
	if (careful)
		flags |= O_NOFOLLOW;
	descriptor = openat(target->folder, name, flags);
	if (descriptor >= 0 && target->readable && fstat(descriptor, &st) == 0 &&
	    S_ISFIFO(st.st_mode)) {
		/* Read by ourselves, a pipe would never be without a reader. */
		close(descriptor);
		flags = (flags & ~O_ACCMODE) | O_WRONLY;
		descriptor = openat(target->folder, name, flags);
	}
	if (descriptor < 0 && errno == ENOENT) {
		/* Only a file made here is given away: one that was there may be anybody's. */
		descriptor = openat(target->folder, name, flags | O_CREAT | O_EXCL, LOG_MODE);
		if (descriptor >= 0 && uid != (uid_t)-1 && geteuid() == 0 &&
		    fchown(descriptor, uid, gid) < 0) {
			int result = -errno;

			close(descriptor);
			return result;
		}
	}
	if (descriptor < 0)
		return -errno;
	if (careful && fstat(descriptor, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink > 1) {
		close(descriptor);
		return -ELOOP;
	}
	return move_up(descriptor);
}

const char *log_target_reason(int error)
{
	switch (error) {
	case -ELOOP:
		return "a link stands there, and others than root can write to its folder";
	case -EEXIST:
		return "a link stands there that leads nowhere";
	case -EXDEV:
		return "a link stands there that leads elsewhere in the chroot";
	case -ENXIO:
		return "nobody reads that pipe, or it is a socket";
	default:
		return strerror(-error);
	}
}

/* what_now: what that means, or what to do about it. */
static int open_for_worker(struct lop_core *core, int worker, const char *what_failed,
                           const char *what_now)
{
	const struct privileges *to = &core->privileges;
	char path[PATH_MAX];
	int descriptor;

	descriptor = log_target_open(&core->log, worker, to->root ? to->uid : (uid_t)-1,
	                             to->root ? to->gid : (gid_t)-1);
	if (descriptor >= 0)
		return descriptor;
	log_target_path(&core->log, worker, path, sizeof(path));
	lop_core_message(core, LOP_LOG_ERROR, "cannot %s the log %s: %s; %s", what_failed, path,
	                 log_target_reason(descriptor), what_now);
	return descriptor;
}

int log_target_start(struct lop_core *core, int worker)
{
	return open_for_worker(core, worker, "open", "name another with -o, or say -q");
}

int log_target_reopen(struct lop_core *core, int worker)
{
	return open_for_worker(core, worker, "reopen", "going on with the old file");
}

void log_target_path(const struct log_target *target, int worker, char *out, size_t size)
{
	snprintf(out, size, target->many ? "%s.%d" : "%s", target->path, worker);
}

void log_target_close(struct log_target *target)
{
	if (target->folder >= 0)
		close(target->folder);
	target->folder = -1;
}

void log_target_fini(struct log_target *target)
{
	log_target_close(target);
	if (target->open != NULL)
		(void)munmap(target->open, (size_t)target->workers * sizeof(*target->open));
	target->open = NULL;
	free(target->path);
	target->path = NULL;
	target->name = NULL;
}
