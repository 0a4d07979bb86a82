#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Names of upstreams: A, AAAA and SRV, asked again by their time to live; a resolver that fails
keeps the last good set."""
import signal
import socket
import time

from backend import *
from harness import *
from nameserver import NameServer, REFUSED


class Cluster:
    """Backends on one port of 127.0.0.1, 127.0.0.2, …; each answers with its own address."""

    def __init__(self, count=3):
        self.backends, self.addresses = [], []
        for number in range(count):
            self.add("127.0.0.%d" % (number + 1))

    def add(self, address):
        if not self.backends:
            self.backends.append(Backend(ok(address.encode()), host=address))
        else:
            listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
            try:
                listener.bind((address, self.port))
            except OSError:
                listener.close()
                skip("port %d of %s is taken" % (self.port, address))
            self.backends.append(Backend(ok(address.encode()), host=address, listener=listener))
        self.addresses.append(address)

    @property
    def port(self):
        return self.backends[0].port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for backend in self.backends:
            backend.stop()


def need_names():
    status, _, errors = run("-M", "proxy", "--map", "/=http://web.test:1/", "-q", "-t", "-R", "/")
    if status != 0:
        skip("built without names: " + errors.strip())


def zone(*addresses, ttl=1):
    """A name server that knows web.test."""
    dns = NameServer()
    dns.a("web.test", *addresses, ttl=ttl)
    return dns


def mapped(names, port, *options, name="web.test", **how):
    return proxy("--map", "/=http://%s:%d/" % (name, port), "--resolver", names.address,
                 *options, **how)


def who(site, count=12):
    """The addresses that answer, or statuses."""
    found = set()
    for _ in range(count):
        response = site.get("/x")
        found.add(response.body.decode() if response.status == 200 else response.status)
    return found


def wait_who(site, wanted, what):
    wait_for(lambda: who(site) == set(wanted), 20, what, step=0.05)


@test
def all_addresses_of_a_name_share_the_load():
    need_names()
    with Cluster() as cluster, \
            zone(*cluster.addresses, ttl=60) as names:
        for how in ({}, {"as_user": True}, {"workers": 2}):
            with mapped(names, cluster.port, **how) as site:
                wait_who(site, cluster.addresses, "all three servers")


@test
def a_record_that_comes_or_goes_is_a_server_that_comes_or_goes():
    need_names()
    with Cluster() as cluster, zone("127.0.0.1") as names:
        with mapped(names, cluster.port) as site:
            wait_who(site, ["127.0.0.1"], "the first server")
            names.a("web.test", *cluster.addresses)
            wait_who(site, cluster.addresses, "the new servers")
            names.a("web.test", "127.0.0.3")
            wait_who(site, ["127.0.0.3"], "the end of the others")


@test
def a_long_time_to_live_is_believed():
    need_names()
    with Cluster() as cluster, zone("127.0.0.1", ttl=300) as names:
        with mapped(names, cluster.port) as site:
            wait_who(site, ["127.0.0.1"], "the first server")
            count = names.asked("web.test")
            names.a("web.test", "127.0.0.2")
            time.sleep(2.5)
            equal((who(site), names.asked("web.test")), ({"127.0.0.1"}, count),
                  "servers and questions")
            site.send_signal(signal.SIGUSR1)
            wait_who(site, ["127.0.0.2"], "the new server after USR1")


@test
def addresses_of_both_families_are_used():
    need_names()
    with Cluster(2) as cluster:
        cluster.add("::1")
        with zone("127.0.0.1", ttl=60) as names:
            names.aaaa("web.test", "::1", ttl=60)
            with mapped(names, cluster.port) as site:
                wait_who(site, ["127.0.0.1", "::1"], "both")


@test
def srv_records_say_port_weight_and_priority():
    need_names()
    one, two, three = Backend(ok(b"one")), Backend(ok(b"two")), Backend(ok(b"three"))
    with one, two, three:
        with NameServer() as names:
            names.srv("_http._tcp.web.test", (1, 3, one.port, "a.test"), (1, 1, two.port, "b.test"),
                      (2, 1, three.port, "a.test"))
            names.a("a.test", "127.0.0.1")
            names.a("b.test", "127.0.0.1")
            with proxy("--map", "/=srv+http://_http._tcp.web.test/", "--resolver",
                       names.address) as site:
                wait_who(site, ["one", "two"], "both of the first priority")
                for backend in (one, two):
                    backend.take()
                for _ in range(16):
                    site.get("/x")
                equal((len(one.take()), len(two.take())), (12, 4), "requests by weight")
                names.srv("_http._tcp.web.test", (2, 1, three.port, "a.test"))
                wait_who(site, ["three"], "the next priority")


@test
def a_failing_resolver_keeps_the_last_good_set():
    need_names()
    with Cluster(2) as cluster, \
            zone(*cluster.addresses) as names:
        with mapped(names, cluster.port) as site:
            wait_who(site, cluster.addresses, "both")
            for what, fail in (("SERVFAIL", lambda: names.fail("web.test")),
                               ("REFUSED", lambda: names.fail("web.test", REFUSED)),
                               ("silent", lambda: names.silence("web.test")),
                               ("garbage", lambda: names.raw("web.test", lambda query: query[:2]
                                                             + b"\x81\x80" + b"\xff" * 40))):
                fail()
                count = names.asked("web.test")
                wait_for(lambda: names.asked("web.test") > count, 30, "a question: " + what)
                time.sleep(0.3)
                equal(who(site), set(cluster.addresses), "servers with a resolver: " + what)
            names.a("web.test", "127.0.0.2")
            wait_who(site, ["127.0.0.2"], "the new set when it answers again")


@test
def a_resolver_that_is_gone_keeps_the_last_good_set():
    need_names()
    with Cluster(2) as cluster:
        names = zone(*cluster.addresses)
        with mapped(names, cluster.port) as site:
            wait_who(site, cluster.addresses, "both")
            names.close()
            time.sleep(2.5)
            equal(who(site), set(cluster.addresses), "servers")


@test
def a_name_that_does_not_exist_yet_is_503_until_it_does():
    need_names()
    with Cluster(1) as cluster, NameServer() as names:
        with mapped(names, cluster.port) as site:
            wait_for(lambda: site.get("/x").status == 503, 10, "a 503")
            check(site.get("/x").get("Retry-After"), "no Retry-After")
            names.a("web.test", "127.0.0.1")
            wait_who(site, ["127.0.0.1"], "the server")


@test
def a_request_that_comes_before_the_first_answer_waits_for_it():
    need_names()
    with Cluster(1) as cluster, zone("127.0.0.1") as names:
        with mapped(names, cluster.port) as site:
            within(site.get("/x").status, (200, 503), "status of the first request")
            wait_who(site, ["127.0.0.1"], "the server")


@test
def a_long_answer_comes_by_tcp():
    need_names()
    with Cluster(2) as cluster, zone(*cluster.addresses) as names:
        names.truncate = True
        with mapped(names, cluster.port) as site:
            wait_who(site, cluster.addresses, "both")
        check("tcp" in names.transports(), "it was not asked by TCP")


@test
def one_name_of_many_records_is_a_whole_pool():
    """A hundred addresses: all are known, the reachable ones answer."""
    need_names()
    with Cluster(3) as cluster:
        many = ["127.0.0.%d" % number for number in range(1, 101)]
        with zone(*many, ttl=60) as names:
            with mapped(names, cluster.port, "--retries", "7", "--retry-budget", "100",
                        "--fail-limit", "1", "--eject-time", "60") as site:
                wait_for(lambda: who(site, 60) >= set(cluster.addresses), 20, "the three")


@test
def a_name_of_the_hosts_file_needs_no_server():
    need_names()
    with Backend() as backend:
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind(("127.0.0.1", 0))   # a resolver that never answers
        with bound, proxy("--map", "/=http://localhost:%d/" % backend.port, "--resolver",
                          "127.0.0.1:%d" % bound.getsockname()[1]) as site:
            wait_for(lambda: site.get("/x").status == 200, 10, "an answer")


@test
def kept_connections_of_a_server_that_left_are_closed():
    need_names()
    with Cluster(2) as cluster, \
            zone(*cluster.addresses) as names:
        with mapped(names, cluster.port) as site:
            wait_who(site, cluster.addresses, "both")
            names.a("web.test", "127.0.0.1")
            wait_for(lambda: not cluster.backends[1].open_peers(), 20,
                     "the end of connections to the server that left")


@test
def a_request_to_a_server_that_leaves_is_finished():
    need_names()
    with Cluster(2) as cluster, zone("127.0.0.2") as names:
        with mapped(names, cluster.port) as site:
            wait_who(site, ["127.0.0.2"], "the first server")
            begun, go_on = [], []

            def slow(request):
                begun.append(1)
                wait_for(lambda: go_on, 25, "the word to go on")
                request.answer(200, b"finished\n")
            cluster.backends[1].script = in_turn(slow, cluster.backends[1].script)
            with site.connect(timeout=30) as connection:
                connection.send(make_request("GET", "/x"))
                wait_for(lambda: begun, 5, "the slow request")
                names.a("web.test", "127.0.0.1")
                wait_who(site, ["127.0.0.1"], "the other server")
                go_on.append(1)
                equal(connection.read_response().body, b"finished\n", "body")


if __name__ == "__main__":
    main()
