/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cookies that bind a client to a server, signed with HMAC-SHA-256: a client can neither make one
 * up nor learn from it where the servers are.
 *
 * The value is base64url of  version (1) | day (4) | server (8) | signature (16).  `server` is itself
 * a keyed digest of the address. What is signed with is derived from the secret and the day, and a
 * cookie of the day before is still taken (and renewed), so each is good for one to two days after
 * its last use. Several workers, and several machines with one --sticky-key, agree without talking.
 */
#ifndef PROXY_STICKY_H
#define PROXY_STICKY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lophttpd/base.h>

struct secret;

#define STICKY_VALUE_LENGTH 39

/* Whether this was built with a library that can sign. */
bool sticky_available(void);

/* Privileged, before fork. path NULL: a secret of this run. A file has one secret a line, of at
 * least 16 bytes: the first signs, the others (at most 3) are still taken. Returns 0, or a negative
 * errno after one line into error. */
int secret_new(const char *path, struct secret **secret, char *error, size_t error_size);
void secret_free(struct secret **secret);

/* What stands for an address in the cookies of a pool. */
uint64_t sticky_server(const struct secret *secret, const void *address, size_t length);
/* Writes the value (without NUL) for a server, as of now. */
void sticky_write(const struct secret *secret, uint64_t server, int64_t wall,
                  char out[STICKY_VALUE_LENGTH]);
/* Reads a value. 1: valid, 2: valid, to be renewed, 0: not. */
int sticky_read(const struct secret *secret, struct lop_str value, int64_t wall, uint64_t *server);

/* The next value of a cookie of that name in a Cookie field, RFC 6265 4.2.1, from *offset, which
 * moves on (0 to begin). Data NULL: no more. */
struct lop_str cookie_next(struct lop_str field, struct lop_str name, size_t *offset);

#endif
