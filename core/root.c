/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "os.h"
#include "root.h"

/* openat2 gives up when anything on the system is renamed while it resolves "..". */
#define BENEATH_TRIES 8

static const char *name_of(const char *path)
{
	return *path != '\0' ? path : ".";
}

/* The rest of path below prefix, both absolute, doubled slashes apart; NULL when it is not
 * below. */
static const char *path_below(const char *path, const char *prefix)
{
	for (;;) {
		size_t length;

		path += strspn(path, "/");
		prefix += strspn(prefix, "/");
		length = strcspn(prefix, "/");
		if (length == 0)
			return path;
		if (strncmp(path, prefix, length) != 0 ||
		    (path[length] != '/' && path[length] != '\0'))
			return NULL;
		path += length;
		prefix += length;
	}
}

const char *root_inside(const struct lop_root *root, const char *path)
{
	const char *rest = path_below(path, root->path);
	const struct lop_root *top = root;

	if (rest == NULL && root->typed != NULL)
		rest = path_below(path, root->typed);
	if (rest == NULL && root->chrooted) {
		while (top->parent != NULL)
			top = top->parent;
		/* What the process sees as its own path of this root. */
		rest = path_below(path, path_below(root->path, top->path));
	}
	return rest;
}

/* The path as typed, made absolute; NULL when it says nothing new. */
static char *typed_path(const char *path, const char *real)
{
	char folder[PATH_MAX], *typed;

	if (path[0] == '/')
		typed = strdup(path);
	else if (getcwd(folder, sizeof(folder)) == NULL)
		typed = NULL;
	else if (asprintf(&typed, "%s/%s", folder, path) < 0)
		typed = NULL;
	/* A spelling with dots never is the beginning of a link's text. */
	if (typed != NULL && (strcmp(typed, real) == 0 || strstr(typed, "/.") != NULL)) {
		free(typed);
		typed = NULL;
	}
	return typed;
}

int root_new(const char *path, struct lop_root **root)
{
	struct lop_root *made = calloc(1, sizeof(*made));
	int result;

	if (made == NULL)
		return -ENOMEM;
	made->magic = ROOT_MAGIC;
	made->references = 1;
	made->descriptor = -1;
	made->path = realpath(path, NULL);
	if (made->path == NULL)
		goto fail;
	made->typed = typed_path(path, made->path);
	made->descriptor = open(made->path, OS_FOLDER);
	if (made->descriptor < 0)
		goto fail;
	made->next_id = 1;
#ifdef HAVE_OPENAT2
	/* Old kernels do not know the call, and old container run-times forbid it. */
	result = root_openat2(made, "", OS_FOLDER, 0);
	made->beneath = result >= 0;
	if (result >= 0)
		close(result);
#endif
	*root = made;
	return 0;
fail:
	result = -errno;
	lop_root_release(&made);
	return result;
}

int lop_root_descend(struct lop_root *root, const char *path, struct lop_root **child)
{
	struct lop_root *made, *top = root;
	int descriptor = root_open_descriptor(root, path, OS_FOLDER, 0);

	if (descriptor < 0)
		return descriptor;
	made = calloc(1, sizeof(*made));
	if (made == NULL || asprintf(&made->path, "%s/%s", root->path, path) < 0) {
		free(made);
		close(descriptor);
		return -ENOMEM;
	}
	while (top->parent != NULL)
		top = top->parent;
	made->magic = ROOT_MAGIC;
	made->references = 1;
	made->id = top->next_id++;
	made->descriptor = descriptor;
	made->parent = lop_root_retain(root);
	made->beneath = root->beneath;
	made->chrooted = root->chrooted;
	*child = made;
	return 0;
}

struct lop_root *lop_root_retain(struct lop_root *root)
{
	assert(root->magic == ROOT_MAGIC && root->references > 0);
	root->references++;
	return root;
}

void lop_root_release(struct lop_root **root)
{
	struct lop_root *gone = *root;

	*root = NULL;
	while (gone != NULL) {
		struct lop_root *parent = gone->parent;

		assert(gone->magic == ROOT_MAGIC && gone->references > 0);
		if (--gone->references > 0)
			return;
		gone->magic = 0;
		if (gone->descriptor >= 0)
			close(gone->descriptor);
		free(gone->path);
		free(gone->typed);
		free(gone->hidden);
		free(gone);
		gone = parent;
	}
}

int lop_root_hide(struct lop_root *root, const char *prefix)
{
	char *copy = strdup(prefix);

	if (copy == NULL)
		return -ENOMEM;
	free(root->hidden);
	root->hidden = copy;
	return 0;
}

int lop_root_hides(const struct lop_root *root, const char *path)
{
	return root->hidden != NULL &&
	       strncasecmp(path, root->hidden, strlen(root->hidden)) == 0;
}

int lop_root_descriptor(const struct lop_root *root)
{
	return root->descriptor;
}

int root_open_descriptor(const struct lop_root *root, const char *path, int flags, mode_t mode)
{
#ifdef HAVE_OPENAT2
	int result = -EXDEV;

	for (int i = 0; root->beneath && i < BENEATH_TRIES; i++) {
		result = root_openat2(root, path, flags, mode);
		if (result != -EAGAIN)
			break;
	}
	/* Left the root, or only seemed to because of an absolute link. */
	if (result != -EXDEV && result != -EAGAIN)
		return result;
#endif
	return root_walk(root, path, flags, mode);
}

int root_peek(const struct lop_root *root, const char *path, struct stat *st)
{
	return fstatat(root->descriptor, name_of(path), st, 0) < 0 ? -errno : 0;
}

/* In a chroot the kernel cannot follow a link that spells the root's path as seen from outside:
 * "not there" is final only when no such link is on the way. */
static int open_missing(const struct lop_root *root, const char *path)
{
#ifdef HAVE_OPENAT2
	if (root->beneath) {
		int result = root_openat2(root, path, O_PATH, 0);

		if (result >= 0)
			close(result);
		if (result != -EXDEV)
			return -ENOENT;
	}
#endif
	return root_walk(root, path, O_RDONLY, 0);
}

/* Looks first and then opens, because opening alone can make a device act or a FIFO's writer go
 * on. The look may be at something outside: what is opened is contained and looked at again. */
static int open_served(const struct lop_root *root, const char *path)
{
	struct stat st;
	int result = root_peek(root, path, &st);

	if (result == -ENOENT && root->chrooted)
		return open_missing(root, path);
	if (result == -ENOENT || result == -ENOTDIR)
		return result;
	/* The walk never opens what is not served, and tells 'refused' from 'outside'. */
	if (result < 0 || !file_served(st.st_mode))
		return root_walk(root, path, O_RDONLY, 0);
	result = root_open_descriptor(root, path, O_RDONLY, 0);
	/* A folder that may not be listed can still be passed through. */
	if (result == -EACCES && S_ISDIR(st.st_mode))
		result = root_open_descriptor(root, path, OS_FOLDER, 0);
	return result;
}

int lop_root_open(struct lop_root *root, const char *path, struct lop_file **file)
{
	int descriptor;

	assert(root->magic == ROOT_MAGIC);
	if (path[0] == '/')
		return -EXDEV;
	if (lop_root_hides(root, path))
		return -ENOENT;
	descriptor = open_served(root, path);
	/* ENXIO: a socket, or a device without its hardware. */
	if (descriptor < 0)
		return descriptor == -ENXIO ? -EACCES : descriptor;
	return lop_file_adopt(descriptor, file);
}
