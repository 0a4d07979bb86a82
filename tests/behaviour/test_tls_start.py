#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The options of tls, and what is said of certificates and keys that nobody could use."""
import os
import ssl
import subprocess

from harness import *
from secure import *

authority = Authority()
good = authority.make("good", ["good.test"])
other = authority.make("other", ["other.test"])


def fails(*options, status=1):
    """What the server says that does not start with these options."""
    got, _, errors = run("-R", "/", "-n", "1", "-p", "0", "-l", "127.0.0.1", "-q",
                         *(["-u", RUN_USER] if AM_ROOT else []), *options)
    equal(got, status, "exit status; it said: " + errors)
    return errors


def write(name, content, mode=0o600):
    path = os.path.join(authority.folder, name)
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)
    return path


def says(errors, *words):
    for word in words:
        check(word in errors, "%r is missing in: %s" % (word, errors))


@test
def a_key_that_does_not_fit_is_named_with_its_certificate():
    says(fails("-C", good.path, "-K", other.key), other.key, good.path, "does not fit")


@test
def a_certificate_without_a_key_is_an_error():
    says(fails("-C", good.path), good.path, "no key", "-K")


@test
def a_key_without_a_certificate_is_an_error():
    says(fails("-K", good.key), "no certificate")
    says(fails("-C", good.both, "-K", "other.test:" + other.key), "other.test", "no certificate")


@test
def tls_without_a_certificate_is_an_error():
    says(fails("-M", "tls"), "-C")


@test
def an_expired_certificate_is_an_error():
    old = authority.make("old", start="20200101000000Z", end="20210203000000Z")
    says(fails("-C", old.both), old.both, "expired", "2021-02-03")


@test
def an_expired_chain_is_an_error():
    old = authority.make("old", start="20200101000000Z", end="20210203000000Z")
    chain = write("chain.pem", good.text() + old.text() + good.key_text())
    says(fails("-C", chain), "certificate 3", chain, "expired")


@test
def a_certificate_of_the_future_is_an_error():
    new = authority.make("new", start="20380101000000Z", end="20390101000000Z")
    says(fails("-C", new.both), "not valid before", "2038-01-01")


@test
def files_that_hold_something_else_are_errors():
    says(fails("-C", write("empty.pem", b""), "-K", good.key), "no certificate in", "empty.pem")
    says(fails("-C", write("text.pem", b"hello\n" * 100), "-K", good.key), "no certificate in")
    damaged = good.text().replace(b"MII", b"MIJ", 1)
    says(fails("-C", write("damaged.pem", damaged), "-K", good.key), "damaged")
    says(fails("-C", good.path, "-K", write("bad.key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"
                                            b"-----END PRIVATE KEY-----\n")), "damaged")
    says(fails("-C", good.path, "-K", good.path), "no private key in", good.path)
    says(fails("-C", "/dev/null", "-K", good.key), "/dev/null", "not a file")


@test
def a_file_that_is_not_there_is_named():
    says(fails("-C", "/absent.pem", "-K", good.key), "/absent.pem", "No such file")
    says(fails("-C", good.path, "-K", "/absent.key"), "/absent.key", "No such file")


@test
def an_encrypted_key_is_an_error_and_nobody_is_asked():
    path = write("encrypted.key", openssl("pkey", "-in", good.key, "-aes128", "-passout",
                                          "pass:secret"))
    says(fails("-C", good.path, "-K", path), path, "encrypted", "openssl pkey")


@test
def a_key_that_everybody_can_read_is_a_warning():
    path = write("open.key", good.key_text(), 0o644)
    with SecureServer({"a": b"a"}, "-C", good.path, "-K", path) as server:
        equal(server.get("/a").body, b"a", "body")
        says(server.errors(), path, "chmod 600")
    with SecureServer({"a": b"a"}, "-C", good.path, "-K", good.key) as server:
        check("chmod" not in server.errors(), "a warning without reason")


@test
def a_key_in_the_served_folder_is_an_error():
    site = tree({"keys/x.pem": good.both.encode()})
    for name in ("keys/x.pem", "x.pem"):
        path = os.path.join(site, name)
        with open(path, "wb") as file:
            file.write(good.text() + good.key_text())
        _, _, errors = run("-R", site, "-p", "0", "-l", "127.0.0.1", "-C", path,
                           *(["-u", RUN_USER] if AM_ROOT else []))
        says(errors, path, "folder that is served")


@test
def bad_values_are_explained():
    for options, word in (
            (("--tls-min", "1.1"), "1.2"), (("--tls-verify", "maybe"), "optional"),
            (("-C", "bad name:x.pem"), "[HOST:]FILE"), (("-C", "127.0.0.1:x.pem"), "a name like"),
            (("-C", "good.test:"), "[HOST:]FILE"),
            (("--tls-redirect", "http"), "port"), (("--tls-redirect", "70000"), "port"),
            (("--tls-hsts", "soon"), "TIME"), (("--tls-hsts", "1d,all"), "TIME")):
        says(fails("-C", good.both, *options, status=2), options[0], word)


@test
def lists_that_openssl_does_not_take_are_errors():
    says(fails("-C", good.both, "--tls-ciphers", "NONSENSE"), "--tls-ciphers")
    says(fails("-C", good.both, "--tls-ciphers", "TLS_NONSENSE"), "--tls-ciphers")
    says(fails("-C", good.both, "--tls-groups", "nonsense"), "--tls-groups")


@test
def dh_parameters_must_be_such_and_strong():
    says(fails("-C", good.both, "--tls-dhparam", good.path), "--tls-dhparam", "2048")
    weak = write("weak.pem", openssl("dhparam", "-dsaparam", "1024", timeout=60))
    says(fails("-C", good.both, "--tls-dhparam", weak), "--tls-dhparam", "2048")


@test
def dh_parameters_from_a_file_are_used():
    rsa = authority.make("rsa", kind="rsa")
    path = write("dh.pem", openssl("genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt",
                                   "group:ffdhe3072"))
    context = client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("DHE-RSA-AES128-GCM-SHA256")
    with SecureServer({"a": b"a"}, "-C", rsa.both, "--tls-dhparam", path) as server:
        with SecureConnection(server.address, context) as connection:
            equal(connection.get("/a").body, b"a", "body")


@test
def the_oldest_version_can_be_1_3():
    context = client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with SecureServer({"a": b"a"}, "-C", good.both, "--tls-min", "1.3") as server:
        check(refused(server.address, context), "TLS 1.2 was spoken")
        equal(server.get("/a").body, b"a", "body")


@test
def ciphers_can_be_chosen():
    with SecureServer({"a": b"a"}, "-C", good.both, "--tls-ciphers",
                      "TLS_CHACHA20_POLY1305_SHA256:ECDHE-ECDSA-CHACHA20-POLY1305") as server:
        for version, cipher in ((ssl.TLSVersion.TLSv1_3, "TLS_CHACHA20_POLY1305_SHA256"),
                                (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-CHACHA20-POLY1305")):
            context = client_context()
            context.maximum_version = version
            with SecureConnection(server.address, context) as connection:
                equal(connection.socket.cipher()[0], cipher, "cipher")


@test
def groups_can_be_chosen():
    with SecureServer({"a": b"a"}, "-C", good.both, "--tls-groups", "P-384") as server:
        for curve, wrong in (("secp384r1", False), ("prime256v1", True)):
            context = client_context()
            context.set_ecdh_curve(curve)
            equal(bool(refused(server.address, context)), wrong, "refused with " + curve)


@test
def the_hybrid_group_is_used_where_the_library_has_it():
    """The client is of the same library as the server, and offers it, too."""
    def said(*arguments):
        return subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=patience(15)).stdout.decode("utf-8", "replace")

    has = "X25519MLKEM768" in said("list", "-tls1_3", "-tls-groups")
    with SecureServer({"a": b"a"}, "-C", good.both) as server:
        shown = said("s_client", "-connect", "127.0.0.1:%d" % server.port_number)
        wanted = "group: X25519MLKEM768" if has else "Temp Key: X25519"
        check(wanted in shown, "no %r in %s" % (wanted, shown[-1500:]))


@test
def without_a_default_the_first_certificate_is_it():
    context = client_context(authority)
    context.check_hostname = False
    with SecureServer({"a": b"a"}, "-C", "good.test:" + good.both, "-C",
                      "other.test:" + other.both) as server:
        for name, expected in (("other.test", "other.test"), ("absent.test", "good.test"),
                               (None, "good.test")):
            with SecureConnection(server.address, context, name) as connection:
                equal(connection.certificate_names(), [expected], "for %s" % name)


@test
def options_stand_in_a_config_file_too():
    path = write("server.conf", ("cert %s\nkey %s\ntls-min 1.3\n" % (good.path, good.key)).encode())
    with SecureServer({"a": b"a"}, "-M", "tls", "-c", path) as server:
        equal(server.get("/a").body, b"a", "body")


if __name__ == "__main__":
    main()
