#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Processes: one, or a master with workers; who they run as, their root, what they hold open."""
import grp
import os
import pwd
import signal

from harness import *

CONTENT = {"a.txt": b"alpha\n", "index.html": b"index\n"}


def check_identity(pid, uid, root=None):
    status = processes.status(pid)
    equal(status["Uid"].split(), [str(uid)] * 4, "Uid of %d" % pid)
    equal(status["NoNewPrivs"], "1", "NoNewPrivs of %d" % pid)
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        equal(int(status[kind], 16), 0, "%s of %d" % (kind, pid))
    if root:
        equal(os.readlink("/proc/%d/root" % pid), root, "root of %d" % pid)
        equal(os.readlink("/proc/%d/cwd" % pid), root, "working directory of %d" % pid)


@test
def one_worker_is_one_process():
    with Server(CONTENT, workers=1) as server:
        equal(server.get("/a.txt").body, b"alpha\n", "body")
        equal(processes.in_session(server.pid), [server.pid], "processes")
        equal(processes.status(server.pid)["Threads"], "1", "threads")


@test
def three_workers_are_a_master_and_three():
    with Server(CONTENT, workers=3) as server:
        for _ in range(30):
            equal(server.get("/a.txt").body, b"alpha\n", "body")
        equal(len(processes.children(server.pid)), 3, "number of workers")
        equal(len(processes.in_session(server.pid)), 4, "number of processes")


@test
def the_default_is_one_worker_a_core():
    cores = len(os.sched_getaffinity(0))
    with Server(CONTENT, workers=None) as server:
        equal(server.get("/a.txt").body, b"alpha\n", "body")
        expected = 0 if cores == 1 else cores
        wait_for(lambda: len(processes.children(server.pid)) in (expected, cores), 2,
                 "%d workers" % cores)


@test
def the_master_handles_no_request():
    """With the workers stopped nobody answers; then they go on and answer all that waited."""
    with Server(CONTENT, workers=2) as server:
        workers = server.worker_pids()
        equal(len(workers), 2, "number of workers")
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        connections = [server.connect() for _ in range(10)]
        try:
            for connection in connections:
                connection.send(make_request("GET", "/a.txt"))
            connections[0].expect_silence(0.2)
            for pid in workers:
                os.kill(pid, signal.SIGCONT)
            for connection in connections:
                equal(connection.read_response().body, b"alpha\n", "body")
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)
            for connection in connections:
                connection.close()


@test
def all_workers_serve():
    with Server(CONTENT, workers=3) as server:
        held = [server.connect() for _ in range(90)]
        for connection in held:
            equal(connection.get("/a.txt").body, b"alpha\n", "body")
        counts = [len(processes.sockets(pid)) for pid in server.worker_pids()]
        check(min(counts) >= 5, "sockets of the workers: %s" % counts)
        for connection in held:
            connection.close()


def identity_as_root(workers):
    need_root()
    with Server(CONTENT, workers=workers) as server:
        equal(server.get("/a.txt").body, b"alpha\n", "body")
        known = pwd.getpwnam(RUN_USER)
        for pid in server.worker_pids():
            check_identity(pid, known.pw_uid, server.root)
            status = processes.status(pid)
            equal(status["Gid"].split(), [str(known.pw_gid)] * 4, "Gid")
            equal(status["Groups"].split(), [], "supplementary groups")


@test
def one_process_started_by_root_drops_everything():
    identity_as_root(1)


@test
def workers_started_by_root_drop_everything():
    identity_as_root(2)


@test
def groups_of_root_are_dropped_too():
    need_root()
    before = os.getgroups()
    os.setgroups([0, 1, 2, 4242])
    try:
        identity_as_root(1)
    finally:
        os.setgroups(before)


@test
def an_ordinary_user_stays_itself():
    for workers in (1, 2):
        with Server(CONTENT, workers=workers, as_user=True) as server:
            equal(server.get("/a.txt").body, b"alpha\n", "body")
            for pid in server.worker_pids():
                check_identity(pid, run_uid(as_user=True))


@test
def no_descriptor_of_a_worker_leads_outside():
    for as_user in (False, True):
        with Server(CONTENT, workers=2, as_user=as_user) as server:
            equal(server.get("/a.txt").body, b"alpha\n", "body")
            for pid in server.worker_pids():
                for number, text in processes.descriptors(pid).items():
                    if text.startswith("/") and os.path.isdir(text):
                        check((text + "/").startswith(server.root + "/"),
                              "descriptor %d of a worker is the folder %s" % (number, text))


@test
def the_default_user_is_the_first_that_exists():
    need_root()
    for name in ("wwwrun", "www-data", "nobody"):
        try:
            uid = pwd.getpwnam(name).pw_uid
            break
        except KeyError:
            continue
    else:
        skip("none of the default users exists")
    server = Server(CONTENT)
    server.root = tree(CONTENT)
    line = server.command()
    at = line.index("-u")
    server.command = lambda: line[:at] + line[at + 2:]
    with server:
        equal(server.get("/a.txt").body, b"alpha\n", "body")
        equal(processes.status(server.pid)["Uid"].split()[0], str(uid), "Uid")


@test
def an_unknown_user_ends_the_start():
    need_root()
    status, output, errors = run("-R", tree(CONTENT), "-p", "0", "-q", "-n", "1", "-u",
                                 "no-such-user-here")
    within(status, (1, 2), "exit status")
    check("no-such-user-here" in errors, "the message does not name the user: " + errors)
    equal(errors.count("\n"), 1, "lines of the message")


@test
def an_ordinary_user_cannot_become_another():
    status, output, errors = run("-R", tree(CONTENT), "-p", "0", "-q", "-n", "1", "-u", "root",
                                 as_user=True)
    within(status, (1, 2), "exit status")
    check("root" in errors and errors.count("\n") == 1, "message: " + errors)


@test
def workers_have_the_group_of_the_given_user_only():
    need_root()
    try:
        group = grp.getgrgid(pwd.getpwnam("nobody").pw_gid)
    except KeyError:
        skip("no user nobody")
    with Server(CONTENT, "-u", "nobody") as server:
        equal(server.get("/a.txt").body, b"alpha\n", "body")
        equal(processes.status(server.pid)["Gid"].split(), [str(group.gr_gid)] * 4, "Gid")
        equal(processes.status(server.pid)["Groups"].split(), [], "supplementary groups")


@test
def a_server_without_a_reachable_root_folder_is_honest():
    """The worker's user may pass the root but not read a folder in it: 403, not a crash."""
    need_root()
    root = tree({"closed/a.txt": b"x", "a.txt": b"alpha\n"})
    os.chmod(root + "/closed", 0o700)
    with Server(root) as server:
        equal(server.get("/closed/a.txt").status, 403, "status")
        equal(server.get("/a.txt").body, b"alpha\n", "body")


if __name__ == "__main__":
    main()
