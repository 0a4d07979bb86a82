/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Containment: a folder that no spelling, link or race leaves.
 *
 * With openat2 the kernel resolves below the root's descriptor (RESOLVE_BENEATH, and no magic
 * links); elsewhere every component is opened by itself without following links, and links are
 * resolved here, component by component. Both are compiled where both can be, so that both are
 * tested. In a chroot the same functions run: "beneath" is then the second wall.
 *
 * An absolute symbolic link is resolved against the root when it points inside it as seen from
 * outside (the root's own absolute path is its prefix) or, in a chroot, as the chroot sees it;
 * else it leaves the root.
 */
#ifndef ROOT_H
#define ROOT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <lophttpd/file.h>

#define ROOT_MAGIC 0x4c4f5052u
#define FILE_MAGIC 0x4c4f5046u

/* Symbolic links that one path may lead through, as in the Linux kernel. */
#define ROOT_LINKS_MAX 40

struct lop_root {
	uint32_t magic;
	uint32_t references;
	uint32_t id;      /* never used twice in a process: key of caches; counted in the top */
	int descriptor;   /* reaches what is below; open "." to list it */
	char *path;       /* real path as seen from outside, for messages and absolute links; never
	                   * sent to clients */
	char *typed;      /* another spelling of path, absolute, or NULL */
	struct lop_root *parent; /* holds a reference; NULL for the top */
	uint32_t next_id; /* top only */
	bool beneath;     /* the kernel has openat2 */
	char *hidden;     /* prefix of names that are not served, or NULL */
	bool chrooted;    /* the top root is this process's "/"; set by privileges_drop() */
};

struct lop_file {
	uint32_t magic;
	uint32_t references;
	int descriptor;
	struct lop_stat stat;
};

/* Opens a top root. Returns 0 or a negative errno. */
int root_new(const char *path, struct lop_root **root);

/* The raw open: flags as in open(2); O_CLOEXEC, O_NOCTTY and O_NONBLOCK are added. Returns a
 * descriptor or a negative errno; -EXDEV: it left the root. Uses root_openat2 when the kernel has
 * it, and root_walk for what that cannot do (absolute links).
 * Only root_walk filters special files: others look before they open. */
int root_open_descriptor(const struct lop_root *root, const char *path, int flags, mode_t mode);
/* -ENOSYS without the system call, -EAGAIN when the tree was moved meanwhile. */
int root_openat2(const struct lop_root *root, const char *path, int flags, mode_t mode);
/* -EACCES for FIFOs, sockets and character devices, without opening them. */
int root_walk(const struct lop_root *root, const char *path, int flags, mode_t mode);

/* The rest of an absolute path below the root, without a leading slash; NULL when it does not
 * point inside. */
const char *root_inside(const struct lop_root *root, const char *path);

/* fstatat below the root for looking again at something that was opened before: cheap, follows
 * links, never opens; may look outside the root, so it says only "unchanged" or not, nothing else.
 * Same errnos. */
int root_peek(const struct lop_root *root, const char *path, struct stat *st);

/* Whether a file of this mode may be opened at all. */
static inline bool file_served(mode_t mode)
{
	return S_ISREG(mode) || S_ISDIR(mode) || S_ISBLK(mode);
}

/* Fills a lop_stat from fstat (kind, size of block devices, procfs and sysfs by fstatfs). Returns
 * 0, or -EACCES for kinds that are not served. */
int file_examine(int descriptor, const struct stat *st, struct lop_stat *out);

/* The entity tag of a file, with its quotes: device, inode, size, and both times to the nanosecond,
 * since whatever writes to a file changes one of them. Returns its length; size is at least
 * FILE_ETAG_SIZE. */
#define FILE_ETAG_SIZE 96
size_t file_etag(const struct lop_stat *stat, char *text, size_t size);

/* As lop_file_retain and lop_file_release, without a call. */
void file_free(struct lop_file *file);

static inline struct lop_file *file_retain(struct lop_file *file)
{
	assert(file->magic == FILE_MAGIC && file->references > 0);
	file->references++;
	return file;
}

static inline void file_release(struct lop_file **file)
{
	struct lop_file *gone = *file;

	*file = NULL;
	if (gone != NULL && --gone->references == 0)
		file_free(gone);
}

#endif
