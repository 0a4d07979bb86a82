/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#ifdef HAVE_GETRANDOM
#include <sys/random.h>
#else
#include <stdlib.h>
#endif

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool name_safe(const char *name, size_t length)
{
	if (length == 0 || length >= NAME_SIZE || name[0] == '.')
		return false;
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c < 0x20 || c == 0x7f || c == '/' || c == '\\')
			return false;
	}
	return true;
}

static int random_fill(unsigned char *bytes, size_t size)
{
#ifdef HAVE_GETRANDOM
	size_t done = 0;

	while (done < size) {
		ssize_t count = getrandom(bytes + done, size - done, 0);

		if (count < 0 && errno != EINTR)
			return -errno;
		if (count > 0)
			done += (size_t)count;
	}
#else
	arc4random_buf(bytes, size);
#endif
	return 0;
}

int name_token(char token[NAME_TOKEN_LENGTH + 1])
{
	unsigned char bytes[NAME_TOKEN_BYTES];
	int result = random_fill(bytes, sizeof(bytes));
	uint32_t bits = 0;
	unsigned count = 0;
	size_t at = 0;

	if (result < 0)
		return result;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bits = (bits << 8 | bytes[i]) & 0xffff;
		for (count += 8; count >= 6; count -= 6)
			token[at++] = digits[bits >> (count - 6) & 63];
	}
	token[at++] = digits[bits << (6 - count) & 63];
	token[at] = '\0';
	return 0;
}

int name_make(const char *wanted, size_t length, bool random, char name[NAME_SIZE])
{
	if (!name_safe(wanted, length))
		return -EINVAL;
	memcpy(name, wanted, length);
	name[length] = '\0';
	if (!random)
		return 0;
	if (length + 1 + NAME_TOKEN_LENGTH >= NAME_SIZE)
		return -EINVAL;
	name[length] = '-';
	return name_token(name + length + 1);
}

bool name_has_token(const char *name, size_t length)
{
	if (length < NAME_TOKEN_LENGTH + 2 || name[length - NAME_TOKEN_LENGTH - 1] != '-')
		return false;
	for (size_t i = length - NAME_TOKEN_LENGTH; i < length; i++) {
		if (memchr(digits, name[i], sizeof(digits) - 1) == NULL)
			return false;
	}
	return true;
}

size_t name_encode(const char *name, size_t length, char *out)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t at = 0;

	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c == '/' || c == '.' || c == '~' ||
		    (c < 0x80 && memchr(digits, c, sizeof(digits) - 1) != NULL)) {
			out[at++] = (char)c;
			continue;
		}
		out[at++] = '%';
		out[at++] = hex[c >> 4];
		out[at++] = hex[c & 15];
	}
	out[at] = '\0';
	return at;
}

/* Bytes of the UTF-8 sequence at text, 0 when there is none. */
static size_t sequence(const unsigned char *text, size_t left)
{
	size_t length = text[0] < 0x80 ? 1 : text[0] < 0xc2 ? 0 : text[0] < 0xe0 ? 2
	                : text[0] < 0xf0 ? 3 : text[0] < 0xf5 ? 4 : 0;

	if (length == 0 || length > left)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return length;
}

static const char *entity(char c)
{
	switch (c) {
	case '&': return "&amp;";
	case '<': return "&lt;";
	case '>': return "&gt;";
	case '"': return "&quot;";
	case '\'': return "&#39;";
	default: return NULL;
	}
}

size_t name_escape(const char *name, size_t length, char *out)
{
	size_t at = 0;

	for (size_t i = 0; i < length;) {
		size_t bytes = sequence((const unsigned char *)name + i, length - i);
		const char *text = bytes == 1 ? entity(name[i]) : NULL;

		if (bytes == 0 || (bytes == 1 && (unsigned char)name[i] < 0x20)) {
			text = "\xef\xbf\xbd";
			bytes = 1;
		}
		if (text != NULL) {
			memcpy(out + at, text, strlen(text));
			at += strlen(text);
		} else {
			memcpy(out + at, name + i, bytes);
			at += bytes;
		}
		i += bytes;
	}
	out[at] = '\0';
	return at;
}
