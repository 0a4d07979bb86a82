/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "digest.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#ifdef HAVE_OPENSSL
#include <openssl/evp.h>
#endif

struct cursor {
	const char *at;
	const char *end;
};

/* One member of a dictionary; value is what stands behind '=', data NULL for a bare key. */
struct member {
	struct lop_str key;
	struct lop_str value;
	bool bytes; /* a byte sequence; its colons are left out of value */
};

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void skip(struct cursor *cursor, const char *which)
{
	while (cursor->at < cursor->end && *cursor->at != '\0' && strchr(which, *cursor->at) != NULL)
		cursor->at++;
}

/* A key, RFC 8941 3.1.2: lower case. */
static struct lop_str read_key(struct cursor *cursor)
{
	struct lop_str key = { cursor->at, 0 };

	while (cursor->at < cursor->end &&
	       ((*cursor->at >= 'a' && *cursor->at <= 'z') || *cursor->at == '*' ||
	        (cursor->at > key.data &&
	         ((*cursor->at >= '0' && *cursor->at <= '9') || *cursor->at == '_' ||
	          *cursor->at == '-' || *cursor->at == '.'))))
		cursor->at++;
	key.length = (size_t)(cursor->at - key.data);
	return key;
}

static bool read_until(struct cursor *cursor, char last, struct lop_str *value)
{
	const char *start = ++cursor->at;
	const char *end = memchr(start, last, (size_t)(cursor->end - start));

	if (end == NULL)
		return false;
	*value = (struct lop_str){ start, (size_t)(end - start) };
	cursor->at = end + 1;
	return true;
}

/* A byte sequence, or a bare item that only has to be passed: numbers, tokens, booleans. */
static bool read_value(struct cursor *cursor, struct lop_str *value, bool *bytes)
{
	const char *start = cursor->at;

	*bytes = start < cursor->end && *start == ':';
	if (*bytes)
		return read_until(cursor, ':', value);
	if (start < cursor->end && *start == '"')
		return read_until(cursor, '"', value);
	while (cursor->at < cursor->end && *cursor->at > ' ' && *cursor->at != ',' &&
	       *cursor->at != ';')
		cursor->at++;
	*value = (struct lop_str){ start, (size_t)(cursor->at - start) };
	return value->length > 0;
}

/* 1, 0 at the end, -EINVAL. */
static int next_member(struct cursor *cursor, struct member *member)
{
	struct lop_str ignored;
	bool bytes;

	skip(cursor, " \t");
	if (cursor->at >= cursor->end)
		return 0;
	*member = (struct member){ .key = read_key(cursor) };
	if (member->key.length == 0)
		return -EINVAL;
	if (cursor->at < cursor->end && *cursor->at == '=') {
		cursor->at++;
		if (!read_value(cursor, &member->value, &member->bytes))
			return -EINVAL;
	}
	while (cursor->at < cursor->end && *cursor->at == ';') {
		cursor->at++;
		skip(cursor, " ");
		if (read_key(cursor).length == 0)
			return -EINVAL;
		if (cursor->at < cursor->end && *cursor->at == '=') {
			cursor->at++;
			if (!read_value(cursor, &ignored, &bytes))
				return -EINVAL;
		}
	}
	skip(cursor, " \t");
	if (cursor->at >= cursor->end)
		return 1;
	if (*cursor->at++ != ',')
		return -EINVAL;
	skip(cursor, " \t");
	return cursor->at < cursor->end ? 1 : -EINVAL; /* no comma at the end */
}

static bool is_sha256(const struct member *member)
{
	return member->key.length == 7 && memcmp(member->key.data, "sha-256", 7) == 0;
}

/* 44 digits of base64, the last one '=', make 32 bytes. */
static bool decode(struct lop_str text, unsigned char out[DIGEST_SIZE])
{
	uint32_t bits = 0;
	unsigned count = 0;
	size_t at = 0;

	if (text.length != 44 || text.data[43] != '=')
		return false;
	for (size_t i = 0; i < 43; i++) {
		const char *digit = memchr(base64, text.data[i], 64);

		if (digit == NULL)
			return false;
		bits = (bits << 6 | (uint32_t)(digit - base64)) & 0xffff;
		count += 6;
		if (count >= 8) {
			count -= 8;
			out[at++] = (unsigned char)(bits >> count);
		}
	}
	return (bits & 3) == 0;
}

int digest_parse(struct lop_str value, unsigned char digest[DIGEST_SIZE])
{
	struct cursor cursor = { value.data, value.data + value.length };
	struct member member;
	int result, found = 0;

	while ((result = next_member(&cursor, &member)) > 0) {
		if (!is_sha256(&member))
			continue;
		if (!member.bytes || !decode(member.value, digest))
			return -EINVAL;
		found = 1; /* the last one of a key counts, RFC 8941 3.2 */
	}
	return result < 0 ? result : found;
}

int digest_wanted(struct lop_str value)
{
	struct cursor cursor = { value.data, value.data + value.length };
	struct member member;
	int result, wanted = 0;

	while ((result = next_member(&cursor, &member)) > 0) {
		if (!is_sha256(&member))
			continue;
		if (member.bytes || member.value.data == NULL)
			return -EINVAL;
		/* 0 to 10; 0: not acceptable */
		wanted = 0;
		for (size_t i = 0; i < member.value.length; i++) {
			if (member.value.data[i] < '0' || member.value.data[i] > '9')
				return -EINVAL;
			wanted |= member.value.data[i] != '0';
		}
	}
	return result < 0 ? result : wanted;
}

size_t digest_format(const unsigned char digest[DIGEST_SIZE], char text[DIGEST_FIELD_SIZE])
{
	size_t at = 9;

	memcpy(text, "sha-256=:", 9);
	for (size_t i = 0; i < DIGEST_SIZE; i += 3) {
		uint32_t bits = (uint32_t)digest[i] << 16 | (uint32_t)digest[i + 1] << 8;

		if (i + 2 < DIGEST_SIZE)
			bits |= digest[i + 2];
		text[at++] = base64[bits >> 18];
		text[at++] = base64[bits >> 12 & 63];
		text[at++] = base64[bits >> 6 & 63];
		text[at++] = i + 2 < DIGEST_SIZE ? base64[bits & 63] : '=';
	}
	text[at++] = ':';
	text[at] = '\0';
	return at;
}

#ifdef HAVE_OPENSSL

bool digest_available(void)
{
	return true;
}

int digest_new(struct digest **digest)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (context == NULL)
		return -ENOMEM;
	if (EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(context);
		return -EIO;
	}
	*digest = (struct digest *)context;
	return 0;
}

int digest_update(struct digest *digest, const void *data, size_t length)
{
	return EVP_DigestUpdate((EVP_MD_CTX *)digest, data, length) == 1 ? 0 : -EIO;
}

int digest_end(struct digest *digest, unsigned char out[DIGEST_SIZE])
{
	unsigned length = 0;

	return EVP_DigestFinal_ex((EVP_MD_CTX *)digest, out, &length) == 1 && length == DIGEST_SIZE
	               ? 0
	               : -EIO;
}

void digest_free(struct digest **digest)
{
	EVP_MD_CTX_free((EVP_MD_CTX *)*digest);
	*digest = NULL;
}

#else

bool digest_available(void)
{
	return false;
}

int digest_new(struct digest **digest)
{
	*digest = NULL;
	return -ENOSYS;
}

int digest_update(struct digest *digest, const void *data, size_t length)
{
	(void)digest;
	(void)data;
	(void)length;
	return -ENOSYS;
}

int digest_end(struct digest *digest, unsigned char out[DIGEST_SIZE])
{
	(void)digest;
	(void)out;
	return -ENOSYS;
}

void digest_free(struct digest **digest)
{
	*digest = NULL;
}

#endif
