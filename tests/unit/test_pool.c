/* SPDX-License-Identifier: BSD-2-Clause */
/* The proxy's pool: who gets a request, and what its answers do to a server. */
#include "config.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool_private.h"
#include "standin.h"

#define URLS_MAX 16

/* One worker with one pool. */
static struct lop_core core;
static struct lop_worker worker;
static struct shared *shared;
static struct pool *pool;
static struct upstream_url urls[URLS_MAX];
static char hosts[URLS_MAX][16];
static struct pool_settings settings;
static struct pick pick;

static void open_pool(unsigned count)
{
	core = (struct lop_core){ .workers = 1 };
	worker = (struct lop_worker){ .now = 1000 * S, .wall = 1700000000 * S };
	ck_assert_int_eq(shared_new(&core, 1, 64, true, &shared), 0);
	ck_assert_int_eq(shared_start(shared, &worker), 0);
	pool = pool_new(shared, 0, urls, count, &settings);
	ck_assert_ptr_nonnull(pool);
	ck_assert_int_eq(pool_start(pool, &worker), 0);
	ck_assert_uint_eq(pool->count, count);
}

static void close_pool(void)
{
	pool_free(&pool);
	for (unsigned i = 0; i < 64; i++)
		ck_assert_uint_eq(atomic_load(&shared->servers[i].key), 0);
	ck_assert_uint_eq(shared->busy, 0);
	shared_free(&shared);
	ck_assert_ptr_null(worker.timers);
	ck_assert_ptr_null(worker.watches);
	standin_core_free(&core);
}

/* The last byte of a server's address tells it. */
static int id_of(const struct server *server)
{
	return (int)(ntohl(server->address.in.sin_addr.s_addr) & 0xff);
}

static struct server *take(void)
{
	struct server *server;

	pick.read = false;
	pick.keyed = false;
	pick.bound = NULL;
	ck_assert_int_eq(pool_pick(pool, &pick, &server), PICK_OK);
	return server;
}

/* One request that ends at once. */
static int ask(enum outcome outcome)
{
	struct server *server = take();
	const int id = id_of(server);

	if (outcome == OUTCOME_OK)
		pool_answered(server, 5 * MS);
	pool_done(server, outcome, -1);
	return id;
}

static void set_up(void)
{
	memset(urls, 0, sizeof urls);
	for (int i = 0; i < URLS_MAX; i++) {
		snprintf(hosts[i], sizeof hosts[i], "127.0.0.%d", i + 1);
		urls[i] = (struct upstream_url){ .kind = UPSTREAM_TCP,
			                         .literal = true,
			                         .port = 80,
			                         .weight = 1,
			                         .host = hosts[i] };
	}
	pick = (struct pick){ .request = NULL };
	settings = (struct pool_settings){
		.fail_limit = 3,
		.eject_time = 10 * S,
		.eject_max = 60 * S,
		.queue_size = 10,
		.queue_timeout = 5 * S,
		.retry_percent = 20,
	};
}

static void assert_order(const char *expected)
{
	for (const char *at = expected; *at != '\0'; at++) {
		const int id = ask(OUTCOME_OK);

		ck_assert_msg(id == *at - 'a' + 1, "%c, not %c, at %d of %s", id + 'a' - 1, *at,
		              (int)(at - expected), expected);
	}
}

START_TEST(round_robin_is_smooth)
{
	urls[0].weight = 5;
	open_pool(3);
	assert_order("aabacaaaabacaa");
	close_pool();
}
END_TEST

START_TEST(equal_servers_take_turns)
{
	open_pool(4);
	assert_order("abcdabcd");
	close_pool();
}
END_TEST

START_TEST(a_retry_goes_to_another_server)
{
	struct server *first, *second, *third;

	open_pool(2);
	first = take();
	pick.tried[pick.tried_count++] = first;
	second = take();
	ck_assert_ptr_ne(first, second);
	pick.tried[pick.tried_count++] = second;
	ck_assert_int_eq(pool_pick(pool, &pick, &third), PICK_DOWN);
	pool_done(first, OUTCOME_FAILED, -1);
	pool_done(second, OUTCOME_FAILED, -1);
	close_pool();
}
END_TEST

START_TEST(random_goes_by_weight)
{
	int counts[4] = { 0 };

	settings.balance.method = BALANCE_RANDOM;
	urls[0].weight = 2;
	open_pool(3);
	pool->random = 42;
	for (int i = 0; i < 4000; i++)
		counts[ask(OUTCOME_OK)]++;
	ck_assert_int_gt(counts[1], 1800);
	ck_assert_int_lt(counts[1], 2200);
	ck_assert_int_gt(counts[2], 850);
	ck_assert_int_gt(counts[3], 850);
	close_pool();
}
END_TEST

START_TEST(fewer_connections_are_preferred_by_weight)
{
	struct server *held[300];
	int counts[5] = { 0 };

	settings.balance.method = BALANCE_LEAST;
	urls[0].weight = 3;
	open_pool(4);
	pool->random = 7;
	for (int i = 0; i < 300; i++)
		counts[id_of(held[i] = take())]++;
	/* 150, 50, 50, 50 */
	ck_assert_int_gt(counts[1], 140);
	ck_assert_int_lt(counts[1], 160);
	for (int i = 2; i <= 4; i++) {
		ck_assert_int_gt(counts[i], 43);
		ck_assert_int_lt(counts[i], 57);
	}
	for (int i = 0; i < 300; i++)
		pool_done(held[i], OUTCOME_OK, 1);
	close_pool();
}
END_TEST

START_TEST(a_backup_stands_in)
{
	urls[0].backup = true;
	open_pool(3);
	assert_order("bcbc");
	for (int i = 0; i < 6; i++)
		(void)ask(OUTCOME_FAILED);
	ck_assert(health_ejected(pool->servers[0]) && health_ejected(pool->servers[1]));
	/* One to each of those that are out, as a trial, when that is due. */
	assert_order("aaaa");
	close_pool();
}
END_TEST

START_TEST(a_retry_may_go_to_a_backup)
{
	struct server *first, *second;

	urls[1].backup = true;
	open_pool(2);
	first = take();
	ck_assert_int_eq(id_of(first), 1);
	pick.tried[pick.tried_count++] = first;
	second = take();
	ck_assert_int_eq(id_of(second), 2);
	pool_done(first, OUTCOME_FAILED, -1);
	pool_done(second, OUTCOME_OK, 1);
	close_pool();
}
END_TEST

START_TEST(failures_in_a_row_eject)
{
	struct server *first;

	open_pool(2);
	first = pool->servers[0];
	for (int i = 0; i < 2; i++)
		health_failed(first, LOP_PROXY_FAILED);
	ck_assert(!health_ejected(first));
	health_passed(first);
	for (int i = 0; i < 2; i++)
		health_failed(first, LOP_PROXY_FAILED);
	ck_assert(!health_ejected(first));
	health_failed(first, LOP_PROXY_FAILED);
	ck_assert(health_ejected(first));
	assert_order("bbbb");
	standin_advance(&worker, 9 * S + 999 * MS);
	assert_order("bb");
	/* The pause is over: one request tries it, and it is back. */
	standin_advance(&worker, 1 * MS);
	assert_order("a");
	ck_assert(!health_ejected(first));
	close_pool();
}
END_TEST

START_TEST(only_one_request_tries_a_server)
{
	struct server *trial, *other;

	open_pool(2);
	for (int i = 0; i < 3; i++)
		health_failed(pool->servers[0], LOP_PROXY_FAILED);
	standin_advance(&worker, 10 * S);
	trial = take();
	ck_assert_int_eq(id_of(trial), 1);
	for (int i = 0; i < 10; i++) {
		other = take();
		ck_assert_int_eq(id_of(other), 2);
		pool_done(other, OUTCOME_OK, 1);
	}
	/* Nothing is heard of it for a while: another. */
	standin_advance(&worker, 10 * S);
	other = take();
	ck_assert_int_eq(id_of(other), 1);
	pool_done(other, OUTCOME_ABANDONED, -1);
	pool_answered(trial, 1 * S);
	ck_assert(!health_ejected(trial));
	pool_done(trial, OUTCOME_OK, -1);
	close_pool();
}
END_TEST

START_TEST(pauses_grow_and_are_forgotten)
{
	static const int seconds[] = { 10, 20, 40, 60, 60 };
	struct server *first;

	open_pool(2);
	first = pool->servers[0];
	for (int i = 0; i < 3; i++)
		health_failed(first, LOP_PROXY_FAILED);
	for (int i = 0; i < 5; i++) {
		struct server *server;

		ck_assert_int_eq(atomic_load(&first->shared->ejected_until) - worker.now,
		                 seconds[i] * S);
		/* Of what was under way before nothing is learnt. */
		health_failed(first, LOP_PROXY_FAILED);
		standin_advance(&worker, seconds[i] * S);
		server = take();
		ck_assert_ptr_eq(server, first);
		pool_done(server, OUTCOME_FAILED, -1);
	}
	ck_assert_uint_eq(atomic_load(&first->shared->ejections), 6);
	standin_advance(&worker, 60 * S);
	assert_order("a");
	standin_advance(&worker, 61 * S);
	assert_order("abab");
	ck_assert_uint_eq(atomic_load(&first->shared->streak), 0);
	close_pool();
}
END_TEST

START_TEST(the_only_server_stays)
{
	open_pool(1);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(ask(OUTCOME_FAILED), 1);
	assert_order("aa");
	close_pool();
}
END_TEST

START_TEST(the_last_one_is_not_ejected_for_bad_answers)
{
	settings.eject_errors = true;
	open_pool(3);
	for (int i = 0; i < 50; i++)
		(void)ask(OUTCOME_ERROR);
	ck_assert_uint_eq(pool->levels[0].up, 1);
	close_pool();
}
END_TEST

START_TEST(errors_are_no_failures_unless_asked)
{
	open_pool(2);
	for (int i = 0; i < 50; i++)
		(void)ask(OUTCOME_ERROR);
	assert_order("abab");
	ck_assert_uint_eq(atomic_load(&pool->servers[0]->share->errors), 25);
	close_pool();
}
END_TEST

START_TEST(slow_answers_eject)
{
	settings.slow_limit = 100 * MS;
	open_pool(2);
	for (int i = 0; i < 3; i++) {
		struct server *server = pool->servers[0];

		server->references++;
		server->active++;
		shared_busy(shared);
		SHARED_ADD(server->share->active, 1);
		SHARED_ADD(pool->share->active, 1);
		pool_answered(server, 101 * MS);
		pool_done(server, OUTCOME_OK, -1);
	}
	ck_assert(health_ejected(pool->servers[0]));
	ck_assert_uint_eq(atomic_load(&pool->servers[0]->shared->reason), LOP_PROXY_SLOW);
	close_pool();
}
END_TEST

START_TEST(when_all_are_out_each_is_tried_now_and_then)
{
	struct server *server, *trials[2];

	open_pool(2);
	for (int i = 0; i < 6; i++)
		(void)ask(OUTCOME_FAILED);
	ck_assert_int_eq(pool_pick(pool, &pick, &server), PICK_DOWN);
	ck_assert_uint_eq(pool_retry_after(pool), 1);
	standin_advance(&worker, 249 * MS);
	ck_assert_int_eq(pool_pick(pool, &pick, &server), PICK_DOWN);
	standin_advance(&worker, 1 * MS);
	trials[0] = take();
	trials[1] = take();
	/* Others wait for what comes out, */
	ck_assert_int_eq(pool_pick(pool, &pick, &server), PICK_BUSY);
	pool_done(trials[0], OUTCOME_FAILED, -1);
	ck_assert_int_eq(pool_pick(pool, &pick, &server), PICK_BUSY);
	pool_done(trials[1], OUTCOME_FAILED, -1);
	/* which is nothing, */
	ck_assert_int_eq(pool_pick(pool, &pick, &server), PICK_DOWN);
	standin_advance(&worker, 250 * MS);
	(void)ask(OUTCOME_FAILED);
	ck_assert_int_eq(ask(OUTCOME_OK), 2);
	/* until one answers. */
	assert_order("bbb");
	ck_assert_uint_eq(atomic_load(&pool->servers[0]->shared->streak), 1);
	close_pool();
}
END_TEST

START_TEST(a_retry_goes_to_an_ejected_server_when_there_is_no_other)
{
	struct server *first, *second;

	open_pool(2);
	for (int i = 0; i < 3; i++)
		health_failed(pool->servers[0], LOP_PROXY_FAILED);
	standin_advance(&worker, 1 * S);
	first = take();
	ck_assert_int_eq(id_of(first), 2);
	pick.tried[pick.tried_count++] = first;
	second = take();
	ck_assert_int_eq(id_of(second), 1);
	pool_done(first, OUTCOME_FAILED, -1);
	pool_answered(second, 1);
	pool_done(second, OUTCOME_OK, -1);
	ck_assert(!health_ejected(second));
	close_pool();
}
END_TEST

static struct server *given[8];
static unsigned told;

static void remember(struct pool_waiter *waiter, struct server *server)
{
	(void)waiter;
	given[told++] = server;
}

START_TEST(who_comes_during_a_trial_waits_for_its_outcome)
{
	struct pool_waiter first = { .pick = &pick, .ready = remember }, second = first;
	struct server *trial, *other;

	told = 0;
	urls[1].backup = true;
	open_pool(2);
	for (int i = 0; i < 6; i++)
		(void)ask(OUTCOME_FAILED);
	standin_advance(&worker, 250 * MS);
	trial = take();
	other = take();
	ck_assert_int_eq(pool_wait(pool, &first), 0);
	standin_advance(&worker, 100 * MS);
	ck_assert_uint_eq(told, 0);
	pool_answered(trial, 100 * MS);
	standin_advance(&worker, 1 * MS);
	ck_assert_uint_eq(told, 1);
	ck_assert_ptr_eq(given[0], trial);
	for (int i = 0; i < 3; i++)
		health_failed(trial, LOP_PROXY_FAILED);
	ck_assert_int_eq(pool_wait(pool, &second), 0);
	standin_advance(&worker, 100 * MS);
	ck_assert_uint_eq(told, 1);
	pool_done(other, OUTCOME_FAILED, -1);
	standin_advance(&worker, 1 * MS);
	ck_assert_uint_eq(told, 2);
	ck_assert_ptr_null(given[1]);
	pool_done(trial, OUTCOME_OK, -1);
	pool_done(given[0], OUTCOME_OK, -1);
	close_pool();
}
END_TEST

START_TEST(an_empty_pool_is_down)
{
	struct server *server;

	urls[0].literal = false;
	core = (struct lop_core){ .workers = 1 };
	worker = (struct lop_worker){ .now = 1000 * S };
	ck_assert_int_eq(shared_new(&core, 1, 64, false, &shared), 0);
	ck_assert_int_eq(shared_start(shared, &worker), 0);
	pool = pool_new(shared, 0, urls, 1, &settings);
	ck_assert_int_eq(pool_start(pool, &worker), 0);
	ck_assert_int_eq(pool_pick(pool, &pick, &server), PICK_DOWN);
	ck_assert_uint_ge(pool_retry_after(pool), 1);
	close_pool();
}
END_TEST

static void update(unsigned from, unsigned to, const uint32_t *weights)
{
	union server_address addresses[32] = { 0 };
	socklen_t lengths[32];

	for (unsigned i = from; i < to; i++) {
		addresses[i - from].in.sin_family = AF_INET;
		addresses[i - from].in.sin_addr.s_addr = htonl(0x0a000000 | i);
		addresses[i - from].in.sin_port = htons(80);
		lengths[i - from] = sizeof(struct sockaddr_in);
	}
	ck_assert_int_eq(pool_update(pool, &urls[0], addresses, lengths, weights, to - from), 0);
}

static int gone;

static void count_gone(struct server *server)
{
	ck_assert(server->gone);
	gone++;
}

START_TEST(servers_come_and_go_with_the_name)
{
	static const uint32_t weights[] = { 1, 3 };
	struct server *busy;

	gone = 0;
	settings.server_gone = count_gone;
	open_pool(1);
	update(2, 5, NULL); /* 127.0.0.1 leaves */
	ck_assert_uint_eq(pool->count, 3);
	ck_assert_int_eq(gone, 1);
	busy = take();
	update(6, 8, weights);
	ck_assert_int_eq(gone, 4);
	ck_assert_uint_eq(pool->count, 2);
	for (int i = 0; i < 10; i++)
		ck_assert_int_ge(ask(OUTCOME_OK), 6);
	ck_assert_uint_eq(pool->levels[0].total, 4 * WEIGHT_SCALE);
	/* The one that is gone still counts, until its request has ended. */
	ck_assert_uint_eq(atomic_load(&busy->share->active), 1);
	ck_assert_str_eq(busy->shared->name, id_of(busy) == 2   ? "10.0.0.2:80"
	                                     : id_of(busy) == 3 ? "10.0.0.3:80"
	                                                        : "10.0.0.4:80");
	pool_done(busy, OUTCOME_OK, 1);
	update(6, 8, NULL); /* no change of the set: of the weights */
	ck_assert_int_eq(gone, 4);
	ck_assert_uint_eq(pool->levels[0].total, 2 * WEIGHT_SCALE);
	close_pool();
}
END_TEST

START_TEST(a_new_server_starts_slowly)
{
	int counts[4] = { 0 };

	urls[0].slow_start = 20 * S;
	open_pool(1);
	update(1, 3, NULL); /* within the opening: at full weight */
	ck_assert_uint_eq(pool->weights[0], pool->weights[1]);
	standin_advance(&worker, 60 * S);
	update(1, 4, NULL);
	for (int i = 0; i < 210; i++)
		counts[ask(OUTCOME_OK)]++;
	ck_assert_int_gt(counts[3], 2);
	ck_assert_int_lt(counts[3], 10);
	standin_advance(&worker, 10 * S);
	counts[3] = 0;
	for (int i = 0; i < 250; i++)
		counts[ask(OUTCOME_OK)]++;
	ck_assert_int_gt(counts[3], 45);
	ck_assert_int_lt(counts[3], 60);
	standin_advance(&worker, 10 * S);
	ck_assert_int_ne(ask(OUTCOME_OK), 0);
	ck_assert_uint_eq(pool->weights[2], pool->weights[0]);
	close_pool();
}
END_TEST

START_TEST(retries_have_a_budget)
{
	int retries = 0;

	open_pool(2);
	while (pool_may_retry(pool))
		retries++;
	ck_assert_int_eq(retries, 10);
	for (int i = 0; i < 100; i++)
		pool_count_request(pool);
	while (pool_may_retry(pool))
		retries++;
	ck_assert_int_eq(retries, 30);
	standin_advance(&worker, 9 * S);
	ck_assert(!pool_may_retry(pool));
	standin_advance(&worker, 1 * S);
	ck_assert(pool_may_retry(pool));
	close_pool();
	settings.retry_percent = 0;
	open_pool(2);
	ck_assert(!pool_may_retry(pool));
	close_pool();
}
END_TEST

/* By nothing but lophttpd/proxy.h. */
START_TEST(a_status_page_can_read_all_of_it)
{
	const struct lop_proxy *proxy;
	uint64_t requests = 0, failures = 0;
	unsigned found = 0;
	size_t size = 0;

	settings.name = "a.example/shop";
	urls[1].backup = true;
	urls[0].weight = 7;
	urls[0].max_connections = 9;
	open_pool(2);
	for (int i = 0; i < 5; i++) {
		pool_count_request(pool);
		(void)ask(i < 3 ? OUTCOME_OK : OUTCOME_FAILED);
	}
	proxy = lop_core_shared(&core, LOP_PROXY_BLOCK, &size);
	ck_assert_ptr_nonnull(proxy);
	ck_assert_uint_eq(proxy->size, sizeof *proxy);
	ck_assert_uint_eq(proxy->pool_count, 1);
	ck_assert_str_eq(lop_proxy_pool(proxy, 0)->name, "a.example/shop");
	ck_assert_uint_eq(atomic_load(&lop_proxy_pool_share(proxy, 0, 0)->requests), 5);
	ck_assert_uint_le(proxy->server_shares + (uint64_t)proxy->server_count *
	                                                 proxy->worker_count *
	                                                 proxy->server_share_size,
	                  size);
	for (uint32_t i = 0; i < proxy->server_count; i++) {
		const struct lop_proxy_server *server = lop_proxy_server(proxy, i);

		if (atomic_load(&server->key) == 0)
			continue;
		found++;
		for (uint32_t j = 0; j < proxy->worker_count; j++) {
			const struct lop_proxy_server_share *share =
				lop_proxy_server_share(proxy, i, j);

			requests += atomic_load(&share->requests);
			failures += atomic_load(&share->failures);
			ck_assert_uint_eq(atomic_load(&share->active), 0);
		}
		if (strcmp(server->name, "127.0.0.1:80") != 0)
			continue;
		ck_assert_uint_eq(atomic_load(&server->weight), 7);
		ck_assert_uint_eq(atomic_load(&server->max_connections), 9);
		ck_assert_uint_eq(atomic_load(&server->flags), 0);
		ck_assert_uint_eq(atomic_load(&server->failing), 2);
	}
	ck_assert_uint_eq(found, 2);
	ck_assert_uint_eq(requests, 5);
	ck_assert_uint_eq(failures, 2);
	close_pool();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pool");
	SRunner *runner = srunner_create(suite);
	TCase *test = tcase_create("pool");

	tcase_add_checked_fixture(test, set_up, NULL);
	tcase_add_test(test, round_robin_is_smooth);
	tcase_add_test(test, equal_servers_take_turns);
	tcase_add_test(test, a_retry_goes_to_another_server);
	tcase_add_test(test, random_goes_by_weight);
	tcase_add_test(test, fewer_connections_are_preferred_by_weight);
	tcase_add_test(test, a_backup_stands_in);
	tcase_add_test(test, a_retry_may_go_to_a_backup);
	tcase_add_test(test, failures_in_a_row_eject);
	tcase_add_test(test, only_one_request_tries_a_server);
	tcase_add_test(test, pauses_grow_and_are_forgotten);
	tcase_add_test(test, the_only_server_stays);
	tcase_add_test(test, the_last_one_is_not_ejected_for_bad_answers);
	tcase_add_test(test, errors_are_no_failures_unless_asked);
	tcase_add_test(test, slow_answers_eject);
	tcase_add_test(test, when_all_are_out_each_is_tried_now_and_then);
	tcase_add_test(test, a_retry_goes_to_an_ejected_server_when_there_is_no_other);
	tcase_add_test(test, who_comes_during_a_trial_waits_for_its_outcome);
	tcase_add_test(test, an_empty_pool_is_down);
	tcase_add_test(test, servers_come_and_go_with_the_name);
	tcase_add_test(test, a_new_server_starts_slowly);
	tcase_add_test(test, retries_have_a_budget);
	tcase_add_test(test, a_status_page_can_read_all_of_it);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
