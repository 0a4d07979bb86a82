/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order of a listing, made in slices: a merge sort that can stop anywhere and go on later.
 */
#ifndef AUTOINDEX_SORT_H
#define AUTOINDEX_SORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Natural order: digits compare as numbers (file2 before file10), letters without their case; what
 * is equal so is ordered by its bytes, so that only equal names compare as equal. */
int natural_compare(const char *a, size_t a_length, const char *b, size_t b_length);

/* A number for a name such that names with different numbers are in the order of these: most pairs
 * then need no look at the names. For names that begin alike, up to the same place that is not behind a
 * digit, it may be made of what follows. */
uint64_t natural_key(const char *name, size_t length);

/* < 0, 0, > 0: by their indices. */
typedef int sort_compare_f(const void *context, uint32_t a, uint32_t b);

struct sort {
	uint32_t *order; /* the result when done */
	uint32_t *spare;
	size_t count;
	size_t width; /* runs of that length are in order */
	size_t begin; /* of the two runs that are being merged */
	size_t left, right, out;
	bool merging;
	bool done;
};

/* Begins with the given order, or with 0, 1, 2, … when it is NULL. Equal ones stay as they are.
 * Returns 0 or -ENOMEM. */
int sort_begin(struct sort *sort, const uint32_t *order, size_t count);
/* Moves about `moves` elements. Returns true when all is in order. */
bool sort_step(struct sort *sort, sort_compare_f *compare, const void *context, size_t moves);
void sort_free(struct sort *sort);

#endif
