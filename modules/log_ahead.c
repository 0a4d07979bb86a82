/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "log_ahead.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "log_apart.h"

/* A task that takes longer and sleeps meanwhile has waited for the disk. */
#define SLOW_NS INT64_C(5000000)

struct log_ahead {
	pthread_t id;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stop;
	bool busy;
	struct log_task task; /* while busy the thread's */
};

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* What this thread has done: false where nobody counts. */
static bool count(struct rusage *usage)
{
#ifdef RUSAGE_THREAD
	return getrusage(RUSAGE_THREAD, usage) == 0;
#else
	(void)usage;
	return false;
#endif
}

/* Only of a page that was written out it is a fault to make it writable again. */
static void touch(struct log_task *task)
{
	char *at = task->window.at;
	struct rusage before, after;

	if (task->touched != NULL && count(&before)) {
		char *again = task->touched < task->to ? task->touched : task->to;

		log_window_touch(at, again);
		task->written_out = count(&after) && after.ru_minflt > before.ru_minflt;
		at = again;
	}
	log_window_touch(at, task->to);
}

static int prepare(struct log_task *task)
{
	struct log_window *window = &task->window;
	int result = log_window_extend(window, task->to);

	if (result < 0)
		return result;
	touch(task);
	log_window_copy(window->at, task->lines, task->length);
	task->prepared = true;
	return 0;
}

static void run(struct log_task *task)
{
	const int64_t began = now();
	struct rusage before = { .ru_nvcsw = -1 }, after = { .ru_nvcsw = 0 };

	log_window_close(&task->old);
	(void)count(&before);
	task->result = prepare(task);
	if (task->result == 0 && task->open)
		task->result = log_window_next(&task->window, &task->next);
	/* Where nobody counts, waiting for a processor looks like sleep. */
	task->slow =
		now() - began > SLOW_NS && (!count(&after) || after.ru_nvcsw > before.ru_nvcsw);
}

static void *work(void *context)
{
	struct log_ahead *ahead = context;

	pthread_mutex_lock(&ahead->lock);
	while (!ahead->stop) {
		if (!ahead->busy) {
			pthread_cond_wait(&ahead->changed, &ahead->lock);
			continue;
		}
		pthread_mutex_unlock(&ahead->lock);
		run(&ahead->task);
		pthread_mutex_lock(&ahead->lock);
		ahead->busy = false;
		pthread_cond_broadcast(&ahead->changed);
	}
	pthread_mutex_unlock(&ahead->lock);
	return NULL;
}

int log_ahead_start(struct log_ahead **pointer, int fd)
{
	struct log_ahead *ahead = calloc(1, sizeof(*ahead));
	int result;

	if (ahead == NULL)
		return -ENOMEM;
	pthread_mutex_init(&ahead->lock, NULL);
	pthread_cond_init(&ahead->changed, NULL);
	result = log_apart_start(&ahead->id, fd, work, ahead);
	if (result < 0)
		free(ahead);
	else
		*pointer = ahead;
	return result;
}

void log_ahead_give(struct log_ahead *ahead, const struct log_task *task)
{
	pthread_mutex_lock(&ahead->lock);
	ahead->task = *task;
	ahead->busy = true;
	pthread_cond_broadcast(&ahead->changed);
	pthread_mutex_unlock(&ahead->lock);
}

/* Returns false when the time is over. */
static bool wait_until(struct log_ahead *ahead, const struct timespec *until)
{
	return (until == NULL ? pthread_cond_wait(&ahead->changed, &ahead->lock)
	                      : pthread_cond_timedwait(&ahead->changed, &ahead->lock, until)) == 0;
}

bool log_ahead_take(struct log_ahead *ahead, long most_ns, struct log_task *task)
{
	struct timespec until;
	bool ended;

	if (most_ns > 0)
		until = log_apart_until(most_ns);
	pthread_mutex_lock(&ahead->lock);
	while (ahead->busy && most_ns != 0 && wait_until(ahead, most_ns > 0 ? &until : NULL))
		;
	ended = !ahead->busy;
	if (ended)
		*task = ahead->task;
	pthread_mutex_unlock(&ahead->lock);
	return ended;
}

void log_ahead_stop(struct log_ahead **pointer)
{
	struct log_ahead *ahead = *pointer;

	*pointer = NULL;
	if (ahead == NULL)
		return;
	pthread_mutex_lock(&ahead->lock);
	ahead->stop = true;
	pthread_cond_broadcast(&ahead->changed);
	pthread_mutex_unlock(&ahead->lock);
	pthread_join(ahead->id, NULL);
	pthread_cond_destroy(&ahead->changed);
	pthread_mutex_destroy(&ahead->lock);
	free(ahead);
}
