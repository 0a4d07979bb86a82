/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Range field. The input is the size of the representation in decimal, a colon, the value.
 */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct range ranges[RANGE_MAX];
	int64_t whole = 0, sum = 0;
	size_t at = 0;

	for (; at < size && data[at] >= '0' && data[at] <= '9'; at++) {
		int digit = data[at] - '0';
		whole = whole > (INT64_MAX - digit) / 10 ? INT64_MAX : whole * 10 + digit;
	}
	if (at == size || data[at++] != ':')
		return 0;

	struct lop_str value = { (const char *)data + at, size - at };
	int count = range_parse(value, whole, ranges);
	expect(count == -ERANGE || (count >= 0 && count <= RANGE_MAX));
	for (int i = 0; i < count; i++) {
		int64_t end = ranges[i].first + ranges[i].length;
		expect(ranges[i].first >= 0 && ranges[i].length > 0);
		expect(ranges[i].length <= whole && ranges[i].first <= whole - ranges[i].length);
		for (int j = 0; j < i; j++)
			expect(end < ranges[j].first ||
			       ranges[j].first + ranges[j].length < ranges[i].first);
		sum += ranges[i].length;
	}
	expect(sum <= whole && (count <= 1 || sum < whole));
	return 0;
}
