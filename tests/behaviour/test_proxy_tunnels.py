#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Upgrades become tunnels: WebSocket by real clients, idle limit, drain, half-closed ends."""
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import websocket
from backend import *
from browser import Browser
from harness import *

backend = Backend(websocket.echo)
site = proxy("--map", "/=" + backend.url)
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
           "Sec-WebSocket-Key: " + KEY)


def opened(server=None, target="/ws", *fields, **options):
    """A connection that was upgraded, and greeted."""
    connection = (server or site).connect(**options)
    connection.send(make_request("GET", target, *UPGRADE, *fields))
    head = connection.read_head()
    equal(head.status, 101, "status")
    equal(head.get("Sec-WebSocket-Accept"), websocket.accept_key(KEY), "Sec-WebSocket-Accept")
    check(head.has_token("Connection", "upgrade"), "Connection: %s" % head.get("Connection"))
    equal((head.get("Upgrade") or "").lower(), "websocket", "Upgrade")
    equal(websocket.read_frame(connection._take), (websocket.TEXT, b"welcome"), "greeting")
    return connection


def says(connection, payload, opcode=websocket.BINARY):
    connection.send(websocket.frame(opcode, payload, masked=True))
    got = websocket.read_frame(connection._take)
    check(got == (opcode, payload), "echo of %s: %s" % (short(payload), short(got[1])))


@test
def a_websocket_is_opened_and_echoes():
    backend.script = websocket.echo
    with opened() as connection:
        for size in (0, 1, 125, 126, 65535, 65536, 1000000):
            says(connection, pattern(size, size))
        says(connection, b"hello", websocket.TEXT)
        connection.send(websocket.frame(websocket.CLOSE, b"\x03\xe8", masked=True))
        equal(websocket.read_frame(connection._take), (websocket.CLOSE, b"\x03\xe8"), "close")
        connection.expect_close()


@test
def the_upgrade_reaches_the_backend():
    backend.script = websocket.echo
    backend.take()
    with opened(site, "/ws", "Sec-WebSocket-Protocol: chat", "Origin: http://test.invalid"):
        request = backend.only()
    for name, value in (("Upgrade", "websocket"), ("Sec-WebSocket-Key", KEY),
                        ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Protocol", "chat"),
                        ("Origin", "http://test.invalid")):
        equal(request.get(name), value, name)
    equal((request.get("Connection") or "").lower(), "upgrade", "Connection")


@test
def an_upgrade_that_is_refused_is_an_answer_like_others():
    backend.script = ok(b"no\n", status=426)
    with site.connect() as connection:
        for _ in range(2):
            connection.send(make_request("GET", "/ws", *UPGRADE))
            response = connection.read_response()
            equal((response.status, response.body), (426, b"no\n"), "answer")


@test
def bytes_that_come_with_the_upgrade_are_not_lost():
    """Sent in one piece with the request, and by the backend in one piece with its 101."""
    backend.script = websocket.echo
    with site.connect() as connection:
        connection.send(make_request("GET", "/ws", *UPGRADE)
                        + websocket.frame(websocket.TEXT, b"early", masked=True))
        head = connection.read_head()
        if head.status == 101:
            equal(websocket.read_frame(connection._take)[1], b"welcome", "greeting")
            equal(websocket.read_frame(connection._take)[1], b"early", "echo")


@test
def bytes_behind_a_refused_upgrade_are_a_request():
    """A client that guesses must not smuggle: what follows is read as HTTP again."""
    backend.script = by_path({"/ws": ok(b"no\n", status=400)}, ok(b"next\n"))
    backend.take()
    with site.connect() as connection:
        connection.send(make_request("GET", "/ws", *UPGRADE)
                        + make_request("GET", "/next", "Connection: close"))
        equal([answer.status for answer in split_responses(connection.read_until_close())],
              [400, 200], "statuses")
    equal([request.target for request in backend.take()], ["/ws", "/next"], "targets")


@test
def both_directions_flow_at_once():
    """Each side sends much before it reads."""
    backend.script = websocket.echo
    data = pattern(4 << 20, 3)
    with opened(timeout=30) as connection:
        sender = threading.Thread(target=connection.send, args=(
            websocket.frame(websocket.BINARY, data, masked=True) * 3,))
        sender.start()
        for _ in range(3):
            check(websocket.read_frame(connection._take)[1] == data, "echo")
        sender.join()


@test
def a_raw_protocol_passes_as_it_is():
    """Nothing in a tunnel is read as HTTP."""
    def script(request):
        request.send(b"HTTP/1.1 101 x\r\nUpgrade: raw/1\r\nConnection: Upgrade\r\n\r\n")
        peer = request.peer
        while True:
            if not peer.buffer:
                peer.read_more()
            peer.send(peer.take(len(peer.buffer)))
    backend.script = script
    backend.take()
    noise = make_request("GET", "/evil") + bytes(range(256)) * 100 + b"\r\n\r\n0\r\n\r\n"
    with site.connect() as connection:
        connection.send(make_request("GET", "/x", "Connection: upgrade", "Upgrade: raw/1"))
        equal(connection.read_head().status, 101, "status")
        connection.send(noise)
        equal(connection._take(len(noise)), noise, "echo")
    equal([request.target for request in backend.take()], ["/x"], "requests")


@test
def an_end_of_one_direction_leaves_the_other():
    """The client is done and still reads; and the other way round."""
    def client_first(request):
        websocket.handshake(request)
        equal(request.peer.take(5), b"hello", "the client's bytes")
        request.peer.wait_end()
        time.sleep(0.05)
        request.peer.send(b"late answer")

    def backend_first(request):
        websocket.handshake(request)
        request.peer.finish()
        got.append(request.peer.take(5))
    got = []
    backend.script = client_first
    with site.connect() as connection:
        connection.send(make_request("GET", "/ws", *UPGRADE))
        connection.read_head()
        connection.send(b"hello")
        connection.finish_sending()
        equal(connection.read_until_close(), b"late answer", "what comes behind the end")
    backend.script = backend_first
    with site.connect() as connection:
        connection.send(make_request("GET", "/ws", *UPGRADE))
        connection.read_head()
        connection.expect_close()
        connection.send(b"still")
        wait_for(lambda: got == [b"still"], 5, "the client's bytes")


@test
def the_end_of_one_side_reaches_the_other():
    backend.script = websocket.echo
    backend.take()
    connection = opened()
    peer = backend.last.peer
    connection.close()
    wait_for(lambda: peer.ended, 5, "the end of the upstream connection")
    with opened() as connection:
        backend.last.peer.reset()
        equal(connection.read_until_close(), b"", "bytes at the end")


@test(punctual=0.2)
def an_idle_tunnel_ends():
    backend.script = websocket.echo
    with proxy("--map", "/=" + backend.url, "--tunnel-timeout", ms(0.5)) as server:
        with opened(server) as connection:
            begun = time.monotonic()
            for _ in range(6):
                time.sleep(seconds(0.2))
                says(connection, b"still here")
            peer = backend.last.peer
            connection.expect_close()
            check(time.monotonic() - begun >= seconds(1.2), "it ended too early")
            wait_for(lambda: peer.ended, 5, "the end of the upstream connection")


@test(punctual=0.2)
def a_tunnel_outlives_the_timeouts_of_requests():
    backend.script = websocket.echo
    with proxy("--map", "/=" + backend.url, "--response-timeout", ms(0.3),
               "--between-timeout", ms(0.3), "--keepalive-timeout",
               ms(0.3), "--header-timeout", ms(0.3),
               "--body-timeout", ms(0.3), "--send-timeout",
               ms(0.3)) as server:
        with opened(server) as connection:
            for _ in range(2):
                time.sleep(seconds(0.8))
                says(connection, b"still here")


@test
def a_tunnel_goes_on_while_the_server_drains():
    backend.script = websocket.echo
    server = proxy("--map", "/=" + backend.url, "--drain-timeout", ms(30))
    with server:
        with opened(server) as connection:
            server.send_signal(signal.SIGQUIT)
            wait_for(lambda: _refuses(server), 5, "the end of the listening")
            says(connection, b"still here")
            connection.send(websocket.frame(websocket.CLOSE, b"", masked=True))
            websocket.read_frame(connection._take)
            connection.expect_close()
        equal(server.wait(10), 0, "exit status")


@test
def a_drain_does_not_wait_for_a_tunnel_for_ever():
    backend.script = websocket.echo
    server = proxy("--map", "/=" + backend.url, "--drain-timeout", ms(0.5))
    with server:
        with opened(server) as connection:
            server.send_signal(signal.SIGQUIT)
            equal(server.wait(10), 0, "exit status")
            connection.expect_close()


def _refuses(server):
    try:
        server.connect().close()
    except OSError:
        return True
    return False


@test
def an_upgrade_with_a_body_is_not_a_tunnel_of_it():
    def script(request):
        equal(request.read_body(), b"hello", "body")
        (websocket.echo if request.get("Upgrade") else ok())(request)
    backend.script = script
    with site.connect() as connection:
        connection.send(make_request("POST", "/ws", *UPGRADE, body=b"hello"))
        head = connection.read_head()
        within(head.status, (101, 200, 400, 501), "status")


@test
def a_tunnel_by_tls_works():
    from authority import Authority
    certificate, key = Authority().issue("IP:127.0.0.1")
    with Backend(websocket.echo, context=server_context(certificate, key)) as secure:
        with proxy("--map", "/=" + secure.url, "--upstream-insecure") as server:
            with opened(server) as connection:
                for size in (1, 100000, 1000000):
                    says(connection, pattern(size))


@test
def connect_is_refused_by_a_gateway():
    backend.take()
    for target in ("inner.invalid:443", backend.authority):
        response = site.request("CONNECT", target, host=target)
        within(response.status, (400, 403, 405, 501), "status")
    equal(backend.take(), [], "requests")


@test
def an_h2c_upgrade_is_not_relayed():
    """Behind it would be HTTP/2, which nobody here could see into."""
    backend.script = ok()
    backend.take()
    response = site.request("GET", "/x", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
                            "HTTP2-Settings: AAMAAABk")
    equal(response.status, 200, "status")
    request = backend.only()
    equal((request.get("Upgrade"), request.get("HTTP2-Settings")), (None, None), "fields")


@test
def many_tunnels_live_beside_each_other():
    backend.script = websocket.echo
    connections = [opened() for _ in range(60)]
    for turn in range(3):
        for number, connection in enumerate(connections):
            says(connection, b"%d %d" % (turn, number) * 20)
    for connection in connections:
        connection.close()
    wait_for(lambda: site.connections() <= 0, 5, "the end of all tunnels")


# Real clients

SCRIPT = """
new Promise(resolve => {
    const said = [], socket = new WebSocket(ADDRESS);
    socket.binaryType = "arraybuffer";
    socket.onerror = () => resolve("error");
    socket.onclose = event => resolve(said.join(",") + "," + event.code);
    socket.onmessage = event => {
        if (typeof event.data === "string") {
            said.push(event.data);
            if (event.data === "welcome") socket.send("hello");
            else socket.send(new Uint8Array(300000).fill(7));
        } else {
            const bytes = new Uint8Array(event.data);
            said.push(bytes.length + (bytes.every(b => b === 7) ? " good" : " bad"));
            socket.close(1000);
        }
    };
})
"""
SAID = "welcome,hello,300000 good,1000"


def address():
    return '"ws://127.0.0.1:%d/ws"' % site.port_number


@test(limit=60)
def a_browser_speaks_websocket_through_the_proxy():
    backend.script = by_path({"/": ok(b"<!doctype html><title>x</title>",
                                      "Content-Type: text/html")}, websocket.echo)
    with Browser() as browser:
        browser.open(site.url + "/")
        equal(browser.evaluate(SCRIPT.replace("ADDRESS", address())), SAID, "what was said")


@test(limit=60)
def node_speaks_websocket_through_the_proxy():
    """By the library `ws` where it is installed, else by the one that is part of node."""
    node = shutil.which("node")
    if not node:
        skip("node is not installed")
    backend.script = websocket.echo
    program = ('let WebSocket = globalThis.WebSocket; try { WebSocket = require("ws") } catch {}'
               'if (!WebSocket) console.log("missing"); else %s.then(text => console.log(text))'
               % SCRIPT.strip().replace("ADDRESS", address()))
    with tempfile.TemporaryDirectory() as folder:
        for flags in (["--experimental-websocket"], []):
            done = subprocess.run([node, *flags, "-e", program], capture_output=True, text=True,
                                  timeout=patience(30), cwd=folder,
                                  env={**os.environ, "NODE_NO_WARNINGS": "1"})
            if "bad option" not in done.stderr:
                break
    if done.stdout.strip() == "missing":
        skip("this node has no WebSocket")
    equal(done.stdout.strip(), SAID, "what was said (%s)" % done.stderr[-500:])


if __name__ == "__main__":
    main()
