/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A window onto the end of a file that grows: mapped, aligned to MiB, and with its space on the
 * disk allocated before anything is written into it, so that a full disk is an error of
 * log_window_open() and no fault. Until it is closed the file is longer than what was written, and
 * ends in NUL bytes.
 *
 * Somebody may cut the file meanwhile: the next write beyond its new end is a fault, which is
 * caught and puts memory in the window's place. There is one window a process, because there is
 * one handler of SIGBUS.
 */
#ifndef LOG_WINDOW_H
#define LOG_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct log_window {
	int fd;     /* open for reading and writing, O_APPEND; not owned */
	char *from; /* NULL: closed */
	char *at;   /* the next byte */
	char *to;
	off_t base; /* of `from` in the file */
};

/* Where the lines of a file end: behind the last byte that is not NUL. When NUL bytes follow, a
 * crash left them, and a line that is not whole goes with them. Returns the position or a negative
 * errno; *complete: there is a newline before it, or nothing. */
off_t log_window_find_end(int fd, bool *complete);

/* Cuts the file at position, unless it is shorter. */
int log_window_cut(int fd, off_t position);

/* Maps what lies behind position, with room for at least a MiB. Returns 0 or a negative errno, and
 * is closed then; the file may be longer than before. */
int log_window_open(struct log_window *window, int fd, off_t position);

/* The same further on, when it is full. */
int log_window_slide(struct log_window *window);

/* Position of the next byte in the file. */
off_t log_window_position(const struct log_window *window);

/* Unmaps; the file keeps its length. */
void log_window_close(struct log_window *window);

/* Whether a write hit nothing since it was opened. */
bool log_window_faulted(void);

/* The handler of SIGBUS for the process, and back. */
void log_window_guard(void);
void log_window_unguard(void);

#endif
