/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "forwarded.h"

static struct trust trust;
static struct client client;
static char error[256];
static char out[2048];

static struct lop_str str(const char *text)
{
	return (struct lop_str){ text, strlen(text) };
}

static void setup(void)
{
	client = (struct client){
		.address = str("192.0.2.1"),
		.host = str("www.example"),
		.scheme = "https",
		.version = 101,
	};
}

static void teardown(void)
{
	trust_clear(&trust);
}

static void add(const char *network)
{
	ck_assert_msg(trust_add(&trust, network, error, sizeof error) == 0, "%s", error);
}

static bool has(const char *address)
{
	return trust_has(&trust, str(address));
}

static void assert_refused(const char *network, const char *hint)
{
	ck_assert_msg(trust_add(&trust, network, error, sizeof error) == -EINVAL, "%s", network);
	ck_assert_msg(strstr(error, hint) != NULL, "%s: '%s'", network, error);
}

/* Also in too little room, which must not be passed. */
static void assert_written(const char *expected)
{
	long length = forwarded_write(&client, out, sizeof out - 1);
	ck_assert_int_ge(length, 0);
	out[length] = '\0';
	ck_assert_str_eq(out, expected);
	for (long size = 0; size < length; size++) {
		char *room = malloc(size > 0 ? (size_t)size : 1);
		ck_assert_ptr_nonnull(room);
		ck_assert_int_eq(forwarded_write(&client, room, (size_t)size), -ENOBUFS);
		free(room);
	}
}

START_TEST(nobody_is_trusted_unless_told)
{
	ck_assert(!has("127.0.0.1"));
	ck_assert(!has("unix:"));
	ck_assert(!has(""));
}
END_TEST

START_TEST(networks_are_compared_by_their_bits)
{
	add("192.0.2.0/24");
	add("10.128.0.0/9");
	add("2001:db8::/33");
	add("198.51.100.7");
	add("::1");
	ck_assert(has("192.0.2.0") && has("192.0.2.255") && !has("192.0.3.0") &&
	          !has("192.0.1.255"));
	ck_assert(has("10.128.0.0") && has("10.255.1.2") && !has("10.127.255.255"));
	ck_assert(has("2001:db8:7fff::1") && !has("2001:db8:8000::1"));
	ck_assert(has("198.51.100.7") && !has("198.51.100.6"));
	ck_assert(has("::1") && !has("::2") && !has("::"));
	ck_assert(has("::ffff:192.0.2.9"));
	ck_assert(!has("unix:") && !has("192.0.2") && !has("192.0.2.1x") && !has(""));
}
END_TEST

START_TEST(all_of_a_family_may_be_trusted)
{
	add("0.0.0.0/0");
	ck_assert(has("203.0.113.9") && !has("2001:db8::1") && !has("unix:"));
	add("::/0");
	ck_assert(has("2001:db8::1") && has("fe80::1%eth0") && !has("unix:"));
	add("unix:");
	ck_assert(has("unix:"));
}
END_TEST

START_TEST(a_bad_network_says_what_is_right)
{
	assert_refused("", "192.0.2.0/24");
	assert_refused("host", "192.0.2.0/24");
	assert_refused("192.0.2/24", "192.0.2.0/24");
	assert_refused("unix", "unix:");
	assert_refused("fe80::1%eth0", "192.0.2.0/24");
	assert_refused("192.0.2.0/33", "up to 32");
	assert_refused("192.0.2.0/", "up to 32");
	assert_refused("192.0.2.0/-1", "up to 32");
	assert_refused("192.0.2.0/24/8", "up to 32");
	assert_refused("2001:db8::/129", "up to 128");
	assert_refused("192.0.2.1/24", "beyond its first 24");
	assert_refused("2001:db8::1/64", "beyond its first 64");
	ck_assert_uint_eq(trust.count, 0);
}
END_TEST

START_TEST(an_upstream_is_told_of_the_client)
{
	assert_written("X-Forwarded-For: 192.0.2.1\r\n"
	               "X-Forwarded-Proto: https\r\n"
	               "X-Forwarded-Host: www.example\r\n"
	               "Forwarded: for=192.0.2.1;host=www.example;proto=https\r\n"
	               "Via: 1.1 lophttpd\r\n");
	client.address = str("2001:db8::1");
	client.host = str("www.example:8080");
	client.scheme = "http";
	client.version = 100;
	assert_written("X-Forwarded-For: 2001:db8::1\r\n"
	               "X-Forwarded-Proto: http\r\n"
	               "X-Forwarded-Host: www.example:8080\r\n"
	               "Forwarded: for=\"[2001:db8::1]\";host=\"www.example:8080\";proto=http\r\n"
	               "Via: 1.0 lophttpd\r\n");
}
END_TEST

START_TEST(what_is_not_known_is_left_out)
{
	client.address = str("unix:");
	client.host = (struct lop_str){ NULL, 0 };
	client.version = 200;
	assert_written("X-Forwarded-For: unknown\r\n"
	               "X-Forwarded-Proto: https\r\n"
	               "Forwarded: for=unknown;proto=https\r\n"
	               "Via: 2 lophttpd\r\n");
	client.address = str("fe80::1%eth0");
	client.host = str("");
	client.version = 101;
	assert_written("X-Forwarded-For: fe80::1\r\n"
	               "X-Forwarded-Proto: https\r\n"
	               "Forwarded: for=\"[fe80::1]\";proto=https\r\n"
	               "Via: 1.1 lophttpd\r\n");
}
END_TEST

static void say_much(void)
{
	client.forwarded = str("for=203.0.113.7;proto=ftp");
	client.x_forwarded_for = str("203.0.113.7, 198.51.100.2");
	client.x_forwarded_proto = str("ftp");
	client.x_forwarded_host = str("evil.example");
	client.via = str("1.0 fred");
}

START_TEST(a_stranger_is_not_believed_but_its_via_goes_on)
{
	say_much();
	assert_written("X-Forwarded-For: 192.0.2.1\r\n"
	               "X-Forwarded-Proto: https\r\n"
	               "X-Forwarded-Host: www.example\r\n"
	               "Forwarded: for=192.0.2.1;host=www.example;proto=https\r\n"
	               "Via: 1.0 fred, 1.1 lophttpd\r\n");
}
END_TEST

START_TEST(a_trusted_client_is_continued)
{
	say_much();
	client.trusted = true;
	assert_written("X-Forwarded-For: 203.0.113.7, 198.51.100.2, 192.0.2.1\r\n"
	               "X-Forwarded-Proto: ftp\r\n"
	               "X-Forwarded-Host: evil.example\r\n"
	               "Forwarded: for=203.0.113.7;proto=ftp, "
	               "for=192.0.2.1;host=www.example;proto=https\r\n"
	               "Via: 1.0 fred, 1.1 lophttpd\r\n");
}
END_TEST

START_TEST(the_two_kinds_of_fields_name_one_client)
{
	client.trusted = true;
	client.x_forwarded_for = str(" 203.0.113.7,,2001:db8::7 , [2001:db8::8],unknown, a\"b");
	client.x_forwarded_proto = str("https, http");
	client.x_forwarded_host = str("first.example:1, second.example");
	assert_written("X-Forwarded-For:  203.0.113.7,,2001:db8::7 , [2001:db8::8],unknown, a\"b, "
	               "192.0.2.1\r\n"
	               "X-Forwarded-Proto: https, http\r\n"
	               "X-Forwarded-Host: first.example:1, second.example\r\n"
	               "Forwarded: for=203.0.113.7;host=\"first.example:1\";proto=https, "
	               "for=\"[2001:db8::7]\", for=\"[2001:db8::8]\", for=unknown, for=unknown, "
	               "for=192.0.2.1;host=www.example;proto=https\r\n"
	               "Via: 1.1 lophttpd\r\n");
}
END_TEST

START_TEST(loops_can_be_counted)
{
	ck_assert_uint_eq(forwarded_hops((struct lop_str){ NULL, 0 }), 0);
	ck_assert_uint_eq(forwarded_hops(str("")), 0);
	ck_assert_uint_eq(forwarded_hops(str("1.1 fred, 1.1 lighttpd")), 0);
	ck_assert_uint_eq(forwarded_hops(str("1.1 lophttpd")), 1);
	ck_assert_uint_eq(forwarded_hops(str("1.1 lophttpd, 1.0 fred, 2 lophttpd")), 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("forwarded");
	TCase *test = tcase_create("forwarded");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(test, setup, teardown);
	tcase_add_test(test, nobody_is_trusted_unless_told);
	tcase_add_test(test, networks_are_compared_by_their_bits);
	tcase_add_test(test, all_of_a_family_may_be_trusted);
	tcase_add_test(test, a_bad_network_says_what_is_right);
	tcase_add_test(test, an_upstream_is_told_of_the_client);
	tcase_add_test(test, what_is_not_known_is_left_out);
	tcase_add_test(test, a_stranger_is_not_believed_but_its_via_goes_on);
	tcase_add_test(test, a_trusted_client_is_continued);
	tcase_add_test(test, the_two_kinds_of_fields_name_one_client);
	tcase_add_test(test, loops_can_be_counted);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
