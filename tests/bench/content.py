#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Measures what the content modules cost: a listing of 100,000 entries or more (beside nginx and lighttpd,
where they are installed), how another client fares meanwhile, and a small file with vhost and
without. The servers take turns; ratios are formed in each round, and their median counts. LHTTPD and
LOPHTTPD_MODULE_PATH name the program and its modules; wrk is needed for vhost.
"""
import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True

from measure import cpu_ns, free_port  # noqa: E402

PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
LHTTPD = os.path.abspath(os.environ.get("LHTTPD") or "lhttpd")


def nginx(binary, root, port, folder):
    with open(folder + "/nginx.conf", "w", encoding="ascii") as file:
        file.write("daemon off; master_process off; worker_processes 1; pid %s/pid;\n"
                   "error_log %s/error.log crit; events { worker_connections 512; }\n"
                   "http { access_log off; client_body_temp_path %s/b; proxy_temp_path %s/p;\n"
                   "fastcgi_temp_path %s/f; uwsgi_temp_path %s/u; scgi_temp_path %s/s;\n"
                   "server { listen 127.0.0.1:%d; root %s; autoindex on; } }\n"
                   % (*[folder] * 7, port, root))
    return [binary, "-p", folder, "-e", folder + "/error.log", "-c", folder + "/nginx.conf"]


def lighttpd(binary, root, port, folder):
    with open(folder + "/lighttpd.conf", "w", encoding="ascii") as file:
        file.write('server.document-root = "%s"\nserver.bind = "127.0.0.1"\nserver.port = %d\n'
                   'server.modules = ("mod_dirlisting")\ndir-listing.activate = "enable"\n'
                   % (root, port))
    return [binary, "-D", "-f", folder + "/lighttpd.conf"]


def lhttpd(*options):
    def command(binary, root, port, _folder):
        return [binary, "-R", root, "-p", str(port), "-l", "127.0.0.1", "-n", "1", "-q", *options]
    return command


class Running:
    """One server, from start to stop."""

    def __init__(self, command, binary, root):
        self.folder = tempfile.mkdtemp(prefix="lophttpd-bench-")
        self.port = free_port()
        self.process = subprocess.Popen(command(binary, root, self.port, self.folder),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.02)
        raise SystemExit("%s does not start" % binary)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def cpu(self):
        """Seconds that the scheduler charged to all threads."""
        return cpu_ns([self.process.pid]) / 1e9

    def peak(self):
        with open("/proc/%d/status" % self.process.pid, encoding="ascii") as file:
            return int(re.search(r"VmHWM:\s+(\d+)", file.read())[1]) / 1024

    def get(self, path):
        """Seconds to the first byte and to the last, and bytes."""
        begin = time.perf_counter()
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(b"GET %s HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"
                               % path.encode())
            size = len(connection.recv(1 << 20))
            first = time.perf_counter() - begin
            while True:
                more = connection.recv(1 << 20)
                if not more:
                    return first, time.perf_counter() - begin, size
                size += len(more)


def probe(server, latencies, ended):
    """Asks for 1 KiB once a millisecond."""
    connection = socket.create_connection(("127.0.0.1", server.port))
    while not ended.is_set():
        begin = time.perf_counter()
        connection.sendall(b"GET /kib HTTP/1.1\r\nHost: bench\r\n\r\n")
        data = b""
        while b"\r\n\r\n" not in data or len(data.split(b"\r\n\r\n", 1)[1]) < 1024:
            more = connection.recv(65536)
            if not more:
                break
            data += more
        if data:
            latencies.append(time.perf_counter() - begin)
        if not data or b"onnection: close" in data:  # so many requests, so it says, are enough
            connection.close()
            connection = socket.create_connection(("127.0.0.1", server.port))
        time.sleep(0.001)
    connection.close()


class Targets:
    """What lhttpd is to reach, and did or did not."""

    def __init__(self):
        self.lines = []

    def add(self, what, value, form, most):
        self.lines.append("  %-7s %s: %s, at most %s" % ("reached" if value <= most else "SHORT", what,
                                                         form % value, form % most))

    def print(self):
        print("targets")
        print("\n".join(self.lines))


def latency_meanwhile(server, folder, rounds):
    """The 99th percentile in seconds of another client that asks for 1 KiB."""
    latencies, ended = [], threading.Event()
    thread = threading.Thread(target=probe, args=(server, latencies, ended))
    thread.start()
    for number in range(rounds):
        os.utime(folder, (number, number))
        server.get("/big/")
    ended.set()
    thread.join()
    latencies.sort()
    return latencies[int(len(latencies) * 0.99)]


def measure_listing(root, entries, rounds, targets):
    print("listing of %d entries, made anew each time: medians of %d rounds" % (entries, rounds))
    folder = root + "/big"
    servers = {"lhttpd": Running(lhttpd("-i"), LHTTPD, root)}
    for name, command in (("nginx", nginx), ("lighttpd", lighttpd)):
        binary = shutil.which(name, path=PATH)
        if binary:
            servers[name] = Running(command, binary, root)
    names = list(servers)
    rows = {name: [] for name in names}
    try:
        for server in servers.values():
            server.get("/big/")     # the kernel's caches, alike for all
        for number in range(rounds):
            for name in names[number % len(names):] + names[:number % len(names)]:
                os.utime(folder, (number, number))    # nothing that was kept is good
                before = servers[name].cpu()
                first, last, size = servers[name].get("/big/")
                rows[name].append((servers[name].cpu() - before, first, last, size))
        for name, server in servers.items():
            cpu, first, last, size = map(statistics.median, zip(*rows[name]))
            p99 = latency_meanwhile(server, folder, 3)
            ratio = statistics.median(one[0] / other[0]
                                      for one, other in zip(rows[name], rows["lhttpd"]))
            print("  %-9s first byte %5.3f s, all %5.3f s, CPU %5.3f s (%4.2f), %4.1f MiB, peak %3.0f "
                  "MiB; another client's 1 KiB: p99 %5.1f ms"
                  % (name, first, last, cpu, ratio, size / 2**20, server.peak(), p99 * 1000))
            if name == "lhttpd":
                targets.add("listing, first byte in seconds", first, "%.2f", 1)
                targets.add("listing, memory in MiB", server.peak(), "%.0f", 64)
                targets.add("listing, p99 of another client in ms", p99 * 1000, "%.1f", 20)
            else:
                targets.add("listing, CPU / " + name, 1 / ratio, "%.2f", 1)
    finally:
        for server in servers.values():
            server.__exit__()


def measure_vhost(root, rounds, targets):
    wrk = shutil.which("wrk")
    if not wrk:
        print("vhost: wrk is not installed")
        return
    print("1 KiB file, CPU a request: medians of %d rounds" % (2 * rounds))
    costs = {"without vhost": [], "with vhost": []}
    with Running(lhttpd(), LHTTPD, root) as plain, Running(lhttpd("-H"), LHTTPD, root) as hosts:
        servers = [("without vhost", plain), ("with vhost", hosts)]
        for number in range(2 * rounds):
            for name, server in servers[::-1] if number % 2 else servers:
                before = server.cpu()
                done = subprocess.run([wrk, "-t1", "-c32", "-d2", "-H", "Host: bench:80",
                                       "http://127.0.0.1:%d/kib" % server.port],
                                      stdout=subprocess.PIPE, check=True, text=True)
                count = int(re.search(r"(\d+) requests in", done.stdout)[1])
                costs[name].append((server.cpu() - before) / count)
    for name, values in costs.items():
        print("  %-14s %5.2f us" % (name, statistics.median(values) * 1e6))
    ratio = statistics.median(one / other for one, other in
                              zip(costs["with vhost"], costs["without vhost"]))
    targets.add("vhost, CPU / without", ratio, "%.3f", 1.03)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--entries", type=int, default=100000)
    options = parser.parse_args()
    rounds = options.rounds
    targets = Targets()
    root = tempfile.mkdtemp(prefix="lophttpd-bench-tree-")
    try:
        os.chmod(root, 0o755)
        os.makedirs(root + "/big")
        os.makedirs(root + "/vhostbench")
        for path in (root + "/kib", root + "/vhostbench/kib"):
            with open(path, "wb") as file:
                file.write(b"k" * 1024)
        for number in range(options.entries):
            os.close(os.open("%s/big/package-name-%d_1.2.deb" % (root, number),
                             os.O_CREAT | os.O_WRONLY, 0o644))
        measure_listing(root, options.entries, rounds, targets)
        measure_vhost(root, rounds, targets)
        targets.print()
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
