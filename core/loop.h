/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop's backend: a table that tells which descriptors moved. It knows nothing of
 * connections: what waits on a descriptor is a struct loop_source that its owner embeds.
 *
 * A source's `ready` is called while events are handed out; it must only note what happened
 * (put something on the run queue): nothing may be closed or freed there, so that no event of
 * the same batch can meet a dead owner.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdint.h>

#define LOOP_READ 1u  /* can be read, or the other side closed */
#define LOOP_WRITE 2u /* can be written */
#define LOOP_HUP 4u   /* the other side will write no more */
#define LOOP_ERROR 8u /* the connection is broken in both directions */

struct loop_source;
typedef void loop_ready_f(struct loop_source *source, unsigned events);

struct loop_source {
	loop_ready_f *ready;
};

enum loop_trigger {
	LOOP_EDGE,  /* both directions, reported once a change */
	LOOP_LEVEL, /* reading only, reported as long as there is something */
};

struct loop {
	const struct loop_backend *backend;
	int descriptor; /* of the backend */
	void *events;   /* the backend's batch */
};

/* Results are 0, a count, or a negative errno. Closing a descriptor removes it. */
struct loop_backend {
	const char *name;
	int (*init)(struct loop *loop);
	int (*add)(struct loop *loop, int descriptor, struct loop_source *source,
	           enum loop_trigger trigger);
	int (*remove)(struct loop *loop, int descriptor);
	/* Waits at most timeout ms (-1: for ever) and calls ready for each event. */
	int (*wait)(struct loop *loop, int timeout);
	void (*fini)(struct loop *loop);
};

extern const struct loop_backend loop_epoll;
extern const struct loop_backend loop_kqueue;

/* The platform's backend. */
int loop_init(struct loop *loop);

static inline int loop_add(struct loop *loop, int descriptor, struct loop_source *source,
                           enum loop_trigger trigger)
{
	return loop->backend->add(loop, descriptor, source, trigger);
}

static inline int loop_remove(struct loop *loop, int descriptor)
{
	return loop->backend->remove(loop, descriptor);
}

static inline int loop_wait(struct loop *loop, int timeout)
{
	return loop->backend->wait(loop, timeout);
}

static inline void loop_fini(struct loop *loop)
{
	loop->backend->fini(loop);
}

#endif
