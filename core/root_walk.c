/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Containment without help from the kernel: each component is opened below the one before and
 * never through a link; links are read and their text takes the component's place. The walk only
 * ever goes down from the root's descriptor: for ".." the last component is struck from the text
 * and the walk starts again. So a folder that is moved or swapped for a link meanwhile cannot
 * lead outside.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "os.h"
#include "root.h"

/* Starts from the root again: because of "..", absolute links, or somebody who swaps files. */
#define RESTARTS_MAX 64

struct walk {
	const struct lop_root *root;
	int folder;  /* the folder that the first `done` bytes lead to */
	size_t done; /* these are folders, no links, each with its slash */
	bool stale;  /* folder belongs to a longer text than `done` */
	unsigned links;
	unsigned restarts;
	size_t length;
	char path[PATH_MAX];
};

/* A component: name at start, followed by slashes up to next. */
struct component {
	size_t start;
	size_t end;
	size_t next;
};

static void walk_leave(struct walk *walk)
{
	if (walk->folder != walk->root->descriptor)
		close(walk->folder);
	walk->folder = walk->root->descriptor;
}

static int walk_restart(struct walk *walk)
{
	if (++walk->restarts > RESTARTS_MAX)
		return -ELOOP;
	walk_leave(walk);
	walk->done = 0;
	walk->stale = false;
	return 0;
}

/* Puts text in place of the bytes from start to end. */
static int walk_replace(struct walk *walk, size_t start, size_t end, const char *text,
                        size_t length)
{
	size_t tail = walk->length - end;

	if (start + length + tail >= sizeof(walk->path))
		return -ENAMETOOLONG;
	memmove(walk->path + start + length, walk->path + end, tail + 1);
	memcpy(walk->path + start, text, length);
	walk->length = start + length + tail;
	return 0;
}

static struct component walk_component(const struct walk *walk)
{
	struct component part;

	part.start = walk->done + strspn(walk->path + walk->done, "/");
	part.end = part.start + strcspn(walk->path + part.start, "/");
	part.next = part.end + strspn(walk->path + part.end, "/");
	return part;
}

/* Strikes ".." and the component before it; what was walked so far is known to be no link. */
static int walk_up(struct walk *walk, const struct component *part)
{
	size_t above = walk->done;

	while (above > 0 && walk->path[above - 1] == '/')
		above--;
	if (above == 0)
		return -EXDEV;
	while (above > 0 && walk->path[above - 1] != '/')
		above--;
	walk->done = above;
	walk->stale = true;
	return walk_replace(walk, above, part->next, "", 0);
}

/* Puts a link's text in its place. */
static int walk_link(struct walk *walk, const struct component *part, const char *name)
{
	char target[PATH_MAX];
	const char *inside;
	ssize_t length = readlinkat(walk->folder, name, target, sizeof(target) - 1);
	int result;

	if (length < 0)
		return -errno;
	if (length == 0)
		return -ENOENT;
	if (length == sizeof(target) - 1)
		return -ENAMETOOLONG;
	if (++walk->links > ROOT_LINKS_MAX)
		return -ELOOP;
	target[length] = '\0';
	if (target[0] != '/')
		return walk_replace(walk, part->start, part->end, target, (size_t)length);
	inside = root_inside(walk->root, target);
	if (inside == NULL)
		return -EXDEV;
	result = walk_replace(walk, 0, part->end, inside, strlen(inside));
	return result < 0 ? result : walk_restart(walk);
}

/* Goes down into a folder, or resolves the link that is there. */
static int walk_enter(struct walk *walk, const struct component *part, const char *name)
{
	int folder = openat(walk->folder, name, OS_FOLDER | O_NOFOLLOW);
	int error = errno, result;

	if (folder >= 0) {
		walk_leave(walk);
		walk->folder = folder;
		walk->done = part->next;
		return 0;
	}
	if (error == ENOENT || error == EMFILE || error == ENFILE || error == ENAMETOOLONG)
		return -error;
	/* Systems disagree on the error for a link: whether it is one is seen by reading it. */
	result = walk_link(walk, part, name);
	return result == -EINVAL ? -error : result;
}

/* Opens the last component. Returns a descriptor, a negative errno, or -EAGAIN to look again. */
static int walk_last(struct walk *walk, const struct component *part, const char *name, int flags,
                     mode_t mode)
{
	struct stat st;
	int descriptor, result;

	if (part->next > part->end)
		flags |= O_DIRECTORY;

	if (fstatat(walk->folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT || !(flags & O_CREAT))
			return -errno;
	} else if (S_ISLNK(st.st_mode)) {
		if ((flags & O_CREAT) && (flags & O_EXCL))
			return -EEXIST;
		if (flags & O_NOFOLLOW)
			return -ELOOP;
		result = walk_link(walk, part, name);
		/* It was swapped for something else since. */
		if (result == -EINVAL)
			result = walk_restart(walk);
		return result < 0 ? result : -EAGAIN;
	} else if (!file_served(st.st_mode)) {
		return -EACCES;
	}
	descriptor = openat(walk->folder, name, flags | O_NOFOLLOW, mode);
	if (descriptor >= 0)
		return descriptor;
	/* A link took its place since: ELOOP, or EMLINK and EFTYPE on some systems. */
	if (errno == ELOOP || errno == EMLINK) {
		result = walk_restart(walk);
		return result < 0 ? result : -EAGAIN;
	}
	return errno == EAGAIN ? -EBUSY : -errno;
}

/* One component further. Returns a descriptor, a negative errno, or -EAGAIN to go on. */
static int walk_step(struct walk *walk, int flags, mode_t mode)
{
	struct component part = walk_component(walk);
	size_t length = part.end - part.start;
	char name[NAME_MAX + 1];
	int result;

	if (length > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, walk->path + part.start, length);
	name[length] = '\0';

	if (strcmp(name, ".") == 0) {
		result = walk_replace(walk, part.start, part.next, "", 0);
	} else if (strcmp(name, "..") == 0) {
		result = walk_up(walk, &part);
	} else if (walk->stale) {
		result = walk_restart(walk);
	} else if (length == 0) {
		result = openat(walk->folder, ".", flags | O_DIRECTORY, mode);
		return result < 0 ? -errno : result;
	} else if (walk->path[part.next] == '\0') {
		return walk_last(walk, &part, name, flags, mode);
	} else {
		result = walk_enter(walk, &part, name);
	}
	return result < 0 ? result : -EAGAIN;
}

int root_walk(const struct lop_root *root, const char *path, int flags, mode_t mode)
{
	struct walk walk = { .root = root, .folder = root->descriptor };
	int result;

	walk.length = strlen(path);
	if (walk.length >= sizeof(walk.path))
		return -ENAMETOOLONG;
	if (path[0] == '/')
		return -EXDEV;
	memcpy(walk.path, path, walk.length + 1);
	flags |= O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	do
		result = walk_step(&walk, flags, mode);
	while (result == -EAGAIN);
	walk_leave(&walk);
	return result;
}
