/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "log_format.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log_escape.h"
#include "log_fields.h"
#include "log_render.h"

#define SECOND_NS INT64_C(1000000000)

struct log_format {
	bool json;
	size_t count;
	size_t capacity;
	struct log_step *steps;
};

static const struct {
	const char *name;
	const char *pattern;
} named[] = {
	{ "common",
	  "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent" },
	{ "combined", "$remote_addr - $remote_user [$time_local] \"$request\" $status "
	              "$body_bytes_sent \"$http_referer\" \"$http_user_agent\"" },
	{ "json", "{\"time\":\"$time_iso8601\",\"remote_addr\":\"$remote_addr\","
	          "\"remote_user\":\"$remote_user\",\"host\":\"$host\","
	          "\"request_method\":\"$request_method\",\"request_uri\":\"$request_uri\","
	          "\"server_protocol\":\"$server_protocol\",\"status\":$status,"
	          "\"bytes_sent\":$bytes_sent,\"body_bytes_sent\":$body_bytes_sent,"
	          "\"request_length\":$request_length,\"request_time\":$request_time,"
	          "\"http_referer\":\"$http_referer\",\"http_user_agent\":\"$http_user_agent\","
	          "\"connection\":$connection,\"connection_requests\":$connection_requests}" },
};

/* Compiling */

/* The last step when it can still take something, else a new one; NULL when memory is out. */
static struct log_step *open_step(struct log_format *format)
{
	struct log_step *last = format->count > 0 ? &format->steps[format->count - 1] : NULL;
	struct log_step *steps;

	if (last != NULL && last->field == LOG_FIELD_NONE && last->lead_length < LOG_LEAD_MAX)
		return last;
	if (format->count == format->capacity) {
		size_t capacity = format->capacity == 0 ? 16 : format->capacity * 2;

		steps = realloc(format->steps, capacity * sizeof(*steps));
		if (steps == NULL)
			return NULL;
		format->steps = steps;
		format->capacity = capacity;
	}
	last = &format->steps[format->count++];
	*last = (struct log_step){ .field = LOG_FIELD_NONE };
	return last;
}

static int add_byte(struct log_format *format, char byte)
{
	struct log_step *step = open_step(format);

	if (step == NULL)
		return -ENOMEM;
	step->lead[step->lead_length++] = byte;
	return 0;
}

static int add_field(struct log_format *format, enum log_field field, enum log_escape how)
{
	struct log_step *step = format->count > 0 ? &format->steps[format->count - 1] : NULL;

	if (step == NULL || step->field != LOG_FIELD_NONE)
		step = open_step(format);
	if (step == NULL)
		return -ENOMEM;
	step->field = (uint8_t)field;
	step->escape = (uint8_t)how;
	return 0;
}

/* Reads "$name" or "${name}" at text. Returns its length, or 0 when it is neither. */
static size_t read_field(const char *text, const char **name, size_t *length)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
	bool braces = text[1] == '{';

	*name = text + (braces ? 2 : 1);
	*length = strspn(*name, letters);
	if (*length == 0 || (braces && (*name)[*length] != '}'))
		return 0;
	return *length + (braces ? 3 : 1);
}

static int unknown_field(const char *name, size_t length, char *error, size_t error_size)
{
	char known[512];

	log_field_list(known, sizeof(known));
	snprintf(error, error_size, "the log format has no field '$%.*s'; it knows %s",
	         length > 64 ? 64 : (int)length, name, known);
	return -EINVAL;
}

static int compile(struct log_format *format, const char *pattern, char *error, size_t error_size)
{
	bool quoted = false;
	int result = 0;

	for (const char *at = pattern; result == 0 && *at != '\0';) {
		const char *name;
		size_t length, taken;
		enum log_field field;

		if (at[0] != '$' || at[1] == '$') {
			quoted ^= at[0] == '"';
			result = add_byte(format, *at);
			at += at[0] == '$' ? 2 : 1;
			continue;
		}
		taken = read_field(at, &name, &length);
		if (taken == 0) {
			snprintf(error, error_size,
			         "the log format has a '$' without a field's name at '%.20s'; "
			         "write $$ for the sign itself",
			         at);
			return -EINVAL;
		}
		field = log_field_find(name, length);
		if (field == LOG_FIELD_NONE)
			return unknown_field(name, length, error, error_size);
		result = add_field(format, field,
		                   format->json ? LOG_ESCAPE_JSON
		                   : quoted     ? LOG_ESCAPE_QUOTED
		                                : LOG_ESCAPE_BARE);
		at += taken;
	}
	return result == 0 ? add_byte(format, '\n') : result;
}

/* Shares the line out among the steps, from its end: what is fixed, and for each value that a
 * client chose enough to be recognised, however long the others are. */
static int share_out(struct log_format *format, char *error, size_t error_size)
{
	size_t fixed = LOG_LEAD_MAX; /* slack for the last lead */
	size_t texts = 0;
	size_t share, reserve = LOG_LEAD_MAX;

	for (size_t i = 0; i < format->count; i++) {
		fixed += format->steps[i].lead_length;
		if (log_field_is_text(format->steps[i].field))
			texts++;
		else if (format->steps[i].field != LOG_FIELD_NONE)
			fixed += LOG_FIELD_FIXED;
	}
	if (fixed + texts * LOG_FIELD_LEAST > LOG_LINE_MAX) {
		snprintf(error, error_size,
		         "the log format is too long: a line has at most %d bytes", LOG_LINE_MAX);
		return -E2BIG;
	}
	share = texts == 0 ? 0 : (LOG_LINE_MAX - fixed) / texts;
	if (share > 1024)
		share = 1024;
	for (size_t i = format->count; i-- > 0;) {
		format->steps[i].reserve = (uint16_t)reserve;
		reserve += format->steps[i].lead_length;
		if (log_field_is_text(format->steps[i].field))
			reserve += share;
		else if (format->steps[i].field != LOG_FIELD_NONE)
			reserve += LOG_FIELD_FIXED;
	}
	return 0;
}

static int find_pattern(const char **pattern, char *error, size_t error_size)
{
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		if (strcmp(*pattern, named[i].name) == 0) {
			*pattern = named[i].pattern;
			return 0;
		}
	for (const char *at = *pattern; *at != '\0'; at++)
		if (((unsigned char)*at < 0x20 && *at != '\t') || *at == 0x7f) {
			snprintf(error, error_size,
			         "the log format has a line break or another control byte; of "
			         "those it takes tabs only");
			return -EINVAL;
		}
	if (strchr(*pattern, '$') == NULL) {
		snprintf(error, error_size,
		         "'%s' is no log format: use common, combined, json, or a pattern with "
		         "fields like $remote_addr",
		         *pattern);
		return -EINVAL;
	}
	return 0;
}

int log_format_new(const char *pattern, struct log_format **format, char *error, size_t error_size)
{
	struct log_format *made;
	int result;

	*format = NULL;
	result = find_pattern(&pattern, error, error_size);
	if (result < 0)
		return result;
	made = calloc(1, sizeof(*made));
	if (made == NULL)
		return -ENOMEM;
	made->json = pattern[0] == '{' && pattern[1] != '\0';
	result = compile(made, pattern, error, error_size);
	if (result == 0)
		result = share_out(made, error, error_size);
	if (result < 0) {
		if (result == -ENOMEM)
			snprintf(error, error_size, "out of memory for the log format");
		log_format_free(&made);
		return result;
	}
	log_clock_zone();
	*format = made;
	return 0;
}

void log_format_free(struct log_format **format)
{
	if (*format == NULL)
		return;
	free((*format)->steps);
	free(*format);
	*format = NULL;
}

bool log_format_needs_local(const struct log_format *format)
{
	for (size_t i = 0; i < format->count; i++)
		if (format->steps[i].field == LOG_FIELD_SERVER_ADDR)
			return true;
	return false;
}

/* Rendering */

static int64_t second_of(int64_t ns)
{
	return ns / SECOND_NS - (ns % SECOND_NS < 0);
}

/* A '#' that a client sent does not make its line look like a message. There is room for the three
 * bytes more: log_render() leaves LOG_LEAD_MAX. */
static char *escape_first(char *out, char *end)
{
	memmove(out + 4, out + 1, (size_t)(end - out) - 1);
	memcpy(out, "\\x23", 4);
	return end + 3;
}

int log_format_render(const struct log_format *format, const struct lop_log_record *record,
                      struct log_clock *clock, int worker, char *out, size_t size)
{
	const struct log_source source = { .record = record, .clock = clock, .worker = worker };
	char *end;

	if (size < LOG_LINE_MAX)
		return -ENOSPC;
	log_clock_update(clock, second_of(record->time_ns));
	end = log_render(format->steps, format->count, &source, out, out + LOG_LINE_MAX);
	if (out[0] == '#' && format->steps[0].lead_length == 0)
		end = escape_first(out, end);
	return (int)(end - out);
}

int log_format_message(const struct log_format *format, enum lop_log_level level,
                       struct lop_str text, int64_t time_ns, struct log_clock *clock, char *out,
                       size_t size)
{
	static const char *const levels[] = {
		[LOP_LOG_ERROR] = "error",
		[LOP_LOG_WARNING] = "warning",
		[LOP_LOG_NOTICE] = "notice",
		[LOP_LOG_INFO] = "info",
		[LOP_LOG_DEBUG] = "debug",
	};
	const char *name =
		level >= LOP_LOG_ERROR && level <= LOP_LOG_DEBUG ? levels[level] : "notice";
	const char *tail = format->json ? "\"}\n" : "\n";
	char *const start = out;
	char *end = out + size - strlen(tail) - 1;

	log_clock_update(clock, second_of(time_ns));
	out += snprintf(out, size,
	                format->json ? "{\"time\":\"%s\",\"level\":\"%s\",\"message\":\""
	                             : "# %s %s: ",
	                clock->iso, name);
	if (format->json) {
		out = log_escape(LOG_ESCAPE_JSON, out, end, text);
	} else {
		size_t room = (size_t)(end - out);

		memcpy(out, text.data, text.length < room ? text.length : room);
		out += text.length < room ? text.length : room;
	}
	return (int)(out - start) + snprintf(out, strlen(tail) + 1, "%s", tail);
}
