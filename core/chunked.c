/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "chunked.h"

#include <errno.h>
#include <string.h>

/* What a byte of the framing is. The zero is what may stand nowhere: controls and DEL. */
enum byte_class {
	BAD = 0,
	HEX, /* also a token's */
	TOKEN,
	BLANK,
	SEMICOLON,
	EQUALS,
	QUOTE,
	BACKSLASH,
	COLON,
	VISIBLE, /* others, and bytes from 0x80 */
	CR,
	LF,
	CLASS_COUNT,
};

/* The place in the grammar: what has been read last. */
enum place {
	START = 0, /* nothing of a size line */
	SIZE,
	SIZE_BLANK,
	EXT_SEMICOLON,
	EXT_NAME,
	EXT_NAME_BLANK,
	EXT_EQUALS,
	EXT_VALUE,
	EXT_QUOTED,
	EXT_ESCAPE,
	EXT_QUOTED_END,
	SIZE_CR,
	DATA, /* the CRLF of the size line, or data; `left` bytes are to come */
	DATA_CR,
	TRAILER, /* the CRLF of the last size line or of a trailer */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_CR,
	LAST_CR,
	DONE,
	FAILED,
	PLACE_COUNT,
	/* Two that only the table names, for what does not depend on the byte alone. */
	SIZE_LINE = PLACE_COUNT, /* on to DATA, or to TRAILER after a size of 0 */
	CHUNK_END,               /* back to START */
};

#define TOKEN_8 TOKEN, TOKEN, TOKEN, TOKEN, TOKEN, TOKEN, TOKEN, TOKEN
#define HEX_6 HEX, HEX, HEX, HEX, HEX, HEX
#define VISIBLE_8 VISIBLE, VISIBLE, VISIBLE, VISIBLE, VISIBLE, VISIBLE, VISIBLE, VISIBLE
#define VISIBLE_32 VISIBLE_8, VISIBLE_8, VISIBLE_8, VISIBLE_8

/* clang-format off */
static const uint8_t classes[256] = {
	['\t'] = BLANK,
	['\n'] = LF,
	['\r'] = CR,
	[' '] = BLANK, TOKEN, QUOTE, TOKEN, TOKEN, TOKEN, TOKEN, TOKEN,
	['('] = VISIBLE, VISIBLE, TOKEN, TOKEN, VISIBLE, TOKEN, TOKEN, VISIBLE,
	['0'] = HEX_6, HEX, HEX,
	['8'] = HEX, HEX, COLON, SEMICOLON, VISIBLE, EQUALS, VISIBLE, VISIBLE,
	['@'] = VISIBLE, HEX_6, TOKEN,
	['H'] = TOKEN_8, TOKEN_8,
	['X'] = TOKEN, TOKEN, TOKEN, VISIBLE, BACKSLASH, VISIBLE, TOKEN, TOKEN,
	['`'] = TOKEN, HEX_6, TOKEN,
	['h'] = TOKEN_8, TOKEN_8,
	['x'] = TOKEN, TOKEN, TOKEN, VISIBLE, TOKEN, VISIBLE, TOKEN, BAD,
	[0x80] = VISIBLE_32, VISIBLE_32, VISIBLE_32, VISIBLE_32,
};
/* clang-format on */

/* What may follow. An entry that is not there is 0 and fails; START comes by way of CHUNK_END. */
/* clang-format off */
static const uint8_t follow[PLACE_COUNT][CLASS_COUNT] = {
	[START] = { [HEX] = SIZE },
	[SIZE] = { [HEX] = SIZE, [BLANK] = SIZE_BLANK, [SEMICOLON] = EXT_SEMICOLON,
		   [CR] = SIZE_CR },
	[SIZE_BLANK] = { [BLANK] = SIZE_BLANK, [SEMICOLON] = EXT_SEMICOLON },
	[EXT_SEMICOLON] = { [BLANK] = EXT_SEMICOLON, [HEX] = EXT_NAME, [TOKEN] = EXT_NAME },
	[EXT_NAME] = { [HEX] = EXT_NAME, [TOKEN] = EXT_NAME, [BLANK] = EXT_NAME_BLANK,
		       [EQUALS] = EXT_EQUALS, [SEMICOLON] = EXT_SEMICOLON, [CR] = SIZE_CR },
	[EXT_NAME_BLANK] = { [BLANK] = EXT_NAME_BLANK, [EQUALS] = EXT_EQUALS,
			     [SEMICOLON] = EXT_SEMICOLON },
	[EXT_EQUALS] = { [BLANK] = EXT_EQUALS, [HEX] = EXT_VALUE, [TOKEN] = EXT_VALUE,
			 [QUOTE] = EXT_QUOTED },
	[EXT_VALUE] = { [HEX] = EXT_VALUE, [TOKEN] = EXT_VALUE, [BLANK] = SIZE_BLANK,
			[SEMICOLON] = EXT_SEMICOLON, [CR] = SIZE_CR },
	[EXT_QUOTED] = { [HEX] = EXT_QUOTED, [TOKEN] = EXT_QUOTED, [BLANK] = EXT_QUOTED,
			 [SEMICOLON] = EXT_QUOTED, [EQUALS] = EXT_QUOTED, [COLON] = EXT_QUOTED,
			 [VISIBLE] = EXT_QUOTED, [BACKSLASH] = EXT_ESCAPE,
			 [QUOTE] = EXT_QUOTED_END },
	[EXT_ESCAPE] = { [HEX] = EXT_QUOTED, [TOKEN] = EXT_QUOTED, [BLANK] = EXT_QUOTED,
			 [SEMICOLON] = EXT_QUOTED, [EQUALS] = EXT_QUOTED, [COLON] = EXT_QUOTED,
			 [VISIBLE] = EXT_QUOTED, [BACKSLASH] = EXT_QUOTED,
			 [QUOTE] = EXT_QUOTED },
	[EXT_QUOTED_END] = { [BLANK] = SIZE_BLANK, [SEMICOLON] = EXT_SEMICOLON, [CR] = SIZE_CR },
	[SIZE_CR] = { [LF] = SIZE_LINE },
	[DATA] = { [CR] = DATA_CR },
	[DATA_CR] = { [LF] = CHUNK_END },
	[TRAILER] = { [HEX] = TRAILER_NAME, [TOKEN] = TRAILER_NAME, [CR] = LAST_CR },
	[TRAILER_NAME] = { [HEX] = TRAILER_NAME, [TOKEN] = TRAILER_NAME,
			   [COLON] = TRAILER_VALUE },
	[TRAILER_VALUE] = { [HEX] = TRAILER_VALUE, [TOKEN] = TRAILER_VALUE,
			    [BLANK] = TRAILER_VALUE, [SEMICOLON] = TRAILER_VALUE,
			    [EQUALS] = TRAILER_VALUE, [QUOTE] = TRAILER_VALUE,
			    [BACKSLASH] = TRAILER_VALUE, [COLON] = TRAILER_VALUE,
			    [VISIBLE] = TRAILER_VALUE, [CR] = TRAILER_CR },
	[TRAILER_CR] = { [LF] = TRAILER },
	[LAST_CR] = { [LF] = DONE },
};
/* clang-format on */

static uint8_t state_of(int place)
{
	if (place == DONE)
		return CHUNKED_DONE;
	if (place >= TRAILER)
		return CHUNKED_TRAILER;
	return place >= DATA ? CHUNKED_DATA : CHUNKED_SIZE;
}

/* One byte that is not data. Returns the new place. */
static int take_framing(struct chunked *chunked, int place, unsigned char byte)
{
	int next = follow[place][classes[byte]];
	switch (next) {
	case 0:
		return FAILED;
	case SIZE:
		if (chunked->left > INT64_MAX >> 4)
			return FAILED;
		chunked->left = chunked->left << 4 |
		                (uint64_t)(byte <= '9' ? byte - '0' : (byte | 0x20) - 'a' + 10);
		break;
	case SIZE_LINE:
		chunked->line = 0;
		return chunked->left > 0 ? DATA : TRAILER;
	case CHUNK_END:
		return START;
	default:
		break;
	}
	if (next <= SIZE_CR && ++chunked->line >= CHUNKED_MAX_LINE)
		return FAILED;
	if (next >= TRAILER && ++chunked->trailer > CHUNKED_MAX_TRAILER)
		return FAILED;
	return next;
}

ssize_t chunked_decode(struct chunked *chunked, const char *in, size_t length, size_t *taken,
                       char *out, size_t size)
{
	int place = chunked->detail;
	size_t at = 0, written = 0;

	while (at < length && place != DONE && place != FAILED) {
		if (place != DATA || chunked->left == 0) {
			place = take_framing(chunked, place, (unsigned char)in[at]);
			at += place != FAILED;
			continue;
		}
		size_t part = length - at;
		if (part > chunked->left)
			part = (size_t)chunked->left;
		if (out != NULL && part > size - written)
			part = size - written;
		if (part == 0)
			break;
		if (out != NULL)
			memcpy(out + written, in + at, part);
		written += part;
		at += part;
		chunked->left -= part;
	}
	chunked->detail = (uint8_t)place;
	chunked->state = state_of(place);
	*taken = at;
	return place == FAILED ? -EBADMSG : (ssize_t)written;
}

int chunked_done(const struct chunked *chunked)
{
	return chunked->state == CHUNKED_DONE;
}
