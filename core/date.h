/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP dates: RFC 9110 section 5.6.7. No locale, no time zone, no allocation.
 */
#ifndef DATE_H
#define DATE_H

#include <stdint.h>

#include <lophttpd/base.h>

#define DATE_LENGTH 29 /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/* Writes the preferred form, no NUL. seconds since 1970-01-01 UTC; what lies outside the years 0
 * to 9999 is clamped. */
void date_format(char out[DATE_LENGTH], int64_t seconds);

/* Reads any of the three forms, strictly: case counts, the day must exist in its month; the name
 * of the weekday need not fit. A two-digit year is at most 50 years after `now`. A 60th second is
 * that of a leap second, and the next minute's first. Returns 0 or -EINVAL. */
int date_parse(struct lop_str text, int64_t now, int64_t *seconds);

#endif
