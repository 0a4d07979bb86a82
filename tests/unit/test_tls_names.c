/* SPDX-License-Identifier: BSD-2-Clause */
/* The module tls: host names in options, in the client's hello, in the Host field. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../modules/tls/names.h"

#define STR(text) ((struct lop_str){ (text), strlen(text) })
/* The extension's body: the list's length, then entries of type, length, name. */
#define BODY(bytes) (const unsigned char *)(bytes), sizeof(bytes) - 1

START_TEST(names_are_lower_case_without_a_dot_at_their_end)
{
	char name[NAME_SIZE], long_one[300];

	ck_assert(name_normalise(STR("WWW.Example.ORG."), name));
	ck_assert_str_eq(name, "www.example.org");
	ck_assert(name_normalise(STR("a_b-1"), name));
	ck_assert(!name_normalise(STR(""), name));
	ck_assert(!name_normalise(STR("."), name));
	ck_assert(!name_normalise(STR("a..b"), name));
	ck_assert(!name_normalise(STR(".a"), name));
	ck_assert(!name_normalise(STR("a b"), name));
	ck_assert(!name_normalise(STR("a/b"), name));
	ck_assert(!name_normalise(STR("*.a"), name));
	ck_assert(!name_normalise((struct lop_str){ "a\0b", 3 }, name));
	memset(long_one, 'a', sizeof(long_one));
	ck_assert(name_normalise((struct lop_str){ long_one, 63 }, name));
	ck_assert(!name_normalise((struct lop_str){ long_one, 64 }, name));
	for (size_t i = 60; i < sizeof(long_one); i += 60)
		long_one[i] = '.';
	ck_assert(name_normalise((struct lop_str){ long_one, 253 }, name));
	ck_assert(!name_normalise((struct lop_str){ long_one, 254 }, name));
}
END_TEST

START_TEST(a_host_stands_before_a_file)
{
	char host[NAME_SIZE];

	ck_assert_str_eq(name_split("cert.pem", host), "cert.pem");
	ck_assert_str_eq(host, "");
	ck_assert_str_eq(name_split("Example.org:/etc/a.pem", host), "/etc/a.pem");
	ck_assert_str_eq(host, "example.org");
	ck_assert_str_eq(name_split("*.Example.org:a:b", host), "a:b");
	ck_assert_str_eq(host, "*.example.org");
	ck_assert_str_eq(name_split("./a:b", host), "./a:b");
	ck_assert_str_eq(host, "");
	ck_assert_str_eq(name_split("a:", host), "");
	ck_assert_ptr_null(name_split("a b:c", host));
	ck_assert_ptr_null(name_split(":c", host));
	ck_assert_ptr_null(name_split("*:c", host));
	ck_assert_ptr_null(name_split("*.:c", host));
	ck_assert_ptr_null(name_split("a.*.b:c", host));
	ck_assert_ptr_null(name_split("192.0.2.1:c", host));
}
END_TEST

START_TEST(the_first_host_name_of_a_hello_counts)
{
	char name[NAME_SIZE];

	ck_assert_int_eq(name_indicated(BODY("\0\x06\0\0\x03" "A.b"), name), 1);
	ck_assert_str_eq(name, "a.b");
	ck_assert_int_eq(name_indicated(BODY("\0\x0a\x01\0\x01x\0\0\x03" "a.b"), name), 1);
	ck_assert_str_eq(name, "a.b");
	ck_assert_int_eq(name_indicated(BODY("\0\x04\x01\0\x01x"), name), 0);
	ck_assert_int_eq(name_indicated(BODY("\0\0"), name), 0);
	ck_assert_int_eq(name_indicated(BODY("\0\x06\0\0\x03" "a b"), name), 0);
}
END_TEST

START_TEST(a_malformed_extension_is_refused)
{
	char name[NAME_SIZE];

	ck_assert_int_eq(name_indicated(BODY(""), name), -1);
	ck_assert_int_eq(name_indicated(BODY("\0"), name), -1);
	ck_assert_int_eq(name_indicated(BODY("\0\x07\0\0\x03" "a.b"), name), -1);
	ck_assert_int_eq(name_indicated(BODY("\0\x05\0\0\x03" "a.b"), name), -1);
	ck_assert_int_eq(name_indicated(BODY("\0\x06\0\0\x04" "a.b"), name), -1);
	ck_assert_int_eq(name_indicated(BODY("\0\x02\0\0"), name), -1);
	ck_assert_int_eq(name_indicated(BODY("\0\x06\0\xff\xff" "a.b"), name), -1);
}
END_TEST

START_TEST(a_host_field_names_a_host_or_an_address)
{
	char name[NAME_SIZE];

	ck_assert(name_of_host(STR("Example.org:8443"), name));
	ck_assert_str_eq(name, "example.org");
	ck_assert(name_of_host(STR("a."), name));
	ck_assert_str_eq(name, "a");
	ck_assert(!name_of_host(STR("192.0.2.1:80"), name));
	ck_assert(!name_of_host(STR("[::1]:80"), name));
	ck_assert(!name_of_host(STR(""), name));
	ck_assert(!name_of_host((struct lop_str){ NULL, 0 }, name));
	ck_assert(!name_of_host(STR("a%20b"), name));
}
END_TEST

START_TEST(a_wildcard_stands_for_one_label)
{
	char name[NAME_SIZE];

	ck_assert(name_wildcard("www.example.org", name));
	ck_assert_str_eq(name, "*.example.org");
	ck_assert(!name_wildcard("localhost", name));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tls_names");
	TCase *names = tcase_create("names");

	tcase_add_test(names, names_are_lower_case_without_a_dot_at_their_end);
	tcase_add_test(names, a_host_stands_before_a_file);
	tcase_add_test(names, the_first_host_name_of_a_hello_counts);
	tcase_add_test(names, a_malformed_extension_is_refused);
	tcase_add_test(names, a_host_field_names_a_host_or_an_address);
	tcase_add_test(names, a_wildcard_stands_for_one_label);
	suite_add_tcase(suite, names);

	SRunner *runner = srunner_create(suite);

	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
