/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "log_render.h"

#include <string.h>

#include "log_escape.h"
#include "log_fields.h"

#define MS_NS INT64_C(1000000)
#define DIGITS_MAX 20 /* of 64 bits */

/* Values */

/* Overwrites DIGITS_MAX bytes. */
static char *put_number(char *out, uint64_t value)
{
	char digits[2 * DIGITS_MAX] = { 0 };
	size_t at = DIGITS_MAX;

	do
		digits[--at] = (char)('0' + value % 10);
	while ((value /= 10) != 0);
	memcpy(out, digits + at, DIGITS_MAX);
	return out + DIGITS_MAX - at;
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
static inline char *put_status(char *out, enum log_escape how, unsigned status)
{
	if (how == LOG_ESCAPE_JSON || status > 999)
		return put_number(out, status);
	out[0] = (char)('0' + status / 100);
	out[1] = (char)('0' + status / 10 % 10);
	out[2] = (char)('0' + status % 10);
	return out + 3;
}

/* out has room for it, whatever is written there then. */
static inline char *put_dash(char *out, enum log_escape how)
{
	*out = '-';
	return out + (how != LOG_ESCAPE_JSON);
}

static inline char *put_text(char *out, char *end, enum log_escape how, struct lop_str text)
{
	if (text.data == NULL || (text.length == 0 && how == LOG_ESCAPE_BARE))
		return put_dash(out, how);
	return log_escape(how, out, end, text);
}

/* "HTTP/1.1", "HTTP/2.0"; protocol is not 0. */
static inline char *put_protocol(char *out, unsigned protocol)
{
	memcpy(out, "HTTP/1.1", 8);
	if (protocol == 101)
		return out + 8;
	out = put_number(out + 5, protocol / 100);
	*out++ = '.';
	return put_number(out, protocol % 100);
}

/* Method and target as they stand in the head, when nothing but one space is between them. */
static inline struct lop_str as_sent(const struct lop_log_record *record)
{
	struct lop_str both = { NULL, 0 };

	if (record->method.data != NULL &&
	    record->target.data == record->method.data + record->method.length + 1 &&
	    record->target.data[-1] == ' ') {
		both.data = record->method.data;
		both.length = record->method.length + 1 + record->target.length;
	}
	return both;
}

/* "GET /path HTTP/1.1": as much of it as there was. */
static inline char *put_request(char *out, char *end, enum log_escape how,
                                const struct lop_log_record *record)
{
	const struct lop_str both = as_sent(record);
	char *method_end = out + LOG_FIELD_LEAST / 2;
	char *target_end = end - LOG_FIELD_FIXED;

	if (record->method.data == NULL && record->target.data == NULL)
		return put_dash(out, how);
	if (both.data != NULL && record->method.length <= LOG_FIELD_LEAST / 2 &&
	    both.length <= (size_t)(target_end - out) && log_copy_plain(how, out, both)) {
		out += both.length;
	} else {
		out = put_text(out, method_end, how, record->method);
		*out++ = ' ';
		out = put_text(out, target_end, how, record->target);
	}
	if (record->protocol != 0) {
		*out++ = ' ';
		out = put_protocol(out, record->protocol);
	}
	return out;
}

static inline char *copy(char *out, const char *text, size_t length)
{
	memcpy(out, text, length);
	return out + length;
}

static inline char *put_field(enum log_field field, enum log_escape how,
                              const struct log_source *source, char *out, char *end)
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

char *log_render(const struct log_step *steps, size_t count, const struct log_source *source,
                 char *out, char *end)
{
	for (const struct log_step *step = steps; step < steps + count; step++) {
		memcpy(out, step->lead, LOG_LEAD_MAX);
		out = put_field(step->field, step->escape, source, out + step->lead_length,
		                end - step->reserve);
	}
	return out;
}
