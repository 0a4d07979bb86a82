/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "duration.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

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

/* As many digits as there are, value * 10 each; most bounds it. Returns how many there were. */
static size_t read_digits(struct lop_str text, int64_t most, int64_t *value)
{
	size_t count = 0;

	while (count < text.length && text.data[count] >= '0' && text.data[count] <= '9') {
		if (*value <= most)
			*value = *value * 10 + (text.data[count] - '0');
		count++;
	}
	return count;
}

static const int64_t *find_unit(const char *text, size_t length)
{
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (strlen(units[i].name) == length &&
		    strncasecmp(units[i].name, text, length) == 0)
			return &units[i].length;
	}
	return NULL;
}

int duration_parse(struct lop_str text, int64_t *duration)
{
	int64_t whole = 0, part = 0, scale = 1;
	size_t at = read_digits(text, DURATION_MAX, &whole);

	if (at == 0)
		return -EINVAL;
	if (at < text.length && text.data[at] == '.') {
		struct lop_str rest = { text.data + at + 1, text.length - at - 1 };
		size_t decimals = read_digits(rest, DURATION_MAX, &part);
		if (decimals == 0 || decimals > 6)
			return -EINVAL;
		at += 1 + decimals;
		for (; decimals > 0; decimals--)
			scale *= 10;
	}
	const int64_t *unit = find_unit(text.data + at, text.length - at);
	if (unit == NULL)
		return -EINVAL;
	if (whole > DURATION_MAX / *unit)
		return -ERANGE;
	*duration = whole * *unit + part * *unit / scale;
	return *duration > DURATION_MAX ? -ERANGE : 0;
}
