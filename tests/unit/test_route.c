/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "route.h"
#include "target.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static struct routes routes;
static char error[256];

static void teardown(void)
{
	routes_clear(&routes);
}

static struct lop_str str(const char *text)
{
	return (struct lop_str){ text, text != NULL ? strlen(text) : 0 };
}

static void map(const char *text)
{
	error[0] = '\0';
	ck_assert_msg(routes_add(&routes, text, error, sizeof error) == 0, "%s", error);
	routes_sort(&routes);
}

static void map_only(const char *text)
{
	routes_clear(&routes);
	map(text);
}

static void assert_refused(const char *text, const char *hint)
{
	error[0] = '\0';
	ck_assert_msg(routes_add(&routes, text, error, sizeof error) == -EINVAL, "%s is taken",
	              text);
	ck_assert_msg(strstr(error, hint) != NULL, "%s: '%s' without '%s'", text, error, hint);
	ck_assert_ptr_null(strchr(error, '\n'));
}

/* The path goes to the upstream of that authority; NULL: to none. */
static void assert_found(const char *host, const char *path, const char *authority)
{
	const struct route *route = routes_find(&routes, str(host), str(path));
	const char *found = route != NULL ? route->urls[0].authority : NULL;
	if (authority == NULL)
		ck_assert_msg(found == NULL, "%s goes to %s", path, found);
	else
		ck_assert_msg(found != NULL && strcmp(found, authority) == 0, "%s %s goes to %s",
		              host != NULL ? host : "", path, found != NULL ? found : "none");
}

static char out[4096];

/* As the server does it: decoded by the core first. NULL: refused, there or here. */
static const char *translate(const char *target)
{
	char path[1024];
	struct target parsed;
	size_t length = strlen(target);
	char *exact = malloc(length > 0 ? length : 1);

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, target, length);
	long result = target_parse(LOP_METHOD_GET, exact, length, path, &parsed);
	if (result == 0) {
		const struct route *route = routes_find(&routes, str("h"), parsed.path);
		ck_assert_msg(route != NULL, "%s has no route", target);
		result = route_target(route, parsed.path, (struct lop_str){ exact, length }, out,
		                      sizeof out - 1);
	}
	free(exact);
	if (result < 0)
		return NULL;
	out[result] = '\0';
	return out;
}

static void assert_target(const char *target, const char *expected)
{
	const char *sent = translate(target);
	ck_assert_msg(sent != NULL && strcmp(sent, expected) == 0, "%s: '%s', not '%s'", target,
	              sent != NULL ? sent : "refused", expected);
}

static void assert_not_sent(const char *target)
{
	const char *sent = translate(target);
	ck_assert_msg(sent == NULL, "%s is sent as '%s'", target, sent);
}

START_TEST(the_longest_prefix_wins)
{
	map("/=http://all/");
	map("/foo=http://foo/");
	map("/foo/bar=http://bar/");
	map("/foo/bar/=http://below/");
	assert_found(NULL, "/", "all");
	assert_found("h", "/x", "all");
	assert_found("h", "/foo", "foo");
	assert_found("h", "/foo/", "foo");
	assert_found("h", "/foo/x", "foo");
	assert_found("h", "/foo/bar", "bar");
	assert_found("h", "/foo/bar/", "below");
	assert_found("h", "/foo/bar/x/y", "below");
}
END_TEST

START_TEST(a_prefix_ends_where_a_segment_ends)
{
	map("/foo=http://foo/");
	map("/dir/=http://dir/");
	assert_found("h", "/foobar", NULL);
	assert_found("h", "/fo", NULL);
	assert_found("h", "/foo;x", NULL);
	assert_found("h", "/foo.html", NULL);
	assert_found("h", "/FOO", NULL);
	assert_found("h", "/", NULL);
	assert_found("h", "/dir", NULL);
	assert_found("h", "/dir/", "dir");
	assert_found("h", "/dirs/", NULL);
	assert_found("h", "*", NULL);
	assert_found("h", "", NULL);
}
END_TEST

START_TEST(a_map_of_the_host_goes_before_one_of_any)
{
	map("/=http://any/");
	map("/deep/path/=http://deep/");
	map("www.example/=http://www/");
	map("App.Example/api=http://api/");
	map("[2001:DB8::1]/=http://six/");
	assert_found("www.example", "/deep/path/x", "www");
	assert_found("WWW.Example:8080", "/", "www");
	assert_found("www.example.", "/", "www");
	assert_found("www.example.:80", "/", "www");
	assert_found("ww.example", "/", "any");
	assert_found("www.example.org", "/", "any");
	assert_found("www.exampl", "/", "any");
	assert_found("app.example", "/api/x", "api");
	assert_found("app.example", "/apis", "any");
	assert_found("app.example", "/deep/path/x", "deep");
	assert_found("[2001:db8::1]:80", "/", "six");
	assert_found("[2001:db8::2]:80", "/", "any");
	assert_found(NULL, "/deep/path/", "deep");
	assert_found("", "/", "any");
}
END_TEST

START_TEST(many_hosts_are_told_apart)
{
	char text[64], expected[32];
	for (int i = 0; i < 200; i++) {
		snprintf(text, sizeof text, "h%d/=http://u%d/", i * 7 % 200, i * 7 % 200);
		map(text);
	}
	for (int i = 0; i < 200; i++) {
		snprintf(text, sizeof text, "h%d", i);
		snprintf(expected, sizeof expected, "u%d", i);
		assert_found(text, "/x", expected);
	}
	assert_found("h200", "/", NULL);
	assert_found("h", "/", NULL);
}
END_TEST

START_TEST(several_urls_share_the_load_of_a_path)
{
	map("/app=http://a:1/x,http://b:2/x;weight=3");
	map("/app=https://c/x");
	map("h/app=http://d/");
	ck_assert_uint_eq(routes.count, 2);
	const struct route *route = routes_find(&routes, str("any"), str("/app"));
	ck_assert_uint_eq(route->url_count, 3);
	ck_assert_str_eq(route->urls[1].authority, "b:2");
	ck_assert_uint_eq(route->urls[1].weight, 3);
	ck_assert(route->urls[2].secure);
	ck_assert_str_eq(route->upstream, "/x");
	assert_refused("/app=http://d/other", "not /x");
	assert_refused("/app=http://d/x/", "not /x");
}
END_TEST

START_TEST(a_bad_map_says_why)
{
	assert_refused("", "PATH=URL");
	assert_refused("/foo", "PATH=URL");
	assert_refused("foo=http://a/", "PATH=URL");
	assert_refused("=http://a/", "PATH=URL");
	assert_refused("/foo=", "begins with http://");
	assert_refused("/foo=http://a/,", "begins with http://");
	assert_refused("/foo=http://a/,b", "begins with http://");
	assert_refused("//foo=http://a/", "'//'");
	assert_refused("/a//b=http://a/", "'//'");
	assert_refused("/a/../b=http://a/", "'..'");
	assert_refused("/a/%2e%2e/b=http://a/", "'..'");
	assert_refused("/a/..;x/b=http://a/", "'..'");
	assert_refused("/a\\b=http://a/", "'\\'");
	assert_refused("/a%2fb=http://a/", "encoded '/'");
	assert_refused("/a%00=http://a/", "begins with '/'");
	assert_refused("/a?b=http://a/", "query");
	assert_refused("/a#b=http://a/", "fragment");
	assert_refused("host:80/a=http://a/", "without a port");
	assert_refused("[::1]:80/a=http://a/", "without a port");
	assert_refused("*.example/a=http://a/", "name or an address");
	assert_refused("http://h/a=http://a/", "without a port");
	ck_assert_uint_eq(routes.count, 0);
}
END_TEST

START_TEST(the_prefix_is_exchanged_however_slashes_were_typed)
{
	map_only("/foo=http://a/");
	assert_target("/foo", "/");
	assert_target("/foo/", "/");
	assert_target("/foo/x", "/x");
	assert_target("/foo/x/?q=1", "/x/?q=1");
	assert_target("/foo?q", "/?q");
	map_only("/foo/=http://a/bar");
	assert_target("/foo/", "/bar/");
	assert_target("/foo/x", "/bar/x");
	map_only("/foo=http://a/bar");
	assert_target("/foo", "/bar");
	assert_target("/foo/", "/bar/");
	assert_target("/foo/x", "/bar/x");
	map_only("/foo=http://a/bar/");
	assert_target("/foo", "/bar/");
	assert_target("/foo/x", "/bar/x");
	map_only("/foo/=http://a/bar/");
	assert_target("/foo/x", "/bar/x");
	map_only("/=http://a/");
	assert_target("/", "/");
	assert_target("/x/y", "/x/y");
	map_only("/=http://a/bar");
	assert_target("/", "/bar/");
	assert_target("/x", "/bar/x");
}
END_TEST

START_TEST(the_rest_keeps_the_clients_spelling)
{
	map_only("/foo=http://a/b%20c");
	assert_target("/foo/%41b%2B+%20;v=1,2/x@y:z", "/b%20c/%41b%2B+%20;v=1,2/x@y:z");
	assert_target("/foo/%c3%bc/\xc3\xbc", "/b%20c/%c3%bc/\xc3\xbc");
	assert_target("/foo/%2541/%252e%252e/x", "/b%20c/%2541/%252e%252e/x");
	assert_target("/foo/a%3fb%23c", "/b%20c/a%3fb%23c");
	assert_target("/foo/%0d%0aX:%20y", "/b%20c/%0d%0aX:%20y");
	assert_target("/foo/x?a=//b/../c&d=%2e%2e\\", "/b%20c/x?a=//b/../c&d=%2e%2e\\");
	assert_target("/foo/x?", "/b%20c/x?");
}
END_TEST

START_TEST(a_prefix_is_known_in_any_spelling)
{
	map_only("/foo=http://a/bar");
	assert_target("/%66oo/x%41", "/bar/x%41");
	assert_target("/%66%6F%6f", "/bar");
	assert_target("//foo/x", "/bar/x");
	assert_target("/./foo/./x", "/bar/x");
	assert_target("/y/../foo/x", "/bar/x");
	assert_target("http://h/foo/x?q", "/bar/x?q");
	assert_target("HTTP://h//foo//x", "/bar/x");
	map_only("/a%20b=http://a/");
	assert_target("/a%20b/x", "/x");
}
END_TEST

START_TEST(what_is_sent_lies_below_the_upstreams_path)
{
	map_only("/foo=http://a/bar");
	map("/=http://b/");
	/* dot segments are gone before a route is looked for */
	assert_target("/foo/../admin", "/admin");
	assert_target("/foo/%2e%2e/admin", "/admin");
	assert_target("/foo/.%2E/foo/x", "/bar/x");
	assert_target("/foo/a/../../foo/b/%2e%2e/c", "/bar/c");
	assert_target("/foo/a/..", "/bar/");
	assert_target("/foo/..", "/");
	assert_target("/foo/.", "/bar/");
	assert_target("/foo//../x", "/x");
	assert_target("/foo//admin", "/bar/admin");
	assert_target("//evil.example/x", "/evil.example/x");
	assert_target("///", "/");
	assert_target("/foo/...", "/bar/...");
	assert_target("/foo/..a/.b", "/bar/..a/.b");
	assert_target("/foo/a;..", "/bar/a;..");
	assert_not_sent("/../foo/x");
	assert_not_sent("/foo/../../x");
	assert_not_sent("/foo/a%2f..%2fx");
	assert_not_sent("/foo/..%2fadmin");
	assert_not_sent("/foo/..\\admin");
	assert_not_sent("/foo/..%5cadmin");
	assert_not_sent("/foo\\..\\admin");
	assert_not_sent("/foo%5C..%5Cadmin");
	assert_not_sent("/foo/a\\b");
	assert_not_sent("/foo/..;/admin");
	assert_not_sent("/foo/..;jsessionid=1/admin");
	assert_not_sent("/foo/%2e%2e;/admin");
	assert_not_sent("/foo/..%3b/admin");
	assert_not_sent("/foo/.;/admin");
	assert_not_sent("/foo/x/..;x");
	assert_not_sent("/foo/a%00b");
}
END_TEST

START_TEST(an_absolute_target_may_have_no_path)
{
	map_only("/=http://a/bar/");
	assert_target("http://h", "/bar/");
	assert_target("http://h?q=/x/../y", "/bar/?q=/x/../y");
	assert_target("https://h:1/?", "/bar/?");
	map_only("/=http://a/");
	assert_target("http://h", "/");
}
END_TEST

static long rewritten(const char *path, const char *target, size_t size)
{
	const struct route *route = routes_find(&routes, str("h"), str(path));
	long length = route_target(route, str(path), str(target), out, size);
	if (length >= 0)
		out[length] = '\0';
	return length;
}

START_TEST(a_path_that_a_hook_has_rewritten_is_encoded)
{
	map_only("/foo=http://a/bar");
	ck_assert_int_gt(rewritten("/foo/x y%\xff", "/old?q=1", sizeof out - 1), 0);
	ck_assert_str_eq(out, "/bar/x%20y%25%FF?q=1");
	/* literally these bytes, which the client's spelling would not mean */
	ck_assert_int_gt(rewritten("/foo/%41", "/foo/%41", sizeof out - 1), 0);
	ck_assert_str_eq(out, "/bar/%2541");
	ck_assert_int_gt(rewritten("/foo/a?b#c", "/foo/a?b", sizeof out - 1), 0);
	ck_assert_str_eq(out, "/bar/a%3Fb%23c?b");
	ck_assert_int_gt(rewritten("/foo", "/x/../..", sizeof out - 1), 0);
	ck_assert_str_eq(out, "/bar");
	ck_assert_int_eq(rewritten("/foo/../x", "/foo/../x", sizeof out - 1), -EINVAL);
	ck_assert_int_eq(rewritten("/foo//x", "/foo//x", sizeof out - 1), -EINVAL);
	ck_assert_int_eq(
		route_target(&routes.items[0], str("/foobar"), str("/foobar"), out, sizeof out),
		-EINVAL);
	ck_assert_int_eq(route_target(&routes.items[0], str("*"), str("*"), out, sizeof out),
	                 -EINVAL);
}
END_TEST

START_TEST(what_does_not_fit_is_said)
{
	static const char *const targets[] = { "/foo/x?query", "/foo/%41", "/foo/./x", "/foo",
		                               "/" };
	map_only("/=http://a/bar");
	for (int i = 0; i < COUNT(targets); i++) {
		const char *path = i == 1   ? "/foo/A"
		                   : i == 2 ? "/foo/x"
		                   : i == 0 ? "/foo/x"
		                            : targets[i];
		long whole = rewritten(path, targets[i], sizeof out - 1);
		ck_assert_int_gt(whole, 0);
		for (size_t size = 0; size < (size_t)whole; size++) {
			char *exact = malloc(size > 0 ? size : 1);
			ck_assert_ptr_nonnull(exact);
			ck_assert_int_eq(route_target(&routes.items[0], str(path), str(targets[i]),
			                              exact, size),
			                 -ENOBUFS);
			free(exact);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("route");
	TCase *test = tcase_create("route");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(test, NULL, teardown);
	tcase_add_test(test, the_longest_prefix_wins);
	tcase_add_test(test, a_prefix_ends_where_a_segment_ends);
	tcase_add_test(test, a_map_of_the_host_goes_before_one_of_any);
	tcase_add_test(test, many_hosts_are_told_apart);
	tcase_add_test(test, several_urls_share_the_load_of_a_path);
	tcase_add_test(test, a_bad_map_says_why);
	tcase_add_test(test, the_prefix_is_exchanged_however_slashes_were_typed);
	tcase_add_test(test, the_rest_keeps_the_clients_spelling);
	tcase_add_test(test, a_prefix_is_known_in_any_spelling);
	tcase_add_test(test, what_is_sent_lies_below_the_upstreams_path);
	tcase_add_test(test, an_absolute_target_may_have_no_path);
	tcase_add_test(test, a_path_that_a_hook_has_rewritten_is_encoded);
	tcase_add_test(test, what_does_not_fit_is_said);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
