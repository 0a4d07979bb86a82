/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "timer.h"

#define MANY 100000

struct probe {
	struct timer timer;
	struct timers *timers;
	uint64_t fired_at; /* 0: not yet */
	unsigned fired;
	struct timer *cancels;
	uint64_t rearm;
};

static struct timers timers;

static void fire(struct timer *timer)
{
	struct probe *probe = CONTAINER(timer, struct probe, timer);

	probe->fired++;
	probe->fired_at = timers.now;
	if (probe->cancels != NULL)
		timer_cancel(&timers, probe->cancels);
	if (probe->rearm > 0)
		timer_arm(&timers, timer, timers.now + probe->rearm);
}

static void probe_init(struct probe *probe)
{
	*probe = (struct probe){ .timers = &timers };
	timer_init(&probe->timer, fire);
}

START_TEST(fires_at_its_time_and_not_before)
{
	static const uint64_t delays[] = { 0, 1, 2, 63, 64, 65, 4095, 4096, 4097, 262143, 262144,
		                           16777216, 1000000007 };
	static const uint64_t starts[] = { 0, 1, 63, 64, 4095, 123456789, 68719476735 };

	for (size_t s = 0; s < sizeof starts / sizeof starts[0]; s++) {
		for (size_t d = 0; d < sizeof delays / sizeof delays[0]; d++) {
			struct probe probe;
			uint64_t when = starts[s] + delays[d];

			timers_init(&timers, starts[s]);
			probe_init(&probe);
			timer_arm(&timers, &probe.timer, when);
			if (delays[d] > 0)
				timers_advance(&timers, when - 1);
			ck_assert_uint_eq(probe.fired, 0);
			timers_advance(&timers, when);
			ck_assert_uint_eq(probe.fired, 1);
			ck_assert(!timer_armed(&probe.timer));
		}
	}
}
END_TEST

START_TEST(next_is_never_later_than_the_earliest_timer)
{
	struct probe probes[64];
	uint64_t now = 5000;

	srand(7);
	timers_init(&timers, now);
	ck_assert_int_eq(timers_next(&timers, now), -1);
	for (int i = 0; i < 64; i++) {
		probe_init(&probes[i]);
		timer_arm(&timers, &probes[i].timer, now + (uint64_t)rand() % 300000 + 1);
	}
	/* Sleeping as long as it says wakes for every timer at its very millisecond. */
	while (timers_next(&timers, now) >= 0) {
		now += (uint64_t)timers_next(&timers, now);
		timers_advance(&timers, now);
	}
	for (int i = 0; i < 64; i++) {
		ck_assert_uint_eq(probes[i].fired, 1);
		ck_assert_uint_eq(probes[i].fired_at, probes[i].timer.when);
	}
}
END_TEST

START_TEST(a_cancelled_timer_never_fires)
{
	struct probe probe;

	timers_init(&timers, 100);
	probe_init(&probe);
	timer_cancel(&timers, &probe.timer);
	timer_arm(&timers, &probe.timer, 200);
	timer_cancel(&timers, &probe.timer);
	ck_assert_int_eq(timers_next(&timers, 100), -1);
	timers_advance(&timers, 100000);
	ck_assert_uint_eq(probe.fired, 0);
}
END_TEST

START_TEST(arming_again_moves_it)
{
	struct probe probe;

	timers_init(&timers, 0);
	probe_init(&probe);
	timer_arm(&timers, &probe.timer, 50);
	timer_arm(&timers, &probe.timer, 5000);
	timers_advance(&timers, 4999);
	ck_assert_uint_eq(probe.fired, 0);
	timers_advance(&timers, 5000);
	ck_assert_uint_eq(probe.fired, 1);
}
END_TEST

START_TEST(one_that_fires_may_cancel_another_that_is_due)
{
	struct probe first;
	struct probe second;

	timers_init(&timers, 0);
	probe_init(&first);
	probe_init(&second);
	first.cancels = &second.timer;
	timer_arm(&timers, &first.timer, 10);
	timer_arm(&timers, &second.timer, 10);
	ck_assert_uint_eq(timers_advance(&timers, 20), 1);
	ck_assert_uint_eq(second.fired, 0);
	ck_assert(!timer_armed(&second.timer));
}
END_TEST

START_TEST(one_that_arms_itself_for_now_waits_for_the_next_turn)
{
	struct probe probe;

	timers_init(&timers, 0);
	probe_init(&probe);
	timer_arm(&timers, &probe.timer, 10);
	probe.rearm = 1;
	ck_assert_uint_eq(timers_advance(&timers, 10), 1);
	ck_assert_uint_eq(timers_advance(&timers, 500), 1);
	ck_assert_int_ge(timers_next(&timers, 500), 0);
	probe.rearm = 0;
	timers_advance(&timers, 501);
	ck_assert_int_eq(timers_next(&timers, 501), -1);
}
END_TEST

START_TEST(a_time_in_the_past_fires_at_once)
{
	struct probe probe;

	timers_init(&timers, 1000);
	probe_init(&probe);
	timer_arm(&timers, &probe.timer, 3);
	ck_assert_int_eq(timers_next(&timers, 1000), 0);
	timers_advance(&timers, 1000);
	ck_assert_uint_eq(probe.fired, 1);
}
END_TEST

START_TEST(a_hundred_thousand_random_timers_all_fire_in_their_turn)
{
	struct probe *probes = calloc(MANY, sizeof *probes);
	uint64_t now = 777;
	unsigned fired = 0;

	ck_assert_ptr_nonnull(probes);
	srand(11);
	timers_init(&timers, now);
	for (int i = 0; i < MANY; i++) {
		probe_init(&probes[i]);
		timer_arm(&timers, &probes[i].timer, now + (uint64_t)rand() % 2000000);
	}
	for (int i = 0; i < MANY; i += 3)
		timer_cancel(&timers, &probes[i].timer);
	while (timers_next(&timers, now) >= 0) {
		now += (uint64_t)rand() % 5000 + 1;
		fired += timers_advance(&timers, now);
		for (int i = 0; i < MANY; i += 997) {
			if (i % 3 != 0)
				ck_assert_uint_eq(probes[i].fired, probes[i].timer.when <= now);
		}
	}
	ck_assert_uint_eq(fired, MANY - (MANY + 2) / 3);
	free(probes);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("timer");
	TCase *test = tcase_create("timer");
	SRunner *runner = srunner_create(suite);

	tcase_set_timeout(test, 60);
	tcase_add_test(test, fires_at_its_time_and_not_before);
	tcase_add_test(test, next_is_never_later_than_the_earliest_timer);
	tcase_add_test(test, a_cancelled_timer_never_fires);
	tcase_add_test(test, arming_again_moves_it);
	tcase_add_test(test, one_that_fires_may_cancel_another_that_is_due);
	tcase_add_test(test, one_that_arms_itself_for_now_waits_for_the_next_turn);
	tcase_add_test(test, a_time_in_the_past_fires_at_once);
	tcase_add_test(test, a_hundred_thousand_random_timers_all_fire_in_their_turn);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
