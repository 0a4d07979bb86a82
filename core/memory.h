/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes that are shared: struct lop_memory of <lophttpd/file.h> from the inside, with a retain and
 * a release that cost no call. A worker has one thread, so the count is a plain number.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include <lophttpd/file.h>

#define MEMORY_MAGIC 0x4d454d4fu

struct lop_memory {
	uint32_t magic;
	uint32_t references;
	size_t size;
	size_t *account; /* a sum of sizes that it is a part of until it is freed, or NULL */
	char data[];
};

void memory_free(struct lop_memory *memory);

static inline struct lop_memory *memory_retain(struct lop_memory *memory)
{
	assert(memory->magic == MEMORY_MAGIC && memory->references > 0);
	memory->references++;
	return memory;
}

/* Clears the pointer; NULL is no error. */
static inline void memory_release(struct lop_memory **memory)
{
	struct lop_memory *gone = *memory;

	*memory = NULL;
	if (gone != NULL && --gone->references == 0)
		memory_free(gone);
}

#endif
