/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How connections are encrypted: versions, ciphers, groups, what is refused. One SSL_CTX a host.
 */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include <openssl/ssl.h>
#include <stddef.h>

struct files;
struct tls;

/* NULL after a line in error. */
SSL_CTX *context_new(struct tls *tls, const struct files *files, size_t host, char *error,
                     size_t error_size);

#endif
