/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Digest fields, RFC 9530, as far as they speak of sha-256: an algorithm that is not known is
 * passed over, as the RFC says. Fields are dictionaries of RFC 8941.
 *
 * Without OpenSSL there is nothing that computes: digest_available() says so.
 */
#ifndef UPLOAD_DIGEST_H
#define UPLOAD_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include <lophttpd/base.h>

#define DIGEST_SIZE 32
#define DIGEST_FIELD_SIZE 64 /* sha-256=:BASE64:, with a NUL */

/* Content-Digest, Repr-Digest. Returns 1 and the digest of sha-256, 0 when the field has none,
 * -EINVAL when it cannot be read. */
int digest_parse(struct lop_str value, unsigned char digest[DIGEST_SIZE]);

/* Want-Repr-Digest: 1 when sha-256 is wanted, 0 when not, -EINVAL. */
int digest_wanted(struct lop_str value);

/* The field's value for a digest; returns its length. */
size_t digest_format(const unsigned char digest[DIGEST_SIZE], char text[DIGEST_FIELD_SIZE]);

struct digest; /* one computation */

bool digest_available(void);
/* Return 0 or a negative errno. */
int digest_new(struct digest **digest);
int digest_update(struct digest *digest, const void *data, size_t length);
int digest_end(struct digest *digest, unsigned char out[DIGEST_SIZE]);
void digest_free(struct digest **digest);

#endif
