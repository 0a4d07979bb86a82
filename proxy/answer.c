/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "answer.h"

#include <errno.h>
#include <string.h>

#include "token.h"

enum { INCOMPLETE = 0, DONE = 1 };

struct parser {
	const char *at;
	const char *end;
	struct answer *answer;
	int64_t length; /* of Content-Length, -1: none */
	bool chunked;
	bool close;
	bool keep_alive;
	bool upgrade;
};

static inline bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static inline bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

/* lower has letters, digits and '-' only, of which none is what another byte becomes by setting bit
 * 5, but control bytes and '\r', which no caller's text holds. */
static inline bool equals_folded(const char *text, const char *lower, size_t length)
{
	unsigned char differ = 0;
	for (size_t i = 0; i < length; i++)
		differ |= (unsigned char)((text[i] | 0x20) ^ lower[i]);
	return differ == 0;
}

#define IS(text, lower) (equals_folded((text), (lower), sizeof(lower) - 1))

#define EACH_BYTE UINT64_C(0x0101010101010101)

/* Not 0 when one of the eight bytes is a control byte or DEL. The lowest bit that is set belongs to
 * the lowest such byte; a borrow may set bits above it. */
static inline uint64_t has_control(uint64_t word)
{
	uint64_t rubout = word ^ (EACH_BYTE * 0x7f);
	return (((word - EACH_BYTE * 0x20) & ~word) | ((rubout - EACH_BYTE) & ~rubout)) &
	       (EACH_BYTE * 0x80);
}

/* Over bytes that are no control bytes: to the first that is one, to one of the eight bytes before
 * it, or to the end. */
static inline const char *skip_words(const char *at, const char *end)
{
	uint64_t word;

	for (; end - at >= 8; at += 8) {
		memcpy(&word, at, sizeof word);
		const uint64_t stops = has_control(word);
		if (stops != 0) {
#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
			return at + __builtin_ctzll(stops) / 8;
#else
			break;
#endif
		}
	}
	return at;
}

/* To the first byte that may not stand in a field's value, or to the end. Tabs may. */
static inline const char *skip_text(const char *at, const char *end)
{
	for (;;) {
		at = skip_words(at, end);
		while (at < end && (unsigned char)*at >= ' ' && *at != 0x7f)
			at++;
		if (at == end || *at != '\t')
			return at;
		at++;
	}
}

/* Moves over CR LF. */
static inline int end_line(struct parser *parser)
{
	if (parser->at == parser->end)
		return INCOMPLETE;
	if (*parser->at != '\r')
		return -EBADMSG;
	if (parser->end - parser->at < 2)
		return INCOMPLETE;
	if (parser->at[1] != '\n')
		return -EBADMSG;
	parser->at += 2;
	return DONE;
}

/* HTTP-version SP status-code [SP [reason]]; '#' stands for a digit. The second space is missed by
 * many that have no reason to give. */
static inline int parse_status_line(struct parser *parser)
{
	static const char form[] = "HTTP/1.# ###";
	struct answer *answer = parser->answer;
	const char *start = parser->at;
	size_t size = (size_t)(parser->end - start);

	for (size_t i = 0; i < sizeof form - 1; i++) {
		if (i == size)
			return INCOMPLETE;
		if (form[i] == '#' ? !is_digit(start[i]) : start[i] != form[i])
			return -EBADMSG;
	}
	answer->minor = start[7] == '0' ? 0 : 1;
	answer->status = (start[9] - '0') * 100 + (start[10] - '0') * 10 + (start[11] - '0');
	if (answer->status < 100 || answer->status > 599)
		return -EBADMSG;
	parser->at += sizeof form - 1;
	answer->reason = (struct lop_str){ parser->at, 0 };
	if (parser->at == parser->end)
		return INCOMPLETE;
	if (*parser->at == '\r')
		return end_line(parser);
	if (*parser->at != ' ')
		return -EBADMSG;
	start = ++parser->at;
	parser->at = skip_text(start, parser->end);
	answer->reason = (struct lop_str){ start, (size_t)(parser->at - start) };
	return end_line(parser);
}

/* The next element of a list, without white space around; false at its end. Empty elements are
 * passed over, RFC 9110 5.6.1.2. */
static inline bool next_element(struct lop_str *list, struct lop_str *element)
{
	const char *at = list->data, *end = list->data + list->length;

	while (at < end && (is_blank(*at) || *at == ','))
		at++;
	const char *start = at;
	while (at < end && *at != ',')
		at++;
	*list = (struct lop_str){ at, (size_t)(end - at) };
	while (at > start && is_blank(at[-1]))
		at--;
	*element = (struct lop_str){ start, (size_t)(at - start) };
	return element->length > 0;
}

static void read_connection(struct parser *parser, struct lop_str list)
{
	struct lop_str option;
	while (next_element(&list, &option)) {
		if (option.length == 5 && IS(option.data, "close"))
			parser->close = true;
		else if (option.length == 10 && IS(option.data, "keep-alive"))
			parser->keep_alive = true;
	}
}

/* RFC 9110 8.6: one number; several that are equal are taken for one, as many as there are. */
static int read_length(struct parser *parser, struct lop_str list)
{
	struct lop_str number;
	bool any = false;

	while (next_element(&list, &number)) {
		int64_t length = 0;
		for (size_t i = 0; i < number.length; i++) {
			int digit = number.data[i] - '0';
			if (!is_digit(number.data[i]) || length > (INT64_MAX - digit) / 10)
				return -EBADMSG;
			length = length * 10 + digit;
		}
		if (parser->length >= 0 && parser->length != length)
			return -EBADMSG;
		parser->length = length;
		any = true;
	}
	return any ? DONE : -EBADMSG;
}

/* What bears on the end of the body and of the connection. */
static inline int read_field(struct parser *parser, const struct answer_field *field)
{
	const char *name = field->name.data;

	switch (field->name.length) {
	case 7:
		if (IS(name, "upgrade"))
			parser->upgrade = true;
		return DONE;
	case 10:
		if (IS(name, "connection"))
			read_connection(parser, field->value);
		return DONE;
	case 14:
		return IS(name, "content-length") ? read_length(parser, field->value) : DONE;
	case 17:
		if (!IS(name, "transfer-encoding"))
			return DONE;
		if (parser->chunked || field->value.length != 7 ||
		    !IS(field->value.data, "chunked"))
			return -EBADMSG;
		parser->chunked = true;
		return DONE;
	default:
		return DONE;
	}
}

/* A line that begins with white space (obs-fold) has no name, and fails as such. */
static inline int parse_field(struct parser *parser, struct answer_field *field)
{
	const char *name = parser->at, *end = parser->end, *at = name;

	while (at < end && is_token_byte(*at))
		at++;
	if (at == end)
		return INCOMPLETE;
	if (*at != ':' || at == name)
		return -EBADMSG;
	field->name = (struct lop_str){ name, (size_t)(at - name) };
	for (at++; at < end && is_blank(*at);)
		at++;
	const char *value = at;
	at = skip_text(at, end);
	parser->at = at;
	while (at > value && is_blank(at[-1]))
		at--;
	field->value = (struct lop_str){ value, (size_t)(at - value) };
	return end_line(parser);
}

static inline int parse_fields(struct parser *parser)
{
	struct answer *answer = parser->answer;

	while (parser->at < parser->end) {
		if (*parser->at == '\r')
			return end_line(parser);
		if (answer->field_count == ANSWER_FIELDS_MAX)
			return -EBADMSG;
		struct answer_field *field = &answer->fields[answer->field_count];
		int result = parse_field(parser, field);
		if (result == DONE)
			result = read_field(parser, field);
		if (result != DONE)
			return result;
		answer->field_count++;
	}
	return INCOMPLETE;
}

/* RFC 9112 6.3, in its order, and 9.3. */
static int conclude(struct parser *parser, bool method_head, bool method_connect)
{
	struct answer *answer = parser->answer;
	int status = answer->status;
	bool framed = parser->chunked || parser->length > 0;

	if (parser->chunked && (parser->length >= 0 || answer->minor == 0))
		return -EBADMSG;
	answer->keep = !parser->close && (answer->minor > 0 || parser->keep_alive);
	answer->length = -1;
	if (status < 200 || status == 204) {
		/* One that names a length here may well send that much, to be taken for the next
		 * response. */
		answer->keep = answer->keep && !framed && status != 101;
		answer->upgrade = status == 101 && parser->upgrade;
	} else if (method_connect && status < 300) {
		answer->keep = false;
	} else if (method_head || status == 304) {
		answer->length = parser->length;
	} else if (parser->chunked) {
		answer->framing = ANSWER_CHUNKED;
	} else if (parser->length >= 0) {
		answer->framing = ANSWER_LENGTH;
		answer->length = parser->length;
	} else {
		answer->framing = ANSWER_CLOSE;
		answer->keep = false;
	}
	return DONE;
}

/* Whether the end of the head, or of one whose lines end with bare LF, lies in data; what lies
 * before `scanned` was looked at. */
static bool has_end(const char *data, size_t size, size_t scanned)
{
	size_t start = scanned > 3 ? scanned - 3 : 0;
	const char *at = data + start, *end = data + size;

	while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		at++;
		if (at < end && (*at == '\n' || (*at == '\r' && end - at > 1 && at[1] == '\n')))
			return true;
	}
	return false;
}

int answer_parse(const char *data, size_t size, bool method_head, bool method_connect,
                 size_t *scanned, struct answer *answer)
{
	struct parser parser = { .at = data, .end = data + size, .answer = answer, .length = -1 };

	/* The whole head is there at once as a rule, so the first look parses. */
	if (*scanned > 0 && !has_end(data, size, *scanned)) {
		*scanned = size;
		return INCOMPLETE;
	}
	memset(answer, 0, offsetof(struct answer, fields));
	int result = parse_status_line(&parser);
	if (result == DONE)
		result = parse_fields(&parser);
	if (result == DONE)
		result = conclude(&parser, method_head, method_connect);
	answer->head_size = (size_t)(parser.at - data);
	*scanned = size;
	return result;
}

/* What RFC 9110 7.6.1 names, and what by its own nature is for the next one only. */
static inline bool is_always_hop_by_hop(const char *name, size_t length)
{
	switch (length) {
	case 2:
		return IS(name, "te");
	case 7:
		return IS(name, "upgrade");
	case 10:
		return IS(name, "connection") || IS(name, "keep-alive");
	case 14:
		return IS(name, "http2-settings");
	case 16:
		return IS(name, "proxy-connection");
	case 17:
		return IS(name, "transfer-encoding");
	case 18:
		return IS(name, "proxy-authenticate");
	case 19:
		return IS(name, "proxy-authorization");
	case 25:
		return IS(name, "proxy-authentication-info");
	default:
		return false;
	}
}

static bool equals_any_case(const char *left, const char *right, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char a = (unsigned char)left[i], b = (unsigned char)right[i];
		if (a >= 'A' && a <= 'Z')
			a |= 0x20;
		if (b >= 'A' && b <= 'Z')
			b |= 0x20;
		if (a != b)
			return false;
	}
	return true;
}

bool field_is_hop_by_hop(struct lop_str name, struct lop_str connection)
{
	struct lop_str option;

	if (is_always_hop_by_hop(name.data, name.length))
		return true;
	if (connection.length < name.length)
		return false;
	/* A message that loses its length or its host is another message. */
	if ((name.length == 4 && IS(name.data, "host")) ||
	    (name.length == 14 && IS(name.data, "content-length")))
		return false;
	while (next_element(&connection, &option)) {
		if (option.length == name.length &&
		    equals_any_case(option.data, name.data, name.length))
			return true;
	}
	return false;
}
