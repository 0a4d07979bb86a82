/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "log_ahead.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "log_apart.h"

/* A task that takes longer and sleeps meanwhile has waited for the disk. */
#define SLOW_NS INT64_C(5000000)

struct log_ahead {
	int fd;
	pthread_t id;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stop;
	bool busy;
	struct log_task task; /* while busy the thread's */
};

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

static int extend_and_touch(struct log_task *task)
{
	int result;

	log_window_close(&task->old);
	result = log_window_extend(&task->window, task->to);
	if (result < 0)
		return result;
	touch(task);
	return task->open_next ? log_window_next(&task->window, &task->next) : 0;
}

/* Recovers the file's end if a crash has left one that is not clean. */
static int open_at_end(struct log_task *task, int fd)
{
	bool complete;
	off_t end = log_window_find_end(fd, &complete);
	int result;

	if (end < 0)
		return (int)end;
	task->cut_at = end;
	result = log_window_cut(fd, end);
	if (result < 0)
		return result;
	/* The end of a line that somebody else did not finish. */
	if (!complete && (write(fd, "\n", 1) < 0 || (end = lseek(fd, 0, SEEK_END)) < 0))
		return -errno;
	task->cut_at = end;
	result = log_window_open(&task->window, fd, end);
	if (result < 0)
		return result;
	task->to = task->window.at + task->lead;
	return extend_and_touch(task);
}

static int close_all(struct log_task *task, int fd)
{
	log_window_close(&task->old);
	log_window_close(&task->next);
	log_window_close(&task->window);
	return task->cut_at < 0 ? 0 : log_window_cut(fd, task->cut_at);
}

static int run_kind(struct log_task *task, int fd)
{
	switch (task->kind) {
	case LOG_TASK_OPEN:
		return open_at_end(task, fd);
	case LOG_TASK_TOUCH:
		return extend_and_touch(task);
	case LOG_TASK_CLOSE:
		return close_all(task, fd);
	}
	return -EINVAL;
}

static void run(struct log_task *task, int fd)
{
	const int64_t began = log_apart_now();
	struct rusage before = { .ru_nvcsw = -1 }, after = { .ru_nvcsw = 0 };

	(void)count(&before);
	task->result = run_kind(task, fd);
	/* Where nobody counts, waiting for a processor looks like sleep. */
	task->slow = log_apart_now() - began > SLOW_NS &&
	             (!count(&after) || after.ru_nvcsw > before.ru_nvcsw);
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
		run(&ahead->task, ahead->fd);
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
	ahead->fd = fd;
	pthread_mutex_init(&ahead->lock, NULL);
	log_apart_cond_init(&ahead->changed);
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

bool log_ahead_take(struct log_ahead *ahead, long most_ns, struct log_task *task)
{
	struct timespec until;
	bool ended;

	if (most_ns > 0)
		until = log_apart_until(most_ns);
	pthread_mutex_lock(&ahead->lock);
	while (ahead->busy && most_ns > 0 &&
	       pthread_cond_timedwait(&ahead->changed, &ahead->lock, &until) == 0)
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
	bool busy;

	*pointer = NULL;
	if (ahead == NULL)
		return;
	pthread_mutex_lock(&ahead->lock);
	ahead->stop = true;
	busy = ahead->busy;
	pthread_cond_broadcast(&ahead->changed);
	pthread_mutex_unlock(&ahead->lock);
	if (busy)
		return;
	pthread_join(ahead->id, NULL);
	pthread_cond_destroy(&ahead->changed);
	pthread_mutex_destroy(&ahead->lock);
	free(ahead);
}
