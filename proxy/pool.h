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
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include <lophttpd/loop.h>
#include <lophttpd/proxy.h>
#include <lophttpd/request.h>

#include "sticky.h"
#include "url.h"

struct pool;
struct shared;

union server_address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

/* One server. Reference-counted: exchanges and kept connections hold it after it left the pool. The
 * pool itself must outlive them. */
struct server {
	struct pool *pool;
	const struct upstream_url *url;
	union server_address address;
	socklen_t address_length;
	unsigned references;
	bool gone;  /* left the pool: its connections are not kept any more */
	void *idle; /* kept connections to it, of the connection cache (upstream.h); NULL: none */

	/* the pool's */
	uint64_t identity; /* of the address; the same in every worker and after a restart */
	uint64_t key;      /* of its slot in the shared memory */
	uint64_t cookies[STICKY_KEYS]; /* what stands for it in sticky cookies */
	uint32_t slot;
	uint32_t weight;   /* as given */
	uint32_t active;   /* of this worker */
	struct lop_proxy_server *shared;
	struct lop_proxy_server_share *share; /* this worker's */
	struct check *check;                  /* of this server, in the worker that does them */
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
	enum balance_key {
		KEY_NONE,
		KEY_FIELD,
		KEY_COOKIE,
		KEY_ADDRESS,
		KEY_TARGET,
		KEY_HOST,
	} key;       /* HASH and STICKY: what of the request decides */
	char *field; /* name of the field or cookie; NULL: it has none */
};
/* Returns 0, -EINVAL after one line into error, or -ENOMEM. */
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
/* As balance_parse(). */
int health_parse(const char *text, struct health_check *check, char *error, size_t error_size);
void health_clear(struct health_check *check);

/* How a check's connection speaks when that is not plain: filled in by whoever has TLS. `begin`
 * takes a connected (or connecting), non-blocking socket, which stays the caller's. Results of read
 * and write as those of recv and send, with a negative errno; -EAGAIN for either direction, the
 * watch tells when to try again. */
struct check_transport {
	int (*begin)(void *context, const struct server *server, int descriptor, void **state);
	ssize_t (*read)(void *state, void *buffer, size_t size);
	ssize_t (*write)(void *state, const void *data, size_t size);
	void (*end)(void *state);
	void *context;
};

struct pool_settings {
	const char *name;       /* of the route, for people: "[host]/path" */
	struct balance balance;
	struct health_check health;
	unsigned fail_limit;    /* consecutive failures that eject a server */
	int64_t eject_time;     /* ns; grows with each ejection in a row, to eject_max */
	int64_t eject_max;
	int64_t slow_limit;     /* ns to the first byte that count as a failure; 0 none */
	bool eject_errors;      /* 502, 503 and 504 of a server count as failures too */
	unsigned queue_size;    /* requests that may wait for a server with room, a worker */
	int64_t queue_timeout;  /* ns */
	unsigned retry_percent; /* retries per 100 requests of the last seconds, over all workers; 0
	                         * none at all */
	const struct secret *secret; /* of sticky cookies (sticky.h); NULL when there are none */
	/* Path of sticky cookies as clients see it: the two together, encoded. NULL: empty. */
	const char *cookie_base; /* what --location puts in front of all paths */
	const char *cookie_path; /* the route's prefix */
	const struct check_transport *secure; /* for checks of https servers; NULL: a check only
	                                       * connects to those */
	struct lop_str check_preface; /* goes before everything else to servers that are checked: a
	                               * PROXY header of nobody's; length 0: nothing */
	/* A server has left the pool: close what is kept of it. May be NULL. */
	void (*server_gone)(struct server *server);
};

/* How an exchange with a server ended. */
enum outcome {
	OUTCOME_OK,       /* a whole response; of a status below 500, or another 5xx than below */
	OUTCOME_ERROR,    /* 502, 503 or 504 */
	OUTCOME_FAILED,   /* refused, reset, garbage, timed out */
	OUTCOME_ABANDONED, /* the client went away: says nothing of the server */
};

/* Before fork: the index-th pool (from 0) of the shared memory. URLs, and what the settings point
 * at, stay the caller's. NULL when memory is out. */
struct pool *pool_new(struct shared *shared, unsigned index, const struct upstream_url *urls,
                      size_t url_count, const struct pool_settings *settings);
void pool_free(struct pool **pool);
/* In the worker, after shared_start(): the servers of literal addresses and of UNIX sockets join,
 * those of names by pool_update(). Begins active checks (one worker at a time does them, whichever
 * holds the lease). */
int pool_start(struct pool *pool, struct lop_worker *worker);
/* Ends checks and timers; who waits is not told. Exchanges may still end after it. */
void pool_stop(struct pool *pool);

/* The addresses that a URL stands for now: servers that are new join (with slow start, unless they
 * are the first), those that are gone get no more requests and finish what they have. weights NULL:
 * the URL's. 0, -ENOMEM, or -ENOSPC when there is no slot for some of them. */
int pool_update(struct pool *pool, const struct upstream_url *url,
                const union server_address *addresses, const socklen_t *lengths,
                const uint32_t *weights, size_t count);

enum pick_result {
	PICK_OK,
	PICK_BUSY, /* every healthy server is at its maximum, or none is healthy and one is just
	            * being tried: pool_wait() */
	PICK_DOWN, /* no server is up (nor a backup), all were tried, or the pool has none yet */
};

#define POOL_TRIED_MAX 8

/* Zero to begin, then kept for all tries of one request. */
struct pick {
	struct lop_request *request; /* hash and sticky look at it, in the first pool_pick() only */
	struct server *tried[POOL_TRIED_MAX]; /* not again; for comparison only: no references */
	unsigned tried_count;

	/* the pool's */
	bool read;                 /* the request was looked at */
	bool keyed;                /* it has a key, */
	uint64_t hash;             /* of which this is the hash */
	struct server *bound;      /* whom its cookie names, for comparison only */
	bool renew;                /* its cookie is of an old key */
};

/* Chooses a server, counts it as active, and gives a reference. */
enum pick_result pool_pick(struct pool *pool, struct pick *pick, struct server **server);
/* The head of a response has come, which is none of 502, 503 and 504: before pool_done(), so that a
 * long body does not keep a server on trial. first_byte in ns from the end of the request. */
void pool_answered(struct server *server, int64_t first_byte);
/* The exchange has ended; once for each server that was given. first_byte as above, -1: none came,
 * or pool_answered() was told. Gives the reference back. */
void pool_done(struct server *server, enum outcome outcome, int64_t first_byte);
/* Whether one more try is within the budget; counts it if so. */
bool pool_may_retry(struct pool *pool);
/* Counts a request towards the budget; once for each, before its first pool_pick(). */
void pool_count_request(struct pool *pool);
/* With STICKY by cookie: the Set-Cookie value that binds the client to the server, written into
 * out; 0: none is needed (it has a valid one for this server), -ENOBUFS. */
long pool_cookie(struct pool *pool, const struct pick *pick, const struct server *server,
                 bool secure, char *out, size_t size);

/* Waiting for a server with room, first come first served over all workers. `ready` is called once,
 * from the loop, with a server as pool_pick() gives it (to be given back by pool_done()), or with
 * NULL after queue_timeout, or when no server is up any more. */
struct pool_waiter {
	struct pick *pick; /* zero the rest to begin */
	void (*ready)(struct pool_waiter *waiter, struct server *server);

	/* the pool's */
	bool queued;
	struct pool_waiter *next;
	struct pool_waiter *previous;
	int64_t since;
};
/* After PICK_BUSY. 0, or -EBUSY when the queue is full. */
int pool_wait(struct pool *pool, struct pool_waiter *waiter);
/* Harmless after `ready` was called. */
void pool_wait_cancel(struct pool *pool, struct pool_waiter *waiter);
/* Seconds for Retry-After, at least 1: when the next check, or the end of an ejection, may bring a
 * server back; after a wait in vain, the queue's time. */
unsigned pool_retry_after(const struct pool *pool);

#endif
