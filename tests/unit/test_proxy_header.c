/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Headers of the PROXY protocol as a listener takes them, and the ranges that they may come from.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "address_range.h"
#include "proxy_header.h"

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(text) .data = (text), .length = sizeof(text) - 1
#define ZEROS_27 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define ZEROS_216 ZEROS_27 ZEROS_27 ZEROS_27 ZEROS_27 ZEROS_27 ZEROS_27 ZEROS_27 ZEROS_27
#define LINE_104                                                                                   \
	"PROXY UNKNOWN "                                                                            \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"                                             \
	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* from NULL: the socket's own addresses stay. */
static const struct {
	const char *data;
	size_t length;
	const char *from;
	const char *to;
} good[] = {
	{ BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"), "192.0.2.1:56324",
	  "198.51.100.2:443" },
	{ BYTES("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n"), "0.0.0.0:0",
	  "255.255.255.255:65535" },
	{ BYTES("PROXY TCP6 2001:db8::1 ::1 1 2\r\n"), "[2001:db8::1]:1", "[::1]:2" },
	{ BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2\r\n"), "192.0.2.1:1",
	  "192.0.2.2:2" },
	{ BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	  "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
	  "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
	{ BYTES("PROXY UNKNOWN\r\n"), NULL, NULL },
	{ BYTES("PROXY UNKNOWN a b c d e\r\n"), NULL, NULL },
	{ BYTES(LINE_104 "a\r\n"), NULL, NULL },
	{ BYTES(V2 "\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb"),
	  "192.0.2.1:56324", "198.51.100.2:443" },
	{ BYTES(V2 "\x21\x11\0\x13\xc0\0\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb\x04\0\x04tlvs"),
	  "192.0.2.1:56324", "198.51.100.2:443" },
	{ BYTES(V2 "\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
	           "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x01\0\x02"),
	  "[2001:db8::1]:1", "[::1]:2" },
	{ BYTES(V2 "\x21\x31\0\xd8" ZEROS_216), "unix:", "unix:" },
	{ BYTES(V2 "\x20\0\0\0"), NULL, NULL },
	{ BYTES(V2 "\x20\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb"), NULL, NULL },
	{ BYTES(V2 "\x20\x99\0\x03xyz"), NULL, NULL },
	{ BYTES(V2 "\x21\0\0\0"), NULL, NULL },
	{ BYTES(V2 "\x21\0\0\x05tlvs!"), NULL, NULL },
	{ BYTES(V2 "\x21\x12\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb"), NULL, NULL },
};

static const struct {
	const char *data;
	size_t length;
} bad[] = {
	{ BYTES("GET / HTTP/1.1\r\n") },
	{ BYTES("\x16\x03\x01") },
	{ BYTES("PROXX") },
	{ BYTES("proxy tcp4 ") },
	{ BYTES("PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n") },
	{ BYTES("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n") },
	{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n") },
	{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n") },
	{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n") },
	{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n") },
	{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 -1\r\n") },
	{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 02\r\n") },
	{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 2x\r\n") },
	{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 123456\r\n") },
	{ BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n") },
	{ BYTES("PROXY TCP4 192.0.2.1 ::1 1 2\r\n") },
	{ BYTES("PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n") },
	{ BYTES("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n") },
	{ BYTES("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n") },
	{ BYTES("PROXY TCP6 ::1%lo ::1 1 2\r\n") },
	{ BYTES("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n") },
	{ BYTES("PROXY UNKNOWNS\r\n") },
	{ BYTES("PROXY \r\n") },
	{ BYTES("PROXY UNKNOWN\n") },
	{ BYTES("PROXY \n") },
	{ BYTES(LINE_104 "ab\r\n") },
	{ BYTES(LINE_104 "abc") },
	{ BYTES("\r\n\r\n\0\r\nQUIT\r") },
	{ BYTES("\r\n\r\nGET") },
	{ BYTES(V2 "\x11") },
	{ BYTES(V2 "\x31") },
	{ BYTES(V2 "\x22") },
	{ BYTES(V2 "\x21\x13\0\x0c") },
	{ BYTES(V2 "\x21\x41\0\x0c") },
	{ BYTES(V2 "\x21\x10\0\x0c") },
	{ BYTES(V2 "\x21\x11\0\x0b") },
	{ BYTES(V2 "\x21\x21\0\x23") },
	{ BYTES(V2 "\x21\x31\0\xd7") },
	{ BYTES(V2 "\x21\0\xff\xff") },
	{ BYTES(V2 "\x20\0\x0f\xf1") },
};

/* From the heap, so that a sanitizer sees a read past the end. */
static ssize_t read_copy(const char *data, size_t length, struct proxy_header *header)
{
	char *copy = malloc(length > 0 ? length : 1);
	ssize_t result;

	memcpy(copy, data, length);
	result = proxy_header_read(copy, length, header);
	free(copy);
	return result;
}

static void check_text(const struct address *address, const char *wanted)
{
	char text[ADDRESS_TEXT_MAX];

	address_text(address, text, sizeof(text));
	ck_assert_str_eq(text, wanted);
}

START_TEST(headers_are_read)
{
	struct proxy_header header;

	ck_assert_int_eq(read_copy(good[_i].data, good[_i].length, &header),
	                 (ssize_t)good[_i].length);
	ck_assert(header.own == (good[_i].from == NULL));
	if (header.own)
		return;
	check_text(&header.source, good[_i].from);
	check_text(&header.destination, good[_i].to);
}
END_TEST

START_TEST(pieces_are_waited_for)
{
	struct proxy_header header;

	for (size_t length = 0; length < good[_i].length; length++)
		ck_assert_msg(read_copy(good[_i].data, length, &header) == 0, "%zu bytes", length);
}
END_TEST

START_TEST(what_follows_is_left_alone)
{
	struct proxy_header header;
	char data[512];

	memcpy(data, good[_i].data, good[_i].length);
	memcpy(data + good[_i].length, "\r\n\x16", 3);
	ck_assert_int_eq(proxy_header_read(data, good[_i].length + 3, &header),
	                 (ssize_t)good[_i].length);
}
END_TEST

START_TEST(anything_else_is_refused)
{
	struct proxy_header header;

	ck_assert_int_eq(read_copy(bad[_i].data, bad[_i].length, &header), -EBADMSG);
	/* … and no later than when it can be seen, however it goes on. */
	for (size_t length = 0; length < bad[_i].length; length++) {
		ssize_t result = read_copy(bad[_i].data, length, &header);

		ck_assert_msg(result == 0 || result == -EBADMSG, "%zu bytes: %zd", length, result);
	}
}
END_TEST

START_TEST(the_longest_header_is_taken)
{
	static char data[PROXY_HEADER_MAX] = V2 "\x20\0\x0f\xf0";
	struct proxy_header header;

	ck_assert_int_eq(proxy_header_read(data, sizeof(data), &header), sizeof(data));
	ck_assert_int_eq(proxy_header_read(data, sizeof(data) - 1, &header), 0);
}
END_TEST

/* ---- ranges --------------------------------------------------------------------------------- */

static const struct {
	const char *range;
	const char *inside; /* NULL: refused */
	const char *outside;
} ranges[] = {
	{ "192.0.2.0/24", "192.0.2.255", "192.0.3.0" },
	{ "192.0.2.1", "192.0.2.1", "192.0.2.2" },
	{ "192.0.2.1", "::ffff:192.0.2.1", "::192.0.2.1" },
	{ "192.0.2.128/25", "192.0.2.128", "192.0.2.127" },
	{ "0.0.0.0/0", "255.255.255.255", "::1" },
	{ "::/0", "192.0.2.1", "unix:/x" },
	{ "2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::" },
	{ "[2001:db8::1]", "2001:db8::1", "2001:db8::2" },
	{ "::ffff:0.0.0.0/96", "192.0.2.1", "::1" },
	{ "192.0.2.1/24", NULL, NULL },
	{ "192.0.2.0/33", NULL, NULL },
	{ "2001:db8::/129", NULL, NULL },
	{ "192.0.2.0/", NULL, NULL },
	{ "192.0.2.0/x", NULL, NULL },
	{ "192.0.2.0/-1", NULL, NULL },
	{ "192.0.2.0/0008", NULL, NULL },
	{ "192.0.2.1:80", NULL, NULL },
	{ "unix:/x", NULL, NULL },
	{ "example.com", NULL, NULL },
	{ "/8", NULL, NULL },
	{ "", NULL, NULL },
};

static bool holds(const struct address_range *range, const char *text)
{
	struct address address;

	ck_assert_int_eq(address_parse(text, strlen(text), 80, &address), 0);
	return address_range_holds(range, &address);
}

START_TEST(ranges_hold_their_addresses)
{
	struct address_range range;
	int result = address_range_parse(ranges[_i].range, strlen(ranges[_i].range), &range);

	if (ranges[_i].inside == NULL) {
		ck_assert_int_eq(result, -EINVAL);
		return;
	}
	ck_assert_int_eq(result, 0);
	ck_assert(holds(&range, ranges[_i].inside));
	ck_assert(!holds(&range, ranges[_i].outside));
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

int main(void)
{
	Suite *suite = suite_create("proxy_header");
	TCase *test = tcase_create("proxy_header");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(test, headers_are_read, 0, COUNT(good));
	tcase_add_loop_test(test, pieces_are_waited_for, 0, COUNT(good));
	tcase_add_loop_test(test, what_follows_is_left_alone, 0, COUNT(good));
	tcase_add_loop_test(test, anything_else_is_refused, 0, COUNT(bad));
	tcase_add_test(test, the_longest_header_is_taken);
	tcase_add_loop_test(test, ranges_hold_their_addresses, 0, COUNT(ranges));
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
