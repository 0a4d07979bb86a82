#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Persistent connections: 1.1 and 1.0, pipelining, requests in pieces, bodies, Expect."""
import random
import threading
import time

from harness import *

INNER = b"GET /b.bin HTTP/1.1\r\nHost: inner\r\n\r\n"
LARGE = 3 << 20
A, B = b"alpha\n", pattern(70000)
site = Server({"index.html": b"index\n", "a.txt": A, "b.bin": B, "empty": b"", "folder": None,
               "large.bin": pattern(LARGE)})


@test
def http_1_1_stays_open():
    with site.connect() as connection:
        for _ in range(5):
            response = connection.get("/a.txt")
            equal((response.status, response.body), (200, A), "answer")
            check(not response.says_close, "the server says close")


@test
def http_1_1_closes_when_asked():
    with site.connect() as connection:
        response = connection.get("/a.txt", "Connection: close")
        equal(response.body, A, "body")
        check(response.says_close, "the answer lacks Connection: close")
        connection.expect_close()


@test
def the_close_token_is_found_in_a_list_and_in_any_case():
    for value in ("CLOSE", "foo, Close", "close,bar", " x ,\tclose ", ", close,"):
        with site.connect() as connection:
            check(connection.get("/a.txt", "Connection: " + value).says_close,
                  "no close after " + value)
            connection.expect_close(value)
    with site.connect() as connection:
        connection.get("/a.txt", "Connection: foo", "Connection: close")
        connection.expect_close("two Connection fields")
    with site.connect() as connection:
        connection.get("/a.txt", "Connection: closed, not-close")
        equal(connection.get("/a.txt").body, A, "answer after other tokens")


@test
def http_1_0_closes():
    with site.connect() as connection:
        response = connection.request("GET", "/a.txt", version="1.0")
        equal(response.body, A, "body")
        check(not response.has_token("Connection", "keep-alive"), "it says keep-alive")
        connection.expect_close()


@test
def http_1_0_with_keep_alive_stays_open_and_says_so():
    with site.connect() as connection:
        for target, content in (("/a.txt", A), ("/b.bin", B), ("/empty", b"")):
            response = connection.request("GET", target, "Connection: Keep-Alive", version="1.0")
            equal(response.body, content, "body of " + target)
            check(response.has_token("Connection", "keep-alive"),
                  "the answer lacks Connection: keep-alive")
        connection.request("GET", "/a.txt", version="1.0")
        connection.expect_close()


@test
def http_1_0_needs_no_host():
    response = site.request("GET", "/a.txt", version="1.0", host=None)
    equal((response.status, response.body), (200, A), "answer")


@test
def answers_without_a_broken_frame_keep_the_connection():
    with site.connect() as connection:
        etag = connection.get("/a.txt").get("ETag")
        for expected, method, target, field in (
                (404, "GET", "/missing", "X: y"), (304, "GET", "/a.txt",
                                                   "If-None-Match: %s" % etag),
                (403, "GET", "/folder/", "X: y"), (405, "DELETE", "/a.txt", "X: y"),
                (416, "GET", "/a.txt", "Range: bytes=100-"),
                (412, "GET", "/a.txt", 'If-Match: "no"'), (301, "GET", "/folder", "X: y"),
                (501, "BREW", "/a.txt", "X: y")):
            response = connection.request(method, target, field)
            equal(response.status, expected, "status")
            if expected != 501:
                check(not response.says_close, "a %d closes" % expected)
            elif response.says_close:
                return
            equal(connection.get("/a.txt").body, A, "answer after a %d" % expected)


@test
def keep_on_error_keeps_after_a_404():
    with Server({"a.txt": A}, "-E") as server, server.connect() as connection:
        equal(connection.get("/missing").status, 404, "status")
        equal(connection.get("/a.txt").body, A, "answer after the 404")


@test
def pipelined_requests_are_answered_in_order():
    plan = [("GET", "/a.txt", 200, A), ("HEAD", "/b.bin", 200, b""), ("GET", "/b.bin", 200, B),
            ("GET", "/missing", 404, None), ("GET", "/empty", 200, b""),
            ("OPTIONS", "/", None, b"")] * 20
    with site.connect() as connection:
        sender = threading.Thread(target=connection.send,
                                  args=(b"".join(make_request(method, target) for method, target, _,
                                                 _ in plan),))
        sender.start()
        for method, target, status, body in plan:
            response = connection.read_response(method == "HEAD")
            if status:
                equal(response.status, status, "status of %s %s" % (method, target))
            if body is not None:
                equal(response.body, body, "body of %s %s" % (method, target))
        sender.join()
        connection.expect_silence(0.05)


@test
def ten_thousand_pipelined_requests():
    with site.connect() as connection:
        sender = threading.Thread(target=connection.send,
                                  args=(make_request("GET", "/a.txt") * 10000,))
        sender.start()
        for _ in range(10000):
            equal(connection.read_response().body, A, "body")
        sender.join()


@test
def requests_of_all_kinds_do_not_make_the_process_grow():
    def resident():
        return int(processes.status(site.pid)["VmRSS"].split()[0])
    with site.connect() as connection:
        etag = connection.get("/a.txt").get("ETag")
        batch = b"".join(make_request(*words) for words in (
            ("GET", "/a.txt"), ("GET", "/missing"), ("HEAD", "/b.bin"), ("POST", "/a.txt"),
            ("GET", "/a.txt", "If-None-Match: " + etag),
            ("GET", "/b.bin", "Range: bytes=0-9,50-59"), ("GET", "/folder"), ("OPTIONS", "*"),
            ("GET", "/a.txt?" + "q" * 500)))
        sizes = []
        for _ in range(4):
            for _ in range(150):
                connection.send(batch)
                for number in range(9):
                    connection.read_response(number == 2)
            sizes.append(resident())
    room = 500 if SLOWDOWN == 1 else 20000       # sanitizers keep what was freed for a while
    check(sizes[-1] - sizes[0] < room, "resident kB after each 1350 requests: %s" % sizes)


@test
def pipelined_requests_that_arrive_in_odd_pieces():
    data = (make_request("GET", "/a.txt") + make_request("GET", "/empty",
                                                         "X-Long: " + "y" * 300)) * 10
    for piece in (1, 7, 61):
        with site.connect() as connection:
            connection.send_slowly(data, piece)
            for _ in range(10):
                equal(connection.read_response().body, A, "body")
                equal(connection.read_response().body, b"", "body of the empty file")


@test
def a_request_may_come_byte_by_byte():
    with site.connect() as connection:
        connection.send_slowly(make_request("GET", "/a.txt"), 1, 0.002)
        equal(connection.read_response().body, A, "body")
        connection.send_slowly(make_request("GET", "/b.bin", "Range: bytes=5-9"), 1, 0.001)
        equal(connection.read_response().body, B[5:10], "body of the range")


@test
def an_empty_line_before_the_request_line_is_skipped():
    with site.connect() as connection:
        connection.send(b"\r\n" + make_request("GET", "/a.txt") + b"\r\n"
                        + make_request("GET", "/a.txt"))
        for _ in range(2):
            equal(connection.read_response().body, A, "body")


@test
def what_is_pipelined_after_a_close_is_not_answered():
    data = make_request("GET", "/a.txt", "Connection: close") + make_request("GET", "/b.bin")
    answers = site.exchange(data)
    equal([answer.body for answer in answers], [A], "bodies")


@test
def a_client_that_has_finished_sending_gets_its_answers():
    with site.connect() as connection:
        connection.send(make_request("GET", "/b.bin") + make_request("GET", "/a.txt"))
        connection.finish_sending()
        equal(connection.read_response().body, B, "first body")
        equal(connection.read_response().body, A, "second body")
        connection.expect_close()


@test
def a_body_with_a_length_is_drained():
    for size in (1, len(INNER), 5000):
        body = (INNER * 200)[:size]
        with site.connect() as connection:
            connection.send(make_request("GET", "/a.txt", body=body)
                            + make_request("GET", "/empty"))
            first = connection.read_response()
            equal((first.status, first.body), (200, A),
                  "answer to a GET with %d bytes of body" % size)
            equal(connection.read_response().body, b"", "the request after the body")
            connection.expect_silence(0.05)


@test
def a_body_that_comes_late_and_in_pieces_is_drained():
    with site.connect() as connection:
        connection.send(b"GET /a.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n")
        connection.send_slowly(INNER.ljust(40, b"."), 3, 0.005)
        connection.send(make_request("GET", "/empty"))
        equal(connection.read_response().body, A, "first body")
        equal(connection.read_response().body, b"", "second body")
        connection.expect_silence(0.05)


def chunked_request(body, target="/a.txt"):
    return make_request("GET", target, "Transfer-Encoding: chunked") + body


@test
def a_chunked_body_is_drained():
    bodies = (b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n",
              b"a\r\n0123456789\r\nA\r\n0123456789\r\n000\r\n\r\n",
              b"5;name=value;other=\"x y\"\r\nhello\r\n0\r\n\r\n",
              b"3\r\nabc\r\n0\r\nX-Trailer: y\r\nZ: z\r\n\r\n",
              b"%x\r\n%s\r\n0\r\n\r\n" % (len(INNER), INNER))
    for body in bodies:
        for piece in (1000, 1):
            with site.connect() as connection:
                connection.send_slowly(chunked_request(body) + make_request("GET", "/empty"), piece)
                first = connection.read_response()
                equal((first.status, first.body), (200, A), "answer with body %r" % body)
                equal(connection.read_response().body, b"", "the request after body %r" % body)
                connection.expect_silence(0.02)


@test
def many_bodies_on_one_connection():
    with site.connect() as connection:
        sender = threading.Thread(target=connection.send, args=(
            (chunked_request(b"400\r\n" + b"x" * 1024 + b"\r\n0\r\n\r\n") +
             make_request("GET", "/empty", body=b"y" * 1500)) * 100,))
        sender.start()
        for _ in range(100):
            equal(connection.read_response().body, A, "first body")
            equal(connection.read_response().body, b"", "second body")
        sender.join()


def random_request(dice):
    """A request with fields and a body of any size: (its bytes, is it a HEAD, status, body)."""
    target, status, content = dice.choice((("/a.txt", 200, A), ("/b.bin", 200, B),
                                           ("/empty", 200, b""), ("/missing", 404, None),
                                           ("/a.txt?" + "q" * dice.randrange(3000), 200, A)))
    method = dice.choice(("GET", "GET", "GET", "HEAD"))
    fields = ["X-%d: %s" % (number, "y" * dice.choice((0, 1, 10, 100, 1000, 4000)))
              for number in range(dice.randrange(4))]
    body = bytes(dice.choices(b"\r\n 0aGET/", k=dice.choice((0, 0, 0, 1, 17, 1000, 20000))))
    if body and dice.random() < 0.5:
        fields.append("Transfer-Encoding: chunked")
        data, rest = make_request(method, target, *fields), body
        while rest:
            size = dice.randrange(1, len(rest) + 1)
            data, rest = data + b"%x\r\n%s\r\n" % (size, rest[:size]), rest[size:]
        data += b"0\r\n\r\n"
    else:
        data = make_request(method, target, *fields, body=body)
    return data, method == "HEAD", status, content


@test
def random_streams_of_requests_in_random_pieces():
    for seed in range(25):
        dice = random.Random(seed)
        plan = [random_request(dice) for _ in range(40)]
        stream = b"".join(item[0] for item in plan)
        largest = dice.choice((50, 1000, 5000, 40000, len(stream)))

        def send_in_pieces():
            rest = stream
            while rest:
                size = dice.randrange(1, largest + 1)
                connection.send(rest[:size])
                rest = rest[size:]
        with site.connect() as connection:
            sender = threading.Thread(target=send_in_pieces)
            sender.start()
            try:
                for _, is_head, status, content in plan:
                    response = connection.read_response(is_head)
                    equal(response.status, status, "status; seed %d" % seed)
                    if content is not None and not is_head:
                        equal(response.body, content, "body; seed %d" % seed)
            finally:
                if sender.is_alive():
                    sender.join(patience(5))
            connection.expect_silence(0.01)


@test
def expect_100_continue_is_answered_before_the_body():
    with site.connect() as connection:
        connection.send(make_request("GET", "/a.txt", "Content-Length: 5",
                                     "Expect: 100-continue"))
        first = connection.read_head()
        if first.status == 100:
            connection.send(b"hello")
            first = connection.read_response()
            equal((first.status, first.body), (200, A), "final answer")
            equal(connection.get("/a.txt").body, A, "answer after the body")
        else:                        # a final answer at once is allowed; then it closes
            within(first.status, (200, 413, 417), "status")
            check(first.says_close, "a final answer before the body must close")


@test
def expect_is_case_insensitive_and_unknown_expectations_are_417():
    with site.connect() as connection:
        connection.send(make_request("GET", "/a.txt", "Content-Length: 5",
                                     "Expect: 100-Continue"))
        within(connection.read_head().status, (100, 200), "status")
    within(site.get("/a.txt", "Expect: miracle").status, (417,), "status of an unknown expectation")


@test
def expect_without_a_body_is_no_obstacle():
    with site.connect() as connection:
        response = connection.get("/a.txt", "Expect: 100-continue")
        equal((response.status, response.body), (200, A), "answer")


@test
def expect_from_http_1_0_is_ignored():
    with site.connect() as connection:
        connection.send(make_request("GET", "/a.txt", "Expect: 100-continue", version="1.0",
                                     body=b"hello"))
        response = connection.read_response()
        equal(response.status, 200, "status")
        equal(response.interim, [], "interim responses to HTTP/1.0")


@test
def a_body_that_is_already_there_needs_no_100():
    with site.connect() as connection:
        connection.send(make_request("GET", "/a.txt", "Expect: 100-continue", body=b"hello")
                        + make_request("GET", "/empty"))
        equal(connection.read_response().body, A, "first body")
        equal(connection.read_response().body, b"", "second body")


@test
def a_refused_post_with_expect_never_hangs():
    with site.connect() as connection:
        connection.send(make_request("POST", "/a.txt", "Content-Length: 50",
                                     "Expect: 100-continue"))
        first = connection.read_head()
        if first.status == 100:
            connection.send(b"x" * 50)
            first = connection.read_head()
        equal(first.status, 405, "status")


@test
def five_hundred_connections_at_once():
    connections = [site.connect() for _ in range(500)]
    try:
        for round_number in range(2):
            for connection in connections:
                connection.send(make_request("GET", "/a.txt"))
            for connection in connections:
                equal(connection.read_response().body, A, "body in round %d" % round_number)
    finally:
        for connection in connections:
            connection.close()
    site.wait_for_connections(0)


@test(limit=60)
def half_a_request_behind_a_blocked_pipeline_is_finished_later():
    small, big = make_request("GET", "/a.txt"), make_request("GET", "/large.bin")
    for count in (1, 5, 200):
        for cut in (1, 5, 17, 30, len(small) - 1):
            with site.connect() as connection:
                connection.send(big * 2 + small * count + small[:cut])
                time.sleep(0.01)         # nobody reads: the server's output is full
                for _ in range(2):
                    equal(len(connection.read_response().body), LARGE, "length")
                for _ in range(count):
                    equal(connection.read_response().body, A, "body")
                connection.send(small[cut:] + small)
                for _ in range(2):
                    equal(connection.read_response().body, A, "body after the cut at %d" % cut)


@test
def every_split_of_a_pipeline_gives_the_same_answers():
    parts = [("GET", 200, make_request("GET", "/a.txt")),
             ("HEAD", 200, make_request("HEAD", "/a.txt")),
             ("POST", 405, make_request("POST", "/a.txt", body=b"12345")),
             ("GET", 200, make_request("GET", "/a.txt", "Transfer-Encoding: chunked")
              + b"3;x=y\r\nabc\r\n0\r\nTrailer: v\r\n\r\n"),
             ("GET", 404, b"\r\n" + make_request("GET", "/missing")),
             ("GET", 301, make_request("GET", "/folder")),
             ("OPTIONS", 204, make_request("OPTIONS", "*")),
             ("GET", 206, make_request("GET", "/a.txt", "Range: bytes=1-2")),
             ("GET", 200, make_request("GET", "/empty", "Connection: close"))]
    wire = b"".join(part[2] for part in parts)
    for cut in range(1, len(wire)):
        with site.connect() as connection:
            connection.send(wire[:cut])
            time.sleep(0.0005)
            connection.send(wire[cut:])
            found = split_responses(connection.read_until_close(), [part[0] for part in parts])
        equal([each.status for each in found], [part[1] for part in parts], "cut at %d" % cut)


if __name__ == "__main__":
    main()
