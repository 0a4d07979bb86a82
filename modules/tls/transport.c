/* SPDX-License-Identifier: BSD-2-Clause */
#include "transport.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "compat.h"
#include "connection.h"
#include "names.h"
#include "store.h"

const char *tls_reason(void)
{
	const unsigned long code = ERR_peek_error();
	const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return reason != NULL ? reason : "no reason is given";
}

struct tls *transport_module(const SSL *ssl)
{
	const struct tls_connection *connection = SSL_get_app_data(ssl);

	return connection->tls;
}

struct seal *transport_seal(const SSL *ssl)
{
	struct tls_connection *connection = SSL_get_app_data(ssl);

	return &connection->seal;
}

void transport_say(const SSL *ssl, unsigned char type, const void *message, size_t length)
{
	struct tls_connection *connection = SSL_get_app_data(ssl);
	unsigned char record[64];

	assert(length + SEAL_OVERHEAD <= sizeof(record)); /* an alert, or new keys */
	length = seal_record(&connection->seal, type, message, length, record);
	if (length == 0)
		connection->wire.error = -EPROTO;
	wire_keep(&connection->wire, record, length);
	if (type == SSL3_RT_HANDSHAKE) { /* new keys, which are not known here */
		seal_end(&connection->seal);
		connection->wire.muted = WIRE_MUTED_TO_FLUSH;
	}
}

bool transport_is_plain(const struct tls_connection *connection)
{
	return connection->wire.plain;
}

int transport_host(const struct tls_connection *connection)
{
	return connection->named ? connection->host : -1;
}

const char *transport_subject(struct tls_connection *connection)
{
	if (!connection->looked && connection->ssl != NULL && !connection->wire.plain)
		connection->subject = client_subject(connection->ssl);
	connection->looked = true;
	return connection->subject;
}

void transport_prepare(SSL_CTX *context)
{
	compat_choose_host(context);
	seal_prepare(context);
}

bool transport_choose_host(SSL *ssl, const unsigned char *body, size_t length)
{
	struct tls_connection *connection = SSL_get_app_data(ssl);
	const struct store *store = connection->tls->store;
	char name[NAME_SIZE];
	int host;

	switch (name_indicated(body, length, name)) {
	case 0:
		return true;
	case -1:
		return false;
	default:
		break;
	}
	connection->named = true;
	host = options_find_host(&connection->tls->options, name);
	if (host < 0)
		return true; /* the default host's, which the client will check */
	connection->host = host;
	return SSL_get_SSL_CTX(ssl) == store->contexts[host] ||
	       SSL_set_SSL_CTX(ssl, store->contexts[host]) != NULL;
}

/* ---- life ----------------------------------------------------------------------------------- */

/* Secrets are for long answers (seal.c). Where so many connections in a row had none, the next do
 * without until there is one. */
#define SHORT_ONLY_MANY 1000

/* The kernel can take over the writing side of a plain socket only. */
static bool attach(struct tls_connection *connection)
{
	BIO *in = BIO_new(connection->tls->wire), *out = in;

	if (in == NULL)
		return false;
	BIO_set_data(in, &connection->wire);
	if (connection->tls->kernel) {
		out = BIO_new_socket(connection->wire.descriptor, BIO_NOCLOSE);
		if (out == NULL) {
			BIO_free(in);
			return false;
		}
		compat_kernel_ask(connection->ssl);
	}
	SSL_set_bio(connection->ssl, in, out);
	return true;
}

static int tls_open(void *module, struct lop_connection *given, int descriptor, void **state)
{
	struct tls *tls = module;
	struct tls_connection *connection = calloc(1, sizeof(*connection));

	(void)given;
	if (connection == NULL)
		return -ENOMEM;
	connection->tls = tls;
	connection->wire.worker = tls->worker;
	connection->wire.descriptor = descriptor;
	connection->wire.kept = &tls->kept;
	connection->seal.wanted = tls->short_only++ < SHORT_ONLY_MANY;
	connection->host = tls->options.default_host;
	connection->ssl = SSL_new(tls->store->contexts[connection->host]);
	if (connection->ssl == NULL || !attach(connection)) {
		(void)tls_reason();
		SSL_free(connection->ssl);
		free(connection);
		return -ENOMEM;
	}
	SSL_set_app_data(connection->ssl, connection);
	SSL_set_accept_state(connection->ssl);
	*state = connection;
	return 0;
}

static void tls_close(void *state)
{
	struct tls_connection *connection = state;

	SSL_free(connection->ssl);
	seal_end(&connection->seal);
	wire_free(&connection->wire);
	free(connection->held);
	free(connection->subject);
	free(connection);
}

int connection_outcome(struct tls_connection *connection, int result)
{
	struct wire *wire = &connection->wire;
	const int error = SSL_get_error(connection->ssl, result);
	int flushed;

	wire->more = false;
	flushed = wire_flush(wire);
	if (flushed < 0 && flushed != LOP_WANT_WRITE)
		return flushed;
	switch (error) {
	case SSL_ERROR_WANT_READ:
		return flushed == LOP_WANT_WRITE ? LOP_WANT_WRITE : LOP_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return LOP_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		ERR_clear_error();
		if (wire->error < 0)
			return wire->error;
		if (!wire->ended)
			return -EPROTO;
		return compat_silent_end(error) ? 0 : -ECONNRESET;
	}
}

/* The writing side is known now. */
static bool settle_writing(struct tls_connection *connection)
{
	if (!connection->tls->kernel)
		return true;
	connection->kernel = compat_kernel_sends(connection->ssl);
	return connection->kernel || compat_kernel_leave(connection->ssl);
}

static int tls_handshake(void *state)
{
	struct tls_connection *connection = state;
	struct wire *wire = &connection->wire;
	int result;

	if (ERR_peek_error() != 0)
		ERR_clear_error();
	wire->more = true;
	result = SSL_do_handshake(connection->ssl);
	if (result == 1) {
		/* Tickets, which wait in the wire, go along with the first answer. */
		if (!settle_writing(connection))
			return -ENOMEM;
		return client_check(connection->tls, connection->ssl);
	}
	if (wire->plain) {
		ERR_clear_error();
		return wire->error;
	}
	result = connection_outcome(connection, result);
	return result == 0 ? -ECONNRESET : result;
}

static struct lop_str tls_negotiated(void *state)
{
	const struct tls_connection *connection = state;
	const unsigned char *name = NULL;
	unsigned length = 0;

	if (!connection->wire.plain)
		SSL_get0_alpn_selected(connection->ssl, &name, &length);
	return (struct lop_str){ (const char *)name, length };
}

static ssize_t tls_read(void *state, void *buffer, size_t size)
{
	struct tls_connection *connection = state;
	int count;

	if (connection->wire.plain)
		return wire_read_plain(&connection->wire, buffer, size);
	if (ERR_peek_error() != 0)
		ERR_clear_error();
	connection->wire.more = true;
	count = SSL_read(connection->ssl, buffer, size > INT32_MAX ? INT32_MAX : (int)size);
	if (count <= 0)
		return connection_outcome(connection, count);
	wire_used(&connection->wire, (size_t)count);
	return count;
}

const struct lop_transport tls_transport = {
	.size = sizeof(struct lop_transport),
	.secure = 1,
	.name = "tls",
	.open = tls_open,
	.handshake = tls_handshake,
	.negotiated = tls_negotiated,
	.read = tls_read,
	.writev = connection_writev,
	.sendfile = connection_sendfile,
	.shutdown = connection_shutdown,
	.close = tls_close,
	.copies = connection_copies,
};
