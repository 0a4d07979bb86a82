/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Below OpenSSL: what goes to and comes from the socket. It spends no system call on learning that a
 * socket is empty when the last read has shown that, and none on a short record that can go along
 * with the next. What the socket does not take is kept here, so that OpenSSL never has to wait in the
 * middle of a record.
 */
#ifndef TLS_WIRE_H
#define TLS_WIRE_H

#include <openssl/bio.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct lop_worker;

struct wire {
	const struct lop_worker *worker;
	int descriptor;
	bool more;     /* what is written next may wait for what follows */
	bool last;     /* it is the last of those that may be gathered in `out` */
	/* What OpenSSL writes is not sent, for good or until it flushes that: records come by
	 * wire_room(). */
	enum { WIRE_OPEN, WIRE_MUTED, WIRE_MUTED_TO_FLUSH } muted;
	bool blocked;  /* the socket took less than it was given */
	bool started;  /* the first bytes have come */
	bool plain;    /* they were not TLS, but letters */
	bool ended;    /* the peer writes no more */
	int error;     /* negative errno of the socket, 0 none */
	int64_t empty; /* turn of the loop in which the socket was read empty */
	int64_t turn;  /* in which something was read last */
	size_t fruitless; /* bytes of that turn that brought the reader nothing yet */
	/* Lent by the writer of several records, WIRE_OUT bytes, for all but the last: one system
	 * call sends them. NULL else. */
	unsigned char *out;
	size_t out_length;
	unsigned char *unsent; /* malloc'ed, NULL mostly */
	size_t unsent_begin;
	size_t unsent_end;
	size_t unsent_size;
	size_t *kept; /* the sum of that over all connections of the worker */
	unsigned char *ahead; /* the first bytes of a plain connection, not yet given away */
	size_t ahead_begin;
	size_t ahead_end;
};

/* Sixteen full records. The last one that its lender writes is not copied. */
#define WIRE_OUT ((size_t)260 * 1024)

/* Shared by all connections of the process; NULL when memory is out. */
BIO_METHOD *wire_method_new(void);

/* Where a record of that length can be written in `out`, behind what is there, which is sent if need
 * be; its writer adds to `out_length`. NULL: `blocked`, or `error`. */
unsigned char *wire_room(struct wire *wire, size_t length);
/* Has a few bytes go out with the next flush. What cannot be kept is an `error`. */
void wire_keep(struct wire *wire, const void *data, size_t length);
/* Sends what is kept. Returns 0, LOP_WANT_WRITE or a negative errno. */
int wire_flush(struct wire *wire);
static inline bool wire_empty(const struct wire *wire)
{
	return wire->unsent_begin == wire->unsent_end && wire->out_length == 0;
}
/* So many bytes of what was read were the reader's; a record of them may have some padding. */
static inline void wire_used(struct wire *wire, size_t count)
{
	count += 1024;
	wire->fruitless -= count < wire->fruitless ? count : wire->fruitless;
}
void wire_free(struct wire *wire);

/* A connection that is not TLS: as lop_transport's functions. */
ssize_t wire_read_plain(struct wire *wire, void *buffer, size_t size);

#endif
