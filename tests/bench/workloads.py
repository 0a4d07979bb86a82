# SPDX-License-Identifier: BSD-2-Clause
"""The workloads: one table, and the served tree that they ask from."""

import random
from dataclasses import dataclass

ZIPF_FILES = 10000
ZIPF_SEQUENCE = 65536
ZIPF_SIZES = (512, 1024, 2048, 4096, 8192, 16384)
KIB = 1024
MIB = 1024 * 1024
MIDDLE = "/big/64k.bin"
LARGE = "/big/1m.bin"
BIG = "/big/100m.bin"
PROXIES = ("lhttpd", "nginx", "haproxy", "h2o")
PROXIED = {"proxied": True, "servers": PROXIES, "log": True}
# Rates that the slowest of them sustains with time to spare on a small machine.
RATED = {"kind": "load", **PROXIED, "servers": ("lhttpd", "nginx", "haproxy")}


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    kind: str                 # wrk, load, fair, idle, start, calls, waiting,
                              # handshake, cipher, encrypt
    path: str = "/1k.html"
    connections: int = 64
    header: str = ""          # an additional request field
    script: tuple = ("plain",)
    status: int = 200         # what every answer must be
    floor_body: int = KIB     # bytes that the floor answers with (bulk: the same file);
                              # negative: it does not take part
    floor_status: str = "200 OK"
    close: bool = False
    rate: int = 0             # requests a second, of whatever speed the server is; 0: as many
                              # as there are answers
    log: bool = False
    provider: str = ""        # lhttpd's log provider, "" its default
    busy_disk: bool = False   # another process writes to the log's disk as fast as it can
    servers: tuple = ()       # only these; empty: all
    bulk: bool = False        # rate in GiB/s and CPU in ms a GiB, not a request
    once: bool = False        # measured in the first round only
    bare: bool = False        # lhttpd without its sandbox takes part too
    tls: str = ""             # kind of the server's certificate: ec, rsa; "" without TLS
    resumed: bool = False     # handshakes resume a session
    proxied: bool = False     # the servers are proxies, before the floor as their backend
    conditional: bool = False # the header is If-None-Match with the server's own ETag


WORKLOADS = (
    Workload("1k", "1 KiB file, keep-alive", "wrk", bare=True),
    Workload("1k-log", "1 KiB file, keep-alive, access log on", "wrk", log=True, floor_body=-1),
    Workload("1k-mmap", "1 KiB file, keep-alive, access log by mmap", "wrk", log=True,
             provider="mmap", floor_body=-1, servers=("lhttpd",)),
    Workload("1k-aio", "1 KiB file, keep-alive, access log by aio", "wrk", log=True,
             provider="aio", floor_body=-1, servers=("lhttpd",)),
    Workload("disk", "1 KiB file, no access log, while the disk is saturated", "wrk",
             busy_disk=True, floor_body=-1, servers=("lhttpd",)),
    Workload("disk-log", "1 KiB file, access log, while the disk is saturated", "wrk", log=True,
             busy_disk=True, floor_body=-1, servers=("lhttpd", "nginx")),
    Workload("disk-mmap", "the same, access log by mmap", "wrk", log=True, provider="mmap",
             busy_disk=True, floor_body=-1, servers=("lhttpd",)),
    Workload("disk-aio", "the same, access log by aio", "wrk", log=True, provider="aio",
             busy_disk=True, floor_body=-1, servers=("lhttpd",)),
    Workload("4k", "4 KiB file, keep-alive", "wrk", path="/4k.html", floor_body=4 * KIB),
    Workload("64k", "64 KiB file, keep-alive", "load", path=MIDDLE, bulk=True),
    Workload("100m", "100 MiB file, 16 connections", "load", path=BIG, connections=16,
             bulk=True),
    Workload("zipf", "10,000 files of 0.5 to 16 KiB by Zipf's law", "wrk",
             script=("zipf", str(ZIPF_FILES), str(ZIPF_SEQUENCE)), path="/z/01/00001.html",
             floor_body=4 * KIB),
    Workload("close", "1 KiB file, a new connection for each request", "wrk",
             header="Connection: close", close=True),
    Workload("pipeline", "1 KiB file, 16 pipelined", "wrk", script=("pipeline", "16")),
    Workload("2000", "1 KiB file, 2,000 connections", "wrk", connections=2000),
    Workload("304", "conditional: If-None-Match with the current ETag", "wrk", conditional=True,
             status=304, floor_body=0, floor_status="304 Not Modified"),
    Workload("404", "a file that is not there", "wrk", path="/absent.html", status=404,
             floor_body=150, floor_status="404 Not Found"),
    Workload("range", "one range of 1 KiB of a 64 KiB file", "wrk", path=MIDDLE,
             header="Range: bytes=20000-21023", status=206, floor_body=KIB,
             floor_status="206 Partial Content"),
    Workload("ranges", "three ranges of a 64 KiB file (multipart)", "wrk", path=MIDDLE,
             header="Range: bytes=0-99,20000-20499,60000-60099", status=206, floor_body=KIB,
             floor_status="206 Partial Content"),
    Workload("tls-1k", "1 KiB file over TLS, keep-alive", "wrk", tls="ec", floor_body=-1),
    Workload("tls-64k", "64 KiB file over TLS, keep-alive", "wrk", path=MIDDLE, tls="ec",
             bulk=True, floor_body=-1),
    Workload("tls-1m", "1 MiB file over TLS, keep-alive", "wrk", path=LARGE, connections=16,
             tls="ec", bulk=True, floor_body=-1),
    Workload("plain-1m", "the same without TLS", "load", path=LARGE, connections=16, bulk=True,
             servers=("lhttpd",), floor_body=-1),
    Workload("cipher", "the cipher alone: openssl speed -evp aes-256-gcm", "cipher", bulk=True,
             servers=("lhttpd",), floor_body=-1),
    Workload("tls-least", "the same by a loop that reads, encrypts and sends, and nothing else",
             "encrypt", path=LARGE, bulk=True, servers=("lhttpd",), floor_body=-1),
    Workload("tls-ecdsa", "full handshakes, ECDSA P-256, and one answer", "handshake", tls="ec",
             floor_body=-1),
    Workload("tls-rsa", "full handshakes, RSA 2048, and one answer", "handshake", tls="rsa",
             floor_body=-1),
    Workload("tls-resumed", "resumed handshakes, and one answer", "handshake", tls="ec",
             resumed=True, floor_body=-1),
    Workload("fair", "1 KiB requests while 500 clients download 100 MiB each", "fair",
             connections=500, floor_body=-1),
    Workload("proxy-1k", "proxy: 1 KiB, access log on", "wrk", **PROXIED),
    Workload("proxy-1k-new", "proxy: 1 KiB, a new connection for each request, access log on",
             "wrk", header="Connection: close", close=True, **PROXIED),
    Workload("proxy-64k", "proxy: 64 KiB, access log on", "load", path=MIDDLE, bulk=True,
             **PROXIED),
    Workload("proxy-64k-new", "proxy: 64 KiB, a new connection for each request, access log on",
             "load", path=MIDDLE, bulk=True, close=True, **PROXIED),
    Workload("proxy-100m", "proxy: 100 MiB, 16 connections, access log on", "load", path=BIG,
             connections=16, bulk=True, **PROXIED),
    Workload("proxy-100m-new", "proxy: 100 MiB, 16 connections, new ones, access log on", "load",
             path=BIG, connections=16, bulk=True, close=True, **PROXIED),
    Workload("proxy-1k-rate", "proxy: 1 KiB, 10,000 requests a second, access log on",
             rate=10000, **RATED),
    Workload("proxy-1k-new-rate", "proxy: 1 KiB, 4,000 new connections a second, access log on",
             rate=4000, close=True, **RATED),
    Workload("proxy-64k-rate", "proxy: 64 KiB, 3,000 requests a second, access log on",
             path=MIDDLE, floor_body=64 * KIB, rate=3000, **RATED),
    Workload("proxy-64k-new-rate", "proxy: 64 KiB, 2,000 new connections a second, access log on",
             path=MIDDLE, floor_body=64 * KIB, rate=2000, close=True, **RATED),
    Workload("proxy-waiting", "proxy: 1,000 requests that wait for their answers", "waiting",
             connections=1000, once=True, proxied=True, servers=PROXIES),
    Workload("idle", "20,000 idle keep-alive connections", "idle", connections=20000, once=True),
    Workload("start", "from exec to the first byte", "start", once=True),
    Workload("calls", "system calls a request (strace), 1 KiB and idle", "calls", connections=16,
             once=True),
)


def make_tree(root):
    """The served files: fixed content, readable by any user a server drops to."""
    noise = random.Random(1)
    block = noise.randbytes(MIB)
    text = (b"<!doctype html><title>bench</title><p>" +
            bytes(noise.choices(b"abcdefghijklmnopqrstuvwxyz \n", k=16 * KIB)))

    def write(path, size, content):
        with open(path, "wb") as file:
            for start in range(0, size, len(content)):
                file.write(content[:min(len(content), size - start)])
        path.chmod(0o644)

    for folder in (root, root / "big", root / "z"):
        folder.mkdir()
        folder.chmod(0o755)
    write(root / "1k.html", KIB, text)
    write(root / "4k.html", 4 * KIB, text)
    write(root / MIDDLE[1:], 64 * KIB, block)
    write(root / LARGE[1:], MIB, block)
    write(root / BIG[1:], 100 * MIB, block)
    for folder in range(100):
        path = root / "z" / f"{folder:02d}"
        path.mkdir()
        path.chmod(0o755)
    for rank in range(1, ZIPF_FILES + 1):
        write(root / zipf_path(rank)[1:], ZIPF_SIZES[rank % len(ZIPF_SIZES)], text)


def zipf_path(rank):
    """The path that wrk.lua asks for this rank."""
    return f"/z/{rank % 100:02d}/{rank:05d}.html"
