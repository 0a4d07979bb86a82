#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Bodies: their framing, Expect and interim answers, trailers, early answers, back-pressure,
buffering."""
import threading
import time

from backend import *
from harness import *

BIG = pattern(8 << 20, 5)
backend = Backend()
ROOM = ("--max-body-size", "1g")
site = proxy("--map", "/=" + backend.url, *ROOM)
buffering = proxy("--map", "/=" + backend.url, "--buffer-requests", "64k", *ROOM)
CHUNKED = "Transfer-Encoding: chunked"
CONTINUE = "Expect: 100-continue"


def asked(data, server=None, script=None):
    """Sends these bytes; returns the response and the request that the backend got."""
    backend.script = script or ok()
    backend.take()
    with (server or site).connect(timeout=20) as connection:
        connection.send(data)
        response = connection.read_response()
    return response, backend.only()


def resident(server):
    """KiB of memory of the process that serves."""
    return int(processes.status(server.worker_pids()[0])["VmRSS"].split()[0])


@test
def a_body_of_known_length_has_that_length():
    for body in (b"x", b"hello", pattern(100000)):
        request = asked(make_request("POST", "/x", body=body))[1]
        equal((request.get("Content-Length"), request.body), (str(len(body)), body), "request")
        equal(request.all("Transfer-Encoding"), [], "Transfer-Encoding")


@test
def an_empty_body_is_said_to_be_empty():
    request = asked(make_request("POST", "/x", "Content-Length: 0"))[1]
    equal((request.get("Content-Length"), request.body), ("0", b""), "request")


@test
def a_request_without_body_has_no_framing():
    request = asked(make_request("GET", "/x"))[1]
    equal((request.get("Content-Length"), request.get("Transfer-Encoding")), (None, None),
          "framing")


@test
def a_chunked_body_is_chunked_anew():
    body = pattern(50000)
    for size in (1, 7, 1000, 50000):
        request = asked(make_request("POST", "/x", CHUNKED) + chunked(body, size))[1]
        equal(request.body, body, "body in chunks of %d" % size)
    check(request.get("Content-Length") is None or request.get("Transfer-Encoding") is None,
          "framing")


@test
def extensions_of_chunks_end_here():
    request = asked(make_request("POST", "/x", CHUNKED)
                    + b"5;a=b;c=\"d\"\r\nhello\r\n0;x=y\r\n\r\n")[1]
    equal(request.body, b"hello", "body")
    check(b"a=b" not in bytes(request.peer.received), "an extension was passed on")


@test
def an_upload_comes_whole():
    for data in (make_request("PUT", "/x", body=BIG),
                 make_request("PUT", "/x", CHUNKED) + chunked(BIG, 70000)):
        check(asked(data)[1].body == BIG, "the body differs")


@test
def a_download_comes_whole():
    for script in (ok(BIG), raw(b"HTTP/1.1 200 OK\r\n" + CHUNKED.encode() + b"\r\n\r\n"
                                + chunked(BIG, 70000)),
                   raw(b"HTTP/1.1 200 OK\r\n\r\n" + BIG, "close")):
        response = asked(make_request("GET", "/x"), script=script)[0]
        check(response.body == BIG, "the body differs")


@test
def uploads_and_downloads_at_once_come_whole():
    """Many at a time, of all framings: no byte of one ends up in another."""
    def script(request):
        body = request.read_body()
        if len(body) % 2:
            request.answer(200, body)
        else:
            request.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                         + chunked(body, 3000))
    backend.script = script
    problems = []

    def client(number):
        try:
            with site.connect(timeout=20) as connection:
                for turn in range(5):
                    body = pattern(30000 * (turn + 1) + number, number * 10 + turn)
                    framed = (make_request("POST", "/x", body=body) if turn % 2 else
                              make_request("POST", "/x", CHUNKED) + chunked(body, 5000))
                    connection.send(framed)
                    if connection.read_response().body != body:
                        problems.append("client %d, turn %d: another body" % (number, turn))
        except (Failure, OSError) as problem:
            problems.append("client %d: %s" % (number, problem))
    threads = [threading.Thread(target=client, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(problems, [], "problems")


@test
def pipelined_requests_are_answered_in_order():
    backend.script = lambda request: ok(request.target.encode())(request)
    with site.connect() as connection:
        connection.send(b"".join(
            make_request("POST" if number % 3 == 0 else "GET", "/%d" % number,
                         body=b"x" * 500 if number % 3 == 0 else b"") for number in range(30)))
        for number in range(30):
            equal(connection.read_response().body, b"/%d" % number, "body")


@test
def trailers_of_a_request_pass():
    request = asked(make_request("POST", "/x", CHUNKED, "Trailer: X-Sum")
                    + chunked(b"hello", trailers=("X-Sum: 5",)))[1]
    equal(request.trailers, [("X-Sum", "5")], "trailers")


@test
def trailers_of_an_answer_pass():
    backend.script = raw(b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
                         + chunked(b"hello", trailers=("X-Sum: 5",)))
    with site.connect() as connection:
        connection.send(make_request("GET", "/x", "TE: trailers", "Connection: close, TE"))
        data = connection.read_until_close()
    check(data.endswith(b"\r\n0\r\nX-Sum: 5\r\n\r\n"), "the end: " + short(data[-60:]))


@test
def a_trailer_cannot_change_what_the_head_said():
    request = asked(make_request("POST", "/x", CHUNKED)
                    + chunked(b"hello", trailers=("Content-Length: 50", "Host: evil.invalid",
                                                  "Transfer-Encoding: x", "X-Ok: 1")))[1]
    names = [name.lower() for name, _ in request.trailers]
    for name in ("content-length", "host", "transfer-encoding"):
        check(name not in names, "the trailer %s was passed on" % name)
    backend.script = raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                         + chunked(b"hello", trailers=("Content-Length: 50", "Set-Cookie: a=b")))
    with site.connect() as connection:
        connection.send(make_request("GET", "/x", "Connection: close"))
        data = connection.read_until_close()
    check(b"Content-Length: 50" not in data, "the trailer Content-Length was passed on")


# Expect and interim answers


@test
def expect_goes_end_to_end():
    """The backend decides: no 100 before it has said so, and the body only after it."""
    def script(request):
        time.sleep(0.05)
        check(not request.peer.buffer, "the body came before the 100")
        request.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        ok(request.read_body())(request)
    backend.script = script
    with site.connect() as connection:
        connection.send(make_request("POST", "/x", CONTINUE, "Content-Length: 5"))
        equal(connection.read_head().status, 100, "interim status")
        connection.send(b"hello")
        response = connection.read_response()
    equal((response.status, response.body, response.interim), (200, b"hello", []), "answer")
    equal(backend.only().get("Expect"), "100-continue", "Expect")


@test
def a_refusal_by_the_backend_spares_the_body():
    def script(request):
        request.answer(413, b"too large\n", "Connection: close")
        request.wait_end()
    backend.script = script
    with site.connect() as connection:
        connection.send(make_request("POST", "/x", CONTINUE, "Content-Length: 500000000"))
        response = connection.read_response()
    equal((response.status, response.body, response.interim), (413, b"too large\n", []), "answer")
    equal(backend.only().body, b"", "body")


@test
def a_client_that_does_not_wait_for_the_100_is_served():
    def script(request):
        request.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        ok(request.read_body())(request)
    response = asked(make_request("POST", "/x", CONTINUE, body=b"hello"), script=script)[0]
    equal((response.status, response.body), (200, b"hello"), "answer")


@test
def a_backend_that_knows_no_100_is_served():
    """It answers after the body, which comes when the client sends it."""
    backend.script = lambda request: ok(request.read_body())(request)
    with site.connect() as connection:
        connection.send(make_request("POST", "/x", CONTINUE, "Content-Length: 5"))
        time.sleep(0.05)
        connection.send(b"hello")
        equal(connection.read_response().body, b"hello", "body")


@test
def interim_answers_are_relayed_with_their_fields():
    backend.script = raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
                         b"HTTP/1.1 102 Processing\r\n\r\n"
                         b"HTTP/1.1 103 Early Hints\r\nLink: </b.css>; rel=preload\r\n"
                         b"X-Own: 1\r\nConnection: X-Hop\r\nX-Hop: 2\r\n\r\n"
                         + make_answer(200, b"hello\n"))
    response = site.get("/x")
    equal((response.status, response.body), (200, b"hello\n"), "answer")
    equal([interim.status for interim in response.interim], [103, 102, 103], "interim statuses")
    equal([interim.get("Link") for interim in response.interim],
          ["</a.css>; rel=preload", None, "</b.css>; rel=preload"], "Link")
    equal((response.interim[2].get("X-Own"), response.interim[2].get("X-Hop")), ("1", None),
          "fields of an interim answer")
    equal(response.get("Link"), None, "Link of the final answer")


@test
def interim_answers_come_at_once():
    seen = threading.Event()

    def script(request):
        request.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
        seen.wait(patience(5))
        request.answer(200, b"hello\n")
    backend.script = script
    with site.connect() as connection:
        connection.send(make_request("GET", "/x"))
        equal(connection.read_head().status, 103, "interim status")
        seen.set()
        equal(connection.read_response().body, b"hello\n", "body")


@test
def an_http_1_0_client_gets_no_interim_answer():
    backend.script = raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
                         + make_answer(200, b"hello\n"))
    response = site.request("GET", "/x", version="1.0")
    equal((response.status, response.interim), (200, []), "answer")


# Early answers


@test
def an_answer_before_the_end_of_the_body_comes_at_once():
    """And the upload ends politely: the client is not reset before it has read the answer."""
    def script(request):
        request.answer(403, b"no\n")
        request.read_body()
    backend.script = script
    with site.connect() as connection:
        connection.send(make_request("POST", "/x", "Content-Length: 100000000") + b"x" * 100000)
        response = connection.read_response()
        equal((response.status, response.body), (403, b"no\n"), "answer")


@test
def an_answer_before_the_body_and_a_close_is_relayed():
    def script(request):
        request.answer(413, b"too large\n", "Connection: close")
        request.close()
    for _ in range(10):
        backend.script = script
        with site.connect() as connection:
            connection.send(make_request("POST", "/x", "Content-Length: 5000000"))
            try:
                connection.send(b"x" * 3000000)
            except OSError:
                pass
            response = connection.read_response()
            equal((response.status, response.body), (413, b"too large\n"), "answer")


@test
def a_connection_on_which_the_body_did_not_end_is_not_used_again():
    evil = make_request("GET", "/evil")

    def script(request):
        if request.method == "POST":
            request.answer(403, b"no\n")
            request.wait_end()
        else:
            request.answer(200, b"good\n")
    backend.script = script
    backend.take()
    with site.connect() as connection:
        connection.send(make_request("POST", "/x", "Content-Length: %d" % (len(evil) + 100)))
        equal(connection.read_response().status, 403, "status")
        try:
            connection.send(evil)
        except OSError:
            pass
        equal(site.get("/next").body, b"good\n", "the next answer")
    equal([request.target for request in backend.take()], ["/x", "/next"], "targets")


@test
def both_directions_go_on_at_once():
    """An answer that begins with the first bytes of the body and grows with it."""
    def script(request):
        request.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(10):
            piece = request.peer.take(4)
            request.send(b"4\r\n" + piece.upper() + b"\r\n")
        request._begun = True
        request.send(b"0\r\n\r\n")
    backend.script = script
    with site.connect() as connection:
        connection.send(make_request("POST", "/x", "Content-Length: 40"))
        head = connection.read_head()
        equal(head.status, 200, "status")
        for number in range(10):
            connection.send(b"ab%02d" % number)
            equal(connection._line("a chunk size"), b"4", "size")
            equal(connection._take(6), b"AB%02d\r\n" % number, "echo")
        equal(connection._take(5), b"0\r\n\r\n", "end")


# Back-pressure


@test
def a_slow_backend_slows_the_upload():
    """The proxy takes no more from the client than its buffers hold."""
    released = threading.Event()

    def script(request):
        released.wait(patience(20))
        request.read_body()
        request.answer(200, b"%d" % len(request.body))
    backend.script = script
    before = resident(site)
    with site.connect(timeout=20) as connection:
        connection.send(make_request("PUT", "/x", "Content-Length: 300000000"))
        connection.socket.setblocking(False)
        sent, quiet = 0, 0
        block = bytes(1 << 16)
        while quiet < 30 and sent < 250000000:
            try:
                sent += connection.socket.send(block)
                quiet = 0
            except BlockingIOError:
                quiet += 1
                time.sleep(0.01)
        grown = resident(site) - before
        released.set()
    check(sent < 60000000, "the proxy took %d bytes that nobody read" % sent)
    check(grown < 16384, "the proxy grew by %d KiB" % grown)


@test
def a_slow_client_slows_the_backend():
    sent = []

    def script(request):
        request.send(b"HTTP/1.1 200 OK\r\nContent-Length: 300000000\r\n\r\n")
        for _ in range(300):
            request.send(bytes(1000000))
            sent.append(1000000)
    backend.script = script
    before = resident(site)
    with site.connect(receive_buffer=8192) as connection:
        connection.send(make_request("GET", "/x"))
        connection.read_head()
        last, quiet = -1, 0
        while quiet < 30:
            quiet = quiet + 1 if len(sent) == last else 0
            last = len(sent)
            time.sleep(0.01)
        grown = resident(site) - before
    check(sum(sent) < 60000000, "the proxy took %d bytes that nobody read" % sum(sent))
    check(grown < 16384, "the proxy grew by %d KiB" % grown)


@test
def the_first_bytes_of_a_body_pass_before_the_last_are_there():
    started = threading.Event()

    def script(request):
        equal(request.peer.take(5), b"hello", "the first bytes")
        started.set()
        equal(request.peer.take(5), b"world", "the rest")
        request._begun = True
        request.answer(200)
    backend.script = script
    with site.connect() as connection:
        connection.send(make_request("POST", "/x", "Content-Length: 10") + b"hello")
        check(started.wait(patience(5)), "the body is held back")
        connection.send(b"world")
        equal(connection.read_response().status, 200, "status")


@test
def the_first_bytes_of_an_answer_pass_before_the_last_are_there():
    seen = threading.Event()

    def script(request):
        for piece in (b"5\r\nhello\r\n", b"5\r\nworld\r\n"):
            request.send(piece)
            seen.wait(patience(5))
        request.send(b"0\r\n\r\n")
    backend.script = lambda request: (
        request.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), script(request))
    with site.connect() as connection:
        connection.send(make_request("GET", "/x"))
        connection.read_head()
        connection._need(lambda: b"hello" in connection.buffer, "the first chunk")
        check(b"world" not in connection.buffer, "nothing more was sent yet")
        seen.set()
        connection._need(lambda: connection.buffer.endswith(b"0\r\n\r\n"), "the rest")


# Buffering


@test
def a_buffered_body_comes_with_its_length():
    """The backend is not asked before the whole body is there."""
    backend.script = ok()
    backend.take()
    with buffering.connect() as connection:
        connection.send(make_request("POST", "/x", CHUNKED) + b"5\r\nhello\r\n")
        connection.expect_silence(0.1)
        equal(backend.take(), [], "requests before the end of the body")
        connection.send(b"0\r\n\r\n")
        equal(connection.read_response().status, 200, "status")
    request = backend.only()
    equal((request.body, request.get("Content-Length")), (b"hello", "5"), "request")


@test
def a_body_beyond_the_buffer_is_streamed():
    body = pattern(1000000)
    for data in (make_request("POST", "/x", body=body),
                 make_request("POST", "/x", CHUNKED) + chunked(body, 10000)):
        check(asked(data, buffering)[1].body == body, "the body differs")


@test
def a_client_that_leaves_its_body_half_sent_ends_the_request():
    """The backend sees an end in the middle, never a whole request."""
    for server in (site, buffering):
        backend.script = ok()
        backend.take()
        for data in (make_request("POST", "/x", "Content-Length: 100000") + b"x" * 70000,
                     make_request("POST", "/x", CHUNKED) + b"11170\r\n" + b"x" * 70000):
            with server.connect() as connection:
                connection.send(data)
                if server is site:
                    backend.wait_requests(1)
        wait_for(lambda: server.connections() <= 0, 5, "the end of the client's connection")
        wait_for(lambda: not [request for request in backend.requests if not request.peer.ended], 5,
                 "the end of the upstream connections")
        check(not any(request.complete for request in backend.take()), "a cut body looks whole")


@test
def nothing_is_left_open():
    backend.script = ok()
    wait_for(lambda: site.connections() <= 0, 5, "the end of all connections")
    if AM_ROOT:
        left = len(processes.sockets(site.pid))
        check(left < 60, "%d sockets are open" % left)


if __name__ == "__main__":
    main()
