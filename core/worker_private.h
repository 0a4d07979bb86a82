/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker from the inside: the loop, its clocks, the pools, and the parts that a request meets.
 */
#ifndef WORKER_PRIVATE_H
#define WORKER_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "access_log.h"
#include "core.h"
#include "date.h"
#include "error_page.h"
#include "hooks.h"
#include "http1_parse.h"
#include "list.h"
#include "loop.h"
#include "pipes.h"
#include "pool.h"
#include "sched.h"
#include "timer.h"

#define WORKER_MAGIC 0x574f524bu

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

struct fcache;
struct mime;

/* A listening socket in this worker. */
struct acceptor {
	struct loop_source source;
	struct sched_entry run;
	struct lop_worker *worker;
	const struct listener *listener;
	const struct lop_transport *transport;
	void *transport_module; /* state of the module that gave the transport */
	int socket;
	struct lop_timer *pause; /* set while accepting is impossible */
	int64_t told;   /* of connections without a PROXY header, ns of the worker's clock; 0: never */
	unsigned burst; /* connections taken in one turn: grows while there is a backlog */
};

struct http1;

struct lop_worker {
	uint32_t magic;
	int index;
	struct lop_core *core;
	const struct settings *settings;
	struct http1_limits limits;

	struct loop loop;
	struct timers timers;
	struct sched sched;
	int64_t now;  /* ns, monotonic, of this turn */
	int64_t wall; /* ns since 1970, of this turn */
	int64_t date_second;
	char date[DATE_LENGTH]; /* of date_second */

	struct acceptor *acceptors;
	size_t acceptor_count;
	int spare;            /* a descriptor to give up when there is none left to accept with */
	struct list connections;
	size_t connection_count;
	uint64_t connection_number;
	bool draining;
	bool stopping;

	struct pool conns;
	struct pool outputs;
	struct pool requests;
	struct pool http1s;
	struct pipes pipes;
	char *input;                /* shared buffer for reading; holds nothing between steps */
	size_t input_size;
	struct http1 *stepping;     /* whose step uses it, NULL between steps */
	struct lop_memory *scratch; /* response heads are rendered here, one behind the other */
	size_t scratch_used;

	struct fcache *cache;
	size_t copied_bytes; /* of files in memory for connections that copy, with those that are
	                      * out of the cache and still being sent */
	struct mime *mime;
	struct hooks hooks;
	struct error_pages errors;
	const struct loaded_module **protocols; /* modules that bring one */
	size_t protocol_count;

	struct access_log log;
	struct timer log_timer;
	struct timer drain_timer;
	struct timer watch_timer; /* of a worker without a master */
	struct loop_source signal_source;
	struct sched_entry signal_run;
	int signals;
	struct loop_source control_source;
	struct sched_entry control_run;
	int control;
};

#define WORKER_INPUT ((size_t)64 * 1024) /* and never less than two heads */

/* Milliseconds of the wheel for a time in ns, rounded up. */
static inline uint64_t worker_ms(int64_t ns)
{
	return (uint64_t)((ns + NS_PER_MS - 1) / NS_PER_MS);
}

/* Room for `size` bytes in the scratch memory, at *offset; the caller appends what it used with
 * worker_scratch_commit(). NULL when memory is out. */
struct lop_memory *worker_scratch(struct lop_worker *worker, size_t size, size_t *offset);
static inline void worker_scratch_commit(struct lop_worker *worker, size_t used)
{
	worker->scratch_used += used;
}

/* The Date field's value of this second. */
const char *worker_date(struct lop_worker *worker);

/* No new connection, requests in flight finish; the worker ends when the last is gone or the drain
 * timeout has passed. */
void worker_drain(struct lop_worker *worker);

/* accept.c */
int acceptors_open(struct lop_worker *worker);
/* Takes who is waiting, then closes. */
void acceptors_drain(struct lop_worker *worker);
void acceptors_close(struct lop_worker *worker);

/* logs: arms the flush timer after the first line */
void worker_log(struct lop_worker *worker, const struct lop_log_record *record);
/* To be called after anything that may have left something in the log's buffer. */
void worker_log_arm(struct lop_worker *worker);

#endif
