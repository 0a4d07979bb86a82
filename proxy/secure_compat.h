/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where OpenSSL 3 and LibreSSL differ for secure.c: all of it, and nothing elsewhere.
 */
#ifndef PROXY_SECURE_COMPAT_H
#define PROXY_SECURE_COMPAT_H

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>

/* Trusts the certificates in a PEM file. 1 on success. */
static inline int compat_trust_file(SSL_CTX *context, const char *file)
{
#ifdef LIBRESSL_VERSION_NUMBER
	return SSL_CTX_load_verify_locations(context, file, NULL);
#else
	return SSL_CTX_load_verify_file(context, file);
#endif
}

/* LibreSSL's function of that name always says no; its clients resume TLS 1.2 only. */
static inline bool compat_is_resumable(const SSL_SESSION *session)
{
#ifdef LIBRESSL_VERSION_NUMBER
	return SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION;
#else
	return SSL_SESSION_is_resumable(session) == 1;
#endif
}

/* Whether the error is an end without close_notify. LibreSSL has none: it says SSL_ERROR_SYSCALL. */
static inline bool compat_is_silent_end(unsigned long error)
{
#ifdef LIBRESSL_VERSION_NUMBER
	(void)error;
	return false;
#else
	return ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
#endif
}

#endif
