/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "range.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define MOST_SPECS 200 /* before coalescing; bounds the work */

/* The set while it grows; no two of its ranges touch. */
struct range_set {
	struct range ranges[MOST_SPECS];
	int count;
	int specs;         /* read so far */
	bool empty_suffix; /* one of them is a suffix of a representation of size 0 */
};

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

/* 1*DIGIT, INT64_MAX when it is more; false without a digit. */
static bool read_number(const char **at, const char *end, int64_t *number)
{
	int64_t value = 0;
	if (*at == end || !is_digit(**at))
		return false;
	for (; *at < end && is_digit(**at); (*at)++) {
		int digit = **at - '0';
		value = value > (INT64_MAX - digit) / 10 ? INT64_MAX : value * 10 + digit;
	}
	*number = value;
	return true;
}

/* Into the place of the first range that it touches. As those in the set do not touch each other,
 * the union touches no other range than the new one did. */
static void add_range(struct range_set *set, struct range range)
{
	int64_t first = range.first, end = first + range.length;
	int kept = 0, place = -1;

	for (int i = 0; i < set->count; i++) {
		const struct range *other = &set->ranges[i];
		int64_t other_end = other->first + other->length;
		if (range.first > other_end || range.first + range.length < other->first) {
			set->ranges[kept++] = *other;
			continue;
		}
		if (other->first < first)
			first = other->first;
		if (other_end > end)
			end = other_end;
		if (place < 0)
			place = kept++;
	}
	if (place < 0)
		place = kept++;
	set->ranges[place] = (struct range){ first, end - first };
	set->count = kept;
}

/* One range-spec, RFC 9110 14.1.1, which is added if it can be satisfied; false on bad syntax. */
static bool read_spec(struct range_set *set, const char **at, const char *end, int64_t size)
{
	int64_t first, last = INT64_MAX;
	if (*at < end && **at == '-') {
		int64_t suffix;
		(*at)++;
		if (!read_number(at, end, &suffix))
			return false;
		if (suffix > 0 && size == 0)
			set->empty_suffix = true;
		if (suffix > size)
			suffix = size;
		if (suffix > 0)
			add_range(set, (struct range){ size - suffix, suffix });
		return true;
	}
	if (!read_number(at, end, &first) || *at == end || *(*at)++ != '-')
		return false;
	if (*at < end && is_digit(**at))
		read_number(at, end, &last);
	if (last < first)
		return false;
	if (last >= size)
		last = size - 1;
	if (first < size)
		add_range(set, (struct range){ first, last - first + 1 });
	return true;
}

/* range-set, with empty elements; false on bad syntax or too many. */
static bool read_set(struct range_set *set, const char *at, const char *end, int64_t size)
{
	while (at < end) {
		if (*at == ' ' || *at == '\t' || *at == ',') {
			at++;
			continue;
		}
		if (set->specs++ == MOST_SPECS || !read_spec(set, &at, end, size))
			return false;
		while (at < end && (*at == ' ' || *at == '\t'))
			at++;
		if (at < end && *at != ',')
			return false;
	}
	return set->specs > 0;
}

int range_parse(struct lop_str value, int64_t size, struct range ranges[RANGE_MAX])
{
	static const char unit[] = "bytes=";
	enum { UNIT_LENGTH = sizeof unit - 1 };
	struct range_set set;

	if (value.length <= UNIT_LENGTH)
		return 0;
	for (int i = 0; i < UNIT_LENGTH; i++) {
		char byte = value.data[i];
		if (byte >= 'A' && byte <= 'Z')
			byte = (char)(byte | 0x20);
		if (byte != unit[i])
			return 0;
	}
	set.count = set.specs = 0;
	set.empty_suffix = false;
	if (!read_set(&set, value.data + UNIT_LENGTH, value.data + value.length, size))
		return 0;
	if (set.count > RANGE_MAX || set.empty_suffix)
		return 0;
	if (set.count == 0)
		return -ERANGE;
	memcpy(ranges, set.ranges, (size_t)set.count * sizeof ranges[0]);
	return set.count;
}
