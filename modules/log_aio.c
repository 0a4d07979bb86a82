/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_aio: the access log in a file that is written by POSIX asynchronous I/O, so that the worker
 * never waits for a disk. Lines are collected in buffers that queue up (log_queue.h); those that
 * are full go to the system as one list. When the queue is full lines are refused, and the core
 * counts them and says how many there were.
 */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>

#include <lophttpd/log.h>

#include "log_buffer.h"
#include "log_queue.h"

#define BUFFER_SIZE (64 * LOG_KIB)
#define BUFFERS_DEFAULT 64
#define BUFFERS_LEAST 2
#define BUFFERS_MOST 1024

struct settings {
	size_t buffers;
};

/* The writer of batches: lio_listio */

/* POSIX leaves it open in which order the requests of one list are done. The C libraries of Linux
 * do those on one descriptor that appends one after the other, in the order of the list. */
#ifdef __linux__
#define LIST_MOST LOG_BATCH_MOST
#else
#define LIST_MOST 1
#endif

struct list {
	int fd;
	int count;
	int error; /* of the call itself: what it did not take was not begun */
	struct aiocb requests[LIST_MOST];
};

static int list_open(int fd, void **state)
{
	struct list *list;

	/* Standard error, say: each request would write to a place of its own, the same for all. */
	if ((fcntl(fd, F_GETFL) & O_APPEND) == 0)
		return 0;
	list = calloc(1, sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	list->fd = fd;
	*state = list;
	return 0;
}

static int list_start(void *state, const struct iovec *vectors, int count)
{
	struct list *list = state;
	struct aiocb *requests[LIST_MOST];

	list->count = count;
	for (int i = 0; i < count; i++) {
		list->requests[i] = (struct aiocb){
			.aio_fildes = list->fd,
			.aio_buf = vectors[i].iov_base,
			.aio_nbytes = vectors[i].iov_len,
			.aio_lio_opcode = LIO_WRITE,
			.aio_sigevent.sigev_notify = SIGEV_NONE,
		};
		requests[i] = &list->requests[i];
	}
	list->error = lio_listio(LIO_NOWAIT, requests, count, NULL) < 0 ? -errno : 0;
	return 0;
}

static bool list_ended(void *state, struct log_written *written)
{
	struct list *list = state;

	*written = (struct log_written){ .error = list->error };
	for (int i = 0; i < list->count; i++)
		if (aio_error(&list->requests[i]) == EINPROGRESS)
			return false;
	for (int i = 0; i < list->count; i++) {
		int error = aio_error(&list->requests[i]);
		ssize_t result = aio_return(&list->requests[i]);

		if (result > 0)
			written->done[i] = (size_t)result;
		/* A file takes less than all when its disk is full. */
		if (error > 0 && (written->error == 0 || written->error == list->error))
			written->error = -error;
		else if (result < (ssize_t)list->requests[i].aio_nbytes && written->error == 0)
			written->error = -ENOSPC;
	}
	return true;
}

static void list_wait(void *state, long most_ns)
{
	const struct timespec most = { .tv_nsec = most_ns };
	struct list *list = state;

	for (int i = 0; i < list->count; i++)
		if (aio_error(&list->requests[i]) == EINPROGRESS) {
			const struct aiocb *const last[] = { &list->requests[list->count - 1] };

			(void)aio_suspend(last, 1, &most);
			return;
		}
}

static bool list_close(void *state)
{
	struct list *list = state;

	for (int i = 0; i < list->count; i++)
		if (aio_error(&list->requests[i]) == EINPROGRESS &&
		    aio_cancel(list->requests[i].aio_fildes, &list->requests[i]) == AIO_NOTCANCELED)
			return false;
	free(list);
	return true;
}

static const struct log_writer list_writer = {
	.open = list_open,
	.start = list_start,
	.ended = list_ended,
	.wait = list_wait,
	.close = list_close,
	.most = LIST_MOST,
	.most_after_error = 1,
};

/* The provider */

static int log_open(void *module, const struct lop_log_open *how, void **state)
{
	const struct settings *settings = module;

	return log_queue_open(&list_writer, BUFFER_SIZE, settings->buffers, how, state);
}

static const struct lop_log_provider provider = {
	.size = sizeof(struct lop_log_provider),
	.flags = LOP_LOG_LINE_ONLY,
	.open = log_open,
	.write = log_queue_write,
	.message = log_queue_message,
	.flush = log_queue_flush,
	.reopen = log_queue_reopen,
	.close = log_queue_close,
	.lost = log_queue_lost,
};

/* The module */

static int set_buffers(void *state, const char *value, char *error, size_t error_size)
{
	struct settings *settings = state;

	return log_parse_number(value, BUFFERS_LEAST, BUFFERS_MOST, "a number of buffers",
	                        &settings->buffers, error, error_size);
}

static const struct lop_option options[] = {
	LOP_OPTION(0, "log-queue", "N",
	           "access log: buffers of 64 KiB that may wait for the disk (64)", set_buffers),
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
