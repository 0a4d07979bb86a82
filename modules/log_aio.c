/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_aio: the access log in a file that is written by POSIX asynchronous I/O, so that the worker
 * never waits for a disk. Lines are collected in buffers that queue up; one of them is being written
 * at a time, which keeps their order in a file that is appended to. When the queue is full lines are
 * refused, and the core counts them and says how many there were.
 *
 * A pipe or a terminal cannot be written to in this way: it is served as by log_file.
 */
#include <aio.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <lophttpd/log.h>

#include "log_buffer.h"

#define BUFFER_SIZE (64 * LOG_KIB)
#define BUFFERS_DEFAULT 16
#define BUFFERS_LEAST 2
#define BUFFERS_MOST 1024

/* How long a flush waits for a write that failed before. */
#define RETRY_NS 2000000

/* How long close waits for the disk, in steps. */
#define CLOSE_STEPS 30
#define CLOSE_STEP_NS 100000000

struct settings {
	size_t buffers;
};

struct part {
	size_t used;
	size_t done; /* bytes of it that were written */
	char data[BUFFER_SIZE];
};

struct log {
	struct log_buffer plain; /* owns the descriptor; takes the lines when it is no file */
	int next_fd;             /* after HUP: the file to go on with when the write has ended; -1 */
	int error;               /* negative errno of the last write; 0: it went well */
	bool writing;            /* the first part is at the kernel */
	struct aiocb request;
	off_t size; /* of the file when it was started */
	size_t first; /* the oldest part */
	size_t count; /* parts in the queue; the last one is being filled unless it is written */
	size_t parts_size;
	struct part *parts;
};

/* Writing */

static struct part *part_at(struct log *log, size_t index)
{
	return &log->parts[(log->first + index) % log->parts_size];
}

/* Starts to write the oldest part: when it is full, or `all`. */
static void submit(struct log *log, bool all)
{
	struct part *part = part_at(log, 0);
	struct stat st;

	if (log->writing || log->count == 0 || (log->count == 1 && !all))
		return;
	log->size = fstat(log->plain.fd, &st) == 0 ? st.st_size : -1;
	log->request = (struct aiocb){
		.aio_fildes = log->plain.fd,
		.aio_buf = part->data + part->done,
		.aio_nbytes = part->used - part->done,
		.aio_sigevent.sigev_notify = SIGEV_NONE,
	};
	if (aio_write(&log->request) == 0)
		log->writing = true;
	else
		log->error = -errno;
}

/* The rest of a line that began in another file is of no use in this one. */
static void drop_torn(struct log *log)
{
	struct part *part = part_at(log, 0);
	const char *newline;

	if (log->count == 0 || part->done == 0 || part->data[part->done - 1] == '\n')
		return;
	newline = memchr(part->data + part->done, '\n', part->used - part->done);
	if (newline == NULL)
		return;
	part->done = (size_t)(newline + 1 - part->data);
	log->plain.lost++;
}

static void switch_files(struct log *log)
{
	if (log->next_fd < 0 || log->writing)
		return;
	drop_torn(log);
	close(log->plain.fd);
	log_buffer_use(&log->plain, log->next_fd);
	log->next_fd = -1;
	log->error = 0;
}

/* Takes the beginning of a line back out of the file, unless somebody else has written there. */
static void cut_back(struct log *log, struct part *part, off_t written)
{
	size_t whole = part->done;
	struct stat st;

	while (whole > 0 && part->data[whole - 1] != '\n')
		whole--;
	if (whole < part->done && fstat(log->plain.fd, &st) == 0 &&
	    st.st_size == log->size + written &&
	    ftruncate(log->plain.fd, st.st_size - (off_t)(part->done - whole)) == 0)
		part->done = whole;
}

/* Looks whether the write has ended, and starts the next. After an error only a flush tries again:
 * once a second, not once a request. */
static void reap(struct log *log)
{
	struct part *part = part_at(log, 0);
	ssize_t result;
	int error;

	if (!log->writing)
		return;
	error = aio_error(&log->request);
	if (error == EINPROGRESS)
		return;
	log->writing = false;
	result = aio_return(&log->request);
	/* A file takes less than all when its disk is full. */
	log->error = result < 0 ? -error : result < (ssize_t)log->request.aio_nbytes ? -ENOSPC : 0;
	if (result > 0) {
		part->done += (size_t)result;
		cut_back(log, part, result);
	}
	if (part->done == part->used) {
		log->first = (log->first + 1) % log->parts_size;
		log->count--;
	}
	switch_files(log);
	if (log->error == 0)
		submit(log, false);
}

/* The part that takes `length` more bytes, or NULL. */
static struct part *room(struct log *log, size_t length)
{
	struct part *last;

	if (log->count > (log->writing ? 1 : 0)) {
		last = part_at(log, log->count - 1);
		if (length <= BUFFER_SIZE - last->used)
			return last;
	}
	if (log->count == log->parts_size)
		return NULL;
	last = part_at(log, log->count++);
	last->used = last->done = 0;
	if (log->error == 0)
		submit(log, false);
	return last;
}

static int write_line(struct log *log, const char *line, size_t length)
{
	struct part *part;

	if (!log->plain.regular)
		return log_buffer_write(&log->plain, line, length);
	reap(log);
	part = room(log, length);
	if (part == NULL)
		return log->error != 0 ? log->error : -EAGAIN;
	memcpy(part->data + part->used, line, length);
	part->used += length;
	return 0;
}

static int log_write(void *state, const struct lop_log_record *record, const char *line,
                     size_t length)
{
	(void)record;
	return write_line(state, line, length);
}

static void log_message(void *state, const struct lop_log_message *message)
{
	(void)write_line(state, message->line.data, message->line.length);
}

static void wait_for_write(const struct log *log, long most_ns)
{
	const struct timespec most = { .tv_nsec = most_ns };
	const struct aiocb *const list[] = { &log->request };

	if (log->writing)
		(void)aio_suspend(list, 1, &most);
}

static int log_flush(void *state)
{
	struct log *log = state;
	int before;

	if (!log->plain.regular)
		return log_buffer_flush(&log->plain);
	reap(log);
	before = log->error;
	log->error = 0;
	submit(log, true);
	if (before != 0) {
		/* That a full disk takes half a line shall be seen, and mended, at once. */
		wait_for_write(log, RETRY_NS);
		reap(log);
		/* Until the write has ended well, nothing has recovered. */
		if (log->writing)
			log->error = before;
	}
	return log->error != 0 ? log->error : log->count > 0;
}

static uint64_t log_lost(void *state)
{
	struct log *log = state;

	return log_buffer_lost(&log->plain);
}

/* Opening and closing */

static int log_open(void *module, const struct lop_log_open *how, void **state)
{
	const struct settings *settings = module;
	struct log *log = calloc(1, sizeof(*log));

	if (log == NULL)
		return -ENOMEM;
	log->next_fd = -1;
	log->parts_size = settings->buffers;
	log->parts = malloc(settings->buffers * sizeof(struct part));
	if (log->parts == NULL || log_buffer_init(&log->plain, BUFFER_SIZE) < 0) {
		free(log->parts);
		free(log);
		return -ENOMEM;
	}
	log_buffer_use(&log->plain, how->fd);
	*state = log;
	return 0;
}

static int log_reopen(void *state, const struct lop_log_open *how)
{
	struct log *log = state;

	if (!log->plain.regular) {
		log_buffer_reopen(&log->plain, how->fd);
		return 0;
	}
	if (log->next_fd >= 0)
		close(log->next_fd);
	log->next_fd = how->fd;
	reap(log);
	if (log->error == 0)
		submit(log, true); /* to the old file, as long as that is no wait */
	switch_files(log);
	return 0;
}

static void log_close(void *state)
{
	struct log *log = state;

	for (int i = 0; i < CLOSE_STEPS; i++) {
		reap(log);
		if (!log->writing && (log->count == 0 || (i > 0 && log->error != 0)))
			break;
		submit(log, true);
		wait_for_write(log, CLOSE_STEP_NS);
	}
	if (log->next_fd >= 0)
		close(log->next_fd);
	/* A write that does not end still reads what it was given. */
	if (log->writing && aio_cancel(log->plain.fd, &log->request) == AIO_NOTCANCELED)
		return;
	free(log->parts);
	log_buffer_close(&log->plain);
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

static int set_buffers(void *state, const char *value, char *error, size_t error_size)
{
	struct settings *settings = state;

	return log_parse_number(value, BUFFERS_LEAST, BUFFERS_MOST, "a number of buffers",
	                        &settings->buffers, error, error_size);
}

static const struct lop_option options[] = {
	LOP_OPTION(0, "log-queue", "N", "access log: buffers of 64 KiB that may wait for the disk (16)",
	           set_buffers),
	LOP_OPTION_END,
};

static int log_aio_init(struct lop_core *core, void **state)
{
	struct settings *settings = malloc(sizeof(*settings));

	(void)core;
	if (settings == NULL)
		return -ENOMEM;
	settings->buffers = BUFFERS_DEFAULT;
	*state = settings;
	return 0;
}

static void log_aio_fini(void *state)
{
	free(state);
}

LOP_EXPORT_MODULE = {
	LOP_MODULE_HEADER("log_aio", "1.0", "access log in a file, by asynchronous I/O",
	                  LOP_NEEDS_LOG_WRITE | LOP_NEEDS_AIO | LOP_NEEDS_THREADS),
	.options = options,
	.init = log_aio_init,
	.fini = log_aio_fini,
	.log = &provider,
};
