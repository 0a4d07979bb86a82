/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses from text and back.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"

static const struct {
	const char *text;
	const char *host; /* NULL: refused */
	int port;
	const char *whole;
} cases[] = {
	{ "127.0.0.1", "127.0.0.1", 80, "127.0.0.1:80" },
	{ "0.0.0.0:0", "0.0.0.0", 0, "0.0.0.0:0" },
	{ "192.0.2.1:65535", "192.0.2.1", 65535, "192.0.2.1:65535" },
	{ "[::1]", "::1", 80, "[::1]:80" },
	{ "[::1]:8080", "::1", 8080, "[::1]:8080" },
	{ "::1", "::1", 80, "[::1]:80" },
	{ "::", "::", 80, "[::]:80" },
	{ "[2001:DB8:0::1]:1", "2001:db8::1", 1, "[2001:db8::1]:1" },
	{ "::ffff:192.0.2.1", "192.0.2.1", 80, "192.0.2.1:80" },
	{ "unix:/run/x.sock", "unix:/run/x.sock", 0, "unix:/run/x.sock" },
	{ "unix:/run/a:1", "unix:/run/a:1", 0, "unix:/run/a:1" },
	{ "", NULL, 0, NULL },
	{ ":", NULL, 0, NULL },
	{ ":80", NULL, 0, NULL },
	{ "localhost", NULL, 0, NULL },
	{ "127.0.0.1:", NULL, 0, NULL },
	{ "127.0.0.1:x", NULL, 0, NULL },
	{ "127.0.0.1:-1", NULL, 0, NULL },
	{ "127.0.0.1:65536", NULL, 0, NULL },
	{ "127.0.0.1:000080", NULL, 0, NULL },
	{ "127.0.0.1 ", NULL, 0, NULL },
	{ "127.0.0.256", NULL, 0, NULL },
	{ "127.1", NULL, 0, NULL },
	{ "1.2.3.4.5", NULL, 0, NULL },
	{ "[", NULL, 0, NULL },
	{ "[]", NULL, 0, NULL },
	{ "[::1", NULL, 0, NULL },
	{ "[::1]x", NULL, 0, NULL },
	{ "[::1]:", NULL, 0, NULL },
	{ "[127.0.0.1]:80", NULL, 0, NULL },
	{ "::1%no-such-interface", NULL, 0, NULL },
	{ "unix:", NULL, 0, NULL },
	{ "unix:/", NULL, 0, NULL },
	{ "unix:relative", NULL, 0, NULL },
};

START_TEST(text_is_parsed)
{
	struct address address;
	char out[ADDRESS_TEXT_MAX];
	int result = address_parse(cases[_i].text, strlen(cases[_i].text), 80, &address);

	if (cases[_i].host == NULL) {
		ck_assert_msg(result == -EINVAL, "%s: %d", cases[_i].text, result);
		return;
	}
	ck_assert_msg(result == 0, "%s: %d", cases[_i].text, result);
	ck_assert_uint_eq(address_host(&address, out, sizeof(out)), strlen(cases[_i].host));
	ck_assert_str_eq(out, cases[_i].host);
	ck_assert_int_eq(address_port(&address), cases[_i].port);
	address_text(&address, out, sizeof(out));
	ck_assert_str_eq(out, cases[_i].whole);
}
END_TEST

START_TEST(only_the_given_length_counts)
{
	struct address address;

	ck_assert_int_eq(address_parse("127.0.0.1:80,plain", 12, 1, &address), 0);
	ck_assert_int_eq(address_port(&address), 80);
	ck_assert_int_eq(address_parse("127.0.0.1\0", 10, 1, &address), -EINVAL);
}
END_TEST

START_TEST(a_long_path_is_refused)
{
	char text[300] = "unix:";
	struct address address;

	memset(text + 5, '/', 200);
	ck_assert_int_eq(address_parse(text, strlen(text), 1, &address), -ENAMETOOLONG);
}
END_TEST

START_TEST(text_is_cut_to_its_room)
{
	struct address address;
	char out[5];

	ck_assert_int_eq(address_parse("127.0.0.1", 9, 80, &address), 0);
	ck_assert_uint_eq(address_host(&address, out, sizeof(out)), 4);
	ck_assert_str_eq(out, "127.");
	ck_assert_uint_eq(address_text(&address, out, 1), 0);
	ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(an_unnamed_peer_has_a_text)
{
	struct address address = { .length = sizeof(sa_family_t) };
	char out[ADDRESS_TEXT_MAX];

	address.socket.base.sa_family = AF_UNIX;
	address_text(&address, out, sizeof(out));
	ck_assert_str_eq(out, "unix:");
}
END_TEST

START_TEST(equal_means_host_and_port)
{
	struct address a, b;

	address_parse("127.0.0.1:80", 12, 0, &a);
	address_parse("127.0.0.1", 9, 80, &b);
	ck_assert(address_equal(&a, &b));
	address_set_port(&b, 81);
	ck_assert(!address_equal(&a, &b));
	address_parse("[::1]:80", 8, 0, &b);
	ck_assert(!address_equal(&a, &b));
	address_parse("unix:/a", 7, 0, &a);
	address_parse("unix:/a", 7, 0, &b);
	ck_assert(address_equal(&a, &b));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("address");
	TCase *test = tcase_create("address");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(test, text_is_parsed, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(test, only_the_given_length_counts);
	tcase_add_test(test, a_long_path_is_refused);
	tcase_add_test(test, text_is_cut_to_its_room);
	tcase_add_test(test, an_unnamed_peer_has_a_text);
	tcase_add_test(test, equal_means_host_and_port);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
