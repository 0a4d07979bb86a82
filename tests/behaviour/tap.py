# SPDX-License-Identifier: BSD-2-Clause
"""The test runner: a test is a function, its name states the behaviour, the output is TAP.

A test file ends with `main()`. Run as a program it prints `1..N` and one line a test; with
arguments it runs the tests that are named (whole names, or the start of names); `--list` prints
the names.
A test fails by raising (check, equal, within raise Failure), and is left out by skip(reason).
Tests of a file run one after another; files run in parallel, so a test shares nothing with another
file.
"""
import atexit
import contextlib
import os
import signal
import sys
import threading
import time
import traceback

SLOWDOWN = max(1.0, float(os.environ.get("LOP_TEST_SLOWDOWN") or 1))
PATIENCE = 4.0  # what only ends a test that hangs may come late: machines are crowded

_tests = []  # functions, in the order of definition
_before_each = []  # called before each test
_after_each = []  # called after each test; a string that is returned is a failure
_at_end = []  # called once, after the last test; likewise
_on_failure = []  # called for more diagnostics


class Failure(AssertionError):
    """What was promised did not happen."""


class Skipped(Exception):
    """The test cannot run here; the text says why."""


def seconds(wanted):
    """A time limit, stretched for slow builds (sanitizers) by LOP_TEST_SLOWDOWN."""
    return wanted * SLOWDOWN


def patience(wanted):
    """When to give up what should not take longer than `wanted`: on a crowded machine it does."""
    return seconds(wanted) * PATIENCE


def test(function=None, *, limit=30.0, punctual=None):
    """Register a test. It should take no longer than `limit` seconds, and fails far beyond.

    punctual: it must do something itself before a time of the server is over. It has failed only if
    it did so without being held up for as many seconds: else it is tried again.
    """
    def register(body):
        body.limit, body.punctual = limit, punctual
        _tests.append(body)
        return body
    return register(function) if function else register


def before_each(callback):
    _before_each.append(callback)


def after_each(callback):
    _after_each.append(callback)


def at_end(callback):
    _at_end.append(callback)


def on_failure(callback):
    _on_failure.append(callback)


def skip(reason):
    raise Skipped(reason)


def short(value, room=300):
    if isinstance(value, (bytes, str)) and len(value) > room:
        return "%r… (%d in all)" % (value[:room], len(value))
    text = repr(value)
    return text if len(text) <= room else "%s… (%d characters)" % (text[:room], len(text))


def check(condition, message):
    if not condition:
        raise Failure(message)


def equal(actual, expected, what="value"):
    if actual != expected:
        raise Failure("%s: expected %s, got %s" % (what, short(expected), short(actual)))


def within(actual, allowed, what="value"):
    if actual not in allowed:
        raise Failure("%s: expected one of %s, got %s" % (what, short(allowed), short(actual)))


def wait_for(condition, timeout=5.0, what="the condition", step=0.005):
    """Poll until condition() is true and return it; give up long after `timeout`."""
    deadline = time.monotonic() + patience(timeout)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure("%s did not come within %.1f s" % (what, patience(timeout)))
        time.sleep(step)


def _alarm(_signal, _frame):
    raise Failure("the test took longer than its limit")


def _give_up(_signal, _frame):
    """End so that the exit handlers stop the servers. timeout(1) sends its signal twice."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    sys.exit(1)


class _Delay:
    """Measures for how long a processor was held up at most: each may stop by itself, and with it
    the server alone."""

    def __init__(self):
        self._end, self._found = threading.Event(), [0.0]
        processors = os.sched_getaffinity(0)
        self._pause = 0.01 * max(1, len(processors) / 8)
        self._threads = [threading.Thread(target=self._run, args=(processor,), daemon=True)
                         for processor in processors]
        for thread in self._threads:
            thread.start()

    def _run(self, processor):
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, {processor})     # of this thread
        begun, longest, ended = time.monotonic(), 0.0, False
        while not ended:             # after the end once more: the test may go on before this does
            ended = self._end.wait(self._pause)
            begun, before = time.monotonic(), begun
            longest = max(longest, begun - before - self._pause)
        self._found.append(longest)

    def longest(self):
        self._end.set()
        for thread in self._threads:
            thread.join()
        return max(self._found)


def _run(body):
    """Run one test; returns (verdict, reason, diagnostics)."""
    if body.punctual is None:
        return _run_once(body)
    for _ in range(10):
        delay = _Delay()
        found = _run_once(body)
        if delay.longest() < seconds(body.punctual) or found[0] != "not ok":
            return found
    return "skip", "this machine is held up for more than %.2f s" % seconds(body.punctual), found[2]


def _run_once(body):
    signal.setitimer(signal.ITIMER_REAL, patience(body.limit))
    try:
        body()
        verdict = ("ok", None, "")
    except Skipped as skipped:
        verdict = ("skip", str(skipped), "")
    except Exception as problem:  # each kind of exception is a failed test
        verdict = ("not ok", None, _describe(problem))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return verdict


def _describe(problem):
    here = os.path.dirname(os.path.abspath(__file__))
    frames = [frame for frame in traceback.extract_tb(problem.__traceback__)
              if frame.filename.startswith(here) and not frame.filename.endswith("tap.py")]
    where = "".join("\n  at %s:%d: %s" % (os.path.basename(frame.filename), frame.lineno,
                                          frame.line)
                    for frame in frames)
    kind = "" if isinstance(problem, Failure) else type(problem).__name__ + ": "
    return "%s%s%s" % (kind, problem, where)


def _collect(callbacks):
    found = []
    for callback in callbacks:
        try:
            text = callback()
        except Exception as problem:
            text = _describe(problem)
        if text:
            found.append(text)
    return found


def _print_diagnostics(text):
    for line in text.splitlines():
        print("# " + line.encode("ascii", "backslashreplace").decode())


def _select(names):
    if not names:
        return list(_tests)
    chosen = [body for body in _tests
              if any(body.__name__ == name or body.__name__.startswith(name) for name in names)]
    for name in names:
        if not any(body.__name__.startswith(name) for body in _tests):
            sys.exit("%s: there is no test named '%s'; --list prints the names"
                     % (sys.argv[0], name))
    return chosen


def main():
    names = sys.argv[1:]
    if "--list" in names:
        print("\n".join(body.__name__ for body in _tests))
        return
    chosen = _select(names)
    signal.signal(signal.SIGALRM, _alarm)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _give_up)
    failures = 0
    print("1..%d" % (len(chosen) + 1), flush=True)
    for number, body in enumerate(chosen, 1):
        begun = time.monotonic()
        _collect(_before_each)
        verdict, reason, text = _run(body)
        trouble = _collect(_after_each)
        if trouble:
            verdict, text = "not ok", "\n".join([text] + trouble)
        if verdict == "not ok":
            failures += 1
            text = "\n".join([text] + _collect(_on_failure))
        tail = " # SKIP " + reason if verdict == "skip" else ""
        print("%s %d - %s%s" % ("not ok" if verdict == "not ok" else "ok", number, body.__name__,
                                tail))
        _print_diagnostics(text)
        if os.environ.get("LOP_TEST_TIMES"):
            print("# %.2f s" % (time.monotonic() - begun))
        sys.stdout.flush()
    trouble = _collect(_at_end)
    print("%s %d - everything_that_was_started_stops_cleanly"
          % ("not ok" if trouble else "ok", len(chosen) + 1))
    _print_diagnostics("\n".join(trouble))
    sys.stdout.flush()
    sys.exit(1 if failures or trouble else 0)


@atexit.register
def _no_late_alarm():
    signal.setitimer(signal.ITIMER_REAL, 0)
