#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Encryption: versions, certificates by name, what is sent and how connections end."""
import os
import re
import signal
import socket
import ssl
import subprocess
import warnings

from harness import *
from secure import *

PAGE = b"<h1>encrypted</h1>"
BIG = pattern(12_000_000)    # more than a socket takes
MIDDLE = pattern(70_000, 2)
CONTENT = {"index.html": PAGE, "big.bin": BIG, "middle.bin": MIDDLE, "empty": b""}

authority = Authority()
default = authority.make("default", ["default.test"])
example = authority.make("example", ["example.test"])
wild = authority.make("wild", ["*.wild.test"])
rsa = authority.make("rsa", ["example.test"], kind="rsa")
KEYS = ("-C", default.path, "-K", default.key,
        "-C", "Example.test:" + example.path, "-K", "example.test:" + example.key,
        "-C", "example.test:" + rsa.both, "-C", "*.wild.test:" + wild.both)
site = SecureServer(CONTENT, *KEYS, "--keepalive-timeout", "60")
hasty = SecureServer(CONTENT, *KEYS, "--keepalive-timeout", "%.1f" % seconds(1), "--header-timeout",
                     "%.1f" % seconds(1))
as_somebody = SecureServer(CONTENT, "-C", default.both, as_user=True, workers=2)
if AM_ROOT:
    os.chown(default.both, ORDINARY, ORDINARY)


def names(name, server=site, prepare=None):
    """The names of the certificate that a client gets who asks for this host."""
    context = client_context(authority)
    context.check_hostname = False
    if prepare:
        prepare(context)
    with SecureConnection(server.address, context, name) as connection:
        return connection.certificate_names()


@test
def a_page_is_served_with_each_version():
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = client_context(authority)
        context.minimum_version = context.maximum_version = version
        with SecureConnection(site.address, context, "default.test") as connection:
            response = connection.get("/")
            equal((response.status, response.body), (200, PAGE), "answer")
            equal(connection.socket.version(), {771: "TLSv1.2", 772: "TLSv1.3"}[int(version)],
                  "version")


@test
def older_versions_are_refused():
    context = client_context()
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    check(refused(site.address, context), "TLS 1.1 was spoken")


@test
def only_ciphers_with_forward_secrecy_are_spoken():
    for cipher in ("AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256", "AES256-SHA",
                   "ECDHE-ECDSA-AES256-SHA"):
        context = client_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(cipher + ":@SECLEVEL=0")
        check(refused(site.address, context, "example.test"), cipher + " was spoken")


@test
def dhe_uses_a_group_of_rfc_7919():
    context = client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("DHE-RSA-AES128-GCM-SHA256")
    with SecureConnection(site.address, context, "example.test") as connection:
        equal(connection.request("GET", "/", host="example.test").body, PAGE, "body")
    said = openssl_client("-servername", "example.test", "-tls1_2", "-cipher",
                          "DHE-RSA-AES128-GCM-SHA256", "-msg")
    check("adf85458a2bb4a9a" in re.sub(r"\s", "", said), "not one of RFC 7919: " + said[-3000:])


@test
def the_name_chooses_the_certificate():
    equal(names("default.test"), ["default.test"], "its own")
    equal(names("example.test"), ["example.test"], "exact")
    equal(names("EXAMPLE.test"), ["example.test"], "in upper case")
    equal(names("www.wild.test"), ["*.wild.test"], "wildcard")


@test
def a_name_that_nobody_has_gets_the_default():
    for name in ("other.test", "wild.test", "a.b.wild.test", "www.example.test", None):
        equal(names(name), ["default.test"], "for %s" % name)


@test
def the_client_chooses_between_rsa_and_ecdsa():
    for cipher, kind in (("ECDHE-RSA-AES128-GCM-SHA256", "RSA"),
                         ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDSA")):
        context = client_context(authority)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(cipher)
        with SecureConnection(site.address, context, "example.test") as connection:
            equal(connection.socket.cipher()[0], cipher, kind)
            equal(connection.request("GET", "/", host="example.test").body, PAGE, "body")


@test
def the_server_prefers_its_own_order_of_ciphers():
    context = client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256")
    with SecureConnection(site.address, context) as connection:
        equal(connection.socket.cipher()[0], "ECDHE-ECDSA-AES128-GCM-SHA256", "cipher")


@test
def alpn_chooses_http_1_1():
    context = client_context()
    context.set_alpn_protocols(["h9", "http/1.1"])
    with SecureConnection(site.address, context) as connection:
        equal(connection.socket.selected_alpn_protocol(), "http/1.1", "protocol")
        equal(connection.get("/").body, PAGE, "body")


@test
def a_client_of_another_protocol_is_refused():
    context = client_context()
    context.set_alpn_protocols(["h9"])
    check("no application protocol" in (refused(site.address, context) or "").lower().replace("_", " "),
          "it was not told why")


@test
def files_of_every_size_come_whole():
    with site.connect() as connection:
        for path, content in (("/big.bin", BIG), ("/middle.bin", MIDDLE), ("/empty", b""),
                              ("/index.html", PAGE), ("/big.bin", BIG)):
            response = connection.get(path)
            equal(response.status, 200, "status")
            check(response.body == content, path + " came otherwise")


@test
def ranges_come_from_their_place():
    with site.connect() as connection:
        response = connection.get("/big.bin", "Range: bytes=1000000-2000002")
        equal(response.status, 206, "status")
        check(response.body == BIG[1000000:2000003], "the range")
        response = connection.get("/big.bin", "Range: bytes=0-9,100000-200000,-7")
        equal(response.status, 206, "status")
        for part in (BIG[:10], BIG[100000:200001], BIG[-7:]):
            check(part in response.body, "a part is missing")


@test
def pipelined_requests_are_answered_in_order():
    with site.connect() as connection:
        connection.send(b"".join(make_request("GET", path) for path in
                                 ["/index.html", "/middle.bin", "/absent"] * 40))
        for number in range(40):
            equal(connection.read_response().body, PAGE, "number %d" % number)
            check(connection.read_response().body == MIDDLE, "file %d" % number)
            equal(connection.read_response().status, 404, "status %d" % number)


@test
def a_body_of_several_megabytes_arrives_whole():
    root = tree({"upload": None})
    if AM_ROOT:
        os.chown(root + "/upload", run_uid(), -1)
    with SecureServer(root, "-U", "upload", "-C", default.both, "--upload-max-size", "20m") as server:
        with server.connect() as connection:
            response = connection.request("PUT", "/upload/big.bin", body=BIG)
            equal(response.status, 201, "status")
    with open(root + "/upload/big.bin", "rb") as file:
        check(file.read() == BIG, "the file is another")


@test
def a_client_that_reads_slowly_gets_everything():
    with SecureConnection(site.address, receive_buffer=4096) as connection:
        connection.send(make_request("GET", "/big.bin") + make_request("GET", "/middle.bin"))
        head = connection.read_head()
        equal(head.status, 200, "status")
        body = bytearray(connection.buffer)
        while len(body) < 100_000:
            body += connection.socket.recv(700)
        connection.buffer = bytes(body)
        check(connection._take(len(BIG)) == BIG, "the file")
        check(connection.read_response().body == MIDDLE, "the next file")


@test
def a_hello_that_comes_in_single_bytes_is_understood():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context().wrap_bio(incoming, outgoing)
    with Connection(site.address) as raw:
        def step(function):
            while True:
                try:
                    return function()
                except ssl.SSLWantReadError:
                    raw.send_slowly(outgoing.read())
                    incoming.write(raw.socket.recv(65536))
        step(client.do_handshake)
        client.write(make_request("GET", "/"))
        raw.send_slowly(outgoing.read())
        received = b""
        while PAGE not in received:
            received += step(lambda: client.read(65536))


@test
def a_connection_that_is_closed_ends_with_a_goodbye():
    with site.connect() as connection:
        connection.send(make_request("GET", "/middle.bin", "Connection: close"))
        check(connection.read_response().body == MIDDLE, "body")
        equal(connection.socket.recv(1), b"", "after it")   # SSLEOFError without the goodbye


@test(punctual=0.5)
def an_idle_connection_ends_with_a_goodbye():
    with hasty.connect() as connection:
        equal(connection.get("/").status, 200, "status")
        equal(connection.socket.recv(1), b"", "after the time")


@test
def a_stopping_server_says_goodbye():
    with SecureServer(CONTENT, *KEYS) as server:
        with server.connect() as connection:
            equal(connection.get("/").status, 200, "status")
            server.stop()
            equal(connection.socket.recv(1), b"", "the end")


@test
def a_client_that_says_goodbye_first_gets_its_answer():
    for ends in (False, True):
        with Connection(site.address) as raw, LibraryClient(raw) as client:
            client.send(make_request("GET", "/middle.bin"))
            client.say_goodbye()
            if ends:
                raw.socket.shutdown(socket.SHUT_WR)
            check(client.read(client.read_head()) == MIDDLE, "body")
            equal(client.read(1), b"", "after it")
            equal(client.seen[-1:], [(21, 1, 0)], "the server's goodbye")
    site.wait_for_connections(0)


@test
def a_client_without_a_hello_is_cut_off():
    for data in (b"", b"\x16\x03\x01\x02\x00\x01"):
        with Connection(hasty.address) as connection:
            connection.send(data)
            connection.expect_close("a handshake that goes on for ever")


@test
def garbage_ends_the_connection():
    for data in (b"\x00" * 100, b"\x16\x03\x01\x00\x05hello", b"\xff" * 20000,
                 b"\x80\x2e\x01\x00\x02" + b"\0" * 60):
        with Connection(site.address) as connection:
            try:
                connection.send(data)
            except OSError:
                pass
            connection.read_until_close()
    equal(site.get("/").status, 200, "afterwards")


def key_updates(connection, count):
    """Makes a raw connection encrypted. Returns so many changes of the client's key, and a request
    behind them."""
    with LibraryClient(connection) as client:
        for _ in range(count):
            client.change_key()
        return client.encrypt(make_request("GET", "/"))


@test
def a_client_that_only_changes_keys_keeps_nobody_waiting():
    with site.connect() as warm, Connection(site.address) as few, Connection(site.address) as many:
        equal(warm.get("/").status, 200, "status")
        few.send(key_updates(few, 1000))
        received = 0
        while received < 500:               # a ticket is shorter, with the answer it is longer
            data = few.socket.recv(65536)
            check(data, "a few are too many")
            received += len(data)
        many.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        data = key_updates(many, 20000)
        os.kill(site.pid, signal.SIGSTOP)    # so that all of it waits
        many.socket.setblocking(False)
        sent = 0
        try:
            while sent < len(data):
                sent += many.socket.send(data[sent:])
        except BlockingIOError:
            pass
        finally:
            os.kill(site.pid, signal.SIGCONT)
        many.socket.settimeout(patience(10))
        try:
            many.send(data[sent:])
        except OSError:
            pass
        many.read_until_close()
        equal(warm.get("/").status, 200, "afterwards")


@test
def clients_that_go_away_leave_nothing_behind():
    for pause in (0, 1, 100, 250, 600):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = client_context().wrap_bio(incoming, outgoing)
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            pass
        with Connection(site.address) as raw:
            # In one packet with the end, so that the server hears of both at once.
            raw.socket.send(outgoing.read()[:pause], socket.MSG_MORE)
    with site.connect() as connection:
        connection.send(make_request("GET", "/big.bin"))
        connection.socket.recv(100)
    site.wait_for_connections(0)


@test
def a_client_cannot_renegotiate():
    with site.connect() as warm:
        warm.get("/")
    said = openssl_client("-tls1_2", data=b"R\n")
    check("RENEGOTIATING" in said, "it did not try: " + said[-500:])
    check("no renegotiation" in said or "alert" in said or "error" in said, said[-800:])


def openssl_client(*arguments, data=b"", server=site):
    done = subprocess.run([need_tool("openssl"), "s_client", "-connect",
                           "127.0.0.1:%d" % server.port_number, *arguments], input=data,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=patience(15))
    return done.stdout.decode("utf-8", "replace")


@test
def an_ordinary_user_serves_it_too():
    with as_somebody.connect() as connection:
        check(connection.get("/big.bin").body == BIG, "body")


def readme_commands(heading):
    """What is to be typed there, a line each."""
    with open(os.path.join(SOURCE, "README.md"), encoding="utf-8") as file:
        section = file.read().split("\n## %s\n" % heading)[1].split("\n## ")[0]
    return [line[4:] for line in section.splitlines() if line.startswith("    ")]


@test
def the_first_https_page_of_the_readme_is_served():
    """Each line as it is written there, but for the port."""
    need_tool("curl")
    *before, serve, ask = readme_commands("A first https page")
    folder = scratch()
    os.chmod(folder, 0o755)
    subprocess.run(["sh", "-ec", "\n".join(before)], cwd=folder, check=True,
                   stderr=subprocess.DEVNULL)
    program, *options = serve.replace(":8443", ":0").split()
    equal(program, "lhttpd", "the program")
    with Server(folder + "/site", *options, pass_root=False, port=None, workers=None,
                cwd=folder) as server:
        done = subprocess.run(["sh", "-c", ask.replace(":8443", ":%d" % server.addresses[0][1])],
                              cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=patience(15))
    equal((done.returncode, done.stdout), (0, b"<h1>hello</h1>\n"),
          "the page; curl said: %s" % done.stderr.decode())


@test
def a_newly_started_program_takes_over_the_port():
    with SecureServer(CONTENT, *KEYS, workers=2, upgrades=True) as server:
        with server.connect() as old:
            equal(old.get("/").body, PAGE, "before")
            server.send_signal(signal.SIGUSR2)
            wait_for(lambda: server.errors().count("listening on https://") == 2, 15,
                     "the new program")
            equal(server.get("/").body, PAGE, "after")


@test
def small_records_come_first():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context().wrap_bio(incoming, outgoing)
    received = b""
    with Connection(site.address) as raw:
        def step(function):
            nonlocal received
            while True:
                try:
                    return function()
                except ssl.SSLWantReadError:
                    raw.send(outgoing.read())
                    data = raw.socket.recv(65536)
                    check(data, "the connection ended")
                    received += data
                    incoming.write(data)
        step(client.do_handshake)
        received = b""
        client.write(make_request("GET", "/big.bin"))
        total = 0
        while total < len(BIG):
            total += len(step(lambda: client.read(1 << 20)))
    sizes = []
    while len(received) > 5:
        size = int.from_bytes(received[3:5], "big") + 5
        if received[0] == 23:
            sizes.append(size)
        received = received[size:]
    check(max(sizes[2:10]) <= 1448, "the first records: %s" % sizes[:12])
    check(sorted(sizes)[len(sizes) // 2] > 16000, "later ones: %s" % sizes[-10:])


if __name__ == "__main__":
    main()
