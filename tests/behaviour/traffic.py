# SPDX-License-Identifier: BSD-2-Clause
"""Steady traffic while something happens to the server, which serves SMALL as /a.txt."""
import os
import signal
import threading
import time

from tap import Failure, check, wait_for

SMALL = b"alpha\n"


class Traffic:
    """Threads that request a small file all the time and collect what goes wrong."""

    def __init__(self, server, threads=2, keep_alive=False):
        self.server, self.keep_alive = server, keep_alive
        self.stop, self.problems, self.count = threading.Event(), [], 0
        self.threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def _run(self):
        connection = None
        while not self.stop.is_set():
            try:
                connection = connection or self.server.connect()
                response = connection.get("/a.txt")
                if (response.status, response.body) != (200, SMALL):
                    self.problems.append(repr(response))
                self.count += 1
                if not self.keep_alive or response.says_close:
                    connection.close()
                    connection = None
            except (Failure, OSError) as problem:
                self.problems.append("%s: %s" % (type(problem).__name__, problem))
                connection = None
        if connection:
            connection.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        try:
            wait_for(lambda: self.count > 10 or self.problems, 10, "the eleventh request")
        finally:
            self._end()

    def _end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def check(self, what):
        """Not one request failed."""
        check(not self.problems, "%s: %d of %d requests failed: %s"
              % (what, len(self.problems), self.count, "; ".join(self.problems[:3])))


def slowest_while(flood, request, duration=1.0):
    """The longest time that request() takes while another process runs flood(), which need not end:
    who gets no turn beside it waits for ever."""
    pid = os.fork()
    if pid == 0:
        try:
            flood()
        except OSError:
            pass
        finally:
            os._exit(0)
    try:
        slowest, until = 0.0, time.monotonic() + duration
        while time.monotonic() < until:
            begun = time.monotonic()
            request()
            slowest = max(slowest, time.monotonic() - begun)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return slowest
