/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop for modules: <lophttpd/loop.h>.
 */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include <lophttpd/loop.h>
#include <lophttpd/message.h>

#include "message.h"
#include "worker_private.h"

struct lop_timer {
	struct timer timer;
	struct lop_worker *worker;
	lop_timer_f *fire;
	void *context;
};

struct lop_watch {
	struct loop_source source;
	struct sched_entry run;
	struct lop_worker *worker;
	lop_watch_f *ready;
	void *context;
	int descriptor;
	unsigned events;
};

struct lop_task {
	struct sched_entry run;
	struct lop_worker *worker;
	lop_task_f *step;
	void *context;
	bool running;
	bool freed; /* from within its own step */
};

int64_t lop_worker_now(const struct lop_worker *worker)
{
	return worker->now;
}

int64_t lop_worker_wall(const struct lop_worker *worker)
{
	return worker->wall;
}

int lop_worker_index(const struct lop_worker *worker)
{
	return worker->index;
}

struct lop_root *lop_worker_root(const struct lop_worker *worker)
{
	return worker->core->root;
}

void lop_worker_message(struct lop_worker *worker, enum lop_log_level level, const char *format,
                        ...)
{
	va_list arguments;

	va_start(arguments, format);
	message_write(worker->core, &worker->log, level, format, arguments);
	worker_log_arm(worker);
	va_end(arguments);
}

static void timer_fired(struct timer *timer)
{
	struct lop_timer *owner = CONTAINER(timer, struct lop_timer, timer);

	owner->fire(owner->context);
}

struct lop_timer *lop_timer_new(struct lop_worker *worker, lop_timer_f *fire, void *context)
{
	struct lop_timer *timer = malloc(sizeof *timer);

	if (timer == NULL)
		return NULL;
	timer_init(&timer->timer, timer_fired);
	timer->worker = worker;
	timer->fire = fire;
	timer->context = context;
	return timer;
}

void lop_timer_start(struct lop_timer *timer, int64_t after_ns)
{
	struct lop_worker *worker = timer->worker;

	timer_arm(&worker->timers, &timer->timer, worker_ms(worker->now + after_ns));
}

void lop_timer_stop(struct lop_timer *timer)
{
	timer_cancel(&timer->worker->timers, &timer->timer);
}

void lop_timer_free(struct lop_timer **timer)
{
	if (*timer == NULL)
		return;
	lop_timer_stop(*timer);
	free(*timer);
	*timer = NULL;
}

static void watch_ready(struct loop_source *source, unsigned events)
{
	struct lop_watch *watch = CONTAINER(source, struct lop_watch, source);

	if (events & (LOOP_READ | LOOP_HUP | LOOP_ERROR))
		watch->events |= LOP_READABLE;
	if (events & (LOOP_WRITE | LOOP_ERROR))
		watch->events |= LOP_WRITABLE;
	if (events & (LOOP_HUP | LOOP_ERROR))
		watch->events |= LOP_HANGUP;
	sched_push(&watch->worker->sched, &watch->run, SCHED_BEGUN);
}

static void watch_run(struct sched_entry *entry, size_t quantum)
{
	struct lop_watch *watch = CONTAINER(entry, struct lop_watch, run);
	const unsigned events = watch->events;

	(void)quantum;
	watch->events = 0;
	watch->ready(watch->context, events);
}

int lop_watch_start(struct lop_worker *worker, int descriptor, lop_watch_f *ready, void *context,
                    struct lop_watch **out)
{
	struct lop_watch *watch = malloc(sizeof *watch);
	int result;

	if (watch == NULL)
		return -ENOMEM;
	watch->source.ready = watch_ready;
	sched_entry_init(&watch->run, watch_run);
	watch->worker = worker;
	watch->ready = ready;
	watch->context = context;
	watch->descriptor = descriptor;
	watch->events = 0;
	result = loop_add(&worker->loop, descriptor, &watch->source, LOOP_EDGE);
	if (result < 0) {
		free(watch);
		return result;
	}
	*out = watch;
	return 0;
}

void lop_watch_stop(struct lop_watch **pointer)
{
	struct lop_watch *watch = *pointer;

	*pointer = NULL;
	if (watch == NULL)
		return;
	(void)loop_remove(&watch->worker->loop, watch->descriptor);
	sched_remove(&watch->worker->sched, &watch->run);
	free(watch);
}

static void task_run(struct sched_entry *entry, size_t quantum)
{
	struct lop_task *task = CONTAINER(entry, struct lop_task, run);
	int more;

	(void)quantum;
	task->running = true;
	more = task->step(task->context);
	task->running = false;
	if (task->freed)
		free(task);
	else if (more)
		sched_push(&task->worker->sched, entry, SCHED_BULK);
}

struct lop_task *lop_task_new(struct lop_worker *worker, lop_task_f *run, void *context)
{
	struct lop_task *task = malloc(sizeof *task);

	if (task == NULL)
		return NULL;
	sched_entry_init(&task->run, task_run);
	task->worker = worker;
	task->step = run;
	task->context = context;
	task->running = false;
	task->freed = false;
	return task;
}

void lop_task_start(struct lop_task *task)
{
	sched_push(&task->worker->sched, &task->run, SCHED_BULK);
}

void lop_task_free(struct lop_task **pointer)
{
	struct lop_task *task = *pointer;

	*pointer = NULL;
	if (task == NULL)
		return;
	sched_remove(&task->worker->sched, &task->run);
	if (task->running)
		task->freed = true;
	else
		free(task);
}
