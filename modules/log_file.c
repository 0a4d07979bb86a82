/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_file: the access log in a file. Lines are collected in a buffer and written together, when it
 * is full and at the latest after a second.
 *
 * The file holds whole lines only: when the disk is full in the middle of one, its beginning is cut
 * off again and the line waits in the buffer. While nothing can be written lines are kept as long
 * as there is room, then refused, and the core counts them. A pipe or a terminal is written to
 * only when it is ready, in pieces that it takes at once, so that a slow reader costs lines but
 * never holds up a request.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lophttpd/log.h>

#define KIB ((size_t)1024)
#define BUFFER_DEFAULT (64 * KIB)
#define BUFFER_LEAST (32 * KIB) /* a line has up to 16 KiB */
#define BUFFER_MOST (64 * KIB * KIB)

/* What every pipe takes at once, and in one piece, when poll() says that it can be written. */
#ifdef PIPE_BUF
#define PIECE ((size_t)PIPE_BUF)
#else
#define PIECE ((size_t)_POSIX_PIPE_BUF)
#endif

/* How long close waits for a slow reader, in steps of CLOSE_STEP milliseconds. */
#define CLOSE_STEPS 10
#define CLOSE_STEP 50

struct settings {
	size_t buffer_size;
};

struct log {
	int fd;
	bool regular;  /* a file: takes everything, unless the disk is full */
	bool torn;     /* the buffer begins with the rest of a line whose beginning was written */
	int error;     /* negative errno of the last try; 0: it went well */
	uint64_t lost; /* lines taken and lost, since the core asked */
	size_t size;
	size_t used;
	char buffer[];
};

/* Writing */

/* Position behind the last newline in the first length bytes; 0 when there is none. */
static size_t whole_lines(const char *data, size_t length)
{
	while (length > 0 && data[length - 1] != '\n')
		length--;
	return length;
}

/* How much may be written now: 0 when a pipe is not ready. */
static size_t piece(const struct log *log, size_t done)
{
	struct pollfd ready = { .fd = log->fd, .events = POLLOUT };
	size_t left = log->used - done;
	size_t lines;

	if (log->regular)
		return left;
	if (poll(&ready, 1, 0) <= 0)
		return 0;
	if (left <= PIECE)
		return left;
	lines = whole_lines(log->buffer + done, PIECE);
	return lines > 0 ? lines : PIECE;
}

/* Takes the beginning of a line back out of the file, which ends with it unless somebody else
 * writes there too. `done` bytes of the buffer were written; returns how many of them stay. */
static size_t cut_back(struct log *log, size_t done)
{
	size_t whole = whole_lines(log->buffer, done);
	off_t end = lseek(log->fd, 0, SEEK_CUR);
	struct stat st;

	if (whole == done)
		return done;
	if (log->regular && end >= 0 && fstat(log->fd, &st) == 0 && st.st_size == end &&
	    ftruncate(log->fd, end - (off_t)(done - whole)) == 0)
		return whole;
	return done;
}

/* Writes as much as goes without waiting. Sets error. */
static void write_out(struct log *log)
{
	size_t done = 0;

	log->error = 0;
	while (done < log->used) {
		size_t most = piece(log, done);
		ssize_t count;

		if (most == 0)
			break;
		count = write(log->fd, log->buffer + done, most);
		if (count >= 0) {
			done += (size_t)count;
		} else if (errno != EINTR) {
			if (errno != EAGAIN)
				log->error = -errno;
			break;
		}
	}
	if (log->error != 0 && done > 0)
		done = cut_back(log, done);
	if (done == 0)
		return;
	log->torn = log->buffer[done - 1] != '\n';
	log->used -= done;
	memmove(log->buffer, log->buffer + done, log->used);
}

static int log_write(void *state, const struct lop_log_record *record, const char *line,
                     size_t length)
{
	struct log *log = state;

	(void)record;
	/* After an error only flush tries again: once a second, not once a request. */
	if (length > log->size - log->used && log->error == 0)
		write_out(log);
	if (length > log->size - log->used)
		return log->error != 0 ? log->error : -EAGAIN;
	memcpy(log->buffer + log->used, line, length);
	log->used += length;
	return 0;
}

static void log_message(void *state, const struct lop_log_message *message)
{
	(void)log_write(state, NULL, message->line.data, message->line.length);
}

static int log_flush(void *state)
{
	struct log *log = state;

	write_out(log);
	if (log->error != 0)
		return log->error;
	return log->used > 0;
}

static uint64_t log_lost(void *state)
{
	struct log *log = state;
	uint64_t lost = log->lost;

	log->lost = 0;
	return lost;
}

/* Opening and closing */

static void use_file(struct log *log, int fd)
{
	struct stat st;

	log->fd = fd;
	log->regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	log->error = 0;
}

static int log_open(void *module, const struct lop_log_open *how, void **state)
{
	const struct settings *settings = module;
	struct log *log = malloc(sizeof(*log) + settings->buffer_size);

	if (log == NULL)
		return -ENOMEM;
	*log = (struct log){ .size = settings->buffer_size };
	use_file(log, how->fd);
	*state = log;
	return 0;
}

/* The rest of a line that began in another file is of no use in this one. */
static void drop_torn(struct log *log)
{
	const char *newline;
	size_t rest;

	if (!log->torn)
		return;
	log->torn = false;
	newline = memchr(log->buffer, '\n', log->used);
	if (newline == NULL)
		return;
	rest = (size_t)(newline + 1 - log->buffer);
	log->used -= rest;
	memmove(log->buffer, newline + 1, log->used);
	log->lost++;
}

static int log_reopen(void *state, const struct lop_log_open *how)
{
	struct log *log = state;

	write_out(log);
	drop_torn(log);
	close(log->fd);
	use_file(log, how->fd);
	return 0;
}

static void log_close(void *state)
{
	struct log *log = state;
	struct pollfd ready = { .fd = log->fd, .events = POLLOUT };

	write_out(log);
	for (int i = 0; i < CLOSE_STEPS && log->used > 0 && log->error == 0; i++) {
		(void)poll(&ready, 1, CLOSE_STEP);
		write_out(log);
	}
	close(log->fd);
	free(log);
}

static const struct lop_log_provider provider = {
	.size = sizeof(struct lop_log_provider),
	.flags = LOP_LOG_LINE_ONLY,
	.open = log_open,
	.write = log_write,
	.message = log_message,
	.flush = log_flush,
	.reopen = log_reopen,
	.close = log_close,
	.lost = log_lost,
};

/* The module */

static int set_buffer(void *state, const char *value, char *error, size_t error_size)
{
	struct settings *settings = state;
	char *end;
	unsigned long long size;

	errno = 0;
	size = strtoull(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0' || value[0] == '-' ||
	    size < BUFFER_LEAST / KIB || size > BUFFER_MOST / KIB) {
		snprintf(error, error_size, "'%s' is not a size in KiB from %zu to %zu", value,
		         BUFFER_LEAST / KIB, BUFFER_MOST / KIB);
		return -EINVAL;
	}
	settings->buffer_size = (size_t)size * KIB;
	return 0;
}

static const struct lop_option options[] = {
	LOP_OPTION(0, "log-buffer", "KIB", "access log lines kept before they are written (64)",
	           set_buffer),
	LOP_OPTION_END,
};

static int log_file_init(struct lop_core *core, void **state)
{
	struct settings *settings = malloc(sizeof(*settings));

	(void)core;
	if (settings == NULL)
		return -ENOMEM;
	settings->buffer_size = BUFFER_DEFAULT;
	*state = settings;
	return 0;
}

static void log_file_fini(void *state)
{
	free(state);
}

LOP_EXPORT_MODULE = {
	LOP_MODULE_HEADER("log_file", "1.0", "access log in a file, buffered", LOP_NEEDS_LOG_WRITE),
	.options = options,
	.init = log_file_init,
	.fini = log_file_fini,
	.log = &provider,
};
