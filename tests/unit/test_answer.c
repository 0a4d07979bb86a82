/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static struct answer answer;
static char *exact;

static void teardown(void)
{
	free(exact);
	exact = NULL;
}

/* The bytes lie in a buffer of exactly their size, for the sanitizers. */
static int parse_bytes(const char *bytes, size_t size, bool head, bool connect)
{
	size_t scanned = 0;
	teardown();
	exact = malloc(size > 0 ? size : 1);
	ck_assert_ptr_nonnull(exact);
	memcpy(exact, bytes, size);
	memset(&answer, 0xa5, sizeof answer);
	return answer_parse(exact, size, head, connect, &scanned, &answer);
}

static int parse(const char *text)
{
	return parse_bytes(text, strlen(text), false, false);
}

static void assert_bad(const char *text)
{
	ck_assert_msg(parse(text) == -EBADMSG, "taken: %s", text);
}

static void assert_str(struct lop_str str, const char *expected)
{
	ck_assert_msg(str.length == strlen(expected) && memcmp(str.data, expected, str.length) == 0,
	              "'%.*s', not '%s'", (int)str.length, str.data, expected);
}

START_TEST(a_head_is_taken_apart)
{
	const char *text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Empty:\r\n"
			   "x-padded: \t a\tb \t\r\n\r\nhello";
	ck_assert_int_eq(parse(text), 1);
	ck_assert_int_eq(answer.status, 200);
	ck_assert_int_eq(answer.minor, 1);
	ck_assert(answer.keep && !answer.upgrade);
	ck_assert_int_eq(answer.framing, ANSWER_LENGTH);
	ck_assert_int_eq(answer.length, 5);
	ck_assert_uint_eq(answer.head_size, strlen(text) - 5);
	assert_str(answer.reason, "OK");
	ck_assert_uint_eq(answer.field_count, 3);
	assert_str(answer.fields[0].name, "Content-Length");
	assert_str(answer.fields[0].value, "5");
	assert_str(answer.fields[1].name, "X-Empty");
	assert_str(answer.fields[1].value, "");
	assert_str(answer.fields[2].name, "x-padded");
	assert_str(answer.fields[2].value, "a\tb");
}
END_TEST

START_TEST(a_status_line_may_lack_its_reason)
{
	ck_assert_int_eq(parse("HTTP/1.1 204 \r\n\r\n"), 1);
	assert_str(answer.reason, "");
	ck_assert_int_eq(parse("HTTP/1.1 204\r\n\r\n"), 1);
	assert_str(answer.reason, "");
	ck_assert_int_eq(parse("HTTP/1.1 404 N\xc3\xb6t \t found\r\n\r\n"), 1);
	assert_str(answer.reason, "N\xc3\xb6t \t found");
	ck_assert_int_eq(parse("HTTP/1.9 200 OK\r\n\r\n"), 1);
	ck_assert_int_eq(answer.minor, 1);
}
END_TEST

/* Cut at each byte it is incomplete, and is read the same when it comes in pieces. */
START_TEST(a_head_may_come_in_pieces)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n";
	size_t size = sizeof text - 1;
	for (size_t cut = 0; cut < size; cut++) {
		size_t scanned = 0;
		ck_assert_int_eq(parse_bytes(text, cut, false, false), 0);
		ck_assert_int_eq(answer_parse(text, cut, false, false, &scanned, &answer), 0);
		ck_assert_uint_eq(scanned, cut);
		for (size_t next = cut; next < size; next++)
			ck_assert_int_eq(answer_parse(text, next, false, false, &scanned, &answer),
			                 0);
		ck_assert_int_eq(answer_parse(text, size, false, false, &scanned, &answer), 1);
		ck_assert_uint_eq(answer.head_size, size);
		ck_assert_int_eq(answer.framing, ANSWER_CHUNKED);
		ck_assert_uint_eq(answer.field_count, 2);
	}
}
END_TEST

START_TEST(lines_without_cr_do_not_wait_for_ever)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nA: b\nB: c\n\n";
	size_t size = sizeof text - 1, scanned = 0;
	ck_assert_int_eq(answer_parse(text, 19, false, false, &scanned, &answer), 0);
	ck_assert_int_eq(answer_parse(text, size, false, false, &scanned, &answer), -EBADMSG);
}
END_TEST

START_TEST(what_is_no_response_is_refused)
{
	static const char *const bad[] = {
		"\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1  200 OK\r\n\r\n",
		"HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1 099 OK\r\n\r\n",
		"HTTP/1.1 600 OK\r\n\r\n",
		"HTTP/1.1 -20 OK\r\n\r\n",
		"HTTP/1.1 200OK\r\n\r\n",
		"HTTP/1.1\t200 OK\r\n\r\n",
		"HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.10 200 OK\r\n\r\n",
		"http/1.1 200 OK\r\n\r\n",
		"ICY 200 OK\r\n\r\n",
		"SSH-2.0-server\r\n",
		"<html>",
		"\x16\x03\x01",
		"HTTP/1.1 200 O\x01K\r\n\r\n",
		"HTTP/1.1 200 O\x7fK\r\n\r\n",
		"HTTP/1.1 200 OK\n\n",
		"HTTP/1.1 200 OK\rX: y\r\n\r\n",
	};
	for (int i = 0; i < COUNT(bad); i++)
		assert_bad(bad[i]);
}
END_TEST

START_TEST(dangerous_fields_are_refused)
{
	static const char *const bad[] = {
		"A: b\r\n c\r\n", /* obs-fold */
		" A: b\r\n",
		"A: b\r\n\tc: d\r\n",
		"A : b\r\n",
		"A\t: b\r\n",
		": b\r\n",
		"A\r\n",
		"A b: c\r\n",
		"A(: c\r\n",
		"A\x80: c\r\n",
		"A: b\rc\r\n",
		"A: b\nc\r\n",
		"A: b\nSet-Cookie: c\r\n",
		"A: b\r\r\n",
		"A: \x01\r\n",
		"A: 1234567\x7f\r\n",
		"A: 12345678\x1f"
		"12345678\r\n",
		"A: b\r\n\rx",
	};
	char text[200];
	for (int i = 0; i < COUNT(bad); i++) {
		snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s\r\n", bad[i]);
		assert_bad(text);
	}
	static const char nul[] = "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n";
	ck_assert_int_eq(parse_bytes(nul, sizeof nul - 1, false, false), -EBADMSG);
	static const char name[] = "HTTP/1.1 200 OK\r\nA\0: b\r\n\r\n";
	ck_assert_int_eq(parse_bytes(name, sizeof name - 1, false, false), -EBADMSG);
}
END_TEST

/* Each control byte at each place of a word. */
START_TEST(no_control_byte_hides_in_a_value)
{
	char text[] = "HTTP/1.1 200 OK\r\nA: 0123456789abcdefghijklmno\r\n\r\n";
	size_t start = strlen("HTTP/1.1 200 OK\r\nA: ");
	for (size_t i = start; i < start + 25; i++) {
		char saved = text[i];
		for (int byte = 1; byte < 256; byte++) {
			bool good = byte == '\t' || (byte >= ' ' && byte != 0x7f);
			text[i] = (char)byte;
			ck_assert_int_eq(parse_bytes(text, sizeof text - 1, false, false),
			                 good ? 1 : -EBADMSG);
		}
		text[i] = saved;
	}
}
END_TEST

static void assert_framing(const char *text, enum answer_framing framing, int64_t length, bool keep)
{
	ck_assert_msg(parse(text) == 1, "refused: %s", text);
	ck_assert_msg(answer.framing == framing, "framing %d: %s", (int)answer.framing, text);
	ck_assert_msg(answer.length == length, "length %lld: %s", (long long)answer.length, text);
	ck_assert_msg(answer.keep == keep, "keep %d: %s", answer.keep, text);
}

START_TEST(the_body_ends_as_rfc_9112_6_3_says)
{
	assert_framing("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ANSWER_LENGTH, 0, true);
	assert_framing("HTTP/1.1 200 OK\r\ncontent-LENGTH: 0012\r\n\r\n", ANSWER_LENGTH, 12, true);
	assert_framing("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n",
	               ANSWER_LENGTH, INT64_MAX, true);
	assert_framing("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", ANSWER_CHUNKED, -1,
	               true);
	assert_framing("HTTP/1.1 200 OK\r\n\r\n", ANSWER_CLOSE, -1, false);
	assert_framing("HTTP/1.1 204 No\r\n\r\n", ANSWER_NONE, -1, true);
	assert_framing("HTTP/1.1 304 No\r\nContent-Length: 7\r\n\r\n", ANSWER_NONE, 7, true);
	assert_framing("HTTP/1.1 304 No\r\n\r\n", ANSWER_NONE, -1, true);
	assert_framing("HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n", ANSWER_NONE, -1, true);
	assert_framing("HTTP/1.1 100 Continue\r\n\r\n", ANSWER_NONE, -1, true);
}
END_TEST

START_TEST(a_body_that_must_not_be_ends_the_connection)
{
	assert_framing("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", ANSWER_NONE, -1, false);
	assert_framing("HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", ANSWER_NONE, -1, true);
	assert_framing("HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", ANSWER_NONE, -1,
	               false);
	assert_framing("HTTP/1.1 100 C\r\nContent-Length: 5\r\n\r\n", ANSWER_NONE, -1, false);
}
END_TEST

START_TEST(equal_lengths_count_as_one_and_others_are_refused)
{
	assert_framing("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
	               ANSWER_LENGTH, 5, true);
	assert_framing("HTTP/1.1 200 OK\r\nContent-Length: 5, 5 ,5\r\n\r\n", ANSWER_LENGTH, 5,
	               true);
	assert_bad("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n");
	assert_bad("HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n");
	assert_bad("HTTP/1.1 200 OK\r\nContent-Length: 5 6\r\n\r\n");
	assert_bad("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n");
	assert_bad("HTTP/1.1 200 OK\r\nContent-Length: ,\r\n\r\n");
	assert_bad("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n");
	assert_bad("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n");
	assert_bad("HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\n");
	assert_bad("HTTP/1.1 200 OK\r\nContent-Length: 5;\r\n\r\n");
	assert_bad("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n");
	assert_bad("HTTP/1.1 304 No\r\nContent-Length: x\r\n\r\n");
}
END_TEST

START_TEST(only_chunked_is_a_transfer_coding)
{
	static const char *const bad[] = {
		"chunked, chunked", "gzip, chunked", "gzip",       "identity", "",
		"chunked;a=b",      "xchunked",      "chunked\t,", "Chunked,", "\"chunked\"",
	};
	char text[200];
	for (int i = 0; i < COUNT(bad); i++) {
		snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n",
		         bad[i]);
		assert_bad(text);
	}
	assert_bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n");
	assert_bad("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n");
	assert_bad("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
	           "chunked\r\n\r\n");
	assert_bad("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	assert_bad("HTTP/1.1 304 No\r\nTransfer-Encoding: gzip\r\n\r\n");
}
END_TEST

START_TEST(a_connection_is_kept_as_9112_9_3_says)
{
	assert_framing("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", ANSWER_LENGTH, 1, false);
	assert_framing("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\n",
	               ANSWER_LENGTH, 1, true);
	assert_framing("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n",
	               ANSWER_LENGTH, 1, false);
	assert_framing("HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\n",
	               ANSWER_LENGTH, 1, false);
	assert_framing("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\n"
	               "Content-Length: 1\r\n\r\n",
	               ANSWER_LENGTH, 1, false);
	assert_framing("HTTP/1.1 200 OK\r\nConnection: closed\r\nContent-Length: 1\r\n\r\n",
	               ANSWER_LENGTH, 1, true);
	assert_framing("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", ANSWER_CLOSE, -1,
	               false);
}
END_TEST

START_TEST(the_method_decides_on_the_body_too)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
	static const char chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
	ck_assert_int_eq(parse_bytes(text, sizeof text - 1, true, false), 1);
	ck_assert_int_eq(answer.framing, ANSWER_NONE);
	ck_assert_int_eq(answer.length, 9);
	ck_assert(answer.keep);
	ck_assert_int_eq(parse_bytes(chunked, sizeof chunked - 1, true, false), 1);
	ck_assert_int_eq(answer.framing, ANSWER_NONE);
	ck_assert_int_eq(answer.length, -1);
	ck_assert(answer.keep);
	ck_assert_int_eq(parse_bytes(text, sizeof text - 1, false, true), 1);
	ck_assert_int_eq(answer.framing, ANSWER_NONE);
	ck_assert(!answer.keep);
	static const char no[] = "HTTP/1.1 403 No\r\nContent-Length: 9\r\n\r\n";
	ck_assert_int_eq(parse_bytes(no, sizeof no - 1, false, true), 1);
	ck_assert_int_eq(answer.framing, ANSWER_LENGTH);
	ck_assert(answer.keep);
}
END_TEST

START_TEST(an_upgrade_is_101_with_its_field)
{
	ck_assert_int_eq(
		parse("HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"), 1);
	ck_assert(answer.upgrade && !answer.keep);
	ck_assert_int_eq(parse("HTTP/1.1 101 S\r\n\r\n"), 1);
	ck_assert(!answer.upgrade && !answer.keep);
	ck_assert_int_eq(parse("HTTP/1.1 200 S\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n"), 1);
	ck_assert(!answer.upgrade && answer.keep);
}
END_TEST

START_TEST(fields_are_bounded)
{
	char text[4096] = "HTTP/1.1 200 OK\r\n";
	for (int i = 0; i < ANSWER_FIELDS_MAX; i++)
		strcat(text, "A: b\r\n");
	size_t length = strlen(text);
	strcpy(text + length, "\r\n");
	ck_assert_int_eq(parse(text), 1);
	ck_assert_uint_eq(answer.field_count, ANSWER_FIELDS_MAX);
	strcpy(text + length, "A: b\r\n\r\n");
	assert_bad(text);
}
END_TEST

static bool hop(const char *name, const char *connection)
{
	return field_is_hop_by_hop(
		(struct lop_str){ name, strlen(name) },
		(struct lop_str){ connection, connection != NULL ? strlen(connection) : 0 });
}

START_TEST(fields_of_this_hop_are_known)
{
	static const char *const hops[] = {
		"Connection",
		"KEEP-ALIVE",
		"Proxy-Connection",
		"te",
		"Transfer-Encoding",
		"upgrade",
		"Proxy-Authenticate",
		"Proxy-Authorization",
		"Proxy-Authentication-Info",
		"HTTP2-Settings",
	};
	static const char *const ends[] = {
		"Host",       "Content-Length", "Content-Type",  "Trailer",
		"ET",         "Upgrades",       "Connectiom",    "X",
		"Set-Cookie", "Cache-Control",  "Authorization",
	};
	for (int i = 0; i < COUNT(hops); i++)
		ck_assert_msg(hop(hops[i], NULL), "%s", hops[i]);
	for (int i = 0; i < COUNT(ends); i++)
		ck_assert_msg(!hop(ends[i], "keep-alive, close"), "%s", ends[i]);
}
END_TEST

START_TEST(connection_names_more_of_them)
{
	ck_assert(hop("X-Foo", "x-foo"));
	ck_assert(hop("X-Foo", "close,,  X-FOO\t, y"));
	ck_assert(!hop("X-Foo", "x-foo2, x-fo, -foo"));
	ck_assert(!hop("X-Foo", "\"x-foo\""));
	ck_assert(!hop("X_Foo", "x\x7f"
	                        "foo"));
	ck_assert(!hop("Content-Length", "content-length"));
	ck_assert(!hop("Host", "host"));
	ck_assert(hop("Cookie", "cookie"));
	ck_assert(!hop("X-Foo", ""));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("answer");
	TCase *test = tcase_create("answer");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(test, NULL, teardown);
	tcase_add_test(test, a_head_is_taken_apart);
	tcase_add_test(test, a_status_line_may_lack_its_reason);
	tcase_add_test(test, a_head_may_come_in_pieces);
	tcase_add_test(test, lines_without_cr_do_not_wait_for_ever);
	tcase_add_test(test, what_is_no_response_is_refused);
	tcase_add_test(test, dangerous_fields_are_refused);
	tcase_add_test(test, no_control_byte_hides_in_a_value);
	tcase_add_test(test, the_body_ends_as_rfc_9112_6_3_says);
	tcase_add_test(test, a_body_that_must_not_be_ends_the_connection);
	tcase_add_test(test, equal_lengths_count_as_one_and_others_are_refused);
	tcase_add_test(test, only_chunked_is_a_transfer_coding);
	tcase_add_test(test, a_connection_is_kept_as_9112_9_3_says);
	tcase_add_test(test, the_method_decides_on_the_body_too);
	tcase_add_test(test, an_upgrade_is_101_with_its_field);
	tcase_add_test(test, fields_are_bounded);
	tcase_add_test(test, fields_of_this_hop_are_known);
	tcase_add_test(test, connection_names_more_of_them);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
