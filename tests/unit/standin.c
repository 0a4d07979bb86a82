/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "standin.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>

/* ---- memory of all workers ------------------------------------------------------------------ */

int lop_core_workers(const struct lop_core *core)
{
	return core->workers;
}

int lop_core_share(struct lop_core *core, const char *name, size_t size, void **block)
{
	core->share = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (core->share == MAP_FAILED)
		return -ENOMEM;
	core->share_name = name;
	core->share_size = size;
	*block = core->share;
	return 0;
}

void *lop_core_shared(const struct lop_core *core, const char *name, size_t *size)
{
	if (core->share_name == NULL || strcmp(core->share_name, name) != 0)
		return NULL;
	if (size != NULL)
		*size = core->share_size;
	return core->share;
}

void standin_core_free(struct lop_core *core)
{
	munmap(core->share, core->share_size);
}

void lop_worker_message(struct lop_worker *worker, enum lop_log_level level, const char *format,
                        ...)
{
	va_list arguments;

	(void)level;
	va_start(arguments, format);
	vsnprintf(worker->message, sizeof worker->message, format, arguments);
	va_end(arguments);
}

/* ---- timers --------------------------------------------------------------------------------- */

struct lop_timer {
	struct lop_timer *next;
	struct lop_worker *worker;
	lop_timer_f *fire;
	void *context;
	int64_t when; /* INT64_MAX: not started */
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

struct lop_timer *lop_timer_new(struct lop_worker *worker, lop_timer_f *fire, void *context)
{
	struct lop_timer *timer = malloc(sizeof *timer);

	*timer = (struct lop_timer){ worker->timers, worker, fire, context, INT64_MAX };
	worker->timers = timer;
	return timer;
}

void lop_timer_start(struct lop_timer *timer, int64_t after_ns)
{
	timer->when = timer->worker->now + after_ns;
}

void lop_timer_stop(struct lop_timer *timer)
{
	timer->when = INT64_MAX;
}

void lop_timer_free(struct lop_timer **timer)
{
	struct lop_timer **link;

	if (*timer == NULL)
		return;
	for (link = &(*timer)->worker->timers; *link != *timer; link = &(*link)->next)
		;
	*link = (*timer)->next;
	free(*timer);
	*timer = NULL;
}

void standin_advance(struct lop_worker *worker, int64_t ns)
{
	const int64_t end = worker->now + ns;

	for (;;) {
		struct lop_timer *first = NULL;

		for (struct lop_timer *timer = worker->timers; timer != NULL; timer = timer->next)
			if (timer->when <= end && (first == NULL || timer->when < first->when))
				first = timer;
		if (first == NULL)
			break;
		if (first->when > worker->now) {
			worker->wall += first->when - worker->now;
			worker->now = first->when;
		}
		first->when = INT64_MAX;
		first->fire(first->context);
	}
	worker->wall += end - worker->now;
	worker->now = end;
}

/* ---- watches -------------------------------------------------------------------------------- */

struct lop_watch {
	struct lop_watch *next;
	struct lop_worker *worker;
	lop_watch_f *ready;
	void *context;
	int descriptor;
	unsigned told; /* edges: what was told and has not passed */
};

int lop_watch_start(struct lop_worker *worker, int descriptor, lop_watch_f *ready, void *context,
                    struct lop_watch **out)
{
	struct lop_watch *watch = malloc(sizeof *watch);

	*watch = (struct lop_watch){ worker->watches, worker, ready, context, descriptor, 0 };
	worker->watches = watch;
	*out = watch;
	return 0;
}

void lop_watch_stop(struct lop_watch **watch)
{
	struct lop_watch **link;

	for (link = &(*watch)->worker->watches; *link != *watch; link = &(*link)->next)
		;
	*link = (*watch)->next;
	free(*watch);
	*watch = NULL;
}

/* One that is ready; which ones are told a new edge is kept. */
static struct lop_watch *ready_one(struct lop_worker *worker, int timeout_ms, unsigned *events)
{
	for (struct lop_watch *watch = worker->watches; watch != NULL; watch = watch->next) {
		struct pollfd look = { .fd = watch->descriptor, .events = POLLIN | POLLOUT };
		unsigned now = 0;

		if (poll(&look, 1, timeout_ms) > 0) {
			if (look.revents & (POLLIN | POLLHUP | POLLERR))
				now |= LOP_READABLE;
			if (look.revents & (POLLOUT | POLLERR))
				now |= LOP_WRITABLE;
		}
		/* What is readable is told again: it may be more. */
		*events = now & ~(watch->told & LOP_WRITABLE);
		watch->told = now;
		if (*events != 0)
			return watch;
	}
	return NULL;
}

int standin_poll(struct lop_worker *worker, int timeout_ms)
{
	unsigned events;
	struct lop_watch *watch;

	for (int waited = 0;; waited++) {
		watch = ready_one(worker, 0, &events);
		if (watch != NULL)
			break;
		if (waited >= timeout_ms)
			return 0;
		poll(NULL, 0, 1);
	}
	watch->ready(watch->context, events);
	return 1;
}

/* ---- requests ------------------------------------------------------------------------------- */

static struct lop_str view(const char *text)
{
	return (struct lop_str){ text, text == NULL ? 0 : strlen(text) };
}

struct lop_connection *lop_request_connection(const struct lop_request *request)
{
	return request->connection;
}

struct lop_str lop_connection_remote_address(struct lop_connection *connection)
{
	return view(connection->address);
}

struct lop_str lop_request_target(const struct lop_request *request)
{
	return view(request->target);
}

struct lop_str lop_request_host(const struct lop_request *request)
{
	return view(request->host);
}

int lop_request_field_at(const struct lop_request *request, size_t index, struct lop_str *name,
                         struct lop_str *value)
{
	if (index >= 8 || request->fields[index].name == NULL)
		return 0;
	*name = view(request->fields[index].name);
	*value = view(request->fields[index].value);
	return 1;
}

struct lop_str lop_request_field(const struct lop_request *request, const char *name)
{
	for (size_t i = 0; i < 8 && request->fields[i].name != NULL; i++)
		if (strcasecmp(request->fields[i].name, name) == 0)
			return view(request->fields[i].value);
	return view(NULL);
}
