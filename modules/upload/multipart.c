/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "multipart.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* Content-Type and Content-Disposition: parameters */

struct cursor {
	const char *at;
	const char *end;
};

static bool is_token(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static void skip_blank(struct cursor *cursor)
{
	while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t'))
		cursor->at++;
}

static struct lop_str read_token(struct cursor *cursor)
{
	struct lop_str token = { cursor->at, 0 };

	while (cursor->at < cursor->end && is_token(*cursor->at))
		cursor->at++;
	token.length = (size_t)(cursor->at - token.data);
	return token;
}

static bool same(struct lop_str text, const char *word)
{
	return text.length == strlen(word) && strncasecmp(text.data, word, text.length) == 0;
}

/* A quoted string, its quotes left out; browsers escape nothing but the quote, as %22, others
 * write \" for it. */
static bool read_quoted(struct cursor *cursor, struct lop_str *value)
{
	const char *start = ++cursor->at;

	for (; cursor->at < cursor->end; cursor->at++) {
		if (*cursor->at == '\\' && cursor->at + 1 < cursor->end && cursor->at[1] == '"')
			cursor->at++;
		else if (*cursor->at == '"')
			break;
	}
	if (cursor->at >= cursor->end)
		return false;
	*value = (struct lop_str){ start, (size_t)(cursor->at - start) };
	cursor->at++;
	return true;
}

/* The next "; name=value". 1, 0 at the end, -EBADMSG. */
static int next_parameter(struct cursor *cursor, struct lop_str *name, struct lop_str *value)
{
	skip_blank(cursor);
	while (cursor->at < cursor->end && *cursor->at == ';') {
		cursor->at++;
		skip_blank(cursor);
	}
	if (cursor->at >= cursor->end)
		return 0;
	*name = read_token(cursor);
	if (name->length == 0 || cursor->at >= cursor->end || *cursor->at++ != '=')
		return -EBADMSG;
	if (cursor->at < cursor->end && *cursor->at == '"')
		return read_quoted(cursor, value) ? 1 : -EBADMSG;
	*value = read_token(cursor);
	return value->length > 0 ? 1 : -EBADMSG;
}

/* RFC 2046 5.1.1: bchars, and no space at the end. */
static bool boundary_valid(struct lop_str boundary)
{
	if (boundary.length == 0 || boundary.length > MULTIPART_BOUNDARY_MAX ||
	    boundary.data[boundary.length - 1] == ' ')
		return false;
	for (size_t i = 0; i < boundary.length; i++) {
		char c = boundary.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      (c != '\0' && strchr("'()+_,-./:=? ", c) != NULL)))
			return false;
	}
	return true;
}

int multipart_open(struct multipart *multipart, struct lop_str content_type)
{
	static const char type[] = "multipart/form-data";
	struct cursor cursor;
	struct lop_str name, value, boundary = { NULL, 0 };
	int result;

	if (content_type.length < sizeof(type) - 1 ||
	    strncasecmp(content_type.data, type, sizeof(type) - 1) != 0)
		return -EINVAL;
	cursor.at = content_type.data + sizeof(type) - 1;
	cursor.end = content_type.data + content_type.length;
	skip_blank(&cursor);
	if (cursor.at < cursor.end && *cursor.at != ';')
		return -EINVAL;
	while ((result = next_parameter(&cursor, &name, &value)) > 0) {
		if (same(name, "boundary") && boundary.data == NULL)
			boundary = value;
	}
	if (result < 0 || boundary.data == NULL || !boundary_valid(boundary))
		return -EINVAL;
	multipart->state = MULTIPART_PREAMBLE;
	multipart->head_length = 0;
	multipart->line_length = 0;
	/* The first boundary may stand at the very beginning, without an end of line before it. */
	multipart->matched = 2;
	multipart->begun = false;
	memcpy(multipart->delimiter, "\r\n--", 4);
	memcpy(multipart->delimiter + 4, boundary.data, boundary.length);
	multipart->delimiter_length = 4 + boundary.length;
	return 0;
}

/* Undoes the escapes of a file name, in place. */
static struct lop_str unescape(char *text, size_t length)
{
	size_t to = 0;

	for (size_t from = 0; from < length; from++) {
		if (text[from] == '\\' && from + 1 < length && text[from + 1] == '"') {
			text[to++] = text[++from];
		} else if (length - from >= 3 && memcmp(text + from, "%22", 3) == 0) {
			text[to++] = '"';
			from += 2;
		} else {
			text[to++] = text[from];
		}
	}
	return (struct lop_str){ text, to };
}

/* One line of a part's head: only Content-Disposition matters. */
static int read_field(struct multipart *multipart, size_t start, size_t end,
                      struct multipart_event *event, bool *disposed)
{
	struct cursor cursor = { multipart->head + start, multipart->head + end };
	struct lop_str name = read_token(&cursor), value;
	int result;

	if (name.length == 0 || cursor.at >= cursor.end || *cursor.at++ != ':')
		return -EBADMSG;
	if (!same(name, "Content-Disposition"))
		return 0;
	skip_blank(&cursor);
	if (*disposed || !same(read_token(&cursor), "form-data"))
		return -EBADMSG;
	*disposed = true;
	while ((result = next_parameter(&cursor, &name, &value)) > 0) {
		if (!same(name, "filename"))
			continue;
		if (event->has_file)
			return -EBADMSG;
		event->has_file = true;
		event->file = unescape(multipart->head + (value.data - multipart->head),
		                       value.length);
	}
	return result;
}

static int read_head(struct multipart *multipart, struct multipart_event *event)
{
	bool disposed = false;
	size_t start = 0;

	event->kind = MULTIPART_PART;
	while (start + 2 < multipart->head_length) {
		const char *line = multipart->head + start;
		const char *end = memchr(line, '\n', multipart->head_length - start);
		size_t length = (size_t)(end - line);
		int result;

		if (length == 0 || line[length - 1] != '\r')
			return -EBADMSG;
		result = read_field(multipart, start, start + length - 1, event, &disposed);
		if (result < 0)
			return result;
		start += length + 1;
	}
	return disposed ? 0 : -EBADMSG;
}

/* The states: each takes bytes and says how many */

static long feed_delimited(struct multipart *multipart, const char *data, size_t length,
                           struct multipart_event *event)
{
	for (size_t i = 0; i < length; i++) {
		char c = data[i];

		/* Blanks may follow a boundary. */
		if (multipart->line_length == 0 && (c == ' ' || c == '\t'))
			continue;
		multipart->line[multipart->line_length++] = c;
		if (multipart->line_length < 2)
			continue;
		if (memcmp(multipart->line, "--", 2) == 0) {
			multipart->state = MULTIPART_DONE;
			event->kind = MULTIPART_LAST;
			return (long)i + 1;
		}
		if (memcmp(multipart->line, "\r\n", 2) != 0)
			return -EBADMSG;
		multipart->state = MULTIPART_HEAD;
		multipart->head_length = 0;
		return (long)i + 1;
	}
	return (long)length;
}

static long feed_head(struct multipart *multipart, const char *data, size_t length,
                      struct multipart_event *event)
{
	for (size_t i = 0; i < length; i++) {
		size_t have;

		if (multipart->head_length == MULTIPART_HEAD_MAX)
			return -EBADMSG;
		multipart->head[multipart->head_length++] = data[i];
		have = multipart->head_length;
		if (data[i] != '\n' || have < 2 || multipart->head[have - 2] != '\r')
			continue;
		/* An empty line ends it. */
		if (have == 2 || (have >= 4 && memcmp(multipart->head + have - 4, "\r\n", 2) == 0)) {
			int result = read_head(multipart, event);

			if (result < 0)
				return result;
			multipart->state = MULTIPART_BODY;
			/* An empty part's boundary follows at once. */
			multipart->matched = 2;
			multipart->begun = false;
			return (long)i + 1;
		}
	}
	return (long)length;
}

/* Data up to what may be a delimiter. CR stands at a delimiter's first place only, so after a
 * mismatch the search goes on at the byte that did not fit. */
static long feed_data(struct multipart *multipart, const char *data, size_t length,
                      struct multipart_event *event)
{
	/* The end of line in front of a body is imagined: it is no data if no boundary follows. */
	const size_t imagined = multipart->begun ? 0 : 2;
	size_t i = 0;

	if (multipart->matched == 0) {
		const char *found = memchr(data, '\r', length);

		i = found != NULL ? (size_t)(found - data) : length;
		event->kind = MULTIPART_DATA;
		event->data = (struct lop_str){ data, i };
		if (i > 0)
			return (long)i;
	}
	event->kind = MULTIPART_MORE;
	while (i < length && multipart->matched < multipart->delimiter_length &&
	       data[i] == multipart->delimiter[multipart->matched]) {
		multipart->matched++;
		i++;
	}
	if (multipart->matched == multipart->delimiter_length) {
		event->kind = MULTIPART_ENDED;
		multipart->matched = 0;
	} else if (i < length) {
		event->kind = MULTIPART_DATA;
		event->data = (struct lop_str){ multipart->delimiter + imagined,
			                        multipart->matched - imagined };
		multipart->matched = 0;
		multipart->begun = true;
	}
	return (long)i;
}

/* What stands before the first boundary is nobody's. */
static long feed_body(struct multipart *multipart, const char *data, size_t length,
                      struct multipart_event *event)
{
	long used = feed_data(multipart, data, length, event);
	bool ended = event->kind == MULTIPART_ENDED;

	if (multipart->state == MULTIPART_PREAMBLE ||
	    (event->kind == MULTIPART_DATA && event->data.length == 0))
		event->kind = MULTIPART_MORE;
	if (ended) {
		multipart->state = MULTIPART_DELIMITED;
		multipart->line_length = 0;
	}
	return used;
}

long multipart_feed(struct multipart *multipart, const char *data, size_t length,
                    struct multipart_event *event)
{
	memset(event, 0, sizeof(*event));
	if (length == 0)
		return 0;
	switch (multipart->state) {
	case MULTIPART_DELIMITED:
		return feed_delimited(multipart, data, length, event);
	case MULTIPART_HEAD:
		return feed_head(multipart, data, length, event);
	case MULTIPART_DONE:
		return (long)length;
	default:
		return feed_body(multipart, data, length, event);
	}
}
