/* SPDX-License-Identifier: BSD-2-Clause */
/* The proxy's pool over several workers: what they share, maxima, queues, and workers that die. */
#include "config.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool_private.h"
#include "standin.h"

#define WORKERS 4

static struct lop_core core;
static struct lop_worker workers[WORKERS];
static struct shared *shared[WORKERS];
static struct pool *pools[WORKERS];
static struct upstream_url url;
static struct pool_settings settings;

static void set_up(void)
{
	url = (struct upstream_url){ .kind = UPSTREAM_TCP, .port = 80, .weight = 1 };
	settings = (struct pool_settings){
		.fail_limit = 3,
		.eject_time = 10 * S,
		.eject_max = 60 * S,
		.queue_size = 4,
		.queue_timeout = 5 * S,
		.retry_percent = 20,
	};
	core = (struct lop_core){ .workers = WORKERS };
	memset(shared, 0, sizeof shared);
	memset(pools, 0, sizeof pools);
}

/* In the master. */
static void make(unsigned slots)
{
	ck_assert_int_eq(shared_new(&core, 1, slots, true, &shared[0]), 0);
}

/* In a worker: after a fork, or in this process with objects of its own over the same memory. */
static void start(int index)
{
	if (shared[index] == NULL) {
		shared[index] = malloc(sizeof *shared[index]);
		*shared[index] = *shared[0];
		shared[index]->lost = calloc(WORKERS, sizeof(bool));
		shared[index]->beat = NULL;
		shared[index]->watch = NULL;
		shared[index]->started = NULL;
		shared[index]->busy = 0;
		shared[index]->beating = false;
	}
	workers[index] = (struct lop_worker){ .now = workers[0].now, .index = index };
	if (workers[0].now == 0)
		workers[index].now = 1000 * S;
	ck_assert_int_eq(shared_start(shared[index], &workers[index]), 0);
	pools[index] = pool_new(shared[index], 0, &url, 1, &settings);
	ck_assert_ptr_nonnull(pools[index]);
	ck_assert_int_eq(pool_start(pools[index], &workers[index]), 0);
}

static void tear_down(void)
{
	for (int i = WORKERS - 1; i >= 0; i--) {
		pool_free(&pools[i]);
		if (i > 0 && shared[i] != NULL)
			shared[i]->wakes = NULL; /* the first one's */
		shared_free(&shared[i]);
	}
	standin_core_free(&core);
}

static void servers(int index, uint32_t mask)
{
	union server_address addresses[32] = { 0 };
	socklen_t lengths[32];
	unsigned used = 0;

	for (unsigned i = 0; i < 32; i++) {
		if (!(mask & UINT32_C(1) << i))
			continue;
		addresses[used].in.sin_family = AF_INET;
		addresses[used].in.sin_addr.s_addr = htonl(0x0a000000 | i);
		addresses[used].in.sin_port = htons(80);
		lengths[used++] = sizeof(struct sockaddr_in);
	}
	ck_assert_int_eq(pool_update(pools[index], &url, addresses, lengths, NULL, used), 0);
}

static enum pick_result pick(int index, struct server **server)
{
	struct pick state = { .request = NULL };

	return pool_pick(pools[index], &state, server);
}

static void advance(int64_t ns)
{
	for (int64_t passed = 0; passed < ns; passed += 10 * MS) {
		for (int i = 0; i < WORKERS; i++) {
			if (pools[i] == NULL)
				continue;
			standin_advance(&workers[i], ns < 10 * MS ? ns : 10 * MS);
			while (standin_poll(&workers[i], 0))
				;
		}
	}
}

/* ---- in processes --------------------------------------------------------------------------- */

struct board {
	atomic_uint ready;
	atomic_uint round;
	atomic_uint inside;
	atomic_uint most;
	atomic_uint taken;
	atomic_uint bad;
	unsigned slots[WORKERS][32];
};

static struct board *board;

static void make_board(void)
{
	board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	             0);
	ck_assert_ptr_ne(board, MAP_FAILED);
}

/* All workers come to this point before any goes on. */
static void meet(unsigned round)
{
	if (atomic_fetch_add(&board->ready, 1) + 1 == WORKERS * round)
		atomic_store(&board->round, round);
	while (atomic_load(&board->round) < round)
		poll(NULL, 0, 1);
}

static void run(void (*work)(int index))
{
	pid_t children[WORKERS];

	for (int i = 0; i < WORKERS; i++) {
		children[i] = fork();
		if (children[i] != 0)
			continue;
		if (i > 0) {
			shared[i] = shared[0];
			shared[0] = NULL;
		}
		start(i);
		work(i);
		_exit(0);
	}
	for (int i = 0; i < WORKERS; i++) {
		int status;

		ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
		ck_assert_int_eq(status, 0);
	}
}

static void come_and_go(int index)
{
	struct server *server;
	uint64_t random = (uint64_t)index + 1;

	pools[index]->random = random;
	for (int i = 0; i < 3000; i++) {
		servers(index, (uint32_t)random_next(pools[index]) & 0xff);
		if (pick(index, &server) == PICK_OK)
			pool_done(server, OUTCOME_OK, -1);
	}
	meet(1);
	servers(index, 0xff);
	meet(2);
	/* All claims are made: a look at the generation, and all agree. */
	for (int i = 0; i < 3; i++) {
		pool_refresh(pools[index], workers[index].now);
		meet(3 + (unsigned)i);
	}
	for (unsigned i = 0; i < pools[index]->count; i++)
		board->slots[index][i] = pools[index]->servers[i]->slot;
	if (pools[index]->count != 8)
		atomic_fetch_add(&board->bad, 1);
	meet(6);
}

START_TEST(workers_find_the_same_slots)
{
	make(10);
	make_board();
	run(come_and_go);
	ck_assert_uint_eq(atomic_load(&board->bad), 0);
	for (int i = 1; i < WORKERS; i++)
		ck_assert_mem_eq(board->slots[0], board->slots[i], sizeof board->slots[0]);
	for (int i = 0; i < 8; i++)
		for (int j = 0; j < i; j++)
			ck_assert_uint_ne(board->slots[0][i], board->slots[0][j]);
	for (unsigned i = 0; i < 10; i++)
		ck_assert_uint_eq(shared_server_active(shared[0], i), 0);
	/* Those who took their places hold nothing yet; what is left can be claimed. */
	for (int i = 0; i < WORKERS; i++)
		start(i);
	servers(0, 0xff00);
	ck_assert_uint_eq(pools[0]->count, 8);
}
END_TEST

static void crowd(int index)
{
	struct server *held[8];
	unsigned count = 0;

	servers(index, 1);
	meet(1);
	for (int i = 0; i < 20000; i++) {
		if (count < 8 && pick(index, &held[count]) == PICK_OK) {
			const unsigned inside = atomic_fetch_add(&board->inside, 1) + 1;
			unsigned most = atomic_load(&board->most);

			while (inside > most &&
			       !atomic_compare_exchange_weak(&board->most, &most, inside))
				;
			atomic_fetch_add(&board->taken, 1);
			count++;
		} else if (count > 0) {
			atomic_fetch_sub(&board->inside, 1);
			pool_done(held[--count], OUTCOME_OK, -1);
		}
	}
	while (count > 0) {
		atomic_fetch_sub(&board->inside, 1);
		pool_done(held[--count], OUTCOME_OK, -1);
	}
}

START_TEST(a_maximum_counts_over_all_workers)
{
	url.max_connections = 5;
	make(4);
	make_board();
	run(crowd);
	ck_assert_uint_le(atomic_load(&board->most), 5);
	ck_assert_uint_ge(atomic_load(&board->most), 2);
	ck_assert_uint_gt(atomic_load(&board->taken), 1000);
	ck_assert_uint_eq(shared_server_active(shared[0], 0), 0);
}
END_TEST

/* A worker takes some, and is killed. */
static void take_and_die(int index, unsigned count)
{
	int line[2], status;
	char byte;
	pid_t child;

	ck_assert_int_eq(pipe(line), 0);
	child = fork();
	if (child == 0) {
		struct server *server;

		start(index);
		servers(index, 1);
		for (unsigned i = 0; i < count; i++)
			if (pick(index, &server) != PICK_OK)
				_exit(1);
		if (pick(index, &server) == PICK_BUSY) {
			struct pool_waiter waiter = { .pick = &(struct pick){ .request = NULL } };

			pool_wait(pools[index], &waiter);
		} else {
			pool_done(server, OUTCOME_OK, -1);
		}
		if (write(line[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(line[0], &byte, 1), 1);
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	close(line[0]);
	close(line[1]);
}

START_TEST(one_that_takes_the_place_of_a_dead_one_gives_back)
{
	struct server *server;

	url.max_connections = 3;
	make(4);
	start(0);
	servers(0, 1);
	take_and_die(1, 3);
	ck_assert_uint_eq(shared_server_active(shared[0], 0), 3);
	ck_assert_int_eq(pick(0, &server), PICK_BUSY);
	ck_assert_uint_eq(atomic_load(&shared_pool_share(shared[0], 0, 1)->waiting), 1);
	start(1);
	ck_assert_uint_eq(shared_server_active(shared[0], 0), 0);
	ck_assert_int_eq(pick(0, &server), PICK_OK);
	pool_done(server, OUTCOME_OK, -1);
	ck_assert_uint_eq(atomic_load(&shared_server_share(shared[0], 0, 1)->requests), 3);
}
END_TEST

START_TEST(a_dead_worker_does_not_count_for_long)
{
	struct server *held[3];

	url.max_connections = 5;
	make(4);
	start(0);
	servers(0, 1);
	take_and_die(1, 3);
	ck_assert_int_eq(pick(0, &held[0]), PICK_OK);
	ck_assert_int_eq(pick(0, &held[1]), PICK_OK);
	ck_assert_int_eq(pick(0, &held[2]), PICK_BUSY);
	advance(7 * S);
	ck_assert_uint_eq(shared_server_active(shared[0], 0), 2);
	ck_assert_int_eq(pick(0, &held[2]), PICK_OK);
	for (int i = 0; i < 3; i++)
		pool_done(held[i], OUTCOME_OK, -1);
}
END_TEST

/* ---- in one process, with several workers --------------------------------------------------- */

START_TEST(what_one_worker_sees_the_others_know)
{
	struct server *server;

	make(8);
	start(0);
	start(1);
	servers(0, 3);
	servers(1, 3);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pick(0, &server), PICK_OK);
		for (int j = 0; j < 2 && server != pools[0]->servers[0]; j++) {
			pool_done(server, OUTCOME_OK, -1);
			ck_assert_int_eq(pick(0, &server), PICK_OK);
		}
		pool_done(server, OUTCOME_FAILED, -1);
	}
	ck_assert_uint_eq(atomic_load(&pools[1]->servers[0]->shared->failing), 2);
	health_failed(pools[1]->servers[0], LOP_PROXY_FAILED);
	ck_assert(health_ejected(pools[0]->servers[0]));
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(pick(0, &server), PICK_OK);
		ck_assert_ptr_eq(server, pools[0]->servers[1]);
		pool_done(server, OUTCOME_OK, -1);
	}
	/* The budget of retries is one as well. */
	for (int i = 0; i < 10; i++)
		ck_assert(pool_may_retry(pools[i % 2]));
	ck_assert(!pool_may_retry(pools[0]) && !pool_may_retry(pools[1]));
}
END_TEST

START_TEST(workers_begin_their_rounds_differently)
{
	struct server *server;
	unsigned seen = 0;

	make(8);
	for (int i = 0; i < WORKERS; i++) {
		start(i);
		servers(i, 0xf);
		ck_assert_int_eq(pick(i, &server), PICK_OK);
		seen |= 1u << server->slot;
		pool_done(server, OUTCOME_OK, -1);
	}
	ck_assert_uint_eq(seen, 0xf);
}
END_TEST

START_TEST(a_slot_is_free_when_nobody_holds_it)
{
	struct server *server;
	bool found = false;

	make(8);
	start(0);
	start(1);
	servers(0, 1);
	servers(1, 1);
	ck_assert_uint_eq(pools[0]->servers[0]->slot, pools[1]->servers[0]->slot);
	ck_assert_int_eq(pick(0, &server), PICK_OK);
	servers(0, 0);
	servers(1, 0);
	ck_assert_uint_eq(atomic_load(&shared[0]->servers[server->slot].key), server->key);
	pool_done(server, OUTCOME_OK, -1);
	for (unsigned i = 0; i < 8; i++)
		found = found || atomic_load(&shared[0]->servers[i].key) != 0;
	ck_assert(!found);
}
END_TEST

/* What comes of two workers that claim at the same instant. */
START_TEST(slots_that_were_lost_or_doubled_are_settled)
{
	struct lop_proxy_server *slots;
	struct server *held[3];
	uint64_t key;
	unsigned first;

	make(8);
	slots = shared[0]->servers;
	start(0);
	start(1);
	servers(0, 1);
	servers(1, 1);
	key = pools[0]->servers[0]->key;
	first = pools[0]->servers[0]->slot;
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pick(i % 2, &held[i]), PICK_OK);
	/* Another server has been given the slot. */
	atomic_store(&slots[first].key, key ^ 2);
	atomic_fetch_add(&shared[0]->front->generation, 1);
	for (int i = 0; i < 2; i++)
		pool_refresh(pools[i], workers[i].now);
	ck_assert_uint_eq(pools[0]->servers[0]->slot, pools[1]->servers[0]->slot);
	ck_assert_uint_ne(pools[0]->servers[0]->slot, first);
	ck_assert_uint_eq(shared_server_active(shared[0], pools[0]->servers[0]->slot), 3);
	ck_assert_uint_eq(shared_server_active(shared[0], first), 0);
	ck_assert_uint_eq(atomic_load(&slots[first].key), key ^ 2);
	/* The same one has two. */
	atomic_store(&slots[first].key, key);
	atomic_fetch_add(&shared[0]->front->generation, 1);
	for (int i = 0; i < 2; i++)
		pool_refresh(pools[i], workers[i].now);
	ck_assert_uint_eq(pools[0]->servers[0]->slot, first);
	ck_assert_uint_eq(pools[1]->servers[0]->slot, first);
	ck_assert_uint_eq(shared_server_active(shared[0], first), 3);
	for (unsigned i = 0; i < 8; i++)
		ck_assert(i == first || atomic_load(&slots[i].key) == 0);
	for (int i = 0; i < 3; i++)
		pool_done(held[i], OUTCOME_OK, -1);
	ck_assert_uint_eq(shared_server_active(shared[0], first), 0);
	servers(0, 0);
	servers(1, 0);
	ck_assert_uint_eq(atomic_load(&slots[first].key), 0);
}
END_TEST

START_TEST(the_table_can_be_full)
{
	union server_address addresses[4] = { 0 };
	socklen_t lengths[4];

	make(3);
	start(0);
	for (unsigned i = 0; i < 4; i++) {
		addresses[i].in.sin_family = AF_INET;
		addresses[i].in.sin_addr.s_addr = htonl(i + 1);
		lengths[i] = sizeof(struct sockaddr_in);
	}
	ck_assert_int_eq(pool_update(pools[0], &url, addresses, lengths, NULL, 4), -ENOSPC);
	ck_assert_uint_eq(pools[0]->count, 3);
	ck_assert_int_eq(pool_update(pools[0], &url, addresses + 1, lengths, NULL, 3), -ENOSPC);
	/* What had to leave has left: there is room now. */
	ck_assert_int_eq(pool_update(pools[0], &url, addresses + 1, lengths, NULL, 3), 0);
	ck_assert_uint_eq(pools[0]->count, 3);
}
END_TEST

/* ---- the queue ------------------------------------------------------------------------------ */

struct visitor {
	struct pool_waiter waiter;
	struct pick pick;
	struct server *server;
	int order; /* 0: not yet */
};

static int told;

static void ready(struct pool_waiter *waiter, struct server *server)
{
	struct visitor *visitor = (struct visitor *)waiter;

	visitor->server = server;
	visitor->order = ++told;
}

static int queue(int index, struct visitor *visitor)
{
	*visitor = (struct visitor){ .waiter.ready = ready };
	visitor->waiter.pick = &visitor->pick;
	ck_assert_int_eq(pool_pick(pools[index], &visitor->pick, &visitor->server), PICK_BUSY);
	return pool_wait(pools[index], &visitor->waiter);
}

START_TEST(who_came_first_goes_first_over_all_workers)
{
	struct visitor visitors[6];
	struct server *held, *server;

	told = 0;
	url.max_connections = 1;
	make(4);
	for (int i = 0; i < 3; i++) {
		start(i);
		servers(i, 1);
	}
	ck_assert_int_eq(pick(0, &held), PICK_OK);
	for (int i = 0; i < 6; i++) {
		ck_assert_int_eq(queue(i * 2 % 3, &visitors[i]), 0);
		advance(10 * MS);
	}
	ck_assert_int_eq(told, 0);
	for (int i = 0; i < 6; i++) {
		pool_done(held, OUTCOME_OK, -1);
		/* Nobody overtakes. */
		ck_assert_int_eq(pick(0, &server), PICK_BUSY);
		ck_assert_int_eq(pick(1, &server), PICK_BUSY);
		advance(10 * MS);
		ck_assert_int_eq(told, i + 1);
		ck_assert_int_eq(visitors[i].order, i + 1);
		ck_assert_ptr_nonnull(visitors[i].server);
		held = visitors[i].server;
	}
	pool_done(held, OUTCOME_OK, -1);
	ck_assert_int_eq(pick(1, &held), PICK_OK);
	pool_done(held, OUTCOME_OK, -1);
	ck_assert_uint_eq(shared[0]->busy + shared[1]->busy + shared[2]->busy, 0);
}
END_TEST

START_TEST(a_place_in_another_worker_wakes_at_once)
{
	struct visitor visitor;
	struct server *held;

	told = 0;
	url.max_connections = 1;
	make(4);
	start(0);
	start(1);
	servers(0, 1);
	servers(1, 1);
	ck_assert_int_eq(pick(0, &held), PICK_OK);
	ck_assert_int_eq(queue(1, &visitor), 0);
	standin_advance(&workers[1], 1 * MS);
	while (standin_poll(&workers[1], 0))
		;
	pool_done(held, OUTCOME_OK, -1);
	/* No time passes. */
	ck_assert_int_eq(standin_poll(&workers[1], 100), 1);
	ck_assert_int_eq(told, 1);
	pool_done(visitor.server, OUTCOME_OK, -1);
}
END_TEST

START_TEST(a_queue_is_bounded_in_length_and_time)
{
	struct visitor visitors[5];
	struct server *held;

	told = 0;
	url.max_connections = 1;
	make(4);
	start(0);
	servers(0, 1);
	ck_assert_int_eq(pick(0, &held), PICK_OK);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(queue(0, &visitors[i]), 0);
	ck_assert_int_eq(queue(0, &visitors[4]), -EBUSY);
	pool_wait_cancel(pools[0], &visitors[1].waiter);
	ck_assert_int_eq(queue(0, &visitors[4]), 0);
	advance(4990 * MS);
	ck_assert_int_eq(told, 0);
	advance(30 * MS);
	ck_assert_int_eq(told, 4);
	ck_assert_int_eq(visitors[1].order, 0);
	for (int i = 0; i < 5; i++)
		ck_assert_ptr_null(visitors[i].server);
	ck_assert_uint_eq(atomic_load(&pools[0]->share->timed_out), 4);
	ck_assert_uint_eq(atomic_load(&pools[0]->share->queued), 5);
	ck_assert_uint_ge(pool_retry_after(pools[0]), 1);
	pool_wait_cancel(pools[0], &visitors[0].waiter); /* harmless */
	pool_done(held, OUTCOME_OK, -1);
	ck_assert_uint_eq(shared[0]->busy, 0);
}
END_TEST

START_TEST(a_new_server_serves_who_waits)
{
	struct visitor visitor;
	struct server *held;

	told = 0;
	url.max_connections = 1;
	make(4);
	start(0);
	servers(0, 1);
	ck_assert_int_eq(pick(0, &held), PICK_OK);
	ck_assert_int_eq(queue(0, &visitor), 0);
	servers(0, 3);
	advance(1 * MS);
	ck_assert_int_eq(told, 1);
	pool_done(visitor.server, OUTCOME_OK, -1);
	pool_done(held, OUTCOME_OK, -1);
}
END_TEST

START_TEST(a_worker_that_died_waiting_does_not_hold_up_the_others)
{
	struct visitor visitor;
	struct server *held;

	told = 0;
	url.max_connections = 1;
	make(4);
	start(0);
	servers(0, 1);
	ck_assert_int_eq(pick(0, &held), PICK_OK);
	/* It waits since before, and is dead. */
	atomic_store(&shared_pool_share(shared[0], 0, 1)->waiting, 1);
	atomic_store(&shared_pool_share(shared[0], 0, 1)->oldest, workers[0].now - 1);
	atomic_store(&shared[0]->workers[1].seen, workers[0].now);
	ck_assert_int_eq(queue(0, &visitor), 0);
	pool_done(held, OUTCOME_OK, -1);
	advance(4 * S);
	ck_assert_int_eq(told, 0);
	settings.queue_timeout = 0;
	pools[0]->settings.queue_timeout = 60 * S;
	advance(4 * S);
	ck_assert_int_eq(told, 1);
	ck_assert_ptr_nonnull(visitor.server);
	pool_done(visitor.server, OUTCOME_OK, -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pool over workers");
	SRunner *runner = srunner_create(suite);
	TCase *test = tcase_create("processes");

	tcase_add_checked_fixture(test, set_up, tear_down);
	tcase_set_timeout(test, 60);
	tcase_add_test(test, workers_find_the_same_slots);
	tcase_add_test(test, a_maximum_counts_over_all_workers);
	tcase_add_test(test, one_that_takes_the_place_of_a_dead_one_gives_back);
	tcase_add_test(test, a_dead_worker_does_not_count_for_long);
	suite_add_tcase(suite, test);
	test = tcase_create("workers");
	tcase_add_checked_fixture(test, set_up, tear_down);
	tcase_add_test(test, what_one_worker_sees_the_others_know);
	tcase_add_test(test, workers_begin_their_rounds_differently);
	tcase_add_test(test, a_slot_is_free_when_nobody_holds_it);
	tcase_add_test(test, slots_that_were_lost_or_doubled_are_settled);
	tcase_add_test(test, the_table_can_be_full);
	suite_add_tcase(suite, test);
	test = tcase_create("queue");
	tcase_add_checked_fixture(test, set_up, tear_down);
	tcase_add_test(test, who_came_first_goes_first_over_all_workers);
	tcase_add_test(test, a_place_in_another_worker_wakes_at_once);
	tcase_add_test(test, a_queue_is_bounded_in_length_and_time);
	tcase_add_test(test, a_new_server_serves_who_waits);
	tcase_add_test(test, a_worker_that_died_waiting_does_not_hold_up_the_others);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
