/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stands in for the server under parts of modules that use its public functions: a worker whose
 * clock is set by hand, timers and watches on it, requests with fields, memory of all workers.
 */
#ifndef STANDIN_H
#define STANDIN_H

#include <stddef.h>
#include <stdint.h>

#include <lophttpd/lophttpd.h>

#define MS INT64_C(1000000)
#define S (1000 * MS)

struct lop_core {
	int workers;
	const char *share_name; /* the one block */
	void *share;
	size_t share_size;
};

struct lop_worker {
	int64_t now;
	int64_t wall;
	int index;
	char message[512]; /* the last one */
	struct lop_timer *timers;
	struct lop_watch *watches;
};

struct lop_connection {
	const char *address;
};

struct standin_field {
	const char *name;
	const char *value;
};

struct lop_request {
	struct lop_connection *connection;
	const char *target;
	const char *host;
	struct standin_field fields[8];
};

/* Lets time pass; fires what becomes due, in order of time. */
void standin_advance(struct lop_worker *worker, int64_t ns);
/* Waits at most timeout_ms of real time for the watched descriptors and calls those that are ready;
 * 1, or 0 when none was. */
int standin_poll(struct lop_worker *worker, int timeout_ms);
void standin_core_free(struct lop_core *core);

#endif
