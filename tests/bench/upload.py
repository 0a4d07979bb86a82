#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Uploads by PUT compared: lhttpd, nginx's dav module, lighttpd's webdav, taking turns.

    python3 tests/bench/upload.py --lhttpd ./lhttpd --modules ./modules/.libs [--size MIB]
        [--folder DIR] [--runs N]

One worker each; sender and servers share the machine. Prints for each server the median of the
time until the answer, and of the CPU time (user and system) that the server used, over the runs.
Of the three only lhttpd has synced the file when it answers; both numbers are therefore also given
with a sync of the file behind it, which for the others the sender does.
"""
import argparse
import os
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time

NGINX = """daemon off; master_process off; worker_processes 1; pid %(root)s/pid; user root;
error_log /dev/null; events { }
http { access_log off; client_max_body_size 0; client_body_temp_path %(root)s/temporary;
client_body_buffer_size 256k;
server { listen 127.0.0.1:%(port)d; root %(root)s/files; location / { dav_methods PUT; } } }
"""
LIGHTTPD = """server.document-root = "%(root)s/files"
server.port = %(port)d
server.bind = "127.0.0.1"
server.modules = ("mod_webdav")
server.upload-dirs = ("%(root)s/temporary")
server.stream-request-body = 0
webdav.activate = "enable"
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def command(name, options, root, port):
    if name == "lhttpd":
        return [os.path.abspath(options.lhttpd), "-R", root, "-p", str(port), "-l", "127.0.0.1",
                "-n", "1", "-q", "-u", options.user, "-U", "files"]
    text = (NGINX if name == "nginx" else LIGHTTPD) % {"root": root, "port": port}
    with open(os.path.join(root, "conf"), "w", encoding="ascii") as file:
        file.write(text)
    if name == "nginx":
        return ["nginx", "-c", os.path.join(root, "conf"), "-p", root]
    return ["lighttpd", "-D", "-f", os.path.join(root, "conf")]


def cpu(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def send(port, name, source, size):
    """One PUT by sendfile; returns the status line."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"PUT /%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n"
                           b"Connection: close\r\n\r\n" % (name.encode(), size))
        offset = 0
        while offset < size:
            offset += os.sendfile(connection.fileno(), source, offset, size - offset)
        answer = b""
        while True:
            piece = connection.recv(4096)
            if not piece:
                return answer.split(b"\r\n")[0].decode()
            answer += piece


class Peer:
    """One of the servers, running in a folder of its own."""

    def __init__(self, name, options):
        self.name = name
        self.root = tempfile.mkdtemp(prefix="lophttpd-bench-", dir=options.folder)
        os.chmod(self.root, 0o755)
        for folder in ("files", "temporary"):
            os.mkdir(os.path.join(self.root, folder))
            shutil.chown(os.path.join(self.root, folder), options.user)
        self.port = free_port()
        environment = dict(os.environ, LOPHTTPD_MODULE_PATH=os.path.abspath(options.modules))
        self.process = subprocess.Popen(command(name, options, self.root, self.port),
                                        env=environment, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        self.rows = []
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except OSError:
                time.sleep(0.02)

    def measure(self, source, size):
        before, start = cpu(self.process.pid), time.monotonic()
        status = send(self.port, "file", source, size)
        answered = time.monotonic() - start
        used = cpu(self.process.pid) - before
        path = os.path.join(self.root, "files", "file")
        if os.path.getsize(path) != size:
            raise SystemExit("%s stored %d bytes: %s" % (self.name, os.path.getsize(path), status))
        own = sum(os.times()[:2])
        with open(path, "rb") as file:
            os.fsync(file.fileno())
        synced = time.monotonic() - start
        self.rows.append((answered, synced, used, used + sum(os.times()[:2]) - own))
        os.unlink(path)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        shutil.rmtree(self.root)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lhttpd", default="./lhttpd")
    parser.add_argument("--modules", default="./modules/.libs")
    parser.add_argument("--size", type=int, default=1024, help="MiB")
    parser.add_argument("--folder", default=None, help="where the files go")
    parser.add_argument("--user", default="www-data")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    size = options.size << 20
    with tempfile.TemporaryFile(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as source:
        block = os.urandom(1 << 20)
        for _ in range(options.size):
            source.write(block)
        source.flush()
        print("%-10s %10s %10s %10s %10s" % ("server", "answer s", "synced s", "CPU s",
                                             "synced CPU"))
        peers = []
        try:
            for name in ("lhttpd", "nginx", "lighttpd"):
                if name == "lhttpd" or shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin"):
                    peers.append(Peer(name, options))
                else:
                    print("%-10s not installed" % name)
            # One round more, of which nothing is kept: memory is touched for the first time.
            for run in range(options.runs + 1):
                for peer in peers[run % len(peers):] + peers[:run % len(peers)]:
                    peer.measure(source.fileno(), size)
        finally:
            for peer in peers:
                peer.stop()
        for peer in peers:
            print("%-10s %10.3f %10.3f %10.3f %10.3f" % (
                (peer.name,) + tuple(statistics.median(column)
                                     for column in zip(*peer.rows[1:]))))


if __name__ == "__main__":
    main()
