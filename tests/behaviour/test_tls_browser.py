#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Two hosts with a certificate each in a real browser. Needs chromium."""
import base64
import hashlib
import os

from browser import Browser
from harness import *
from secure import *

authority = Authority()
one = authority.make("one", ["one.test"])
two = authority.make("two", ["two.test"], kind="rsa")
PAGE = ("<!doctype html><title>%s</title><link rel=stylesheet href=style.css><p id=p>%s</p>"
        "<script>fetch('data.json').then(r => r.json()).then(d => p.textContent += d.host)</script>")
CONTENT = {"index.html": b"no host"}
for host in ("one.test", "two.test"):
    CONTENT["vhost%s/index.html" % host] = (PAGE % (host, "")).encode()
    CONTENT["vhost%s/style.css" % host] = b"p { color: rgb(1, 2, 3) }"
    CONTENT["vhost%s/data.json" % host] = b'{"host": "%s"}' % host.encode()
site = SecureServer(CONTENT, "-H", "-C", "one.test:" + one.both, "-C", "two.test:" + two.both)


def fingerprint(certificate):
    """The hash of a certificate's public key, by which chromium can be told to trust it."""
    key = openssl("x509", "-in", certificate.path, "-noout", "-pubkey")
    der = openssl("pkey", "-pubin", "-outform", "DER", data=key)
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def digest(certificate):
    return openssl("x509", "-in", certificate.path, "-noout", "-fingerprint", "-sha256")


@test(limit=120)
def each_host_has_its_page_and_its_certificate():
    port = site.port_number
    for name in ("one.test", "two.test"):   # the port is in a folder's name, too
        os.symlink("vhost" + name, site.path("vhost%s:%d" % (name, port)))
    with Browser("--host-resolver-rules=MAP *.test 127.0.0.1",
                 "--ignore-certificate-errors-spki-list=%s,%s"
                 % (fingerprint(one), fingerprint(two))) as browser:
        browser.call("Network.enable")
        for name, certificate in (("one.test", one), ("two.test", two), ("one.test", one)):
            origin = "https://%s:%d" % (name, port)
            browser.open(origin + "/")
            wait_for(lambda: browser.evaluate("p.textContent") == name, 10, "the page's data")
            equal(browser.evaluate("document.title"), name, "title")
            equal(browser.evaluate("getComputedStyle(p).color"), "rgb(1, 2, 3)", "style")
            check(browser.evaluate("isSecureContext"), "not a secure context")
            chain = browser.call("Network.getCertificate", origin=origin)["tableNames"]
            der = base64.b64decode(chain[0])
            seen = openssl("x509", "-inform", "DER", "-noout", "-fingerprint", "-sha256", data=der)
            equal(seen, digest(certificate), "certificate of " + name)


@test(limit=60)
def a_host_without_a_trusted_certificate_is_not_shown():
    with Browser("--host-resolver-rules=MAP *.test 127.0.0.1",
                 "--ignore-certificate-errors-spki-list=" + fingerprint(one)) as browser:
        result = browser.call("Page.navigate", url="https://two.test:%d/" % site.port_number)
        check("ERR_CERT" in result.get("errorText", ""), str(result))


if __name__ == "__main__":
    main()
