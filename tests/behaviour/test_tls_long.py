#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""TLS: long answers, whose records the server encrypts itself, and what OpenSSL has to say between
them (keys that change, alerts)."""
import ssl

from harness import *
from secure import *

ALERT, HANDSHAKE = 21, 22
KEY_UPDATE = 24
FATAL, BAD_RECORD_MAC = 2, 20
WARNING, CLOSE_NOTIFY = 1, 0

LONG, MIDDLE = pattern(3000001), pattern(700000)
authority = Authority()
certificate = authority.make("a", ["a.test"])
site = SecureServer({"long": LONG, "middle": MIDDLE, "short": b"short"}, "-C", certificate.both,
                    "--tls-no-kernel", "--tls-ciphers",
                    "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:"
                    "TLS_AES_128_CCM_SHA256:DEFAULT")


def key_changes(client):
    return sum(each[:2] == (HANDSHAKE, KEY_UPDATE) for each in client.seen)


def ask(client, target):
    client.send(make_request("GET", target, host="a.test"))
    return client.read_head()


@test
def each_cipher_carries_long_answers_between_short_ones():
    for suite in ("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256",
                  "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_CCM_SHA256"):
        said = openssl("s_client", "-connect", "127.0.0.1:%d" % site.running().port_number,
                       "-CAfile", authority.path, "-verify_return_error", "-servername", "a.test",
                       "-ciphersuites", suite, "-quiet",
                       data=make_request("GET", "/short", host="a.test") +
                       make_request("GET", "/long", host="a.test") * 2 +
                       make_request("GET", "/short", "Connection: close", host="a.test"))
        bodies = [each.body for each in split_responses(said, ["GET"] * 4)]
        check(bodies == [b"short", LONG, LONG, b"short"], "%s: %s" % (suite, [*map(len, bodies)]))


@test
def a_client_that_wants_short_records_gets_them():
    for size in ("512", "4096"):
        said = openssl("s_client", "-connect", "127.0.0.1:%d" % site.running().port_number,
                       "-CAfile", authority.path, "-verify_return_error", "-servername", "a.test",
                       "-maxfraglen", size, "-quiet",
                       data=make_request("GET", "/long", "Connection: close", host="a.test"))
        bodies = [each.body for each in split_responses(said, ["GET"])]
        check(bodies == [LONG], "%s: %s" % (size, [*map(len, bodies)]))


@test
def so_do_tls_1_2_and_a_resumed_session():
    old = client_context(authority)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    new = client_context(authority)
    session = None
    for context in (old, new, new):
        with SecureConnection(site.address, context, "a.test", session) as connection:
            for target, body in (("/short", b"short"), ("/long", LONG), ("/short", b"short")):
                check(connection.get(target).body == body, target)
            equal(connection.socket.session_reused, session is not None, "resumed")
            session = connection.socket.session if context is new else None


@test
def keys_change_in_the_middle_of_a_long_answer_when_the_client_asks():
    with Connection(site.address) as connection, LibraryClient(connection) as client:
        left = ask(client, "/long")
        body = client.read(100000)
        for number in range(3):
            client.change_key(ask=True)
            connection.send(client.written())
            body += client.read(200000)
        body += client.read(left - len(body))
        check(body == LONG, "another body")
        check(client.get("/long") == LONG and client.get("/short") == b"short", "afterwards")
        check(key_changes(client) >= 1, "the server's keys did not change")
        before = key_changes(client)
        client.change_key(ask=True)
        check(client.get("/long") == LONG and client.get("/short") == b"short", "once more")
        equal(key_changes(client), before + 1, "changes of the server's keys")


@test
def keys_that_changed_before_are_the_ones_that_are_used():
    for first in ("/short", "/long"):
        with Connection(site.address) as connection, LibraryClient(connection) as client:
            client.change_key(ask=True)
            for target in (first, "/long", "/short", "/long"):
                check(client.get(target) == (LONG if target == "/long" else b"short"), target)
            equal(key_changes(client), 1, "changes of the server's keys")


@test
def a_thousand_wishes_for_new_keys_get_one_each_at_most():
    with Connection(site.address) as connection, LibraryClient(connection) as client:
        left = ask(client, "/long")
        body = client.read(100000)
        for _ in range(1000):
            client.change_key(ask=True)
        connection.send(client.written())
        check(body + client.read(left - len(body)) == LONG, "another body")
        check(client.get("/short") == b"short", "afterwards")
        check(1 <= key_changes(client) <= 1000, "changes of the server's keys")


@test
def they_come_as_well_after_a_great_many_short_ones():
    for _ in range(1100):
        with Connection(site.address):
            pass
    for _ in range(2):   # the first reminds the server of how to do it
        with Connection(site.address) as raw, LibraryClient(raw) as client:
            for target, body in (("/short", b"short"), ("/long", LONG), ("/short", b"short")):
                check(client.get(target) == body, target)
                client.change_key(ask=True)


def is_open(server, name):
    return any(each.endswith(name) for each in processes.descriptors(server.pid).values())


@test
def what_is_asked_for_again_comes_from_memory():
    """Then the file is open no more. Without encryption, and when it is too long, it stays open."""
    with Server({"middle": MIDDLE}) as plain:
        for server, name, body, stays in ((site, "middle", MIDDLE, False), (site, "long", LONG, True),
                                          (plain, "middle", MIDDLE, True)):
            with server.connect() as connection:
                for _ in range(4 if stays else 100):
                    check(connection.get("/" + name).body == body, "another body")
                    if not is_open(server, "/" + name):
                        break
                equal(is_open(server, "/" + name), stays, "open: " + name)
                part = connection.get("/" + name, "Range: bytes=300000-599999")
                check(part.body == body[300000:600000], "another part")


@test
def the_end_is_said_after_a_long_answer():
    with Connection(site.address) as connection, LibraryClient(connection) as client:
        client.send(make_request("GET", "/long", "Connection: close", host="a.test"))
        length = client.read_head()
        check(client.read(length + 1) == LONG, "another body")
        equal(client.seen[-1], (ALERT, WARNING, CLOSE_NOTIFY), "the last message")


@test
def a_broken_record_is_answered_by_an_alert_after_a_long_answer():
    with Connection(site.address) as connection, LibraryClient(connection) as client:
        check(client.get("/long") == LONG, "another body")
        record = bytearray(client.encrypt(make_request("GET", "/short", host="a.test")))
        record[-1] ^= 1
        connection.send(bytes(record))
        equal(client.read(1), b"", "an answer")
        equal(client.seen[-1], (ALERT, FATAL, BAD_RECORD_MAC), "the last message")
    equal(site.get("/short").status, 200, "afterwards")


if __name__ == "__main__":
    main()
