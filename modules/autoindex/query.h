/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a request asks of a listing: ?sort=name|size|time, order=asc|desc, q=TEXT,
 * format=html|json|text, and Accept. What is not understood is as if it was not there.
 */
#ifndef AUTOINDEX_QUERY_H
#define AUTOINDEX_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include <lophttpd/base.h>

enum sort_key {
	SORT_NAME,
	SORT_SIZE,
	SORT_TIME,
	SORT_COUNT,
};

enum query_format {
	FORMAT_HTML,
	FORMAT_JSON,
	FORMAT_TEXT,
	FORMAT_COUNT,
};

#define QUERY_FILTER_MAX 255 /* no name is longer */

struct query {
	enum sort_key sort;
	enum query_format format;
	bool descending;
	bool format_given; /* Accept does not count */
	size_t filter_length;
	char filter[QUERY_FILTER_MAX + 1]; /* decoded, lower case where it is ASCII */
	char typed[QUERY_FILTER_MAX + 1];  /* decoded */
};

extern const char *const sort_names[SORT_COUNT];

void query_parse(struct lop_str text, struct query *query);
/* The format that an Accept field wants most; data NULL: HTML. */
enum query_format query_accept(struct lop_str accept);
bool query_equal(const struct query *a, const struct query *b);
/* Whether a name contains the filter, without regard to case. */
bool query_matches(const struct query *query, const char *name, size_t length);

#endif
