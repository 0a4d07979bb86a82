/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records of TLS 1.3 that are encrypted here (RFC 8446 5.2): with OpenSSL's cipher, from where the
 * bytes lie straight to where they are sent from. OpenSSL's own records are copied twice on that way.
 *
 * OpenSSL makes the connection, reads, and writes what is short. It tells the secret of the writing
 * side (as a line of a key log) and each record that it writes, so that at any time the next can be
 * written here. From then on what it writes itself is not sent; what it had to say in that, an alert
 * or that it changes its keys, is put into a record here. When it has changed its keys its records
 * count from 0 and no one here knows the secret: it writes again.
 */
#ifndef TLS_SEAL_H
#define TLS_SEAL_H

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEAL_HEAD 5
#define SEAL_TAG 16
#define SEAL_IV 12
/* What a record is longer than its content: the head, the content's type, the tag. */
#define SEAL_OVERHEAD (SEAL_HEAD + 1 + SEAL_TAG)

/* The writing side of a connection; all zero at first but for `wanted`. */
struct seal {
	bool wanted; /* the secret is to be told, should it be needed: that costs OpenSSL some time */
	EVP_CIPHER_CTX *cipher; /* NULL: OpenSSL writes */
	uint64_t sequence;      /* of the next record, once the secret is known */
	unsigned char iv[SEAL_IV];
	unsigned char secret[EVP_MAX_MD_SIZE]; /* server_application_traffic_secret_0 */
	size_t secret_length; /* 0: not known, or no longer needed */
};

/* Has seals of the context's connections follow what OpenSSL does. */
void seal_prepare(SSL_CTX *context);

/* From now on records are written here. Needs a handshake that is done. False: they cannot be. */
bool seal_begin(struct seal *seal, const SSL *ssl);

/* Writes a record of that content type (RFC 8446 5.1) to `out`, which has room for SEAL_OVERHEAD more
 * than `length`, at most 16,384 bytes. Returns its length, 0 on failure. */
size_t seal_record(struct seal *seal, unsigned char type, const unsigned char *content,
                   size_t length, unsigned char *out);

/* Forgets the keys. */
void seal_end(struct seal *seal);

#endif
