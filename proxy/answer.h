/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The head of an upstream's response, RFC 9112 sections 4 to 6, as an intermediary must read it:
 * strictly, since what is passed on must not mean something else to the next reader.
 *
 * Pure: bytes in, views out.
 */
#ifndef PROXY_ANSWER_H
#define PROXY_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lophttpd/base.h>

#define ANSWER_FIELDS_MAX 128

enum answer_framing {
	ANSWER_NONE, /* no body: to HEAD, 1xx, 204, 304 */
	ANSWER_LENGTH,
	ANSWER_CHUNKED,
	ANSWER_CLOSE, /* until the upstream closes */
};

struct answer_field {
	struct lop_str name;
	struct lop_str value; /* without white space around it */
};

struct answer {
	int status;
	int minor;    /* 0 or 1 of HTTP/1.x; 1 for a greater one */
	bool keep;    /* the connection may be used again once the body has ended */
	bool upgrade; /* 101 with an Upgrade field */
	enum answer_framing framing;
	int64_t length;   /* ANSWER_LENGTH; for HEAD and 304 what Content-Length said, else -1 */
	size_t head_size; /* bytes of the head */
	struct lop_str reason;
	size_t field_count;
	struct answer_field fields[ANSWER_FIELDS_MAX];
};

/* Parses a head at the front of data; method_head and method_connect: what was asked with. Returns
 * 1 when it is whole, 0 when more is needed (*scanned says how far it was looked at, 0 to begin:
 * bytes are not scanned twice), -EBADMSG for what is no response or a dangerous one (obs-fold,
 * white space before a colon, any control byte, bare CR and LF, a status beyond 100 … 599, several
 * differing lengths, Transfer-Encoding beside Content-Length or other than chunked,
 * Transfer-Encoding in HTTP/1.0, more fields than fit). The views point into data, which may move
 * between calls. How large a head may become is the caller's to bound. */
int answer_parse(const char *data, size_t size, bool method_head, bool method_connect,
                 size_t *scanned, struct answer *answer);

/* Whether a field is of this hop only (RFC 9110 7.6.1): by its name, or because a Connection field
 * of the same message names it. connection: all values of Connection, joined with commas; data may
 * be NULL. Host and Content-Length never are, whoever names them: without them it would be another
 * message. Trailer is not either. */
bool field_is_hop_by_hop(struct lop_str name, struct lop_str connection);

#endif
