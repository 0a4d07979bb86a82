#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Resumption by tickets: by every worker, never across hosts; and memory that stays flat."""
import ssl
import subprocess

from harness import *
from secure import *

authority = Authority()
default = authority.make("default", ["default.test"])
one = authority.make("one", ["one.test"])
two = authority.make("two", ["two.test"])
KEYS = ("-C", default.both, "-C", "one.test:" + one.both, "-C", "two.test:" + two.both)
site = SecureServer({"a": b"a"}, *KEYS)
several = SecureServer({"a": b"a"}, *KEYS, workers=3)
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def of_version(version):
    context = client_context()
    context.minimum_version = context.maximum_version = version
    return context


def visit(server, context, name="one.test", session=None):
    """One request; returns the session to resume, and whether this one was resumed."""
    with SecureConnection(server.address, context, name, session) as connection:
        equal(connection.request("GET", "/a", host=name or "x").body, b"a", "body")
        return connection.socket.session, connection.socket.session_reused


@test
def a_session_is_resumed():
    for version in VERSIONS:
        context = of_version(version)
        session, reused = visit(site, context)
        check(not reused, "the first was resumed")
        check(session.has_ticket, "there is no ticket")
        for _ in range(3):
            session, reused = visit(site, context, session=session)
            check(reused, "not resumed with %s" % version)


@test
def every_worker_resumes_it():
    for version in VERSIONS:
        context = of_version(version)
        session, _ = visit(several, context)
        for number in range(30):
            again, reused = visit(several, context, session=session)
            check(reused, "connection %d was not resumed" % number)
            session = again if version == ssl.TLSVersion.TLSv1_3 else session


@test
def a_session_of_one_host_is_not_resumed_for_another():
    for version in VERSIONS:
        for name in ("two.test", "default.test", None):
            context = of_version(version)
            session, _ = visit(site, context)
            check(not visit(site, context, name, session)[1], "resumed for %s" % name)


@test
def a_ticket_of_another_server_is_not_taken():
    for version in VERSIONS:
        context = of_version(version)
        session, _ = visit(site, context)
        with SecureServer({"a": b"a"}, *KEYS) as stranger:
            check(not visit(stranger, context, session=session)[1], "it was resumed")


@test
def no_session_is_kept_without_a_ticket():
    context = of_version(ssl.TLSVersion.TLSv1_2)
    context.options |= ssl.OP_NO_TICKET
    session, _ = visit(site, context)
    check(not visit(site, context, session=session)[1], "it was resumed by its number")


@test
def early_data_is_not_offered():
    said = openssl_client("-sess_out", scratch() + "/session")
    check("Max Early Data: 0" in said or "Max Early Data" not in said, said[-600:])


def openssl_client(*arguments):
    done = subprocess.run(["openssl", "s_client", "-ign_eof", "-connect",
                           "127.0.0.1:%d" % site.port_number, *arguments],
                          input=make_request("GET", "/a", "Connection: close"),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=patience(15))
    return done.stdout.decode("utf-8", "replace")


def resident(pid):
    """Bytes of memory of a process that are its own."""
    with open("/proc/%d/smaps_rollup" % pid) as file:
        for line in file:
            if line.startswith("Private_Dirty"):
                return int(line.split()[1]) * 1024
    raise Failure("no Private_Dirty")


def abort(server, pause):
    """A handshake that the client leaves after so many bytes, or after the server's answer."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context().wrap_bio(incoming, outgoing)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    with Connection(server.address) as raw:
        hello = outgoing.read()
        raw.send(hello[:pause])
        if pause >= len(hello):
            raw.socket.recv(1)


@test(limit=120)
def memory_stays_flat_under_resumed_and_aborted_handshakes():
    if SLOWDOWN > 1:
        skip("a build with sanitizers does not give memory back")
    if not AM_ROOT and processes.has_sandbox():
        skip("an ordinary user cannot look into a worker")
    context = of_version(ssl.TLSVersion.TLSv1_3)
    session, _ = visit(site, context)

    def soak(rounds):
        nonlocal session
        for number in range(rounds):
            session, reused = visit(site, context, session=session)
            check(reused, "not resumed")
            abort(site, 1 + number * 7 % 700)
            if number % 4 == 0:
                visit(site, of_version(VERSIONS[number // 4 % 2]))
        site.wait_for_connections(0)
    rounds = 300
    soak(rounds)
    before = resident(site.pid)
    soak(2 * rounds)
    grown = resident(site.pid) - before
    check(grown < 256 << 10,
          "%d bytes more after %d handshakes" % (grown, 5 * rounds))


if __name__ == "__main__":
    main()
