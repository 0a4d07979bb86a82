#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Retries, timeouts and the pages of errors."""
import re
import socket
import threading
import time

from backend import *
from harness import *

GOOD = b"good\n"
SHORT = 0.4     # seconds of a timeout, before they are stretched


def pair(first, *options, second=None):
    """A proxy for two servers, of which each gets the first request in turn."""
    one, two = Backend(first), Backend(second or ok(GOOD))
    return one, two, proxy("--map", "/=%s,%s" % (one.url, two.url), "--fail-limit", "1000000",
                           "--retry-budget", "100", *options)


def ask_both(site, method="GET", body=b"", count=4):
    """Statuses of so many requests, on new connections."""
    return [site.request(method, "/x", body=body).status for _ in range(count)]


def timed(site, *options, expected=504, least=SHORT):
    begun = time.monotonic()
    response = site.get("/x")
    took = time.monotonic() - begun
    equal(response.status, expected, "status")
    check(took >= seconds(least) * 0.9, "it took only %.2f s" % took)
    return response


@test
def a_safe_request_that_got_nothing_is_tried_on_another_server():
    bound, dead = dead_address()
    for script in (hang_up, refuse, None):
        one, two, site = pair(script)
        if script is None:
            one.down()
        with one, two, site:
            for method in ("GET", "HEAD", "OPTIONS"):
                equal(ask_both(site, method), [200] * 4, "statuses of " + method)
    bound.close()


@test
def a_connection_that_is_refused_was_not_seen_by_anyone():
    """So even a POST is tried on another server."""
    one, two, site = pair(ok())
    one.down()
    with one, two, site:
        equal(ask_both(site, "POST", b"hello"), [200] * 4, "statuses")
        equal([request.body for request in two.take()], [b"hello"] * 4, "bodies")


@test
def a_post_that_may_have_been_seen_is_not_repeated():
    for method in ("POST", "PATCH"):
        for script in (hang_up, raw(b"HTTP/1.1 200 OK\r\n", "close")):
            one, two, site = pair(script, second=ok(GOOD))
            with one, two, site:
                within(sorted(ask_both(site, method, b"hello")), ([200, 200, 502, 502],),
                       "statuses of " + method)
                equal((len(one.take()), len(two.take())), (2, 2), "requests of each server")


@test
def a_request_that_got_something_back_is_not_repeated():
    """The client has the head already when the backend dies."""
    seen = threading.Event()

    def script(request):
        request.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhel")
        seen.wait(patience(5))
        request.close()
    one, two, site = pair(script)
    with one, two, site:
        for _ in range(4):
            seen.clear()
            with site.connect() as connection:
                connection.send(make_request("GET", "/x", "Connection: close"))
                connection.read_head()
                seen.set()
                connection.read_until_close()
        equal((len(one.take()), len(two.take())), (2, 2), "requests of each server")


@test
def the_number_of_retries_is_bounded():
    backends = [Backend(hang_up) for _ in range(6)]
    urls = ",".join(backend.url for backend in backends)
    for count in (0, 1, 3):
        with proxy("--map", "/=" + urls, "--retries", str(count), "--retry-budget", "100",
                   "--fail-limit", "1000000") as site:
            equal(site.get("/x").status, 502, "status")
        equal(sum(len(backend.take()) for backend in backends), count + 1, "tries")
    for backend in backends:
        backend.stop()


@test
def a_sick_pool_is_not_hammered():
    """With a budget of 20 percent, 200 requests to dying servers make some 240 tries, not 600."""
    backends = [Backend(hang_up) for _ in range(3)]
    urls = ",".join(backend.url for backend in backends)
    with proxy("--map", "/=" + urls, "--retries", "2", "--retry-budget", "20",
               "--fail-limit", "1000000") as site:
        for _ in range(200):
            equal(site.get("/x").status, 502, "status")
    tries = sum(len(backend.take()) for backend in backends)
    for backend in backends:
        backend.stop()
    check(200 <= tries <= 270, "200 requests made %d tries" % tries)


@test
def a_connection_that_died_in_the_pool_is_no_failure():
    """The server closes what it kept: the next request, even with a body, gets its answer."""
    backend = Backend(ok(GOOD))
    with backend, proxy("--map", "/=" + backend.url, "--retries", "0") as site:
        for reset in (False, True):
            equal(site.get("/x").status, 200, "status")
            for peer in backend.open_peers():
                peer.reset() if reset else peer.close()
            equal(site.get("/x").status, 200, "status behind a dead connection")
            for peer in backend.open_peers():
                peer.reset() if reset else peer.close()
            for _ in range(2):       # what the proxy answers itself comes behind the end
                equal(site.request("OPTIONS", "*").status, 204, "status of OPTIONS")
            equal(site.request("POST", "/x", body=b"hello").status, 200, "status of a POST")


@test
def a_connection_that_dies_with_the_next_request_is_tried_anew():
    """Kept, and closed at the moment when the next request comes: a GET may be sent again."""
    def script(request):
        if request.peer.requests > 1:
            request.reset()
        else:
            request.answer(200, GOOD)
    backend = Backend(script)
    with backend, proxy("--map", "/=" + backend.url) as site:
        with site.connect() as connection:
            for _ in range(10):
                equal(connection.get("/x").status, 200, "status")


@test
def a_post_on_a_connection_that_dies_with_it_is_not_repeated():
    def script(request):
        request.read_body()
        if request.peer.requests > 1:
            request.close()
        else:
            request.answer(200, GOOD)
    backend = Backend(script)
    with backend, proxy("--map", "/=" + backend.url) as site:
        equal(site.get("/x").status, 200, "status")
        backend.take()
        status = site.request("POST", "/x", body=b"hello").status
        count = len([request for request in backend.take() if request.method == "POST"])
        equal(count, 1, "times that the POST was sent")
        within(status, (200, 502), "status")


# Timeouts


@test
def a_connect_that_gets_no_answer_is_504():
    """A listener whose queue is full answers no connect."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    waiting = []
    for _ in range(8):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(full.getsockname())
        waiting.append(connection)
    with proxy("--map", "/=http://127.0.0.1:%d" % full.getsockname()[1], "--connect-timeout",
               ms(SHORT), "--retries", "0") as site:
        timed(site)
    for connection in waiting + [full]:
        connection.close()


@test
def a_backend_that_never_answers_is_504():
    with Backend(mute) as backend, proxy("--map", "/=" + backend.url, "--response-timeout",
                                         ms(SHORT), "--retries", "0") as site:
        timed(site)
        wait_for(lambda: not backend.open_peers(), 5, "the end of the upstream connection")


@test
def half_a_head_is_no_answer():
    with Backend(raw(b"HTTP/1.1 200 OK\r\n", "hang")) as backend, \
            proxy("--map", "/=" + backend.url, "--response-timeout", ms(SHORT),
                  "--between-timeout", ms(SHORT), "--retries", "0") as site:
        timed(site)


@test
def a_body_that_stops_is_cut_off():
    with Backend(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", "hang")) as backend, \
            proxy("--map", "/=" + backend.url, "--between-timeout", ms(SHORT)) as site:
        begun = time.monotonic()
        with site.connect() as connection:
            connection.send(make_request("GET", "/x"))
            data = connection.read_until_close()
        check(data.endswith(b"\r\n\r\nhello"), "answer: " + short(data))
        check(time.monotonic() - begun >= seconds(SHORT) * 0.9, "cut off too early")


@test(punctual=SHORT / 2)
def a_body_that_trickles_goes_on():
    """Each pause is shorter than the timeout, all together are longer."""
    with Backend(trickle(make_answer(200, b"x" * 10), 10, seconds(SHORT) / 4)) as backend, \
            proxy("--map", "/=" + backend.url, "--between-timeout", ms(SHORT)) as site:
        equal(site.get("/x").body, b"x" * 10, "body")


@test
def the_whole_exchange_may_be_bounded():
    with Backend(trickle(make_answer(200, b"x" * 1000), 5, seconds(SHORT) / 20)) as backend, \
            proxy("--map", "/=" + backend.url, "--exchange-timeout", ms(SHORT)) as site:
        with site.connect(timeout=10) as connection:
            connection.send(make_request("GET", "/x"))
            data = connection.read_until_close()
        check(len(data) < 1000, "the whole answer came")
    with Backend(mute) as backend, \
            proxy("--map", "/=" + backend.url, "--exchange-timeout", ms(SHORT)) as site:
        timed(site)


@test(punctual=SHORT / 2)
def a_slow_upload_is_not_a_slow_backend():
    """The time for the answer begins when the request was sent."""
    with Backend() as backend, proxy("--map", "/=" + backend.url, "--response-timeout",
                                     ms(SHORT)) as site:
        with site.connect() as connection:
            connection.send(make_request("POST", "/x", "Content-Length: 10"))
            for _ in range(10):
                time.sleep(seconds(SHORT) / 5)
                connection.send(b"x")
            equal(connection.read_response().status, 200, "status")


# Pages


@test
def an_error_has_a_readable_page_that_says_nothing_of_the_inside():
    bound, dead = dead_address()
    with Backend(raw(b"garbage\r\n\r\n", "close")) as backend:
        with proxy("--map", "/dead=http://%s/inside/" % dead, "--map", "/bad=" + backend.url,
                   "--retries", "0", "--fail-limit", "1000000") as site:
            for path in ("/dead/x", "/bad/x"):
                response = site.get(path)
                equal(response.status, 502, "status")
                within((response.get("Content-Type") or "").split(";")[0],
                       ("text/html", "text/plain"), "Content-Type")
                text = response.body.decode()
                check(len(text) > 20 and "502" in text, "page: " + text)
                check(re.search("[Bb]ad [Gg]ateway", text), "page: " + text)
                said = (response.head + response.body).decode("latin-1")
                for secret in ("127.0.0.1", dead.split(":")[1], str(backend.port), "inside",
                               "refused", "garbage", site.root):
                    check(secret not in said, "the page says %s: %s" % (secret, said))
            equal(site.request("HEAD", "/dead/x").status, 502, "status of HEAD")
    bound.close()


@test
def the_administrator_is_told_what_the_page_does_not_say():
    bound, dead = dead_address()
    with proxy("--map", "/=http://" + dead, "--retries", "0", quiet=True) as site:
        for _ in range(10):
            site.get("/x")
        wait_for(lambda: dead in site.errors(), 5, "a line with the address on standard error")
    bound.close()


@test
def a_client_may_go_on_behind_an_error():
    bound, dead = dead_address()
    with Backend(ok(GOOD)) as backend:
        with proxy("--map", "/dead=http://" + dead, "--map", "/=" + backend.url,
                   "--fail-limit", "1000000") as site:
            with site.connect() as connection:
                for _ in range(3):
                    response = connection.get("/dead/x")
                    equal(response.status, 502, "status")
                    if response.says_close:
                        break
                    equal(connection.get("/x").body, GOOD, "body")
    bound.close()


if __name__ == "__main__":
    main()
