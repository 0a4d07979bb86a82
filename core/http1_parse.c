/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "http1_parse.h"

#include <string.h>

#include "field_bytes.h"
#include "target.h"

/*
 * One pass from left to right. Every step returns DONE, INCOMPLETE or a negative status, and judges
 * a byte by those before it only: a head that arrives in pieces meets the same end as a whole one.
 */
enum step { INCOMPLETE = 0, DONE = 1 };

struct parser {
	struct http1_head *head;
	const struct http1_limits *limits;
	const char *base;
	const char *at;
	const char *end;
	bool transfer_encoding;
	bool other_coding;
	bool other_expectation;
};

static inline bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static inline bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static inline const char *skip_token(const char *at, const char *end)
{
	while (at < end && is_token_byte(*at))
		at++;
	return at;
}

static inline const char *skip_blank(const char *at, const char *end)
{
	while (at < end && is_blank(*at))
		at++;
	return at;
}

/* lower holds no byte that a token byte could become by accident: setting bit 5 folds letters and
 * leaves '-' and digits alone. At least four bytes. */
static inline bool equals_folded(const char *text, const char *lower, size_t length)
{
	uint32_t differ = 0;
	for (size_t i = 0; i < length; i += 4) {
		size_t at = i + 4 <= length ? i : length - 4;
		uint32_t left, right;
		memcpy(&left, text + at, sizeof left);
		memcpy(&right, lower + at, sizeof right);
		differ |= (left | UINT32_C(0x20202020)) ^ right;
	}
	return differ == 0;
}

#define IS(name, text) (equals_folded((name), (text), sizeof(text) - 1))

/* Which of the fields that the server reads, or HTTP1_KNOWN_COUNT. */
static inline enum http1_known known_field(const char *name, size_t length)
{
	char first = (char)(name[0] | 0x20);
	switch (length) {
	case 4:
		return IS(name, "host") ? HTTP1_HOST : HTTP1_KNOWN_COUNT;
	case 5:
		return IS(name, "range") ? HTTP1_RANGE : HTTP1_KNOWN_COUNT;
	case 6:
		if (first == 'a')
			return IS(name, "accept") ? HTTP1_ACCEPT : HTTP1_KNOWN_COUNT;
		return IS(name, "expect") ? HTTP1_EXPECT : HTTP1_KNOWN_COUNT;
	case 7:
		return IS(name, "referer") ? HTTP1_REFERER : HTTP1_KNOWN_COUNT;
	case 8:
		if (first != 'i')
			return HTTP1_KNOWN_COUNT;
		if (IS(name, "if-range"))
			return HTTP1_IF_RANGE;
		return IS(name, "if-match") ? HTTP1_IF_MATCH : HTTP1_KNOWN_COUNT;
	case 10:
		if (first == 'c')
			return IS(name, "connection") ? HTTP1_CONNECTION : HTTP1_KNOWN_COUNT;
		return IS(name, "user-agent") ? HTTP1_USER_AGENT : HTTP1_KNOWN_COUNT;
	case 13:
		return IS(name, "if-none-match") ? HTTP1_IF_NONE_MATCH : HTTP1_KNOWN_COUNT;
	case 14:
		return IS(name, "content-length") ? HTTP1_CONTENT_LENGTH : HTTP1_KNOWN_COUNT;
	case 17:
		if (first == 't')
			return IS(name, "transfer-encoding") ? HTTP1_TRANSFER_ENCODING
			                                     : HTTP1_KNOWN_COUNT;
		return IS(name, "if-modified-since") ? HTTP1_IF_MODIFIED_SINCE : HTTP1_KNOWN_COUNT;
	case 19:
		return IS(name, "if-unmodified-since") ? HTTP1_IF_UNMODIFIED_SINCE
		                                       : HTTP1_KNOWN_COUNT;
	default:
		return HTTP1_KNOWN_COUNT;
	}
}

/* The next element of a comma-separated list, without white space around; false at its end.
 * Empty elements are passed over, RFC 9110 5.6.1.2. */
static bool next_element(const char **at, const char *end, struct lop_str *element)
{
	const char *start = *at;
	while (start < end && (is_blank(*start) || *start == ','))
		start++;
	const char *comma = start;
	while (comma < end && *comma != ',')
		comma++;
	*at = comma;
	element->data = start;
	while (comma > start && is_blank(comma[-1]))
		comma--;
	element->length = (size_t)(comma - start);
	return element->length > 0;
}

static void read_connection(struct http1_head *head, const char *at, const char *end)
{
	struct lop_str option;
	while (next_element(&at, end, &option)) {
		if (option.length == 5 && IS(option.data, "close"))
			head->close = true;
		else if (option.length == 10 && IS(option.data, "keep-alive"))
			head->keep_alive = true;
	}
}

/* Digits only: a sign, a list or white space inside could be read in two ways. */
static int read_content_length(struct http1_head *head, const char *at, const char *end)
{
	int64_t length = 0;
	if (head->content_length >= 0 || at == end)
		return -400;
	for (; at < end; at++) {
		int digit = *at - '0';
		if (!is_digit(*at) || length > (INT64_MAX - digit) / 10)
			return -400;
		length = length * 10 + digit;
	}
	head->content_length = length;
	return DONE;
}

/* Only "chunked" is known, and it frames the body only as the last coding. */
static int read_transfer_encoding(struct parser *parser, const char *at, const char *end)
{
	struct lop_str coding;
	if (parser->transfer_encoding)
		return -400;
	while (next_element(&at, end, &coding)) {
		const char *coding_end = coding.data + coding.length;
		const char *name_end = skip_token(coding.data, coding_end);
		const char *parameters = skip_blank(name_end, coding_end);
		if (parser->head->chunked || name_end == coding.data)
			return -400;
		if (parameters < coding_end && *parameters != ';')
			return -400;
		parser->transfer_encoding = true;
		if (coding.length == 7 && IS(coding.data, "chunked"))
			parser->head->chunked = true;
		else
			parser->other_coding = true;
	}
	return parser->transfer_encoding ? DONE : -400;
}

static void read_expect(struct parser *parser, const char *at, const char *end)
{
	struct lop_str expectation;
	if (parser->head->version < 101)
		return; /* RFC 9110 10.1.1: to be ignored */
	while (next_element(&at, end, &expectation)) {
		if (expectation.length == 12 && IS(expectation.data, "100-continue"))
			parser->head->expect_continue = true;
		else
			parser->other_expectation = true;
	}
}

/* Fields that the rest of the head, or its end, depends on. */
static inline int read_field(struct parser *parser, enum http1_known known, bool first,
                             const char *at, const char *end)
{
	switch (known) {
	case HTTP1_HOST:
		if (!first || target_check_authority(at, (size_t)(end - at)) != 0)
			return -400;
		return DONE;
	case HTTP1_CONNECTION:
		read_connection(parser->head, at, end);
		return DONE;
	case HTTP1_CONTENT_LENGTH:
		return read_content_length(parser->head, at, end);
	case HTTP1_TRANSFER_ENCODING:
		return read_transfer_encoding(parser, at, end);
	case HTTP1_EXPECT:
		read_expect(parser, at, end);
		return DONE;
	default:
		return DONE;
	}
}

enum lop_method http1_method(const char *name, size_t length)
{
	static const struct {
		char name[8];
		enum lop_method method;
	} methods[] = {
		{ "GET", LOP_METHOD_GET },         { "HEAD", LOP_METHOD_HEAD },
		{ "OPTIONS", LOP_METHOD_OPTIONS }, { "POST", LOP_METHOD_POST },
		{ "PUT", LOP_METHOD_PUT },         { "DELETE", LOP_METHOD_DELETE },
		{ "PATCH", LOP_METHOD_PATCH },     { "TRACE", LOP_METHOD_TRACE },
		{ "CONNECT", LOP_METHOD_CONNECT },
	};
	char padded[8] = "";
	if (length >= sizeof padded)
		return LOP_METHOD_UNKNOWN;
	memcpy(padded, name, length);
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		if (memcmp(methods[i].name, padded, sizeof padded) == 0)
			return methods[i].method;
	}
	return LOP_METHOD_UNKNOWN;
}

/* RFC 9112 2.2: an empty line before the request line is robustness for old clients. */
static int skip_empty_line(struct parser *parser)
{
	if (parser->at == parser->end)
		return INCOMPLETE;
	if (*parser->at != '\r')
		return DONE;
	if (parser->end - parser->at < 2)
		return INCOMPLETE;
	if (parser->at[1] != '\n')
		return -400;
	parser->at += 2;
	return DONE;
}

static inline int parse_method(struct parser *parser)
{
	struct http1_head *head = parser->head;
	const char *start = parser->at;
	const char *end = skip_token(start, parser->end);
	head->method_offset = (uint32_t)(start - parser->base);
	head->method_length = (uint32_t)(end - start);
	if (end == parser->end)
		return INCOMPLETE;
	if (*end != ' ' || end == start)
		return -400;
	if (end - start == 3 && memcmp(start, "GET", 3) == 0)
		head->method = LOP_METHOD_GET;
	else
		head->method = http1_method(start, head->method_length);
	parser->at = end + 1;
	return DONE;
}

static inline int parse_target(struct parser *parser)
{
	struct http1_head *head = parser->head;
	const char *start = parser->at;
	const char *end = skip_visible(start, parser->end, ' ' + 1);
	head->target = (uint32_t)(start - parser->base);
	if ((size_t)(end - start) > parser->limits->target) {
		head->target_length = (uint32_t)parser->limits->target;
		return -414;
	}
	head->target_length = (uint32_t)(end - start);
	if (end == parser->end)
		return INCOMPLETE;
	if (*end != ' ' || end == start)
		return -400;
	parser->at = end + 1;
	return DONE;
}

/* HTTP-version and the line's end; '#' stands for a digit. */
static inline int parse_version(struct parser *parser)
{
	static const char form[] = "HTTP/#.#\r\n";
	enum { LENGTH = sizeof form - 1 };
	const char *at = parser->at;
	if (parser->end - at >= LENGTH && memcmp(at, "HTTP/1.1\r\n", LENGTH) == 0) {
		parser->head->version = 101;
		parser->at += LENGTH;
		return DONE;
	}
	for (int i = 0; i < LENGTH; i++, at++) {
		if (at == parser->end)
			return INCOMPLETE;
		if (form[i] == '#' ? !is_digit(*at) : *at != form[i])
			return -400;
	}
	if (parser->at[5] != '1')
		return -505;
	parser->head->version = parser->at[7] == '0' ? 100 : 101;
	parser->at = at;
	return DONE;
}

/* A field line up to its CRLF, RFC 9112 section 5. A line that begins with white space (obs-fold)
 * has no name and fails as such. */
static inline int parse_field_line(struct parser *parser, struct http1_field *field)
{
	const char *end = parser->end;
	const char *name = parser->at;
	const char *colon = skip_token(name, end);
	if (colon == end)
		return INCOMPLETE;
	if (*colon != ':' || colon == name)
		return -400;
	const char *value = skip_blank(colon + 1, end);
	const char *line_end = skip_visible(value, end, ' ');
	while (line_end < end && *line_end == '\t')
		line_end = skip_visible(line_end + 1, end, ' ');
	if (line_end == end)
		return INCOMPLETE;
	if (*line_end != '\r')
		return -400;
	if (end - line_end < 2)
		return INCOMPLETE;
	if (line_end[1] != '\n')
		return -400;
	parser->at = line_end + 2;
	while (line_end > value && is_blank(line_end[-1]))
		line_end--;
	field->name = (uint32_t)(name - parser->base);
	field->name_length = (uint32_t)(colon - name);
	field->value = (uint32_t)(value - parser->base);
	field->value_length = (uint32_t)(line_end - value);
	return DONE;
}

/* All fields and the empty line. */
static inline int parse_fields(struct parser *parser)
{
	struct http1_head *head = parser->head;
	size_t most = parser->limits->fields;
	if (most > HTTP1_MAX_FIELDS)
		most = HTTP1_MAX_FIELDS;
	while (parser->at < parser->end) {
		if (*parser->at == '\r') {
			if (parser->end - parser->at < 2)
				return INCOMPLETE;
			parser->at += 2;
			return parser->at[-1] == '\n' ? DONE : -400;
		}
		if (head->field_count >= most)
			return is_token_byte(*parser->at) ? -431 : -400;
		struct http1_field *field = &head->fields[head->field_count];
		int result = parse_field_line(parser, field);
		if (result != DONE)
			return result;
		const char *name = parser->base + field->name;
		const char *value = parser->base + field->value;
		enum http1_known known = known_field(name, field->name_length);
		head->field_count++;
		if (known == HTTP1_KNOWN_COUNT)
			continue;
		bool first = head->known[known] == 0;
		if (first)
			head->known[known] = (uint8_t)head->field_count;
		else
			head->repeated |= UINT32_C(1) << known;
		result = read_field(parser, known, first, value, value + field->value_length);
		if (result != DONE)
			return result;
	}
	return INCOMPLETE;
}

/* What only the whole head tells. RFC 9112 6.1, 6.3: whoever sends two lengths may be smuggling. */
static inline int check_head(struct parser *parser)
{
	struct http1_head *head = parser->head;
	if (parser->transfer_encoding && (head->content_length >= 0 || head->version < 101))
		return -400;
	if (head->known[HTTP1_HOST] == 0 && head->version >= 101)
		return -400;
	if (parser->other_coding)
		return -501;
	if (parser->other_expectation)
		return -417;
	head->length = (uint32_t)(parser->at - parser->base);
	return (int)head->length;
}

int http1_parse_head(struct http1_head *head, const char *buffer, size_t length,
                     const struct http1_limits *limits)
{
	struct parser parser = {
		.head = head,
		.limits = limits,
		.base = buffer,
		.at = buffer,
		.end = buffer + (length < limits->head ? length : limits->head),
	};
	int result;

	memset(head, 0, offsetof(struct http1_head, fields));
	head->content_length = -1;
	if ((result = skip_empty_line(&parser)) == DONE &&
	    (result = parse_method(&parser)) == DONE && (result = parse_target(&parser)) == DONE &&
	    (result = parse_version(&parser)) == DONE && (result = parse_fields(&parser)) == DONE)
		return check_head(&parser);
	if (result == INCOMPLETE && length >= limits->head)
		return head->target_length > 0 && head->version == 0 ? -414 : -431;
	return result;
}

size_t http1_join(const struct http1_head *head, const char *base, enum http1_known known,
                  char *out)
{
	size_t length = 0;
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http1_field *field = &head->fields[i];
		if (known_field(base + field->name, field->name_length) != known)
			continue;
		if (length > 0) {
			memcpy(out + length, ", ", 2);
			length += 2;
		}
		memcpy(out + length, base + field->value, field->value_length);
		length += field->value_length;
	}
	return length;
}

enum http1_known http1_known(const char *name, size_t length)
{
	return length == 0 ? HTTP1_KNOWN_COUNT : known_field(name, length);
}
