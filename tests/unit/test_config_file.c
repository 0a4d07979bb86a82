/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The form of the config file.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_file.h"

static char seen[4096];

/* Writes "name=<value>" or "name" for each line, and "name=<value><value>" for several. */
static int note(void *context, const char *name, char *const *values, size_t count, char *error,
                size_t error_size)
{
	(void)context;
	if (strcmp(name, "bad") == 0) {
		snprintf(error, error_size, "this is bad");
		return -EDOM;
	}
	strcat(seen, name);
	for (size_t i = 0; i < count; i++)
		snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%s<%s>",
		         i == 0 ? "=" : "", values[i]);
	strcat(seen, ";");
	return 0;
}

static const struct {
	const char *text;
	const char *seen;
} good[] = {
	{ "", "" },
	{ "\n\n  \n\t\n", "" },
	{ "# port 80\n   # more\n#", "" },
	{ "port 80", "port=<80>;" },
	{ "port 80\r\nroot /srv\r\n", "port=<80>;root=</srv>;" },
	{ "\xef\xbb\xbfport 80\n", "port=<80>;" },
	{ "  port \t 80  \n", "port=<80>;" },
	{ "quiet\nquiet # yes\nquiet   ", "quiet;quiet;quiet;" },
	{ "port 80 # the usual", "port=<80>;" },
	{ "root /srv/#1", "root=</srv/#1>;" },
	{ "root \"/srv/a b\"", "root=</srv/a b>;" },
	{ "root '/srv/a #1'   # one", "root=</srv/a #1>;" },
	{ "x \"a\\\"b\\\\c\\d\"", "x=<a\"b\\cd>;" },
	{ "x 'a\\\"b'", "x=<a\\\"b>;" },
	{ "x \"\"", "x=<>;" },
	{ "x a\\ b", "x=<a\\><b>;" },
	{ "x a\"b", "x=<a\"b>;" },
	{ "log-format '$remote_addr \"$request\"'", "log-format=<$remote_addr \"$request\">;" },
	{ "x =y", "x=<=y>;" },
	{ "port 80 81", "port=<80><81>;" },
	{ "map /a http://h#8080/ # old", "map=</a><http://h#8080/>;" },
	{ "x \"a b\" 'c' d\t#e", "x=<a b><c><d>;" },
	{ "x a =", "x=<a><=>;" },
};

static const struct {
	const char *text;
	const char *error;
} bad[] = {
	{ "\n\nport = 80", "file:3: write 'name value'" },
	{ "port=80", "file:1: a line begins" },
	{ "--port 80", "file:1: a line begins" },
	{ "-p 80", "file:1: a line begins" },
	{ "Port 80", "file:1: a line begins" },
	{ "x \"open", "file:1: a quote is not closed" },
	{ "x \"open\\", "file:1: a quote is not closed" },
	{ "x \"open\\\"", "file:1: a quote is not closed" },
	{ "x 'open\ny'", "file:1: a quote is not closed" },
	{ "x \"a\"b", "file:1: text follows" },
	{ "x a \"b\"c", "file:1: text follows" },
	{ "x a 'b", "file:1: a quote is not closed" },
	{ "ok 1\nbad 2\nbad 3", "file:2: this is bad" },
};

static int parse(const char *text, size_t length, char *error, size_t size)
{
	char *exact = malloc(length + 1);
	int result;

	/* Nothing behind the text may be read. */
	ck_assert_ptr_nonnull(exact);
	memcpy(exact, text, length);
	exact[length] = 'x';
	seen[0] = error[0] = '\0';
	result = config_parse(exact, length, "file", note, NULL, error, size);
	free(exact);
	return result;
}

START_TEST(lines_are_read)
{
	char error[512];
	int result = parse(good[_i].text, strlen(good[_i].text), error, sizeof(error));

	if (good[_i].seen == NULL) {
		ck_assert_int_eq(result, -EINVAL);
		return;
	}
	ck_assert_msg(result == 0, "%s: %s", good[_i].text, error);
	ck_assert_str_eq(seen, good[_i].seen);
}
END_TEST

START_TEST(complaints_name_file_and_line)
{
	char error[512];
	int result = parse(bad[_i].text, strlen(bad[_i].text), error, sizeof(error));

	ck_assert_int_lt(result, 0);
	ck_assert_msg(strncmp(error, bad[_i].error, strlen(bad[_i].error)) == 0, "%s: %s",
	              bad[_i].text, error);
	ck_assert_ptr_null(strchr(error, '\n'));
}
END_TEST

START_TEST(a_nul_byte_is_refused)
{
	char error[512];

	ck_assert_int_eq(parse("a 1\nport 8\0000\n", 14, error, sizeof(error)), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "file:2: a NUL byte"));
}
END_TEST

START_TEST(files_are_read_whole)
{
	char path[] = "/tmp/lophttpd-config.XXXXXX", error[512] = "", *text;
	int descriptor = mkstemp(path);
	size_t length;

	ck_assert_int_ge(descriptor, 0);
	ck_assert_int_eq(write(descriptor, "port 80\n", 8), 8);
	ck_assert_int_eq(config_read(path, &text, &length, error, sizeof(error)), 0);
	ck_assert_uint_eq(length, 8);
	ck_assert_int_eq(memcmp(text, "port 80\n", 8), 0);
	free(text);
	ck_assert_int_eq(ftruncate(descriptor, (off_t)CONFIG_SIZE_MAX), 0);
	ck_assert_int_eq(config_read(path, &text, &length, error, sizeof(error)), -EFBIG);
	ck_assert_ptr_null(text);
	close(descriptor);
	unlink(path);
	ck_assert_int_eq(config_read(path, &text, &length, error, sizeof(error)), -ENOENT);
	ck_assert_ptr_nonnull(strstr(error, path));
	ck_assert_int_eq(config_read("/", &text, &length, error, sizeof(error)), -EISDIR);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config_file");
	TCase *test = tcase_create("config_file");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(test, lines_are_read, 0, (int)(sizeof(good) / sizeof(good[0])));
	tcase_add_loop_test(test, complaints_name_file_and_line, 0,
	                    (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(test, a_nul_byte_is_refused);
	tcase_add_test(test, files_are_read_whole);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
