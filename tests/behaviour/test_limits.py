#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Limits and the status that says which one was met: 414, 431, 413, 503."""
import sys
import threading
import time

from harness import *

A = b"alpha\n"
CONTENT = {"a.txt": A, "x" * 200: b"long name\n"}
site = Server(CONTENT)
small = Server(CONTENT, "--max-target-size", "300", "--max-header-size", "2000", "--max-headers",
               "10", "--max-body-size", "1000")


def statuses(server, data):
    return [answer.status for answer in server.exchange(data)]


def served(server):
    try:
        return server.get("/a.txt").status == 200
    except (Failure, OSError):  # a reset: its place is not free yet
        return False


def target_of(size):
    return "/a.txt?" + "q" * (size - 7)


@test
def a_target_up_to_the_limit_is_served():
    for size in (100, 299, 300):
        equal(small.get(target_of(size)).status, 200, "status of a target of %d bytes" % size)


@test
def a_target_beyond_the_limit_is_414_and_closes():
    for size in (301, 1000, 1900):
        data = make_request("GET", target_of(size)) + make_request("GET", "/a.txt")
        equal(statuses(small, data), [414], "statuses for a target of %d bytes" % size)


@test
def the_default_limits_are_generous():
    equal(site.get(target_of(2000)).status, 200, "status of a target of 2000 bytes")
    equal(site.get("/a.txt", *["Field-%d: value" % number for number in range(40)]).status, 200,
          "40 fields")
    equal(site.get("/a.txt", "Cookie: " + "c" * 4096).status, 200, "status with 4 KiB of cookie")


@test
def the_default_limits_exist():
    equal(statuses(site, make_request("GET", target_of(1 << 20)))[0] in (414, 431), True,
          "a target of 1 MiB")
    equal(statuses(site, make_request("GET", "/a.txt", "X: " + "y" * (1 << 20))), [431],
          "a field of 1 MiB")
    equal(statuses(site, make_request("GET", "/a.txt", *["X: y"] * 20000)), [431], "20,000 fields")


@test
def a_request_line_without_an_end_is_refused():
    for start in (b"GET /", b"G", b"GET /a.txt HTTP/1.1\r\nX: ", b"GET /a.txt HTTP/1.1\r\nX"):
        with small.connect() as connection:
            try:
                for _ in range(64):
                    connection.send(start + b"y" * 16384)
                    start = b""
            except (BrokenPipeError, ConnectionResetError):
                pass
            answers = split_responses(connection.read_until_close())
            check(len(answers) <= 1, "several answers")
            for answer in answers:
                within(answer.status, (400, 414, 431, 501), "status")


@test
def headers_up_to_the_limit_are_served():
    equal(small.get("/a.txt", "X: " + "y" * 1500).status, 200, "status")


@test
def headers_beyond_the_limit_are_431_and_close():
    for fields in (["X: " + "y" * 2000], ["X: " + "y" * 900] * 3, ["Y" * 2100 + ": x"]):
        data = make_request("GET", "/a.txt", *fields) + make_request("GET", "/a.txt")
        equal(statuses(small, data), [431], "statuses")


@test
def the_limit_of_the_header_holds_byte_by_byte():
    with small.connect() as connection:
        data = make_request("GET", "/a.txt", "X: " + "y" * 2500)
        try:
            connection.send_slowly(data, 13)
        except (BrokenPipeError, ConnectionResetError):
            pass
        equal([answer.status for answer in split_responses(connection.read_until_close())], [431],
              "statuses")


@test
def the_count_of_headers_is_limited():
    fields = ["X-%d: y" % number for number in range(30)]
    equal(small.get("/a.txt", *fields[:9]).status, 200, "status with 10 fields")
    for count in (10, 11, 30):
        data = make_request("GET", "/a.txt", *fields[:count]) + make_request("GET", "/a.txt")
        equal(statuses(small, data), [431], "statuses with %d fields" % (count + 1))


@test
def each_request_of_a_connection_has_its_own_limits():
    with small.connect() as connection:
        for _ in range(20):
            equal(connection.get(target_of(250), "X: " + "y" * 1000, *["Z: z"] * 7).status, 200,
                  "status")
        connection.send(make_request("GET", "/a.txt", "X: " + "y" * 1000) * 20)
        for _ in range(20):
            equal(connection.read_response().status, 200, "status of a pipelined request")


@test
def a_body_up_to_the_limit_is_drained():
    with small.connect() as connection:
        for size in (999, 1000):
            equal(connection.request("GET", "/a.txt", body=b"x" * size).status, 200,
                  "status with %d bytes" % size)


@test
def a_body_beyond_the_limit_is_413_and_closes():
    for size in (1001, 5000):
        body = (make_request("GET", "/a.txt") * 200)[:size]
        data = make_request("GET", "/a.txt", body=body) + make_request("GET", "/a.txt")
        equal(statuses(small, data), [413], "statuses with %d bytes" % size)


@test
def an_announced_body_beyond_the_limit_is_413_before_it_comes():
    for size in (1001, 2 ** 31, 2 ** 32 + 5, 2 ** 63 - 1):
        equal(statuses(small, make_request("GET", "/a.txt", "Content-Length: %d" % size)), [413],
              "statuses with Content-Length %d" % size)
    equal(statuses(small, make_request("GET", "/a.txt", "Content-Length: 5000",
                                       "Expect: 100-continue")), [413],
          "statuses with Expect")


@test
def a_length_beyond_64_bits_is_refused():
    for size in (2 ** 63, 2 ** 64, 2 ** 64 + 5, 10 ** 30):
        data = make_request("GET", "/a.txt", "Content-Length: %d"
                            % size) + b"hello" + make_request("GET", "/a.txt")
        [status] = statuses(small, data)
        within(status, (400, 413), "status with Content-Length %d" % size)


@test
def a_chunked_body_beyond_the_limit_is_413():
    for body in (b"400\r\n" + b"x" * 1024 + b"\r\n0\r\n\r\n", b"1f4\r\n" + b"x" * 500 + b"\r\n",
                 b"7fffffff\r\n", b"1\r\nx\r\n" * 2000):
        body = body if len(body) > 1000 or body.startswith(b"7") else body * 3
        [status] = statuses(small, make_request("GET", "/a.txt", "Transfer-Encoding: chunked")
                            + body)
        within(status, (413,), "status with %s" % short(body[:12]))


@test
def the_refusal_reaches_a_client_that_is_still_sending():
    """The server must read on a little before it closes, or a reset destroys its answer."""
    with small.connect() as connection:
        connection.send(make_request("GET", "/a.txt", "Content-Length: 4000000"))

        def send_on():
            try:
                for _ in range(40):
                    connection.send(b"x" * 100000)
            except OSError:
                pass
        sender = threading.Thread(target=send_on)
        sender.start()
        time.sleep(0.1)
        try:
            answer = connection.read_response()
        finally:
            connection.socket.shutdown(2)
            sender.join()
        equal(answer.status, 413, "status")
        check(answer.says_close, "a 413 must close")


@test
def trailers_are_limited():
    for trailers in (b"X: " + b"y" * 5000 + b"\r\n", b"X: y\r\n" * 3000):
        data = make_request("GET", "/a.txt",
                            "Transfer-Encoding: chunked") + b"0\r\n" + trailers + b"\r\n"
        answers = statuses(small, data + make_request("GET", "/a.txt"))
        check(len(answers) == 1 and answers[0] in (400, 413, 431), "statuses: %s" % answers)


@test
def chunk_extensions_are_limited():
    data = make_request("GET", "/a.txt",
                        "Transfer-Encoding: chunked") + b"1;" + b"x" * 100000 + b"\r\n"
    answers = statuses(small, data + b"a\r\n0\r\n\r\n" + make_request("GET", "/a.txt"))
    check(len(answers) == 1 and answers[0] in (400, 413, 431), "statuses: %s" % answers)


@test
def one_connection_too_many_is_503_with_retry_after():
    with Server(CONTENT, "-N", "4") as server:
        held = [server.connect() for _ in range(4)]
        for connection in held:
            equal(connection.get("/a.txt").status, 200, "status of a connection within the limit")
        with server.connect() as extra:
            try:
                extra.send(make_request("GET", "/a.txt"))
            except OSError:
                pass
            answers = split_responses(extra.read_until_close())
        equal([answer.status for answer in answers], [503],
              "statuses of the connection beyond the limit")
        check((answers[0].get("Retry-After") or "").isdigit(),
              "Retry-After: %s" % answers[0].get("Retry-After"))
        check(answers[0].says_close, "a 503 must close")
        equal(held[3].get("/a.txt").status, 200, "status of a connection that was there")
        held.pop().close()
        wait_for(lambda: served(server), 2, "service after a connection was closed")
        for connection in held:
            connection.close()


@test
def the_503_comes_without_a_request():
    with Server(CONTENT, "--max-connections", "2") as server:
        held = [server.connect() for _ in range(2)]
        for connection in held:
            equal(connection.get("/a.txt").status, 200, "status of a connection within the limit")
        with server.connect() as extra:
            within([answer.status for answer in split_responses(extra.read_until_close())],
                   ([503],), "statuses")
        for connection in held:
            connection.close()


@test
def a_crowd_beyond_the_limit_does_not_stop_the_service():
    with Server(CONTENT, "-N", "10") as server:
        crowd = [server.connect() for _ in range(200)]
        equal(crowd[0].get("/a.txt").status, 200, "status of the first connection")
        for connection in crowd:
            connection.close()
        wait_for(lambda: served(server), 3, "service after the crowd")


@test
def without_descriptors_connections_are_refused_in_good_order():
    few = ["sh", "-c", 'ulimit -n 40; exec "$@"', "sh"]
    with Server({"a.txt": b"alpha\n"}, wrapper=few) as server:
        waiting = []
        try:
            for _ in range(60):
                waiting.append(server.connect())
                waiting[-1].send(make_request("GET", "/a.txt"))
            found = sorted(connection.read_head().status for connection in waiting)
        finally:
            for connection in waiting:
                connection.close()
        equal(sorted(set(found)), [200, 503], "statuses")
        check("cannot accept" not in server.errors(), "it complains:\n" + server.errors())
        server.wait_for_connections(0)
        equal(server.get("/a.txt").status, 200, "status afterwards")


@test
def few_descriptors_are_explained_and_survived():
    """More clients than the limit of open files allows: 503 for some, and no busy loop."""
    limit = ("import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400)); "
             "os.execv(sys.argv[1], sys.argv[1:])")
    with Server(CONTENT, "-N", "1000", wrapper=[sys.executable, "-c", limit]) as server:
        check("open files" in server.errors(), "nothing was said: " + server.errors())
        crowd = [server.connect() for _ in range(600)]

        def rests():
            before = processes.processor_time(server.pid)
            time.sleep(0.3)
            return processes.processor_time(server.pid) - before < 0.15
        wait_for(rests, 5, "the end of what it computes")
        equal(crowd[0].get("/a.txt").status, 200, "status of the first connection")
        for connection in crowd:
            connection.close()
        wait_for(lambda: served(server), 3, "service after the crowd")


if __name__ == "__main__":
    main()
