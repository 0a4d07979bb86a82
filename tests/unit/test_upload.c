/* SPDX-License-Identifier: BSD-2-Clause */
/* The module upload, its pure parts: names, digest fields, forms. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../modules/upload/digest.h"
#include "../../modules/upload/multipart.h"
#include "../../modules/upload/names.h"

#define STR(text) ((struct lop_str){ (text), strlen(text) })

/* Names */

START_TEST(safe_names_are_one_visible_component)
{
	static const char *const bad[] = { "", ".", "..", ".htaccess", "a/b", "/", "a\\b",
		                           "a\nb", "a\x7f", "\x01" };
	static const char *const good[] = { "a", "a.b", "a..", "-", "~", "a b", "\"<>&'%",
		                            "\xff\xfe", "\xc3\xa4" };
	char name[300];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!name_safe(bad[i], strlen(bad[i])), "'%s' is taken", bad[i]);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(name_safe(good[i], strlen(good[i])), "'%s' is refused", good[i]);
	memset(name, 'x', sizeof(name));
	ck_assert(name_safe(name, 255));
	ck_assert(!name_safe(name, 256));
	ck_assert(!name_safe("a\0b", 3));
}
END_TEST

START_TEST(random_names_end_in_a_token)
{
	char one[NAME_SIZE], other[NAME_SIZE], wanted[NAME_SIZE];

	ck_assert_int_eq(name_make("a.txt", 5, true, one), 0);
	ck_assert_int_eq(name_make("a.txt", 5, true, other), 0);
	ck_assert_uint_eq(strlen(one), 5 + 1 + NAME_TOKEN_LENGTH);
	ck_assert_int_eq(memcmp(one, "a.txt-", 6), 0);
	ck_assert_str_ne(one, other);
	ck_assert(name_has_token(one, strlen(one)));
	ck_assert(!name_has_token("a.txt", 5));
	ck_assert(!name_has_token(one, strlen(one) - 1));
	memset(wanted, 'x', sizeof(wanted));
	ck_assert_int_eq(name_make(wanted, 255 - 1 - NAME_TOKEN_LENGTH, true, one), 0);
	ck_assert_uint_eq(strlen(one), 255);
	ck_assert_int_eq(name_make(wanted, 255 - NAME_TOKEN_LENGTH, true, one), -EINVAL);
	ck_assert_int_eq(name_make("../a", 4, true, one), -EINVAL);
}
END_TEST

START_TEST(names_are_escaped_for_url_and_html)
{
	char out[256];

	name_encode("a b%\"<\xff/~.", 10, out);
	ck_assert_str_eq(out, "a%20b%25%22%3C%FF/~.");
	name_escape("<a href='x'>&\"", 14, out);
	ck_assert_str_eq(out, "&lt;a href=&#39;x&#39;&gt;&amp;&quot;");
	name_escape("\xc3\xa4\xff\xed\xa0\x80\xe2\x82", 8, out);
	ck_assert_str_eq(out, "\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
	                      "\xef\xbf\xbd\xef\xbf\xbd");
}
END_TEST

/* Digests */

#define HELLO "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:"

START_TEST(digest_fields_are_read_as_dictionaries)
{
	static const char *const found[] = {
		HELLO, "sha-512=:AAAA:, " HELLO, HELLO " , id-sha-256=:AA==:", HELLO ";p=1;q",
		"md5, " HELLO, "a=\"x,y\", " HELLO, "x=1.5,\t" HELLO,
	};
	static const char *const bad[] = {
		"sha-256", "sha-256=", "sha-256=abc", "sha-256=:abc:", HELLO ",", HELLO " x",
		"sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=", "=:a:", ",", "SHA-256=:AA==:",
		"sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCR=:", HELLO ";",
	};
	unsigned char digest[DIGEST_SIZE];
	char text[DIGEST_FIELD_SIZE];

	for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++) {
		ck_assert_msg(digest_parse(STR(found[i]), digest) == 1, "%s", found[i]);
		ck_assert_uint_eq(digest_format(digest, text), strlen(HELLO));
		ck_assert_str_eq(text, HELLO);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(digest_parse(STR(bad[i]), digest) == -EINVAL, "%s", bad[i]);
	ck_assert_int_eq(digest_parse(STR("sha-512=:AAAA:"), digest), 0);
	ck_assert_int_eq(digest_parse(STR(""), digest), 0);
}
END_TEST

START_TEST(wishes_for_a_digest_have_a_weight)
{
	ck_assert_int_eq(digest_wanted(STR("sha-256=1")), 1);
	ck_assert_int_eq(digest_wanted(STR("sha-512=3, sha-256=10, unixsum=0")), 1);
	ck_assert_int_eq(digest_wanted(STR("sha-256=0")), 0);
	ck_assert_int_eq(digest_wanted(STR("sha-512=3")), 0);
	ck_assert_int_eq(digest_wanted(STR("sha-256")), -EINVAL);
	ck_assert_int_eq(digest_wanted(STR("sha-256=x")), -EINVAL);
}
END_TEST

START_TEST(digests_are_those_of_sha_256)
{
	unsigned char computed[DIGEST_SIZE];
	char text[DIGEST_FIELD_SIZE];
	struct digest *digest = NULL;

	if (!digest_available())
		return;
	ck_assert_int_eq(digest_new(&digest), 0);
	ck_assert_int_eq(digest_update(digest, "hel", 3), 0);
	ck_assert_int_eq(digest_update(digest, "lo", 2), 0);
	ck_assert_int_eq(digest_end(digest, computed), 0);
	digest_free(&digest);
	digest_format(computed, text);
	ck_assert_str_eq(text, HELLO);
}
END_TEST

/* Forms */

/* Feeds in pieces of a size, and writes what comes out: "[name:data]" for files, "(data)" for
 * others, "." at the end. */
static int take_apart(const char *type, const char *body, size_t length, size_t piece, char *out)
{
	struct multipart multipart;
	char closing = ')';

	*out = '\0';
	if (multipart_open(&multipart, STR(type)) < 0)
		return -EINVAL;
	for (size_t at = 0; at < length;) {
		size_t size = length - at < piece ? length - at : piece;
		char *exact = malloc(size);

		ck_assert_ptr_nonnull(exact);
		memcpy(exact, body + at, size);
		for (size_t done = 0; done < size;) {
			struct multipart_event event;
			long used = multipart_feed(&multipart, exact + done, size - done, &event);

			if (used < 0) {
				free(exact);
				return (int)used;
			}
			done += (size_t)used;
			out += strlen(out);
			if (event.kind == MULTIPART_PART && event.has_file)
				sprintf(out, "[%.*s:", (int)event.file.length, event.file.data);
			else if (event.kind == MULTIPART_PART)
				strcpy(out, "(");
			else if (event.kind == MULTIPART_DATA)
				sprintf(out, "%.*s", (int)event.data.length, event.data.data);
			else if (event.kind == MULTIPART_ENDED)
				sprintf(out, "%c", closing);
			else if (event.kind == MULTIPART_LAST)
				strcpy(out, ".");
			if (event.kind == MULTIPART_PART)
				closing = event.has_file ? ']' : ')';
		}
		free(exact);
		at += size;
	}
	return 0;
}

static void assert_form(const char *type, const char *body, const char *expected)
{
	static char out[8192];

	for (size_t piece = 1; piece <= strlen(body) + 1; piece++) {
		int result = take_apart(type, body, strlen(body), piece, out);

		ck_assert_msg(result == 0 && strcmp(out, expected) == 0,
		              "pieces of %zu: %d, '%s' instead of '%s'", piece, result, out,
		              expected);
	}
}

#define TYPE "multipart/form-data; boundary=xyz"
#define FILE_HEAD(name) "Content-Disposition: form-data; name=\"f\"; filename=\"" name "\"\r\n"

START_TEST(forms_are_taken_apart_in_pieces_of_any_size)
{
	assert_form(TYPE,
	            "--xyz\r\n" FILE_HEAD("a.txt") "Content-Type: text/plain\r\n\r\nhello\r\n"
	            "--xyz\r\nContent-Disposition: form-data; name=note\r\n\r\nhi\r\n--xyz--\r\n",
	            "[a.txt:hello](hi).");
	assert_form(TYPE, "before\r\n--xyz  \r\n" FILE_HEAD("e") "\r\n\r\n--xyz--after", "[e:].");
	assert_form(TYPE, "--xyz\r\n" FILE_HEAD("e") "\r\n--xyz--", "[e:].");
	assert_form(TYPE, "--xyz--", ".");
	assert_form("Multipart/Form-Data; charset=x; boundary=\"a b:c\"",
	            "--a b:c\r\n" FILE_HEAD("") "\r\nx\r\n--a b:c--", "[:x].");
}
END_TEST

START_TEST(what_looks_like_a_boundary_is_data)
{
	assert_form(TYPE,
	            "--xyz\r\n" FILE_HEAD("a") "\r\n\r\r\n\r\n-\r\n--\r\n--xy\r\n--xyy--xyz\r\n--xyz--",
	            "[a:\r\r\n\r\n-\r\n--\r\n--xy\r\n--xyy--xyz].");
	assert_form(TYPE, "--xyz\r\n" FILE_HEAD("a") "\r\n--xy\r\n--xyz--", "[a:--xy].");
	assert_form(TYPE, "--xyz\r\n" FILE_HEAD("a") "\r\n-\r\n\r\n--xyz--", "[a:-\r\n].");
}
END_TEST

START_TEST(file_names_are_unescaped)
{
	assert_form(TYPE, "--xyz\r\n" FILE_HEAD("a%22b\\\"c%25;=") "\r\nd\r\n--xyz--",
	            "[a\"b\"c%25;=:d].");
}
END_TEST

START_TEST(broken_forms_are_refused)
{
	static const char *const types[] = {
		"multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=x",
		"multipart/form-data; boundary=\"x", "multipart/form-datax; boundary=x", "",
		"multipart/form-data; boundary=\"x \"", "multipart/form-data; boundary=\"a\\b\"",
		"multipart/form-data; boundary="
		"12345678901234567890123456789012345678901234567890123456789012345678901",
	};
	static const char *const bodies[] = {
		"--xyz\r\n\r\n", "--xyz\r\nContent-Type: a\r\n\r\n", "--xyzzz", "--xyz\rx",
		"--xyz\r\nno colon\r\n\r\n", "--xyz\r\n" FILE_HEAD("a") FILE_HEAD("b") "\r\n",
		"--xyz\r\nContent-Disposition: attachment; filename=x\r\n\r\n",
		"--xyz\r\nContent-Disposition: form-data; filename=\"x\r\n\r\n",
	};
	static char out[8192], large[MULTIPART_HEAD_MAX + 100];
	struct multipart multipart;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		ck_assert_msg(multipart_open(&multipart, STR(types[i])) == -EINVAL, "%s", types[i]);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		ck_assert_msg(take_apart(TYPE, bodies[i], strlen(bodies[i]), 3, out) == -EBADMSG,
		              "%s", bodies[i]);
	memset(large, 'x', sizeof(large));
	memcpy(large, "--xyz\r\n", 7);
	ck_assert_int_eq(take_apart(TYPE, large, sizeof(large), 100, out), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("upload");
	TCase *names = tcase_create("names"), *digests = tcase_create("digests");
	TCase *forms = tcase_create("forms");

	tcase_add_test(names, safe_names_are_one_visible_component);
	tcase_add_test(names, random_names_end_in_a_token);
	tcase_add_test(names, names_are_escaped_for_url_and_html);
	suite_add_tcase(suite, names);
	tcase_add_test(digests, digest_fields_are_read_as_dictionaries);
	tcase_add_test(digests, wishes_for_a_digest_have_a_weight);
	tcase_add_test(digests, digests_are_those_of_sha_256);
	suite_add_tcase(suite, digests);
	tcase_add_test(forms, forms_are_taken_apart_in_pieces_of_any_size);
	tcase_add_test(forms, what_looks_like_a_boundary_is_data);
	tcase_add_test(forms, file_names_are_unescaped);
	tcase_add_test(forms, broken_forms_are_refused);
	suite_add_tcase(suite, forms);

	SRunner *runner = srunner_create(suite);

	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
