/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <stdalign.h>
#include <stdlib.h>

#include "pool.h"

struct slab {
	struct slab *next;
	alignas(max_align_t) char data[];
};

void pool_init(struct pool *pool, size_t size, size_t per_slab)
{
	const size_t align = alignof(max_align_t);

	pool->size = (size + align - 1) & ~(align - 1);
	pool->per_slab = per_slab;
	pool->free = NULL;
	pool->slabs = NULL;
}

void *pool_grow(struct pool *pool)
{
	struct slab *slab = malloc(sizeof *slab + pool->size * pool->per_slab);

	if (slab == NULL)
		return NULL;
	slab->next = pool->slabs;
	pool->slabs = slab;
	for (size_t i = pool->per_slab; i-- > 1;)
		pool_put(pool, slab->data + i * pool->size);
	return slab->data;
}

void pool_fini(struct pool *pool)
{
	while (pool->slabs != NULL) {
		struct slab *slab = pool->slabs;

		pool->slabs = slab->next;
		free(slab);
	}
	pool->free = NULL;
}
