/* SPDX-License-Identifier: BSD-2-Clause */
/* The module log_file: what is in the file when the disk, the reader or a rotation is unkind. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core.h"
#include "modules.h"

static struct lop_core core;
static char folder[64];
static char path[128], old_path[128];
static const struct lop_log_provider *provider;
static void *module_state;
static void *state;
static char content[32 << 20];

/* The module is loaded from a folder of our own, since the build's may be writable by others. */
static void setup(void)
{
	const char *built = getenv("LOPHTTPD_MODULE_PATH");
	char command[PATH_MAX + 100], error[512];

	umask(022);
	memset(&core, 0, sizeof(core));
	strcpy(folder, "/tmp/lophttpd-log.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(command, sizeof(command), "cp '%s/log_file.so' '%s/'",
	         built == NULL ? "modules/.libs" : built, folder);
	ck_assert_msg(system(command) == 0, "%s", command);
	setenv("LOPHTTPD_MODULE_PATH", folder, 1);
	ck_assert_msg(modules_load(&core, "log_file", error, sizeof(error)) == 0, "%s", error);
	provider = core.modules.items[0].module->log;
	module_state = core.modules.items[0].state;
	snprintf(path, sizeof(path), "%s/log", folder);
	snprintf(old_path, sizeof(old_path), "%s/log.1", folder);
	state = NULL;
}

static void teardown(void)
{
	char command[PATH_MAX];

	if (state != NULL)
		provider->close(state);
	modules_fini(&core);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static struct lop_log_open how_of(int fd)
{
	return (struct lop_log_open){ .size = sizeof(struct lop_log_open), .fd = fd, .path = path };
}

static int open_file(void)
{
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0640);
}

static void open_log(int fd)
{
	const struct lop_log_open how = how_of(fd);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(provider->open(module_state, &how, &state), 0);
}

static int write_line(int number)
{
	char line[64];
	int length = snprintf(line, sizeof(line), "line %06d, and some more text in it\n", number);

	return provider->write(state, NULL, line, (size_t)length);
}

/* A thread writes: flushes until that has ended. */
static int settle(void)
{
	const struct timespec step = { .tv_nsec = 1000000 };
	int result;

	while ((result = provider->flush(state)) > 0)
		nanosleep(&step, NULL);
	return result;
}

/* The same after a failure, which is told until a write has ended well. */
static void recover(void)
{
	const struct timespec step = { .tv_nsec = 1000000 };

	while (provider->flush(state) != 0)
		nanosleep(&step, NULL);
}

static const char *read_file(const char *name)
{
	FILE *file = fopen(name, "r");
	size_t length;

	ck_assert_ptr_nonnull(file);
	length = fread(content, 1, sizeof(content) - 1, file);
	fclose(file);
	content[length] = '\0';
	return content;
}

/* How many lines there are; each must be whole, and the numbers rise. */
static int count_lines(const char *text)
{
	int count = 0, number, last = -1;

	for (; *text != '\0'; text = strchr(text, '\n') + 1) {
		number = strncmp(text, "line ", 5) == 0 ? atoi(text + 5) : -1;
		if (strchr(text, '\n') == NULL || number <= last)
			ck_abort_msg("after line %d: %.60s", last, text);
		last = number;
		count++;
	}
	return count;
}

START_TEST(lines_wait_for_the_flush)
{
	open_log(open_file());
	write_line(1);
	write_line(2);
	ck_assert_str_eq(read_file(path), "");
	ck_assert_int_eq(settle(), 0);
	ck_assert_int_eq(count_lines(read_file(path)), 2);
	ck_assert_int_eq(settle(), 0);
}
END_TEST

START_TEST(a_full_buffer_is_written_and_order_is_kept)
{
	struct stat st = { .st_size = 0 };
	int count;

	open_log(open_file());
	for (count = 0; st.st_size < 10 * 64 * 1024; count++) {
		if (write_line(count) != 0)
			ck_abort_msg("line %d", count);
		if (count % 1000 == 0 && stat(path, &st) < 0)
			ck_abort_msg("stat");
	}
	provider->close(state);
	state = NULL;
	ck_assert_int_eq(count_lines(read_file(path)), count);
}
END_TEST

START_TEST(a_message_is_a_line_of_the_log)
{
	const struct lop_log_message message = {
		.size = sizeof(message),
		.level = LOP_LOG_ERROR,
		.line = { "# error: text\n", 14 },
	};

	open_log(open_file());
	provider->message(state, &message);
	ck_assert_int_eq(settle(), 0);
	ck_assert_str_eq(read_file(path), "# error: text\n");
}
END_TEST

START_TEST(a_rotation_loses_no_line)
{
	struct lop_log_open how;

	open_log(open_file());
	write_line(1);
	write_line(2);
	ck_assert_int_eq(rename(path, old_path), 0);
	write_line(3); /* between the renaming and the signal */
	how = how_of(open_file());
	ck_assert_int_eq(provider->reopen(state, &how), 0);
	write_line(4);
	ck_assert_int_eq(settle(), 0);
	ck_assert_int_eq(count_lines(read_file(old_path)), 3);
	ck_assert_int_eq(count_lines(read_file(path)), 1);
	ck_assert_uint_eq(provider->lost(state), 0);
}
END_TEST

static void limit_files(rlim_t size)
{
	const struct rlimit limit = { size, RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
		ck_abort_msg("setrlimit");
}

/* Whether it ends with a whole line. What a write tears is taken back when the log sees its end. */
static bool is_whole(const char *name)
{
	const char *text = read_file(name);

	return *text == '\0' || text[strlen(text) - 1] == '\n';
}

/* A limit on the file's size stands in for a full disk: both take a part of a line. Check's own
 * files are limited too, so that assertions must be few meanwhile. */
START_TEST(a_full_disk_leaves_whole_lines_and_is_survived)
{
	int taken = 0, refused = 0;
	size_t length;

	limit_files(100001);
	open_log(open_file());
	for (int i = 0; i < 500000; i++)
		write_line(i) == 0 ? taken++ : refused++;
	ck_assert_int_gt(refused, 0);
	do
		ck_assert_int_lt(settle(), 0);
	while (!is_whole(path));
	length = strlen(read_file(path));
	ck_assert_uint_le(length, 100001);
	ck_assert_uint_gt(length, 100001 - 64);
	count_lines(content);
	ck_assert_int_lt(write_line(500000), 0);

	limit_files(RLIM_INFINITY);
	recover();
	ck_assert_int_eq(write_line(500001), 0);
	ck_assert_int_eq(settle(), 0);
	ck_assert_int_eq(count_lines(read_file(path)), taken + 1);
	ck_assert_uint_eq(provider->lost(state), 0);
}
END_TEST

START_TEST(a_full_disk_is_tried_once_a_flush_not_once_a_line)
{

	open_log(open_file());
	limit_files(0);
	while (write_line(1) == 0)
		;
	limit_files(RLIM_INFINITY); /* there is room again: a line alone does not find out */
	for (int i = 0; i < 100; i++)
		ck_assert_int_lt(write_line(2), 0);
	recover();
	ck_assert_int_eq(write_line(3), 0);
}
END_TEST

START_TEST(a_rotation_moves_on_from_a_full_disk)
{
	struct lop_log_open how;
	int taken = 0;

	limit_files(100001);
	open_log(open_file());
	for (int i = 0; i < 4000; i++)
		taken += write_line(i) == 0;
	do
		ck_assert_int_lt(settle(), 0);
	while (!is_whole(path));
	ck_assert_int_eq(rename(path, old_path), 0);
	how = how_of(open_file());
	ck_assert_int_eq(provider->reopen(state, &how), 0);
	ck_assert_int_eq(settle(), 0);
	taken -= count_lines(read_file(old_path));
	ck_assert_int_eq(count_lines(read_file(path)), taken);
}
END_TEST

/* Reads what is there; returns the bytes. */
static size_t drain(int fd, char *out)
{
	size_t used = 0;
	ssize_t count;

	while ((count = read(fd, out + used, 4096)) > 0)
		used += (size_t)count;
	out[used] = '\0';
	return used;
}

/* The writing end blocks, as standard error may: the log must not. */
START_TEST(a_pipe_that_nobody_reads_never_blocks)
{
	int pair[2], taken = 0, refused = 0;
	size_t length;

	ck_assert_int_eq(pipe(pair), 0);
	ck_assert_int_eq(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	open_log(pair[1]);
	for (int i = 0; i < 20000; i++)
		write_line(i) == 0 ? taken++ : refused++;
	ck_assert_int_gt(refused, 0);
	ck_assert_int_gt(provider->flush(state), 0); /* something is left, and that is no error */
	length = drain(pair[0], content);
	while (provider->flush(state) > 0)
		length += drain(pair[0], content + length);
	drain(pair[0], content + length);
	ck_assert_int_eq(count_lines(content), taken);
	ck_assert_uint_eq(provider->lost(state), 0);
	close(pair[0]);
}
END_TEST

START_TEST(a_pipe_whose_reader_has_gone_is_an_error)
{
	int pair[2];

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe(pair), 0);
	open_log(pair[1]);
	close(pair[0]);
	write_line(1);
	ck_assert_int_eq(provider->flush(state), -EPIPE);
}
END_TEST

/* The reader has half a line, and the rest of it must not begin the next file. */
START_TEST(the_rest_of_a_line_does_not_begin_a_new_file)
{
	struct lop_log_open how;
	static char line[12000];
	int pair[2];

	ck_assert_int_eq(pipe(pair), 0);
	ck_assert_int_eq(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	open_log(pair[1]);
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	while (provider->flush(state) == 0)
		ck_assert_int_eq(provider->write(state, NULL, line, sizeof(line)), 0);
	write_line(1);
	how = how_of(open_file());
	ck_assert_int_eq(provider->reopen(state, &how), 0);
	ck_assert_int_eq(settle(), 0);
	ck_assert_int_eq(count_lines(read_file(path)), 1);
	ck_assert_uint_eq(provider->lost(state), 1);
	ck_assert_uint_eq(provider->lost(state), 0);
	close(pair[0]);
}
END_TEST

START_TEST(the_buffer_can_be_sized)
{
	const struct lop_option *option = core.modules.items[0].module->options;
	static const char *const bad[] = { "",    "x",   "31",  "65537",
		                           "64k", "-64", "1e3", "99999999999999999999" };
	char error[128];

	ck_assert_str_eq(option->name, "log-buffer");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		error[0] = '\0';
		ck_assert_int_eq(option->set(module_state, bad[i], error, sizeof(error)), -EINVAL);
		ck_assert_ptr_nonnull(strstr(error, "32 to 65536"));
	}
	ck_assert_int_eq(option->set(module_state, "1024", error, sizeof(error)), 0);
	open_log(open_file());
	for (int i = 0; i < 20000; i++)
		write_line(i);
	ck_assert_uint_eq(strlen(read_file(path)), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log_file");
	TCase *test = tcase_create("log_file");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(test, setup, teardown);
	tcase_add_test(test, lines_wait_for_the_flush);
	tcase_add_test(test, a_full_buffer_is_written_and_order_is_kept);
	tcase_add_test(test, a_message_is_a_line_of_the_log);
	tcase_add_test(test, a_rotation_loses_no_line);
	tcase_add_test(test, a_full_disk_leaves_whole_lines_and_is_survived);
	tcase_add_test(test, a_full_disk_is_tried_once_a_flush_not_once_a_line);
	tcase_add_test(test, a_rotation_moves_on_from_a_full_disk);
	tcase_add_test(test, a_pipe_that_nobody_reads_never_blocks);
	tcase_add_test(test, a_pipe_whose_reader_has_gone_is_an_error);
	tcase_add_test(test, the_rest_of_a_line_does_not_begin_a_new_file);
	tcase_add_test(test, the_buffer_can_be_sized);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
