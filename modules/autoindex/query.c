/* SPDX-License-Identifier: BSD-2-Clause */
#include "query.h"

#include <string.h>
#include <strings.h>

const char *const sort_names[SORT_COUNT] = {
	[SORT_NAME] = "name",
	[SORT_SIZE] = "size",
	[SORT_TIME] = "time",
};

static const char *const format_names[FORMAT_COUNT] = {
	[FORMAT_HTML] = "html",
	[FORMAT_JSON] = "json",
	[FORMAT_TEXT] = "text",
};

static const char *const format_types[FORMAT_COUNT] = {
	[FORMAT_HTML] = "text/html",
	[FORMAT_JSON] = "application/json",
	[FORMAT_TEXT] = "text/plain",
};

static bool is(struct lop_str text, const char *word)
{
	return text.length == strlen(word) && strncasecmp(text.data, word, text.length) == 0;
}

/* Takes what stands before the next separator off the front. */
static struct lop_str take(struct lop_str *rest, char separator)
{
	struct lop_str part = *rest;
	const char *end = memchr(rest->data, separator, rest->length);

	if (end == NULL) {
		*rest = (struct lop_str){ NULL, 0 };
		return part;
	}
	part.length = (size_t)(end - part.data);
	*rest = (struct lop_str){ end + 1, rest->length - part.length - 1 };
	return part;
}

static int hex(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte = (char)(byte | 0x20);
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static char lower(char byte)
{
	return (char)(byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
}

/* As a form sends it: '+' is a space. What is too long for any name is cut. */
static void set_filter(struct query *query, struct lop_str value)
{
	size_t length = 0;

	for (size_t i = 0; i < value.length && length < QUERY_FILTER_MAX; i++) {
		char byte = value.data[i];

		if (byte == '+') {
			byte = ' ';
		} else if (byte == '%' && i + 2 < value.length && hex(value.data[i + 1]) >= 0 &&
		           hex(value.data[i + 2]) >= 0) {
			byte = (char)(hex(value.data[i + 1]) << 4 | hex(value.data[i + 2]));
			i += 2;
		}
		query->typed[length] = byte;
		query->filter[length++] = lower(byte);
	}
	query->filter_length = length;
}

static void set(struct query *query, struct lop_str name, struct lop_str value)
{
	if (is(name, "sort")) {
		for (int i = 0; i < SORT_COUNT; i++) {
			if (is(value, sort_names[i]))
				query->sort = (enum sort_key)i;
		}
	} else if (is(name, "order")) {
		query->descending = is(value, "desc");
	} else if (is(name, "format")) {
		for (int i = 0; i < FORMAT_COUNT; i++) {
			if (is(value, format_names[i])) {
				query->format = (enum query_format)i;
				query->format_given = true;
			}
		}
	} else if (is(name, "q")) {
		set_filter(query, value);
	}
}

void query_parse(struct lop_str text, struct query *query)
{
	memset(query, 0, sizeof(*query));
	while (text.data != NULL) {
		struct lop_str value = take(&text, '&');
		struct lop_str name = take(&value, '=');

		if (value.data == NULL)
			value = (struct lop_str){ "", 0 };
		set(query, name, value);
	}
}

static struct lop_str trim(struct lop_str text)
{
	while (text.length > 0 && (*text.data == ' ' || *text.data == '\t')) {
		text.data++;
		text.length--;
	}
	while (text.length > 0 &&
	       (text.data[text.length - 1] == ' ' || text.data[text.length - 1] == '\t'))
		text.length--;
	return text;
}

/* "q=0.5" -> 500; 1000 when it is nothing of that kind. */
static int weight(struct lop_str parameters)
{
	while (parameters.data != NULL) {
		struct lop_str part = trim(take(&parameters, ';'));
		int value = 0, scale = 1000;

		if (part.length < 3 || (part.data[0] | 0x20) != 'q' || part.data[1] != '=')
			continue;
		for (size_t i = 2; i < part.length && scale > 0; i++) {
			if (part.data[i] == '.')
				continue;
			if (part.data[i] < '0' || part.data[i] > '9')
				return 1000;
			value += (part.data[i] - '0') * scale;
			scale /= 10;
		}
		return value > 1000 ? 1000 : value;
	}
	return 1000;
}

enum query_format query_accept(struct lop_str accept)
{
	/* How exactly a format was named, and the weight it got by that. */
	int exact[FORMAT_COUNT] = { 0 }, weights[FORMAT_COUNT] = { 0 };
	enum query_format best = FORMAT_HTML;

	while (accept.data != NULL) {
		struct lop_str parameters = take(&accept, ',');
		struct lop_str type = trim(take(&parameters, ';'));
		int value = weight(parameters);

		for (int i = 0; i < FORMAT_COUNT; i++) {
			size_t slash = strcspn(format_types[i], "/") + 1;
			int how = 0;

			if (is(type, format_types[i]))
				how = 3;
			else if (type.length == slash + 1 && type.data[slash] == '*' &&
			         strncasecmp(type.data, format_types[i], slash) == 0)
				how = 2;
			else if (is(type, "*/*"))
				how = 1;
			if (how > exact[i]) {
				exact[i] = how;
				weights[i] = value;
			}
		}
	}
	for (int i = FORMAT_HTML + 1; i < FORMAT_COUNT; i++) {
		/* At the same weight what was named wins over what only was not excluded. */
		if (weights[i] > weights[best] ||
		    (weights[i] == weights[best] && weights[i] > 0 && exact[i] > exact[best]))
			best = (enum query_format)i;
	}
	return best;
}

bool query_equal(const struct query *a, const struct query *b)
{
	return a->sort == b->sort && a->format == b->format && a->descending == b->descending &&
	       a->filter_length == b->filter_length &&
	       memcmp(a->typed, b->typed, a->filter_length) == 0;
}

bool query_matches(const struct query *query, const char *name, size_t length)
{
	for (size_t i = 0; i + query->filter_length <= length; i++) {
		size_t j = 0;

		while (j < query->filter_length && lower(name[i + j]) == query->filter[j])
			j++;
		if (j == query->filter_length)
			return true;
	}
	return false;
}
