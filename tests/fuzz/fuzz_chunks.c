/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The decoder of upstreams' chunked bodies, which works in place. The input is what follows a head.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chunks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

struct outcome {
	struct chunks chunks;
	char *body;
	size_t length;
	size_t taken;
	int result; /* 0 incomplete, 1 ended, -EBADMSG */
};

static struct outcome decode(const uint8_t *data, size_t size, size_t piece)
{
	struct outcome outcome = { .body = malloc(size + 1) };

	expect(outcome.body != NULL);
	while (outcome.taken < size && !chunks_ended(&outcome.chunks)) {
		size_t part = size - outcome.taken < piece ? size - outcome.taken : piece;
		char *place = outcome.body + outcome.length;
		size_t taken = SIZE_MAX;
		ssize_t count;

		memcpy(place, data + outcome.taken, part);
		count = chunks_decode(&outcome.chunks, place, part, &taken);
		expect(taken <= part);
		outcome.taken += taken;
		if (count < 0) {
			outcome.result = (int)count;
			return outcome;
		}
		expect((size_t)count <= taken);
		outcome.length += (size_t)count;
	}
	outcome.result = chunks_ended(&outcome.chunks);
	return outcome;
}

static void read_trailers(const struct chunks *chunks)
{
	struct lop_str name;
	struct lop_str value;
	size_t offset = 0;

	while (chunks_trailer(chunks, &offset, &name, &value) == 1) {
		expect(name.length > 0 && memchr(name.data, ':', name.length) == NULL);
		expect(memchr(value.data, '\n', value.length) == NULL);
	}
	expect(offset == chunks->trailer_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 64 };
	struct outcome whole = decode(data, size, size + 1);

	if (whole.result == 1)
		read_trailers(&whole.chunks);
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		struct outcome split = decode(data, size, pieces[i]);

		/* How much framing is too much is looked at once a call. */
		if (whole.result >= 0 && split.result >= 0) {
			expect(split.result == whole.result && split.taken == whole.taken);
			expect(split.length == whole.length &&
			       memcmp(split.body, whole.body, split.length) == 0);
		}
		chunks_clear(&split.chunks);
		free(split.body);
	}
	chunks_clear(&whole.chunks);
	free(whole.body);
	return 0;
}
