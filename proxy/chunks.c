/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "chunks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "token.h"

/* Framing beyond this and eight times the data is no body but a burden. */
#define FRAMING_MAX (64 * 1024)

enum place {
	SIZE_FIRST = 0, /* the first digit of a size */
	SIZE,
	SIZE_BLANK, /* white space before an extension */
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER_FIRST, /* of a line */
	TRAILER,
	TRAILER_LF,
	LAST_LF,
	ENDED,
	FAILED,
};

static int digit_of(unsigned char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte |= 0x20;
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static bool is_text(unsigned char byte)
{
	return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

static enum place add_trailer(struct chunks *chunks, char byte)
{
	if (chunks->trailer_length == CHUNKS_TRAILER_MAX)
		return FAILED;
	if (chunks->trailer_length == chunks->trailer_size) {
		uint32_t size = chunks->trailer_size == 0 ? 256 : 2 * chunks->trailer_size;
		char *grown = realloc(chunks->trailers, size);

		if (grown == NULL)
			return FAILED;
		chunks->trailers = grown;
		chunks->trailer_size = size;
	}
	chunks->trailers[chunks->trailer_length++] = byte;
	return TRAILER;
}

/* A line of a trailer is whole: it has a name, and a colon right behind it. */
static enum place end_trailer(struct chunks *chunks)
{
	const char *line = chunks->trailers + chunks->line_start;
	const size_t length = chunks->trailer_length - chunks->line_start;
	size_t name = 0;

	while (name < length && is_token_byte(line[name]))
		name++;
	if (name == 0 || name == length || line[name] != ':')
		return FAILED;
	if (add_trailer(chunks, '\r') != TRAILER)
		return FAILED;
	return add_trailer(chunks, '\n') == TRAILER ? TRAILER_LF : FAILED;
}

static enum place size_digit(struct chunks *chunks, int digit)
{
	if (digit < 0 || chunks->left > INT64_MAX >> 4)
		return FAILED;
	chunks->left = chunks->left << 4 | (unsigned)digit;
	return SIZE;
}

/* In a size line, behind its digits. */
static enum place size_more(enum place place, unsigned char byte)
{
	if (byte == ';' && place != EXTENSION)
		return EXTENSION;
	if (byte == '\r' && place != SIZE_BLANK)
		return SIZE_LF;
	if (place == EXTENSION)
		return is_text(byte) ? EXTENSION : FAILED;
	return byte == ' ' || byte == '\t' ? SIZE_BLANK : FAILED;
}

static enum place take_size(struct chunks *chunks, enum place place, unsigned char byte)
{
	if (++chunks->line > CHUNKS_LINE_MAX)
		return FAILED;
	if (place == SIZE_FIRST || (place == SIZE && digit_of(byte) >= 0))
		return size_digit(chunks, digit_of(byte));
	return size_more(place, byte);
}

/* One byte that is not data. */
static enum place take_framing(struct chunks *chunks, unsigned char byte)
{
	enum place place = (enum place)chunks->place;

	switch (place) {
	case SIZE_LF:
		chunks->line = 0;
		if (byte != '\n')
			return FAILED;
		return chunks->left > 0 ? DATA : TRAILER_FIRST;
	case DATA_CR:
		return byte == '\r' ? DATA_LF : FAILED;
	case DATA_LF:
		return byte == '\n' ? SIZE_FIRST : FAILED;
	case TRAILER_FIRST:
		if (byte == '\r')
			return LAST_LF;
		chunks->line_start = chunks->trailer_length;
		return is_token_byte((char)byte) ? add_trailer(chunks, (char)byte) : FAILED;
	case TRAILER:
		if (byte == '\r')
			return end_trailer(chunks);
		return is_text(byte) ? add_trailer(chunks, (char)byte) : FAILED;
	case TRAILER_LF:
		return byte == '\n' ? TRAILER_FIRST : FAILED;
	case LAST_LF:
		return byte == '\n' ? ENDED : FAILED;
	default:
		return take_size(chunks, place, byte);
	}
}

ssize_t chunks_decode(struct chunks *chunks, char *data, size_t length, size_t *taken)
{
	size_t at = 0;
	size_t written = 0;

	while (at < length && chunks->place < ENDED) {
		if (chunks->place != DATA) {
			chunks->place = (uint8_t)take_framing(chunks, (unsigned char)data[at++]);
			chunks->framing++;
			continue;
		}
		size_t part = length - at;

		if (part > chunks->left)
			part = (size_t)chunks->left;
		memmove(data + written, data + at, part);
		written += part;
		at += part;
		chunks->left -= part;
		if (chunks->left == 0)
			chunks->place = DATA_CR;
	}
	chunks->decoded += written;
	if (chunks->framing > FRAMING_MAX + 8 * chunks->decoded)
		chunks->place = FAILED;
	*taken = at;
	return chunks->place == FAILED ? -EBADMSG : (ssize_t)written;
}

bool chunks_ended(const struct chunks *chunks)
{
	return chunks->place == ENDED;
}

int chunks_trailer(const struct chunks *chunks, size_t *offset, struct lop_str *name,
                   struct lop_str *value)
{
	const char *line = chunks->trailers + *offset;
	const char *end;
	const char *colon;

	if (*offset >= chunks->trailer_length)
		return 0;
	end = memchr(line, '\r', chunks->trailer_length - *offset);
	colon = memchr(line, ':', (size_t)(end - line));
	*offset += (size_t)(end - line) + 2;
	*name = (struct lop_str){ line, (size_t)(colon - line) };
	for (colon++; colon < end && (*colon == ' ' || *colon == '\t'); colon++)
		;
	while (end > colon && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*value = (struct lop_str){ colon, (size_t)(end - colon) };
	return 1;
}

void chunks_clear(struct chunks *chunks)
{
	free(chunks->trailers);
	memset(chunks, 0, sizeof *chunks);
}

char *chunks_frame(char *end, size_t size)
{
	static const char digits[] = "0123456789abcdef";

	*--end = '\n';
	*--end = '\r';
	do {
		*--end = digits[size & 15];
		size >>= 4;
	} while (size > 0);
	return end;
}
