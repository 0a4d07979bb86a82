/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire.h"

#include <errno.h>
#include <lophttpd/loop.h>
#include <lophttpd/transport.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifndef MSG_MORE
#define MSG_MORE 0
#endif
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

/* Pieces up to this size are gathered: a record, or what OpenSSL writes a handshake in. */
#define GATHER_PIECE 17000
#define GATHER_MAX ((size_t)80 * 1024)
/* So that what is kept does not grow piece by piece; of memory that is not written to, little is
 * taken. */
#define KEPT_LEAST GATHER_MAX
/* From here on, of all connections together, each new one keeps less. */
#define KEPT_LOTS ((size_t)16 * 1024 * 1024)

/* OpenSSL reads on until it has something for its caller. A peer that sends nothing but new keys, or
 * padding, as fast as they are read, would keep everybody else waiting. */
#define FRUITLESS_MAX ((size_t)128 * 1024)

static bool would_block(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* Appends to what is kept. */
static int keep(struct wire *wire, const void *data, size_t length)
{
	const size_t kept = wire->unsent_end - wire->unsent_begin;

	if (length == 0)
		return 0;
	if (wire->unsent_begin > 0) {
		memmove(wire->unsent, wire->unsent + wire->unsent_begin, kept);
		wire->unsent_begin = 0;
		wire->unsent_end = kept;
	}
	if (kept + length > wire->unsent_size) {
		size_t size = kept + length < KEPT_LEAST ? KEPT_LEAST : kept + length;
		unsigned char *grown = realloc(wire->unsent, size);

		if (grown == NULL)
			return -ENOMEM;
		wire->unsent = grown;
		*wire->kept += size - wire->unsent_size;
		wire->unsent_size = size;
	}
	memcpy(wire->unsent + kept, data, length);
	wire->unsent_end = kept + length;
	return 0;
}

static void drop(struct wire *wire)
{
	free(wire->unsent);
	*wire->kept -= wire->unsent_size;
	wire->unsent = NULL;
	wire->unsent_begin = wire->unsent_end = wire->unsent_size = 0;
}

/* What there is to send, in its order. */
enum { KEPT, GATHERED, NEW, PIECES };

static ssize_t send_pieces(const struct wire *wire, struct iovec pieces[PIECES])
{
	const int flags = MSG_NOSIGNAL | (wire->more ? MSG_MORE : 0);
	struct msghdr message = { .msg_iov = pieces, .msg_iovlen = PIECES };
	ssize_t sent;

	do
		sent = pieces[KEPT].iov_len + pieces[GATHERED].iov_len == 0
		               ? send(wire->descriptor, pieces[NEW].iov_base,
		                      pieces[NEW].iov_len, flags)
		               : sendmsg(wire->descriptor, &message, flags);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return would_block(errno) ? 0 : -errno;
	return sent;
}

/* Sends what is kept and gathered and data behind it; what does not go out is kept. Returns the
 * length of the data or a negative errno. */
static ssize_t transmit(struct wire *wire, const char *data, size_t length)
{
	struct iovec pieces[PIECES] = {
		[KEPT] = { .iov_base = wire->unsent, .iov_len = wire->unsent_end },
		[GATHERED] = { .iov_base = wire->out, .iov_len = wire->out_length },
		[NEW] = { .iov_base = (char *)(uintptr_t)data, .iov_len = length },
	};
	ssize_t sent;
	int result = 0;

	if (wire->unsent_begin > 0) {
		pieces[KEPT].iov_base = wire->unsent + wire->unsent_begin;
		pieces[KEPT].iov_len -= wire->unsent_begin;
	}
	sent = send_pieces(wire, pieces);
	if (sent < 0)
		return sent;
	wire->out_length = 0;
	for (int i = 0; i < PIECES && result == 0; i++) {
		size_t gone = (size_t)sent < pieces[i].iov_len ? (size_t)sent : pieces[i].iov_len;

		sent -= (ssize_t)gone;
		if (i == KEPT)
			wire->unsent_begin += gone;
		else
			result = keep(wire, (char *)pieces[i].iov_base + gone,
			              pieces[i].iov_len - gone);
	}
	wire->blocked = wire->unsent_begin < wire->unsent_end;
	if (!wire->blocked)
		drop(wire);
	return result < 0 ? result : (ssize_t)length;
}

int wire_flush(struct wire *wire)
{
	ssize_t result;

	if (wire->error < 0)
		return wire->error;
	if (wire_empty(wire)) {
		wire->blocked = false;
		return 0;
	}
	result = transmit(wire, NULL, 0);
	if (result < 0) {
		wire->error = (int)result;
		return wire->error;
	}
	return wire->blocked ? LOP_WANT_WRITE : 0;
}

/* How much goes out at once: what a socket does not take of it is kept. */
static size_t out_size(const struct wire *wire)
{
	return *wire->kept < KEPT_LOTS ? WIRE_OUT : WIRE_OUT / 4;
}

unsigned char *wire_room(struct wire *wire, size_t length)
{
	if (wire->out_length + length > out_size(wire) && wire_flush(wire) != 0)
		return NULL;
	return wire->out + wire->out_length;
}

void wire_keep(struct wire *wire, const void *data, size_t length)
{
	const int result = keep(wire, data, length);

	if (result < 0)
		wire->error = result;
}

static int wire_write(BIO *bio, const char *data, int length)
{
	struct wire *wire = BIO_get_data(bio);
	const size_t kept = wire->unsent_end - wire->unsent_begin;
	ssize_t result;

	BIO_clear_retry_flags(bio);
	if (wire->error < 0 || length <= 0)
		return -1;
	if (wire->muted != WIRE_OPEN)
		return length;
	if (wire->more && !wire->last && !wire->blocked && wire->out != NULL &&
	    wire->out_length + (size_t)length <= out_size(wire)) {
		memcpy(wire->out + wire->out_length, data, (size_t)length);
		wire->out_length += (size_t)length;
		return length;
	}
	if ((wire->blocked || (wire->more && wire->out == NULL)) && length <= GATHER_PIECE &&
	    kept + (size_t)length <= GATHER_MAX) {
		result = keep(wire, data, (size_t)length) < 0 ? -ENOMEM : length;
	} else if (wire->blocked) {
		/* A peer that asks for answers and does not take them. */
		BIO_set_retry_write(bio);
		return -1;
	} else {
		result = transmit(wire, data, (size_t)length);
	}
	if (result < 0)
		wire->error = (int)result;
	return result < 0 ? -1 : length;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* What comes first tells TLS from a client that was sent to the wrong port. */
static bool take_start(struct wire *wire, const char *data, size_t length)
{
	wire->started = true;
	if (data[0] < 'A' || data[0] > 'Z')
		return true;
	wire->plain = true;
	wire->ahead = malloc(length);
	if (wire->ahead == NULL) {
		wire->error = -ENOMEM;
		return false;
	}
	memcpy(wire->ahead, data, length);
	wire->ahead_end = length;
	return false;
}

static ssize_t receive(struct wire *wire, void *buffer, size_t size)
{
	ssize_t count;

	do
		count = recv(wire->descriptor, buffer, size, 0);
	while (count < 0 && errno == EINTR);
	return count < 0 ? -errno : count;
}

static bool is_too_much(struct wire *wire, size_t count, int64_t turn)
{
	if (wire->turn != turn)
		wire->fruitless = 0;
	wire->turn = turn;
	wire->fruitless += count;
	return wire->fruitless > FRUITLESS_MAX;
}

static int wire_read(BIO *bio, char *buffer, int size)
{
	struct wire *wire = BIO_get_data(bio);
	const int64_t turn = lop_worker_now(wire->worker);
	ssize_t count;

	BIO_clear_retry_flags(bio);
	if (wire->error < 0 || size <= 0)
		return -1;
	/* What comes after this turn's events is an event of the next. */
	if (wire->empty == turn) {
		wire->empty = 0;
		BIO_set_retry_read(bio);
		return -1;
	}
	count = receive(wire, buffer, (size_t)size);
	if (count == -EAGAIN || count == -EWOULDBLOCK) {
		BIO_set_retry_read(bio);
		return -1;
	}
	if (count < 0) {
		wire->error = (int)count;
		return -1;
	}
	if (count == 0) {
		wire->ended = true;
		return 0;
	}
	if (is_too_much(wire, (size_t)count, turn)) {
		wire->error = -EPROTO;
		return -1;
	}
	if (count < size)
		wire->empty = turn;
	return wire->started || take_start(wire, buffer, (size_t)count) ? (int)count : -1;
}

ssize_t wire_read_plain(struct wire *wire, void *buffer, size_t size)
{
	size_t count = wire->ahead_end - wire->ahead_begin;
	ssize_t result;

	if (count > 0) {
		if (count > size)
			count = size;
		memcpy(buffer, wire->ahead + wire->ahead_begin, count);
		wire->ahead_begin += count;
		return (ssize_t)count;
	}
	result = receive(wire, buffer, size);
	return result == -EAGAIN || result == -EWOULDBLOCK ? LOP_WANT_READ : result;
}

/* ---- the rest of a BIO ---------------------------------------------------------------------- */

static long wire_control(BIO *bio, int command, long number, void *pointer)
{
	struct wire *wire = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH: /* the transport's functions send at their end */
		if (wire->muted == WIRE_MUTED_TO_FLUSH)
			wire->muted = WIRE_OPEN;
		return 1;
	case BIO_CTRL_EOF:
		return wire->ended;
	default:
		return 0;
	}
}

static int wire_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

BIO_METHOD *wire_method_new(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");

	if (method == NULL || BIO_meth_set_write(method, wire_write) != 1 ||
	    BIO_meth_set_read(method, wire_read) != 1 ||
	    BIO_meth_set_ctrl(method, wire_control) != 1 ||
	    BIO_meth_set_create(method, wire_create) != 1) {
		BIO_meth_free(method);
		return NULL;
	}
	return method;
}

void wire_free(struct wire *wire)
{
	drop(wire);
	free(wire->ahead);
}
