# SPDX-License-Identifier: BSD-2-Clause
"""A backend for the tests of the proxy: it does what a script says, and keeps what it received.

    with Backend(ok(b"hello\\n")) as backend, proxy("--map", "/=" + backend.url) as site:
        site.get("/a")
        equal(backend.requests[0].target, "/a", "target")

A script is a function of one Request. It is called when the head of the request is there; it reads
the body when it likes (what it leaves is read after it), and sends whatever bytes it likes. When it
returns, the next request of the connection is read, unless the script has closed it. `script` may
be exchanged at any time: it counts for requests that arrive later.

What the proxy sends is read by a strict parser: a request that RFC 9112 does not allow a proxy to
send fails the test during which it came, whatever the test looked at (strict=False: not). Every
connection keeps all bytes that came over it.
"""
import os
import re
import socket
import ssl
import struct
import sys
import threading
import time

import trees
from server import Server
from tap import (Failure, after_each, at_end, before_each, check, patience, seconds, short,
                 wait_for)

REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP/1\.([01])")
FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*"
                        rb"([\x21-\x7e\x80-\xff](?:[\x20-\x7e\x80-\xff\t]*"
                        rb"[\x21-\x7e\x80-\xff])?)?[ \t]*")
HOP_BY_HOP = {"keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te"}

_backends = []


class Ended(Exception):
    """The other side has closed, or this one was told to stop."""


class Wrong(Exception):
    """The proxy sent what it must not send."""


class Peer:
    """One connection of the proxy to a backend."""

    def __init__(self, backend, sock, number):
        self.backend, self.socket, self.number = backend, sock, number
        self.received = bytearray()  # every byte of it, after TLS
        self.buffer = b""
        self.requests = 0
        self.ended = None            # how the proxy ended it: "end", "reset"
        self.closed = False          # by us, or about to be
        self.gone = False            # that is done
        self.reading = False
        self.proxied = None          # the PROXY header, when the backend awaits one
        self.certificate = None      # the client's, with TLS
        self.server_name = None      # SNI

    def read_more(self, size=1 << 18):
        """Reads once; raises Ended at the end."""
        self.reading = True
        try:
            data = b"" if self.closed else self.socket.recv(size)
        except socket.timeout:
            raise Ended from None
        except (OSError, ValueError) as problem:
            if not self.closed:
                self.ended = "reset" if isinstance(problem, ConnectionError) else "end"
            raise Ended from None
        finally:
            self.reading = False
        if not data:
            self.ended = self.ended or (None if self.closed else "end")
            raise Ended
        self.received += data
        self.buffer += data

    def take(self, count):
        while len(self.buffer) < count:
            self.read_more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def line(self):
        while b"\n" not in self.buffer:
            self.read_more()
        line, _, self.buffer = self.buffer.partition(b"\n")
        if not line.endswith(b"\r"):
            raise Wrong("a line without CR: " + short(line))
        return line[:-1]

    def send(self, data):
        """Sends, or raises Ended when nobody listens any more."""
        try:
            self.socket.sendall(data)
        except (OSError, ValueError):
            raise Ended from None

    def wait_end(self):
        """Reads, and keeps, what comes until the proxy closes; returns "end" or "reset"."""
        try:
            while True:
                self.read_more()
        except Ended:
            return self.ended

    def finish(self):
        """Closes our sending side only."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        if not self.closed:
            self.closed = True
            try:
                self.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self._close()

    def reset(self):
        """Ends it with a reset."""
        if not self.closed:
            self.closed = True
            try:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                socket.socket.shutdown(self.socket, socket.SHUT_RD)
            except OSError:
                pass
            self._close()

    def _close(self):
        """A thread that reads was woken. While it holds the socket, the kernel would not close it;
        and it must not find another socket under the same number."""
        end = time.monotonic() + patience(5)
        while self.reading and time.monotonic() < end:
            time.sleep(0.0005)
        self.socket.close()
        self.gone = True


class Request:
    """A request as it came over a connection. fields: (name, value) in order."""

    def __init__(self, peer, head):
        self.peer, self.head = peer, head
        self.at = time.monotonic()
        lines = head.split(b"\r\n")
        match = REQUEST_LINE.fullmatch(lines[0])
        if not match:
            raise Wrong("bad request line " + short(lines[0]))
        self.method, self.target = match[1].decode(), match[2].decode()
        self.version = "1." + match[3].decode()
        self.fields = []
        for line in lines[1:]:
            match = FIELD_LINE.fullmatch(line)
            if not match:
                raise Wrong("bad field line " + short(line))
            self.fields.append((match[1].decode(), (match[2] or b"").decode("latin-1")))
        self.body, self.trailers = b"", []
        self.complete = False  # the whole body was read
        self._begun = False
        self.chunks = []       # sizes, of a chunked body
        self._check()

    def __repr__(self):
        return "<%s %s>" % (self.method, self.target)

    def _check(self):
        """What an intermediary must not send on."""
        if len(self.all("Host")) != 1:
            raise Wrong("%d Host fields: %s" % (len(self.all("Host")), short(self.head)))
        lengths, codings = self.all("Content-Length"), self.all("Transfer-Encoding")
        if len(lengths) + len(codings) > 1:
            raise Wrong("more than one framing: " + short(self.head))
        if lengths and not re.fullmatch("[0-9]+", lengths[0]):
            raise Wrong("bad Content-Length " + short(lengths[0]))
        if codings and (codings[0].lower() != "chunked" or self.version == "1.0"):
            raise Wrong("bad Transfer-Encoding " + short(self.head))
        named = {token.strip().lower() for value in self.all("Connection")
                 for token in value.split(",")}
        for name, value in self.fields:
            lower = name.lower()
            if lower in HOP_BY_HOP and not (lower == "te" and value == "trailers"):
                raise Wrong("%s was passed on" % name)
            if lower in named - {"upgrade", "te"}:
                raise Wrong("%s, which Connection names, was passed on" % name)

    def get(self, name, default=None):
        for known, value in self.fields:
            if known.lower() == name.lower():
                return value
        return default

    def all(self, name):
        return [value for known, value in self.fields if known.lower() == name.lower()]

    # Reading the body

    def read_body(self):
        """The whole body; a second call returns the same."""
        if not self._begun:
            self._begun = True
            if self.get("Transfer-Encoding"):
                self._chunked()
            else:
                left = int(self.get("Content-Length", "0"))
                while left > 0:
                    if not self.peer.buffer:
                        self.peer.read_more()
                    piece = self.peer.take(min(left, len(self.peer.buffer)))
                    self.body += piece
                    left -= len(piece)
            self.complete = True
        return self.body

    def _chunked(self):
        while True:
            line = self.peer.line()
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,16}", line):
                raise Wrong("bad chunk size " + short(line))
            size = int(line, 16)
            if size == 0:
                break
            self.chunks.append(size)
            self.body += self.peer.take(size)
            if self.peer.take(2) != b"\r\n":
                raise Wrong("bad end of a chunk")
        while True:
            line = self.peer.line()
            if not line:
                return
            match = FIELD_LINE.fullmatch(line)
            if not match:
                raise Wrong("bad trailer " + short(line))
            self.trailers.append((match[1].decode(), (match[2] or b"").decode("latin-1")))

    # Answering

    def send(self, data):
        self.peer.send(data)

    def answer(self, status=200, body=b"", *fields):
        """A whole answer with Content-Length; to HEAD without the body."""
        self.send(make_answer(status, body, *fields, head=self.method == "HEAD"))

    def close(self):
        self.peer.close()

    def reset(self):
        self.peer.reset()

    def wait_end(self):
        return self.peer.wait_end()


def make_answer(status=200, body=b"", *fields, head=False, version="1.1", length=None):
    """The bytes of an answer; length: the declared one, False for none."""
    lines = [b"HTTP/%s %d %s" % (version.encode(), status, b"As The Script Says")]
    lines += [field if isinstance(field, bytes) else field.encode("latin-1") for field in fields]
    if length is not False and status not in (204, 304) and status >= 200:
        lines.append(b"Content-Length: %d" % (len(body) if length is None else length))
    return b"\r\n".join(lines) + b"\r\n\r\n" + (b"" if head else body)


def chunked(body, size=1000, trailers=()):
    """A body in chunks of `size`."""
    pieces = [b"%x\r\n%s\r\n" % (len(body[at:at + size]), body[at:at + size])
              for at in range(0, len(body), size)]
    return b"".join(pieces) + b"0\r\n" + b"".join(line.encode() + b"\r\n"
                                                   for line in trailers) + b"\r\n"


# Scripts -------------------------------------------------------------------------------------


def ok(body=b"hello\n", *fields, status=200):
    """Reads the request and answers well."""
    def script(request):
        request.read_body()
        request.answer(status, body, *fields)
    return script


def raw(data, then="keep"):
    """Reads the request and sends these bytes; then "keep", "close", "reset", "hang"."""
    def script(request):
        request.read_body()
        request.send(data)
        end(request, then)
    return script


def end(request, how):
    if how == "close":
        request.close()
    elif how == "reset":
        request.reset()
    elif how == "hang":
        request.wait_end()


def mute(request):
    """Never answers."""
    request.wait_end()


def hang_up(request):
    """Closes without a byte."""
    request.read_body()
    request.close()


def refuse(request):
    """Resets without a byte."""
    request.reset()


def trickle(data, piece=1, pause=0.01):
    """Sends these bytes in pieces, with a pause between."""
    def script(request):
        request.read_body()
        for at in range(0, len(data), piece):
            request.send(data[at:at + piece])
            time.sleep(pause)
    return script


def in_turn(*scripts):
    """The first script for the first request, and so on; the last one for all that follow."""
    left, lock = list(scripts), threading.Lock()

    def script(request):
        with lock:
            chosen = left.pop(0) if len(left) > 1 else left[0]
        chosen(request)
    return script


def by_path(scripts, otherwise=None):
    """A script for each target (without its query)."""
    def script(request):
        chosen = scripts.get(request.target.partition("?")[0], otherwise)
        (chosen or ok(b"", status=404))(request)
    return script


# The backend ---------------------------------------------------------------------------------


class Backend:
    """unix: on a socket of a folder of its own. context: an ssl.SSLContext. host: "::1" too.

    awaits_proxy: each connection begins with a PROXY header, which ends up in Peer.proxied.
    listener: a bound socket to listen on.
    """

    def __init__(self, script=None, unix=False, context=None, host="127.0.0.1", strict=True,
                 awaits_proxy=False, backlog=128, listener=None):
        self.script = script or ok()
        self.context, self.strict, self.awaits_proxy = context, strict, awaits_proxy
        self.backlog = backlog
        self.requests, self.peers, self.problems = [], [], []
        self.handshakes_failed = 0
        self.up = False
        self._lock, self._threads = threading.RLock(), []
        if unix:
            self.address = trees.scratch() + "/backend.sock"
            self._bind_unix()
            self.authority, self.url = "localhost", "unix:" + self.address
        else:
            self.listener = listener or bound_socket(host)
            self.address = self.listener.getsockname()[:2]
            shown = "[%s]" % host if ":" in host else host
            self.authority = "%s:%d" % (shown, self.address[1])
            self.url = "http%s://%s" % ("s" if context else "", self.authority)
        if context:
            context.sni_callback = self._note_name
        _backends.append(self)
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def port(self):
        return self.address[1]

    def _bind_unix(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.address)
        os.chmod(self.address, 0o777)

    def start(self):
        """Listens (again): on the same port after down()."""
        with self._lock:
            if not self.up:
                if self.listener.fileno() < 0:
                    self._bind_unix()
                self.up = True
                self.listener.listen(self.backlog)
                self._run(self._accept)

    def down(self, resets=True):
        """As if the process was killed: refuses connections, ends those that are there."""
        with self._lock:
            self.up = False
            try:  # stops listening, and keeps the port
                self.listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            if isinstance(self.address, str):
                self.listener.close()
                try:
                    os.unlink(self.address)
                except FileNotFoundError:
                    pass  # its folder was removed at the end
            peers = [peer for peer in self.peers if not peer.closed]
        for peer in peers:
            if resets:
                peer.reset()
            else:
                peer.close()

    def stop(self):
        if self.up:
            self.down()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(patience(10))
        self.listener.close()
        if self in _backends:
            _backends.remove(self)
            _late_problems.extend(self.take_problems())

    def _run(self, body, *arguments):
        thread = threading.Thread(target=body, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while self.up:
            try:
                accepted = self.listener.accept()[0]
            except OSError:
                return
            accepted.settimeout(patience(30))
            if accepted.family != socket.AF_UNIX:
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                if not self.up:
                    accepted.close()
                    return
                peer = Peer(self, accepted, len(self.peers))
                self.peers.append(peer)
            self._run(self._serve, peer)

    @staticmethod
    def _note_name(socket_object, name, _context):
        socket_object.wanted_name = name

    def _secure(self, peer):
        try:
            peer.socket = self.context.wrap_socket(peer.socket, server_side=True)
        except (OSError, ValueError):
            self.handshakes_failed += 1
            raise Ended from None
        peer.server_name = getattr(peer.socket, "wanted_name", None)
        peer.certificate = peer.socket.getpeercert()

    def _serve(self, peer):
        try:
            if self.awaits_proxy:
                peer.proxied = self._proxy_header(peer)
            if self.context:
                self._secure(peer)
            while not peer.closed:
                request = self._next(peer)
                self.script(request)
                if not peer.closed and not request.complete and not request._begun:
                    request.read_body()
        except Ended:
            pass
        except Wrong as wrong:
            if self.strict:
                self.problems.append("the proxy sent to a backend: %s" % wrong)
        finally:
            peer.close()

    @staticmethod
    def _proxy_header(peer):
        """Before TLS: read byte by byte, so as not to take from what follows."""
        head = b""
        while len(head) < 16:
            head += peer.socket.recv(1) or b"\n" * 16
            if head.startswith(b"PROXY ") and head.endswith(b"\r\n"):
                return head
        if not head.startswith(b"\r\n\r\n\0\r\nQUIT\n"):
            while head.startswith(b"PROXY ") and not head.endswith(b"\n"):
                head += peer.socket.recv(1) or b"\n"
            return head
        length = struct.unpack(">H", head[14:16])[0]
        while len(head) < 16 + length:
            head += peer.socket.recv(16 + length - len(head))
        return head

    def _next(self, peer):
        while b"\r\n\r\n" not in peer.buffer:
            peer.read_more()
        head, _, peer.buffer = peer.buffer.partition(b"\r\n\r\n")
        request = Request(peer, head)
        with self._lock:
            peer.requests += 1
            self.requests.append(request)
        return request

    # Looking

    @property
    def last(self):
        check(self.requests, "the backend received no request")
        return self.requests[-1]

    def only(self):
        """The one request that came; forgets it."""
        found = self.take()
        check(len(found) == 1, "the backend received %d requests: %s" % (len(found), short(found)))
        return found[0]

    def take(self):
        """The requests since the last call."""
        with self._lock:
            found, self.requests = self.requests, []
        return found

    def wait_requests(self, count, timeout=5.0):
        wait_for(lambda: len(self.requests) >= count, timeout, "request number %d" % count)
        return self.requests

    def received(self):
        """All bytes of all connections, one after another."""
        return b"".join(bytes(peer.received) for peer in self.peers)

    def open_peers(self):
        return [peer for peer in self.peers if not peer.gone and not peer.ended]

    def take_problems(self):
        found, self.problems = self.problems, []
        return found


def bound_socket(host="127.0.0.1"):
    """A TCP socket on a port that the kernel picked, and that stays its own while it does not
    listen: for that the port must have been asked for by its number."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as finder:
        bound = socket.socket(family)
        for one in (finder, bound):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        finder.bind((host, 0))
        bound.bind(finder.getsockname())
    return bound


def dead_address():
    """A port of 127.0.0.1 that refuses connections for as long as the returned socket lives."""
    bound = bound_socket()
    return bound, "127.0.0.1:%d" % bound.getsockname()[1]


_late_problems = []


@before_each
def _forget():
    _late_problems.clear()
    for backend in _backends:
        backend.take()
        backend.take_problems()


@after_each
def _complain():
    found = list(_late_problems)
    for backend in list(_backends):
        found += backend.take_problems()
    return "\n".join(found)


@at_end
def _stop_all():
    for backend in list(_backends):
        backend.stop()
    return "\n".join(_late_problems)


def ms(wanted):
    """A time for an option, stretched for slow builds."""
    return "%dms" % (seconds(wanted) * 1000)


def proxy(*options, content=None, **how):
    """A server that is a proxy; `options` as they are typed behind `-M proxy`."""
    return Server(content or {"static.txt": b"static\n"}, "-M", "proxy", *options, **how)


def server_context(certificate, key, client_ca=None):
    """For Backend(context=…)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if client_ca:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


__all__ = ["Backend", "Ended", "Request", "bound_socket", "by_path", "chunked", "dead_address",
           "end", "hang_up", "in_turn", "make_answer", "ms", "mute", "ok", "proxy", "raw", "refuse",
           "server_context", "trickle"]


def _serve_forever(descriptor, name):
    """As a process of its own, which can be killed: on a bound socket that it inherits."""
    listener = socket.socket(fileno=descriptor)
    listener.setblocking(True)
    Backend(ok(name.encode() + b"\n"), listener=listener, host=listener.getsockname()[0])
    print("ready", flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    _serve_forever(int(sys.argv[1]), sys.argv[2])
