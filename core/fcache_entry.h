/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making an entry of the file cache: from a path to what is served under it. fcache.c keeps them.
 */
#ifndef FCACHE_ENTRY_H
#define FCACHE_ENTRY_H

#include "fcache.h"

struct mime;

struct fcache_loader {
	const struct mime *mime;
	const struct log_target *log; /* which is not served */
	const char *index;     /* name of the file that stands for its folder */
	size_t memory_max;     /* bytes of a file that is kept in memory */
	int64_t now;           /* seconds since 1970 */
};

/* Opens and examines; NULL when memory is out. -EMFILE in *error: no descriptor was left, and there is no entry. */
struct fcache_entry *fcache_load(const struct fcache_loader *loader, struct lop_root *root,
                                 struct lop_str path, int *error);
/* Whether the same thing is still found under the entry's name. */
bool fcache_unchanged(const struct fcache_entry *entry, const struct lop_root *root);
void fcache_entry_free(struct fcache_entry *entry);
/* Bytes of memory that the entry keeps beside itself. */
size_t fcache_entry_bytes(const struct fcache_entry *entry);

#endif
