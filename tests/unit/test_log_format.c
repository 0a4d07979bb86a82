/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#ifdef __linux__
#include <sched.h>
#endif
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mount.h>
#endif
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "log_escape.h"
#include "log_format.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define STR(text) { (text), sizeof(text) - 1 }

static struct log_format *format;
static struct log_clock now;
static struct lop_log_record record;
static char line[LOG_LINE_MAX];
static char error[1024];

static const struct lop_log_record example = {
	.size = sizeof(struct lop_log_record),
	.status = 206,
	.protocol = 101,
	.time_ns = INT64_C(971211336123456789), /* 2000-10-10 20:55:36 UTC */
	.duration_ns = INT64_C(12345678),
	.bytes_sent = 2500,
	.body_bytes_sent = 2326,
	.bytes_received = 321,
	.connection = 17,
	.request = 3,
	.remote_port = 50123,
	.local_port = 8080,
	.remote_address = STR("192.0.2.1"),
	.local_address = STR("192.0.2.80"),
	.method = STR("GET"),
	.target = STR("/a/b.iso?x=1"),
	.host = STR("example.org:8080"),
	.user = STR("frank"),
	.referer = STR("http://example.org/"),
	.user_agent = STR("Mozilla/4.08 [en]"),
};

static void set_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
	memset(&now, 0, sizeof(now));
}

static void setup(void)
{
	set_zone("XST7"); /* seven hours behind UTC */
	record = example;
}

static void teardown(void)
{
	log_format_free(&format);
}

/* Compiles the pattern and renders the record; the result is NUL-terminated, without newline. */
static const char *render(const char *pattern)
{
	int length;

	log_format_free(&format);
	ck_assert_msg(log_format_new(pattern, &format, error, sizeof(error)) == 0, "%s", error);
	length = log_format_render(format, &record, &now, 5, line, sizeof(line));
	ck_assert_int_gt(length, 0);
	ck_assert_int_le(length, LOG_LINE_MAX);
	ck_assert_int_eq(line[length - 1], '\n');
	ck_assert_ptr_eq(memchr(line, '\n', (size_t)length), line + length - 1);
	line[length - 1] = '\0';
	return line;
}

/* A JSON reader, strict, for values that are strings or numbers */

static const char *json_string(const char *at)
{
	if (*at++ != '"')
		return NULL;
	for (; *at != '"'; at++) {
		if ((unsigned char)*at < 0x20)
			return NULL;
		if (*at != '\\')
			continue;
		at++;
		if (*at == 'u' && strspn(at + 1, "0123456789abcdefABCDEF") >= 4)
			at += 4;
		else if (*at == '\0' || strchr("\"\\/bfnrt", *at) == NULL)
			return NULL;
	}
	return at + 1;
}

static const char *json_number(const char *at)
{
	size_t digits = strspn(at, "0123456789");

	if (digits == 0 || (at[0] == '0' && digits > 1))
		return NULL;
	at += digits;
	if (*at == '.') {
		digits = strspn(at + 1, "0123456789");
		at = digits == 0 ? NULL : at + 1 + digits;
	}
	return at;
}

static int is_utf8(const char *text)
{
	for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
		int more = *at < 0x80 ? 0 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;

		if ((*at >= 0x80 && *at < 0xc2) || *at > 0xf4 ||
		    (*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) ||
		    (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f))
			return 0;
		for (; more > 0; more--)
			if ((*++at & 0xc0) != 0x80)
				return 0;
	}
	return 1;
}

static int is_json(const char *at)
{
	if (!is_utf8(at) || *at++ != '{')
		return 0;
	for (;;) {
		at = json_string(at);
		if (at == NULL || *at++ != ':')
			return 0;
		at = *at == '"' ? json_string(at) : json_number(at);
		if (at == NULL)
			return 0;
		if (*at == '}')
			return at[1] == '\0';
		if (*at++ != ',')
			return 0;
	}
}

/* What the lines look like */

START_TEST(the_common_format_is_apaches)
{
	ck_assert_str_eq(render("common"), "192.0.2.1 - frank [10/Oct/2000:13:55:36 -0700] "
	                                   "\"GET /a/b.iso?x=1 HTTP/1.1\" 206 2326");
}
END_TEST

START_TEST(the_combined_format_adds_referer_and_user_agent)
{
	ck_assert_str_eq(render("combined"),
	                 "192.0.2.1 - frank [10/Oct/2000:13:55:36 -0700] "
	                 "\"GET /a/b.iso?x=1 HTTP/1.1\" 206 2326 \"http://example.org/\" "
	                 "\"Mozilla/4.08 [en]\"");
}
END_TEST

START_TEST(the_json_format_is_an_object_with_numbers_as_numbers)
{
	ck_assert_str_eq(render("json"),
	                 "{\"time\":\"2000-10-10T13:55:36-07:00\",\"remote_addr\":\"192.0.2.1\","
	                 "\"remote_user\":\"frank\",\"host\":\"example.org:8080\","
	                 "\"request_method\":\"GET\",\"request_uri\":\"/a/b.iso?x=1\","
	                 "\"server_protocol\":\"HTTP/1.1\",\"status\":206,\"bytes_sent\":2500,"
	                 "\"body_bytes_sent\":2326,\"request_length\":321,\"request_time\":0.012,"
	                 "\"http_referer\":\"http://example.org/\","
	                 "\"http_user_agent\":\"Mozilla/4.08 [en]\","
	                 "\"connection\":17,\"connection_requests\":3}");
	ck_assert(is_json(line));
}
END_TEST

static const struct {
	const char *pattern;
	const char *value;
} fields[] = {
	{ "$remote_addr", "192.0.2.1" },
	{ "$remote_port", "50123" },
	{ "$remote_user", "frank" },
	{ "$time_local", "10/Oct/2000:13:55:36 -0700" },
	{ "$time_iso8601", "2000-10-10T13:55:36-07:00" },
	{ "$msec", "971211336.123" },
	{ "$request", "GET /a/b.iso?x=1 HTTP/1.1" },
	{ "$request_method", "GET" },
	{ "$request_uri", "/a/b.iso?x=1" },
	{ "$server_protocol", "HTTP/1.1" },
	{ "$status", "206" },
	{ "$bytes_sent", "2500" },
	{ "$body_bytes_sent", "2326" },
	{ "$request_length", "321" },
	{ "$request_time", "0.012" },
	{ "$http_referer", "http://example.org/" },
	{ "\"$http_user_agent\"", "\"Mozilla/4.08 [en]\"" },
	{ "$host", "example.org:8080" },
	{ "$connection", "17" },
	{ "$connection_requests", "3" },
	{ "$server_addr", "192.0.2.80" },
	{ "$server_port", "8080" },
	{ "$worker", "5" },
	{ "${host}x$$${status}$$", "example.org:8080x$206$" },
	{ "text without end before a field $status", "text without end before a field 206" },
};

START_TEST(every_field_has_its_value)
{
	for (int i = 0; i < COUNT(fields); i++)
		ck_assert_str_eq(render(fields[i].pattern), fields[i].value);
	ck_assert_int_gt(atoi(render("$pid")), 0);
}
END_TEST

START_TEST(an_unknown_field_is_refused_with_the_known_ones)
{
	ck_assert_int_eq(log_format_new("$host $nonsense", &format, error, sizeof(error)), -EINVAL);
	ck_assert_ptr_null(format);
	ck_assert_ptr_nonnull(strstr(error, "'$nonsense'"));
	for (int i = 0; i < COUNT(fields); i++) {
		char name[64];

		if (sscanf(fields[i].pattern, "$%63[a-z_0-9]", name) == 1)
			ck_assert_msg(strstr(error, name) != NULL, "%s is not in: %s", name, error);
	}
	ck_assert_ptr_nonnull(strstr(error, "worker"));
}
END_TEST

START_TEST(what_is_no_format_is_refused)
{
	static const char *const patterns[] = {
		"",          "combine",        "$",           "$status $", "$-",
		"${status",  "${}",            "$status\n",   "$status\r", "$statuss",
		"${host }",  "$status\033[1m", "$status\001", "$status\177",
	};

	for (int i = 0; i < COUNT(patterns); i++) {
		error[0] = '\0';
		ck_assert_msg(log_format_new(patterns[i], &format, error, sizeof(error)) == -EINVAL,
		              "'%s' was taken", patterns[i]);
		ck_assert_str_ne(error, "");
		ck_assert_ptr_null(strchr(error, '\n'));
	}
	ck_assert_str_eq(render("$status\t\342\202\254"), "206\t\342\202\254");
}
END_TEST

START_TEST(a_pattern_that_is_longer_than_a_line_is_refused)
{
	char *pattern = malloc(LOG_LINE_MAX + 10);

	memset(pattern, 'x', LOG_LINE_MAX);
	memcpy(pattern + LOG_LINE_MAX, "$status", 8);
	ck_assert_int_eq(log_format_new(pattern, &format, error, sizeof(error)), -E2BIG);
	free(pattern);
}
END_TEST

START_TEST(what_is_absent_is_a_dash_or_an_empty_string)
{
	memset(&record, 0, sizeof(record));
	ck_assert_str_eq(render("$remote_addr $remote_user $request $status $host"), "- - - 000 -");
	ck_assert_str_eq(render("\"$request\" \"$http_referer\" $server_protocol"),
	                 "\"-\" \"-\" -");
	ck_assert_str_eq(render("{\"u\":\"$remote_user\",\"s\":$status}"), "{\"u\":\"\",\"s\":0}");
	ck_assert(is_json(render("json")));
	record.user = (struct lop_str)STR("");
	record.method = (struct lop_str)STR("GET");
	ck_assert_str_eq(render("$remote_user|\"$remote_user\""), "-|\"\"");
	ck_assert_str_eq(render("\"$request\""), "\"GET -\"");
}
END_TEST

START_TEST(protocol_versions_are_written_out)
{
	record.protocol = 100;
	ck_assert_str_eq(render("$server_protocol"), "HTTP/1.0");
	record.protocol = 200;
	ck_assert_str_eq(render("$server_protocol"), "HTTP/2.0");
}
END_TEST

/* Times */

START_TEST(times_are_local_with_their_offset)
{
	static const struct {
		const char *zone;
		int64_t second;
		const char *text;
	} cases[] = {
		{ "UTC0", 0, "1970-01-01T00:00:00+00:00" },
		{ "UTC0", 951782400, "2000-02-29T00:00:00+00:00" },
		{ "UTC0", 1709251199, "2024-02-29T23:59:59+00:00" },
		{ "UTC0", 4107542400, "2100-03-01T00:00:00+00:00" },
		{ "UTC0", -1, "1969-12-31T23:59:59+00:00" },
		{ "XST-5:45", 951782400, "2000-02-29T05:45:00+05:45" },
		{ "XST3:30", 0, "1969-12-31T20:30:00-03:30" },
		{ "XST0:30", 0, "1969-12-31T23:30:00-00:30" },
		/* summer time from the last Sunday of March on */
		{ "CET-1CEST,M3.5.0,M10.5.0/3", 1711846799, "2024-03-31T01:59:59+01:00" },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", 1711846800, "2024-03-31T03:00:00+02:00" },
		{ "UTC0", INT64_MAX / 1000000000, "2262-04-11T23:47:16+00:00" },
	};

	for (int i = 0; i < COUNT(cases); i++) {
		set_zone(cases[i].zone);
		record.time_ns = cases[i].second * 1000000000;
		ck_assert_str_eq(render("$time_iso8601"), cases[i].text);
	}
}
END_TEST

START_TEST(the_second_changes_when_the_nanoseconds_say_so)
{
	record.time_ns = INT64_C(1999999999);
	set_zone("UTC0");
	ck_assert_str_eq(render("$time_iso8601 $msec"), "1970-01-01T00:00:01+00:00 1.999");
	record.time_ns++;
	ck_assert_str_eq(render("$time_iso8601 $msec"), "1970-01-01T00:00:02+00:00 2.000");
	record.time_ns = -1;
	ck_assert_str_eq(render("$time_iso8601"), "1969-12-31T23:59:59+00:00");
}
END_TEST

#ifdef __linux__
/* In a mount namespace where the system's time zone is another one, and then in a chroot where
 * there is none. Returns 0, or 2 when that cannot be had. */
static int call_localtime_in_a_chroot(void)
{
	static const char there[] = "/usr/share/zoneinfo/Asia/Kathmandu";
	char zone[PATH_MAX];
	const time_t now_there = 0;

	if (realpath("/etc/localtime", zone) == NULL || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(there, zone, NULL, MS_BIND, NULL) < 0)
		return 2;
	unsetenv("TZ");
	record.time_ns = 951782400 * INT64_C(1000000000);
	if (strcmp(render("$time_iso8601"), "2000-02-29T05:45:00+05:45") != 0 ||
	    chroot("/proc/self/fdinfo") < 0)
		return 1;
	(void)localtime(&now_there); /* as a module may */
	record.time_ns += 1000000000;
	return log_format_render(format, &record, &now, 5, line, sizeof(line)) < 0 ||
	       strncmp(line, "2000-02-29T05:45:01+05:45", 25) != 0;
}

START_TEST(the_time_zone_is_kept_in_a_chroot)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(call_localtime_in_a_chroot());
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) != 1);
}
END_TEST
#endif

/* Escaping */

START_TEST(a_client_cannot_end_a_line_or_a_quoted_field)
{
	record.user_agent = (struct lop_str)STR("a\nb\r\t\0\"\\\x7f\x80\xff z");
	ck_assert_str_eq(render("\"$http_user_agent\""),
	                 "\"a\\x0Ab\\x0D\\x09\\x00\\x22\\x5C\\x7F\\x80\\xFF z\"");
}
END_TEST

START_TEST(a_client_cannot_make_up_fields_outside_of_quotes)
{
	record.user = (struct lop_str)STR("x [now] \"y\"");
	ck_assert_str_eq(render("$remote_user $status"), "x\\x20[now]\\x20\\x22y\\x22 206");
}
END_TEST

START_TEST(a_client_cannot_make_its_line_a_message)
{
	static char bytes[LOG_LINE_MAX];

	record.method = (struct lop_str)STR("#");
	ck_assert_str_eq(render("$request_method $status #"), "\\x23 206 #");
	ck_assert_str_eq(render("$request $status"), "\\x23 /a/b.iso?x=1 HTTP/1.1 206");
	ck_assert_str_eq(render("# $request_method"), "# #");
	memset(bytes, '#', sizeof(bytes));
	record.target = (struct lop_str){ bytes, sizeof(bytes) };
	ck_assert_int_eq(strncmp(render("$request_uri$request_uri$request_uri"), "\\x23##", 6), 0);
}
END_TEST

START_TEST(json_strings_are_ascii_and_keep_every_character)
{
	record.user_agent = (struct lop_str)STR("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
	ck_assert_str_eq(render("{\"a\":\"$http_user_agent\"}"),
	                 "{\"a\":\"\\u00e9 \\u20ac \\ud83d\\ude00\"}");
	/* Latin-1, cut short, overlong, a surrogate, past U+10FFFF, a C1 control */
	record.user_agent = (struct lop_str)STR("\xe9 \xe2\x82 \xc0\xaf \xed\xa0\x80 "
	                                        "\xf4\x90\x80\x80 \xc2\x9b");
	ck_assert_str_eq(render("{\"a\":\"$http_user_agent\"}"),
	                 "{\"a\":\"\\u00e9 \\u00e2\\u0082 \\u00c0\\u00af \\u00ed\\u00a0\\u0080 "
	                 "\\u00f4\\u0090\\u0080\\u0080 \\u00c2\\u009b\"}");
	record.user_agent = (struct lop_str)STR("\"\\\b\f\n\r\t\x01\x7f");
	ck_assert_str_eq(render("{\"a\":\"$http_user_agent\"}"),
	                 "{\"a\":\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u007f\"}");
}
END_TEST

static bool is_printable(const char *text)
{
	while (*text >= 0x20 && *text < 0x7f)
		text++;
	return *text == '\0';
}

/* Every byte at every place of a value, alone and among others. */
START_TEST(no_byte_forges_a_line_or_breaks_json)
{
	char bytes[40];

	for (int byte = 0; byte < 256; byte++)
		for (size_t at = 0; at < sizeof(bytes); at += 3) {
			memset(bytes, 'a', sizeof(bytes));
			bytes[at] = (char)byte;
			record.target = record.referer = record.user_agent = record.host =
				record.user = record.method =
					(struct lop_str){ bytes, sizeof(bytes) };
			ck_assert_msg(is_json(render("json")), "byte %d: %s", byte, line);
			render("combined"); /* checks that there is one newline, at the end */
			ck_assert_msg(is_printable(line), "byte %d: %s", byte, line);
		}
}
END_TEST

/* Values of all short lengths, and a target that stands behind its method as in a head or alone. */
START_TEST(every_place_of_a_short_value_is_looked_at)
{
	static const unsigned char bytes[] = { '\n', 0x1f, '"', '\\', 0x7f, 0x80, 0xff };
	static const char head[] = "GET /bcdefghijklmnopqrst HTTP/1.1";

	for (int byte = 0; byte < COUNT(bytes); byte++)
		for (size_t length = 1; length <= 20; length++)
			for (size_t at = 0; at < length; at++) {
				char copy[sizeof(head)], target[sizeof(head)], wanted[128];

				memcpy(copy, head, sizeof(head));
				copy[4 + at] = (char)bytes[byte];
				memcpy(target, copy + 4, length);
				snprintf(wanted, sizeof(wanted), "%.*s\\x%02X%.*s", (int)at, head + 4,
				         bytes[byte], (int)(length - at - 1), head + 5 + at);
				record.method = (struct lop_str){ copy, 3 };
				record.target = (struct lop_str){ copy + 4, length };
				ck_assert_str_eq(render("$request_uri"), wanted);
				ck_assert_int_eq(strncmp(render("\"$request\""), "\"GET ", 5), 0);
				ck_assert_int_eq(strncmp(line + 5, wanted, strlen(wanted)), 0);
				ck_assert_str_eq(line + 5 + strlen(wanted), " HTTP/1.1\"");
				record.target.data = target;
				ck_assert_int_eq(strncmp(render("\"$request\"") + 5, wanted,
				                         strlen(wanted)),
				                 0);
			}
}
END_TEST

START_TEST(a_clean_request_line_is_copied_as_it_stands)
{
	static const char head[] = "GET /bcdefghijklmnopqrst HTTP/1.1";

	for (size_t length = 1; length <= 20; length++) {
		char wanted[128];

		snprintf(wanted, sizeof(wanted), "\"GET %.*s HTTP/1.1\" 206", (int)length,
		         head + 4);
		record.method = (struct lop_str){ head, 3 };
		record.target = (struct lop_str){ head + 4, length };
		ck_assert_str_eq(render("\"$request\" $status"), wanted);
	}
	ck_assert_str_eq(render("$request"), "GET /bcdefghijklmnopqrst HTTP/1.1");
}
END_TEST

/* Pseudo-random bytes and lengths; the same in every run. */
START_TEST(random_values_never_break_a_line)
{
	static char bytes[40000];
	uint32_t seed = 1;

	for (size_t i = 0; i < sizeof(bytes); i++) {
		seed = seed * 1664525u + 1013904223u;
		bytes[i] = (char)(seed >> 24);
	}
	for (int round = 0; round < 2000; round++) {
		struct lop_str *values[] = { &record.target, &record.referer, &record.user_agent,
			                     &record.host,   &record.user,    &record.method };

		for (int i = 0; i < COUNT(values); i++) {
			seed = seed * 1664525u + 1013904223u;
			values[i]->data = bytes + (seed >> 8) % 20000;
			values[i]->length = (seed >> 4) % (round % 10 == 0 ? 20000 : 60);
		}
		ck_assert_msg(is_json(render("json")), "round %d: %s", round, line);
		render("combined");
	}
}
END_TEST

/* Length */

START_TEST(a_long_value_is_cut_and_leaves_room_for_the_others)
{
	static char bytes[3 * LOG_LINE_MAX];
	const char *end;

	memset(bytes, 'a', sizeof(bytes));
	record.target = record.referer = (struct lop_str){ bytes, sizeof(bytes) };
	render("combined");
	ck_assert_uint_gt(strlen(line), LOG_LINE_MAX - 2048);
	ck_assert_ptr_nonnull(strstr(line, "aaa... HTTP/1.1\" 206 2326 \"aaaa"));
	ck_assert_ptr_nonnull(strstr(line, "aaa...\" \"Mozilla/4.08 [en]\""));
	memset(bytes, '\n', sizeof(bytes));
	render("combined");
	end = strstr(line, "... HTTP/1.1\"");
	ck_assert_ptr_nonnull(end);
	ck_assert_mem_eq(end - 4, "\\x0A", 4); /* no escape was cut */
	ck_assert(is_json(render("json")));
}
END_TEST

START_TEST(a_line_with_many_long_values_still_fits)
{
	static char bytes[LOG_LINE_MAX];
	char pattern[100 * 20] = "";

	memset(bytes, 1, sizeof(bytes));
	record.target = record.method = (struct lop_str){ bytes, sizeof(bytes) };
	for (int i = 0; i < 100; i++)
		strcat(pattern, i % 2 == 0 ? "$request_uri " : "$request ");
	render(pattern);
	ck_assert_uint_le(strlen(line), LOG_LINE_MAX - 1);
}
END_TEST

START_TEST(a_small_buffer_is_refused)
{
	render("combined");
	ck_assert_int_eq(log_format_render(format, &record, &now, 0, line, LOG_LINE_MAX - 1),
	                 -ENOSPC);
}
END_TEST

/* Whether text, escaped into `room` bytes, stays within them and is valid UTF-8. */
static bool is_cut_well(enum log_escape how, const char *text, size_t room)
{
	char out[64 + 9] = "";
	char *end;

	memset(out, '#', sizeof(out) - 1);
	end = log_escape(how, out, out + room, (struct lop_str){ text, strlen(text) });
	if (end < out || end > out + room || strspn(out + room, "#") != sizeof(out) - 1 - room)
		return false;
	*end = '\0';
	return is_utf8(out);
}

/* Every length around the room there is, with values that escape to several bytes. */
START_TEST(cutting_is_exact_at_every_length)
{
	static const char *const values[] = { "a", "\n", "\xe2\x82\xac", "a\n", "\"" };

	for (int v = 0; v < COUNT(values); v++)
		for (size_t copies = 0; copies < 24; copies++) {
			char text[256] = "";

			for (size_t i = 0; i < copies; i++)
				strcat(text, values[v]);
			for (size_t room = 3; room <= 64; room++)
				if (!is_cut_well(LOG_ESCAPE_QUOTED, text, room) ||
				    !is_cut_well(LOG_ESCAPE_BARE, text, room) ||
				    !is_cut_well(LOG_ESCAPE_JSON, text, room))
					ck_abort_msg("%zu times '%s' in %zu bytes", copies,
					             values[v], room);
		}
}
END_TEST

/* Messages */

START_TEST(a_message_is_a_comment_or_an_object_of_the_same_log)
{
	struct lop_str text = STR("disk \"sda\" is full");
	int length;

	render("combined");
	length = log_format_message(format, LOP_LOG_ERROR, text, record.time_ns, &now, line,
	                            sizeof(line));
	line[length] = '\0';
	ck_assert_str_eq(line, "# 2000-10-10T13:55:36-07:00 error: disk \"sda\" is full\n");
	render("json");
	length = log_format_message(format, LOP_LOG_NOTICE, text, record.time_ns, &now, line,
	                            sizeof(line));
	line[length] = '\0';
	ck_assert_str_eq(line, "{\"time\":\"2000-10-10T13:55:36-07:00\",\"level\":\"notice\","
	                       "\"message\":\"disk \\\"sda\\\" is full\"}\n");
}
END_TEST

START_TEST(messages_keep_quotes_and_utf_8_but_no_control)
{
	char out[128];
	char *end = log_escape_message(out, out + sizeof(out) - 1,
	                               (struct lop_str)STR("'\xc3\xa9' \"\\\" \n\x1b[2J\xff"));

	*end = '\0';
	ck_assert_str_eq(out, "'\xc3\xa9' \"\\\" \\x0A\\x1B[2J\\xFF");
}
END_TEST

START_TEST(only_the_server_address_needs_the_local_address)
{
	render("combined $server_port");
	ck_assert(!log_format_needs_local(format));
	render("$status $server_addr");
	ck_assert(log_format_needs_local(format));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log_format");
	TCase *test = tcase_create("log_format");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(test, setup, teardown);
	tcase_add_test(test, the_common_format_is_apaches);
	tcase_add_test(test, the_combined_format_adds_referer_and_user_agent);
	tcase_add_test(test, the_json_format_is_an_object_with_numbers_as_numbers);
	tcase_add_test(test, every_field_has_its_value);
	tcase_add_test(test, an_unknown_field_is_refused_with_the_known_ones);
	tcase_add_test(test, what_is_no_format_is_refused);
	tcase_add_test(test, a_pattern_that_is_longer_than_a_line_is_refused);
	tcase_add_test(test, what_is_absent_is_a_dash_or_an_empty_string);
	tcase_add_test(test, protocol_versions_are_written_out);
	tcase_add_test(test, times_are_local_with_their_offset);
	tcase_add_test(test, the_second_changes_when_the_nanoseconds_say_so);
#ifdef __linux__
	tcase_add_test(test, the_time_zone_is_kept_in_a_chroot);
#endif
	tcase_add_test(test, a_client_cannot_end_a_line_or_a_quoted_field);
	tcase_add_test(test, a_client_cannot_make_up_fields_outside_of_quotes);
	tcase_add_test(test, a_client_cannot_make_its_line_a_message);
	tcase_add_test(test, json_strings_are_ascii_and_keep_every_character);
	tcase_add_test(test, no_byte_forges_a_line_or_breaks_json);
	tcase_add_test(test, every_place_of_a_short_value_is_looked_at);
	tcase_add_test(test, a_clean_request_line_is_copied_as_it_stands);
	tcase_add_test(test, random_values_never_break_a_line);
	tcase_add_test(test, a_long_value_is_cut_and_leaves_room_for_the_others);
	tcase_add_test(test, a_line_with_many_long_values_still_fits);
	tcase_add_test(test, a_small_buffer_is_refused);
	tcase_add_test(test, cutting_is_exact_at_every_length);
	tcase_add_test(test, a_message_is_a_comment_or_an_object_of_the_same_log);
	tcase_add_test(test, messages_keep_quotes_and_utf_8_but_no_control);
	tcase_add_test(test, only_the_server_address_needs_the_local_address);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
