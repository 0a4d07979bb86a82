/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which bytes make up a field's name and value, and passing over them quickly.
 */
#ifndef FIELD_BYTES_H
#define FIELD_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* tchar, RFC 9110 5.6.2. */
extern const bool token_bytes[256];

static inline bool is_token_byte(char byte)
{
	return token_bytes[(unsigned char)byte];
}

#define EACH_BYTE UINT64_C(0x0101010101010101)

/* Not 0 when one of the eight bytes is below `least` or is DEL. The lowest bit that is set belongs
 * to the lowest such byte; a borrow may set bits above it. */
static inline uint64_t word_stops(uint64_t word, uint8_t least)
{
	uint64_t rubout = word ^ (EACH_BYTE * 0x7f);
	return (((word - EACH_BYTE * least) & ~word) | ((rubout - EACH_BYTE) & ~rubout)) &
	       (EACH_BYTE * 0x80);
}

/* To the first byte that is below `least` or is DEL, or to the end. */
static inline const char *skip_visible(const char *at, const char *end, uint8_t least)
{
	while (end - at >= 8) {
		uint64_t word;
		memcpy(&word, at, sizeof word);
		uint64_t stops = word_stops(word, least);
		if (stops != 0) {
#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
			return at + __builtin_ctzll(stops) / 8;
#else
			break;
#endif
		}
		at += 8;
	}
	while (at < end && (unsigned char)*at >= least && *at != 0x7f)
		at++;
	return at;
}

#endif
