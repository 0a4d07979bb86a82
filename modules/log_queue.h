/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines on their way to a file that somebody else than the loop writes: a thread (log_file) or
 * asynchronous I/O (log_aio). A disk that is busy holds up a writer for tenths of a second; the
 * loop never waits for it.
 *
 * Lines are collected in parts that queue up. All that are full are written together, as one batch;
 * one batch at a time, which keeps the lines' order and lets a file that the disk has no room for
 * end with a whole line: what was written of the next is cut off again, and it waits. When the
 * queue is full, lines are refused. After an error only a flush tries again.
 *
 * A pipe or a terminal is written to by the loop, as it takes things at once or not (log_buffer.h).
 */
#ifndef LOG_QUEUE_H
#define LOG_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <lophttpd/log.h>

#define LOG_BATCH_MOST 512 /* parts that are written together */

/* How a batch ended. */
struct log_written {
	int error;                   /* negative errno, 0: all of it was written */
	size_t done[LOG_BATCH_MOST]; /* bytes of each vector, from its beginning */
};

/* Who writes. One batch is under way at most; vectors and their memory stay until it has ended. */
struct log_writer {
	/* For a file, which stays open until close. Returns 0 or a negative errno; with *state NULL
	 * the loop is to write to this one. */
	int (*open)(int fd, void **state);
	/* Begins to write the vectors one behind the other to the end of the file. Returns 0 or a
	 * negative errno. Does not wait. */
	int (*start)(void *state, const struct iovec *vectors, int count);
	/* Whether the batch has ended. */
	bool (*ended)(void *state, struct log_written *written);
	/* Waits for its end, at most so long, below a second. */
	void (*wait)(void *state, long most_ns);
	/* Returns whether everything is over; if not, the batch's memory is still read. */
	bool (*close)(void *state);
	/* Vectors of a batch: at most LOG_BATCH_MOST, and fewer after an error when it may leave
	 * one out and write the next. */
	int most;
	int most_after_error;
};

struct log_queue;

/* Makes the state of a provider whose other functions are those below. Lines are written when
 * part_size bytes have come together, at least two lines; so many parts may wait. */
int log_queue_open(const struct log_writer *writer, size_t part_size, size_t parts,
                   const struct lop_log_open *how, void **state);
int log_queue_write(void *state, const struct lop_log_record *record, const char *line,
                    size_t length);
void log_queue_message(void *state, const struct lop_log_message *message);
int log_queue_flush(void *state);
int log_queue_reopen(void *state, const struct lop_log_open *how);
uint64_t log_queue_lost(void *state);
/* Nothing is written any more by close when the queue is held. */
void log_queue_close(void *state);

/* For a provider that has the file to itself at times. */

/* Whether lines are kept back. */
void log_queue_hold(void *state, bool held);
/* Begins to write what there is, unless something is being written. After an error only a flush
 * does. */
void log_queue_push(void *state);
/* Whether nothing is being written; waits for that, but not longer. */
bool log_queue_rests(void *state, long most_ns);
/* Whether no lines are left. */
bool log_queue_is_empty(const void *state);

#endif
