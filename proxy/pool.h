/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pool: the servers that share the load of a route, and the choice among them.
 *
 * Each worker has its own objects; what servers are doing and how they fare stands in memory that
 * all workers share (shared.h), so that a limit counts over all of them and a failure that one
 * worker sees is known to the others. A server is one address: a name with four addresses is four
 * servers, which come and go with the name's records (pool_update()).
 */
#ifndef PROXY_POOL_H
#define PROXY_POOL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include <lophttpd/loop.h>
#include <lophttpd/request.h>

#include "url.h"

struct pool;
struct shared;
struct shared_server;

union server_address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

/* One server. Reference-counted: exchanges and kept connections hold it after it left the pool. */
struct server {
	struct pool *pool;
	const struct upstream_url *url;
	struct shared_server *shared; /* counters and health, shared by all workers */
	union server_address address;
	socklen_t address_length;
	uint32_t weight;
	unsigned references;
	void *idle; /* kept connections to it, of the connection cache (upstream.h); NULL: none */
};

void server_retain(struct server *server);
void server_release(struct server **server);

enum balance_method {
	BALANCE_ROUND_ROBIN, /* smooth weighted */
	BALANCE_LEAST,       /* fewer active of two random ones, by weight */
	BALANCE_RANDOM,
	BALANCE_HASH,        /* of a field or property; consistent, bounded load */
	BALANCE_STICKY,      /* by a signed cookie or the client's address */
};

/* --balance: round-robin, least-connections, random, hash:FIELD (hash:$remote_addr, hash:$target,
 * hash:$host, hash:$cookie_NAME, else a field's name), sticky or sticky:cookie[=NAME],
 * sticky:address. Secrets of the cookie are made at start and shared by the workers, or read from
 * --sticky-key FILE so that they outlive a restart. */
struct balance {
	enum balance_method method;
	bool by_address;
	char *field; /* HASH: what is hashed; STICKY: name of the cookie */
};
int balance_parse(const char *text, struct balance *balance, char *error, size_t error_size);
void balance_clear(struct balance *balance);

/* --health path=/up,interval=2s,rise=2,fall=3,expect=200[,timeout=1s][,host=NAME]; expect takes a
 * status, a class (2xx), or a range (200-399). */
struct health_check {
	bool active;
	char *path;
	char *host;
	int64_t interval; /* ns */
	int64_t timeout;
	unsigned rise;
	unsigned fall;
	int expect_low;
	int expect_high;
};
int health_parse(const char *text, struct health_check *check, char *error, size_t error_size);
void health_clear(struct health_check *check);

struct pool_settings {
	struct balance balance;
	struct health_check health;
	unsigned fail_limit;    /* consecutive failures that eject a server */
	int64_t eject_time;     /* ns; grows with each ejection in a row, to eject_max */
	int64_t eject_max;
	int64_t slow_limit;     /* ns to the first byte that count as a failure; 0 none */
	unsigned queue_size;    /* requests that may wait for a server below its maximum, a worker */
	int64_t queue_timeout;  /* ns */
	unsigned retry_percent; /* retries per 100 requests, a budget over all workers */
};

/* How an exchange with a server ended. */
enum outcome {
	OUTCOME_OK,       /* a whole response, of a status below 500 */
	OUTCOME_ERROR,    /* 5xx: counts as a failure when the pool's settings say so (502, 503, 504) */
	OUTCOME_FAILED,   /* refused, reset, garbage, timed out */
	OUTCOME_ABANDONED, /* the client went away: says nothing of the server */
};

/* Before fork: claims this pool's part of the shared memory. The strings stay the caller's. */
struct pool *pool_new(struct shared *shared, const struct upstream_url *urls, size_t url_count,
                      const struct pool_settings *settings);
void pool_free(struct pool **pool);
/* In the worker: begins active checks (one worker at a time does them, whichever holds the lease). */
int pool_start(struct pool *pool, struct lop_worker *worker);
void pool_stop(struct pool *pool);

/* The addresses that a URL stands for now (from the resolver, or the literal one): servers that
 * are new join (with slow start), those that are gone drain. weights NULL: the URL's. */
int pool_update(struct pool *pool, const struct upstream_url *url,
                const union server_address *addresses, const socklen_t *lengths,
                const uint32_t *weights, size_t count);

enum pick_result {
	PICK_OK,
	PICK_BUSY, /* every healthy server is at its maximum: pool_wait() */
	PICK_DOWN, /* no server is up (nor a backup), or the pool has none yet */
};

#define POOL_TRIED_MAX 8

struct pick {
	struct lop_request *request;   /* hash and sticky look at it */
	struct server *tried[POOL_TRIED_MAX]; /* not again */
	unsigned tried_count;
};

/* Chooses a server, counts it as active, and gives a reference. */
enum pick_result pool_pick(struct pool *pool, struct pick *pick, struct server **server);
/* The exchange has ended; once for each PICK_OK. first_byte in ns from the request's end, -1 none.
 * Keeps no reference. */
void pool_done(struct server *server, enum outcome outcome, int64_t first_byte);
/* Whether one more try is within the budget; counts it if so. */
bool pool_may_retry(struct pool *pool);
/* Counts a request towards the budget. */
void pool_count_request(struct pool *pool);
/* With STICKY by cookie: the Set-Cookie value that binds the client to the server, written into
 * out; 0: none is needed (it has a valid one for this server), -ENOBUFS. */
long pool_cookie(struct pool *pool, const struct pick *pick, const struct server *server,
                 bool secure, char *out, size_t size);

/* Waiting for a server with room. `ready` is called once from the loop: the request should pick
 * again; timed_out: after queue_timeout. */
struct pool_waiter {
	struct pool_waiter *next;
	struct pool_waiter *previous;
	int64_t deadline;
	void (*ready)(struct pool_waiter *waiter, bool timed_out);
};
/* 0, or -EBUSY when the queue is full. */
int pool_wait(struct pool *pool, struct pool_waiter *waiter);
void pool_wait_cancel(struct pool *pool, struct pool_waiter *waiter);
/* Seconds for Retry-After when everything is down: when the next check or ejection ends. */
unsigned pool_retry_after(const struct pool *pool);

#endif
