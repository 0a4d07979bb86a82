#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A cached small file costs one recv and one send, and an idle loop makes no system call."""
import os
import re
import signal
import subprocess
import time

from harness import *

CONTENT = {"a.txt": b"x" * 1024, "index.html": b"index\n", "big.bin": pattern(1 << 20)}
RECEIVES = {"recv", "recvfrom", "recvmsg", "read", "readv"}
SENDS = {"send", "sendto", "sendmsg", "write", "writev"}
WAITS = {"epoll_wait", "epoll_pwait", "epoll_pwait2"}


class Trace:
    """strace -c on running processes; .calls maps each system call to how often it was made."""

    def __init__(self, *pids):
        self.pids, self.calls = pids, {}
        self.summary = scratch() + "/summary"

    def __enter__(self):
        command = [need_tool("strace"), "-c", "-f", "-o", self.summary]
        self.process = subprocess.Popen(command + ["-p%d" % pid for pid in self.pids],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        start_new_session=True)

        def attached():
            if self.process.poll() is not None:
                skip("strace cannot attach: " + self.process.stderr.read().decode().strip())
            return all(processes.traced(pid) for pid in self.pids)
        try:
            wait_for(attached, 5, "strace")
        except BaseException:
            self._end()
            raise
        time.sleep(0.1)  # its call has been entered again, most likely
        self.begun = time.monotonic()
        return self

    def _end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(patience(5))
        self.process.stderr.close()

    def __exit__(self, *_):
        self.by_time = 20 * (1 + time.monotonic() - self.begun)  # calls that come with each second
        self._end()
        with open(self.summary) as file:
            for line in file:
                match = re.fullmatch(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+(\w+)\s*",
                                     line)
                if match and match[2] != "total":
                    self.calls[match[2]] = self.calls.get(match[2], 0) + int(match[1])

    def count(self, names):
        return sum(number for name, number in self.calls.items() if name in names)

    def others(self):
        return {name: number for name, number in self.calls.items()
                if name not in RECEIVES | SENDS | WAITS | {"restart_syscall"}}


def traced(server, work, warm_up=20):
    """Run `work` under strace, after the cache has been filled."""
    for _ in range(warm_up):
        equal(server.get("/a.txt").status, 200, "status")
    with server.connect() as connection:
        connection.get("/a.txt")
        with Trace(server.pid) as trace:
            work(connection)
    return trace


@test
def a_cached_small_file_costs_one_recv_and_one_send():
    """Each request alone on a kept connection. The entry is looked at again each second."""
    total = 2000
    request = make_request("GET", "/a.txt")

    def work(connection):
        size = None
        for _ in range(total):
            connection.socket.sendall(request)
            if size is None:
                response = connection.read_response()
                size = len(response.head) + 4 + len(response.body)
            else:
                received = 0
                while received < size:
                    received += len(connection.socket.recv(65536))
    with Server(CONTENT) as server:
        trace = traced(server, work)
    calls = "calls for %d requests: %s" % (total, trace.calls)
    receives, sends, waits = trace.count(RECEIVES), trace.count(SENDS), trace.count(WAITS)
    # A call that strace was still busy with at its end is not counted.
    check(total - 1 <= receives <= total * 1.01, "receives: %d; %s" % (receives, calls))
    check(total - 1 <= sends <= total * 1.01, "sends: %d; %s" % (sends, calls))
    check(waits <= total * 1.01 + trace.by_time, "waits: %d; %s" % (waits, calls))
    others = trace.others()
    check(sum(others.values()) <= total * 0.01 + trace.by_time, "other calls: %s; %s"
          % (others, calls))


@test
def pipelined_requests_share_their_calls():
    rounds, depth = 200, 16
    request = make_request("GET", "/a.txt") * depth

    def work(connection):
        for _ in range(rounds):
            connection.send(request)
            for _ in range(depth):
                connection.read_response()
    with Server(CONTENT) as server:
        trace = traced(server, work)
    check(trace.count(SENDS) <= rounds * 4, "%d sends for %d times %d requests"
          % (trace.count(SENDS), rounds, depth))
    check(trace.count(RECEIVES) <= rounds * 4, "%d receives for %d times %d requests"
          % (trace.count(RECEIVES), rounds, depth))


@test
def a_304_and_a_404_cost_no_file_system_call():
    def work(connection):
        etag = connection.get("/a.txt").get("ETag")
        for _ in range(500):
            equal(connection.get("/a.txt", "If-None-Match: " + etag).status, 304, "status")
            equal(connection.get("/missing").status, 404, "status")
    with Server(CONTENT) as server:
        server.get("/missing")
        trace = traced(server, work)
    others = trace.others()
    check(sum(others.values()) <= 20 + trace.by_time, "other calls: %s" % others)


@test
def an_upload_goes_to_its_file_without_passing_through_the_process():
    data = pattern(8 << 20)
    root = tree(dict(CONTENT, upload=None))
    if AM_ROOT:
        os.chown(root + "/upload", run_uid(), -1)

    def work(connection):
        equal(connection.request("PUT", "/sent", body=data).status, 201, "status")
    with Server(root, "-U", "upload") as server:
        trace = traced(server, work)
        with open(server.path("upload/sent"), "rb") as file:
            check(file.read() == data, "what was stored differs")
    moves, copies = trace.count({"splice"}), trace.count(RECEIVES | SENDS)
    check(moves >= 2 * len(data) / (256 << 10), "splices: %d; %s" % (moves, trace.calls))
    check(copies <= 30, "receives and sends: %d; %s" % (copies, trace.calls))


@test
def a_quota_costs_no_look_through_the_folder_at_each_upload():
    root = tree(dict(CONTENT, **{"upload/f%d" % i: b"x" for i in range(500)}))
    if AM_ROOT:
        os.chown(root + "/upload", run_uid(), -1)

    def work(connection):
        for i in range(20):
            equal(connection.request("PUT", "/new%d" % i, body=b"some").status, 201, "status")
    with Server(root, "-U", "upload", "--upload-quota", "1m") as server:
        trace = traced(server, work)
    check(trace.count({"newfstatat", "statx", "fstatat64"}) < 2 * 500 + 20 * 20,
          "calls: %s" % trace.calls)


@test
def an_idle_loop_makes_no_call():
    """With connections that are idle, and after there was traffic."""
    for workers in (1, 2):
        with Server(CONTENT, "--keepalive-timeout", "60", workers=workers) as server:
            held = [server.connect() for _ in range(5)]
            for connection in held:
                connection.get("/a.txt")
            time.sleep(1.2)              # what runs out after a second has run out
            for _ in range(3):           # or it does so a little later, if the machine is busy
                with Trace(*processes.in_session(server.pid)) as trace:
                    time.sleep(4.2)
                calls = {name: number for name, number in trace.calls.items()
                         if name != "restart_syscall"}
                # The call that each process was in may be counted when strace takes and lets go.
                if sum(calls.values()) <= 2 * len(trace.pids):
                    break
            else:
                raise Failure("idle processes made %s" % calls)
            for connection in held:
                connection.close()


@test
def a_large_file_goes_by_sendfile():
    def work(connection):
        for _ in range(20):
            equal(len(connection.get("/big.bin").body), 1 << 20, "length")
    with Server(CONTENT) as server:
        server.get("/big.bin")
        trace = traced(server, work)
    check(trace.calls.get("sendfile", 0) + trace.calls.get("splice", 0) > 0,
          "calls: %s" % trace.calls)
    check(trace.calls.get("mmap", 0) <= 2, "served files are mapped: %s" % trace.calls)


@test
def the_log_costs_no_call_a_request():
    folder = scratch()
    if AM_ROOT:
        os.chown(folder, run_uid(), -1)
    total = 1000

    def work(connection):
        for _ in range(total):
            connection.get("/a.txt")
    with Server(CONTENT, "-o", folder + "/access", quiet=False) as server:
        trace = traced(server, work)
    check(trace.count(SENDS) <= total * 1.05, "%d writes for %d requests"
          % (trace.count(SENDS), total))
    check(sum(trace.others().values()) <= total * 0.05 + trace.by_time,
          "other calls: %s" % trace.others())


if __name__ == "__main__":
    main()
