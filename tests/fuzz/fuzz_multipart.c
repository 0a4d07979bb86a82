/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A form in pieces: whatever their size, the same comes out. The input is a Content-Type, a line
 * feed, and the body.
 */
#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../modules/upload/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

/* What came out, in a form that does not depend on how data was cut. */
struct outcome {
	uint64_t hash;
	size_t data;
	bool failed;
};

static void add(struct outcome *outcome, const char *data, size_t length)
{
	for (size_t i = 0; i < length; i++)
		outcome->hash = (outcome->hash ^ (unsigned char)data[i]) * UINT64_C(0x100000001b3);
}

static struct outcome take_apart(struct lop_str type, const char *body, size_t length, size_t piece)
{
	struct outcome outcome = { .hash = 1 };
	struct multipart multipart;
	bool within = false;

	expect(multipart_open(&multipart, type) == 0);
	for (size_t at = 0; at < length && !outcome.failed;) {
		size_t size = length - at < piece ? length - at : piece, idle = 0;
		char *exact = malloc(size);

		expect(exact != NULL);
		memcpy(exact, body + at, size);
		for (size_t done = 0; done < size && !outcome.failed;) {
			struct multipart_event event;
			long used = multipart_feed(&multipart, exact + done, size - done, &event);

			outcome.failed = used < 0;
			if (used < 0)
				break;
			expect((size_t)used <= size - done);
			idle = used == 0 ? idle + 1 : 0;
			expect(idle < 3);
			done += (size_t)used;
			switch (event.kind) {
			case MULTIPART_PART:
				expect(!within && event.file.length < MULTIPART_HEAD_MAX);
				within = true;
				add(&outcome, event.has_file ? "\1" : "\2", 1);
				add(&outcome, event.file.data, event.file.length);
				break;
			case MULTIPART_DATA:
				expect(within && event.data.length > 0);
				outcome.data += event.data.length;
				add(&outcome, event.data.data, event.data.length);
				break;
			case MULTIPART_ENDED:
				expect(within);
				within = false;
				add(&outcome, "\3", 1);
				break;
			default:
				break;
			}
		}
		free(exact);
		at += size;
	}
	expect(outcome.data <= length);
	return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t pieces[] = { 1, 2, 7 };
	const char *text = (const char *)data;
	const char *line = size > 0 ? memchr(text, '\n', size) : NULL;
	struct multipart multipart;

	if (line == NULL)
		return 0;

	struct lop_str type = { text, (size_t)(line - text) };
	const char *body = line + 1;
	size_t length = (size_t)(text + size - body);

	if (multipart_open(&multipart, type) < 0)
		return 0;

	struct outcome whole = take_apart(type, body, length, SIZE_MAX);

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct outcome other = take_apart(type, body, length, pieces[i]);

		expect(other.failed == whole.failed && other.hash == whole.hash &&
		       other.data == whole.data);
	}
	return 0;
}
