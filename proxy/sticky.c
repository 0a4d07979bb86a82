/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "sticky.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_SYS_RANDOM_H
#include <sys/random.h>
#endif

#ifdef HAVE_OPENSSL
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#endif

#define FORMAT 1
#define DAY (INT64_C(86400) * 1000000000)
#define CLAIM_SIZE 13 /* what is signed */
#define SIGNATURE_SIZE 16
#define VALUE_SIZE (CLAIM_SIZE + SIGNATURE_SIZE)

#define KEY_MIN 16
#define LINE_SIZE 1024

/* ---- the Cookie field ----------------------------------------------------------------------- */

static struct lop_str trim(const char *start, const char *end)
{
	while (start < end && (*start == ' ' || *start == '\t'))
		start++;
	while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return (struct lop_str){ start, (size_t)(end - start) };
}

struct lop_str cookie_next(struct lop_str field, struct lop_str name, size_t *offset)
{
	while (*offset < field.length) {
		const char *start = field.data + *offset;
		const char *end = memchr(start, ';', field.length - *offset);
		const char *equals;
		struct lop_str found;

		if (end == NULL)
			end = field.data + field.length;
		*offset = (size_t)(end - field.data) + 1;
		equals = memchr(start, '=', (size_t)(end - start));
		if (equals == NULL)
			continue;
		found = trim(start, equals);
		if (found.length != name.length || memcmp(found.data, name.data, name.length) != 0)
			continue;
		found = trim(equals + 1, end);
		if (found.length >= 2 && found.data[0] == '"' &&
		    found.data[found.length - 1] == '"')
			found = (struct lop_str){ found.data + 1, found.length - 2 };
		return found;
	}
	return (struct lop_str){ NULL, 0 };
}

#ifdef HAVE_OPENSSL

/* ---- base64url, RFC 4648 section 5, without padding ----------------------------------------- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(const uint8_t bytes[VALUE_SIZE], char out[STICKY_VALUE_LENGTH])
{
	uint32_t bits = 0;
	unsigned held = 0;
	size_t used = 0;

	for (size_t i = 0; i < VALUE_SIZE; i++) {
		bits = bits << 8 | bytes[i];
		for (held += 8; held >= 6; held -= 6)
			out[used++] = digits[bits >> (held - 6) & 63];
	}
	out[used] = digits[bits << (6 - held) & 63];
}

static bool decode(struct lop_str text, uint8_t bytes[VALUE_SIZE])
{
	uint32_t bits = 0;
	unsigned held = 0;
	size_t used = 0;

	if (text.length != STICKY_VALUE_LENGTH)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		const char *digit = text.data[i] == '\0' ? NULL : strchr(digits, text.data[i]);

		if (digit == NULL)
			return false;
		bits = bits << 6 | (uint32_t)(digit - digits);
		held += 6;
		if (held >= 8) {
			held -= 8;
			bytes[used++] = (uint8_t)(bits >> held);
		}
	}
	/* One spelling of a value only. */
	return (bits & ((1u << held) - 1)) == 0;
}

/* ---- secrets -------------------------------------------------------------------------------- */

#define KEY_SIZE 32

struct secret {
	uint8_t keys[STICKY_KEYS][KEY_SIZE]; /* the first signs */
	unsigned count;
};

bool sticky_available(void)
{
	return true;
}

static bool sign(const uint8_t key[KEY_SIZE], const void *data, size_t length, uint8_t out[32])
{
	unsigned written = 0;

	return HMAC(EVP_sha256(), key, KEY_SIZE, data, length, out, &written) != NULL &&
	       written == 32;
}

/* Of a line of any length. It is also the first use of the library, which reads its configuration
 * then, while that is in reach. */
static int add_key(struct secret *secret, const void *line, size_t length)
{
	static const uint8_t purpose[KEY_SIZE] = "lophttpd sticky cookies";

	if (!sign(purpose, line, length, secret->keys[secret->count]))
		return -ENOMEM;
	secret->count++;
	return 0;
}

static int read_line(struct secret *secret, const char *path, const char *line, char *error,
                     size_t error_size)
{
	const size_t length = strcspn(line, "\r\n");

	if (length == 0)
		return 0;
	if (length < KEY_MIN || line[length] == '\0') {
		snprintf(error, error_size,
		         "--sticky-key %s: a secret is a line of %d to %d bytes; make one with "
		         "'openssl rand -hex 32'",
		         path, KEY_MIN, LINE_SIZE - 3);
		return -EINVAL;
	}
	if (secret->count == STICKY_KEYS) {
		snprintf(error, error_size,
		         "--sticky-key %s: more than %d secrets; remove the "
		         "oldest, at the end",
		         path, STICKY_KEYS);
		return -EINVAL;
	}
	return add_key(secret, line, length);
}

static int read_file(struct secret *secret, const char *path, char *error, size_t error_size)
{
	FILE *file = fopen(path, "re");
	char line[LINE_SIZE];
	int result = 0;

	if (file == NULL) {
		result = -errno;
		snprintf(error, error_size, "--sticky-key: cannot open %s: %s", path,
		         strerror(errno));
		return result;
	}
	while (result == 0 && fgets(line, sizeof line - 1, file) != NULL) {
		/* The last line may have no end. */
		if (feof(file))
			strcat(line, "\n");
		result = read_line(secret, path, line, error, error_size);
	}
	if (result == 0 && ferror(file)) {
		result = -EIO;
		snprintf(error, error_size, "--sticky-key: cannot read %s: %s", path,
		         strerror(EIO));
	}
	if (result == 0 && secret->count == 0) {
		result = -EINVAL;
		snprintf(error, error_size,
		         "--sticky-key %s: there is no secret in it; make one "
		         "with 'openssl rand -hex 32'",
		         path);
	}
	fclose(file);
	OPENSSL_cleanse(line, sizeof line);
	return result;
}

int secret_new(const char *path, struct secret **out, char *error, size_t error_size)
{
	struct secret *secret = calloc(1, sizeof *secret);
	uint8_t random[32];
	int result = -ENOMEM;

	*error = '\0';
	*out = NULL;
	if (secret != NULL && path != NULL) {
		result = read_file(secret, path, error, error_size);
	} else if (secret != NULL) {
		result = getentropy(random, sizeof random) < 0
		                 ? -errno
		                 : add_key(secret, random, sizeof random);
		OPENSSL_cleanse(random, sizeof random);
	}
	if (result == 0) {
		*out = secret;
		return 0;
	}
	if (*error == '\0')
		snprintf(error, error_size, "cannot make the key of sticky cookies: %s",
		         strerror(-result));
	secret_free(&secret);
	return result;
}

void secret_free(struct secret **pointer)
{
	struct secret *secret = *pointer;

	*pointer = NULL;
	if (secret == NULL)
		return;
	OPENSSL_cleanse(secret, sizeof *secret);
	free(secret);
}

/* ---- values --------------------------------------------------------------------------------- */

static void put_number(uint8_t *out, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)(value >> 8 * (size - 1 - i));
}

static uint64_t get_number(const uint8_t *bytes, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | bytes[i];
	return value;
}

void sticky_server(const struct secret *secret, const void *address, size_t length,
                   uint64_t cookies[STICKY_KEYS])
{
	uint8_t digest[32];

	for (unsigned i = 0; i < STICKY_KEYS; i++)
		cookies[i] = i < secret->count && sign(secret->keys[i], address, length, digest)
		                     ? get_number(digest, 8)
		                     : 0;
}

static uint32_t day_of(int64_t wall)
{
	return (uint32_t)(wall / DAY);
}

void sticky_write(const struct secret *secret, uint64_t server, int64_t wall,
                  char out[STICKY_VALUE_LENGTH])
{
	uint8_t value[VALUE_SIZE], digest[32] = { 0 };

	value[0] = FORMAT;
	put_number(value + 1, day_of(wall), 4);
	put_number(value + 5, server, 8);
	if (!sign(secret->keys[0], value, CLAIM_SIZE, digest))
		memset(value, 0, sizeof value); /* no memory: a cookie that is not taken */
	else
		memcpy(value + CLAIM_SIZE, digest, SIGNATURE_SIZE);
	encode(value, out);
}

bool sticky_read(const struct secret *secret, struct lop_str text, int64_t wall,
                 struct sticky_claim *claim)
{
	uint8_t value[VALUE_SIZE], digest[32];
	uint32_t age;

	if (!decode(text, value) || value[0] != FORMAT)
		return false;
	for (unsigned i = 0; i < secret->count; i++) {
		if (!sign(secret->keys[i], value, CLAIM_SIZE, digest) ||
		    CRYPTO_memcmp(digest, value + CLAIM_SIZE, SIGNATURE_SIZE) != 0)
			continue;
		/* Of today or yesterday; or tomorrow's, of a machine whose clock is ahead. */
		age = day_of(wall) - (uint32_t)get_number(value + 1, 4);
		if (age > 1 && age != UINT32_MAX)
			return false;
		*claim = (struct sticky_claim){
			.server = get_number(value + 5, 8),
			.key = i,
			.renew = i != 0 || age == 1,
		};
		return claim->server != 0;
	}
	return false;
}

#else /* Nothing can be signed: balance_parse() refuses what would need it. */

bool sticky_available(void)
{
	return false;
}

int secret_new(const char *path, struct secret **secret, char *error, size_t error_size)
{
	(void)path;
	*secret = NULL;
	snprintf(error, error_size, "--sticky-key: this was built without OpenSSL");
	return -EOPNOTSUPP;
}

void secret_free(struct secret **secret)
{
	*secret = NULL;
}

void sticky_server(const struct secret *secret, const void *address, size_t length,
                   uint64_t cookies[STICKY_KEYS])
{
	(void)secret;
	(void)address;
	(void)length;
	memset(cookies, 0, STICKY_KEYS * sizeof *cookies);
}

void sticky_write(const struct secret *secret, uint64_t server, int64_t wall,
                  char out[STICKY_VALUE_LENGTH])
{
	(void)secret;
	(void)server;
	(void)wall;
	memset(out, '0', STICKY_VALUE_LENGTH);
}

bool sticky_read(const struct secret *secret, struct lop_str text, int64_t wall,
                 struct sticky_claim *claim)
{
	(void)secret;
	(void)text;
	(void)wall;
	(void)claim;
	return false;
}

#endif
