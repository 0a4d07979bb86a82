#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Upstreams by TLS: verified by default, SNI, an authority of one's own, a client certificate."""
import functools
import time

from authority import Authority
from backend import *
from harness import *

BIG = pattern(3 << 20, 9)


@functools.lru_cache(None)
def authority():
    return Authority()


@functools.lru_cache(None)
def stranger():
    return Authority("Somebody Else")


def secure(*names, issuer=None, **options):
    certificate, key = (issuer or authority()).issue(*(names or ("IP:127.0.0.1",)))
    context = server_context(certificate, key, options.pop("client_ca", None))
    return Backend(context=context, **options)


def trusting(backend, *options, **how):
    return proxy("--map", "/=" + backend.url, "--upstream-ca", authority().certificate,
                 "--retries", "0", "--max-body-size", "1g", *options, **how)


def need_https():
    status, _, errors = run("-M", "proxy", "--map", "/=https://127.0.0.1:1/", "-q", "-t", "-R", "/")
    if status != 0 and "TLS" in errors.upper():
        skip("built without TLS: " + errors.strip())


def refused(server, backend):
    response = server.get("/x")
    equal(response.status, 502, "status")
    equal(backend.take(), [], "requests that came through")
    said = response.body.decode()
    check("certificate" not in said and "127.0.0.1" not in said, "the page says: " + said)


@test
def an_upstream_by_tls_is_verified_with_an_authority_of_ones_own():
    need_https()
    for as_user in (False, True):
        with secure() as backend, trusting(backend, as_user=as_user) as server:
            for _ in range(3):
                equal(server.get("/x").body, b"hello\n", "body")
            equal(len(backend.peers), 1, "connections")


@test
def an_authority_that_is_not_known_is_refused():
    need_https()
    with secure(issuer=stranger()) as backend:
        with trusting(backend) as server:
            refused(server, backend)
        with proxy("--map", "/=" + backend.url, "--retries", "0") as server:
            refused(server, backend)


@test
def a_certificate_for_another_name_is_refused():
    need_https()
    with secure("DNS:other.invalid") as backend, trusting(backend) as server:
        refused(server, backend)
    with secure("IP:127.0.0.2") as backend, trusting(backend) as server:
        refused(server, backend)


@test
def a_certificate_that_has_expired_is_refused():
    need_https()
    certificate, key = authority().issue("IP:127.0.0.1", days=-1)
    with Backend(context=server_context(certificate, key)) as backend, trusting(backend) as server:
        refused(server, backend)


@test
def verification_can_be_turned_off():
    need_https()
    with secure("DNS:other.invalid", issuer=stranger()) as backend:
        with proxy("--map", "/=" + backend.url, "--upstream-insecure") as server:
            equal(server.get("/x").body, b"hello\n", "body")


@test
def the_name_is_told_by_sni():
    need_https()
    with secure("DNS:localhost") as backend:
        url = backend.url.replace("127.0.0.1", "localhost")
        with proxy("--map", "/=" + url, "--upstream-ca", authority().certificate) as server:
            wait_for(lambda: server.get("/x").status == 200, 5, "an answer")
        equal(backend.last.peer.server_name, "localhost", "SNI")


@test
def an_address_is_not_told_by_sni():
    need_https()
    with secure() as backend, trusting(backend) as server:
        equal(server.get("/x").status, 200, "status")
        equal(backend.last.peer.server_name, None, "SNI")


@test
def a_client_certificate_is_shown():
    need_https()
    certificate, key = authority().issue("DNS:proxy.invalid")
    with secure(client_ca=authority().certificate) as backend:
        with trusting(backend, "--upstream-cert", certificate, "--upstream-key", key) as server:
            equal(server.get("/x").body, b"hello\n", "body")
        names = backend.last.peer.certificate["subjectAltName"]
        equal(names, (("DNS", "proxy.invalid"),), "the client's name")
        backend.take()
        with trusting(backend) as server:
            within(server.get("/x").status, (502,), "status without a certificate")


@test
def bodies_pass_both_ways():
    need_https()

    def script(request):
        request.answer(200, request.read_body())
    with secure(script=script) as backend, trusting(backend) as server:
        for data in (make_request("POST", "/x", body=BIG),
                     make_request("POST", "/x", "Transfer-Encoding: chunked")
                     + chunked(BIG, 50000)):
            with server.connect(timeout=20) as connection:
                connection.send(data)
                check(connection.read_response().body == BIG, "the body differs")


@test
def an_answer_without_length_needs_the_end_of_the_session():
    """A TCP end without close_notify may be an attacker's cut."""
    need_https()

    def script(request):
        request.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        if request.target == "/cut":
            raw_socket = request.peer.socket.detach()
            import os
            os.close(raw_socket)
            request.peer.closed = True
        else:
            request.peer.socket.unwrap().close()
            request.peer.closed = True
    with secure(script=script) as backend, trusting(backend) as server:
        equal(server.get("/whole").body, b"hello", "body")
        with server.connect() as connection:
            connection.send(make_request("GET", "/cut", "Connection: close"))
            data = connection.read_until_close()
        try:
            whole = data and split_responses(data)[0].status == 200
        except Failure:
            whole = False
        check(not whole, "a cut answer looks whole: " + short(data))


@test
def a_plain_backend_behind_https_is_502():
    need_https()
    with Backend(strict=False) as backend:
        with proxy("--map", "/=https://" + backend.authority, "--upstream-insecure",
                   "--retries", "0", "--response-timeout", "2", "--connect-timeout", "2") as server:
            within(server.get("/x").status, (502, 504), "status")


@test
def a_backend_that_hangs_in_the_handshake_is_504():
    need_https()
    import socket
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with proxy("--map", "/=https://127.0.0.1:%d" % listener.getsockname()[1],
                   "--upstream-insecure", "--retries", "0", "--connect-timeout", ms(0.4)) as server:
            begun = time.monotonic()
            equal(server.get("/x").status, 504, "status")
            check(time.monotonic() - begun >= seconds(0.3), "too early")


@test
def a_location_of_https_is_translated():
    need_https()
    with secure() as backend, proxy("--map", "/foo=" + backend.url + "/app", "--upstream-ca",
                                    authority().certificate) as server:
        backend.script = ok(b"", "Location: " + backend.url + "/app/y", status=302)
        within(server.get("/foo/x").get("Location"),
               ("/foo/y", "http://test.invalid/foo/y"), "Location")


@test
def a_missing_file_is_explained():
    for option in ("--upstream-ca", "--upstream-cert", "--upstream-key"):
        status, _, errors = run("-M", "proxy", "--map", "/=https://127.0.0.1:1/", option,
                                "/nonexistent.pem", "-q", "-t", "-R", "/")
        within(status, (1, 2), "exit status with " + option)
        check("nonexistent" in errors, "message: " + errors)


if __name__ == "__main__":
    main()
