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

#define LINE_MOST ((size_t)16 << 10) /* what <lophttpd/log.h> promises */
#define FIRST ((ptrdiff_t)64 << 10)  /* prepared of a new window */

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

/* How often this thread slept. Where nobody counts, waiting for a processor looks like sleep. */
static long sleeps(void)
{
#ifdef RUSAGE_THREAD
	struct rusage usage;

	if (getrusage(RUSAGE_THREAD, &usage) == 0)
		return usage.ru_nvcsw;
#endif
	return -1;
}

static int open_next(struct log_task *task)
{
	struct log_window *next = &task->next;
	int result = log_window_next(&task->window, next);
	char *to;

	if (result < 0)
		return result;
	to = log_window_ahead(next, FIRST);
	/* A line that does not fit into the one before begins before its end. */
	result = log_window_prepare(next, next->at - LINE_MOST, to);
	if (result < 0)
		log_window_close(next);
	else
		next->ready = to;
	return result;
}

static int prepare(struct log_task *task)
{
	const struct log_window *window = &task->window;
	int result = log_window_prepare(window, window->at, task->to);

	task->prepared = result == 0;
	if (task->prepared)
		memcpy(window->at, task->lines, task->length);
	return result;
}

static void run(struct log_task *task)
{
	const int64_t began = now();
	const long slept = sleeps();

	log_window_close(&task->old);
	if (task->to != NULL)
		task->result = prepare(task);
	if (task->result == 0 && task->open)
		task->result = open_next(task);
	task->slow = now() - began > SLOW_NS && (slept < 0 || sleeps() > slept);
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

bool log_ahead_take(struct log_ahead *ahead, bool wait, struct log_task *task)
{
	bool ended;

	pthread_mutex_lock(&ahead->lock);
	while (ahead->busy && wait)
		pthread_cond_wait(&ahead->changed, &ahead->lock);
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
