/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread that goes ahead of the writer of a mapped file (log_window.h): it maps, extends and
 * touches what will be written to soon, copies lines where the loop must not, and unmaps what is
 * over. Each of those may wait for the disk; the loop does not.
 *
 * One task at a time. While it runs the loop neither opens nor closes windows.
 */
#ifndef LOG_AHEAD_H
#define LOG_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "log_window.h"

struct log_ahead;

struct log_task {
	struct log_window old; /* to be closed, unless its from is NULL */
	/* In use; is to be extended and touched from its position on to `to`. */
	struct log_window window;
	char *to;
	char *touched;     /* how far the window was before; or NULL */
	const char *lines; /* so many bytes are to be copied to its position then */
	size_t length;
	uint64_t unchecked; /* lines in the file that were not known to be when it began */
	bool open;          /* whether its next one is to be opened */
	/* Filled in */
	bool prepared;          /* up to `to`, and the lines are copied */
	struct log_window next; /* opened; or closed */
	int result;             /* of all that */
	bool slow;              /* the disk held it up */
	bool written_out;       /* the kernel has written pages out that were touched before */
};

/* fd: the file of all its windows. Returns 0 or a negative errno. */
int log_ahead_start(struct log_ahead **ahead, int fd);

/* Takes a task when there is none. */
void log_ahead_give(struct log_ahead *ahead, const struct log_task *task);

/* Whether there is none any more; the task that was done is returned. Waits for its end, but not
 * longer than that unless it is negative. */
bool log_ahead_take(struct log_ahead *ahead, long most_ns, struct log_task *task);

/* Without a task. */
void log_ahead_stop(struct log_ahead **ahead);

#endif
