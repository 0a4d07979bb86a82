/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Host field, as the module vhost makes a folder of it. The first byte chooses the scheme.
 */
#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../modules/vhost/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char folder[HOST_FOLDER_SIZE], again[HOST_FOLDER_SIZE];
	const char *scheme;
	size_t length;

	if (size == 0)
		return 0;
	scheme = data[0] == 's' ? "https" : "http";
	length = host_folder((struct lop_str){ (const char *)data + 1, size - 1 }, scheme, folder);
	if (length == 0)
		return 0;
	expect(length > HOST_PREFIX_LENGTH && length < sizeof(folder));
	expect(strlen(folder) == length && strchr(folder, '/') == NULL);
	expect(memcmp(folder, HOST_PREFIX, HOST_PREFIX_LENGTH) == 0);
	for (size_t i = 0; i < length; i++)
		expect(folder[i] < 'A' || folder[i] > 'Z');
	/* What stands there names itself, unless another dot at its end would go. */
	if (strstr(folder, ".:") == NULL && folder[length - 1] != '.') {
		struct lop_str host = { folder + HOST_PREFIX_LENGTH, length - HOST_PREFIX_LENGTH };

		expect(host_folder(host, scheme, again) == length && strcmp(folder, again) == 0);
	}
	return 0;
}
