/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chunked.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static char decoded[65536];
static size_t decoded_length;
static size_t consumed;
static struct chunked chunked;

/* Decodes in pieces of at most `piece` bytes, each in a buffer of exactly its size, into an output
 * of at most `room` bytes a call. Returns 0 (incomplete), 1 (done) or -EBADMSG. */
static int decode_pieces(const char *text, size_t length, size_t piece, size_t room)
{
	chunked = (struct chunked){ 0 };
	decoded_length = consumed = 0;
	while (consumed < length && !chunked_done(&chunked)) {
		size_t part = length - consumed < piece ? length - consumed : piece, taken = 0;
		char *in = malloc(part), *out = malloc(room > 0 ? room : 1);
		ck_assert(in != NULL && out != NULL);
		memcpy(in, text + consumed, part);
		ssize_t written = chunked_decode(&chunked, in, part, &taken, out, room);
		if (written > 0) {
			memcpy(decoded + decoded_length, out, (size_t)written);
			decoded_length += (size_t)written;
		}
		free(in);
		free(out);
		if (written < 0)
			return (int)written;
		ck_assert_uint_le(taken, part);
		ck_assert_uint_le((size_t)written, room);
		ck_assert(taken > 0 || room == 0);
		consumed += taken;
		if (taken == 0)
			break;
	}
	return chunked_done(&chunked);
}

static int decode(const char *text)
{
	return decode_pieces(text, strlen(text), SIZE_MAX, 4096);
}

static void assert_body(const char *text, const char *expected)
{
	size_t length = strlen(text);
	for (size_t piece = 1; piece <= length; piece++) {
		for (size_t room = 1; room < 12; room += 5) {
			int result = decode_pieces(text, length, piece, room);
			if (result != 1 || consumed != length ||
			    decoded_length != strlen(expected) ||
			    memcmp(decoded, expected, decoded_length) != 0)
				ck_abort_msg("%s in pieces of %zu: %d, %zu bytes taken, '%.*s'",
				             text, piece, result, consumed, (int)decoded_length,
				             decoded);
		}
	}
}

static void assert_refused(const char *text)
{
	ck_assert_msg(decode(text) == -EBADMSG, "%s is taken whole", text);
	ck_assert_msg(decode_pieces(text, strlen(text), 1, 4096) == -EBADMSG,
	              "%s is taken in pieces", text);
}

START_TEST(chunks_are_put_together)
{
	assert_body("0\r\n\r\n", "");
	assert_body("5\r\nhello\r\n0\r\n\r\n", "hello");
	assert_body("5\r\nhello\r\n1\r\n \r\n6\r\nworld!\r\n0\r\n\r\n", "hello world!");
	assert_body("a\r\n0123456789\r\nA\r\n0123456789\r\n000\r\n\r\n", "01234567890123456789");
	assert_body("0000000000000000000000005\r\nhello\r\n0\r\n\r\n", "hello");
	assert_body("4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n");
	assert_body("1c\r\n0123456789012345678901234567\r\n0\r\n\r\n",
	            "0123456789012345678901234567");
}
END_TEST

START_TEST(hex_digits_are_of_both_cases)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	for (int i = 1; digits[i] != '\0'; i++) {
		int size = i < 16 ? i : i - 6;
		char text[64];
		snprintf(text, sizeof(text), "1%c\r\n%.*s\r\n0\r\n\r\n", digits[i], 16 + size,
		         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
		ck_assert_msg(decode(text) == 1, "%s", text);
		ck_assert_uint_eq(decoded_length, 16 + size);
	}
}
END_TEST

START_TEST(what_follows_the_body_is_left_alone)
{
	ck_assert_int_eq(decode("2\r\nhi\r\n0\r\n\r\nGET / HTTP/1.1\r\n"), 1);
	ck_assert_uint_eq(consumed, strlen("2\r\nhi\r\n0\r\n\r\n"));
	size_t taken = 7;
	ck_assert_int_eq(chunked_decode(&chunked, "GET", 3, &taken, decoded, 10), 0);
	ck_assert_uint_eq(taken, 0);
	ck_assert(chunked_done(&chunked));
}
END_TEST

START_TEST(an_unfinished_body_is_not_done)
{
	const char *text = "5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n";
	for (size_t length = 0; length < strlen(text); length++) {
		ck_assert_int_eq(decode_pieces(text, length, SIZE_MAX, 4096), 0);
		ck_assert_uint_eq(consumed, length);
	}
}
END_TEST

START_TEST(without_an_output_the_body_is_thrown_away)
{
	const char *text = "5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n";
	size_t taken;
	chunked = (struct chunked){ 0 };
	ck_assert_int_eq(chunked_decode(&chunked, text, strlen(text), &taken, NULL, 0), 8);
	ck_assert_uint_eq(taken, strlen(text));
	ck_assert(chunked_done(&chunked));
}
END_TEST

START_TEST(a_full_output_stops_before_data_and_not_before_framing)
{
	const char *text = "5\r\nhello\r\n0\r\n\r\n";
	size_t taken;
	chunked = (struct chunked){ 0 };
	ck_assert_int_eq(chunked_decode(&chunked, text, strlen(text), &taken, decoded, 0), 0);
	ck_assert_uint_eq(taken, 3);
	ck_assert_int_eq(chunked.state, CHUNKED_DATA);
	ck_assert_int_eq(chunked_decode(&chunked, text + 3, strlen(text) - 3, &taken, decoded, 5),
	                 5);
	ck_assert_uint_eq(taken, strlen(text) - 3);
	ck_assert(chunked_done(&chunked));
}
END_TEST

START_TEST(the_state_tells_where_the_body_is)
{
	static const struct {
		const char *text;
		enum chunked_state state;
	} cases[] = {
		{ "", CHUNKED_SIZE },
		{ "5", CHUNKED_SIZE },
		{ "5;a=\"b", CHUNKED_SIZE },
		{ "5\r", CHUNKED_SIZE },
		{ "5\r\n", CHUNKED_DATA },
		{ "5\r\nhell", CHUNKED_DATA },
		{ "5\r\nhello", CHUNKED_DATA },
		{ "5\r\nhello\r", CHUNKED_DATA },
		{ "5\r\nhello\r\n", CHUNKED_SIZE },
		{ "0\r\n", CHUNKED_TRAILER },
		{ "0\r\nX", CHUNKED_TRAILER },
		{ "0\r\nX: y\r\n\r", CHUNKED_TRAILER },
		{ "0\r\n\r\n", CHUNKED_DONE },
	};
	for (int i = 0; i < COUNT(cases); i++) {
		decode(cases[i].text);
		ck_assert_msg(chunked.state == cases[i].state, "%s", cases[i].text);
	}
}
END_TEST

START_TEST(bad_sizes_are_refused)
{
	static const char *const sizes[] = {
		"",    "g",     "5g",  "-5",    "+5",  "0x5",  "0X5",  " 5", "5 ",
		"5\t", "\t5",   "\v5", "-1",    "5,5", "\xb2", "five", "5:", "5.",
		"#5",  "5\x7f", "5h",  "\"5\"", "=5",  ";5",   "5'",
	};
	char text[128];
	for (int i = 0; i < COUNT(sizes); i++) {
		snprintf(text, sizeof(text), "%s\r\nhello\r\n0\r\n\r\n", sizes[i]);
		assert_refused(text);
	}
}
END_TEST

START_TEST(sizes_from_2_to_the_63_are_refused)
{
	assert_refused("8000000000000000\r\n");
	assert_refused("ffffffffffffffff\r\n");
	assert_refused("10000000000000000\r\n");
	assert_refused("10000000000000005\r\nhello\r\n0\r\n\r\n");
	assert_refused("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF\r\n");
	ck_assert_int_eq(decode("7fffffffffffffff\r\nhello"), 0);
	ck_assert_uint_eq(decoded_length, 5);
	ck_assert_uint_eq(chunked.left, INT64_MAX - 5);
}
END_TEST

START_TEST(bad_framing_is_refused)
{
	static const char *const texts[] = {
		"5\nhello\r\n0\r\n\r\n", "5\rhello\r\n0\r\n\r\n", "5\r\nhello0\r\n\r\n",
		"5\r\nhello\n0\r\n\r\n", "5\r\nhelloworld\r\n0\r\n\r\n",
		"5\r\nhello\r\r\n0\r\n\r\n", "5\r\nhell\r\n0\r\n\r\n",
		"5\r\nhello\r\n\r\n0\r\n\r\n", "0\n\n", "0\r\n\n", "0\n\r\n", "0\r\n\rx",
		"\r\n0\r\n\r\n", "5\r\nhello\r0\r\n", "5\r\rhello", "\n", "5\r\nhello 0\r\n",
	};
	for (int i = 0; i < COUNT(texts); i++)
		assert_refused(texts[i]);
}
END_TEST

START_TEST(extensions_are_read_and_thrown_away)
{
	static const char *const extensions[] = {
		";a", ";a=b", ";a=b;c=d", ";a=\"b c\"", ";a=\"\"", ";a=\"b\\\"c\\\\\"",
		";a=\";=:,()\"", " ;a", "\t; \ta", ";a =b", ";a= b", ";a \t=\t b ;c",
		";a=b ; c", ";5=5", ";a=\"\tb\"", ";a=\"\xc3\xbc\"",
		";!#$%&'*+-.^_`|~=!#$%&'*+-.^_`|~", ";a=\"b\" ;c", ";a=\"\\a\\ \\\xff\"",
		";a=\"@[]{}/?<>\"", ";abcdefABCDEF09ghGHzZ=ghGHzZaA09",
	};
	char text[128];
	for (int i = 0; i < COUNT(extensions); i++) {
		snprintf(text, sizeof(text), "5%s\r\nhello\r\n0%s\r\n\r\n", extensions[i],
		         extensions[i]);
		assert_body(text, "hello");
	}
}
END_TEST

START_TEST(bad_extensions_are_refused)
{
	static const char *const extensions[] = {
		";",           ";;",          "; ",      ";=",          ";=b",
		";a=",         ";a=;b",       ";a ",     ";a b",        " a",
		";a=b ",       ";a=b c",      ";a=\"b",  ";a=\"b\"c",   ";a=\"b\" ",
		";a==b",       ";a\nb",       ";a\rb",   ";a\x01",      ";a=\"b\nc\"",
		";a=\"b\rc\"", ";a=\"\\\n\"", ";a=\x7f", ";a,b",        ";a=b,c",
		";\"a\"",      ";a:b",        ";a=b:c",  ";a/b",        ";\xc3\xbc",
		";a=\xc3\xbc", ";a\\",        ";a=\\a",  ";a=\"\x01\"", ";a=\"\\\x01\"",
		";a=b\"",
	};
	char text[128];
	for (int i = 0; i < COUNT(extensions); i++) {
		snprintf(text, sizeof(text), "5%s\r\nhello\r\n0\r\n\r\n", extensions[i]);
		assert_refused(text);
	}
}
END_TEST

START_TEST(trailers_are_read_and_thrown_away)
{
	assert_body("2\r\nhi\r\n0\r\nX: y\r\n\r\n", "hi");
	assert_body("0\r\nX:\r\nY:y\r\nZ: a:b;c=\"d\\\", (e) \t\xff\r\n\r\n", "");
	assert_body("0\r\nContent-Length: 50\r\nTransfer-Encoding: chunked\r\nHost: b\r\n\r\n", "");
	assert_body("0\r\n0aF!#$%&'*+-.^_`|~z: y\r\n\r\n", "");
}
END_TEST

START_TEST(bad_trailers_are_refused)
{
	static const char *const trailers[] = {
		"X : y\r\n", " X: y\r\n", "\tX: y\r\n", "X\r\n", "X: y\nZ: z\r\n",
		"X: y\rz\r\n", ": y\r\n", "X: \x01\r\n", "X: y\r\n folded\r\n",
		"X: y\r\n\tfolded\r\n", "X: \x7f\r\n", "X\xc3\xbc: y\r\n", "X\"Y: z\r\n",
		"X;Y: z\r\n", "X=Y: z\r\n", "X/Y: z\r\n", "\n", "X: y\n\r\n", "X: y\r\r\n",
		"X\\: y\r\n",
	};
	char text[128];
	for (int i = 0; i < COUNT(trailers); i++) {
		snprintf(text, sizeof(text), "5\r\nhello\r\n0\r\n%s\r\n", trailers[i]);
		assert_refused(text);
	}
}
END_TEST

START_TEST(a_nul_is_refused_everywhere_but_in_data)
{
	static const char text[] = "5;a=\"b\"\r\nhello\r\n0\r\nX: y\r\n\r\n";
	size_t data = (size_t)(strstr(text, "hello") - text);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		char broken[sizeof(text)];
		memcpy(broken, text, sizeof(text));
		broken[i] = '\0';
		int expected = i >= data && i < data + 5 ? 1 : -EBADMSG;
		ck_assert_msg(decode_pieces(broken, sizeof(text) - 1, SIZE_MAX, 4096) == expected,
		              "NUL at %zu", i);
	}
}
END_TEST

START_TEST(a_failure_is_for_ever)
{
	size_t taken;
	ck_assert_int_eq(decode("5\n"), -EBADMSG);
	ck_assert_int_eq(chunked_decode(&chunked, "0\r\n\r\n", 5, &taken, NULL, 0), -EBADMSG);
	ck_assert_uint_eq(taken, 0);
	ck_assert_int_eq(chunked_decode(&chunked, "", 0, &taken, NULL, 0), -EBADMSG);
	ck_assert(!chunked_done(&chunked));
}
END_TEST

/* start, `count` times the byte, end. */
static int decode_long(const char *start, char byte, size_t count, const char *end)
{
	static char text[32768];
	size_t length = strlen(start);
	memcpy(text, start, length);
	memset(text + length, byte, count);
	strcpy(text + length + count, end);
	return decode(text);
}

START_TEST(a_size_line_is_bounded)
{
	size_t most = CHUNKED_MAX_LINE - strlen("0;\r\n");
	ck_assert_int_eq(decode_long("0;", 'a', most, "\r\n\r\n"), 1);
	ck_assert_int_eq(decode_long("0;", 'a', most + 1, "\r\n\r\n"), -EBADMSG);
	ck_assert_int_eq(decode_long("", '0', CHUNKED_MAX_LINE - 2, "\r\n\r\n"), 1);
	ck_assert_int_eq(decode_long("", '0', CHUNKED_MAX_LINE - 1, "\r\n\r\n"), -EBADMSG);
	/* each line anew */
	ck_assert_int_eq(decode_long("1\r\nx\r\n0;", 'a', most, "\r\n\r\n"), 1);
}
END_TEST

START_TEST(trailers_are_bounded_together)
{
	size_t most = CHUNKED_MAX_TRAILER - strlen("X:\r\n\r\n");
	ck_assert_int_eq(decode_long("0\r\nX:", 'a', most, "\r\n\r\n"), 1);
	ck_assert_int_eq(decode_long("0\r\nX:", 'a', most + 1, "\r\n\r\n"), -EBADMSG);
	ck_assert_int_eq(decode_long("0\r\nX: y\r\nX:", 'a', most, "\r\n\r\n"), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("chunked");
	TCase *test = tcase_create("chunked");
	SRunner *runner = srunner_create(suite);

	tcase_add_test(test, chunks_are_put_together);
	tcase_add_test(test, hex_digits_are_of_both_cases);
	tcase_add_test(test, what_follows_the_body_is_left_alone);
	tcase_add_test(test, an_unfinished_body_is_not_done);
	tcase_add_test(test, without_an_output_the_body_is_thrown_away);
	tcase_add_test(test, a_full_output_stops_before_data_and_not_before_framing);
	tcase_add_test(test, the_state_tells_where_the_body_is);
	tcase_add_test(test, bad_sizes_are_refused);
	tcase_add_test(test, sizes_from_2_to_the_63_are_refused);
	tcase_add_test(test, bad_framing_is_refused);
	tcase_add_test(test, extensions_are_read_and_thrown_away);
	tcase_add_test(test, bad_extensions_are_refused);
	tcase_add_test(test, trailers_are_read_and_thrown_away);
	tcase_add_test(test, bad_trailers_are_refused);
	tcase_add_test(test, a_nul_is_refused_everywhere_but_in_data);
	tcase_add_test(test, a_failure_is_for_ever);
	tcase_add_test(test, a_size_line_is_bounded);
	tcase_add_test(test, trailers_are_bounded_together);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
