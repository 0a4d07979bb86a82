/* SPDX-License-Identifier: BSD-2-Clause */
#include "seal.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <string.h>

#include "compat.h"
#include "transport.h"

#if COMPAT_TELLS_SECRETS

/* ---- the secret ----------------------------------------------------------------------------- */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bytes written in hexadecimal, up to the end of the text; returns how many, 0 when it is anything
 * else or too long. */
static size_t read_hex(const char *text, unsigned char *bytes, size_t size)
{
	size_t length = 0;

	while (*text != '\0') {
		const int high = digit(text[0]), low = high < 0 ? -1 : digit(text[1]);

		if (low < 0 || length == size)
			return 0;
		bytes[length++] = (unsigned char)(high << 4 | low);
		text += 2;
	}
	return length;
}

/* A line of the key log: label, the client's random, the secret. */
static void take_secret(const SSL *ssl, const char *line)
{
	static const char label[] = "SERVER_TRAFFIC_SECRET_0 ";
	struct seal *seal = transport_seal(ssl);
	const char *last;

	if (strncmp(line, label, sizeof(label) - 1) != 0)
		return;
	SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(ssl), NULL);
	last = strrchr(line, ' ') + 1;
	seal->secret_length = read_hex(last, seal->secret, sizeof(seal->secret));
	seal->sequence = 0;
}

/* OpenSSL has written or read something. A key log costs it some time a line: it is on only between
 * the message that comes before the line that is needed, and that line. */
static void observe(int writes, int version, int type, const void *data, size_t length, SSL *ssl,
                    void *argument)
{
	struct seal *seal = transport_seal(ssl);
	const unsigned char *message = data;

	(void)version;
	(void)argument;
	if (!writes || length == 0)
		return;
	if (seal->cipher != NULL) {
		if (type == SSL3_RT_ALERT || type == SSL3_RT_HANDSHAKE)
			transport_say(ssl, (unsigned char)type, data, length);
	} else if (type == SSL3_RT_HEADER) {
		seal->sequence++;
	} else if (type == SSL3_RT_HANDSHAKE && message[0] == SSL3_MT_KEY_UPDATE) {
		seal_end(seal);
	} else if (seal->wanted && type == SSL3_RT_HANDSHAKE &&
	           message[0] == SSL3_MT_FINISHED && SSL_version(ssl) == TLS1_3_VERSION) {
		SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(ssl), take_secret);
	}
}

void seal_prepare(SSL_CTX *context)
{
	SSL_CTX_set_msg_callback(context, observe);
}

/* ---- keys ----------------------------------------------------------------------------------- */

/* HKDF-Expand-Label(secret, label, "", length) (RFC 8446 7.1), of at most one block of the hash. */
static bool expand(const EVP_MD *hash, const struct seal *seal, const char *label,
                   unsigned char *out, size_t length)
{
	unsigned char block[EVP_MAX_MD_SIZE], info[32] = { 0 };
	const size_t label_length = strlen(label);
	unsigned block_length = 0;
	bool done;

	info[1] = (unsigned char)length;
	info[2] = (unsigned char)(6 + label_length);
	memcpy(info + 3, "tls13 ", 6);
	memcpy(info + 9, label, label_length);
	info[9 + label_length + 1] = 1; /* behind the empty context: the number of the block */
	done = HMAC(hash, seal->secret, (int)seal->secret_length, info, label_length + 11, block,
	            &block_length) != NULL &&
	       block_length >= length;
	if (done)
		memcpy(out, block, length);
	OPENSSL_cleanse(block, sizeof(block));
	return done;
}

static bool suite_of(const SSL *ssl, const EVP_CIPHER **cipher, const EVP_MD **hash)
{
	switch (SSL_CIPHER_get_id(SSL_get_current_cipher(ssl))) {
	case TLS1_3_CK_AES_128_GCM_SHA256:
		*cipher = EVP_aes_128_gcm();
		*hash = EVP_sha256();
		return true;
	case TLS1_3_CK_AES_256_GCM_SHA384:
		*cipher = EVP_aes_256_gcm();
		*hash = EVP_sha384();
		return true;
	case TLS1_3_CK_CHACHA20_POLY1305_SHA256:
		*cipher = EVP_chacha20_poly1305();
		*hash = EVP_sha256();
		return true;
	default:
		return false; /* CCM has to be told the length first, and is rare */
	}
}

/* Whether the client has asked for records that are shorter than usual (RFC 6066 4). */
static bool wants_short_records(const SSL *ssl)
{
	const uint8_t mode = SSL_SESSION_get_max_fragment_length(SSL_get0_session(ssl));

	return mode >= TLSEXT_max_fragment_length_512 && mode <= TLSEXT_max_fragment_length_4096;
}

bool seal_begin(struct seal *seal, const SSL *ssl)
{
	unsigned char key[EVP_MAX_KEY_LENGTH];
	const EVP_CIPHER *cipher;
	const EVP_MD *hash;

	if (seal->secret_length == 0)
		return false;
	if (!wants_short_records(ssl) && suite_of(ssl, &cipher, &hash) &&
	    expand(hash, seal, "key", key, (size_t)EVP_CIPHER_key_length(cipher)) &&
	    expand(hash, seal, "iv", seal->iv, sizeof(seal->iv))) {
		seal->cipher = EVP_CIPHER_CTX_new();
		if (seal->cipher != NULL &&
		    EVP_EncryptInit_ex(seal->cipher, cipher, NULL, key, NULL) != 1) {
			EVP_CIPHER_CTX_free(seal->cipher);
			seal->cipher = NULL;
		}
	}
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(seal->secret, seal->secret_length);
	seal->secret_length = 0;
	return seal->cipher != NULL;
}

void seal_end(struct seal *seal)
{
	EVP_CIPHER_CTX_free(seal->cipher);
	OPENSSL_cleanse(seal, sizeof(*seal)); /* to zeros */
}

/* ---- records -------------------------------------------------------------------------------- */

size_t seal_record(struct seal *seal, unsigned char type, const unsigned char *content,
                   size_t length, unsigned char *out)
{
	const size_t sealed = length + 1 + SEAL_TAG;
	unsigned char nonce[SEAL_IV], *body = out + SEAL_HEAD;
	int part;

	memcpy(nonce, seal->iv, sizeof(nonce));
	for (int i = 0; i < 8; i++)
		nonce[SEAL_IV - 1 - i] ^= (unsigned char)(seal->sequence >> 8 * i);
	seal->sequence++;
	out[0] = SSL3_RT_APPLICATION_DATA;
	out[1] = out[2] = 3;
	out[3] = (unsigned char)(sealed >> 8);
	out[4] = (unsigned char)sealed;
	if (EVP_EncryptInit_ex(seal->cipher, NULL, NULL, NULL, nonce) != 1 ||
	    EVP_EncryptUpdate(seal->cipher, NULL, &part, out, SEAL_HEAD) != 1 ||
	    EVP_EncryptUpdate(seal->cipher, body, &part, content, (int)length) != 1 ||
	    EVP_EncryptUpdate(seal->cipher, body + length, &part, &type, 1) != 1 ||
	    EVP_EncryptFinal_ex(seal->cipher, body + length + 1, &part) != 1 ||
	    EVP_CIPHER_CTX_ctrl(seal->cipher, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG,
	                        body + length + 1) != 1)
		return 0;
	return SEAL_HEAD + sealed;
}

#else

void seal_prepare(SSL_CTX *context)
{
	(void)context;
}

bool seal_begin(struct seal *seal, const SSL *ssl)
{
	(void)seal;
	(void)ssl;
	return false;
}

size_t seal_record(struct seal *seal, unsigned char type, const unsigned char *content,
                   size_t length, unsigned char *out)
{
	(void)seal;
	(void)type;
	(void)content;
	(void)length;
	(void)out;
	return 0;
}

void seal_end(struct seal *seal)
{
	(void)seal;
}

#endif
