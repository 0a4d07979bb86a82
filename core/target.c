/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "target.h"

#include <stdbool.h>
#include <string.h>

/* What a byte of a raw path is. */
enum path_byte {
	PLAIN = 0, /* stands for itself */
	BAD,
	SLASH,
	PERCENT,
	QUESTION,
};

#define BAD_8 BAD, BAD, BAD, BAD, BAD, BAD, BAD, BAD

/* clang-format off */
static const uint8_t path_bytes[256] = {
	BAD_8, BAD_8, BAD_8, BAD_8, BAD, /* controls and space */
	['#'] = BAD, ['%'] = PERCENT, ['/'] = SLASH, ['?'] = QUESTION, [0x7f] = BAD,
};
/* clang-format on */

/* Uses of the characters of RFC 3986 section 2, as bits. */
enum uri_use {
	IN_NAME = 1,      /* unreserved and sub-delims but the comma: a reg-name's */
	IN_REFERENCE = 2, /* what target_encode() leaves as it is */
	BOTH = IN_NAME | IN_REFERENCE,
};

/* clang-format off */
static const uint8_t uri_bytes[256] = {
	['-'] = BOTH, ['.'] = BOTH, ['_'] = BOTH, ['~'] = BOTH, ['!'] = BOTH, ['$'] = BOTH,
	['&'] = BOTH, ['('] = BOTH, [')'] = BOTH, ['*'] = BOTH, ['+'] = BOTH, [','] = IN_REFERENCE,
	[';'] = BOTH, ['='] = BOTH, ['\''] = IN_NAME, ['@'] = IN_REFERENCE, ['/'] = IN_REFERENCE,
	['0'] = BOTH, ['1'] = BOTH, ['2'] = BOTH, ['3'] = BOTH, ['4'] = BOTH, ['5'] = BOTH,
	['6'] = BOTH, ['7'] = BOTH, ['8'] = BOTH, ['9'] = BOTH,
	['A'] = BOTH, ['B'] = BOTH, ['C'] = BOTH, ['D'] = BOTH, ['E'] = BOTH, ['F'] = BOTH,
	['G'] = BOTH, ['H'] = BOTH, ['I'] = BOTH, ['J'] = BOTH, ['K'] = BOTH, ['L'] = BOTH,
	['M'] = BOTH, ['N'] = BOTH, ['O'] = BOTH, ['P'] = BOTH, ['Q'] = BOTH, ['R'] = BOTH,
	['S'] = BOTH, ['T'] = BOTH, ['U'] = BOTH, ['V'] = BOTH, ['W'] = BOTH, ['X'] = BOTH,
	['Y'] = BOTH, ['Z'] = BOTH,
	['a'] = BOTH, ['b'] = BOTH, ['c'] = BOTH, ['d'] = BOTH, ['e'] = BOTH, ['f'] = BOTH,
	['g'] = BOTH, ['h'] = BOTH, ['i'] = BOTH, ['j'] = BOTH, ['k'] = BOTH, ['l'] = BOTH,
	['m'] = BOTH, ['n'] = BOTH, ['o'] = BOTH, ['p'] = BOTH, ['q'] = BOTH, ['r'] = BOTH,
	['s'] = BOTH, ['t'] = BOTH, ['u'] = BOTH, ['v'] = BOTH, ['w'] = BOTH, ['x'] = BOTH,
	['y'] = BOTH, ['z'] = BOTH,
};
/* clang-format on */

/* 0 to 15, or -1. */
static int hex_value(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte = (char)(byte | 0x20);
	if (byte >= 'a' && byte <= 'f')
		return byte - 'a' + 10;
	return -1;
}

/* The byte that the two digits after '%' stand for, or -1. */
static int decode_percent(const char *digits, size_t length)
{
	if (length < 2)
		return -1;
	int high = hex_value(digits[0]);
	int low = hex_value(digits[1]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* The decoded path while it grows: always begins with '/'; the last segment begins at `segment`. */
struct path {
	char *out;
	size_t length;
	size_t segment;
};

/* Resolves the last segment if it is one of dots, which leaves an empty one behind. */
static int resolve_dots(struct path *path)
{
	const char *name = path->out + path->segment;
	size_t length = path->length - path->segment;

	if (length == 1 && name[0] == '.') {
		path->length = path->segment;
	} else if (length == 2 && name[0] == '.' && name[1] == '.') {
		if (path->segment == 1)
			return -400;
		do {
			path->segment--;
		} while (path->out[path->segment - 1] != '/');
		path->length = path->segment;
	}
	return 0;
}

/* At a slash or the end of the raw path: an empty segment is dropped by not adding a slash. */
static int end_segment(struct path *path, bool slash)
{
	if (resolve_dots(path) != 0)
		return -400;
	if (slash && path->length > path->segment) {
		path->out[path->length++] = '/';
		path->segment = path->length;
	}
	return 0;
}

/* Copies bytes that stand for themselves. Returns the index of the first that does not. */
static size_t copy_plain(struct path *path, const char *raw, size_t i, size_t length)
{
	char *to = path->out + path->length;
	while (i < length && path_bytes[(unsigned char)raw[i]] == PLAIN)
		*to++ = raw[i++];
	path->length = (size_t)(to - path->out);
	return i;
}

/* raw begins with '/'. Sets *used to where the query begins, or length. */
static int decode_path(struct path *path, const char *raw, size_t length, size_t *used)
{
	size_t i = 1;
	for (;; i++) {
		int byte;
		i = copy_plain(path, raw, i, length);
		*used = i;
		if (i == length)
			return end_segment(path, false);
		switch (path_bytes[(unsigned char)raw[i]]) {
		case SLASH:
			if (end_segment(path, true) != 0)
				return -400;
			break;
		case PERCENT:
			byte = decode_percent(raw + i + 1, length - i - 1);
			if (byte <= 0 || byte == '/')
				return -400;
			path->out[path->length++] = (char)byte;
			i += 2;
			break;
		case QUESTION:
			return end_segment(path, false);
		default:
			return -400;
		}
	}
}

static bool is_query(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (path_bytes[(unsigned char)text[i]] == BAD)
			return false;
	}
	return true;
}

/* The path and query of an origin-form. */
static int parse_origin(const char *raw, size_t length, char *out, struct target *target)
{
	struct path path = { .out = out, .length = 1, .segment = 1 };
	size_t used;

	out[0] = '/';
	if (decode_path(&path, raw, length, &used) != 0)
		return -400;
	out[path.length] = '\0';
	target->path = (struct lop_str){ out, path.length };
	if (used < length) {
		used++;
		if (!is_query(raw + used, length - used))
			return -400;
		target->query = (struct lop_str){ raw + used, length - used };
	}
	return 0;
}

static int set_path(struct target *target, char *out, char only)
{
	out[0] = only;
	out[1] = '\0';
	target->path = (struct lop_str){ out, 1 };
	return 0;
}

/* The length of lower if raw begins with it in any case and goes on, else 0. */
static size_t match_scheme(const char *raw, size_t length, const char *lower)
{
	size_t i = 0;
	for (; lower[i] != '\0'; i++) {
		bool letter = lower[i] >= 'a' && lower[i] <= 'z';
		if (i == length || (letter ? raw[i] | 0x20 : raw[i]) != lower[i])
			return 0;
	}
	return i;
}

static int parse_absolute(enum lop_method method, const char *raw, size_t length, char *out,
                          struct target *target)
{
	size_t start = match_scheme(raw, length, "http://");
	if (start == 0)
		start = match_scheme(raw, length, "https://");
	if (start == 0)
		return -400;

	size_t end = start;
	while (end < length && raw[end] != '/' && raw[end] != '?')
		end++;
	if (end == start || target_check_authority(raw + start, end - start) != 0)
		return -400;
	target->authority = (struct lop_str){ raw + start, end - start };
	if (end == length) /* RFC 9112 3.2.4: this is how a proxy is sent the asterisk-form */
		return set_path(target, out, method == LOP_METHOD_OPTIONS ? '*' : '/');
	if (raw[end] == '/')
		return parse_origin(raw + end, length - end, out, target);
	if (!is_query(raw + end + 1, length - end - 1))
		return -400;
	target->query = (struct lop_str){ raw + end + 1, length - end - 1 };
	return set_path(target, out, '/');
}

/* host ":" port, both there. */
static int parse_connect(const char *raw, size_t length, char *out, struct target *target)
{
	if (length == 0 || raw[length - 1] < '0' || raw[length - 1] > '9' ||
	    memchr(raw, ':', length) == NULL || target_check_authority(raw, length) != 0)
		return -400;
	target->authority = (struct lop_str){ raw, length };
	return set_path(target, out, '*');
}

int target_parse(enum lop_method method, const char *raw, size_t length, char *out,
                 struct target *target)
{
	*target = (struct target){ 0 };
	if (length == 0)
		return -400;
	if (method == LOP_METHOD_CONNECT)
		return parse_connect(raw, length, out, target);
	if (raw[0] == '/')
		return parse_origin(raw, length, out, target);
	if (length == 1 && raw[0] == '*')
		return method == LOP_METHOD_OPTIONS ? set_path(target, out, '*') : -400;
	return parse_absolute(method, raw, length, out, target);
}

/* Four numbers up to 255 without leading zeros; nothing else. */
static bool is_ipv4(const char *text, size_t length)
{
	size_t i = 0;
	for (int part = 0; part < 4; part++) {
		size_t start = i;
		int value = 0;
		if (part > 0 && (i == length || text[i] != '.'))
			return false;
		if (part > 0)
			start = ++i;
		for (; i < length && i < start + 3 && text[i] >= '0' && text[i] <= '9'; i++)
			value = value * 10 + (text[i] - '0');
		if (i == start || value > 255 || (text[start] == '0' && i > start + 1))
			return false;
	}
	return i == length;
}

/* RFC 3986 3.2.2, without a zone. */
static bool is_ipv6(const char *text, size_t length)
{
	int groups = 0;
	bool elided = false;
	size_t i = 0;

	if (length >= 2 && text[0] == ':' && text[1] == ':') {
		elided = true;
		i = 2;
	}
	while (i < length) {
		size_t start = i;
		while (i < length && i < start + 4 && hex_value(text[i]) >= 0)
			i++;
		if (i < length && text[i] == '.') {
			if (!is_ipv4(text + start, length - start))
				return false;
			groups += 2;
			break;
		}
		if (i == start || ++groups > 8)
			return false;
		if (i == length)
			break;
		if (text[i++] != ':' || i == length)
			return false;
		if (text[i] == ':') {
			if (elided)
				return false;
			elided = true;
			i++;
		}
	}
	return elided ? groups <= 7 : groups == 8;
}

/* "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" ) */
static bool is_ip_future(const char *text, size_t length)
{
	size_t i = 1;
	if (length < 4 || (text[0] | 0x20) != 'v')
		return false;
	while (i < length && hex_value(text[i]) >= 0)
		i++;
	if (i == 1 || i + 1 >= length || text[i] != '.')
		return false;
	for (i++; i < length; i++) {
		if (text[i] != ':' && !(uri_bytes[(unsigned char)text[i]] & IN_NAME))
			return false;
	}
	return true;
}

/* The length of the reg-name (an IPv4 address is one too) that text begins with. */
static size_t reg_name_length(const char *text, size_t length)
{
	size_t i = 0;
	while (i < length) {
		if (uri_bytes[(unsigned char)text[i]] & IN_NAME)
			i++;
		else if (text[i] == '%' && decode_percent(text + i + 1, length - i - 1) > ' ')
			i += 3;
		else
			break;
	}
	return i;
}

int target_check_authority(const char *text, size_t length)
{
	size_t host;
	unsigned port = 0;

	if (length == 0)
		return 0;
	if (text[0] == '[') {
		const char *close = memchr(text, ']', length);
		if (close == NULL)
			return -400;
		size_t inner = (size_t)(close - text) - 1;
		if (!is_ipv6(text + 1, inner) && !is_ip_future(text + 1, inner))
			return -400;
		host = inner + 2;
	} else {
		host = reg_name_length(text, length);
		if (host == 0)
			return -400;
	}
	if (host == length)
		return 0;
	if (text[host] != ':')
		return -400;
	for (size_t i = host + 1; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -400;
		port = port * 10 + (unsigned)(text[i] - '0');
		if (port > 65535)
			return -400;
	}
	return 0;
}

size_t target_encode(const char *path, size_t length, char *out)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t written = 0;
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)path[i];
		if (uri_bytes[byte] & IN_REFERENCE) {
			out[written++] = (char)byte;
			continue;
		}
		out[written++] = '%';
		out[written++] = digits[byte >> 4];
		out[written++] = digits[byte & 15];
	}
	return written;
}
