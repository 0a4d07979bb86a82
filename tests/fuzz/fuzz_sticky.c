/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Cookie field, and the values of sticky cookies in it.
 */
#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../proxy/sticky.h"

#define WALL (INT64_C(1700000000) * 1000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

/* With a secret of this run nothing that is typed can be valid; what was signed is. */
static void check_value(const struct secret *secret, struct lop_str value)
{
	char own[STICKY_VALUE_LENGTH];
	struct sticky_claim claim;

	sticky_write(secret, 42, WALL, own);
	expect(sticky_read(secret, (struct lop_str){ own, sizeof own }, WALL, &claim));
	expect(claim.server == 42 && claim.key == 0 && !claim.renew);
	if (value.length != sizeof own || memcmp(value.data, own, sizeof own) != 0)
		expect(!sticky_read(secret, value, WALL, &claim));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct secret *secret;
	static const struct lop_str name = { "a", 1 };
	const struct lop_str field = { (const char *)data, size };
	struct lop_str value;
	size_t offset = 0, last = 0;
	char error[256];

	if (secret == NULL && sticky_available())
		expect(secret_new(NULL, &secret, error, sizeof error) == 0);
	while ((value = cookie_next(field, name, &offset)).data != NULL) {
		expect(offset > last);
		last = offset;
		expect(value.data >= field.data &&
		       value.data + value.length <= field.data + field.length);
		expect(value.length == 0 || memchr(value.data, ';', value.length) == NULL);
		if (secret != NULL)
			check_value(secret, value);
	}
	return 0;
}
