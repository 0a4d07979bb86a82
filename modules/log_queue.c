/* SPDX-License-Identifier: BSD-2-Clause */
#include "log_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log_buffer.h"

/* How long a flush waits for a write that failed before. */
#define RETRY_NS 2000000

/* How long close waits for the disk, in steps. */
#define CLOSE_STEPS 30
#define CLOSE_STEP_NS 100000000

struct part {
	struct part *next;
	size_t used;
	size_t done; /* bytes of it that were written */
	char data[];
};

struct log_queue {
	const struct log_writer *writer;
	struct log_buffer plain; /* owns the descriptor; takes the lines when it is no file */
	void *writer_state;      /* of this file; NULL: it is none, or not for the writer */
	int next_fd; /* after HUP: the file to go on with when the batch has ended; -1 */
	void *next_state;
	bool held;  /* no batch is to be started */
	int error;  /* negative errno of the last batch; 0: it went well */
	int batch;  /* parts, from the first, that are being written */
	off_t size; /* of the file when that was started; -1: not known */
	size_t part_size;
	size_t parts_most;
	size_t count;       /* parts in the queue; the last one is being filled */
	struct part *first; /* the oldest */
	struct part *last;
	struct part *free; /* used before: as few as possible are touched */
};

/* Parts */

/* Appends an empty one. Returns NULL when the queue is full. */
static struct part *new_part(struct log_queue *log)
{
	struct part *part = log->free;

	if (log->count == log->parts_most)
		return NULL;
	if (part != NULL)
		log->free = part->next;
	else
		part = malloc(sizeof(*part) + log->part_size);
	if (part == NULL)
		return NULL;
	part->next = NULL;
	part->used = part->done = 0;
	if (log->count++ == 0)
		log->first = part;
	else
		log->last->next = part;
	log->last = part;
	return part;
}

/* Takes out the parts that were written. */
static void remove_written(struct log_queue *log)
{
	struct part **at = &log->first;

	log->last = NULL;
	while (*at != NULL) {
		struct part *part = *at;

		if (part->done == part->used) {
			*at = part->next;
			part->next = log->free;
			log->free = part;
			log->count--;
		} else {
			log->last = part;
			at = &part->next;
		}
	}
}

static void free_parts(struct part *part)
{
	while (part != NULL) {
		struct part *next = part->next;

		free(part);
		part = next;
	}
}

/* The rest of a line whose beginning was written somewhere else is of no use. */
static void drop_torn(struct log_queue *log, struct part *part)
{
	const char *newline;

	if (part == NULL || part->done == 0 || part->data[part->done - 1] == '\n')
		return;
	newline = memchr(part->data + part->done, '\n', part->used - part->done);
	if (newline == NULL)
		return;
	part->done = (size_t)(newline + 1 - part->data);
	log->plain.lost++;
}

/* Writing */

/* Starts to write: the parts that are full, or `all`. */
static void submit(struct log_queue *log, bool all, int most)
{
	struct iovec vectors[LOG_BATCH_MOST];
	struct part *part = log->first;
	struct stat st;
	int count = 0, result;

	if (log->batch > 0 || log->held)
		return;
	for (; part != NULL && count < most && (all || part != log->last); part = part->next)
		vectors[count++] = (struct iovec){
			.iov_base = part->data + part->done,
			.iov_len = part->used - part->done,
		};
	if (count == 0)
		return;
	log->size = fstat(log->plain.fd, &st) == 0 ? st.st_size : -1;
	result = log->writer->start(log->writer_state, vectors, count);
	if (result == 0)
		log->batch = count;
	else
		log->error = result;
}

/* From parts to a buffer, when a pipe has taken the file's place. */
static void move_to_plain(struct log_queue *log)
{
	for (struct part *part = log->first; part != NULL; part = part->next)
		while (part->done < part->used) {
			const char *line = part->data + part->done;
			size_t left = part->used - part->done;
			const char *newline = memchr(line, '\n', left);
			size_t length = newline == NULL ? left : (size_t)(newline + 1 - line);

			if (log_buffer_write(&log->plain, line, length) < 0)
				log->plain.lost++;
			part->done += length;
		}
	remove_written(log);
}

/* What is no file needs none. */
static int open_writer(const struct log_queue *log, int fd, void **state)
{
	*state = NULL;
	return log_buffer_is_file(fd) ? log->writer->open(fd, state) : 0;
}

/* Returns whether nothing is written any more. */
static bool close_writer(const struct log_queue *log, void **pointer)
{
	void *state = *pointer;

	*pointer = NULL;
	return state == NULL || log->writer->close(state);
}

static void switch_files(struct log_queue *log)
{
	if (log->next_fd < 0 || log->batch > 0)
		return;
	drop_torn(log, log->first);
	(void)close_writer(log, &log->writer_state);
	close(log->plain.fd);
	log_buffer_use(&log->plain, log->next_fd);
	log->writer_state = log->next_state;
	log->next_fd = -1;
	log->next_state = NULL;
	log->error = 0;
	if (log->writer_state == NULL)
		move_to_plain(log);
}

/* After a batch that did not go well: takes the beginning of a line back out of the file, and what
 * was written behind it, unless somebody else has written there. `torn`: the first part of the
 * batch that was not written to its end; `after`: bytes of the parts behind it that were
 * written. */
static void cut_back(struct log_queue *log, struct part *torn, off_t expected,
                     const struct log_written *written, int index)
{
	size_t whole = torn->done, after = 0;
	struct part *part = torn->next;
	struct stat st;

	while (whole > 0 && torn->data[whole - 1] != '\n')
		whole--;
	for (int i = index + 1; i < log->batch; i++)
		after += written->done[i];
	if (whole == torn->done && after == 0)
		return;
	if (log->size < 0 || fstat(log->plain.fd, &st) < 0 || st.st_size != expected ||
	    ftruncate(log->plain.fd, expected - (off_t)(torn->done - whole + after)) < 0) {
		if (after > 0)
			drop_torn(log, torn);
		return;
	}
	torn->done = whole;
	for (int i = index + 1; i < log->batch; i++, part = part->next)
		part->done -= written->done[i];
}

static void take_result(struct log_queue *log, const struct log_written *written)
{
	struct part *part = log->first, *torn = NULL;
	off_t expected = log->size;
	int index = 0;

	for (int i = 0; i < log->batch; i++, part = part->next) {
		part->done += written->done[i];
		expected += (off_t)written->done[i];
		if (torn == NULL && part->done < part->used) {
			torn = part;
			index = i;
		}
	}
	log->error = written->error;
	if (torn != NULL)
		cut_back(log, torn, expected, written, index);
	log->batch = 0;
	remove_written(log);
}

/* Looks whether the batch has ended, and starts the next. After an error only a flush tries again:
 * once a second, not once a request. */
static void reap(struct log_queue *log)
{
	struct log_written written;

	if (log->batch == 0 || !log->writer->ended(log->writer_state, &written))
		return;
	take_result(log, &written);
	switch_files(log);
	if (log->error == 0)
		submit(log, false, log->writer->most);
}

/* The part that takes `length` more bytes, or NULL. */
static struct part *room(struct log_queue *log, size_t length)
{
	struct part *part;

	if (log->count > (size_t)log->batch && length <= log->part_size - log->last->used)
		return log->last;
	reap(log);
	part = new_part(log);
	if (part != NULL && log->error == 0)
		submit(log, false, log->writer->most);
	return part;
}

static int write_line(struct log_queue *log, const char *line, size_t length)
{
	struct part *part;

	if (log->writer_state == NULL)
		return log_buffer_write(&log->plain, line, length);
	part = room(log, length);
	/* A pipe may have taken the file's place just now. */
	if (log->writer_state == NULL)
		return log_buffer_write(&log->plain, line, length);
	if (part == NULL)
		return log->error != 0 ? log->error : -EAGAIN;
	memcpy(part->data + part->used, line, length);
	part->used += length;
	return 0;
}

int log_queue_write(void *state, const struct lop_log_record *record, const char *line,
                    size_t length)
{
	(void)record;
	return write_line(state, line, length);
}

void log_queue_message(void *state, const struct lop_log_message *message)
{
	(void)write_line(state, message->line.data, message->line.length);
}

bool log_queue_rests(void *state, long most_ns)
{
	struct log_queue *log = state;

	if (log->batch > 0 && most_ns > 0)
		log->writer->wait(log->writer_state, most_ns);
	reap(log);
	return log->batch == 0;
}

int log_queue_flush(void *state)
{
	struct log_queue *log = state;
	int before;

	if (log->writer_state == NULL)
		return log_buffer_flush(&log->plain);
	reap(log);
	before = log->error;
	log->error = 0;
	submit(log, true, before != 0 ? log->writer->most_after_error : log->writer->most);
	if (before != 0 && log->batch > 0) {
		/* That a full disk takes half a line shall be seen, and mended, at once. */
		(void)log_queue_rests(log, RETRY_NS);
		/* Until the write has ended well, nothing has recovered. */
		if (log->batch > 0 && log->error == 0)
			log->error = before;
	}
	return log->error != 0 ? log->error : log->count > 0;
}

void log_queue_hold(void *state, bool held)
{
	struct log_queue *log = state;

	log->held = held;
}

void log_queue_push(void *state)
{
	struct log_queue *log = state;

	reap(log);
	if (log->writer_state != NULL && log->error == 0)
		submit(log, true, log->writer->most);
}

bool log_queue_is_empty(const void *state)
{
	const struct log_queue *log = state;

	return log->writer_state != NULL ? log->count == 0 : log->plain.used == 0;
}

uint64_t log_queue_lost(void *state)
{
	struct log_queue *log = state;

	return log_buffer_lost(&log->plain);
}

/* Opening and closing */

int log_queue_open(const struct log_writer *writer, size_t part_size, size_t parts,
                   const struct lop_log_open *how, void **state)
{
	struct log_queue *log = calloc(1, sizeof(*log));
	int result;

	if (log == NULL)
		return -ENOMEM;
	log->writer = writer;
	log->next_fd = -1;
	log->part_size = part_size;
	log->parts_most = parts;
	result = log_buffer_init(&log->plain, part_size);
	if (result < 0)
		goto fail;
	result = open_writer(log, how->fd, &log->writer_state);
	if (result < 0)
		goto fail_buffer;
	log_buffer_use(&log->plain, how->fd);
	*state = log;
	return 0;
fail_buffer:
	free(log->plain.data);
fail:
	free(log);
	return result;
}

/* From a pipe to a file, or to another pipe. */
static void reopen_plain(struct log_queue *log, int fd)
{
	struct part *part;

	log_buffer_reopen(&log->plain, fd);
	if (log->writer_state == NULL || log->plain.used == 0)
		return;
	part = new_part(log);
	if (part == NULL)
		return;
	memcpy(part->data, log->plain.data, log->plain.used);
	part->used = log->plain.used;
	log->plain.used = 0;
}

/* Another HUP, or the end, came before the batch ended. */
static void drop_next(struct log_queue *log)
{
	(void)close_writer(log, &log->next_state);
	if (log->next_fd >= 0)
		close(log->next_fd);
	log->next_fd = -1;
}

int log_queue_reopen(void *state, const struct lop_log_open *how)
{
	struct log_queue *log = state;
	void *writer_state;
	int result = open_writer(log, how->fd, &writer_state);

	if (result < 0)
		return result;
	if (log->writer_state == NULL) {
		log->writer_state = writer_state;
		reopen_plain(log, how->fd);
		return 0;
	}
	drop_next(log);
	log->next_fd = how->fd;
	log->next_state = writer_state;
	reap(log);
	if (log->error == 0 && log->next_fd >= 0)
		/* To the old file, as long as that is no wait. */
		submit(log, true, log->writer->most);
	switch_files(log);
	return 0;
}

void log_queue_close(void *state)
{
	struct log_queue *log = state;

	for (int i = 0; i < CLOSE_STEPS; i++) {
		reap(log);
		if (log->batch == 0 && (log->count == 0 || log->held || (i > 0 && log->error != 0)))
			break;
		submit(log, true, log->writer->most);
		if (log->batch > 0)
			log->writer->wait(log->writer_state, CLOSE_STEP_NS);
	}
	drop_next(log);
	/* A write that does not end still reads what it was given. */
	if (!close_writer(log, &log->writer_state))
		return;
	free_parts(log->first);
	free_parts(log->free);
	log_buffer_close(&log->plain);
	free(log);
}
