/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PROXY header that is written to upstreams, byte for byte.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../proxy/proxy_header.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(text) { (text), sizeof(text) - 1 }

static const struct {
	const char *source; /* NULL: nobody */
	const char *destination;
	struct lop_str v1;
	struct lop_str v2;
} cases[] = {
	{ "192.0.2.1", "198.51.100.255",
	  BYTES("PROXY TCP4 192.0.2.1 198.51.100.255 258 65535\r\n"),
	  BYTES(SIGNATURE "\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\xff\x01\x02\xff\xff") },
	{ "2001:db8::1", "::1", BYTES("PROXY TCP6 2001:db8::1 ::1 258 65535\r\n"),
	  BYTES(SIGNATURE "\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
	                  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x01\x02\xff\xff") },
	{ "192.0.2.1", "::1", BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::1 258 65535\r\n"),
	  BYTES(SIGNATURE "\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01"
	                  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x01\x02\xff\xff") },
	{ "::ffff:192.0.2.1", "127.0.0.1", BYTES("PROXY TCP4 192.0.2.1 127.0.0.1 258 65535\r\n"),
	  BYTES(SIGNATURE "\x21\x11\0\x0c\xc0\0\x02\x01\x7f\0\0\x01\x01\x02\xff\xff") },
	{ "fe80::1%eth0", "fe80::2%eth0", BYTES("PROXY TCP6 fe80::1 fe80::2 258 65535\r\n"),
	  BYTES(SIGNATURE "\x21\x21\0\x24\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
	                  "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\x01\x02\xff\xff") },
	{ "unix:", "unix:/run/x", BYTES("PROXY UNKNOWN\r\n"), BYTES(SIGNATURE "\x21\0\0\0") },
	{ "192.0.2.1", "unix:/run/x", BYTES("PROXY UNKNOWN\r\n"), BYTES(SIGNATURE "\x21\0\0\0") },
	{ "", "127.0.0.1", BYTES("PROXY UNKNOWN\r\n"), BYTES(SIGNATURE "\x21\0\0\0") },
	{ NULL, "127.0.0.1", BYTES("PROXY UNKNOWN\r\n"), BYTES(SIGNATURE "\x20\0\0\0") },
};

static struct lop_str str(const char *text)
{
	return (struct lop_str){ text, text != NULL ? strlen(text) : 0 };
}

static void expect(enum proxy_header_version version, const struct proxy_header *header,
                   struct lop_str wanted)
{
	char out[PROXY_HEADER_SIZE];
	size_t length = proxy_header_write(version, header, out);

	ck_assert_uint_eq(length, wanted.length);
	ck_assert_mem_eq(out, wanted.data, length);
}

START_TEST(both_versions_tell_both_ends)
{
	const struct proxy_header header = {
		.source = str(cases[_i].source),
		.destination = str(cases[_i].destination),
		.source_port = 258,
		.destination_port = 65535,
	};

	expect(PROXY_HEADER_V1, &header, cases[_i].v1);
	expect(PROXY_HEADER_V2, &header, cases[_i].v2);
	expect(PROXY_HEADER_OFF, &header, (struct lop_str){ "", 0 });
}
END_TEST

START_TEST(the_longest_line_fits)
{
	static const char longest[] = "1111:2222:3333:4444:5555:6666:7777:8888";
	const struct proxy_header header = {
		.source = str(longest),
		.destination = str(longest),
		.source_port = 65535,
		.destination_port = 65535,
	};
	char out[PROXY_HEADER_SIZE];
	size_t length = proxy_header_write(PROXY_HEADER_V1, &header, out);

	ck_assert_uint_eq(length, strlen("PROXY TCP6 ") + 2 * strlen(longest) +
	                                  strlen("  65535 65535\r\n"));
	ck_assert_mem_eq(out + length - 2, "\r\n", 2);
}
END_TEST

START_TEST(text_that_is_no_address_is_unknown)
{
	static const char bad[] = "192.0.2.1\0.example.com and far longer than any address can be";
	const struct proxy_header header = {
		.source = { bad, _i == 0 ? 12 : sizeof(bad) - 1 },
		.destination = str("127.0.0.1"),
	};

	expect(PROXY_HEADER_V1, &header, str("PROXY UNKNOWN\r\n"));
}
END_TEST

START_TEST(versions_have_names)
{
	enum proxy_header_version version = PROXY_HEADER_OFF;
	char error[128];

	ck_assert_int_eq(proxy_header_version("v1", &version, error, sizeof(error)), 0);
	ck_assert_int_eq(version, PROXY_HEADER_V1);
	ck_assert_int_eq(proxy_header_version("v2", &version, error, sizeof(error)), 0);
	ck_assert_int_eq(version, PROXY_HEADER_V2);
	ck_assert_int_eq(proxy_header_version("off", &version, error, sizeof(error)), 0);
	ck_assert_int_eq(version, PROXY_HEADER_OFF);
	ck_assert_int_eq(proxy_header_version("v3", &version, error, sizeof(error)), -EINVAL);
	ck_assert_str_eq(error, "'v3' is not v1, v2 or off");
	ck_assert_int_eq(proxy_header_version("", &version, error, sizeof(error)), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proxy_write");
	TCase *test = tcase_create("proxy_write");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(test, both_versions_tell_both_ends, 0,
	                    (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(test, the_longest_line_fits);
	tcase_add_loop_test(test, text_that_is_no_address_is_unknown, 0, 2);
	tcase_add_test(test, versions_have_names);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
