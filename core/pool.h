/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects of one size, kept for reuse. Objects come in slabs, so one costs its own size and
 * nothing more; slabs go back when the pool ends. Contents are not cleared.
 */
#ifndef POOL_H
#define POOL_H

#include <stddef.h>

struct pool {
	size_t size;     /* of an object, in bytes */
	size_t per_slab;
	void *free;      /* each free object begins with a pointer to the next */
	void *slabs;
};

void pool_init(struct pool *pool, size_t size, size_t per_slab);
void *pool_grow(struct pool *pool);
void pool_fini(struct pool *pool);

/* NULL when memory is out. */
static inline void *pool_get(struct pool *pool)
{
	void *object = pool->free;

	if (object == NULL)
		return pool_grow(pool);
	pool->free = *(void **)object;
	return object;
}

static inline void pool_put(struct pool *pool, void *object)
{
	*(void **)object = pool->free;
	pool->free = object;
}

#endif
