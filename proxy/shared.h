/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all workers know of the upstreams: one anonymous shared mapping, made before the first fork.
 *
 * Every number is an atomic that stands alone, so no worker that dies can leave a lock behind. A
 * worker's share of `active` is kept in a slot of its own and given back when the worker is
 * replaced (shared_worker_begin()). The layout of counters is what a status page reads
 * (lophttpd/proxy.h).
 */
#ifndef PROXY_SHARED_H
#define PROXY_SHARED_H

#include <stddef.h>
#include <stdint.h>

struct shared;

/* workers: how many may run at once; servers: slots for addresses over all pools. */
struct shared *shared_new(unsigned pools, unsigned servers, unsigned workers);
void shared_free(struct shared **shared);
/* Worker index (from 0) begins: what an earlier one of that index had in use is given back. */
void shared_worker_begin(struct shared *shared, unsigned worker);

#endif
