/* SPDX-License-Identifier: BSD-2-Clause */
#include "client.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "certificates.h"
#include "compat.h"
#include "tls.h"

#define CHAIN_MOST 8

int client_prepare(const struct tls *tls, const struct files *files, SSL_CTX *context, char *error,
                   size_t error_size)
{
	int mode = SSL_VERIFY_PEER;

	if (tls->options.verify == VERIFY_NONE)
		return 0;
	if (tls->options.verify == VERIFY_REQUIRED)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(context, mode, NULL);
	SSL_CTX_set_verify_depth(context, CHAIN_MOST);
	return certificates_trust(tls, files, context, error, error_size);
}

int client_check(const struct tls *tls, const SSL *ssl)
{
	X509 *certificate;
	int result = 0;

	if (tls->options.verify == VERIFY_NONE)
		return 0;
	certificate = compat_client_certificate(ssl);
	if (SSL_get_verify_result(ssl) != X509_V_OK ||
	    (certificate == NULL && tls->options.verify == VERIFY_REQUIRED))
		result = -EACCES;
	if (certificate != NULL &&
	    X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0)
		result = -EACCES;
	X509_free(certificate);
	return result;
}

char *client_subject(const SSL *ssl)
{
	X509 *certificate = compat_client_certificate(ssl);
	BIO *bio = certificate != NULL ? BIO_new(BIO_s_mem()) : NULL;
	char *text, *copy = NULL;
	long length;

	if (bio != NULL &&
	    X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0) {
		length = BIO_get_mem_data(bio, &text);
		copy = length >= 0 ? strndup(text, (size_t)length) : NULL;
	}
	BIO_free(bio);
	X509_free(certificate);
	return copy;
}
