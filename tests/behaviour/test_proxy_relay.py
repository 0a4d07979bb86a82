#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Connections to upstreams: kept, bounded, checked; the PROXY protocol; what a request costs."""
import re
import signal
import struct
import subprocess
import threading
import time

from backend import *
from harness import *

backend = Backend()
site = proxy("--map", "/=" + backend.url)


def at_once(server, count, hold=0.05):
    """So many requests at a time; returns when all are answered."""
    backend.script = lambda request: (time.sleep(seconds(hold)), ok()(request))
    connections = [server.connect() for _ in range(count)]
    for connection in connections:
        connection.send(make_request("GET", "/x"))
    for connection in connections:
        equal(connection.read_response().status, 200, "status")
        connection.close()


@test
def a_connection_is_kept_and_used_again():
    backend.script = ok()
    site.get("/x")
    count = len(backend.peers)
    for _ in range(20):
        equal(site.get("/x").status, 200, "status")
    equal(len(backend.peers), count, "connections")


@test
def kept_connections_are_bounded():
    with proxy("--map", "/=" + backend.url, "--max-idle", "2") as server:
        at_once(server, 10)
        wait_for(lambda: len([peer for peer in backend.open_peers()]) <= 3, 5,
                 "the end of connections beyond the bound")


@test
def none_is_kept_when_the_bound_is_zero():
    with proxy("--map", "/=" + backend.url, "--max-idle", "0") as server:
        backend.script = ok()
        before = len(backend.peers)
        for _ in range(3):
            equal(server.get("/x").status, 200, "status")
        equal(len(backend.peers), before + 3, "connections")


@test
def clients_share_kept_connections():
    backend.script = ok()
    before = len(backend.peers)
    for _ in range(30):
        with site.connect() as one, site.connect() as two:
            one.get("/x")
            two.get("/x")
    check(len(backend.peers) <= before + 3, "%d connections" % (len(backend.peers) - before))


@test
def a_connection_that_the_backend_closed_is_not_used():
    """Hundreds of times, at the worst moment: right behind the answer."""
    def script(request):
        request.read_body()
        request.answer(200, b"hello\n")
        request.close()
    backend.script = script
    with site.connect() as connection:
        for _ in range(200):
            equal(connection.get("/x").status, 200, "status")
    for _ in range(100):  # which, sent just before the end is known, could not be repeated
        wait_for(lambda: not backend.open_peers(), 5, "the end of the last connection")
        equal(site.request("POST", "/x", body=b"x").status, 200, "status of a POST")
    backend.script = ok()


@test
def a_kept_connection_that_speaks_is_closed():
    """A word that nobody asked for: 408 from a server that gives up waiting."""
    def script(request):
        request.answer(200, b"hello\n")
        time.sleep(0.01)
        request.send(make_answer(408, b"bye\n", "Connection: close"))
        request.wait_end()
    backend.script = script
    for _ in range(10):
        equal(site.get("/x").body, b"hello\n", "body")
        peer = backend.last.peer
        wait_for(lambda: peer.ended, 5, "the end of the connection")
    backend.script = ok()


@test
def upstream_connections_end_with_the_server():
    with proxy("--map", "/=" + backend.url) as server:
        backend.script = ok()
        server.get("/x")
        peer = backend.last.peer
    wait_for(lambda: peer.ended, 5, "the end of the kept connection")


@test
def a_drain_finishes_what_runs_and_closes_what_is_kept():
    release = threading.Event()

    def script(request):
        release.wait(patience(10))
        request.answer(200, b"finished\n")
    with proxy("--map", "/=" + backend.url, "--drain-timeout", ms(20)) as server:
        backend.script = script
        backend.take()
        with server.connect() as connection:
            connection.send(make_request("GET", "/x"))
            backend.wait_requests(1)
            server.send_signal(signal.SIGQUIT)
            time.sleep(0.1)
            release.set()
            equal(connection.read_response().body, b"finished\n", "body")
        equal(server.wait(10), 0, "exit status")
    backend.script = ok()


@test
def reloads_lose_no_request():
    """HUP and USR1 while requests run."""
    with proxy("--map", "/=" + backend.url) as server:
        backend.script = ok()
        with server.connect() as connection:
            for turn in range(60):
                if turn % 10 == 0:
                    server.send_signal(signal.SIGHUP if turn % 20 else signal.SIGUSR1)
                equal(connection.get("/x").status, 200, "status")


def need_strace(server):
    need_root()
    return need_tool("strace")


@test
def a_small_answer_is_one_read_and_one_write():
    """Besides the wait: the request is read and sent, the answer is read and sent."""
    strace = need_strace(site)
    if SLOWDOWN > 1:
        skip("a build with sanitizers makes calls of its own")
    backend.script = ok()
    with site.connect() as connection:
        for _ in range(5):
            connection.get("/x")
        with subprocess.Popen([strace, "-f", "-q", "-o", "/dev/stderr", "-p",
                               str(site.worker_pids()[0])], stderr=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, text=True) as tracer:
            wait_for(lambda: processes.traced(site.worker_pids()[0]), 5, "strace")
            for _ in range(50):
                connection.get("/x")
            tracer.send_signal(signal.SIGINT)
            lines = tracer.communicate(timeout=patience(20))[1].splitlines()
    calls = [match[1] for match in (re.match(r"(?:\d+\s+)?(\w+)\(", line) for line in lines)
             if match and match[1] not in ("epoll_wait", "epoll_pwait", "epoll_pwait2")]
    check(len(calls) <= 50 * 6 + 20, "%d calls for 50 requests: %s"
          % (len(calls), {name: calls.count(name) for name in set(calls)}))


@test
def a_large_answer_is_not_copied():
    strace = need_strace(site)
    if SLOWDOWN > 1:
        skip("a build with sanitizers makes calls of its own")
    backend.script = ok(bytes(20000000))
    with subprocess.Popen([strace, "-f", "-q", "-e", "trace=splice", "-o", "/dev/stderr", "-p",
                           str(site.worker_pids()[0])], stderr=subprocess.PIPE,
                          stdout=subprocess.DEVNULL, text=True) as tracer:
        wait_for(lambda: processes.traced(site.worker_pids()[0]), 5, "strace")
        with site.connect(timeout=20) as connection:
            equal(len(connection.get("/x").body), 20000000, "size")
        tracer.send_signal(signal.SIGINT)
        said = tracer.communicate(timeout=patience(20))[1]
    backend.script = ok()
    moved = sum(int(count) for count in re.findall(r"splice\(.*= (\d+)$", said, re.M))
    check(moved >= 15000000, "%d bytes moved by splice" % moved)


# PROXY protocol


@test
def proxy_v1_is_sent_upstream():
    with Backend(awaits_proxy=True) as upstream, \
            proxy("--map", "/=" + upstream.url, "--send-proxy", "v1") as server:
        with server.connect() as connection:
            own = connection.socket.getsockname()
            equal(connection.get("/x").status, 200, "status")
        equal(upstream.last.peer.proxied, b"PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\r\n"
              % (own[1], server.port_number), "header")


@test
def proxy_v2_is_sent_upstream():
    with Backend(awaits_proxy=True) as upstream, \
            proxy("--map", "/=" + upstream.url, "--send-proxy", "v2") as server:
        with server.connect() as connection:
            own = connection.socket.getsockname()
            equal(connection.get("/x").status, 200, "status")
        head = upstream.last.peer.proxied
        equal(head[:14], b"\r\n\r\n\0\r\nQUIT\n\x21\x11", "signature, command, family")
        equal(struct.unpack(">4s4sHH", head[16:28]),
              (b"\x7f\0\0\1", b"\x7f\0\0\1", own[1], server.port_number), "addresses")


@test
def connections_with_a_proxy_header_are_not_shared_by_clients():
    """A kept connection bears the first client's address: another's request must not use it."""
    for version in ("v1", "v2"):
        with Backend(awaits_proxy=True) as upstream, \
                proxy("--map", "/=" + upstream.url, "--send-proxy", version) as server:
            seen = set()
            for _ in range(4):
                with server.connect() as connection:
                    own = connection.socket.getsockname()[1]
                    equal(connection.get("/x").status, 200, "status")
                head = upstream.last.peer.proxied
                told = (int(head.split()[4]) if version == "v1"
                        else struct.unpack(">H", head[24:26])[0])
                equal(told, own, "the port that the backend was told")
                seen.add(told)
            equal(len(seen), 4, "clients")


@test
def proxy_to_a_backend_that_does_not_await_it_is_an_error_page():
    with Backend(strict=False) as upstream, \
            proxy("--map", "/=" + upstream.url, "--send-proxy", "v1", "--retries", "0") as server:
        equal(server.get("/x").status, 502, "status")


# Memory


@test
def a_proxied_connection_needs_little_memory():
    """At most 4 KiB beside its buffers: 400 exchanges that wait for their answers."""
    if SLOWDOWN > 1:
        skip("a build with sanitizers needs more")
    release = threading.Event()
    with Backend(backlog=1000) as upstream, proxy("--map", "/=" + upstream.url) as server:
        upstream.script = lambda request: (release.wait(patience(25)), request.answer(200, b"x"))
        first = [server.connect() for _ in range(100)]
        for connection in first:
            connection.send(make_request("GET", "/x"))
        upstream.wait_requests(100, 20)

        def resident():
            return int(processes.status(server.worker_pids()[0])["VmRSS"].split()[0])
        before = resident()
        more = [server.connect() for _ in range(400)]
        for connection in more:
            connection.send(make_request("GET", "/x"))
        upstream.wait_requests(500, 20)
        each = (resident() - before) * 1024 / 400
        release.set()
        for connection in first + more:
            equal(connection.read_response().status, 200, "status")
            connection.close()
    check(each < 4096 + 16384 + 2048, "%d bytes a waiting exchange, with its buffers" % each)


@test
def descriptors_do_not_leak():
    if not AM_ROOT:
        skip("only root may look at the descriptors of the server")
    backend.script = in_turn(ok(), hang_up, raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx",
                                                "close"), ok())
    with proxy("--map", "/=" + backend.url, "--fail-limit", "100000", "--max-idle", "4") as server:
        server.get("/static.txt")
        scripts = [ok(), hang_up, refuse, raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx",
                                              "close"), raw(b"garbage\r\n\r\n", "close"),
                   ok(pattern(300000))]
        before = len(processes.descriptors(server.worker_pids()[0]))
        for turn in range(120):
            backend.script = scripts[turn % len(scripts)]
            with server.connect() as connection:
                connection.send(make_request("GET", "/x", "Connection: close"))
                if turn % 5:
                    connection.read_until_close()
        wait_for(lambda: server.connections() <= 0, 5, "the end of all connections")
        after = len(processes.descriptors(server.worker_pids()[0]))
        check(after <= before + 12, "%d descriptors before, %d after" % (before, after))
    backend.script = ok()


if __name__ == "__main__":
    main()
