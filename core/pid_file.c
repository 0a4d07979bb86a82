/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lophttpd/message.h>

#include "core.h"

static char *absolute(const struct lop_core *core, const char *path)
{
	char *whole;

	if (path[0] == '/')
		return strdup(path);
	return asprintf(&whole, "%s/%s", core->upgrade.folder, path) < 0 ? NULL : whole;
}

/* -EEXIST when the file there is locked by a running server. */
static int look_for_other(const char *path)
{
	int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int result = 0;

	if (descriptor < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(descriptor, &st) < 0 || !S_ISREG(st.st_mode))
		result = -EINVAL;
	else if (flock(descriptor, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		result = -EEXIST;
	close(descriptor);
	return result;
}

/* A new file beside it takes its place. */
static int write_beside(const char *path, int *out)
{
	char beside[PATH_MAX], text[32];
	int length, descriptor, result;

	if (snprintf(beside, sizeof(beside), "%s.new", path) >= (int)sizeof(beside))
		return -ENAMETOOLONG;
	(void)unlink(beside);
	descriptor = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (descriptor < 0)
		return -errno;
	length = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (write(descriptor, text, (size_t)length) != length)
		result = errno != 0 ? -errno : -EIO;
	else if (flock(descriptor, LOCK_EX | LOCK_NB) < 0 || rename(beside, path) < 0)
		result = -errno;
	else
		result = 0;
	if (result < 0) {
		close(descriptor);
		(void)unlink(beside);
		return result;
	}
	*out = descriptor;
	return 0;
}

int pid_file_write(struct lop_core *core)
{
	struct pid_file *file = &core->pid_file;
	int result = 0;

	if (core->settings.pid_file == NULL)
		return 0;
	file->path = absolute(core, core->settings.pid_file);
	if (file->path == NULL)
		return -ENOMEM;
	if (core->upgrade.old == 0)
		result = look_for_other(file->path);
	if (result == 0)
		result = write_beside(file->path, &file->descriptor);
	if (result == -EEXIST)
		lop_core_message(
			core, LOP_LOG_ERROR,
			"pid file %s belongs to a server that is running; stop it first, or "
			"name another file",
			file->path);
	else if (result < 0)
		lop_core_message(core, LOP_LOG_ERROR,
		                 "cannot write the pid file %s: %s; name another with --pid-file",
		                 file->path, strerror(-result));
	return result;
}

/* Whether the file that this process wrote stands there. */
static bool is_ours(const struct pid_file *file)
{
	struct stat ours, there;

	return fstat(file->descriptor, &ours) == 0 && stat(file->path, &there) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

void pid_file_restore(struct lop_core *core)
{
	struct pid_file *file = &core->pid_file;
	int descriptor, result;

	if (file->descriptor < 0 || core->chrooted || is_ours(file))
		return;
	result = write_beside(file->path, &descriptor);
	if (result < 0) {
		lop_core_message(core, LOP_LOG_WARNING, "cannot write the pid file %s again: %s",
		                 file->path, strerror(-result));
		return;
	}
	close(file->descriptor);
	file->descriptor = descriptor;
}

void pid_file_leave(struct lop_core *core)
{
	if (core->pid_file.descriptor >= 0)
		close(core->pid_file.descriptor);
	core->pid_file.descriptor = -1;
	free(core->pid_file.path);
	core->pid_file.path = NULL;
}

void pid_file_remove(struct lop_core *core)
{
	struct pid_file *file = &core->pid_file;

	if (file->descriptor >= 0 && !core->chrooted && is_ours(file))
		(void)unlink(file->path);
	else if (file->descriptor >= 0 && ftruncate(file->descriptor, 0) < 0)
		errno = 0;
	pid_file_leave(core);
}
