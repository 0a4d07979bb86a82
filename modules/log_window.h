/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A window onto the end of a file that grows: mapped, aligned to MiB, and extended with zeros, which
 * have space on the disk, before anything is written there, so that a full disk is an error of
 * log_window_extend() and no fault. Until it is closed the file is longer than what was written,
 * and ends in NUL bytes.
 *
 * That may have to wait for the disk, and so may the first write into a page, so that somebody else
 * than the loop does both (log_ahead.h).
 *
 * Somebody may cut the file meanwhile: the next write beyond its new end is a fault, which is
 * caught and puts memory in the window's place. A process has three windows at most, and one thread
 * at a time opens and closes them.
 */
#ifndef LOG_WINDOW_H
#define LOG_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct log_window {
	int fd;     /* open for reading and writing, O_APPEND; not owned */
	int slot;   /* of what the handler of SIGBUS knows */
	char *from; /* NULL: closed */
	char *at;   /* the next byte */
	char *end;  /* of the file, which is no shorter unless somebody has cut it */
	char *to;
	off_t base; /* of `from` in the file */
};

/* Where the lines of a file end: behind the last byte that is not NUL. When NUL bytes follow, a
 * crash left them, and a line that is not whole goes with them. Returns the position or a negative
 * errno, -ESTALE when somebody cuts it meanwhile; *complete: there is a newline before it, or
 * nothing. */
off_t log_window_find_end(int fd, bool *complete);

/* Cuts the file at position; if somebody has cut it before that, cuts off the NUL bytes that follow
 * its lines. */
int log_window_cut(int fd, off_t position);

/* Maps what lies behind position, which is the file's end, with room for at least a MiB. Returns 0
 * or a negative errno, and is closed then. */
int log_window_open(struct log_window *window, int fd, off_t position);

/* The same further on, for when it is full: the second half of the window and what is behind it. */
int log_window_next(const struct log_window *window, struct log_window *next);

/* Goes on in the next one, which is written to from the same position, and leaves the old one to be
 * closed. */
void log_window_slide(struct log_window *window, struct log_window *next, struct log_window *old);

/* Makes the file reach to `to` at least, behind which nothing may be written. May wait for the disk.
 * Returns 0 or a negative errno, as when the disk is full or has failed, which is found out also
 * when the file reaches so far already; -ESTALE when somebody has cut it. */
int log_window_extend(struct log_window *window, const char *to);

/* Has the pages of the file from `from` to `to` made writable; what is in them stays. May wait for
 * the disk. */
void log_window_touch(char *from, const char *to);

/* Position of the next byte in the file. */
off_t log_window_position(const struct log_window *window);

/* Unmaps; the file keeps its length. */
void log_window_close(struct log_window *window);

/* Whether a write hit nothing since it was opened. */
bool log_window_faulted(const struct log_window *window);

/* The handler of SIGBUS for the process, and back. */
void log_window_guard(void);
void log_window_unguard(void);

#endif
