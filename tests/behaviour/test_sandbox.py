#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The sandbox: what a worker still has, and that it calls what is declared, no less and no more.

What a worker that was taken over can do is tried out in tests/module/test_hostile.py.
"""
import collections
import errno
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time

from harness import *

CONTENT = {"a.txt": b"alpha\n", "index.html": b"index\n", "big.bin": pattern(4 << 20),
           "folder/b.txt": b"beta\n", "near": Link("a.txt"), "far": Link("/etc/passwd")}

# Open calls that no behaviour here makes, and why they are open.
UNSEEN = {
    "clock_gettime": "the vDSO answers", "gettimeofday": "the vDSO answers",
    "time": "the vDSO answers", "epoll_pwait": "where libc makes epoll_wait of it",
    "ppoll": "where libc makes poll of it", "dup3": "where libc makes dup2 of it",
    "writev": "the last words of libc", "mremap": "realloc of what is large", "statx": "where libc makes stat of it",
    "fstat": "where libc does not make it newfstatat", "mprotect": "other libraries' malloc",
    "madvise": "malloc gives memory back, when there is much", "gettid": "abort()",
    "tgkill": "abort(), see test_hostile.py", "rt_sigprocmask": "abort()",
    "stat": "where libc does not make it newfstatat", "exit": "the end of a thread",
    "restart_syscall": "after SIGCONT, made by the kernel", "unlinkat": "where libc makes unlink of it",
    "fstatfs": "files of procfs and sysfs, see test_special.py", "getrlimit": "before prlimit64",
    "sysinfo": "qsort of much, where libc has the old one; see test_names.py",
    "getppid": "after an upgrade", "kill": "after an upgrade",
    "flock": "of providers that map their file", "lseek": "on a full disk, see test_log.py", "socket": "refused, see test_hostile.py",
    "dup2": "into the background, see test_options.py", "chdir": "into the background",
    "sched_getaffinity": "asynchronous I/O", "pipe": "where libc does not make it pipe2",
    "pipe2": "of modules whose thread wakes the loop", "eventfd2": "of those, too"}


def need_sandbox():
    if not processes.has_sandbox():
        skip("there is no module sandbox")


def shown(*options):
    """--sandbox-show: {group: (who asked, [call, …])}."""
    status, out, errors = run("--sandbox-show", *options)
    equal((status, errors), (0, ""), "status and messages of --sandbox-show")
    groups = {}
    for line in out.splitlines():
        if line.startswith("  "):
            calls.append(re.match(r"\w+", line.strip())[0])
        else:
            name, _, asked = line.partition(": ")
            calls = []
            groups[name] = (asked, calls)
    return groups


def calls_of(groups):
    return {call for _, calls in groups.values() for call in calls}


# What a process has


def check_closed(pid, started_by_root):
    status = processes.status(pid)
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        equal(int(status[name], 16), 0, "%s of %d" % (name, pid))
    equal((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"), "NoNewPrivs and Seccomp")
    uid, gid = status["Uid"].split()[0], status["Gid"].split()[0]
    equal(status["Uid"].split(), [uid] * 4, "Uid")
    equal(status["Gid"].split(), [gid] * 4, "Gid")
    check(uid != "0" or not AM_ROOT, "it is root")
    if AM_ROOT:
        equal(status["Groups"].split(), [], "groups")
    if started_by_root:
        equal(int(status["CapBnd"], 16), 0, "CapBnd")
    with open("/proc/%d/limits" % pid) as file:
        limits = {line[:26].strip(): line[26:].split()[:2] for line in file}
    for name in ("core file size", "processes", "locked memory", "msgqueue size"):
        equal(limits["Max " + name], ["0", "0"], name)


@test
def a_worker_has_no_capability_no_group_and_no_core_dump():
    need_sandbox()
    for workers, as_user in ((1, False), (2, False), (1, True), (2, True)):
        with Server(CONTENT, workers=workers, as_user=as_user) as server:
            for pid in server.worker_pids() if workers > 1 else [server.pid]:
                check_closed(pid, AM_ROOT and not as_user)


def kinds(pid):
    """What the descriptors above 2 are, counted, without numbers of inodes."""
    found = [re.sub(r":?\[\d+\]$", "", text) for number, text in processes.descriptors(pid).items()
             if number > 2]
    return collections.Counter(found)


@test
def a_worker_holds_only_the_descriptors_that_it_uses():
    """Its listeners and a spare one, the master's line, signals, the loop, its root and its log."""
    need_root()
    folder = scratch()
    os.chmod(folder, 0o777)
    with Server(CONTENT, "-o", folder + "/access", "-l", "unix:" + folder + "/socket",
                "-l", "127.0.0.1:0", "--pid-file", folder + "/pid", quiet=False, workers=2,
                port=None, listeners=2) as server:
        workers = server.worker_pids()
        for index, pid in enumerate(sorted(workers)):
            # TCP, the Unix socket (shared), a spare of one of them, and the line.
            equal(kinds(pid), {"socket": 4, "pipe": 2, "anon_inode:[eventpoll]": 1,
                               server.root: 1, "%s/access.%d" % (folder, index): 1},
                  "descriptors of worker %d" % index)
        # All listeners, a line to each worker, what it opens for them, and its pid file.
        equal(kinds(server.pid), {"socket": 5, "pipe": 2, server.root: 1, folder: 1,
                                  folder + "/pid": 1}, "descriptors of the master")


@test
def a_process_without_a_master_holds_only_the_descriptors_that_it_uses():
    need_root()
    folder = scratch()
    os.chmod(folder, 0o777)
    with Server(CONTENT, "-o", folder + "/access", quiet=False) as server:
        equal(kinds(server.pid), {"socket": 2, "pipe": 2, "anon_inode:[eventpoll]": 1,
                                  server.root: 1, folder: 1, folder + "/access": 1}, "descriptors")


# Options


@test
def it_is_on_by_default_and_off_when_asked():
    need_sandbox()
    for options, mode in (((), "2"), (("--no-sandbox",), "0")):
        with Server(CONTENT, *options) as server:
            equal(processes.status(server.pid)["Seccomp"], mode, "Seccomp with %s" % (options,))


@test
def what_is_open_is_shown_with_who_asked():
    need_sandbox()
    one = shown("-n", "1", "-o", "-")
    equal(one["read-files"][0], "asked for by the core", "read-files")
    equal(one["log-write"][0], "asked for by log_file", "log-write")
    check("one process" in one, "groups of -n 1: %s" % list(one))
    two = shown("-n", "2", "-q")
    for name in ("one process", "write-files", "connect", "threads"):
        check(name not in two, "%s is open without being asked for" % name)
    for call in ("execve", "ptrace", "kill", "bpf", "io_uring_setup", "clone", "connect"):
        check(call not in calls_of(two), "%s is open" % call)


@test
def without_one_there_is_nothing_to_show():
    status, out, errors = run("--sandbox-show", "--no-sandbox")
    equal((status, out), (1, ""), "status and output")
    check("no module with a sandbox" in errors, errors)


@test
def without_one_its_options_are_unknown():
    equal(run("--no-sandbox", "--sandbox-log", "-t")[0], 2, "status")


# In a process for which the kernel has no seccomp(2), by a filter of its own.
WITHOUT_SECCOMP = """
import ctypes, errno, os, sys
library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p
rules = ctypes.c_void_p(library.seccomp_init(0x7fff0000))
number = library.seccomp_syscall_resolve_name(b"seccomp")
assert library.seccomp_rule_add_array(rules, 0x50000 | errno.ENOSYS, number, 0, None) == 0
assert library.seccomp_load(rules) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


@test
def a_kernel_without_seccomp_ends_the_start_and_it_is_said():
    need_sandbox()
    done = subprocess.run([sys.executable, "-c", WITHOUT_SECCOMP, LHTTPD, "-R", tree(CONTENT),
                           "-p", "0", "-q", "-n", "1"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=patience(20))
    errors = done.stderr.decode()
    equal(done.returncode, 1, "exit status: " + errors)
    check("'seccomp' does not close: " + os.strerror(errno.ENOSYS) in errors and
          "--no-sandbox" in errors and errors.count("\n") == 1, "message: " + errors)


# What a process calls


class Recorded:
    """A server under strace from its start; .calls are those that were made in the sandbox."""

    def __init__(self, *options, content=CONTENT, **arguments):
        self.folder = scratch()
        os.chmod(self.folder, 0o777)
        wrapper = (need_tool("strace"), "-D", "-ff", "-qq", "-o", self.folder + "/trace")
        self.server = Server(content, *options, wrapper=wrapper, **arguments)
        self.calls = set()

    def __enter__(self):
        return self.server.__enter__()

    def __exit__(self, *problem):
        self.server.__exit__(*problem)
        for name in os.listdir(self.folder):
            if name.startswith("trace"):
                self._read(self.folder + "/" + name)

    def _read(self, path):
        with open(path, errors="replace") as file:
            lines = file.readlines()
        # A thread is in it from its birth; a process begins with set_robust_list().
        closed = bool(lines) and lines[0].startswith("rseq(")
        for line in lines:
            match = re.match(r"(\w+)\(", line)
            if closed and match:
                self.calls.add(match[1])
            # The filter itself is out of sight when an ordinary user traces.
            if re.match(r"seccomp\(SECCOMP_SET_MODE_FILTER, .* = 0$", line):
                closed = True


def comes_whole(server, target, size):
    """Not at each try: the limits for a client that stalls end one that was held up, too."""
    try:
        return len(server.get(target).body) == size
    except (Failure, OSError):
        return False


def small_things(server):
    with server.connect() as connection:
        for _ in range(3):
            equal(connection.get("/a.txt").status, 200, "status")
        equal(connection.get("/big.bin", "Range: bytes=0-9").status, 206, "status")
        equal(connection.get("/big.bin", "Range: bytes=0-9,20-29").status, 206, "status")
        equal(connection.get("/missing").status, 404, "status")
        equal(connection.get("/near").status, 200, "status")
        within(connection.get("/far").status, (403, 404), "status")
        equal(connection.get("/").body, b"index\n", "body")
    wait_for(lambda: comes_whole(server, "/big.bin", 4 << 20), 5, "a whole download")
    server.exchange(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    server.exchange(b"NONSENSE\r\n\r\n")


def a_stalled_client(server):
    with server.connect(receive_buffer=4096) as stalled:
        stalled.send(make_request("GET", "/big.bin"))
        stalled.read_head()
        wait_for(lambda: server.connections() == 0, 8, "the end of a connection that stalls")


def too_many(server):
    held = [server.connect() for _ in range(4 * server.workers + 1)]
    wait_for(lambda: select.select(held, [], [], 0)[0], 5, "a refusal")
    for connection in held:
        connection.close()


def signals_to(server):
    for number in (signal.SIGHUP, signal.SIGUSR1):
        server.send_signal(number)
        time.sleep(0.2)
    equal(server.get("/a.txt").status, 200, "status")


def large_and_piped(as_user):
    """Memory that malloc maps, the log on a pipe, the local address."""
    pipe = scratch() + "/pipe"
    os.mkfifo(pipe)
    os.chmod(os.path.dirname(pipe), 0o755)
    os.chmod(pipe, 0o666)
    reader = os.open(pipe, os.O_RDWR)
    recorded = Recorded("-o", pipe, "--log-format", "$server_addr $request", "--max-header-size",
                        "16m", "-l", "0.0.0.0:0", port=None, quiet=False, workers=1,
                        as_user=as_user)
    try:
        with recorded as server:
            for size in (1000, 200000):
                equal(server.get("/a.txt", "X-Long: " + "x" * size).status, 200, "status")
    finally:
        os.close(reader)
    return recorded.calls


def everyday(workers, as_user):
    """The calls of servers that do what servers do."""
    folder = scratch()
    os.chmod(folder, 0o777)
    limits = ("--send-timeout", "1s", "--min-send-rate", "1m", "-N", "4")
    recorded = Recorded("-o", folder + "/access", "-l", "127.0.0.1:0", "-l",
                        "unix:" + folder + "/socket", "--pid-file", folder + "/pid", *limits,
                        quiet=False, port=None, listeners=2, workers=workers, as_user=as_user)
    with recorded as server:
        small_things(server)
        signals_to(server)
        a_stalled_client(server)
        too_many(server)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(folder + "/socket")
            client.sendall(make_request("GET", "/a.txt"))
            check(client.recv(4096).startswith(b"HTTP/1.1 200"), "Unix socket")
    return recorded.calls


@test
def the_calls_of_a_worker_are_those_that_are_declared():
    need_sandbox()
    made = {workers: everyday(workers, False) | everyday(workers, True) for workers in (1, 2)}
    made[1] |= large_and_piped(False) | large_and_piped(True)
    for workers, calls in made.items():
        declared = calls_of(shown("-n", str(workers), "-o", "-"))
        check(calls <= declared, "not declared, but made: %s" % sorted(calls - declared))
    if not AM_ROOT:
        return      # some are made in a chroot only
    unused = calls_of(shown("-n", "1", "-o", "-")) - made[1] - made[2] - set(UNSEEN)
    check(not unused, "declared, but never made: %s" % sorted(unused))


if __name__ == "__main__":
    main()
