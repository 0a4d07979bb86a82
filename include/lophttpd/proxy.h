/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the module proxy counts, for modules that show or judge it: pools, their servers, and each
 * worker's share. It is one block of shared memory:
 *
 *     size_t size;
 *     const struct lop_proxy *proxy = lop_core_shared(core, LOP_PROXY_BLOCK, &size);
 *
 * which is NULL when the module is not loaded or has no pool. Pools and servers are found by the
 * functions below, which go by the sizes that the block itself states: structs grow at the end
 * only. Everything is read only for others. Each number is an atomic that stands alone; two of them
 * were not written at one time. Counters never go back while the server runs. Times are nanoseconds
 * of lop_worker_now().
 */
#ifndef LOPHTTPD_PROXY_H
#define LOPHTTPD_PROXY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#include <atomic>
#define LOP_ATOMIC(type) std::atomic<type>
#else
#define LOP_ATOMIC(type) _Atomic(type)
#endif

#include <lophttpd/base.h>
#include <lophttpd/share.h>

LOP_BEGIN_DECLS

#define LOP_PROXY_BLOCK "proxy"
#define LOP_PROXY_NAME_SIZE 104

/* One worker's part in a server; only that worker writes it. */
struct lop_proxy_server_share {
	LOP_ATOMIC(uint32_t) active;      /* requests that it is busy with */
	LOP_ATOMIC(uint32_t) held;        /* not 0: this worker knows the server */
	LOP_ATOMIC(uint64_t) requests;    /* sent to it, repeated ones included */
	LOP_ATOMIC(uint64_t) errors;      /* answered with 5xx */
	LOP_ATOMIC(uint64_t) failures;    /* refused, reset, garbage, too late */
	LOP_ATOMIC(uint64_t) slow;        /* answered later than the limit */
	LOP_ATOMIC(uint64_t) abandoned;   /* the client went away */
	LOP_ATOMIC(uint64_t) answered;    /* those with a first byte, */
	LOP_ATOMIC(uint64_t) waited;      /* and the sum of what that took, ns */
};

#define LOP_PROXY_SERVER_BACKUP 1u
#define LOP_PROXY_SERVER_CHECKED 2u /* by active checks */

#define LOP_PROXY_FAILED 1u /* refused, reset, garbage, too late */
#define LOP_PROXY_ERRORS 2u /* 502, 503, 504 */
#define LOP_PROXY_SLOW 3u

struct lop_proxy_server {
	LOP_ATOMIC(uint64_t) key; /* 0: the slot is free */
	LOP_ATOMIC(uint32_t) pool;
	LOP_ATOMIC(uint32_t) flags;           /* LOP_PROXY_SERVER_… */
	LOP_ATOMIC(uint32_t) weight;
	LOP_ATOMIC(uint32_t) max_connections; /* over all workers; 0 no bound */
	LOP_ATOMIC(uint32_t) down;            /* active checks say so */
	LOP_ATOMIC(uint32_t) failing;         /* failures in a row */
	LOP_ATOMIC(uint32_t) late;            /* slow answers in a row */
	LOP_ATOMIC(uint32_t) streak;          /* ejections in a row */
	LOP_ATOMIC(uint32_t) ejections;       /* in all */
	LOP_ATOMIC(uint32_t) reason;          /* of the last one: LOP_PROXY_FAILED … */
	LOP_ATOMIC(int64_t) ejected_until;    /* gets no request before, 0 not ejected */
	/* When an ejected one last got a request; negative when that has failed. */
	LOP_ATOMIC(int64_t) trial;
	LOP_ATOMIC(int64_t) since;            /* joined or came back: the start of a slow start */
	LOP_ATOMIC(uint64_t) checks;
	LOP_ATOMIC(uint64_t) checks_failed;
	char name[LOP_PROXY_NAME_SIZE]; /* "127.0.0.1:80", "[::1]:80", "unix:/run/x"; cut */
};

/* One worker's part in a pool. */
struct lop_proxy_pool_share {
	LOP_ATOMIC(uint32_t) active;
	LOP_ATOMIC(uint32_t) waiting;    /* for a server below its maximum */
	LOP_ATOMIC(int64_t) oldest;      /* since when the first of them waits, 0 none */
	LOP_ATOMIC(uint64_t) requests;
	LOP_ATOMIC(uint64_t) retries;
	LOP_ATOMIC(uint64_t) queued;     /* had to wait */
	LOP_ATOMIC(uint64_t) timed_out;  /* in vain */
	LOP_ATOMIC(uint64_t) down;       /* found no server up */
	LOP_ATOMIC(uint64_t) reserved;
};

struct lop_proxy_pool {
	/* Who does the active checks: its index + 1 in the lower 16 bits (0 nobody), and above,
	 * until when, in milliseconds. */
	LOP_ATOMIC(uint64_t) checker;
	char name[LOP_PROXY_NAME_SIZE]; /* of the route, "[host]/path" */
};

/* The front of the block. */
struct lop_proxy {
	uint32_t size; /* of this struct */
	uint32_t worker_count;
	uint32_t pool_count;
	uint32_t pool_size; /* from one to the next */
	uint32_t server_count; /* slots */
	uint32_t server_size;
	uint32_t pool_share_size;
	uint32_t server_share_size;
	/* From the beginning of the block; the shares of all workers stand together for each pool
	 * and each server. */
	uint64_t pools;
	uint64_t servers;
	uint64_t pool_shares;
	uint64_t server_shares;
};

static inline const void *lop_proxy_at(const struct lop_proxy *proxy, uint64_t offset,
                                       uint64_t index, uint32_t size)
{
	return (const char *)proxy + offset + index * size;
}

static inline const struct lop_proxy_pool *lop_proxy_pool(const struct lop_proxy *proxy,
                                                          uint32_t pool)
{
	return (const struct lop_proxy_pool *)lop_proxy_at(proxy, proxy->pools, pool,
	                                                   proxy->pool_size);
}

static inline const struct lop_proxy_server *lop_proxy_server(const struct lop_proxy *proxy,
                                                              uint32_t slot)
{
	return (const struct lop_proxy_server *)lop_proxy_at(proxy, proxy->servers, slot,
	                                                     proxy->server_size);
}

static inline const struct lop_proxy_pool_share *
lop_proxy_pool_share(const struct lop_proxy *proxy, uint32_t pool, uint32_t worker)
{
	return (const struct lop_proxy_pool_share *)lop_proxy_at(
		proxy, proxy->pool_shares, (uint64_t)pool * proxy->worker_count + worker,
		proxy->pool_share_size);
}

static inline const struct lop_proxy_server_share *
lop_proxy_server_share(const struct lop_proxy *proxy, uint32_t slot, uint32_t worker)
{
	return (const struct lop_proxy_server_share *)lop_proxy_at(
		proxy, proxy->server_shares, (uint64_t)slot * proxy->worker_count + worker,
		proxy->server_share_size);
}

LOP_END_DECLS

#endif
