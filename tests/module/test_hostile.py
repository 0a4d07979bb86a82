#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A worker that was taken over (hostile/hostile.c) can do only what the loaded modules declared."""
import errno
import functools
import itertools
import os
import shlex
import signal
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "behaviour"))

from harness import *  # noqa: E402

CC = os.environ.get("CC") or "cc"
INCLUDE = os.path.join(HERE, "..", "..", "include")
CONTENT = {"a.txt": b"alpha\n", "free.txt": b"anybody may change this\n"}
KILLED, DONE, ABORTED = "killed", "done", "aborted"

# What each attempt is opened by; None: by nothing at all.
ATTEMPTS = {
    "execve": None, "execveat": None, "fork": None, "clone3": None, "ptrace": None, "memory": None,
    "kill": None, "quit": None, "tgkill": None, "connect": "CONNECT", "unix": "CONNECT",
    "syslog": "CONNECT",
    "netlink": None, "raw": None, "bind": None, "read": None, "read-beneath": None,
    "write": "WRITE_FILES", "write-beneath": "WRITE_FILES", "overwrite": "WRITE_FILES",
    "mkdir": "WRITE_FILES", "remove": "WRITE_FILES", "rename": "WRITE_FILES", "list": "LIST_DIRS",
    "mprotect": None, "mmap": None, "share": "MAP_SHARED", "thread": "THREADS", "timer": "CLOCK",
    "uring": None, "bpf": None, "setuid": None, "unshare": None, "chroot": None, "mount": None,
    "userfaultfd": None, "perf": None, "keyctl": None, "prctl": None, "ioctl": None, "limit": None,
    "protocol": None, "ping": None, "tcp": "CONNECT", "udp": "CONNECT", "layer": "ENCRYPT",
    "namespace": None, "x32": None, "i386": None, "code-key": None, "wide": None, "memfd": None,
    "attach": None, "handle": None, "personality": None}
NEEDS = ("WRITE_FILES", "LIST_DIRS", "CONNECT", "MAP_SHARED", "AIO", "LOG_WRITE", "THREADS",
         "CLOCK", "ENCRYPT")
# Attempts that the filter lets through to Landlock, the root or the kernel's own checks, and
# system calls that fail instead of ending the process.
ERRORS = {
    "read": {errno.EACCES, errno.ENOENT},
    "read-beneath": {errno.EACCES, errno.ENOENT},
    "write-beneath": {errno.EACCES},
    "overwrite": {errno.EACCES},
    "list": {errno.EACCES},
    "syslog": {errno.EACCES}}

# A call of a 32-bit program. Where the kernel takes none, the processor faults.
CALL_I386 = r"""
int main(void)
{
#if defined(__x86_64__)
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
#endif
	return 0;
}
"""

_built = {}


@functools.lru_cache(maxsize=None)
def takes_i386():
    path = scratch() + "/call"
    done = subprocess.run(shlex.split(CC) + ["-x", "c", "-o", path, "-"], input=CALL_I386.encode(),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    equal((done.returncode, done.stdout.decode("utf-8", "replace")), (0, ""), "the compiler")
    return subprocess.run([path]).returncode == 0


def module(*needs):
    """Path of the module that declares these needs."""
    value = "|".join(["0"] + ["LOP_NEEDS_" + need for need in needs])
    if value not in _built:
        path = scratch() + "/hostile.so"
        done = subprocess.run(
            shlex.split(CC) + ["-std=c11", "-D_GNU_SOURCE", "-DNEEDS=(%s)" % value, "-shared",
                               "-fPIC", "-I" + INCLUDE, "-o", path,
                               os.path.join(HERE, "hostile", "hostile.c")],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        equal((done.returncode, done.stdout.decode("utf-8", "replace")), (0, ""), "the compiler")
        _built[value] = path
    return _built[value]


def need_sandbox():
    if not processes.has_sandbox():
        skip("there is no module sandbox")


def victim(needs=(), *options, workers=2, as_user=False):
    """A server with the module, whose folder everybody may write, so that rights alone do not
    protect it."""
    server = Server(CONTENT, "-M", module(*needs), *options, workers=workers, as_user=as_user,
                    killed=True)
    server.start()
    os.chmod(server.root, 0o777)
    os.chmod(server.path("free.txt"), 0o666)
    return server


def attempt(server, name, argument):
    """What came of it: done, killed, aborted, or the errno."""
    with server.connect(timeout=10) as connection:
        connection.send(make_request("GET", "/hostile/%s?%s" % (name, argument)))
        try:
            response = connection.read_response()
        except (Failure, OSError):
            response = None
    if response is None:
        if server.workers == 1:
            return {-signal.SIGSYS: KILLED, -signal.SIGABRT: ABORTED}.get(server.wait(), "ended")
        wait_for(lambda: "was killed by signal" in server.errors(), 5, "what killed the worker")
        return KILLED if "killed by signal %d" % signal.SIGSYS in server.errors() else ABORTED
    equal(response.status, 200, "status of %s" % name)
    text = response.body.decode()
    return DONE if text == "done" else int(text.split()[1])


def argument_for(name, server, port, outside, stranger):
    if name in ("ptrace", "memory", "kill", "quit", "tgkill"):
        return str(stranger if server.workers == 1 else server.pid)
    return {"connect": str(port), "execve": "/bin/true", "read": outside,
            "read-beneath": outside}.get(name, "")


def trials(needs, names=None, workers=2, as_user=False):
    """Each attempt in a server of its own, if the last did not survive: {name: outcome}."""
    secret = scratch() + "/secret"
    with open(secret, "w") as file:
        file.write("secret\n")
    os.chmod(secret, 0o644)
    os.chmod(os.path.dirname(secret), 0o755)
    outcomes, server = {}, None
    with socket.socket() as listener, subprocess.Popen(["sleep", "600"]) as stranger:
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        try:
            for name in names or ATTEMPTS:
                if name == "i386" and not takes_i386():
                    continue
                for outside in (secret, "/etc/passwd") if name.startswith("read") else ("",):
                    server = server or victim(needs, workers=workers, as_user=as_user)
                    outcome = attempt(server, name, argument_for(
                        name, server, listener.getsockname()[1], outside, stranger.pid))
                    outcomes[name] = max(outcomes.get(name, outcome), outcome, key=str)
                    if outcome in (KILLED, ABORTED):
                        if workers > 1:
                            check(processes.alive(server.pid), "the master died: " + name)
                            server.stop()
                        else:
                            server._kill()
                        server = None
                    elif name in ("write", "write-beneath", "overwrite", "mkdir", "remove",
                                  "rename") and outcome == DONE:
                        server.stop()       # its folder is not the same any more
                        server = None
        finally:
            survived = stranger.poll() is None
            stranger.kill()
            if server:
                server.stop()
    check(survived, "another process was ended")
    return outcomes


def opened(name, needs):
    wanted = ATTEMPTS[name]
    return wanted in needs or (wanted == "THREADS" and "AIO" in needs)


def expect(outcomes, needs):
    wrong = []
    for name, outcome in outcomes.items():
        allowed = {KILLED} | ERRORS.get(name, set())
        if name == "thread" and opened(name, needs):
            allowed = {errno.EINVAL}    # past the filter: the kernel finds no sense in its flags
        elif name == "layer" and opened(name, needs):
            allowed = {errno.EBADF}     # past the filter, with a descriptor that is none
        elif name == "clone3" and {"THREADS", "AIO"} & set(needs):
            allowed = {errno.ENOSYS}    # libc then takes clone
        elif opened(name, needs):
            allowed = {DONE}
        if outcome not in allowed:
            wrong.append("%s: %s" % (name, os.strerror(outcome) if isinstance(outcome, int)
                                     else outcome))
    check(not wrong, "with %s: %s" % (" and ".join(needs) or "no needs", "; ".join(wrong)))


@test
def nothing_that_was_not_declared_is_possible_in_a_chroot():
    need_sandbox()
    need_root()
    expect(trials(()), ())


@test
def a_call_of_a_32_bit_program_is_not_possible():
    need_sandbox()
    if not takes_i386():
        skip("this kernel takes no calls of 32-bit programs")
    expect(trials((), ["i386"]), ())


@test
def nothing_that_was_not_declared_is_possible_as_an_ordinary_user():
    need_sandbox()
    expect(trials((), as_user=True), ())


@test
def nothing_that_was_not_declared_is_possible_without_a_master():
    need_sandbox()
    names = [name for name in ATTEMPTS if name != "remove"]
    expect(trials((), names, workers=1, as_user=True), ())


@test(limit=120)
def each_need_opens_what_it_says_and_nothing_else():
    need_sandbox()
    for need in NEEDS:
        expect(trials((need,)), (need,))


@test(limit=240)
def each_pair_of_needs_opens_what_the_two_say_and_nothing_else():
    need_sandbox()
    for pair in itertools.combinations(NEEDS, 2):
        expect(trials(pair), pair)


@test(limit=60)
def all_needs_together_open_nothing_else():
    need_sandbox()
    expect(trials(NEEDS), NEEDS)
    expect(trials(NEEDS, as_user=True), NEEDS)


@test
def abort_ends_a_worker_as_an_abort():
    need_sandbox()
    equal(trials((), ["abort"]), {"abort": ABORTED}, "outcome")


@test
def without_the_sandbox_the_attempts_succeed():
    """So that the tests above prove something."""
    names = ("mprotect", "mmap", "share", "timer", "fork", "syslog", "unix", "limit")
    server = victim((), "--no-sandbox", as_user=True)
    try:
        for name in names:
            equal(attempt(server, name, ""), DONE, name)
        equal(processes.status(server.worker_pids()[0])["Seccomp"], "0", "Seccomp")
    finally:
        server.stop()


@test
def only_logging_lets_it_pass():
    need_sandbox()
    server = victim((), "--sandbox-log")
    try:
        equal(attempt(server, "mprotect", ""), DONE, "mprotect")
        check("only logs" in server.errors(), "no warning")
    finally:
        server.stop()


if __name__ == "__main__":
    main()
