/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections to upstreams and which of them are kept, with a UNIX socket as the upstream.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "standin.h"
#include "upstream.h"

static struct lop_worker worker;
static struct upstreams upstreams;
static struct upstream_url url = { .kind = UPSTREAM_UNIX, .authority = (char[]){ "localhost" } };
static struct server server;
static int listener;
static int accepted[8];
static unsigned accepted_count;
static unsigned woken;

void server_retain(struct server *held)
{
	held->references++;
}

void server_release(struct server **pointer)
{
	(*pointer)->references--;
	*pointer = NULL;
}

static void ready(void *context)
{
	(void)context;
	woken++;
}

static void setup(void)
{
	static char path[64];

	memset(&worker, 0, sizeof worker);
	worker.now = S;
	upstreams = (struct upstreams){ .worker = &worker, .max_idle = 2, .idle_timeout = 10 * S };
	server = (struct server){ .url = &url, .references = 1 };
	snprintf(path, sizeof path, "/tmp/lophttpd-upstream.%ld", (long)getpid());
	unlink(path);
	url.host = path;
	server.address.un.sun_family = AF_UNIX;
	memcpy(server.address.un.sun_path, path, strlen(path) + 1);
	server.address_length = sizeof server.address.un;
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(listener, &server.address.any, server.address_length), 0);
	ck_assert_int_eq(listen(listener, 8), 0);
	accepted_count = woken = 0;
}

static void teardown(void)
{
	upstreams_drain(&upstreams);
	ck_assert_uint_eq(server.references, 1);
	ck_assert_ptr_null(server.idle);
	while (accepted_count > 0)
		close(accepted[--accepted_count]);
	close(listener);
	unlink(url.host);
}

/* A new connection that is ready; the other end is the last of `accepted`. */
static struct upstream *open_one(void)
{
	const struct lop_str nothing = { NULL, 0 };
	struct upstream *upstream = NULL;

	ck_assert_int_eq(upstream_open(&upstreams, &server, nothing, ready, NULL, &upstream), 0);
	ck_assert_int_eq(upstream_prepare(upstream), 0);
	accepted[accepted_count] = accept(listener, NULL, NULL);
	ck_assert_int_ge(accepted[accepted_count++], 0);
	return upstream;
}

static struct upstream *take(void)
{
	return upstreams_take(&server, ready, NULL);
}

static unsigned kept_count(void)
{
	struct upstream *taken[8];
	unsigned count = 0;

	while ((taken[count] = take()) != NULL)
		count++;
	for (unsigned i = 0; i < count; i++)
		upstream_keep(&taken[i]);
	return count;
}

START_TEST(the_latest_connection_is_taken_first)
{
	struct upstream *first = open_one();
	struct upstream *second = open_one();
	const int descriptors[2] = { first->descriptor, second->descriptor };

	ck_assert_ptr_null(take());
	upstream_keep(&first);
	upstream_keep(&second);
	ck_assert_ptr_null(first);
	second = take();
	first = take();
	ck_assert_int_eq(second->descriptor, descriptors[1]);
	ck_assert_int_eq(first->descriptor, descriptors[0]);
	ck_assert(first->reused && second->reused);
	ck_assert_ptr_null(take());
	upstream_close(&first);
	upstream_close(&second);
}
END_TEST

START_TEST(no_more_are_kept_than_may_be)
{
	struct upstream *all[3];

	for (int i = 0; i < 3; i++)
		all[i] = open_one();
	for (int i = 0; i < 3; i++)
		upstream_keep(&all[i]);
	ck_assert_uint_eq(kept_count(), 2);
}
END_TEST

START_TEST(a_kept_connection_is_closed_after_its_time)
{
	struct upstream *upstream = open_one();
	char byte;

	upstream_keep(&upstream);
	standin_advance(&worker, 9 * S);
	ck_assert_uint_eq(kept_count(), 1); /* which begins its time anew */
	standin_advance(&worker, 9 * S);
	ck_assert_uint_eq(kept_count(), 1);
	standin_advance(&worker, 11 * S);
	ck_assert_ptr_null(take());
	ck_assert_int_eq(read(accepted[0], &byte, 1), 0);
}
END_TEST

START_TEST(what_arrives_on_a_kept_connection_closes_it)
{
	struct upstream *upstream = open_one();

	upstream_keep(&upstream);
	ck_assert_int_eq(send(accepted[0], "x", 1, 0), 1);
	ck_assert_int_eq(standin_poll(&worker, 1000), 1);
	ck_assert_ptr_null(server.idle);
	upstream = open_one();
	upstream_keep(&upstream);
	close(accepted[--accepted_count]);
	ck_assert_int_eq(standin_poll(&worker, 1000), 1);
	ck_assert_ptr_null(take());
}
END_TEST

START_TEST(bytes_that_nobody_asked_for_are_seen_when_it_is_given_back)
{
	struct upstream *upstream = open_one();

	ck_assert_int_eq(send(accepted[0], "x", 1, 0), 1);
	ck_assert_int_eq(standin_poll(&worker, 1000), 1);
	ck_assert_uint_gt(woken, 0);
	upstream_keep(&upstream);
	ck_assert_ptr_null(take());
}
END_TEST

START_TEST(what_the_loop_has_not_told_is_seen_when_it_is_taken)
{
	struct upstream *upstream = open_one();

	upstream_keep(&upstream);
	close(accepted[--accepted_count]);
	ck_assert_ptr_null(take());
	upstream = open_one();
	upstream_keep(&upstream);
	ck_assert_int_eq(send(accepted[accepted_count - 1], "x", 1, 0), 1);
	ck_assert_ptr_null(take());
}
END_TEST

START_TEST(nothing_is_kept_of_a_server_that_is_gone_or_while_draining)
{
	struct upstream *upstream = open_one();
	struct upstream *other = open_one();

	upstream_keep(&upstream);
	server.gone = true;
	upstreams_forget(&server);
	ck_assert_ptr_null(take());
	upstream_keep(&other);
	ck_assert_ptr_null(take());
	server.gone = false;
	upstream = open_one();
	upstreams_drain(&upstreams);
	upstream_keep(&upstream);
	ck_assert_ptr_null(take());
}
END_TEST

START_TEST(a_deadline_tells_its_user)
{
	struct upstream *upstream = open_one();

	woken = 0;
	upstream_deadline(upstream, 5 * S);
	standin_advance(&worker, 4 * S);
	upstream_deadline(upstream, 5 * S);
	standin_advance(&worker, 4 * S);
	ck_assert(!upstream->timed_out);
	standin_advance(&worker, 2 * S);
	ck_assert(upstream->timed_out);
	ck_assert_uint_eq(woken, 1);
	upstream->timed_out = false;
	upstream_deadline(upstream, 5 * S);
	upstream_deadline(upstream, 0);
	standin_advance(&worker, 9 * S);
	ck_assert(!upstream->timed_out);
	upstream_close(&upstream);
}
END_TEST

START_TEST(the_extra_byte_shows_what_is_too_much)
{
	struct upstream *upstream = open_one();
	char buffer[4];
	char extra;

	ck_assert_int_eq(send(accepted[0], "abcdef", 6, 0), 6);
	ck_assert_int_eq(standin_poll(&worker, 1000), 1);
	ck_assert_int_eq(upstream_receive(upstream, buffer, 4, &extra), 5);
	ck_assert_mem_eq(buffer, "abcd", 4);
	ck_assert_int_eq(upstream_receive(upstream, buffer, 4, &extra), 1);
	ck_assert_int_eq(upstream_receive(upstream, buffer, 4, &extra), -EAGAIN);
	ck_assert_int_eq(upstream_unread(upstream, "xy", 2), 0);
	ck_assert_int_eq(upstream_unread(upstream, "w", 1), 0);
	ck_assert_int_eq(upstream_receive(upstream, buffer, 4, NULL), 3);
	ck_assert_mem_eq(buffer, "wxy", 3);
	upstream_close(&upstream);
}
END_TEST

START_TEST(a_greeting_goes_first)
{
	struct upstream *upstream = NULL;
	struct iovec pieces[2] = { { (char[]){ "one " }, 4 }, { (char[]){ "two" }, 3 } };
	char buffer[32];

	ck_assert_int_eq(upstream_open(&upstreams, &server, (struct lop_str){ "hello ", 6 }, ready,
	                               NULL, &upstream),
	                 0);
	ck_assert_int_eq(upstream_prepare(upstream), 0);
	ck_assert_int_eq(upstream_send(upstream, pieces, 2), 7);
	accepted[accepted_count++] = accept(listener, NULL, NULL);
	ck_assert_int_eq(recv(accepted[0], buffer, sizeof buffer, 0), 13);
	ck_assert_mem_eq(buffer, "hello one two", 13);
	upstream_close(&upstream);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("upstream");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, the_latest_connection_is_taken_first);
	tcase_add_test(all, no_more_are_kept_than_may_be);
	tcase_add_test(all, a_kept_connection_is_closed_after_its_time);
	tcase_add_test(all, what_arrives_on_a_kept_connection_closes_it);
	tcase_add_test(all, bytes_that_nobody_asked_for_are_seen_when_it_is_given_back);
	tcase_add_test(all, what_the_loop_has_not_told_is_seen_when_it_is_taken);
	tcase_add_test(all, nothing_is_kept_of_a_server_that_is_gone_or_while_draining);
	tcase_add_test(all, a_deadline_tells_its_user);
	tcase_add_test(all, the_extra_byte_shows_what_is_too_much);
	tcase_add_test(all, a_greeting_goes_first);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
