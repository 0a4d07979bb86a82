/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS to upstreams. Certificates are verified by default, against the system's authorities or a
 * file's; the name is the URL's, which is also what SNI says. Sessions are used again.
 *
 * All files are read by secure_new(), before the chroot. Without OpenSSL secure_none.c stands for
 * this, and says so.
 */
#ifndef PROXY_SECURE_H
#define PROXY_SECURE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "url.h"

struct secure;
struct secure_stream;
struct secure_session;

struct secure_settings {
	const char *authorities; /* file; NULL: the system's */
	const char *certificate; /* of this client, and what goes with it; NULL: none */
	const char *key;         /* NULL: in the certificate's file */
	bool unverified;
};

/* Returns 0, or a negative errno after one line into error. */
int secure_new(const struct secure_settings *settings, struct secure **secure, char *error,
               size_t error_size);
void secure_free(struct secure **secure);

/* Receives sessions that can be used for a later connection; it takes the session over. */
typedef void secure_session_f(void *context, struct secure_session *session);

/* session: to be resumed, NULL none; stays the caller's. */
int secure_open(struct secure *secure, int descriptor, const struct upstream_url *url,
                struct secure_session *session, secure_session_f *learned, void *context,
                struct secure_stream **stream);
void secure_session_free(struct secure_session **session);

/* 0 done, -EAGAIN, -EPROTO, -EACCES (secure_error() says why). */
int secure_handshake(struct secure_stream *stream);
/* Why the last call failed, for a message. */
const char *secure_error(struct secure_stream *stream);

/* Counts, -EAGAIN, 0 after the other side's close_notify, -ECONNRESET when it is missing, -EPROTO. */
ssize_t secure_read(struct secure_stream *stream, void *buffer, size_t size);
ssize_t secure_write(struct secure_stream *stream, const void *data, size_t length);
/* Says that nothing more will be sent. */
void secure_shutdown(struct secure_stream *stream);
/* Frees it; the descriptor stays. */
void secure_close(struct secure_stream **stream);

#endif
