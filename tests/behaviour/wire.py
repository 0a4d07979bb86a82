# SPDX-License-Identifier: BSD-2-Clause
"""HTTP/1.1 over a raw socket: send any bytes, read responses with a strict parser.

The parser accepts what RFC 9112 lets a server send and nothing else; what it refuses is a Failure
of the server under test, never something to be lenient about.
"""
import re
import select
import socket
import time

from tap import Failure, check, equal, patience, short

SINGLE_FIELDS = {"content-length", "content-type", "date", "server", "etag", "last-modified",
                 "location", "content-range", "accept-ranges", "transfer-encoding", "retry-after",
                 "connection", "allow", "x-content-type-options"}
STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9]) ([\x20-\x7e]*)")
FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*"
                        rb"([\x21-\x7e\x80-\xff](?:[\x20-\x7e\x80-\xff\t]*"
                        rb"[\x21-\x7e\x80-\xff])?)?[ \t]*")
DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d "
                  r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) "
                  r"\d{4} \d\d:\d\d:\d\d GMT")


class Response:
    """One response: status, version ("1.1"), fields (name, value), body, and the raw head."""

    def __init__(self, head):
        lines = head.split(b"\r\n")
        check(b"\n" not in b"".join(lines) and b"\r" not in b"".join(lines),
              "bare CR or LF in the response head: " + short(head))
        match = STATUS_LINE.fullmatch(lines[0])
        check(match, "bad status line: " + short(lines[0]))
        self.head = head
        self.version = "1." + match[1].decode()
        self.status = int(match[2])
        self.reason = match[3].decode()
        self.fields = []
        self.body = b""
        self.interim = []  # the 1xx responses that came before
        for line in lines[1:]:
            match = FIELD_LINE.fullmatch(line)
            check(match, "bad field line: " + short(line))
            self.fields.append((match[1].decode(), (match[2] or b"").decode("latin-1")))
        names = [name.lower() for name, _ in self.fields]
        for name in SINGLE_FIELDS:
            check(names.count(name) < 2, "the response repeats %s: %s" % (name, short(head)))

    def __repr__(self):
        return "<%d, %d bytes>" % (self.status, len(self.body))

    def get(self, name, default=None):
        for known, value in self.fields:
            if known.lower() == name.lower():
                return value
        return default

    def has_token(self, name, token):
        return token.lower() in [item.strip().lower() for item in (self.get(name) or "").split(",")]

    @property
    def says_close(self):
        if self.version == "1.0":
            return not self.has_token("Connection", "keep-alive")
        return self.has_token("Connection", "close")

    def framing(self, head_request):
        """How the body ends: ("none",), ("length", n), ("chunked",) or ("close",)."""
        length, coding = self.get("Content-Length"), self.get("Transfer-Encoding")
        check(length is None or coding is None, "both Content-Length and Transfer-Encoding")
        check(length is None or re.fullmatch("[0-9]+", length),
              "bad Content-Length " + short(length))
        if head_request or self.status < 200 or self.status in (204, 304):
            if self.status < 200 or self.status == 204:
                check(length is None and coding is None, "a %d with a length" % self.status)
            return ("none",)
        if coding is not None:
            equal(coding.lower(), "chunked", "Transfer-Encoding")
            return ("chunked",)
        if length is not None:
            return ("length", int(length))
        return ("close",)


class Connection:
    """A client connection. `address` is (host, port) or the path of a Unix socket."""

    def __init__(self, address, timeout=10.0, receive_buffer=None):
        if isinstance(address, str):
            family = socket.AF_UNIX
        else:
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(patience(timeout))
        self.timeout = timeout
        self.buffer = b""
        try:
            self.socket.connect(address)
            if family != socket.AF_UNIX:
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def fileno(self):
        return self.socket.fileno()

    # Sending

    def send(self, data):
        self.socket.sendall(data)

    def send_slowly(self, data, piece=1, pause=0.0):
        """Send in pieces, each a segment of its own as far as the kernel lets us."""
        for start in range(0, len(data), piece):
            self.socket.sendall(data[start:start + piece])
            if pause:
                time.sleep(pause)

    def finish_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def request(self, method, target, *fields, version="1.1", body=b"", host="test.invalid"):
        """Send a request made of these parts and read its response."""
        self.send(make_request(method, target, *fields, version=version, body=body, host=host))
        return self.read_response(method == "HEAD")

    def get(self, target, *fields):
        return self.request("GET", target, *fields)

    # Receiving

    def _more(self):
        """Read once into the buffer; False at the end of the stream."""
        try:
            data = self.socket.recv(262144)
        except socket.timeout:
            raise Failure("the server sent nothing for %.1f s; so far: %s"
                          % (patience(self.timeout), short(self.buffer))) from None
        self.buffer += data
        return bool(data)

    def _need(self, condition, what):
        while not condition():
            if not self._more():
                raise Failure("the connection ended in the middle of %s; so far: %s"
                              % (what, short(self.buffer)))

    def _take(self, count):
        parts, missing = [self.buffer[:count]], count - len(self.buffer)
        self.buffer = self.buffer[count:]
        while missing > 0:
            try:
                data = self.socket.recv(min(missing, 1 << 20))
            except socket.timeout:
                raise Failure("%d bytes of the body did not come" % missing) from None
            if not data:
                raise Failure("the connection ended, %d bytes of the body are missing" % missing)
            parts.append(data)
            missing -= len(data)
        return b"".join(parts)

    def _line(self, what):
        self._need(lambda: b"\n" in self.buffer, what)
        line, _, self.buffer = self.buffer.partition(b"\n")
        check(line.endswith(b"\r"), "%s does not end in CRLF: %s" % (what, short(line)))
        return line[:-1]

    def _chunked(self):
        body = []
        while True:
            line = self._line("a chunk size")
            check(re.fullmatch(rb"[0-9A-Fa-f]{1,16}(;[\x20-\x7e]*)?", line),
                  "bad chunk size " + short(line))
            size = int(line.split(b";")[0], 16)
            if size == 0:
                break
            body.append(self._take(size))
            equal(self._take(2), b"\r\n", "end of a chunk")
        while True:
            line = self._line("a trailer")
            if not line:
                return b"".join(body)
            check(FIELD_LINE.fullmatch(line), "bad trailer " + short(line))

    def read_head(self):
        self._need(lambda: b"\r\n\r\n" in self.buffer, "a response head")
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        return Response(head)

    def read_response(self, head_request=False):
        """The next final response with its body; interim responses are kept in .interim."""
        interim = []
        response = self.read_head()
        while response.status < 200:
            interim.append(response)
            response = self.read_head()
        response.interim = interim
        framing = response.framing(head_request)
        if framing[0] == "length":
            response.body = self._take(framing[1])
        elif framing[0] == "chunked":
            response.body = self._chunked()
        elif framing[0] == "close":
            response.body = self.read_until_close()
        return response

    def read_until_close(self):
        """All that still comes. A reset counts as an end: what was received stays received."""
        parts = [self.buffer]
        self.buffer = b""
        while True:
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:
                break
            except socket.timeout:
                raise Failure("the server did not close within %.1f s; it sent %s"
                              % (patience(self.timeout), short(b"".join(parts)))) from None
            if not data:
                break
            parts.append(data)
        return b"".join(parts)

    def expect_close(self, what="the connection"):
        """The server closes now, without another byte."""
        rest = self.read_until_close()
        check(not rest, "%s should just be closed, but there came %s" % (what, short(rest)))

    def expect_silence(self, duration):
        """Nothing comes and nothing is closed for so long (never stretched)."""
        check(not self.buffer, "unexpected bytes: " + short(self.buffer))
        readable, _, _ = select.select([self.socket], [], [], duration)
        if readable:
            try:
                data = self.socket.recv(4096)
            except ConnectionResetError:
                raise Failure("the server reset a connection that should stay open") from None
            raise Failure("expected silence, got " + (short(data)
                                                      if data else "the end of the connection"))


def make_request(method, target, *fields, version="1.1", body=b"", host="test.invalid"):
    """The bytes of a request. `target` may be bytes; `fields` are whole lines, text or bytes."""
    def raw(text):
        return text if isinstance(text, bytes) else text.encode("latin-1")
    lines = [raw(method) + b" " + raw(target) + b" HTTP/" + raw(version)]
    if host is not None:
        lines.append(b"Host: " + raw(host))
    lines += [raw(field) for field in fields]
    if body:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def split_responses(data, methods=()):
    """Parse all bytes of a connection that has ended into responses; what is left over fails."""
    reader = Connection.__new__(Connection)
    reader.buffer, reader.socket, reader.timeout = data, _Ended(), 0
    found = []
    while reader.buffer:
        method = methods[len(found)] if len(found) < len(methods) else "GET"
        found.append(reader.read_response(method == "HEAD"))
    return found


class _Ended:
    """A socket at its end."""

    @staticmethod
    def recv(_count):
        return b""
