#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Clients' certificates, OCSP stapling, and what other programs think of the server."""
import os
import re
import ssl
import subprocess
import time

from harness import *
from secure import *

authority = Authority()
stranger = Authority("Another Authority")
host = authority.make("host", ["host.test"])
rsa = authority.make("rsa", ["host.test"], kind="rsa")
alice = authority.make("alice", subject="/O=Example/CN=Alice \"A\" \\, B")
mallory = stranger.make("mallory", subject="/CN=Mallory")
expired = authority.make("expired", start="20200101000000Z", end="20210203000000Z")
VERIFYING = ("-C", host.both, "--tls-client-ca", authority.path)
site = SecureServer({"a": b"a"}, "-C", host.both, "-C", rsa.both)
required = SecureServer({"a": b"a"}, *VERIFYING)


def outcome(server, certificate):
    """The status of a request with this client's certificate, or "refused"."""
    try:
        with SecureConnection(server.address, client_context(None, certificate)) as connection:
            return connection.get("/a").status
    except (ssl.SSLError, ConnectionError):
        return "refused"


@test
def a_required_certificate_is_required():
    equal(outcome(required, alice), 200, "with it")
    equal(outcome(required, None), "refused", "without one")
    equal(outcome(required, mallory), "refused", "with one of another issuer")
    equal(outcome(required, expired), "refused", "with one that has expired")


@test
def an_optional_certificate_may_be_missing_but_not_wrong():
    with SecureServer({"a": b"a"}, *VERIFYING, "--tls-verify", "optional") as server:
        equal(outcome(server, alice), 200, "with it")
        equal(outcome(server, None), 200, "without one")
        equal(outcome(server, mallory), "refused", "with one of another issuer")
        equal(outcome(server, expired), "refused", "with one that has expired")


@test
def both_versions_verify():
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        for certificate, good in ((alice, True), (mallory, False), (None, False)):
            context = client_context(None, certificate)
            context.maximum_version = version
            equal(not refused(required.address, context), good, "%s" % version)


@test
def a_resumed_session_keeps_its_client():
    context = client_context(None, alice)
    with SecureConnection(required.address, context) as connection:
        equal(connection.get("/a").status, 200, "first")
        session = connection.socket.session
    with SecureConnection(required.address, context, session=session) as connection:
        check(connection.socket.session_reused, "it was not resumed")
        equal(connection.get("/a").status, 200, "again")


@test(punctual=1)
def a_session_is_over_when_its_client_has_expired():
    end = int(time.time() + 5 * SLOWDOWN)
    context = client_context(None, authority.make(
        "brief", end=time.strftime("%Y%m%d%H%M%SZ", time.gmtime(end))))
    with SecureConnection(required.address, context) as connection:
        equal(connection.get("/a").status, 200, "before")
        session = connection.socket.session
    equal(refused(required.address, context, session=session), None, "resumed before")
    wait_for(lambda: time.time() > end + 1, 10, "its end")
    check(refused(required.address, context, session=session), "it was resumed")


@test
def the_log_names_the_client():
    log = scratch()
    os.chmod(log, 0o777)
    with SecureServer({"a": b"a"}, *VERIFYING, "--tls-verify", "optional", "-o", log + "/log",
                      "--log-format", "[$remote_user]", quiet=False) as server:
        equal(outcome(server, alice), 200, "alice")
        equal(outcome(server, None), 200, "nobody")
        wait_for(lambda: open(log + "/log").read().count("\n") == 2, 5, "two lines")
    with open(log + "/log") as file:
        lines = file.read().splitlines()
    check("CN=Alice" in lines[0] and "O=Example" in lines[0], lines[0])
    equal(lines[1], "[-]", "without a certificate")


@test
def clients_cannot_be_verified_without_issuers():
    def fails(*options):
        status, _, errors = run("-R", "/", "-p", "0", "-q", "-C", host.both, *options,
                                *(["-u", RUN_USER] if AM_ROOT else []))
        equal(status, 1, "exit status")
        return errors
    check("--tls-client-ca" in fails("--tls-verify", "required"), "no advice")
    check("cannot read" in fails("--tls-client-ca", "/absent.pem"), "nothing said")
    check("no certificate in" in fails("--tls-client-ca", host.key), "nothing said")


# OCSP


def response_for(certificate, days="5", more=0):
    """An OCSP response that says this certificate is good, with so many others in it."""
    folder = authority.folder
    serial = openssl("x509", "-in", certificate.path, "-noout", "-serial").decode()
    serial = serial.strip().split("=")[1]
    with open(folder + "/ocsp.txt", "w") as file:
        file.write("V\t350101000000Z\t\t%s\tunknown\t/CN=host.test\n" % serial)
    path = certificate.path + ".ocsp"
    others = ()
    if more:
        with open(folder + "/others.pem", "wb") as file:
            file.write(certificate.text() * more)
        others = ("-rother", folder + "/others.pem")
    openssl("ocsp", "-index", folder + "/ocsp.txt", "-CA", authority.path, "-rsigner",
            authority.path, "-rkey", folder + "/ca.key", "-issuer", authority.path, "-cert",
            certificate.path, "-ndays", days, "-respout", path, *others)
    return path


def s_client(server, *arguments):
    done = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % server.port_number,
                           *arguments], input=b"", stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=patience(15))
    return done.stdout.decode("utf-8", "replace")


@test
def an_ocsp_response_is_stapled_to_its_certificate():
    path = response_for(host)
    with SecureServer({"a": b"a"}, "-C", host.both, "-C", rsa.both, "--tls-ocsp", path) as server:
        said = s_client(server, "-status", "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256")
        check("OCSP Response Status: successful" in said, said[-600:])
        said = s_client(server, "-status", "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")
        check("OCSP response: no response sent" in said, "it goes with another certificate")
    check("OCSP response: no response sent" in s_client(site, "-status"), "where from?")


@test
def a_renewed_ocsp_response_is_sent_from_then_on():
    path = response_for(host)
    with SecureServer({"a": b"a"}, "-C", host.both, "--tls-ocsp", path, workers=2) as server:
        def until():
            found = re.search("Next Update: (.*)", s_client(server, "-status"))
            return found and found[1]
        before = until()
        response_for(host, "9")
        wait_for(lambda: until() != before, 15, "the new response")


def staple_error(content):
    """What a server says that cannot start with this as an OCSP response."""
    path = scratch() + "/response"
    with open(path, "wb") as file:
        file.write(content)
    status, _, errors = run("-R", "/", "-p", "0", "-q", "-C", host.both, "--tls-ocsp", path,
                            *(["-u", RUN_USER] if AM_ROOT else []))
    equal(status, 1, "exit status")
    return errors


@test
def what_is_no_ocsp_response_is_an_error():
    with open(response_for(host), "rb") as file:
        response = file.read()
    for content in (host.text(), response[:-1], response + b"x", b""):
        said = staple_error(content)
        check("not an OCSP response" in said, said)


@test
def an_ocsp_response_that_is_too_long_for_clients_is_an_error():
    with open(response_for(host, more=30), "rb") as file:
        response = file.read()
    check(len(response) > 16384, "%d bytes" % len(response))
    said = staple_error(response)
    check("so long" in said, said)


# Other programs


@test
def curl_gets_a_page():
    done = subprocess.run([need_tool("curl"), "-sS", "--fail", "--cacert", authority.path,
                           "--resolve", "host.test:%d:127.0.0.1" % site.port_number,
                           "https://host.test:%d/a" % site.port_number],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=patience(15))
    equal((done.returncode, done.stdout), (0, b"a"), "curl: %r" % done.stderr)


@test
def openssl_finds_the_chain_in_order():
    said = s_client(site, "-CAfile", authority.path, "-verify_return_error", "-servername",
                    "host.test", "-verify_hostname", "host.test")
    check("Verify return code: 0 (ok)" in said, said[-800:])


@test(limit=90)
def sslscan_finds_nothing_weak():
    need_tool("sslscan")
    done = subprocess.run(["sslscan", "--no-colour", "127.0.0.1:%d" % site.port_number],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=patience(80))
    said = done.stdout.decode("utf-8", "replace")
    for version, state in (("SSLv2", "disabled"), ("SSLv3", "disabled"), ("TLSv1.0", "disabled"),
                           ("TLSv1.1", "disabled"), ("TLSv1.2", "enabled"),
                           ("TLSv1.3", "enabled")):
        check(re.search(r"%s\s+%s" % (re.escape(version), state), said),
              "%s is not %s:\n%s" % (version, state, said))
    ciphers = re.findall(r"(?:Preferred|Accepted)\s+TLSv\S+\s+(\d+) bits\s+(\S+)", said)
    check(len(ciphers) > 5, "few ciphers:\n" + said)
    for bits, name in ciphers:
        check(int(bits) >= 128 and ("GCM" in name or "CHACHA20" in name) and
              (name.startswith(("TLS_", "ECDHE-", "DHE-"))), "weak: %s" % name)
    check("Session renegotiation not supported" in said or
          "Secure session renegotiation supported" not in said, said)
    check("vulnerable" not in said.replace("not vulnerable", ""), said)


if __name__ == "__main__":
    main()
