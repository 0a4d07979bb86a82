#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Which requests go to which upstream, and how paths and names are translated both ways."""
from backend import *
from harness import *

a, b, c, sixth = Backend(), Backend(), Backend(), Backend(host="::1")
ALL = (a, b, c, sixth)
OUTSIDE = "test.invalid"
site = proxy("--map", "/foo=" + a.url + "/", "--map", "/foo/deep=" + b.url + "/x/",
             "--map", "/same=" + a.url, "--map", "/inner=" + a.url + "/app",
             "--map", "/old=http://127.0.0.1#%d/" % b.port,
             "--map", "/six=" + sixth.url + "/",
             "--map", "/shared=%s/,%s/,%s/" % (a.url, b.url, sixth.url),
             "--map", "/twice=" + a.url + "/", "--map", "/twice=" + b.url + "/",
             "--map", "one.invalid/foo=" + c.url + "/one/",
             "--map", "one.invalid/=" + c.url + "/root/")


def asked(backend, target, host=OUTSIDE, status=200):
    """The one request that this backend, and no other, received for a GET of target."""
    for other in ALL:
        other.take()
    equal(site.request("GET", target, host=host).status, status, "status of " + target)
    for other in ALL:
        if other is not backend:
            equal(other.take(), [], "requests to another backend, for " + target)
    return backend.only()


def answer_with(*fields, target="/foo/x", backend=a, host=OUTSIDE, status=302, server=None):
    """The response of the proxy to a backend's answer with these fields."""
    backend.script = ok(b"", *fields, status=status)
    try:
        return (server or site).request("GET", target, host=host)
    finally:
        backend.script = ok()


@test
def the_path_of_the_map_is_exchanged_for_that_of_the_url():
    for target, wanted in (("/foo/x", "/x"), ("/foo/", "/"), ("/foo/a/b.txt", "/a/b.txt"),
                           ("/inner/x", "/app/x"), ("/inner", "/app")):
        equal(asked(a, target).target, wanted, "target for " + target)


@test
def the_map_alone_is_the_url_alone():
    within(asked(a, "/foo").target, ("/", ""), "target")


@test
def the_longest_prefix_wins():
    equal(asked(b, "/foo/deep/x").target, "/x/x", "target")
    equal(asked(a, "/foo/deeper/x").target, "/deeper/x", "target")


@test
def a_prefix_ends_with_a_segment():
    for target in ("/foobar", "/foo.txt", "/fo", "/insider"):
        for other in ALL:
            other.take()
        equal(site.get(target).status, 404, "status of " + target)
        for other in ALL:
            equal(other.take(), [], "requests for " + target)


@test
def what_is_not_mapped_is_served_from_the_root():
    equal(site.get("/static.txt").body, b"static\n", "body")
    equal(site.get("/missing.txt").status, 404, "status")


@test
def the_query_is_kept():
    for target, wanted in (("/foo/x?a=b&c=/foo/", "/x?a=b&c=/foo/"), ("/foo?q", "/?q"),
                           ("/foo/?", "/?"), ("/foo/x?a?b=%2e%2e", "/x?a?b=%2e%2e")):
        equal(asked(a, target).target, wanted, "target for " + target)


@test
def escapes_stay_as_the_client_sent_them():
    for path in ("a%20b", "%C3%A4", "a%3Fb", "a+b", "a%2Bb", "%25", "a;b=c,d", "~u", "a:b@c",
                 "%7e"):
        equal(asked(a, "/foo/" + path).target, "/" + path, "target")


@test
def an_escaped_prefix_is_the_same_prefix():
    equal(asked(a, "/%66oo/x").target, "/x", "target")
    equal(asked(b, "/foo/%64eep/x").target, "/x/x", "target")


@test
def dot_segments_do_not_leave_the_upstreams_path():
    for target in ("/inner/../x", "/inner/..", "/inner/%2e%2e/x", "/inner/a/../../x",
                   "/inner/.%2e/secret", "/inner/a/%2e%2e/%2e%2e/secret"):
        a.take()
        site.get(target)
        for request in a.take():
            check(request.target.startswith("/app"), "%s became %s" % (target, request.target))
            check("/.." not in request.target and "%2e%2e" not in request.target.lower(),
                  "%s became %s" % (target, request.target))


@test
def an_escaped_slash_does_not_make_another_path():
    for target in ("/inner/..%2f..%2fsecret", "/inner%2f..%2fsecret", "/inner/..%5c..%5csecret",
                   "/inner/%00", "/foo%2fdeep/x"):
        for other in ALL:
            other.take()
        status = site.get(target).status
        seen = [request.target for other in ALL for request in other.take()]
        if not seen:
            within(status, (400, 404), "status of " + target)
        for path in seen:
            check(".." not in path and "%00" not in path, "%s became %s" % (target, path))


@test
def several_urls_share_the_load_of_a_path():
    for other in ALL:
        other.take()
    for _ in range(9):
        site.get("/shared/x")
    counts = [len(backend.take()) for backend in (a, b, sixth)]
    equal(counts, [3, 3, 3], "requests of each server")


@test
def several_maps_of_a_path_share_its_load():
    for other in ALL:
        other.take()
    for _ in range(8):
        site.get("/twice/x")
    equal([len(backend.take()) for backend in (a, b)], [4, 4], "requests of each server")


@test
def a_map_of_a_host_comes_before_one_of_any_host():
    equal(asked(c, "/foo/x", "one.invalid").target, "/one/x", "target")
    equal(asked(c, "/foo/x", "ONE.invalid:8080").target, "/one/x", "target")
    equal(asked(c, "/else", "one.invalid").target, "/root/else", "target")
    equal(asked(c, "/foo/deep/x", "one.invalid").target, "/one/deep/x", "target")
    equal(asked(a, "/foo/x", "two.invalid").target, "/x", "target")
    equal(asked(a, "/foo/x", "sub.one.invalid").target, "/x", "target")


@test
def the_host_of_an_absolute_target_chooses_the_map():
    c.take()
    site.request("GET", "http://one.invalid/foo/x", host="one.invalid")
    equal(c.only().target, "/one/x", "target")
    with site.connect() as connection:
        connection.send(make_request("GET", "http://one.invalid/foo/x", host="two.invalid"))
        connection.read_response()
    for request in c.take():
        equal(request.target, "/one/x", "target: the Host field is to be ignored")
    equal(a.take(), [], "requests by the Host field, which an absolute target overrules")


@test
def addresses_of_both_families_are_upstreams():
    equal(asked(a, "/foo/x").target, "/x", "target")
    equal(asked(sixth, "/six/x").target, "/x", "target")


def by_socket(backend, path, **how):
    with proxy("--map", "/unix=unix:" + path, "--map", "/below=unix:" + path + ":/below/",
               **how) as server:
        for target, wanted in (("/unix/x", "/x"), ("/below/x", "/below/x")):
            equal(server.get(target).status, 200, "status of " + target)
            equal(backend.only().target, wanted, "target for " + target)


@test
def a_socket_is_an_upstream():
    with Backend(unix=True) as local:
        by_socket(local, local.address, as_user=True)


@test
def a_socket_of_a_server_in_a_chroot_lies_in_it():
    need_root()
    import os
    with Backend(unix=True) as local:
        by_socket(local, "/" + os.path.basename(local.address),
                  content=os.path.dirname(local.address))


@test
def the_old_spelling_of_a_port_is_accepted():
    equal(asked(b, "/old/x").target, "/x", "target")


@test
def a_location_below_the_upstream_is_translated():
    for value, wanted in ((a.url + "/y", "/foo/y"), ("/y", "/foo/y"), ("/", "/foo/"),
                          (a.url + "/y?q=1#f", "/foo/y?q=1#f")):
        got = answer_with("Location: " + value).get("Location")
        within(got, (wanted, "http://%s%s" % (OUTSIDE, wanted)), "Location for " + value)


@test
def a_location_above_the_upstreams_path_stays():
    got = answer_with("Location: /elsewhere", target="/inner/x").get("Location")
    within(got, ("/elsewhere", "http://%s/elsewhere" % OUTSIDE), "Location")
    got = answer_with("Location: /app/elsewhere", target="/inner/x").get("Location")
    within(got, ("/inner/elsewhere", "http://%s/inner/elsewhere" % OUTSIDE), "Location")
    got = answer_with("Location: /apple", target="/inner/x").get("Location")
    within(got, ("/apple", "http://%s/apple" % OUTSIDE), "Location")


@test
def a_location_of_another_host_stays():
    for value in ("http://other.invalid/y", "https://%s/y" % a.authority, "//other.invalid/y",
                  "http://127.0.0.1:1/y", "mailto:someone@other.invalid",
                  "http://%s.other.invalid/" % a.authority, "http://%s@other.invalid/"
                  % a.authority):
        equal(answer_with("Location: " + value).get("Location"), value, "Location")


@test
def a_relative_location_stays():
    for value in ("y", "./y", "../y", "?q", "#f"):
        equal(answer_with("Location: " + value).get("Location"), value, "Location")


@test
def a_content_location_is_translated():
    got = answer_with("Content-Location: /y", status=200).get("Content-Location")
    within(got, ("/foo/y", "http://%s/foo/y" % OUTSIDE), "Content-Location")


@test
def a_refresh_is_translated():
    for value, wanted in (("5; url=" + a.url + "/y", "/foo/y"), ("0;URL='/y'", "/foo/y")):
        got = answer_with("Refresh: " + value, status=200).get("Refresh")
        check(got.rstrip("'\"").endswith(wanted) and a.authority not in got, "Refresh: " + got)
    equal(answer_with("Refresh: 5", status=200).get("Refresh"), "5", "Refresh")


@test
def a_link_is_translated():
    value = '<%s/style.css>; rel=preload, </y?a,b>; rel="next"; title="a, <b>", ' \
            '<http://other.invalid/>; rel=prev' % a.url
    got = answer_with("Link: " + value, status=200).get("Link")
    check(a.authority not in got, "Link: " + got)
    for part in ("/foo/style.css>; rel=preload", '/foo/y?a,b>; rel="next"; title="a, <b>"',
                 "<http://other.invalid/>; rel=prev"):
        check(part in got, "%s is not in Link: %s" % (part, got))


@test
def the_path_and_domain_of_a_cookie_are_translated():
    response = answer_with("Set-Cookie: a=1; Path=/app/x; HttpOnly", "Set-Cookie: b=2; path=/app",
                           "Set-Cookie: c=3; Domain=127.0.0.1; Secure", "Set-Cookie: d=4; Path=/",
                           "Set-Cookie: e=/app/x", "Set-Cookie: f=6; Path=/apple",
                           target="/inner/x", status=200)
    cookies = [value for name, value in response.fields if name.lower() == "set-cookie"]
    equal(len(cookies), 6, "number of cookies")
    check("Path=/inner/x" in cookies[0] and "HttpOnly" in cookies[0], cookies[0])
    check(cookies[1].lower().endswith("path=/inner"), cookies[1])
    check("omain" not in cookies[2] and "Secure" in cookies[2], cookies[2])
    check("/app" not in cookies[3], cookies[3])
    equal(cookies[4], "e=/app/x", "a value that looks like a path")
    check(cookies[5].endswith("Path=/apple"), cookies[5])


@test
def location_names_the_outside():
    with proxy("--map", "/foo=" + a.url + "/", "--location", "https://www.invalid") as server:
        response = answer_with("Location: " + a.url + "/y", "Content-Location: " + a.url + "/z",
                               "Link: <%s/l>; rel=x" % a.url, server=server)
    equal((response.get("Location"), response.get("Content-Location"), response.get("Link")),
          ("https://www.invalid/foo/y", "https://www.invalid/foo/z",
           "<https://www.invalid/foo/l>; rel=x"), "fields")


@test
def location_may_have_a_path():
    with proxy("--map", "/foo=" + a.url + "/", "--location", "https://www.invalid/below") as server:
        response = answer_with("Location: " + a.url + "/y", "Set-Cookie: a=1; Path=/",
                               server=server)
    equal(response.get("Location"), "https://www.invalid/below/foo/y", "Location")
    check("Path=/below/foo" in response.get("Set-Cookie"), response.get("Set-Cookie"))


@test
def a_location_follows_the_host_that_the_client_asked():
    got = answer_with("Location: " + a.url + "/y", host="www.invalid:8080").get("Location")
    within(got, ("/foo/y", "http://www.invalid:8080/foo/y"), "Location")


@test
def a_wrong_map_is_explained():
    for text in ("foo", "/foo", "/foo=", "=http://127.0.0.1/", "/foo=ftp://127.0.0.1/",
                 "/foo=http://", "/foo=http://127.0.0.1:0/", "/foo=http://127.0.0.1:65536/",
                 "/foo=http://127.0.0.1:x/", "/foo=http://[::1/", "/foo=unix:",
                 "/foo=http://127.0.0.1/;weight=0", "/foo=http://127.0.0.1/;weight=x",
                 "/foo=http://127.0.0.1/;colour=red", "/foo=http://127.0.0.1/ x"):
        status, _, errors = run("-M", "proxy", "--map", text, "-q", "-t", "-R", "/")
        within(status, (1, 2), "exit status for %s; it said %s" % (text, errors))
        equal(len(errors.strip().splitlines()), 1, "lines for %s: %s" % (text, errors))
        check("map" in errors, "the option is not named: " + errors)


if __name__ == "__main__":
    main()
