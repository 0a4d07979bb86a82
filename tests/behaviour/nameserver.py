# SPDX-License-Identifier: BSD-2-Clause
"""A small name server for tests, on a loopback port of its own, UDP and TCP.

    with NameServer() as dns:
        dns.a("web.test", "192.0.2.1", "192.0.2.2", ttl=1)
        dns.fail("web.test")            # SERVFAIL from now on
        dns.asked("web.test", "A")      # how often it was asked

What is not set does not exist (NXDOMAIN, with a SOA). dns.address is for --resolver.
"""
import ipaddress
import socket
import struct
import threading

TYPES = {"A": 1, "CNAME": 5, "SOA": 6, "AAAA": 28, "SRV": 33}
NAMES = {number: name for name, number in TYPES.items()}
SERVFAIL, NXDOMAIN, REFUSED = 2, 3, 5


def encode_name(name):
    labels = [label.encode() for label in name.strip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def read_name(data, at):
    labels = []
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
        at += 1 + data[at]
    return ".".join(labels).lower(), at + 1


def record(name, kind, ttl, data):
    return encode_name(name) + struct.pack("!HHIH", TYPES[kind], 1, ttl, len(data)) + data


class NameServer:
    def __init__(self):
        self._zone = {}          # (name, type) -> [(ttl, data)]
        self._codes = {}         # name -> response code for everything
        self._silent = set()     # names that get no answer
        self._raw = {}           # name -> function(query) -> bytes
        self._counts = {}
        self._transports = []
        self._lock = threading.Lock()
        self.negative_ttl = 1
        self.truncate = False    # over UDP every answer with records is cut
        self.pieces = False      # over TCP the beginning comes byte by byte
        self._closed = False
        while True:              # one port for both
            self._tcp = socket.create_server(("127.0.0.1", 0))
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                self._udp.bind(self._tcp.getsockname())
                break
            except OSError:
                self._tcp.close()
                self._udp.close()
        self.port = self._udp.getsockname()[1]
        self.address = "127.0.0.1:%d" % self.port
        self._threads = [threading.Thread(target=run, daemon=True)
                         for run in (self._serve_udp, self._serve_tcp)]
        for thread in self._threads:
            thread.start()

    # What it says

    def _set(self, name, kind, ttl, values):
        with self._lock:
            name = name.lower().strip(".")
            self._codes.pop(name, None)
            self._silent.discard(name)
            self._raw.pop(name, None)
            self._zone[name, kind] = [(ttl, value) for value in values]

    def a(self, name, *addresses, ttl=1):
        self._set(name, "A", ttl, [ipaddress.IPv4Address(one).packed for one in addresses])

    def aaaa(self, name, *addresses, ttl=1):
        self._set(name, "AAAA", ttl, [ipaddress.IPv6Address(one).packed for one in addresses])

    def cname(self, name, target, ttl=1):
        self._set(name, "CNAME", ttl, [encode_name(target)])

    def srv(self, name, *records, ttl=1):
        """records: (priority, weight, port, target)"""
        self._set(name, "SRV", ttl, [struct.pack("!HHH", *one[:3]) + encode_name(one[3])
                                     for one in records])

    def fail(self, name, code=SERVFAIL):
        with self._lock:
            self._codes[name.lower()] = code

    def silence(self, name):
        with self._lock:
            self._silent.add(name.lower())

    def raw(self, name, make):
        """make(query) gives the bytes of the answer."""
        with self._lock:
            self._raw[name.lower()] = make

    def remove(self, name):
        """The name does not exist any more."""
        with self._lock:
            self._codes.pop(name, None)
            self._silent.discard(name)
            self._raw.pop(name, None)
            for key in [key for key in self._zone if key[0] == name.lower()]:
                del self._zone[key]

    # What it was asked

    def asked(self, name, kind=None):
        with self._lock:
            return sum(count for (one, which), count in self._counts.items()
                       if one == name.lower() and kind in (None, which))

    def transports(self):
        with self._lock:
            return list(self._transports)

    # How

    def _answer(self, query, transport):
        name, at = read_name(query, 12)
        kind = NAMES.get(struct.unpack_from("!H", query, at)[0], "?")
        question = query[12:at + 4]
        with self._lock:
            self._counts[name, kind] = self._counts.get((name, kind), 0) + 1
            self._transports.append(transport)
            if name in self._silent:
                return None
            make = self._raw.get(name)
            code = self._codes.get(name, 0)
            records, known = b"", 0
            answers = 0
            here = name
            for _ in range(16):
                known += any(key[0] == here for key in self._zone)
                found = self._zone.get((here, kind), [])
                alias = self._zone.get((here, "CNAME"), [])
                for ttl, data in found or alias:
                    records += record(here, kind if found else "CNAME", ttl, data)
                    answers += 1
                if found or not alias:
                    break
                here = read_name(alias[0][1], 0)[0]
        if make:
            return make(query)
        if not known and not code:
            code = NXDOMAIN
        if code:
            records, answers = b"", 0
        flags = 0x8580 | code
        if self.truncate and transport == "udp" and answers:
            records, answers, flags = b"", 0, flags | 0x0200
        authority = b""
        if not answers and code in (0, NXDOMAIN) and not flags & 0x0200:
            authority = record("test", "SOA", 3600, encode_name("ns.test") + encode_name("me.test") +
                               struct.pack("!5I", 1, 2, 3, 4, self.negative_ttl))
        return query[:2] + struct.pack("!5H", flags, 1, answers, bool(authority), 0) + \
            question + records + authority

    def _serve_udp(self):
        while True:
            try:
                query, client = self._udp.recvfrom(4096)
                if self._closed:
                    return
                reply = self._answer(query, "udp")
                if reply is not None:
                    self._udp.sendto(reply, client)
            except OSError:
                if self._closed:
                    return

    def _serve_tcp(self):
        while True:
            try:
                client, _ = self._tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_stream, args=(client,), daemon=True).start()

    def _serve_stream(self, client):
        with client, client.makefile("rb") as stream:
            try:
                while True:
                    prefix = stream.read(2)
                    if len(prefix) < 2:
                        return
                    reply = self._answer(stream.read(struct.unpack("!H", prefix)[0]), "tcp")
                    if reply is None:
                        return
                    reply = struct.pack("!H", len(reply)) + reply
                    for byte in reply[:10] if self.pieces else b"":
                        client.sendall(bytes([byte]))
                    client.sendall(reply[10:] if self.pieces else reply)
            except OSError:
                pass

    def close(self):
        self._closed = True
        for one in (self._udp, self._tcp):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
