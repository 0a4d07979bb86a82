#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Slow clients are timed out without any event on the socket; a slow honest download goes on."""
import os
import select
import signal
import socket
import threading
import time

from harness import *
from traffic import slowest_while

A = b"alpha\n"
BIG = pattern(24 << 20, 3)
CONTENT = {"a.txt": A, "big.bin": BIG}
HEADER, BODY, KEEPALIVE, SEND = 0.4, 0.4, 0.6, 0.8  # seconds, before they are stretched


def timeouts(**changed):
    values = {"header": HEADER, "body": BODY, "keepalive": KEEPALIVE, "send": SEND, **changed}
    return [word for name, value in values.items() for word in ("--%s-timeout" % name,
                                                                "%.2f" % seconds(value))]


site = Server(CONTENT, *timeouts(), "--min-send-rate", "20000")


def ends_after(connection, begun, earliest):
    """The server ends the connection, and not earlier than so long after; returns what it sent."""
    data = connection.read_until_close()
    took = time.monotonic() - begun
    check(seconds(earliest) * 0.9 <= took, "the server ended it after %.2f s already" % took)
    return data


def only_408_or_nothing(data):
    answers = split_responses(data)
    check(len(answers) <= 1, "%d answers" % len(answers))
    for answer in answers:
        equal(answer.status, 408, "status")
        check(answer.says_close, "a 408 must close")


@test(punctual=HEADER / 2)
def a_half_sent_header_is_408():
    for start in (b"GET /a.txt HTTP/1.1\r\nHost: x\r\n", b"GE",
                  b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r"):
        begun = time.monotonic()
        with site.connect() as connection:
            connection.send(start)
            answers = split_responses(ends_after(connection, begun, HEADER))
            equal([answer.status for answer in answers], [408], "statuses")
            check(answers[0].says_close, "a 408 must close")


@test
def a_header_that_trickles_is_408():
    begun = time.monotonic()
    with site.connect() as connection:
        ended = False
        connection.send(b"GET /a.txt HTTP/1.1\r\nHost: x\r\nX: ")
        while not ended and time.monotonic() < begun + patience(HEADER * 4):
            try:
                connection.send(b"y")
                connection.socket.settimeout(0.05)
                ended = not connection._more()
            except Failure:
                pass  # nothing came: go on trickling
            except OSError:
                ended = True
        took = time.monotonic() - begun
        check(ended, "a trickling header still lives after %.1f s" % took)
        check(took >= seconds(HEADER) * 0.9, "ended after %.2f s already" % took)
        only_408_or_nothing(connection.buffer)


@test
def a_silent_connection_is_closed():
    begun = time.monotonic()
    with site.connect() as connection:
        only_408_or_nothing(ends_after(connection, begun, HEADER * 0.9))


@test(punctual=HEADER / 2)
def an_idle_connection_is_closed_without_a_word():
    with site.connect() as connection:
        begun = time.monotonic()
        equal(connection.get("/a.txt").body, A, "body")
        equal(ends_after(connection, begun, KEEPALIVE), b"", "last words")


@test(punctual=KEEPALIVE / 2)
def a_connection_in_use_is_not_idle():
    with site.connect() as connection:
        for _ in range(5):
            equal(connection.get("/a.txt").body, A, "body")
            time.sleep(seconds(KEEPALIVE) / 3)


@test(punctual=KEEPALIVE / 2)
def a_request_that_came_while_the_server_was_stopped_came_in_time():
    with site.connect() as connection:
        equal(connection.get("/a.txt").body, A, "body")
        os.kill(site.pid, signal.SIGSTOP)
        try:
            connection.send(make_request("GET", "/a.txt"))
            time.sleep(seconds(KEEPALIVE) * 1.5)
        finally:
            os.kill(site.pid, signal.SIGCONT)
        equal(connection.read_response().body, A, "body")


@test(punctual=HEADER / 2)
def a_second_header_that_stops_is_408():
    with site.connect() as connection:
        equal(connection.get("/a.txt").body, A, "body")
        begun = time.monotonic()
        connection.send(b"GET /a.txt HTTP/1.1\r\n")
        answers = split_responses(ends_after(connection, begun, HEADER))
        equal([answer.status for answer in answers], [408], "statuses")


@test
def empty_lines_do_not_keep_a_connection_alive():
    with site.connect() as connection:
        begun = time.monotonic()
        try:
            while time.monotonic() < begun + patience(KEEPALIVE * 2):
                connection.send(b"\r\n")
                time.sleep(0.05)
        except OSError:
            return
        try:
            connection.read_until_close()
        except Failure:
            raise Failure("empty lines keep a connection open") from None


@test(punctual=HEADER / 2)
def a_body_that_stops_ends_the_connection():
    for request in (make_request("GET", "/a.txt", "Content-Length: 100") + b"hello",
                    make_request("GET", "/a.txt", "Transfer-Encoding: chunked") + b"5\r\nhel"):
        begun = time.monotonic()
        with site.connect() as connection:
            connection.send(request)
            answers = split_responses(ends_after(connection, begun, BODY))
            check(len(answers) <= 1, "%d answers" % len(answers))
            for answer in answers:
                within(answer.status, (200, 408), "status")


@test
def a_body_that_trickles_ends_the_connection():
    with site.connect() as connection:
        connection.send(make_request("GET", "/a.txt", "Content-Length: 100000"))
        begun = time.monotonic()
        try:
            while time.monotonic() < begun + patience(BODY * 4):
                connection.send(b"x")
                time.sleep(0.05)
        except OSError:
            return
        raise Failure("a trickling body still lives after %.1f s" % (time.monotonic() - begun))


@test(punctual=HEADER / 2)
def a_reader_that_stops_is_cut_off():
    with site.connect(receive_buffer=8192) as connection:
        connection.send(make_request("GET", "/big.bin"))
        select.select([connection.socket], [], [], patience(2))
        site.wait_for_connections(0, SEND * 5)  # without a read: only a timer can have ended it
        received = connection.read_until_close()
        check(received.startswith(b"HTTP/1.1 200 "), "no answer: " + short(received))
        check(len(received) < len(BIG), "the download came whole")


@test
def a_reader_that_trickles_is_cut_off():
    with site.connect(receive_buffer=8192) as connection:
        connection.send(make_request("GET", "/big.bin"))
        begun, received = time.monotonic(), 0
        connection.socket.settimeout(patience(10))
        try:
            while time.monotonic() < begun + patience(SEND * 3):
                data = connection.socket.recv(200)
                received += len(data)
                if not data:
                    break
                if site.connections() <= 0:
                    break
                time.sleep(0.05)
            else:
                raise Failure("a reader of 4 kB/s still lives after %.1f s"
                              % (time.monotonic() - begun))
        except ConnectionResetError:
            pass
        check(received < len(BIG), "the download came whole")


@test
def a_reader_of_pipelined_answers_that_stops_is_cut_off():
    with site.connect(receive_buffer=8192, timeout=0.25) as connection:
        try:
            for _ in range(50):
                connection.send(make_request("GET", "/big.bin"))
        except (OSError, Failure):
            pass
        site.wait_for_connections(0, SEND * 5)


@test(punctual=SEND / 4)
def a_slow_but_honest_download_goes_on():
    """Some 800 kB/s for several times the send timeout, through a small receive buffer."""
    size = 2200000
    with site.connect(receive_buffer=16384) as connection:
        connection.send(make_request("GET", "/big.bin", "Range: bytes=0-%d" % (size - 1)))
        equal(connection.read_head().status, 206, "status")
        begun, body = time.monotonic(), connection._take(len(connection.buffer))
        while len(body) < size:
            data = connection.socket.recv(min(8192, size - len(body)))
            took = time.monotonic() - begun
            check(data, "cut off after %.1f s, %d bytes are missing" % (took, size - len(body)))
            body += data
            time.sleep(0.01 * seconds(SEND))
        check(body == BIG[:size], "the content is wrong")
        check(took > seconds(SEND) * 2, "the download was too quick to show anything: %.1f s"
              % took)


@test(punctual=HEADER / 2)
def a_client_that_leaves_half_a_request_is_forgotten():
    with site.connect() as connection:
        connection.send(b"GET /a.txt HTTP/1.1\r\nHost: x\r\n")
        connection.finish_sending()
        only_400_or_408(connection.read_until_close())


def only_400_or_408(data):
    for answer in split_responses(data):
        within(answer.status, (400, 408), "status")


@test
def a_client_that_only_connects_and_half_closes_is_forgotten():
    with site.connect() as connection:
        connection.finish_sending()
        only_400_or_408(connection.read_until_close())


@test(punctual=HEADER / 2)
def a_client_that_vanishes_in_a_download_is_forgotten():
    """A reset, and a client whose end is never heard of (it closes without reading)."""
    for linger in (True, False):
        connection = site.connect(receive_buffer=8192)
        if linger:
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.send(make_request("GET", "/big.bin"))
        connection.read_head()
        connection.close()
        site.wait_for_connections(0, SEND * 3)


@test(punctual=HEADER / 2)
def three_hundred_slow_clients_do_not_slow_a_quick_one():
    slow = [site.connect(receive_buffer=8192) for _ in range(300)]
    try:
        for number, connection in enumerate(slow):
            connection.send(make_request("GET", "/big.bin")
                            if number % 3 == 0 else b"GET /a.txt HTT")
        begun = time.monotonic()
        for _ in range(50):
            equal(site.get("/a.txt").body, A, "body")
        took = time.monotonic() - begun
        check(took < patience(1.5), "50 small requests took %.2f s beside slow clients" % took)
        site.wait_for_connections(0, max(SEND, HEADER) * 8)
    finally:
        for connection in slow:
            connection.close()


@test(punctual=HEADER / 2)
def small_requests_come_quickly_beside_bulk_downloads():
    """The scheduler: twenty clients that read as fast as they can, one that wants a small file."""
    stop = threading.Event()

    def download():
        with site.connect(timeout=30) as connection:
            while not stop.is_set():
                connection.send(make_request("GET", "/big.bin"))
                left = int(connection.read_head().get("Content-Length")) - len(connection.buffer)
                connection.buffer = b""
                while left > 0 and not stop.is_set():
                    left -= len(connection.socket.recv(min(left, 1 << 18)))
    threads = [threading.Thread(target=download, daemon=True) for _ in range(20)]
    for thread in threads:
        thread.start()
    try:
        with site.connect() as connection:
            times = []
            for _ in range(40):
                begun = time.monotonic()
                equal(connection.get("/a.txt").body, A, "body")
                times.append(time.monotonic() - begun)
        median = sorted(times)[len(times) // 2]
        check(median < patience(0.5), "the median of small requests is %.3f s" % median)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@test(punctual=HEADER / 2)
def time_outs_leave_no_descriptor_behind():
    site.wait_for_connections(0, 5)
    equal(site.get("/a.txt").body, A, "body")
    files = [text for text in processes.descriptors(site.pid).values()
             if text.startswith(site.root + "/")]
    check(len(files) <= 2, "open files: %s" % files)
    check(os.path.exists(site.path("a.txt")), "the tree is there")


def leaves_room(flood):
    slowest = slowest_while(flood, lambda: equal(site.get("/a.txt").body, A, "body"))
    check(slowest < patience(0.5), "a small request took %.2f s" % slowest)


@test(punctual=HEADER / 2)
def a_body_that_floods_after_the_refusal_leaves_room_for_others():
    with site.connect() as connection:
        connection.send(make_request("POST", "/a.txt", "Content-Length: 99999999999"))
        connection.read_head()

        def flood():
            while True:
                connection.socket.send(b"x" * (1 << 18))
        leaves_room(flood)


@test(punctual=HEADER / 2)
def a_pipeline_without_end_leaves_room_for_others():
    with site.connect() as connection:
        def flood():
            wire, rest = make_request("GET", "/a.txt") * 200, b""
            connection.socket.setblocking(False)
            while True:
                readable, writable, _ = select.select([connection.socket], [connection.socket],
                                                      [], 1)
                if readable:
                    connection.socket.recv(1 << 20)
                if writable:
                    rest = rest or wire
                    rest = rest[connection.socket.send(rest):]
        leaves_room(flood)


if __name__ == "__main__":
    main()
