/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "log_escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ESCAPED_MAX 12 /* two times \uXXXX */

static inline bool plain(unsigned char byte, unsigned least)
{
	return byte >= least && byte < 0x7f && byte != '"' && byte != '\\';
}

/* Copies what needs no escape, as far as there is room, and returns how long that is. */
static size_t copy_plain(char *out, size_t room, const char *data, size_t length, unsigned least)
{
	size_t most = length < room ? length : room;
	size_t at = 0;
	uint64_t word;

	for (; at + 8 <= most; at += 8) {
		memcpy(&word, data + at, 8);
		if (log_escape_suspect(word, least) != 0)
			break;
		memcpy(out + at, &word, 8);
	}
	for (; at < most && plain((unsigned char)data[at], least); at++)
		out[at] = data[at];
	return at;
}

/* Length of the valid UTF-8 sequence at data (RFC 3629: no overlong form, no surrogate) that is no
 * control character either, or 0. */
static size_t utf8_length(const unsigned char *data, size_t length)
{
	unsigned char lead = data[0];
	size_t size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

	if (lead < 0xc2 || lead > 0xf4 || length < size)
		return 0;
	for (size_t i = 1; i < size; i++)
		if ((data[i] & 0xc0) != 0x80)
			return 0;
	if (lead == 0xc2 && data[1] < 0xa0) /* U+0080 to U+009F */
		return 0;
	if ((lead == 0xe0 && data[1] < 0xa0) || (lead == 0xed && data[1] > 0x9f) ||
	    (lead == 0xf0 && data[1] < 0x90) || (lead == 0xf4 && data[1] > 0x8f))
		return 0;
	return size;
}

static const char digits[] = "0123456789abcdef";

static size_t hex(char *out, const char *lead, unsigned char byte, const char *alphabet)
{
	size_t length = strlen(lead);

	memcpy(out, lead, length);
	out[length] = alphabet[byte >> 4];
	out[length + 1] = alphabet[byte & 15];
	return length + 2;
}

/* One escaped byte or character: writes it into out (ESCAPED_MAX bytes) and sets *taken. */
static size_t escape_text(char *out, const unsigned char *data, size_t length, size_t *taken)
{
	(void)length;
	*taken = 1;
	return hex(out, "\\x", data[0], "0123456789ABCDEF");
}

/* \uXXXX; two of them, a surrogate pair, above U+FFFF. */
static size_t escape_character(char *out, uint32_t character)
{
	char lead[] = "\\uXX";
	size_t length = 0;

	if (character > 0xffff) {
		length = escape_character(out, 0xd800 + ((character - 0x10000) >> 10));
		character = 0xdc00 + ((character - 0x10000) & 0x3ff);
	}
	lead[2] = digits[character >> 12];
	lead[3] = digits[character >> 8 & 15];
	return length + hex(out + length, lead, (unsigned char)character, digits);
}

static uint32_t utf8_character(const unsigned char *data, size_t length)
{
	uint32_t character = data[0] & (0xffu >> (length + 1));

	for (size_t i = 1; i < length; i++)
		character = character << 6 | (data[i] & 0x3fu);
	return character;
}

static size_t escape_json(char *out, const unsigned char *data, size_t length, size_t *taken)
{
	static const char letters[] = "\bb\tt\nn\ff\rr\"\"\\\\";

	*taken = data[0] < 0x80 ? 0 : utf8_length(data, length);
	if (*taken > 0)
		return escape_character(out, utf8_character(data, *taken));
	*taken = 1;
	for (const char *letter = letters; *letter != '\0'; letter += 2)
		if ((unsigned char)letter[0] == data[0]) {
			out[0] = '\\';
			out[1] = letter[1];
			return 2;
		}
	return escape_character(out, data[0]);
}

static size_t escape_message(char *out, const unsigned char *data, size_t length, size_t *taken)
{
	*taken = data[0] < 0x80 ? 0 : utf8_length(data, length);
	if (data[0] == '"' || data[0] == '\\')
		*taken = 1;
	if (*taken > 0) {
		memcpy(out, data, *taken);
		return *taken;
	}
	return escape_text(out, data, length, taken);
}

typedef size_t escape_f(char *out, const unsigned char *data, size_t length, size_t *taken);

/* A text that is cut gives its last bytes up for the dots, so that the cut shows: `safe` is the
 * last place between characters that has room for them. */
static char *run(char *out, char *end, struct lop_str text, unsigned least, escape_f *escape)
{
	const char *data = text.data;
	size_t left = text.length;
	char *safe = out;

	for (;;) {
		size_t clean = copy_plain(out, (size_t)(end - out), data, left, least);
		char escaped[ESCAPED_MAX];
		size_t size, taken;

		if (clean > 0 && out <= end - 3)
			safe = out + clean <= end - 3 ? out + clean : end - 3;
		out += clean;
		data += clean;
		left -= clean;
		if (left == 0)
			return out;
		size = escape(escaped, (const unsigned char *)data, left, &taken);
		if ((size_t)(end - out) < size)
			break;
		memcpy(out, escaped, size);
		out += size;
		data += taken;
		left -= taken;
		if (out <= end - 3)
			safe = out;
	}
	memcpy(safe, "...", 3);
	return safe + 3;
}

char *log_escape(enum log_escape how, char *out, char *end, struct lop_str text)
{
	/* The common case first: clean, and it fits. */
	if (text.length <= (size_t)(end - out) && log_copy_plain(how, out, text))
		return out + text.length;
	return run(out, end, text, log_escape_least(how),
	           how == LOG_ESCAPE_JSON ? escape_json : escape_text);
}

char *log_escape_message(char *out, char *end, struct lop_str text)
{
	return run(out, end, text, 0x20, escape_message);
}
