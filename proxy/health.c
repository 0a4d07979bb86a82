/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Passive health: what the requests themselves tell of a server, known to all workers.
 *
 * fail_limit failures in a row eject a server for eject_time, twice as long each time it happens
 * again, up to eject_max. After the pause one request tries it, and the next one only when nothing
 * was heard of that one for eject_time: a server that hangs does not get a crowd each time.
 *
 * Whom else would one ask? The only server of a pool is never ejected: a failure of it is answered
 * with 502 or 504, and it is in use again the moment it comes back. The last of several is ejected
 * only for not answering, not for answering badly or late. When no other is left for a request,
 * each may be tried four times a second whatever its pause; who comes while one is being tried
 * waits for the outcome, and the others get 503 at once.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>

#include <lophttpd/message.h>

#include "pool_private.h"

#define URGENT_GAP (250 * MILLISECONDS)

void health_say(const struct server *server, const char *format, ...)
{
	struct pool *pool = server->pool;
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	lop_worker_message(pool->worker, LOP_LOG_WARNING, "upstream %s of %s %s",
	                   server->shared->name, pool->shared->pools[pool->index].name, text);
}

static int64_t now_of(const struct server *server)
{
	return lop_worker_now(server->pool->worker);
}

static int64_t pause_of(const struct pool_settings *settings, uint32_t streak)
{
	int64_t pause = settings->eject_time;

	while (streak-- > 1 && pause < settings->eject_max)
		pause *= 2;
	return pause < settings->eject_max ? pause : settings->eject_max;
}

bool health_ejected(const struct server *server)
{
	return atomic_load_explicit(&server->shared->ejected_until, memory_order_relaxed) != 0;
}

/* shared->trial: when a request began to try the server; negative: when the last one that did so
 * began, and it has failed (at first, when the server was ejected). */
int64_t health_trial_time(const struct server *server, bool urgent)
{
	const struct lop_proxy_server *shared = server->shared;
	const int64_t eject_time = server->pool->settings.eject_time;
	const int64_t until = atomic_load(&shared->ejected_until);
	const int64_t trial = atomic_load(&shared->trial);

	if (until == 0 || atomic_load(&shared->down) != 0)
		return INT64_MAX;
	if (urgent)
		return (trial < 0 ? -trial : trial) +
		       (eject_time < URGENT_GAP ? eject_time : URGENT_GAP);
	return trial > 0 && trial + eject_time > until ? trial + eject_time : until;
}

bool health_try(struct server *server, bool urgent, int64_t now)
{
	int64_t last = atomic_load(&server->shared->trial);

	return now >= health_trial_time(server, urgent) &&
	       atomic_compare_exchange_strong(&server->shared->trial, &last, now);
}

bool health_on_trial(const struct server *server)
{
	return health_ejected(server) && atomic_load(&server->shared->trial) > 0;
}

static bool may_eject(struct server *server, uint32_t reason)
{
	struct pool *pool = server->pool;
	const int64_t now = now_of(server);

	if (pool->settings.fail_limit == 0 || pool->settings.eject_time <= 0 || pool->count <= 1)
		return false;
	if (pool_stale(pool, now))
		pool_refresh(pool, now);
	return reason == LOP_PROXY_FAILED || pool->levels[0].up + pool->levels[1].up > 1;
}

static const char *const reasons[] = {
	[LOP_PROXY_FAILED] = "it failed to answer several times in a row",
	[LOP_PROXY_ERRORS] = "it answered 502, 503 or 504 several times in a row",
	[LOP_PROXY_SLOW] = "it answered late several times in a row",
};

/* From `until`, 0 or the end of the last pause, to a new one. Of several workers that saw it at the
 * same time, one counts. */
static void eject(struct server *server, int64_t until, uint32_t reason)
{
	struct lop_proxy_server *shared = server->shared;
	const uint32_t streak = atomic_load(&shared->streak) + 1;
	const int64_t pause = pause_of(&server->pool->settings, streak);

	if (!atomic_compare_exchange_strong(&shared->ejected_until, &until, now_of(server) + pause))
		return;
	atomic_store(&shared->trial, -now_of(server));
	atomic_store(&shared->streak, streak);
	atomic_store(&shared->reason, reason);
	atomic_fetch_add(&shared->ejections, 1);
	pool_changed(server->pool);
	health_say(server, "gets no requests for %.3g s: %s", (double)pause / NANOSECONDS,
	           reasons[reason]);
}

/* One of `count` in a row. */
static void blame(struct server *server, uint32_t count, uint32_t reason)
{
	struct lop_proxy_server *shared = server->shared;
	const int64_t until = atomic_load(&shared->ejected_until);
	int64_t trial = atomic_load(&shared->trial);

	if (until == 0) {
		if (count >= server->pool->settings.fail_limit && may_eject(server, reason))
			eject(server, 0, reason);
	} else if (now_of(server) >= until) {
		eject(server, until, reason);
	} else if (trial > 0 && atomic_compare_exchange_strong(&shared->trial, &trial, -trial)) {
		/* Tried within its pause, since all are out: that goes on. What was under way when
		 * it was ejected, and fails too, says nothing new. */
		pool_changed(server->pool);
	}
}

void health_failed(struct server *server, uint32_t reason)
{
	blame(server, atomic_fetch_add(&server->shared->failing, 1) + 1, reason);
}

void health_return(struct server *server)
{
	struct lop_proxy_server *shared = server->shared;

	atomic_store(&shared->failing, 0);
	atomic_store(&shared->late, 0);
	atomic_store(&shared->since, now_of(server));
	atomic_store(&shared->ejected_until, 0);
	pool_changed(server->pool);
}

void health_answered(struct server *server, bool slow)
{
	struct lop_proxy_server *shared = server->shared;

	if (slow)
		blame(server, atomic_fetch_add(&shared->late, 1) + 1, LOP_PROXY_SLOW);
	else if (health_on_trial(server))
		health_return(server);
	else if (atomic_load_explicit(&shared->late, memory_order_relaxed) != 0)
		atomic_store(&shared->late, 0);
}

void health_passed(struct server *server)
{
	struct lop_proxy_server *shared = server->shared;
	uint32_t streak;

	if (health_ejected(server))
		return;
	if (atomic_load_explicit(&shared->failing, memory_order_relaxed) != 0)
		atomic_store(&shared->failing, 0);
	/* Once it has been well for as long as it was out, a new failure is the first. */
	streak = atomic_load_explicit(&shared->streak, memory_order_relaxed);
	if (streak != 0 && now_of(server) - atomic_load(&shared->since) >
	                           pause_of(&server->pool->settings, streak))
		atomic_store(&shared->streak, 0);
}

/* Whole seconds, rounded up. */
static unsigned seconds(int64_t time)
{
	if (time <= 0)
		return 1;
	return (unsigned)((time + NANOSECONDS - 1) / NANOSECONDS);
}

unsigned pool_retry_after(const struct pool *pool)
{
	const int64_t now = lop_worker_now(pool->worker);
	int64_t soonest = INT64_MAX;

	for (unsigned i = 0; i < pool->count; i++) {
		const struct lop_proxy_server *shared = pool->servers[i]->shared;
		int64_t next = health_trial_time(pool->servers[i], true);

		if (atomic_load(&shared->down) != 0)
			next = now + pool->settings.health.interval;
		else if (next == INT64_MAX)
			next = now + pool->settings.queue_timeout; /* up, and full */
		if (next < soonest)
			soonest = next;
	}
	return pool->count == 0 ? 1 : seconds(soonest - now);
}
