/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files below a root, and bytes that are shared.
 *
 * A root is a folder that no path, link or race leaves. A file is an open descriptor with what
 * was known of it when it was opened; a memory is an immutable block. Both are counted: whoever
 * gets one holds a reference and releases it with the matching _release, which clears the
 * caller's pointer.
 */
#ifndef LOPHTTPD_FILE_H
#define LOPHTTPD_FILE_H

#include <sys/types.h>

#include <lophttpd/base.h>

LOP_BEGIN_DECLS

enum lop_file_kind {
	LOP_FILE_REGULAR = 1,
	LOP_FILE_FOLDER,
	LOP_FILE_BLOCK,   /* size is the device's */
	LOP_FILE_UNSIZED, /* procfs, sysfs: st_size says nothing, read to the end */
};

struct lop_stat {
	uint32_t size_of; /* of this struct */
	int32_t kind;     /* enum lop_file_kind */
	uint64_t device;
	uint64_t inode;
	int64_t size; /* bytes; -1 when unknown (LOP_FILE_UNSIZED) */
	int64_t mtime_ns;
	int64_t ctime_ns;
	uint32_t mode;
	uint32_t links;
};

/* Opens a path below the root. The path is relative, in file-system form (decoded), and "" is
 * the root itself. Folders, regular files and block devices are opened for reading (a folder that
 * may not be listed only to reach what is below); anything else is refused with -EACCES and never
 * blocks. Symbolic links are followed while they stay inside; -ENOENT, -ENOTDIR, -EACCES, -ELOOP,
 * -EXDEV (left the root), -EBUSY (a lease on the file is being taken back), -EMFILE,
 * -ENAMETOOLONG. */
LOP_API int lop_root_open(struct lop_root *root, const char *path, struct lop_file **file);

/* A root of its own, below another one: nothing served from it can reach the parent. */
LOP_API int lop_root_descend(struct lop_root *root, const char *path, struct lop_root **child);
LOP_API struct lop_root *lop_root_retain(struct lop_root *root);
LOP_API void lop_root_release(struct lop_root **root);

/* From now on names in the root's own folder that begin with prefix (any case) are not found by
 * lop_root_open(), and listings leave them out; lop_root_descend() still reaches them. One prefix
 * a root; copied. For folders that are roots themselves, as those of hosts in the default one: who
 * walks everything that is served takes each hidden folder for a root of its own. */
LOP_API int lop_root_hide(struct lop_root *root, const char *prefix);
/* Whether a path below the root is hidden so. */
LOP_API int lop_root_hides(const struct lop_root *root, const char *path);

/* A descriptor of the root's folder, owned by the root; for *at() calls of one component. */
LOP_API int lop_root_descriptor(const struct lop_root *root);

/* Takes the descriptor over (closes it on failure too). */
LOP_API int lop_file_adopt(int descriptor, struct lop_file **file);
LOP_API struct lop_file *lop_file_retain(struct lop_file *file);
LOP_API void lop_file_release(struct lop_file **file);
LOP_API int lop_file_descriptor(const struct lop_file *file);
LOP_API const struct lop_stat *lop_file_stat(const struct lop_file *file);

/* A block of the given size, at least one byte; its bytes may be written until it is first
 * handed to a response. NULL when memory is out. */
LOP_API struct lop_memory *lop_memory_new(size_t size);
LOP_API struct lop_memory *lop_memory_retain(struct lop_memory *memory);
LOP_API void lop_memory_release(struct lop_memory **memory);
LOP_API char *lop_memory_data(struct lop_memory *memory);
LOP_API size_t lop_memory_size(const struct lop_memory *memory);
/* Not 0 while others hold references too: only when it is 0 may a buffer that was handed to a
 * response be written again. */
LOP_API int lop_memory_shared(const struct lop_memory *memory);

LOP_END_DECLS

#endif
