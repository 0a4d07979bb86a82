/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Digest fields: what was read is written again, and read as the same.
 */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../modules/upload/digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct lop_str value = { (const char *)data, size };
	unsigned char digest[DIGEST_SIZE], again[DIGEST_SIZE];
	char text[DIGEST_FIELD_SIZE];
	int result;

	if (size == 0)
		return 0;
	result = digest_wanted(value);
	expect(result == 0 || result == 1 || result == -EINVAL);
	result = digest_parse(value, digest);
	expect(result == 0 || result == 1 || result == -EINVAL);
	if (result != 1)
		return 0;
	size_t length = digest_format(digest, text);
	expect(length == strlen(text) && length < DIGEST_FIELD_SIZE);
	expect(digest_parse((struct lop_str){ text, length }, again) == 1);
	expect(memcmp(digest, again, sizeof(digest)) == 0);
	return 0;
}
