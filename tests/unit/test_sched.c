/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <string.h>

#include "sched.h"

struct job {
	struct sched_entry entry;
	char name;
	int again; /* times it puts itself back as bulk */
	struct sched_entry *removes;
	size_t quantum; /* of its last run */
};

static struct sched sched;
static char trace[256];

static void run(struct sched_entry *entry, size_t quantum)
{
	struct job *job = CONTAINER(entry, struct job, entry);
	size_t length = strlen(trace);

	trace[length] = job->name;
	trace[length + 1] = '\0';
	job->quantum = quantum;
	if (job->removes != NULL)
		sched_remove(&sched, job->removes);
	if (job->again > 0) {
		job->again--;
		sched_push(&sched, entry, SCHED_BULK);
	}
}

static void job_init(struct job *job, char name, int again)
{
	memset(job, 0, sizeof *job);
	sched_entry_init(&job->entry, run);
	job->name = name;
	job->again = again;
}

static void setup(void)
{
	sched_init(&sched);
	trace[0] = '\0';
}

START_TEST(fresh_work_goes_before_bulk)
{
	struct job bulk;
	struct job fresh;

	job_init(&bulk, 'b', 0);
	job_init(&fresh, 'f', 0);
	sched_push(&sched, &bulk.entry, SCHED_BULK);
	sched_push(&sched, &fresh.entry, SCHED_FRESH);
	sched_turn(&sched);
	ck_assert_str_eq(trace, "fb");
	ck_assert(sched_idle(&sched));
}
END_TEST

START_TEST(bulk_work_takes_turns)
{
	struct job jobs[3];

	for (int i = 0; i < 3; i++) {
		job_init(&jobs[i], (char)('a' + i), 2);
		sched_push(&sched, &jobs[i].entry, SCHED_BULK);
	}
	while (!sched_idle(&sched))
		sched_turn(&sched);
	ck_assert_str_eq(trace, "abcabcabc");
}
END_TEST

START_TEST(one_turn_of_bulk_is_bounded)
{
	static struct job jobs[200];

	for (int i = 0; i < 200; i++) {
		job_init(&jobs[i], 'x', 1);
		sched_push(&sched, &jobs[i].entry, SCHED_BULK);
	}
	sched_turn(&sched);
	ck_assert_uint_ge(strlen(trace), 1);
	ck_assert_uint_le(strlen(trace) * SCHED_QUANTUM_MIN, SCHED_TURN_BYTES);
	ck_assert_uint_eq(sched.bulk_count, 200);
}
END_TEST

START_TEST(the_quantum_shrinks_as_more_is_ready)
{
	struct job one;
	static struct job many[500];
	size_t alone;

	job_init(&one, 'o', 0);
	sched_push(&sched, &one.entry, SCHED_BULK);
	sched_turn(&sched);
	alone = one.quantum;
	ck_assert_uint_eq(alone, SCHED_QUANTUM_MAX);
	for (int i = 0; i < 500; i++) {
		job_init(&many[i], 'm', 0);
		sched_push(&sched, &many[i].entry, SCHED_BULK);
	}
	sched_turn(&sched);
	ck_assert_uint_eq(many[0].quantum, SCHED_QUANTUM_MIN);
}
END_TEST

START_TEST(pushing_twice_runs_once)
{
	struct job job;

	job_init(&job, 'j', 0);
	sched_push(&sched, &job.entry, SCHED_FRESH);
	sched_push(&sched, &job.entry, SCHED_BULK);
	sched_turn(&sched);
	sched_turn(&sched);
	ck_assert_str_eq(trace, "j");
}
END_TEST

START_TEST(work_may_remove_what_is_queued_behind_it)
{
	struct job first;
	struct job second;
	struct job third;

	job_init(&first, '1', 0);
	job_init(&second, '2', 0);
	job_init(&third, '3', 0);
	first.removes = &second.entry;
	sched_push(&sched, &first.entry, SCHED_FRESH);
	sched_push(&sched, &second.entry, SCHED_FRESH);
	sched_push(&sched, &third.entry, SCHED_FRESH);
	sched_turn(&sched);
	ck_assert_str_eq(trace, "13");
	sched_remove(&sched, &second.entry);
	ck_assert(sched_idle(&sched));
}
END_TEST

static void run_again(struct sched_entry *entry, size_t quantum)
{
	run(entry, quantum);
	sched_push(&sched, entry, SCHED_FRESH);
}

START_TEST(fresh_work_that_makes_itself_anew_cannot_hold_the_loop)
{
	struct job job;
	struct job bulk;

	job_init(&job, 'a', 0);
	job.entry.run = run_again;
	job_init(&bulk, 'b', 0);
	sched_push(&sched, &job.entry, SCHED_FRESH);
	sched_push(&sched, &bulk.entry, SCHED_BULK);
	sched_turn(&sched);
	ck_assert_ptr_nonnull(strchr(trace, 'b'));
	ck_assert(!sched_idle(&sched));
}
END_TEST

static struct job made;

static void run_maker(struct sched_entry *entry, size_t quantum)
{
	run(entry, quantum);
	sched_push(&sched, &made.entry, SCHED_FRESH);
}

START_TEST(what_fresh_work_makes_runs_before_bulk)
{
	struct job maker;
	struct job bulk;

	job_init(&maker, 'm', 0);
	maker.entry.run = run_maker;
	job_init(&made, 'n', 0);
	job_init(&bulk, 'b', 0);
	sched_push(&sched, &bulk.entry, SCHED_BULK);
	sched_push(&sched, &maker.entry, SCHED_FRESH);
	sched_turn(&sched);
	ck_assert_str_eq(trace, "mnb");
}
END_TEST

static void run_waker(struct sched_entry *entry, size_t quantum)
{
	run(entry, quantum);
	sched_push(&sched, &made.entry, SCHED_BEGUN);
}

START_TEST(what_had_begun_and_what_it_wakes_goes_before_fresh_work)
{
	struct job waker;
	struct job fresh;

	job_init(&waker, 'w', 0);
	waker.entry.run = run_waker;
	job_init(&made, 'n', 0);
	job_init(&fresh, 'f', 0);
	sched_push(&sched, &fresh.entry, SCHED_FRESH);
	sched_push(&sched, &waker.entry, SCHED_BEGUN);
	ck_assert(!sched_idle(&sched));
	sched_turn(&sched);
	ck_assert_str_eq(trace, "wnf");
	ck_assert(sched_idle(&sched));
}
END_TEST

static void run_begun_again(struct sched_entry *entry, size_t quantum)
{
	run(entry, quantum);
	sched_push(&sched, entry, SCHED_BEGUN);
}

START_TEST(begun_work_that_makes_itself_anew_cannot_hold_the_loop)
{
	struct job job;
	struct job fresh;
	struct job bulk;

	job_init(&job, 'a', 0);
	job.entry.run = run_begun_again;
	job_init(&fresh, 'f', 0);
	job_init(&bulk, 'b', 0);
	sched_push(&sched, &job.entry, SCHED_BEGUN);
	sched_push(&sched, &fresh.entry, SCHED_FRESH);
	sched_push(&sched, &bulk.entry, SCHED_BULK);
	sched_turn(&sched);
	ck_assert_ptr_nonnull(strchr(trace, 'f'));
	ck_assert_ptr_nonnull(strchr(trace, 'b'));
	ck_assert(!sched_idle(&sched));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sched");
	TCase *test = tcase_create("sched");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(test, setup, NULL);
	tcase_add_test(test, fresh_work_goes_before_bulk);
	tcase_add_test(test, bulk_work_takes_turns);
	tcase_add_test(test, one_turn_of_bulk_is_bounded);
	tcase_add_test(test, the_quantum_shrinks_as_more_is_ready);
	tcase_add_test(test, pushing_twice_runs_once);
	tcase_add_test(test, work_may_remove_what_is_queued_behind_it);
	tcase_add_test(test, fresh_work_that_makes_itself_anew_cannot_hold_the_loop);
	tcase_add_test(test, what_fresh_work_makes_runs_before_bulk);
	tcase_add_test(test, what_had_begun_and_what_it_wakes_goes_before_fresh_work);
	tcase_add_test(test, begun_work_that_makes_itself_anew_cannot_hold_the_loop);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
