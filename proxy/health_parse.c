/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The option --health, and the answer to a check.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duration.h"
#include "health_parse.h"
#include "pool.h"

/* ---- the option ----------------------------------------------------------------------------- */

struct part {
	struct lop_str name;
	struct lop_str value;
};

static bool is(struct lop_str text, const char *word)
{
	return text.length == strlen(word) && memcmp(text.data, word, text.length) == 0;
}

static bool read_number(struct lop_str text, unsigned low, unsigned high, unsigned *number)
{
	unsigned value = 0;

	if (text.length == 0 || text.length > 6)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		value = value * 10 + (unsigned)(text.data[i] - '0');
	}
	*number = value;
	return value >= low && value <= high;
}

/* "200", "2xx", "200-399" */
static bool read_expected(struct lop_str text, struct health_check *check)
{
	unsigned low, high;

	if (text.length == 3 && (text.data[1] | 0x20) == 'x' && (text.data[2] | 0x20) == 'x' &&
	    text.data[0] >= '2' && text.data[0] <= '5') {
		low = (unsigned)(text.data[0] - '0') * 100;
		high = low + 99;
	} else if (text.length == 7 && text.data[3] == '-') {
		if (!read_number((struct lop_str){ text.data, 3 }, 200, 599, &low) ||
		    !read_number((struct lop_str){ text.data + 4, 3 }, low, 599, &high))
			return false;
	} else if (read_number(text, 200, 599, &low)) {
		high = low;
	} else {
		return false;
	}
	check->expect_low = (int)low;
	check->expect_high = (int)high;
	return true;
}

/* What goes into a request head as it is: visible ASCII only. */
static bool is_visible(struct lop_str text)
{
	for (size_t i = 0; i < text.length; i++)
		if (text.data[i] <= ' ' || text.data[i] > '~')
			return false;
	return text.length > 0;
}

static int take_text(struct lop_str text, char **out)
{
	free(*out);
	*out = strndup(text.data, text.length);
	return *out == NULL ? -ENOMEM : 0;
}

static bool read_time(struct lop_str text, int64_t *time)
{
	return duration_parse(text, time) == 0 && *time >= INT64_C(10000000);
}

/* 0, -EINVAL, -ENOENT for a name that there is not, -ENOMEM. */
static int take_part(const struct part *part, struct health_check *check)
{
	bool good;

	if (is(part->name, "path")) {
		if (!is_visible(part->value) || part->value.data[0] != '/')
			return -EINVAL;
		return take_text(part->value, &check->path);
	}
	if (is(part->name, "host"))
		return is_visible(part->value) ? take_text(part->value, &check->host) : -EINVAL;
	if (is(part->name, "interval"))
		good = read_time(part->value, &check->interval);
	else if (is(part->name, "timeout"))
		good = read_time(part->value, &check->timeout);
	else if (is(part->name, "rise"))
		good = read_number(part->value, 1, 100, &check->rise);
	else if (is(part->name, "fall"))
		good = read_number(part->value, 1, 100, &check->fall);
	else if (is(part->name, "expect"))
		good = read_expected(part->value, check);
	else
		return -ENOENT;
	return good ? 0 : -EINVAL;
}

static int refuse(const struct part *part, int result, char *error, size_t error_size)
{
	if (part->name.length == 0)
		snprintf(error, error_size,
		         "a setting is missing; expected as in path=/up,interval=2s");
	else if (result == -ENOENT)
		snprintf(error, error_size,
		         "there is no '%.*s'; there are path, interval, timeout, rise, "
		         "fall, expect and host, as in path=/up,interval=2s",
		         (int)part->name.length, part->name.data);
	else if (result == -EINVAL)
		snprintf(error, error_size,
		         "'%.*s' is no value of %.*s; expected as in path=/up,"
		         "interval=2s,timeout=1s,rise=2,fall=3,expect=200 (or 2xx, 200-399),"
		         "host=NAME",
		         (int)part->value.length, part->value.data, (int)part->name.length,
		         part->name.data);
	else
		snprintf(error, error_size, "%s", strerror(-result));
	return result == -ENOENT ? -EINVAL : result;
}

int health_parse(const char *text, struct health_check *check, char *error, size_t error_size)
{
	*check = (struct health_check){
		.active = true,
		.interval = INT64_C(2000000000),
		.rise = 2,
		.fall = 3,
		.expect_low = 200,
		.expect_high = 399,
	};
	for (bool more = true; more;) {
		const size_t length = strcspn(text, ",");
		const char *equals = memchr(text, '=', length);
		struct part part = { .name = { text, length }, .value = { "", 0 } };
		int result;

		if (equals != NULL) {
			part.name.length = (size_t)(equals - text);
			part.value = (struct lop_str){ equals + 1, length - part.name.length - 1 };
		}
		result = take_part(&part, check);
		if (result < 0) {
			health_clear(check);
			return refuse(&part, result, error, error_size);
		}
		more = text[length] == ',';
		text += length + more;
	}
	/* Long enough for a busy server, and checks do not overlap. */
	if (check->timeout == 0 || check->timeout > check->interval)
		check->timeout = check->interval;
	if (check->path != NULL)
		return 0;
	health_clear(check);
	snprintf(error, error_size,
	         "path is missing: what servers are asked for, as in path=/up,interval=2s");
	return -EINVAL;
}

void health_clear(struct health_check *check)
{
	free(check->path);
	free(check->host);
	*check = (struct health_check){ .active = false };
}

/* ---- the answer ----------------------------------------------------------------------------- */

/* The status of the line at the front, without its end. */
static int read_status(const char *line, size_t length)
{
	if (length < 12 || memcmp(line, "HTTP/1.", 7) != 0 || line[7] < '0' || line[7] > '9' ||
	    line[8] != ' ' || (length > 12 && line[12] != ' '))
		return -EBADMSG;
	for (int i = 9; i < 12; i++)
		if (line[i] < '0' || line[i] > '9')
			return -EBADMSG;
	if (line[9] < '1' || line[9] > '5')
		return -EBADMSG;
	return (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
}

/* Where the head that begins at data ends; NULL: not yet. */
static const char *end_of_head(const char *data, const char *end)
{
	for (const char *at = data; (at = memchr(at, '\n', (size_t)(end - at))) != NULL;) {
		at++;
		if (end - at >= 1 && *at == '\n')
			return at + 1;
		if (end - at >= 2 && at[0] == '\r' && at[1] == '\n')
			return at + 2;
	}
	return NULL;
}

int health_answer(const char *data, size_t size)
{
	const char *end = data + size;

	for (;;) {
		const char *line = memchr(data, '\n', (size_t)(end - data));
		size_t length;
		int status;

		if (line == NULL)
			/* What cannot become one is not waited for. */
			return end - data >= 5 && memcmp(data, "HTTP/", 5) != 0 ? -EBADMSG : 0;
		length = (size_t)(line - data);
		if (length > 0 && data[length - 1] == '\r')
			length--;
		status = read_status(data, length);
		if (status < 0 || status >= 200)
			return status;
		/* An interim response goes before. */
		data = end_of_head(data, end);
		if (data == NULL)
			return 0;
	}
}
