/* SPDX-License-Identifier: BSD-2-Clause */
#include "ocsp.h"

#include <errno.h>
#include <openssl/ocsp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compat.h"
#include "files.h"
#include "tls.h"

/* With 4 bytes in front of it, what OpenSSL's clients take of a message of TLS 1.2 that carries it. */
#define STAPLE_MOST 16380

/* When a response ends, in seconds since 1970; 0: it does not say. */
static int64_t seconds_of(const ASN1_GENERALIZEDTIME *time_given)
{
	const time_t now = time(NULL);
	ASN1_TIME *present;
	int days = 0, seconds = 0, done;

	if (time_given == NULL)
		return 0;
	present = ASN1_TIME_set(NULL, now);
	done = present != NULL && ASN1_TIME_diff(&days, &seconds, present, time_given) == 1;
	ASN1_TIME_free(present);
	return done ? (int64_t)now + (int64_t)days * 86400 + seconds : 1;
}

static struct staple *staple_new(const struct content *content, const ASN1_INTEGER *serial,
                                 int64_t until_s)
{
	struct staple *staple = malloc(sizeof(*staple) + content->length);

	if (staple == NULL)
		return NULL;
	staple->next = NULL;
	staple->serial = NULL;
	staple->serial_length = i2d_ASN1_INTEGER(serial, &staple->serial);
	staple->until_s = until_s;
	staple->length = (int)content->length;
	memcpy(staple->data, content->data, content->length);
	if (staple->serial_length > 0)
		return staple;
	free(staple);
	return NULL;
}

/* NULL after a reason. */
static struct staple *parse(const struct content *content, const char **reason)
{
	const unsigned char *data = content->data;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &data, (long)content->length);
	OCSP_BASICRESP *basic = NULL;
	OCSP_SINGLERESP *single = NULL;
	ASN1_GENERALIZEDTIME *until = NULL;
	struct staple *staple = NULL;
	ASN1_INTEGER *serial = NULL;

	if (response == NULL || data != content->data + content->length)
		*reason = "it is not an OCSP response in DER";
	else if (content->length > STAPLE_MOST)
		*reason = "it is so long that clients would not connect";
	else if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
		*reason = "the responder answered with an error";
	else
		basic = OCSP_response_get1_basic(response);
	if (basic != NULL)
		single = OCSP_resp_get0(basic, 0);
	if (single != NULL &&
	    OCSP_id_get0_info(NULL, NULL, NULL, &serial,
	                      (OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(single)) == 1) {
		(void)OCSP_single_get0_status(single, NULL, NULL, NULL, &until);
		staple = staple_new(content, serial, seconds_of(until));
	}
	if (staple == NULL && *reason == NULL)
		*reason = "it says nothing of any certificate";
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(response);
	(void)tls_reason();
	return staple;
}

int ocsp_read(const struct tls *tls, const struct files *files, size_t host,
              struct staple **staples, char *error, size_t error_size)
{
	*staples = NULL;
	for (size_t i = 0; i < files->count; i++) {
		const struct file_option *option = &tls->options.files[i];
		const char *reason = NULL;
		struct staple *staple;

		if (option->kind != FILE_STAPLE || option->host != host)
			continue;
		staple = parse(&files->items[i], &reason);
		if (staple == NULL) {
			snprintf(error, error_size,
			         "cannot staple %s: %s; fetch it anew with openssl ocsp -respout",
			         option->path, reason);
			ocsp_free(staples);
			return -EINVAL;
		}
		staple->next = *staples;
		*staples = staple;
	}
	return 0;
}

void ocsp_free(struct staple **staples)
{
	while (*staples != NULL) {
		struct staple *staple = *staples;

		*staples = staple->next;
		OPENSSL_free(staple->serial);
		free(staple);
	}
}

static bool is_about(const struct staple *staple, const X509 *certificate)
{
	unsigned char *serial = NULL;
	const int length = i2d_ASN1_INTEGER(X509_get0_serialNumber(certificate), &serial);
	const bool same = length == staple->serial_length &&
	                  memcmp(serial, staple->serial, (size_t)length) == 0;

	OPENSSL_free(serial);
	return same;
}

static int answer(SSL *ssl, void *argument)
{
	const X509 *certificate = compat_own_certificate(ssl);
	const struct staple *staple = argument;
	const int64_t now = (int64_t)time(NULL);
	unsigned char *copy;

	for (; staple != NULL; staple = staple->next)
		if (certificate != NULL && (staple->until_s == 0 || staple->until_s > now) &&
		    is_about(staple, certificate))
			break;
	if (staple == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	copy = OPENSSL_malloc((size_t)staple->length);
	if (copy == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	memcpy(copy, staple->data, (size_t)staple->length);
	(void)SSL_set_tlsext_status_ocsp_resp(ssl, copy, staple->length); /* takes it */
	return SSL_TLSEXT_ERR_OK;
}

void ocsp_prepare(SSL_CTX *context, struct staple *staples)
{
	if (staples == NULL)
		return;
	SSL_CTX_set_tlsext_status_cb(context, answer);
	SSL_CTX_set_tlsext_status_arg(context, staples);
}
