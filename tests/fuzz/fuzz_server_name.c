/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host names as the module tls takes them from clients: the body of the hello's extension, and,
 * when the first byte says so, the Host field.
 */
#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../modules/tls/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[NAME_SIZE], again[NAME_SIZE];
	bool found;

	if (size == 0)
		return 0;
	if (data[0] == 'h')
		found = name_of_host((struct lop_str){ (const char *)data + 1, size - 1 }, name);
	else
		found = name_indicated(data + 1, size - 1, name) == 1;
	if (!found)
		return 0;
	expect(strlen(name) > 0 && strlen(name) <= 253 && strpbrk(name, "/:*[]%") == NULL);
	/* What came out is a name, and stays what it is. */
	expect(name_normalise((struct lop_str){ name, strlen(name) }, again));
	expect(strcmp(name, again) == 0);
	if (name_wildcard(name, again))
		expect(strncmp(again, "*.", 2) == 0 && strlen(again) < NAME_SIZE);
	return 0;
}
