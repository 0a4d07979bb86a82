/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All hosts as they stand: a context each. A store never changes; another takes its place.
 * Connections hold on to the context they began with.
 */
#ifndef TLS_STORE_H
#define TLS_STORE_H

#include <openssl/ssl.h>
#include <stddef.h>

struct files;
struct tls;

struct store {
	size_t count;
	SSL_CTX *contexts[]; /* by the host's index */
};

/* Makes a store of the files. NULL after a line in error. */
struct store *store_new(struct tls *tls, const struct files *files, char *error,
                        size_t error_size);
void store_free(struct store **store);

#endif
