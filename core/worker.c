/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lophttpd/message.h>

#include "conn.h"
#include "control.h"
#include "fcache.h"
#include "http1_private.h"
#include "memory.h"
#include "message.h"
#include "mime.h"
#include "program.h"
#include "signals.h"
#include "static.h"
#include "systemd.h"
#include "upgrade.h"
#include "worker.h"
#include "worker_private.h"

#define SCRATCH_SIZE ((size_t)16 * 1024)
#define LOG_FLUSH_NS NS_PER_S

static int64_t clock_read(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

#ifndef CLOCK_REALTIME_COARSE
#define CLOCK_REALTIME_COARSE CLOCK_REALTIME
#endif

static void clocks_update(struct lop_worker *worker)
{
	worker->now = clock_read(CLOCK_MONOTONIC);
	worker->wall = clock_read(CLOCK_REALTIME_COARSE);
}

const char *worker_date(struct lop_worker *worker)
{
	const int64_t second = worker->wall / NS_PER_S;

	if (second != worker->date_second) {
		worker->date_second = second;
		date_format(worker->date, second);
	}
	return worker->date;
}

struct lop_memory *worker_scratch(struct lop_worker *worker, size_t size, size_t *offset)
{
	struct lop_memory *scratch = worker->scratch;

	/* When nobody sends from it any more, it is used from its beginning again. */
	if (scratch != NULL && scratch->references == 1)
		worker->scratch_used = 0;
	if (scratch == NULL || size > scratch->size - worker->scratch_used) {
		memory_release(&worker->scratch);
		worker->scratch = lop_memory_new(size > SCRATCH_SIZE ? size : SCRATCH_SIZE);
		worker->scratch_used = 0;
	}
	*offset = worker->scratch_used;
	return worker->scratch;
}

/* Logs */

void worker_log_arm(struct lop_worker *worker)
{
	if (worker->log.dirty && !timer_armed(&worker->log_timer))
		timer_arm(&worker->timers, &worker->log_timer,
		          worker_ms(worker->now + LOG_FLUSH_NS));
}

static void flush_log(struct lop_worker *worker)
{
	access_log_flush(&worker->log);
	worker_log_arm(worker);
}

static void log_flush(struct timer *timer)
{
	flush_log(CONTAINER(timer, struct lop_worker, log_timer));
}

void worker_log(struct lop_worker *worker, const struct lop_log_record *record)
{
	access_log_write(&worker->log, record);
	worker_log_arm(worker);
}

static void reopen_log(struct lop_worker *worker, int descriptor)
{
	access_log_reopen(&worker->log, descriptor);
	worker_log_arm(worker);
}

/* What the master and signals ask for */

static void drain_over(struct timer *timer)
{
	struct lop_worker *worker = CONTAINER(timer, struct lop_worker, drain_timer);

	worker->stopping = true;
}

/* Ends with the last connection. */
static void retire(struct lop_worker *worker)
{
	struct list *node;

	worker->draining = true;
	acceptors_drain(worker);
	listeners_close(worker->core);
	(void)modules_stage(worker->core, LOP_STAGE_DRAIN, worker);
	flush_log(worker);
	for (node = worker->connections.next; node != &worker->connections; node = node->next) {
		struct lop_connection *conn = CONTAINER(node, struct lop_connection, node);

		if (conn->state == CONN_OPEN && conn->protocol->drain != NULL)
			conn->protocol->drain(conn->protocol_state, conn);
	}
}

void worker_drain(struct lop_worker *worker)
{
	if (!worker->draining)
		retire(worker);
	if (!timer_armed(&worker->drain_timer))
		timer_arm(&worker->timers, &worker->drain_timer,
		          worker_ms(worker->now + worker->settings->drain_timeout));
}

/* Without a master this process is both: the one that reads, and the one that takes over. */
static void reopen_modules(struct lop_worker *worker)
{
	if (worker->control < 0)
		(void)modules_stage(worker->core, LOP_STAGE_REOPEN, NULL);
	(void)modules_stage(worker->core, LOP_STAGE_REOPEN, worker);
}

static void watch_files(struct timer *timer)
{
	struct lop_worker *worker = CONTAINER(timer, struct lop_worker, watch_timer);

	if (watch_look(&worker->core->watch))
		reopen_modules(worker);
	timer_arm(&worker->timers, timer, worker_ms(worker->now + WATCH_NS));
}

static void reopen(struct lop_worker *worker)
{
	struct lop_core *core = worker->core;

	/* With a master, that sends the descriptor: it may open what this process may not. A
	 * provider without a file may have something else to renew. */
	if (core->log.none) {
		reopen_log(worker, -1);
	} else if (worker->control < 0 && worker->log.provider != NULL) {
		int descriptor = log_target_open(&core->log, worker->index, (uid_t)-1, (gid_t)-1);

		if (descriptor < 0)
			lop_worker_message(
				worker, LOP_LOG_ERROR,
				"cannot reopen the log %s: %s; going on with the old file",
				core->log.path, log_target_reason(descriptor));
		reopen_log(worker, descriptor);
	}
	reopen_modules(worker);
}

static void signals_run(struct sched_entry *entry, size_t quantum)
{
	struct lop_worker *worker = CONTAINER(entry, struct lop_worker, signal_run);
	unsigned signals = signals_take();

	(void)quantum;
	if (signals & SIGNAL_REOPEN) {
		systemd_reloading(worker->core);
		reopen(worker);
		if (worker->control < 0 && worker->core->program->wants_file != NULL)
			lop_worker_message(worker, LOP_LOG_WARNING,
			                   "one process alone cannot read %s again; have a master "
			                   "(-n 2, or no -n) for that",
			                   worker->core->config.path);
		systemd_ready(worker->core);
	}
	if (signals & SIGNAL_REFRESH) {
		fcache_clear(worker->cache);
		(void)modules_stage(worker->core, LOP_STAGE_REFRESH, worker);
	}
	if ((signals & SIGNAL_UPGRADE) && worker->control < 0)
		upgrade_start(worker->core);
	if ((signals & SIGNAL_CHILD) && worker->control < 0)
		upgrade_reap(worker->core);
	if (signals & (SIGNAL_DRAIN | SIGNAL_STOP))
		systemd_stopping(worker->core);
	if (signals & SIGNAL_DRAIN)
		worker_drain(worker);
	if (signals & SIGNAL_STOP)
		worker->stopping = true;
}

static void control_run(struct sched_entry *entry, size_t quantum)
{
	struct lop_worker *worker = CONTAINER(entry, struct lop_worker, control_run);
	int kind;
	int descriptor;

	(void)quantum;
	while ((kind = control_receive(worker->control, &descriptor)) > 0) {
		if (kind == CONTROL_LOG)
			reopen_log(worker, descriptor);
		else if (kind == CONTROL_REOPEN)
			(void)modules_stage(worker->core, LOP_STAGE_REOPEN, worker);
		else if (descriptor >= 0)
			close(descriptor);
		if (kind == CONTROL_RETIRE && !worker->draining)
			retire(worker);
	}
	if (kind < 0) {
		(void)loop_remove(&worker->loop, worker->control);
		lop_worker_message(worker, LOP_LOG_WARNING,
		                   "the master is gone; finishing what runs, then stopping");
		worker_drain(worker);
	}
}

static void signals_ready(struct loop_source *source, unsigned events)
{
	struct lop_worker *worker = CONTAINER(source, struct lop_worker, signal_source);

	(void)events;
	sched_push(&worker->sched, &worker->signal_run, SCHED_FRESH);
}

static void control_ready(struct loop_source *source, unsigned events)
{
	struct lop_worker *worker = CONTAINER(source, struct lop_worker, control_source);

	(void)events;
	sched_push(&worker->sched, &worker->control_run, SCHED_FRESH);
}

/* Life */

static int find_protocols(struct lop_worker *worker)
{
	const struct modules *modules = &worker->core->modules;

	worker->protocols = calloc(modules->count + 1, sizeof(struct loaded_module *));
	if (worker->protocols == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < modules->count; i++) {
		if (modules->items[i].module->protocol != NULL)
			worker->protocols[worker->protocol_count++] = &modules->items[i];
	}
	return 0;
}

static int make_parts(struct lop_worker *worker)
{
	const struct settings *settings = worker->settings;

	worker->input_size = 4 * settings->max_header_size > WORKER_INPUT
	                             ? 4 * settings->max_header_size
	                             : WORKER_INPUT;
	worker->input = malloc(worker->input_size);
	worker->mime = worker->core->mime; /* read while its file was in reach */
	if (worker->input == NULL)
		return -ENOMEM;
	worker->cache = fcache_new(worker);
	if (worker->cache == NULL)
		return -ENOMEM;
	return find_protocols(worker);
}

static int worker_init(struct lop_worker *worker, const struct worker_start *start)
{
	struct lop_core *core = start->core;
	int result;

	worker->magic = WORKER_MAGIC;
	worker->index = start->index;
	worker->core = core;
	worker->settings = &core->settings;
	worker->limits.head = core->settings.max_header_size;
	worker->limits.target = core->settings.max_target_size;
	worker->limits.fields = (size_t)core->settings.max_headers;
	worker->signals = start->signals;
	worker->control = start->control;
	worker->spare = -1;
	clocks_update(worker);
	worker->date_second = -1;
	list_init(&worker->connections);
	sched_init(&worker->sched);
	timers_init(&worker->timers, worker_ms(worker->now));
	timer_init(&worker->log_timer, log_flush);
	timer_init(&worker->drain_timer, drain_over);
	timer_init(&worker->watch_timer, watch_files);
	pool_init(&worker->conns, sizeof(struct lop_connection), 32);
	pool_init(&worker->outputs, sizeof(struct output), 8);
	pool_init(&worker->requests, sizeof(struct lop_request), 4);
	pool_init(&worker->http1s, sizeof(struct http1), 16);
	pipes_init(&worker->pipes, (modules_needs(core) &
	                            (LOP_NEEDS_CONNECT | LOP_NEEDS_WRITE_FILES)) != 0);
	result = loop_init(&worker->loop);
	if (result < 0)
		return result;
	result = make_parts(worker);
	if (result < 0)
		return result;
	result = access_log_open(&worker->log, core, worker->index, start->log);
	if (result < 0)
		return result;
	return hooks_build(&worker->hooks, &core->modules,
	                   core->program->serves_files ? static_hooks : NULL, worker);
}

/* Joins the loop: signals, the master's line, listeners. */
static int worker_join(struct lop_worker *worker)
{
	int result;

	worker->signal_source.ready = signals_ready;
	sched_entry_init(&worker->signal_run, signals_run);
	worker->control_source.ready = control_ready;
	sched_entry_init(&worker->control_run, control_run);
	result = loop_add(&worker->loop, worker->signals, &worker->signal_source, LOOP_LEVEL);
	if (result == 0 && worker->control >= 0)
		result = loop_add(&worker->loop, worker->control, &worker->control_source,
		                  LOOP_LEVEL);
	/* In a chroot those names are others. */
	if (worker->control < 0 && worker->core->watch.count > 0 && !worker->core->chrooted)
		timer_arm(&worker->timers, &worker->watch_timer, worker_ms(worker->now + WATCH_NS));
	return result < 0 ? result : acceptors_open(worker);
}

static int wait_time(const struct lop_worker *worker)
{
	int64_t next;

	if (!sched_idle(&worker->sched))
		return 0;
	next = timers_next(&worker->timers, (uint64_t)(worker->now / NS_PER_MS));
	return next > 1000000 ? 1000000 : (int)next;
}

static int worker_loop(struct lop_worker *worker)
{
	while (!worker->stopping && !(worker->draining && list_empty(&worker->connections))) {
		int result = loop_wait(&worker->loop, wait_time(worker));

		if (result < 0)
			return result;
		clocks_update(worker);
		timers_advance(&worker->timers, (uint64_t)(worker->now / NS_PER_MS));
		sched_turn(&worker->sched);
	}
	return 0;
}

static void worker_fini(struct lop_worker *worker)
{
	acceptors_close(worker);
	while (!list_empty(&worker->connections))
		conn_close(CONTAINER(worker->connections.next, struct lop_connection, node));
	(void)modules_stage(worker->core, LOP_STAGE_EXIT, worker);
	access_log_close(&worker->log);
	hooks_free(&worker->hooks);
	fcache_free(&worker->cache);
	error_pages_free(&worker->errors);
	memory_release(&worker->scratch);
	free(worker->acceptors);
	free(worker->protocols);
	free(worker->input);
	pipes_fini(&worker->pipes);
	pool_fini(&worker->conns);
	pool_fini(&worker->outputs);
	pool_fini(&worker->requests);
	pool_fini(&worker->http1s);
	loop_fini(&worker->loop);
}

int worker_run(const struct worker_start *start, void (*ready)(struct lop_core *core))
{
	struct lop_worker worker = { .magic = 0 };
	int result = worker_init(&worker, start);

	if (result == 0)
		result = modules_stage(start->core, LOP_STAGE_WORKER, &worker);
	if (result == 0)
		result = worker_join(&worker);
	if (result < 0) {
		lop_core_message(start->core, LOP_LOG_ERROR, "worker %d cannot start: %s",
		                 start->index, strerror(-result));
		return 1;
	}
	if (start->control >= 0)
		(void)control_send(start->control, CONTROL_READY, -1);
	if (ready != NULL)
		ready(start->core);
	result = worker_loop(&worker);
	if (result < 0)
		lop_worker_message(&worker, LOP_LOG_ERROR, "the event loop failed: %s",
		                   strerror(-result));
	worker_fini(&worker);
	return result < 0 ? 1 : 0;
}
