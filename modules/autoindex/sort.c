/* SPDX-License-Identifier: BSD-2-Clause */
#include "sort.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static unsigned char fold(char byte)
{
	return (unsigned char)(byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
}

/* Compares the numbers at *i and *j and moves behind them. */
static int compare_numbers(const char *a, size_t a_length, size_t *i, const char *b,
                           size_t b_length, size_t *j)
{
	size_t first, second, length;
	int result;

	while (*i < a_length && a[*i] == '0')
		++*i;
	while (*j < b_length && b[*j] == '0')
		++*j;
	first = *i;
	second = *j;
	while (*i < a_length && is_digit(a[*i]))
		++*i;
	while (*j < b_length && is_digit(b[*j]))
		++*j;
	length = *i - first;
	if (length != *j - second)
		return length < *j - second ? -1 : 1;
	result = memcmp(a + first, b + second, length);
	return result;
}

int natural_compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t i = 0, j;
	int result;

	/* Names in a folder begin alike. What is the same needs no second thought, but a number
	 * that goes on where they differ begins before. */
	while (i < a_length && i < b_length && a[i] == b[i])
		i++;
	while (i > 0 && is_digit(a[i - 1]))
		i--;
	j = i;
	while (i < a_length && j < b_length) {
		if (is_digit(a[i]) && is_digit(b[j])) {
			result = compare_numbers(a, a_length, &i, b, b_length, &j);
			if (result != 0)
				return result;
			continue;
		}
		if (fold(a[i]) != fold(b[j]))
			return fold(a[i]) < fold(b[j]) ? -1 : 1;
		i++;
		j++;
	}
	if (i < a_length || j < b_length)
		return i < a_length ? 1 : -1;
	result = memcmp(a, b, a_length < b_length ? a_length : b_length);
	if (result != 0)
		return result;
	return (a_length > b_length) - (a_length < b_length);
}

/* A number among other bytes: how many digits it has, zeros in front not counted, in a byte that lies
 * where digits lie, and then two digits a byte. Returns where the name goes on. */
static size_t key_number(const char *name, size_t length, size_t at, unsigned char *key, size_t *used)
{
	size_t end, count, kept = 0;

	while (at < length && name[at] == '0')
		at++;
	for (end = at; end < length && is_digit(name[end]); end++)
		;
	count = end - at;
	key[(*used)++] = (unsigned char)('0' + (count < 9 ? count : 9));
	if (count >= 9 && *used < sizeof(uint64_t))
		key[(*used)++] = (unsigned char)(count < 255 ? count : 255);
	/* Of two with more digits than that, only the length of the name behind them would tell. */
	for (; count < 255 && kept < count && *used < sizeof(uint64_t); kept += 2) {
		unsigned char second = kept + 1 < count ? (unsigned char)(name[at + kept + 1] - '0') : 0;

		key[(*used)++] = (unsigned char)((name[at + kept] - '0') << 4 | second);
	}
	if (count >= 255)
		*used = sizeof(uint64_t);
	return end;
}

uint64_t natural_key(const char *name, size_t length)
{
	unsigned char key[sizeof(uint64_t)] = { 0 };
	uint64_t number = 0;
	size_t used = 0;

	for (size_t i = 0; i < length && used < sizeof(key);) {
		if (is_digit(name[i]))
			i = key_number(name, length, i, key, &used);
		else
			key[used++] = fold(name[i++]);
	}
	for (size_t i = 0; i < sizeof(key); i++)
		number = number << 8 | key[i];
	return number;
}

int sort_begin(struct sort *sort, const uint32_t *order, size_t count)
{
	*sort = (struct sort){ .count = count, .width = 1 };
	sort->order = malloc((count + 1) * sizeof(uint32_t));
	sort->spare = malloc((count + 1) * sizeof(uint32_t));
	if (sort->order == NULL || sort->spare == NULL) {
		sort_free(sort);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		sort->order[i] = order != NULL ? order[i] : (uint32_t)i;
	return 0;
}

static size_t at_most(size_t value, size_t bound)
{
	return value < bound ? value : bound;
}

/* Goes on merging the runs at `begin`; returns how many elements it moved. */
static size_t merge(struct sort *sort, sort_compare_f *compare, const void *context, size_t moves)
{
	const size_t middle = at_most(sort->begin + sort->width, sort->count);
	const size_t end = at_most(sort->begin + 2 * sort->width, sort->count);
	const size_t first = sort->out;

	if (!sort->merging) {
		sort->left = sort->begin;
		sort->right = middle;
		sort->merging = true;
	}
	while (sort->out < end && sort->out - first < moves) {
		bool left = sort->right == end;

		if (!left && sort->left < middle)
			left = compare(context, sort->order[sort->left],
			               sort->order[sort->right]) <= 0;
		sort->spare[sort->out++] = sort->order[left ? sort->left++ : sort->right++];
	}
	moves = sort->out - first;
	if (sort->out == end) {
		sort->merging = false;
		sort->begin = end;
	}
	return moves;
}

bool sort_step(struct sort *sort, sort_compare_f *compare, const void *context, size_t moves)
{
	while (!sort->done && moves > 0) {
		if (sort->width >= sort->count) {
			free(sort->spare);
			sort->spare = NULL;
			sort->done = true;
			break;
		}
		moves -= merge(sort, compare, context, moves);
		if (sort->begin == sort->count) {
			uint32_t *other = sort->order;

			sort->order = sort->spare;
			sort->spare = other;
			sort->width *= 2;
			sort->begin = 0;
			sort->out = 0;
		}
	}
	return sort->done;
}

void sort_free(struct sort *sort)
{
	free(sort->order);
	free(sort->spare);
	*sort = (struct sort){ .order = NULL };
}
