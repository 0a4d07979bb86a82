/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line and the config file to settings.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core.h"
#include "options.h"
#include "program.h"

static const struct program program = {
	.name = "lhttpd", .synopsis = "[options]", .summary = "", .serves_files = true
};

static struct lop_core core;
static char error[1024];

/* ---- a module that is loaded already -------------------------------------------------------- */

static char module_saw[512];

static int set_flag(void *state, const char *value, char *text, size_t size)
{
	(void)text;
	(void)size;
	ck_assert_ptr_null(value);
	ck_assert_ptr_eq(state, module_saw);
	strcat(module_saw, "flag;");
	return 0;
}

static int set_url(void *state, const char *value, char *text, size_t size)
{
	(void)state;
	if (strcmp(value, "bad") == 0) {
		snprintf(text, size, "'bad' is no URL");
		return -EINVAL;
	}
	if (strcmp(value, "silent") == 0)
		return -ERANGE;
	strcat(module_saw, value);
	strcat(module_saw, ";");
	return 0;
}

static const struct lop_option module_options[] = {
	LOP_OPTION('i', "list", NULL, "lists folders", set_flag),
	LOP_OPTION('B', "list-base", "URL", "where icons are", set_url),
	LOP_OPTION(0, "list-style", "URL", "a style sheet", set_url),
	LOP_OPTION_END,
};

static const struct lop_module module = {
	LOP_MODULE_HEADER("autoindex", "1.0", "lists", 0),
	.options = module_options,
};

static const struct lop_module other = { LOP_MODULE_HEADER("other", "1.0", "nothing", 0) };

static struct loaded_module loaded[] = {
	{ .module = &other },
	{ .module = &module, .state = module_saw },
};

/* ---- reading -------------------------------------------------------------------------------- */

static void setup(void)
{
	memset(&core, 0, sizeof(core));
	core.program = &program;
	module_saw[0] = '\0';
	/* No module is found, whatever this machine has. */
	setenv("LOPHTTPD_MODULE_PATH", "/nonexistent", 1);
}

static void teardown(void)
{
	options_free(&core.settings);
	free(core.config.path);
	free(core.config.text);
}

/* Blank-separated arguments. */
static int read_line(const char *line)
{
	char *copy = strdup(line), *argv[32] = { NULL }, *rest = NULL;
	int argc = 0, result;

	argv[argc++] = copy + strlen(copy);
	for (char *word = strtok_r(copy, " ", &rest); word != NULL && argc < 31;
	     word = strtok_r(NULL, " ", &rest))
		argv[argc++] = word;
	result = options_read(&core, argc, argv, error, sizeof(error));
	free(copy);
	return result;
}

static void with_module(void)
{
	core.modules.items = loaded;
	core.modules.count = sizeof(loaded) / sizeof(loaded[0]);
}

static void expect_error(const char *line, int result, const char *text)
{
	int got = read_line(line);

	ck_assert_msg(got == result, "%s: %d (%s)", line, got, error);
	ck_assert_msg(strstr(error, text) != NULL, "%s: %s", line, error);
	ck_assert_ptr_null(strchr(error, '\n'));
}

/* ---- values --------------------------------------------------------------------------------- */

static const struct {
	const char *text;
	int64_t value; /* -1: refused */
} sizes[] = {
	{ "0", 0 },
	{ "1", 1 },
	{ "64k", 65536 },
	{ "64K", 65536 },
	{ "1m", 1 << 20 },
	{ "2g", INT64_C(2) << 30 },
	{ "9223372036854775000", INT64_C(9223372036854775000) },
	{ "", -1 },
	{ "k", -1 },
	{ "-1", -1 },
	{ "+1", -1 },
	{ " 1", -1 },
	{ "1 ", -1 },
	{ "1kb", -1 },
	{ "1.5k", -1 },
	{ "0x10", -1 },
	{ "9223372036854775807k", -1 },
	{ "99999999999999999999", -1 },
}, times[] = {
	{ "0", 0 },
	{ "1", 1000000000 },
	{ "1.5", 1500000000 },
	{ "0.000001", 1000 },
	{ "250ms", 250000000 },
	{ "20s", INT64_C(20000000000) },
	{ "1.5m", INT64_C(90000000000) },
	{ "2h", INT64_C(7200000000000) },
	{ "1.999999h", INT64_C(7199996400000) },
	{ "1S", 1000000000 },
	{ "", -1 },
	{ ".5", -1 },
	{ "5.", -1 },
	{ "1.0000001", -1 },
	{ "1d", -1 },
	{ "1 s", -1 },
	{ "-1s", -1 },
	{ "1e3", -1 },
	{ "9999999999999h", -1 },
};

START_TEST(sizes_have_units)
{
	int64_t value = -1;
	int result = option_parse_bytes(sizes[_i].text, &value);

	ck_assert_msg((result == 0 ? value : -1) == sizes[_i].value, "%s: %d, %lld", sizes[_i].text,
	              result, (long long)value);
}
END_TEST

START_TEST(times_have_units)
{
	int64_t value = -1;
	int result = option_parse_time(times[_i].text, &value);

	ck_assert_msg((result == 0 ? value : -1) == times[_i].value, "%s: %d, %lld", times[_i].text,
	              result, (long long)value);
}
END_TEST

/* ---- the command line ----------------------------------------------------------------------- */

START_TEST(presets_stand_when_nothing_is_said)
{
	const struct settings *settings = &core.settings;

	ck_assert_int_eq(read_line(""), 0);
	ck_assert_int_eq(settings->port, -1);
	ck_assert_int_eq(settings->workers, 0);
	ck_assert_str_eq(settings->index, "index.html");
	ck_assert_str_eq(settings->log_format, "combined");
	ck_assert_ptr_null(settings->root);
	ck_assert_int_eq(settings->max_connections, 10000);
	ck_assert_uint_eq(settings->max_header_size, 16384);
	ck_assert_uint_eq(settings->max_target_size, 8192);
	ck_assert_int_eq(settings->max_headers, 100);
	ck_assert_int_eq(settings->max_body_size, 1 << 20);
	ck_assert_int_eq(settings->header_timeout, INT64_C(20000000000));
	ck_assert_int_eq(settings->keepalive_timeout, INT64_C(65000000000));
	ck_assert_int_eq(settings->min_body_rate, 128);
	ck_assert_int_eq(settings->min_send_rate, 128);
	ck_assert_uint_eq(settings->cache_entries, 10000);
	ck_assert_uint_eq(settings->cache_size, 32 << 20);
	ck_assert_int_eq(settings->cache_check, 1000000000);
	ck_assert_uint_eq(settings->listen.count, 0);
}
END_TEST

static const char *const spellings[] = {
	"-p 8080 -R /srv -q",
	"-p8080 -R/srv -q",
	"-qp8080 -R /srv",
	"-qp 8080 -R/srv",
	"--port 8080 --root /srv --quiet",
	"--port=8080 --root=/srv -q",
	"-qEp 8080 --root /srv",
	"-p 1 -p 8080 -R /x -R /srv -q",
	"-q -R /srv -p 8080 --",
};

START_TEST(spellings_mean_the_same)
{
	ck_assert_msg(read_line(spellings[_i]) == 0, "%s", error);
	ck_assert_int_eq(core.settings.port, 8080);
	ck_assert_str_eq(core.settings.root, "/srv");
	ck_assert(core.settings.quiet);
}
END_TEST

START_TEST(lists_add_up)
{
	ck_assert_int_eq(read_line("-l 127.0.0.1 --listen=[::1]:80 -lunix:/x"), 0);
	ck_assert_uint_eq(core.settings.listen.count, 3);
	ck_assert_str_eq(core.settings.listen.items[0], "127.0.0.1");
	ck_assert_str_eq(core.settings.listen.items[1], "[::1]:80");
	ck_assert_str_eq(core.settings.listen.items[2], "unix:/x");
}
END_TEST

static const struct {
	const char *line;
	const char *error;
} wrong[] = {
	{ "--prot 80", "unknown option --prot; did you mean --port?" },
	{ "--max-conn 80", "did you mean --max-connections?" },
	{ "--lsiten x", "did you mean --listen?" },
	{ "--xylophone", "unknown option --xylophone; --help" },
	{ "-X", "unknown option -X" },
	{ "-qX", "unknown option -X" },
	{ "-p", "-p: a value is needed: N" },
	{ "--port", "--port: a value is needed: N" },
	{ "--quiet=yes", "--quiet: this option takes no value" },
	{ "--root=", "--root: an empty value" },
	{ "-p 65536", "-p: '65536' is not a number from 0 to 65535" },
	{ "-p -1", "-p: '-1' is not a number" },
	{ "-p http", "'http' is not a number" },
	{ "-n 0", "'0' is not a number from 1 to 1024" },
	{ "-n 8k", "'8k' is not a number" },
	{ "--max-headers 1.5", "is not a number" },
	{ "--header-timeout 0", "is not a time above 0" },
	{ "--cache-check 2s", "is not a time up to 1s" },
	{ "--max-header-size 1", "is not a size from 256" },
	{ "/srv", "'/srv' is not an option; the folder to serve is given with -R DIR" },
	{ "-q -- -q", "'-q' is not an option" },
	{ "-q -", "'-' is not an option" },
};

START_TEST(wrong_usage_is_explained)
{
	expect_error(wrong[_i].line, -EINVAL, wrong[_i].error);
}
END_TEST

/* ---- modules -------------------------------------------------------------------------------- */

START_TEST(a_letter_says_which_module_it_wants)
{
	expect_error("-qi", -ENOENT,
	             "-i needs the module autoindex, which is not installed in /nonexistent; "
	             "install it, or load it with -M /path/autoindex.so");
	expect_error("-U /srv/up", -ENOENT, "-U needs the module upload");
	expect_error("-L mmap", -ENOENT, "-L mmap needs the module log_mmap");
	expect_error("-M nothing", -ENOENT, "nothing");
}
END_TEST

START_TEST(a_server_without_log_module_still_starts)
{
	ck_assert_int_eq(read_line("-p 80"), 0);
}
END_TEST

START_TEST(options_of_modules_are_set_once_and_in_order)
{
	with_module();
	ck_assert_msg(read_line("-iqBhttp://x --list-style=/y -B /z --list") == 0, "%s", error);
	ck_assert_str_eq(module_saw, "flag;http://x;/y;/z;flag;");
	ck_assert(core.settings.quiet);
}
END_TEST

START_TEST(modules_complain_like_the_core)
{
	with_module();
	expect_error("--list-base bad", -EINVAL, "--list-base: 'bad' is no URL");
	expect_error("-B bad", -EINVAL, "-B: 'bad' is no URL");
	expect_error("-B silent", -EINVAL, strerror(ERANGE));
	expect_error("-B", -EINVAL, "-B: a value is needed: URL");
	expect_error("-ix", -EINVAL, "unknown option -x");
	expect_error("--list-stile x", -EINVAL, "did you mean --list-style?");
}
END_TEST

/* ---- the config file ------------------------------------------------------------------------ */

static char config_path[] = "/tmp/lophttpd-options.XXXXXX";

/* before and the file's name, with text in the file. */
static int read_with_file(const char *text, const char *before)
{
	char line[256];
	int descriptor, result;

	strcpy(strrchr(config_path, '.'), ".XXXXXX");
	descriptor = mkstemp(config_path);
	ck_assert_int_ge(descriptor, 0);
	ck_assert_int_eq(write(descriptor, text, strlen(text)), (ssize_t)strlen(text));
	close(descriptor);
	snprintf(line, sizeof(line), "%s %s", before, config_path);
	result = read_line(line);
	unlink(config_path);
	return result;
}

static int read_with_config(const char *text, const char *arguments)
{
	char before[128];

	snprintf(before, sizeof(before), "%s -c", arguments);
	return read_with_file(text, before);
}

START_TEST(the_command_line_wins_over_the_file)
{
	ck_assert_msg(read_with_config("port 1\nroot /file\nlisten 127.0.0.1\nquiet\n",
	                               "-p 2 -l ::1") == 0,
	              "%s", error);
	ck_assert_int_eq(core.settings.port, 2);
	ck_assert_str_eq(core.settings.root, "/file");
	ck_assert_uint_eq(core.settings.listen.count, 1);
	ck_assert_str_eq(core.settings.listen.items[0], "::1");
	ck_assert(core.settings.quiet);
}
END_TEST

START_TEST(the_file_sets_options_of_modules)
{
	with_module();
	ck_assert_msg(read_with_config("list\nlist-base /a\n", "-B /b") == 0, "%s", error);
	ck_assert_str_eq(module_saw, "flag;/a;/b;");
}
END_TEST

static const struct {
	const char *text;
	const char *error;
} wrong_files[] = {
	{ "quiet\nprot 80", ":2: unknown option prot; did you mean port?" },
	{ "port", ":1: port: a value is needed: N" },
	{ "quiet yes", ":1: quiet: this option takes no value" },
	{ "port 99999", ":1: port: '99999' is not a number" },
	{ "config other", ":1: config belongs on the command line" },
	{ "help", ":1: help belongs on the command line" },
	{ "p 80", ":1: unknown option p" },
	{ "port 80 81", ":1: one value is expected" },
};

START_TEST(wrong_lines_are_explained)
{
	ck_assert_int_eq(read_with_config(wrong_files[_i].text, ""), -EINVAL);
	ck_assert_msg(strstr(error, wrong_files[_i].error) != NULL, "%s: %s", wrong_files[_i].text,
	              error);
	ck_assert_ptr_eq(strstr(error, config_path), error);
}
END_TEST

/* ---- another program ------------------------------------------------------------------------ */

static const struct directive directives[] = {
	{ .name = "host", .option = "listen" },
	{ .name = "style", .option = "list-style", .joined = true },
	{ .name = "base", .option = "list-base" },
	{ .name = NULL },
};

static const struct program reader = {
	.name = "reader",
	.synopsis = "[options] FILE",
	.summary = "",
	.directives = directives,
	.wants_file = "no FILE is given",
};

static int read_as_reader(const char *text, const char *arguments)
{
	core.program = &reader;
	with_module();
	return read_with_file(text, arguments);
}

START_TEST(a_file_has_words_of_its_own)
{
	ck_assert_msg(read_as_reader("host ::1\nhost 127.0.0.1\nbase http://h#80/x # old\n"
	                             "style /a=b c d\nstyle /e=f\nport 80\n",
	                             "-q") == 0,
	              "%s", error);
	ck_assert_uint_eq(core.settings.listen.count, 2);
	ck_assert_str_eq(core.settings.listen.items[0], "::1");
	ck_assert_str_eq(module_saw, "http://h#80/x;/a%3Db=c,d;/e=f;");
	ck_assert_int_eq(core.settings.port, 80);
}
END_TEST

static const struct {
	const char *text;
	const char *error;
} wrong_words[] = {
	{ "port 1\nhost", ":2: host: a value is needed: ADDR" },
	{ "host a b", ":1: one value is expected" },
	{ "base bad", ":1: base: 'bad' is no URL" },
	{ "hots ::1", ":1: unknown option hots; did you mean host?" },
	{ "style", ":1: style: a value is needed" },
};

START_TEST(wrong_words_are_explained)
{
	ck_assert_int_eq(read_as_reader(wrong_words[_i].text, "-q"), -EINVAL);
	ck_assert_msg(strstr(error, wrong_words[_i].error) != NULL, "%s: %s", wrong_words[_i].text,
	              error);
}
END_TEST

START_TEST(there_is_one_file)
{
	core.program = &reader;
	expect_error("-q", -EINVAL, "no FILE is given");
	expect_error("-q a -c b", -EINVAL, "two config files: a and, by -c, b");
	expect_error("-q /nonexistent/a -- /nonexistent/b", -ENOENT, "/nonexistent/b");
	ck_assert_int_eq(read_as_reader("port 80\n", "other"), -EINVAL);
	ck_assert_msg(strstr(error, "'other' is not an option, and ") != NULL, "%s", error);
}
END_TEST

START_TEST(a_file_that_is_not_there_is_no_wrong_usage)
{
	expect_error("-c /nonexistent/x", -ENOENT, "cannot read the config file /nonexistent/x");
}
END_TEST

/* ---- the table ------------------------------------------------------------------------------ */

START_TEST(names_and_letters_are_unique)
{
	size_t count = 0;

	for (const struct option_group *group = option_groups; group->title != NULL; group++)
		for (const struct option *option = group->options; option->name != NULL; option++) {
			ck_assert_ptr_eq(option_by_name(option->name, strlen(option->name)),
			                 option);
			if (option->letter != '\0')
				ck_assert_ptr_eq(option_by_letter(option->letter), option);
			ck_assert_uint_eq(option_index(option), count++);
			ck_assert_int_eq(option->argument == NULL, option->kind == OPTION_FLAG);
			ck_assert_ptr_nonnull(option->help);
		}
	ck_assert_uint_lt(count, OPTION_COUNT_MAX);
}
END_TEST

static char *printed(void (*print)(const struct lop_core *, FILE *))
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(out);
	print(&core, out);
	fclose(out);
	return text;
}

START_TEST(help_names_every_option_in_80_columns)
{
	char *text, *rest = NULL, name[64];

	with_module();
	text = printed(options_print_help);
	for (const struct option_group *group = option_groups; group->title != NULL; group++)
		for (const struct option *option = group->options; option->name != NULL; option++) {
			snprintf(name, sizeof(name), " --%s", option->name);
			ck_assert_msg(strstr(text, name) != NULL, "%s", name);
		}
	ck_assert_ptr_nonnull(strstr(text, "Module autoindex:\n"));
	ck_assert_ptr_nonnull(strstr(text, "  -B, --list-base URL "));
	for (char *line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		ck_assert_msg(strlen(line) < 80, "%s", line);
		ck_assert_msg(line[strlen(line) - 1] != ' ', "'%s'", line);
	}
	free(text);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

int main(void)
{
	Suite *suite = suite_create("options");
	TCase *test = tcase_create("options");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(test, setup, teardown);
	tcase_add_loop_test(test, sizes_have_units, 0, COUNT(sizes));
	tcase_add_loop_test(test, times_have_units, 0, COUNT(times));
	tcase_add_test(test, presets_stand_when_nothing_is_said);
	tcase_add_loop_test(test, spellings_mean_the_same, 0, COUNT(spellings));
	tcase_add_test(test, lists_add_up);
	tcase_add_loop_test(test, wrong_usage_is_explained, 0, COUNT(wrong));
	tcase_add_test(test, a_letter_says_which_module_it_wants);
	tcase_add_test(test, a_server_without_log_module_still_starts);
	tcase_add_test(test, options_of_modules_are_set_once_and_in_order);
	tcase_add_test(test, modules_complain_like_the_core);
	tcase_add_test(test, the_command_line_wins_over_the_file);
	tcase_add_test(test, the_file_sets_options_of_modules);
	tcase_add_loop_test(test, wrong_lines_are_explained, 0, COUNT(wrong_files));
	tcase_add_test(test, a_file_that_is_not_there_is_no_wrong_usage);
	tcase_add_test(test, a_file_has_words_of_its_own);
	tcase_add_loop_test(test, wrong_words_are_explained, 0, COUNT(wrong_words));
	tcase_add_test(test, there_is_one_file);
	tcase_add_test(test, names_and_letters_are_unique);
	tcase_add_test(test, help_names_every_option_in_80_columns);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
