#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Backends that answer badly: what is no answer is 502, what ends early is seen to end early, and
no connection is used again behind an answer whose end is not certain."""
import threading
import time

from backend import *
from harness import *

backend = Backend()
site = proxy("--map", "/=" + backend.url, "--retries", "0", "--fail-limit", "100000")
GOOD = b"good\n"
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: "
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def answer_to(script, method="GET", *fields, body=b""):
    """The one request's response; the bytes of it are those of a whole connection."""
    backend.script = script
    backend.take()
    with site.connect() as connection:
        connection.send(make_request(method, "/x", *fields, "Connection: close", body=body))
        data = connection.read_until_close()
    return data


def bad_gateway(script, method="GET", what=None):
    answers = split_responses(answer_to(script, method), [method])
    equal([answer.status for answer in answers], [502], "statuses for %s" % short(what))
    still_good()


def still_good(count=2):
    """The next answers are the right ones, whatever came before."""
    backend.script = ok(GOOD)
    for _ in range(count):
        response = site.get("/next")
        equal((response.status, response.body), (200, GOOD), "the next answer")


def truncated(script, sent):
    """The client sees that the answer is not whole: it is cut, not ended."""
    data = answer_to(script)
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        check(head.startswith(b"HTTP/1.1 502"), "status line: " + short(head))
    else:
        check(sent in data or len(body) < len(sent) + 20, "body: " + short(body))
        try:
            split_responses(data)
        except Failure:
            pass
        else:
            raise Failure("a cut answer looks whole: " + short(data))
    still_good()


@test
def an_answer_passes_whatever_its_framing():
    body = pattern(100000)
    for data, then in ((make_answer(200, body), "keep"), (CHUNKED + chunked(body), "keep"),
                       (CHUNKED + chunked(body, 1), "keep"),
                       (CHUNKED + chunked(body, 99999), "keep"),
                       (b"HTTP/1.1 200 OK\r\n\r\n" + body, "close"),
                       (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body, "close"),
                       (make_answer(200, b""), "keep"), (CHUNKED + b"0\r\n\r\n", "keep"),
                       (b"HTTP/1.1 200 OK\r\n\r\n", "close"),
                       (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "keep"),
                       (b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "keep")):
        for _ in range(2):
            answers = split_responses(answer_to(raw(data, then)))
            equal([(answer.status, answer.body) for answer in answers],
                  [(200, body if body[:50] in data or b"1\r\n" + body[:1] in data else b"")],
                  "answer for " + short(data, 60))


@test
def an_answer_in_pieces_is_the_same():
    for data in (make_answer(200, b"x" * 50), CHUNKED + chunked(b"x" * 50, 7),
                 b"HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\n" + make_answer(200, b"x" * 50)):
        answers = split_responses(answer_to(trickle(data, 1, 0.0005)))
        equal([answer.body for answer in answers], [b"x" * 50], "bodies")


@test
def a_backend_that_closes_before_the_head_is_502():
    bad_gateway(hang_up)
    bad_gateway(refuse)


@test
def a_backend_that_closes_during_the_head_is_502():
    for data in (b"H", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\n", LENGTH + b"5\r\n",
                 LENGTH + b"5\r\n\r"):
        for then in ("close", "reset"):
            bad_gateway(raw(data, then), what=data)


@test
def a_backend_that_closes_behind_the_head_is_seen_to_be_cut():
    for then in ("close", "reset"):
        truncated(raw(LENGTH + b"500\r\n\r\n", then), b"")
        truncated(raw(LENGTH + b"500\r\n\r\n" + b"x" * 499, then), b"x" * 499)
        truncated(raw(LENGTH + b"500000\r\n\r\n" + b"x" * 100000, then), b"x" * 100000)


@test
def an_answer_that_is_whole_counts_though_a_reset_follows():
    for data in (make_answer(200, b"hello\n"), CHUNKED + chunked(b"hello\n")):
        backend.script = raw(data, "reset")
        for _ in range(100):
            response = site.request("POST", "/x", body=b"x")
            equal((response.status, response.body), (200, b"hello\n"), "answer")
            wait_for(lambda: not backend.open_peers(), 5, "the reset")
    still_good()


@test
def a_chunked_answer_that_is_cut_is_seen_to_be_cut():
    for rest in (b"", b"5", b"5\r\n", b"5\r\nhel", b"5\r\nhello", b"5\r\nhello\r\n",
                 b"5\r\nhello\r\n0", b"5\r\nhello\r\n0\r\n", b"5\r\nhello\r\n0\r\nX: y\r\n"):
        truncated(raw(CHUNKED + rest, "close"), b"hello")


@test
def bad_chunks_are_seen_to_be_bad():
    for rest in (b"g\r\n", b"-1\r\n", b"5\nhello\r\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n",
                 b"0x5\r\nhello\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFFF\r\n", b"\r\n",
                 b"5 \r\nhello\r\n0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n",
                 b"5\r\nhello\r\n0\r\n:\r\n"):
        truncated(raw(CHUNKED + rest, "close"), b"hello")


@test
def garbage_is_502():
    for data in (b"hello\r\n\r\n", b"\0" * 100, b"\r\n" * 50, b"\x16\x03\x01\x02\0\x01" * 20,
                 b"SSH-2.0-x\r\n", b"ICY 200 OK\r\n\r\n", b"HTTP/0.9 200 OK\r\n\r\n",
                 b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 20 OK\r\n\r\n",
                 b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n",
                 b"HTTP/1.1  200 OK\r\n\r\n",
                 b"HTTP/1.1 099 OK\r\n\r\n", b"HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n",
                 b"http/1.1 200 OK\r\n\r\n", b"<html>hello</html>"):
        bad_gateway(raw(data, "close"), what=data)


@test
def a_head_that_two_could_read_differently_is_502():
    for lines in (b"Content-Length: 5\r\nTransfer-Encoding: chunked",
                  b"Transfer-Encoding: chunked\r\nContent-Length: 5",
                  b"Content-Length: 5\r\nContent-Length: 6", b"Content-Length: 5, 6",
                  b"Content-Length: -5", b"Content-Length: +5", b"Content-Length: 5x",
                  b"Content-Length:", b"Content-Length: 99999999999999999999",
                  b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked, gzip",
                  b"Transfer-Encoding: xchunked", b"Transfer-Encoding: identity",
                  b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                  b"X: y\r\n folded", b"X : y\r\nContent-Length: 5",
                  b"Content-Length : 5", b" X: y", b"X\r\nContent-Length: 5", b": y",
                  b"X: a\0b\r\nContent-Length: 5", b"X: a\rb\r\nContent-Length: 5",
                  b"X: a\nContent-Length: 5", b"X\xe9: y", b"X y: z",
                  b"X: a\x07b\r\nContent-Length: 5"):
        bad_gateway(raw(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n\r\nhello", "close"), what=lines)


@test
def transfer_encoding_in_http_1_0_is_502():
    bad_gateway(raw(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "close"))


@test
def equal_lengths_are_one_or_none():
    """RFC 9112 6.3 lets a recipient take them as one, or refuse."""
    answers = split_responses(answer_to(raw(LENGTH + b"5\r\nContent-Length: 5\r\n\r\nhello",
                                            "close")))
    within([(answer.status, answer.get("Content-Length")) for answer in answers if
            answer.status == 200], ([], [(200, "5")]), "answer")
    still_good()


@test
def a_head_that_is_too_long_is_502():
    bad_gateway(raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 2000000 + b"\r\n\r\n", "close"))
    bad_gateway(raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100000 + b"\r\n", "close"))
    bad_gateway(raw(b"HTTP/1.1 200 " + b"y" * 2000000 + b"\r\n\r\n", "close"))


@test
def what_comes_behind_an_answer_is_never_an_answer():
    evil = make_answer(200, b"evil\n")
    for data in (make_answer(200, b"hello\n") + evil, make_answer(200, b"") + evil,
                 make_answer(200, b"hello\n") + b"x", CHUNKED + chunked(b"hello\n") + evil,
                 make_answer(204) + evil, make_answer(304) + evil,
                 make_answer(200, b"hello\n", length=5)):
        for _ in range(2):
            answers = split_responses(answer_to(raw(data)))
            equal(len(answers), 1, "number of answers")
            check(b"evil" not in answers[0].body, "body")
            still_good()


@test
def what_comes_late_behind_an_answer_is_never_an_answer():
    """The bytes arrive while the connection lies in the pool. What crosses the next request on its
    way is an answer to that: nobody can tell."""
    sent = threading.Event()

    def script(request):
        request.answer(200, b"hello\n")
        request.send(make_answer(200, b"evil\n"))
        sent.set()
    for _ in range(10):
        sent.clear()
        answer_to(script)
        check(sent.wait(patience(5)), "the backend does not get rid of its bytes")
        still_good()


@test
def a_bodyless_answer_has_no_body():
    for status in (204, 304):
        for data in (make_answer(status) + b"5\r\nhello\r\n0\r\n\r\n",
                     b"HTTP/1.1 %d x\r\nTransfer-Encoding: chunked\r\n\r\n" % status,
                     b"HTTP/1.1 %d x\r\nContent-Length: 5\r\n\r\n" % status):
            got = answer_to(raw(data))
            if got.startswith(b"HTTP/1.1 502"):
                continue
            head, _, body = got.partition(b"\r\n\r\n")
            equal(body, b"", "body of a %d" % status)
            check(b"transfer-encoding" not in head.lower(), "framing of a %d" % status)
            check(status == 304 or b"content-length" not in head.lower(), "a 204 with a length")
            still_good()


@test
def an_answer_to_head_has_no_body():
    for data in (make_answer(200, b"x" * 100, head=True), b"HTTP/1.1 200 OK\r\n\r\n",
                 CHUNKED, make_answer(200, b"x" * 100), make_answer(404, b"x" * 10, head=True)):
        got = answer_to(raw(data), "HEAD")
        head, _, body = got.partition(b"\r\n\r\n")
        check(head.startswith(b"HTTP/1.1 "), short(got))
        equal(body, b"", "body of an answer to HEAD, of " + short(data))
        still_good()


@test
def the_length_of_an_answer_to_head_passes():
    backend.script = ok(b"x" * 123)
    response = site.request("HEAD", "/x")
    equal((response.status, response.get("Content-Length")), (200, "123"), "answer")
    still_good()


@test
def a_connection_is_kept_behind_an_answer_to_head():
    backend.script = ok(b"x" * 123)
    site.request("HEAD", "/x")
    peers = len(backend.peers)
    for _ in range(3):
        site.request("HEAD", "/x")
    equal(len(backend.peers), peers, "connections to the backend")


@test
def a_short_answer_does_not_poison_the_connection():
    """The rest comes when the connection would be another's already."""
    def script(request):
        request.send(LENGTH + b"10\r\n\r\nhello")
        request.peer.wait_end()
    with site.connect() as connection:
        backend.script = script
        connection.send(make_request("GET", "/x"))
        connection.read_head()
        connection._need(lambda: connection.buffer == b"hello", "the body")
        still_good()
    still_good()


@test
def a_client_that_leaves_ends_the_connection_to_the_backend():
    started = []

    def script(request):
        started.append(request.peer)
        request.send(LENGTH + b"1000000000\r\n\r\n")
        while True:
            request.send(b"x" * 65536)
    backend.script = script
    connection = site.connect()
    connection.send(make_request("GET", "/x"))
    connection.read_head()
    connection.close()
    wait_for(lambda: started and started[0].closed, 5, "the end of the upstream connection")
    still_good()


@test
def a_client_that_leaves_before_the_answer_ends_the_connection_to_the_backend():
    backend.script = mute
    backend.take()
    connection = site.connect()
    connection.send(make_request("GET", "/x"))
    backend.wait_requests(1)
    peer = backend.last.peer
    connection.close()
    wait_for(lambda: peer.ended, 5, "the end of the upstream connection")
    still_good()


@test
def an_interim_answer_without_end_is_cut_off():
    def script(request):
        while True:
            request.send(b"HTTP/1.1 102 Processing\r\nX: " + b"y" * 500 + b"\r\n\r\n")
    backend.script = script
    with site.connect() as connection:
        connection.send(make_request("GET", "/x", "Connection: close"))
        end = time.monotonic() + patience(10)
        try:
            while connection.read_head().status < 200:
                check(time.monotonic() < end, "1xx without end are relayed without end")
        except Failure as problem:
            check("middle of" in str(problem), str(problem))
    still_good()


@test
def a_101_that_nobody_asked_for_is_502():
    bad_gateway(raw(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
                    b"hello", "close"))


if __name__ == "__main__":
    main()
