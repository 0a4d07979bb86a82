/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fields of an access log's line: their names, and one function that writes the value of any of
 * them.
 */
#ifndef LOG_FIELDS_H
#define LOG_FIELDS_H

#include <stddef.h>

#include <lophttpd/log.h>

#include "log_clock.h"
#include "log_escape.h"

enum log_field {
	LOG_FIELD_NONE = 0,
	LOG_FIELD_REMOTE_ADDR,
	LOG_FIELD_REMOTE_PORT,
	LOG_FIELD_REMOTE_USER,
	LOG_FIELD_TIME_LOCAL,
	LOG_FIELD_TIME_ISO8601,
	LOG_FIELD_MSEC,
	LOG_FIELD_REQUEST,
	LOG_FIELD_REQUEST_METHOD,
	LOG_FIELD_REQUEST_URI,
	LOG_FIELD_SERVER_PROTOCOL,
	LOG_FIELD_STATUS,
	LOG_FIELD_BYTES_SENT,
	LOG_FIELD_BODY_BYTES_SENT,
	LOG_FIELD_REQUEST_LENGTH,
	LOG_FIELD_REQUEST_TIME,
	LOG_FIELD_HTTP_REFERER,
	LOG_FIELD_HTTP_USER_AGENT,
	LOG_FIELD_HOST,
	LOG_FIELD_CONNECTION,
	LOG_FIELD_CONNECTION_REQUESTS,
	LOG_FIELD_SERVER_ADDR,
	LOG_FIELD_SERVER_PORT,
	LOG_FIELD_PID,
	LOG_FIELD_WORKER,
	LOG_FIELD_COUNT,
};

#define LOG_FIELD_FIXED 32  /* a value that no client chose takes at most so many bytes */
#define LOG_FIELD_LEAST 128 /* a value that a client chose gets at least so many */

/* What the values are taken from. */
struct log_source {
	const struct lop_log_record *record;
	const struct log_clock *clock; /* set to the record's second */
	int worker;
};

/* The field of that name, or LOG_FIELD_NONE. */
enum log_field log_field_find(const char *name, size_t length);
/* "remote_addr, remote_port, ..."; cut when it does not fit. */
void log_field_list(char *out, size_t size);
/* Whether the value is what a client sent, of any length. */
int log_field_is_text(enum log_field field);

/* Writes the value, escaped, not past end; room as stated above. Returns the end of it. */
char *log_field_put(enum log_field field, enum log_escape how, const struct log_source *source,
                    char *out, char *end);

#endif
