/* SPDX-License-Identifier: BSD-2-Clause */
/* Named blocks of memory that all workers share. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core.h"
#include "share.h"

START_TEST(a_block_is_the_same_in_forked_processes)
{
	struct lop_core core = { .shares = NULL };
	void *block;
	atomic_int *number;
	int status;
	pid_t child;

	ck_assert_int_eq(lop_core_share(&core, "numbers", sizeof(*number), &block), 0);
	number = block;
	ck_assert_int_eq(atomic_load(number), 0);
	child = fork();
	if (child == 0) {
		atomic_store((atomic_int *)lop_core_shared(&core, "numbers", NULL), 42);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(atomic_load(number), 42);
	shares_free(&core.shares);
}
END_TEST

START_TEST(blocks_are_found_by_their_names)
{
	struct lop_core core = { .shares = NULL };
	void *first, *second, *third = NULL;
	size_t size = 0;

	ck_assert_ptr_null(lop_core_shared(&core, "a", &size));
	ck_assert_int_eq(lop_core_share(&core, "a", 100000, &first), 0);
	ck_assert_int_eq(lop_core_share(&core, "b", 1, &second), 0);
	ck_assert_int_eq(lop_core_share(&core, "a", 1, &third), -EEXIST);
	ck_assert_ptr_null(third);
	ck_assert_ptr_eq(lop_core_shared(&core, "a", &size), first);
	ck_assert_uint_eq(size, 100000);
	ck_assert_ptr_eq(lop_core_shared(&core, "b", NULL), second);
	ck_assert_ptr_ne(first, second);
	ck_assert_int_eq(lop_core_share(&core, "c", SIZE_MAX / 2, &third), -ENOMEM);
	shares_free(&core.shares);
	ck_assert_ptr_null(core.shares);
}
END_TEST

START_TEST(workers_are_counted)
{
	struct lop_core core = { .settings.workers = 3 };

	ck_assert_int_eq(lop_core_workers(&core), 3);
	core.settings.workers = 0;
	ck_assert_int_ge(lop_core_workers(&core), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("share");
	SRunner *runner = srunner_create(suite);
	TCase *test = tcase_create("blocks");

	tcase_add_test(test, a_block_is_the_same_in_forked_processes);
	tcase_add_test(test, blocks_are_found_by_their_names);
	tcase_add_test(test, workers_are_counted);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
