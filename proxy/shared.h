/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all workers know of the upstreams: one block of shared memory, made before the first fork.
 * Its layout is public (lophttpd/proxy.h), so that a status page can read it.
 *
 * Every number is an atomic that stands alone, so no worker that dies can leave a lock behind, and a
 * worker's share of what is counted stands in a cell of its own, which nobody else writes: counting
 * costs no locked instruction, and a worker that is replaced begins with nothing in use. Until it
 * is, its cells are left out once it has not been seen for SHARED_LOST.
 *
 * The slot of a server is found by a key made of pool, URL and address. Any worker claims one; two
 * that claim at the same instant may take two slots for one key, or take one that was just found
 * again. Each claim therefore changes the generation, at which every worker looks again whether its
 * slots are still its own and the first of their key, and moves its share if not
 * (shared_server_settle()): so all agree a moment later, without a lock.
 */
#ifndef PROXY_SHARED_H
#define PROXY_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lophttpd/loop.h>
#include <lophttpd/proxy.h>

#define SHARED_BEAT INT64_C(1000000000) /* how often a worker with requests in flight is seen */
#define SHARED_LOST INT64_C(5000000000)

struct shared;

/* Makes the block. servers: slots for addresses over all pools. wake: whether some pool has a queue
 * (a maximum of connections), and workers have to wake each other. Returns 0, or a negative errno. */
int shared_new(struct lop_core *core, unsigned pools, unsigned servers, bool wake,
               struct shared **shared);
void shared_free(struct shared **shared);
/* In the worker, before its pools start: what an earlier one of its index had in use is given back. */
int shared_start(struct shared *shared, struct lop_worker *worker);
void shared_stop(struct shared *shared);

struct server;
/* Finds or claims the slot of server->key and fills in slot, shared and share; true in *fresh when
 * it was claimed now. 0, or -ENOSPC. */
int shared_claim(struct shared *shared, struct server *server, bool *fresh);
/* The worker no longer knows the server; the slot is free when no other does. */
void shared_release(struct shared *shared, struct server *server);
/* Changes with every claim. */
uint32_t shared_generation(const struct shared *shared);
/* After a change of the generation: see above. */
void shared_settle(struct shared *shared, struct server *server);

#endif
