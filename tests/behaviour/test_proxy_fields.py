#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The fields of requests and responses: which pass, which end here, which are set."""
import re

from backend import *
from harness import *

backend = Backend()
site = proxy("--map", "/=" + backend.url)
trusting = proxy("--map", "/=" + backend.url, "--trust", "127.0.0.0/8", "--trust", "::1")
keeping = proxy("--map", "/=" + backend.url, "--upstream-host", "keep")
renaming = proxy("--map", "/=" + backend.url, "--upstream-host", "upstream")
FORWARDING = ("Forwarded: for=192.0.2.7;proto=https;host=evil.invalid",
              "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https",
              "X-Forwarded-Host: evil.invalid")


def sent(*fields, server=None, method="GET", target="/x", **options):
    """The request that the backend gets for one with these fields."""
    backend.script = ok()
    backend.take()
    equal((server or site).request(method, target, *fields, **options).status, 200, "status")
    return backend.only()


def answered(*fields, status=200, body=b"hello\n", method="GET", ask=()):
    """The response that the client gets for an answer with these fields."""
    backend.script = ok(body, *fields, status=status)
    return site.request(method, "/x", *ask)


@test
def fields_of_the_client_pass():
    request = sent("Accept: a/b, c/d;q=0.5", "User-Agent: test (x; y)", "X-Own: 1", "x-own: 2",
                   "If-None-Match: \"a\"", "Range: bytes=0-1", "Cookie: a=b; c=d",
                   "Authorization: Basic eDp5", "X-High: \xe4\xff", "X-Empty:")
    for name, value in (("Accept", "a/b, c/d;q=0.5"), ("User-Agent", "test (x; y)"),
                        ("If-None-Match", '"a"'), ("Range", "bytes=0-1"), ("Cookie", "a=b; c=d"),
                        ("Authorization", "Basic eDp5"), ("X-High", "\xe4\xff"), ("X-Empty", "")):
        equal(request.get(name), value, name)
    equal(request.all("X-Own"), ["1", "2"], "two fields of one name")


@test
def fields_of_the_backend_pass():
    response = answered("ETag: \"a\"", "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT",
                        "Cache-Control: max-age=5", "Vary: Accept", "X-Own: 1", "X-Own: 2",
                        "Content-Type: text/x-test", "Server: its-own/1",
                        "Set-Cookie: a=1", "Set-Cookie: b=2; Path=/", "WWW-Authenticate: Basic")
    for name, value in (("ETag", '"a"'), ("Cache-Control", "max-age=5"), ("Vary", "Accept"),
                        ("Content-Type", "text/x-test"), ("Server", "its-own/1"),
                        ("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT"),
                        ("WWW-Authenticate", "Basic")):
        equal(response.get(name), value, name)
    equal([value for name, value in response.fields if name in ("X-Own", "Set-Cookie")],
          ["1", "2", "a=1", "b=2; Path=/"], "repeated fields")


@test
def nothing_is_added_to_the_kind_of_an_answer():
    response = answered()
    for name in ("ETag", "Last-Modified", "Content-Type", "Accept-Ranges", "Content-Range"):
        equal(response.get(name), None, name)


@test
def the_status_passes():
    for status in (200, 201, 202, 203, 206, 226, 299, 300, 404, 418, 451, 499, 500, 503, 599):
        equal(answered(status=status).status, status, "status")


@test
def an_answer_has_one_date():
    check(DATE.fullmatch(answered().get("Date") or ""), "an answer without a date gets one")
    old = "Mon, 01 Jan 2024 00:00:00 GMT"
    equal(answered("Date: " + old).get("Date"), old, "the origin's date")


@test
def hop_by_hop_fields_of_the_client_end_here():
    request = sent("Connection: keep-alive", "Keep-Alive: timeout=5", "Proxy-Connection: close",
                   "TE: gzip", "Proxy-Authorization: Basic eDp5", "Upgrade: x/1", "X-Own: 1")
    for name in ("Keep-Alive", "Proxy-Connection", "TE", "Proxy-Authorization", "Upgrade"):
        equal(request.get(name), None, name)
    equal(request.get("X-Own"), "1", "X-Own")


@test
def fields_that_connection_names_end_here():
    request = sent("Connection: X-Secret, close , x-other", "X-Secret: 1", "X-OTHER: 2",
                   "X-Own: 3", "Connection: X-Third", "X-Third: 4")
    for name in ("X-Secret", "X-Other", "X-Third"):
        equal(request.get(name), None, name)
    equal(request.get("X-Own"), "3", "X-Own")


@test
def connection_cannot_take_away_what_the_proxy_says():
    for name in ("Host", "Content-Length", "X-Forwarded-For", "Forwarded", "Via",
                 "X-Forwarded-Proto"):
        request = sent("Connection: " + name, method="POST", body=b"hello")
        check(request.get("Host"), "no Host")
        equal(request.body, b"hello", "body")
        check(request.get("X-Forwarded-For") and request.get("Via")
              and request.get("Forwarded"), "Connection: %s took a field away" % name)


@test
def hop_by_hop_fields_of_the_backend_end_here():
    response = answered("Connection: X-Secret, keep-alive", "Keep-Alive: timeout=5",
                        "X-Secret: 1", "Proxy-Connection: keep-alive", "Upgrade: h2c",
                        "Proxy-Authenticate: Basic", "X-Own: 2")
    for name in ("X-Secret", "Keep-Alive", "Proxy-Connection", "Upgrade"):
        equal(response.get(name), None, name)
    check("X-Secret" not in (response.get("Connection") or ""), "Connection passed")
    equal(response.get("X-Own"), "2", "X-Own")


@test
def a_closing_backend_does_not_close_the_client():
    backend.script = raw(make_answer(200, b"hello\n", "Connection: close"), "close")
    with site.connect() as connection:
        for _ in range(3):
            response = connection.get("/x")
            equal((response.body, response.says_close), (b"hello\n", False), "answer")


@test
def a_closing_client_does_not_close_the_backend():
    backend.script = ok()
    site.get("/x")
    peers = len(backend.peers)
    for _ in range(3):
        request = sent("Connection: close")
        check("close" not in (request.get("Connection") or ""), "Connection: close was passed on")
    equal(len(backend.peers), peers, "connections to the backend")


@test
def via_is_set():
    check(re.fullmatch(r"1\.1 \S+( \(.*\))?", sent().get("Via", "")), "Via: %s" % sent().get("Via"))
    check(re.fullmatch(r"1\.0 \S+( \(.*\))?", sent(version="1.0").get("Via", "")), "from HTTP/1.0")


@test
def the_address_of_the_client_is_told():
    request = sent()
    equal(request.all("X-Forwarded-For"), ["127.0.0.1"], "X-Forwarded-For")
    equal(request.all("X-Forwarded-Proto"), ["http"], "X-Forwarded-Proto")
    equal(request.all("X-Forwarded-Host"), ["test.invalid"], "X-Forwarded-Host")
    values = request.all("Forwarded")
    equal(len(values), 1, "number of Forwarded fields")
    pairs = dict(pair.split("=", 1) for pair in values[0].lower().split(";"))
    check(pairs["for"].strip('"').startswith("127.0.0.1"), values[0])
    equal((pairs["proto"], pairs["host"].strip('"')), ("http", "test.invalid"), "Forwarded")


@test
def an_ipv6_address_is_quoted_in_forwarded():
    with proxy("--map", "/=" + backend.url, "-l", "[::1]", port="0") as server:
        request = sent(server=server)
    equal(request.get("X-Forwarded-For"), "::1", "X-Forwarded-For")
    check(re.search(r'for="\[::1\](:\d+)?"', request.get("Forwarded")), request.get("Forwarded"))


@test
def a_host_with_a_port_is_quoted_in_forwarded():
    request = sent(host="test.invalid:81")
    check('host="test.invalid:81"' in request.get("Forwarded"), request.get("Forwarded"))
    equal(request.get("X-Forwarded-Host"), "test.invalid:81", "X-Forwarded-Host")


@test
def what_a_stranger_says_of_forwarding_is_dropped():
    request = sent(*FORWARDING, "X-Forwarded-For: 192.0.2.8")
    equal(request.all("X-Forwarded-For"), ["127.0.0.1"], "X-Forwarded-For")
    equal(request.all("X-Forwarded-Proto"), ["http"], "X-Forwarded-Proto")
    equal(request.all("X-Forwarded-Host"), ["test.invalid"], "X-Forwarded-Host")
    check("192.0.2.7" not in " ".join(request.all("Forwarded")), "Forwarded")
    check("evil" not in request.head.decode("latin-1"), short(request.head))


@test
def what_a_trusted_client_says_of_forwarding_is_kept():
    request = sent(*FORWARDING, server=trusting)
    equal(", ".join(request.all("X-Forwarded-For")), "192.0.2.7, 127.0.0.1", "X-Forwarded-For")
    equal(request.all("X-Forwarded-Proto"), ["https"], "X-Forwarded-Proto")
    equal(request.all("X-Forwarded-Host"), ["evil.invalid"], "X-Forwarded-Host")
    joined = ", ".join(request.all("Forwarded"))
    check(joined.startswith("for=192.0.2.7;proto=https;host=evil.invalid, for=") or
          joined.startswith("for=192.0.2.7;proto=https;host=evil.invalid,for="), joined)
    check("127.0.0.1" in joined, joined)


@test
def the_chain_of_proxies_in_via_is_kept():
    joined = ", ".join(sent("Via: 1.0 fred, 1.1 p.invalid", server=trusting).all("Via"))
    check(joined.startswith("1.0 fred, 1.1 p.invalid, 1.1 "), joined)


@test
def the_host_is_kept_by_option():
    equal(sent(server=keeping, host="Any.invalid:81").get("Host"), "Any.invalid:81", "Host")


@test
def the_host_is_rewritten_by_option():
    equal(sent(server=renaming, host="any.invalid").get("Host"), backend.authority, "Host")


@test
def a_request_without_host_gets_one():
    with site.connect() as connection:
        connection.send(b"GET /x HTTP/1.0\r\n\r\n")
        equal(connection.read_response().status, 200, "status")
    check(backend.only().get("Host") is not None, "no Host")


@test
def an_upstream_is_asked_with_http_1_1():
    for version in ("1.0", "1.1"):
        equal(sent(version=version).version, "1.1", "version for HTTP/" + version)


@test
def an_http_1_0_client_gets_no_chunks():
    backend.script = raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                         + chunked(b"x" * 5000))
    with site.connect() as connection:
        connection.send(make_request("GET", "/x", version="1.0"))
        response = connection.read_response()
        equal((response.body, response.get("Transfer-Encoding")), (b"x" * 5000, None), "answer")
        connection.expect_close()


@test
def an_http_1_0_backend_is_understood():
    for data, then in ((b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n", "close"),
                       (b"HTTP/1.0 200 OK\r\n\r\nhello\n", "close"),
                       (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 6\r\n\r\n"
                        b"hello\n", "keep")):
        backend.script = raw(data, then)
        response = site.get("/x")
        equal((response.status, response.version, response.body), (200, "1.1", b"hello\n"),
              "answer")


@test
def methods_pass():
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "REPORT",
                   "BREW"):
        equal(sent(method=method).method, method, "method")


@test
def max_forwards_is_counted():
    for method in ("OPTIONS", "TRACE"):
        backend.script = ok()
        backend.take()
        response = site.request(method, "/x", "Max-Forwards: 0")
        equal(backend.take(), [], "requests behind the last hop by " + method)
        check(response.status < 500, "status")
    equal(sent("Max-Forwards: 5", method="OPTIONS").get("Max-Forwards"), "4", "Max-Forwards")
    equal(sent("Max-Forwards: 5").get("Max-Forwards"), "5", "Max-Forwards of GET")


@test
def the_log_names_the_request_as_the_client_made_it():
    folder = scratch()
    import os
    os.chmod(folder, 0o777)
    with proxy("--map", "/foo=" + backend.url + "/bar/", "-o", folder + "/log",
               quiet=False) as server:
        backend.script = ok(b"x" * 1234)
        server.get("/foo/x?y")

        def text():
            names = os.listdir(folder)
            return names and open(folder + "/" + names[0], encoding="latin-1").read()
        line = wait_for(text, 5, "a line in the log")
    check('"GET /foo/x?y HTTP/1.1" 200 1234' in line, line)


if __name__ == "__main__":
    main()
