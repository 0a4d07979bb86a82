/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mime.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define UNKNOWN "application/octet-stream"
#define UTF_8 "; charset=utf-8"

static struct mime *mime;
static char path[64];

static void setup(void)
{
	strcpy(path, "/tmp/lophttpd-mime.XXXXXX");
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void teardown(void)
{
	mime_free(&mime);
	unlink(path);
}

static void load(const char *text, size_t length)
{
	FILE *file = fopen(path, "wb");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, length, file), length);
	fclose(file);
	mime_free(&mime);
	mime = mime_new(path);
	ck_assert_ptr_nonnull(mime);
}

static void load_builtin(void)
{
	mime = mime_new("/nonexistent/mime.types");
	ck_assert_ptr_nonnull(mime);
}

static void assert_type(const char *name, const char *expected)
{
	size_t length = strlen(name);
	char *exact = malloc(length > 0 ? length : 1);
	ck_assert_ptr_nonnull(exact);
	memcpy(exact, name, length);
	struct lop_str type = mime_type(mime, exact, length);
	free(exact);
	ck_assert_ptr_nonnull(type.data);
	ck_assert_msg(type.length == strlen(expected) &&
	                      memcmp(type.data, expected, type.length) == 0,
	              "%s: %.*s, not %s", name, (int)type.length, type.data, expected);
}

START_TEST(the_built_in_table_knows_what_a_mirror_serves)
{
	static const struct {
		const char *name;
		const char *type;
	} names[] = {
		{ "index.html", "text/html" UTF_8 },
		{ "a.css", "text/css" UTF_8 },
		{ "a.js", "text/javascript" UTF_8 },
		{ "a.mjs", "text/javascript" UTF_8 },
		{ "a.txt", "text/plain" UTF_8 },
		{ "a.md", "text/markdown" UTF_8 },
		{ "a.svg", "image/svg+xml" UTF_8 },
		{ "a.xml", "application/xml" UTF_8 },
		{ "a.atom", "application/atom+xml" UTF_8 },
		{ "a.xhtml", "application/xhtml+xml" UTF_8 },
		{ "a.json", "application/json" },
		{ "a.webmanifest", "application/manifest+json" },
		{ "a.wasm", "application/wasm" },
		{ "a.avif", "image/avif" },
		{ "a.webp", "image/webp" },
		{ "a.png", "image/png" },
		{ "a.jpg", "image/jpeg" },
		{ "a.ico", "image/vnd.microsoft.icon" },
		{ "a.webm", "video/webm" },
		{ "a.mp4", "video/mp4" },
		{ "a.opus", "audio/opus" },
		{ "a.flac", "audio/flac" },
		{ "a.woff2", "font/woff2" },
		{ "a.pdf", "application/pdf" },
		{ "a.epub", "application/epub+zip" },
		{ "a.zip", "application/zip" },
		{ "a.tar.gz", "application/gzip" },
		{ "a.tar.xz", "application/x-xz" },
		{ "a.tar.zst", "application/zstd" },
		{ "a.iso", "application/x-iso9660-image" },
		{ "a.deb", "application/vnd.debian.binary-package" },
		{ "a.rpm", "application/x-rpm" },
		{ "a.apk", "application/vnd.android.package-archive" },
		{ "a.bin", UNKNOWN },
	};
	load_builtin();
	for (int i = 0; i < COUNT(names); i++)
		assert_type(names[i].name, names[i].type);
}
END_TEST

START_TEST(the_last_extension_counts_in_any_case)
{
	load_builtin();
	assert_type("A.HTML", "text/html" UTF_8);
	assert_type("a.PnG", "image/png");
	assert_type("a.html.png", "image/png");
	assert_type("a.png.html", "text/html" UTF_8);
	assert_type("a..png", "image/png");
	assert_type("..png", "image/png");
	assert_type("/folder.html/a.png", "image/png");
}
END_TEST

START_TEST(a_name_without_a_known_extension_is_a_stream_of_octets)
{
	static const char *const names[] = {
		"", "a", "html", ".html", ".", "..", "a.", "a.unknown", "/", "folder.html/a",
		"/folder.html/", "/.html", "a.html/", "a. html", "a.html ",
		"a.verylongextensionindeed", "a.htmlhtmlhtmlhtml", "a.\xc3\xbc", "README",
		"/.well-known/.png", "a.html~",
	};
	load_builtin();
	for (int i = 0; i < COUNT(names); i++)
		assert_type(names[i], UNKNOWN);
}
END_TEST

START_TEST(a_file_comes_before_the_built_in_table)
{
	static const char text[] = "# a comment\n\n"
				   "application/x-one\tone  ONE2\n"
				   "text/x-two two # not-an-extension\n"
				   "\timage/x-three three\t\r\n"
				   "application/x-png png\n"
				   "application/without-any\n"
				   "application/x-last last";
	load(text, sizeof(text) - 1);
	assert_type("a.one", "application/x-one");
	assert_type("a.one2", "application/x-one");
	assert_type("a.two", "text/x-two" UTF_8);
	assert_type("a.not-an-extension", UNKNOWN);
	assert_type("a.three", "image/x-three");
	assert_type("a.png", "application/x-png");
	assert_type("a.last", "application/x-last");
	assert_type("a.wasm", "application/wasm");
}
END_TEST

START_TEST(the_first_of_two_types_counts)
{
	static const char text[] = "a/first x\na/second x y\n";
	load(text, sizeof(text) - 1);
	assert_type("a.x", "a/first");
	assert_type("a.y", "a/second");
}
END_TEST

START_TEST(extensions_of_up_to_15_bytes_are_known)
{
	static const char text[] = "a/long abcdefghijklmno abcdefghijklmnop\n";
	load(text, sizeof(text) - 1);
	assert_type("a.abcdefghijklmno", "a/long");
	assert_type("a.ABCDEFGHIJKLMNO", "a/long");
	assert_type("a.abcdefghijklmnop", UNKNOWN);
}
END_TEST

START_TEST(types_are_lower_case_and_get_a_charset_for_text)
{
	static const char text[] =
		"TEXT/Plain x1\napplication/javascript x2\napplication/foo+xml x3\n"
		"application/xml-dtd x4\napplication/foo+json x5\nimage/xml x6\n"
		"application/xmlx x7\ntextual/x x8\n";
	load(text, sizeof(text) - 1);
	assert_type("a.x1", "text/plain" UTF_8);
	assert_type("a.x2", "application/javascript" UTF_8);
	assert_type("a.x3", "application/foo+xml" UTF_8);
	assert_type("a.x4", "application/xml-dtd" UTF_8);
	assert_type("a.x5", "application/foo+json");
	assert_type("a.x6", "image/xml");
	assert_type("a.x7", "application/xmlx");
	assert_type("a.x8", "textual/x");
}
END_TEST

START_TEST(bad_lines_are_skipped)
{
	static const char text[] =
		"noslash b1\n/x b2\nx/ b3\na/b/c b4\na/b;c b5\na/b\x01 b6\na/\"b\" b7\na/b, b8\n"
		"a/b\0 b9\na/\xc3\xbc b10\n"
		"a/0123456789012345678901234567890123456789012345678901234567890123456789"
		"0123456789012345678901234567890123456789012345678901234567890123456789 b11\n"
		"a/good g1 with.dotted verylongextensionindeed g2\n";
	char name[16];
	load(text, sizeof(text) - 1);
	for (int i = 1; i <= 11; i++) {
		snprintf(name, sizeof(name), "a.b%d", i);
		assert_type(name, UNKNOWN);
	}
	assert_type("a.g1", "a/good");
	assert_type("a.g2", "a/good");
	assert_type("with.dotted", UNKNOWN);
}
END_TEST

START_TEST(thousands_of_extensions_are_found_again)
{
	static char text[100000];
	char name[32], type[32];
	size_t length = 0;
	for (int i = 0; i < 3000; i++)
		length += (size_t)sprintf(text + length, "x/t%d e%d f%d\n", i, i, i);
	load(text, length);
	for (int i = 0; i < 3000; i++) {
		snprintf(type, sizeof(type), "x/t%d", i);
		snprintf(name, sizeof(name), "a.e%d", i);
		assert_type(name, type);
		snprintf(name, sizeof(name), "a.F%d", i);
		assert_type(name, type);
	}
	assert_type("a.e3000", UNKNOWN);
	assert_type("a.html", "text/html" UTF_8);
}
END_TEST

START_TEST(what_is_no_plain_file_leaves_the_built_in_table)
{
	mime = mime_new("/");
	ck_assert_ptr_nonnull(mime);
	assert_type("a.html", "text/html" UTF_8);
	unlink(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	mime_free(&mime);
	mime = mime_new(path); /* must not wait for a writer */
	ck_assert_ptr_nonnull(mime);
	assert_type("a.html", "text/html" UTF_8);
}
END_TEST

START_TEST(the_usual_places_are_read_or_not_there)
{
	mime = mime_new(NULL);
	ck_assert_ptr_nonnull(mime);
	assert_type("a.html", "text/html" UTF_8);
	assert_type("a.wasm", "application/wasm");
	assert_type("a.svg", "image/svg+xml" UTF_8);
	assert_type("a.json", "application/json");
	assert_type("a.unknown-extension", UNKNOWN);
}
END_TEST

START_TEST(freeing_clears_the_pointer)
{
	load_builtin();
	mime_free(&mime);
	ck_assert_ptr_null(mime);
	mime_free(&mime);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mime");
	TCase *test = tcase_create("mime");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(test, setup, teardown);
	tcase_add_test(test, the_built_in_table_knows_what_a_mirror_serves);
	tcase_add_test(test, the_last_extension_counts_in_any_case);
	tcase_add_test(test, a_name_without_a_known_extension_is_a_stream_of_octets);
	tcase_add_test(test, a_file_comes_before_the_built_in_table);
	tcase_add_test(test, the_first_of_two_types_counts);
	tcase_add_test(test, extensions_of_up_to_15_bytes_are_known);
	tcase_add_test(test, types_are_lower_case_and_get_a_charset_for_text);
	tcase_add_test(test, bad_lines_are_skipped);
	tcase_add_test(test, thousands_of_extensions_are_found_again);
	tcase_add_test(test, what_is_no_plain_file_leaves_the_built_in_table);
	tcase_add_test(test, the_usual_places_are_read_or_not_there);
	tcase_add_test(test, freeing_clears_the_pointer);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
