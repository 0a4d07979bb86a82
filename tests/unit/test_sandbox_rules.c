/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules of the module sandbox: what opens which group, and that filters can be made of them. */
#include "config.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../modules/sandbox/filter.h"
#include "../../modules/sandbox/rules.h"

/* Every bit of lophttpd/module.h. */
#define NEEDS_END 10

START_TEST(every_call_is_known_to_the_library)
{
	for (const struct group *group = groups; group->name != NULL; group++)
		for (const struct rule *rule = group->rules; rule->call != NULL; rule++)
			ck_assert_msg(filter_call(rule) != __NR_SCMP_ERROR, "%s: %s", group->name,
			              rule->call);
}
END_TEST

START_TEST(a_call_that_the_library_does_not_know_yet_has_a_number)
{
	const struct rule rule = { .call = "no_such_call", .number = 4242 };
	const struct rule nothing = { .call = "no_such_call" };

	ck_assert_int_eq(filter_call(&rule), 4242);
	ck_assert_int_lt(filter_call(&nothing), 0);
}
END_TEST

START_TEST(every_need_opens_a_group)
{
	for (int bit = 0; bit < NEEDS_END; bit++) {
		bool found = false;

		for (const struct group *group = groups; group->name != NULL; group++)
			found = found || (group_open(group, UINT64_C(1) << bit, 0) &&
			                  !group_open(group, 0, 0));
		ck_assert_msg(found, "bit %d", bit);
	}
}
END_TEST

/* Calls that make processes, programs or code, or that reach into other processes. */
static bool is_forbidden(const char *call)
{
	static const char *const forbidden[] = {
		"execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv",
		"process_vm_writev", "bpf", "io_uring_setup", "io_uring_enter", "open_by_handle_at",
		"mount", "chroot", "setuid", "setns", "unshare", "keyctl", "perf_event_open",
		"userfaultfd", "memfd_create", "pkey_mprotect", "prctl", "bind", "listen",
	};

	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		if (strcmp(forbidden[i], call) == 0)
			return true;
	return false;
}

START_TEST(no_need_opens_what_nobody_may)
{
	for (const struct group *group = groups; group->name != NULL; group++)
		for (const struct rule *rule = group->rules; rule->call != NULL; rule++)
			ck_assert_msg(!is_forbidden(rule->call), "%s: %s", group->name,
			              rule->call);
}
END_TEST

START_TEST(a_filter_is_made_of_each_combination_of_needs)
{
	for (uint64_t needs = 0; needs < UINT64_C(1) << NEEDS_END; needs++) {
		const struct filter_settings settings = { .needs = needs,
			                                  .alone = (needs & 1) != 0,
			                                  .log_folder = -1 };
		scmp_filter_ctx filter;

		ck_assert_int_eq(filter_make(&settings, &filter), 0);
		seccomp_release(filter);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sandbox_rules");
	TCase *test = tcase_create("sandbox_rules");
	SRunner *runner = srunner_create(suite);

	tcase_add_test(test, every_call_is_known_to_the_library);
	tcase_add_test(test, a_call_that_the_library_does_not_know_yet_has_a_number);
	tcase_add_test(test, every_need_opens_a_group);
	tcase_add_test(test, no_need_opens_what_nobody_may);
	tcase_add_test(test, a_filter_is_made_of_each_combination_of_needs);
	tcase_set_timeout(test, 60);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
