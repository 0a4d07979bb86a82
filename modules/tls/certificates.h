/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Certificates and keys of one host: parsed, checked, paired, and put into its context.
 */
#ifndef TLS_CERTIFICATES_H
#define TLS_CERTIFICATES_H

#include <openssl/ssl.h>
#include <stddef.h>

struct files;
struct tls;

/* Puts every certificate of the host into the context, each with its key. Returns 0 or a negative
 * errno after writing one line: which file, what is wrong, what to do. */
int certificates_use(const struct tls *tls, const struct files *files, size_t host,
                     SSL_CTX *context, char *error, size_t error_size);

/* The certificates that may issue those of clients. Their names are sent to clients. */
int certificates_trust(const struct tls *tls, const struct files *files, SSL_CTX *context,
                       char *error, size_t error_size);

#endif
