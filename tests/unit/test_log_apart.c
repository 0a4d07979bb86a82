/* SPDX-License-Identifier: BSD-2-Clause */
/* How long the loop waits for a log's thread. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <time.h>

#include "../../modules/log_apart.h"

#define WAIT_NS 20000000

static int64_t monotonic(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int wait_until(const struct timespec *until)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t condition;
	int result;

	log_apart_cond_init(&condition);
	pthread_mutex_lock(&lock);
	do
		result = pthread_cond_timedwait(&condition, &lock, until);
	while (result == 0);
	pthread_mutex_unlock(&lock);
	pthread_cond_destroy(&condition);
	return result;
}

START_TEST(a_wait_ends_when_its_time_is_over)
{
	const int64_t before = monotonic();
	const struct timespec until = log_apart_until(WAIT_NS);

	ck_assert_int_lt(until.tv_nsec, 1000000000);
	ck_assert_int_eq(wait_until(&until), ETIMEDOUT);
	ck_assert_int_ge(monotonic() - before, WAIT_NS);
}
END_TEST

#ifdef HAVE_PTHREAD_CONDATTR_SETCLOCK
START_TEST(a_clock_that_is_set_makes_no_wait_longer)
{
	const int64_t before = monotonic();
	const struct timespec until = log_apart_until(WAIT_NS);
	const int64_t end = (int64_t)until.tv_sec * 1000000000 + until.tv_nsec;

	/* It is told by the clock that nobody sets. */
	ck_assert_int_ge(end, before + WAIT_NS);
	ck_assert_int_le(end, monotonic() + WAIT_NS);
}
END_TEST
#endif

int main(void)
{
	Suite *suite = suite_create("log_apart");
	TCase *test = tcase_create("log_apart");
	SRunner *runner = srunner_create(suite);

	tcase_add_test(test, a_wait_ends_when_its_time_is_over);
#ifdef HAVE_PTHREAD_CONDATTR_SETCLOCK
	tcase_add_test(test, a_clock_that_is_set_makes_no_wait_longer);
#endif
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
