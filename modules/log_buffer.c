/* SPDX-License-Identifier: BSD-2-Clause */
#include "log_buffer.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What every pipe takes at once, and in one piece, when poll() says that it can be written. */
#ifdef PIPE_BUF
#define PIECE ((size_t)PIPE_BUF)
#else
#define PIECE ((size_t)_POSIX_PIPE_BUF)
#endif

/* How long close waits for a slow reader, in steps of CLOSE_STEP milliseconds. */
#define CLOSE_STEPS 10
#define CLOSE_STEP 50

/* Writing */

/* Position behind the last newline in the first length bytes; 0 when there is none. */
static size_t whole_lines(const char *data, size_t length)
{
	while (length > 0 && data[length - 1] != '\n')
		length--;
	return length;
}

/* How much may be written now: 0 when a pipe is not ready. */
static size_t piece(const struct log_buffer *buffer, size_t done)
{
	struct pollfd ready = { .fd = buffer->fd, .events = POLLOUT };
	size_t left = buffer->used - done;
	size_t lines;

	if (buffer->regular)
		return left;
	if (poll(&ready, 1, 0) <= 0)
		return 0;
	if (left <= PIECE)
		return left;
	lines = whole_lines(buffer->data + done, PIECE);
	return lines > 0 ? lines : PIECE;
}

/* Takes the beginning of a line back out of the file, which ends with it unless somebody else
 * writes there too. `done` bytes of the buffer were written; returns how many of them stay. */
static size_t cut_back(struct log_buffer *buffer, size_t done)
{
	size_t whole = whole_lines(buffer->data, done);
	off_t end = lseek(buffer->fd, 0, SEEK_CUR);
	struct stat st;

	if (whole == done)
		return done;
	if (buffer->regular && end >= 0 && fstat(buffer->fd, &st) == 0 && st.st_size == end &&
	    ftruncate(buffer->fd, end - (off_t)(done - whole)) == 0)
		return whole;
	return done;
}

/* Writes as much as goes without waiting. Sets error. */
static void write_out(struct log_buffer *buffer)
{
	size_t done = 0;

	buffer->error = 0;
	while (done < buffer->used) {
		size_t most = piece(buffer, done);
		ssize_t count;

		if (most == 0)
			break;
		count = write(buffer->fd, buffer->data + done, most);
		if (count >= 0) {
			done += (size_t)count;
		} else if (errno != EINTR) {
			if (errno != EAGAIN)
				buffer->error = -errno;
			break;
		}
	}
	if (buffer->error != 0 && done > 0)
		done = cut_back(buffer, done);
	if (done == 0)
		return;
	buffer->torn = buffer->data[done - 1] != '\n';
	buffer->used -= done;
	memmove(buffer->data, buffer->data + done, buffer->used);
}

bool log_buffer_add(struct log_buffer *buffer, const char *line, size_t length)
{
	if (length > buffer->size - buffer->used)
		return false;
	memcpy(buffer->data + buffer->used, line, length);
	buffer->used += length;
	return true;
}

int log_buffer_write(struct log_buffer *buffer, const char *line, size_t length)
{
	if (log_buffer_add(buffer, line, length))
		return 0;
	if (buffer->error == 0)
		write_out(buffer);
	if (log_buffer_add(buffer, line, length))
		return 0;
	return buffer->error != 0 ? buffer->error : -EAGAIN;
}

int log_buffer_flush(struct log_buffer *buffer)
{
	write_out(buffer);
	if (buffer->error != 0)
		return buffer->error;
	return buffer->used > 0;
}

uint64_t log_buffer_lost(struct log_buffer *buffer)
{
	uint64_t lost = buffer->lost;

	buffer->lost = 0;
	return lost;
}

/* Opening and closing */

int log_buffer_init(struct log_buffer *buffer, size_t size)
{
	*buffer = (struct log_buffer){ .fd = -1, .size = size, .data = malloc(size) };
	return buffer->data == NULL ? -ENOMEM : 0;
}

bool log_buffer_is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

void log_buffer_use(struct log_buffer *buffer, int fd)
{
	buffer->fd = fd;
	buffer->regular = log_buffer_is_file(fd);
	buffer->error = 0;
}

/* The rest of a line that began in another file is of no use in this one. */
static void drop_torn(struct log_buffer *buffer)
{
	const char *newline;
	size_t rest;

	if (!buffer->torn)
		return;
	buffer->torn = false;
	newline = memchr(buffer->data, '\n', buffer->used);
	if (newline == NULL)
		return;
	rest = (size_t)(newline + 1 - buffer->data);
	buffer->used -= rest;
	memmove(buffer->data, newline + 1, buffer->used);
	buffer->lost++;
}

void log_buffer_reopen(struct log_buffer *buffer, int fd)
{
	write_out(buffer);
	drop_torn(buffer);
	close(buffer->fd);
	log_buffer_use(buffer, fd);
}

void log_buffer_close(struct log_buffer *buffer)
{
	struct pollfd ready = { .fd = buffer->fd, .events = POLLOUT };

	write_out(buffer);
	for (int i = 0; i < CLOSE_STEPS && buffer->used > 0 && buffer->error == 0; i++) {
		(void)poll(&ready, 1, CLOSE_STEP);
		write_out(buffer);
	}
	close(buffer->fd);
	free(buffer->data);
}

/* Options */

int log_parse_number(const char *value, size_t least, size_t most, const char *what, size_t *number,
                     char *error, size_t error_size)
{
	char *end;
	unsigned long long parsed;

	errno = 0;
	parsed = strtoull(value, &end, 10);
	if (errno == 0 && end != value && *end == '\0' && value[0] != '-' && parsed >= least &&
	    parsed <= most) {
		*number = (size_t)parsed;
		return 0;
	}
	snprintf(error, error_size, "'%s' is not %s from %zu to %zu", value, what, least, most);
	return -EINVAL;
}
