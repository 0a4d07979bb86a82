/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

#define BLOCK_SIZE 4096

struct arena_block {
	struct arena_block *next;
	alignas(max_align_t) char data[];
};

void arena_init(struct arena *arena, void *first, size_t size, size_t limit)
{
	arena->next = first;
	arena->end = arena->next + size;
	arena->blocks = NULL;
	arena->left = limit;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	const size_t align = alignof(max_align_t);

	if (size > (size_t)-1 - align)
		return NULL;
	size = (size + align - 1) & ~(align - 1);
	if (size == 0)
		size = align;
	if (size > (size_t)(arena->end - arena->next)) {
		size_t wanted = size > BLOCK_SIZE ? size : BLOCK_SIZE;
		struct arena_block *block;

		if (wanted > arena->left)
			wanted = size;
		if (wanted > arena->left)
			return NULL;
		block = malloc(sizeof *block + wanted);
		if (block == NULL)
			return NULL;
		arena->left -= wanted;
		block->next = arena->blocks;
		arena->blocks = block;
		arena->next = block->data;
		arena->end = arena->next + wanted;
	}

	void *result = arena->next;

	arena->next += size;
	return result;
}

struct lop_str arena_copy(struct arena *arena, struct lop_str text)
{
	char *copy = text.length < (size_t)-1 ? arena_alloc(arena, text.length + 1) : NULL;

	if (copy == NULL)
		return (struct lop_str){ NULL, 0 };
	if (text.length > 0)
		memcpy(copy, text.data, text.length);
	copy[text.length] = '\0';
	return (struct lop_str){ copy, text.length };
}

void arena_fini(struct arena *arena)
{
	while (arena->blocks != NULL) {
		struct arena_block *block = arena->blocks;

		arena->blocks = block->next;
		free(block);
	}
}
