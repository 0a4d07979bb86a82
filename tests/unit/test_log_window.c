/* SPDX-License-Identifier: BSD-2-Clause */
/* The window of the module log_mmap: where lines end after a crash, and what is written to. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../modules/log_window.h"

#define MIB ((off_t)1 << 20)

static char path[64];
static int fd;

static void setup(void)
{
	strcpy(path, "/tmp/lophttpd-window.XXXXXX");
	fd = mkostemp(path, O_APPEND);
	ck_assert_int_ge(fd, 0);
}

static void teardown(void)
{
	close(fd);
	unlink(path);
}

static off_t size(void)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return st.st_size;
}

/* A file of these bytes and then so many NULs. */
static void fill(const char *text, size_t length, off_t zeros)
{
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(write(fd, text, length), (ssize_t)length);
	ck_assert_int_eq(ftruncate(fd, (off_t)length + zeros), 0);
}

START_TEST(lines_end_before_the_padding)
{
	static const struct {
		const char *text;
		size_t length;
		off_t zeros, end;
		bool complete;
	} cases[] = {
		{ "", 0, 0, 0, true },
		{ "", 0, 3 << 20, 0, true },
		{ "one\ntwo\n", 8, 0, 8, true },
		{ "one\ntwo\n", 8, 100, 8, true },
		{ "one\ntwo\n", 8, 3 << 20, 8, true },
		{ "one\ntw", 6, 0, 6, false },      /* nobody crashed: it is somebody's line */
		{ "one\ntw", 6, 100, 4, true },     /* the beginning of a line */
		{ "one\nt\0o\n", 8, 100, 4, true }, /* its two ends */
		{ "one\n\0\0o\n", 8, 100, 4, true },
		{ "tw", 2, 100, 0, true },
		{ "\n", 1, 5, 1, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool complete = !cases[i].complete;

		fill(cases[i].text, cases[i].length, cases[i].zeros);
		ck_assert_msg(log_window_find_end(fd, &complete) == cases[i].end, "case %zu", i);
		ck_assert_msg(complete == cases[i].complete, "case %zu", i);
	}
}
END_TEST

START_TEST(what_is_longer_than_a_line_is_not_taken_away)
{
	static char text[40000];
	bool complete;

	memset(text, 'x', sizeof(text));
	fill(text, sizeof(text), 10);
	ck_assert_int_eq(log_window_find_end(fd, &complete), (off_t)sizeof(text));
	ck_assert(!complete);
}
END_TEST

/* Room for so many bytes. */
static void prepare(struct log_window *window, ptrdiff_t length)
{
	char *to = length < window->to - window->at ? window->at + length : window->to;

	ck_assert_int_eq(log_window_extend(window, to), 0);
	ck_assert(window->end >= to);
	log_window_touch(window->at, to);
}

START_TEST(a_window_slides_over_the_file)
{
	struct log_window window, next, old;
	char line[101];
	off_t position;
	bool complete;

	memset(line, 'x', 100);
	line[99] = '\n';
	fill("first\n", 6, 0);
	ck_assert_int_eq(log_window_open(&window, fd, 6), 0);
	ck_assert_int_eq(size(), 6);
	for (int i = 0; i < 50000; i++) {
		if (window.to - window.at < 100) {
			if (log_window_next(&window, &next) < 0)
				ck_abort_msg("line %d", i);
			log_window_slide(&window, &next, &old);
			log_window_close(&old);
		}
		if (window.end - window.at < 100)
			prepare(&window, 100000);
		memcpy(window.at, line, 100);
		window.at += 100;
	}
	position = log_window_position(&window);
	ck_assert_int_eq(position, 6 + 50000 * 100);
	ck_assert_int_eq(size(), window.base + (window.end - window.from));
	ck_assert_int_eq(size() % 65536, 0);
	ck_assert_int_eq(log_window_find_end(fd, &complete), position);
	log_window_close(&window);
	ck_assert_int_eq(log_window_cut(fd, position), 0);
	ck_assert_int_eq(size(), position);
	ck_assert_int_eq(log_window_cut(fd, position + 100), 0); /* makes nothing longer */
	ck_assert_int_eq(size(), position);
}
END_TEST

START_TEST(preparing_keeps_what_is_there_and_has_space_on_the_disk)
{
	struct log_window window;
	struct stat st;

	fill("first\n", 6, 0);
	ck_assert_int_eq(log_window_open(&window, fd, 6), 0);
	prepare(&window, 10);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_size, 65536);
	ck_assert_int_eq(fsync(fd), 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_ge(st.st_blocks * 512, 65536);
	memcpy(window.at, "second\n", 7);
	prepare(&window, 70000);
	ck_assert_int_eq(memcmp(window.from, "first\nsecond\n", 14), 0);
	log_window_close(&window);
}
END_TEST

START_TEST(a_file_that_cannot_grow_is_an_error_and_no_fault)
{
	const struct rlimit most = { .rlim_cur = 100000, .rlim_max = RLIM_INFINITY };
	struct log_window window;

	(void)signal(SIGXFSZ, SIG_IGN);
	log_window_guard();
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &most), 0);
	ck_assert_int_eq(log_window_open(&window, fd, 0), 0);
	prepare(&window, 65536);
	ck_assert_int_eq(log_window_extend(&window, window.at + 131072), -EFBIG);
	ck_assert(!log_window_faulted(&window));
	log_window_close(&window);
	log_window_unguard();
}
END_TEST

START_TEST(a_file_that_was_cut_is_no_fault_of_the_process)
{
	struct log_window window;

	log_window_guard();
	ck_assert_int_eq(log_window_open(&window, fd, 0), 0);
	prepare(&window, 10);
	memcpy(window.at, "one\n", 4);
	ck_assert(!log_window_faulted(&window));
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	memcpy(window.at, "two\n", 4);
	ck_assert(log_window_faulted(&window));
	log_window_close(&window);
	ck_assert_int_eq(size(), 0);
	ck_assert_int_eq(log_window_open(&window, fd, 0), 0);
	ck_assert(!log_window_faulted(&window));
	log_window_close(&window);
	log_window_unguard();
}
END_TEST

START_TEST(a_file_that_was_cut_is_not_made_longer)
{
	struct log_window window;

	log_window_guard();
	ck_assert_int_eq(log_window_open(&window, fd, 0), 0);
	prepare(&window, 65536);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(log_window_extend(&window, window.at + 131072), -ESTALE);
	ck_assert_int_eq(size(), 0);
	ck_assert(!log_window_faulted(&window));
	log_window_close(&window);
	log_window_unguard();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log_window");
	TCase *test = tcase_create("log_window");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(test, setup, teardown);
	tcase_add_test(test, lines_end_before_the_padding);
	tcase_add_test(test, what_is_longer_than_a_line_is_not_taken_away);
	tcase_add_test(test, a_window_slides_over_the_file);
	tcase_add_test(test, preparing_keeps_what_is_there_and_has_space_on_the_disk);
	tcase_add_test(test, a_file_that_cannot_grow_is_an_error_and_no_fault);
	tcase_add_test(test, a_file_that_was_cut_is_no_fault_of_the_process);
	tcase_add_test(test, a_file_that_was_cut_is_not_made_longer);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
