#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Listeners: several addresses, IPv6, Unix sockets, sockets from systemd, and readiness."""
import os
import signal
import socket
import stat
import sys

from harness import *

CONTENT = {"a.txt": b"alpha\n"}
# Puts a descriptor into the place of number 3 and becomes the server; LISTEN_PID is its own pid.
HAND_OVER = """import os, sys
if sys.argv[1] != "-":
    os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])"""


def have_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        skip("no IPv6 here")


def listened(server):
    """The lines that say where it listens."""
    return [line.split(" on ", 1)[1] for line in server.errors().splitlines()
            if line.startswith("lhttpd: listening on ")]


def answers(address):
    with Connection(address) as connection:
        equal(connection.get("/a.txt").body, b"alpha\n", "body through %s" % (address,))


@test
def each_listener_is_announced_and_answers():
    with Server(CONTENT, "-l", "127.0.0.1:0", "-l", "127.0.0.1:0", "-l", "127.0.0.2:0", listeners=3,
                workers=2) as server:
        equal(len(listened(server)), 3, "lines")
        equal(len({address[1] for address in server.addresses}), 3, "ports")
        for address in server.addresses:
            answers(address)


@test
def the_default_is_all_addresses():
    with Server(CONTENT, "--port", "0", port=None) as server:
        check(listened(server)[0].startswith("http://0.0.0.0:"),
              "it listens on " + listened(server)[0])
        answers(("127.0.0.1", server.port_number))


@test
def ipv6_with_an_address():
    have_ipv6()
    with Server(CONTENT, "-l", "[::1]:0", workers=2) as server:
        check(listened(server)[0].startswith("http://[::1]:"),
              "it listens on " + listened(server)[0])
        answers(("::1", server.port_number))


@test
def the_flag_6_listens_on_all_of_ipv6():
    have_ipv6()
    with Server(CONTENT, "-6", "--port", "0", port=None) as server:
        check(listened(server)[0].startswith("http://[::]:"),
              "it listens on " + listened(server)[0])
        answers(("::1", server.port_number))


@test
def ipv4_and_ipv6_beside_each_other():
    have_ipv6()
    with Server(CONTENT, "-l", "127.0.0.1:0", "-l", "[::1]:0", listeners=2) as server:
        for address in server.addresses:
            answers(address)


@test
def a_unix_socket():
    for workers in (1, 2):
        path = scratch() + "/socket"
        os.chmod(os.path.dirname(path), 0o777)
        with Server(CONTENT, "-l", "unix:" + path, workers=workers) as server:
            equal(listened(server), ["unix:" + path], "lines")
            check(stat.S_ISSOCK(os.stat(path).st_mode), "there is no socket")
            for _ in range(5):
                answers(path)


@test
def a_unix_socket_that_was_left_behind_is_replaced():
    path = scratch() + "/socket"
    os.chmod(os.path.dirname(path), 0o777)
    old = socket.socket(socket.AF_UNIX)
    old.bind(path)
    old.close()
    with Server(CONTENT, "-l", "unix:" + path):
        answers(path)


@test
def a_unix_socket_in_use_is_not_taken_away():
    path = scratch() + "/socket"
    os.chmod(os.path.dirname(path), 0o777)
    with Server(CONTENT, "-l", "unix:" + path):
        status, _, errors = run("-R", tree(CONTENT), "-l", "unix:" + path, "-n", "1", "-q")
        equal(status, 1, "exit status")
        check(path in errors and errors.count("\n") == 1, "message: " + errors)
        answers(path)


@test
def a_file_in_the_place_of_a_unix_socket_is_not_deleted():
    path = tree({"precious": b"data"}) + "/precious"
    status, _, errors = run("-R", tree(CONTENT), "-l", "unix:" + path, "-n", "1", "-q")
    equal(status, 1, "exit status")
    check(path in errors, "message: " + errors)
    with open(path, "rb") as file:
        equal(file.read(), b"data", "the file")


def handed_over(file, workers):
    """A server that inherits this as descriptor 3, as systemd hands a socket over."""
    number = file.fileno()
    return Server(CONTENT, workers=workers, port=None, wrapper=[sys.executable, "-c", HAND_OVER,
                                                                str(number)],
                  pass_fds=(number,), env={"LISTEN_FDS": "1"})


@test
def sockets_from_systemd_are_used():
    for workers in (1, 2):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = listener.getsockname()
            with handed_over(listener, workers) as server:
                equal(server.addresses, [address], "addresses")
                for _ in range(10):
                    answers(address)
            socket.create_connection(address, patience(1)).close()  # its owner still has it open


@test
def a_unix_socket_from_systemd_is_used_and_not_removed():
    path = scratch() + "/socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.chmod(path, 0o777)
        listener.listen(10)
        with handed_over(listener, 1):
            answers(path)
        check(os.path.exists(path), "the socket of systemd was removed")


@test
def listen_fds_for_another_process_are_ignored():
    with Server(CONTENT, env={"LISTEN_FDS": "1", "LISTEN_PID": "1"}) as server:
        answers(server.address)


@test
def strange_values_of_listen_fds_are_no_crash():
    for value in ("", "x", "-1", "0", "999999999999", "4294967297"):
        server = Server(CONTENT, env={"LISTEN_FDS": value},
                        wrapper=[sys.executable, "-c", HAND_OVER, "-"])
        try:
            with server:
                answers(server.address)
        except Failure as problem:
            check("ended at once with status" in str(problem) and "status -" not in str(problem),
                  str(problem))


@test
def what_is_no_listening_socket_is_refused():
    with open("/dev/null", "rb") as null:
        try:
            with handed_over(null, 1):
                pass
        except Failure as problem:
            check("ended at once with status 1" in str(problem), str(problem))
            return
        raise Failure("it started with a descriptor that is no socket")


def notified(name, workers):
    """Start with a notify socket; READY=1 must come after the server listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(name)
        if not name.startswith("\0"):
            os.chmod(name, 0o777)
        notify.settimeout(patience(5))
        with Server(CONTENT, workers=workers, env={"NOTIFY_SOCKET": name.replace("\0",
                                                                                 "@")}) as server:
            def message():
                try:
                    return notify.recv(4096).decode().split("\n")
                except socket.timeout:
                    raise Failure("no message on NOTIFY_SOCKET") from None
            words = message()
            while "READY=1" not in words:
                words = message()
            answers(server.address)
            server.send_signal(signal.SIGTERM)
            equal(server.wait(), 0, "exit status")


@test
def readiness_is_told_to_systemd():
    for workers in (1, 2):
        folder = scratch()
        os.chmod(folder, 0o777)
        notified(folder + "/notify", workers)


@test
def readiness_through_an_abstract_socket():
    notified("\0lophttpd-test-%d" % os.getpid(), 1)


@test
def a_notify_socket_that_is_not_there_is_no_obstacle():
    with Server(CONTENT, env={"NOTIFY_SOCKET": scratch() + "/missing"}) as server:
        answers(server.address)


if __name__ == "__main__":
    main()
