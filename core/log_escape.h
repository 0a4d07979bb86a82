/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Escaping of bytes that came from outside, for lines that people and programs read later. What is
 * written holds no control byte and no newline, whatever came in.
 */
#ifndef LOG_ESCAPE_H
#define LOG_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <lophttpd/base.h>

enum log_escape {
	LOG_ESCAPE_QUOTED, /* in double quotes: \xXX for controls, '"', '\', bytes from 0x7F */
	LOG_ESCAPE_BARE, /* between spaces: spaces as well */
	LOG_ESCAPE_JSON, /* in a JSON string: \uXXXX for UTF-8, \u00XX for other bytes from 0x7F */
};

#define LOG_ESCAPE_ONES UINT64_C(0x0101010101010101)

/* The least byte that is plain: a space counts where fields lie between spaces. */
static inline unsigned log_escape_least(enum log_escape how)
{
	return how == LOG_ESCAPE_BARE ? 0x21 : 0x20;
}

/* Not 0 when one of eight bytes is less than that, a '"', a '\' or at least 0x7F; exact as a whole,
 * not for the single byte. */
static inline uint64_t log_escape_suspect(uint64_t word, unsigned least)
{
	const uint64_t ones = LOG_ESCAPE_ONES;

	return ((word - ones * least) | ((word ^ (ones * '"')) - ones) |
	        ((word ^ (ones * '\\')) - ones) | (word + ones) | word) &
	       (ones * 0x80);
}

/* Copies text as it is. Returns whether that was right: it needs no escape. Ends are looked at
 * together with bytes before them, a second time. */
static inline bool log_copy_plain(enum log_escape how, char *out, struct lop_str text)
{
	const unsigned least = log_escape_least(how);
	const char *data = text.data;
	const size_t length = text.length;
	uint64_t word, suspect = 0;
	uint32_t first, last;

	if (length >= 8) {
		for (size_t at = 0; at < length - 8; at += 8) {
			memcpy(&word, data + at, 8);
			memcpy(out + at, &word, 8);
			suspect |= log_escape_suspect(word, least);
		}
		memcpy(&word, data + length - 8, 8);
		memcpy(out + length - 8, &word, 8);
	} else if (length >= 4) {
		memcpy(&first, data, 4);
		memcpy(&last, data + length - 4, 4);
		memcpy(out, &first, 4);
		memcpy(out + length - 4, &last, 4);
		word = (uint64_t)first << 32 | last;
	} else {
		word = LOG_ESCAPE_ONES * 'x';
		for (size_t at = 0; at < length; at++)
			word = word << 8 | (unsigned char)(out[at] = data[at]);
	}
	return (suspect | log_escape_suspect(word, least)) == 0;
}

/* Writes text escaped from out on, not past end; what does not fit is cut, never within an escape
 * or a character, and ends in "..." (end - out is at least 3). Returns the end of what was
 * written. */
char *log_escape(enum log_escape how, char *out, char *end, struct lop_str text);

/* For messages: as QUOTED, but '"', '\' and valid UTF-8 stay as they are. */
char *log_escape_message(char *out, char *end, struct lop_str text);

#endif
