#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""How the load is shared: methods, weights, backups, maximum and queue, slow start, stickiness."""
import os
import select
import threading
import time

from backend import *
from harness import *

farm = [Backend(lambda request, number=number: ok(b"%d" % number)(request))
        for number in range(4)]


def mapped(*parameters, path="/"):
    """--map for the first backends, with these parameters of each."""
    return ["--map", path + "=" + ",".join(backend.url + text for backend, text in
                                           zip(farm, parameters))]


def who(site, count, target="/x", fields=lambda turn: (), connection=None):
    """The numbers of the backends that answer, in order."""
    found = []
    with connection or site.connect() as client:
        for turn in range(count):
            response = client.get(target, *fields(turn))
            equal(response.status, 200, "status")
            found.append(int(response.body))
    return found


class Held:
    """Requests that a backend holds until they are released."""

    def __init__(self, backend):
        self.backend, self.event, self.before = backend, threading.Event(), backend.script
        self.running = self.most = 0
        self.lock = threading.Lock()
        backend.script = self.script

    def script(self, request):
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        self.event.wait(patience(10))
        with self.lock:
            self.running -= 1
        self.before(request)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.event.set()
        wait_for(lambda: self.running == 0, 5, "the end of the held requests")
        self.backend.script = self.before


@test
def round_robin_takes_turns():
    with proxy(*mapped("", "", "", ""), "--balance", "round-robin") as site:
        found = who(site, 12)
    equal(sorted(found[:4]), [0, 1, 2, 3], "the first round")
    equal(found[:4] * 3, found, "the order")


@test
def weights_share_smoothly():
    with proxy(*mapped(";weight=5", ";weight=1", ";weight=1"), "--balance",
               "round-robin") as site:
        found = who(site, 14)
    equal([found.count(number) for number in range(3)], [10, 2, 2], "requests of each")
    check("1, 1" not in str(found) and "2, 2" not in str(found), "order: %s" % found)
    check("0, 0, 0, 0, 0" not in str(found), "five in a row: %s" % found)


@test
def least_connections_avoids_the_busy_one():
    with proxy(*mapped("", ""), "--balance", "least-connections") as site:
        with Held(farm[0]) as held:
            waiting = [site.connect() for _ in range(12)]
            for connection in waiting:
                connection.send(make_request("GET", "/x"))
            wait_for(lambda: held.running >= 3, 5, "requests at the slow one")
            found = who(site, 20)
            check(found.count(1) >= 19, "answers: %s" % found)
        for connection in waiting:
            connection.close()


@test
def random_reaches_all():
    with proxy(*mapped("", ";weight=3"), "--balance", "random") as site:
        found = who(site, 400)
    check(50 < found.count(0) < 150, "requests of the lighter one: %d of 400" % found.count(0))


@test
def a_hash_of_a_field_is_always_the_same_server():
    with proxy(*mapped("", "", "", ""), "--balance", "hash:X-User") as site:
        first = who(site, 60, fields=lambda turn: ("X-User: user%d" % turn,))
        again = who(site, 60, fields=lambda turn: ("X-User: user%d" % turn,))
    equal(first, again, "servers of 60 users")
    equal(set(first), {0, 1, 2, 3}, "servers in use")
    # The same in another process, and after a restart.
    with proxy(*mapped("", "", "", ""), "--balance", "hash:X-User") as site:
        equal(who(site, 60, fields=lambda turn: ("X-User: user%d" % turn,)), first,
              "servers after a restart")


@test
def a_hash_is_consistent_when_a_server_leaves():
    with proxy(*mapped("", "", "", ""), "--balance", "hash:X-User") as site:
        first = who(site, 80, fields=lambda turn: ("X-User: user%d" % turn,))
    with proxy(*mapped("", "", ""), "--balance", "hash:X-User") as site:
        after = who(site, 80, fields=lambda turn: ("X-User: user%d" % turn,))
    moved = [pair for pair in zip(first, after) if pair[0] != 3 and pair[0] != pair[1]]
    check(len(moved) <= 4, "%d of 80 moved without need" % len(moved))


@test
def a_hash_takes_properties_too():
    for what, target, fields in (("$target", "/x%d", ()), ("$host", "/x", ()),
                                 ("$remote_addr", "/x", ()),
                                 ("$cookie_id", "/x", ("Cookie: a=b; id=%d",))):
        with proxy(*mapped("", "", "", ""), "--balance", "hash:" + what) as site:
            def ask(number):
                response = site.request("GET", target.replace("%d", str(number)),
                                        *[field.replace("%d", str(number)) for field in fields],
                                        host="h%d.invalid" % number)
                return int(response.body)
            equal([ask(5) for _ in range(6)], [ask(5)] * 6, "servers by " + what)
            spread = {ask(number) for number in range(40)}
            if what == "$remote_addr":
                equal(len(spread), 1, "servers of one address")
            else:
                check(len(spread) == 4, "servers by %s: %s" % (what, spread))


@test
def a_hash_is_bounded_in_load():
    """One key that everybody asks for overflows to others when its server is busy."""
    with proxy(*mapped("", "", "", ""), "--balance", "hash:X-User") as site:
        owner = who(site, 1, fields=lambda turn: ("X-User: hot",))[0]
        with Held(farm[owner]) as held:
            waiting = [site.connect() for _ in range(40)]
            for connection in waiting:
                connection.send(make_request("GET", "/x", "X-User: hot"))
            wait_for(lambda: held.running >= 1, 5, "a request at the owner")
            wait_for(lambda: select.select(waiting, [], [], 0)[0], 5, "an answer from elsewhere")
        for connection in waiting:
            connection.close()


def cookies(response):
    return [value for name, value in response.fields if name.lower() == "set-cookie"]


@test
def a_sticky_cookie_binds_to_a_server():
    with proxy(*mapped("", "", "", ""), "--balance", "sticky") as site:
        homes = set()
        for _ in range(8):
            response = site.get("/x")
            equal(len(cookies(response)), 1, "cookies")
            check("HttpOnly" in cookies(response)[0], cookies(response)[0])
            pair = cookies(response)[0].split(";")[0]
            homes.add(response.body)
            for _ in range(5):
                again = site.get("/x", "Cookie: other=1; " + pair)
                equal((again.body, cookies(again)), (response.body, []), "answer with the cookie")
        check(len(homes) > 1, "all went to one server")


@test
def a_sticky_cookie_is_for_the_path_that_the_client_sees():
    for prefix, options, path in (("/", (), "/"), ("/shop", (), "/shop"),
                                  ("/a%20b", (), "/a%20b"),
                                  ("/", ("--location", "http://out.test/base/"), "/base"),
                                  ("/in", ("--location", "http://out.test/base"), "/base/in")):
        with proxy(*mapped("", "", path=prefix), "--balance", "sticky", *options) as site:
            attributes = cookies(site.get(prefix))[0].split("; ")
            check("Path=" + path in attributes, "%s with %s: %s" % (prefix, options, attributes))


@test
def a_forged_cookie_is_not_believed():
    with proxy(*mapped("", "", "", ""), "--balance", "sticky") as site:
        pair = cookies(site.get("/x"))[0].split(";")[0]
        name, value = pair.split("=", 1)
        for forged in (value[:-1] + ("A" if value[-1] != "A" else "B"), value[1:], "", "0",
                       "x" * 4000, value + value,
                       ("A" if value[0] != "A" else "B") + value[1:]):
            response = site.get("/x", "Cookie: %s=%s" % (name, forged))
            equal((response.status, len(cookies(response))), (200, 1), "with %s" % short(forged))


@test
def the_sticky_cookie_is_not_for_the_backend():
    """The backends have no use for it; other cookies pass."""
    with proxy(*mapped("", ""), "--balance", "sticky") as site:
        pair = cookies(site.get("/x"))[0].split(";")[0]
        for backend in farm:
            backend.take()
        site.get("/x", "Cookie: a=1; b=2")
        seen = [request for backend in farm for request in backend.take()]
        equal(seen[0].get("Cookie"), "a=1; b=2", "cookies")
        check(pair.split("=")[0], "the cookie has a name")


@test
def the_name_of_the_sticky_cookie_can_be_chosen():
    with proxy(*mapped("", ""), "--balance", "sticky:cookie=home") as site:
        check(cookies(site.get("/x"))[0].startswith("home="), "name of the cookie")


@test
def all_workers_and_a_restart_believe_a_cookie_of_a_key_file():
    folder = scratch()
    with open(folder + "/key", "w", encoding="ascii") as file:
        file.write(os.urandom(32).hex() + "\n")
    os.chmod(folder + "/key", 0o600)
    pair, home = None, None
    for _ in range(2):
        with proxy(*mapped("", "", "", ""), "--balance", "sticky", "--sticky-key",
                   folder + "/key", workers=2) as site:
            if not pair:
                response = site.get("/x")
                pair, home = cookies(response)[0].split(";")[0], response.body
            for _ in range(10):
                again = site.get("/x", "Cookie: " + pair)
                equal((again.body, cookies(again)), (home, []), "answer with the cookie")


@test
def a_sticky_client_moves_when_its_server_is_down():
    backends = [Backend(ok(b"0")), Backend(ok(b"1"))]
    with proxy("--map", "/=" + ",".join(backend.url for backend in backends), "--balance",
               "sticky") as site:
        response = site.get("/x")
        pair, home = cookies(response)[0].split(";")[0], int(response.body)
        backends[home].down()
        moved = site.get("/x", "Cookie: " + pair)
        equal((moved.status, int(moved.body)), (200, 1 - home), "answer")
    for backend in backends:
        backend.stop()


@test
def sticky_by_address_needs_no_cookie():
    with proxy(*mapped("", "", "", ""), "--balance", "sticky:address") as site:
        found = [site.get("/x") for _ in range(8)]
        equal(len({response.body for response in found}), 1, "servers of one address")
        equal([cookies(response) for response in found], [[]] * 8, "cookies")


@test
def a_backup_is_used_when_all_others_are_down():
    one, spare = Backend(ok(b"one")), Backend(ok(b"spare"))
    with proxy("--map", "/=%s,%s;backup" % (one.url, spare.url), "--fail-limit", "2",
               "--eject-time", ms(0.2)) as site:
        equal([site.get("/x").body for _ in range(4)], [b"one"] * 4, "answers")
        one.down()
        equal([site.get("/x").body for _ in range(4)], [b"spare"] * 4, "answers")
        one.start()
        wait_for(lambda: site.get("/x").body == b"one", 10, "the return of the first")
    one.stop()
    spare.stop()


@test
def the_maximum_of_connections_holds_and_others_wait_their_turn():
    with proxy(*mapped(";max=2"), "--queue-size", "10", "--queue-timeout",
               ms(10)) as site:
        with Held(farm[0]) as held:
            waiting = [site.connect() for _ in range(6)]
            for connection in waiting:
                connection.send(make_request("GET", "/x"))
            wait_for(lambda: held.running == 2, 5, "two requests")
            time.sleep(0.1)
            equal(held.running, 2, "requests at the backend")
            held.event.set()
            for connection in waiting:
                equal(connection.read_response().status, 200, "status")
            equal(held.most, 2, "requests at the backend at once")
        for connection in waiting:
            connection.close()


@test
def a_request_that_waits_too_long_is_503():
    with proxy(*mapped(";max=1"), "--queue-size", "10", "--queue-timeout",
               ms(0.2)) as site:
        with Held(farm[0]) as held, site.connect() as first:
            first.send(make_request("GET", "/x"))
            wait_for(lambda: held.running == 1, 5, "the first request")
            response = site.get("/x")
            equal(response.status, 503, "status")
            check(response.get("Retry-After"), "no Retry-After")
            held.event.set()
            equal(first.read_response().status, 200, "status of the first")


@test
def a_full_queue_is_503_at_once():
    with proxy(*mapped(";max=1"), "--queue-size", "2", "--queue-timeout",
               ms(20)) as site:
        with Held(farm[0]) as held:
            waiting = [site.connect() for _ in range(3)]
            waiting[0].send(make_request("GET", "/x"))
            wait_for(lambda: held.running == 1, 5, "the first request")
            for connection in waiting[1:]:
                connection.send(make_request("GET", "/x"))
                site.wait_for_reading()
                connection.expect_silence(0.05)
            equal(site.get("/x").status, 503, "status of the one too many")
            held.event.set()
            for connection in waiting:
                equal(connection.read_response().status, 200, "status")
                connection.close()


@test
def a_waiting_client_that_leaves_gives_up_its_place():
    with proxy(*mapped(";max=1"), "--queue-size", "1", "--queue-timeout",
               ms(20)) as site:
        with Held(farm[0]) as held, site.connect() as first:
            farm[0].take()
            first.send(make_request("GET", "/first"))
            wait_for(lambda: held.running == 1, 5, "the first request")
            leaving = site.connect()
            leaving.send(make_request("GET", "/leaving"))
            site.wait_for_reading()
            leaving.expect_silence(0.05)
            leaving.close()
            wait_for(lambda: site.connections() == 1, 5, "the end of the leaving connection")
            with site.connect() as next_one:
                next_one.send(make_request("GET", "/next"))
                next_one.expect_silence(0.05)
                held.event.set()
                equal(next_one.read_response().status, 200, "status")
            equal([request.target for request in farm[0].take()], ["/first", "/next"], "targets")


@test
def the_maximum_counts_over_all_workers():
    with proxy(*mapped(";max=2"), "--queue-size", "50", workers=2) as site:
        with Held(farm[0]) as held:
            waiting = [site.connect() for _ in range(12)]
            for connection in waiting:
                connection.send(make_request("GET", "/x"))
            wait_for(lambda: held.running == 2, 5, "two requests")
            time.sleep(0.1)
            held.event.set()
            for connection in waiting:
                equal(connection.read_response().status, 200, "status")
                connection.close()
            equal(held.most, 2, "requests at the backend at once")


@test(punctual=0.5)
def a_server_that_comes_back_starts_slowly():
    one, two = Backend(ok(b"one")), Backend(ok(b"two"))
    with proxy("--map", "/=%s,%s;slow-start=%s" % (one.url, two.url, ms(5)),
               "--fail-limit", "1", "--eject-time", ms(0.2)) as site:
        two.down()
        for _ in range(4):
            equal(site.get("/x").body, b"one", "answer")
        two.start()
        wait_for(lambda: site.get("/x").body == b"two", 10, "the return")
        end, answers = time.monotonic() + seconds(2), []
        while time.monotonic() < end and len(answers) < 60:
            answers.append(site.get("/x").body)
        check(answers.count(b"two") < 6 + len(answers) / 3, "at once: %s" % answers)
        wait_for(lambda: [site.get("/x").body for _ in range(20)].count(b"two") >= 9, 15,
                 "its full share")
    one.stop()
    two.stop()


@test
def a_wrong_balance_is_explained():
    for text in ("fair", "hash", "hash:", "sticky:x", "hash:$nothing", ""):
        status, _, errors = run("-M", "proxy", *mapped(""), "--balance", text, "-q", "-t", "-R", "/")
        within(status, (1, 2), "exit status for '%s'" % text)
        equal(len(errors.strip().splitlines()), 1, "lines: " + errors)


if __name__ == "__main__":
    main()
