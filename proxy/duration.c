/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "duration.h"

#include <errno.h>
#include <string.h>

#define MILLISECOND INT64_C(1000000)
#define SECOND (1000 * MILLISECOND)
#define DURATION_MAX (1000 * 24 * 3600 * SECOND)

static const struct {
	char name[4];
	int64_t length;
} units[] = {
	{ "", SECOND },       { "ms", MILLISECOND },  { "s", SECOND },
	{ "m", 60 * SECOND }, { "h", 3600 * SECOND },
};

int duration_parse(struct lop_str text, int64_t *duration)
{
	int64_t value = 0;
	size_t digits = 0;

	while (digits < text.length && text.data[digits] >= '0' && text.data[digits] <= '9') {
		value = value * 10 + (text.data[digits++] - '0');
		if (value > DURATION_MAX)
			return -ERANGE;
	}
	if (digits == 0)
		return -EINVAL;
	const char *unit = text.data + digits;
	size_t length = text.length - digits;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (strlen(units[i].name) != length || memcmp(units[i].name, unit, length) != 0)
			continue;
		if (value > DURATION_MAX / units[i].length)
			return -ERANGE;
		*duration = value * units[i].length;
		return 0;
	}
	return -EINVAL;
}
