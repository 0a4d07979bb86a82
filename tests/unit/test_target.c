/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static struct target target;
static char *out;
static char *raw;

static void teardown(void)
{
	free(out);
	free(raw);
	out = raw = NULL;
}

/* Both buffers are of exactly the size that is promised, for the sanitizers. */
static int parse_bytes(enum lop_method method, const char *text, size_t length)
{
	teardown();
	raw = malloc(length > 0 ? length : 1);
	out = malloc(length + 2);
	ck_assert_ptr_nonnull(raw);
	ck_assert_ptr_nonnull(out);
	memcpy(raw, text, length);
	return target_parse(method, raw, length, out, &target);
}

static int parse(const char *text)
{
	return parse_bytes(LOP_METHOD_GET, text, strlen(text));
}

static void assert_str(struct lop_str str, const char *expected)
{
	if (expected == NULL) {
		ck_assert_ptr_null(str.data);
		return;
	}
	ck_assert_ptr_nonnull(str.data);
	ck_assert_msg(str.length == strlen(expected) && memcmp(str.data, expected, str.length) == 0,
	              "'%.*s', not '%s'", (int)str.length, str.data, expected);
}

static void assert_path(const char *text, const char *expected)
{
	ck_assert_msg(parse(text) == 0, "%s is refused", text);
	assert_str(target.path, expected);
	ck_assert_int_eq(target.path.data[target.path.length], '\0');
}

static void assert_refused(const char *text)
{
	ck_assert_msg(parse(text) == -400, "%s is taken", text);
}

START_TEST(a_plain_path_stays_as_it_is)
{
	static const char *const paths[] = {
		"/", "/a", "/a/", "/a/b.txt", "/a/b/c/", "/-._~!$&'()*+,;=:@", "/\"<>\\^`{|}[]",
		"/\xc3\xbc/\xff\xfe", "/...", "/..a", "/a..", "/a../b", "/.a/b", "/.../...",
		"/a./b.",
	};
	for (int i = 0; i < COUNT(paths); i++) {
		assert_path(paths[i], paths[i]);
		assert_str(target.query, NULL);
		assert_str(target.authority, NULL);
	}
}
END_TEST

START_TEST(percent_encodings_are_decoded_once)
{
	assert_path("/%61.txt", "/a.txt");
	assert_path("/%61%2e%74%78%74", "/a.txt");
	assert_path("/%2561", "/%61");
	assert_path("/%25%36%31", "/%61");
	assert_path("/%252e%252e/a", "/%2e%2e/a");
	assert_path("/a%252fb", "/a%2fb");
	assert_path("/%C3%BC%c3%bc", "/\xc3\xbc\xc3\xbc");
	assert_path("/a%20b%3Fc%23d", "/a b?c#d");
	assert_path("/%ff%80", "/\xff\x80");
	assert_path("/%5c%5C\\", "/\\\\\\");
}
END_TEST

START_TEST(bad_percent_encodings_are_refused)
{
	static const char *const targets[] = {
		"/%",      "/%4",  "/%zz",  "/%G0",   "/%0g",       "/a%",        "/a%2", "/%%41",
		"/%u0041", "/%+1", "/%-1",  "/%:0",   "/%0x",       "/%@1",       "/%`1", "/%?",
		"/%4?",    "/%/",  "/%2/f", "/%2%35", "http://a/%", "/%\xb2\x30",
	};
	for (int i = 0; i < COUNT(targets); i++)
		assert_refused(targets[i]);
}
END_TEST

START_TEST(of_encoded_bytes_nul_and_slash_are_refused)
{
	for (int byte = 0; byte < 256; byte++) {
		char text[16];
		bool bad = byte == 0 || byte == '/';
		for (int upper = 0; upper < 2; upper++) {
			snprintf(text, sizeof(text), upper ? "/a%%%02X.txt" : "/a%%%02x.txt", byte);
			ck_assert_msg(parse(text) == (bad ? -400 : 0), "%s", text);
		}
	}
}
END_TEST

START_TEST(encoded_slashes_are_refused)
{
	assert_refused("/a%2fb");
	assert_refused("/a%2Fb");
	assert_refused("/%2f");
	assert_refused("/%2e%2e%2f%2e%2e%2fetc");
	assert_refused("/a/..%2fb");
}
END_TEST

START_TEST(raw_bytes_that_may_not_stand_in_a_target_are_refused)
{
	for (int byte = 0; byte < 256; byte++) {
		bool bad = byte <= ' ' || byte == 0x7f || byte == '#';
		char path[] = "/aXb", query[] = "/a?bXc", absolute[] = "http://a?Xc";
		path[2] = query[4] = absolute[9] = (char)byte;
		ck_assert_msg(byte == '%' ||
		                      parse_bytes(LOP_METHOD_GET, path, 4) == (bad ? -400 : 0),
		              "path %02x", byte);
		ck_assert_msg(parse_bytes(LOP_METHOD_GET, query, 6) == (bad ? -400 : 0),
		              "query %02x", byte);
		ck_assert_msg(parse_bytes(LOP_METHOD_GET, absolute, 11) == (bad ? -400 : 0),
		              "absolute %02x", byte);
	}
}
END_TEST

START_TEST(a_fragment_is_refused)
{
	assert_refused("/a#b");
	assert_refused("/#");
	assert_refused("/a?b#c");
	assert_refused("http://a#b");
}
END_TEST

START_TEST(dot_segments_are_resolved)
{
	static const struct {
		const char *text;
		const char *path;
	} cases[] = {
		{ "/.", "/" },
		{ "/./", "/" },
		{ "/./a", "/a" },
		{ "/a/.", "/a/" },
		{ "/a/./b", "/a/b" },
		{ "/a/..", "/" },
		{ "/a/../", "/" },
		{ "/a/../b", "/b" },
		{ "/a/b/..", "/a/" },
		{ "/a/b/../..", "/" },
		{ "/a/b/../../c", "/c" },
		{ "/a/b/c/./../../g", "/a/g" }, /* RFC 3986 5.2.4 */
		{ "/mid/content=5/../6", "/mid/6" },
		{ "/a/./././b/./", "/a/b/" },
		{ "/abc/..d/../e", "/abc/e" },
		{ "/a/...", "/a/..." },
		{ "/a/../..b", "/..b" },
		{ "/./..a", "/..a" },
		{ "/a/b/../c/../d/..", "/a/" },
	};
	for (int i = 0; i < COUNT(cases); i++)
		assert_path(cases[i].text, cases[i].path);
}
END_TEST

START_TEST(encoded_dot_segments_are_resolved_as_well)
{
	assert_path("/a/%2e", "/a/");
	assert_path("/a/%2E%2e/b", "/b");
	assert_path("/a/.%2e/b", "/b");
	assert_path("/a/%2e./b", "/b");
	assert_path("/%2e/b", "/b");
	assert_path("/%2e%2e%2e", "/...");
}
END_TEST

START_TEST(climbing_above_the_root_is_refused)
{
	static const char *const targets[] = {
		"/..",         "/../",          "/../etc/passwd", "/a/../..",
		"/a/../../b",  "/./..",         "/./../a",        "/%2e%2e/",
		"/.%2e/",      "/%2e./",        "/%2E%2E",        "/a/../%2e%2e/b",
		"//..",        "/a//../..",     "/..?x",          "/a/b/../../../c",
		"http://a/..", "http://a/../b", "///../a",        "/a/./../..",
		"/../a/..",    "/..//",         "/%2e%2e?",       "/a/%2e%2e/%2e%2e/a",
	};
	for (int i = 0; i < COUNT(targets); i++)
		assert_refused(targets[i]);
}
END_TEST

START_TEST(empty_segments_are_dropped)
{
	assert_path("//", "/");
	assert_path("///a", "/a");
	assert_path("//a//b//", "/a/b/");
	assert_path("//evil.example/..", "/");
	assert_path("/a//..", "/");
	assert_path("/a//../b", "/b");
	assert_path("/a/.//b", "/a/b");
	assert_path("/.//a", "/a");
	assert_path("/a/..//b", "/b");
}
END_TEST

START_TEST(overlong_utf_8_is_no_dot_and_no_slash)
{
	assert_path("/%c0%ae%c0%ae/a", "/\xc0\xae\xc0\xae/a");
	assert_path("/a%c0%afb", "/a\xc0\xaf"
	                         "b");
	assert_path("/%e0%80%ae./a", "/\xe0\x80\xae./a");
	assert_path("/a/\xc0\xae\xc0\xae/b", "/a/\xc0\xae\xc0\xae/b");
}
END_TEST

START_TEST(backslashes_are_part_of_a_name)
{
	assert_path("/..\\a", "/..\\a");
	assert_path("/..%5c..%5ca", "/..\\..\\a");
	assert_path("/a/\\..\\b", "/a/\\..\\b");
}
END_TEST

START_TEST(a_query_is_cut_off_and_left_raw)
{
	static const struct {
		const char *text;
		const char *path;
		const char *query;
	} cases[] = {
		{ "/a?", "/a", "" },
		{ "/a?b=c", "/a", "b=c" },
		{ "/a?b?c", "/a", "b?c" },
		{ "/a?/../..", "/a", "/../.." },
		{ "/a?%00%2f", "/a", "%00%2f" },
		{ "/a?%zz%", "/a", "%zz%" },
		{ "/?", "/", "" },
		{ "/a/..?x", "/", "x" },
		{ "/a/?x", "/a/", "x" },
		{ "/a%3fb?c", "/a?b", "c" },
		{ "/a?\xc3\xbc\"<>", "/a", "\xc3\xbc\"<>" },
	};
	for (int i = 0; i < COUNT(cases); i++) {
		assert_path(cases[i].text, cases[i].path);
		assert_str(target.query, cases[i].query);
		ck_assert_ptr_eq(target.query.data,
		                 raw + (strchr(cases[i].text, '?') - cases[i].text) + 1);
	}
}
END_TEST

START_TEST(the_absolute_form_has_an_authority)
{
	static const struct {
		const char *text;
		const char *path;
		const char *query;
		const char *authority;
	} cases[] = {
		{ "http://a/b", "/b", NULL, "a" },
		{ "HTTP://A.example:80/b?c", "/b", "c", "A.example:80" },
		{ "hTTps://[::1]:443/", "/", NULL, "[::1]:443" },
		{ "http://a", "/", NULL, "a" },
		{ "http://a?b", "/", "b", "a" },
		{ "http://a?/b", "/", "/b", "a" },
		{ "http://a:", "/", NULL, "a:" },
		{ "http://a/b/../c//d", "/c/d", NULL, "a" },
		{ "http://a//b", "/b", NULL, "a" },
		{ "https://192.0.2.1/%61", "/a", NULL, "192.0.2.1" },
		{ "http://h", "/", NULL, "h" },
		{ "https://s", "/", NULL, "s" },
	};
	for (int i = 0; i < COUNT(cases); i++) {
		assert_path(cases[i].text, cases[i].path);
		assert_str(target.query, cases[i].query);
		assert_str(target.authority, cases[i].authority);
	}
}
END_TEST

START_TEST(strange_forms_are_refused)
{
	static const char *const targets[] = {
		"", "a", "a/b", "*", "**", "*/", "?a", "http:", "http:/", "http://",
		"http:///a", "http://?a", "http:/a", "http:a", "ftp://a/b", "file:///a",
		"htt://a", "http//a/", "httpx://a/", "https:/a/", "http://u@a/",
		"http://u:p@a/", "http://a:b/", "http://a b/", "http://a:65536/",
		"http://[::1/", "http://::1/", "http://a,b/", "http://a\\b/", "http\x1a//a",
		"://a/", "HTTP", "https://", "a:80", "%2fa", "\\a", ".", "..", "../a", "./a",
	};
	for (int i = 0; i < COUNT(targets); i++)
		assert_refused(targets[i]);
}
END_TEST

START_TEST(the_asterisk_form_is_for_options_only)
{
	ck_assert_int_eq(parse_bytes(LOP_METHOD_OPTIONS, "*", 1), 0);
	assert_str(target.path, "*");
	ck_assert_int_eq(target.path.data[1], '\0');
	ck_assert_int_eq(parse_bytes(LOP_METHOD_GET, "*", 1), -400);
	ck_assert_int_eq(parse_bytes(LOP_METHOD_UNKNOWN, "*", 1), -400);
	ck_assert_int_eq(parse_bytes(LOP_METHOD_OPTIONS, "*a", 2), -400);
	ck_assert_int_eq(parse_bytes(LOP_METHOD_OPTIONS, "**", 2), -400);
}
END_TEST

START_TEST(an_absolute_form_without_path_is_the_asterisk_of_options)
{
	ck_assert_int_eq(parse_bytes(LOP_METHOD_OPTIONS, "http://a:8001", 13), 0);
	assert_str(target.path, "*");
	assert_str(target.authority, "a:8001");
	ck_assert_int_eq(parse_bytes(LOP_METHOD_OPTIONS, "http://a:8001/", 14), 0);
	assert_str(target.path, "/");
}
END_TEST

START_TEST(connect_takes_the_authority_form_only)
{
	static const char *const bad[] = {
		"a",      "a:",  ":80",     "/a",   "*", "http://a:80", "u@a:80", "a:80/", "[::1]",
		"[::1]:", "::1", "a:65536", "a:8x", "",  "80",          "a:8:",   "a:/",   "a",
	};
	ck_assert_int_eq(parse_bytes(LOP_METHOD_CONNECT, "a.example:443", 13), 0);
	assert_str(target.authority, "a.example:443");
	assert_str(target.path, "*");
	ck_assert_int_eq(parse_bytes(LOP_METHOD_CONNECT, "[::1]:80", 8), 0);
	assert_str(target.authority, "[::1]:80");
	ck_assert_int_eq(parse_bytes(LOP_METHOD_CONNECT, "a:9", 3), 0);
	for (int i = 0; i < COUNT(bad); i++)
		ck_assert_msg(parse_bytes(LOP_METHOD_CONNECT, bad[i], strlen(bad[i])) == -400, "%s",
		              bad[i]);
	ck_assert_int_eq(parse_bytes(LOP_METHOD_GET, "a.example:443", 13), -400);
}
END_TEST

START_TEST(a_long_path_of_dots_stays_within_its_buffer)
{
	char text[4096] = "";
	for (int i = 0; i < 600; i++)
		strcat(text, "/a/..");
	assert_path(text, "/");
	strcat(text, "/..");
	assert_refused(text);
}
END_TEST

START_TEST(good_authorities_are_taken)
{
	static const char *const texts[] = {
		"", "a", "A.B-c_d.example", "127.0.0.1", "127.0.0.1:8080", "a.example:",
		"a.example.", "a:0", "a:65535", "a:00080", "xn--bcher-kva.example",
		"a%2dB%c3%BC", "!$&'()*+;=", "~", "[::]", "[::1]", "[::1]:8080", "[1::]",
		"[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7::]", "[::2:3:4:5:6:7:8]",
		"[2001:db8::ffff:0:1]", "[::ffff:192.0.2.1]", "[1:2:3:4:5:6:192.0.2.1]",
		"[::192.0.2.1]", "[ABCD:ef01::]", "[0000:0::0000]", "[v1.a:b]", "[vF.x]",
		"[v0.x]", "[V0123456789abcdef.x]", "a:9", "a:9999", "[::199.9.0.255]", "[1::8]",
		"[1:2::192.0.2.255]:1",
	};
	for (int i = 0; i < COUNT(texts); i++)
		ck_assert_msg(target_check_authority(texts[i], strlen(texts[i])) == 0, "%s",
		              texts[i]);
}
END_TEST

START_TEST(bad_authorities_are_refused)
{
	static const char *const texts[] = {
		"a b", "a/b", "a@b", "u:p@a", "a:b", "a:80:80", "a:-1", "a:+1", "a:65536",
		"a:999999", "a:99999999999999999999", "a: 80", "::1", ":", ":80", "a,b", "a?b",
		"a#b", "a\\b", "<a>", "\"a\"", "a%zz", "a%", "a%2", "a\x7f", "a\x01",
		"http://a/", "a\xc3\xbc", "[", "]", "[]", "[::1", "[::1]x", "[::1]80", "[x]",
		"[1]", "[:]", "[:::]", "[1:]", "[:1]", "[1::2::3]", "[1:2:3:4:5:6:7]",
		"[1:2:3:4:5:6:7:8:9]", "[1:2:3:4:5:6:7:8::]", "[1:2:3:4::5:6:7:8]", "[12345::]",
		"[g::]", "[::1%25eth0]", "[::1%eth0]", "[192.0.2.1]", "[::256.0.2.1]",
		"[::1.2.3]", "[::1.2.3.4.5]", "[::01.2.3.4]", "[::1.2.3.4:5]",
		"[1:2:3:4:5:6:7:192.0.2.1]", "[::1.2.3.]", "[::1..2.3]", "[::.1.2.3]", "[v.a]",
		"[v1]", "[v1.]", "[vg.a]", "[1.a]", "[v1.a/]", "[::1]]", "[[::1]]", "a[::1]",
		"{a}", "a%20b", "a%00", "a%1f", "a%gab", "a%4", "[::1.2:3.4]", "[::1.2.3x4]",
		"[v1xa]", "[v1:ab]", "[v12.]", "[v.ab]", "[v1.a b]", "[1:2:3:4:5:6:7:8.9]",
		"a|b", "a^b", "[::1234.0.0.1]", "[::1:]", "[1:2:3:4:5:6:7:]", "[::300.1.1.1]",
	};
	for (int i = 0; i < COUNT(texts); i++)
		ck_assert_msg(target_check_authority(texts[i], strlen(texts[i])) == -400, "%s",
		              texts[i]);
}
END_TEST

START_TEST(a_path_is_encoded_for_a_reference)
{
	static const struct {
		const char *path;
		const char *encoded;
	} cases[] = {
		{ "", "" },
		{ "/a/b.txt", "/a/b.txt" },
		{ "/a b?c#d%", "/a%20b%3Fc%23d%25" },
		{ "-._~!$&()*+,;=@", "-._~!$&()*+,;=@" },
		{ "a:b", "a%3Ab" },
		{ "'\"<>\\^`{|}[]", "%27%22%3C%3E%5C%5E%60%7B%7C%7D%5B%5D" },
		{ "\xc3\xbc\xff\x80", "%C3%BC%FF%80" },
		{ "\r\n\t\x7f", "%0D%0A%09%7F" },
		{ "09AZaz", "09AZaz" },
	};
	char encoded[128];
	for (int i = 0; i < COUNT(cases); i++) {
		size_t length = target_encode(cases[i].path, strlen(cases[i].path), encoded);
		assert_str((struct lop_str){ encoded, length }, cases[i].encoded);
	}
}
END_TEST

START_TEST(what_was_encoded_decodes_to_itself)
{
	char path[256] = "/", encoded[768];
	size_t length = 1;
	for (int byte = ' '; byte < 256; byte++) {
		if (byte != 0x7f && byte != '/')
			path[length++] = (char)byte;
	}
	size_t written = target_encode(path, length, encoded);
	ck_assert_int_eq(parse_bytes(LOP_METHOD_GET, encoded, written), 0);
	ck_assert_uint_eq(target.path.length, length);
	ck_assert_mem_eq(target.path.data, path, length);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("target");
	TCase *test = tcase_create("target");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(test, NULL, teardown);
	tcase_add_test(test, a_plain_path_stays_as_it_is);
	tcase_add_test(test, percent_encodings_are_decoded_once);
	tcase_add_test(test, bad_percent_encodings_are_refused);
	tcase_add_test(test, of_encoded_bytes_nul_and_slash_are_refused);
	tcase_add_test(test, encoded_slashes_are_refused);
	tcase_add_test(test, raw_bytes_that_may_not_stand_in_a_target_are_refused);
	tcase_add_test(test, a_fragment_is_refused);
	tcase_add_test(test, dot_segments_are_resolved);
	tcase_add_test(test, encoded_dot_segments_are_resolved_as_well);
	tcase_add_test(test, climbing_above_the_root_is_refused);
	tcase_add_test(test, empty_segments_are_dropped);
	tcase_add_test(test, overlong_utf_8_is_no_dot_and_no_slash);
	tcase_add_test(test, backslashes_are_part_of_a_name);
	tcase_add_test(test, a_query_is_cut_off_and_left_raw);
	tcase_add_test(test, the_absolute_form_has_an_authority);
	tcase_add_test(test, strange_forms_are_refused);
	tcase_add_test(test, the_asterisk_form_is_for_options_only);
	tcase_add_test(test, an_absolute_form_without_path_is_the_asterisk_of_options);
	tcase_add_test(test, connect_takes_the_authority_form_only);
	tcase_add_test(test, a_long_path_of_dots_stays_within_its_buffer);
	tcase_add_test(test, good_authorities_are_taken);
	tcase_add_test(test, bad_authorities_are_refused);
	tcase_add_test(test, a_path_is_encoded_for_a_reference);
	tcase_add_test(test, what_was_encoded_decodes_to_itself);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
