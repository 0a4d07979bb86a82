/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "duration.h"
#include "url.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define SECOND INT64_C(1000000000)

static struct upstream_url url;
static char error[256];

/* The text lies in a buffer of exactly its size, for the sanitizers. */
static int parse(const char *text)
{
	size_t length = strlen(text);
	char *exact = malloc(length > 0 ? length : 1);
	ck_assert_ptr_nonnull(exact);
	memcpy(exact, text, length);
	upstream_url_clear(&url);
	error[0] = '\0';
	int result =
		upstream_url_parse((struct lop_str){ exact, length }, &url, error, sizeof error);
	free(exact);
	return result;
}

static void teardown(void)
{
	upstream_url_clear(&url);
}

static void assert_taken(const char *text)
{
	ck_assert_msg(parse(text) == 0, "%s is refused: %s", text, error);
}

/* The complaint names the text and holds the hint. */
static void assert_refused(const char *text, const char *hint)
{
	ck_assert_msg(parse(text) == -EINVAL, "%s is taken", text);
	ck_assert_msg(strncmp(error, text, strlen(text)) == 0, "%s: '%s'", text, error);
	ck_assert_msg(strstr(error, hint) != NULL, "%s: '%s' without '%s'", text, error, hint);
	ck_assert_ptr_null(strchr(error, '\n'));
	ck_assert_ptr_null(url.host);
}

START_TEST(a_url_is_taken_apart)
{
	static const struct {
		const char *text;
		bool secure, literal;
		uint16_t port;
		const char *host, *authority, *path;
	} urls[] = {
		{ "http://127.0.0.1:8080/", false, true, 8080, "127.0.0.1", "127.0.0.1:8080", "/" },
		{ "http://backend", false, false, 80, "backend", "backend", "/" },
		{ "http://Backend.Example/a/b", false, false, 80, "backend.example",
		  "backend.example", "/a/b" },
		{ "https://backend/x/", true, false, 443, "backend", "backend", "/x/" },
		{ "https://backend:80/", true, false, 80, "backend", "backend:80", "/" },
		{ "http://backend:80/", false, false, 80, "backend", "backend", "/" },
		{ "https://backend:443", true, false, 443, "backend", "backend", "/" },
		{ "HTTPS://BACKEND/Path", true, false, 443, "backend", "backend", "/Path" },
		{ "http://[::1]:8080/", false, true, 8080, "::1", "[::1]:8080", "/" },
		{ "http://[2001:DB8::A]", false, true, 80, "2001:db8::a", "[2001:db8::a]", "/" },
		{ "http://[::ffff:192.0.2.1]/", false, true, 80, "::ffff:192.0.2.1",
		  "[::ffff:192.0.2.1]", "/" },
		{ "http://my_service:5000/%7Euser/a%20b", false, false, 5000, "my_service",
		  "my_service:5000", "/%7Euser/a%20b" },
		{ "http://host.example./", false, false, 80, "host.example.", "host.example.",
		  "/" },
		{ "http://1and1.example/", false, false, 80, "1and1.example", "1and1.example",
		  "/" },
	};
	for (int i = 0; i < COUNT(urls); i++) {
		assert_taken(urls[i].text);
		ck_assert_int_eq(url.kind, UPSTREAM_TCP);
		ck_assert_int_eq(url.secure, urls[i].secure);
		ck_assert_int_eq(url.literal, urls[i].literal);
		ck_assert_uint_eq(url.port, urls[i].port);
		ck_assert_str_eq(url.host, urls[i].host);
		ck_assert_str_eq(url.authority, urls[i].authority);
		ck_assert_str_eq(url.path, urls[i].path);
	}
}
END_TEST

START_TEST(the_old_spelling_of_a_port_means_the_same)
{
	assert_taken("http://127.0.0.1#8080/a");
	ck_assert_uint_eq(url.port, 8080);
	ck_assert_str_eq(url.authority, "127.0.0.1:8080");
	ck_assert_str_eq(url.path, "/a");
	assert_taken("http://host#81");
	ck_assert_uint_eq(url.port, 81);
	ck_assert_str_eq(url.path, "/");
	assert_taken("https://[::1]#8443/;weight=2");
	ck_assert_uint_eq(url.port, 8443);
	ck_assert_uint_eq(url.weight, 2);
}
END_TEST

START_TEST(a_socket_has_a_path_and_a_path_of_the_url)
{
	assert_taken("unix:/run/app.sock");
	ck_assert_int_eq(url.kind, UPSTREAM_UNIX);
	ck_assert_str_eq(url.host, "/run/app.sock");
	ck_assert_str_eq(url.authority, "localhost");
	ck_assert_str_eq(url.path, "/");
	ck_assert_uint_eq(url.port, 0);
	assert_taken("unix:/run/App.sock:/Api/v1;max=3");
	ck_assert_str_eq(url.host, "/run/App.sock");
	ck_assert_str_eq(url.path, "/Api/v1");
	ck_assert_uint_eq(url.max_connections, 3);
	assert_taken("unix:/run/app.sock:");
	ck_assert_str_eq(url.path, "/");
	assert_refused("unix:app.sock", "absolute path");
	assert_refused("unix:", "absolute path");
	assert_refused("unix:/", "absolute path");
	assert_refused("unix:/run/app.sock:8080", "expected behind the host");
	char text[300] = "unix:/";
	memset(text + 6, 'x', 120);
	ck_assert_int_eq(parse(text), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "at most"));
}
END_TEST

START_TEST(service_records_name_the_port)
{
	assert_taken("srv+http://_http._tcp.app.example/x");
	ck_assert_int_eq(url.kind, UPSTREAM_SRV);
	ck_assert(!url.secure && !url.literal);
	ck_assert_uint_eq(url.port, 0);
	ck_assert_str_eq(url.host, "_http._tcp.app.example");
	ck_assert_str_eq(url.authority, "_http._tcp.app.example");
	ck_assert_str_eq(url.path, "/x");
	assert_taken("srv+https://_https._tcp.app.example");
	ck_assert(url.secure);
	assert_refused("srv+http://app.example:80/", "SRV records name it");
	assert_refused("srv+http://192.0.2.1/", "not to an address");
}
END_TEST

START_TEST(parameters_follow_semicolons)
{
	assert_taken("http://a/");
	ck_assert_uint_eq(url.weight, 1);
	ck_assert_uint_eq(url.max_connections, 0);
	ck_assert_int_eq(url.slow_start, 0);
	ck_assert(!url.backup);
	assert_taken("http://a;weight=256;max=100;backup;slow-start=30s");
	ck_assert_uint_eq(url.weight, 256);
	ck_assert_uint_eq(url.max_connections, 100);
	ck_assert_int_eq(url.slow_start, 30 * SECOND);
	ck_assert(url.backup);
	assert_refused("http://a/;weight=0", "1 to 256");
	assert_refused("http://a/;weight=257", "1 to 256");
	assert_refused("http://a/;weight=", "1 to 256");
	assert_refused("http://a/;weight", "1 to 256");
	assert_refused("http://a/;weight=+1", "1 to 256");
	assert_refused("http://a/;max=0", "from 1");
	assert_refused("http://a/;max=99999999999", "from 1");
	assert_refused("http://a/;backup=yes", "weight=N");
	assert_refused("http://a/;", "weight=N");
	assert_refused("http://a/;wieght=2", "wieght=2");
	assert_refused("http://a/;slow-start=fast", "30s");
}
END_TEST

START_TEST(what_can_be_read_in_two_ways_is_refused)
{
	assert_refused("", "begins with");
	assert_refused("backend:8080", "begins with");
	assert_refused("ftp://backend/", "begins with");
	assert_refused("http:/backend/", "begins with");
	assert_refused("http://", "host is missing");
	assert_refused("http:///x", "host is missing");
	assert_refused("http://user@host/", "user and password");
	assert_refused("http://user:secret@host/", "port");
	assert_refused("http://host:/", "1 to 65535");
	assert_refused("http://host:0/", "1 to 65535");
	assert_refused("http://host:65536/", "1 to 65535");
	assert_refused("http://host:80x/", "1 to 65535");
	assert_refused("http://host:80:81/", "expected behind the host");
	assert_refused("http://host#/", "1 to 65535");
	assert_refused("http://host#top/", "1 to 65535");
	assert_refused("http://host:80#81/", "expected behind the host");
	assert_refused("http://host/#81", "fragment");
	assert_refused("http://host/?a=b", "query");
	assert_refused("http://host?a=b", "expected behind the host");
	assert_refused("http://127.1/", "a name");
	assert_refused("http://300.1.1.1/", "a name");
	assert_refused("http://1.2.3.4./", "a name");
	assert_refused("http://0x7f000001.1/", "a name");
	assert_refused("http://a..b/", "a name");
	assert_refused("http://.a/", "a name");
	assert_refused("http://b\xc3\xbc.example/", "xn--");
	assert_refused("http://a b/", "a name");
	assert_refused("http://[::1/", "']'");
	assert_refused("http://[::1]x/", "expected behind the host");
	assert_refused("http://[fe80::1%eth0]/", "IPv6");
	assert_refused("http://[127.0.0.1]/", "IPv6");
	assert_refused("http://::1/", "host is missing");
	assert_refused("http://host//", "'//'");
	assert_refused("http://host/a/../b", "'..'");
	assert_refused("http://host/%2e%2E/b", "'..'");
	assert_refused("http://host/..%3bx/b", "'..'");
	assert_refused("http://host/a%2fb", "encoded '/'");
	assert_refused("http://host/a%5Cb", "'\\'");
	assert_refused("http://host/a\\b", "'\\'");
	assert_refused("http://host/a%00", "encoded");
	assert_refused("http://host/a%zz", "encoded");
	assert_refused("http://host/a b", "encoded");
	assert_refused("http://host/\xc3\xbc", "encoded");
}
END_TEST

START_TEST(names_have_the_lengths_of_dns)
{
	char text[600];
	strcpy(text, "http://");
	memset(text + 7, 'a', 63);
	strcpy(text + 70, "/");
	assert_taken(text);
	memset(text + 7, 'a', 64);
	strcpy(text + 71, "/");
	ck_assert_int_eq(parse(text), -EINVAL);
	strcpy(text, "http://");
	for (int i = 0; i < 127; i++)
		strcat(text, "a.");
	ck_assert_int_eq(parse(text), -EINVAL);
	text[strlen(text) - 1] = '\0';
	assert_taken(text);
}
END_TEST

START_TEST(times_have_units)
{
	static const struct {
		const char *text;
		int64_t duration;
	} times[] = {
		{ "0", 0 },
		{ "5", 5 * SECOND },
		{ "5s", 5 * SECOND },
		{ "250ms", SECOND / 4 },
		{ "1.5", SECOND + SECOND / 2 },
		{ "0.000001", 1000 },
		{ "1.5M", 90 * SECOND },
		{ "1S", SECOND },
		{ "2m", 120 * SECOND },
		{ "1h", 3600 * SECOND },
		{ "24000h", 24000 * 3600 * SECOND },
	};
	static const char *const bad[] = { "",   "s",  "-1s",       "1 s",   "1d", "+1",
		                           ".5", "5.", "1.0000001", "1.5.5", "1e3" };
	int64_t duration = -1;

	for (int i = 0; i < COUNT(times); i++) {
		struct lop_str text = { times[i].text, strlen(times[i].text) };
		ck_assert_int_eq(duration_parse(text, &duration), 0);
		ck_assert_int_eq(duration, times[i].duration);
	}
	for (int i = 0; i < COUNT(bad); i++)
		ck_assert_int_eq(
			duration_parse((struct lop_str){ bad[i], strlen(bad[i]) }, &duration),
			-EINVAL);
	ck_assert_int_eq(duration_parse((struct lop_str){ "24001h", 6 }, &duration), -ERANGE);
	ck_assert_int_eq(
		duration_parse((struct lop_str){ "99999999999999999999999", 23 }, &duration),
		-ERANGE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("upstream_url");
	TCase *test = tcase_create("upstream_url");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(test, NULL, teardown);
	tcase_add_test(test, a_url_is_taken_apart);
	tcase_add_test(test, the_old_spelling_of_a_port_means_the_same);
	tcase_add_test(test, a_socket_has_a_path_and_a_path_of_the_url);
	tcase_add_test(test, service_records_name_the_port);
	tcase_add_test(test, parameters_follow_semicolons);
	tcase_add_test(test, what_can_be_read_in_two_ways_is_refused);
	tcase_add_test(test, names_have_the_lengths_of_dns);
	tcase_add_test(test, times_have_units);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
