/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header of the PROXY protocol that a listener takes.
 */
#include "config.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header header, again;
	char text[ADDRESS_TEXT_MAX];
	ssize_t length = proxy_header_read(data, size, &header);

	expect(length == -EBADMSG || (length >= 0 && (size_t)length <= size));
	expect(length <= PROXY_HEADER_MAX && (length != 0 || size < PROXY_HEADER_MAX));
	/* What is no header does not become one by more bytes, and the reverse. */
	for (size_t part = 0; part < size && part < 256; part++) {
		ssize_t result = proxy_header_read(data, part, &again);

		expect(result == 0 || result == length);
		expect(result <= 0 || (size_t)result <= part);
	}
	if (length <= 0)
		return 0;
	expect(proxy_header_read(data, (size_t)length, &again) == length);
	expect(memcmp(&header, &again, sizeof(header)) == 0);
	if (header.own)
		return 0;
	expect(header.source.socket.base.sa_family == header.destination.socket.base.sa_family);
	expect(address_text(&header.source, text, sizeof(text)) > 0);
	expect(address_text(&header.destination, text, sizeof(text)) > 0);
	return 0;
}
