#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Names of upstreams: followed by a module that shows what they become (tests/names/names_probe.c),
against a name server of the test's own."""
import math
import os
import signal
import struct
import time

from harness import *
from nameserver import REFUSED, SERVFAIL, NameServer, record

BUILD = os.environ.get("builddir") or os.path.dirname(LHTTPD)
PROBE = os.path.join(BUILD, "tests/names/.libs/names_probe.so")
# ms: ttl_min, ttl_max, retry, gone, timeout: a question that times out is seldom what it is about
QUICK = "50,60000,50,200,10000"
HOUR = 3600


def have_cares():
    with open(BUILD + "/config.h", encoding="ascii") as file:
        return "#define HAVE_CARES 1" in file.read()


class Probe(Server):
    """The server with the probe."""

    def __init__(self, dns, *names, times=QUICK, options=(), **arguments):
        if not os.path.exists(PROBE):
            skip("tests/names/names_probe.la is not built")
        if dns and not have_cares():
            skip("built without c-ares")
        arguments.setdefault("env", {})["RES_OPTIONS"] = "ndots:1"
        arguments["env"]["LOCALDOMAIN"] = "test"
        resolver = ["--probe-resolver", getattr(dns, "address", dns)] if dns else []
        super().__init__({}, "-M", PROBE, "--probe-times", times, *resolver,
                         *[word for name in names for word in ("--probe-name", name)],
                         *options, **arguments)

    def names(self):
        """{name: (told, "status address …")}"""
        lines = self.get("/names").body.decode().splitlines()
        return {line.split()[0]: (int(line.split()[1]), " ".join(line.split()[2:]))
                for line in lines}

    def told(self, name):
        return self.names()[name][0]

    def now(self, name):
        return self.names()[name][1]

    def wait_now(self, name, text):
        try:
            wait_for(lambda: self.now(name) == text, 10, text)
        except Failure:
            raise Failure("%s should become '%s', and is '%s'"
                          % (name, text, self.now(name))) from None


@test
def a_and_aaaa_become_addresses_with_the_port_of_the_url():
    with NameServer() as dns:
        dns.a("web.test", "192.0.2.2", "192.0.2.1", "192.0.2.2")
        dns.aaaa("web.test", "2001:db8::1")
        for user in (False, True):
            with Probe(dns, "web.test:8080", as_user=user) as probe:
                probe.wait_now("web.test",
                               "ok 192.0.2.1:8080 192.0.2.2:8080 [2001:db8::1]:8080")


@test
def every_worker_follows_the_names():
    with NameServer() as dns:
        dns.a("web.test", "192.0.2.1", ttl=HOUR)
        with Probe(dns, "web.test:80", workers=2) as probe:
            wait_for(lambda: dns.asked("web.test", "A") == 2, 5, "a question of each worker")
            probe.wait_now("web.test", "ok 192.0.2.1:80")


@test
def one_family_can_be_asked_for_alone():
    with NameServer() as dns:
        dns.a("web.test", "192.0.2.1")
        dns.aaaa("web.test", "2001:db8::1")
        with Probe(dns, "web.test:80", options=("--probe-family", "6")) as probe:
            probe.wait_now("web.test", "ok [2001:db8::1]:80")
            equal(dns.asked("web.test", "A"), 0, "questions for A")


@test
def a_change_is_seen_when_the_records_time_has_passed():
    with NameServer() as dns:
        dns.a("web.test", "192.0.2.1", ttl=1)
        with Probe(dns, "web.test:80") as probe:
            probe.wait_now("web.test", "ok 192.0.2.1:80")
            dns.a("web.test", "192.0.2.7", ttl=1)
            probe.wait_now("web.test", "ok 192.0.2.7:80")
            equal(probe.told("web.test"), 2, "times it was told")


@test
def the_least_time_of_all_records_counts():
    with NameServer() as dns:
        dns.cname("web.test", "pool.test", ttl=1)
        dns.a("pool.test", "192.0.2.1", ttl=HOUR)
        with Probe(dns, "web.test:80") as probe:
            probe.wait_now("web.test", "ok 192.0.2.1:80")
            dns.cname("web.test", "other.test", ttl=HOUR)
            dns.a("other.test", "192.0.2.9", ttl=HOUR)
            probe.wait_now("web.test", "ok 192.0.2.9:80")


@test
def an_answer_that_did_not_change_is_not_told_again():
    with NameServer() as dns:
        dns.a("web.test", "192.0.2.1", "192.0.2.2", ttl=0)
        with Probe(dns, "web.test:80") as probe:
            probe.wait_now("web.test", "ok 192.0.2.1:80 192.0.2.2:80")
            dns.a("web.test", "192.0.2.2", "192.0.2.1", ttl=0)
            before = dns.asked("web.test", "A")
            wait_for(lambda: dns.asked("web.test", "A") > before + 2, 10, "more questions")
            equal(probe.told("web.test"), 1, "times it was told")


@test
def records_are_believed_for_their_time_and_within_bounds():
    with NameServer() as dns:
        dns.a("long.test", "192.0.2.1", ttl=HOUR)
        dns.a("short.test", "192.0.2.1", ttl=0)
        dns.aaaa("long.test")
        with Probe(dns, "long.test:80", "short.test:80",
                   times="100,200,50,200,10000") as probe:
            wait_for(lambda: dns.asked("long.test", "A") >= 3, 10, "ttl_max to pass twice")
            wait_for(lambda: dns.asked("short.test", "A") >= 3, 10, "ttl_min to pass twice")
        dns.a("still.test", "192.0.2.1", ttl=HOUR)
        dns.a("short.test", "192.0.2.1", ttl=0)
        with Probe(dns, "still.test:80", "short.test:80") as probe:
            probe.wait_now("still.test", "ok 192.0.2.1:80")
            before = dns.asked("short.test", "A")
            wait_for(lambda: dns.asked("short.test", "A") > before + 5, 10, "others to be asked")
            equal(dns.asked("still.test", "A"), 1, "questions before the time has passed")


@test
def a_failing_resolver_keeps_the_last_good_set():
    for code in (SERVFAIL, REFUSED):
        with NameServer() as dns:
            dns.a("web.test", "192.0.2.1", "192.0.2.2", ttl=0)
            with Probe(dns, "web.test:80") as probe:
                probe.wait_now("web.test", "ok 192.0.2.1:80 192.0.2.2:80")
                dns.fail("web.test", code)
                probe.wait_now("web.test", "failed 192.0.2.1:80 192.0.2.2:80")
                check("cannot resolve web.test" in probe.errors(), "it says nothing")
                before = dns.asked("web.test", "A")
                wait_for(lambda: dns.asked("web.test", "A") > before + 2, 10, "more questions")
                equal(probe.now("web.test"), "failed 192.0.2.1:80 192.0.2.2:80", "then")
                equal(probe.errors().count("cannot resolve"), 1, "messages")
                dns.a("web.test", "192.0.2.2", ttl=HOUR)
                probe.wait_now("web.test", "ok 192.0.2.2:80")
                check("web.test is resolved again: 1 address\n" in probe.errors(),
                      "it does not say that it works again")


@test
def a_silent_resolver_keeps_the_last_good_set():
    with NameServer() as dns:
        dns.a("web.test", "192.0.2.1", ttl=0)
        with Probe(dns, "web.test:80", times="50,60000,50,200,100") as probe:
            probe.wait_now("web.test", "ok 192.0.2.1:80")
            dns.silence("web.test")
            probe.wait_now("web.test", "failed 192.0.2.1:80")


@test
def a_resolver_that_is_not_there_is_asked_again():
    with NameServer() as dns:
        address = dns.address
    with Probe(address, "web.test:80", times="50,60000,50,200,200") as probe:
        probe.wait_now("web.test", "failed")
        check("cannot resolve web.test" in probe.errors(), "it says nothing")
        equal(probe.get("/").status, 403, "status of another request")


@test
def of_two_resolvers_one_is_enough():
    with NameServer() as dead:
        address = dead.address
    with NameServer() as dns:
        dns.a("web.test", "192.0.2.1")
        with Probe(address + "," + dns.address, "web.test:80") as probe:
            probe.wait_now("web.test", "ok 192.0.2.1:80")


@test
def retries_grow():
    with NameServer() as dns:
        dns.fail("web.test")
        dns.a("clock.test", "192.0.2.1", ttl=0)
        begun = time.monotonic()
        with Probe(dns, "web.test:80", "clock.test:80", times="50,60000,100,200,10000"):
            wait_for(lambda: dns.asked("clock.test", "A") >= 30, 30, "thirty questions")
            # After 0, 100, 300, 700, 1500, … ms; each try is up to three.
            count = dns.asked("web.test", "A")
            most = 3 * (2 + int(math.log2(1 + (time.monotonic() - begun) / 0.1)))
            check(count <= most, "%d questions, and not at most %d" % (count, most))


@test
def one_family_that_fails_does_not_hide_the_other():
    with NameServer() as dns:
        def only_a(query):
            kind = struct.unpack_from("!H", query, len(query) - 4)[0]
            if kind != 1:
                return query[:2] + struct.pack("!5H", 0x8582, 1, 0, 0, 0) + query[12:]
            return query[:2] + struct.pack("!5H", 0x8580, 1, 1, 0, 0) + query[12:] + \
                record("web.test", "A", 1, bytes([192, 0, 2, 1]))
        dns.aaaa("web.test", "2001:db8::1")
        dns.a("web.test", "192.0.2.1")
        with Probe(dns, "web.test:80") as probe:
            probe.wait_now("web.test", "ok 192.0.2.1:80 [2001:db8::1]:80")
            before = dns.asked("web.test", "AAAA")
            dns.raw("web.test", only_a)
            wait_for(lambda: dns.asked("web.test", "AAAA") >= before + 2, 10, "more questions")
            equal(probe.now("web.test"), "ok 192.0.2.1:80 [2001:db8::1]:80", "then")


@test
def addresses_that_are_gone_do_not_come_back_by_a_failure():
    def a_fails(query):
        kind = struct.unpack_from("!H", query, len(query) - 4)[0]
        if kind == 1:
            return query[:2] + struct.pack("!5H", 0x8582, 1, 0, 0, 0) + query[12:]
        return query[:2] + struct.pack("!5H", 0x8580, 1, 1, 0, 0) + query[12:] + \
            record("web.test", "AAAA", 0, bytes(15) + b"\1")
    with NameServer() as dns:
        dns.a("web.test", "192.0.2.1", ttl=0)
        dns.aaaa("web.test", "::1", ttl=0)
        with Probe(dns, "web.test:80") as probe:
            probe.wait_now("web.test", "ok 192.0.2.1:80 [::1]:80")
            dns.a("web.test")
            probe.wait_now("web.test", "ok [::1]:80")
            before = dns.asked("web.test", "AAAA")
            dns.raw("web.test", a_fails)
            wait_for(lambda: dns.asked("web.test", "AAAA") > before + 2, 10, "more questions")
            equal(probe.now("web.test"), "ok [::1]:80", "then")


@test
def a_name_that_is_gone_loses_its_addresses_after_a_while():
    with NameServer() as dns:
        dns.a("web.test", "192.0.2.1", ttl=0)
        with Probe(dns, "web.test:80", times="50,60000,50,400,10000") as probe:
            probe.wait_now("web.test", "ok 192.0.2.1:80")
            dns.remove("web.test")
            before = dns.asked("web.test", "A")
            wait_for(lambda: dns.asked("web.test", "A") > before, 10, "a question")
            probe.wait_now("web.test", "gone")
            check("web.test does not exist" in probe.errors(), "it says nothing")
            dns.a("web.test", "192.0.2.5")
            probe.wait_now("web.test", "ok 192.0.2.5:80")


@test
def a_name_that_is_gone_for_a_moment_keeps_its_addresses():
    with NameServer() as dns:
        dns.negative_ttl = 0
        dns.a("web.test", "192.0.2.1", ttl=0)
        with Probe(dns, "web.test:80", times="50,60000,50,600000,10000") as probe:
            probe.wait_now("web.test", "ok 192.0.2.1:80")
            dns.remove("web.test")
            before = dns.asked("web.test", "A")
            wait_for(lambda: dns.asked("web.test", "A") >= before + 2, 10, "questions")
            equal(probe.now("web.test"), "ok 192.0.2.1:80", "while it is gone")
            dns.fail("web.test")
            probe.wait_now("web.test", "failed 192.0.2.1:80")
            dns.a("web.test", "192.0.2.1", ttl=HOUR)
            probe.wait_now("web.test", "ok 192.0.2.1:80")


@test
def a_name_that_never_was_is_told():
    with NameServer() as dns:
        with Probe(dns, "none.test:80") as probe:
            probe.wait_now("none.test", "gone")
            dns.a("none.test", "192.0.2.1")
            probe.wait_now("none.test", "ok 192.0.2.1:80")


@test
def long_answers_come_over_tcp():
    wanted = ["192.0.2.%d" % number for number in range(1, 61)]
    for pieces, user in ((False, False), (True, False), (False, True)):
        with NameServer() as dns:
            dns.truncate, dns.pieces = True, pieces
            dns.a("web.test", *reversed(wanted), ttl=0)
            dns.aaaa("web.test", "2001:db8::1", ttl=0)
            with Probe(dns, "web.test:80", as_user=user) as probe:
                probe.wait_now("web.test", "ok " + " ".join(one + ":80" for one in wanted) +
                               " [2001:db8::1]:80")
                before = dns.asked("web.test", "A")
                wait_for(lambda: dns.asked("web.test", "A") > before + 4, 10, "more questions")
                equal(probe.told("web.test"), 1, "times it was told")
                check("tcp" in dns.transports(), "no question over TCP")


@test
def more_addresses_than_the_bound_are_passed_over():
    with NameServer() as dns:
        dns.truncate = True
        dns.a("web.test", *["10.0.%d.%d" % (number // 250, number % 250 + 1)
                            for number in range(400)], ttl=HOUR)
        with Probe(dns, "web.test:80") as probe:
            wait_for(lambda: len(probe.now("web.test").split()) > 1, 10, "addresses")
            check(probe.now("web.test").startswith("ok 10.0."), probe.now("web.test"))
            check(dns.asked("web.test") < 20, "it asks again and again")


@test
def srv_records_give_ports_and_weights():
    with NameServer() as dns:
        dns.srv("_http._tcp.web.test", (0, 10, 8001, "one.test"), (0, 20, 8002, "two.test"))
        dns.a("one.test", "192.0.2.1")
        dns.a("two.test", "192.0.2.2")
        with Probe(dns, "_http._tcp.web.test") as probe:
            probe.wait_now("_http._tcp.web.test", "ok 192.0.2.1:8001*1 192.0.2.2:8002*2")
            dns.srv("_http._tcp.web.test", (0, 0, 8001, "one.test"), (0, 0, 8002, "two.test"))
            probe.wait_now("_http._tcp.web.test", "ok 192.0.2.1:8001*1 192.0.2.2:8002*1")
            dns.srv("_http._tcp.web.test", (0, 0, 8003, "one.test"))
            probe.wait_now("_http._tcp.web.test", "ok 192.0.2.1:8003*1")


@test
def of_srv_records_only_the_best_class_that_has_addresses_is_used():
    with NameServer() as dns:
        dns.srv("_http._tcp.web.test", (5, 1, 80, "spare.test"), (1, 1, 80, "main.test"))
        dns.a("main.test", "192.0.2.1")
        dns.a("spare.test", "192.0.2.2")
        with Probe(dns, "_http._tcp.web.test") as probe:
            probe.wait_now("_http._tcp.web.test", "ok 192.0.2.1:80*1")
            dns.remove("main.test")
            probe.wait_now("_http._tcp.web.test", "ok 192.0.2.2:80*1")


@test
def the_weight_of_an_srv_target_is_shared_by_its_addresses():
    with NameServer() as dns:
        dns.srv("_http._tcp.web.test", (0, 2, 80, "one.test"), (0, 2, 81, "two.test"))
        dns.a("one.test", "192.0.2.1", "192.0.2.3")
        dns.a("two.test", "192.0.2.2")
        with Probe(dns, "_http._tcp.web.test") as probe:
            probe.wait_now("_http._tcp.web.test",
                           "ok 192.0.2.1:80*1 192.0.2.3:80*1 192.0.2.2:81*2")


@test
def failing_srv_records_or_targets_keep_the_last_good_set():
    service = "_http._tcp.web.test"
    with NameServer() as dns:
        dns.srv(service, (0, 1, 80, "one.test"), (0, 1, 80, "two.test"), ttl=0)
        dns.a("one.test", "192.0.2.1", ttl=0)
        dns.a("two.test", "192.0.2.2", ttl=0)
        with Probe(dns, service) as probe:
            good = " 192.0.2.1:80*1 192.0.2.2:80*1"
            probe.wait_now(service, "ok" + good)
            dns.fail("two.test")
            before = dns.asked("two.test", "A")
            wait_for(lambda: dns.asked("two.test", "A") > before + 2, 10, "questions")
            equal(probe.now(service), "ok" + good, "while a target fails")
            dns.fail(service)
            before = dns.asked(service)
            wait_for(lambda: dns.asked(service) > before + 2, 10, "questions")
            check(probe.now(service).endswith(good), "while all fail: " + probe.now(service))
            dns.srv(service, (0, 1, 80, "two.test"))
            dns.a("two.test", "192.0.2.2")
            probe.wait_now(service, "ok 192.0.2.2:80*1")


@test
def an_srv_service_that_is_not_offered_is_gone():
    with NameServer() as dns:
        dns.srv("_http._tcp.web.test", (0, 0, 0, "."))
        with Probe(dns, "_http._tcp.web.test") as probe:
            probe.wait_now("_http._tcp.web.test", "gone")


@test
def the_hosts_file_comes_first_also_from_a_chroot():
    folder = scratch()
    os.chmod(folder, 0o755)
    with open(folder + "/hosts", "w", encoding="ascii") as file:
        file.write("192.0.2.1 web.test other # a comment web2.test\n\n"
                   "2001:db8::1\tWEB.test\nnonsense web.test\n192.0.2.4")
    with NameServer() as dns:
        dns.a("web.test", "192.0.2.99")
        with Probe(dns, "web.test:80", "other:81", "localhost:82", "web2.test:80",
                   options=("--probe-hosts", folder + "/hosts")) as probe:
            probe.wait_now("web.test", "ok 192.0.2.1:80 [2001:db8::1]:80")
            probe.wait_now("other", "ok 192.0.2.1:81")
            probe.wait_now("localhost", "ok 127.0.0.1:82 [::1]:82")
            probe.wait_now("web2.test", "gone")
            probe.send_signal(signal.SIGUSR1)
            wait_for(lambda: dns.asked("web2.test", "A") >= 2, 10, "questions")
            equal(probe.now("web.test"), "ok 192.0.2.1:80 [2001:db8::1]:80", "after USR1")
            equal(dns.asked("web.test"), 0, "questions")


@test
def the_search_list_is_tried():
    with NameServer() as dns:
        dns.a("web.test", "192.0.2.1")
        with Probe(dns, "web:80", "web.:81") as probe:
            probe.wait_now("web", "ok 192.0.2.1:80")
            probe.wait_now("web.", "gone")


@test
def usr1_asks_again_at_once():
    for workers in (1, 2):
        with NameServer() as dns:
            def asked(count):
                wait_for(lambda: dns.asked("web.test", "A") == count, 10, "%d questions" % count)
            dns.a("web.test", "192.0.2.1", ttl=HOUR)
            with Probe(dns, "web.test:80", workers=workers) as probe:
                asked(workers)
                probe.wait_now("web.test", "ok 192.0.2.1:80")
                probe.send_signal(signal.SIGUSR1)
                asked(2 * workers)


@test(punctual=0.1)
def usr1_while_questions_are_open_asks_once_more():
    with NameServer() as dns:
        dns.silence("web.test")
        with Probe(dns, "web.test:80",
                   times="50,600000,300000,200,%d" % seconds(300)) as probe:
            wait_for(lambda: dns.asked("web.test", "A") >= 1, 10, "the first question")
            probe.send_signal(signal.SIGUSR1)
            probe.wait_now("web.test", "failed")
            dns.a("web.test", "192.0.2.1")
            probe.wait_now("web.test", "ok 192.0.2.1:80")


@test
def nonsense_is_no_answer():
    def cut(query):
        return query[:2] + struct.pack("!5H", 0x8580, 1, 3, 0, 0) + query[12:] + b"\xc0\x0c\0"

    def loop(query):
        return query[:2] + struct.pack("!5H", 0x8580, 1, 1, 0, 0) + query[12:] + \
            struct.pack("!H", 0xc000 | len(query)) + struct.pack("!HHIH", 1, 1, 9, 4) + b"\x7f\0\0\1"

    def other_name(query):
        return query[:2] + struct.pack("!5H", 0x8580, 1, 1, 0, 0) + query[12:] + \
            record("evil.test", "A", 9, b"\x7f\0\0\1")
    with NameServer() as dns:
        dns.a("web.test", "192.0.2.1", ttl=0)
        with Probe(dns, "web.test:80", times="50,60000,50,600000,50") as probe:
            probe.wait_now("web.test", "ok 192.0.2.1:80")
            for make in (cut, loop, other_name):
                dns.raw("web.test", make)
                before = dns.asked("web.test", "A")
                wait_for(lambda before=before: dns.asked("web.test", "A") > before + 1, 20,
                         "questions")
                check(probe.now("web.test").endswith(" 192.0.2.1:80"),
                      "after %s: %s" % (make.__name__, probe.now("web.test")))
                dns.a("web.test", "192.0.2.1", ttl=0)
                probe.wait_now("web.test", "ok 192.0.2.1:80")


@test
def a_stop_while_questions_are_open_leaves_nothing():
    for signal_number in (signal.SIGTERM, signal.SIGQUIT):
        with NameServer() as dns:
            dns.silence("web.test")
            dns.silence("_http._tcp.web.test")
            probe = Probe(dns, "web.test:80", "_http._tcp.web.test").start()
            wait_for(lambda: dns.asked("web.test") + dns.asked("_http._tcp.web.test") >= 3, 10,
                     "open questions")
            probe.stop(signal_number)


@test
def without_c_ares_names_are_resolved_once_at_the_start():
    if have_cares():
        skip("built with c-ares")
    with Probe(None, "localhost:80", "127.0.0.1:81", options=("--probe-family", "4")) as probe:
        check("built without c-ares" in probe.errors(), "it says nothing")
        probe.wait_now("localhost", "ok 127.0.0.1:80")
        probe.wait_now("127.0.0.1", "ok 127.0.0.1:81")
        probe.send_signal(signal.SIGUSR1)
        equal(probe.told("localhost"), 1, "times it was told")


@test
def what_is_no_list_of_resolvers_is_refused():
    if not have_cares():
        skip("built without c-ares")
    for wrong in ("ns.example.com", "127.0.0.1:x", "300.1.1.1"):
        status, _, errors = run("-R", tree({}), "-p", "0", "-q", "-n", "1", "-M", PROBE,
                                "--probe-name", "web.test:80", "--probe-resolver", wrong)
        equal(status, 1, "exit status for " + wrong)
        check("'%s' is no list of name servers" % wrong in errors, "message: " + errors)


# Through the proxy itself


class Front(Server):
    """A proxy to a name; its users and its workers do what they want."""

    def __init__(self, dns, url, **arguments):
        if not os.path.exists(os.path.join(os.environ.get("LOPHTTPD_MODULE_PATH") or "",
                                           "proxy.so")):
            skip("the module proxy is not built")
        if not have_cares():
            skip("built without c-ares")
        super().__init__({}, "-M", "proxy", "--map", "/=" + url, "--resolver", dns.address,
                         **arguments)

    def who(self):
        response = self.get("/who")
        return response.body.decode() if response.status == 200 else response.status

    def wait_who(self, *names):
        """Until so many requests in a row were answered by just these."""
        wait_for(lambda: {self.who() for _ in range(8)} == set(names), 10, str(names))


@test
def requests_follow_a_name():
    with Server({"who": b"one"}) as one, \
         Server({"who": b"two"}, "-l", "127.0.0.2:%d" % one.port_number, port=None), \
         NameServer() as dns:
        dns.a("web.test", "127.0.0.1", ttl=0)
        for user in (False, True):
            # One worker: of several each has its own view for a moment.
            with Front(dns, "http://web.test:%d/" % one.port_number, as_user=user) as front:
                front.wait_who("one")
                dns.a("web.test", "127.0.0.1", "127.0.0.2", ttl=0)
                front.wait_who("one", "two")
                dns.a("web.test", "127.0.0.2", ttl=0)
                front.wait_who("two")
                dns.fail("web.test")
                before = dns.asked("web.test", "A")
                wait_for(lambda before=before: dns.asked("web.test", "A") > before + 3, 10,
                         "questions")
                equal(front.who(), "two", "who answers when the resolver fails")
                dns.a("web.test", "127.0.0.1", ttl=0)
                front.wait_who("one")


@test
def requests_follow_srv_records():
    with Server({"who": b"one"}) as one, Server({"who": b"two"}) as two, NameServer() as dns:
        name = "_http._tcp.web.test"
        dns.a("host.test", "127.0.0.1")
        dns.srv(name, (0, 1, one.port_number, "host.test"), (1, 1, two.port_number, "host.test"))
        with Front(dns, "srv+http://" + name + "/") as front:
            front.wait_who("one")
            dns.srv(name, (0, 3, one.port_number, "host.test"),
                    (0, 1, two.port_number, "host.test"), ttl=HOUR)
            front.wait_who("one", "two")
            answers = [front.who() for _ in range(40)]
            equal((answers.count("one"), answers.count("two")), (30, 10), "shares by weight")


@test
def a_name_without_an_answer_is_no_server_until_there_is_one():
    with Server({"who": b"one"}) as one, NameServer() as dns:
        dns.fail("web.test")
        with Front(dns, "http://web.test:%d/" % one.port_number) as front:
            wait_for(lambda: "cannot resolve web.test" in front.errors(), 10, "the message")
            equal(front.who(), 503, "status")
            dns.a("web.test", "127.0.0.1")
            front.wait_who("one")


if __name__ == "__main__":
    main()
