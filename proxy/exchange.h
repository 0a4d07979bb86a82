/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One request on its way to an upstream and back. Lives in the request's arena; from the hook's
 * first call to its last, and then in the stream of the response's body, one of the two drives it.
 *
 * exchange.c runs the states, exchange_head.c writes the request's head, exchange_upload.c moves
 * its body, exchange_answer.c makes a response of the answer's head, exchange_body.c is the stream,
 * tunnel.c the stream after an upgrade.
 *
 * Everything that waits is woken through the request: the connection to the upstream, the pool's
 * queue and the client.
 */
#ifndef PROXY_EXCHANGE_H
#define PROXY_EXCHANGE_H

#include <string.h>
#include <strings.h>

#include "answer.h"
#include "chunks.h"
#include "proxy.h"

enum exchange_state {
	EXCHANGE_GATHER,  /* the body is gathered before a server is asked */
	EXCHANGE_PICK,    /* which server? */
	EXCHANGE_NAMES,   /* which servers are there? */
	EXCHANGE_QUEUE,   /* all are busy */
	EXCHANGE_CONNECT,
	EXCHANGE_SEND,    /* the head, and what is at hand of the body */
	EXCHANGE_ANSWER,  /* the rest of the body goes up, an answer may come */
	EXCHANGE_STREAM,  /* the response stands, its body is pulled */
	EXCHANGE_OVER,    /* nothing is held any more */
	EXCHANGE_STATES,
};

/* Bytes that the upstream did not take yet. */
struct unsent {
	char *data;
	size_t begin, end, size;
};

/* The request's body. */
struct upload {
	int64_t length;  /* as the upstream is told: -1 chunked, 0 none */
	char *body;      /* what was gathered of it */
	size_t body_length, body_size;
	size_t body_sent;
	struct unsent unsent; /* head and body, as it goes over the wire */
	int pipe[2];          /* behind that, when has_pipe */
	size_t piped;         /* bytes in it */
	bool has_pipe;
	bool copied;     /* it cannot be spliced */
	int64_t read;    /* from the client, without what was gathered */
	bool gathered;   /* `body` is all of it, and stays for another try */
	bool ended;      /* nothing more comes from the client */
	bool done;       /* the upstream has all of it */
	bool stopped;    /* the upstream wants no more of it */
	bool consumed;   /* bytes are gone that another server would need */
	bool expecting;  /* the client waits for a 100 of the upstream's */
	int error;       /* of the client's side */
};

struct exchange {
	struct proxy *proxy;
	struct lop_request *request;
	const struct route *route;
	struct server *server;     /* whom it was given to; NULL: none */
	struct upstream *upstream; /* NULL: none */
	struct upload upload;
	struct pick pick;
	struct pool_waiter waiter;
	struct exchange *next, *previous; /* among those that wait for names */
	uint8_t state;
	uint8_t method;      /* enum lop_method */
	bool awaits_names;
	bool queued;         /* in the pool's queue */
	bool queue_over;     /* it was in vain */
	bool fresh;          /* do not take a kept connection */
	bool sent;           /* bytes of the request went out on this connection */
	bool answered;       /* bytes of an answer came */
	bool upgrade;        /* asked for */
	bool keep;           /* the connection may be kept, */
	bool spoilt;         /* unless an interim response on it was no such thing */
	bool ended;          /* the body of the answer is whole */
	uint8_t outcome;     /* enum outcome, by the answer's status */
	uint8_t framing;     /* enum answer_framing, of the answer's body */
	uint8_t interims;
	int failure;         /* the status when no other server is left */
	unsigned tries;
	size_t scanned;      /* of an incomplete head */
	int64_t over_by;     /* ns of the worker's clock; 0 any time */
	int64_t sent_at;     /* when the request was all sent, or was tried last */
	int64_t left;        /* of the body: ANSWER_LENGTH */
	struct chunks chunks;
	struct tunnel *tunnel;
};

/* Names of fields: any case. */
static inline bool str_is(struct lop_str text, const char *other)
{
	return text.length == strlen(other) && strncasecmp(text.data, other, text.length) == 0;
}

/* exchange.c */

/* Lets the request's hook or stream run. */
void exchange_wake(void *exchange);
/* The client's body goes on while the response is on its way. */
void exchange_go_on(void *exchange);
/* The answer is whole: lets go of server and connection, which is kept if that is possible. */
void exchange_finish(struct exchange *exchange);
/* It cannot come to a good end. */
void exchange_fail(struct exchange *exchange, enum outcome outcome);
/* The next thing from the upstream must come within this time, and within that of the whole. */
void exchange_deadline(struct exchange *exchange, int64_t after);
/* Whether the same request may be sent once more, as far as its own meaning goes. */
bool exchange_is_safe(const struct exchange *exchange);

/* exchange_head.c */

/* Writes the request's head; its length, -ENOBUFS or -EINVAL. */
long exchange_write_head(struct exchange *exchange, char *out, size_t size);
/* The Host field that the upstream is sent. */
struct lop_str exchange_host(const struct exchange *exchange);
/* Whether a field may stand behind a body: it neither frames nor routes the message. */
bool field_may_trail(struct lop_str name);

/* exchange_names.c */

/* Whether there are names of the route's without any answer so far: then it is woken by the first. */
bool exchange_await_names(struct exchange *exchange);
void exchange_leave_names(struct exchange *exchange);

/* exchange_upload.c */

void upload_begin(struct exchange *exchange);
/* Gathers the body: 0 it is over, -EAGAIN, or an error of the client's. */
int upload_gather(struct exchange *exchange);
/* Before a try: from the beginning. */
void upload_restart(struct exchange *exchange);
/* Sends the head, length bytes at the front of the scratch memory, and what is at hand of the body.
 * 0, or an error of the upstream's. */
int upload_send_head(struct exchange *exchange, size_t length);
/* Goes on: 0 there is nothing left to do, -EAGAIN, or an error of the upstream's. One of the
 * client's is in upload.error. */
int upload_run(struct exchange *exchange);
void upload_clear(struct exchange *exchange);

/* exchange_splice.c */

/* Moves what the client has sent into the pipe, which must be empty: a count, 0 the end, -EAGAIN,
 * -EOPNOTSUPP (copy it), or the client's error. */
ssize_t splice_in(struct exchange *exchange);
/* Moves that on: 0 the pipe is empty, -EAGAIN, or the upstream's error. */
int splice_out(struct exchange *exchange);
void splice_clear(struct exchange *exchange);

/* exchange_answer.c: reads what has come, and makes it the response. LOP_DONE, LOP_AGAIN (maybe
 * after an interim response), or a negative errno of the upstream's. */
int exchange_read_answer(struct exchange *exchange);

/* exchange_body.c: sets the body of the response. data: length bytes of it that came with the head,
 * in the proxy's input. 0 or a negative errno. */
int exchange_set_body(struct exchange *exchange, const struct answer *answer, char *data,
                      size_t length);

/* tunnel.c */

/* Makes the exchange a tunnel; data: what came behind the head. 0 or a negative errno. */
int tunnel_begin(struct exchange *exchange, const struct answer *answer, const char *data,
                 size_t length);
/* What the client sent goes up. */
void tunnel_move(struct exchange *exchange);
void tunnel_end(struct exchange *exchange);

#endif
