/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Preconditions, in the order of RFC 9110 section 13.2.2.
 */
#ifndef CONDITIONAL_H
#define CONDITIONAL_H

#include <stdbool.h>
#include <stdint.h>

#include <lophttpd/base.h>

/* The field values; data NULL when absent. */
struct conditions {
	struct lop_str if_match;
	struct lop_str if_none_match;
	struct lop_str if_modified_since;
	struct lop_str if_unmodified_since;
	struct lop_str if_range;
};

/* The current representation. */
struct validators {
	struct lop_str etag;  /* with its quotes, strong; data NULL: none */
	int64_t modified;     /* Last-Modified in seconds; INT64_MIN: none */
	bool modified_strong; /* Last-Modified is a second or more before Date, 8.8.2.2 */
	bool exists;          /* false: no current representation (If-Match: * fails) */
};

/* Returns 0 to go on, 304 or 412. `safe` is true for GET and HEAD. A bad date is ignored; a list of
 * entity tags is read up to what is not one. `now` (seconds) is for dates of two-digit years. */
int conditional_check(const struct conditions *conditions, const struct validators *validators,
                      bool safe, int64_t now);

/* Whether Range applies as far as If-Range says: strong comparison; a date must be exact and
 * modified_strong. True without If-Range. */
bool conditional_range(const struct conditions *conditions, const struct validators *validators,
                       int64_t now);

#endif
