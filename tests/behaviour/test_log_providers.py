#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What every log provider must hold: one line a request through rotations, kills, full disks and
hostile clients. LOP_TEST_REQUESTS sets how many requests the counts are made with."""
import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import threading
import time

from harness import *

A = b"alpha\n"
CONTENT = {"a.txt": A}
PROVIDERS = ("file", "mmap", "aio")
REQUESTS = int(os.environ.get("LOP_TEST_REQUESTS", 20000))
BATCH = 50
MIB = 1 << 20
AHEAD = 1 << 16


def log_folder(as_user=False):
    path = scratch()
    if AM_ROOT:
        os.chown(path, run_uid(as_user), -1)
    return path


def raw(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def content(folder):
    """All that lies in the log's files, the oldest first."""
    names = sorted(os.listdir(folder), key=lambda name: os.stat(folder + "/" + name).st_mtime_ns)
    return b"".join(raw(folder + "/" + name) for name in names)


def lines_of(text):
    """The lines of requests; what does not end in a newline is none."""
    return [line for line in text.split(b"\n")[:-1] if not line.startswith(b"#")]


def wait_for_lines(path, total, limit, provider=""):
    """Until there are so many; a mapped file has more behind them."""
    wait_for(lambda: len(lines_of(raw(path).rstrip(b"\0"))) == total, limit,
             "%d lines %s" % (total, provider))


def messages_of(text):
    return [line for line in text.split(b"\n")[:-1] if line.startswith(b"#")]


def number(line):
    found = re.search(rb'"GET /a\.txt\?(\d+) HTTP/1\.1" 200 6 "-" "-"$', line)
    check(found, "not a whole line: %r" % line[:200])
    return int(found[1])


def provider(name, *options, **arguments):
    """A server that logs to server.log with this provider."""
    folder = log_folder()
    server = Server(CONTENT, "-L", name, "-o", folder + "/access", *options, quiet=False,
                    **arguments)
    server.folder, server.log = folder, folder + "/access"
    return server


def ask(server, total, first=0, between=None):
    """So many numbered requests on one connection, pipelined; between(count) after each batch."""
    with socket.create_connection(server.address, timeout=patience(30)) as connection:
        answered = 0
        data = b""
        while answered < total:
            count = min(BATCH, total - answered)
            connection.sendall(b"".join(
                b"GET /a.txt?%d HTTP/1.1\r\nHost: x\r\n\r\n" % (first + answered + i)
                for i in range(count)))
            while data.count(b"\r\n\r\n" + A) < count:
                piece = connection.recv(1 << 18)
                check(piece, "the connection was closed")
                data += piece
            data = b""
            answered += count
            if between:
                between(answered)


def rotating(server, times, total):
    """For ask(): renames the log and signals, so many times, evenly."""
    done = []

    def between(answered):
        if len(done) < times and answered >= total * (len(done) + 1) // (times + 1):
            done.append(answered)
            os.rename(server.log, "%s.%d" % (server.log, len(done)))
            server.send_signal(signal.SIGHUP)
            wait_for(lambda: os.path.exists(server.log), 5, "the new log")
    return between


def count_through_rotations(name):
    limit_options = ("--log-queue", "512") if name == "aio" else ()
    with provider(name, *limit_options) as server:
        ask(server, REQUESTS, between=rotating(server, 4, REQUESTS))
    text = content(server.folder)
    equal(len(os.listdir(server.folder)), 5, "files")
    equal(b"\0" in text, False, "NUL bytes after a clean stop")
    found = [number(line) for line in lines_of(text)]
    equal(len(found), REQUESTS, "lines; the server said: %s" % server_said(text))
    equal(found, list(range(REQUESTS)), "order")


def server_said(text):
    return b"; ".join(messages_of(text)).decode("ascii", "replace")


@test(limit=600)
def file_lines_equal_requests_through_four_rotations():
    count_through_rotations("file")


@test(limit=600)
def mmap_lines_equal_requests_through_four_rotations():
    count_through_rotations("mmap")


@test(limit=600)
def aio_lines_equal_requests_through_four_rotations():
    count_through_rotations("aio")


@test(limit=60)
def several_workers_write_a_file_each_with_every_provider():
    for name in PROVIDERS:
        with provider(name, workers=2) as server:
            for first in range(0, 1000, 100):
                ask(server, 100, first)
        found = sorted(os.listdir(server.folder))
        equal(found, ["access.0", "access.1"], name + ": files")
        numbers = [number(line) for line in lines_of(content(server.folder))]
        equal(sorted(numbers), list(range(1000)), name + ": requests")


@test
def lines_are_in_the_file_within_two_seconds():
    for name in PROVIDERS:
        with provider(name) as server:
            ask(server, 3)
            wait_for_lines(server.log, 3, 2.5, name)


@test(limit=60)
def a_kill_tears_no_line_but_the_last():
    """And the next start goes on behind the last whole line."""
    for name in PROVIDERS:
        server = provider(name, "--log-format", "$request $status").start()
        with TrafficUntilKilled(server) as traffic:
            wait_for(lambda: traffic.count > 500, 10, "some traffic")
            server.kill()
        before = raw(server.log).rstrip(b"\0")
        whole = lines_of(before)
        for line in whole:
            check(re.fullmatch(rb"GET /a\.txt\?\d+ HTTP/1\.1 200", line),
                  "%s: torn: %r" % (name, line[:100]))
        if name == "mmap":
            # A line is in the file before its request is told of: none of those is missing.
            check(len(whole) >= traffic.count - 1,
                  "%d lines of %d requests" % (len(whole), traffic.count))
        with server:
            ask(server, 5, 1000000)
        after = raw(server.log)
        equal(b"\0" in after, False, name + ": NUL bytes after a clean stop")
        found = [line for line in lines_of(after)]
        equal(found[-5:], [b"GET /a.txt?%d HTTP/1.1 200" % (1000000 + i) for i in range(5)],
              name + ": the last lines")
        equal(len(found), len(whole) + 5, name + ": lines")


def held_by_threads(server):
    """What each thread beside the loop has open."""
    return [sorted(processes.descriptors(thread).values())
            for thread in processes.threads(server.pid)]


@test
def the_thread_of_a_log_holds_its_file_and_nothing_else():
    """No connection that the loop has closed, no listener, no terminal; and the loop's calls are
    those of a process with one thread."""
    need_root()
    if tuple(map(int, re.match(r"(\d+)\.(\d+)", os.uname().release).groups())) < (5, 9):
        skip("threads of this kernel share their descriptors")
    for name, threads in ("file", 1), ("mmap", 2):
        with provider(name) as server:
            with server.connect() as client:
                client.send(make_request("GET", "/a.txt"))
                client.read_response()
                wait_for(lambda: held_by_threads(server) == [[server.log]] * threads, 5,
                         "a thread with the log of " + name)
                os.rename(server.log, server.log + ".1")
                server.send_signal(signal.SIGHUP)
                wait_for(lambda: os.path.exists(server.log), 5, "the new log")
                client.send(make_request("GET", "/a.txt"))
                client.read_response()
                wait_for(lambda: held_by_threads(server) == [[server.log]] * threads, 5,
                         "a thread with the new log of " + name)


@contextlib.contextmanager
def slow_close_range(server):
    """A thread that takes its own descriptors has those of the loop, too, for a while."""
    tracer = subprocess.Popen(
        (need_tool("strace"), "-f", "-qq", "-p", str(server.pid), "-e", "trace=close_range", "-e",
         "inject=close_range:delay_exit=%d" % (seconds(0.3) * 1000000)),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: processes.status(server.pid)["TracerPid"] != "0", 10, "strace")
        yield
    finally:
        tracer.terminate()
        tracer.wait()


@test(limit=60)
def a_client_that_goes_while_the_log_is_reopened_is_held_by_nobody():
    """The loop would hear of it again, and look for a connection that it has given up."""
    need_root()
    for name in ("file", "mmap"):
        with provider(name) as server, server.connect() as client, slow_close_range(server):
            client.send(make_request("GET", "/a.txt"))
            client.read_response()
            os.rename(server.log, server.log + ".1")
            server.send_signal(signal.SIGHUP)
            wait_for(lambda: os.path.exists(server.log), 5, "the new log")
            client.send(make_request("GET", "/a.txt", "Connection: close"))
            client.read_response()
            held = {file for files in held_by_threads(server) for file in files}
            check(held <= {server.log, server.log + ".1"}, "%s: held: %s" % (name, sorted(held)))


@test
def a_log_that_is_a_pipe_needs_no_thread():
    folder = log_folder()
    for name in ("file", "mmap"):
        os.mkfifo(folder + "/" + name, 0o622)
        reader = os.open(folder + "/" + name, os.O_RDONLY | os.O_NONBLOCK)
        try:
            with Server(CONTENT, "-L", name, "-o", folder + "/" + name, quiet=False) as server:
                ask(server, 5)
                equal(processes.threads(server.pid), [], "threads of " + name)
        finally:
            os.close(reader)


class TrafficUntilKilled:
    """Requests one after the other until the connection breaks."""

    def __init__(self, server):
        self.address, self.count = server.address, 0
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            with socket.create_connection(self.address, timeout=patience(10)) as connection:
                while True:
                    connection.sendall(b"GET /a.txt?%d HTTP/1.1\r\nHost: x\r\n\r\n" % self.count)
                    data = b""
                    while not data.endswith(A):
                        piece = connection.recv(65536)
                        if not piece:
                            return
                        data += piece
                    self.count += 1
        except OSError:
            pass

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join()


def reports(server):
    return [line for line in server.errors().splitlines() if "access log" in line]


def full_disk(name):
    folder = scratch()
    with mounted(folder, "-t", "tmpfs", "-o", "size=256k,mode=0777", "lophttpd-test"):
        options = ("--log-queue", "2") if name == "aio" else \
                  ("--log-buffer", "32") if name == "file" else ()
        with Server(CONTENT, "-L", name, "-o", folder + "/access", *options,
                    quiet=False) as server:
            def full():
                """A slow disk fills the queue of aio too, which is told apart."""
                return [line for line in reports(server) if "No space left" in line]

            total = 0
            while not full():
                ask(server, 2000, total)
                total += 2000
                check(total < 400000, "nothing was reported")
            for _ in range(3):
                ask(server, 500, total)
                total += 500
                time.sleep(seconds(0.4))
            equal(len(full()), 1, "messages about the full disk: %s; number" % reports(server))
            # A write that was cut short is taken back when its end is seen.
            wait_for(lambda: raw(folder + "/access").endswith(b"\n"), 10, "a whole last line")
            subprocess.run(["mount", "-o", "remount,size=128m", folder], check=True)
            wait_for(lambda: "is written again" in reports(server)[-1], 10, "the end of the trouble")
            ask(server, 10, total)
            lost = sum(map(int, re.findall(r"written again: (\d+) lines? (?:was|were) lost",
                                           server.errors())))
        text = raw(folder + "/access")
        equal(b"\0" in text, False, "NUL bytes")
        found = [number(line) for line in lines_of(text)]
        equal(found[-10:], list(range(total, total + 10)), "the last lines")
        equal(found, sorted(set(found)), "order")
        equal(len(found) + lost, total + 10, "lines and lost lines")


@test(limit=90)
def file_survives_a_full_disk_and_counts_what_it_lost():
    full_disk("file")


@test(limit=90)
def mmap_survives_a_full_disk_and_counts_what_it_lost():
    full_disk("mmap")


@test(limit=90)
def aio_survives_a_full_disk_and_counts_what_it_lost():
    full_disk("aio")


@contextlib.contextmanager
def ext4(options):
    """A folder on a file system of its own, which anybody may write to."""
    need_root()
    need_tool("losetup")
    folder, image = scratch(), scratch() + "/image"
    with open(image, "wb") as file:
        file.truncate(32 * MIB)
    subprocess.run([need_tool("mkfs.ext4"), "-q", "-F", image], check=True)
    with mounted(folder, "-o", options, image):
        os.chmod(folder, 0o777)
        yield folder


@contextlib.contextmanager
def frozen(folder):
    subprocess.run([need_tool("fsfreeze"), "-f", folder], check=True)
    try:
        yield
    finally:
        subprocess.run([need_tool("fsfreeze"), "-u", folder], check=True)


@test(limit=60)
def a_file_system_that_is_frozen_holds_up_no_request():
    """As for a snapshot: whoever writes to it sleeps until that is over."""
    for name, waiting in ("file", 80000), ("mmap", 80000), ("aio", 100):
        with ext4("loop") as folder:
            with Server(CONTENT, "-L", name, "-o", folder + "/access", quiet=False) as server:
                for first in range(10):
                    ask(server, 1, first)
                wait_for_lines(folder + "/access", 10, 5)
                time.sleep(seconds(0.1))  # now a line wants a page that was written out
                with frozen(folder):
                    ask(server, 1, 10)
                    time.sleep(seconds(1.5))
                    ask(server, waiting, 11)
                wait_for_lines(folder + "/access", 11 + waiting, 10, name)
            equal([number(line) for line in lines_of(raw(folder + "/access"))],
                  list(range(11 + waiting)), name + ": requests")


@test(limit=60)
def a_hangup_holds_up_no_request_while_the_file_system_is_frozen():
    for name in PROVIDERS:
        with ext4("loop") as folder:
            with Server(CONTENT, "-L", name, "-o", folder + "/access", quiet=False) as server:
                ask(server, 10)
                wait_for_lines(folder + "/access", 10, 5)
                with frozen(folder):
                    for first in range(10, 40, 10):
                        ask(server, 10, first)
                        server.send_signal(signal.SIGHUP)
                        time.sleep(seconds(0.1))
                wait_for_lines(folder + "/access", 40, 10, name)
                ask(server, 1, 40)
            text = raw(folder + "/access")
            equal(b"\0" in text, False, name + ": NUL bytes")
            equal([number(line) for line in lines_of(text)], list(range(41)), name + ": requests")


@test(limit=60)
def mmap_maps_the_file_again_when_the_disk_is_quiet():
    with ext4("loop") as folder:
        with Server(CONTENT, "-L", "mmap", "-o", folder + "/access", quiet=False) as server:
            def size():
                ask(server, 1)
                return os.stat(folder + "/access").st_size

            equal(size() % AHEAD, 0, "size while it is mapped")
            with frozen(folder):
                ask(server, 1)
                time.sleep(seconds(0.1))
            wait_for(lambda: size() % AHEAD != 0, 5, "the file is cut")
            wait_for(lambda: size() % AHEAD == 0, 30, "the file is mapped again")


@test(limit=60)
def a_file_system_that_becomes_read_only_is_survived_and_reported_once():
    """As a disk with errors does: ext4 turns itself read-only below the open log."""
    for name in PROVIDERS:
        with ext4("loop,errors=remount-ro") as folder:
            with Server(CONTENT, "-L", name, "-o", folder + "/access", quiet=False) as server:
                ask(server, 10)
                wait_for_lines(folder + "/access", 10, 5)
                os.sync()  # what is written now must be mapped for writing again
                make_read_only(folder)
                for first in range(10, 3010, 1000):
                    ask(server, 1000, first)
                    time.sleep(seconds(1.1))
                equal(len(reports(server)), 1, "%s: messages: %s; number" % (name, reports(server)))
                equal(server.get("/a.txt").status, 200, "status")


def make_read_only(folder):
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        [device] = [line.split(" - ")[1].split()[1] for line in file
                    if line.split()[4] == folder]
    name = os.path.basename(device)
    try:
        with open("/sys/fs/ext4/%s/trigger_fs_error" % name, "w", encoding="ascii") as file:
            file.write("1")
    except OSError as error:
        skip("cannot make ext4 fail: %s" % error)
    wait_for(lambda: is_read_only(folder), 5, "a read-only file system")


def is_read_only(folder):
    try:
        with open(folder + "/probe", "wb"):
            return False
    except OSError:
        return True


@test
def a_log_on_a_read_only_file_system_ends_the_start():
    folder = scratch()
    with mounted(folder, "-t", "tmpfs", "-o", "size=1m,ro", "lophttpd-test"):
        for name in PROVIDERS:
            status, _, errors = run("-R", tree(CONTENT), "-p", "0", "-n", "1", "-L", name, "-o",
                                    folder + "/access")
            equal(status, 1, name + ": exit status")
            check("Read-only" in errors and errors.count("\n") == 1, "message: " + errors)


HOSTILE = (b'" 200 5 "-" "-', b"\\", b'\\"', b"\xff\xfe", "\u2028\u2029\u0085".encode(),
           b"\xc2\x9b31m", b"a\tb", b"\\x22", b'"},{"status":500', b"\\u0000", b"\xed\xa0\x80",
           b"\xf0\x9f\x90\xa7" * 500, b"\x7f", b"a" * 3000)
TARGETS = (b"/%0a%0d127.0.0.1", b'/"quoted"', b"/\xff\xfe", b'/a.txt?"}', b"/\\", b"/%5c%22")


@test(limit=60)
def every_line_of_json_parses_whatever_clients_send():
    for name in PROVIDERS:
        with provider(name, "--log-format", "json") as server:
            for text in HOSTILE:
                server.request("GET", "/a.txt", b"User-Agent: " + text, b"Referer: " + text)
            for target in TARGETS:
                server.request("GET", target)
        records = [json.loads(line) for line in raw(server.log).split(b"\n")[:-1]]
        requests = [record for record in records if "status" in record]
        equal(len(requests), len(HOSTILE) + len(TARGETS), name + ": lines")
        check(all(record["remote_addr"] == "127.0.0.1" and record["request_method"] == "GET"
                  for record in requests), "a forged record")
        equal(requests[0]["http_user_agent"], HOSTILE[0].decode(), name + ": a field comes back")


@test
def standard_error_is_written_to_with_every_provider():
    """It is a file that is not open for appending, and others write to it."""
    for name in PROVIDERS:
        for workers in (1, 2):
            with Server(CONTENT, "-L", name, "-o", "-", quiet=False, workers=workers) as server:
                for count in range(3):
                    ask(server, 5, 5 * count)
                    wait_for(lambda: '"GET /a.txt?%d ' % (5 * count + 4) in server.errors(), 5,
                             "line %d" % (5 * count + 4))
                found = [number(line) for line in server.errors().encode().splitlines()
                         if b"GET" in line]
                equal(found, list(range(15)), name + ": requests")
                check("listening on" in server.errors(), "a message is gone")


@test
def lines_that_a_slow_reader_does_not_take_at_the_end_are_no_secret():
    """They fill the pipe and wait in the buffer: no line was refused, and then there is no time."""
    folder = log_folder()
    for name in PROVIDERS:
        os.mkfifo(folder + "/" + name, 0o622)
        reader = os.open(folder + "/" + name, os.O_RDONLY | os.O_NONBLOCK)
        try:
            with Server(CONTENT, "-L", name, "-o", folder + "/" + name, quiet=False) as server:
                ask(server, 1200)
                server.send_signal(signal.SIGTERM)
                wait_for(lambda: "does not take its last lines" in server.errors(), 5, name)
        finally:
            os.close(reader)


# mmap


@test
def mmap_extends_the_file_ahead_of_its_lines_and_cuts_the_rest_off():
    with provider("mmap") as server:
        ask(server, 10)
        descriptor = os.open(server.log, os.O_RDONLY)
        os.fsync(descriptor)  # blocks are chosen when they are written out
        status = os.fstat(descriptor)
        os.close(descriptor)
        equal((status.st_size % AHEAD, status.st_size > 0), (0, True),
              "the file's size while it is written")
        check(status.st_blocks * 512 >= status.st_size, "the file is sparse")
    equal(len(lines_of(raw(server.log))), 10, "lines")
    check(os.stat(server.log).st_size < 4096, "the file was not cut")


@test(limit=60)
def mmap_survives_a_file_that_is_cut_under_it():
    with provider("mmap") as server:
        ask(server, 2000)
        os.truncate(server.log, 0)
        ask(server, 2000, 2000)
        os.truncate(server.log, 0)
        ask(server, 3, 5000)
        turns = iter(range(6000, 100000))

        def writes_again():
            turn = next(turns)
            ask(server, 1, turn)
            time.sleep(0.2)
            return b"?%d HTTP" % turn in raw(server.log)
        wait_for(writes_again, 10, "a line in the new file")
        ask(server, 3, 100000)
    found = [number(line) for line in lines_of(raw(server.log).replace(b"\0", b""))]
    equal(found[-3:], [100000, 100001, 100002], "the last lines")
    equal(b"\0" in raw(server.log), False, "NUL bytes")


@test(limit=60, punctual=0.2)
def mmap_counts_what_went_where_the_file_no_longer_was():
    """Into the rest of its last page, which does not fault; the page behind it does. A moment after
    the line before, so that the loop writes by itself; if it is late nothing is lost."""
    with provider("mmap") as server:
        ask(server, 10)
        wait_for_lines(server.log, 10, 5)
        time.sleep(seconds(2.5))  # a flush has looked at the file
        five = len(b"\n".join(lines_of(raw(server.log))[:5])) + 1
        ask(server, 1, 10)
        until = time.monotonic() + patience(5)
        while b"?10 " not in raw(server.log) and time.monotonic() < until:
            pass  # no sleep: soon it is too late
        os.truncate(server.log, five)
        ask(server, 200, 11)

        def lines_and_lost_ones():
            lost = map(int, re.findall(r": (\d+) lines? w[a-z]+ lost", server.errors()))
            return len(lines_of(raw(server.log).rstrip(b"\0"))) + sum(lost)
        # Whether the tenth was lost, which was cut off with the five before it, nobody knows.
        wait_for(lambda: lines_and_lost_ones() in (205, 206), 10, "lines and lost lines")
        ask(server, 1, 211)
    found = [number(line) for line in lines_of(raw(server.log))]
    equal(found[:5] + found[-1:], [0, 1, 2, 3, 4, 211], "the lines around the gap")
    check(len(found) > 140, "too many were lost: %s" % found)


def start_anew(server):
    os.kill(server.pid, signal.SIGUSR2)
    wait_for(lambda: len(re.findall("listening on", server.errors())) > 1, 10,
             "the new process's line")


@test(limit=60)
def two_programs_share_a_log_while_one_drains():
    """USR2: the old one still has a download running when the new one answers."""
    for name in PROVIDERS:
        folder = log_folder(as_user=True)
        files = dict(CONTENT, **{"big.bin": pattern(32 * MIB)})
        with Server(files, "-L", name, "--no-sandbox", "-o", folder + "/access", quiet=False,
                    as_user=True, upgrades=True) as server:
            ask(server, 100)
            with server.connect(receive_buffer=8192) as slow:
                slow.send(make_request("GET", "/big.bin"))
                slow.read_head()
                start_anew(server)
                for count in range(100, 400):
                    ask(server, 1, count)
                wait_for(lambda: len(lines_of(raw(folder + "/access").rstrip(b"\0"))) >= 400, 5,
                         "400 lines with " + name)
            for count in range(400, 800):
                ask(server, 1, count)
        text = raw(folder + "/access")
        equal(b"\0" in text, False, name + ": NUL bytes")
        found = [number(line) for line in lines_of(text) if b"big.bin" not in line]
        equal(sorted(found), list(range(800)), name + ": requests")
        equal(sum(b"big.bin" in line for line in lines_of(text)), 1, name + ": the download")


@test(limit=60)
def mmap_recovers_the_file_of_a_process_that_is_killed_while_it_waits():
    """Two have one file: the second waits with its lines, and appends none behind the padding."""
    first = provider("mmap").start()
    with Server(CONTENT, "-L", "mmap", "-o", first.log, quiet=False) as second:
        ask(first, 10)
        wait_for_lines(first.log, 10, 5)
        ask(second, 10, 10)
        first.kill()
        ask(second, 10, 20)
        wait_for_lines(first.log, 30, 5)
        ask(second, 1, 30)
    text = raw(first.log)
    equal(b"\0" in text, False, "NUL bytes")
    equal([number(line) for line in lines_of(text)], list(range(31)), "requests")


@test(limit=60)
def mmap_recovers_the_file_of_a_process_that_is_killed_while_another_drains():
    first = provider("mmap").start()
    files = dict(CONTENT, **{"big.bin": pattern(32 * MIB)})
    with Server(files, "-L", "mmap", "-o", first.log, quiet=False) as second:
        ask(first, 10)
        wait_for_lines(first.log, 10, 5)
        with second.connect(receive_buffer=8192) as slow:
            slow.send(make_request("GET", "/big.bin"))
            slow.read_head()
            ask(second, 10, 10)
            second.send_signal(signal.SIGQUIT)
            wait_for(lambda: not listens(second.address), 5, "the drain")
            first.kill()
        second.wait(10)
    text = raw(first.log)
    equal(b"\0" in text, False, "NUL bytes")
    equal([number(line) for line in lines_of(text) if b"big.bin" not in line], list(range(20)),
          "requests")


# aio


@test
def aio_options_are_checked():
    for value in ("1", "1025", "x", ""):
        status, _, errors = run("-R", tree(CONTENT), "-L", "aio", "--log-queue", value, "-t")
        within(status, (1, 2), "exit status for " + repr(value))
        check("log-queue" in errors, "message: " + errors)


# syslog


class Collector:
    """A system's log: a datagram socket whose messages are collected."""

    def __init__(self, path=None):
        self.path = path or scratch() + "/log"
        os.chmod(os.path.dirname(self.path), 0o755)
        self.messages = []
        self.open()

    def open(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o777)

    def close(self):
        self.socket.close()
        os.unlink(self.path)

    def collect(self, patience=0):
        """What has come, until nothing more does for so many seconds: the socket holds as few as
        ten, and the server sends the next ones when there is room."""
        while select.select([self.socket], [], [], patience)[0]:
            self.messages.append(self.socket.recv(65536).decode("ascii"))
        return self.messages

    def access(self):
        return [text for text in self.collect() if " access - " in text]


SYSLOG = re.compile(r"<(\d+)>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \S+ lhttpd \d+ (\w+) - (.*)")


def syslog_server(collector, *options, **arguments):
    return Server(CONTENT, "-L", "syslog", "--syslog-socket", collector.path, *options,
                  quiet=False, **arguments)


@test
def syslog_sends_messages_of_rfc_5424():
    collector = Collector()
    with syslog_server(collector) as server:
        ask(server, 5)
        wait_for(lambda: len(collector.access()) == 5, 5, "five messages")
    found = [SYSLOG.fullmatch(text) for text in collector.access()]
    check(all(found), "not of RFC 5424: %s" % collector.messages)
    equal({match[1] for match in found}, {str(3 * 8 + 6)}, "priorities")
    for count, match in enumerate(found):
        check('"GET /a.txt?%d HTTP/1.1" 200 6' % count in match[3], "message: " + match[3])


@test
def syslog_has_a_facility():
    collector = Collector()
    with syslog_server(collector, "--syslog-facility", "local3") as server:
        ask(server, 1)
        wait_for(lambda: len(collector.access()) == 1, 5, "a message")
    equal(SYSLOG.fullmatch(collector.access()[0])[1], str(19 * 8 + 6), "priority")


@test(limit=60)
def syslog_lines_and_lost_lines_equal_requests():
    """The reader is slow: nothing blocks, and what was lost is told."""
    collector = Collector()
    total = 20000
    with syslog_server(collector) as server:
        ask(server, total)
        wait_for(lambda: collector.collect(0.05) and
                 re.search("lines? w[a-z]+ lost", server.errors()), 15, "what was lost")
        wait_for(lambda: collector.collect(0.05) and
                 any("lost" in text for text in collector.messages), 15, "it in the log")
    lost = sum(int(count) for count in re.findall(r": (\d+) lines? w[a-z]+ lost",
                                                  server_errors(server, collector)))
    equal(len(collector.access()) + lost, total, "messages and lost ones")


def server_errors(server, collector):
    return "\n".join(text for text in collector.collect() if " message - " in text)


@test(limit=600)
def syslog_lines_equal_requests_through_four_signals():
    """The reader keeps up, more or less: what it did not is told."""
    collector = Collector()
    lost = r": (\d+) lines? w[a-z]+ lost"
    with syslog_server(collector) as server:
        done = []

        def between(answered):
            collector.collect()
            if len(done) < 4 and answered >= REQUESTS * (len(done) + 1) // 5:
                done.append(answered)
                server.send_signal(signal.SIGHUP)
        ask(server, REQUESTS, between=between)

        def counted():
            collector.collect(0.05)
            told = sum(map(int, re.findall(lost, server_errors(server, collector))))
            return len(collector.access()) + told == REQUESTS
        wait_for(counted, 15, "as many lines as requests")
    equal(len(done), 4, "signals")
    numbers = [int(re.search(r"\?(\d+) ", text)[1]) for text in collector.access()]
    equal(numbers, sorted(set(numbers)), "order")


@test
def syslog_sends_by_udp():
    for family, address, name in ((socket.AF_INET, "127.0.0.1", "127.0.0.1"),
                                  (socket.AF_INET6, "::1", "[::1]")):
        receiver = socket.socket(family, socket.SOCK_DGRAM)
        try:
            receiver.bind((address, 0))
        except OSError:
            receiver.close()
            continue  # no IPv6 here
        with receiver:
            receiver.settimeout(patience(5))
            port = receiver.getsockname()[1]
            with Server(CONTENT, "-L", "syslog", "--syslog-socket", "%s:%d" % (name, port),
                        quiet=False) as server:
                ask(server, 3)
                server.send_signal(signal.SIGHUP)
                ask(server, 3, 3)
                found = [SYSLOG.fullmatch(receiver.recv(65536).decode()) for _ in range(6)]
        equal([number(match[3].encode()) for match in found], list(range(6)), "requests")


@test
def syslog_by_udp_goes_on_when_somebody_listens_again():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(patience(10))
        where = receiver.getsockname()
        with Server(CONTENT, "-L", "syslog", "--syslog-socket", "%s:%d" % where,
                    quiet=False) as server:
            receiver.close()
            for count in range(3):
                ask(server, 1, count)
            wait_for(lambda: "access log log_syslog: Connection refused" in server.errors(), 5,
                     "a report")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
                again.bind(where)
                again.settimeout(patience(10))
                ask(server, 1, 3)
                while b"?3 " not in again.recv(65536):
                    pass


@test
def syslog_targets_are_checked():
    for value in ("", "log", "host:", ":514", "host:x", "host:0", "host:65536", "::1:514",
                  "/" + "x" * 200):
        status, _, errors = run("-R", tree(CONTENT), "-L", "syslog", "--syslog-socket", value, "-t")
        within(status, (1, 2), "exit status for " + repr(value))
        check("syslog-socket" in errors, "message: " + errors)


def replace_socket(server, collector, meanwhile):
    """A socket that is there again after so many requests without one."""
    ask(server, 3)
    wait_for(lambda: len(collector.access()) == 3, 5, "three messages")
    collector.close()
    ask(server, meanwhile, 3)
    wait_for(lambda: "access log log_syslog" in server.errors(), 5, "a report")
    collector.open()


@test(limit=60)
def syslog_reconnects():
    collector = Collector()
    # In a chroot the path would be out of reach.
    with syslog_server(collector, as_user=True) as server:
        replace_socket(server, collector, 3)
        ask(server, 3, 6)
        wait_for(lambda: len(collector.access()) == 9, 8, "what waited, in the new socket")
    numbers = [int(re.search(r"\?(\d+) ", text)[1]) for text in collector.access()]
    equal(numbers, list(range(9)), "requests")


@test(limit=60)
def syslog_is_found_again_from_a_chroot_by_a_new_program():
    """The path of a new socket is out of reach there, until USR2 starts the program anew."""
    need_root()
    collector = Collector()
    with syslog_server(collector, workers=2, upgrades=True) as server:
        replace_socket(server, collector, 1)
        start_anew(server)

        def arrives():
            ask(server, 1, 4)
            return any("?4 " in text for text in collector.access())
        wait_for(arrives, 10, "a line in the new socket", 0.1)


@test
def syslog_without_a_socket_is_explained():
    status, _, errors = run("-R", tree(CONTENT), "-p", "0", "-n", "1", "-L", "syslog",
                            "--syslog-socket", scratch() + "/nothing")
    equal(status, 1, "exit status")
    check("--syslog-socket" in errors, "message: " + errors)


if __name__ == "__main__":
    main()
