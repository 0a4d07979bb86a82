/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ABI check, trust in files, and loading. How the server itself loads modules, a third party's
 * too, is in tests/module.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lophttpd/hook.h>
#include <lophttpd/transport.h>

#include "core.h"
#include "module_abi.h"
#include "module_file.h"
#include "modules.h"
#include "program.h"

static const struct program program = { .name = "test", .serves_files = true };

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static struct lop_core core;
static char folder[] = "/tmp/lophttpd-module.XXXXXX";
static char error[1024];

static int run(void *state, struct lop_request *request)
{
	(void)state;
	(void)request;
	return LOP_DECLINED;
}

static int set(void *state, const char *value, char *text, size_t size)
{
	(void)state;
	(void)value;
	(void)text;
	(void)size;
	return 0;
}

static int open_log(void *module, const struct lop_log_open *how, void **state)
{
	(void)module;
	(void)how;
	(void)state;
	return 0;
}

static int write_log(void *state, const struct lop_log_record *record, const char *line,
                     size_t length)
{
	(void)state;
	(void)record;
	(void)line;
	(void)length;
	return 0;
}

static void close_log(void *state)
{
	(void)state;
}

static struct lop_log_provider provider = {
	.size = sizeof(provider),
	.open = open_log,
	.write = write_log,
	.close = close_log,
};
static struct lop_hook hooks[] = {
	LOP_HOOK(LOP_PHASE_DONE, 1, "one", run),
	LOP_HOOK(LOP_PHASE_ROUTE, 2, "two", run),
	LOP_HOOK_END,
};
static struct lop_option options[] = { LOP_OPTION('x', "xyz", "TEXT", "help", set),
	                               LOP_OPTION_END };
static const struct lop_module good = {
	LOP_MODULE_HEADER("good", "1.0", "a module", LOP_NEEDS_CONNECT),
	.options = options,
	.hooks = hooks,
	.log = &provider,
};
static struct lop_module module;

static void copy_module(const char *name)
{
	const char *built = getenv("LOPHTTPD_MODULE_PATH");
	char command[2 * PATH_MAX + 100];

	snprintf(command, sizeof(command), "cp '%s/%s.so' '%s/' && chmod 755 '%s/%s.so'",
	         built == NULL ? "modules/.libs" : built, name, folder, folder, name);
	ck_assert_msg(system(command) == 0, "%s", command);
}

/* A folder of our own to load from, since the one of the build may be writable by others. */
static void setup(void)
{
	umask(022);
	memset(&core, 0, sizeof(core));
	core.program = &program;
	module = good;
	strcpy(folder, "/tmp/lophttpd-module.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	copy_module("log_file");
	setenv("LOPHTTPD_MODULE_PATH", folder, 1);
	error[0] = '\0';
}

static void teardown(void)
{
	char command[PATH_MAX + 20];

	modules_fini(&core);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static int check(void)
{
	return module_abi_check(&module, "/x/good.so", error, sizeof(error));
}

/* The ABI */

START_TEST(a_module_of_this_abi_is_taken)
{
	ck_assert_msg(check() == 0, "%s", error);
}
END_TEST

START_TEST(another_version_is_refused_with_both_versions_and_the_file)
{
	char theirs[32], ours[32];

	snprintf(ours, sizeof(ours), "ABI %d.%d", LOP_ABI_MAJOR, LOP_ABI_MINOR);
	module.abi_major = LOP_ABI_MAJOR + 1;
	snprintf(theirs, sizeof(theirs), "ABI %d.%d", LOP_ABI_MAJOR + 1, LOP_ABI_MINOR);
	ck_assert_int_eq(check(), -ENOEXEC);
	ck_assert_msg(strstr(error, theirs) && strstr(error, ours) && strstr(error, "/x/good.so"),
	              "%s", error);
	module.abi_major = LOP_ABI_MAJOR;
	module.abi_minor = LOP_ABI_MINOR + 1;
	snprintf(theirs, sizeof(theirs), "ABI %d.%d", LOP_ABI_MAJOR, LOP_ABI_MINOR + 1);
	ck_assert_int_eq(check(), -ENOEXEC);
	ck_assert_msg(strstr(error, theirs) && strstr(error, ours), "%s", error);
}
END_TEST

/* The version comes first: a newer module has other sizes, which must not be blamed. */
START_TEST(a_newer_module_with_a_larger_struct_is_refused_for_its_version)
{
	module.abi_major++;
	module.size += 64;
	ck_assert_int_eq(check(), -ENOEXEC);
	ck_assert_msg(strstr(error, "ABI"), "%s", error);
}
END_TEST

START_TEST(malformed_modules_are_refused)
{
	ck_assert_int_eq(check(), 0);
#define REFUSED(change)                                                                            \
	do {                                                                                       \
		const struct lop_log_provider saved_provider = provider;                           \
		const struct lop_hook saved_hook = hooks[1];                                       \
		const struct lop_option saved_option = options[0];                                 \
		change;                                                                            \
		ck_assert_msg(check() == -ENOEXEC, "taken: %s", #change);                          \
		ck_assert_ptr_nonnull(strstr(error, "/x/good.so"));                                \
		module = good;                                                                     \
		provider = saved_provider;                                                         \
		hooks[1] = saved_hook;                                                             \
		options[0] = saved_option;                                                         \
	} while (0)
	REFUSED(module.magic++);
	REFUSED(module.size = 8);
	REFUSED(module.size++);
	REFUSED(module.name = NULL);
	REFUSED(module.name = "");
	REFUSED(module.name = "../x");
	REFUSED(module.version = NULL);
	REFUSED(module.summary = NULL);
	REFUSED(provider.size = 4);
	REFUSED(provider.size++);
	REFUSED(provider.open = NULL);
	REFUSED(provider.write = NULL);
	REFUSED(provider.close = NULL);
	REFUSED(hooks[1].size++);
	REFUSED(hooks[1].phase = 0);
	REFUSED(hooks[1].phase = LOP_PHASE_DONE + 1);
	REFUSED(hooks[1].run = NULL);
	REFUSED(hooks[1].name = NULL);
	REFUSED(options[0].name = NULL);
	REFUSED(options[0].set = NULL);
	REFUSED(options[0].size = 1);
#undef REFUSED
	ck_assert_msg(check() == 0, "%s", error);
}
END_TEST

START_TEST(adopting_copies_what_the_module_has)
{
	const struct lop_module *adopted = module_abi_adopt(&module);

	ck_assert_ptr_nonnull(adopted);
	ck_assert_str_eq(adopted->name, "good");
	ck_assert_ptr_ne(adopted->hooks, hooks);
	ck_assert_str_eq(adopted->hooks[1].name, "two");
	ck_assert_uint_eq(adopted->hooks[2].size, 0);
	ck_assert_int_eq(adopted->options[0].letter, 'x');
	ck_assert_uint_eq(adopted->options[1].size, 0);
	ck_assert_ptr_eq(adopted->log->write, write_log);
	ck_assert_ptr_null(adopted->transport);
	module_abi_release(&adopted);
	ck_assert_ptr_null(adopted);
}
END_TEST

/* As if the fields at the end had come with a later minor version than the module's. */
START_TEST(smaller_tables_of_an_older_module_are_filled_up_with_zeros)
{
	const struct lop_module *adopted;
	size_t part = offsetof(struct lop_hook, run);
	char array[3 * sizeof(struct lop_hook)] = { 0 };
	struct lop_hook hook = hooks[0];

	hook.size = (uint32_t)part;
	memcpy(array, &hook, part);
	hook.priority = 77;
	memcpy(array + part, &hook, part);
	module.hooks = (const void *)array;
	module.size = offsetof(struct lop_module, transport);
	provider.size = offsetof(struct lop_log_provider, lost);
	adopted = module_abi_adopt(&module);
	ck_assert_ptr_nonnull(adopted);
	ck_assert_uint_eq(adopted->size, sizeof(*adopted));
	ck_assert_ptr_null(adopted->transport);
	ck_assert_uint_eq(adopted->log->size, sizeof(provider));
	ck_assert_uint_eq(adopted->hooks[0].size, sizeof(struct lop_hook));
	ck_assert_int_eq(adopted->hooks[1].priority, 77);
	ck_assert_ptr_null(adopted->hooks[1].run);
	ck_assert_uint_eq(adopted->hooks[2].size, 0);
	module_abi_release(&adopted);
	provider.size = sizeof(provider);
}
END_TEST

/* Files */

START_TEST(names_with_slashes_and_dots_are_no_module_names)
{
	static const char *const names[] = { "",    ".",           "..",  "../log_file",
		                             "a/b", "log_file.so", "a b", "-M\n" };

	for (int i = 0; i < COUNT(names); i++) {
		ck_assert_int_eq(modules_load(&core, names[i], error, sizeof(error)), -EINVAL);
		ck_assert(!modules_installed(names[i]));
	}
	ck_assert_uint_eq(core.modules.count, 0);
}
END_TEST

START_TEST(a_module_that_is_not_there_is_named_with_the_folder)
{
	ck_assert_int_eq(modules_load(&core, "nosuch", error, sizeof(error)), -ENOENT);
	ck_assert_msg(strstr(error, "'nosuch'") && strstr(error, folder), "%s", error);
	ck_assert_int_eq(modules_load(&core, "/nosuch/x.so", error, sizeof(error)), -ENOENT);
	ck_assert_msg(strstr(error, "/nosuch/x.so"), "%s", error);
	ck_assert(modules_installed("log_file"));
	ck_assert(!modules_installed("nosuch"));
}
END_TEST

START_TEST(a_module_is_loaded_once_however_it_is_called)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/log_file.so", folder);
	ck_assert_msg(modules_load(&core, "log_file", error, sizeof(error)) == 0, "%s", error);
	ck_assert_int_eq(modules_load(&core, "log_file", error, sizeof(error)), 0);
	ck_assert_int_eq(modules_load(&core, path, error, sizeof(error)), 0);
	ck_assert_uint_eq(core.modules.count, 1);
	ck_assert_ptr_eq(modules_log(&core.modules), &core.modules.items[0]);
	ck_assert_uint_eq(modules_needs(&core), LOP_NEEDS_READ_FILES | LOP_NEEDS_LOG_WRITE |
	                                                  LOP_NEEDS_THREADS);
}
END_TEST

START_TEST(a_second_log_provider_is_refused)
{
	char command[3 * PATH_MAX];

	/* the same file under another name is another file with the same name inside */
	snprintf(command, sizeof(command), "cp '%s/log_file.so' '%s/other.so'", folder, folder);
	ck_assert_int_eq(system(command), 0);
	ck_assert_int_eq(modules_load(&core, "log_file", error, sizeof(error)), 0);
	snprintf(command, sizeof(command), "%s/other.so", folder);
	ck_assert_int_eq(modules_load(&core, command, error, sizeof(error)), -EEXIST);
	ck_assert_int_eq(modules_load(&core, "other", error, sizeof(error)), -ENOEXEC);
	ck_assert_msg(strstr(error, "rename"), "%s", error);
	ck_assert_uint_eq(core.modules.count, 1);
}
END_TEST

START_TEST(a_file_that_is_no_module_is_refused)
{
	char path[PATH_MAX];
	int descriptor;

	snprintf(path, sizeof(path), "%s/text.so", folder);
	descriptor = open(path, O_WRONLY | O_CREAT, 0644);
	ck_assert_int_eq(write(descriptor, "no module\n", 10), 10);
	close(descriptor);
	ck_assert_int_eq(modules_load(&core, "text", error, sizeof(error)), -ENOEXEC);
	ck_assert_msg(strstr(error, path), "%s", error);
}
END_TEST

START_TEST(as_root_nobody_else_may_write_to_a_module_or_its_folder)
{
	char path[PATH_MAX];

	if (geteuid() != 0)
		return;
	snprintf(path, sizeof(path), "%s/log_file.so", folder);
#define UNTRUSTED(what)                                                                            \
	do {                                                                                       \
		ck_assert_int_eq(modules_load(&core, "log_file", error, sizeof(error)), -EPERM);   \
		ck_assert_msg(strstr(error, what), "%s", error);                                   \
	} while (0)
	chmod(path, 0775);
	UNTRUSTED("log_file.so");
	chmod(path, 0757);
	UNTRUSTED("log_file.so");
	chmod(path, 0755);
	ck_assert_int_eq(chown(path, 12345, 0), 0);
	UNTRUSTED("12345");
	ck_assert_int_eq(chown(path, 0, 0), 0);
	chmod(folder, 0770);
	UNTRUSTED(folder);
	chmod(folder, 01777); /* others could add modules */
	UNTRUSTED(folder);
	chmod(folder, 0755);
	ck_assert_int_eq(chown(folder, 12345, 0), 0);
	UNTRUSTED("12345");
	ck_assert_int_eq(chown(folder, 0, 0), 0);
#undef UNTRUSTED
	ck_assert_msg(modules_load(&core, "log_file", error, sizeof(error)) == 0, "%s", error);
}
END_TEST

START_TEST(as_root_a_link_in_a_folder_of_others_is_not_followed)
{
	char target[PATH_MAX], outside[PATH_MAX], link[PATH_MAX];

	if (geteuid() != 0)
		return;
	snprintf(target, sizeof(target), "%s/log_file.so", folder);
	snprintf(outside, sizeof(outside), "%s/others", folder);
	snprintf(link, sizeof(link), "%.200s/link.so", outside);
	ck_assert_int_eq(mkdir(outside, 0755), 0);
	ck_assert_int_eq(symlink(target, link), 0);
	chmod(outside, 0777);
	ck_assert_int_eq(modules_load(&core, link, error, sizeof(error)), -EPERM);
	chmod(outside, 0755);
	ck_assert_int_eq(modules_load(&core, link, error, sizeof(error)), 0);
}
END_TEST

/* Life */

static char stages[64];

static int stage(void *state, enum lop_stage now, struct lop_worker *worker)
{
	const char *name = state;

	(void)worker;
	snprintf(stages + strlen(stages), sizeof(stages) - strlen(stages), "%s%d ", name, (int)now);
	if (strcmp(name, "b") == 0 && (now == LOP_STAGE_BOUND || now == LOP_STAGE_REFRESH))
		return -EIO;
	return 0;
}

START_TEST(stages_run_in_order_and_the_last_two_in_reverse)
{
	static const struct lop_module staged = { LOP_MODULE_HEADER("staged", "1", "", 0),
		                                  .stage = stage };
	struct loaded_module items[] = { { &staged, (char[]){ "a" }, NULL },
		                         { &staged, (char[]){ "b" }, NULL },
		                         { &staged, (char[]){ "c" }, NULL } };
	static const struct {
		enum lop_stage stage;
		int result;
		const char *order;
	} cases[] = {
		{ LOP_STAGE_CONFIGURED, 0, "a1 b1 c1 " },
		{ LOP_STAGE_BOUND, -EIO, "a2 b2 " },      /* ends the start */
		{ LOP_STAGE_REFRESH, -EIO, "a6 b6 c6 " }, /* the others go on */
		{ LOP_STAGE_DRAIN, 0, "c7 b7 a7 " },
		{ LOP_STAGE_EXIT, 0, "c8 b8 a8 " },
	};

	core.modules = (struct modules){ items, 3 };
	for (int i = 0; i < COUNT(cases); i++) {
		stages[0] = '\0';
		ck_assert_int_eq(modules_stage(&core, cases[i].stage, NULL), cases[i].result);
		ck_assert_str_eq(stages, cases[i].order);
	}
	core.modules = (struct modules){ NULL, 0 };
}
END_TEST

START_TEST(a_transport_is_found_by_its_name)
{
	static const struct lop_transport transport = { .size = sizeof(transport), .name = "tls" };
	static const struct lop_module with = { LOP_MODULE_HEADER("tls", "1", "", 0),
		                                .transport = &transport };
	struct loaded_module items[] = { { &good, NULL, NULL }, { &with, NULL, NULL } };
	const struct modules list = { items, 2 };

	ck_assert_ptr_eq(modules_transport(&list, "tls"), &items[1]);
	ck_assert_ptr_null(modules_transport(&list, "plain"));
	ck_assert_ptr_eq(modules_log(&list), &items[0]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("module");
	TCase *test = tcase_create("module");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(test, setup, teardown);
	tcase_add_test(test, a_module_of_this_abi_is_taken);
	tcase_add_test(test, another_version_is_refused_with_both_versions_and_the_file);
	tcase_add_test(test, a_newer_module_with_a_larger_struct_is_refused_for_its_version);
	tcase_add_test(test, malformed_modules_are_refused);
	tcase_add_test(test, adopting_copies_what_the_module_has);
	tcase_add_test(test, smaller_tables_of_an_older_module_are_filled_up_with_zeros);
	tcase_add_test(test, names_with_slashes_and_dots_are_no_module_names);
	tcase_add_test(test, a_module_that_is_not_there_is_named_with_the_folder);
	tcase_add_test(test, a_module_is_loaded_once_however_it_is_called);
	tcase_add_test(test, a_second_log_provider_is_refused);
	tcase_add_test(test, a_file_that_is_no_module_is_refused);
	tcase_add_test(test, as_root_nobody_else_may_write_to_a_module_or_its_folder);
	tcase_add_test(test, as_root_a_link_in_a_folder_of_others_is_not_followed);
	tcase_add_test(test, stages_run_in_order_and_the_last_two_in_reverse);
	tcase_add_test(test, a_transport_is_found_by_its_name);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
