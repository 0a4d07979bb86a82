/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a client says to a listing and what names may do to it: query, Accept, and a name's way into
 * HTML, JSON, URLs and text. The input is all of these at once.
 */
#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../modules/autoindex/query.h"
#include "../../modules/autoindex/sort.h"
#include "../../modules/autoindex/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

/* No byte that could end an attribute, a string, an element or a line. */
static void check_bytes(struct text *text, const char *forbidden)
{
	expect(!text->failed);
	for (size_t i = 0; i < text->length; i++) {
		unsigned char byte = (unsigned char)text->data[i];

		expect(byte >= ' ' && byte != 0x7f && strchr(forbidden, byte) == NULL);
	}
	text_free(text);
}

static int hex(char digit)
{
	return digit >= 'A' ? digit - 'A' + 10 : digit - '0';
}

static void check_name(const char *name, size_t length)
{
	struct text text = { .data = NULL };
	size_t at = 0;

	text_html(&text, name, length);
	check_bytes(&text, "<>\"'");
	text_plain(&text, name, length);
	check_bytes(&text, "\n");
	text_json(&text, name, length);
	for (size_t i = 0; i < text.length; i++) {
		expect((unsigned char)text.data[i] >= ' ' && text.data[i] != '"');
		if (text.data[i] == '\\')
			i++;
	}
	text_free(&text);
	text_url(&text, name, length);
	for (size_t i = 0; i < text.length; i++, at++) {
		char byte = text.data[i];

		if (byte == '%') {
			byte = (char)(hex(text.data[i + 1]) << 4 | hex(text.data[i + 2]));
			i += 2;
		}
		expect(at < length && byte == name[at]);
	}
	expect(at == length);
	check_bytes(&text, "<>\"' ?#:&");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	const size_t half = size / 2;
	struct query query;

	query_parse((struct lop_str){ bytes, size }, &query);
	expect(query.sort < SORT_COUNT && query.format < FORMAT_COUNT);
	expect(query.filter_length <= QUERY_FILTER_MAX && query_equal(&query, &query));
	expect(query_matches(&query, query.typed, query.filter_length));
	expect(query_accept((struct lop_str){ bytes, size }) < FORMAT_COUNT);
	check_name(bytes, size);
	expect(natural_compare(bytes, half, bytes, half) == 0);
	int there = natural_compare(bytes, half, bytes + half, size - half);
	int back = natural_compare(bytes + half, size - half, bytes, half);
	expect((there > 0) == (back < 0) && (there == 0) == (back == 0));
	return 0;
}
