#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Four backends under load, of which one is killed and started again each second: no safe request
fails. LOP_TEST_LOAD is for how many seconds (else 6)."""
import os
import signal
import socket
import subprocess
import sys
import time

import backend as backend_program
from backend import *
from harness import *
from traffic import SMALL, Traffic

DURATION = float(os.environ.get("LOP_TEST_LOAD") or 6)


class Mortal:
    """A backend in a process of its own. Its port stays ours while it is dead, and refuses."""

    def __init__(self, number):
        self.number = number
        self.socket = bound_socket()
        self.url = "http://127.0.0.1:%d" % self.socket.getsockname()[1]
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, backend_program.__file__, str(self.socket.fileno()),
             SMALL.decode().strip()], stdout=subprocess.PIPE,
            pass_fds=[self.socket.fileno()])
        check(self.process.stdout.readline(), "the backend does not start")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.socket.shutdown(socket.SHUT_RDWR)  # nobody listens any more

    def stop(self):
        self.kill()
        self.socket.close()


def no_request_fails(*options, workers=1, duration=DURATION):
    farm = [Mortal(number) for number in range(4)]
    try:
        with proxy("--map", "/=" + ",".join(mortal.url for mortal in farm), *options,
                   workers=workers) as site:
            with Traffic(site, threads=3) as traffic, \
                    Traffic(site, threads=3, keep_alive=True) as steady:
                end, turn = time.monotonic() + duration, 0
                while time.monotonic() < end:
                    mortal = farm[turn % len(farm)]
                    mortal.kill()
                    time.sleep(0.3)
                    mortal.start()
                    time.sleep(0.7)
                    turn += 1
            traffic.check("new connections")
            steady.check("kept connections")
    finally:
        for mortal in farm:
            mortal.stop()


@test(limit=60 + DURATION)
def no_safe_request_fails_while_backends_die_and_return():
    no_request_fails()


@test(limit=60 + DURATION, punctual=0.5)
def no_safe_request_fails_with_several_workers_and_checks():
    no_request_fails("--health", "path=/up,interval=1s,rise=1,fall=1", "--balance",
                     "least-connections", workers=2)


@test(limit=60 + DURATION)
def no_safe_request_fails_while_the_proxy_reloads():
    """A HUP each second beside it; the maps are the same."""
    farm = [Backend(ok(SMALL)) for _ in range(4)]
    with proxy("--map", "/=" + ",".join(one.url for one in farm), workers=2) as site:
        with Traffic(site, threads=3) as traffic, \
                Traffic(site, threads=3, keep_alive=True) as steady:
            end, turn = time.monotonic() + DURATION, 0
            while time.monotonic() < end:
                one = farm[turn % len(farm)]
                one.down()
                site.send_signal(signal.SIGHUP)
                time.sleep(0.2)
                one.start()
                time.sleep(0.3)
                turn += 1
        traffic.check("new connections")
        steady.check("kept connections")
    for one in farm:
        one.stop()


if __name__ == "__main__":
    main()
