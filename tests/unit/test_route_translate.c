/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "route.h"

static struct routes routes;
static struct way_back back;
static char out[2048];

typedef long translate_f(const struct way_back *back, struct lop_str value, char *out, size_t size);

static struct lop_str str(const char *text)
{
	return (struct lop_str){ text, strlen(text) };
}

static void teardown(void)
{
	routes_clear(&routes);
}

/* The map of all that follows; the upstream was sent its own name as Host. */
static void use(const char *map, const char *origin, const char *path)
{
	char error[256];
	routes_clear(&routes);
	ck_assert_msg(routes_add(&routes, map, error, sizeof error) == 0, "%s", error);
	back = (struct way_back){
		.route = &routes.items[0],
		.outside = { str(origin), str(path) },
		.authority = str(routes.items[0].urls[0].authority),
		.secure = routes.items[0].urls[0].secure,
	};
}

/* In and out lie in buffers of exactly their sizes, for the sanitizers. */
static long translate(translate_f *function, const char *value, char *to, size_t size)
{
	size_t length = strlen(value);
	char *exact = malloc(length > 0 ? length : 1);
	char *room = malloc(size > 0 ? size : 1);
	ck_assert_ptr_nonnull(exact);
	ck_assert_ptr_nonnull(room);
	memcpy(exact, value, length);
	long written = function(&back, (struct lop_str){ exact, length }, room, size);
	if (written > 0)
		memcpy(to, room, (size_t)written);
	free(exact);
	free(room);
	return written;
}

static void assert_becomes(translate_f *function, const char *value, const char *expected)
{
	long length = translate(function, value, out, sizeof out - 1);
	ck_assert_int_ge(length, 0);
	out[length] = '\0';
	ck_assert_msg(strcmp(out, expected) == 0, "%s: '%s', not '%s'", value, out, expected);
	for (long size = 0; size < length; size++)
		ck_assert_int_eq(translate(function, value, out, (size_t)size), -ENOBUFS);
}

static void location(const char *url, const char *expected)
{
	assert_becomes(route_location, url, expected);
}

static void cookie(const char *value, const char *expected)
{
	assert_becomes(route_cookie, value, expected);
}

START_TEST(a_url_of_the_upstream_becomes_one_of_the_outside)
{
	use("/foo=http://backend:8080/", "https://www.example", "");
	location("http://backend:8080/login?x=1#y", "https://www.example/foo/login?x=1#y");
	location("HTTP://Backend:8080/login", "https://www.example/foo/login");
	location("//backend:8080/login", "https://www.example/foo/login");
	location("/login", "/foo/login");
	location("/", "/foo/");
	location("/?q", "/foo/?q");
	location("http://backend:8080", "https://www.example/foo");
	location("http://backend:8080?q", "https://www.example/foo?q");
	location("http://backend:8080#f", "https://www.example/foo#f");
	location("/a%2fb/%41/../c", "/foo/a%2fb/%41/../c");
}
END_TEST

START_TEST(other_urls_stay)
{
	static const char *const urls[] = {
		"http://backend/login",
		"https://backend:8080/login",
		"http://backend:8081/",
		"http://backend:80801/",
		"http://other:8080/",
		"http://backend.example:8080/",
		"https://www.example/x",
		"http://www.example/foo/x",
		"login",
		"../login",
		"?q",
		"#f",
		"",
		"mailto:a@backend",
		"ftp://backend:8080/",
		"javascript:alert(1)",
		"http://user@backend:8080/",
		"http:backend",
		"http:/backend",
		"//",
		"://backend:8080/",
	};
	use("/foo=http://backend:8080/", "https://www.example", "");
	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
		location(urls[i], urls[i]);
}
END_TEST

START_TEST(only_what_lies_below_the_upstreams_path_is_translated)
{
	use("/foo=http://backend/bar", "http://h", "");
	location("/bar", "/foo");
	location("/bar/", "/foo/");
	location("/bar/x", "/foo/x");
	location("/bar?q", "/foo?q");
	location("/b%61r/x%2f", "/foo/x%2f");
	location("/barn", "/barn");
	location("/bar%2fx", "/bar%2fx");
	location("/", "/");
	location("/other", "/other");
	location("http://backend/bar/x", "http://h/foo/x");
	location("http://backend/barn", "http://backend/barn");
	location("http://backend", "http://backend");
	location("http://backend?q", "http://backend?q");
	use("/foo/=http://backend/bar/", "http://h", "");
	location("/bar/x", "/foo/x");
	location("/bar", "/foo/");
	location("/bar?q", "/foo/?q");
	use("/a b/\xc3\xbc=http://backend/%7e", "http://h", "");
	location("/~/x", "/a%20b/%C3%BC/x");
}
END_TEST

START_TEST(the_default_port_may_be_written_or_not)
{
	use("/=http://backend/", "https://www.example", "");
	location("http://backend:80/x", "https://www.example/x");
	location("http://backend:/x", "https://www.example/x");
	location("http://backend:443/x", "http://backend:443/x");
	use("/=https://backend:443/", "https://www.example", "");
	location("https://backend/x", "https://www.example/x");
	location("//backend/x", "https://www.example/x");
	location("http://backend/x", "http://backend/x");
}
END_TEST

START_TEST(every_server_of_the_route_is_the_upstream)
{
	use("/a=http://one/,https://two:8443/,http://[2001:db8::1]:81/,unix:/run/x", "http://h",
	    "");
	location("http://one/x", "http://h/a/x");
	location("https://two:8443/x", "http://h/a/x");
	location("http://[2001:DB8::1]:81/x", "http://h/a/x");
	location("http://localhost/x", "http://h/a/x");
	location("http://two:8443/x", "http://two:8443/x");
}
END_TEST

START_TEST(a_host_that_was_kept_is_known)
{
	use("/foo=http://10.0.0.1:8080/", "https://www.example", "");
	back.authority = str("www.example");
	location("http://www.example/x", "https://www.example/foo/x");
	location("https://www.example/x", "https://www.example/foo/x");
	location("http://10.0.0.1:8080/x", "https://www.example/foo/x");
	location("https://www.example:8443/x", "https://www.example:8443/x");
}
END_TEST

START_TEST(the_outside_may_have_a_path)
{
	use("/foo=http://backend/", "https://www.example", "/below");
	location("http://backend/x", "https://www.example/below/foo/x");
	location("/x", "/below/foo/x");
	use("/=http://backend/", "https://www.example", "/below");
	location("/", "/below/");
	location("/x", "/below/x");
	location("http://backend", "https://www.example/below/");
}
END_TEST

START_TEST(no_translation_makes_a_host_of_a_path)
{
	use("/=http://backend/bar", "https://www.example", "");
	location("/bar//evil.example/x", "https://www.example//evil.example/x");
	location("/bar/\\evil.example", "https://www.example/\\evil.example");
	location("/bar/\t/evil.example", "https://www.example/\t/evil.example");
	location("/bar", "/");
	location("/bar/x", "/x");
	use("/foo=http://backend/bar", "https://www.example", "");
	location("/bar//evil.example/x", "/foo//evil.example/x");
}
END_TEST

START_TEST(refresh_holds_a_url)
{
	use("/foo=http://backend/", "http://h", "");
	assert_becomes(route_refresh, "5; url=http://backend/x", "5; url=http://h/foo/x");
	assert_becomes(route_refresh, "0;URL='/x'", "0;URL='/foo/x'");
	assert_becomes(route_refresh, "0 , Url = \"/x\"; y", "0 , Url = \"/foo/x\"; y");
	assert_becomes(route_refresh, "1.5; /x", "1.5; /foo/x");
	assert_becomes(route_refresh, "5; url='/x", "5; url='/foo/x");
	assert_becomes(route_refresh, "5", "5");
	assert_becomes(route_refresh, "5;", "5;");
	assert_becomes(route_refresh, "5; url=", "5; url=");
	assert_becomes(route_refresh, "5; url", "5; url");
	assert_becomes(route_refresh, "", "");
	assert_becomes(route_refresh, "0; url=http://other/x", "0; url=http://other/x");
}
END_TEST

START_TEST(links_hold_urls_in_angle_brackets)
{
	use("/foo=http://backend/", "http://h", "");
	assert_becomes(route_link,
	               "</x.css>; rel=preload; as=style, <http://backend/y>;rel=\"next\"",
	               "</foo/x.css>; rel=preload; as=style, <http://h/foo/y>;rel=\"next\"");
	assert_becomes(route_link, "< /x >; rel=a", "</foo/x>; rel=a");
	assert_becomes(route_link, "<x>; title=\"</y>, \\\"</z>\", </w>",
	               "<x>; title=\"</y>, \\\"</z>\", </foo/w>");
	assert_becomes(route_link, "</x", "</x");
	assert_becomes(route_link, "<>", "<>");
	assert_becomes(route_link, "</a,b;c>; title=\"open </d>",
	               "</foo/a,b;c>; title=\"open </d>");
	assert_becomes(route_link, "\"\\", "\"\\");
	assert_becomes(route_link, "", "");
}
END_TEST

START_TEST(the_path_of_a_cookie_is_the_prefixes)
{
	use("/foo=http://backend/bar", "http://h", "");
	cookie("a=b; Path=/bar", "a=b; Path=/foo");
	cookie("a=b; Path=/bar/; Secure", "a=b; Path=/foo; Secure");
	cookie("a=b;path=/bar/x;HttpOnly", "a=b;path=/foo/x;HttpOnly");
	cookie("a=b; PATH = /bar/x", "a=b; PATH =/foo/x");
	cookie("a=b; Path=/", "a=b; Path=/");
	cookie("a=b; Path=/barn", "a=b; Path=/barn");
	cookie("a=b; Path=", "a=b; Path=");
	cookie("a=b; Path", "a=b; Path");
	cookie("Path=/bar; Path=/bar", "Path=/bar; Path=/foo");
	cookie("a=\"x; Path=/bar\"", "a=\"x; Path=/bar\"");
	cookie("a=b; Max-Age=1; SameSite=Lax", "a=b; Max-Age=1; SameSite=Lax");
	cookie("a=b;", "a=b;");
	cookie(";", ";");
	cookie("", "");
	use("/foo/=http://backend/", "http://h", "/below");
	cookie("a=b; Path=/", "a=b; Path=/below/foo");
	cookie("a=b; Path=/x/", "a=b; Path=/below/foo/x/");
	use("/=http://backend/bar", "http://h", "");
	cookie("a=b; Path=/bar", "a=b; Path=/");
	cookie("a=b; Path=/bar/", "a=b; Path=/");
	cookie("a=b; Path=/bar/x", "a=b; Path=/x");
}
END_TEST

START_TEST(a_domain_that_only_the_upstream_is_in_is_taken_away)
{
	use("/=http://app.inner.example:8080/", "https://www.outer.example:444", "");
	cookie("a=b; Domain=app.inner.example; Secure", "a=b; Secure");
	cookie("a=b; domain = .Inner.Example", "a=b");
	cookie("a=b; Domain=inner.example; Path=/", "a=b; Path=/");
	cookie("a=b; Domain=example", "a=b; Domain=example");
	cookie("a=b; Domain=outer.example", "a=b; Domain=outer.example");
	cookie("a=b; Domain=other.example", "a=b; Domain=other.example");
	cookie("a=b; Domain=p.inner.example", "a=b; Domain=p.inner.example");
	cookie("a=b; Domain=ner.example", "a=b; Domain=ner.example");
	cookie("Domain=inner.example", "Domain=inner.example");
	back.authority = str("kept.example.org");
	cookie("a=b; Domain=example.org", "a=b");
	cookie("a=b; Domain=", "a=b; Domain=");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("route_translate");
	TCase *test = tcase_create("route_translate");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(test, NULL, teardown);
	tcase_add_test(test, a_url_of_the_upstream_becomes_one_of_the_outside);
	tcase_add_test(test, other_urls_stay);
	tcase_add_test(test, only_what_lies_below_the_upstreams_path_is_translated);
	tcase_add_test(test, the_default_port_may_be_written_or_not);
	tcase_add_test(test, every_server_of_the_route_is_the_upstream);
	tcase_add_test(test, a_host_that_was_kept_is_known);
	tcase_add_test(test, the_outside_may_have_a_path);
	tcase_add_test(test, no_translation_makes_a_host_of_a_path);
	tcase_add_test(test, refresh_holds_a_url);
	tcase_add_test(test, links_hold_urls_in_angle_brackets);
	tcase_add_test(test, the_path_of_a_cookie_is_the_prefixes);
	tcase_add_test(test, a_domain_that_only_the_upstream_is_in_is_taken_away);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
