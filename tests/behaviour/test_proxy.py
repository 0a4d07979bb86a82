#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The proxy's round trip: what an upstream gets, what a client gets back, as root and as a user."""
import os
import signal
import socket
import ssl
import subprocess
import threading
import time

from harness import *

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Upstream:
    """A server that answers each request with `answer`: bytes, or a function of its connection
    and head.

    heads are what it was asked, connections counts them. Bytes with close=True end the connection.
    """

    def __init__(self, answer=OK, close=False, context=None, path=None):
        self.answer, self.close_after, self.context = answer, close, context
        self.heads, self.connections = [], 0
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.listener.bind(path or ("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = None if path else self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            while self.one(connection):
                pass
        except OSError:
            pass
        finally:
            connection.close()

    def one(self, connection):
        head = self.read_head(connection)
        if head is None:
            return False
        self.heads.append(head)
        if callable(self.answer):
            return self.answer(connection, head)
        connection.sendall(self.answer)
        return not self.close_after

    @staticmethod
    def read_head(connection):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = connection.recv(1)
            if not byte:
                return None
            head += byte
        return head.decode("latin-1")

    def fields(self, number=-1):
        lines = self.heads[number].split("\r\n")[1:-2]
        return {line.split(": ", 1)[0].lower(): line.split(": ", 1)[1] for line in lines}

    def target(self, number=-1):
        return self.heads[number].split(" ")[1]


def proxy(upstream, *options, path="/", **how):
    return Server({}, "-M", "proxy", "--map", "%s=http://127.0.0.1:%d/" % (path, upstream.port),
                  *options, **how)


def read_body(connection, head):
    """The body of a request, and how many chunks it had (0: it had a length)."""
    if "transfer-encoding: chunked" not in head.lower():
        length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        body = b""
        while len(body) < length:
            body += connection.recv(length - len(body))
        return body, 0
    stream = connection.makefile("rb")
    body, chunks = b"", 0
    while True:
        size = int(stream.readline(), 16)
        body += stream.read(size)
        stream.readline()
        if size == 0:
            return body, chunks
        chunks += 1


@test
def a_request_arrives_and_its_answer_comes_back():
    for as_user in (False, True):
        upstream = Upstream(b"HTTP/1.1 203 x\r\nX-Answer: yes\r\nContent-Length: 5\r\n\r\nhello")
        with proxy(upstream, path="/below/", as_user=as_user) as server:
            response = server.get("/below/a%20b?c=d", "X-Question: yes")
        equal((response.status, response.body, response.get("X-Answer")), (203, b"hello", "yes"))
        equal(upstream.target(), "/a%20b?c=d")
        equal(upstream.fields()["x-question"], "yes")
        equal(upstream.fields()["x-forwarded-for"], "127.0.0.1")


@test
def what_no_map_stands_for_is_a_file():
    upstream = Upstream()
    with Server({"file": b"mine"}, "-M", "proxy",
                "--map", "/api=http://127.0.0.1:%d/" % upstream.port) as server:
        equal(server.get("/file").body, b"mine")
        equal(server.get("/api/x").body, b"ok")


@test
def a_connection_to_the_upstream_is_used_again():
    upstream = Upstream()
    with proxy(upstream) as server:
        for _ in range(5):
            equal(server.get("/").body, b"ok")
    equal(upstream.connections, 1, "connections for five requests")


@test
def no_connection_is_kept_when_none_may_be():
    upstream = Upstream()
    with proxy(upstream, "--max-idle", "0") as server:
        for _ in range(3):
            equal(server.get("/").body, b"ok")
    equal(upstream.connections, 3)


@test
def a_kept_connection_goes_after_its_time():
    ended = threading.Event()

    def answer(connection, _):
        connection.sendall(OK)
        if connection.recv(1) == b"":
            ended.set()

    upstream = Upstream(answer)
    with proxy(upstream, "--idle-timeout", "200ms") as server:
        equal(server.get("/").body, b"ok")
        check(ended.wait(patience(5)), "the kept connection stays")


@test
def a_connection_that_died_while_it_was_kept_is_no_failure():
    def answer(connection, _):
        connection.sendall(OK)
        Upstream.read_head(connection)  # and no answer to this one

    upstream = Upstream(answer)
    with proxy(upstream) as server:
        for _ in range(4):
            equal(server.get("/").status, 200)
        equal(server.request("POST", "/", body=b"x").status, 502)


@test
def an_answer_that_is_too_long_does_not_poison_the_next():
    upstream = Upstream(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    with proxy(upstream) as server:
        for _ in range(3):
            equal(server.get("/").body, b"ok")
    equal(upstream.connections, 3)


@test
def an_answer_that_comes_before_its_request_is_nobodys():
    """At the worst moment: the worker hears of the request first, and then of what has come."""
    kept = []

    def answer(connection, head):
        kept.append(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" +
                           head.split(" ")[1].encode())
        return True

    upstream = Upstream(answer)
    with proxy(upstream) as server, server.connect() as client:
        equal(client.get("/1").body, b"/1")
        os.kill(server.pid, signal.SIGSTOP)
        try:
            client.send(b"GET /2 HTTP/1.1\r\nHost: h\r\n\r\n")
            kept[0].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        finally:
            os.kill(server.pid, signal.SIGCONT)
        equal(client.read_response().body, b"/2")


@test
def a_body_behind_an_interim_answer_ends_the_connection():
    """One that some read as such might be followed by an answer to nobody."""
    upstream = Upstream(b"HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n" + OK)
    with proxy(upstream) as server:
        for _ in range(3):
            equal(server.get("/").body, b"ok")
    equal(upstream.connections, 3)


@test
def an_answer_that_is_cut_is_never_whole():
    for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
                   b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"):
        with proxy(Upstream(answer, close=True)) as server:
            with server.connect() as connection:
                connection.send(make_request("GET", "/"))
                rest = connection.read_until_close()
            # What is known before the head goes out is said instead.
            if not rest.startswith(b"HTTP/1.1 502 "):
                check(b"\r\n0\r\n\r\n" not in rest and len(rest.split(b"\r\n\r\n")[1]) < 100,
                      "a whole answer: %r" % rest)


@test
def bodies_are_framed_anew():
    seen = []

    def answer(connection, head):
        seen.append(read_body(connection, head))
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                           b"4\r\nchun\r\n3\r\nked\r\n0\r\n\r\n")
        return True

    upstream = Upstream(answer)
    with proxy(upstream) as server, server.connect() as connection:
        equal(connection.request("POST", "/", body=b"body").body, b"chunked")
        connection.send(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                        b"2;ext=1\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n")
        equal(connection.read_response(False).body, b"chunked")
    equal(seen[0], (b"body", 0))
    equal(seen[1][0], b"body")
    check(seen[1][1] > 0, "a chunked body became one with a length")


@test
def a_large_body_comes_whole_in_both_directions():
    body = pattern(3000000)

    def answer(connection, head):
        received, _ = read_body(connection, head)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(received))
        connection.sendall(received)
        return True

    with proxy(Upstream(answer), "--max-body-size", "10m") as server:
        for _ in range(2):
            check(server.request("POST", "/", body=body).body == body, "the body differs")
    with proxy(Upstream(answer), "--max-body-size", "10m", "--buffer-requests", "10m") as server:
        check(server.request("POST", "/", body=body).body == body, "the gathered body differs")


@test
def a_gathered_body_has_a_length():
    seen = []

    def answer(connection, head):
        seen.append(read_body(connection, head))
        connection.sendall(OK)
        return True

    chunked = (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
               b"2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n")
    for bound, framed in (("100", False), ("3", True)):
        with proxy(Upstream(answer), "--buffer-requests", bound) as server:
            with server.connect() as connection:
                connection.send(chunked)
                equal(connection.read_response(False).status, 200)
        equal((seen[-1][0], seen[-1][1] > 0), (b"body", framed))


@test
def a_chunked_body_without_data_ends_nevertheless():
    """Else the next request on the connection would be its data."""
    def answer(connection, head):
        body = b""
        while head.startswith("PUT") and not body.endswith(b"\r\n\r\n"):
            piece = connection.recv(1000)
            if not piece:
                break
            body += piece
        bodies.append(body)
        if upstream.connections == 1:  # the kept connection dies with the request
            return head.startswith("GET") and connection.sendall(OK) is None
        connection.sendall(OK)
        return True

    for options, end in (((), b"\r\n"), (("--buffer-requests", "1k"), b"X-T: 1\r\n\r\n")):
        bodies = []
        upstream = Upstream(answer)
        with proxy(upstream, *options) as server, server.connect() as client:
            equal(client.get("/").body, b"ok")
            client.send(b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                        b"0\r\n" + end)
            equal(client.read_response().body, b"ok")
            equal(bodies[1:], [b"0\r\n" + end] * 2, "bodies")


@test
def another_server_is_asked_for_what_is_safe_only():
    for answer in (b"", b"HTTP/1.1 200 OK\r\nX-Broken: yes\r\nContent-Le", b"nonsense\r\n\r\n"):
        broken, whole = Upstream(answer, close=True), Upstream()
        urls = "http://127.0.0.1:%d/,http://127.0.0.1:%d/" % (broken.port, whole.port)
        with Server({}, "-M", "proxy", "--fail-limit", "100", "--map", "/=" + urls) as server:
            for _ in range(6):
                response = server.get("/")
                equal((response.status, response.get("X-Broken")), (200, None))
            check(broken.heads, "the broken one was not asked")
            statuses = sorted(server.request("POST", "/", body=b"x").status for _ in range(6))
            equal(statuses, [200] * 3 + [502] * 3, "answers to POST")


@test
def an_upstream_that_is_not_there_is_a_bad_gateway():
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    with Server({}, "-M", "proxy", "--map", "/=http://127.0.0.1:%d/" % port) as server:
        response = server.get("/")
        equal(response.status, 502)
        check(str(port).encode() not in response.body, "the page tells of the inside")


@test
def an_upstream_that_says_nothing_is_too_late():
    upstream = Upstream(lambda connection, _: connection.recv(1))
    with proxy(upstream, "--response-timeout", "200ms") as server:
        equal(server.get("/").status, 504)


@test
def an_upgrade_becomes_a_tunnel():
    def answer(connection, _):
        connection.sendall(b"HTTP/1.1 101 x\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\nfirst")
        while True:
            data = connection.recv(65536)
            if not data:
                connection.sendall(b"end")
                return False
            connection.sendall(data.upper())

    upstream = Upstream(answer)
    with proxy(upstream) as server, server.connect() as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\n"
                        b"Upgrade: echo\r\n\r\n")
        head = connection.socket.recv(65536)
        check(head.startswith(b"HTTP/1.1 101 "), "no upgrade: %r" % head)
        received = head.split(b"\r\n\r\n", 1)[1]
        connection.send(b"hello")
        connection.finish_sending()
        while len(received) < 13:
            received += connection.socket.recv(65536)
        equal((received, connection.socket.recv(1)), (b"firstHELLOend", b""))
    equal(upstream.fields()["upgrade"], "echo")


@test
def a_drain_ends_tunnels_after_their_time():
    def answer(connection, _):
        connection.sendall(b"HTTP/1.1 101 x\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n")
        connection.recv(1)

    with proxy(Upstream(answer), "--tunnel-drain", "300ms") as server:
        with server.connect() as connection:
            connection.send(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\n"
                            b"Upgrade: echo\r\n\r\n")
            check(connection.socket.recv(65536).startswith(b"HTTP/1.1 101 "), "no upgrade")
            begun = time.monotonic()
            server.send_signal(signal.SIGQUIT)
            equal(connection.socket.recv(1), b"")
            check(time.monotonic() - begun > 0.25, "the tunnel got no time")
        equal(server.wait(), 0)


@test
def a_client_that_goes_away_takes_the_exchange_with_it():
    gone = threading.Event()

    def answer(connection, _):
        if connection.recv(1) == b"":
            gone.set()

    upstream = Upstream(answer)
    with proxy(upstream) as server:
        with server.connect() as connection:
            connection.send(make_request("GET", "/"))
            wait_for(lambda: upstream.heads, what="the request at the upstream")
        check(gone.wait(patience(5)), "the upstream is still asked")


def certificates():
    """A folder with ca.pem, and server.pem for the name localhost."""
    openssl = need_tool("openssl")
    folder = scratch()
    commands = (
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=test",
        "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost",
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2"
        " -extfile names -out server.crt",
    )
    with open(folder + "/names", "w") as file:
        file.write("subjectAltName=DNS:localhost\n")
    for command in commands:
        subprocess.run([openssl, *command.split()], cwd=folder, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder


@test
def an_https_upstream_must_be_who_it_says():
    folder = certificates()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder + "/server.crt", folder + "/server.key")
    upstream = Upstream(context=context)
    trusted = ["--upstream-ca", folder + "/ca.pem"]
    for host, options, status in (("localhost", trusted, 200), ("127.0.0.1", trusted, 502),
                                  ("127.0.0.1", ["--upstream-insecure"], 200)):
        with Server({}, "-M", "proxy", "--map", "/=https://%s:%d/" % (host, upstream.port),
                    *options) as server:
            equal(server.get("/").status, status, "answer of https://%s with %s" % (host, options))


@test
def an_upstream_may_be_a_unix_socket():
    root = tree({})
    upstream = Upstream(path=root + "/upstream.sock")
    os.chmod(root + "/upstream.sock", 0o777)
    # In the chroot the root is "/".
    path = "/upstream.sock" if AM_ROOT else root + "/upstream.sock"
    with Server(root, "-M", "proxy", "--map", "/=unix:" + path) as server:
        equal(server.get("/").body, b"ok")
    equal(upstream.connections, 1)


main()
