/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "options_suggest.h"

#include <stdbool.h>
#include <string.h>

#include "options.h"

#define NAME_MAX_LENGTH 40

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned least_ab = a < b ? a : b;

	return least_ab < c ? least_ab : c;
}

/* Letters to insert, remove, replace or swap with a neighbour until a is b. */
static unsigned distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	unsigned rows[3][NAME_MAX_LENGTH + 1];

	for (size_t j = 0; j <= b_length; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_length; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *two = rows[(i + 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_length; j++) {
			row[j] = least(above[j] + 1, row[j - 1] + 1,
			               above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    two[j - 2] + 1 < row[j])
				row[j] = two[j - 2] + 1;
		}
	}
	return rows[a_length % 3][b_length];
}

struct search {
	const char *name;
	size_t length;
	const char *best;
	unsigned best_distance;
};

static void consider(struct search *search, const char *candidate)
{
	size_t length = strlen(candidate);
	unsigned found;

	if (length > NAME_MAX_LENGTH)
		return;
	/* A beginning counts as near: --max-conn. */
	if (search->length >= 3 && length > search->length &&
	    memcmp(candidate, search->name, search->length) == 0)
		found = 1;
	else
		found = distance(search->name, search->length, candidate, length);
	if (found < search->best_distance) {
		search->best = candidate;
		search->best_distance = found;
	}
}

const char *options_suggest(const struct modules *modules, const struct directive *directives,
                            const char *name, size_t length)
{
	/* Further away than a third of its letters it is another word. */
	struct search search = { .name = name,
		                 .length = length,
		                 .best_distance = (unsigned)length / 3 + 2 };

	if (length == 0 || length > NAME_MAX_LENGTH)
		return NULL;
	for (; directives != NULL && directives->name != NULL; directives++)
		consider(&search, directives->name);
	for (const struct option_group *group = option_groups; group->title != NULL; group++)
		for (const struct option *option = group->options; option->name != NULL; option++)
			consider(&search, option->name);
	for (size_t i = 0; i < modules->count; i++) {
		const struct lop_option *option = modules->items[i].module->options;

		for (; option != NULL && option->size != 0; option++)
			consider(&search, option->name);
	}
	return search.best;
}
