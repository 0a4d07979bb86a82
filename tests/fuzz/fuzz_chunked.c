/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The decoder of chunked bodies. The input is what follows the head of a request.
 */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "chunked.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

struct outcome {
	char *body;
	size_t length;
	size_t taken;
	int result; /* 0 incomplete, 1 done, -EBADMSG */
};

/* In pieces of at most `piece` bytes, with room for `room` bytes a call. */
static struct outcome decode(const uint8_t *data, size_t size, size_t piece, size_t room)
{
	struct outcome outcome = { .body = malloc(size + 1) };
	struct chunked chunked = { 0 };

	expect(outcome.body != NULL);
	while (outcome.taken < size && !chunked_done(&chunked)) {
		size_t part = size - outcome.taken < piece ? size - outcome.taken : piece;
		size_t space = size - outcome.length < room ? size - outcome.length : room;
		size_t taken = SIZE_MAX;
		ssize_t written = chunked_decode(&chunked, (const char *)data + outcome.taken, part,
		                                 &taken, outcome.body + outcome.length, space);
		expect(taken <= part);
		outcome.taken += taken;
		if (written < 0) {
			expect(written == -EBADMSG && !chunked_done(&chunked));
			outcome.result = -EBADMSG;
			return outcome;
		}
		expect((size_t)written <= space && (size_t)written <= taken && taken > 0);
		outcome.length += (size_t)written;
	}
	outcome.result = chunked_done(&chunked);
	return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 64 };
	struct outcome whole = decode(data, size, size, size);
	struct chunked chunked = { 0 };
	size_t taken;

	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		struct outcome split = decode(data, size, pieces[i], pieces[i] / 2 + 1);
		expect(split.result == whole.result && split.taken == whole.taken);
		if (whole.result >= 0)
			expect(split.length == whole.length &&
			       memcmp(split.body, whole.body, split.length) == 0);
		free(split.body);
	}
	ssize_t thrown = chunked_decode(&chunked, (const char *)data, size, &taken, NULL, 0);
	expect(taken == whole.taken);
	expect(whole.result < 0 ? thrown == -EBADMSG : thrown == (ssize_t)whole.length);
	expect(chunked_done(&chunked) == (whole.result == 1));
	if (whole.result == 1)
		expect(memcmp(data + taken - 2, "\r\n", 2) == 0);
	free(whole.body);
	return 0;
}
