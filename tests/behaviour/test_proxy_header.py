#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The PROXY protocol on listeners (-l ADDR:PORT,proxy): wanted there, never guessed elsewhere."""
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile

from harness import *

CONTENT = {"a.txt": b"alpha\n"}
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 192.0.2.7 198.51.100.9 4711 8443\r\n"
REQUEST = make_request("GET", "/a.txt", "Connection: close")
# Descriptors up to "--" become 3, 4, …; then it becomes the server. LISTEN_PID is its own pid.
HAND_OVER = """import fcntl, os, sys
at = sys.argv.index("--")
kept = [fcntl.fcntl(int(word), fcntl.F_DUPFD, 100) for word in sys.argv[1:at]]
for place, number in enumerate(kept):
    os.dup2(number, 3 + place)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[at + 1], sys.argv[at + 1:])"""


def v2(command=0x21, family=0x11, block=None):
    if block is None:
        block = (socket.inet_aton("192.0.2.7") + socket.inet_aton("198.51.100.9") +
                 struct.pack("!HH", 4711, 8443))
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(block)) + block


class Proxied(Server):
    """A server with one listener that wants the header, and a log of the addresses."""

    def __init__(self, *options, listen="127.0.0.1:0,proxy", **arguments):
        folder = scratch()
        if AM_ROOT:
            os.chown(folder, run_uid(arguments.get("as_user", False)), -1)
        self.log = folder + "/log"
        if listen:
            options = ("-l", listen) + options
        super().__init__(CONTENT, "-o", self.log, "--log-format",
                         "$remote_addr $remote_port $server_addr $server_port $status",
                         *options, quiet=False, **arguments)

    def logged(self, count=1):
        """The lines of requests, once there are so many."""
        def lines():
            try:
                with open(self.log, encoding="ascii") as file:
                    return [line.strip() for line in file if not line.startswith("#")]
            except FileNotFoundError:
                return []
        self.send_signal(signal.SIGHUP)
        wait_for(lambda: len(lines()) >= count, 6, "line %d of the log" % count)
        return lines()

    def send(self, *pieces, address=None):
        """Send the pieces, each for itself, and return what comes back until the end."""
        with Connection(address or self.address) as connection:
            try:
                for piece in pieces:
                    connection.send(piece)
                return connection.read_until_close()
            except (BrokenPipeError, ConnectionResetError):
                return b""


def body_of(data):
    [response] = split_responses(data)
    equal(response.status, 200, "status")
    return response.body


@test
def the_header_says_who_the_client_is():
    for header in (V1, v2(), v2(block=v2()[16:] + b"\x04\0\x04tlvs")):
        for user in (False, True):
            with Proxied(as_user=user) as server:
                equal(body_of(server.send(header + REQUEST)), b"alpha\n", "body")
                equal(server.logged(), ["192.0.2.7 4711 198.51.100.9 8443 200"], "log")


@test
def ipv6_addresses_are_told():
    block = (socket.inet_pton(socket.AF_INET6, "2001:db8::7") +
             socket.inet_pton(socket.AF_INET6, "2001:db8::9") + struct.pack("!HH", 1, 2))
    for header in (b"PROXY TCP6 2001:db8::7 2001:db8::9 1 2\r\n", v2(family=0x21, block=block)):
        with Proxied() as server:
            equal(body_of(server.send(header + REQUEST)), b"alpha\n", "body")
            equal(server.logged(), ["2001:db8::7 1 2001:db8::9 2 200"], "log")


@test
def headers_without_addresses_keep_those_of_the_socket():
    with Proxied() as server:
        for header in (b"PROXY UNKNOWN\r\n", v2(command=0x20), v2(command=0x20, block=b""),
                       v2(family=0, block=b"")):
            equal(body_of(server.send(header + REQUEST)), b"alpha\n", "body")
        for line in server.logged(4):
            address, _, local, port, _ = line.split()
            equal((address, local, int(port)), ("127.0.0.1", "127.0.0.1", server.port_number),
                  "addresses")


@test
def a_client_of_a_unix_socket_has_no_address():
    with Proxied() as server:
        equal(body_of(server.send(v2(family=0x31, block=bytes(216)) + REQUEST)), b"alpha\n", "body")
        check(server.logged()[0].startswith("unix: "), server.logged()[0])


@test
def the_header_may_come_in_pieces():
    with Proxied() as server:
        for header in (V1, v2()):
            pieces = [bytes([byte]) for byte in header]
            equal(body_of(server.send(*pieces, REQUEST)), b"alpha\n", "body, single bytes")
            equal(body_of(server.send(header[:20], header[20:] + REQUEST[:9], REQUEST[9:])),
                  b"alpha\n", "body, in three pieces")
            equal(body_of(server.send(header, REQUEST)), b"alpha\n", "body, header first")
        equal(set(server.logged(6)), {"192.0.2.7 4711 198.51.100.9 8443 200"}, "log")


@test
def all_requests_of_a_connection_are_that_client_s():
    with Proxied() as server:
        with server.connect() as connection:
            connection.send(V1)
            for _ in range(3):
                equal(connection.get("/a.txt").body, b"alpha\n", "body")
        equal(server.logged(3), ["192.0.2.7 4711 198.51.100.9 8443 200"] * 3, "log")


@test
def a_second_header_is_no_header():
    with Proxied() as server:
        [response] = split_responses(server.send(V1 + V1 + REQUEST))
        equal(response.status, 400, "status")


@test
def connections_without_it_are_closed_without_an_answer():
    with Proxied() as server:
        for data in (REQUEST, b"\x16\x03\x01\x02\0", b"PROXY TCP4 1.2.3.4\r\n" + REQUEST,
                     b"PROXY TCP4 1.2.3.4 1.2.3.4 1 99999\r\n" + REQUEST,
                     v2(family=0x13) + REQUEST, v2(command=0x22) + REQUEST,
                     v2(block=b"abc") + REQUEST, b"PROXY UNKNOWN " + b"x" * 200,
                     SIGNATURE + b"\x20\0\xff\xff", V1.replace(b"\r\n", b"\n") + REQUEST):
            equal(server.send(data), b"", "answer to %r" % data[:40])
        equal(body_of(server.send(V1 + REQUEST)), b"alpha\n", "body afterwards")
        equal(len(server.logged()), 1, "lines of the log")
        equal(server.errors().count("do not begin with a header of the PROXY protocol"), 1,
              "messages")


@test
def a_header_that_does_not_end_in_time_is_closed():
    with Proxied("--header-timeout", "0.2s") as server:
        for data in (b"", V1[:10], v2()[:-1]):
            equal(server.send(data), b"", "answer")
        server.wait_for_connections(0)


@test
def a_client_that_ends_in_the_header_is_closed_at_once():
    with Proxied("--header-timeout", "600s") as server:
        for data in (b"", V1[:10], v2()[:-1]):
            with server.connect() as connection:
                connection.send(data)
                connection.finish_sending()
                equal(connection.read_until_close(), b"", "answer")


@test
def elsewhere_it_is_never_guessed():
    with Server(CONTENT) as server:
        [response] = server.exchange(V1 + REQUEST)
        equal(response.status, 400, "status of version 1")
        for response in server.exchange(v2() + REQUEST):
            equal(response.status, 400, "status of version 2")


@test
def listeners_with_and_without_it_stand_beside_each_other():
    with Proxied("-l", "127.0.0.1:0", "-l", "127.0.0.1:0,plain,proxy", "-l",
                 "127.0.0.1:0,proxy,plain", listeners=4, workers=2) as server:
        with_it, without, both, turned = server.addresses
        for address in (with_it, both, turned):
            equal(body_of(server.send(V1 + REQUEST, address=address)), b"alpha\n", "body")
            equal(server.send(REQUEST, address=address), b"", "answer without header")
        equal(body_of(server.send(REQUEST, address=without)), b"alpha\n", "body of the plain one")
        equal(server.errors().count(" behind the PROXY protocol\n"), 3, "lines that say so")


@test
def a_unix_socket_with_it():
    path = scratch() + "/socket"
    os.chmod(os.path.dirname(path), 0o777)
    with Proxied("--proxy-from", "192.0.2.1", listen="unix:" + path + ",proxy") as server:
        equal(server.address, path, "path")
        equal(body_of(server.send(V1 + REQUEST)), b"alpha\n", "body")
        equal(server.logged(), ["192.0.2.7 4711 198.51.100.9 8443 200"], "log")


@test
def only_listed_sources_are_served():
    for ranges, answered in ((("--proxy-from", "127.0.0.0/8"), True),
                             (("--proxy-from", "192.0.2.0/24,127.0.0.1"), True),
                             (("--proxy-from", "::1", "--proxy-from", "127.0.0.1"), True),
                             (("--proxy-from", "192.0.2.0/24,2001:db8::/32"), False)):
        with Proxied(*ranges) as server:
            data = server.send(V1 + REQUEST)
            equal(bool(data), answered, "whether %s is answered" % (ranges,))
            equal(server.errors().count("in no range of --proxy-from"), int(not answered),
                  "messages")


@test
def wrong_options_are_explained():
    for options, words in ((("-l", "127.0.0.1:0,proxy", "--proxy-from", "192.0.2.1/24"),
                            "'192.0.2.1/24' is no range"),
                           (("-l", "127.0.0.1:0,proxy", "--proxy-from", "proxy.example"),
                            "'proxy.example' is no range"),
                           (("-l", "127.0.0.1:0", "--proxy-from", "192.0.2.1"),
                            "no listener takes the PROXY protocol"),
                           (("-l", "127.0.0.1:0,proxy,bogus"), "transport 'bogus'"),
                           (("-l", "127.0.0.1:0,bogus,proxy"), "transport 'bogus'")):
        status, _, errors = run("-R", tree(CONTENT), "-q", "-n", "1", *options)
        equal(status, 2, "exit status of %s" % (options,))
        check(words in errors and errors.count("\n") == 1, "message: " + errors)


@test
def a_socket_from_systemd_takes_it_by_its_name():
    for name, proxied in (("proxy", True), ("plain,proxy", True), ("lhttpd.socket", False)):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            number = listener.fileno()
            server = Proxied(listen=None, port=None, pass_fds=(number,),
                             wrapper=[sys.executable, "-c", HAND_OVER, str(number), "--"],
                             env={"LISTEN_FDS": "1", "LISTEN_FDNAMES": name})
            with server:
                equal(body_of(server.send((V1 if proxied else b"") + REQUEST)), b"alpha\n", "body")
                equal(bool(server.send((b"" if proxied else V1) + REQUEST)), not proxied,
                      "whether the other is answered, of the name " + name)


@test
def it_outlives_an_upgrade():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.fileno()
        inherited = {"listen": None, "port": None, "pass_fds": (number,),
                     "wrapper": [sys.executable, "-c", HAND_OVER, str(number), "--"],
                     "env": {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "proxy"}}
        for arguments in ({}, inherited):
            with Proxied(workers=2, upgrades=True, **arguments) as server:
                old = processes.in_session(server.process.pid)
                os.kill(old[0], signal.SIGUSR2)
                wait_for(lambda: not any(processes.alive(pid) for pid in old), 10,
                         "the end of the old processes")
                equal(body_of(server.send(V1 + REQUEST)), b"alpha\n", "body")
                equal(server.send(REQUEST), b"", "answer without header")


@test
def a_surplus_socket_wants_it_too():
    """Inherited beyond the number of workers: it becomes a listener of its own."""
    if not hasattr(socket, "SO_REUSEPORT"):
        skip("no SO_REUSEPORT here")
    with socket.socket() as one, socket.socket() as two:
        for listener in (one, two):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind(("127.0.0.1", 0) if listener is one else one.getsockname())
            listener.listen(16)
        numbers = (one.fileno(), two.fileno())
        with Proxied(listen=None, port=None, pass_fds=numbers,
                     wrapper=[sys.executable, "-c", HAND_OVER, *map(str, numbers), "--"],
                     env={"LISTEN_FDS": "2", "LISTEN_FDNAMES": "proxy:proxy"}) as server:
            for _ in range(20):          # the kernel spreads them over both
                equal(server.send(REQUEST), b"", "answer without header")
                equal(body_of(server.send(V1 + REQUEST)), b"alpha\n", "body")


def tls_options():
    module = os.path.join(os.environ.get("LOPHTTPD_MODULE_PATH") or "", "tls.so")
    openssl = need_tool("openssl")
    if not os.path.exists(module):
        skip("the module tls is not built")
    folder = scratch()
    os.chmod(folder, 0o755)
    subprocess.run([openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=test.invalid", "-keyout", folder + "/key", "-out", folder + "/cert"],
                   check=True, stderr=subprocess.DEVNULL)
    os.chmod(folder + "/key", 0o600)
    return ("-C", folder + "/cert", "-K", folder + "/key")


@test
def a_port_that_redirects_to_tls_wants_it_as_its_neighbour_does():
    for suffix, proxied in (",tls,proxy", True), (",tls", False):
        with Proxied(*tls_options(), "--tls-redirect", "0", listen="127.0.0.1:0" + suffix,
                     listeners=2) as server:
            plain = server.addresses[1]
            [response] = split_responses(server.send((V1 if proxied else b"") + REQUEST,
                                                     address=plain))
            equal(response.status, 308, "status with " + suffix)
            equal(server.send(REQUEST, address=plain) == b"", proxied,
                  "whether it is closed without a header")


@test
def a_tls_handshake_follows_the_header():
    options = tls_options()
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for suffix in (",proxy,tls", ",tls,proxy", ",proxy"):
        with Proxied(*options, listen="127.0.0.1:0" + suffix) as server:
            for pieces in ((V1,), (v2(),), (V1[:9], V1[9:])):
                with socket.create_connection(server.address, patience(10)) as plain:
                    for piece in pieces:
                        plain.sendall(piece)
                    with context.wrap_socket(plain, server_hostname="test.invalid") as secure:
                        secure.sendall(REQUEST)
                        data = b""
                        while True:
                            more = secure.recv(4096)
                            if not more:
                                break
                            data += more
                equal(body_of(data), b"alpha\n", "body with " + suffix)
            # Header and handshake in one packet, as a proxy may send them.
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            client = context.wrap_bio(incoming, outgoing, server_hostname="test.invalid")
            with socket.create_connection(server.address, patience(10)) as plain:
                try:
                    client.do_handshake()
                except ssl.SSLWantReadError:
                    plain.sendall(v2() + outgoing.read())
                while True:
                    try:
                        client.do_handshake()
                        break
                    except ssl.SSLWantReadError:
                        incoming.write(plain.recv(4096))
            equal(set(server.logged(3)), {"192.0.2.7 4711 198.51.100.9 8443 200"}, "log")


# With others at the other end


def need_proxy():
    if not os.path.exists(os.path.join(os.environ.get("LOPHTTPD_MODULE_PATH") or "", "proxy.so")):
        skip("the module proxy is not built")


def asked_from(source, address, request=REQUEST):
    """What the server at the address answers to a client with this address of its own."""
    with socket.socket() as client:
        client.settimeout(patience(10))
        client.bind((source, 0))
        client.connect(address)
        client.sendall(request)
        data = b""
        while True:
            more = client.recv(65536)
            if not more:
                return data
            data += more


class Program:
    """A program of the system in the foreground, ended with the block."""

    def __init__(self, *command, **arguments):
        self._command, self._arguments = command, arguments

    def __enter__(self):
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL,
                                         stdout=self._errors, stderr=self._errors,
                                         start_new_session=True, **self._arguments)
        return self

    def said(self):
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace")

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(patience(5))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()


@test
def haproxy_in_front():
    haproxy = need_tool("haproxy")
    for version in ("send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c"):
        with Proxied() as server, socket.create_server(("127.0.0.1", 0)) as front:
            config = tree({"haproxy.cfg": ("""
defaults
    mode http
    timeout connect 10s
    timeout client 10s
    timeout server 10s
frontend front
    bind fd@%d
    default_backend back
backend back
    server one 127.0.0.1:%d %s
""" % (front.fileno(), server.port_number, version)).encode()})
            with Program(haproxy, "-db", "-f", config + "/haproxy.cfg",
                         pass_fds=(front.fileno(),)) as program:
                answer = asked_from("127.0.0.5", front.getsockname())
                check(b"alpha\n" in answer, "answer: %r; haproxy: %s" % (answer, program.said()))
            [line] = server.logged()
            address, _, local, port, status = line.split()
            equal((address, local, int(port), status),
                  ("127.0.0.5", *front.getsockname(), "200"), "log with " + version)


@test
def curl_in_front():
    curl = need_tool("curl")
    with Proxied() as server:
        done = subprocess.run([curl, "-sS", "--haproxy-protocol", server.url + "/a.txt"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=patience(20))
        if b"--haproxy-protocol" in done.stdout:
            skip("this curl knows nothing of it")
        equal(done.stdout, b"alpha\n", "body")
        check(server.logged()[0].startswith("127.0.0.1 "), server.logged()[0])


@test
def what_is_sent_to_upstreams_is_understood_by_ourselves():
    need_proxy()
    for version in ("v1", "v2"):
        with Proxied() as server:
            with Server({}, "-M", "proxy", "--map", "/=http://127.0.0.1:%d/" % server.port_number,
                        "--send-proxy", version) as front:
                for source in ("127.0.0.6", "127.0.0.7", "127.0.0.6"):
                    equal(body_of(asked_from(source, front.address)), b"alpha\n", "body")
                told = [line.split() for line in server.logged(3)]
                equal([words[0] for words in told], ["127.0.0.6", "127.0.0.7", "127.0.0.6"],
                      "clients with " + version)
                equal({(words[2], int(words[3])) for words in told}, {front.address},
                      "addresses that they connected to")


@test
def what_is_sent_to_upstreams_is_understood_by_nginx():
    need_proxy()
    nginx = need_tool("nginx")
    folder = scratch()
    os.chmod(folder, 0o777)
    with open(folder + "/nginx.conf", "w", encoding="ascii") as file:
        file.write("""
daemon off;
pid %(folder)s/pid;
error_log stderr;
%(user)s
events {}
http {
    access_log off;
    client_body_temp_path %(folder)s/1; proxy_temp_path %(folder)s/2;
    fastcgi_temp_path %(folder)s/3; uwsgi_temp_path %(folder)s/4; scgi_temp_path %(folder)s/5;
    server {
        listen unix:%(folder)s/socket proxy_protocol;
        location / {
            return 200 "$proxy_protocol_addr $proxy_protocol_server_addr\\n";
        }
    }
}
""" % {"folder": folder, "user": "user %s;" % RUN_USER if AM_ROOT else ""})
    with Program(nginx, "-p", folder, "-e", "stderr", "-c", folder + "/nginx.conf") as program:
        wait_for(lambda: os.path.exists(folder + "/socket"), 10, "nginx: " + program.said())
        for version in ("v1", "v2"):
            # In a chroot the socket would be out of reach.
            with Server({}, "-M", "proxy", "--map", "/=unix:" + folder + "/socket",
                        "--send-proxy", version, as_user=True) as front:
                answer = asked_from("127.0.0.8", front.address)
                equal(split_responses(answer)[0].body, b"127.0.0.8 127.0.0.1\n",
                      "body with " + version)


if __name__ == "__main__":
    main()
