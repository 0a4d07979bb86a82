/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that modules have watched: looked at again and again by the process that may read them.
 * There is no notification: a stat of each every two seconds costs nothing to speak of, and works on
 * every file system and for names that are links.
 */
#ifndef WATCH_H
#define WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lop_core;

#define WATCH_NS INT64_C(2000000000) /* between two looks */

struct watched {
	char *path;
	uint64_t device;
	uint64_t inode;
	int64_t mtime_ns;
	int64_t ctime_ns;
	int64_t size;
};

struct watch {
	struct watched *items;
	size_t count;
	bool changed; /* since REOPEN ran last, and not yet at rest */
};

/* Looks at all files. True when something has changed and is at rest: two files that belong
 * together have both been written by then. A file that cannot be looked at has not changed. */
bool watch_look(struct watch *watch);
void watch_free(struct watch *watch);

#endif
