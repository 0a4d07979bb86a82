/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The head of an HTTP/1 request: request line and fields, RFC 9112 sections 2 to 5.
 *
 * Strict: only CRLF ends a line; no folding; no space before the colon; tokens are tokens; one
 * Host; what could be read in two ways is refused. The parser allocates nothing and never
 * changes the input; everything in struct http1_head is an offset from the head's first byte, so
 * the bytes may be moved afterwards.
 */
#ifndef HTTP1_PARSE_H
#define HTTP1_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lophttpd/base.h>
#include <lophttpd/request.h>

#define HTTP1_MAX_FIELDS 128

/* Fields that the server itself reads; found while parsing, without a second search. */
enum http1_known {
	HTTP1_HOST,
	HTTP1_CONNECTION,
	HTTP1_CONTENT_LENGTH,
	HTTP1_TRANSFER_ENCODING,
	HTTP1_EXPECT,
	HTTP1_RANGE,
	HTTP1_IF_RANGE,
	HTTP1_IF_MATCH,
	HTTP1_IF_NONE_MATCH,
	HTTP1_IF_MODIFIED_SINCE,
	HTTP1_IF_UNMODIFIED_SINCE,
	HTTP1_USER_AGENT,
	HTTP1_REFERER,
	HTTP1_ACCEPT,
	HTTP1_KNOWN_COUNT,
};

struct http1_limits {
	size_t head;    /* bytes of the whole head */
	size_t target;  /* bytes of the request target */
	size_t fields;  /* number of fields, at most HTTP1_MAX_FIELDS */
};

struct http1_field {
	uint32_t name;  /* offset */
	uint32_t value; /* offset, without white space around */
	uint32_t name_length;
	uint32_t value_length;
};

struct http1_head {
	uint32_t length; /* of the head with its empty line */
	uint32_t method_length;
	uint32_t method_offset; /* not 0 after an empty line before the request line */
	uint32_t target;
	uint32_t target_length;
	uint16_t version; /* 100 or 101 */
	uint16_t field_count;
	enum lop_method method;
	bool close;             /* Connection: close; wins over keep_alive when both are set */
	bool keep_alive;        /* Connection: keep-alive */
	bool expect_continue;   /* Expect: 100-continue, of an HTTP/1.1 client */
	bool chunked;           /* the body is chunked */
	int64_t content_length; /* -1: no Content-Length */
	/* Index + 1 in fields of the first of each known field, 0: absent. If a field other than
	 * Host, Content-Length and Transfer-Encoding (refused) comes twice, the first counts. */
	uint8_t known[HTTP1_KNOWN_COUNT];
	uint32_t repeated; /* bit 1 << known: it came more than once, see http1_join() */
	struct http1_field fields[HTTP1_MAX_FIELDS];
};

/*
 * Parses a head from buffer. Returns its length, 0 when it is not complete, or the negative status
 * to answer with:
 *
 *   -400  syntax or ambiguity: Content-Length and Transfer-Encoding together, several of one of
 *         them, Transfer-Encoding in HTTP/1.0, bare CR or LF, obs-fold, a bad Host, several, none
 *         with 1.1, ...
 *   -414  target too long
 *   -417  an expectation other than 100-continue
 *   -431  head too long (or as long as the limit and still not complete), or too many fields
 *   -501  a transfer coding other than chunked
 *   -505  a version other than 1.x; any 1.x above 1.1 is read as 1.1
 *
 * An error is reported as soon as it is seen, also in an incomplete head, and more bytes never
 * change it; only what takes the whole head to judge (both lengths, no Host, -417, -501) waits for
 * its end. After 0 and after a negative result `method`, `target` and `version` are set as far as
 * they were read (lengths and version 0 otherwise), for the log, and `field_count` fields stand in
 * `fields`, which is not touched beyond them. At most one empty line (CRLF) before the request
 * line is skipped; `length` counts it.
 */
int http1_parse_head(struct http1_head *head, const char *buffer, size_t length,
                     const struct http1_limits *limits);

/* RFC 9110 9.1: case-sensitive. */
enum lop_method http1_method(const char *name, size_t length);

/* The known field of that name (any case), HTTP1_KNOWN_COUNT for all others. */
enum http1_known http1_known(const char *name, size_t length);

/* Writes all values of a known field as one list, RFC 9110 5.3: joined by ", ", in their order. out
 * holds at least head->length bytes. Returns the length written. For list fields that came more
 * than once (If-Match, If-None-Match), which `repeated` tells. */
size_t http1_join(const struct http1_head *head, const char *base, enum http1_known known,
                  char *out);

/* Views into the head whose first byte is base. */
static inline struct lop_str http1_value(const struct http1_head *head, const char *base,
                                         enum http1_known known)
{
	if (head->known[known] == 0)
		return (struct lop_str){ NULL, 0 };
	const struct http1_field *field = &head->fields[head->known[known] - 1];
	return (struct lop_str){ base + field->value, field->value_length };
}

#endif
