/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <stdlib.h>

#include "memory.h"

struct lop_memory *lop_memory_new(size_t size)
{
	struct lop_memory *memory;

	if (size == 0)
		size = 1;
	if (size > SIZE_MAX - sizeof(*memory))
		return NULL;
	memory = malloc(sizeof(*memory) + size);
	if (memory == NULL)
		return NULL;
	memory->magic = MEMORY_MAGIC;
	memory->references = 1;
	memory->size = size;
	memory->account = NULL;
	return memory;
}

void memory_free(struct lop_memory *memory)
{
	assert(memory->magic == MEMORY_MAGIC);
	memory->magic = 0;
	if (memory->account != NULL)
		*memory->account -= memory->size;
	free(memory);
}

struct lop_memory *lop_memory_retain(struct lop_memory *memory)
{
	return memory_retain(memory);
}

void lop_memory_release(struct lop_memory **memory)
{
	memory_release(memory);
}

char *lop_memory_data(struct lop_memory *memory)
{
	return memory->data;
}

size_t lop_memory_size(const struct lop_memory *memory)
{
	return memory->size;
}

int lop_memory_shared(const struct lop_memory *memory)
{
	return memory->references > 1;
}
