/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "log_fields.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MS_NS INT64_C(1000000)

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

/* Values */

static char *put_number(char *out, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + value % 10);
	while ((value /= 10) != 0);
	for (; at < sizeof(digits); at++)
		*out++ = digits[at];
	return out;
}

/* Seconds with three digits behind the point. */
static char *put_seconds(char *out, int64_t ns)
{
	uint64_t ms = ns < 0 ? 0 : (uint64_t)(ns / MS_NS);
	unsigned rest = (unsigned)(ms % 1000);

	out = put_number(out, ms / 1000);
	out[0] = '.';
	out[1] = (char)('0' + rest / 100);
	out[2] = (char)('0' + rest / 10 % 10);
	out[3] = (char)('0' + rest % 10);
	return out + 4;
}

/* Three digits in text; JSON has no number with a leading zero. */
static char *put_status(char *out, enum log_escape how, unsigned status)
{
	if (how == LOG_ESCAPE_JSON || status > 999)
		return put_number(out, status);
	out[0] = (char)('0' + status / 100);
	out[1] = (char)('0' + status / 10 % 10);
	out[2] = (char)('0' + status % 10);
	return out + 3;
}

static char *put_dash(char *out, enum log_escape how)
{
	if (how != LOG_ESCAPE_JSON)
		*out++ = '-';
	return out;
}

static char *put_text(char *out, char *end, enum log_escape how, struct lop_str text)
{
	if (text.data == NULL || (text.length == 0 && how == LOG_ESCAPE_BARE))
		return put_dash(out, how);
	return log_escape(how, out, end, text);
}

/* "HTTP/1.1", "HTTP/2.0"; protocol is not 0. */
static char *put_protocol(char *out, unsigned protocol)
{
	memcpy(out, "HTTP/1.1", 8);
	if (protocol == 101)
		return out + 8;
	out = put_number(out + 5, protocol / 100);
	*out++ = '.';
	return put_number(out, protocol % 100);
}

/* "GET /path HTTP/1.1": as much of it as there was. */
static char *put_request(char *out, char *end, enum log_escape how,
                         const struct lop_log_record *record)
{
	char *method_end = out + LOG_FIELD_LEAST / 2;

	if (record->method.data == NULL && record->target.data == NULL)
		return put_dash(out, how);
	out = put_text(out, method_end, how, record->method);
	*out++ = ' ';
	out = put_text(out, end - LOG_FIELD_FIXED, how, record->target);
	if (record->protocol != 0) {
		*out++ = ' ';
		out = put_protocol(out, record->protocol);
	}
	return out;
}

static char *copy(char *out, const char *text, size_t length)
{
	memcpy(out, text, length);
	return out + length;
}

char *log_field_put(enum log_field field, enum log_escape how, const struct log_source *source,
                    char *out, char *end)
{
	const struct lop_log_record *record = source->record;

	switch (field) {
	case LOG_FIELD_REMOTE_ADDR:
		return put_text(out, end, how, record->remote_address);
	case LOG_FIELD_REMOTE_PORT:
		return put_number(out, record->remote_port);
	case LOG_FIELD_REMOTE_USER:
		return put_text(out, end, how, record->user);
	case LOG_FIELD_TIME_LOCAL:
		return copy(out, source->clock->local, LOG_CLOCK_LOCAL);
	case LOG_FIELD_TIME_ISO8601:
		return copy(out, source->clock->iso, LOG_CLOCK_ISO);
	case LOG_FIELD_MSEC:
		return put_seconds(out, record->time_ns);
	case LOG_FIELD_REQUEST:
		return put_request(out, end, how, record);
	case LOG_FIELD_REQUEST_METHOD:
		return put_text(out, end, how, record->method);
	case LOG_FIELD_REQUEST_URI:
		return put_text(out, end, how, record->target);
	case LOG_FIELD_SERVER_PROTOCOL:
		return record->protocol == 0 ? put_dash(out, how)
		                             : put_protocol(out, record->protocol);
	case LOG_FIELD_STATUS:
		return put_status(out, how, record->status);
	case LOG_FIELD_BYTES_SENT:
		return put_number(out, record->bytes_sent);
	case LOG_FIELD_BODY_BYTES_SENT:
		return put_number(out, record->body_bytes_sent);
	case LOG_FIELD_REQUEST_LENGTH:
		return put_number(out, record->bytes_received);
	case LOG_FIELD_REQUEST_TIME:
		return put_seconds(out, record->duration_ns);
	case LOG_FIELD_HTTP_REFERER:
		return put_text(out, end, how, record->referer);
	case LOG_FIELD_HTTP_USER_AGENT:
		return put_text(out, end, how, record->user_agent);
	case LOG_FIELD_HOST:
		return put_text(out, end, how, record->host);
	case LOG_FIELD_CONNECTION:
		return put_number(out, record->connection);
	case LOG_FIELD_CONNECTION_REQUESTS:
		return put_number(out, record->request);
	case LOG_FIELD_SERVER_ADDR:
		return put_text(out, end, how, record->local_address);
	case LOG_FIELD_SERVER_PORT:
		return put_number(out, record->local_port);
	case LOG_FIELD_PID:
		return put_number(out, (uint64_t)source->clock->pid);
	case LOG_FIELD_WORKER:
		return put_number(out, (uint64_t)source->worker);
	case LOG_FIELD_NONE:
	case LOG_FIELD_COUNT:
		break;
	}
	return out;
}
