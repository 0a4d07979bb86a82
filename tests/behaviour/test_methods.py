#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Methods: what GET, HEAD and OPTIONS answer, and what is refused with 405 or 501."""
from harness import *

CONTENT = b"<!doctype html><title>hello</title>\n"
site = Server({"index.html": CONTENT, "a.txt": b"alpha\n"})
ALLOWED = {"GET", "HEAD", "OPTIONS"}


def allowed(response):
    return {item.strip() for item in (response.get("Allow") or "").split(",")}


@test
def get_answers_200_with_the_file():
    response = site.get("/a.txt")
    equal(response.status, 200, "status")
    equal(response.body, b"alpha\n", "body")
    equal(response.get("Content-Length"), "6", "Content-Length")
    equal(response.version, "1.1", "version")


@test
def head_has_the_fields_of_get_and_no_body():
    with site.connect() as connection:
        whole = connection.get("/a.txt")
        head = connection.request("HEAD", "/a.txt")
        equal(head.status, 200, "status")
        equal(head.body, b"", "body")
        def without_date(response):
            return sorted((name.lower(), value) for name,
                          value in response.fields if name.lower() != "date")
        equal(without_date(head), without_date(whole), "fields of HEAD and GET")
        equal(connection.get("/").body, CONTENT, "what follows the HEAD")


@test
def head_of_what_is_missing_is_404_without_a_body():
    with site.connect() as connection:
        response = connection.request("HEAD", "/missing")
        equal(response.status, 404, "status")
        equal(connection.get("/a.txt").body, b"alpha\n", "what follows the HEAD")


@test
def head_of_a_folder_without_its_slash_is_a_redirect():
    with Server({"folder/index.html": b"x"}) as server, server.connect() as connection:
        equal(connection.request("HEAD", "/folder").status, 301, "status")
        equal(connection.get("/folder/").body, b"x", "what follows the HEAD")


@test
def options_names_the_methods():
    with site.connect() as connection:
        for target in ("/a.txt", "/", "*"):
            response = connection.request("OPTIONS", target)
            within(response.status, (200, 204), "status of OPTIONS " + target)
            equal(allowed(response), ALLOWED, "Allow of OPTIONS " + target)
            equal(response.body, b"", "body of OPTIONS " + target)
        equal(connection.get("/a.txt").status, 200, "what follows the OPTIONS")


@test
def the_asterisk_is_for_options_alone():
    for method in ("GET", "HEAD"):
        [response] = site.exchange(make_request(method, "*", "Connection: close"), [method])
        equal(response.status, 400, "status of %s *" % method)


@test
def known_methods_that_a_static_server_lacks_are_405_with_allow():
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE"):
        response = site.request(method, "/a.txt")
        equal(response.status, 405, "status of " + method)
        equal(allowed(response), ALLOWED, "Allow of " + method)


@test
def connect_is_405():
    for target in ("example.invalid:443", "/a.txt"):
        [response] = site.exchange(make_request("CONNECT", target, "Connection: close"))
        within(response.status, (400, 405), "status of CONNECT " + target)
    equal(response.get("Allow") is not None, response.status == 405, "presence of Allow")


@test
def trace_does_not_echo_the_request():
    response = site.request("TRACE", "/a.txt", "Cookie: secret=42")
    check(b"secret" not in response.body, "TRACE echoes the request")


@test
def unknown_methods_are_501():
    for method in ("BREW", "PROPFIND", "get", "Get", "GETT", "GE", "HEADER", "X-Y_Z!1", "M" * 40):
        equal(site.request(method, "/a.txt").status, 501, "status of %s" % method)


@test
def what_is_not_a_token_is_400():
    for method in (b"G\x00T", b"GE(T)", b"G\xc3\x89T", b"GET:", b"", b"\x1fGET", b"G/T", b'"GET"'):
        [response] = site.exchange(make_request(method, "/a.txt", "Connection: close"))
        equal(response.status, 400, "status of method %r" % method)


@test
def a_refused_method_does_not_need_an_existing_file():
    within(site.request("DELETE", "/missing").status, (404, 405), "status of DELETE /missing")


@test
def the_body_of_a_refused_post_is_not_read_as_a_request():
    inner = make_request("GET", "/a.txt")
    with site.connect() as connection:
        connection.send(make_request("POST", "/a.txt", body=inner))
        first = connection.read_response()
        equal(first.status, 405, "status of POST")
        if first.says_close:
            connection.expect_close()
        else:
            connection.send(make_request("GET", "/"))
            equal(connection.read_response().body, CONTENT, "answer after the body was drained")


@test
def http_1_0_gets_the_same_methods():
    for method, status in (("GET", 200), ("HEAD", 200), ("POST", 405), ("BREW", 501)):
        [response] = site.exchange(make_request(method, "/a.txt", version="1.0"), [method])
        equal(response.status, status, "status of %s with HTTP/1.0" % method)


if __name__ == "__main__":
    main()
