/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The choice of a server for a request, and the end of the exchange with it.
 */
#include "config.h"

#include "pool_private.h"

/* ---- in use --------------------------------------------------------------------------------- */

/* Counts the request, unless the server is at its maximum. It is counted first and then looked at:
 * two workers that do so at the same time may both find the last place taken, never both free. */
static bool admit(struct pool *pool, struct server *server)
{
	const uint32_t most = server->url->max_connections;

	SHARED_ADD(server->share->active, 1);
	if (most == 0)
		return true;
	atomic_thread_fence(memory_order_seq_cst);
	if (shared_server_active(pool->shared, server->slot) <= most)
		return true;
	SHARED_ADD(server->share->active, UINT32_MAX);
	return false;
}

static enum pick_result give(struct pool *pool, unsigned index, struct server **out)
{
	struct server *server = pool->servers[index];

	server->active++;
	server->references++;
	SHARED_ADD(server->share->requests, 1);
	SHARED_ADD(pool->share->active, 1);
	shared_busy(pool->shared);
	*out = server;
	return PICK_OK;
}

/* ---- who ------------------------------------------------------------------------------------ */

static void mark(struct pool *pool, unsigned index)
{
	pool->marks[index] = pool->mark;
	pool->marked++;
}

static bool was_tried(const struct pick *pick, const struct server *server)
{
	for (unsigned i = 0; i < pick->tried_count && i < POOL_TRIED_MAX; i++)
		if (pick->tried[i] == server)
			return true;
	return false;
}

static void begin_marks(struct pool *pool, const struct pick *pick)
{
	if (pool->marked > 0 && ++pool->mark == 0) {
		for (unsigned i = 0; i < pool->count; i++)
			pool->marks[i] = 0;
		pool->mark = 1;
	}
	pool->marked = 0;
	for (unsigned i = 0; pick->tried_count > 0 && i < pool->count; i++)
		if (was_tried(pick, pool->servers[i]))
			mark(pool, i);
}

static int by_method(struct pool *pool, unsigned which, const struct pick *pick)
{
	const struct level *level = &pool->levels[which];

	if (pick->keyed)
		return balance_ring(pool, which, pick->hash,
		                    pool->settings.balance.method == BALANCE_HASH);
	if (pool->settings.balance.method == BALANCE_LEAST)
		return balance_least(pool, level);
	if (pool->settings.balance.method == BALANCE_RANDOM)
		return balance_random(pool, level);
	return balance_round_robin(pool, level);
}

/* The server that the client's cookie names, while it is up; it waits for that one when it is full,
 * since its session is there. */
static enum pick_result choose_bound(struct pool *pool, const struct pick *pick,
                                     struct server **server)
{
	for (unsigned i = 0; i < pool->count; i++) {
		if (pool->servers[i] != pick->bound)
			continue;
		if (pool->weights[i] == 0 || was_tried(pick, pick->bound))
			return PICK_DOWN;
		return admit(pool, pick->bound) ? give(pool, i, server) : PICK_BUSY;
	}
	return PICK_DOWN;
}

/* An ejected server whose time has come gets this request, and shows by it how it is. urgent: there
 * is no other for it. */
static bool choose_trial(struct pool *pool, const struct pick *pick, bool urgent, int64_t now,
                         struct server **out)
{
	bool found = false;

	for (unsigned i = 0; i < pool->count && !found; i++) {
		struct server *server = pool->servers[i];

		if (server->url->backup && pool->levels[0].up > 0 && !urgent)
			continue;
		if (now < health_trial_time(server, urgent) || was_tried(pick, server) ||
		    !admit(pool, server))
			continue;
		found = health_try(server, urgent, now);
		if (found)
			(void)give(pool, i, out);
		else
			SHARED_ADD(server->share->active, UINT32_MAX);
	}
	if (!urgent)
		pool_refresh(pool, now);
	return found;
}

/* None is up that was not tried: whether one may be in a moment. */
static bool any_on_trial(const struct pool *pool, const struct pick *pick)
{
	for (unsigned i = 0; i < pool->count; i++)
		if (health_on_trial(pool->servers[i]) && !was_tried(pick, pool->servers[i]))
			return true;
	return false;
}

static enum pick_result choose_from(struct pool *pool, unsigned which, const struct pick *pick,
                                    struct server **server)
{
	enum pick_result result = PICK_DOWN;
	int index;

	while ((index = by_method(pool, which, pick)) >= 0) {
		if (admit(pool, pool->servers[index]))
			return give(pool, (unsigned)index, server);
		mark(pool, (unsigned)index);
		result = PICK_BUSY;
	}
	return result;
}

enum pick_result pool_choose(struct pool *pool, struct pick *pick, struct server **server)
{
	const int64_t now = lop_worker_now(pool->worker);
	enum pick_result result = PICK_DOWN;

	if (pool_stale(pool, now))
		pool_refresh(pool, now);
	if (pick->bound != NULL)
		result = choose_bound(pool, pick, server);
	if (result != PICK_DOWN)
		return result;
	if (now >= pool->next_trial && choose_trial(pool, pick, false, now, server))
		return PICK_OK;
	begin_marks(pool, pick);
	for (unsigned which = 0; which < 2 && result == PICK_DOWN; which++)
		if (pool->levels[which].up > 0)
			result = choose_from(pool, which, pick, server);
	if (result != PICK_DOWN)
		return result;
	if (choose_trial(pool, pick, true, now, server))
		return PICK_OK;
	return any_on_trial(pool, pick) ? PICK_BUSY : PICK_DOWN;
}

enum pick_result pool_pick(struct pool *pool, struct pick *pick, struct server **server)
{
	enum pick_result result;

	if (!pick->read)
		pick_read(pool, pick);
	/* Who came first goes first. */
	if (pool->bounded && pick->bound == NULL && pool_others_wait(pool))
		return PICK_BUSY;
	result = pool_choose(pool, pick, server);
	if (result == PICK_DOWN)
		SHARED_ADD(pool->share->down, 1);
	return result;
}

/* ---- the end -------------------------------------------------------------------------------- */

void pool_answered(struct server *server, int64_t first_byte)
{
	const int64_t limit = server->pool->settings.slow_limit;
	const bool slow = limit > 0 && first_byte > limit;

	SHARED_ADD(server->share->answered, 1);
	SHARED_ADD(server->share->waited, (uint64_t)first_byte);
	if (slow)
		SHARED_ADD(server->share->slow, 1);
	health_answered(server, slow);
}

static void judge(struct server *server, enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_OK:
		health_passed(server);
		return;
	case OUTCOME_ERROR:
		SHARED_ADD(server->share->errors, 1);
		if (server->pool->settings.eject_errors)
			health_failed(server, LOP_PROXY_ERRORS);
		else
			health_passed(server);
		return;
	case OUTCOME_FAILED:
		SHARED_ADD(server->share->failures, 1);
		health_failed(server, LOP_PROXY_FAILED);
		return;
	case OUTCOME_ABANDONED:
		SHARED_ADD(server->share->abandoned, 1);
		return;
	}
}

void pool_done(struct server *server, enum outcome outcome, int64_t first_byte)
{
	struct pool *pool = server->pool;

	if (first_byte >= 0)
		pool_answered(server, first_byte);
	judge(server, outcome);
	server->active--;
	SHARED_ADD(server->share->active, UINT32_MAX);
	SHARED_ADD(pool->share->active, UINT32_MAX);
	shared_idle(pool->shared);
	if (pool->bounded)
		pool_freed(pool);
	server_release(&server);
}
