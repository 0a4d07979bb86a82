/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "log_fields.h"

#include <stdio.h>
#include <string.h>

static const char *const names[LOG_FIELD_COUNT] = {
	[LOG_FIELD_REMOTE_ADDR] = "remote_addr",
	[LOG_FIELD_REMOTE_PORT] = "remote_port",
	[LOG_FIELD_REMOTE_USER] = "remote_user",
	[LOG_FIELD_TIME_LOCAL] = "time_local",
	[LOG_FIELD_TIME_ISO8601] = "time_iso8601",
	[LOG_FIELD_MSEC] = "msec",
	[LOG_FIELD_REQUEST] = "request",
	[LOG_FIELD_REQUEST_METHOD] = "request_method",
	[LOG_FIELD_REQUEST_URI] = "request_uri",
	[LOG_FIELD_SERVER_PROTOCOL] = "server_protocol",
	[LOG_FIELD_STATUS] = "status",
	[LOG_FIELD_BYTES_SENT] = "bytes_sent",
	[LOG_FIELD_BODY_BYTES_SENT] = "body_bytes_sent",
	[LOG_FIELD_REQUEST_LENGTH] = "request_length",
	[LOG_FIELD_REQUEST_TIME] = "request_time",
	[LOG_FIELD_HTTP_REFERER] = "http_referer",
	[LOG_FIELD_HTTP_USER_AGENT] = "http_user_agent",
	[LOG_FIELD_HOST] = "host",
	[LOG_FIELD_CONNECTION] = "connection",
	[LOG_FIELD_CONNECTION_REQUESTS] = "connection_requests",
	[LOG_FIELD_SERVER_ADDR] = "server_addr",
	[LOG_FIELD_SERVER_PORT] = "server_port",
	[LOG_FIELD_PID] = "pid",
	[LOG_FIELD_WORKER] = "worker",
};

enum log_field log_field_find(const char *name, size_t length)
{
	for (int field = LOG_FIELD_NONE + 1; field < LOG_FIELD_COUNT; field++)
		if (strlen(names[field]) == length && memcmp(names[field], name, length) == 0)
			return field;
	return LOG_FIELD_NONE;
}

void log_field_list(char *out, size_t size)
{
	const char *between = "";
	size_t used = 0;

	for (int field = LOG_FIELD_NONE + 1; field < LOG_FIELD_COUNT && used < size; field++) {
		used += (size_t)snprintf(out + used, size - used, "%s%s", between, names[field]);
		between = ", ";
	}
}

int log_field_is_text(enum log_field field)
{
	switch (field) {
	case LOG_FIELD_REMOTE_ADDR:
	case LOG_FIELD_REMOTE_USER:
	case LOG_FIELD_REQUEST:
	case LOG_FIELD_REQUEST_METHOD:
	case LOG_FIELD_REQUEST_URI:
	case LOG_FIELD_HTTP_REFERER:
	case LOG_FIELD_HTTP_USER_AGENT:
	case LOG_FIELD_HOST:
	case LOG_FIELD_SERVER_ADDR:
		return 1;
	default:
		return 0;
	}
}
