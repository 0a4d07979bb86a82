/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections: the transport's functions, and what others may know of one.
 */
#ifndef TLS_TRANSPORT_H
#define TLS_TRANSPORT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

struct tls;
struct seal;
struct tls_connection;

/* For callbacks of OpenSSL. */
struct tls *transport_module(const SSL *ssl);
/* Takes the client's server name (RFC 6066), as the bytes of the extension. False: malformed. */
bool transport_choose_host(SSL *ssl, const unsigned char *body, size_t length);
/* The writing side, and what OpenSSL has to say there once its own records are not sent. */
struct seal *transport_seal(const SSL *ssl);
void transport_say(const SSL *ssl, unsigned char type, const void *message, size_t length);
/* What every context needs. */
void transport_prepare(SSL_CTX *context);

/* Whether the client spoke HTTP without TLS: what it gets is not encrypted. */
bool transport_is_plain(const struct tls_connection *connection);
/* The index of the host by whose certificate the connection was made; -1: the client named none. */
int transport_host(const struct tls_connection *connection);
/* The subject of the client's certificate, NULL when there is none. */
const char *transport_subject(struct tls_connection *connection);

#endif
