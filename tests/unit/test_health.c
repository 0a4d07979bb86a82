/* SPDX-License-Identifier: BSD-2-Clause */
/* The proxy's active checks: the option, the answer, and checks of a real socket. */
#include "config.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "health_parse.h"
#include "pool_private.h"
#include "standin.h"

/* ---- pure ----------------------------------------------------------------------------------- */

START_TEST(the_option_is_understood)
{
	struct health_check check;
	char error[256];

	ck_assert_int_eq(health_parse("path=/up,interval=5s,rise=4,fall=1,expect=200,timeout=300ms,"
	                              "host=a.example:81",
	                              &check, error, sizeof error),
	                 0);
	ck_assert_str_eq(check.path, "/up");
	ck_assert_str_eq(check.host, "a.example:81");
	ck_assert_int_eq(check.interval, 5 * S);
	ck_assert_int_eq(check.timeout, 300 * MS);
	ck_assert_uint_eq(check.rise, 4);
	ck_assert_uint_eq(check.fall, 1);
	ck_assert_int_eq(check.expect_low, 200);
	ck_assert_int_eq(check.expect_high, 200);
	ck_assert(check.active);
	health_clear(&check);
	ck_assert_int_eq(health_parse("path=/", &check, error, sizeof error), 0);
	ck_assert_str_eq(check.path, "/");
	ck_assert_int_eq(check.expect_low, 200);
	ck_assert_int_eq(check.expect_high, 399);
	ck_assert_int_le(check.timeout, check.interval);
	health_clear(&check);
	ck_assert_int_eq(health_parse("expect=2XX,path=/", &check, error, sizeof error), 0);
	ck_assert_int_eq(check.expect_high, 299);
	health_clear(&check);
	ck_assert_int_eq(
		health_parse("expect=200-204,path=/a,path=/b", &check, error, sizeof error), 0);
	ck_assert_int_eq(check.expect_high, 204);
	ck_assert_str_eq(check.path, "/b");
	health_clear(&check);
}
END_TEST

START_TEST(bad_options_are_explained)
{
	static const char *const bad[] = {
		"rise=2",
		"path=up",
		"path=/a b",
		"path=/\r\nX: y",
		"path",
		"interval=0",
		"interval=2x",
		"rise=0",
		"rise=x",
		"fall=",
		"fall=1000",
		"expect=20",
		"expect=1xx",
		"expect=300-200",
		"expect=600",
		"expect=20x",
		"host=",
		"host=a b",
		"way=1",
		",",
		"",
		"path=/up,,rise=2",
		"path=/up,",
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct health_check check;
		char error[256] = "";
		const int result = health_parse(bad[i], &check, error, sizeof error);

		ck_assert_msg(result == -EINVAL, "%s", bad[i]);
		ck_assert_msg(strstr(error, "path=/up,interval=2s") != NULL, "%s: %s", bad[i],
		              error);
		ck_assert_ptr_null(check.path);
	}
}
END_TEST

START_TEST(answers_are_read)
{
	static const struct {
		const char *text;
		int status;
	} cases[] = {
		{ "", 0 },
		{ "HTTP/1.1 200 OK", 0 },
		{ "HTTP/1.1 200 OK\r\n", 200 },
		{ "HTTP/1.0 404\n", 404 },
		{ "HTTP/1.1 503 \r\n", 503 },
		{ "HTTP/1.1 100 Continue\r\n\r\n", 0 },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n", 204 },
		{ "HTTP/1.1 103 Early\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK\r\n", 200 },
		{ "HTTP/1.1 103 Early\r\nLink: <a>\r\n", 0 },
		{ "HTTP", 0 },
		{ "HTTQ/", -EBADMSG },
		{ "SSH-2.0-x", -EBADMSG },
		{ "HTTP/2 200\r\n", -EBADMSG },
		{ "HTTP/1.1  200\r\n", -EBADMSG },
		{ "HTTP/1.1 2000\r\n", -EBADMSG },
		{ "HTTP/1.1 099\r\n", -EBADMSG },
		{ "HTTP/1.1 600\r\n", -EBADMSG },
		{ "HTTP/1.1 20\r\n", -EBADMSG },
		{ "\r\n", -EBADMSG },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		ck_assert_msg(health_answer(cases[i].text, strlen(cases[i].text)) ==
		                      cases[i].status,
		              "%s: %d", cases[i].text,
		              health_answer(cases[i].text, strlen(cases[i].text)));
}
END_TEST

/* ---- checks of a socket --------------------------------------------------------------------- */

static struct lop_core core;
static struct lop_worker workers[2];
static struct shared *shared[2];
static struct pool *pools[2];
static struct pool_settings settings;
static struct upstream_url urls[2];
static char host[] = "127.0.0.1", authority[] = "up.example", path[] = "/up";
static int listener;

static void listen_again(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(urls[0].port) };
	socklen_t length = sizeof address;
	int on = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_ge(listener, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, length), 0);
	ck_assert_int_eq(listen(listener, 16), 0);
	getsockname(listener, (struct sockaddr *)&address, &length);
	urls[0].port = ntohs(address.sin_port);
	fcntl(listener, F_SETFL, O_NONBLOCK);
}

static void start(int index)
{
	workers[index] = (struct lop_worker){ .now = 1000 * S, .index = index };
	if (index == 1)
		workers[1].now = workers[0].now;
	ck_assert_int_eq(shared_start(shared[index], &workers[index]), 0);
	ck_assert_int_eq(pool_start(pools[index], &workers[index]), 0);
}

static void open_checks(int count)
{
	core = (struct lop_core){ .workers = 2 };
	ck_assert_int_eq(shared_new(&core, 1, 8, false, &shared[0]), 0);
	pools[0] = pool_new(shared[0], 0, urls, 2, &settings);
	ck_assert_ptr_nonnull(pools[0]);
	start(0);
	if (count < 2)
		return;
	/* As after a fork: the other worker's own objects over the same memory. */
	shared[1] = malloc(sizeof *shared[1]);
	*shared[1] = *shared[0];
	shared[1]->lost = calloc(2, sizeof(bool));
	shared[1]->beat = NULL;
	shared[1]->started = NULL;
	pools[1] = pool_new(shared[1], 0, urls, 2, &settings);
	start(1);
}

static void set_up(void)
{
	settings = (struct pool_settings){
		.name = "/",
		.fail_limit = 3,
		.eject_time = 10 * S,
		.eject_max = 60 * S,
		.queue_timeout = 5 * S,
		.health = { .active = true,
		            .path = path,
		            .interval = 2 * S,
		            .timeout = 1 * S,
		            .rise = 2,
		            .fall = 3,
		            .expect_low = 200,
		            .expect_high = 299 },
	};
	for (int i = 0; i < 2; i++)
		urls[i] = (struct upstream_url){ .kind = UPSTREAM_TCP,
			                         .literal = i == 0,
			                         .weight = 1,
			                         .host = host,
			                         .authority = authority };
	pools[1] = NULL;
	shared[1] = NULL;
	listen_again();
}

static void tear_down(void)
{
	for (int i = 1; i >= 0; i--) {
		pool_free(&pools[i]);
		shared_free(&shared[i]);
		ck_assert_ptr_null(workers[i].timers);
		ck_assert_ptr_null(workers[i].watches);
	}
	standin_core_free(&core);
	close(listener);
}

static struct lop_proxy_server *server_of(int worker)
{
	return pools[worker]->servers[0]->shared;
}

/* A whole head. */
static void receive(int connection, char *request, size_t size)
{
	size_t length = 0;

	do {
		const ssize_t more = recv(connection, request + length, size - 1 - length, 0);

		ck_assert_int_gt(more, 0);
		length += (size_t)more;
		request[length] = '\0';
	} while (strstr(request, "\r\n\r\n") == NULL);
}

/* Takes the check that is waiting and answers it; false: none came. */
static bool answer(const char *text)
{
	char request[512];
	int connection = -1;

	for (int i = 0; i < 200 && connection < 0; i++) {
		while (standin_poll(&workers[0], 0))
			;
		connection = accept(listener, NULL, NULL);
		if (connection < 0 && workers[0].watches == NULL)
			return false;
	}
	if (connection < 0)
		return false;
	while (standin_poll(&workers[0], 0))
		;
	receive(connection, request, sizeof request);
	ck_assert_str_eq(request, "GET /up HTTP/1.1\r\nHost: up.example\r\n"
	                          "User-Agent: lophttpd-check\r\nAccept: */*\r\n"
	                          "Connection: close\r\n\r\n");
	/* In two pieces. */
	send(connection, text, 5, 0);
	while (standin_poll(&workers[0], 1))
		;
	send(connection, text + 5, strlen(text) - 5, 0);
	while (standin_poll(&workers[0], 20))
		;
	close(connection);
	return true;
}

static void settle(int worker)
{
	while (standin_poll(&workers[worker], 20))
		;
}

START_TEST(a_server_goes_down_and_comes_up)
{
	struct lop_proxy_server *server;
	struct pick pick = { .request = NULL };
	struct server *given;

	open_checks(1);
	server = server_of(0);
	standin_advance(&workers[0], 0);
	ck_assert(answer("HTTP/1.1 200 OK\r\n\r\n"));
	ck_assert_uint_eq(atomic_load(&server->checks), 1);
	standin_advance(&workers[0], 2 * S);
	/* Three bad ones within one interval more. */
	ck_assert(answer("HTTP/1.1 500 Oops\r\n\r\n"));
	ck_assert_uint_eq(atomic_load(&server->down), 0);
	standin_advance(&workers[0], 1 * S);
	ck_assert(answer("HTTP/1.1 500 Oops\r\n\r\n"));
	standin_advance(&workers[0], 1 * S);
	ck_assert(answer("garbage that is no HTTP\r\n"));
	ck_assert_uint_eq(atomic_load(&server->down), 1);
	ck_assert_ptr_nonnull(strstr(workers[0].message, "is down"));
	ck_assert_int_eq(pool_pick(pools[0], &pick, &given), PICK_DOWN);
	ck_assert_uint_eq(pool_retry_after(pools[0]), 2);
	standin_advance(&workers[0], 1 * S);
	ck_assert(answer("HTTP/1.1 204 Well\r\n\r\n"));
	ck_assert_uint_eq(atomic_load(&server->down), 1);
	standin_advance(&workers[0], 1 * S);
	ck_assert(answer("HTTP/1.1 100 Wait\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"));
	ck_assert_uint_eq(atomic_load(&server->down), 0);
	ck_assert_int_eq(pool_pick(pools[0], &pick, &given), PICK_OK);
	pool_done(given, OUTCOME_OK, 1);
	ck_assert_uint_eq(atomic_load(&server->checks), 6);
	ck_assert_uint_eq(atomic_load(&server->checks_failed), 3);
}
END_TEST

START_TEST(the_first_check_decides_by_itself)
{
	open_checks(1);
	close(listener);
	standin_advance(&workers[0], 0);
	settle(0);
	ck_assert_uint_eq(atomic_load(&server_of(0)->down), 1);
	listen_again();
	standin_advance(&workers[0], 1 * S);
	ck_assert(answer("HTTP/1.1 200 OK\r\n\r\n"));
	standin_advance(&workers[0], 1 * S);
	ck_assert(answer("HTTP/1.1 200 OK\r\n\r\n"));
	ck_assert_uint_eq(atomic_load(&server_of(0)->down), 0);
}
END_TEST

START_TEST(silence_is_failure)
{
	open_checks(1);
	standin_advance(&workers[0], 0);
	settle(0);
	standin_advance(&workers[0], 999 * MS);
	ck_assert_uint_eq(atomic_load(&server_of(0)->checks), 0);
	standin_advance(&workers[0], 1 * MS);
	ck_assert_uint_eq(atomic_load(&server_of(0)->down), 1);
	ck_assert_ptr_nonnull(strstr(workers[0].message, "no answer in time"));
}
END_TEST

START_TEST(a_good_check_ends_an_ejection)
{
	struct server *server;

	settings.health.rise = 1;
	urls[1].literal = true;
	urls[1].port = 1; /* so that it is not the only one */
	open_checks(1);
	server = pools[0]->servers[0]->address.in.sin_port == htons(1) ? pools[0]->servers[1]
	                                                               : pools[0]->servers[0];
	standin_advance(&workers[0], 0);
	ck_assert(answer("HTTP/1.1 200 OK\r\n\r\n"));
	for (int i = 0; i < 3; i++)
		health_failed(server, LOP_PROXY_FAILED);
	ck_assert(health_ejected(server));
	standin_advance(&workers[0], 2 * S);
	ck_assert(answer("HTTP/1.1 200 OK\r\n\r\n"));
	ck_assert(!health_ejected(server));
	/* But of slow answers it knows nothing. */
	for (int i = 0; i < 2; i++)
		atomic_store(&pools[0]->servers[i]->shared->down, 0);
	pool_changed(pools[0]);
	for (int i = 0; i < 3; i++)
		health_answered(server, true);
	ck_assert(health_ejected(server));
	standin_advance(&workers[0], 2 * S);
	ck_assert(answer("HTTP/1.1 200 OK\r\n\r\n"));
	ck_assert(health_ejected(server));
}
END_TEST

START_TEST(one_worker_checks_and_another_takes_over)
{
	open_checks(2);
	standin_advance(&workers[0], 0);
	standin_advance(&workers[1], 0);
	ck_assert(pools[0]->servers[0]->check != NULL);
	ck_assert_ptr_null(pools[1]->servers[0]->check);
	ck_assert_uint_eq(atomic_load(&shared[0]->pools[0].checker) & 0xffff, 1);
	/* As long as it renews its lease it keeps it. */
	for (int i = 0; i < 10; i++) {
		standin_advance(&workers[0], 500 * MS);
		standin_advance(&workers[1], 500 * MS);
		ck_assert_ptr_null(pools[1]->servers[0]->check);
	}
	settle(0);
	/* The first stands still. */
	standin_advance(&workers[1], 2500 * MS);
	ck_assert(pools[1]->servers[0]->check != NULL);
	ck_assert_uint_eq(atomic_load(&shared[0]->pools[0].checker) & 0xffff, 2);
	/* And finds that it has lost it. */
	standin_advance(&workers[0], 2500 * MS);
	ck_assert_ptr_null(pools[0]->servers[0]->check);
	/* What the second one sees is known to the first. */
	close(listener);
	for (int i = 0; i < 5; i++) {
		standin_advance(&workers[1], 2 * S);
		settle(1);
	}
	ck_assert_uint_eq(atomic_load(&server_of(0)->down), 1);
	listen_again();
}
END_TEST

START_TEST(one_that_takes_a_place_takes_its_lease)
{
	open_checks(2);
	standin_advance(&workers[0], 0);
	ck_assert_uint_eq(atomic_load(&shared[0]->pools[0].checker) & 0xffff, 1);
	/* Killed, and another with its index begins. */
	shared_stop(shared[1]);
	ck_assert_int_eq(shared_start(shared[1], &workers[0]), 0);
	ck_assert_uint_eq(atomic_load(&shared[0]->pools[0].checker), 0);
	shared_stop(shared[1]);
	shared[1]->index = 1;
}
END_TEST

static int greeted;

static int begin_stream(void *context, const struct server *server, int descriptor, void **state)
{
	static int kept;

	(void)server;
	ck_assert_ptr_eq(context, &greeted);
	kept = descriptor;
	*state = &kept;
	return 0;
}

static ssize_t read_stream(void *state, void *buffer, size_t size)
{
	ssize_t result = recv(*(int *)state, buffer, size, 0);

	return result < 0 ? -errno : result;
}

static ssize_t write_stream(void *state, const void *data, size_t size)
{
	/* One byte at a time. */
	(void)size;
	greeted++;
	return send(*(int *)state, data, 1, 0);
}

static void end_stream(void *state)
{
	(void)state;
	greeted = -1;
}

START_TEST(a_transport_and_a_greeting_go_before)
{
	static const struct check_transport transport = { begin_stream, read_stream, write_stream,
		                                          end_stream, &greeted };
	char request[512];
	int connection;

	settings.secure = &transport;
	settings.check_preface = (struct lop_str){ "PROXY UNKNOWN\r\n", 15 };
	urls[0].secure = true;
	greeted = 0;
	open_checks(1);
	standin_advance(&workers[0], 0);
	settle(0);
	connection = accept(listener, NULL, NULL);
	ck_assert_int_ge(connection, 0);
	settle(0);
	receive(connection, request, sizeof request);
	ck_assert_int_eq(strncmp(request, "PROXY UNKNOWN\r\nGET /up HTTP/1.1\r\n", 33), 0);
	ck_assert_int_gt(greeted, 50);
	send(connection, "HTTP/1.1 200 OK\r\n", 17, 0);
	settle(0);
	ck_assert_uint_eq(atomic_load(&server_of(0)->checks), 1);
	ck_assert_uint_eq(atomic_load(&server_of(0)->checks_failed), 0);
	ck_assert_int_eq(greeted, -1);
	close(connection);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("health");
	SRunner *runner = srunner_create(suite);
	TCase *test = tcase_create("pure parts");

	tcase_add_test(test, the_option_is_understood);
	tcase_add_test(test, bad_options_are_explained);
	tcase_add_test(test, answers_are_read);
	suite_add_tcase(suite, test);
	test = tcase_create("checks");
	tcase_add_checked_fixture(test, set_up, tear_down);
	tcase_add_test(test, a_server_goes_down_and_comes_up);
	tcase_add_test(test, the_first_check_decides_by_itself);
	tcase_add_test(test, silence_is_failure);
	tcase_add_test(test, a_good_check_ends_an_ejection);
	tcase_add_test(test, one_worker_checks_and_another_takes_over);
	tcase_add_test(test, one_that_takes_a_place_takes_its_lease);
	tcase_add_test(test, a_transport_and_a_greeting_go_before);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
