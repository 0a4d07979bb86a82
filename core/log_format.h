/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The access log's line: a format that is compiled once and rendered for each request. Every byte
 * that a client sent is escaped, so that no line and no field can be forged and JSON stays JSON.
 */
#ifndef LOG_FORMAT_H
#define LOG_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include <lophttpd/log.h>

#include "log_clock.h"

struct log_format;

/* pattern: "common", "combined", "json", or text with $field or ${field}; "$$" is a dollar sign;
 * of control bytes it has tabs only.
 * The fields are
 *
 *   remote_addr remote_port remote_user time_local time_iso8601 msec request request_method
 *   request_uri server_protocol status bytes_sent body_bytes_sent request_length request_time
 *   http_referer http_user_agent host connection connection_requests server_addr server_port
 *   pid worker
 *
 * and mean what they mean in nginx; times are those of the request's start. Values are escaped as
 * \xXX (control bytes, '"', '\', bytes from 0x7F; outside of double quotes spaces too, and a '#' that
 * would begin the line) and "-" when absent; in a pattern that begins with '{' they are escaped as in JSON strings, UTF-8 as \uXXXX,
 * and empty when absent. Reads the time zone: call it before a chroot. Returns 0, or a negative
 * errno with one line about it in error (for an unknown field the known ones). */
int log_format_new(const char *pattern, struct log_format **format, char *error, size_t error_size);
void log_format_free(struct log_format **format);

/* Whether it uses the record's local address, which costs a system call a connection. */
bool log_format_needs_local(const struct log_format *format);

/* Renders with a newline at the end. Returns the length, or -ENOSPC when size is less than
 * LOG_LINE_MAX. A line always fits into that: long values are cut and end in "...". */
#define LOG_LINE_MAX 16384
int log_format_render(const struct log_format *format, const struct lop_log_record *record,
                      struct log_clock *clock, int worker, char *out, size_t size);

/* Renders a message as a line of the same log: a JSON object when the pattern begins with '{', else
 * "# 2000-10-10T13:55:36-07:00 error: text". text holds no control bytes (log_escape_message()).
 * Returns the length; size is at least LOG_LINE_MAX, and text is cut when it does not fit. */
int log_format_message(const struct log_format *format, enum lop_log_level level,
                       struct lop_str text, int64_t time_ns, struct log_clock *clock, char *out,
                       size_t size);

#endif
