/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "address_range.h"

#include <errno.h>
#include <string.h>

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

/* False: no address of IPv4 or IPv6. */
static bool bytes_of(const struct address *address, unsigned char bytes[16])
{
	switch (address->socket.base.sa_family) {
	case AF_INET:
		memcpy(bytes, mapped, sizeof(mapped));
		memcpy(bytes + sizeof(mapped), &address->socket.in.sin_addr, 4);
		return true;
	case AF_INET6:
		memcpy(bytes, &address->socket.in6.sin6_addr, 16);
		return true;
	default:
		return false;
	}
}

/* Whether the bits are equal from `first` up to `end`. */
static bool bits_equal(const unsigned char *a, const unsigned char *b, unsigned first, unsigned end)
{
	for (unsigned bit = first; bit < end; bit++)
		if (((a[bit / 8] ^ b[bit / 8]) >> (7 - bit % 8) & 1) != 0)
			return false;
	return true;
}

static int parse_bits(const char *text, size_t length, unsigned high, unsigned *bits)
{
	*bits = 0;
	if (length == 0 || length > 3)
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		*bits = *bits * 10 + (unsigned)(text[i] - '0');
	}
	return *bits <= high ? 0 : -EINVAL;
}

int address_range_parse(const char *text, size_t length, struct address_range *range)
{
	static const unsigned char none[16] = { 0 };
	const char *slash = memchr(text, '/', length);
	size_t host = slash != NULL ? (size_t)(slash - text) : length;
	struct address address;
	unsigned width, bits;

	/* With a port to be missed: one in the text is a slip too. */
	if (address_parse(text, host, 0, &address) < 0 || address_port(&address) != 0 ||
	    !bytes_of(&address, range->bytes))
		return -EINVAL;
	width = address.socket.base.sa_family == AF_INET ? 32 : 128;
	bits = width;
	if (slash != NULL && parse_bits(slash + 1, length - host - 1, width, &bits) < 0)
		return -EINVAL;
	range->bits = 128 - width + bits;
	return bits_equal(range->bytes, none, range->bits, 128) ? 0 : -EINVAL;
}

bool address_range_holds(const struct address_range *range, const struct address *address)
{
	unsigned char bytes[16];

	return bytes_of(address, bytes) && bits_equal(range->bytes, bytes, 0, range->bits);
}
