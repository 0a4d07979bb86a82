/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A length of time as a user types it, in the form of the server's own options: a number, with up to
 * six decimals, and a unit in any case: "500ms", "1.5s", "5m", "1h"; without one it is seconds.
 */
#ifndef PROXY_DURATION_H
#define PROXY_DURATION_H

#include <stdint.h>

#include <lophttpd/base.h>

/* Reads all of text into nanoseconds. Returns 0, -EINVAL for another form, -ERANGE for more than
 * 1000 days. */
int duration_parse(struct lop_str text, int64_t *duration);

#endif
