/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pool from the inside.
 *
 * Who may be chosen stands in arrays beside the servers: primary ones first, then backups, each
 * with its weight as of now (0: not to be chosen). They are made again (pool_refresh()) when
 * something changed in the shared memory or a time has come, so that a choice looks at a few
 * numbers that lie together.
 */
#ifndef PROXY_POOL_PRIVATE_H
#define PROXY_POOL_PRIVATE_H

#include "pool.h"
#include "shared.h"
#include "sticky.h"

#define NANOSECONDS INT64_C(1000000000)
#define MILLISECONDS INT64_C(1000000)

/* Of a weight of 1, so that a slow start has steps. */
#define WEIGHT_SCALE 64
#define WEIGHT_MOST 256

/* The chosen of one kind: servers [from, to). */
struct level {
	unsigned from;
	unsigned to;
	unsigned up;    /* how many have a weight */
	uint32_t total; /* their weights */
};

/* A point of the ring for consistent hashing. */
struct point {
	uint64_t hash;
	uint32_t server;
};

struct ring {
	struct point *points;
	size_t count;
};

struct checker;

struct pool {
	struct shared *shared;
	unsigned index;
	struct pool_settings settings;
	const struct upstream_url *urls;
	size_t url_count;
	bool bounded; /* some server has a maximum */
	bool starting;

	struct lop_worker *worker; /* since pool_start() */
	struct pool *next_started;
	struct shared_pool *state;
	struct lop_proxy_pool_share *share;
	struct shared_budget *budget;
	uint64_t random;

	struct server **servers; /* primary ones, then backups */
	unsigned count;
	uint32_t *weights; /* by server, as of now */
	int32_t *currents; /* of smooth round-robin */
	uint32_t *marks;   /* equal to mark: not for this choice */
	uint32_t mark;
	unsigned marked;   /* how many are */
	struct level levels[2];
	struct ring rings[2];

	uint32_t generation; /* as of the last refresh */
	uint32_t epoch;
	int64_t next_change; /* when time itself changes something */
	int64_t next_trial;  /* when an ejected server may get a request; INT64_MAX: none */

	struct pool_waiter *first;
	struct pool_waiter *last;
	unsigned waiting;
	struct lop_timer *queue_timer;

	struct checker *checker; /* active checks; NULL: there are none */
};

/* ---- pool.c */
void pool_changed(struct pool *pool); /* the shared state of a server: all workers look again */
void pool_refresh(struct pool *pool, int64_t now);

static inline bool pool_stale(const struct pool *pool, int64_t now)
{
	return now >= pool->next_change ||
	       atomic_load_explicit(&pool->state->epoch, memory_order_acquire) != pool->epoch ||
	       atomic_load_explicit(&pool->shared->front->generation, memory_order_acquire) !=
	               pool->generation;
}

/* ---- pool_pick.c */
/* pool_pick() for one who has waited: nobody is asked to wait first. */
enum pick_result pool_choose(struct pool *pool, struct pick *pick, struct server **server);

/* ---- balance.c: the index of a server of the level that has a weight and no mark, or -1 */
int balance_round_robin(struct pool *pool, const struct level *level);
int balance_random(struct pool *pool, const struct level *level);
int balance_least(struct pool *pool, const struct level *level);
uint64_t random_next(struct pool *pool);

/* ---- balance_ring.c */
uint64_t hash_bytes(uint64_t seed, const void *data, size_t length);
/* Makes the rings for the servers that there are. */
int rings_build(struct pool *pool);
void rings_free(struct pool *pool);
/* bounded: not a server that has much more than its share of the load. */
int balance_ring(struct pool *pool, unsigned level, uint64_t hash, bool bounded);

/* ---- pool_key.c: what a request is balanced by */
void pick_read(struct pool *pool, struct pick *pick);

/* ---- health.c */
bool health_ejected(const struct server *server);
void health_failed(struct server *server, uint32_t reason);
/* It has answered; the exchange has ended well. */
void health_answered(struct server *server, bool slow);
void health_passed(struct server *server);
/* When an ejected server may get a request that tries it; urgent: no other is left. INT64_MAX:
 * it is not ejected, or is left to the active checks. */
int64_t health_trial_time(const struct server *server, bool urgent);
/* Whether the request at hand may be that one; takes the chance. */
bool health_try(struct server *server, bool urgent, int64_t now);
/* Whether a request is trying it. */
bool health_on_trial(const struct server *server);
/* One line for people. */
void health_say(const struct server *server, const char *format, ...) LOP_PRINTF(2, 3);
/* Comes back: from an ejection, or by active checks. */
void health_return(struct server *server);

/* ---- pool_queue.c */
void pool_serve(struct pool *pool);
/* A server has room again. */
void pool_freed(struct pool *pool);
void pool_queue_due(void *pool); /* its timer */
bool pool_others_wait(const struct pool *pool);
void pool_queue_stop(struct pool *pool);

/* ---- health_check.c */
int checker_start(struct pool *pool);
void checker_stop(struct pool *pool);
/* A server joined or left. */
void checker_update(struct pool *pool);
void checker_forget(struct server *server);

#endif
