/* SPDX-License-Identifier: BSD-2-Clause */
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool text_grow(struct text *text, size_t more)
{
	size_t wanted = text->size;
	char *data;

	if (text->failed || text->fixed) {
		text->failed = true;
		return false;
	}
	while (wanted - text->length < more)
		wanted = wanted == 0 ? 4096 : wanted * 2;
	if (wanted == text->size)
		return true;
	data = realloc(text->data, wanted);
	if (data == NULL) {
		text->failed = true;
		return false;
	}
	text->data = data;
	text->size = wanted;
	return true;
}

/* Bytes that stand for themselves in a path, and in HTML and JSON: unreserved ones, and the slash. */
#define LETTERS_13 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1

/* clang-format off */
static const unsigned char plain_bytes[256] = {
	['-'] = 1, ['.'] = 1, ['/'] = 1, ['_'] = 1, ['~'] = 1,
	['0'] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	['A'] = LETTERS_13, LETTERS_13,
	['a'] = LETTERS_13, LETTERS_13,
};
/* clang-format on */

/* Most names are made of nothing else. Adds those that come first; returns how many. */
static size_t add_plain(struct text *text, const char *data, size_t length)
{
	size_t count = 0;

	while (count < length && plain_bytes[(unsigned char)data[count]])
		count++;
	text_add(text, data, count);
	return count;
}

void text_number(struct text *text, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	text_add(text, digits + at, sizeof(digits) - at);
}

/* Length of the UTF-8 character at data, RFC 3629; 0 when there is none. */
static size_t utf8_length(const unsigned char *data, size_t length)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t count;

	if (data[0] < 0x80)
		return 1;
	if (data[0] >= 0xc2 && data[0] <= 0xdf)
		count = 2;
	else if (data[0] >= 0xe0 && data[0] <= 0xef)
		count = 3;
	else if (data[0] >= 0xf0 && data[0] <= 0xf4)
		count = 4;
	else
		return 0;
	/* No overlong forms, no surrogates, nothing above U+10FFFF. */
	if (data[0] == 0xe0)
		low = 0xa0;
	else if (data[0] == 0xed)
		high = 0x9f;
	else if (data[0] == 0xf0)
		low = 0x90;
	else if (data[0] == 0xf4)
		high = 0x8f;
	if (count > length || data[1] < low || data[1] > high)
		return 0;
	for (size_t i = 2; i < count; i++) {
		if (data[i] < 0x80 || data[i] > 0xbf)
			return 0;
	}
	return count;
}

#define REPLACEMENT "\xef\xbf\xbd"

static void html_byte(struct text *text, unsigned char byte, bool lines)
{
	char picture[4] = "\xe2\x90";

	switch (byte) {
	case '<':
		text_puts(text, "&lt;");
		return;
	case '>':
		text_puts(text, "&gt;");
		return;
	case '&':
		text_puts(text, "&amp;");
		return;
	case '"':
		text_puts(text, "&#34;");
		return;
	case '\'':
		text_puts(text, "&#39;");
		return;
	default:
		break;
	}
	if (byte >= ' ' && byte != 0x7f) {
		text_add(text, (const char *)&byte, 1);
	} else if (lines && (byte == '\n' || byte == '\t')) {
		text_add(text, (const char *)&byte, 1);
	} else if (!lines || byte != '\r') {
		picture[2] = (char)(byte == 0x7f ? 0xa1 : 0x80 + byte);
		text_add(text, picture, 3);
	}
}

static void add_html(struct text *text, const char *data, size_t length, bool lines)
{
	const unsigned char *bytes = (const unsigned char *)data;

	for (size_t i = add_plain(text, data, length); i < length;
	     i += add_plain(text, data + i, length - i)) {
		size_t count = utf8_length(bytes + i, length - i);

		if (count == 1) {
			html_byte(text, bytes[i], lines);
		} else if (count == 0) {
			text_puts(text, REPLACEMENT);
			count = 1;
		} else if (count == 2 && bytes[i] == 0xc2 && bytes[i + 1] < 0xa0) {
			/* C1 controls may not stand in HTML. */
			text_puts(text, REPLACEMENT);
		} else {
			text_add(text, data + i, count);
		}
		i += count;
	}
}

void text_html(struct text *text, const char *data, size_t length)
{
	add_html(text, data, length, false);
}

void text_html_lines(struct text *text, const char *data, size_t length)
{
	add_html(text, data, length, true);
}

void text_json(struct text *text, const char *data, size_t length)
{
	const unsigned char *bytes = (const unsigned char *)data;
	char escape[8];

	for (size_t i = add_plain(text, data, length); i < length;
	     i += add_plain(text, data + i, length - i)) {
		size_t count = utf8_length(bytes + i, length - i);

		if (count == 0) {
			text_puts(text, REPLACEMENT);
			count = 1;
		} else if (bytes[i] == '"' || bytes[i] == '\\') {
			text_puts(text, "\\");
			text_add(text, data + i, 1);
		} else if (bytes[i] < ' ' || bytes[i] == 0x7f) {
			snprintf(escape, sizeof(escape), "\\u%04x", bytes[i]);
			text_puts(text, escape);
		} else {
			text_add(text, data + i, count);
		}
		i += count;
	}
}

void text_url(struct text *text, const char *data, size_t length)
{
	static const char digits[] = "0123456789ABCDEF";
	char escape[3] = "%";

	for (size_t i = add_plain(text, data, length); i < length;
	     i += 1 + add_plain(text, data + i + 1, length - i - 1)) {
		escape[1] = digits[(unsigned char)data[i] >> 4];
		escape[2] = digits[(unsigned char)data[i] & 15];
		text_add(text, escape, sizeof(escape));
	}
}

void text_plain(struct text *text, const char *data, size_t length)
{
	char escape[8];

	for (size_t i = add_plain(text, data, length); i < length;
	     i += add_plain(text, data + i, length - i)) {
		unsigned char byte = (unsigned char)data[i];

		if (byte < ' ' || byte == 0x7f || byte == '\\') {
			snprintf(escape, sizeof(escape), "\\x%02x", byte);
			text_puts(text, escape);
		} else {
			text_add(text, data + i, 1);
		}
		i++;
	}
}

void text_size(struct text *text, int64_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	uint64_t tenths = (uint64_t)size * 10;
	size_t unit = 0;
	bool large = (uint64_t)size > UINT64_MAX / 10 - 512;

	if (large) {
		tenths = (uint64_t)size / 1024 * 10;
		unit = 1;
	}
	/* 10235 tenths would be shown as 1024. */
	while (tenths >= 10235) {
		tenths = (tenths + 512) / 1024;
		unit++;
	}
	if (unit == 0 || tenths >= 100) {
		text_number(text, (tenths + 5) / 10);
	} else {
		text_number(text, tenths / 10);
		text_puts(text, ".");
		text_number(text, tenths % 10);
	}
	text_puts(text, " ");
	text_puts(text, units[unit]);
}

struct moment {
	int64_t year;
	int64_t month, day;
	int64_t second; /* of the day */
};

/* By hand: strftime takes half of the time that a row takes otherwise. Years 0 to 9999. */
static struct moment moment_of(int64_t seconds)
{
	const int64_t first = INT64_C(-62167219200), last = INT64_C(253402300799);
	struct moment moment;
	int64_t days, era, year;

	seconds = seconds < first ? first : seconds > last ? last : seconds;
	days = seconds / 86400 - (seconds % 86400 < 0);
	moment.second = seconds - days * 86400;
	/* Years begin in March here, so that the leap day is the last; 400 of them have 146097
	 * days, and 719468 lie between 0000-03-01 and 1970-01-01. */
	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	days -= era * 146097;
	year = (days - days / 1460 + days / 36524 - days / 146096) / 365;
	days -= 365 * year + year / 4 - year / 100;
	moment.month = (5 * days + 2) / 153;
	moment.day = days - (153 * moment.month + 2) / 5 + 1;
	moment.month += moment.month < 10 ? 3 : -9;
	moment.year = year + era * 400 + (moment.month <= 2);
	return moment;
}

static void put_pair(char *out, int64_t number)
{
	out[0] = (char)('0' + number / 10);
	out[1] = (char)('0' + number % 10);
}

void stamp_time(char stamp[STAMP_LENGTH], int64_t seconds)
{
	const struct moment moment = moment_of(seconds);

	memcpy(stamp, "yyyy-mm-ddThh:mm:ssZ", STAMP_LENGTH);
	put_pair(stamp, moment.year / 100);
	put_pair(stamp + 2, moment.year % 100);
	put_pair(stamp + 5, moment.month);
	put_pair(stamp + 8, moment.day);
	put_pair(stamp + 11, moment.second / 3600);
	put_pair(stamp + 14, moment.second / 60 % 60);
	put_pair(stamp + 17, moment.second % 60);
}

void text_time(struct text *text, int64_t seconds)
{
	char stamp[STAMP_LENGTH];

	stamp_time(stamp, seconds);
	text_add(text, stamp, sizeof(stamp));
}

void text_free(struct text *text)
{
	free(text->data);
	*text = (struct text){ .data = NULL };
}
