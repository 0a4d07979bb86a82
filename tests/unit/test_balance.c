/* SPDX-License-Identifier: BSD-2-Clause */
/* The proxy's balancing by a key: consistent hashing, sticky cookies; and the option. */
#include "config.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pool_private.h"
#include "standin.h"

#define KEYS 20000

static struct lop_core core;
static struct lop_worker worker;
static struct shared *shared;
static struct pool *pool;
static struct upstream_url url;
static struct pool_settings settings;
static struct lop_connection connection;
static struct lop_request request;
static char field[] = "X-Key";

static void set_up(void)
{
	url = (struct upstream_url){ .kind = UPSTREAM_TCP, .port = 80, .weight = 1 };
	connection = (struct lop_connection){ "192.0.2.1" };
	request = (struct lop_request){ .connection = &connection, .target = "/a", .host = "h" };
	settings = (struct pool_settings){
		.balance = { BALANCE_HASH, KEY_FIELD, field },
		.fail_limit = 3,
		.eject_time = 10 * S,
		.eject_max = 60 * S,
		.queue_size = 10,
		.queue_timeout = 5 * S,
	};
}

static void open_pool(void)
{
	core = (struct lop_core){ .workers = 1 };
	worker = (struct lop_worker){ .now = 1000 * S, .wall = 1700000000 * S };
	ck_assert_int_eq(shared_new(&core, 1, 256, false, &shared), 0);
	ck_assert_int_eq(shared_start(shared, &worker), 0);
	pool = pool_new(shared, 0, &url, 1, &settings);
	ck_assert_int_eq(pool_start(pool, &worker), 0);
}

static void close_pool(void)
{
	pool_free(&pool);
	shared_free(&shared);
	standin_core_free(&core);
}

/* Servers 10.0.0.1 to 10.0.0.count, without one. */
static void servers(unsigned count, unsigned without, const uint32_t *weights)
{
	union server_address addresses[128] = { 0 };
	socklen_t lengths[128];
	unsigned used = 0;

	for (unsigned i = 1; i <= count; i++) {
		if (i == without)
			continue;
		addresses[used].in.sin_family = AF_INET;
		addresses[used].in.sin_addr.s_addr = htonl(0x0a000000 | i);
		addresses[used].in.sin_port = htons(80);
		lengths[used++] = sizeof(struct sockaddr_in);
	}
	ck_assert_int_eq(pool_update(pool, &url, addresses, lengths, weights, used), 0);
}

static unsigned id_of(const struct server *server)
{
	return ntohl(server->address.in.sin_addr.s_addr) & 0xff;
}

static struct server *take(void)
{
	struct pick pick = { .request = &request };
	struct server *server;

	ck_assert_int_eq(pool_pick(pool, &pick, &server), PICK_OK);
	return server;
}

static unsigned ask(const char *key)
{
	struct server *server;
	unsigned id;

	request.fields[0] = (struct standin_field){ field, key };
	server = take();
	id = id_of(server);
	pool_done(server, OUTCOME_OK, -1);
	return id;
}

static void ask_all(unsigned char owners[KEYS])
{
	for (int i = 0; i < KEYS; i++) {
		char key[32];

		snprintf(key, sizeof key, "/album/%d.jpg", i);
		owners[i] = (unsigned char)ask(key);
	}
}

/* ---- consistent hashing --------------------------------------------------------------------- */

START_TEST(a_key_stays_with_its_server)
{
	static unsigned char before[KEYS], after[KEYS];
	int counts[11] = { 0 };

	open_pool();
	servers(10, 0, NULL);
	ask_all(before);
	ask_all(after);
	ck_assert_mem_eq(before, after, KEYS);
	for (int i = 0; i < KEYS; i++)
		counts[before[i]]++;
	/* About a tenth for each. */
	for (int i = 1; i <= 10; i++) {
		ck_assert_int_gt(counts[i], KEYS / 10 * 80 / 100);
		ck_assert_int_lt(counts[i], KEYS / 10 * 120 / 100);
	}
	close_pool();
}
END_TEST

START_TEST(a_server_that_leaves_moves_its_own_keys_only)
{
	static unsigned char before[KEYS], after[KEYS];
	int moved = 0, got[11] = { 0 };

	open_pool();
	servers(10, 0, NULL);
	ask_all(before);
	servers(10, 4, NULL);
	ask_all(after);
	for (int i = 0; i < KEYS; i++) {
		if (before[i] != 4) {
			ck_assert_int_eq(before[i], after[i]);
			continue;
		}
		moved++;
		got[after[i]]++;
	}
	ck_assert_int_gt(moved, KEYS / 10 * 80 / 100);
	ck_assert_int_lt(moved, KEYS / 10 * 120 / 100);
	/* All of the others inherit. */
	for (int i = 1; i <= 10; i++)
		ck_assert(i == 4 || got[i] > moved / 9 / 3);
	/* It comes back to the same keys. */
	servers(10, 0, NULL);
	ask_all(after);
	ck_assert_mem_eq(before, after, KEYS);
	close_pool();
}
END_TEST

START_TEST(a_server_that_is_down_moves_its_own_keys_only)
{
	static unsigned char before[KEYS], after[KEYS];

	open_pool();
	servers(10, 0, NULL);
	ask_all(before);
	for (unsigned i = 0; i < 10; i++)
		if (id_of(pool->servers[i]) == 7)
			atomic_store(&pool->servers[i]->shared->down, 1);
	pool_changed(pool);
	ask_all(after);
	for (int i = 0; i < KEYS; i++)
		ck_assert(before[i] == 7 ? after[i] != 7 : after[i] == before[i]);
	close_pool();
}
END_TEST

START_TEST(keys_go_by_weight)
{
	static const uint32_t weights[] = { 1, 2, 5 };
	static unsigned char owners[KEYS];
	int counts[4] = { 0 };

	open_pool();
	servers(3, 0, weights);
	ask_all(owners);
	for (int i = 0; i < KEYS; i++)
		counts[owners[i]]++;
	for (int i = 0; i < 3; i++) {
		const int share = KEYS * (int)weights[i] / 8;

		ck_assert_int_gt(counts[i + 1], share * 80 / 100);
		ck_assert_int_lt(counts[i + 1], share * 120 / 100);
	}
	close_pool();
}
END_TEST

START_TEST(a_popular_key_does_not_bury_its_server)
{
	struct server *held[400];
	int counts[5] = { 0 };

	open_pool();
	servers(4, 0, NULL);
	request.fields[0] = (struct standin_field){ field, "popular" };
	for (int i = 0; i < 400; i++)
		counts[id_of(held[i] = take())]++;
	for (int i = 1; i <= 4; i++)
		ck_assert_int_le(counts[i], 126);
	/* Few requests stay together. */
	for (int i = 0; i < 400; i++)
		pool_done(held[i], OUTCOME_OK, -1);
	for (int i = 0; i < 4; i++) {
		held[i] = take();
		ck_assert_ptr_eq(held[i], held[0]);
	}
	for (int i = 0; i < 4; i++)
		pool_done(held[i], OUTCOME_OK, -1);
	close_pool();
}
END_TEST

START_TEST(requests_without_the_key_are_spread)
{
	struct server *server;
	int counts[5] = { 0 };

	open_pool();
	servers(4, 0, NULL);
	for (int i = 0; i < 400; i++) {
		server = take();
		counts[id_of(server)]++;
		pool_done(server, OUTCOME_OK, -1);
	}
	for (int i = 1; i <= 4; i++)
		ck_assert_int_eq(counts[i], 100);
	close_pool();
}
END_TEST

START_TEST(a_new_server_takes_its_keys_little_by_little)
{
	static unsigned char before[KEYS], during[KEYS], after[KEYS];
	int early = 0, late = 0;

	url.slow_start = 20 * S;
	open_pool();
	servers(4, 0, NULL);
	standin_advance(&worker, 60 * S);
	ask_all(before);
	servers(5, 0, NULL);
	standin_advance(&worker, 6 * S);
	ask_all(during);
	standin_advance(&worker, 14 * S);
	ask_all(after);
	for (int i = 0; i < KEYS; i++) {
		ck_assert(after[i] == 5 || after[i] == before[i]);
		ck_assert(during[i] == after[i] || during[i] == before[i]);
		early += during[i] == 5;
		late += after[i] == 5;
	}
	ck_assert_int_gt(early, late * 20 / 100);
	ck_assert_int_lt(early, late * 50 / 100);
	close_pool();
}
END_TEST

START_TEST(keys_of_all_kinds_are_read)
{
	char name[] = "user";
	struct lop_connection other = { "192.0.2.77" };
	struct pick one, two;

	for (int key = KEY_FIELD; key <= KEY_HOST; key++) {
		struct lop_request changed;

		settings.balance = (struct balance){ BALANCE_HASH, (enum balance_key)key,
			                             key == KEY_COOKIE ? name : field };
		open_pool();
		request.fields[0] = (struct standin_field){ "x-key", "1" };
		request.fields[1] = (struct standin_field){ "Cookie", "a=b; user=1" };
		changed = request;
		changed.fields[0].value = key == KEY_FIELD ? "2" : "1";
		changed.fields[1].value = key == KEY_COOKIE ? "user=2; a=b" : "user=1; c=d";
		changed.target = key == KEY_TARGET ? "/b" : "/a";
		changed.host = key == KEY_HOST ? "i" : "h";
		changed.connection = key == KEY_ADDRESS ? &other : &connection;
		one = (struct pick){ .request = &request };
		two = (struct pick){ .request = &changed };
		pick_read(pool, &one);
		pick_read(pool, &two);
		ck_assert_msg(one.keyed && two.keyed && one.hash != two.hash, "%d", key);
		memset(changed.fields, 0, sizeof changed.fields);
		close_pool();
	}
}
END_TEST

/* ---- the option ----------------------------------------------------------------------------- */

START_TEST(the_option_is_understood)
{
	static const struct {
		const char *text;
		enum balance_method method;
		enum balance_key key;
		const char *field;
	} cases[] = {
		{ "round-robin", BALANCE_ROUND_ROBIN, KEY_NONE, NULL },
		{ "least-connections", BALANCE_LEAST, KEY_NONE, NULL },
		{ "random", BALANCE_RANDOM, KEY_NONE, NULL },
		{ "hash:X-User", BALANCE_HASH, KEY_FIELD, "X-User" },
		{ "hash:$remote_addr", BALANCE_HASH, KEY_ADDRESS, NULL },
		{ "hash:$target", BALANCE_HASH, KEY_TARGET, NULL },
		{ "hash:$host", BALANCE_HASH, KEY_HOST, NULL },
		{ "hash:$cookie_sid", BALANCE_HASH, KEY_COOKIE, "sid" },
		{ "sticky:address", BALANCE_STICKY, KEY_ADDRESS, NULL },
		{ "sticky", BALANCE_STICKY, KEY_COOKIE, STICKY_COOKIE },
		{ "sticky:cookie", BALANCE_STICKY, KEY_COOKIE, STICKY_COOKIE },
		{ "sticky:cookie=r", BALANCE_STICKY, KEY_COOKIE, "r" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct balance balance;
		char error[256];
		const int result = balance_parse(cases[i].text, &balance, error, sizeof error);

		if (cases[i].method == BALANCE_STICKY && cases[i].key == KEY_COOKIE &&
		    !sticky_available()) {
			ck_assert_int_eq(result, -EINVAL);
			continue;
		}
		ck_assert_msg(result == 0 && balance.method == cases[i].method &&
		                      balance.key == cases[i].key,
		              "%s", cases[i].text);
		if (cases[i].field == NULL)
			ck_assert_ptr_null(balance.field);
		else
			ck_assert_str_eq(balance.field, cases[i].field);
		balance_clear(&balance);
	}
}
END_TEST

START_TEST(bad_options_are_explained)
{
	static const char *const bad[] = {
		"",
		"roundrobin",
		"hash",
		"hash:",
		"hash:$nothing",
		"hash:a b",
		"hash:$cookie_",
		"hash:a\r\nb",
		"sticky:",
		"sticky:cookie=",
		"sticky:cookie=a;b",
		"stickyness",
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct balance balance;
		char error[256] = "";

		ck_assert_msg(balance_parse(bad[i], &balance, error, sizeof error) == -EINVAL, "%s",
		              bad[i]);
		ck_assert(strncmp(error, bad[i], strlen(bad[i])) == 0 &&
		          strchr(error, ' ') != NULL);
		balance_clear(&balance);
	}
}
END_TEST

/* ---- cookies -------------------------------------------------------------------------------- */

static struct lop_str view(const char *text)
{
	return (struct lop_str){ text, strlen(text) };
}

START_TEST(cookies_are_found)
{
	static const struct {
		const char *field;
		const char *values; /* joined with '|' */
	} cases[] = {
		{ "a=1", "1|" },
		{ "b=2; a=1", "1|" },
		{ "a=1; a=2;a=3", "1|2|3|" },
		{ " a = 1 ;b=3", "1|" },
		{ "a=\"1\"", "1|" },
		{ "a=\"", "\"|" },
		{ "a=", "|" },
		{ "a", "" },
		{ "A=1", "" },
		{ "aa=1; =a; a", "" },
		{ ";;;a=1;;", "1|" },
		{ "a=b=c", "b=c|" },
		{ "", "" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char found[64] = "";
		size_t offset = 0, used = 0;
		struct lop_str value;

		while ((value = cookie_next(view(cases[i].field), view("a"), &offset)).data != NULL)
			used += (size_t)snprintf(found + used, sizeof found - used, "%.*s|",
			                         (int)value.length, value.data);
		ck_assert_msg(strcmp(found, cases[i].values) == 0, "%s: %s", cases[i].field, found);
	}
}
END_TEST

static struct secret *secret;

static void open_secret(const char *path)
{
	char error[256];

	ck_assert_msg(secret_new(path, &secret, error, sizeof error) == 0, "%s", error);
}

START_TEST(cookies_are_signed)
{
	const int64_t wall = INT64_C(1700000000) * S;
	struct sticky_claim claim;
	char value[STICKY_VALUE_LENGTH + 1] = "", changed[STICKY_VALUE_LENGTH + 1];

	if (!sticky_available())
		return;
	open_secret(NULL);
	sticky_write(secret, 0x1234567890abcdef, wall, value);
	ck_assert_uint_eq(strlen(value), STICKY_VALUE_LENGTH);
	ck_assert(sticky_read(secret, view(value), wall, &claim));
	ck_assert(claim.server == 0x1234567890abcdef && claim.key == 0 && !claim.renew);
	/* No other text is valid. */
	for (size_t i = 0; i < STICKY_VALUE_LENGTH; i++) {
		for (int byte = 0; byte < 256; byte++) {
			memcpy(changed, value, sizeof changed);
			changed[i] = (char)byte;
			if (changed[i] == value[i])
				continue;
			ck_assert(!sticky_read(secret,
			                       (struct lop_str){ changed, STICKY_VALUE_LENGTH },
			                       wall, &claim));
		}
	}
	ck_assert(!sticky_read(secret, view("A"), wall, &claim));
	ck_assert(!sticky_read(secret, (struct lop_str){ value, STICKY_VALUE_LENGTH - 1 }, wall,
	                       &claim));
	/* Of yesterday it is renewed, of before it is not taken. */
	ck_assert(sticky_read(secret, view(value), wall + 86400 * S, &claim) && claim.renew);
	ck_assert(!sticky_read(secret, view(value), wall + 2 * 86400 * S, &claim));
	ck_assert(sticky_read(secret, view(value), wall - 86400 * S, &claim));
	ck_assert(!sticky_read(secret, view(value), wall - 2 * 86400 * S, &claim));
	secret_free(&secret);
	/* Of another run. */
	open_secret(NULL);
	ck_assert(!sticky_read(secret, view(value), wall, &claim));
	secret_free(&secret);
}
END_TEST

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

START_TEST(keys_come_from_a_file)
{
	const int64_t wall = INT64_C(1700000000) * S;
	char path[] = "/tmp/test_balance.XXXXXX", error[256], value[STICKY_VALUE_LENGTH];
	const struct lop_str text = { value, STICKY_VALUE_LENGTH };
	static const char *const bad[] = {
		"",
		"short\n",
		"\n\n",
		("0123456789abcdef\n1123456789abcdef\n2123456789abcdef\n3123456789abcdef\n"
		 "4123456789abcdef\n"),
	};
	struct sticky_claim claim;
	uint64_t cookies[STICKY_KEYS], later[STICKY_KEYS];
	int descriptor;

	if (!sticky_available())
		return;
	descriptor = mkstemp(path);
	ck_assert_int_ge(descriptor, 0);
	close(descriptor);
	write_file(path, "0123456789abcdef0123456789abcdef\n");
	open_secret(path);
	sticky_write(secret, 42, wall, value);
	sticky_server(secret, "address", 7, cookies);
	secret_free(&secret);
	/* After a restart, */
	open_secret(path);
	ck_assert(sticky_read(secret, text, wall, &claim) && claim.server == 42 && !claim.renew);
	sticky_server(secret, "address", 7, later);
	ck_assert_mem_eq(cookies, later, sizeof cookies);
	secret_free(&secret);
	/* and when a new key goes first, without an end of line behind the old one. */
	write_file(path, "ffffffffffffffffffffffffffffffff\r\n0123456789abcdef0123456789abcdef");
	open_secret(path);
	ck_assert(sticky_read(secret, text, wall, &claim) && claim.server == 42 && claim.renew);
	sticky_server(secret, "address", 7, later);
	ck_assert_uint_eq(later[claim.key], cookies[0]);
	ck_assert_uint_ne(later[0], cookies[0]);
	secret_free(&secret);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		write_file(path, bad[i]);
		ck_assert_int_eq(secret_new(path, &secret, error, sizeof error), -EINVAL);
		ck_assert_ptr_null(secret);
		ck_assert_ptr_nonnull(strstr(error, path));
	}
	unlink(path);
	ck_assert_int_eq(secret_new(path, &secret, error, sizeof error), -ENOENT);
}
END_TEST

/* The cookie that a response to this request would carry, as the client sends it back. */
static void answer_with_cookie(struct pick *pick, struct server **server, char *cookie, size_t size)
{
	long length;

	*pick = (struct pick){ .request = &request };
	ck_assert_int_eq(pool_pick(pool, pick, server), PICK_OK);
	length = pool_cookie(pool, pick, *server, true, cookie, size);
	ck_assert_int_ge(length, 0);
	cookie[length] = '\0';
	pool_done(*server, OUTCOME_OK, -1);
}

START_TEST(a_client_stays_with_its_server)
{
	char name[] = "route", cookie[256], sent[128], both[512], again[256];
	struct server *first, *server;
	struct pick pick;

	if (!sticky_available())
		return;
	open_secret(NULL);
	settings.balance = (struct balance){ BALANCE_STICKY, KEY_COOKIE, name };
	settings.secret = secret;
	settings.cookie_path = "/shop";
	open_pool();
	servers(4, 0, NULL);
	answer_with_cookie(&pick, &first, cookie, sizeof cookie);
	ck_assert_int_eq(strncmp(cookie, "route=", 6), 0);
	ck_assert_str_eq(cookie + 6 + STICKY_VALUE_LENGTH,
	                 "; Path=/shop; HttpOnly; SameSite=Lax; Secure");
	ck_assert_int_eq(pool_cookie(pool, &pick, first, false, again, 40), -ENOBUFS);
	snprintf(sent, sizeof sent, "%.*s", 6 + STICKY_VALUE_LENGTH, cookie);
	request.fields[0] = (struct standin_field){ "Cookie", sent };
	for (int i = 0; i < 8; i++) {
		answer_with_cookie(&pick, &server, again, sizeof again);
		ck_assert_ptr_eq(server, first);
		ck_assert_str_eq(again, ""); /* it has one */
	}
	/* Beside one of another pool, in another field. */
	snprintf(both, sizeof both, "route=nonsense; other=1; %s", sent);
	request.fields[0] = (struct standin_field){ "Cookie", "x=y" };
	request.fields[1] = (struct standin_field){ "cookie", both };
	answer_with_cookie(&pick, &server, again, sizeof again);
	ck_assert_ptr_eq(server, first);
	/* The next day it is renewed. */
	worker.wall += 86400 * S;
	answer_with_cookie(&pick, &server, again, sizeof again);
	ck_assert_ptr_eq(server, first);
	ck_assert_str_ne(again, "");
	ck_assert_str_ne(again, cookie);
	worker.wall -= 86400 * S;
	/* Its server is down: another one, and a cookie for that. */
	atomic_store(&first->shared->down, 1);
	pool_changed(pool);
	answer_with_cookie(&pick, &server, again, sizeof again);
	ck_assert_ptr_ne(server, first);
	ck_assert_str_ne(again, "");
	ck_assert_str_ne(again, cookie);
	close_pool();
	secret_free(&secret);
}
END_TEST

START_TEST(an_address_stays_with_its_server)
{
	char addresses[200][16];
	unsigned ids[200];

	settings.balance = (struct balance){ BALANCE_STICKY, KEY_ADDRESS, NULL };
	open_pool();
	servers(4, 0, NULL);
	for (int i = 0; i < 200; i++) {
		snprintf(addresses[i], sizeof addresses[i], "192.0.2.%d", i);
		connection.address = addresses[i];
		ids[i] = ask(NULL);
	}
	for (int i = 0; i < 200; i++) {
		connection.address = addresses[i];
		ck_assert_uint_eq(ids[i], ask(NULL));
	}
	close_pool();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("balance");
	SRunner *runner = srunner_create(suite);
	TCase *test = tcase_create("hash");

	tcase_add_checked_fixture(test, set_up, NULL);
	tcase_set_timeout(test, 20);
	tcase_add_test(test, a_key_stays_with_its_server);
	tcase_add_test(test, a_server_that_leaves_moves_its_own_keys_only);
	tcase_add_test(test, a_server_that_is_down_moves_its_own_keys_only);
	tcase_add_test(test, keys_go_by_weight);
	tcase_add_test(test, a_popular_key_does_not_bury_its_server);
	tcase_add_test(test, requests_without_the_key_are_spread);
	tcase_add_test(test, a_new_server_takes_its_keys_little_by_little);
	tcase_add_test(test, keys_of_all_kinds_are_read);
	suite_add_tcase(suite, test);
	test = tcase_create("option");
	tcase_add_test(test, the_option_is_understood);
	tcase_add_test(test, bad_options_are_explained);
	suite_add_tcase(suite, test);
	test = tcase_create("sticky");
	tcase_add_checked_fixture(test, set_up, NULL);
	tcase_add_test(test, cookies_are_found);
	tcase_add_test(test, cookies_are_signed);
	tcase_add_test(test, keys_come_from_a_file);
	tcase_add_test(test, a_client_stays_with_its_server);
	tcase_add_test(test, an_address_stays_with_its_server);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
