#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What TLS means for requests: the wrong port, redirects, strict transport, other hosts."""
import socket
import sys

from harness import *
from secure import *

authority = Authority()
default = authority.make("default", ["default.test"])
example = authority.make("example", ["example.test"])
wild = authority.make("wild", ["*.wild.test"])
KEYS = ("-C", default.both, "-C", "example.test:" + example.both, "-C", "*.wild.test:" + wild.both)
CONTENT = {"index.html": b"page", "sub/a.txt": b"a", "vhostexample.test/index.html": b"example"}

site = SecureServer(CONTENT, *KEYS)
strict = SecureServer(CONTENT, *KEYS, "--tls-hsts", "180d,subdomains", "-l", "127.0.0.1,tls",
                      "-l", "127.0.0.1:0,plain", listeners=2)
redirecting = SecureServer(CONTENT, *KEYS, "--tls-redirect", "0", "-H", listeners=2)


def plain(server, data=None, host="example.test", target="/", method="GET", version="1.1"):
    """One request without TLS to the server's TLS port."""
    with Connection(server.address) as connection:
        connection.send(data or make_request(method, target, host=host, version=version))
        return split_responses(connection.read_until_close(), [method])


@test
def http_on_the_tls_port_is_told_so_in_plain_text():
    response, = plain(site)
    equal(response.status, 400, "status")
    equal(response.get("Content-Type"), "text/plain", "type")
    check(b"https://example.test:%d/" % site.port_number in response.body, str(response.body))
    check(response.says_close, "the connection stays")


@test
def so_is_a_request_of_any_kind():
    for method in ("HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
        equal([each.status for each in plain(site, method=method)], [400], method)
    equal(plain(site, b"GET / HTTP/1.0\r\n\r\n")[0].status, 400, "without a host")
    equal(plain(site, b"NONSENSE\r\n\r\n")[0].status, 400, "nonsense")
    equal(plain(site, target="/" + "x" * 3000)[0].status, 400, "a long one")


@test
def nothing_is_served_without_encryption():
    for data in (make_request("GET", "/") * 3, b"GET /index.html HTTP/1.0\r\n\r\n",
                 make_request("GET", "/sub/a.txt", "Connection: keep-alive") * 2):
        for response in plain(site, data):
            equal(response.status, 400, "status")


@test
def a_plain_port_beside_serves_as_always():
    address = strict.running().addresses[1]
    with Connection(address) as connection:
        response = connection.get("/")
    equal((response.status, response.body), (200, b"page"), "answer")
    equal(response.get("Strict-Transport-Security"), None, "RFC 6797 7.2")


@test
def strict_transport_is_asked_for_with_every_answer():
    with strict.connect() as connection:
        for target, status in (("/", 200), ("/absent", 404), ("/sub", 301), ("/", 200)):
            response = connection.get(target)
            equal((response.status, response.get("Strict-Transport-Security")),
                  (status, "max-age=15552000; includeSubDomains"), target)
    equal(site.get("/").get("Strict-Transport-Security"), None, "without the option")


def redirect(target="/", host="example.test", method="GET", data=None):
    with Connection(redirecting.running().addresses[1]) as connection:
        connection.send(data or make_request(method, target, host=host))
        return connection.read_response(method == "HEAD")


@test
def the_redirecting_port_sends_clients_to_https():
    port = redirecting.port_number
    for target, host, where in (
            ("/", "example.test", "https://example.test:%d/"),
            ("/a%20b?c=d", "example.test:8080", "https://example.test:%d/a%%20b?c=d"),
            ("http://other.test/x?y", "ignored.test", "https://other.test:%d/x?y"),
            ("http://other.test", "ignored.test", "https://other.test:%d/"),
            ("http://other.test?x=/y", "ignored.test", "https://other.test:%d?x=/y"),
            ("/v6", "[::1]:80", "https://[::1]:%d/v6")):
        response = redirect(target, host)
        equal((response.status, response.get("Location")), (308, where % port), target)
    for method in ("HEAD", "POST", "OPTIONS"):
        equal(redirect(method=method).status, 308, method)


@test
def a_client_without_a_host_is_sent_to_the_address():
    response = redirect(data=b"GET /x HTTP/1.0\r\n\r\n")
    equal(response.get("Location"), "https://127.0.0.1:%d/x" % redirecting.port_number, "location")


@test
def a_bad_request_on_the_redirecting_port_is_still_bad():
    response = redirect(data=b"GET / HTTP/1.1\r\n\r\n")
    equal((response.status, response.get("Location")), (400, None), "answer")


@test
def a_socket_from_systemd_has_a_redirecting_port_beside_it():
    hand_over = ("import os, sys; os.dup2(int(sys.argv[1]), 3); "
                 "os.environ['LISTEN_PID'] = str(os.getpid()); os.execv(sys.argv[2], sys.argv[2:])")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        with SecureServer(CONTENT, *KEYS, "--tls-redirect", "0", port=None, listeners=2,
                          wrapper=[sys.executable, "-c", hand_over, str(number)],
                          pass_fds=(number,), env={"LISTEN_FDS": "1"}) as server:
            port = listener.getsockname()[1]
            plain_one, = [each for each in server.addresses if each[1] != port]
            with Connection(plain_one) as connection:
                equal(connection.get("/x").get("Location"), "https://test.invalid:%d/x" % port,
                      "location")
            with SecureConnection(("127.0.0.1", port)) as connection:
                equal(connection.get("/").body, b"page", "body")


@test
def a_redirecting_port_without_one_to_redirect_to_is_an_error():
    for listen in ("127.0.0.1:0,plain", "unix:" + scratch() + "/socket"):
        status, _, errors = run("-R", site.running().root, "-q", *KEYS, "--tls-redirect", "0",
                                "-l", listen, *(["-u", RUN_USER] if AM_ROOT else []))
        check(status != 0 and "-l ADDR:PORT,tls" in errors, errors)


def ask(name, host):
    with SecureConnection(site.address, name=name) as connection:
        return connection.request("GET", "/", host=host).status


@test
def another_host_than_the_connections_is_421():
    for name, host in (("example.test", "default.test"), ("example.test", "www.wild.test"),
                       ("www.wild.test", "example.test"), ("default.test", "example.test:443"),
                       ("other.test", "example.test"), ("example.test", "other.test")):
        equal(ask(name, host), 421, "%s on a connection to %s" % (host, name))


@test
def the_same_host_in_other_words_is_not():
    for name, host in (("example.test", "example.test"), ("example.test", "EXAMPLE.test:8443"),
                       ("example.test", "example.test."), ("a.wild.test", "b.wild.test"),
                       ("other.test", "another.test"), (None, "example.test"),
                       ("default.test", "127.0.0.1")):
        equal(ask(name, host), 200, "%s on a connection to %s" % (host, name))


@test
def hosts_by_folder_go_with_it():
    context = client_context(authority)
    with SecureConnection(redirecting.address, context, "example.test") as connection:
        equal(connection.request("GET", "/", host="example.test").body, b"example", "body")


@test
def many_who_do_not_read_take_little_memory_each():
    if SLOWDOWN > 1:
        skip("with a sanitizer memory says nothing")
    count, context, clients = 500, client_context(), []
    with SecureServer({"big": b"x" * (8 << 20)}, *KEYS) as server:
        def memory():
            return int(processes.status(server.pid)["VmRSS"].split()[0])
        before = memory()
        try:
            for number in range(count):
                client = socket.socket()
                clients.append(client)
                # The sizes differ, so that what does not fit differs.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048 + number * 900)
                client.connect(server.address)
                clients[-1] = client = context.wrap_socket(client)
                client.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
                client.recv(1)
            each = (memory() - before) / count
        finally:
            for client in clients:
                client.close()
    check(each < 100, "%d KiB each" % each)


if __name__ == "__main__":
    main()
