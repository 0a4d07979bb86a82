/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chunks.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static struct chunks chunks;
static char decoded[65536];
static size_t decoded_length;
static size_t consumed;

/* Decodes in pieces, each in memory of its own size. 0 incomplete, 1 ended, or a negative errno. */
static int decode_pieces(const char *text, size_t length, size_t piece)
{
	chunks_clear(&chunks);
	decoded_length = consumed = 0;
	while (consumed < length && !chunks_ended(&chunks)) {
		size_t part = length - consumed < piece ? length - consumed : piece;
		char *data = malloc(part);
		size_t taken = SIZE_MAX;
		ssize_t count;

		ck_assert_ptr_nonnull(data);
		memcpy(data, text + consumed, part);
		count = chunks_decode(&chunks, data, part, &taken);
		if (count > 0) {
			memcpy(decoded + decoded_length, data, (size_t)count);
			decoded_length += (size_t)count;
		}
		free(data);
		if (count < 0)
			return (int)count;
		ck_assert_uint_le(taken, part);
		consumed += taken;
	}
	return chunks_ended(&chunks);
}

static void assert_body(const char *text, const char *body, const char *rest)
{
	for (size_t piece = 1; piece <= strlen(text); piece++) {
		ck_assert_int_eq(decode_pieces(text, strlen(text), piece), 1);
		ck_assert_uint_eq(decoded_length, strlen(body));
		ck_assert_mem_eq(decoded, body, decoded_length);
		ck_assert_str_eq(text + consumed, rest);
	}
}

START_TEST(bodies_are_decoded_in_any_split)
{
	assert_body("0\r\n\r\n", "", "");
	assert_body("5\r\nhello\r\n0\r\n\r\n", "hello", "");
	assert_body("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", "");
	assert_body("00005;a=\"b;c\" ; d\r\nhello\r\n0;x\r\n\r\n", "hello", "");
	assert_body("A\r\n0123456789\r\n0\r\n\r\nHTTP/1.1 200", "0123456789", "HTTP/1.1 200");
	assert_body("1\r\nx\r\n0\r\nA: b\r\nC:d\r\n\r\n", "x", "");
}
END_TEST

static const char *const bad[] = {
	"\r\n", " 5\r\n", "5 \r\n", "5\n", "+5\r\n", "0x5\r\n", "-1\r\n", "g\r\n", "5\r\r\n",
	"5;a\nhello", "5;\x01\r\n", "1\r\nab", "1\r\nx\n", "8000000000000000\r\n",
	"10000000000000000\r\n", "0\r\n x: y\r\n\r\n", "0\r\nx y: z\r\n\r\n", "0\r\n: z\r\n\r\n",
	"0\r\nx\r\n\r\n", "0\r\nx: y\n\r\n", "0\r\nx: \x01\r\n\r\n", "0\r\nx: y\r\n z\r\n\r\n",
	"0\r\n\n",
};

START_TEST(what_is_not_the_coding_is_refused)
{
	const char *text = bad[_i];

	for (size_t piece = 1; piece <= strlen(text); piece++) {
		char more[] = "0";
		size_t taken;

		ck_assert_int_eq(decode_pieces(text, strlen(text), piece), -EBADMSG);
		ck_assert_int_eq(chunks_decode(&chunks, more, 1, &taken), -EBADMSG);
	}
}
END_TEST

START_TEST(an_incomplete_body_is_not_ended)
{
	static const char text[] = "5\r\nhello\r\n0\r\nA: b\r\n\r\n";

	for (size_t length = 1; length < sizeof text - 1; length++)
		ck_assert_int_eq(decode_pieces(text, length, length), 0);
}
END_TEST

START_TEST(trailers_are_kept)
{
	static const char text[] = "0\r\nFirst:  one\t\r\nsecond:\r\n\r\n";
	struct lop_str name;
	struct lop_str value;
	size_t offset = 0;

	ck_assert_int_eq(decode_pieces(text, sizeof text - 1, 3), 1);
	ck_assert_int_eq(chunks_trailer(&chunks, &offset, &name, &value), 1);
	ck_assert_uint_eq(name.length, 5);
	ck_assert_mem_eq(name.data, "First", 5);
	ck_assert_uint_eq(value.length, 3);
	ck_assert_mem_eq(value.data, "one", 3);
	ck_assert_int_eq(chunks_trailer(&chunks, &offset, &name, &value), 1);
	ck_assert_mem_eq(name.data, "second", 6);
	ck_assert_uint_eq(value.length, 0);
	ck_assert_int_eq(chunks_trailer(&chunks, &offset, &name, &value), 0);
}
END_TEST

/* Decodes `count` times the same text; the first result that is not a count. */
static int repeat(const char *text, int count)
{
	int result = 0;

	chunks_clear(&chunks);
	for (int i = 0; i < count && result == 0; i++) {
		char data[16];
		size_t taken;
		ssize_t decoded_now;

		memcpy(data, text, strlen(text));
		decoded_now = chunks_decode(&chunks, data, strlen(text), &taken);
		if (decoded_now < 0)
			result = (int)decoded_now;
	}
	return result;
}

START_TEST(lines_trailers_and_framing_are_bounded)
{
	char start[] = "1;", trailer[] = "0\r\nx:";
	size_t taken;

	ck_assert_int_eq(repeat("1\r\nx\r\n", 100000), 0);
	ck_assert_int_eq(repeat("1;aaaaaaaa\r\nx\r\n", 100000), -EBADMSG);
	chunks_clear(&chunks);
	ck_assert_int_eq(chunks_decode(&chunks, start, 2, &taken), 0);
	for (int i = 0; i < CHUNKS_LINE_MAX; i++)
		(void)chunks_decode(&chunks, (char[]){ 'a' }, 1, &taken);
	ck_assert_int_eq(chunks_decode(&chunks, (char[]){ 'a' }, 1, &taken), -EBADMSG);
	chunks_clear(&chunks);
	ck_assert_int_eq(chunks_decode(&chunks, trailer, 5, &taken), 0);
	for (int i = 0; i < CHUNKS_TRAILER_MAX; i++)
		(void)chunks_decode(&chunks, (char[]){ 'a' }, 1, &taken);
	ck_assert_int_eq(chunks_decode(&chunks, (char[]){ 'a' }, 1, &taken), -EBADMSG);
}
END_TEST

START_TEST(frames_are_written_before_their_data)
{
	static const struct {
		size_t size;
		const char *frame;
	} frames[] = { { 1, "1\r\n" }, { 255, "ff\r\n" }, { 65536, "10000\r\n" } };

	for (int i = 0; i < COUNT(frames); i++) {
		char out[CHUNKS_FRAME_MAX];
		char *begin = chunks_frame(out + sizeof out, frames[i].size);
		size_t length = (size_t)(out + sizeof out - begin);

		ck_assert_uint_eq(length, strlen(frames[i].frame));
		ck_assert_mem_eq(begin, frames[i].frame, length);
	}
}
END_TEST

static void end(void)
{
	chunks_clear(&chunks);
}

int main(void)
{
	Suite *suite = suite_create("chunks");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(all, NULL, end);
	tcase_add_test(all, bodies_are_decoded_in_any_split);
	tcase_add_loop_test(all, what_is_not_the_coding_is_refused, 0, COUNT(bad));
	tcase_add_test(all, an_incomplete_body_is_not_ended);
	tcase_add_test(all, trailers_are_kept);
	tcase_add_test(all, lines_trailers_and_framing_are_bounded);
	tcase_add_test(all, frames_are_written_before_their_data);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
