/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections to upstreams: opened without blocking, plain or by TLS, kept when an exchange has
 * ended well, and taken again for the next one to the same server.
 *
 * All belongs to one worker. A connection has one user at a time, or none while it is kept. It is
 * watched edge-triggered from its beginning to its end, so that reuse changes nothing there; what
 * arrives on a kept one (the end of the stream, or bytes that nobody asked for) closes it.
 *
 * Results are counts or negative errnos; -EAGAIN: `ready` will be called.
 */
#ifndef PROXY_UPSTREAM_H
#define PROXY_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <lophttpd/loop.h>

#include "pool.h"

struct secure;
struct secure_stream;
struct kept;

/* The connections of a worker. */
struct upstreams {
	struct lop_worker *worker;
	struct secure *secure; /* NULL: there is no https upstream */
	unsigned max_idle;     /* kept for each server */
	int64_t idle_timeout;  /* ns */
	bool draining;         /* nothing is kept any more */
	struct kept *kept;     /* servers with kept connections or TLS sessions */
	int64_t complained;    /* when a message was written last */
};

/* Something can go on, or the deadline has passed (timed_out). May be called without reason, and
 * may close the connection. */
typedef void upstream_ready_f(void *context);

enum upstream_phase {
	UPSTREAM_CONNECTING,
	UPSTREAM_GREETING,  /* what goes before everything else (PROXY protocol) */
	UPSTREAM_HANDSHAKE,
	UPSTREAM_OPEN,
};

struct upstream {
	struct upstreams *owner;
	struct server *server;
	struct upstream *next, *previous; /* kept ones of its server, the latest first */
	upstream_ready_f *ready;          /* NULL while it is kept */
	void *context;
	int descriptor;
	uint8_t phase; /* enum upstream_phase */
	bool reused;   /* it has served an exchange before */
	bool readable; /* a read may give something */
	bool writable;
	bool hangup;   /* the other side writes no more */
	bool timed_out;
	int64_t deadline; /* ns of the worker's clock, 0 none */
	int64_t timer_at; /* when the timer fires, maybe before the deadline; 0 it is stopped */
	struct lop_timer *timer;
	struct lop_watch *watch;
	struct secure_stream *stream; /* NULL: plain */
	char *greeting;               /* what is left of it; NULL: sent */
	size_t greeting_length;
	char *pending; /* bytes that were received and not yet used (an incomplete head) */
	size_t pending_length;
};

/* Takes a kept connection, of which one more look says that the other side is still there and has
 * sent nothing; NULL: there is none. */
struct upstream *upstreams_take(struct server *server, upstream_ready_f *ready, void *context);
/* Begins a new one. greeting: bytes to be sent before everything else, copied. */
int upstream_open(struct upstreams *upstreams, struct server *server, struct lop_str greeting,
                  upstream_ready_f *ready, void *context, struct upstream **upstream);
/* Goes on until a request can be sent: 0, -EAGAIN, or why the server cannot be reached; -EPROTO:
 * TLS failed, -EACCES: its certificate does not hold (a message was written). */
int upstream_prepare(struct upstream *upstream);

/* Sends at most two pieces; a count, which may be short. */
ssize_t upstream_send(struct upstream *upstream, const struct iovec *pieces, int count);
/* Receives into buffer, and bytes behind the first `size` into the extra byte when there are any:
 * then the result is size + 1. 0: the other side has closed. */
ssize_t upstream_receive(struct upstream *upstream, void *buffer, size_t size, char *extra);
/* The same without copying, between a plain connection and a pipe with room; -EOPNOTSUPP. */
ssize_t upstream_receive_splice(struct upstream *upstream, int pipe, size_t size);
ssize_t upstream_send_splice(struct upstream *upstream, int pipe, size_t size, bool more);
/* Nothing more is sent. */
void upstream_shutdown(struct upstream *upstream);

/* Whether nothing has arrived: looks when an edge said so. */
bool upstream_quiet(struct upstream *upstream);
/* Keeps received bytes for the next upstream_receive(). */
int upstream_unread(struct upstream *upstream, const char *data, size_t length);

/* Calls ready (with timed_out) after this time; 0: never. */
void upstream_deadline(struct upstream *upstream, int64_t after);

/* Gives it back for the next exchange, or closes it when it is not fit. */
void upstream_keep(struct upstream **upstream);
void upstream_close(struct upstream **upstream);

/* Writes a message for the log, why a server cannot be spoken to; not for each request. */
void upstreams_complain(struct upstreams *upstreams, const struct server *server, const char *what,
                        const char *why);

/* Closes what is kept of one server. */
void upstreams_forget(struct server *server);
/* Closes all that are kept, and keeps none from now on. */
void upstreams_drain(struct upstreams *upstreams);

#endif
