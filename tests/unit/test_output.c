/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "output.h"

/* A transport that takes at most `room` bytes and remembers them. */
struct sink {
	char data[400000];
	size_t length;
	size_t room;
	int file_end; /* sendfile says that the file ended */
	unsigned writes;
	int more; /* what the last write was told */
};

static struct sink sink;
static struct output output;

static ssize_t sink_writev(void *state, const struct iovec *vector, int count, int more)
{
	struct sink *to = state;
	size_t taken = 0;

	to->writes++;
	to->more = more;
	for (int i = 0; i < count; i++) {
		size_t length = vector[i].iov_len;

		if (length > to->room)
			length = to->room;
		memcpy(to->data + to->length, vector[i].iov_base, length);
		to->length += length;
		to->room -= length;
		taken += length;
	}
	return taken > 0 ? (ssize_t)taken : LOP_WANT_WRITE;
}

static ssize_t sink_sendfile(void *state, int file, off_t offset, size_t length, int more)
{
	struct sink *to = state;
	ssize_t count;

	to->more = more;
	if (to->file_end)
		return 0;
	if (to->room == 0)
		return LOP_WANT_WRITE;
	if (length > to->room)
		length = to->room;
	count = pread(file, to->data + to->length, length, offset);
	ck_assert_int_ge(count, 0);
	to->length += (size_t)count;
	to->room -= (size_t)count;
	return count;
}

static const struct lop_transport transport = {
	.size = sizeof transport,
	.name = "sink",
	.writev = sink_writev,
	.sendfile = sink_sendfile,
};

static void setup(void)
{
	memset(&sink, 0, sizeof sink);
	sink.room = sizeof sink.data;
	output_init(&output);
}

static struct lop_memory *text(const char *string)
{
	struct lop_memory *memory = lop_memory_new(strlen(string));

	memcpy(memory->data, string, strlen(string));
	return memory;
}

static struct lop_file *file(const char *string)
{
	char path[] = "/tmp/lop-output-XXXXXX";
	int descriptor = mkstemp(path);
	struct lop_file *made;

	ck_assert_int_ge(descriptor, 0);
	unlink(path);
	ck_assert_int_eq(write(descriptor, string, strlen(string)), (int)strlen(string));
	ck_assert_int_eq(lop_file_adopt(descriptor, &made), 0);
	return made;
}

static struct lop_file *large_file(size_t size)
{
	char *text_of_it = malloc(size + 1);
	struct lop_file *made;

	ck_assert_ptr_nonnull(text_of_it);
	for (size_t i = 0; i < size; i++)
		text_of_it[i] = (char)('a' + i % 26);
	text_of_it[size] = '\0';
	made = file(text_of_it);
	free(text_of_it);
	return made;
}

START_TEST(memory_goes_out_in_one_write)
{
	struct lop_memory *a = text("hello ");
	struct lop_memory *b = text("world");

	output_memory(&output, a, 0, 6);
	output_memory(&output, b, 1, 4);
	output_memory(&output, b, 0, 0);
	ck_assert_int_eq(output.bytes, 10);
	ck_assert_int_eq(output_flush(&output, &transport, &sink, 1), 1);
	ck_assert_uint_eq(sink.writes, 1);
	ck_assert_int_eq(sink.more, 0);
	ck_assert_int_eq(memcmp(sink.data, "hello orld", 10), 0);
	ck_assert_uint_eq(a->references, 1);
	ck_assert_uint_eq(b->references, 1);
	memory_release(&a);
	memory_release(&b);
}
END_TEST

START_TEST(a_short_write_goes_on_where_it_stopped)
{
	struct lop_memory *a = text("abcdef");

	output_memory(&output, a, 0, 6);
	memory_release(&a);
	for (int i = 0; i < 5; i++) {
		sink.room = 1;
		ck_assert_int_eq(output_flush(&output, &transport, &sink, 100), LOP_WANT_WRITE);
	}
	sink.room = 1;
	ck_assert_int_eq(output_flush(&output, &transport, &sink, 100), 1);
	ck_assert_int_eq(memcmp(sink.data, "abcdef", 6), 0);
	ck_assert_int_eq(output.bytes, 0);
	ck_assert_uint_eq(output.sent, 6);
}
END_TEST

/* Of the 300000 bytes that are in it, and a few: when the last part goes, and not before. */
static void check_that_the_end_is_told(void)
{
	output.ends = true;
	ck_assert_int_eq(output_flush(&output, &transport, &sink, 100000), 0);
	ck_assert_int_eq(sink.more, LOP_MORE_DATA);
	ck_assert_int_eq(output_flush(&output, &transport, &sink, 300000), 1);
	ck_assert_int_eq(sink.more, LOP_MORE_END);
}

START_TEST(what_is_last_is_told_that_the_end_follows)
{
	struct lop_memory *long_one = lop_memory_new(300000), *last = text("last");

	memset(long_one->data, 'x', 300000);
	output_memory(&output, long_one, 0, 300000);
	output_memory(&output, last, 0, 4);
	memory_release(&long_one);
	memory_release(&last);
	check_that_the_end_is_told();
}
END_TEST

START_TEST(so_is_the_last_part_of_a_file)
{
	struct lop_file *body = large_file(300000);

	output_file(&output, body, 0, 300000);
	lop_file_release(&body);
	check_that_the_end_is_told();
}
END_TEST

START_TEST(a_head_before_a_file_is_told_that_more_follows)
{
	struct lop_memory *head = text("head");
	struct lop_file *body = file("0123456789");

	output_memory(&output, head, 0, 4);
	output_file(&output, body, 2, 5);
	memory_release(&head);
	lop_file_release(&body);
	ck_assert_int_eq(output_flush(&output, &transport, &sink, 4), 0);
	ck_assert_int_eq(sink.more, LOP_MORE_DATA);
	ck_assert_int_eq(output_flush(&output, &transport, &sink, 100), 1);
	ck_assert_int_eq(memcmp(sink.data, "head23456", 9), 0);
}
END_TEST

START_TEST(a_file_is_cut_at_the_quantum)
{
	struct lop_file *body = large_file(300000);

	output_file(&output, body, 0, 300000);
	lop_file_release(&body);
	ck_assert_int_eq(output_flush(&output, &transport, &sink, 100000), 0);
	ck_assert_uint_eq(sink.length, 100000);
	ck_assert_int_eq(output_flush(&output, &transport, &sink, 300000), 1);
	ck_assert_uint_eq(sink.length, 300000);
	for (size_t i = 0; i < 300000; i++)
		ck_assert_int_eq(sink.data[i], (char)('a' + i % 26));
}
END_TEST

START_TEST(long_memory_is_cut_at_the_quantum_and_short_memory_is_not)
{
	struct lop_memory *body = lop_memory_new(300000), *end = text("end");

	memset(body->data, 'x', 300000);
	output_memory(&output, end, 0, 3);
	output_memory(&output, body, 0, 300000);
	output_memory(&output, end, 0, 3);
	memory_release(&body);
	memory_release(&end);
	ck_assert_int_eq(output_flush(&output, &transport, &sink, 100000), 0);
	ck_assert_uint_eq(sink.length, 100000);
	ck_assert_int_eq(sink.more, LOP_MORE_DATA);
	ck_assert_int_eq(output_flush(&output, &transport, &sink, 0), 0);
	ck_assert_uint_eq(sink.length, 100000);
	ck_assert_int_eq(output_flush(&output, &transport, &sink, 190000), 1);
	ck_assert_uint_eq(sink.length, 300006);
	ck_assert_int_eq(sink.more, 0);
	ck_assert_int_eq(memcmp(sink.data, "endxx", 5), 0);
	ck_assert_int_eq(memcmp(sink.data + 300000, "xxxend", 6), 0);
}
END_TEST

START_TEST(a_short_rest_goes_along)
{
	struct lop_file *body = large_file(110000);

	output_file(&output, body, 0, 110000);
	lop_file_release(&body);
	ck_assert_int_eq(output_flush(&output, &transport, &sink, 100000), 1);
	ck_assert_uint_eq(sink.length, 110000);
}
END_TEST

START_TEST(a_file_that_ends_early_is_an_error)
{
	struct lop_file *body = file("0123456789");

	output_file(&output, body, 0, 10);
	lop_file_release(&body);
	sink.file_end = 1;
	ck_assert_int_eq(output_flush(&output, &transport, &sink, 100), -ENODATA);
	output_clear(&output);
	ck_assert(output_empty(&output));
}
END_TEST

START_TEST(the_queue_goes_round_without_loss)
{
	struct lop_memory *one = text("x");

	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 7; i++)
			output_memory(&output, one, 0, 1);
		ck_assert_uint_eq(output_room(&output), OUTPUT_SEGMENTS - 7);
		ck_assert_int_eq(output_flush(&output, &transport, &sink, 100), 1);
	}
	ck_assert_uint_eq(sink.length, 35);
	ck_assert_uint_eq(one->references, 1);
	memory_release(&one);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("output");
	TCase *test = tcase_create("output");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(test, setup, NULL);
	tcase_add_test(test, memory_goes_out_in_one_write);
	tcase_add_test(test, a_short_write_goes_on_where_it_stopped);
	tcase_add_test(test, what_is_last_is_told_that_the_end_follows);
	tcase_add_test(test, so_is_the_last_part_of_a_file);
	tcase_add_test(test, a_head_before_a_file_is_told_that_more_follows);
	tcase_add_test(test, a_file_is_cut_at_the_quantum);
	tcase_add_test(test, long_memory_is_cut_at_the_quantum_and_short_memory_is_not);
	tcase_add_test(test, a_short_rest_goes_along);
	tcase_add_test(test, a_file_that_ends_early_is_an_error);
	tcase_add_test(test, the_queue_goes_round_without_loss);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
