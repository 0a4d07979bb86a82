/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bounded arena: memory that is given back all at once. The first bytes come from a block
 * embedded in the owner, so that an ordinary request allocates nothing.
 */
#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>

#include <lophttpd/base.h>

struct arena_block;

struct arena {
	char *next;
	char *end;
	struct arena_block *blocks; /* malloc'ed ones, newest first */
	size_t left; /* bytes that may still be allocated beyond the first block */
};

/* first: size bytes aligned for any object, owned by the caller. limit: bytes of malloc. */
void arena_init(struct arena *arena, void *first, size_t size, size_t limit);
/* NULL past the limit or when memory is out. Aligned for any object. */
void *arena_alloc(struct arena *arena, size_t size);
/* A copy with a NUL behind it; data NULL when there is no room. */
struct lop_str arena_copy(struct arena *arena, struct lop_str text);
/* Frees the blocks; the arena must be initialised again before it is used. */
void arena_fini(struct arena *arena);

#endif
