/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OCSP stapling: responses from files, each sent with the certificate it is about as long as it is
 * valid.
 */
#ifndef TLS_OCSP_H
#define TLS_OCSP_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

struct files;
struct tls;

struct staple {
	struct staple *next;
	unsigned char *serial; /* DER of the certificate's number */
	int serial_length;
	int64_t until_s; /* 0: not said */
	int length;
	unsigned char data[];
};

/* Reads the host's responses into *staples. 0, or -EINVAL after a line. */
int ocsp_read(const struct tls *tls, const struct files *files, size_t host,
              struct staple **staples, char *error, size_t error_size);
void ocsp_free(struct staple **staples);
/* Has the context staple them; they must live as long as it. */
void ocsp_prepare(SSL_CTX *context, struct staple *staples);

#endif
