/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "path.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* What may stand in a path as it is: pchar of RFC 3986 3.3 without '%', and the slash. */
/* clang-format off */
static const uint8_t path_bytes[256] = {
	['-'] = 1, ['.'] = 1, ['_'] = 1, ['~'] = 1, ['!'] = 1, ['$'] = 1, ['&'] = 1, ['\''] = 1,
	['('] = 1, [')'] = 1, ['*'] = 1, ['+'] = 1, [','] = 1, [';'] = 1, ['='] = 1, [':'] = 1,
	['@'] = 1, ['/'] = 1,
	['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1,
	['8'] = 1, ['9'] = 1,
	['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1, ['H'] = 1,
	['I'] = 1, ['J'] = 1, ['K'] = 1, ['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1,
	['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1, ['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1,
	['Y'] = 1, ['Z'] = 1,
	['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1,
	['i'] = 1, ['j'] = 1, ['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1,
	['q'] = 1, ['r'] = 1, ['s'] = 1, ['t'] = 1, ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1,
	['y'] = 1, ['z'] = 1,
};
/* clang-format on */

/* 0 to 15, or -1. */
static int hex_value(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte = (char)(byte | 0x20);
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* What the '%' at index at and two digits stand for, or -1. */
static int escaped(struct lop_str path, size_t at)
{
	if (path.length - at < 3)
		return -1;
	int high = hex_value(path.data[at + 1]), low = hex_value(path.data[at + 2]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

int path_next(struct lop_str path, size_t *at)
{
	if (path.data[*at] == '%') {
		int byte = escaped(path, *at);
		if (byte >= 0) {
			*at += 3;
			return byte == '/' ? PATH_SLASH : byte;
		}
	}
	return (unsigned char)path.data[(*at)++];
}

/* Follows the decoded bytes of a segment and says whether what has come so far is nothing but one
 * or two dots, perhaps with a parameter. */
struct segment {
	size_t length;
	size_t dots;
	bool ended; /* by ';' */
	bool other;
};

static void segment_add(struct segment *segment, int byte)
{
	segment->length++;
	if (segment->ended)
		return;
	if (byte == '.')
		segment->dots++;
	else if (byte == ';')
		segment->ended = true;
	else
		segment->other = true;
}

static bool is_dots(const struct segment *segment)
{
	return !segment->other && (segment->dots == 1 || segment->dots == 2);
}

static bool is_clear(struct lop_str path, bool encoded)
{
	struct segment segment = { 0 };
	size_t at = 1;

	if (path.length == 0 || path.data[0] != '/')
		return false;
	while (at < path.length) {
		if (encoded && path.data[at] == '%' && escaped(path, at) < 0)
			return false;
		if (encoded && path.data[at] != '%' && !path_bytes[(unsigned char)path.data[at]])
			return false;
		int byte = encoded ? path_next(path, &at) : (unsigned char)path.data[at++];
		if (byte == '\\' || byte == '\0' || byte == PATH_SLASH)
			return false;
		if (byte != '/') {
			segment_add(&segment, byte);
			continue;
		}
		if (segment.length == 0 || is_dots(&segment))
			return false;
		segment = (struct segment){ 0 };
	}
	return !is_dots(&segment);
}

bool path_is_clear(struct lop_str path)
{
	return is_clear(path, false);
}

bool path_is_encoded(struct lop_str path)
{
	return is_clear(path, true);
}

size_t path_decode(struct lop_str path, char *out)
{
	size_t length = 0;
	for (size_t at = 0; at < path.length;) {
		int byte = path_next(path, &at);
		out[length++] = byte == PATH_SLASH ? '/' : (char)byte;
	}
	return length;
}

long path_encode(struct lop_str path, char *out, size_t size)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t length = 0;

	for (size_t i = 0; i < path.length; i++) {
		unsigned char byte = (unsigned char)path.data[i];
		size_t needed = path_bytes[byte] ? 1 : 3;
		if (size - length < needed)
			return -ENOBUFS;
		if (needed == 1) {
			out[length++] = (char)byte;
			continue;
		}
		out[length++] = '%';
		out[length++] = digits[byte >> 4];
		out[length++] = digits[byte & 15];
	}
	return (long)length;
}

/* How many dots a segment of a raw path is, 0 when it is another. */
static size_t count_dots(struct lop_str segment)
{
	size_t dots = 0;
	for (size_t at = 0; at < segment.length;) {
		if (path_next(segment, &at) != '.' || ++dots > 2)
			return 0;
	}
	return dots;
}

long path_normalise(struct lop_str path, char *out)
{
	size_t length = 1; /* of what is kept, which ends with '/' until the last segment */
	size_t at = 1;

	out[0] = '/';
	while (at < path.length) {
		const char *start = path.data + at;
		const char *slash = memchr(start, '/', path.length - at);
		size_t size = slash != NULL ? (size_t)(slash - start) : path.length - at;
		at += size + (slash != NULL);
		size_t dots = count_dots((struct lop_str){ start, size });
		if (size == 0 || dots == 1)
			continue;
		if (dots == 2) {
			if (length == 1)
				return -EINVAL;
			do {
				length--;
			} while (out[length - 1] != '/');
			continue;
		}
		memcpy(out + length, start, size);
		length += size;
		if (slash != NULL)
			out[length++] = '/';
	}
	return (long)length;
}
