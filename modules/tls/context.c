/* SPDX-License-Identifier: BSD-2-Clause */
#include "context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "certificates.h"
#include "client.h"
#include "compat.h"
#include "files.h"
#include "tickets.h"
#include "tls.h"
#include "transport.h"

/* AEAD and forward secrecy only; the cheapest that is strong first, and ChaCha20 first for clients
 * that prefer it, as those without AES in hardware do. */
#define CIPHERS                                                                                    \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                               \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                               \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"                               \
	"DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305"
#define SUITES "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
/* A list with a name that the library does not have is refused as a whole. The first needs OpenSSL
 * 3.5 or LibreSSL 4.3. Among groups in one list without a slash, one whose key the client has sent
 * along wins, so that no round trip is lost; else the order counts. */
#define HYBRID_GROUP "X25519MLKEM768:"
#define GROUPS "X25519:P-256:P-384"

#define DH_BITS_LEAST 2048
#define MODES                                                                                      \
	(SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |                                \
	 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER)
#define OPTIONS                                                                                    \
	(SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |       \
	 SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_SINGLE_DH_USE)

static int set_ciphers(const struct tls *tls, SSL_CTX *context, char *error, size_t error_size)
{
	const char *ciphers = tls->options.ciphers != NULL ? tls->options.ciphers : CIPHERS;
	const char *suites = tls->options.suites != NULL ? tls->options.suites : SUITES;

	if (SSL_CTX_set_cipher_list(context, ciphers) == 1 &&
	    SSL_CTX_set_ciphersuites(context, suites) == 1)
		return 0;
	snprintf(error, error_size,
	         "--tls-ciphers: OpenSSL does not take this list: %s; `openssl ciphers -s` lists "
	         "the names",
	         tls_reason());
	return -EINVAL;
}

static int set_groups(const struct tls *tls, SSL_CTX *context, char *error, size_t error_size)
{
	if (tls->options.groups != NULL) {
		if (compat_groups(context, tls->options.groups))
			return 0;
	} else if (compat_groups(context, HYBRID_GROUP GROUPS) || compat_groups(context, GROUPS)) {
		ERR_clear_error();
		return 0;
	}
	snprintf(error, error_size,
	         "--tls-groups: OpenSSL does not take this list: %s; write names such as "
	         "X25519:P-256",
	         tls_reason());
	return -EINVAL;
}

/* As strong as the certificate that it goes with. */
static int dh_bits(SSL_CTX *context)
{
	const X509 *certificate = SSL_CTX_get0_certificate(context);
	const EVP_PKEY *key = certificate != NULL ? X509_get0_pubkey(certificate) : NULL;

	return key != NULL && EVP_PKEY_base_id(key) == EVP_PKEY_RSA && EVP_PKEY_bits(key) > 2048
	               ? 3072
	               : 2048;
}

static int set_dh(const struct tls *tls, const struct files *files, SSL_CTX *context, char *error,
                  size_t error_size)
{
	for (size_t i = files->count; i-- > 0 && tls->options.has_dh_file;) {
		const struct file_option *option = &tls->options.files[i];
		int bits;

		if (option->kind != FILE_DH)
			continue;
		if (compat_dh_pem(context, files->items[i].data, files->items[i].length, &bits) &&
		    bits >= DH_BITS_LEAST)
			return 0;
		snprintf(error, error_size,
		         "--tls-dhparam %s: not DH parameters of %d bits or more; leave it out, and "
		         "those of RFC 7919 are used",
		         option->path, DH_BITS_LEAST);
		ERR_clear_error();
		return -EINVAL;
	}
	if (compat_dh_group(context, dh_bits(context)))
		return 0;
	snprintf(error, error_size, "OpenSSL has no DH group of RFC 7919: %s", tls_reason());
	return -EINVAL;
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                           const unsigned char *in, unsigned in_length, void *argument)
{
	const struct tls *tls = argument;
	unsigned char *chosen;

	(void)ssl;
	if (SSL_select_next_proto(&chosen, out_length, tls->protocols,
	                          (unsigned)tls->protocols_length, in,
	                          in_length) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL; /* RFC 7301 3.2: a client of another protocol */
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* A session is resumed with the same certificates and the same demands on the client, or not at
 * all. */
static int bind_sessions(const struct tls *tls, const struct files *files, size_t host,
                         SSL_CTX *context)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	const int verify = (int)tls->options.verify;
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned length = 0;
	int done = hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 &&
	           EVP_DigestUpdate(hash, &verify, sizeof(verify)) == 1;

	for (size_t i = 0; i < files->count && done == 1; i++) {
		const struct file_option *option = &tls->options.files[i];

		if (option->kind == FILE_CLIENT_CA ||
		    (option->kind == FILE_CERTIFICATE &&
		     (COMPAT_RESUMES_FIRST || option->host == host)))
			done = EVP_DigestUpdate(hash, files->items[i].data, files->items[i].length);
	}
	if (done == 1)
		done = EVP_DigestFinal_ex(hash, digest, &length);
	EVP_MD_CTX_free(hash);
	return done == 1 && SSL_CTX_set_session_id_context(context, digest, length) == 1 ? 0
	                                                                                 : -ENOMEM;
}

static int prepare(struct tls *tls, const struct files *files, size_t host, SSL_CTX *context,
                   char *error, size_t error_size)
{
	int result;

	SSL_CTX_set_mode(context, MODES);
	SSL_CTX_set_options(context, OPTIONS);
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_alpn_select_cb(context, choose_protocol, tls);
	transport_prepare(context);
	tickets_prepare(context);
	if (SSL_CTX_set_min_proto_version(context, tls->options.min_version) != 1) {
		snprintf(error, error_size, "OpenSSL does not take the version: %s", tls_reason());
		return -EINVAL;
	}
	result = set_ciphers(tls, context, error, error_size);
	if (result == 0)
		result = set_groups(tls, context, error, error_size);
	if (result == 0)
		result = certificates_use(tls, files, host, context, error, error_size);
	if (result == 0)
		result = set_dh(tls, files, context, error, error_size);
	if (result == 0)
		result = client_prepare(tls, files, context, error, error_size);
	if (result == 0 && bind_sessions(tls, files, host, context) < 0) {
		snprintf(error, error_size, "%s", strerror(ENOMEM));
		result = -ENOMEM;
	}
	return result;
}

SSL_CTX *context_new(struct tls *tls, const struct files *files, size_t host, char *error,
                     size_t error_size)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	if (context == NULL) {
		snprintf(error, error_size, "OpenSSL cannot start: %s", tls_reason());
		return NULL;
	}
	if (prepare(tls, files, host, context, error, error_size) < 0) {
		SSL_CTX_free(context);
		return NULL;
	}
	return context;
}
