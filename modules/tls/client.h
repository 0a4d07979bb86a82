/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Certificates of clients. What cannot be verified is no connection: nothing is let in because a
 * file is missing or a check failed.
 */
#ifndef TLS_CLIENT_H
#define TLS_CLIENT_H

#include <openssl/ssl.h>
#include <stddef.h>

struct files;
struct tls;

int client_prepare(const struct tls *tls, const struct files *files, SSL_CTX *context, char *error,
                   size_t error_size);

/* After the handshake. 0, or -EACCES: a resumed session's certificate has expired since, or there
 * is none though one is required. */
int client_check(const struct tls *tls, const SSL *ssl);

/* The subject of the client's certificate as RFC 2253 writes it, malloc'ed; NULL: there is none. */
char *client_subject(const SSL *ssl);

#endif
