/* SPDX-License-Identifier: BSD-2-Clause */
#include "certificates.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "files.h"
#include "tls.h"

/* What parsing runs into at the end of a PEM file. */
static bool only_the_end(void)
{
	const unsigned long last = ERR_peek_last_error();

	if (last != 0 && (ERR_GET_LIB(last) != ERR_LIB_PEM ||
	                  ERR_GET_REASON(last) != PEM_R_NO_START_LINE))
		return false;
	ERR_clear_error();
	return true;
}

/* Nobody is there to ask. */
static int no_password(char *buffer, int size, int writing, void *asked)
{
	(void)buffer;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

/* All certificates of a PEM file, in their order; NULL after a line. */
static STACK_OF(X509) *parse_chain(const char *path, const struct content *content, char *error,
                                   size_t error_size)
{
	BIO *bio = BIO_new_mem_buf(content->data, (int)content->length);
	STACK_OF(X509) *chain = sk_X509_new_null();
	X509 *certificate;

	ERR_clear_error();
	while (bio != NULL && chain != NULL &&
	       (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		if (sk_X509_push(chain, certificate) == 0) {
			X509_free(certificate);
			break;
		}
	}
	BIO_free(bio);
	if (chain != NULL && only_the_end() && sk_X509_num(chain) > 0)
		return chain;
	if (chain != NULL && sk_X509_num(chain) == 0)
		snprintf(error, error_size,
		         "there is no certificate in %s; it must be PEM, with a line -----BEGIN "
		         "CERTIFICATE-----",
		         path);
	else
		snprintf(error, error_size, "certificate %d in %s is damaged: %s",
		         chain != NULL ? sk_X509_num(chain) + 1 : 1, path, tls_reason());
	sk_X509_pop_free(chain, X509_free);
	return NULL;
}

static void format_date(const ASN1_TIME *time, char out[32])
{
	struct tm parts;

	if (ASN1_TIME_to_tm(time, &parts) != 1 || strftime(out, 32, "%Y-%m-%d", &parts) == 0)
		snprintf(out, 32, "a date that cannot be read");
}

/* Clients refuse what is not valid now: that is better known here. */
static int check_dates(const char *path, const STACK_OF(X509) *chain, char *error,
                       size_t error_size)
{
	for (int i = 0; i < sk_X509_num(chain); i++) {
		const X509 *certificate = sk_X509_value(chain, i);
		const bool late = X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
		char date[32];

		if (!late && X509_cmp_current_time(X509_get0_notBefore(certificate)) < 0)
			continue;
		format_date(late ? X509_get0_notAfter(certificate)
		                 : X509_get0_notBefore(certificate),
		            date);
		snprintf(error, error_size,
		         "certificate %d in %s %s %s; get a new one, or set this machine's clock",
		         i + 1, path, late ? "expired on" : "is not valid before", date);
		return -EINVAL;
	}
	return 0;
}

/* NULL after a line, or without one when the file has no key and need not have one. */
static EVP_PKEY *parse_key(const char *path, const struct content *content, bool is_wanted,
                           char *error, size_t error_size)
{
	bool asked = false;
	EVP_PKEY *key;
	BIO *bio;

	error[0] = '\0';
	if (!files_has_key(content)) {
		if (is_wanted)
			snprintf(error, error_size,
			         "there is no private key in %s; it must be PEM, with a line "
			         "-----BEGIN PRIVATE KEY-----",
			         path);
		return NULL;
	}
	ERR_clear_error();
	bio = BIO_new_mem_buf(content->data, (int)content->length);
	key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_password, &asked) : NULL;
	BIO_free(bio);
	if (asked)
		snprintf(error, error_size,
		         "the key %s is encrypted, and nobody is there to ask for its password; "
		         "decrypt it: openssl pkey -in %s -out NEW",
		         path, path);
	else if (key == NULL)
		snprintf(error, error_size, "the key in %s is damaged: %s", path, tls_reason());
	ERR_clear_error();
	return key;
}

/* The key of the host that fits the certificate. Files are looked at in their order, -K's first. */
static EVP_PKEY *find_key(const struct tls *tls, const struct files *files, size_t host,
                          size_t own_file, X509 *certificate, char *error, size_t error_size)
{
	const struct tls_options *options = &tls->options;
	const char *tried = NULL;

	for (size_t i = 0; i <= options->file_count; i++) {
		const size_t index = i < options->file_count ? i : own_file;
		const struct file_option *option = &options->files[index];
		EVP_PKEY *key;

		if (i < options->file_count &&
		    (option->kind != FILE_KEY || option->host != host))
			continue;
		key = parse_key(option->path, &files->items[index], option->kind == FILE_KEY, error,
		                error_size);
		if (key == NULL && error[0] != '\0')
			return NULL;
		if (key != NULL && X509_check_private_key(certificate, key) == 1)
			return key;
		ERR_clear_error();
		EVP_PKEY_free(key);
		if (key != NULL)
			tried = option->path;
	}
	if (tried != NULL)
		snprintf(error, error_size,
		         "the key in %s does not fit the certificate in %s; give each certificate "
		         "the key it was made with",
		         tried, options->files[own_file].path);
	else
		snprintf(error, error_size,
		         "there is no key for the certificate %s; name its file with -K, or append "
		         "the key to the certificate's file",
		         options->files[own_file].path);
	return NULL;
}

static int use_one(const struct tls *tls, const struct files *files, size_t host, size_t index,
                   SSL_CTX *context, char *error, size_t error_size)
{
	const char *path = tls->options.files[index].path;
	STACK_OF(X509) *chain = parse_chain(path, &files->items[index], error, error_size);
	EVP_PKEY *key = NULL;
	X509 *leaf = NULL;
	int result = -EINVAL;

	if (chain == NULL || (!files->items[index].known &&
	                      check_dates(path, chain, error, error_size) < 0))
		goto out;
	leaf = sk_X509_shift(chain);
	key = find_key(tls, files, host, index, leaf, error, error_size);
	if (key == NULL)
		goto out;
	if (SSL_CTX_use_certificate(context, leaf) != 1 ||
	    SSL_CTX_use_PrivateKey(context, key) != 1 || SSL_CTX_set1_chain(context, chain) != 1) {
		snprintf(error, error_size, "the certificate %s cannot be used: %s", path,
		         tls_reason());
		goto out;
	}
	result = 0;
out:
	X509_free(leaf);
	EVP_PKEY_free(key);
	sk_X509_pop_free(chain, X509_free);
	return result;
}

int certificates_use(const struct tls *tls, const struct files *files, size_t host,
                     SSL_CTX *context, char *error, size_t error_size)
{
	for (size_t i = 0; i < files->count; i++) {
		const struct file_option *option = &tls->options.files[i];
		int result;

		if (option->kind != FILE_CERTIFICATE || option->host != host)
			continue;
		result = use_one(tls, files, host, i, context, error, error_size);
		if (result < 0)
			return result;
	}
	return 0;
}

static int trust_file(const char *path, const struct content *content, SSL_CTX *context,
                      char *error, size_t error_size)
{
	STACK_OF(X509) *chain = parse_chain(path, content, error, error_size);
	int result = chain != NULL ? 0 : -EINVAL;

	for (int i = 0; chain != NULL && i < sk_X509_num(chain) && result == 0; i++) {
		X509 *certificate = sk_X509_value(chain, i);

		if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate) != 1 ||
		    SSL_CTX_add_client_CA(context, certificate) != 1) {
			snprintf(error, error_size, "certificate %d in %s cannot be used: %s",
			         i + 1, path, tls_reason());
			result = -EINVAL;
		}
	}
	sk_X509_pop_free(chain, X509_free);
	return result;
}

int certificates_trust(const struct tls *tls, const struct files *files, SSL_CTX *context,
                       char *error, size_t error_size)
{
	for (size_t i = 0; i < files->count; i++) {
		const struct file_option *option = &tls->options.files[i];
		int result;

		if (option->kind != FILE_CLIENT_CA)
			continue;
		result = trust_file(option->path, &files->items[i], context, error, error_size);
		if (result < 0)
			return result;
	}
	return 0;
}
