#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the public headers promise to gateways (gateway/gateway.c): a response while the body is
still read, reads between the steps of a connection, word that nobody waits any more."""
import os
import shlex
import signal
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "behaviour"))

from harness import *  # noqa: E402

CC = os.environ.get("CC") or "cc"
INCLUDE = os.path.join(HERE, "..", "..", "include")
CONTENT = {"a.txt": b"alpha\n"}
BODY_TIMEOUT = seconds(1)  # of `hasty`


def build():
    """Path of the module, built from its source."""
    folder = scratch()
    done = subprocess.run(shlex.split(CC) + ["-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC",
                                             "-I" + INCLUDE, "-o", folder + "/gateway.so",
                                             os.path.join(HERE, "gateway", "gateway.c")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    equal((done.returncode, done.stdout.decode("utf-8", "replace")), (0, ""), "the compiler")
    return folder + "/gateway.so"


class Gateway:
    """The server with the module, built and started with the first use."""

    def __init__(self, *options):
        self._options, self._server = options, None

    def __getattr__(self, name):
        if self._server is None:
            if Gateway._module is None:
                Gateway._module = build()
            self._server = Server(CONTENT, "-M", Gateway._module, *self._options)
        return getattr(self._server, name)

    def __enter__(self):
        return self

    def __exit__(self, *how):
        self._server.__exit__(*how)

    _module = None


server = Gateway("--max-body-size", "1G")
hasty = Gateway("--body-timeout", "%.1fs" % BODY_TIMEOUT, "--min-body-rate", "1")


def checksum(data):
    total = 0
    for byte in data:
        total = total * 31 + byte & 0xffffffff
    return total


def last(asked=server):
    """What the latest request came to: bytes, checksum, ended, abandoned, released."""
    return [int(word) for word in asked.get("/last").body.split()]


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def post(target, *fields):
    return make_request("POST", target, *fields)


def drop(connection):
    """Closes a connection with a reset."""
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


# A response while the body is still read

@test
def a_response_goes_out_while_its_request_still_comes():
    with server.connect() as connection:
        connection.send(post("/echo", "Transfer-Encoding: chunked") + chunk(b"head"))
        head = connection.read_head()
        equal((head.status, head.get("Transfer-Encoding"), head.get("Connection")),
              (200, "chunked", None), "the head, before the body has ended")
        for word in (b"one", b"two", b"three" * 1000):
            connection.send(chunk(word))
            got = b""
            while len(got) < len(word):
                got += connection._take(int(connection._line("a size"), 16))
                connection._line("the chunk's end")
            equal(got, word, "what came back of a piece")
        connection.send(b"0\r\n\r\n" + make_request("GET", "/a.txt"))
        equal(connection._line("the last size"), b"0", "the last size")
        equal(connection._line("the last line"), b"", "the last line")
        equal(connection.read_response().body, b"alpha\n", "what follows on the connection")


@test
def a_body_of_known_length_is_echoed_while_it_comes():
    data = pattern(300000)
    with server.connect() as connection:
        connection.send(post("/echo", "Content-Length: %d" % len(data)) + data[:4])
        equal(connection.read_head().status, 200, "status before the body has ended")
        connection.send(data[4:] + make_request("GET", "/a.txt"))
        equal(connection._chunked(), data[4:], "what came back")
        equal(connection.read_response().body, b"alpha\n", "what follows on the connection")


@test
def a_broken_body_cuts_the_response_that_has_begun():
    with server.connect() as connection:
        connection.send(post("/echo", "Transfer-Encoding: chunked") + chunk(b"head"))
        equal(connection.read_head().status, 200, "status")
        connection.send(b"no size\r\n")
        connection.expect_close()
    equal(last()[2] < 0, True, "an error was read")


@test
def a_client_that_stops_in_its_body_loses_its_response():
    with hasty.connect() as connection:
        connection.send(post("/echo", "Transfer-Encoding: chunked") + chunk(b"head"))
        equal(connection.read_head().status, 200, "status")
        connection.expect_close()
    equal(last(hasty)[2:], [-110, 0, 1], "-ETIMEDOUT, and the stream was released")


@test
def a_body_that_its_hook_does_not_read_is_under_no_time_limit():
    with hasty.connect() as connection:
        connection.send(post("/gone", "Content-Length: 4"))
        connection.expect_silence(BODY_TIMEOUT * 1.5)


@test(punctual=0.5)
def the_time_of_a_body_does_not_run_while_its_hook_does_not_want_it():
    with hasty.connect() as connection:
        connection.send(post("/fours", "Content-Length: 8"))
        connection.expect_silence(0.1)
        connection.send(b"1234")
        connection.expect_silence(BODY_TIMEOUT * 1.5)
        connection.send(b"5678")
        wait_for(lambda: last(hasty)[0] == 8, what="the rest to be read")
        connection.send(b"\n")  # of the next request: the hook is called again
        equal(connection.read_response().body, b"8 %d 0 0 0\n" % checksum(b"12345678"),
              "what was read")


@test
def a_short_rest_of_the_body_keeps_the_connection():
    for rest in (b"", b"more", pattern(60000)):
        with server.connect() as connection:
            connection.send(post("/early", "Content-Length: %d" % (len(rest) + 4)) + b"head")
            equal(connection.read_response().body, b"early\n", "the answer")
            connection.send(rest + make_request("GET", "/a.txt"))
            equal(connection.read_response().body, b"alpha\n", "what follows")
        with server.connect() as connection:
            connection.send(post("/early", "Transfer-Encoding: chunked") + chunk(b"head"))
            equal(connection.read_response().body, b"early\n", "the answer")
            connection.send((chunk(rest) if rest else b"") + b"0\r\n\r\n" +
                            make_request("GET", "/a.txt"))
            equal(connection.read_response().body, b"alpha\n", "what follows")


@test
def a_long_rest_of_the_body_ends_the_connection():
    with server.connect() as connection:
        connection.send(post("/early", "Content-Length: 1000000") + b"head")
        equal(connection.read_response().body, b"early\n", "the answer")
        connection.expect_close()
    with server.connect() as connection:
        connection.send(post("/early", "Transfer-Encoding: chunked") + chunk(b"head"))
        equal(connection.read_response().body, b"early\n", "the answer")
        connection.send(chunk(pattern(200000)))
        connection.expect_close()
    with hasty.connect() as connection:
        connection.send(post("/early", "Content-Length: 1000") + b"head")
        equal(connection.read_response().body, b"early\n", "the answer")
        connection.expect_close("a client that does not send the rest")


@test
def a_body_is_read_while_the_client_takes_nothing_of_the_response():
    data = pattern(8 << 20)
    with server.connect(receive_buffer=4096) as connection:
        connection.send(post("/pump", "Content-Length: %d" % len(data)))
        connection.send(data)
        wait_for(lambda: last()[0] == len(data), what="the end of the body")
        equal(last()[1:3], [checksum(data), 1], "checksum, and the end")
        drop(connection)
    wait_for(lambda: last()[4] == 1, what="the stream to be released")


@test
def a_body_is_read_between_the_steps_of_its_connection():
    data = pattern(30000)
    plain = post("/slow", "Content-Length: %d" % len(data)) + data
    coded = post("/slow", "Transfer-Encoding: chunked") + \
        b"".join(chunk(data[at:at + 700]) for at in range(0, len(data), 700)) + b"0\r\n\r\n"
    for wire in (plain, coded):
        for cut in (len(wire), 200, len(wire) - 3):
            with server.connect() as connection:
                connection.send(wire[:cut])
                if cut < len(wire):
                    connection.expect_silence(0.02)
                connection.send(wire[cut:] + make_request("GET", "/a.txt"))
                equal(connection.read_response().body, b"%d %d 1 0 0\n" % (
                    len(data), checksum(data)), "what was read")
                equal(connection.read_response().body, b"alpha\n", "what follows")


@test
def what_was_read_ahead_between_steps_stays_with_its_connection():
    bodies = [pattern(30000, seed=seed) for seed in range(6)]
    connections = [server.connect() for _ in bodies]
    for connection, data in zip(connections, bodies):
        connection.send(post("/slow", "Transfer-Encoding: chunked") +
                        b"".join(chunk(data[at:at + 700]) for at in range(0, len(data), 700)) +
                        b"0\r\n\r\n" + make_request("GET", "/a.txt"))
    for connection, data in zip(connections, bodies):
        equal(connection.read_response().body, b"%d %d 1 0 0\n" % (len(data), checksum(data)),
              "what was read")
        equal(connection.read_response().body, b"alpha\n", "what follows")
        connection.close()


@test
def a_body_that_is_read_in_the_step_of_another_connection_leaves_that_alone():
    data = pattern(3000)
    with server.connect() as lender, server.connect() as borrower:
        lender.send(post("/lend", "Transfer-Encoding: chunked") + chunk(data) + b"0\r\n\r\n")
        while True:
            borrower.send(make_request("GET", "/borrow") + make_request("GET", "/a.txt"))
            status = borrower.read_response().status
            equal(borrower.read_response().body, b"alpha\n", "what follows on the connection")
            if status != 409:
                break
        words = lender.read_response().body.split()
    equal([int(word) for word in words[:2]], [len(data), checksum(data)], "bytes, checksum")


@test
def continue_is_sent_when_the_body_is_read_between_steps():
    with server.connect() as connection:
        connection.send(post("/slow", "Content-Length: 4", "Expect: 100-continue"))
        equal(connection.read_head().status, 100, "status")
        connection.send(b"data")
        equal(connection.read_response().body, b"4 %d 1 0 0\n" % checksum(b"data"), "answer")


# Trailers

def trailers_of(connection):
    lines = []
    while True:
        line = connection._line("a trailer")
        if not line:
            return lines
        lines.append(line)


@test
def trailers_pass_in_both_directions():
    for piece in (1, 3, 1000):
        for given in ([], [b"X-Sum: 1"], [b"X-Sum:1", b"X-Empty:", b"X-Long:\t " + b"y" * 60 + b" "]):
            with server.connect() as connection:
                connection.send(post("/echo", "Transfer-Encoding: chunked") + chunk(b"head"))
                equal(connection.read_head().status, 200, "status")
                end = b"0;x=y\r\n" + b"".join(line + b"\r\n" for line in given) + b"\r\n"
                connection.send_slowly(end, piece, 0.0005)
                equal(connection._line("the last size"), b"0", "the last size")
                names = [line.partition(b":") for line in given]
                equal(trailers_of(connection),
                      [b"Echo-" + name + b": " + value.strip() for name, _, value in names],
                      "trailers")
                equal(connection.get("/a.txt").body, b"alpha\n", "what follows")


@test
def trailers_have_no_place_behind_other_framings():
    with server.connect() as connection:
        connection.send(make_request("GET", "/trailed"))
        equal(connection.read_head().get("Transfer-Encoding"), "chunked", "Transfer-Encoding")
        equal(connection._take(15), b"6\r\nearly\n\r\n0\r\nX", "the body and its trailer")
    with server.connect() as connection:
        equal(connection.get("/trailed?known").body, b"early\n", "body of known length")
        equal(connection.request("HEAD", "/trailed").status, 200, "status of HEAD")
        response = connection.request("GET", "/trailed", version="1.0")
        equal(response.body, b"early\n", "body of HTTP/1.0")


# Bytes that come through a pipe

SPLICED = 20 << 20


def spliced(count):
    return (bytes(range(251)) * (count // 251 + 1))[:count]


@test(limit=60)
def a_stream_may_come_through_a_pipe():
    with server.connect() as connection:
        for target in ("/splice", "/splice-known"):
            body = connection.get(target).body
            check(body == spliced(SPLICED), "the body of %s differs" % target)
            equal(last(), [SPLICED, 0, 20, 0, 1], "bytes, waits, pulls, and its release")
            body = connection.get(target + "?some").body
            check(body == spliced(SPLICED), "the body of %s?some differs" % target)
            check(last()[3] > 0, "nothing was pulled")
        equal(connection.request("HEAD", "/splice").status, 200, "status of HEAD")
        equal(connection.get("/a.txt").body, b"alpha\n", "what follows")
        response = connection.request("GET", "/splice", version="1.0")
        check(response.body == spliced(SPLICED), "the body of HTTP/1.0 differs")


@test(limit=60)
def a_body_may_be_taken_through_a_pipe():
    for size in (1, 4096, 65536, 300000, 5 << 20):
        data = pattern(size, seed=size)
        wire = post("/drain", "Content-Length: %d" % size) + data
        for piece in (len(wire), 60, 4000) if size < 100000 else (len(wire),):
            with server.connect() as connection:
                connection.send_slowly(wire[:3 * piece], piece, 0.001)
                connection.send(wire[3 * piece:] + make_request("GET", "/a.txt"))
                equal(connection.read_response().body,
                      b"%d %d 1 1 0\n" % (size, checksum(data)), "what came by pipe")
                equal(connection.read_response().body, b"alpha\n", "what follows")


@test
def a_chunked_body_is_read_instead():
    data = pattern(100000)
    with server.connect() as connection:
        connection.send(post("/drain", "Transfer-Encoding: chunked") + chunk(data) + b"0\r\n\r\n")
        equal(connection.read_response().body, b"%d %d 1 0 0\n" % (len(data), checksum(data)),
              "what was read")


@test
def a_body_that_is_taken_through_a_pipe_has_its_limits():
    with server.connect() as connection:
        connection.send(post("/drain", "Content-Length: 4", "Expect: 100-continue"))
        equal(connection.read_head().status, 100, "status")
        connection.send(b"data")
        equal(connection.read_response().status, 200, "status")
    with hasty.connect() as connection:
        connection.send(post("/drain", "Content-Length: 9") + b"some")
        equal(connection.read_response().status, 408, "status of what does not come")
    with server.connect() as connection:
        connection.send(post("/drain", "Content-Length: 2000000000"))
        equal(connection.read_response().status, 413, "status of what is too much")
    with server.connect() as connection:
        connection.send(post("/drain", "Content-Length: 9") + b"some")
        connection.finish_sending()
        within(connection.read_until_close()[:12], (b"", b"HTTP/1.1 500"), "the answer")


@test(limit=60)
def pipes_are_not_mixed_up_when_clients_go():
    for target in ("/splice", "/splice-known"):
        for _ in range(20):
            with server.connect(receive_buffer=4096) as connection:
                connection.send(make_request("GET", target))
                connection._take(3000)
                drop(connection)
    server.wait_for_connections(0)
    readers = [server.connect() for _ in range(4)]
    for reader in readers:
        reader.send(make_request("GET", "/splice"))
    for reader in readers:
        check(reader.read_response().body == spliced(SPLICED), "the body differs")
        reader.close()


@test
def a_pipe_that_ends_early_cuts_the_connection():
    with server.connect() as connection:
        connection.send(make_request("GET", "/splice-known?cut"))
        equal(connection.read_head().status, 200, "status")
        got = connection.read_until_close()
        check(SPLICED / 2 < len(got) < SPLICED and got == spliced(len(got)),
              "%d bytes came" % len(got))


@test
def pipes_are_bounded_and_closed():
    need_root()  # nobody else may look at what a worker has open
    folder = "/proc/%d/fd" % server.worker_pids()[0]
    before = len(os.listdir(folder))
    clients = []
    for _ in range(60):
        clients.append(server.connect(receive_buffer=4096))
        clients[-1].send(make_request("GET", "/splice"))
    for client in clients:
        client._take(1000)
    for client in clients:
        drop(client)
    server.wait_for_connections(0)
    check(len(os.listdir(folder)) <= before + 2 * 16,
          "%d descriptors are left open" % (len(os.listdir(folder)) - before))


# Interim responses

def fields_of(response):
    return [each for each in response.fields if each[0] not in ("Server", "Date")]


@test
def interim_responses_go_before_the_final_one():
    with server.connect() as connection:
        for _ in range(2):
            response = connection.get("/hints")
            equal([(each.status, each.fields) for each in response.interim],
                  [(103, [("Link", "</early>")]), (103, [("Link", "</late>")])], "interim ones")
            equal(fields_of(response), [("X-Access", "granted"), ("X-Final", "yes"),
                                        ("Content-Length", "6")], "fields of the final one")
            equal(response.body, b"final\n", "body")
        equal(connection.get("/a.txt").body, b"alpha\n", "what follows")


@test
def an_interim_100_goes_only_to_who_waits_for_it():
    with server.connect() as connection:
        connection.send(post("/hints", "Expect: 100-continue", "Content-Length: 4"))
        equal(connection.read_head().status, 100, "status")
        connection.send(b"body")
        response = connection.read_response()
        equal([each.status for each in response.interim], [103, 103], "interim ones")
        equal(response.body, b"final\n", "body")


@test
def a_body_that_waited_for_the_hook_leaves_the_beginning_of_the_next_head_in_place():
    with server.connect() as connection:
        follows = make_request("GET", "/a.txt")
        connection.send(post("/hints", "Transfer-Encoding: chunked") + chunk(bytes(500)) +
                        b"0\r\n\r\n" + follows[:20])
        equal(connection.read_response().body, b"final\n", "body")
        connection.send(follows[20:])
        equal(connection.read_response().body, b"alpha\n", "what follows")


@test
def an_old_client_gets_no_interim_response():
    with server.connect() as connection:
        response = connection.request("GET", "/hints", version="1.0")
        equal((response.interim, response.get("Link"), response.body), ([], None, b"final\n"),
              "interim ones, what they held, body")


# Connections that are handed over

def upgraded(connection, query="", more=b""):
    """The head of the answer after asking for an upgrade; `more` is sent behind the request."""
    connection.send(make_request("GET", "/upgrade" + query, "Connection: upgrade",
                                 "Upgrade: raw") + more)
    return connection.read_head()


def echoed(connection, data):
    connection.send(data)
    equal(connection._take(len(data)), data, "what came back")


@test
def after_101_both_directions_are_raw():
    with server.connect() as connection:
        head = upgraded(connection)
        equal((head.status, fields_of(head)), (101, [
            ("X-Access", "granted"), ("Upgrade", "raw"), ("Connection", "Upgrade")]), "the head")
        for word in (b"a", b"GET / HTTP/1.1\r\n\r\n", b"\0\r\n" * 30000):
            echoed(connection, word)
        connection.finish_sending()
        connection.expect_close()
    equal(last()[2:], [1, 0, 1], "the end was read, the stream released")


@test
def after_2xx_to_connect_both_directions_are_raw():
    with server.connect() as connection:
        connection.send(make_request("CONNECT", "tunnel:1") + b"first")
        head = connection.read_head()
        equal((head.status, fields_of(head)), (200, [("X-Access", "granted")]), "the head")
        equal(connection._take(5), b"first", "what came with the request")
        echoed(connection, b"0\r\n\r\n")
        connection.finish_sending()
        connection.expect_close()


@test
def what_comes_with_the_request_is_not_lost():
    with server.connect() as connection:
        equal(upgraded(connection, "", b"first").status, 101, "status")
        equal(connection._take(5), b"first", "what came with the request")
    with server.connect() as connection:
        equal(upgraded(connection, "?pump", b"first").status, 101, "status")
        wait_for(lambda: last()[0] == 5, what="what came with the request to be seen")


@test
def the_end_of_the_response_half_closes_a_tunnel():
    data = pattern(3 << 20)
    with server.connect() as connection:
        equal(upgraded(connection, "?half").status, 101, "status")
        equal(connection.read_until_close(), b"bye\n", "what came until the end")
        connection.send(data)
        wait_for(lambda: last()[0] == len(data), what="the other direction")
        equal(last()[1:3], [checksum(data), 0], "checksum, and no end yet")
        connection.finish_sending()
        wait_for(lambda: last()[2] == 1, what="the end")
    server.wait_for_connections(0)


@test
def what_nobody_watches_is_thrown_away_at_the_end_of_a_tunnel():
    with server.connect() as connection:
        equal(upgraded(connection, "?bye", b"x" * 100000).status, 101, "status")
        equal(connection.read_until_close(), b"bye\n", "what came until the end")
    server.wait_for_connections(0)


@test
def one_direction_of_a_tunnel_never_blocks_the_other():
    data = pattern(8 << 20)
    with server.connect(receive_buffer=4096) as connection:
        equal(upgraded(connection, "?pump").status, 101, "status")
        connection.buffer = b""
        connection.send(data)
        wait_for(lambda: last()[0] == len(data), what="the end of the body")
        drop(connection)
    wait_for(lambda: last()[4] == 1, what="the stream to be released")


@test
def a_tunnel_is_under_no_time_limit_and_outlives_a_drain():
    with Gateway("--body-timeout", "300ms", "--send-timeout", "300ms",
                 "--keepalive-timeout", "300ms", "--drain-timeout", "20s") as own, \
            own.connect() as connection, own.connect(receive_buffer=4096) as stuck:
        equal(upgraded(connection).status, 101, "status")
        equal(upgraded(stuck, "?pump").status, 101, "status")
        connection.expect_silence(1)
        echoed(connection, b"still there")
        own.send_signal(signal.SIGQUIT)
        connection.expect_silence(0.2)
        echoed(connection, b"even now")
        equal(len(stuck._take(1 << 20)), 1 << 20, "what the stuck one got")
        drop(stuck)
        connection.finish_sending()
        connection.expect_close()
        equal(own.wait(), 0, "exit status")


@test
def what_cannot_be_handed_over_is_answered():
    with server.connect() as connection:
        equal(connection.request("GET", "/upgrade", version="1.0").status, 426, "of HTTP/1.0")
    with server.connect() as connection:
        equal(connection.request("POST", "/upgrade", body=b"some").status, 409, "with a body")


# What hooks get to see

@test
def a_hook_may_claim_any_method_with_its_body():
    with server.connect() as connection:
        for method in ("GET", "DELETE", "PATCH", "PUT", "OPTIONS", "TRACE", "PROPFIND", "x-1"):
            response = connection.request(method, "/method", body=b"some")
            equal((response.status, response.get("X-Method"), response.body),
                  (599, method, b"some"), "what the hook saw")
        equal(connection.request("GET", "http://other.invalid/a?method").get("X-Host"),
              "other.invalid", "the host of an absolute target")
        response = connection.request("CONNECT", "origin.invalid:443")
        equal((response.get("X-Method"), response.get("X-Host")),
              ("CONNECT", "origin.invalid:443"), "what the hook saw of CONNECT")


@test
def what_no_hook_claims_is_still_refused():
    for method, status in (("PROPFIND", 501), ("DELETE", 405), ("TRACE", 405)):
        equal(server.request(method, "/a.txt", body=b"some").status, status, "status")


@test
def upgrade_and_expect_are_seen_by_hooks():
    with server.connect() as connection:
        connection.send(post("/method", "Upgrade: websocket, x", "Connection: upgrade",
                             "Expect: 100-Continue", "Content-Length: 4"))
        equal(connection.read_head().status, 100, "status once the hook reads")
        connection.send(b"body")
        response = connection.read_response()
        equal((response.get("X-Upgrade"), response.get("X-Expect")),
              ("websocket, x", "100-Continue"), "what the hook saw")


# Nobody waits any more

@test
def a_hook_that_waits_learns_that_its_client_has_gone():
    with server.connect() as connection:
        connection.send(make_request("GET", "/gone"))
        connection.expect_silence(0.05)
        equal(last()[3], 0, "hooks that found nobody")
        connection.finish_sending()
        wait_for(lambda: last()[3] == 1, what="the hook to see it")


@test
def a_stream_that_waits_learns_that_its_client_has_gone():
    with server.connect() as connection:
        connection.send(make_request("GET", "/gone-stream"))
        equal(connection.read_head().status, 200, "status")
        connection.finish_sending()
        wait_for(lambda: last()[3:] == [1, 1], what="the stream to see it")


@test
def a_client_that_has_sent_more_is_still_waited_for():
    with server.connect() as connection:
        connection.send(make_request("GET", "/gone") + make_request("GET", "/a.txt"))
        connection.finish_sending()
        connection.expect_silence(0.1)
        equal(last()[3], 0, "hooks that found nobody")


@test
def a_reset_ends_what_waits():
    with server.connect() as connection:
        connection.send(make_request("GET", "/gone-stream"))
        equal(connection.read_head().status, 200, "status")
        drop(connection)
    wait_for(lambda: last()[4] == 1, what="the stream to be released")


main()
