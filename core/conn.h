/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection: one accepted socket, its transport, its protocol, and its place in the loop. It
 * has one job: to let the protocol step when there is something to do, until the deadline.
 *
 * An idle connection is this struct and nothing else: buffers, output and the protocol's state
 * come from the worker's pools while they are needed.
 */
#ifndef CONN_H
#define CONN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <lophttpd/protocol.h>
#include <lophttpd/transport.h>

#include "list.h"
#include "loop.h"
#include "output.h"
#include "sched.h"
#include "timer.h"

#define CONN_MAGIC 0x434f4e4eu

struct acceptor;
struct address;

enum conn_state {
	CONN_PROXY,     /* a PROXY header is to come; there is no transport yet */
	CONN_HANDSHAKE, /* the transport is not ready */
	CONN_CHOOSE,    /* the first bytes decide the protocol */
	CONN_OPEN,      /* the protocol runs */
};

struct lop_connection {
	uint32_t magic;
	int descriptor;
	struct loop_source source;
	struct sched_entry run;
	struct timer timer;
	struct list node; /* in the worker's list */
	struct lop_worker *worker;
	struct acceptor *acceptor;
	const struct lop_protocol *protocol;
	void *protocol_state;
	void *transport_state;
	struct output *output; /* NULL when nothing waits */
	char *pending;         /* bytes read and not yet used; malloc'ed, NULL mostly */
	uint32_t pending_length;
	uint32_t pending_size;
	int64_t deadline; /* ns of the worker's clock, 0 none; the timer may be earlier */
	int64_t partial;  /* when the first byte came of a head that is pending, 0 none */
	uint64_t number;  /* from 1, in this worker */
	char *local;      /* text of the local address once somebody asked */
	uint32_t requests;
	enum conn_state state;
	bool registered; /* with the loop */
	bool readable;   /* a read may give something */
	bool writable;
	bool hup;        /* the peer writes no more: reads go on until they say so */
	bool broken;     /* both directions are gone */
	bool crossed;    /* a read waits for writing, or a write for reading: any edge may help */
	bool surplus;    /* above the limit of connections: to be refused in good order */
	bool timed_out;  /* the deadline passed; the protocol's step shall see to it */
	uint8_t remote_length;
	uint16_t remote_port;
	uint16_t local_port; /* as a PROXY header said, 0: the listener's */
	char remote[INET6_ADDRSTRLEN];
};

/* Takes the descriptor over. Steps at once: its first bytes have often come with it. Returns 0, or
 * a negative errno after closing the descriptor. */
int conn_open(struct acceptor *acceptor, int descriptor, const struct address *remote);
/* Whether sending a file copies its bytes. */
bool conn_copies(const struct lop_connection *conn);

/* Ends the protocol and the transport, closes the socket, frees. */
void conn_close(struct lop_connection *conn);
/* Has the close throw unsent bytes away, which the kernel would keep for a reader that does not
 * read; the peer sees a reset. */
void conn_reset_on_close(struct lop_connection *conn);

/* conn_proxy.c: takes the header off the socket. Returns 1 when it was there, 0 to wait for more of it,
 * or a negative errno: the connection is to be closed. */
int conn_proxy_step(struct lop_connection *conn);
/* Whether connections from there may bring a header (--proxy-from). */
bool conn_proxy_trusts(struct acceptor *acceptor, const struct address *remote);
void conn_set_remote(struct lop_connection *conn, const struct address *remote);

/* Queues a step. */
void conn_wake(struct lop_connection *conn);

/* lop_connection_read(), straight from the transport once nothing is pending. */
ssize_t conn_read(struct lop_connection *conn, void *buffer, size_t size);
/* Moves bytes from a plain connection into an empty pipe, once nothing is pending. Results as of
 * conn_read(); -EOPNOTSUPP: it cannot be done. */
ssize_t conn_splice(struct lop_connection *conn, int pipe, size_t size);
/* Puts bytes back in front of everything that will be read; 0 or -ENOMEM. */
int conn_unread(struct lop_connection *conn, const char *data, size_t length);

/* The output, made when there is none; NULL when memory is out. */
struct output *conn_output(struct lop_connection *conn);
/* As output_flush(): 1, 0, -EAGAIN, negative errno. An emptied output goes back to the pool. */
int conn_flush(struct lop_connection *conn, size_t quantum);

#endif
