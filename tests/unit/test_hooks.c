/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hooks.h"

static struct hooks hooks;
static int states[3];

static int run(void *state, struct lop_request *request)
{
	(void)state;
	(void)request;
	return LOP_DECLINED;
}

static const struct lop_hook core_hooks[] = {
	LOP_HOOK(LOP_PHASE_CONTENT, LOP_PRIORITY_STATIC, "static", run),
	LOP_HOOK(LOP_PHASE_DONE, 500, "core done", run),
	LOP_HOOK_END,
};

static const struct lop_hook first_hooks[] = {
	LOP_HOOK(LOP_PHASE_DONE, 100, "first done", run),
	LOP_HOOK(LOP_PHASE_CONTENT, LOP_PRIORITY_AFTER_STATIC, "listing", run),
	LOP_HOOK(LOP_PHASE_CONTENT, LOP_PRIORITY_STATIC, "first static", run),
	LOP_HOOK(LOP_PHASE_CONTENT, LOP_PRIORITY_STATIC, "second static", run),
	LOP_HOOK_END,
};

static const struct lop_hook second_hooks[] = {
	LOP_HOOK(LOP_PHASE_CONTENT, LOP_PRIORITY_STATIC, "third static", run),
	LOP_HOOK(LOP_PHASE_CONTENT, LOP_PRIORITY_BEFORE_STATIC, "proxy", run),
	LOP_HOOK(LOP_PHASE_CONTENT, -1, "negative", run),
	LOP_HOOK(LOP_PHASE_ROUTE, 100, "vhost", run),
	LOP_HOOK(LOP_PHASE_DONE, 100, "second done", run),
	LOP_HOOK(LOP_PHASE_DONE, 900, "last done", run),
	LOP_HOOK_END,
};

static const struct lop_module first = { LOP_MODULE_HEADER("first", "1", "", 0),
	                                 .hooks = first_hooks };
static const struct lop_module second = { LOP_MODULE_HEADER("second", "1", "", 0),
	                                  .hooks = second_hooks };
static const struct lop_module without = { LOP_MODULE_HEADER("without", "1", "", 0) };

static struct loaded_module items[] = {
	{ .module = &first, .state = &states[0] },
	{ .module = &without, .state = &states[1] },
	{ .module = &second, .state = &states[2] },
};
static const struct modules modules = { items, 3 };

static void teardown(void)
{
	hooks_free(&hooks);
}

/* The names of a phase's hooks, in the order in which they run. */
static const char *order(enum lop_phase phase)
{
	static char names[512];

	names[0] = '\0';
	for (size_t i = 0; i < hooks.count[phase]; i++) {
		strcat(names, i == 0 ? "" : ", ");
		strcat(names, hooks.items[phase][i].name);
	}
	return names;
}

START_TEST(hooks_run_by_priority_and_then_in_order_of_loading)
{
	ck_assert_int_eq(hooks_build(&hooks, &modules, core_hooks, &states[1]), 0);
	ck_assert_str_eq(order(LOP_PHASE_CONTENT), "negative, proxy, static, first static, "
	                                           "second static, third static, listing");
	ck_assert_str_eq(order(LOP_PHASE_ROUTE), "vhost");
}
END_TEST

START_TEST(done_runs_in_reverse)
{
	ck_assert_int_eq(hooks_build(&hooks, &modules, core_hooks, NULL), 0);
	ck_assert_str_eq(order(LOP_PHASE_DONE), "last done, core done, second done, first done");
}
END_TEST

START_TEST(a_phase_that_nobody_hooks_is_empty)
{
	ck_assert_int_eq(hooks_build(&hooks, &modules, core_hooks, NULL), 0);
	ck_assert_uint_eq(hooks.count[LOP_PHASE_ACCESS], 0);
	ck_assert_uint_eq(hooks.count[LOP_PHASE_RESPONSE], 0);
}
END_TEST

START_TEST(a_hook_gets_its_own_modules_state)
{
	ck_assert_int_eq(hooks_build(&hooks, &modules, core_hooks, &states[1]), 0);
	ck_assert_ptr_eq(hooks.items[LOP_PHASE_ROUTE][0].state, &states[2]);
	ck_assert_str_eq(hooks.items[LOP_PHASE_ROUTE][0].module, "second");
	ck_assert_ptr_eq(hooks.items[LOP_PHASE_CONTENT][2].state, &states[1]);
	ck_assert_str_eq(hooks.items[LOP_PHASE_CONTENT][2].module, "core");
}
END_TEST

START_TEST(no_modules_and_no_core_hooks_make_no_hooks)
{
	const struct modules none = { NULL, 0 };

	ck_assert_int_eq(hooks_build(&hooks, &none, NULL, NULL), 0);
	for (int phase = 0; phase < HOOKS_PHASES; phase++)
		ck_assert_uint_eq(hooks.count[phase], 0);
}
END_TEST

START_TEST(a_hook_without_a_phase_is_refused)
{
	static const struct lop_hook bad[] = { LOP_HOOK(LOP_PHASE_DONE + 1, 1, "bad", run),
		                               LOP_HOOK_END };

	ck_assert_int_eq(hooks_build(&hooks, &modules, bad, NULL), -EINVAL);
}
END_TEST

START_TEST(the_printed_list_is_in_running_order)
{
	char text[2048] = "";
	FILE *copy = tmpfile();
	FILE *terminal = stdout;

	ck_assert_ptr_nonnull(copy);
	ck_assert_int_eq(hooks_build(&hooks, &modules, core_hooks, NULL), 0);
	stdout = copy;
	hooks_print(&hooks);
	stdout = terminal;
	rewind(copy);
	ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, copy), 0);
	fclose(copy);
	ck_assert_ptr_nonnull(strstr(text, "ROUTE      100  vhost"));
	ck_assert_ptr_nonnull(strstr(text, "CONTENT    500  static"));
	ck_assert_ptr_nonnull(strstr(text, "CONTENT    500  third static             second\n"
	                                   "CONTENT    600  listing                  first\n"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hooks");
	TCase *test = tcase_create("hooks");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(test, NULL, teardown);
	tcase_add_test(test, hooks_run_by_priority_and_then_in_order_of_loading);
	tcase_add_test(test, done_runs_in_reverse);
	tcase_add_test(test, a_phase_that_nobody_hooks_is_empty);
	tcase_add_test(test, a_hook_gets_its_own_modules_state);
	tcase_add_test(test, no_modules_and_no_core_hooks_make_no_hooks);
	tcase_add_test(test, a_hook_without_a_phase_is_refused);
	tcase_add_test(test, the_printed_list_is_in_running_order);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
