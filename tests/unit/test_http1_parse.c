/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http1_parse.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define START "GET /a HTTP/1.1\r\n"
#define HOST "Host: a\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"

static const struct http1_limits usual = { .head = 4096, .target = 1024, .fields = 32 };
static struct http1_head head;

/* The text lies in a buffer of exactly its size, so that a sanitizer sees one byte too far. */
static int parse_bytes(const char *text, size_t length, const struct http1_limits *limits)
{
	char *exact = malloc(length > 0 ? length : 1);
	ck_assert_ptr_nonnull(exact);
	memcpy(exact, text, length);
	memset(&head, 0xa5, sizeof(head));
	int result = http1_parse_head(&head, exact, length, limits);
	free(exact);
	return result;
}

static int parse(const char *text)
{
	return parse_bytes(text, strlen(text), &usual);
}

/* Lines after a request line and a Host. */
static int parse_lines(const char *lines)
{
	char text[2048];
	snprintf(text, sizeof(text), START HOST "%s\r\n", lines);
	return parse(text);
}

static void assert_text(const char *base, uint32_t offset, uint32_t length, const char *expected)
{
	ck_assert_uint_eq(length, strlen(expected));
	ck_assert_mem_eq(base + offset, expected, length);
}

static void assert_known(const char *base, enum http1_known known, const char *expected)
{
	struct lop_str value = http1_value(&head, base, known);
	if (expected == NULL) {
		ck_assert_ptr_null(value.data);
		return;
	}
	ck_assert_ptr_nonnull(value.data);
	ck_assert_uint_eq(value.length, strlen(expected));
	ck_assert_mem_eq(value.data, expected, value.length);
}

START_TEST(a_plain_request_is_read)
{
	const char *text = "GET /a/b?c HTTP/1.1\r\nHost: example.org:80\r\nX-Y:  z \t\r\n\r\nrest";
	ck_assert_int_eq(parse(text), (int)strlen(text) - 4);
	ck_assert_uint_eq(head.length, strlen(text) - 4);
	assert_text(text, head.method_offset, head.method_length, "GET");
	assert_text(text, head.target, head.target_length, "/a/b?c");
	ck_assert_int_eq(head.method, LOP_METHOD_GET);
	ck_assert_uint_eq(head.version, 101);
	ck_assert_uint_eq(head.field_count, 2);
	assert_text(text, head.fields[0].name, head.fields[0].name_length, "Host");
	assert_text(text, head.fields[0].value, head.fields[0].value_length, "example.org:80");
	assert_text(text, head.fields[1].name, head.fields[1].name_length, "X-Y");
	assert_text(text, head.fields[1].value, head.fields[1].value_length, "z");
	ck_assert_int_eq(head.content_length, -1);
	ck_assert(!head.close && !head.keep_alive && !head.chunked && !head.expect_continue);
}
END_TEST

START_TEST(the_fields_that_the_server_reads_are_found_in_any_case)
{
	static const struct {
		const char *name;
		enum http1_known known;
	} names[] = {
		{ "CONNECTION", HTTP1_CONNECTION },
		{ "content-LENGTH", HTTP1_CONTENT_LENGTH },
		{ "eXPECT", HTTP1_EXPECT },
		{ "range", HTTP1_RANGE },
		{ "IF-RANGE", HTTP1_IF_RANGE },
		{ "if-match", HTTP1_IF_MATCH },
		{ "If-None-match", HTTP1_IF_NONE_MATCH },
		{ "if-modified-SINCE", HTTP1_IF_MODIFIED_SINCE },
		{ "If-UnModified-Since", HTTP1_IF_UNMODIFIED_SINCE },
		{ "user-agent", HTTP1_USER_AGENT },
		{ "REFERER", HTTP1_REFERER },
		{ "aCCEPT", HTTP1_ACCEPT },
	};
	char text[256];
	for (int i = 0; i < COUNT(names); i++) {
		const char *value = names[i].known == HTTP1_EXPECT ? "100-continue" : "7";
		snprintf(text, sizeof(text), START "hOST: a\r\n%s:%s\r\n\r\n", names[i].name,
		         value);
		ck_assert_int_gt(parse(text), 0);
		ck_assert_uint_eq(head.known[names[i].known], 2);
		for (int known = 0; known < HTTP1_KNOWN_COUNT; known++) {
			if (known == HTTP1_HOST)
				assert_known(text, HTTP1_HOST, "a");
			else
				assert_known(text, (enum http1_known)known,
				             known == (int)names[i].known ? value : NULL);
		}
	}
	ck_assert_int_gt(parse_lines("TRANSFER-encoding: chunked\r\n"), 0);
	ck_assert_uint_eq(head.known[HTTP1_TRANSFER_ENCODING], 2);
}
END_TEST

START_TEST(a_known_field_is_found_by_its_name)
{
	ck_assert_int_eq(http1_known("Range", 5), HTTP1_RANGE);
	ck_assert_int_eq(http1_known("hOST", 4), HTTP1_HOST);
	ck_assert_int_eq(http1_known("Ranges", 6), HTTP1_KNOWN_COUNT);
	ck_assert_int_eq(http1_known("", 0), HTTP1_KNOWN_COUNT);
}
END_TEST

START_TEST(a_name_that_only_resembles_is_not_known)
{
	static const char *const names[] = {
		"Hos", "Hosts", "Hast", "X", "Rango", "Accepx", "Expecx", "Refererx", "Referrr",
		"If-Rangx", "If-Matcx", "Connectiox", "User-Agenx", "If-None-Matcx",
		"Content-Lengtx", "Content_Length", "Transfer-Encodinx", "If-Modified-Sincx",
		"If-Unmodified-Sincx", "Content-Lengths", "XIf-Range", "Accept-Encoding",
		"Xost",
	};
	char line[64];
	for (int i = 0; i < COUNT(names); i++) {
		snprintf(line, sizeof(line), "%s: a b\r\n", names[i]);
		ck_assert_msg(parse_lines(line) > 0, "%s", names[i]);
		for (int known = 0; known < HTTP1_KNOWN_COUNT; known++)
			ck_assert_msg(head.known[known] == (known == HTTP1_HOST), "%s", names[i]);
	}
}
END_TEST

START_TEST(every_split_gives_the_same_result)
{
	static const char *const texts[] = {
		START HOST "\r\n",
		"\r\nHEAD http://a/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		START HOST "Content-Length: 5\r\nX:\ty \t\r\nY:\r\n\r\nhello",
		START HOST CHUNKED "Expect: 100-continue\r\nIf-Range: \"a\"\r\n\r\n0\r\n\r\n",
		START "Host: a b\r\n\r\n", START HOST "X : y\r\n\r\n",
		START HOST "X: a\rb\r\n\r\n", START HOST " folded\r\n\r\n",
		START HOST "Content-Length: 5\r\n" CHUNKED "\r\n",
		START HOST "Expect: more\r\n\r\n", "GET /a HTTP/2.0\r\n\r\n",
		"GET /\x01 HTTP/1.1\r\n\r\n", START HOST
		"X: 0123456789012345678901234567890123456789012345678901234567890\r\n\r\n",
		"GET /01234567890123456789012345678901234567890123456789 HTTP/1.1\r\n\r\n",
	};
	static const struct http1_limits tight = { .head = 80, .target = 40, .fields = 3 };
	for (int i = 0; i < COUNT(texts); i++) {
		size_t length = strlen(texts[i]);
		int whole = parse_bytes(texts[i], length, &tight);
		struct http1_head seen = head;
		bool ended = false;
		ck_assert_int_ne(whole, 0);
		for (size_t part = 0; part <= length; part++) {
			int result = parse_bytes(texts[i], part, &tight);
			if (!ended && result == 0)
				continue;
			ck_assert_msg(result == whole, "text %d at %zu: %d, not %d", i, part,
			              result, whole);
			ck_assert_mem_eq(&head, &seen, offsetof(struct http1_head, fields));
			ended = true;
		}
		ck_assert(ended);
	}
}
END_TEST

START_TEST(fields_beyond_the_count_are_not_touched)
{
	ck_assert_int_gt(parse_lines("X: y\r\n"), 0);
	ck_assert_uint_eq(head.field_count, 2);
	for (size_t i = 0; i < sizeof(head.fields[0]); i++)
		ck_assert_uint_eq(((const unsigned char *)&head.fields[2])[i], 0xa5);
}
END_TEST

START_TEST(methods_are_known_in_their_own_case_only)
{
	static const char *const names[] = {
		[LOP_METHOD_GET] = "GET",         [LOP_METHOD_HEAD] = "HEAD",
		[LOP_METHOD_OPTIONS] = "OPTIONS", [LOP_METHOD_POST] = "POST",
		[LOP_METHOD_PUT] = "PUT",         [LOP_METHOD_DELETE] = "DELETE",
		[LOP_METHOD_PATCH] = "PATCH",     [LOP_METHOD_TRACE] = "TRACE",
		[LOP_METHOD_CONNECT] = "CONNECT",
	};
	for (int i = LOP_METHOD_GET; i <= LOP_METHOD_CONNECT; i++) {
		char text[64];
		ck_assert_int_eq(http1_method(names[i], strlen(names[i])), i);
		ck_assert_int_eq(http1_method(names[i], strlen(names[i]) - 1), LOP_METHOD_UNKNOWN);
		snprintf(text, sizeof(text), "%s / HTTP/1.0\r\n\r\n", names[i]);
		ck_assert_int_gt(parse(text), 0);
		ck_assert_int_eq(head.method, i);
	}
	ck_assert_int_eq(http1_method("get", 3), LOP_METHOD_UNKNOWN);
	ck_assert_int_eq(http1_method("", 0), LOP_METHOD_UNKNOWN);
	ck_assert_int_eq(http1_method("OPTIONSX", 8), LOP_METHOD_UNKNOWN);
	ck_assert_int_eq(http1_method("PROPFIND", 8), LOP_METHOD_UNKNOWN);
}
END_TEST

START_TEST(any_token_is_a_method)
{
	const char *text = "!#$%&'*+-.^_`|~aZ09 / HTTP/1.0\r\n\r\n";
	ck_assert_int_gt(parse(text), 0);
	ck_assert_int_eq(head.method, LOP_METHOD_UNKNOWN);
	assert_text(text, head.method_offset, head.method_length, "!#$%&'*+-.^_`|~aZ09");
}
END_TEST

START_TEST(bad_request_lines_are_400)
{
	static const char *const lines[] = {
		" GET / HTTP/1.1", "GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET / HTTP/1.1 ",
		"GET\t/ HTTP/1.1", "GET /\tHTTP/1.1", "GET /\vHTTP/1.1", "GET\xa0/ HTTP/1.1",
		"GET /a\x7f HTTP/1.1", "GET HTTP/1.1", "GET", "GET /", "GET / ",
		"G(T / HTTP/1.1", "GET: / HTTP/1.1", "\"GET\" / HTTP/1.1",
		"GE\xc3\xa9 / HTTP/1.1", ": / HTTP/1.1", "GET / HTTP/1.1 HTTP/1.1",
		"GET / x HTTP/1.1", "hello", "{}", "\x16\x03\x01",
	};
	char text[128];
	for (int i = 0; i < COUNT(lines); i++) {
		snprintf(text, sizeof(text), "%s\r\n" HOST "\r\n", lines[i]);
		ck_assert_msg(parse(text) == -400, "%s: %d", lines[i], parse(text));
	}
	for (int byte = 0; byte < 0x20; byte++) {
		char raw[] = "GET /x HTTP/1.1\r\n" HOST "\r\n";
		raw[5] = (char)byte;
		ck_assert_msg(parse_bytes(raw, sizeof(raw) - 1, &usual) == -400, "%02x", byte);
	}
}
END_TEST

START_TEST(every_visible_byte_is_taken_in_a_target)
{
	for (int byte = '!'; byte < 256; byte++) {
		char text[] = "GET /x/ HTTP/1.0\r\n\r\n";
		text[5] = (char)byte;
		ck_assert_msg(byte == 0x7f || parse_bytes(text, sizeof(text) - 1, &usual) > 0,
		              "%02x", byte);
	}
}
END_TEST

START_TEST(bytes_above_ascii_are_taken_in_a_target)
{
	const char *text = "GET /\x80\xff\xc3\xbc HTTP/1.0\r\n\r\n";
	ck_assert_int_gt(parse(text), 0);
	assert_text(text, head.target, head.target_length, "/\x80\xff\xc3\xbc");
}
END_TEST

START_TEST(bad_versions_are_400)
{
	static const char *const versions[] = {
		"HTTP/1.1x",  "HTTP/1.",   "HTTP/1",    "HTTP/",     "HTTP",      "http/1.1",
		"HTTP/11",    "HTTP/1.10", "HTTP/01.1", "HTTP/1.01", "HTTP/ 1.1", "HTTP /1.1",
		"HTTP/1,1",   "HTTP/-1.1", "HTTP/+1.1", "HTP/1.1",   "HTTPS/1.1", "ICY/1.1",
		"HTTP/x.1",   "HTTP/1.x",  "1.1",       "XHTTP/1.1", "HTTP/2",    "HTTP/1/1",
		"HTTP/1.1\t", "HTTP/:.1",
	};
	char text[128];
	for (int i = 0; i < COUNT(versions); i++) {
		snprintf(text, sizeof(text), "GET / %s\r\n" HOST "\r\n", versions[i]);
		ck_assert_msg(parse(text) == -400, "%s", versions[i]);
		ck_assert_uint_eq(head.version, 0);
	}
}
END_TEST

START_TEST(other_major_versions_are_505)
{
	ck_assert_int_eq(parse("GET / HTTP/2.0\r\n" HOST "\r\n"), -505);
	ck_assert_int_eq(parse("GET / HTTP/0.9\r\n" HOST "\r\n"), -505);
	ck_assert_int_eq(parse("GET / HTTP/9.9\r\n"), -505);
	ck_assert_int_eq(parse("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), -505);
}
END_TEST

START_TEST(minor_versions_above_1_are_read_as_1)
{
	ck_assert_int_gt(parse("GET / HTTP/1.2\r\n" HOST "\r\n"), 0);
	ck_assert_uint_eq(head.version, 101);
	ck_assert_int_gt(parse("GET / HTTP/1.9\r\n" HOST "\r\n"), 0);
	ck_assert_int_eq(parse("GET / HTTP/1.2\r\n\r\n"), -400);
	ck_assert_int_gt(parse("GET / HTTP/1.0\r\n\r\n"), 0);
	ck_assert_uint_eq(head.version, 100);
}
END_TEST

START_TEST(one_empty_line_before_the_request_is_skipped)
{
	const char *text = "\r\n" START HOST "\r\n";
	ck_assert_int_eq(parse(text), (int)strlen(text));
	ck_assert_uint_eq(head.method_offset, 2);
	assert_text(text, head.target, head.target_length, "/a");
	assert_known(text, HTTP1_HOST, "a");
	ck_assert_int_eq(parse("\r\n\r\n" START HOST "\r\n"), -400);
	ck_assert_int_eq(parse("\n" START HOST "\r\n"), -400);
	ck_assert_int_eq(parse("\r" START HOST "\r\n"), -400);
	ck_assert_int_eq(parse("\r"), 0);
	ck_assert_int_eq(parse("\r\n"), 0);
}
END_TEST

START_TEST(a_bare_lf_is_400)
{
	ck_assert_int_eq(parse("GET / HTTP/1.1\nHost: x\n\n"), -400);
	ck_assert_int_eq(parse("GET / HTTP/1.1\nHost: x\r\n\r\n"), -400);
	ck_assert_int_eq(parse(START "Host: x\n\r\n"), -400);
	ck_assert_int_eq(parse(START "Host: x\r\n\n"), -400);
	ck_assert_int_eq(parse(START "X: y\nHost: x\r\n\r\n"), -400);
	ck_assert_int_eq(parse(START "X:\nHost: x\r\n\r\n"), -400);
}
END_TEST

START_TEST(a_bare_cr_is_400)
{
	ck_assert_int_eq(parse("GET / HTTP/1.1\rHost: x\r\r"), -400);
	ck_assert_int_eq(parse("GET / HTTP/1.1\r\rHost: x\r\n\r\n"), -400);
	ck_assert_int_eq(parse("GET /\r HTTP/1.1\r\n" HOST "\r\n"), -400);
	ck_assert_int_eq(parse("GET\r/ HTTP/1.1\r\n" HOST "\r\n"), -400);
	ck_assert_int_eq(parse_lines("X: a\rb\r\n"), -400);
	ck_assert_int_eq(parse_lines("X: a\r\r\n"), -400);
	ck_assert_int_eq(parse_lines("\rX: a\r\n"), -400);
	ck_assert_int_eq(parse_lines("X: y\rContent-Length: 50\r\n"), -400);
	ck_assert_int_eq(parse_lines("X\r: y\r\n"), -400);
}
END_TEST

START_TEST(folded_lines_are_400)
{
	static const char *const lines[] = {
		"X: y\r\n folded\r\n", "X: y\r\n\tfolded\r\n", "Content-Length: 5\r\n 0\r\n",
		"X:\r\n y\r\n",        "X: y\r\n \r\n",        "Transfer-Encoding:\r\n chunked\r\n",
		" X: y\r\n",
	};
	for (int i = 0; i < COUNT(lines); i++)
		ck_assert_msg(parse_lines(lines[i]) == -400, "%s", lines[i]);
	ck_assert_int_eq(parse(START " " HOST "\r\n"), -400);
	ck_assert_int_eq(parse(START "\t\r\n" HOST "\r\n"), -400);
}
END_TEST

START_TEST(names_that_are_no_token_are_400)
{
	static const char *const lines[] = {
		"Content-Length : 5", "Transfer-Encoding : chunked", "X : y", "X\t: y",
		"X  : y", "X\v: y", ": y", "X y: z", "X(y): z", "X/y: z", "X@y: z", "\"X\": y",
		"X\xe9: y", "X\x7f: y", "{X}: y", "X,Y: z", "X;Y: z", "X=Y: z", "[X]: y",
		"X?: y", "X", "Host", "GET /secret HTTP/1.1", "Content-Length 5", "<X>: y",
		"X\\: y",
	};
	char line[64];
	for (int i = 0; i < COUNT(lines); i++) {
		snprintf(line, sizeof(line), "%s\r\n", lines[i]);
		ck_assert_msg(parse_lines(line) == -400, "%s", lines[i]);
	}
}
END_TEST

START_TEST(a_name_may_be_any_token)
{
	for (int byte = 0; byte < 256; byte++) {
		char text[] = START HOST "Xa?b: y\r\n\r\n";
		char *at = strchr(text, '?');
		bool token =
			byte > ' ' && byte < 0x7f && strchr("\"(),/:;<=>?@[\\]{}", byte) == NULL;
		*at = (char)byte;
		int result = parse_bytes(text, sizeof(text) - 1, &usual);
		if (byte == ':')
			ck_assert_int_gt(result, 0);
		else
			ck_assert_msg(token ? result > 0 : result == -400, "%02x: %d", byte,
			              result);
	}
}
END_TEST

/* At each place of a value, so that no lane of the scan by words is missed. */
START_TEST(control_bytes_in_a_value_are_400)
{
	for (int byte = 0; byte < 256; byte++) {
		bool bad = (byte < ' ' && byte != '\t') || byte == 0x7f;
		for (int place = 0; place < 20; place++) {
			char text[] = START HOST "X: 01234567890123456789\r\n\r\n";
			char *value = strstr(text, "0123");
			value[place] = (char)byte;
			int result = parse_bytes(text, sizeof(text) - 1, &usual);
			ck_assert_msg(bad ? result == -400 : result > 0, "%02x at %d: %d", byte,
			              place, result);
		}
	}
}
END_TEST

START_TEST(white_space_around_a_value_is_not_of_it)
{
	static const struct {
		const char *line;
		const char *value;
	} lines[] = {
		{ "Referer:\r\n", "" },
		{ "Referer: \r\n", "" },
		{ "Referer: \t \r\n", "" },
		{ "Referer:y\r\n", "y" },
		{ "Referer:\t y \t\r\n", "y" },
		{ "Referer: a:b : c\r\n", "a:b : c" },
		{ "Referer: a \t b\r\n", "a \t b" },
		{ "Referer: \xff\xfe\r\n", "\xff\xfe" },
		{ "Referer: 0123456\t89012345\t\t89\t\r\n", "0123456\t89012345\t\t89" },
	};
	char text[128];
	for (int i = 0; i < COUNT(lines); i++) {
		snprintf(text, sizeof(text), START HOST "%s\r\n", lines[i].line);
		ck_assert_int_gt(parse(text), 0);
		assert_known(text, HTTP1_REFERER, lines[i].value);
	}
}
END_TEST

START_TEST(a_missing_host_is_400_with_1_1_only)
{
	ck_assert_int_eq(parse(START "\r\n"), -400);
	ck_assert_int_eq(parse(START "X: y\r\n\r\n"), -400);
	ck_assert_int_eq(parse("GET http://a/ HTTP/1.1\r\n\r\n"), -400);
	ck_assert_int_gt(parse("GET / HTTP/1.0\r\n\r\n"), 0);
}
END_TEST

START_TEST(several_hosts_are_400)
{
	ck_assert_int_eq(parse_lines("Host: b\r\n"), -400);
	ck_assert_int_eq(parse_lines("Host: a\r\n"), -400);
	ck_assert_int_eq(parse_lines("X: y\r\nhOST: a\r\n"), -400);
	ck_assert_int_eq(parse("GET / HTTP/1.0\r\n" HOST HOST "\r\n"), -400);
}
END_TEST

START_TEST(a_bad_host_is_400)
{
	ck_assert_int_eq(parse(START "Host: a b\r\n\r\n"), -400);
	ck_assert_int_eq(parse(START "Host: a/b\r\n\r\n"), -400);
	ck_assert_int_eq(parse(START "Host: a@b\r\n\r\n"), -400);
	ck_assert_int_eq(parse("GET / HTTP/1.0\r\nHost: a, b\r\n\r\n"), -400);
	ck_assert_int_eq(parse(START "Host: a:x\r\n"), -400);
	ck_assert_int_gt(parse(START "Host:\r\n\r\n"), 0);
	ck_assert_int_gt(parse(START "Host: [::1]:80\r\n\r\n"), 0);
}
END_TEST

START_TEST(a_content_length_is_read)
{
	ck_assert_int_gt(parse_lines("Content-Length: 0\r\n"), 0);
	ck_assert_int_eq(head.content_length, 0);
	ck_assert_int_gt(parse_lines("Content-Length: 12345\r\n"), 0);
	ck_assert_int_eq(head.content_length, 12345);
	ck_assert_int_gt(parse_lines("Content-Length: 007\r\n"), 0);
	ck_assert_int_eq(head.content_length, 7);
	ck_assert_int_gt(parse_lines("Content-Length: 9223372036854775807\r\n"), 0);
	ck_assert(head.content_length == INT64_MAX);
}
END_TEST

START_TEST(a_content_length_that_is_no_number_is_400)
{
	static const char *const values[] = {
		"", " ", "+5", "-5", "-0", "0x5", "5a", "a", "5 5", "5;x", "5.0", "5e0",
		"\"5\"", "\xb2", "5,", ",5", "5, 5", "5,6", "1_0", "\xd9\xa5", "5\t5",
		"9223372036854775808", "18446744073709551616", "18446744073709551621",
		"4294967296000000000000000",
	};
	char line[64];
	for (int i = 0; i < COUNT(values); i++) {
		snprintf(line, sizeof(line), "Content-Length: %s\r\n", values[i]);
		ck_assert_msg(parse_lines(line) == -400, "%s", values[i]);
	}
}
END_TEST

START_TEST(several_content_lengths_are_400)
{
	ck_assert_int_eq(parse_lines("Content-Length: 5\r\nContent-Length: 6\r\n"), -400);
	ck_assert_int_eq(parse_lines("Content-Length: 5\r\nContent-Length: 5\r\n"), -400);
	ck_assert_int_eq(parse_lines("Content-Length: 0\r\ncontent-length: 0\r\n"), -400);
	ck_assert_int_eq(parse_lines("Content-Length: 5\r\nX: y\r\nContent-Length: 5\r\n"), -400);
}
END_TEST

START_TEST(content_length_with_transfer_encoding_is_400)
{
	ck_assert_int_eq(parse_lines("Content-Length: 5\r\n" CHUNKED), -400);
	ck_assert_int_eq(parse_lines(CHUNKED "Content-Length: 5\r\n"), -400);
	ck_assert_int_eq(parse_lines(CHUNKED "Content-Length: 0\r\n"), -400);
	ck_assert_int_eq(parse_lines("Content-Length: 5\r\nTransfer-Encoding: gzip\r\n"), -400);
	ck_assert_int_eq(parse_lines("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n"), -400);
}
END_TEST

START_TEST(chunked_is_known_in_any_case)
{
	ck_assert_int_gt(parse_lines(CHUNKED), 0);
	ck_assert(head.chunked);
	ck_assert_int_eq(head.content_length, -1);
	ck_assert_int_gt(parse_lines("transfer-ENCODING:\t ChunKed \t\r\n"), 0);
	ck_assert(head.chunked);
	ck_assert_int_gt(parse_lines("Transfer-Encoding: , chunked ,\r\n"), 0);
	ck_assert(head.chunked);
}
END_TEST

START_TEST(transfer_codings_other_than_chunked_are_501)
{
	static const char *const values[] = {
		"identity",       "xchunked", "chunkedx", "gzip",        "gzip, chunked",
		"gzip , deflate", "cow",      "chunke",   "chunked;q=1", "gzip;level=9, chunked",
		"gzip ; a=b",
	};
	char line[64];
	for (int i = 0; i < COUNT(values); i++) {
		snprintf(line, sizeof(line), "Transfer-Encoding: %s\r\n", values[i]);
		ck_assert_msg(parse_lines(line) == -501, "%s: %d", values[i], parse_lines(line));
	}
}
END_TEST

START_TEST(ambiguous_transfer_codings_are_400)
{
	static const char *const lines[] = {
		"Transfer-Encoding: chunked, identity\r\n",
		"Transfer-Encoding: chunked, chunked\r\n",
		"Transfer-Encoding: chunked, gzip\r\n",
		"Transfer-Encoding: chunked chunked\r\n", "Transfer-Encoding: \"chunked\"\r\n",
		"Transfer-Encoding: chun\xc3\xabked\r\n",
		"Transfer-Encoding: gzip;a=\"b,chunked\"\r\n", "Transfer-Encoding:\r\n",
		"Transfer-Encoding: ,\r\n", "Transfer-Encoding: \vchunked\r\n",
		"Transfer-Encoding: chunked\v\r\n", CHUNKED CHUNKED,
		CHUNKED "Transfer-Encoding: identity\r\n",
		("Transfer-Encoding: identity\r\n" CHUNKED),
	};
	for (int i = 0; i < COUNT(lines); i++)
		ck_assert_msg(parse_lines(lines[i]) == -400, "%s", lines[i]);
}
END_TEST

START_TEST(transfer_encoding_in_1_0_is_400)
{
	ck_assert_int_eq(parse("GET / HTTP/1.0\r\n" HOST CHUNKED "\r\n"), -400);
	ck_assert_int_eq(parse("GET / HTTP/1.0\r\n" CHUNKED "Connection: keep-alive\r\n\r\n"),
	                 -400);
	ck_assert_int_eq(parse("GET / HTTP/1.0\r\nTransfer-Encoding: gzip\r\n\r\n"), -400);
}
END_TEST

START_TEST(connection_options_are_read_from_all_its_fields)
{
	static const struct {
		const char *lines;
		bool close, keep_alive;
	} cases[] = {
		{ "Connection: close\r\n", true, false },
		{ "Connection: CLOSE\r\n", true, false },
		{ "Connection: keep-alive\r\n", false, true },
		{ "Connection: Keep-Alive, Upgrade\r\n", false, true },
		{ "Connection: upgrade ,\tclose\r\n", true, false },
		{ "Connection: close, keep-alive\r\n", true, true },
		{ "Connection: x\r\nConnection: close\r\n", true, false },
		{ "Connection: closed, keep_alive, keep-aliv, clos\r\n", false, false },
		{ "Connection:\r\n", false, false },
		{ "Connection: ,,\r\n", false, false },
		{ "X-Connection: close\r\n", false, false },
		{ "Connection: \"close\"\r\n", false, false },
	};
	for (int i = 0; i < COUNT(cases); i++) {
		ck_assert_int_gt(parse_lines(cases[i].lines), 0);
		ck_assert_msg(head.close == cases[i].close, "%s", cases[i].lines);
		ck_assert_msg(head.keep_alive == cases[i].keep_alive, "%s", cases[i].lines);
	}
}
END_TEST

START_TEST(an_expectation_is_100_continue_or_417)
{
	ck_assert_int_gt(parse_lines("Expect: 100-Continue\r\n"), 0);
	ck_assert(head.expect_continue);
	ck_assert_int_gt(parse_lines("Expect:\r\n"), 0);
	ck_assert(!head.expect_continue);
	ck_assert_int_eq(parse_lines("Expect: 100-continu\r\n"), -417);
	ck_assert_int_eq(parse_lines("Expect: 100-continux\r\n"), -417);
	ck_assert_int_eq(parse_lines("Expect: 100-continue, x=y\r\n"), -417);
	ck_assert_int_eq(parse_lines("Expect: 100-continue\r\nExpect: x\r\n"), -417);
}
END_TEST

START_TEST(expectations_of_1_0_are_ignored)
{
	ck_assert_int_gt(parse("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"), 0);
	ck_assert(!head.expect_continue);
	ck_assert_int_gt(parse("GET / HTTP/1.0\r\nExpect: more\r\n\r\n"), 0);
}
END_TEST

START_TEST(of_a_repeated_field_the_first_is_known_and_all_can_be_joined)
{
	const char *text =
		START HOST "If-None-Match: \"a\"\r\nX: y\r\nif-none-match: \"b\", \"c\"\r\n"
			   "If-None-Match:\r\nIf-Match: *\r\n\r\n";
	char joined[256];
	ck_assert_int_gt(parse(text), 0);
	assert_known(text, HTTP1_IF_NONE_MATCH, "\"a\"");
	ck_assert_uint_eq(head.repeated, 1u << HTTP1_IF_NONE_MATCH);
	size_t length = http1_join(&head, text, HTTP1_IF_NONE_MATCH, joined);
	ck_assert_uint_eq(length, strlen("\"a\", \"b\", \"c\", "));
	ck_assert_mem_eq(joined, "\"a\", \"b\", \"c\", ", length);
	ck_assert_uint_eq(http1_join(&head, text, HTTP1_IF_MATCH, joined), 1);
	ck_assert_uint_eq(http1_join(&head, text, HTTP1_RANGE, joined), 0);
}
END_TEST

START_TEST(a_target_up_to_the_limit_is_taken)
{
	static const struct http1_limits limits = { .head = 4096, .target = 10, .fields = 32 };
	const char *text = "GET /234567890 HTTP/1.0\r\n\r\n";
	ck_assert_int_gt(parse_bytes(text, strlen(text), &limits), 0);
	text = "GET /2345678901 HTTP/1.0\r\n\r\n";
	ck_assert_int_eq(parse_bytes(text, strlen(text), &limits), -414);
	ck_assert_uint_eq(head.target_length, 10);
	ck_assert_int_eq(parse_bytes(text, 14, &limits), 0);
	ck_assert_int_eq(parse_bytes(text, 15, &limits), -414);
}
END_TEST

START_TEST(a_target_that_fills_the_head_is_414)
{
	static const struct http1_limits limits = { .head = 32, .target = 1024, .fields = 32 };
	const char *text = "GET /3456789012345678901234567890 HTTP/1.0\r\n\r\n";
	ck_assert_int_eq(parse_bytes(text, strlen(text), &limits), -414);
	ck_assert_int_eq(parse_bytes(text, 32, &limits), -414);
	ck_assert_int_eq(parse_bytes(text, 31, &limits), 0);
}
END_TEST

START_TEST(a_head_up_to_the_limit_is_taken)
{
	const char *text = START HOST "X: yyyyyyyyyyyyyyyy\r\n\r\n";
	size_t length = strlen(text);
	struct http1_limits limits = { .head = length, .target = 100, .fields = 32 };
	ck_assert_int_eq(parse_bytes(text, length, &limits), (int)length);
	limits.head = length - 1;
	ck_assert_int_eq(parse_bytes(text, length, &limits), -431);
	ck_assert_int_eq(parse_bytes(text, length - 1, &limits), -431);
	ck_assert_int_eq(parse_bytes(text, length - 2, &limits), 0);
}
END_TEST

START_TEST(what_follows_a_head_does_not_count_to_its_limit)
{
	static const struct http1_limits limits = { .head = 40, .target = 40, .fields = 32 };
	const char *text = START HOST "\r\n" START HOST "\r\n" START HOST "\r\n";
	ck_assert_int_eq(parse_bytes(text, strlen(text), &limits), (int)strlen(START HOST "\r\n"));
}
END_TEST

START_TEST(a_method_or_field_that_fills_the_head_is_431)
{
	static const struct http1_limits limits = { .head = 32, .target = 32, .fields = 32 };
	const char *text = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n\r\n";
	ck_assert_int_eq(parse_bytes(text, strlen(text), &limits), -431);
	text = "GET / HTTP/1.1\r\nAAAAAAAAAAAAAAAAAAAAAA: x\r\n\r\n";
	ck_assert_int_eq(parse_bytes(text, strlen(text), &limits), -431);
	text = "GET / HTTP/1.1\r\nA: xxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n\r\n";
	ck_assert_int_eq(parse_bytes(text, strlen(text), &limits), -431);
}
END_TEST

START_TEST(the_number_of_fields_is_limited)
{
	struct http1_limits limits = { .head = 4096, .target = 100, .fields = 3 };
	const char *text = START HOST "A: b\r\nB: c\r\n\r\n";
	ck_assert_int_gt(parse_bytes(text, strlen(text), &limits), 0);
	text = START HOST "A: b\r\nB: c\r\nC: d\r\n\r\n";
	ck_assert_int_eq(parse_bytes(text, strlen(text), &limits), -431);
	text = START HOST "A: b\r\nB: c\r\n folded\r\n\r\n";
	ck_assert_int_eq(parse_bytes(text, strlen(text), &limits), -400);
}
END_TEST

START_TEST(there_are_never_more_fields_than_the_array_holds)
{
	static const struct http1_limits limits = { .head = 65536,
		                                    .target = 100,
		                                    .fields = 100000 };
	char text[4096] = "GET / HTTP/1.0\r\n";
	for (int i = 0; i < HTTP1_MAX_FIELDS; i++)
		strcat(text, "X: y\r\n");
	size_t length = strlen(text);
	strcat(text, "\r\n");
	ck_assert_int_gt(parse_bytes(text, strlen(text), &limits), 0);
	ck_assert_uint_eq(head.field_count, HTTP1_MAX_FIELDS);
	strcpy(text + length, "X: y\r\n\r\n");
	ck_assert_int_eq(parse_bytes(text, strlen(text), &limits), -431);
}
END_TEST

START_TEST(a_refused_head_tells_what_was_read)
{
	const char *text = "HEAD /x\x01y HTTP/1.1\r\n\r\n";
	ck_assert_int_eq(parse(text), -400);
	ck_assert_int_eq(head.method, LOP_METHOD_HEAD);
	assert_text(text, head.target, head.target_length, "/x");
	ck_assert_uint_eq(head.version, 0);

	text = "PUT /x HTTP/1.1\r\nA: b\r\nX : y\r\n\r\n";
	ck_assert_int_eq(parse(text), -400);
	ck_assert_int_eq(head.method, LOP_METHOD_PUT);
	assert_text(text, head.target, head.target_length, "/x");
	ck_assert_uint_eq(head.version, 101);
	ck_assert_uint_eq(head.field_count, 1);

	ck_assert_int_eq(parse("GET"), 0);
	ck_assert_uint_eq(head.target_length, 0);
	ck_assert_uint_eq(head.version, 0);
	ck_assert_int_eq(parse(""), 0);
	ck_assert_uint_eq(head.method_length, 0);
}
END_TEST

START_TEST(an_error_is_seen_before_the_head_is_complete)
{
	ck_assert_int_eq(parse("GET /\x01"), -400);
	ck_assert_int_eq(parse("\x16\x03"), -400);
	ck_assert_int_eq(parse(START "X "), -400);
	ck_assert_int_eq(parse(START "X: y\r\n "), -400);
	ck_assert_int_eq(parse(START "Content-Length: x\r\n"), -400);
	ck_assert_int_eq(parse("GET / HTTP/1.1\r\r"), -400);
	ck_assert_int_eq(parse("GET / HTTX"), -400);
	ck_assert_int_eq(parse(START "X: ab\x7f"), -400);
	ck_assert_int_eq(parse(START "X: ab\x7e"), 0);
	ck_assert_int_eq(parse("GET /\x7f"), -400);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http1_parse");
	TCase *test = tcase_create("http1_parse");
	SRunner *runner = srunner_create(suite);

	tcase_add_test(test, a_plain_request_is_read);
	tcase_add_test(test, the_fields_that_the_server_reads_are_found_in_any_case);
	tcase_add_test(test, a_known_field_is_found_by_its_name);
	tcase_add_test(test, a_name_that_only_resembles_is_not_known);
	tcase_add_test(test, every_split_gives_the_same_result);
	tcase_add_test(test, fields_beyond_the_count_are_not_touched);
	tcase_add_test(test, methods_are_known_in_their_own_case_only);
	tcase_add_test(test, any_token_is_a_method);
	tcase_add_test(test, bad_request_lines_are_400);
	tcase_add_test(test, every_visible_byte_is_taken_in_a_target);
	tcase_add_test(test, bytes_above_ascii_are_taken_in_a_target);
	tcase_add_test(test, bad_versions_are_400);
	tcase_add_test(test, other_major_versions_are_505);
	tcase_add_test(test, minor_versions_above_1_are_read_as_1);
	tcase_add_test(test, one_empty_line_before_the_request_is_skipped);
	tcase_add_test(test, a_bare_lf_is_400);
	tcase_add_test(test, a_bare_cr_is_400);
	tcase_add_test(test, folded_lines_are_400);
	tcase_add_test(test, names_that_are_no_token_are_400);
	tcase_add_test(test, a_name_may_be_any_token);
	tcase_add_test(test, control_bytes_in_a_value_are_400);
	tcase_add_test(test, white_space_around_a_value_is_not_of_it);
	tcase_add_test(test, a_missing_host_is_400_with_1_1_only);
	tcase_add_test(test, several_hosts_are_400);
	tcase_add_test(test, a_bad_host_is_400);
	tcase_add_test(test, a_content_length_is_read);
	tcase_add_test(test, a_content_length_that_is_no_number_is_400);
	tcase_add_test(test, several_content_lengths_are_400);
	tcase_add_test(test, content_length_with_transfer_encoding_is_400);
	tcase_add_test(test, chunked_is_known_in_any_case);
	tcase_add_test(test, transfer_codings_other_than_chunked_are_501);
	tcase_add_test(test, ambiguous_transfer_codings_are_400);
	tcase_add_test(test, transfer_encoding_in_1_0_is_400);
	tcase_add_test(test, connection_options_are_read_from_all_its_fields);
	tcase_add_test(test, an_expectation_is_100_continue_or_417);
	tcase_add_test(test, expectations_of_1_0_are_ignored);
	tcase_add_test(test, of_a_repeated_field_the_first_is_known_and_all_can_be_joined);
	tcase_add_test(test, a_target_up_to_the_limit_is_taken);
	tcase_add_test(test, a_target_that_fills_the_head_is_414);
	tcase_add_test(test, a_head_up_to_the_limit_is_taken);
	tcase_add_test(test, what_follows_a_head_does_not_count_to_its_limit);
	tcase_add_test(test, a_method_or_field_that_fills_the_head_is_431);
	tcase_add_test(test, the_number_of_fields_is_limited);
	tcase_add_test(test, there_are_never_more_fields_than_the_array_holds);
	tcase_add_test(test, a_refused_head_tells_what_was_read);
	tcase_add_test(test, an_error_is_seen_before_the_head_is_complete);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
