/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread for a file that is mapped (log_window.h): it opens the first window, goes ahead of the
 * loop, which maps, extends and touches what will be written to soon, and closes all. Each of those
 * may wait for the disk; the loop does not.
 *
 * One task at a time. While it runs the loop neither opens nor closes windows.
 */
#ifndef LOG_AHEAD_H
#define LOG_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "log_window.h"

struct log_ahead;

enum log_task_kind {
	LOG_TASK_OPEN,  /* the window, behind the last line, extended and touched by `lead` */
	LOG_TASK_TOUCH, /* the window, extended and touched from its position on to `to` */
	LOG_TASK_CLOSE, /* all windows, and the file ends at cut_at */
};

struct log_task {
	enum log_task_kind kind;
	struct log_window old; /* to be closed, unless its from is NULL */
	struct log_window window;
	struct log_window next; /* to be opened if that is wanted, or what was opened before */
	ptrdiff_t lead;
	char *to;
	char *touched;      /* how far the window was before; or NULL */
	bool open_next;     /* whether `next` is wanted */
	uint64_t unchecked; /* lines in the file that were not known to be when it began */
	off_t cut_at;       /* -1: the file stays as long as it is */
	/* Filled in, as are the windows */
	int result;
	bool slow;        /* the disk held it up */
	bool written_out; /* the kernel has written pages out that were touched before */
};

/* fd: the file of all its windows. Returns 0 or a negative errno. */
int log_ahead_start(struct log_ahead **ahead, int fd);

/* Takes a task when there is none. */
void log_ahead_give(struct log_ahead *ahead, const struct log_task *task);

/* Whether there is none any more; the task that was done is returned. Waits for its end, but not
 * longer than that. */
bool log_ahead_take(struct log_ahead *ahead, long most_ns, struct log_task *task);

/* Ends it. When a task never ends, as on a disk that is gone, the thread stays until the process
 * ends. */
void log_ahead_stop(struct log_ahead **ahead);

#endif
