#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Measures what the content modules cost: a listing of 100,000 entries or more (beside nginx and lighttpd,
where they are installed), how another client fares meanwhile, and a small file with vhost and
without. LHTTPD and LOPHTTPD_MODULE_PATH name the program and its modules; wrk is needed for vhost.
"""
import argparse
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")
PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
LHTTPD = os.path.abspath(os.environ.get("LHTTPD") or "lhttpd")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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
        with open("/proc/%d/stat" % self.process.pid, encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

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


def measure_listing(root, entries, rounds):
    print("listing of %d entries, made anew each time: best of %d" % (entries, rounds))
    servers = [("lhttpd", lhttpd("-i"), LHTTPD)]
    for name, command in (("nginx", nginx), ("lighttpd", lighttpd)):
        binary = shutil.which(name, path=PATH)
        if binary:
            servers.append((name, command, binary))
    for name, command, binary in servers:
        rows = []
        latencies, ended = [], threading.Event()
        with Running(command, binary, root) as server:
            server.get("/big/")     # the kernel's caches, alike for all
            thread = threading.Thread(target=probe, args=(server, latencies, ended))
            thread.start()
            for number in range(rounds):
                os.utime(root + "/big", (number, number))    # nothing that was kept is good
                before = server.cpu()
                first, last, size = server.get("/big/")
                rows.append((last, first, server.cpu() - before, size))
            ended.set()
            thread.join()
            latencies.sort()
            last, first, cpu, size = min(rows)
            print("  %-9s first byte %5.3f s, all %5.3f s, CPU %5.2f s, %4.1f MiB, peak %3.0f MiB; "
                  "another client's 1 KiB: p99 %5.1f ms" %
                  (name, first, last, cpu, size / 2**20, server.peak(),
                   latencies[int(len(latencies) * 0.99)] * 1000))


def measure_vhost(root, rounds):
    wrk = shutil.which("wrk")
    if not wrk:
        print("vhost: wrk is not installed")
        return
    print("1 KiB file, CPU a request: best of %d" % rounds)
    costs = {"without vhost": [], "with vhost": []}
    with Running(lhttpd(), LHTTPD, root) as plain, Running(lhttpd("-H"), LHTTPD, root) as hosts:
        for _ in range(rounds):
            for name, server, host in (("without vhost", plain, "bench"),
                                       ("with vhost", hosts, "bench:80")):
                before = server.cpu()
                done = subprocess.run([wrk, "-t1", "-c32", "-d3", "-H", "Host: " + host,
                                       "http://127.0.0.1:%d/kib" % server.port],
                                      stdout=subprocess.PIPE, check=True, text=True)
                count = int(re.search(r"(\d+) requests in", done.stdout)[1])
                costs[name].append((server.cpu() - before) / count)
    for name, values in costs.items():
        print("  %-14s %5.2f us" % (name, min(values) * 1e6))
    print("  difference     %+.1f %%" % (100 * (min(costs["with vhost"]) /
                                              min(costs["without vhost"]) - 1)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--entries", type=int, default=100000)
    options = parser.parse_args()
    rounds = options.rounds
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
        measure_listing(root, options.entries, rounds)
        measure_vhost(root, rounds)
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
