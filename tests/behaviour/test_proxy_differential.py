#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every malformed request that this tree knows goes through the proxy to other servers: none of
them ever sees two requests where the proxy saw one.

The access logs are compared, section by section: a marker request goes before each shape, and
settling ones behind it. The proxy leaves a request whose client is gone; what the backend still read
of it, it logs when it comes round to that connection, and not after what came by others later.
"""
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import tap
from backend import *
from harness import *

BEFORE = len(tap._tests)
import test_smuggling  # noqa: E402
SHAPES_OF = tap._tests[BEFORE:]
del tap._tests[BEFORE:]          # its tests are not run here, only asked for their shapes

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "bench"))
import servers  # noqa: E402

CORPUS = os.path.join(HERE, "..", "fuzz", "corpus", "request")
INNER = b"GET /secret.txt HTTP/1.1\r\nHost: inner\r\nConnection: close\r\n\r\n"
CONTENT = {"a.txt": b"alpha\n", "index.html": b"index\n", "secret.txt": b"secret\n"}
ROOM = 80000                     # of one shape: longer ones only cost time
ROUNDS = 4                       # of the backend, after which a connection that was left is dealt with


class _Recorder:
    """In the place of test_smuggling's server: keeps what would have been sent."""

    def __init__(self, shapes):
        self.shapes = shapes

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def connect(self):
        return self

    def send(self, data):
        self.shapes.append(data)

    def exchange(self, data, _methods=()):
        self.send(data)
        raise Failure("only recorded")

    def request(self, *_, **__):
        raise Failure("only recorded")

    get = read_response = read_until_close = request


def shapes():
    """All requests: the corpus of the fuzzer, and those of test_smuggling.py."""
    found = []
    for path in sorted(glob.glob(CORPUS + "/*")):
        with open(path, "rb") as file:
            found.append(file.read())
    test_smuggling.site = _Recorder(found)
    test_smuggling.refused = lambda request, *_, **__: found.append(request)
    for body in SHAPES_OF:
        try:
            body()
        except (Failure, Skipped):
            pass
    check(len(found) > 400, "only %d shapes were found" % len(found))
    unique = list(dict.fromkeys(shape for shape in found if 0 < len(shape) < ROOM))
    # Frames that a proxy which trusts one length would pass on with another's end.
    for method in (b"POST", b"GET"):
        start = method + b" /a.txt HTTP/1.1\r\nHost: test.invalid\r\n"
        for fields in (b"Content-Length: %d\r\n" % len(INNER),
                       b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
                       b"Transfer_Encoding: chunked\r\n", b"Content_Length: %d\r\n" % len(INNER),
                       b"Transfer-Encoding : chunked\r\n", b"Connection: Content-Length\r\n"
                       b"Content-Length: %d\r\n" % len(INNER),
                       b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n",
                       b"Expect: 100-continue\r\nContent-Length: %d\r\n" % len(INNER),
                       b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                       b"HTTP2-Settings: AAMAAABk\r\n",
                       b"Upgrade: websocket\r\nConnection: Upgrade\r\n"):
            unique.append(start + fields + b"\r\n")
            unique.append(start + fields + b"\r\n" + b"%x\r\n%s\r\n0\r\n\r\n" % (len(INNER), INNER))
    return unique


class Other:
    """Another server with an access log, as the benchmark sets it up."""

    def __init__(self, name):
        self.name = name
        binary = servers.find(name)
        if not binary:
            skip(name + " is not installed")
        folder = Path(scratch())
        self.token = os.urandom(16).hex().encode()
        root = Path(tree({**CONTENT, "token": self.token}))
        if AM_ROOT:  # lighttpd opens its log when it is no longer root
            shutil.chown(folder, "www-data", "www-data")
        for _ in range(3):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            setup = servers.Setup(root=root, folder=folder, port=self.port, log=True)
            command = getattr(servers, name)(binary, setup)
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd="/",
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                            start_new_session=True)
            if self._ready():
                break
            self._end()
        else:
            skip("%s does not start" % name)
        self.url = "http://127.0.0.1:%d" % self.port
        self.log = folder / "access.log"

    def _ready(self):
        """Whether it answers, and not another that got the port first."""
        end = time.monotonic() + patience(20)
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with Connection(("127.0.0.1", self.port)) as connection:
                    return connection.get("/token").body == self.token
            except (OSError, Failure):
                time.sleep(0.02)
        return False

    def _end(self, number=signal.SIGTERM):
        for pid in processes.in_session(self.process.pid)[:1 if number == signal.SIGTERM else None]:
            os.kill(pid, number)
        try:
            self.process.wait(patience(20))
        except subprocess.TimeoutExpired:
            pass
        for pid in processes.in_session(self.process.pid):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Ends it, so that its log is written; returns the log."""
        self._end()
        return self.log.read_bytes().decode("latin-1")


class Ours:
    """The server under test as the backend."""

    def __init__(self):
        folder = scratch()
        os.chmod(folder, 0o777)
        self.path = folder + "/log"
        self.server = Server(CONTENT, "-o", self.path, quiet=False)
        self.server.start()
        self.url = self.server.url

    def stop(self):
        self.server.stop()
        return read_log(self.path)


def read_log(path):
    return "".join(Path(name).read_bytes().decode("latin-1")
                   for name in sorted(glob.glob(path + "*")))


def sections(log):
    """Targets between the markers: {number of the shape: [request lines]}."""
    found, number = {}, None
    for line in log.splitlines():
        quoted = re.search(r'"((?:[^"\\]|\\.)*)"', line)
        said = quoted[1] if quoted else line
        mark = re.search(r"/mark-(\d+)", said)
        if mark:
            number = int(mark[1])
        elif "/settle" in said:
            continue
        elif number is not None:
            found.setdefault(number, []).append(said)
    return found


def send_one(site, data):
    """On a connection of its own, to its end."""
    with site.connect(timeout=5) as connection:
        try:
            connection.send(data + INNER)
            connection.finish_sending()
        except OSError:
            pass
        return connection.read_until_close()


def none_sees_two(other):
    folder = scratch()
    os.chmod(folder, 0o777)
    sent = shapes()
    with proxy("--map", "/=" + other.url, "-o", folder + "/log", "--retries", "0", "--fail-limit",
               "1000000", "--response-timeout", "5", quiet=False) as site:
        for number, shape in enumerate(sent):
            site.get("/mark-%d" % number)
            send_one(site, shape)
            for _ in range(ROUNDS):
                site.get("/settle")
        site.get("/mark-%d" % len(sent))
        count = site.get("/a.txt").status
    theirs, ours = sections(other.stop()), sections(read_log(folder + "/log"))
    equal(count, 200, "status behind all of them")
    check(len(theirs) > 10 and len(ours) > 100, "the logs are empty: %d and %d sections"
          % (len(theirs), len(ours)))
    for number, lines in theirs.items():
        seen = ours.get(number, [])
        shape = sent[number] if number < len(sent) else b""
        check(len(lines) <= len(seen), "%s became %s for the backend, %s for the proxy"
              % (short(shape), lines, seen))
        # Of the two, the inner one is a request only where the proxy took it for one.
        check(sum("/secret.txt" in line for line in lines)
              <= sum("/secret.txt" in line for line in seen), "SMUGGLED by %s: %s, the proxy saw %s"
              % (short(shape), lines, seen))


@test(limit=120)
def nginx_never_sees_two_where_the_proxy_saw_one():
    none_sees_two(Other("nginx"))


@test(limit=120)
def lighttpd_never_sees_two_where_the_proxy_saw_one():
    none_sees_two(Other("lighttpd"))


@test(limit=120)
def h2o_never_sees_two_where_the_proxy_saw_one():
    none_sees_two(Other("h2o"))


@test(limit=120)
def this_server_never_sees_two_where_the_proxy_saw_one():
    none_sees_two(Ours())


if __name__ == "__main__":
    main()
