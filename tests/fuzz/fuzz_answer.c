/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The head of an upstream's response. The first byte of the input is the method's: 'H' for HEAD, 'C'
 * for CONNECT, any other for GET; what follows is what the upstream sent.
 */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

/* A view of what may be written on as a part of one line. */
static void check_text(struct lop_str text, const char *raw, size_t size)
{
	expect(text.data >= raw && text.data + text.length <= raw + size);
	for (size_t i = 0; i < text.length; i++) {
		unsigned char byte = (unsigned char)text.data[i];
		expect(byte == '\t' || (byte >= ' ' && byte != 0x7f));
	}
}

static void check_answer(const struct answer *answer, const char *raw, size_t size)
{
	expect(answer->status >= 100 && answer->status <= 599);
	expect(answer->head_size >= 4 && answer->head_size <= size);
	expect(memcmp(raw + answer->head_size - 2, "\r\n", 2) == 0);
	expect(answer->field_count <= ANSWER_FIELDS_MAX);
	expect(answer->framing != ANSWER_LENGTH || answer->length >= 0);
	expect(answer->framing != ANSWER_CLOSE || !answer->keep);
	expect(!answer->upgrade || answer->status == 101);
	check_text(answer->reason, raw, answer->head_size);
	for (size_t i = 0; i < answer->field_count; i++) {
		struct lop_str name = answer->fields[i].name, value = answer->fields[i].value;
		expect(name.length > 0);
		check_text(name, raw, answer->head_size);
		check_text(value, raw, answer->head_size);
		expect(memchr(name.data, ' ', name.length) == NULL);
		expect(memchr(name.data, ':', name.length) == NULL);
		expect(value.length == 0 || (value.data[0] != ' ' && value.data[0] != '\t'));
		(void)field_is_hop_by_hop(name, value);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct answer answer, again;
	size_t scanned = 0;

	if (size == 0)
		return 0;
	bool head = data[0] == 'H', connect = data[0] == 'C';
	const char *raw = (const char *)data + 1;
	size--;
	int result = answer_parse(raw, size, head, connect, &scanned, &answer);
	expect(result == 1 || result == 0 || result == -EBADMSG);
	if (result == 1)
		check_answer(&answer, raw, size);

	/* In pieces it comes to the same; a bad one may be noticed later. */
	int pieces = 0;
	scanned = 0;
	for (size_t part = 0; part <= size && pieces == 0; part += 1 + size / 16) {
		pieces = answer_parse(raw, part, head, connect, &scanned, &again);
		expect(pieces != 0 || scanned == part);
	}
	if (pieces == 0)
		pieces = answer_parse(raw, size, head, connect, &scanned, &again);
	expect(pieces == result || (pieces == 0 && result < 0));
	if (pieces == 1)
		expect(again.head_size == answer.head_size && again.length == answer.length &&
		       again.framing == answer.framing && again.keep == answer.keep &&
		       again.field_count == answer.field_count);
	return 0;
}
