/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cookies that bind a client to a server, signed with HMAC-SHA-256: a client can neither make one
 * up nor learn from it where the servers are.
 *
 * The value is base64url of  version (1) | day (4) | server (8) | signature (16).  `server` is
 * itself a keyed digest of the address. A cookie of the day before is still taken, and renewed, so
 * each is good for one to two days after its last use. The secret is made before the workers are
 * forked, or read from a file: so they agree without talking, and so do several machines with one
 * file.
 */
#ifndef PROXY_STICKY_H
#define PROXY_STICKY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lophttpd/base.h>

struct secret;

#define STICKY_COOKIE "lophttpd" /* the name, unless another is given */
#define STICKY_VALUE_LENGTH 39
#define STICKY_KEYS 4

/* Whether this was built with a library that can sign. */
bool sticky_available(void);

/* Privileged, before fork. path NULL: a secret of this run. A file has one secret a line, of at
 * least 16 bytes: the first signs, the others (at most 3) are still taken. Returns 0, or a negative
 * errno after one line into error. */
int secret_new(const char *path, struct secret **secret, char *error, size_t error_size);
void secret_free(struct secret **secret);

/* What stands for an address in cookies, by the key that they are signed with; 0 for keys that
 * there are not. */
void sticky_server(const struct secret *secret, const void *address, size_t length,
                   uint64_t cookies[STICKY_KEYS]);
/* Writes the value (without NUL) for a server, as of now. */
void sticky_write(const struct secret *secret, uint64_t server, int64_t wall,
                  char out[STICKY_VALUE_LENGTH]);

struct sticky_claim {
	uint64_t server; /* as sticky_server() */
	unsigned key;    /* which of them */
	bool renew;      /* of an old key, or of the day before */
};
/* Reads a value; false when it is not valid. */
bool sticky_read(const struct secret *secret, struct lop_str value, int64_t wall,
                 struct sticky_claim *claim);

/* The next value of a cookie of that name in a Cookie field, RFC 6265 4.2.1, from *offset, which
 * moves on (0 to begin). Data NULL: no more. */
struct lop_str cookie_next(struct lop_str field, struct lop_str name, size_t *offset);

#endif
