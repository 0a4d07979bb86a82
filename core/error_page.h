/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The core's pages for statuses that nobody gave a body: small, readable, and saying nothing of
 * the inside. Made when first needed, kept by the worker.
 */
#ifndef ERROR_PAGE_H
#define ERROR_PAGE_H

#include <lophttpd/base.h>
#include <lophttpd/file.h>

#define ERROR_PAGES 24

struct error_pages {
	struct {
		int status;
		struct lop_memory *page;
	} items[ERROR_PAGES];
	unsigned count;
};

/* "Not Found"; "Unknown" for a status that has no name. */
const char *status_reason(int status);

/* The page, owned by pages; NULL when memory is out or the status has no body. */
struct lop_memory *error_page(struct error_pages *pages, int status);
void error_pages_free(struct error_pages *pages);

#endif
