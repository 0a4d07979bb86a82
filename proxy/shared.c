/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "shared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pool_private.h"

_Static_assert(sizeof(struct lop_proxy_server_share) == 64, "a cell is one line of the cache");
_Static_assert(sizeof(struct lop_proxy_pool_share) == 64, "a cell is one line of the cache");

/* ---- the block ------------------------------------------------------------------------------ */

static size_t aligned(size_t size)
{
	return (size + 63) & ~(size_t)63;
}

/* Each part in turn begins at a line of the cache. */
static size_t place(size_t *end, size_t size)
{
	const size_t start = *end;

	*end = aligned(start + size);
	return start;
}

struct layout {
	size_t front, workers, pools, pool_states, pool_shares, budgets, servers, server_shares,
		end;
};

static struct layout lay_out(size_t pools, size_t servers, size_t workers)
{
	struct layout layout = { .end = aligned(sizeof(struct lop_proxy)) };

	layout.front = place(&layout.end, sizeof(struct shared_front));
	layout.workers = place(&layout.end, workers * sizeof(struct shared_worker));
	layout.pools = place(&layout.end, pools * sizeof(struct lop_proxy_pool));
	layout.pool_states = place(&layout.end, pools * sizeof(struct shared_pool));
	layout.pool_shares =
		place(&layout.end, pools * workers * sizeof(struct lop_proxy_pool_share));
	layout.budgets = place(&layout.end, pools * workers * sizeof(struct shared_budget));
	layout.servers = place(&layout.end, servers * sizeof(struct lop_proxy_server));
	layout.server_shares =
		place(&layout.end, servers * workers * sizeof(struct lop_proxy_server_share));
	return layout;
}

static void describe(struct shared *shared, char *block, const struct layout *layout)
{
	shared->block = (struct lop_proxy *)(void *)block;
	shared->front = (struct shared_front *)(void *)(block + layout->front);
	shared->workers = (struct shared_worker *)(void *)(block + layout->workers);
	shared->pools = (struct lop_proxy_pool *)(void *)(block + layout->pools);
	shared->pool_states = (struct shared_pool *)(void *)(block + layout->pool_states);
	shared->pool_shares = (struct lop_proxy_pool_share *)(void *)(block + layout->pool_shares);
	shared->budgets = (struct shared_budget *)(void *)(block + layout->budgets);
	shared->servers = (struct lop_proxy_server *)(void *)(block + layout->servers);
	shared->server_shares =
		(struct lop_proxy_server_share *)(void *)(block + layout->server_shares);
	*shared->block = (struct lop_proxy){
		.size = sizeof(struct lop_proxy),
		.worker_count = shared->worker_count,
		.pool_count = shared->pool_count,
		.pool_size = sizeof(struct lop_proxy_pool),
		.server_count = shared->slot_count,
		.server_size = sizeof(struct lop_proxy_server),
		.pool_share_size = sizeof(struct lop_proxy_pool_share),
		.server_share_size = sizeof(struct lop_proxy_server_share),
		.pools = layout->pools,
		.servers = layout->servers,
		.pool_shares = layout->pool_shares,
		.server_shares = layout->server_shares,
	};
}

static void close_wakes(struct shared *shared)
{
	for (unsigned i = 0; shared->wakes != NULL && i < shared->worker_count; i++) {
		for (int end = 0; end < 2; end++)
			if (shared->wakes[i][end] >= 0)
				close(shared->wakes[i][end]);
	}
	free(shared->wakes);
	shared->wakes = NULL;
}

static int open_wakes(struct shared *shared)
{
	shared->wakes = malloc(shared->worker_count * sizeof(*shared->wakes));
	if (shared->wakes == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < shared->worker_count; i++)
		shared->wakes[i][0] = shared->wakes[i][1] = -1;
	for (unsigned i = 0; i < shared->worker_count; i++) {
		if (pipe(shared->wakes[i]) < 0)
			return -errno;
		for (int end = 0; end < 2; end++)
			if (fcntl(shared->wakes[i][end], F_SETFD, FD_CLOEXEC) < 0 ||
			    fcntl(shared->wakes[i][end], F_SETFL, O_NONBLOCK) < 0)
				return -errno;
	}
	return 0;
}

int shared_new(struct lop_core *core, unsigned pools, unsigned servers, bool wake,
               struct shared **out)
{
	struct shared *shared = calloc(1, sizeof *shared);
	struct layout layout;
	void *block;
	int result = -ENOMEM;

	if (shared == NULL)
		return -ENOMEM;
	shared->worker_count = (unsigned)lop_core_workers(core);
	shared->pool_count = pools;
	shared->slot_count = servers;
	layout = lay_out(pools, servers, shared->worker_count);
	shared->lost = calloc(shared->worker_count, sizeof *shared->lost);
	if (shared->lost != NULL)
		result = lop_core_share(core, LOP_PROXY_BLOCK, layout.end, &block);
	if (result == 0) {
		describe(shared, block, &layout);
		/* One worker wakes itself. */
		result = wake && shared->worker_count > 1 ? open_wakes(shared) : 0;
	}
	if (result < 0)
		shared_free(&shared);
	*out = shared;
	return result;
}

void shared_free(struct shared **pointer)
{
	struct shared *shared = *pointer;

	*pointer = NULL;
	if (shared == NULL)
		return;
	shared_stop(shared);
	close_wakes(shared);
	free(shared->lost);
	free(shared);
}

/* ---- workers -------------------------------------------------------------------------------- */

static void look_for_lost(struct shared *shared, int64_t now)
{
	for (unsigned i = 0; i < shared->worker_count; i++) {
		const int64_t seen =
			atomic_load_explicit(&shared->workers[i].seen, memory_order_relaxed);

		shared->lost[i] = i != shared->index && seen != 0 && now - seen > SHARED_LOST;
	}
}

static void beat(void *context)
{
	struct shared *shared = context;
	const int64_t now = lop_worker_now(shared->worker);

	shared->beating = shared->busy > 0;
	atomic_store_explicit(&shared->workers[shared->index].seen, shared->beating ? now : 0,
	                      memory_order_relaxed);
	if (!shared->beating)
		return;
	look_for_lost(shared, now);
	lop_timer_start(shared->beat, SHARED_BEAT);
}

void shared_begin_beating(struct shared *shared)
{
	if (shared->beating || shared->beat == NULL)
		return;
	beat(shared);
}

static void woken(void *context, unsigned events)
{
	struct shared *shared = context;
	char bytes[64];

	(void)events;
	while (read(shared->wakes[shared->index][0], bytes, sizeof bytes) > 0)
		;
	for (struct pool *pool = shared->started; pool != NULL; pool = pool->next_started)
		pool_serve(pool);
}

void shared_wake(const struct shared *shared, unsigned worker)
{
	/* A full pipe wakes as well. */
	if (shared->wakes != NULL && write(shared->wakes[worker][1], "", 1) < 0)
		return;
}

/* What the worker before this one of the same index had in use. */
static void give_back(struct shared *shared)
{
	for (unsigned i = 0; i < shared->slot_count; i++) {
		struct lop_proxy_server_share *share =
			shared_server_share(shared, i, shared->index);

		/* What was never touched stays so: its pages cost nothing. */
		if (atomic_load(&share->active) != 0)
			atomic_store(&share->active, 0);
		if (atomic_load(&share->held) != 0)
			atomic_store(&share->held, 0);
	}
	atomic_store(&shared->workers[shared->index].seen, 0);
	for (unsigned i = 0; i < shared->pool_count; i++) {
		struct lop_proxy_pool_share *share = shared_pool_share(shared, i, shared->index);
		uint64_t lease = atomic_load(&shared->pools[i].checker);

		atomic_store(&share->active, 0);
		atomic_store(&share->waiting, 0);
		atomic_store(&share->oldest, 0);
		if ((lease & 0xffff) == shared->index + 1)
			(void)atomic_compare_exchange_strong(&shared->pools[i].checker, &lease, 0);
	}
}

int shared_start(struct shared *shared, struct lop_worker *worker)
{
	shared->worker = worker;
	shared->index = (unsigned)lop_worker_index(worker);
	if (shared->index >= shared->worker_count)
		return -EINVAL;
	give_back(shared);
	look_for_lost(shared, lop_worker_now(worker));
	shared->beat = lop_timer_new(worker, beat, shared);
	if (shared->beat == NULL)
		return -ENOMEM;
	if (shared->wakes == NULL)
		return 0;
	return lop_watch_start(worker, shared->wakes[shared->index][0], woken, shared,
	                       &shared->watch);
}

void shared_stop(struct shared *shared)
{
	lop_timer_free(&shared->beat);
	if (shared->watch != NULL)
		lop_watch_stop(&shared->watch);
	shared->beating = false;
}

/* ---- slots ---------------------------------------------------------------------------------- */

static uint64_t slot_key(const struct shared *shared, unsigned slot)
{
	return atomic_load(&shared->servers[slot].key);
}

static bool is_held(const struct shared *shared, unsigned slot)
{
	for (unsigned i = 0; i < shared->worker_count; i++)
		if (atomic_load(&shared_server_share(shared, slot, i)->held) != 0)
			return true;
	return false;
}

/* The first slot of the key; if there is none, the first that can be claimed; or slot_count. */
static unsigned find_slot(const struct shared *shared, uint64_t key, bool *found)
{
	unsigned free_slot = shared->slot_count;

	*found = true;
	for (unsigned i = 0; i < shared->slot_count; i++) {
		const uint64_t there = slot_key(shared, i);

		if (there == key)
			return i;
		if (there == 0 && free_slot == shared->slot_count)
			free_slot = i;
	}
	*found = false;
	/* What workers that died have left. */
	for (unsigned i = 0; free_slot == shared->slot_count && i < shared->slot_count; i++)
		if (!is_held(shared, i))
			free_slot = i;
	return free_slot;
}

/* A slot that was claimed for another server. The cells of other workers are none of our business
 * while they use them, and were left at zero by those that did. */
static void reset(struct shared *shared, unsigned slot)
{
	struct lop_proxy_server *server = &shared->servers[slot];

	atomic_store(&server->down, 0);
	atomic_store(&server->failing, 0);
	atomic_store(&server->late, 0);
	atomic_store(&server->streak, 0);
	atomic_store(&server->ejections, 0);
	atomic_store(&server->reason, 0);
	atomic_store(&server->ejected_until, 0);
	atomic_store(&server->trial, 0);
	atomic_store(&server->since, 0);
	atomic_store(&server->checks, 0);
	atomic_store(&server->checks_failed, 0);
	for (unsigned i = 0; i < shared->worker_count; i++) {
		struct lop_proxy_server_share *share = shared_server_share(shared, slot, i);

		atomic_store(&share->requests, 0);
		atomic_store(&share->errors, 0);
		atomic_store(&share->failures, 0);
		atomic_store(&share->slow, 0);
		atomic_store(&share->abandoned, 0);
		atomic_store(&share->answered, 0);
		atomic_store(&share->waited, 0);
	}
}

/* Frees the slot when nobody holds it. Who finds it at this instant sees the change of the
 * generation, and settles. */
static void free_slot(struct shared *shared, unsigned slot, uint64_t key)
{
	if (!is_held(shared, slot) &&
	    atomic_compare_exchange_strong(&shared->servers[slot].key, &key, 0))
		atomic_fetch_add(&shared->front->generation, 1);
}

static void let_go(struct shared *shared, unsigned slot, uint64_t key)
{
	atomic_fetch_sub(&shared_server_share(shared, slot, shared->index)->held, 1);
	free_slot(shared, slot, key);
}

/* One try to hold the slot of a key: 1 it is held, 0 somebody came between, -ENOSPC. */
static int try_claim(struct shared *shared, uint64_t key, unsigned *slot, bool *fresh)
{
	struct lop_proxy_server *server;
	uint64_t there;
	bool found;

	*slot = find_slot(shared, key, &found);
	if (*slot == shared->slot_count)
		return -ENOSPC;
	server = &shared->servers[*slot];
	there = found ? key : atomic_load(&server->key);
	atomic_fetch_add(&shared_server_share(shared, *slot, shared->index)->held, 1);
	if (found ? atomic_load(&server->key) == key
	          : atomic_compare_exchange_strong(&server->key, &there, key)) {
		*fresh = !found;
		if (!found) {
			reset(shared, *slot);
			atomic_fetch_add(&shared->front->generation, 1);
		}
		return 1;
	}
	atomic_fetch_sub(&shared_server_share(shared, *slot, shared->index)->held, 1);
	return 0;
}

int shared_claim(struct shared *shared, struct server *server, bool *fresh)
{
	unsigned slot;
	int result = 0;

	for (int tries = 0; result == 0 && tries < 64; tries++)
		result = try_claim(shared, server->key, &slot, fresh);
	if (result <= 0)
		return -ENOSPC;
	server->slot = slot;
	server->shared = &shared->servers[slot];
	server->share = shared_server_share(shared, slot, shared->index);
	return 0;
}

void shared_release(struct shared *shared, struct server *server)
{
	let_go(shared, server->slot, server->key);
	server->shared = NULL;
	server->share = NULL;
}

void shared_settle(struct shared *shared, struct server *server)
{
	const unsigned old = server->slot;
	struct lop_proxy_server_share *old_share = server->share;
	bool found, fresh;

	if (find_slot(shared, server->key, &found) == old && found)
		return;
	/* Without a slot of its own it goes on in the old one. */
	if (shared_claim(shared, server, &fresh) < 0)
		return;
	if (server->slot == old) {
		atomic_fetch_sub(&old_share->held, 1);
		return;
	}
	SHARED_ADD(server->share->active, server->active);
	SHARED_ADD(old_share->active, -server->active);
	let_go(shared, old, server->key);
}
