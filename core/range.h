/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Range field: RFC 9110 section 14.
 */
#ifndef RANGE_H
#define RANGE_H

#include <stdint.h>

#include <lophttpd/base.h>

#define RANGE_MAX 16 /* ranges left after coalescing; more are absurd */

struct range {
	int64_t first;  /* offset in bytes */
	int64_t length; /* > 0 */
};

/*
 * Reads a Range value against a representation of size bytes (>= 0). Returns
 *
 *   - the number of ranges, at least 1, in the order asked for; those that overlap or adjoin are
 *     coalesced into the place of the first;
 *   - 0 when the field is to be ignored and the whole sent: another unit, bad syntax, more than
 *     RANGE_MAX ranges after coalescing or 200 before, a suffix of an empty representation;
 *   - -ERANGE when no range can be satisfied (416).
 *
 * What is returned never adds up to more than the size, and to the size itself only as one range
 * ("bytes=0-" is a 206). Numbers too large for int64_t are taken as "to the end".
 */
int range_parse(struct lop_str value, int64_t size, struct range ranges[RANGE_MAX]);

#endif
