/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A range of addresses: "192.0.2.0/24", "2001:db8::/32", or a single address. IPv4 addresses are
 * compared in their mapped form, so a range of IPv4 also holds clients of an IPv6 listener.
 */
#ifndef ADDRESS_RANGE_H
#define ADDRESS_RANGE_H

#include "address.h"

struct address_range {
	unsigned char bytes[16];
	unsigned bits; /* that count, from the first */
};

/* Returns 0 or -EINVAL: also when bits behind the prefix are set, which is mostly a slip. */
int address_range_parse(const char *text, size_t length, struct address_range *range);
/* False for UNIX. */
bool address_range_holds(const struct address_range *range, const struct address *address);

#endif
