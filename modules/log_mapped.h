/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of a file that is mapped, so that a line costs a copy and no system call and is in the
 * file at once. The file is longer than its lines meanwhile (log_window.h).
 *
 * A write into a page that the kernel has written out waits for a busy disk. So the loop writes
 * only where a thread (log_ahead.h) has been a moment ago; where it has not, the loop waits a moment
 * for it. When the disk holds the thread up, or anything else fails, the mapping is to be given up.
 */
#ifndef LOG_MAPPED_H
#define LOG_MAPPED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log_ahead.h"
#include "log_window.h"

struct log_mapped {
	struct log_ahead *ahead;  /* NULL: nothing is open */
	struct log_window window; /* in use; or closed */
	struct log_window next;   /* to go on with; or closed */
	struct log_window old;    /* to be closed; or closed */
	bool asked;               /* the thread has a task, ... */
	int64_t asked_at;         /* ... since then */
	char *touched;            /* so far in the window the thread has touched it, or NULL, ... */
	int64_t touched_at;       /* ... and this was when it began */
	ptrdiff_t lead;           /* how much is made ready */
	int error;                /* why it is to be given up, negative errno; or 0 */
	bool slow;                /* the disk has held something up */
	bool closing;             /* it is being closed, ... */
	int closed;               /* ... which has ended so; -EAGAIN: it has not yet */
	off_t cut_at;             /* where the file's lines end, when it is closed */
	uint64_t unchecked;       /* lines written since the file was looked at */
	uint64_t lost;            /* lines that went where there was no file any more, or no disk */
};

/* Begins to open it, and to recover the end of the file if a crash has left one that is not clean.
 * Nobody else may write to the file. Returns 0 or a negative errno. */
int log_mapped_open(struct log_mapped *mapped, int fd);

/* Waits for the end of what was begun, but not longer than that. Returns 0; -EAGAIN, it has not
 * ended; or a negative errno: it could not be opened, or the file could not be cut. */
int log_mapped_wait(struct log_mapped *mapped, long most_ns);

/* Puts a line into the file. Returns 0 or a negative errno, when it is not there and the mapping has
 * to be given up: -EBUSY, the disk is busy; -EAGAIN, the thread was too late for another reason;
 * -ESTALE, somebody has cut the file; -ENOSPC, … */
int log_mapped_put(struct log_mapped *mapped, const char *line, size_t length);

/* Whether it may be opened another time although it was not, or was given up, because of that. */
bool log_mapped_passes(int error);

/* Once a second: looks whether the lines are still in the file. Returns a positive number when it
 * does not know yet of some of them, 0, or a negative errno as log_mapped_put(). */
int log_mapped_check(struct log_mapped *mapped);

/* Begins to close it and to cut the file behind its last line, or tries that again. */
void log_mapped_close(struct log_mapped *mapped);

/* Frees everything. Before closing has ended well the file stays longer than its lines. */
void log_mapped_end(struct log_mapped *mapped);

/* Not exact, but quick; in nanoseconds. */
int64_t log_mapped_now(void);

#endif
