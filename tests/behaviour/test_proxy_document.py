#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The examples of doc/balancing.md run: each of its files for frontend, with a name server of the
test's own, and other ports."""
import os
import re
import socket
import textwrap

from backend import *
from harness import *
from nameserver import NameServer

HERE = os.path.dirname(os.path.abspath(__file__))
FRONTEND = os.path.join(os.path.dirname(LHTTPD), "frontend")


def examples():
    """The files on the page, by the name that they map: {name: text}."""
    with open(os.path.join(HERE, "..", "..", "doc", "balancing.md"), encoding="utf-8") as file:
        page = file.read()
    blocks = re.findall(r"(?:^ {4,}# frontend\.conf\n)(?:^ {4,}.*\n)+", page, re.M)
    found = {}
    for block in blocks:
        text = textwrap.dedent(block)
        found[re.search(r"^map / (\S+)$", text, re.M)[1]] = text
    return found


class Frontend(Server):
    def __init__(self, text):
        super().__init__(scratch(), program=FRONTEND, workers=None, pass_root=False)
        self.file = self.content + "/frontend.conf"
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(text)

    def command(self):
        return [self.program, "-q", self.file]


def adapted(text, names, port):
    """The same with ports of this test."""
    text = re.sub(r"^host .*$", "host 127.0.0.1", text, flags=re.M)
    text = text.replace("port 8000\n", "port 0\n").replace(":8080/", ":%d/" % port)
    text = re.sub(r"^resolver .*\n", "", text, flags=re.M) + "resolver %s\n" % names.address
    return text + ("user %s\n" % RUN_USER if AM_ROOT else "")


def need_names():
    if not os.path.exists(FRONTEND):
        skip("frontend is not built beside the server")
    status, _, errors = run("-M", "proxy", "--map", "/=srv+http://web.test/", "-q", "-t", "-R", "/")
    if status != 0:
        skip("built without names: " + errors.strip())


def who(site, count=16):
    return [response.body.decode() if response.status == 200 else str(response.status)
            for response in (site.get("/x") for _ in range(count))]


def wait_who(site, wanted, what):
    wait_for(lambda: set(who(site)) == set(wanted), 20, what, step=0.05)


def pair():
    """Backends on one port of two addresses, which answer with their names."""
    first = Backend(ok(b"one"))
    listener = socket_at("127.0.0.2", first.port)
    return first, Backend(ok(b"two"), host="127.0.0.2", listener=listener)


def socket_at(address, port):
    listener = socket.socket()
    try:
        listener.bind((address, port))
    except OSError:
        listener.close()
        skip("port %d of %s is taken" % (port, address))
    return listener


@test
def the_page_has_the_examples_that_are_tried_here():
    equal(sorted(examples()), ["http://app.shop.example:8080/",
                               "http://app.shop.svc.cluster.local.:8080/",
                               "srv+http://_http._tcp.app.shop.example/",
                               "srv+http://_http._tcp.app.shop.svc.cluster.local./",
                               "srv+http://app.service.consul/"], "maps on the page")


def addresses(url, name):
    """A record that is added is a server, one that is removed is none."""
    need_names()
    one, two = pair()
    with one, two, NameServer() as names:
        names.a(name, "127.0.0.1", ttl=1)
        with Frontend(adapted(examples()[url], names, one.port)) as site:
            wait_who(site, ["one"], "the first server")
            names.a(name, "127.0.0.1", "127.0.0.2", ttl=1)
            wait_who(site, ["one", "two"], "both")
            names.a(name, "127.0.0.2", ttl=1)
            wait_who(site, ["two"], "the second alone")


@test
def plain_dns_is_the_membership():
    addresses("http://app.shop.example:8080/", "app.shop.example")


@test
def a_headless_service_is_the_membership():
    addresses("http://app.shop.svc.cluster.local.:8080/", "app.shop.svc.cluster.local")


def services(url, name, target, weights=(1, 1)):
    need_names()
    one, two, spare = Backend(ok(b"one")), Backend(ok(b"two")), Backend(ok(b"spare"))
    with one, two, spare, NameServer() as names:
        for host in ("a." + target, "b." + target):
            names.a(host, "127.0.0.1", ttl=1)
        names.srv(name, (1, weights[0], one.port, "a." + target),
                  (1, weights[1], two.port, "b." + target),
                  (2, 1, spare.port, "a." + target), ttl=1)
        with Frontend(adapted(examples()[url], names, one.port)) as site:
            wait_who(site, ["one", "two"], "both of the first priority")
            names.srv(name, (2, 1, spare.port, "a." + target), ttl=1)
            wait_who(site, ["spare"], "the next priority")


@test
def srv_records_bring_ports_weights_and_priorities():
    services("srv+http://_http._tcp.app.shop.example/", "_http._tcp.app.shop.example",
             "shop.example", (3, 1))


@test
def consul_is_asked_by_srv():
    services("srv+http://app.service.consul/", "app.service.consul", "node.dc1.consul")


@test
def named_ports_of_a_headless_service_are_srv_records():
    services("srv+http://_http._tcp.app.shop.svc.cluster.local./",
             "_http._tcp.app.shop.svc.cluster.local", "app.shop.svc.cluster.local")


if __name__ == "__main__":
    main()
