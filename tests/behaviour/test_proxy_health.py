#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Health: passive and active, shared by all workers; what happens when all are down."""
import time

from backend import *
from harness import *

INTERVAL = 0.2


def check_option(path="/up", interval=INTERVAL, **more):
    text = "path=%s,interval=%s" % (path, ms(interval))
    return ["--health", text + "".join(",%s=%s" % pair for pair in more.items())]


class Farm:
    """Backends that say who they are, and 200 or another status at /up."""

    def __init__(self, count=2):
        self.up_status = [200] * count
        self.backends = [Backend(self._script(number)) for number in range(count)]

    def _script(self, number):
        def script(request):
            if request.target == "/up":
                request.answer(self.up_status[number], b"")
            else:
                ok(b"%d" % number)(request)
        return script

    def urls(self):
        return ",".join(backend.url for backend in self.backends)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for backend in self.backends:
            backend.stop()

    def take(self, number):
        """Requests of clients that this backend got since the last call."""
        return [request for request in self.backends[number].take() if request.target != "/up"]

    def checks(self, number):
        return [request for request in self.backends[number].requests if request.target == "/up"]


def answers(site, count=6):
    found = []
    for _ in range(count):
        response = site.get("/x")
        found.append(int(response.body) if response.status == 200 else response.status)
    return found


@test
def a_server_that_fails_again_and_again_is_left_out():
    with Farm() as farm, proxy("--map", "/=" + farm.urls(), "--fail-limit", "3", "--eject-time",
                               "60", "--retry-budget", "100") as site:
        farm.backends[0].script = hang_up
        equal(answers(site, 12), [1] * 12, "answers")
        equal(len(farm.backends[0].take()), 3, "requests to the failing one")


@test
def statuses_of_a_sick_gateway_count_as_failures():
    with Farm() as farm, proxy("--map", "/=" + farm.urls(), "--fail-limit", "3", "--eject-time",
                               "60", "--eject-errors") as site:
        farm.backends[0].script = ok(b"no", status=503)
        found = answers(site, 20)
        check(found[-8:] == [1] * 8, "answers: %s" % found)


@test
def errors_of_the_application_do_not_count():
    with Farm() as farm, proxy("--map", "/=" + farm.urls(), "--fail-limit", "3", "--eject-time",
                               "60", "--eject-errors") as site:
        for status in (404, 500):
            farm.backends[0].script = ok(b"no", status=status)
            found = answers(site, 20)
            equal(found.count(status), 10, "answers of the first: %s" % found)


@test
def a_success_between_forgives():
    with Farm() as farm, proxy("--map", "/=" + farm.urls(), "--fail-limit", "3", "--eject-time",
                               "60", "--retry-budget", "100") as site:
        state = []

        def script(request):
            state.append(1)
            if len(state) % 3:
                request.close()
            else:
                request.answer(200, b"0")
        farm.backends[0].script = script
        answers(site, 40)
        check(len(farm.backends[0].take()) >= 19, "it was left out")


@test(punctual=0.1)
def a_server_that_is_slow_is_left_out():
    with Farm() as farm, proxy("--map", "/=" + farm.urls(), "--fail-limit", "3", "--eject-time",
                               "60", "--slow-limit", ms(0.3)) as site:
        def slow(request):
            time.sleep(seconds(0.4))
            request.answer(200, b"0")
        farm.backends[0].script = slow
        found = answers(site, 14)
        equal(found.count(0), 3, "answers of the slow one: %s" % found)


@test
def an_ejected_server_comes_back():
    with Farm() as farm, proxy("--map", "/=" + farm.urls(), "--fail-limit", "2", "--eject-time",
                               ms(0.3), "--retry-budget", "100") as site:
        good = farm.backends[0].script
        farm.backends[0].script = hang_up
        answers(site, 6)
        farm.backends[0].script = good
        wait_for(lambda: 0 in answers(site, 2), 10, "its return")
        equal(sorted(answers(site, 8)), [0] * 4 + [1] * 4, "answers")


@test
def the_pause_grows_with_each_ejection():
    with Farm() as farm, proxy("--map", "/=" + farm.urls(), "--fail-limit", "1", "--eject-time",
                               ms(0.2), "--eject-max", "60",
                               "--retry-budget", "100") as site:
        tried = []

        def script(request):
            tried.append(time.monotonic())
            request.close()
        farm.backends[0].script = script
        wait_for(lambda: len([answers(site, 2)] and tried) >= 4, 20, "four tries")
        pauses = [after - before for before, after in zip(tried, tried[1:])]
        check(all(pause >= seconds(0.2) * 2 ** turn * 0.95 for turn, pause in
                  enumerate(pauses[:3])), "pauses: %s" % pauses)


@test
def a_failing_check_takes_a_server_out_before_a_request_fails():
    with Farm() as farm, proxy("--map", "/=" + farm.urls(), *check_option(rise=2, fall=2,
                                                                          expect=200)) as site:
        wait_for(lambda: sorted(answers(site, 4)) == [0, 0, 1, 1], 10, "answers of both")
        farm.up_status[0] = 500
        wait_for(lambda: answers(site, 4) == [1] * 4, 10, "the first to be left out")
        farm.up_status[0] = 200
        wait_for(lambda: 0 in answers(site, 2), 10, "its return")


@test(punctual=INTERVAL / 2)
def one_failed_check_is_not_enough():
    with Farm() as farm, proxy("--map", "/=" + farm.urls(), *check_option(fall=3, rise=1)) as site:
        site.get("/x")
        wait_for(lambda: len(farm.checks(0)) >= 2, 10, "checks")
        count = len(farm.checks(0))
        farm.up_status[0] = 500
        wait_for(lambda: len(farm.checks(0)) > count, 10, "a failed check")
        farm.up_status[0] = 200
        equal(sorted(answers(site, 4)), [0, 0, 1, 1], "answers")


@test
def the_check_asks_for_its_path_and_host():
    with Farm(1) as farm, proxy("--map", "/=" + farm.urls(),
                                *check_option(host="up.invalid")) as site:
        site.get("/x")
        wait_for(lambda: farm.checks(0), 10, "a check")
        request = farm.checks(0)[0]
        equal((request.method, request.target, request.get("Host")),
              (request.method, "/up", "up.invalid"), "the check")
        within(request.method, ("GET", "HEAD"), "method")


@test
def what_a_check_expects_can_be_said():
    for expected, good, bad in (("204", 204, 200), ("2xx", 201, 302), ("200-399", 302, 404)):
        with Farm() as farm:
            farm.up_status = [good, good]
            with proxy("--map", "/=" + farm.urls(),
                       *check_option(rise=1, fall=1, expect=expected)) as site:
                wait_for(lambda: sorted(answers(site, 2)) == [0, 1], 10, "both")
                farm.up_status[0] = bad
                wait_for(lambda: answers(site, 4) == [1] * 4, 10, "the bad one to be left out")


@test
def a_check_that_hangs_has_failed():
    with Farm() as farm, proxy("--map", "/=" + farm.urls(),
                               *check_option(fall=1, timeout=ms(0.1))) as site:
        good = farm.backends[0].script
        farm.backends[0].script = lambda request: (mute if request.target == "/up"
                                                   else good)(request)
        wait_for(lambda: answers(site, 4) == [1] * 4, 10, "the hanging one to be left out")


@test
def a_server_that_comes_back_is_used_within_one_interval():
    with Farm() as farm, proxy("--map", "/=" + farm.urls(),
                               *check_option(interval=0.5, rise=1, fall=1)) as site:
        farm.backends[0].down()
        wait_for(lambda: answers(site, 4) == [1] * 4, 10, "the first to be left out")
        farm.backends[0].start()
        wait_for(lambda: 0 in answers(site, 2), 3, "its return")


@test
def the_state_is_shared_by_all_workers():
    """What one worker found out, the others know."""
    with Farm() as farm, proxy("--map", "/=" + farm.urls(), "--fail-limit", "4", "--eject-time",
                               "60", "--retry-budget", "100", workers=3) as site:
        farm.backends[0].script = hang_up
        found = answers(site, 40)
        equal(found, [1] * 40, "answers")
        tries = len(farm.backends[0].take())
        check(tries <= 8, "three workers tried the failing one %d times" % tries)


@test
def one_worker_checks_for_all():
    begun = time.monotonic()
    with Farm(1) as farm, proxy("--map", "/=" + farm.urls(), *check_option(interval=0.3),
                                workers=3) as site:
        site.get("/x")
        wait_for(lambda: farm.checks(0), 10, "a check")
        time.sleep(seconds(1.5))
        count = len(farm.checks(0))
        wanted = (time.monotonic() - begun) / seconds(0.3)
        check(count <= wanted + 2, "%d checks instead of %.0f" % (count, wanted))


@test
def the_checks_go_on_when_the_worker_that_did_them_dies():
    need_root()
    import os
    import signal
    with Farm(1) as farm, proxy("--map", "/=" + farm.urls(), *check_option(), workers=2) as site:
        site.get("/x")
        wait_for(lambda: farm.checks(0), 10, "a check")
        for pid in site.worker_pids():
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: pid not in site.worker_pids() and len(site.worker_pids()) == 2, 10,
                     "a new worker")
        farm.backends[0].take()
        wait_for(lambda: len(farm.checks(0)) >= 3, 10, "checks by a new worker")


@test
def all_down_is_503_with_retry_after():
    with Farm() as farm, proxy("--map", "/=" + farm.urls(), "--fail-limit", "1", "--eject-time",
                               "30") as site:
        for backend in farm.backends:
            backend.down()
        answers(site, 4)
        response = site.get("/x")
        equal(response.status, 503, "status")
        check(1 <= int(response.get("Retry-After", "0")) <= 31,
              "Retry-After: %s" % response.get("Retry-After"))
        check("503" in response.body.decode() and "127.0.0.1" not in response.body.decode(),
              "page: " + short(response.body))


@test
def all_down_by_checks_is_503_until_one_is_back():
    with Farm() as farm, proxy("--map", "/=" + farm.urls(),
                               *check_option(rise=1, fall=1)) as site:
        for backend in farm.backends:
            backend.down()
        wait_for(lambda: site.get("/x").status == 503, 10, "a 503")
        check(site.get("/x").get("Retry-After"), "no Retry-After")
        farm.backends[1].start()
        wait_for(lambda: site.get("/x").status == 200, 10, "the return")


@test
def one_server_alone_is_tried_again_at_once_when_it_is_back():
    """A pool of one without checks: a restart of the server is no long outage."""
    with Farm(1) as farm, proxy("--map", "/=" + farm.urls(), "--eject-time",
                                ms(0.3)) as site:
        farm.backends[0].down()
        within(set(site.get("/x").status for _ in range(20)), ({502}, {502, 503}, {503}),
               "statuses")
        farm.backends[0].start()
        wait_for(lambda: site.get("/x").status == 200, 5, "the return")


@test
def a_wrong_health_is_explained():
    for text in ("", "path", "path=up", "interval=2s", "path=/up,interval=x", "path=/up,rise=0",
                 "path=/up,expect=99", "path=/up,expect=9xx", "path=/up,colour=red"):
        status, _, errors = run("-M", "proxy", "--map", "/=http://127.0.0.1:1/", "--health", text,
                                "-q", "-t", "-R", "/")
        within(status, (1, 2), "exit status for '%s'" % text)
        equal(len(errors.strip().splitlines()), 1, "lines: " + errors)


if __name__ == "__main__":
    main()
