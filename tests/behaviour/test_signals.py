#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Signals: TERM, INT, QUIT, HUP, USR1, and killed workers. Only TERM drops a download."""
import os
import signal
import time

from harness import *
from traffic import SMALL as A, Traffic

BIG = pattern(24 << 20, 17)
CONTENT = {"a.txt": A, "big.bin": BIG}


def stops_with(number, workers):
    """Neither an idle connection nor one in a download keeps the server from stopping."""
    with Server(CONTENT, workers=workers) as server:
        with server.connect() as idle, server.connect(receive_buffer=8192) as busy:
            idle.get("/a.txt")
            busy.send(make_request("GET", "/big.bin"))
            busy.read_head()
            server.send_signal(number)
            equal(server.wait(3), 0, "exit status")
            equal(listens(server.addresses[0]), False, "the port is closed")
            wait_for(lambda: not processes.in_session(server.process.pid), 2,
                     "the end of all processes")
            idle.expect_close("the idle connection")


@test
def term_stops_one_process():
    stops_with(signal.SIGTERM, 1)


@test
def term_stops_master_and_workers():
    stops_with(signal.SIGTERM, 3)


@test
def int_stops_one_process():
    stops_with(signal.SIGINT, 1)


@test
def int_stops_master_and_workers():
    stops_with(signal.SIGINT, 2)


@test
def the_port_can_be_used_again_at_once():
    with Server(CONTENT) as server:
        server.get("/a.txt")
        port = server.port_number
    for workers in (1, 2):
        with Server(CONTENT, "-l", "127.0.0.1", port=str(port), workers=workers) as server:
            equal(server.get("/a.txt").body, A, "body")


def drains(workers):
    with Server(CONTENT, workers=workers) as server:
        address = server.address
        with server.connect() as idle, server.connect(receive_buffer=8192) as busy:
            idle.get("/a.txt")
            busy.send(make_request("GET", "/big.bin"))
            equal(busy.read_head().status, 200, "status")
            first = busy._take(100000)
            server.send_signal(signal.SIGQUIT)
            wait_for(lambda: not listens(address), 3, "the refusal of new connections")
            idle.expect_close("the idle connection")
            check(first + busy._take(len(BIG) - 100000) == BIG, "the running download is wrong")
            busy.expect_close("the connection after its download")
            equal(server.wait(3), 0, "exit status")


@test
def quit_lets_one_process_finish_its_downloads():
    drains(1)


@test
def quit_lets_workers_finish_their_downloads():
    drains(2)


@test
def quit_ends_at_once_when_nothing_runs():
    for workers in (1, 2):
        with Server(CONTENT, "--drain-timeout", "600", "--keepalive-timeout", "600",
                    workers=workers) as server:
            with server.connect() as idle:
                idle.get("/a.txt")
                server.send_signal(signal.SIGQUIT)
                equal(server.wait(3), 0, "exit status")


@test
def quit_answers_the_request_that_is_under_way():
    """Half a header has come: the client gets its answer, and is told of the close."""
    with Server(CONTENT) as server:
        with server.connect() as connection:
            connection.get("/a.txt")
            request = make_request("GET", "/a.txt")
            connection.send(request[:20])
            server.wait_for_reading()
            server.send_signal(signal.SIGQUIT)
            wait_for(lambda: not listens(server.addresses[0]), 3, "the refusal of new connections")
            connection.send(request[20:])
            response = connection.read_response()
            equal(response.body, A, "body")
            check(response.says_close, "the last answer lacks Connection: close")
            connection.expect_close()
            equal(server.wait(3), 0, "exit status")


def bounded_drain(workers):
    limit = seconds(1.0)
    with Server(CONTENT, "--drain-timeout", "%.2f" % limit, workers=workers) as server:
        with server.connect(receive_buffer=8192) as stalled:
            stalled.send(make_request("GET", "/big.bin"))
            stalled.read_head()
            begun = time.monotonic()
            server.send_signal(signal.SIGQUIT)
            equal(server.wait(6), 0, "exit status")
            took = time.monotonic() - begun
            check(limit * 0.8 <= took, "the drain took %.2f s instead of %.2f" % (took, limit))


@test
def a_drain_is_bounded_with_one_process():
    bounded_drain(1)


@test
def a_drain_is_bounded_with_workers():
    bounded_drain(2)


@test
def term_ends_a_drain():
    with Server(CONTENT, "--drain-timeout", "60", workers=2) as server:
        with server.connect(receive_buffer=8192) as stalled:
            stalled.send(make_request("GET", "/big.bin"))
            stalled.read_head()
            server.send_signal(signal.SIGQUIT)
            wait_for(lambda: not listens(server.addresses[0]), 3, "the refusal of new connections")
            server.send_signal(signal.SIGTERM)
            equal(server.wait(3), 0, "exit status")


def log_folder():
    """A folder for logs that the worker's user owns."""
    path = scratch()
    if AM_ROOT:
        os.chown(path, run_uid(), -1)
    return path


def lines(path):
    try:
        with open(path, "rb") as file:
            return [line for line in file.read().splitlines() if not line.startswith(b"#")]
    except FileNotFoundError:
        return []


def count(names, word):
    return sum(word in line for name in names for line in lines(name))


def reopens(workers):
    folder = log_folder()
    names = [folder + "/access"] if workers == 1 else ["%s/access.%d" % (folder, number)
                                                       for number in range(workers)]
    with Server(CONTENT, "-o", folder + "/access", workers=workers, quiet=False) as server:
        for _ in range(20):
            server.get("/a.txt?before")
        wait_for(lambda: sum(len(lines(name)) for name in names) == 20, 5, "20 lines in the log")
        for name in names:
            os.rename(name, name + ".old")
        server.send_signal(signal.SIGHUP)
        wait_for(lambda: all(os.path.exists(name) for name in names), 3, "new log files")

        def taken_up():
            """Each worker has its new file, and has said so in it where we may not look."""
            if AM_ROOT:
                return not any(text.startswith(folder) and text.endswith(".old")
                               for pid in server.worker_pids()
                               for text in processes.descriptors(pid).values())
            server.get("/a.txt?between")
            return all(lines(name) for name in names)
        wait_for(taken_up, 5, "the end of the old files")
        for _ in range(20):
            server.get("/a.txt?after")
        wait_for(lambda: count(names, b"?after") == 20, 5, "20 lines in the new log")
        old = [name + ".old" for name in names]
        equal((count(names, b"?before"), count(old, b"?before"), count(old, b"?after")),
              (0, 20, 0), "lines of before in the new and the old log, and of after in the old")


@test
def hup_reopens_the_log_of_one_process():
    reopens(1)


@test
def hup_reopens_the_logs_of_all_workers():
    reopens(3)


@test
def hup_keeps_the_old_log_when_the_new_one_cannot_be_made():
    folder = log_folder()
    with Server(CONTENT, "-o", folder + "/access", quiet=False) as server:
        server.get("/a.txt?one")
        wait_for(lambda: len(lines(folder + "/access")) == 1, 5, "a line in the log")
        os.rename(folder + "/access", folder + "/old")
        os.mkdir(folder + "/access")  # nobody can open this for writing
        before = server.errors()
        server.send_signal(signal.SIGHUP)
        wait_for(lambda: len(server.errors()) > len(before), 3, "a message")
        check("access" in server.errors()[len(before):],
              "the message does not name the file: " + server.errors())
        server.get("/a.txt?two")
        wait_for(lambda: len(lines(folder + "/old")) == 2, 5, "a line in the old log")


def undisturbed(number, workers):
    """Signals come all the time; no request and no download notices."""
    with Server(CONTENT, workers=workers) as server:
        with server.connect(receive_buffer=8192) as busy, Traffic(server) as traffic:
            busy.send(make_request("GET", "/big.bin"))
            busy.read_head()
            for _ in range(30):
                server.send_signal(number)
                time.sleep(0.01)
            check(busy._take(len(BIG)) == BIG, "the download is wrong")
        traffic.check("during %s" % signal.Signals(number).name)
        equal(server.process.poll(), None, "exit status")


@test
def hup_disturbs_nobody():
    undisturbed(signal.SIGHUP, 1)
    undisturbed(signal.SIGHUP, 2)


@test
def usr1_disturbs_nobody():
    undisturbed(signal.SIGUSR1, 1)
    undisturbed(signal.SIGUSR1, 2)


@test
def a_broken_pipe_disturbs_nobody():
    undisturbed(signal.SIGPIPE, 1)


@test
def a_killed_worker_is_replaced_and_no_connection_is_refused():
    with Server(CONTENT, workers=3) as server:
        with Traffic(server, threads=3) as traffic:
            for _ in range(4):
                victim = server.worker_pids()[0]
                os.kill(victim, signal.SIGKILL)
                wait_for(lambda: victim not in server.worker_pids()
                         and len(server.worker_pids()) == 3, 3,
                         "a new worker")
                time.sleep(0.1)
        unavoidable = [problem
                       for problem in traffic.problems  # what the killed worker had in its hands
                       if "in the middle of" in problem or "ConnectionReset" in problem
                       or "BrokenPipe" in problem]
        others = [problem for problem in traffic.problems if problem not in unavoidable]
        check(not others, "failed requests: " + "; ".join(others[:3]))
        check(len(unavoidable) <= 4 * 3, "%d requests were lost with 4 workers" % len(unavoidable))


@test
def what_waits_in_the_queue_of_a_killed_worker_is_served():
    with Server(CONTENT, workers=2) as server:
        server.get("/a.txt")
        workers = server.worker_pids()
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
            wait_for(lambda: processes.status(pid)["State"].startswith("T"), 5, "its halt")
        waiting = [server.connect() for _ in range(30)]
        for connection in waiting:
            connection.send(make_request("GET", "/a.txt"))
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        for connection in waiting:
            equal(connection.read_response().body, A, "body")
            connection.close()
        equal(len(set(server.worker_pids()) & set(workers)), 0, "old workers")


@test
def a_worker_that_is_killed_again_and_again_does_not_end_the_master():
    with Server(CONTENT, workers=2) as server:
        for _ in range(10):
            for pid in processes.children(server.pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.02)
        wait_for(lambda: len(processes.children(server.pid)) == 2, 8, "two workers")
        wait_for(lambda: server.get("/a.txt").body == A, 3, "service")
        check("worker" in server.errors(), "nothing was said about killed workers")


@test
def a_worker_that_gets_term_itself_is_replaced():
    with Server(CONTENT, workers=2) as server:
        victim = server.worker_pids()[0]
        os.kill(victim, signal.SIGTERM)
        wait_for(lambda: victim not in server.worker_pids() and len(server.worker_pids()) == 2, 3,
                 "a new worker")
        equal(server.get("/a.txt").body, A, "body")


@test
def workers_do_not_outlive_a_killed_master():
    server = Server(CONTENT, workers=2).start()
    try:
        server.get("/a.txt")
        session = server.pid
        os.kill(server.pid, signal.SIGKILL)
        server.process.wait()
        wait_for(lambda: not processes.in_session(session), 5, "the end of the workers")
    finally:
        server.stop_session(signal.SIGKILL)


if __name__ == "__main__":
    main()
