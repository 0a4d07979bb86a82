/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text that grows, and the ways to write names of any bytes into it: for people in HTML, for
 * programs in JSON, and in URLs.
 *
 * A name is bytes. In URLs it is exact. In HTML and JSON, which are UTF-8, a byte that is none
 * becomes U+FFFD; HTML shows control bytes as their pictures (U+2400 and on), JSON escapes them.
 * When memory is out, text keeps what it has and `failed` is set: check it once, at the end.
 */
#ifndef AUTOINDEX_TEXT_H
#define AUTOINDEX_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
	char *data;
	size_t length;
	size_t size;
	bool fixed; /* the memory is somebody else's, and does not grow */
	bool failed;
};

/* Makes room for `more` bytes. Returns false when there is none; the text has failed then. */
bool text_grow(struct text *text, size_t more);

/* These two are here so that the compiler sees the lengths: a row is made of twenty short pieces. */
static inline void text_add(struct text *text, const char *data, size_t length)
{
	if (length == 0 || (length > text->size - text->length && !text_grow(text, length)))
		return;
	memcpy(text->data + text->length, data, length);
	text->length += length;
}

static inline void text_puts(struct text *text, const char *string)
{
	text_add(text, string, strlen(string));
}

void text_number(struct text *text, uint64_t number);
void text_html(struct text *text, const char *data, size_t length);
/* As text_html, but for text of several lines: newlines and tabs stay. */
void text_html_lines(struct text *text, const char *data, size_t length);
/* The inside of a JSON string. */
void text_json(struct text *text, const char *data, size_t length);
/* A relative reference: all is encoded but unreserved characters and '/', so it is the same in an
 * attribute of HTML and in a JSON string. */
void text_url(struct text *text, const char *data, size_t length);
/* One line: a backslash and control bytes as \xHH. */
void text_plain(struct text *text, const char *data, size_t length);
/* "1023", "1.5 KiB", "12 MiB" */
void text_size(struct text *text, int64_t size);

/* "2024-02-29T12:34:56Z", without a zero at its end. Years before 0 and after 9999 are these. */
#define STAMP_LENGTH 20
void stamp_time(char stamp[STAMP_LENGTH], int64_t seconds);
void text_time(struct text *text, int64_t seconds);
void text_free(struct text *text);

#endif
