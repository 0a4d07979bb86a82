/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fields of an access log's line, and their names. log_render.h writes their values.
 */
#ifndef LOG_FIELDS_H
#define LOG_FIELDS_H

#include <stddef.h>

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

/* The field of that name, or LOG_FIELD_NONE. */
enum log_field log_field_find(const char *name, size_t length);
/* "remote_addr, remote_port, ..."; cut when it does not fit. */
void log_field_list(char *out, size_t size);
/* Whether the value is what a client sent, of any length. */
int log_field_is_text(enum log_field field);

#endif
