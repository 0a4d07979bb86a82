/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that wait for a server below its maximum.
 *
 * Each worker has a queue; the time since which the first of it waits stands in the shared memory.
 * Who frees a place lets the worker look whose first has waited longest, and that one wakes the
 * next when there is more. A wake that is lost with the worker that it was meant for is made up for
 * by a look every POLL.
 */
#include "config.h"

#include <errno.h>

#include "pool_private.h"

#define POLL (20 * MILLISECONDS)

/* ---- the list ------------------------------------------------------------------------------- */

static void publish(struct pool *pool)
{
	atomic_store(&pool->share->waiting, pool->waiting);
	atomic_store(&pool->share->oldest, pool->first == NULL ? 0 : pool->first->since);
}

static void take_out(struct pool *pool, struct pool_waiter *waiter)
{
	if (waiter->previous == NULL)
		pool->first = waiter->next;
	else
		waiter->previous->next = waiter->next;
	if (waiter->next == NULL)
		pool->last = waiter->previous;
	else
		waiter->next->previous = waiter->previous;
	waiter->next = NULL;
	waiter->previous = NULL;
	waiter->queued = false;
	pool->waiting--;
	shared_idle(pool->shared);
	publish(pool);
}

static void end_wait(struct pool *pool, struct pool_waiter *waiter, struct server *server)
{
	take_out(pool, waiter);
	waiter->ready(waiter, server);
}

/* ---- all workers ---------------------------------------------------------------------------- */

bool pool_others_wait(const struct pool *pool)
{
	const struct shared *shared = pool->shared;

	for (unsigned i = 0; i < shared->worker_count; i++)
		if (!shared->lost[i] &&
		    atomic_load_explicit(&shared_pool_share(shared, pool->index, i)->waiting,
		                         memory_order_relaxed) != 0)
			return true;
	return false;
}

/* The worker whose first has waited longest; worker_count: nobody waits. */
static unsigned who_is_next(const struct pool *pool)
{
	const struct shared *shared = pool->shared;
	unsigned next = shared->worker_count;
	int64_t oldest = INT64_MAX;

	for (unsigned i = 0; i < shared->worker_count; i++) {
		const int64_t since =
			atomic_load(&shared_pool_share(shared, pool->index, i)->oldest);

		if (shared->lost[i] || since == 0 || since >= oldest)
			continue;
		oldest = since;
		next = i;
	}
	return next;
}

void pool_freed(struct pool *pool)
{
	unsigned next;

	atomic_thread_fence(memory_order_seq_cst);
	next = who_is_next(pool);
	if (next == pool->shared->worker_count)
		return;
	if (next != pool->shared->index)
		shared_wake(pool->shared, next);
	else if (pool->queue_timer != NULL)
		lop_timer_start(pool->queue_timer, 0);
}

/* ---- giving out ----------------------------------------------------------------------------- */

static void expire(struct pool *pool, int64_t now)
{
	struct pool_waiter *waiter;

	while ((waiter = pool->first) != NULL &&
	       now - waiter->since >= pool->settings.queue_timeout) {
		SHARED_ADD(pool->share->timed_out, 1);
		end_wait(pool, waiter, NULL);
	}
}

/* One that can be given a server, in order; only who is bound to a server lets others pass. */
static bool give_one(struct pool *pool)
{
	struct pool_waiter *waiter = pool->first;
	struct server *server = NULL;

	while (waiter != NULL) {
		switch (pool_choose(pool, waiter->pick, &server)) {
		case PICK_OK:
			end_wait(pool, waiter, server);
			return true;
		case PICK_DOWN:
			end_wait(pool, waiter, NULL);
			return true;
		case PICK_BUSY:
			if (pool->settings.balance.method != BALANCE_STICKY)
				return false;
			waiter = waiter->next;
		}
	}
	return false;
}

void pool_serve(struct pool *pool)
{
	const int64_t now = lop_worker_now(pool->worker);
	unsigned next = pool->shared->index;
	int64_t left;

	expire(pool, now);
	/* Who waits for the outcome of a trial is in nobody's way. */
	while (pool->first != NULL &&
	       (!pool->bounded || (next = who_is_next(pool)) == pool->shared->index) &&
	       give_one(pool))
		;
	/* It may be that there is room still, and it is another's turn. */
	if (next != pool->shared->index && next != pool->shared->worker_count)
		shared_wake(pool->shared, next);
	if (pool->first == NULL)
		return;
	left = pool->first->since + pool->settings.queue_timeout - now;
	lop_timer_start(pool->queue_timer, left < 0 ? 0 : left < POLL ? left : POLL);
}

void pool_queue_due(void *context)
{
	pool_serve(context);
}

/* ---- waiting -------------------------------------------------------------------------------- */

int pool_wait(struct pool *pool, struct pool_waiter *waiter)
{
	if (pool->waiting >= pool->settings.queue_size || pool->queue_timer == NULL)
		return -EBUSY;
	waiter->since = lop_worker_now(pool->worker);
	waiter->next = NULL;
	waiter->previous = pool->last;
	if (pool->last == NULL)
		pool->first = waiter;
	else
		pool->last->next = waiter;
	pool->last = waiter;
	waiter->queued = true;
	pool->waiting++;
	shared_busy(pool->shared);
	publish(pool);
	SHARED_ADD(pool->share->queued, 1);
	/* A place that was freed before the others could see that somebody waits. */
	lop_timer_start(pool->queue_timer, 0);
	return 0;
}

void pool_wait_cancel(struct pool *pool, struct pool_waiter *waiter)
{
	if (waiter->queued)
		take_out(pool, waiter);
}

void pool_queue_stop(struct pool *pool)
{
	lop_timer_free(&pool->queue_timer);
	while (pool->first != NULL)
		take_out(pool, pool->first);
}
