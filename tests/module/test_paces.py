#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the public headers promise to modules, tried out: hooks that wait, bodies that are read,
streams, changed responses, a protocol and a transport of a module's own (paces/paces.c)."""
import os
import shlex
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "behaviour"))

from harness import *  # noqa: E402
from traffic import slowest_while  # noqa: E402

CC = os.environ.get("CC") or "cc"
INCLUDE = os.path.join(HERE, "..", "..", "include")
BIG = pattern(3 << 20)
CONTENT = {"a.txt": b"alpha\n", "big.bin": BIG, "middle.bin": pattern(40000)}
PIECES = b"piece\n" * 5
PREFACE = b"PACES * 1.0\r\n"


def build():
    """Path of the module, built from its source."""
    folder = scratch()
    done = subprocess.run(shlex.split(CC) + ["-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC",
                                             "-I" + INCLUDE, "-o", folder + "/paces.so",
                                             os.path.join(HERE, "paces", "paces.c")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    equal((done.returncode, done.stdout.decode("utf-8", "replace")), (0, ""), "the compiler")
    return folder + "/paces.so"


class Paces:
    """The server with the module, built and started with the first use."""

    def __init__(self, *options, **arguments):
        self._options, self._arguments, self._server = options, arguments, None

    def __getattr__(self, name):
        if self._server is None:
            self._server = Server(CONTENT, "-M", Paces.module(), *self._options,
                                  **self._arguments)
        return getattr(self._server, name)

    @staticmethod
    def module():
        if Paces._module is None:
            Paces._module = build()
        return Paces._module

    _module = None


server = Paces()
masked = Paces("-l", "127.0.0.1:0,mask", "-l", "127.0.0.1:0", port=None, listeners=2)


def checksum(data):
    total = 0
    for byte in data:
        total = total * 31 + byte & 0xffffffff
    return total


def uploaded(data, view=""):
    return b"%d %d %s\n" % (len(data), checksum(data), view.encode())


def chunks(data, size):
    parts = [data[at:at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def cpu_of(pid):
    """Seconds of processor time so far."""
    with open("/proc/%d/stat" % pid, encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# Waiting

@test
def a_hook_that_waits_is_called_again_after_the_wake():
    with server.connect() as connection:
        for _ in range(3):
            equal(connection.get("/wait").body, b"waited\n", "body")


@test
def pipelined_requests_wait_their_turn():
    paths = ["/a.txt", "/wait", "/a.txt", "/stream", "/big.bin", "/wait", "/missing"]
    with server.connect() as connection:
        connection.send(b"".join(make_request("GET", path) for path in paths))
        found = [connection.read_response() for _ in paths]
    equal([each.status for each in found], [200] * 6 + [404], "statuses")
    equal([each.body for each in found[:6]],
          [b"alpha\n", b"waited\n", b"alpha\n", PIECES, BIG, b"waited\n"], "bodies")


@test
def a_client_that_resets_while_a_hook_waits_is_forgotten():
    for path in ("/wait", "/stream", "/stream30"):
        with server.connect() as connection:
            connection.send(make_request("GET", "/a.txt") + make_request("GET", path))
            connection.read_response()
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                         b"\1\0\0\0\0\0\0\0")
    server.wait_for_connections(0)
    equal(server.get("/a.txt").status, 200, "status")


@test
def what_never_answered_is_logged_without_bytes():
    log = scratch() + "/log"
    if AM_ROOT:
        os.chown(os.path.dirname(log), run_uid(), -1)
    with Server(CONTENT, "-M", Paces.module(), "-o", log, "--log-format",
                "$status $bytes_sent $request_uri", quiet=False) as own:
        with own.connect() as connection:
            connection.send(make_request("GET", "/a.txt") + make_request("GET", "/wait"))
            connection.read_response()
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                         b"\1\0\0\0\0\0\0\0")
        own.wait_for_connections(0)
        own.stop()
    with open(log, encoding="ascii") as file:
        lines = file.read().splitlines()
    equal([line for line in lines if line.endswith("/wait")][0].split()[:2], ["000", "0"],
          "status and bytes of what was cut off")


# Streams

@test
def a_stream_that_has_nothing_now_goes_on_after_the_wake():
    with server.connect() as connection:
        equal(connection.get("/stream").body, PIECES, "a stream of unknown length")
        equal(connection.get("/stream30").body, PIECES, "a stream of known length")
        equal(connection.request("HEAD", "/stream").status, 200, "status of HEAD")
        equal(connection.get("/a.txt").body, b"alpha\n", "what follows")


@test
def a_waiting_stream_costs_no_processor_time():
    with server.connect() as connection:
        connection.send(make_request("GET", "/stream"))
        before = cpu_of(server.worker_pids()[0])
        equal(connection.read_response().body, PIECES, "body")
        check(cpu_of(server.worker_pids()[0]) - before < 0.06, "it was waited for in circles")


@test(punctual=0.2)
def an_endless_stream_leaves_room_for_others():
    with server.connect() as greedy:
        greedy.send(make_request("GET", "/flood"))

        def take():
            while greedy.socket.recv(1 << 20):
                pass
        slowest = slowest_while(take, lambda: equal(server.get("/a.txt").status, 200, "status"))
    check(slowest < patience(0.5), "a short request took %.2f s" % slowest)


# Bodies

@test(limit=60)
def a_body_reaches_its_hook_however_it_comes():
    for size in (0, 1, 699, 700, 701, 5000, 65536, 200000):
        data = pattern(size, seed=size)
        plain = make_request("POST", "/upload", "X-View: seen", body=data)
        coded = make_request("POST", "/upload", "X-View: seen", "Transfer-Encoding: chunked")
        for wire in (plain, coded + chunks(data, 4096), coded + chunks(data, 100000)):
            with server.connect() as connection:
                connection.send(wire + make_request("GET", "/a.txt"))
                equal(connection.read_response().body, uploaded(data, "seen"),
                      "what the hook saw of %d bytes" % size)
                equal(connection.read_response().body, b"alpha\n", "what follows")


@test(limit=60)
def a_body_in_pieces_reaches_its_hook():
    data = pattern(300)
    wire = make_request("POST", "/upload", "X-View: seen", "Transfer-Encoding: chunked") + \
        chunks(data, 70)
    for piece in (1, 7, 64):
        with server.connect() as connection:
            connection.send_slowly(wire + make_request("GET", "/a.txt"), piece, 0.0005)
            equal(connection.read_response().body, uploaded(data, "seen"), "what the hook saw")
            equal(connection.read_response().body, b"alpha\n", "what follows")


@test(limit=60)
def a_head_that_ends_with_the_read_buffer_loses_nothing():
    data = pattern(3000)
    small = make_request("HEAD", "/a.txt")
    last = make_request("POST", "/upload", "X-View: seen", "Transfer-Encoding: chunked")
    for room in (65536, 65535, 65530, 65000, 64000):
        count, rest = divmod(room - len(last), len(small))
        fill = make_request("HEAD", "/a.txt", "X: " + "f" * (len(small) + rest - len(
            make_request("HEAD", "/a.txt", "X: "))))
        wire = small * (count - 1) + fill + last
        equal(len(wire), room, "length of the pipeline")
        with server.connect() as connection:
            connection.send(wire + chunks(data, 1000))
            for _ in range(count):
                equal(connection.read_response(True).status, 200, "status")
            equal(connection.read_response().body, uploaded(data, "seen"), "what the hook saw")


@test
def a_hook_that_expects_more_than_comes_sees_the_end():
    with server.connect() as connection:
        connection.send(make_request("POST", "/upload", "Content-Length: 100") + b"some")
        connection.finish_sending()
        within(connection.read_until_close()[:12], (b"", b"HTTP/1.1 500"), "the answer")
    equal(server.get("/a.txt").status, 200, "status")


@test
def continue_is_sent_when_the_hook_reads():
    with server.connect() as connection:
        connection.send(make_request("POST", "/upload", "Expect: 100-continue",
                                     "Content-Length: 4"))
        equal(connection.read_head().status, 100, "status")
        connection.send(b"data" + make_request("GET", "/a.txt"))
        equal(connection.read_response().body, uploaded(b"data"), "what the hook saw")
        equal(connection.read_response().body, b"alpha\n", "what follows")


# Changes to what others made

@test
def a_response_hook_can_close_the_connection():
    with server.connect() as connection:
        for _ in range(2):
            equal(connection.get("/a.txt").status, 200, "status")
        response = connection.get("/a.txt?close")
        equal(response.get("Connection"), "close", "Connection")
        connection.expect_close()


@test
def a_response_hook_can_append_to_the_body():
    with server.connect() as connection:
        for path, body in (("/a.txt", b"alpha\n"), ("/big.bin", BIG)):
            equal(connection.get(path).body, body, "body")
            equal(connection.get(path + "?append").body, body + b"appended\n", "changed body")
            equal(connection.get(path).body, body, "body afterwards")


@test
def fields_that_were_added_before_the_content_are_kept():
    with server.connect() as connection:
        for fields in ((), ("Range: bytes=0-1",), ("If-None-Match: *",), ("If-Match: \"x\"",),
                       ("Range: bytes=999-",)):
            for path in ("/a.txt", "/big.bin"):
                response = connection.get(path + "?access", *fields)
                equal(response.get("X-Access"), "granted", "X-Access of %s" % (fields,))
                check(response.status == 412 or response.status == 416 or response.get("ETag"),
                      "the ETag is lost")
                equal(connection.get(path).get("X-Access"), None, "X-Access without the hook")
        equal(connection.get("/missing?access").get("X-Access"), "granted", "X-Access of a 404")


@test
def a_response_hook_that_fails_makes_a_500_and_the_others_still_run():
    response = server.get("/a.txt?fail")
    equal((response.status, response.get("X-Mark"), response.get("ETag")), (500, "seen", None),
          "status, the next hook's field, and the file's")
    equal(server.get("/a.txt?mark").get("X-Mark"), "seen", "X-Mark")


# A protocol

@test
def a_protocol_is_chosen_by_its_preface():
    with server.connect() as connection:
        connection.send(PREFACE + b"/a.txt\n/missing\n")
        connection.finish_sending()
        data = connection.read_until_close()
    check(data.startswith(b"200 alpha\n.\n404 <!DOCTYPE"), "it said " + short(data))


@test
def a_preface_may_come_in_pieces():
    for piece in (1, 5, len(PREFACE) - 1):
        with server.connect() as connection:
            connection.send_slowly(PREFACE, piece, 0.002)
            connection.send(b"/a.txt\n")
            wait_for(lambda: connection._more() and connection.buffer.endswith(b".\n"))
            equal(connection.buffer, b"200 alpha\n.\n", "what it said")


@test
def what_begins_like_a_preface_is_http_after_all():
    for method in ("P", "PA", "POST", "PACES", "PACESX"):
        with server.connect() as connection:
            connection.send_slowly(make_request(method, "/a.txt"), 1, 0.001)
            within(connection.read_response().status, (405, 501), "status of " + method)


@test
def a_bad_target_of_another_protocol_is_answered_by_the_core():
    with server.connect() as connection:
        connection.send(PREFACE + b"/../x\n/" + b"y" * 400 + b"\n/%zz\nno/slash\n/a.txt\n")
        connection.finish_sending()
        data = connection.read_until_close()
    statuses = [line[:4] for line in data.split(b"\n.\n") if line[:1].isdigit()] or [data]
    equal([each for each in (b"400 ", b"404 ", b"200 ") if each not in data], [],
          "statuses that are missing in " + short(data))
    check(data.endswith(b"200 alpha\n.\n"), "the last answer is " + short(data[-40:]))


@test
def a_protocol_is_chosen_by_alpn():
    if not os.path.exists(os.path.join(os.environ.get("LOPHTTPD_MODULE_PATH", ""), "tls.so")):
        skip("the module tls is not built")
    need_tool("openssl")
    from secure import Authority, SecureServer, client_context
    own = Authority().make("own")
    with SecureServer(CONTENT, "-M", Paces.module(), "-C", own.both) as secure:
        for protocol, request, answer in (
                ("lines/1", PREFACE + b"/a.txt\n", b"200 alpha\n.\n"),
                ("http/1.1", PREFACE, b"HTTP/1.1 ")):
            context = client_context()
            context.set_alpn_protocols([protocol])
            with secure.connect(context=context) as connection:
                equal(connection.socket.selected_alpn_protocol(), protocol, "protocol")
                connection.send(request)
                equal(connection.socket.recv(len(answer)), answer, "what it said")


# A transport

class Masked:
    """A connection to the transport whose bytes are masked."""

    def __init__(self):
        self.plain = masked.connect()
        self.plain.send(b"!")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.plain.close()

    def send(self, data):
        self.plain.send(bytes(byte ^ 1 for byte in data))

    def read_until_close(self):
        return self.plain.read_until_close().translate(bytes(byte ^ 1 for byte in range(256)))


@test
def a_transport_that_gives_and_takes_little_serves_all():
    paths = ["/a.txt", "/missing", "/middle.bin", "/a.txt", "/stream", "/wait", "/big.bin"]
    with Masked() as connection:
        connection.send(b"".join(make_request("GET", path) for path in paths) +
                        make_request("GET", "/a.txt", "Connection: close"))
        found = split_responses(connection.read_until_close())
    equal([each.status for each in found], [200, 404, 200, 200, 200, 200, 200, 200], "statuses")
    equal(found[6].body, BIG, "the big body")
    equal(found[7].body, b"alpha\n", "the last body")


@test
def a_transport_that_reads_ahead_does_not_strand_a_request():
    data = pattern(5000)
    with Masked() as connection:
        connection.send(make_request("POST", "/upload", "X-View: seen", body=data) +
                        make_request("GET", "/a.txt", "Connection: close"))
        found = split_responses(connection.read_until_close())
    equal(found[0].body, uploaded(data, "seen"), "what the hook saw")
    equal(found[1].body, b"alpha\n", "what follows")


if __name__ == "__main__":
    main()
