/* SPDX-License-Identifier: BSD-2-Clause */
/* The module log_mmap and its thread: what is in the file when no more lines come. */
#include "config.h"

#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <lophttpd/log.h>

#include "../../modules/log_ahead.h"
#include "../../modules/log_window.h"

#include "../../modules/log_apart.h"

/* The module's calls come by what is below. */
#undef LOG_APART_H
#define log_apart_start apart_start
#define log_apart_until apart_until
#include "../../modules/log_apart.c"
#undef log_apart_start
#undef log_apart_until

extern const struct lop_module lop_module;

static char path[64];
static int fd;
static void *module_state;
static void *state;

static atomic_bool writer_is_held; /* the disk: a batch does not end */
static atomic_uint waits;          /* of the loop, for a thread */
static atomic_bool threads_fail;   /* to start */
static atomic_bool cut_fails;      /* as where the file system has no room for it */

/* The file, the next time that the thread does so. */
static struct {
	atomic_bool before_a_cut;
	atomic_bool before_zeros;
} somebody_cuts;

static void pause_for(long ms)
{
	const struct timespec time = { .tv_nsec = ms * 1000000 };

	nanosleep(&time, NULL);
}

/* What the modules call */

ssize_t writev(int file, const struct iovec *vectors, int count)
{
	ssize_t (*real)(int, const struct iovec *, int);

	while (writer_is_held)
		pause_for(1);
	*(void **)&real = dlsym(RTLD_NEXT, "writev");
	return real(file, vectors, count);
}

static int cut(int file, off_t size)
{
	int (*real)(int, off_t);

	*(void **)&real = dlsym(RTLD_NEXT, "ftruncate");
	return real(file, size);
}

int ftruncate(int file, off_t size)
{
	if (somebody_cuts.before_a_cut && cut(file, 0) < 0)
		return -1;
	somebody_cuts.before_a_cut = false;
	if (!cut_fails)
		return cut(file, size);
	errno = EPERM;
	return -1;
}

ssize_t pwrite(int file, const void *data, size_t size, off_t position)
{
	ssize_t (*real)(int, const void *, size_t, off_t);

	if (somebody_cuts.before_zeros && size > 0) {
		if (cut(file, 0) < 0)
			return -1;
		somebody_cuts.before_zeros = false;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "pwrite");
	return real(file, data, size, position);
}

int log_apart_start(pthread_t *id, int file, void *(*work)(void *), void *context)
{
	return threads_fail ? -EAGAIN : apart_start(id, file, work, context);
}

struct timespec log_apart_until(long ns)
{
	waits += ns > 0;
	return apart_until(ns);
}

static off_t size_of(int file)
{
	struct stat st;

	ck_assert_int_eq(fstat(file, &st), 0);
	return st.st_size;
}

/* What a process leaves that was killed while it had the file mapped. Returns its size. */
static off_t leave_a_crash(void)
{
	static const char left[] = "line\n\0";

	ck_assert_int_eq(write(fd, left, sizeof(left)), sizeof(left));
	return sizeof(left);
}

static void setup(void)
{
	strcpy(path, "/tmp/lophttpd-mmap.XXXXXX");
	fd = mkostemp(path, O_APPEND);
	ck_assert_int_ge(fd, 0);
}

static void teardown(void)
{
	close(fd);
	unlink(path);
}

static struct log_task done(struct log_ahead *ahead, struct log_task task)
{
	log_ahead_give(ahead, &task);
	while (!log_ahead_take(ahead, 1000000, &task))
		;
	ck_assert_int_eq(task.result, 0);
	return task;
}

/* Has the constants of the program read anew, each with a fault. */
static void forget_constants(void)
{
	static const char constant[] = "constant";
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long from, to;
	char line[512], mode[5];

	if (maps == NULL)
		return;
	while (fgets(line, sizeof(line), maps) != NULL)
		if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) == 3 &&
		    strcmp(mode, "r--p") == 0 && from <= (unsigned long)constant &&
		    (unsigned long)constant < to)
			(void)madvise((void *)from, to - from, MADV_DONTNEED);
	fclose(maps);
}

/* What else is a fault, as the first look at the zeros that are written, does not tell of it. */
START_TEST(only_pages_that_were_written_out_make_the_disk_busy)
{
	struct log_ahead *ahead;
	struct log_window window;
	struct log_task task;

	ck_assert_int_eq(log_ahead_start(&ahead, fd), 0);
	ck_assert_int_eq(log_window_open(&window, fd, 0), 0);
	task = done(ahead, (struct log_task){
				   .kind = LOG_TASK_TOUCH,
				   .window = window,
				   .to = window.at + 1000,
			   });
	task = (struct log_task){ .kind = LOG_TASK_TOUCH,
		                  .window = task.window,
		                  .to = window.at + 70000,
		                  .touched = task.to };
	forget_constants();
	task = done(ahead, task);
	ck_assert(!task.written_out);
	log_ahead_stop(&ahead);
	log_window_close(&window);
}
END_TEST

/* The log in this file. */
static void open_log(void)
{
	struct lop_log_open how = { .size = sizeof(how), .fd = dup(fd), .path = path };

	ck_assert_int_eq(lop_module.init(NULL, &module_state), 0);
	ck_assert_int_eq(lop_module.log->open(module_state, &how, &state), 0);
}

static void close_log(void)
{
	while (lop_module.log->flush(state) > 0)
		pause_for(1);
	lop_module.log->close(state);
	lop_module.fini(module_state);
}

/* Returns whether it is in the file then. */
static bool write_line(off_t position, size_t length)
{
	static char line[16384], found[16384];
	ssize_t count;

	memset(line, 'x', length - 1);
	line[length - 1] = '\n';
	ck_assert_int_eq(lop_module.log->write(state, NULL, line, length), 0);
	count = pread(fd, found, length, position);
	return count == (ssize_t)length && memcmp(line, found, length) == 0;
}

/* The third line needs more room than there is, and comes when the thread has just been asked for
 * more. Where a machine holds the thread up a turn proves nothing. */
START_TEST(a_line_is_in_the_file_although_no_other_comes)
{
	bool in_file = false;

	for (int turn = 0; turn < 20 && !in_file; turn++) {
		ck_assert_int_eq(ftruncate(fd, 0), 0);
		open_log();
		(void)write_line(0, 100);
		(void)write_line(100, 2500);
		in_file = write_line(2600, 16000);
		close_log();
	}
	ck_assert(in_file);
}
END_TEST

/* Also when that comes between two looks at the file. */
START_TEST(a_file_that_is_cut_again_and_again_is_mapped_afterwards)
{
	pid_t child;

	open_log();
	child = fork();
	ck_assert_int_ge(child, 0);
	while (child == 0)
		if (ftruncate(fd, 0) < 0)
			_exit(1);
	for (int i = 0; i < 50000; i++) {
		(void)write_line(0, 1000);
		(void)lop_module.log->flush(state);
	}
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	/* It may have looked like a busy disk, which is left alone for ten seconds. */
	do {
		(void)write_line(0, 100);
		(void)lop_module.log->flush(state);
		pause_for(10);
	} while (size_of(fd) == 0 || size_of(fd) % 65536 != 0);
	close_log();
}
END_TEST

/* Somebody else appends to it, so that it is not mapped. Nobody calls flush. */
START_TEST(a_line_that_is_appended_is_in_the_file_soon)
{
	int other = open(path, O_RDONLY);

	ck_assert_int_ge(other, 0);
	ck_assert_int_eq(flock(other, LOCK_SH | LOCK_NB), 0);
	open_log();
	(void)write_line(0, 100);
	do
		pause_for(1);
	while (size_of(fd) == 0);
	ck_assert_int_eq(size_of(fd), 100);
	close_log();
	close(other);
}
END_TEST

/* HUP, while a line is being written to the file, which is not mapped. Returns the new file, whose
 * path is in next_path. */
static int hang_up_while_the_writer_is_held(char next_path[64])
{
	struct lop_log_open how = { .size = sizeof(how), .path = next_path };
	int other = open(path, O_RDONLY);

	ck_assert_int_ge(other, 0);
	ck_assert_int_eq(flock(other, LOCK_SH | LOCK_NB), 0);
	open_log();
	writer_is_held = true;
	(void)write_line(0, 100);
	strcpy(next_path, "/tmp/lophttpd-mmap.XXXXXX");
	how.fd = mkostemp(next_path, O_APPEND);
	ck_assert_int_ge(how.fd, 0);
	ck_assert_int_eq(lop_module.log->reopen(state, &how), 0);
	close(other);
	other = open(next_path, O_RDONLY);
	ck_assert_int_ge(other, 0);
	return other;
}

START_TEST(no_line_waits_for_the_old_file_after_a_hangup)
{
	char next_path[64];
	int next = hang_up_while_the_writer_is_held(next_path);
	const unsigned before = waits;

	for (int i = 0; i < 100; i++)
		(void)write_line(0, 100);
	ck_assert_uint_eq(waits, before);
	writer_is_held = false;
	close_log();
	close(next);
	unlink(next_path);
}
END_TEST

static void *release(void *context)
{
	(void)context;
	pause_for(300);
	writer_is_held = false;
	return NULL;
}

START_TEST(the_end_waits_for_the_old_file_after_a_hangup)
{
	char next_path[64];
	int next = hang_up_while_the_writer_is_held(next_path);
	pthread_t id;

	(void)write_line(0, 200);
	ck_assert_int_eq(pthread_create(&id, NULL, release, NULL), 0);
	lop_module.log->close(state);
	lop_module.fini(module_state);
	ck_assert_int_eq(pthread_join(id, NULL), 0);
	ck_assert_int_eq(size_of(fd), 100);
	ck_assert_int_eq(size_of(next), 200);
	close(next);
	unlink(next_path);
}
END_TEST

/* The line for which the new file is opened is the first one there. If the thread is late, that file is
 * not mapped yet, and a turn proves nothing. */
START_TEST(lines_keep_their_order_when_the_new_file_is_mapped)
{
	char next_path[64], length[4];

	for (int turn = 0; turn < 20; turn++) {
		int next = hang_up_while_the_writer_is_held(next_path);

		writer_is_held = false;
		do
			pause_for(1);
		while (size_of(fd) == 0);
		pause_for(1);
		(void)write_line(0, 2);
		(void)write_line(0, 3);
		close_log();
		ck_assert_int_eq(pread(next, length, 4, 0), 4);
		ck_assert_int_eq(length[1], '\n');
		close(next);
		unlink(next_path);
		ck_assert_int_eq(ftruncate(fd, 0), 0);
	}
}
END_TEST

/* Until that is the file's size. */
static void wait_for_size(int file, off_t size)
{

	do {
		(void)lop_module.log->flush(state);
		pause_for(1);
	} while (size_of(file) != size);
}

/* Nor when HUP comes. What is left at the end of the old file the next start cuts off. */
START_TEST(nothing_is_written_behind_what_could_not_be_cut_off)
{
	char next_path[64] = "/tmp/lophttpd-mmap.XXXXXX", last;
	int next = mkostemp(next_path, O_APPEND);
	struct lop_log_open how = { .size = sizeof(how), .fd = dup(next), .path = next_path };

	open_log();
	(void)write_line(0, 100);
	cut_fails = true;
	ck_assert_int_eq(lop_module.stage(module_state, LOP_STAGE_DRAIN, NULL), 0);
	while (lop_module.log->flush(state) != -EPERM)
		pause_for(1);
	(void)write_line(0, 200);
	ck_assert_int_eq(lop_module.log->reopen(state, &how), 0);
	cut_fails = false;
	close_log();
	ck_assert_int_eq(pread(fd, &last, 1, size_of(fd) - 1), 1);
	ck_assert_int_eq(last, '\0');
	ck_assert_int_eq(size_of(next), 200);
	close(next);
	unlink(next_path);
}
END_TEST

START_TEST(nothing_is_written_behind_what_a_crash_has_left)
{
	const off_t left = leave_a_crash();

	cut_fails = true;
	open_log();
	(void)write_line(0, 100);
	while (lop_module.log->flush(state) != -EPERM) {
		pause_for(1);
		ck_assert_int_eq(size_of(fd), left);
	}
	cut_fails = false;
	wait_for_size(fd, 105);
	close_log();
}
END_TEST

/* The process that had it mapped was killed, and this one may have no more threads for now. */
START_TEST(nothing_is_written_behind_what_a_crash_has_left_without_a_thread)
{
	const off_t left = leave_a_crash();
	int other = open(path, O_RDONLY);

	ck_assert_int_ge(other, 0);
	ck_assert_int_eq(flock(other, LOCK_EX | LOCK_NB), 0);
	open_log();
	(void)write_line(0, 100);
	close(other);
	threads_fail = true;
	while (lop_module.log->flush(state) != -EAGAIN) {
		pause_for(1);
		ck_assert_int_eq(size_of(fd), left);
	}
	threads_fail = false;
	close_log();
	ck_assert_int_eq(size_of(fd), 105);
}
END_TEST

static void check_text(void)
{
	static char text[1 << 20];
	const ssize_t length = pread(fd, text, sizeof(text), 0);

	ck_assert_int_gt(length, 0);
	ck_assert_ptr_null(memchr(text, '\0', (size_t)length));
}

START_TEST(a_file_that_somebody_else_cuts_just_before_has_no_padding)
{
	open_log();
	(void)write_line(0, 1000);
	somebody_cuts.before_a_cut = true;
	ck_assert_int_eq(lop_module.stage(module_state, LOP_STAGE_DRAIN, NULL), 0);
	(void)write_line(0, 100);
	close_log();
	ck_assert(!somebody_cuts.before_a_cut);
	check_text();
}
END_TEST

START_TEST(a_crashed_file_that_somebody_else_cuts_just_before_has_no_padding)
{

	(void)leave_a_crash();
	somebody_cuts.before_a_cut = true;
	open_log();
	(void)write_line(0, 100);
	close_log();
	ck_assert(!somebody_cuts.before_a_cut);
	check_text();
}
END_TEST

/* The thread appends zeros, to wherever the file ends by then. */
START_TEST(a_file_that_is_cut_just_before_it_is_extended_has_no_padding)
{
	struct log_window window;

	ck_assert_int_eq(log_window_open(&window, fd, 0), 0);
	ck_assert_int_eq(log_window_extend(&window, window.from + 1000), 0);
	somebody_cuts.before_zeros = true;
	ck_assert_int_eq(log_window_extend(&window, window.from + 70000), -ESTALE);
	ck_assert_int_eq(log_window_cut(fd, 70000), 0);
	ck_assert_int_eq(size_of(fd), 0);
	log_window_close(&window);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log_mmap");
	TCase *test = tcase_create("log_mmap");
	SRunner *runner = srunner_create(suite);

	tcase_set_timeout(test, 60);
	tcase_add_checked_fixture(test, setup, teardown);
	tcase_add_test(test, only_pages_that_were_written_out_make_the_disk_busy);
	tcase_add_test(test, a_line_is_in_the_file_although_no_other_comes);
	tcase_add_test(test, a_file_that_is_cut_again_and_again_is_mapped_afterwards);
	tcase_add_test(test, a_line_that_is_appended_is_in_the_file_soon);
	tcase_add_test(test, no_line_waits_for_the_old_file_after_a_hangup);
	tcase_add_test(test, the_end_waits_for_the_old_file_after_a_hangup);
	tcase_add_test(test, lines_keep_their_order_when_the_new_file_is_mapped);
	tcase_add_test(test, nothing_is_written_behind_what_could_not_be_cut_off);
	tcase_add_test(test, nothing_is_written_behind_what_a_crash_has_left);
	tcase_add_test(test, nothing_is_written_behind_what_a_crash_has_left_without_a_thread);
	tcase_add_test(test, a_file_that_somebody_else_cuts_just_before_has_no_padding);
	tcase_add_test(test, a_crashed_file_that_somebody_else_cuts_just_before_has_no_padding);
	tcase_add_test(test, a_file_that_is_cut_just_before_it_is_extended_has_no_padding);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
