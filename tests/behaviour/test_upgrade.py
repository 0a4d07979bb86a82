#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""USR2: the newly installed program takes over the same sockets while the old one drains."""
import os
import shutil
import signal
import time

from harness import *
from traffic import SMALL, Traffic

BIG = pattern(24 << 20, 17)
CONTENT = {"a.txt": SMALL, "big.bin": BIG}


def born(server, old):
    """The processes of the session that were not there before the upgrade."""
    return [pid for pid in processes.in_session(server.process.pid) if pid not in old]


def upgrade(server):
    """Send USR2 and wait until the old processes are gone and new ones serve; returns those."""
    old = processes.in_session(server.process.pid)
    os.kill(old[0], signal.SIGUSR2)
    wait_for(lambda: born(server, old), 5, "a new process")
    wait_for(lambda: not any(processes.alive(pid) for pid in old[1:] + old[:1]), 8,
             "the end of the old processes")
    return born(server, old)


def serving(workers, as_user=False):
    """One process alone can start another program only without a sandbox."""
    free = ["--no-sandbox"] if workers == 1 else []
    return Server(CONTENT, "--drain-timeout", "%.1f" % patience(10), *free, workers=workers,
                  as_user=as_user, upgrades=True)


def no_request_fails(workers, as_user=False):
    with serving(workers, as_user) as server:
        with Traffic(server) as traffic, Traffic(server, keep_alive=True) as steady:
            time.sleep(0.1)
            new = upgrade(server)
            time.sleep(0.2)
        traffic.check("new connections")
        # A kept connection may be closed between two requests, as at any drain.
        closed = ("in the middle of a response head; so far: b''", "BrokenPipe", "ConnectionReset")
        hard = [problem for problem in steady.problems
                if not any(word in problem for word in closed)]
        check(not hard, "kept connections: " + "; ".join(hard[:3]))
        expected = 1 if workers == 1 else workers + 1
        equal(len(new), expected, "number of new processes")
        equal(server.get("/a.txt").status, 200, "status afterwards")


@test
def no_request_fails_with_one_process():
    no_request_fails(1, as_user=True)


@test
def one_process_in_a_chroot_says_why_it_cannot_and_goes_on():
    """It has no way to the new program: that is the price of having no master."""
    need_root()
    with Server(CONTENT) as server:
        with server.connect() as connection:
            connection.get("/a.txt")
            server.send_signal(signal.SIGUSR2)
            wait_for(lambda: "chroot" in server.errors(), 3, "a message")
            equal(connection.get("/a.txt").body, SMALL, "body on the old connection")
        equal(server.get("/a.txt").body, SMALL, "body on a new connection")


@test
def one_process_in_the_sandbox_says_why_it_cannot_and_goes_on():
    if not processes.has_sandbox():
        skip("there is no module sandbox")
    with Server(CONTENT, as_user=True) as server:
        with server.connect() as connection:
            connection.get("/a.txt")
            server.send_signal(signal.SIGUSR2)
            wait_for(lambda: "from within the sandbox" in server.errors(), 3, "a message")
            equal(connection.get("/a.txt").body, SMALL, "body on the old connection")
        equal(server.get("/a.txt").body, SMALL, "body on a new connection")


@test
def no_request_fails_with_workers():
    no_request_fails(2)


@test
def no_request_fails_as_an_ordinary_user():
    no_request_fails(2, as_user=True)


@test
def a_download_that_runs_is_finished_by_the_old_program():
    for workers in (1, 2):
        with serving(workers, as_user=workers == 1) as server:
            with server.connect(receive_buffer=8192) as busy:
                busy.send(make_request("GET", "/big.bin"))
                busy.read_head()
                first = busy._take(100000)
                old = processes.in_session(server.process.pid)
                os.kill(old[0], signal.SIGUSR2)
                wait_for(lambda: born(server, old), 5, "a new process")
                wait_for(lambda: server.get("/a.txt").status == 200, 2, "service")
                time.sleep(0.1)
                check(first + busy._take(len(BIG) - 100000) == BIG, "the download is wrong")
            wait_for(lambda: not any(processes.alive(pid) for pid in old[1:]), 8,
                     "the end of the old workers")


@test
def upgrades_can_follow_one_another():
    with serving(2) as server:
        for _ in range(3):
            upgrade(server)
            for _ in range(10):
                equal(server.get("/a.txt").status, 200, "status")


@test
def unix_sockets_and_the_pid_file_go_with_it():
    folder = scratch()
    os.chmod(folder, 0o777)
    path, pid_file = folder + "/socket", folder + "/pid"
    with Server(CONTENT, "-l", "unix:" + path, "--pid-file", pid_file, workers=2,
                upgrades=True) as server:
        for _ in range(2):
            new = upgrade(server)
            for _ in range(5):
                equal(server.get("/a.txt").body, SMALL, "body through the Unix socket")
            with open(pid_file) as file:
                within(int(file.read()), new, "pid file")


@test
def the_log_goes_on():
    folder = scratch()
    if AM_ROOT:
        os.chown(folder, run_uid(), -1)
    with Server(CONTENT, "-o", folder + "/access", quiet=False, workers=2,
                upgrades=True) as server:
        for name in ("before", "after"):
            for _ in range(20):
                server.get("/a.txt?" + name)
            if name == "before":
                upgrade(server)
    text = b""
    for number in range(2):
        with open("%s/access.%d" % (folder, number), "rb") as file:
            text += file.read()
    equal((text.count(b"?before"), text.count(b"?after")), (20, 20), "lines in the log")


@test
def the_new_program_is_the_one_that_is_installed_now():
    with open(LHTTPD, "rb") as file:
        if file.read(4) != b"\x7fELF":
            skip("LHTTPD is a script and cannot be installed by a copy")
    folder = scratch()
    shutil.copy2(LHTTPD, folder + "/lhttpd")
    with Server(CONTENT, workers=2, program=folder + "/lhttpd", upgrades=True) as server:
        shutil.copy2(LHTTPD, folder + "/next")
        installed = os.stat(folder + "/next").st_ino
        os.rename(folder + "/next", folder + "/lhttpd")
        new = upgrade(server)
        for pid in new:
            equal(processes.program(pid), installed, "inode of the program of %d" % pid)
        equal(server.get("/a.txt").status, 200, "status")


@test
def a_broken_new_program_changes_nothing():
    with open(LHTTPD, "rb") as file:
        if file.read(4) != b"\x7fELF":
            skip("LHTTPD is a script and cannot be installed by a copy")
    for broken in (b"#!/bin/sh\nexit 1\n", b"this is no program\n", None):
        folder = scratch()
        shutil.copy2(LHTTPD, folder + "/lhttpd")
        with Server(CONTENT, workers=2, program=folder + "/lhttpd") as server:
            workers = server.worker_pids()
            os.unlink(folder + "/lhttpd")
            if broken is not None:
                with open(folder + "/lhttpd", "wb") as file:
                    file.write(broken)
                os.chmod(folder + "/lhttpd", 0o755)
            before = len(server.errors())
            server.send_signal(signal.SIGUSR2)
            wait_for(lambda: len(server.errors()) > before, 5, "a message about the failure")
            for _ in range(10):
                equal(server.get("/a.txt").status, 200, "status")
            wait_for(lambda: server.worker_pids() == workers, 5, "the end of the new program")


@test
def the_old_workers_end_though_a_client_is_stalled():
    limit = seconds(1.0)
    with Server(CONTENT, "--drain-timeout", "%.2f" % limit, workers=2, upgrades=True) as server:
        with server.connect(receive_buffer=8192) as stalled:
            stalled.send(make_request("GET", "/big.bin"))
            stalled.read_head()
            upgrade(server)
            equal(server.get("/a.txt").status, 200, "status")


if __name__ == "__main__":
    main()
