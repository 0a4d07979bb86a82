/* SPDX-License-Identifier: BSD-2-Clause */
#include "log_thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log_apart.h"

#define VECTORS_LEAST 16 /* what every system takes in one call */

struct thread {
	pthread_t id;
	pthread_mutex_t lock;
	pthread_cond_t wanted; /* by the loop: something is to be done */
	pthread_cond_t ended;  /* by the thread: it was done */
	bool stop;
	int fd;
	int vectors_most; /* in one call */
	bool writing;     /* what follows is the thread's */
	int count;
	struct iovec vectors[LOG_BATCH_MOST];
	struct log_written written;
};

/* Takes `done` bytes off the vectors from *first. */
static void advance(struct thread *thread, int *first, size_t done)
{
	while (*first < thread->count) {
		struct iovec *vector = &thread->vectors[*first];
		size_t part = done < vector->iov_len ? done : vector->iov_len;

		thread->written.done[*first] += part;
		vector->iov_base = (char *)vector->iov_base + part;
		vector->iov_len -= part;
		done -= part;
		if (vector->iov_len > 0)
			return;
		(*first)++;
	}
}

/* A file takes less than all only when its disk is full: the next call says so. */
static void write_batch(struct thread *thread)
{
	int first = 0;

	thread->written = (struct log_written){ .error = 0 };
	advance(thread, &first, 0);
	while (first < thread->count) {
		int left = thread->count - first;
		ssize_t count = writev(thread->fd, thread->vectors + first,
		                       left < thread->vectors_most ? left : thread->vectors_most);

		if (count > 0) {
			advance(thread, &first, (size_t)count);
		} else if (count == 0 || errno != EINTR) {
			thread->written.error = count == 0 ? -EIO : -errno;
			return;
		}
	}
}

static void *work(void *context)
{
	struct thread *thread = context;

	pthread_mutex_lock(&thread->lock);
	while (!thread->stop) {
		if (!thread->writing) {
			pthread_cond_wait(&thread->wanted, &thread->lock);
			continue;
		}
		pthread_mutex_unlock(&thread->lock);
		write_batch(thread);
		pthread_mutex_lock(&thread->lock);
		thread->writing = false;
		pthread_cond_signal(&thread->ended);
	}
	pthread_mutex_unlock(&thread->lock);
	return NULL;
}

static int thread_open(int fd, void **state)
{
	struct thread *thread = calloc(1, sizeof(*thread));
	const long most = sysconf(_SC_IOV_MAX);
	int result;

	if (thread == NULL)
		return -ENOMEM;
	thread->fd = fd;
	thread->vectors_most = most < VECTORS_LEAST    ? VECTORS_LEAST
	                       : most < LOG_BATCH_MOST ? (int)most
	                                               : LOG_BATCH_MOST;
	pthread_mutex_init(&thread->lock, NULL);
	pthread_cond_init(&thread->wanted, NULL);
	log_apart_cond_init(&thread->ended);
	result = log_apart_start(&thread->id, fd, work, thread);
	if (result < 0)
		free(thread);
	else
		*state = thread;
	return result;
}

static int thread_start(void *state, const struct iovec *vectors, int count)
{
	struct thread *thread = state;

	pthread_mutex_lock(&thread->lock);
	thread->count = count;
	memcpy(thread->vectors, vectors, (size_t)count * sizeof(vectors[0]));
	thread->writing = true;
	pthread_cond_signal(&thread->wanted);
	pthread_mutex_unlock(&thread->lock);
	return 0;
}

static bool thread_ended(void *state, struct log_written *written)
{
	struct thread *thread = state;
	bool ended;

	pthread_mutex_lock(&thread->lock);
	ended = !thread->writing;
	if (ended)
		*written = thread->written;
	pthread_mutex_unlock(&thread->lock);
	return ended;
}

static void thread_wait(void *state, long most_ns)
{
	struct thread *thread = state;
	const struct timespec until = log_apart_until(most_ns);

	pthread_mutex_lock(&thread->lock);
	while (thread->writing &&
	       pthread_cond_timedwait(&thread->ended, &thread->lock, &until) == 0)
		;
	pthread_mutex_unlock(&thread->lock);
}

static bool thread_close(void *state)
{
	struct thread *thread = state;
	bool writing;

	pthread_mutex_lock(&thread->lock);
	writing = thread->writing;
	thread->stop = true;
	pthread_cond_signal(&thread->wanted);
	pthread_mutex_unlock(&thread->lock);
	if (writing)
		return false; /* the process ends, and the thread with it */
	pthread_join(thread->id, NULL);
	pthread_cond_destroy(&thread->ended);
	pthread_cond_destroy(&thread->wanted);
	pthread_mutex_destroy(&thread->lock);
	free(thread);
	return true;
}

const struct log_writer log_thread = {
	.open = thread_open,
	.start = thread_start,
	.ended = thread_ended,
	.wait = thread_wait,
	.close = thread_close,
	.most = LOG_BATCH_MOST,
	.most_after_error = LOG_BATCH_MOST,
};
