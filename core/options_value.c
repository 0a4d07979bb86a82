/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Option values: text to settings.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "options.h"

struct unit {
	const char *suffix;
	int64_t factor;
};

static const struct unit byte_units[] = {
	{ "", 1 },
	{ "k", INT64_C(1) << 10 },
	{ "m", INT64_C(1) << 20 },
	{ "g", INT64_C(1) << 30 },
	{ NULL, 0 },
};

static const struct unit time_units[] = {
	{ "", 1000000000 },
	{ "ms", 1000000 },
	{ "s", 1000000000 },
	{ "m", INT64_C(60) * 1000000000 },
	{ "h", INT64_C(3600) * 1000000000 },
	{ NULL, 0 },
};

/* Digits, or digits with up to `decimals` after a point (6 at most, or they overflow), and a
 * unit. */
static int parse_with_unit(const char *text, const struct unit *unit, unsigned decimals,
                           int64_t *out)
{
	int64_t whole = 0, part = 0, scale = 1;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++) {
		if (whole > (INT64_MAX - 9) / 10)
			return -EINVAL;
		whole = whole * 10 + (*at - '0');
	}
	if (at == text)
		return -EINVAL;
	if (*at == '.' && decimals > 0) {
		const char *first = ++at;

		for (; *at >= '0' && *at <= '9'; at++, scale *= 10) {
			if ((unsigned)(at - first) >= decimals)
				return -EINVAL;
			part = part * 10 + (*at - '0');
		}
		if (at == first)
			return -EINVAL;
	}
	while (unit->suffix != NULL && strcasecmp(unit->suffix, at) != 0)
		unit++;
	if (unit->suffix == NULL || whole >= INT64_MAX / unit->factor)
		return -EINVAL;
	*out = whole * unit->factor + part * unit->factor / scale;
	return 0;
}

int option_parse_bytes(const char *text, int64_t *bytes)
{
	return parse_with_unit(text, byte_units, 0, bytes);
}

int option_parse_time(const char *text, int64_t *ns)
{
	return parse_with_unit(text, time_units, 6, ns);
}

static int parse_number(const char *text, int64_t *number)
{
	static const struct unit none[] = { { "", 1 }, { NULL, 0 } };

	return parse_with_unit(text, none, 0, number);
}

static int bad_value(const struct option *option, const char *value, char *error, size_t error_size)
{
	long long low = option->low, high = option->high;

	switch (option->kind) {
	case OPTION_TIME:
		snprintf(error, error_size,
		         "'%s' is not a time %s %gs: write seconds, or a number with ms, s, m or h",
		         value, low > 0 ? "above 0 and up to" : "up to", (double)high / 1e9);
		break;
	case OPTION_BYTES:
	case OPTION_BYTES64:
		snprintf(error, error_size,
		         "'%s' is not a size from %lld to %lld: write a number, or one with k, m "
		         "or g",
		         value, low, high);
		break;
	default:
		snprintf(error, error_size, "'%s' is not a number from %lld to %lld", value, low,
		         high);
	}
	return -EINVAL;
}

static int add_to_list(struct string_list *list, const char *value)
{
	char **items = realloc(list->items, (list->count + 1) * sizeof(*items));
	char *copy = strdup(value);

	if (items != NULL)
		list->items = items;
	if (items == NULL || copy == NULL) {
		free(copy);
		return -ENOMEM;
	}
	list->items[list->count++] = copy;
	return 0;
}

static void free_text(const char **text)
{
	free((void *)(uintptr_t)*text);
	*text = NULL;
}

static int set_text(const char **text, const char *value)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return -ENOMEM;
	free_text(text);
	*text = copy;
	return 0;
}

static int set_number(const struct option *option, void *field, const char *value)
{
	int64_t number;
	int result = option->kind == OPTION_TIME     ? option_parse_time(value, &number)
	             : option->kind == OPTION_NUMBER ? parse_number(value, &number)
	                                             : option_parse_bytes(value, &number);

	if (result < 0 || number < option->low || number > option->high)
		return -EINVAL;
	if (option->kind == OPTION_NUMBER)
		*(int *)field = (int)number;
	else if (option->kind == OPTION_BYTES)
		*(size_t *)field = (size_t)number;
	else
		*(int64_t *)field = number;
	return 0;
}

int option_apply(const struct option *option, struct settings *settings, const char *value,
                 char *error, size_t error_size)
{
	void *field = (char *)settings + option->offset;
	int result = 0;

	switch (option->kind) {
	case OPTION_FLAG:
		*(bool *)field = true;
		break;
	case OPTION_TEXT:
	case OPTION_LIST:
		if (*value == '\0') {
			snprintf(error, error_size, "an empty value; leave the option out instead");
			return -EINVAL;
		}
		result = option->kind == OPTION_TEXT ? set_text(field, value)
		                                     : add_to_list(field, value);
		break;
	default:
		if (set_number(option, field, value) < 0)
			return bad_value(option, value, error, error_size);
	}
	if (result < 0)
		snprintf(error, error_size, "%s", strerror(-result));
	return result;
}

void option_clear(const struct option *option, struct settings *settings)
{
	void *field = (char *)settings + option->offset;

	if (option->kind == OPTION_TEXT) {
		free_text(field);
	} else if (option->kind == OPTION_LIST) {
		struct string_list *list = field;

		while (list->count > 0)
			free(list->items[--list->count]);
		free(list->items);
		list->items = NULL;
	}
}

int options_preset(struct settings *settings)
{
	char error[256];
	int result;

	memset(settings, 0, sizeof(*settings));
	settings->port = -1;
	for (const struct option_group *group = option_groups; group->title != NULL; group++)
		for (const struct option *option = group->options; option->name != NULL; option++) {
			if (option->preset == NULL)
				continue;
			result = option_apply(option, settings, option->preset, error,
			                      sizeof(error));
			if (result < 0)
				return result;
		}
	return 0;
}

void options_free(struct settings *settings)
{
	for (const struct option_group *group = option_groups; group->title != NULL; group++)
		for (const struct option *option = group->options; option->name != NULL; option++)
			option_clear(option, settings);
}
