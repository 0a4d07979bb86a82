/* SPDX-License-Identifier: BSD-2-Clause */
/* The worker's side of the access log, with a provider that does what a test tells it. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access_log.h"
#include "core.h"
#include "message.h"
#include "program.h"

static const struct program program = { .name = "test", .serves_files = true };

#define STR(text)                                                                                  \
	{                                                                                          \
		(text), sizeof(text) - 1                                                           \
	}

/* What the provider was asked, and what it answers. */
static struct {
	int open_result, write_result, flush_result, reopen_result;
	uint64_t lost;
	int opened, written, flushed, reopened, closed, messages;
	char line[LOG_LINE_MAX];
	char message[LOG_LINE_MAX];
	char text[LOG_LINE_MAX];
	char path[128];
	int fd;
	bool talks; /* sends a message from within write, lost and close */
} provided;

static char file_path[] = "/var/log/test";
static char standard_error[] = "-";
static struct lop_core core;
static struct access_log log_;
static struct log_format *format;
static FILE *said; /* stands in for standard error */
static int terminal;

static void talk(enum lop_log_level level, const char *text, ...)
{
	va_list arguments;

	va_start(arguments, text);
	message_write(&core, &log_, level, text, arguments);
	va_end(arguments);
}

static int provider_open(void *module, const struct lop_log_open *how, void **state)
{
	(void)module;
	*state = &provided;
	provided.opened++;
	provided.fd = how->fd;
	snprintf(provided.path, sizeof(provided.path), "%s", how->path);
	return provided.open_result;
}

static int provider_write(void *state, const struct lop_log_record *record, const char *line,
                          size_t length)
{
	(void)state;
	ck_assert_uint_eq(record->size, sizeof(*record));
	memcpy(provided.line, line, length);
	provided.line[length] = '\0';
	if (provided.talks)
		talk(LOP_LOG_NOTICE, "from within");
	ck_assert_mem_eq(provided.line, line, length); /* the message did not touch it */
	provided.written++;
	return provided.write_result;
}

static void provider_message(void *state, const struct lop_log_message *message)
{
	(void)state;
	provided.messages++;
	memcpy(provided.message, message->line.data, message->line.length);
	provided.message[message->line.length] = '\0';
	memcpy(provided.text, message->text.data, message->text.length);
	provided.text[message->text.length] = '\0';
}

static int provider_flush(void *state)
{
	(void)state;
	provided.flushed++;
	return provided.flush_result;
}

static int provider_reopen(void *state, const struct lop_log_open *how)
{
	(void)state;
	provided.reopened++;
	provided.fd = how->fd;
	return provided.reopen_result;
}

static void provider_close(void *state)
{
	(void)state;
	provided.closed++;
	if (provided.talks)
		talk(LOP_LOG_NOTICE, "from within");
}

static uint64_t provider_lost(void *state)
{
	uint64_t lost = provided.lost;

	(void)state;
	provided.lost = 0;
	if (provided.talks)
		talk(LOP_LOG_NOTICE, "from within");
	return lost;
}

static struct lop_log_provider provider = {
	.size = sizeof(provider),
	.open = provider_open,
	.write = provider_write,
	.message = provider_message,
	.flush = provider_flush,
	.reopen = provider_reopen,
	.close = provider_close,
	.lost = provider_lost,
};
static const struct lop_module module = { LOP_MODULE_HEADER("log_test", "1", "", 0),
	                                  .log = &provider };
static struct loaded_module items[] = { { &module, NULL, NULL } };

static const struct lop_log_record record = {
	.size = sizeof(record),
	.status = 200,
	.protocol = 101,
	.remote_address = STR("192.0.2.1"),
	.method = STR("GET"),
	.target = STR("/a\nb"),
};

static void setup(void)
{
	char error[256];

	memset(&provided, 0, sizeof(provided));
	ck_assert_int_eq(
		log_format_new("$remote_addr \"$request\" $status", &format, error, sizeof(error)),
		0);
	core = (struct lop_core){
		.program = &program,
		.foreground = true,
		.modules = { items, 1 },
		.log = { .path = file_path, .many = true, .folder = -1 },
		.log_format = format,
	};
	said = tmpfile();
	terminal = dup(STDERR_FILENO);
	ck_assert(said != NULL && dup2(fileno(said), STDERR_FILENO) >= 0);
}

static void teardown(void)
{
	access_log_close(&log_);
	log_format_free(&format);
	dup2(terminal, STDERR_FILENO);
	close(terminal);
	fclose(said);
}

static void open_log(void)
{
	ck_assert_int_eq(access_log_open(&log_, &core, 3, -1), 0);
}

/* What was said on standard error since the last call. */
static const char *heard(void)
{
	static char text[4096];
	size_t length;

	rewind(said);
	length = fread(text, 1, sizeof(text) - 1, said);
	text[length] = '\0';
	rewind(said);
	ck_assert_int_eq(ftruncate(fileno(said), 0), 0);
	lseek(fileno(said), 0, SEEK_SET);
	return text;
}

START_TEST(a_request_becomes_one_escaped_line)
{
	open_log();
	ck_assert_str_eq(provided.path, "/var/log/test.3");
	ck_assert(!log_.dirty);
	access_log_write(&log_, &record);
	ck_assert_str_eq(provided.line, "192.0.2.1 \"GET /a\\x0Ab HTTP/1.1\" 200\n");
	ck_assert_uint_eq(log_.written, 1);
	ck_assert(log_.dirty);
	access_log_flush(&log_);
	ck_assert_int_eq(provided.flushed, 1);
	ck_assert(!log_.dirty);
	ck_assert_str_eq(heard(), "");
}
END_TEST

START_TEST(refused_lines_are_counted_and_told_once)
{
	open_log();
	provided.write_result = -ENOSPC;
	for (int i = 0; i < 5; i++)
		access_log_write(&log_, &record);
	ck_assert_uint_eq(log_.dropped, 5);
	ck_assert_uint_eq(log_.written, 0);
	ck_assert_int_eq(provided.messages, 1);
	ck_assert_msg(strstr(provided.text, "/var/log/test.3: No space left") != NULL, "%s",
	              provided.text);
	ck_assert_ptr_nonnull(strstr(heard(), "test: access log /var/log/test.3: No space left"));
	provided.flush_result = -ENOSPC;
	access_log_flush(&log_);
	ck_assert(log_.dirty);
	ck_assert_int_eq(provided.messages, 1);

	provided.write_result = provided.flush_result = 0;
	access_log_write(&log_, &record);
	access_log_flush(&log_);
	ck_assert_int_eq(provided.messages, 2);
	ck_assert_msg(strstr(provided.text, "written again: 5 lines were lost") != NULL, "%s",
	              provided.text);
	access_log_flush(&log_);
	ck_assert_int_eq(provided.messages, 2);
}
END_TEST

START_TEST(a_flush_that_leaves_something_is_no_failure_but_comes_again)
{
	open_log();
	access_log_write(&log_, &record);
	provided.flush_result = 1;
	access_log_flush(&log_);
	ck_assert(log_.dirty);
	ck_assert(!log_.failing);
	ck_assert_int_eq(provided.messages, 0);
}
END_TEST

/* One that always has something on its way to a disk. */
START_TEST(a_busy_provider_that_takes_lines_again_has_recovered)
{
	open_log();
	provided.flush_result = 1;
	provided.write_result = -EAGAIN;
	access_log_write(&log_, &record);
	access_log_flush(&log_);
	access_log_flush(&log_); /* nothing was lost, but nothing was taken either */
	ck_assert_uint_eq(log_.reported, 0);
	provided.write_result = 0;
	access_log_write(&log_, &record);
	access_log_flush(&log_);
	ck_assert_uint_eq(log_.reported, 1);
	ck_assert(!log_.failing);
}
END_TEST

START_TEST(lines_lost_after_they_were_taken_are_counted)
{
	open_log();
	for (int i = 0; i < 3; i++)
		access_log_write(&log_, &record);
	provided.lost = 1;
	access_log_flush(&log_);
	ck_assert_uint_eq(log_.written, 2);
	ck_assert_uint_eq(log_.dropped, 1);
	ck_assert_msg(strstr(provided.text, "1 line was lost") != NULL, "%s", provided.text);
}
END_TEST

START_TEST(what_is_lost_at_the_end_is_told)
{
	open_log();
	access_log_write(&log_, &record);
	provided.flush_result = -EIO;
	access_log_close(&log_);
	ck_assert_int_eq(provided.closed, 1);
	ck_assert_ptr_nonnull(strstr(heard(), "its last lines are lost"));
}
END_TEST

START_TEST(a_message_goes_to_the_provider_and_in_the_foreground_to_standard_error)
{
	open_log();
	talk(LOP_LOG_WARNING, "file %s\x1b[2J", "a\nb");
	ck_assert_str_eq(provided.text, "file a\\x0Ab\\x1B[2J");
	ck_assert_str_eq(provided.message + strlen("# 2000-10-10T13:55:36-07:00 "),
	                 "warning: file a\\x0Ab\\x1B[2J\n");
	ck_assert_str_eq(heard(), "test: file a\\x0Ab\\x1B[2J\n");
	core.foreground = false;
	talk(LOP_LOG_ERROR, "in the background");
	ck_assert_str_eq(provided.text, "in the background");
	ck_assert_str_eq(heard(), "");
}
END_TEST

START_TEST(a_message_that_no_provider_takes_goes_to_standard_error)
{
	core.settings.quiet = true;
	open_log();
	talk(LOP_LOG_ERROR, "quiet");
	ck_assert_str_eq(heard(), "test: quiet\n");
	ck_assert_int_eq(provided.opened, 0);
}
END_TEST

START_TEST(a_log_on_standard_error_does_not_say_things_twice)
{
	core.log.path = standard_error;
	open_log();
	talk(LOP_LOG_ERROR, "once");
	ck_assert_int_eq(provided.messages, 0);
	ck_assert_str_eq(heard(), "test: once\n");
}
END_TEST

START_TEST(a_provider_may_send_a_message_while_it_writes)
{
	open_log();
	provided.talks = true;
	access_log_write(&log_, &record);
	ck_assert_int_eq(provided.messages, 0);
	ck_assert_str_eq(heard(), "test: from within\n");
}
END_TEST

/* It may be half gone when it closes. */
START_TEST(a_provider_may_send_a_message_whatever_it_was_called_for)
{
	open_log();
	provided.talks = true;
	access_log_flush(&log_);
	access_log_reopen(&log_, dup(0));
	access_log_close(&log_);
	ck_assert_int_eq(provided.closed, 1);
	ck_assert_int_eq(provided.messages, 0);
	close(provided.fd);
}
END_TEST

START_TEST(a_quiet_server_closes_the_file_and_logs_nothing)
{
	int fd = dup(0);

	core.settings.quiet = true;
	ck_assert_int_eq(access_log_open(&log_, &core, 0, fd), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	access_log_write(&log_, &record);
	access_log_flush(&log_);
	access_log_reopen(&log_, -1);
	ck_assert_int_eq(provided.opened + provided.written + provided.flushed, 0);
}
END_TEST

START_TEST(a_log_that_does_not_open_is_told_and_its_file_closed)
{
	int fd = dup(0);

	provided.open_result = -ENOMEM;
	ck_assert_int_eq(access_log_open(&log_, &core, 0, fd), -ENOMEM);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_ptr_nonnull(strstr(heard(), "log_test"));
}
END_TEST

START_TEST(reopening_hands_the_new_file_over_unless_it_fails)
{
	int fd = dup(0);

	open_log();
	access_log_reopen(&log_, fd);
	ck_assert_int_eq(provided.reopened, 1);
	ck_assert_int_eq(provided.fd, fd);
	ck_assert_int_ne(fcntl(fd, F_GETFD), -1);
	provided.reopen_result = -EIO;
	access_log_reopen(&log_, fd);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_ptr_nonnull(strstr(provided.text, "what was open is still in use"));
	access_log_reopen(&log_, -1); /* there is no new file: the old one stays */
	ck_assert_int_eq(provided.reopened, 2);
}
END_TEST

START_TEST(a_provider_with_the_required_functions_only_is_enough)
{
	const struct lop_log_provider whole = provider;

	provider.message = NULL;
	provider.flush = NULL;
	provider.reopen = NULL;
	provider.lost = NULL;
	open_log();
	provided.write_result = -EIO;
	access_log_write(&log_, &record);
	provided.write_result = 0;
	access_log_flush(&log_);
	access_log_reopen(&log_, dup(0));
	talk(LOP_LOG_ERROR, "hello");
	access_log_close(&log_);
	ck_assert_ptr_nonnull(strstr(heard(), "1 line was lost\ntest: hello\n"));
	provider = whole;
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("access_log");
	TCase *test = tcase_create("access_log");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(test, setup, teardown);
	tcase_add_test(test, a_request_becomes_one_escaped_line);
	tcase_add_test(test, refused_lines_are_counted_and_told_once);
	tcase_add_test(test, a_busy_provider_that_takes_lines_again_has_recovered);
	tcase_add_test(test, a_flush_that_leaves_something_is_no_failure_but_comes_again);
	tcase_add_test(test, lines_lost_after_they_were_taken_are_counted);
	tcase_add_test(test, what_is_lost_at_the_end_is_told);
	tcase_add_test(test,
	               a_message_goes_to_the_provider_and_in_the_foreground_to_standard_error);
	tcase_add_test(test, a_message_that_no_provider_takes_goes_to_standard_error);
	tcase_add_test(test, a_log_on_standard_error_does_not_say_things_twice);
	tcase_add_test(test, a_provider_may_send_a_message_while_it_writes);
	tcase_add_test(test, a_provider_may_send_a_message_whatever_it_was_called_for);
	tcase_add_test(test, a_quiet_server_closes_the_file_and_logs_nothing);
	tcase_add_test(test, a_log_that_does_not_open_is_told_and_its_file_closed);
	tcase_add_test(test, reopening_hands_the_new_file_over_unless_it_fails);
	tcase_add_test(test, a_provider_with_the_required_functions_only_is_enough);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
