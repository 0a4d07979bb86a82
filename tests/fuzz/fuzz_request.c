/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request parser, and the target of what it took. The input is what a client sends.
 */
#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "http1_parse.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

/* Every line of the head ends in CRLF, which stands nowhere else; one line a field, the request
 * line, the empty line, and perhaps one before. */
static void check_lines(const struct http1_head *head, const char *text)
{
	unsigned lines = 0;
	for (uint32_t i = 0; i < head->length; i++) {
		if (text[i] == '\r')
			expect(i + 1 < head->length && text[i + 1] == '\n');
		if (text[i] == '\n')
			expect(i > 0 && text[i - 1] == '\r' && ++lines > 0);
		expect(text[i] != '\0' && text[i] != 0x7f);
	}
	expect(lines == head->field_count + 2u + (head->method_offset > 0));
	expect(memcmp(text + head->length - 4, "\r\n\r\n", 4) == 0);
}

static void check_fields(const struct http1_head *head, const char *text, size_t most)
{
	uint32_t at = head->target + head->target_length;
	expect(head->field_count <= most);
	for (int i = 0; i < head->field_count; i++) {
		const struct http1_field *field = &head->fields[i];
		expect(field->name > at && field->name_length > 0);
		expect(text[field->name + field->name_length] == ':');
		expect(memchr(text + field->name, ' ', field->name_length) == NULL);
		expect(field->value > field->name + field->name_length);
		at = field->value + field->value_length;
		expect(at + 4 <= head->length);
		if (field->value_length > 0)
			expect((unsigned char)text[field->value] > ' ' &&
			       (unsigned char)text[at - 1] > ' ');
	}
}

/* What the rest of the server builds on. */
static void check_meaning(const struct http1_head *head, const char *text)
{
	static char joined[65536];
	expect(head->version == 100 || head->version == 101);
	expect(head->version == 100 || head->known[HTTP1_HOST] > 0);
	expect(head->content_length >= -1);
	expect((head->content_length >= 0) == (head->known[HTTP1_CONTENT_LENGTH] > 0));
	expect(head->chunked == (head->known[HTTP1_TRANSFER_ENCODING] > 0));
	expect(!head->chunked || (head->content_length == -1 && head->version == 101));
	expect((head->repeated & (1u << HTTP1_HOST | 1u << HTTP1_CONTENT_LENGTH |
	                          1u << HTTP1_TRANSFER_ENCODING)) == 0);
	for (int i = 0; i < HTTP1_KNOWN_COUNT; i++) {
		enum http1_known known = (enum http1_known)i;
		struct lop_str value = http1_value(head, text, known);
		size_t length = http1_join(head, text, known, joined);
		expect(head->known[i] <= head->field_count);
		expect(length <= head->length);
		if (!(head->repeated >> i & 1))
			expect(length == value.length &&
			       (length == 0 || memcmp(joined, value.data, length) == 0));
	}
}

static void check_target(const struct http1_head *head, const char *text)
{
	struct target target;
	char *out = malloc(head->target_length + 2);
	expect(out != NULL && head->target_length > 0 && head->method_length > 0);
	for (uint32_t i = 0; i < head->target_length; i++)
		expect((unsigned char)text[head->target + i] > ' ');
	int result =
		target_parse(head->method, text + head->target, head->target_length, out, &target);
	expect(result == 0 || result == -400);
	free(out);
}

/* Parses each beginning: the first result that is not 0 must be that of the whole. */
static void check_splits(const struct http1_head *whole, int result, const char *text, size_t size,
                         const struct http1_limits *limits)
{
	static struct http1_head head;
	for (size_t part = 0; part < size && part < 1500; part++) {
		char *exact = malloc(part > 0 ? part : 1);
		expect(exact != NULL);
		memcpy(exact, text, part);
		int seen = http1_parse_head(&head, exact, part, limits);
		free(exact);
		if (seen == 0)
			continue;
		expect(seen == result);
		expect(memcmp(&head, whole, offsetof(struct http1_head, fields)) == 0);
		expect(memcmp(head.fields, whole->fields,
		              head.field_count * sizeof head.fields[0]) == 0);
		/* From here on it does not change: a few more will do. */
		part += size / 16;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct http1_limits all_limits[] = {
		{ .head = 65536, .target = 8192, .fields = 100 },
		{ .head = 200, .target = 50, .fields = 5 },
	};
	static struct http1_head head;
	const char *text = (const char *)data;

	for (size_t i = 0; i < sizeof all_limits / sizeof all_limits[0]; i++) {
		const struct http1_limits *limits = &all_limits[i];
		int result = http1_parse_head(&head, text, size, limits);
		expect(result == 0 || result == -400 || result == -414 || result == -417 ||
		       result == -431 || result == -501 || result == -505 || result > 0);
		expect(result != 0 || size < limits->head);
		check_splits(&head, result, text, size, limits);
		if (result <= 0)
			continue;
		expect((size_t)result <= size && (size_t)result <= limits->head);
		expect(head.length == (uint32_t)result && head.target_length <= limits->target);
		check_lines(&head, text);
		check_fields(&head, text, limits->fields);
		check_meaning(&head, text);
		check_target(&head, text);
	}
	return 0;
}
