/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines on their way to a descriptor: what the log providers share. Lines are collected and written
 * together, when the buffer is full and at each flush.
 *
 * A file holds whole lines only: when the disk is full in the middle of one, its beginning is cut
 * off again and the line waits in the buffer. While nothing can be written lines are kept as long
 * as there is room, then refused. A pipe or a terminal is written to only when it is ready, in
 * pieces that it takes at once, so that a slow reader costs lines but never holds up a request.
 */
#ifndef LOG_BUFFER_H
#define LOG_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_KIB ((size_t)1024)
#define LOG_LINE_MOST (16 * LOG_KIB) /* what <lophttpd/log.h> promises */

struct log_buffer {
	int fd;        /* owned */
	bool regular;  /* a file: takes everything, unless the disk is full */
	bool torn;     /* the buffer begins with the rest of a line whose beginning was written */
	int error;     /* negative errno of the last try; 0: it went well */
	uint64_t lost; /* lines taken and lost, since log_buffer_lost() */
	size_t size;
	size_t used;
	char *data;
};

/* size: at least two lines. Returns 0 or -ENOMEM. */
int log_buffer_init(struct log_buffer *buffer, size_t size);
/* Whether it is a regular file. */
bool log_buffer_is_file(int fd);
/* Takes the descriptor over; the one before stays the caller's. */
void log_buffer_use(struct log_buffer *buffer, int fd);
/* Takes a line when there is room; writes nothing out. */
bool log_buffer_add(struct log_buffer *buffer, const char *line, size_t length);
/* Takes a line and writes out when there is no room for it, but after an error only
 * log_buffer_flush() tries again: once a second, not once a request. Returns 0 or a negative
 * errno: the line was refused. */
int log_buffer_write(struct log_buffer *buffer, const char *line, size_t length);
/* Writes out what goes without waiting. As a provider's flush. */
int log_buffer_flush(struct log_buffer *buffer);
/* Writes out, closes, and goes on with another descriptor. */
void log_buffer_reopen(struct log_buffer *buffer, int fd);
/* Writes out, waiting a little for a slow reader, closes and frees. */
void log_buffer_close(struct log_buffer *buffer);
uint64_t log_buffer_lost(struct log_buffer *buffer);

/* For an option: a whole number from least to most. Returns 0, or -EINVAL with a line that names
 * the bounds and `what` in error. */
int log_parse_number(const char *value, size_t least, size_t most, const char *what, size_t *number,
                     char *error, size_t error_size);

#endif
