#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every test of test_smuggling.py, through the proxy: what is refused there is refused here, before
an upstream has seen a byte of it; what is wrong behind the head never becomes a whole request."""
from backend import *
from harness import *

import test_smuggling

backend = Backend(by_path({"/a.txt": ok(b"alpha\n"), "/": ok(b"index\n"),
                           "/secret.txt": ok(test_smuggling.SECRET)}))
site = proxy("--map", "/=" + backend.url)
refused_directly = test_smuggling.refused


def refused(request, allowed=(400,), before=0):
    """As the original; besides, the upstream gets nothing of a bad head, no end of a bad body."""
    backend.take()
    if before:
        refused_directly(request, allowed, before)
        check(all(seen.target == "/a.txt" for seen in backend.take()), "other requests came")
        return
    size = len(backend.received())
    refused_directly(request, allowed)
    if b"\r\n\r\n" not in request or request.endswith(b"\r\n\r\n") and request.count(
            b"\r\n\r\n") == 1:
        new = backend.received()[size:]
        check(not new, "the upstream got %s of %s" % (short(new), short(request)))
    complete = [seen for seen in backend.take() if seen.complete]
    check(not complete, "the upstream got %s of %s" % (complete, short(request)))


def missing_host():
    """A proxy gives a request of HTTP/1.0 its Host; one of HTTP/1.1 without is refused."""
    refused(test_smuggling.START + b"\r\n")


test_smuggling.site = site
test_smuggling.refused = refused


@test
def nothing_of_the_above_reached_the_secret():
    check(b"secret.txt" not in backend.received().split(b"\r\n\r\n", 1)[0], "a smuggled target")
    for peer in backend.peers:
        check(b"GET /secret.txt" not in bytes(peer.received).split(b"\r\n\r\n")[0],
              "a smuggled request: " + short(bytes(peer.received)))


@test
def fields_that_hide_a_framing_from_others_do_not_pass():
    """Names that some servers fold into Content-Length or Transfer-Encoding."""
    for line in (b"Transfer_Encoding: chunked", b"Content_Length: 5", b"Transfer-Encoding\x0c: x"):
        backend.take()
        with site.connect() as connection:
            connection.send(test_smuggling.fields(line))
            connection.finish_sending()
            split_responses(connection.read_until_close())
        for seen in backend.take():
            equal(seen.all("Transfer-Encoding") + seen.all("Content-Length"), [], "framing")


if __name__ == "__main__":
    main()
