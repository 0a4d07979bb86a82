/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all workers know of the upstreams: one block of shared memory, made before the first fork.
 * Its layout is public (lophttpd/proxy.h), so that a status page can read it.
 *
 * Every number is an atomic that stands alone, so no worker that dies can leave a lock behind, and
 * a worker's share of what is counted stands in a cell of its own, which nobody else writes:
 * counting costs no locked instruction, and a worker that is replaced begins with nothing in use.
 * Until it is, its cells are left out once it has not been seen for SHARED_LOST.
 *
 * The slot of a server is found by a key made of pool, URL and address. Any worker claims one; two
 * that claim at the same instant may take two slots for one key, or take one that was just found
 * again. Each claim therefore changes the generation, at which every worker looks again whether its
 * slots are still its own and the first of their key, and moves its share if not
 * (shared_settle()): so all agree a moment later, without a lock.
 */
#ifndef PROXY_SHARED_H
#define PROXY_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lophttpd/loop.h>
#include <lophttpd/proxy.h>

#define SHARED_BEAT INT64_C(1000000000) /* how often a worker with requests in flight is seen */
#define SHARED_LOST INT64_C(5000000000)

/* A worker's part in what the public layout does not show. */
struct shared_worker {
	_Alignas(64) _Atomic(int64_t) seen; /* when it last said that it lives; 0 it has nothing */
};

#define SHARED_SECONDS 16

/* Requests and retries of the last seconds, of one worker in one pool; the second itself stands in
 * the upper half of each word. */
struct shared_budget {
	_Alignas(64) _Atomic(uint64_t) requests[SHARED_SECONDS];
	_Atomic(uint64_t) retries[SHARED_SECONDS];
};

struct shared_pool {
	_Alignas(64) _Atomic(uint32_t) epoch; /* changes when a server goes down or comes back */
	_Atomic(int64_t) opened;              /* when its first server joined */
};

struct shared_front {
	_Alignas(64) _Atomic(uint32_t) generation; /* changes with every claim */
};

/* This process's view. */
struct shared {
	struct lop_proxy *block;
	struct lop_proxy_pool *pools;
	struct lop_proxy_server *servers;
	struct lop_proxy_pool_share *pool_shares;
	struct lop_proxy_server_share *server_shares;
	struct shared_front *front;
	struct shared_pool *pool_states;
	struct shared_budget *budgets;
	struct shared_worker *workers;
	unsigned worker_count;
	unsigned pool_count;
	unsigned slot_count;
	int (*wakes)[2]; /* a pipe for each worker; NULL: there is no queue */

	struct lop_worker *worker; /* since shared_start() */
	unsigned index;
	unsigned busy; /* requests that it has, or that wait in it */
	bool beating;
	bool *lost; /* workers whose cells do not count */
	struct lop_timer *beat;
	struct lop_watch *watch;
	struct pool *started; /* pools of this worker, linked by pool->next_started */
};

/* Makes the block. servers: slots for addresses over all pools. wake: whether some pool has a queue
 * (a maximum of connections), so that workers have to wake each other. Returns 0, or a negative
 * errno. */
int shared_new(struct lop_core *core, unsigned pools, unsigned servers, bool wake,
               struct shared **shared);
void shared_free(struct shared **shared);
/* In the worker, before its pools start: what an earlier one of its index had in use is given
 * back. */
int shared_start(struct shared *shared, struct lop_worker *worker);
void shared_stop(struct shared *shared);

struct server;
/* Finds or claims the slot of server->key and fills in slot, shared and share; *fresh says whether
 * it was claimed now. 0, or -ENOSPC. */
int shared_claim(struct shared *shared, struct server *server, bool *fresh);
/* The worker no longer knows the server; the slot is free when no other does. */
void shared_release(struct shared *shared, struct server *server);
/* After a change of the generation: see above. */
void shared_settle(struct shared *shared, struct server *server);

/* One request more in this worker, in flight or waiting, or one less. */
void shared_begin_beating(struct shared *shared);
static inline void shared_busy(struct shared *shared)
{
	if (shared->busy++ == 0)
		shared_begin_beating(shared);
}
static inline void shared_idle(struct shared *shared)
{
	shared->busy--;
}

/* Has a worker look at its queues. */
void shared_wake(const struct shared *shared, unsigned worker);

/* A number in a cell that only this worker writes. */
#define SHARED_ADD(number, value)                                                                  \
	atomic_store_explicit(&(number),                                                           \
	                      atomic_load_explicit(&(number), memory_order_relaxed) + (value),     \
	                      memory_order_relaxed)

static inline struct lop_proxy_pool_share *shared_pool_share(const struct shared *shared,
                                                             unsigned pool, unsigned worker)
{
	return &shared->pool_shares[(size_t)pool * shared->worker_count + worker];
}

static inline struct lop_proxy_server_share *shared_server_share(const struct shared *shared,
                                                                 unsigned slot, unsigned worker)
{
	return &shared->server_shares[(size_t)slot * shared->worker_count + worker];
}

/* Over all workers. */
static inline uint32_t shared_server_active(const struct shared *shared, unsigned slot)
{
	const struct lop_proxy_server_share *share = shared_server_share(shared, slot, 0);
	uint32_t sum = 0;

	for (unsigned i = 0; i < shared->worker_count; i++)
		if (!shared->lost[i])
			sum += atomic_load_explicit(&share[i].active, memory_order_relaxed);
	return sum;
}

static inline uint32_t shared_pool_active(const struct shared *shared, unsigned pool)
{
	const struct lop_proxy_pool_share *share = shared_pool_share(shared, pool, 0);
	uint32_t sum = 0;

	for (unsigned i = 0; i < shared->worker_count; i++)
		if (!shared->lost[i])
			sum += atomic_load_explicit(&share[i].active, memory_order_relaxed);
	return sum;
}

#endif
