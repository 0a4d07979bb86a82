#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Certificates that change while the server runs."""
import os
import shutil
import signal
import time

from harness import *
from secure import *

authority = Authority()
first = authority.make("first", ["host.test"])
second = authority.make("second", ["host.test"])
CONTENT = {"a": b"a", "big.bin": pattern(4_000_000)}


class Changing(SecureServer):
    """A server whose certificate and key can be exchanged."""

    def __init__(self, *options, own=False, **more):
        self.folder = scratch()
        self.certificate = os.path.join(self.folder, "cert.pem")
        self.key = os.path.join(self.folder, "cert.key")
        self.own = own
        self.put(first)
        super().__init__(CONTENT, "-C", self.certificate, "-K", self.key, *options, **more)

    def put(self, certificate, key=None):
        for path, content in ((self.key, (key or certificate).key_text()),
                              (self.certificate, certificate.text())):
            with open(path + ".new", "wb") as file:
                file.write(content)
            os.chmod(path + ".new", 0o600)
            if self.own and AM_ROOT:
                os.chown(path + ".new", ORDINARY, ORDINARY)
            os.rename(path + ".new", path)

    def serial(self):
        """The number of the certificate that a new connection gets."""
        with SecureConnection(self.address, client_context(authority), "host.test") as connection:
            return connection.socket.getpeercert()["serialNumber"]

    def serials(self):
        """Those of several, so that every worker is asked."""
        return {self.serial() for _ in range(12)}

    def wait_for_change(self, before, what, timeout=10):
        wait_for(lambda: before not in self.serials(), timeout, what)


@test
def hup_reads_the_certificates_again_in_every_worker():
    with Changing(workers=3) as server:
        before = server.serial()
        server.put(second)
        server.send_signal(signal.SIGHUP)
        server.wait_for_change(before, "the new certificate")
        equal(len(server.serials()), 1, "certificates")
        check("were read again" in server.errors(), "nothing was said: " + server.errors())


@test
def a_changed_file_is_seen_without_a_signal():
    with Changing(workers=2) as server:
        before = server.serial()
        server.put(second)
        server.wait_for_change(before, "the new certificate", 15)


@test
def connections_go_on_when_certificates_change():
    with Changing(workers=2) as server:
        before = server.serial()
        with SecureConnection(server.address) as idle, SecureConnection(server.address) as busy:
            equal(idle.get("/a").body, b"a", "before")
            busy.send(make_request("GET", "/big.bin"))
            head = busy.read_head()
            server.put(second)
            server.send_signal(signal.SIGHUP)
            server.wait_for_change(before, "the new certificate")
            equal(idle.get("/a").body, b"a", "after")
            equal(len(busy._take(int(head.get("Content-Length")))), 4_000_000, "download")


@test
def a_broken_new_file_keeps_the_old_and_says_so():
    with Changing(workers=2) as server:
        before = server.serial()
        for put, word in ((lambda: server.put(second, key=first), "does not fit"),
                          (lambda: open(server.certificate, "w").close(), "no certificate in"),
                          (lambda: os.unlink(server.certificate), "cannot read")):
            server.news()
            put()
            server.send_signal(signal.SIGHUP)
            wait_for(lambda: word in server.errors(), 5, "the word " + word)
            check("going on with the certificates" in server.errors(), server.errors())
            equal(server.serials(), {before}, "certificates")
        server.put(second)
        server.send_signal(signal.SIGHUP)
        server.wait_for_change(before, "the repaired certificate")


@test(punctual=1)
def an_expired_certificate_does_not_keep_another_host_from_renewing():
    end = int(time.time() + 5 * SLOWDOWN)
    old = authority.make("old", end=time.strftime("%Y%m%d%H%M%SZ", time.gmtime(end)), fresh=True)
    with Changing("-C", "old.test:" + old.both, workers=2) as server:
        before = server.serial()
        wait_for(lambda: time.time() > end + 1, 10, "its end")
        server.put(second)
        server.send_signal(signal.SIGHUP)
        server.wait_for_change(before, "the new certificate")
        equal(len(server.serials()), 1, "certificates")


@test
def a_worker_that_is_replaced_has_the_new_one():
    with Changing(workers=2) as server:
        before = server.serial()
        server.put(second)
        server.send_signal(signal.SIGHUP)
        server.wait_for_change(before, "the new certificate")
        old = server.worker_pids()
        os.kill(old[0], signal.SIGKILL)
        wait_for(lambda: len(server.worker_pids()) == 2 and old[0] not in server.worker_pids(), 10,
                 "another worker")
        check(before not in server.serials(), "the old certificate is back")


@test
def a_session_is_not_resumed_with_a_new_certificate():
    with Changing(workers=2) as server:
        context = client_context()
        with SecureConnection(server.address, context) as connection:
            connection.get("/a")
            session = connection.socket.session
        before = server.serial()
        server.put(second)
        server.send_signal(signal.SIGHUP)
        server.wait_for_change(before, "the new certificate")
        with SecureConnection(server.address, context, session=session) as connection:
            connection.get("/a")
            check(not connection.socket.session_reused, "it was resumed")


@test
def a_client_whose_issuer_has_lost_trust_cannot_resume():
    issuers = scratch() + "/issuers.pem"
    shutil.copy(authority.path, issuers)
    context = client_context(None, authority.make("alice"))
    with Changing("--tls-client-ca", issuers, workers=2) as server:
        with SecureConnection(server.address, context) as connection:
            connection.get("/a")
            session = connection.socket.session
        shutil.copy(Authority("Another").path, issuers)
        server.send_signal(signal.SIGHUP)
        wait_for(lambda: all(refused(server.address, context) for _ in range(12)), 10,
                 "the other issuer")
        check(refused(server.address, context, session=session), "it was resumed")


@test
def hup_without_a_change_keeps_sessions():
    with Changing(workers=2) as server:
        context = client_context()
        with SecureConnection(server.address, context) as connection:
            connection.get("/a")
            session = connection.socket.session
        server.send_signal(signal.SIGHUP)
        with SecureConnection(server.address, context, session=session) as connection:
            connection.get("/a")
            check(connection.socket.session_reused, "it was not resumed")


@test
def a_single_process_in_a_chroot_says_that_it_cannot():
    need_root()
    with Changing(workers=1) as server:
        before = server.serial()
        server.put(second)
        server.send_signal(signal.SIGHUP)
        wait_for(lambda: "-n 2" in server.errors(), 5, "the advice")
        equal(server.serial(), before, "certificate")


@test
def a_single_process_that_may_reads_them_again():
    with Changing("--no-sandbox", workers=1, as_user=True, own=True) as server:
        before = server.serial()
        server.put(second)
        server.send_signal(signal.SIGHUP)
        wait_for(lambda: "were read again" in server.errors() or
                 "cannot read" in server.errors(), 5, "an answer")
        if "were read again" in server.errors():
            check(server.serial() != before, "the certificate is the old one")
        else:
            equal(server.serial(), before, "certificate")


if __name__ == "__main__":
    main()
