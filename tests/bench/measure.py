# SPDX-License-Identifier: BSD-2-Clause
"""Runs one server under one workload and measures it.

CPU time is the scheduler's own account of every thread of the server's process tree
(/proc/PID/task/TID/schedstat, nanoseconds), taken around the load: it leaves out what other
programs on the machine do, which the rate does not.
"""

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from disk import Stalls, slow_disk, writer
from servers import Setup
from workloads import BIG, ZIPF_FILES, zipf_path

READY_SECONDS = 5.0
# A backend that takes requests and never answers; it answers /1k.html, which the start asks for.
HOLD = """
import asyncio, sys
async def serve(reader, writer):
    while True:
        head = await reader.readuntil(b"\\r\\n\\r\\n")
        if b" /1k.html " in head:
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()
asyncio.run(main())
"""
STOP_SECONDS = 3.0
WARM_SECONDS = 0.15
STARTS = 20
LEAST_LOGGED = 0.99
PROBE_CONNECTIONS = 32
PROBE_PAUSE_US = 1000
FEWEST_CONNECTIONS = 4096
SPARE_CONNECTIONS = 1024
# The share of the descriptor limit that may become idle connections: what the server needs
# beside them, lhttpd's room for its file cache, and lighttpd's own rule (connections at most
# half of its descriptors).
DESCRIPTOR_SHARE = {"lhttpd": 0.7, "lighttpd": 0.45}
DESCRIPTOR_SHARE_ELSE = 0.9


class Failure(Exception):
    """A measurement that is worth nothing; the message says why."""


def process_tree(pid):
    """The process and its descendants."""
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = stat.read_text().rsplit(")", 1)[1].split()
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    tree = [pid]
    for member in tree:
        tree.extend(children.get(member, ()))
    return tree


def cpu_ns(pids):
    total = 0
    for pid in pids:
        for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                total += int(path.read_text().split()[0])
    return total


def memory_kib(pids):
    """PSS of the tree: private pages plus its share of those it shares; RSS if that is denied."""
    total = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1))
        except (OSError, AttributeError):
            with contextlib.suppress(OSError):
                pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                total += pages * resource.getpagesize() // 1024
    return total


def set_niceness(value):
    """For this process, and for its session where the kernel schedules sessions as groups."""
    if value:
        with contextlib.suppress(OSError):
            os.nice(value)
            Path("/proc/self/autogroup").write_text(str(value))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connect(port, encrypted):
    conn = socket.create_connection(("127.0.0.1", port), timeout=READY_SECONDS)
    if not encrypted:
        return conn
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        return context.wrap_socket(conn)
    except OSError:
        conn.close()
        raise


def fetch(port, path, header="", encrypted=False):
    """One request on its own connection: the status, the head, and the size of the body."""
    extra = header + "\r\n" if header else ""
    with connect(port, encrypted) as conn:
        conn.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{extra}\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            piece = conn.recv(65536)
            if not piece:
                raise Failure(f"closed before the end of the head: {data[:60]!r}")
            data += piece
        head, body = data.split(b"\r\n\r\n", 1)
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
        wanted, size = int(length.group(1)) if length else 0, len(body)
        while size < wanted:
            count = len(conn.recv(1 << 20))
            if count == 0:
                raise Failure(f"closed after {size} of {wanted} bytes")
            size += count
    return int(head.split()[1]), head.decode("latin-1"), size


class Bench:
    """What all measurements share: cores, programs, the served tree, the running children."""

    def __init__(self, work, programs, servers, options):
        self.work = work
        self.root = work / "root"
        self.programs = programs
        self.servers = servers
        self.server_cpu = options.server_cpu
        self.client_cpu = options.client_cpu
        self.seconds = options.duration
        self.nice = options.nice
        self.children = []
        self.logged = 0     # lines in the log of the server that ran last

    # Children ----------------------------------------------------------------------------

    def spawn(self, command, cpu, realtime=False, **how):
        def prepare():
            os.sched_setaffinity(0, {cpu})
            set_niceness(self.nice)
            if realtime:
                with contextlib.suppress(OSError):
                    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))

        # A session of its own: Ctrl-C reaches this script only, which then stops its children.
        child = subprocess.Popen(command, preexec_fn=prepare, start_new_session=True, **how)
        self.children.append(child)
        return child

    def stop(self, child, sign=signal.SIGTERM):
        pids = process_tree(child.pid) if child.poll() is None else []
        if pids:
            child.send_signal(sign)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            child.wait()
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe:
                pipe.close()
        if child in self.children:
            self.children.remove(child)

    def stop_all(self):
        for child in list(self.children):
            self.stop(child)

    def client(self, program, *arguments, realtime=False, **how):
        command = [program if "/" in program else str(self.programs / program), *arguments]
        return self.spawn(command, self.client_cpu, realtime=realtime, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, **how)

    def result(self, child, patience):
        """Waits for a client and returns its JSON line."""
        try:
            out, err = child.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            raise Failure("the client did not end") from None
        finally:
            self.stop(child)
        if child.returncode != 0:
            raise Failure(f"the client failed: {err.strip() or out.strip()}")
        line = next((l for l in out.splitlines() if l.startswith(("@@ ", "{"))), None)
        if line is None:
            raise Failure(f"no result from the client: {out.strip()}")
        return json.loads(line.removeprefix("@@ "))

    # Servers -----------------------------------------------------------------------------

    def setup(self, workload, folder):
        arguments = ["-S", workload.floor_status]
        if workload.bulk:
            arguments += ["-f", str(self.root / workload.path[1:])]
        else:
            arguments += ["-s", str(max(workload.floor_body, 0))]
        if workload.close:
            arguments.append("-c")
        folder.chmod(0o755)
        if os.geteuid() == 0:       # lighttpd opens its logs when it is no longer root
            with contextlib.suppress(LookupError):
                shutil.chown(folder, "www-data", "www-data")
        limit = int(resource.getrlimit(resource.RLIMIT_NOFILE)[0] * 0.95)
        wanted = max(FEWEST_CONNECTIONS, workload.connections + SPARE_CONNECTIONS)
        return Setup(root=self.root, folder=folder, port=free_port(), log=workload.log,
                     provider=workload.provider, tls=self.certificate(workload.tls),
                     latency=workload.kind == "fair",
                     connections=min(limit, wanted), floor=arguments)

    @contextlib.contextmanager
    def backend(self, workload, setup):
        """What a proxy asks, on the clients' core; 0 when the row is none of proxies."""
        if not workload.proxied:
            yield 0
            return
        port = free_port()
        command = ([sys.executable, "-c", HOLD, str(port)] if workload.kind == "waiting" else
                   [str(self.programs / "floor"), "-l", "127.0.0.1", "-p", str(port),
                    *(word for word in setup.floor if word != "-c")])
        child = self.spawn(command, self.client_cpu, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.await_ready(child, port, setup.folder)
            yield port
        finally:
            self.stop(child)

    @contextlib.contextmanager
    def running(self, name, workload):
        """A server, ready to answer: (port, pids of its tree)."""
        if workload.busy_disk:
            with slow_disk(self.work) as disk, self.running_in(disk or self.work, name,
                                                               workload) as running:
                yield running
        else:
            with self.running_in(self.work, name, workload) as running:
                yield running

    @contextlib.contextmanager
    def running_in(self, place, name, workload):
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=place))
        setup = self.setup(workload, folder)
        (folder / "stderr").touch()
        with self.backend(workload, setup) as setup.backend:
            with self.serving(name, workload, setup) as served:
                yield served

    @contextlib.contextmanager
    def serving(self, name, workload, setup):
        folder = setup.folder
        command = self.servers.command(name, setup)
        with open(folder / "stderr", "wb") as errors:
            child = self.spawn(command, self.server_cpu, stdin=subprocess.DEVNULL,
                               stdout=errors, stderr=errors, cwd="/")
        noise = None
        try:
            self.await_ready(child, setup.port, folder, bool(workload.tls))
            if workload.busy_disk:
                noise = self.spawn(writer(folder), self.client_cpu)
                time.sleep(1.0)
            yield setup.port, process_tree(child.pid)
        finally:
            if noise:
                self.stop(noise, signal.SIGKILL)
            self.stop(child)
            if workload.log:
                self.logged = sum(path.read_bytes().count(b"\n")
                                  for path in folder.glob("access.log*"))
            shutil.rmtree(folder, ignore_errors=True)

    def certificate(self, kind):
        """The path, without its ending, of a certificate and key of that kind, made once."""
        if not kind:
            return ""
        base = self.work / kind
        key = (["-newkey", "rsa:2048"] if kind == "rsa" else
               ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
        if not base.with_suffix(".pem").exists():
            subprocess.run(["openssl", "req", "-x509", *key, "-nodes", "-days", "2", "-subj",
                            "/CN=bench.test", "-keyout", f"{base}.key", "-out", f"{base}.pem"],
                           check=True, stderr=subprocess.DEVNULL)
        return str(base)

    def await_ready(self, child, port, folder, encrypted=False):
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            if child.poll() is not None:
                break
            with contextlib.suppress(OSError, Failure):
                fetch(port, "/1k.html", "Connection: close", encrypted)
                return
            time.sleep(0.005)
        said = (folder / "stderr").read_text(errors="replace").strip().splitlines()[-1:]
        raise Failure(f"did not start: {said[0] if said else 'no message'}")

    # Measurements ------------------------------------------------------------------------

    def check(self, port, workload, header):
        """A wrong answer is fast as well: no measurement without a look at one."""
        status, head, size = fetch(port, workload.path, header, bool(workload.tls))
        if status != workload.status:
            raise Failure(f"answers {status}, not {workload.status}")
        if workload.name == "ranges" and "floor" not in head and "multipart" not in head.lower():
            raise Failure("206 that is not multipart")
        return size

    def request_header(self, port, workload):
        if not workload.conditional:
            return workload.header
        head = fetch(port, workload.path)[1]
        tag = re.search(r"^etag: *(.+?)\r?$", head, re.I | re.M)
        if not tag:
            raise Failure("no ETag to ask with")
        return f"If-None-Match: {tag.group(1)}"

    def warm(self, port, workload):
        if workload.script[0] == "zipf":
            self.ask_every_file(port)
        path = workload.path if workload.status == 200 else "/1k.html"
        if workload.tls:
            for _ in range(16):
                fetch(port, path, encrypted=True)
            return
        self.result(self.client("load", "-p", str(port), "-d", str(WARM_SECONDS), "-c", "16",
                                path), WARM_SECONDS + READY_SECONDS)

    @staticmethod
    def ask_every_file(port):
        for first in range(1, ZIPF_FILES + 1, 50):
            batch = "".join(
                f"GET {zipf_path(rank)} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                f"{'Connection: close' + chr(13) + chr(10) if rank == first + 49 else ''}\r\n"
                for rank in range(first, first + 50))
            with socket.create_connection(("127.0.0.1", port), timeout=READY_SECONDS) as conn:
                conn.sendall(batch.encode())
                # The floor does not close: its answers are constant, so nothing is to warm.
                conn.settimeout(0.05 if first == 1 else READY_SECONDS)
                try:
                    while conn.recv(1 << 20):
                        pass
                except TimeoutError:
                    return

    def start_load(self, port, workload, header):
        url = f"{'https' if workload.tls else 'http'}://127.0.0.1:{port}{workload.path}"
        if workload.kind == "load":
            # A client that keeps time must not wait for the backend on its core.
            return self.client("load", "-p", str(port), "-d", str(self.seconds), "-c",
                               str(workload.connections), *(["-n"] if workload.close else []),
                               *(["-r", str(workload.rate)] if workload.rate else []),
                               workload.path, realtime=workload.rate > 0)
        seconds = str(max(1, round(self.seconds)))
        command = ["-t", "1", "-c", str(workload.connections), "-d", seconds + "s", "--timeout",
                   "5s", "-s", str(Path(__file__).with_name("wrk.lua"))]
        if header:
            command += ["-H", header]
        return self.client(shutil.which("wrk"), *command, url, "--", *workload.script)

    def loaded(self, port, pids, start, seconds):
        """Runs a load with the CPU account around it: its result and the server's figures."""
        before, began = cpu_ns(pids), time.monotonic()
        child = start()
        time.sleep(seconds * 0.7)
        memory = memory_kib(pids)
        result = self.result(child, seconds + 4 * READY_SECONDS)
        took = time.monotonic() - began
        used = cpu_ns(pids) - before
        result.update(cpu_ns=used, busy=used / 1e9 / took, pss_kib=memory)
        return result

    @staticmethod
    def watched(pids, workload):
        """The process with the loop is the last one: the first may be a master."""
        return Stalls(pids[-1]) if workload.busy_disk else contextlib.nullcontext()

    def measure_load(self, name, workload):
        with self.running(name, workload) as (port, pids):
            header = self.request_header(port, workload)
            self.check(port, workload, header)
            self.warm(port, workload)
            with self.watched(pids, workload) as stalls:
                result = self.loaded(port, pids,
                                     lambda: self.start_load(port, workload, header),
                                     max(1.0, self.seconds))
        if stalls:
            result["stall_ms"] = stalls.longest * 1000
        if result["answers"] == 0 and result["bytes"] == 0:
            raise Failure("no answer at all")
        if workload.log and self.logged < LEAST_LOGGED * result["answers"]:
            raise Failure(f"logged {self.logged} of {result['answers']} requests")
        return self.with_rates(result, workload)

    @staticmethod
    def with_rates(result, workload):
        gib = result["bytes"] / 2**30
        result["rate"] = (gib if workload.bulk else result["answers"]) / result["seconds"]
        if workload.bulk:
            result["cpu"] = result["cpu_ns"] / 1e6 / gib
        else:
            result["cpu"] = result["cpu_ns"] / 1e3 / result["answers"]
        return result

    def measure_handshake(self, name, workload):
        """Handshakes one after another by openssl s_time, each with a request."""
        seconds = max(1, round(self.seconds))
        command = ["s_time", "-connect", f"127.0.0.1:{{}}", "-www", workload.path, "-time",
                   str(seconds), "-reuse" if workload.resumed else "-new"]
        with self.running(name, workload) as (port, pids):
            self.check(port, workload, "")
            self.warm(port, workload)
            command[2] = command[2].format(port)
            before = cpu_ns(pids)
            child = self.client(shutil.which("openssl"), *command)
            out, err = child.communicate(timeout=seconds + 4 * READY_SECONDS)
            self.stop(child)
            used, memory = cpu_ns(pids) - before, memory_kib(pids)
        found = re.search(r"^(\d+) connections in (\d+) real seconds", out, re.M)
        if child.returncode != 0 or not found or found.group(1) == "0":
            raise Failure(f"openssl s_time: {(err or out).strip()[-200:]}")
        # One letter a handshake: r resumed, others not.
        if workload.resumed and not out.split("starting")[-1].strip().startswith("rrr"):
            raise Failure("no session was resumed")
        count = int(found.group(1))
        return {"answers": count, "bytes": 0, "errors": 0, "seconds": seconds,
                "rate": 1e9 * count / used, "cpu": used / 1e3 / count, "cpu_ns": used,
                "busy": used / 1e9 / seconds, "pss_kib": memory}

    def measure_cipher(self, _name, _workload):
        """What the cipher alone costs, in records of TLS."""
        child = self.spawn([shutil.which("openssl"), "speed", "-mr", "-seconds", "1", "-bytes",
                            "16384", "-evp", "aes-256-gcm"], self.server_cpu,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        out, _ = child.communicate(timeout=4 * READY_SECONDS)
        self.stop(child)
        found = re.search(r"^\+F:\d+:[^:]*:([\d.]+)", out, re.M)
        if not found:
            raise Failure("openssl speed said nothing")
        gib = float(found.group(1)) / 2**30
        return {"answers": 1, "bytes": 0, "errors": 0, "seconds": 1, "rate": gib,
                "cpu": 1000 / gib, "busy": 1.0, "pss_kib": 0}

    def measure_encrypt(self, _name, workload):
        """The bare loop that tls-1m is held against."""
        if not (self.programs / "encrypt").exists():
            raise Failure("encrypt.c could not be compiled: OpenSSL's headers are missing")
        child = self.spawn([str(self.programs / "encrypt"), str(self.client_cpu),
                            str(self.seconds), str(self.root / workload.path[1:])],
                           self.server_cpu, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True)
        result = self.result(child, self.seconds + 4 * READY_SECONDS)
        gib = result["bytes"] / 2**30
        return {"answers": 1, "bytes": result["bytes"], "errors": 0,
                "seconds": result["seconds"], "rate": gib / result["seconds"],
                "cpu": result["cpu_ns"] / 1e6 / gib,
                "busy": result["cpu_ns"] / 1e9 / result["seconds"], "pss_kib": 0}

    def measure_fair(self, name, workload):
        """Bulk downloads from one process, the probe in another with a higher priority."""
        seconds = max(2.0, self.seconds)
        with self.running(name, workload) as (port, pids):
            fetch(port, workload.path)
            hogs = self.client("load", "-p", str(port), "-d", str(seconds + 0.5), "-c",
                               str(workload.connections), BIG)
            time.sleep(0.3)
            probe = self.loaded(port, pids, lambda: self.client(
                "load", "-p", str(port), "-d", str(seconds), "-c", str(PROBE_CONNECTIONS),
                "-w", str(PROBE_PAUSE_US), workload.path, realtime=True), seconds)
            bulk = self.result(hogs, seconds + 4 * READY_SECONDS)
        gib = bulk["bytes"] / 2**30
        if gib == 0.0:
            raise Failure("no byte of the downloads")
        probe.update(rate=gib / bulk["seconds"], jain=bulk["jain"],
                     cpu=probe["cpu_ns"] / 1e6 / (gib * seconds / bulk["seconds"]))
        return probe

    @contextlib.contextmanager
    def idle_connections(self, port, count):
        child = self.client("idle", str(port), str(count), "/1k.html", stdin=subprocess.PIPE)
        try:
            line = child.stdout.readline()
            if not line.startswith("idle "):
                raise Failure(f"idle connections: {child.stderr.read().strip() or 'refused'}")
            time.sleep(0.2)
            yield
        finally:
            child.stdin.close()
            child.stdin = None
            self.stop(child)

    def measure_idle(self, name, workload):
        allowed = (resource.getrlimit(resource.RLIMIT_NOFILE)[0] *
                   DESCRIPTOR_SHARE.get(name, DESCRIPTOR_SHARE_ELSE))
        count = min(workload.connections, int(allowed))
        with self.running(name, workload) as (port, pids):
            empty = memory_kib(pids)
            with self.idle_connections(port, count):
                full = memory_kib(pids)
        return {"pss_kib": empty, "full_kib": full, "connections": count,
                "bytes_each": (full - empty) * 1024 / count}

    def measure_waiting(self, name, workload):
        """Memory of a proxied request: both connections are there, and no byte of an answer."""
        with self.running(name, workload) as (port, pids), contextlib.ExitStack() as stack:
            def ask(count):
                for _ in range(count):
                    conn = stack.enter_context(socket.create_connection(("127.0.0.1", port),
                                                                        READY_SECONDS))
                    conn.sendall(f"GET /wait HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
                                 .encode())
                time.sleep(0.5)
            ask(100)
            empty = memory_kib(pids)
            ask(workload.connections)
            full = memory_kib(pids)
        return {"pss_kib": empty, "full_kib": full, "connections": workload.connections,
                "bytes_each": (full - empty) * 1024 / workload.connections}

    def measure_start(self, name, workload):
        times = []
        for _ in range(STARTS):
            folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.work))
            setup = self.setup(workload, folder)
            command = self.servers.command(name, setup)
            child = self.client("start", str(self.server_cpu), str(setup.port), workload.path,
                                *command)
            try:
                out, err = child.communicate(timeout=4 * READY_SECONDS)
            finally:
                self.stop(child)
                shutil.rmtree(folder, ignore_errors=True)
            if child.returncode != 0:
                raise Failure(err.strip())
            times.append(float(out))
        return {"ms": statistics.median(times), "worst_ms": max(times)}

    # System calls ------------------------------------------------------------------------

    def strace(self, pids, *options):
        strace = shutil.which("strace")
        if not strace:
            raise Failure("no 'strace' in PATH: install it, or run with --install")
        attach = [word for pid in pids for word in ("-p", str(pid))]
        child = self.client(strace, "-f", "-q", *options, *attach)
        time.sleep(0.3)
        return child

    def measure_calls(self, name, workload):
        """Calls by name a request under load, and how many an idle second makes."""
        table, trace = self.work / "strace.table", self.work / "strace.trace"
        with self.running(name, workload) as (port, pids):
            self.warm(port, workload)
            child = self.strace(pids, "-c", "-U", "calls,name", "-o", str(table))
            load = self.result(self.client("load", "-p", str(port), "-d", "0.5", "-c",
                                           str(workload.connections), workload.path), 20)
            self.stop(child, signal.SIGINT)
            with self.idle_connections(port, workload.connections):
                child = self.strace(pids, "-ttt", "-o", str(trace))
                began = time.time()
                time.sleep(1.2)
                ended = time.time()
                self.stop(child, signal.SIGINT)
        # A connection itself may cost two of each call (the first recv and the one at its end).
        own = 2 * workload.connections
        calls = {found.group(2): max(0, int(found.group(1)) - own) / load["answers"]
                 for found in re.finditer(r"^\s*(\d+)\s+(\w+)$", table.read_text(), re.M)
                 if found.group(2) != "total"}
        stamps = [float(found.group(1)) for found in
                  re.finditer(r"^(?:\d+\s+)?(\d+\.\d+) \w+\(", trace.read_text(), re.M)]
        # Attaching interrupts the wait, which is then called again: that one is not counted.
        idle = sum(began <= stamp <= ended for stamp in stamps) / (ended - began)
        return {"calls": {k: round(v, 3) for k, v in calls.items() if v >= 0.01},
                "idle_per_second": idle}

    def measure(self, name, workload):
        kinds = {"wrk": self.measure_load, "load": self.measure_load, "fair": self.measure_fair,
                 "handshake": self.measure_handshake, "cipher": self.measure_cipher,
                 "encrypt": self.measure_encrypt,
                 "idle": self.measure_idle, "start": self.measure_start,
                 "waiting": self.measure_waiting,
                 "calls": self.measure_calls}
        return kinds[workload.kind](name, workload)
