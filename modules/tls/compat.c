/* SPDX-License-Identifier: BSD-2-Clause */
#include "compat.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tickets.h"
#include "transport.h"

#ifdef LIBRESSL_VERSION_NUMBER
#include <openssl/dh.h>
#else
#include <openssl/core_names.h>
#endif

/* ---- the host, by the client's hello -------------------------------------------------------- */

#ifdef LIBRESSL_VERSION_NUMBER

/* The name comes as text, and after a ticket was taken. LibreSSL itself ends the handshake of a
 * client that names another host than its session has; for one that names none, the name is its
 * session's. So a session stays with its host here, too. */
static int choose(SSL *ssl, int *alert, void *argument)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const size_t length = name != NULL ? strlen(name) : 0;
	unsigned char body[5 + 255] = { 0 };

	(void)argument;
	if (length == 0 || length > 255)
		return SSL_TLSEXT_ERR_NOACK;
	body[0] = (unsigned char)((length + 3) >> 8);
	body[1] = (unsigned char)(length + 3);
	body[4] = (unsigned char)length;
	memcpy(body + 5, name, length);
	if (transport_choose_host(ssl, body, length + 5))
		return SSL_TLSEXT_ERR_OK;
	*alert = SSL_AD_UNRECOGNIZED_NAME;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

void compat_choose_host(SSL_CTX *context)
{
	SSL_CTX_set_tlsext_servername_callback(context, choose);
}

#else

static int choose(SSL *ssl, int *alert, void *argument)
{
	const unsigned char *body;
	size_t length;

	(void)argument;
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &body, &length) == 0)
		return SSL_CLIENT_HELLO_SUCCESS;
	if (transport_choose_host(ssl, body, length))
		return SSL_CLIENT_HELLO_SUCCESS;
	*alert = SSL_AD_DECODE_ERROR;
	return SSL_CLIENT_HELLO_ERROR;
}

void compat_choose_host(SSL_CTX *context)
{
	SSL_CTX_set_client_hello_cb(context, choose, NULL);
}

#endif

/* ---- tickets -------------------------------------------------------------------------------- */

/* The half of it that both libraries ask for in the same way. */
static int begin_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                        int encrypt, struct ticket_key *key)
{
	const int result = tickets_key(ssl, encrypt ? NULL : name, key);

	if (result <= 0)
		return result;
	if (encrypt) {
		memcpy(name, key->name, sizeof(key->name));
		if (RAND_bytes(iv, EVP_CIPHER_iv_length(EVP_aes_256_cbc())) != 1)
			return -1;
	}
	return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, encrypt) == 1
	               ? result
	               : -1;
}

#ifdef LIBRESSL_VERSION_NUMBER

/* For TLS 1.2; its servers resume nothing in TLS 1.3. */
static int ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                  HMAC_CTX *mac, int encrypt)
{
	struct ticket_key key;
	int result = begin_ticket(ssl, name, iv, cipher, encrypt, &key);

	if (result > 0 && HMAC_Init_ex(mac, key.mac, sizeof(key.mac), EVP_sha256(), NULL) != 1)
		result = -1;
	OPENSSL_cleanse(&key, sizeof(key));
	/* It would go on without a cipher. */
	return encrypt && result == 0 ? -1 : result;
}

void compat_tickets(SSL_CTX *context)
{
	SSL_CTX_set_tlsext_ticket_key_cb(context, ticket);
}

#else

static int ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                  EVP_MAC_CTX *mac, int encrypt)
{
	struct ticket_key key;
	char digest[] = "SHA256";
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac, sizeof(key.mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	int result = begin_ticket(ssl, name, iv, cipher, encrypt, &key);

	if (result > 0 && EVP_MAC_CTX_set_params(mac, parameters) != 1)
		result = -1;
	OPENSSL_cleanse(&key, sizeof(key));
	return result;
}

void compat_tickets(SSL_CTX *context)
{
	/* One a connection: a client gets the next with its next visit. */
	SSL_CTX_set_num_tickets(context, 1);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(context, ticket);
}

#endif

bool compat_groups(SSL_CTX *context, const char *list)
{
#ifdef LIBRESSL_VERSION_NUMBER
	return SSL_CTX_set1_groups_list(context, list) == 1;
#else
	/* What the macro of that name does, but for a cast that takes const away. */
	return SSL_CTX_ctrl(context, SSL_CTRL_SET_GROUPS_LIST, 0, (void *)(uintptr_t)list) == 1;
#endif
}

/* ---- DHE ------------------------------------------------------------------------------------ */

#ifdef LIBRESSL_VERSION_NUMBER

bool compat_dh_group(SSL_CTX *context, int bits)
{
	(void)bits;
	return SSL_CTX_set_dh_auto(context, 1) == 1;
}

bool compat_dh_pem(SSL_CTX *context, const void *pem, size_t length, int *bits)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)length);
	DH *dh = bio != NULL ? PEM_read_bio_DHparams(bio, NULL, NULL, NULL) : NULL;
	const bool done = dh != NULL && SSL_CTX_set_tmp_dh(context, dh) == 1;

	*bits = dh != NULL ? DH_bits(dh) : 0;
	DH_free(dh);
	BIO_free(bio);
	return done;
}

#else

static bool take_dh(SSL_CTX *context, EVP_PKEY *key)
{
	if (key != NULL && SSL_CTX_set0_tmp_dh_pkey(context, key) == 1)
		return true;
	EVP_PKEY_free(key);
	return false;
}

bool compat_dh_group(SSL_CTX *context, int bits)
{
	char group[] = "ffdhe2048";
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
	EVP_PKEY *key = NULL;

	if (bits > 2048)
		memcpy(group, "ffdhe3072", sizeof(group));
	if (maker == NULL || EVP_PKEY_paramgen_init(maker) <= 0 ||
	    EVP_PKEY_CTX_set_params(maker, parameters) <= 0 ||
	    EVP_PKEY_paramgen(maker, &key) <= 0)
		key = NULL;
	EVP_PKEY_CTX_free(maker);
	return take_dh(context, key);
}

bool compat_dh_pem(SSL_CTX *context, const void *pem, size_t length, int *bits)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)length);
	EVP_PKEY *key = bio != NULL ? PEM_read_bio_Parameters(bio, NULL) : NULL;

	BIO_free(bio);
	*bits = 0;
	if (key != NULL && !EVP_PKEY_is_a(key, "DH") && !EVP_PKEY_is_a(key, "DHX")) {
		EVP_PKEY_free(key);
		return false;
	}
	if (key != NULL)
		*bits = EVP_PKEY_get_bits(key);
	return take_dh(context, key);
}

#endif

/* ---- encryption by the kernel --------------------------------------------------------------- */

#if !defined(LIBRESSL_VERSION_NUMBER) && !defined(OPENSSL_NO_KTLS) &&                              \
	defined(SSL_OP_ENABLE_KTLS) && defined(TCP_ULP)

/* A socket without a connection is refused in another way where the kernel knows the protocol. */
bool compat_kernel_possible(void)
{
	const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
	bool known;

	if (descriptor < 0)
		return false;
	known = setsockopt(descriptor, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) == 0 ||
	        errno == ENOTCONN;
	close(descriptor);
	return known;
}

void compat_kernel_ask(SSL *ssl)
{
	SSL_set_options(ssl, SSL_OP_ENABLE_KTLS);
}

bool compat_kernel_sends(SSL *ssl)
{
	return BIO_get_ktls_send(SSL_get_wbio(ssl));
}

bool compat_kernel_leave(SSL *ssl)
{
	BIO *in = SSL_get_rbio(ssl);

	if (BIO_up_ref(in) != 1)
		return false;
	SSL_set0_wbio(ssl, in);
	return true;
}

ssize_t compat_kernel_sendfile(SSL *ssl, int file, off_t offset, size_t length)
{
	return SSL_sendfile(ssl, file, offset, length, 0);
}

#else

bool compat_kernel_possible(void)
{
	return false;
}

void compat_kernel_ask(SSL *ssl)
{
	(void)ssl;
}

bool compat_kernel_sends(SSL *ssl)
{
	(void)ssl;
	return false;
}

bool compat_kernel_leave(SSL *ssl)
{
	(void)ssl;
	return true;
}

ssize_t compat_kernel_sendfile(SSL *ssl, int file, off_t offset, size_t length)
{
	(void)ssl;
	(void)file;
	(void)offset;
	(void)length;
	return -1;
}

#endif

bool compat_owes_keys(const SSL *ssl)
{
#ifdef LIBRESSL_VERSION_NUMBER
	(void)ssl;
	return false;
#else
	return SSL_get_key_update_type(ssl) != SSL_KEY_UPDATE_NONE;
#endif
}

/* ---- certificates, and the rest ------------------------------------------------------------- */

X509 *compat_client_certificate(const SSL *ssl)
{
#ifdef LIBRESSL_VERSION_NUMBER
	return SSL_get_peer_certificate(ssl);
#else
	return SSL_get1_peer_certificate(ssl);
#endif
}

const X509 *compat_own_certificate(const SSL *ssl)
{
	const X509 *certificate = SSL_get_certificate(ssl);
#ifdef LIBRESSL_VERSION_NUMBER
	const EVP_PKEY *key = certificate != NULL ? X509_get0_pubkey(certificate) : NULL;
	int type;

	/* In TLS 1.3 it names the one that was set last, and knows how it will sign. */
	if (key != NULL && SSL_get_signature_type_nid(ssl, &type) == 1 &&
	    EVP_PKEY_base_id(key) != (type == EVP_PKEY_RSA_PSS ? EVP_PKEY_RSA : type))
		return NULL;
#endif
	return certificate;
}

bool compat_silent_end(int error)
{
#ifdef LIBRESSL_VERSION_NUMBER
	return error == SSL_ERROR_SYSCALL;
#else
	(void)error; /* SSL_OP_IGNORE_UNEXPECTED_EOF makes it SSL_ERROR_ZERO_RETURN */
	return false;
#endif
}

bool compat_hmac(const unsigned char key[32], const char *text, unsigned char out[32])
{
	unsigned length = 32;

	return HMAC(EVP_sha256(), key, 32, (const unsigned char *)text, strlen(text), out,
	            &length) != NULL;
}
