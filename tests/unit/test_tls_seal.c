/* SPDX-License-Identifier: BSD-2-Clause */
/* The module tls: records that are encrypted without OpenSSL's are read by OpenSSL. */
#include "config.h"

#include <check.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "../../modules/tls/compat.h"
#include "../../modules/tls/seal.h"
#include "../../modules/tls/transport.h"

#define RECORD_MOST 16384

static SSL_CTX *server_context, *client_context;
static SSL *server, *client;
static struct seal seal;
static unsigned char said_type, said[16]; /* what OpenSSL wanted to say meanwhile */
static size_t said_length;

/* What the module's other parts would answer. */
struct seal *transport_seal(const SSL *ssl)
{
	(void)ssl;
	return &seal;
}

void transport_say(const SSL *ssl, unsigned char type, const void *message, size_t length)
{
	(void)ssl;
	ck_assert_uint_le(length, sizeof(said));
	said_type = type;
	memcpy(said, message, length);
	said_length = length;
}

static void certify(SSL_CTX *context)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();

	ck_assert(key != NULL && certificate != NULL);
	ck_assert(X509_set_pubkey(certificate, key) == 1);
	ck_assert(X509_gmtime_adj(X509_getm_notBefore(certificate), 0) != NULL);
	ck_assert(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600) != NULL);
	ck_assert(X509_sign(certificate, key, EVP_sha256()) > 0);
	ck_assert_int_eq(SSL_CTX_use_certificate(context, certificate), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey(context, key), 1);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static void setup(void)
{
	server_context = SSL_CTX_new(TLS_server_method());
	client_context = SSL_CTX_new(TLS_client_method());
	ck_assert(server_context != NULL && client_context != NULL);
	certify(server_context);
	seal_prepare(server_context);
	seal.wanted = true;
	said_length = 0;
}

static void disconnect(void)
{
	SSL_free(server);
	SSL_free(client);
	server = client = NULL;
	seal_end(&seal);
	seal.wanted = true; /* of the next */
}

static void teardown(void)
{
	disconnect();
	SSL_CTX_free(server_context);
	SSL_CTX_free(client_context);
}

/* What either writes is what the other reads. */
static void connect_both(void)
{
	BIO *one, *other;

	server = SSL_new(server_context);
	client = SSL_new(client_context);
	ck_assert(server != NULL && client != NULL);
	ck_assert_int_eq(BIO_new_bio_pair(&one, 1 << 20, &other, 1 << 20), 1);
	SSL_set_bio(server, one, one);
	SSL_set_bio(client, other, other);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	for (int i = 0; i < 10 && !(SSL_is_init_finished(server) && SSL_is_init_finished(client));
	     i++) {
		(void)SSL_do_handshake(client);
		(void)SSL_do_handshake(server);
	}
	ck_assert(SSL_is_init_finished(server) && SSL_is_init_finished(client));
}

static void client_reads(const unsigned char *content, size_t length)
{
	static unsigned char got[RECORD_MOST];
	int count = SSL_read(client, got, sizeof(got));

	ck_assert_int_eq(count, (int)length);
	ck_assert_mem_eq(got, content, length);
}

/* A record that is written here, from the server to the client. */
static void send_record(unsigned char type, const unsigned char *content, size_t length)
{
	static unsigned char record[RECORD_MOST + SEAL_OVERHEAD];

	ck_assert_uint_eq(seal_record(&seal, type, content, length, record),
	                  length + SEAL_OVERHEAD);
	ck_assert_int_eq(BIO_write(SSL_get_wbio(server), record, (int)(length + SEAL_OVERHEAD)),
	                 (int)(length + SEAL_OVERHEAD));
}

static void carries(const char *suite)
{
	static const size_t lengths[] = { 1, 1000, RECORD_MOST, 0x155, RECORD_MOST - 1, 2 };
	static unsigned char content[RECORD_MOST];

	ck_assert_int_eq(SSL_CTX_set_ciphersuites(client_context, suite), 1);
	connect_both();
	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (unsigned char)(i * 7 + i / 256);
	for (int i = 0; i < 3; i++) { /* by OpenSSL at first, whose numbers go on */
		ck_assert_int_eq(SSL_write(server, content + i, 100), 100);
		client_reads(content + i, 100);
	}
	ck_assert_msg(seal_begin(&seal, server), "%s", suite);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		send_record(SSL3_RT_APPLICATION_DATA, content, lengths[i]);
		client_reads(content, lengths[i]);
	}
	for (int i = 0; i < 300; i++) /* numbers of more than a byte */
		send_record(SSL3_RT_APPLICATION_DATA, content + i, 10);
	for (int i = 0; i < 300; i++)
		client_reads(content + i, 10);
	disconnect();
}

START_TEST(each_cipher_is_read)
{
	carries("TLS_AES_128_GCM_SHA256");
	carries("TLS_AES_256_GCM_SHA384");
	carries("TLS_CHACHA20_POLY1305_SHA256");
}
END_TEST

START_TEST(what_openssl_wants_to_say_is_told)
{
	connect_both();
	ck_assert(seal_begin(&seal, server));
	ck_assert_int_lt(SSL_read(client, said, 1), 0); /* the tickets */
	(void)SSL_shutdown(server);
	ck_assert_int_eq(said_type, SSL3_RT_ALERT);
	ck_assert_uint_eq(said_length, 2);
	/* Its own record is not sent. */
	(void)BIO_reset(SSL_get_wbio(server));
	send_record(said_type, said, said_length);
	ck_assert_int_eq(SSL_get_shutdown(client), 0);
	ck_assert_int_eq(SSL_read(client, said, 1), 0);
	ck_assert_int_eq(SSL_get_error(client, 0), SSL_ERROR_ZERO_RETURN);
}
END_TEST

START_TEST(no_secret_is_asked_for_that_is_not_wanted)
{
	seal.wanted = false;
	connect_both();
	ck_assert_uint_eq(seal.secret_length, 0);
	ck_assert(!seal_begin(&seal, server));
}
END_TEST

START_TEST(keys_that_changed_stay_openssls)
{
	connect_both();
	ck_assert_int_eq(SSL_key_update(server, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
	ck_assert_int_eq(SSL_do_handshake(server), 1);
	ck_assert(!seal_begin(&seal, server));
}
END_TEST

START_TEST(other_records_stay_openssls)
{
	ck_assert_int_eq(SSL_CTX_set_max_proto_version(client_context, TLS1_2_VERSION), 1);
	connect_both();
	ck_assert(!seal_begin(&seal, server));
	disconnect();
	ck_assert_int_eq(SSL_CTX_set_max_proto_version(client_context, 0), 1);
	ck_assert_int_eq(SSL_CTX_set_ciphersuites(client_context, "TLS_AES_128_CCM_SHA256"), 1);
	ck_assert_int_eq(SSL_CTX_set_ciphersuites(server_context, "TLS_AES_128_CCM_SHA256"), 1);
	connect_both();
	ck_assert(!seal_begin(&seal, server));
}
END_TEST

START_TEST(short_records_stay_openssls)
{
	ck_assert_int_eq(SSL_CTX_set_tlsext_max_fragment_length(client_context,
	                                                        TLSEXT_max_fragment_length_1024),
	                 1);
	connect_both();
	ck_assert(!seal_begin(&seal, server));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tls_seal");
	TCase *test = tcase_create("tls_seal");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(test, setup, teardown);
#if COMPAT_TELLS_SECRETS
	tcase_add_test(test, each_cipher_is_read);
	tcase_add_test(test, what_openssl_wants_to_say_is_told);
#endif
	tcase_add_test(test, no_secret_is_asked_for_that_is_not_wanted);
	tcase_add_test(test, keys_that_changed_stay_openssls);
	tcase_add_test(test, other_records_stay_openssls);
	tcase_add_test(test, short_records_stay_openssls);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
