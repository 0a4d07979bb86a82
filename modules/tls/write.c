/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <lophttpd/loop.h>
#include <lophttpd/transport.h>

#include "compat.h"
#include "connection.h"

/* A browser can show what came as soon as a record is whole: until a window of the usual initial
 * size has been sent, and again after a pause, records fit in a packet each. */
#define SMALL_RECORD ((size_t)1360)
#define SMALL_BYTES 14600
#define PAUSE_NS INT64_C(1000000000)

/* Whether records are to be small now. */
static bool is_ramping(struct tls_connection *connection)
{
	const int64_t now = lop_worker_now(connection->tls->worker);

	if (now - connection->written > PAUSE_NS)
		connection->ramp = 0;
	connection->written = now;
	return connection->ramp < SMALL_BYTES;
}

static size_t record_size(struct tls_connection *connection, size_t length)
{
	size_t size = RECORD_MAX;

	if (is_ramping(connection)) {
		/* What fits in two packets anyway is not cut. */
		size = length <= 2 * SMALL_RECORD ? length : SMALL_RECORD;
		connection->ramp += (uint32_t)size;
	}
	return size < length ? size : length;
}

/* As SSL_write(), of one record; 0: the socket is full. */
static int write_record(struct tls_connection *connection, const unsigned char *data, size_t size)
{
	struct wire *wire = &connection->wire;
	unsigned char *room;
	size_t length;

	/* New keys that the peer asked for are OpenSSL's to make, before anything else is written. */
	if (connection->seal.cipher == NULL || compat_owes_keys(connection->ssl))
		return SSL_write(connection->ssl, data, (int)size);
	room = wire_room(wire, size + SEAL_OVERHEAD);
	if (room == NULL)
		return wire->blocked ? 0 : -1;
	if (wire_empty(wire))
		connection->gathered = 0;
	length = seal_record(&connection->seal, SSL3_RT_APPLICATION_DATA, data, size, room);
	if (length == 0) {
		wire->error = -EPROTO;
		return -1;
	}
	wire->out_length += length;
	return (int)size;
}

/* So many bytes are to be encrypted now. */
static void begin(struct tls_connection *connection, size_t length)
{
	if (ERR_peek_error() != 0)
		ERR_clear_error();
	connection->gathered = 0;
	connection->wire.out = connection->tls->out;
	if (length <= RECORD_MAX) /* then it makes no difference */
		return;
	connection->tls->short_only = 0;
	if (seal_begin(&connection->seal, connection->ssl))
		connection->wire.muted = WIRE_MUTED;
}

/* Encrypts until all is done or the socket is full. `rest`: further bytes follow before finish();
 * `more`: and behind that. Returns how much was encrypted, or a negative errno. */
static ssize_t write_records(struct tls_connection *connection, const unsigned char *data,
                             size_t length, bool rest, bool more)
{
	struct wire *wire = &connection->wire;
	size_t done = 0;

	while (done < length && !wire->blocked) {
		const size_t size = record_size(connection, length - done);
		int written;

		wire->last = !rest && done + size == length;
		wire->more = more || !wire->last;
		written = write_record(connection, data + done, size);
		if (written == 0 && wire->blocked)
			break;
		if (written <= 0) {
			const int result = connection_outcome(connection, written);

			return result < 0 && result > LOP_WANT_READ ? result : -EPROTO;
		}
		done += (size_t)written;
		connection->gathered = wire_empty(wire) ? 0
		                                        : connection->gathered + (size_t)written;
	}
	return (ssize_t)done;
}

/* Sends the rest of what was encrypted. Returns what can be reported as taken: what the socket has not
 * taken wholly is owed. */
static ssize_t finish(struct tls_connection *connection, ssize_t encrypted)
{
	struct wire *wire = &connection->wire;
	size_t taken = (size_t)encrypted;
	int result = 0;

	if (encrypted >= 0 && !wire->blocked)
		result = wire_flush(wire);
	wire->out = NULL;
	if (encrypted < 0)
		return encrypted;
	if (result < 0 && result != LOP_WANT_WRITE)
		return result;
	if (!wire->blocked)
		return encrypted;
	connection->owed = connection->gathered < taken ? connection->gathered : taken;
	taken -= connection->owed;
	return taken > 0 ? (ssize_t)taken : LOP_WANT_WRITE;
}

/* Before anything new is written, what was begun comes to its end. Returns 1 to go on, or what to
 * report: bytes that were owed, LOP_WANT_WRITE, a negative errno. */
static ssize_t settle(struct tls_connection *connection, size_t asked)
{
	size_t reported;

	if (!connection->wire.blocked && connection->owed == 0)
		return 0;
	connection->wire.more = false;
	const int result = wire_flush(&connection->wire);

	if (result < 0)
		return result;
	reported = connection->owed < asked ? connection->owed : asked;
	connection->owed -= reported;
	return (ssize_t)reported;
}

static int hold(struct tls_connection *connection, const struct iovec *vector, int count,
                size_t total)
{
	unsigned char *held = realloc(connection->held, connection->held_length + total);

	if (held == NULL)
		return -ENOMEM;
	connection->held = held;
	for (int i = 0; i < count; i++) {
		memcpy(held + connection->held_length, vector[i].iov_base, vector[i].iov_len);
		connection->held_length += vector[i].iov_len;
	}
	return 0;
}

/* Puts what is held in front of what follows. */
static void release(const struct tls_connection *connection, unsigned char *place)
{
	if (connection->held_length > 0)
		memcpy(place, connection->held, connection->held_length);
}

/* Of what was held so much went out. */
static void forget_held(struct tls_connection *connection, size_t sent)
{
	if (sent < connection->held_length) {
		connection->held_length -= sent;
		memmove(connection->held, connection->held + sent, connection->held_length);
		return;
	}
	free(connection->held);
	connection->held = NULL;
	connection->held_length = 0;
}

/* Copies pieces into the buffer, from *piece and *offset on, which move. */
static size_t gather(unsigned char *buffer, size_t size, const struct iovec *vector, int count,
                     int *piece, size_t *offset)
{
	size_t length = 0;

	while (*piece < count && length < size) {
		const struct iovec *from = &vector[*piece];
		size_t part = from->iov_len - *offset;

		if (part > size - length)
			part = size - length;
		memcpy(buffer + length, (const char *)from->iov_base + *offset, part);
		length += part;
		*offset += part;
		if (*offset == from->iov_len) {
			(*piece)++;
			*offset = 0;
		}
	}
	return length;
}

/* Several pieces become as few records as they can; those of a long one are not copied. */
static ssize_t write_pieces(struct tls_connection *connection, const struct iovec *vector, int count,
                            size_t total, bool more)
{
	unsigned char *buffer = connection->tls->buffer;
	size_t taken = 0, offset = 0;
	int piece = 0;

	while (taken < total && !connection->wire.blocked) {
		const size_t held = connection->held_length;
		const unsigned char *bytes = (unsigned char *)vector[piece].iov_base + offset;
		size_t length = vector[piece].iov_len - offset;
		ssize_t done;

		if (held == 0 && length >= RECORD_MAX) {
			piece++;
			offset = 0;
		} else {
			length = gather(buffer + held, RECORD_MAX - held, vector, count, &piece,
			                &offset);
			release(connection, buffer);
			bytes = buffer;
		}
		done = write_records(connection, bytes, held + length, taken + length < total,
		                     more);
		if (done < 0)
			return done;
		forget_held(connection, (size_t)done);
		taken += (size_t)done > held ? (size_t)done - held : 0;
	}
	return (ssize_t)taken;
}

static ssize_t write_socket(const struct tls_connection *connection, const struct iovec *vector,
                            int count, int more)
{
	struct msghdr message = { .msg_iovlen = (size_t)count };
	int flags = 0;
	ssize_t sent;

#ifdef MSG_NOSIGNAL
	flags |= MSG_NOSIGNAL;
#endif
#ifdef MSG_MORE
	flags |= more ? MSG_MORE : 0;
#endif
	(void)more;
	message.msg_iov = (struct iovec *)(uintptr_t)vector; /* it is not changed */
	do
		sent = sendmsg(connection->wire.descriptor, &message, flags);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return sent;
	return errno == EAGAIN || errno == EWOULDBLOCK ? LOP_WANT_WRITE : -errno;
}

ssize_t connection_writev(void *state, const struct iovec *vector, int count, int more)
{
	struct tls_connection *connection = state;
	size_t total = 0;
	ssize_t result;

	/* The kernel would keep an open record, which only more data or a goodbye that fits ends. */
	if (connection->wire.plain || connection->kernel)
		return write_socket(connection, vector, count, more == LOP_MORE_DATA);
	for (int i = 0; i < count; i++)
		total += vector[i].iov_len;
	result = settle(connection, total);
	if (result != 0)
		return result;
	if (more == LOP_MORE_DATA && connection->held_length + total <= HEAD_MAX) {
		result = hold(connection, vector, count, total);
		return result < 0 ? result : (ssize_t)total;
	}
	begin(connection, connection->held_length + total);
	return finish(connection, write_pieces(connection, vector, count, total, more != 0));
}

static ssize_t read_file(int file, unsigned char *buffer, size_t size, off_t offset)
{
	ssize_t count;

	do
		count = pread(file, buffer, size, offset);
	while (count < 0 && errno == EINTR);
	return count < 0 ? -errno : count;
}

/* Where a file's bytes go, with room for a head in front: they lie in their page as they do in the
 * kernel's. Processors copy many times slower when the destination is up to 63 bytes further. */
static unsigned char *place(const struct tls *tls, off_t offset)
{
	return tls->buffer + HEAD_MAX + (size_t)offset % PAGE;
}

/* The file goes through the buffer. */
static ssize_t copy_file(struct tls_connection *connection, int file, off_t offset, size_t length,
                         bool more)
{
	size_t taken = 0;

	while (taken < length && !connection->wire.blocked) {
		const size_t held = connection->held_length;
		unsigned char *bytes = place(connection->tls, offset + (off_t)taken);
		size_t wanted = length - taken;
		ssize_t count, done;

		/* Full records only, unless this is all. */
		if (wanted > BATCH_MAX + HEAD_MAX - held)
			wanted = BATCH_MAX - held;
		count = read_file(file, bytes, wanted, offset + (off_t)taken);
		if (count <= 0)
			return taken > 0 ? (ssize_t)taken : count;
		release(connection, bytes - held);
		done = write_records(connection, bytes - held, held + (size_t)count,
		                     taken + (size_t)count < length, more);
		if (done < 0)
			return done;
		forget_held(connection, (size_t)done);
		taken += (size_t)done > held ? (size_t)done - held : 0;
	}
	return (ssize_t)taken;
}

/* For a connection that is not TLS after all, whose answers are short. */
static ssize_t send_plain(const struct tls_connection *connection, int file, off_t offset,
                          size_t length)
{
	struct iovec vector = { .iov_base = connection->tls->buffer };
	const ssize_t count = read_file(file, connection->tls->buffer,
	                                length < BUFFER_SIZE ? length : BUFFER_SIZE, offset);

	if (count <= 0)
		return count;
	vector.iov_len = (size_t)count;
	return write_socket(connection, &vector, 1, 0);
}

ssize_t connection_sendfile(void *state, int file, off_t offset, size_t length, int more)
{
	struct tls_connection *connection = state;
	ssize_t result;

	if (connection->wire.plain)
		return send_plain(connection, file, offset, length);
	if (connection->kernel) {
		/* A record ends with the call. */
		if (is_ramping(connection))
			length = record_size(connection, length);
		result = compat_kernel_sendfile(connection->ssl, file, offset, length);
		return result >= 0 ? result : connection_outcome(connection, (int)result);
	}
	result = settle(connection, length);
	if (result != 0)
		return result;
	begin(connection, connection->held_length + length);
	return finish(connection, copy_file(connection, file, offset, length, more != 0));
}

/* Returns 0, or LOP_WANT_WRITE: what the kernel encrypts goes straight to the socket, which was full. */
static int say_goodbye(SSL *ssl)
{
	const int result = SSL_shutdown(ssl);
	int error;

	if (result >= 0)
		return 0;
	error = SSL_get_error(ssl, result);
	ERR_clear_error();
	return error == SSL_ERROR_WANT_WRITE ? LOP_WANT_WRITE : 0;
}

int connection_shutdown(void *state)
{
	struct tls_connection *connection = state;
	struct wire *wire = &connection->wire;
	int result = 0;

	if (!wire->plain && !connection->said_goodbye) {
		wire->more = false;
		result = wire_flush(wire);
		if (result < 0)
			return result;
		result = say_goodbye(connection->ssl);
		if (result < 0)
			return result;
		connection->said_goodbye = true;
	}
	if (!wire->plain)
		result = wire_flush(wire);
	if (result < 0)
		return result;
	return shutdown(wire->descriptor, SHUT_WR) < 0 ? -errno : 0;
}

int connection_copies(void *state)
{
	const struct tls_connection *connection = state;

	return !connection->kernel;
}
