/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP/1 from the inside: http1.c runs the states, http1_head.c waits for requests,
 * http1_body.c reads their bodies, http1_send.c renders responses, http1_gateway.c does what a
 * response needs that begins before its request has ended.
 */
#ifndef HTTP1_PRIVATE_H
#define HTTP1_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chunked.h"
#include "conn.h"
#include "list.h"
#include "request.h"
#include "worker_private.h"

enum http1_state {
	HTTP1_HEAD,   /* wait for a request's head */
	HTTP1_RUN,    /* the request goes through its hooks */
	HTTP1_DRAIN,  /* a request body that no hook wanted is read and thrown away */
	HTTP1_SEND,   /* the response's segments go to the output */
	HTTP1_REST,   /* the response is queued before its request was read to the end */
	HTTP1_HALF,   /* a tunnel's response has ended, the client may still send */
	HTTP1_FINISH, /* what is queued goes out, then the connection ends */
	HTTP1_LINGER, /* nothing more is written; the peer's last bytes are thrown away */
	HTTP1_STATES,
};

struct http1 {
	struct lop_connection *conn;
	struct lop_worker *worker;
	enum http1_state state;
	struct lop_request *request; /* from HEAD complete until all of it is queued */
	struct list queued;          /* requests whose response is queued and not yet sent */
	char *in;        /* unread bytes, in the worker's input buffer; valid during a step */
	size_t in_length;
	size_t keep;     /* bytes at the front of the input buffer that views point into */
	size_t started_with; /* bytes that were left over from the last step */
	bool close;      /* after this response */
	bool linger;     /* the peer may still be sending: do not close in its face */
	bool framed;     /* this response is sent in chunks */
	bool window;     /* a window of the least rate is open */
	bool body_window; /* one of the least rate of the body */
	bool continue_expected; /* the client waits for 100 before it sends the body */
	bool body_chunked;
	bool body_done;
	bool body_wanted;  /* a hook has begun to read it */
	bool body_starved; /* the latest read found nothing: the client is waited for */
	bool duplex;       /* the response goes out while the body is still read */
	bool tunnel;       /* the same, and both are raw bytes without end */
	bool half_closed;  /* the tunnel's response has ended */
	bool abandoned;    /* the client has been seen to be gone */
	int64_t body_left; /* of a body with Content-Length */
	int64_t body_before; /* what had been taken of the body when its window began */
	uint64_t body_frames; /* bytes of chunked framing so far */
	struct chunked chunked;
	uint64_t bytes_queued; /* in all, since this struct was made */
	uint64_t window_acked; /* for the least rate: bytes acknowledged when the window began */
};

/* The response is queued, and nothing of the request is left: on to the next, or to the end. */
void http1_end_exchange(struct http1 *http1);
/* Between steps the worker's input buffer belongs to others: puts back what was not used. 0 or
 * -ENOMEM. */
int http1_leave_input(struct http1 *http1);

/* What a state's step asks for. */
enum http1_next {
	HTTP1_GO,    /* on to the next state */
	HTTP1_WAIT,  /* for the socket, the hook, or the deadline */
	HTTP1_MORE,  /* the quantum is used up */
	HTTP1_CLOSE,
};

/* Largest rest of a request body that is read and thrown away to keep a connection. */
#define HTTP1_DRAIN_MAX (64 * 1024)

/* http1_head.c */
enum http1_next http1_step_head(struct http1 *http1);
/* Reads more: > 0, 0 the end, -EAGAIN, negative errno. */
ssize_t http1_fill(struct http1 *http1);
static inline void http1_consume(struct http1 *http1, size_t count)
{
	http1->in += count;
	http1->in_length -= count;
}

/* http1_body.c */
void http1_body_start(struct http1 *http1);
/* lop_body_read_f */
ssize_t http1_body_read(void *context, void *buffer, size_t size);
ssize_t http1_body_splice(void *context, int pipe, size_t size);
/* Whether what is left of the body is short enough to be thrown away. */
bool http1_body_drainable(const struct http1 *http1);

/* http1_gateway.c */
extern const struct request_carrier http1_carrier;
/* Lets a hook read the body, whatever the response waits for. */
void http1_body_ready(struct http1 *http1);
/* Hands the connection over when the response that stands says so. */
void http1_try_upgrade(struct http1 *http1);
enum http1_next http1_step_half(struct http1 *http1);
/* Whether the response that stands goes out while the body is still read. */
bool http1_is_duplex(const struct http1 *http1);

/* http1_send.c */
/* Queues the head, and the body as far as it is at hand. 0 or a negative errno. */
int http1_respond(struct http1 *http1);
/* Queues an interim response with the response's fields from the index `first` on. */
int http1_queue_interim(struct http1 *http1, int status, unsigned first);
/* Moves body segments to the output: 1 all are queued, 0 there is no room, -EAGAIN a stream has
 * nothing now, negative errno. */
int http1_queue_body(struct http1 *http1);
/* Queues bytes that last (a copy is made). */
int http1_queue_text(struct http1 *http1, const char *text, size_t length);

/* Whether the worker's input buffer is this connection's now. */
static inline bool http1_stepping(const struct http1 *http1)
{
	return http1->worker->stepping == http1;
}

/* Bytes that the transport has taken. */
static inline uint64_t http1_bytes_sent(const struct http1 *http1)
{
	const struct output *output = http1->conn->output;

	return http1->bytes_queued - (output != NULL ? (uint64_t)output->bytes : 0);
}

#endif
