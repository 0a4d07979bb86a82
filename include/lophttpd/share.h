/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that all workers share: named blocks that a module makes before the first worker is forked
 * and that any module may read. So a limit can count over all workers, and a status page can show
 * another module's numbers without knowing more of it than the struct that it documents.
 *
 * A block is there for as long as any of the processes; one that dies leaves what it last wrote. So
 * every number in it stands alone: an atomic, read and written whole. A program that replaces
 * this one (USR2) begins with new blocks.
 */
#ifndef LOPHTTPD_SHARE_H
#define LOPHTTPD_SHARE_H

#include <lophttpd/base.h>

LOP_BEGIN_DECLS

/* How many workers there are: their indexes are below it. From LOP_STAGE_CONFIGURED on. */
LOP_API int lop_core_workers(const struct lop_core *core);

/* Makes a block of size bytes, all zero, aligned to a page. Only before the first worker is forked:
 * from init to LOP_STAGE_BOUND. The name is copied; it should be the module's, or begin with it.
 * The block belongs to the core. Returns 0, -EEXIST when there is one of that name, -ENOMEM. */
LOP_API int lop_core_share(struct lop_core *core, const char *name, size_t size, void **block);

/* A block that any module has made, and its size (which may be NULL); NULL: there is none of that
 * name. All are there from LOP_STAGE_UNPRIVILEGED on, whatever the order of loading. */
LOP_API void *lop_core_shared(const struct lop_core *core, const char *name, size_t *size);

LOP_END_DECLS

#endif
