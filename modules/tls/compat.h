/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where OpenSSL 3, its versions and LibreSSL differ: all of it, and nothing elsewhere.
 */
#ifndef TLS_COMPAT_H
#define TLS_COMPAT_H

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* LibreSSL cannot be asked for these. */
#ifndef SSL_OP_PRIORITIZE_CHACHA
#define SSL_OP_PRIORITIZE_CHACHA 0
#endif
#ifndef SSL_OP_IGNORE_UNEXPECTED_EOF
#define SSL_OP_IGNORE_UNEXPECTED_EOF 0
#endif

/* Whether the library tells the secrets that records are encrypted with. */
#ifdef LIBRESSL_VERSION_NUMBER
#define COMPAT_TELLS_SECRETS 0
#else
#define COMPAT_TELLS_SECRETS 1
#endif

/* Whether a session is looked for before its host is known: then it is bound to the certificates of
 * all hosts. */
#ifdef LIBRESSL_VERSION_NUMBER
#define COMPAT_RESUMES_FIRST true
#else
#define COMPAT_RESUMES_FIRST false
#endif

/* Has transport_choose_host() called with the client's server name, before anything else of its
 * hello is looked at where that can be; a session of another host is never resumed. */
void compat_choose_host(SSL_CTX *context);

/* Has tickets encrypted and authenticated with what tickets_key() says; with LibreSSL those of TLS
 * 1.2, and there are no others. */
void compat_tickets(SSL_CTX *context);

/* Names separated by colons. False: one of them is unknown. */
bool compat_groups(SSL_CTX *context, const char *list);

/* DHE parameters: a group of RFC 7919 of so many bits (LibreSSL: one of RFC 3526, as strong as the
 * certificate), or those of a PEM file. Returns false on failure. */
bool compat_dh_group(SSL_CTX *context, int bits);
bool compat_dh_pem(SSL_CTX *context, const void *pem, size_t length, int *bits);

/* Whether SSL can leave encryption to the kernel once the handshake is done. */
bool compat_kernel_possible(void);
void compat_kernel_ask(SSL *ssl);
bool compat_kernel_sends(SSL *ssl);
/* It cannot: what SSL reads from is what it writes to, too. False: memory is out. */
bool compat_kernel_leave(SSL *ssl);
ssize_t compat_kernel_sendfile(SSL *ssl, int file, off_t offset, size_t length);

/* Whether the peer has asked for new keys of the writing side, which SSL_write() makes. */
bool compat_owes_keys(const SSL *ssl);

/* The client's certificate, with a reference of its own; NULL when there is none. */
X509 *compat_client_certificate(const SSL *ssl);

/* The certificate that the client is sent; NULL when there is none, or which cannot be told. */
const X509 *compat_own_certificate(const SSL *ssl);

/* Whether this value of SSL_get_error(), of a connection whose peer has closed it, tells of nothing
 * but an end without close_notify. */
bool compat_silent_end(int error);

/* out = HMAC-SHA-256(key, text), 32 bytes. */
bool compat_hmac(const unsigned char key[32], const char *text, unsigned char out[32]);

#endif
