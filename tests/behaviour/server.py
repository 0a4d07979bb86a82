# SPDX-License-Identifier: BSD-2-Clause
"""Start and stop the server under test.

LHTTPD names the program, LOPHTTPD_MODULE_PATH the folder with its modules. A server is started on
a port that the kernel picks, is ready when it has said so on standard error, and is always stopped
by its pid. Each runs in a session of its own: what is left of that session after the stop is a leak
and a failure. As root the default is what a host does: root starts it, `-u USER` drops it, in a
chroot. With as_user=True it is started by an ordinary user instead (when the tests are not root,
that is how everything runs).
"""
import atexit
import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import processes
import trees
from tap import (Failure, after_each, at_end, before_each, check, equal, on_failure, patience,
                 short, skip, wait_for)
from wire import Connection, split_responses

LHTTPD = os.path.abspath(os.environ.get("LHTTPD") or "lhttpd")
AM_ROOT = os.geteuid() == 0
ORDINARY = 65534  # the uid and gid of as_user=True
LISTENING = re.compile(r"^(?:lhttpd|frontend): listening on (\S+)(?: behind the PROXY protocol)?$", re.M)
BAD_CALL = "was killed by signal %d " % signal.SIGSYS
SANITIZER = re.compile(r"^.*(?:ERROR: \w+Sanitizer|WARNING: \w+Sanitizer|runtime error:).*$", re.M)

_running = []


def _known_user():
    for name in ("www-data", "nobody"):
        try:
            pwd.getpwnam(name)
            return name
        except KeyError:
            pass
    return "nobody"


RUN_USER = _known_user()


def run_uid(as_user=False):
    """The user id that a worker ends up with."""
    if not AM_ROOT:
        return os.geteuid()
    return ORDINARY if as_user else pwd.getpwnam(RUN_USER).pw_uid


def environment(**extra):
    """The environment of the server: nothing of ours that it would act upon."""
    kept = {name: value for name, value in os.environ.items()
            if name not in ("NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "LC_ALL",
                            "LANG", "TZ")}
    kept.update({name: value for name, value in extra.items() if value is not None})
    return kept


def identity(as_user):
    """Arguments for subprocess that drop to the ordinary user; skips when it cannot run LHTTPD."""
    if not (as_user and AM_ROOT):
        return {}
    arguments = {"user": ORDINARY, "group": ORDINARY, "extra_groups": []}
    try:
        subprocess.run([LHTTPD, "-V"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       cwd="/", env=environment(), timeout=patience(10), **arguments)
    except PermissionError:
        skip("an ordinary user cannot reach " + LHTTPD)
    return arguments


def run(*arguments, as_user=False, cwd="/", env=None, timeout=10):
    """Run the server to its end (a wrong option, --help, …). Returns (status, stdout, stderr)."""
    try:
        done = subprocess.run([LHTTPD, *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd,
                              env=env or environment(), timeout=patience(timeout),
                              start_new_session=True, **identity(as_user))
    except subprocess.TimeoutExpired as late:
        raise Failure("lhttpd %s did not end; it said %s"
                      % (" ".join(arguments), short(late.stderr))) from None
    errors = done.stderr.decode("utf-8", "replace")
    check(not SANITIZER.search(errors), "sanitizer report:\n" + errors)
    return done.returncode, done.stdout.decode("utf-8", "replace"), errors


def tracer():
    """What records the server's system calls for tests/audit: a file a process."""
    folder = os.environ.get("LOP_TEST_TRACES")
    if not folder:
        return ()
    name = tempfile.mkdtemp(dir=folder)
    os.chmod(name, 0o777)
    return ("strace", "-DDD", "-ff", "-qq", "-e", "signal=SIGSYS", "-o", name + "/trace")


class Server:
    """A server for `content` (a dict for trees.tree, or the path of a folder) with further options.

    It starts with its first use, or with `with`; what lives in a module variable stops after the
    last test. upgrades=True: at the end other processes may have taken over (USR2).
    killed=True: the sandbox is expected to end workers.
    """

    def __init__(self, content, *options, workers=1, as_user=False, quiet=True, listeners=1,
                 port="0", env=None, cwd="/", program=None, pass_root=True, pass_fds=(),
                 wrapper=(), upgrades=False,
                 killed=False):
        self.content, self.options, self.workers, self.as_user = content, options, workers, as_user
        self.quiet, self.listeners, self.port = quiet, listeners, port
        self.env, self.cwd, self.program, self.wrapper = env or {}, cwd, program, wrapper
        self.pass_root, self.pass_fds, self.upgrades = pass_root, pass_fds, upgrades
        self.killed = killed
        self.root = None
        self.process = None
        self.addresses = []
        self._errors = None
        self._reports_seen = self._told = 0
        self._lock = threading.RLock()   # the first use may be by several threads
        self._no_start = None            # why it does not start: no second try

    # Starting

    def command(self):
        line = [*(self.wrapper or tracer()), self.program or LHTTPD]
        if self.pass_root:
            line += ["-R", self.root]
        if self.port is not None:
            line += ["-p", self.port]
        if self.workers is not None:
            line += ["-n", str(self.workers)]
        if not any(option == "-l" or option.startswith("--listen")
                   for option in self.options) and self.port == "0":
            line += ["-l", "127.0.0.1"]
        if AM_ROOT and not self.as_user and "-u" not in self.options:
            line += ["-u", RUN_USER]
        if self.quiet:
            line += ["-q"]
        return line + list(self.options)

    def start(self):
        if self._no_start:
            raise Failure(self._no_start)
        if self.root is None:
            self.root = self.content if isinstance(self.content, str) else trees.tree(self.content)
        arguments = identity(self.as_user)
        self._errors = tempfile.NamedTemporaryFile(prefix="lophttpd-stderr-")
        self._reports_seen = self._told = 0
        self.process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL, stdout=self._errors, stderr=self._errors,
            cwd=self.cwd, env=environment(**self.env), start_new_session=True,
            pass_fds=self.pass_fds, **arguments)
        _running.append(self)
        try:
            wait_for(self._has_started, 10, "the line 'lhttpd: listening on …'")
        except Failure as problem:
            self._no_start = "%s; command: %s; it said:\n%s" % (
                problem, " ".join(self.command()), self.errors())
            self._kill()
            raise Failure(self._no_start) from None
        self.addresses = [self._address(text) for text in LISTENING.findall(self.errors())]
        return self

    def _has_started(self):
        if self.process.poll() is not None:
            raise Failure("the server ended at once with status %d" % self.process.returncode)
        return len(LISTENING.findall(self.errors())) >= self.listeners

    @staticmethod
    def _address(text):
        if text.startswith("unix:"):
            return text[5:]
        match = re.fullmatch(r"https?://(?:\[([0-9a-f:.]+)\]|([0-9.]+)):(\d+)/", text)
        check(match, "the server prints a strange address: " + text)
        host = match[1] or match[2]
        return ({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), int(match[3]))

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if self.process is None:
            return
        if kind is None and self.upgrades:
            self.stop_session()
        elif kind is None:
            self.stop()
        else:
            self._last_words()
            self._kill()

    # Using

    def running(self):
        with self._lock:
            if self.process is None:
                self.start()
        return self

    @property
    def address(self):
        return self.running().addresses[0]

    @property
    def port_number(self):
        return self.address[1]

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port_number

    @property
    def pid(self):
        return self.running().process.pid

    def worker_pids(self):
        """The processes that serve: the children, or the one process itself."""
        return processes.children(self.pid) or [self.pid]

    def connect(self, **options):
        return Connection(self.address, **options)

    def request(self, method, target, *fields, **options):
        """One request on a connection of its own."""
        with self.connect() as connection:
            return connection.request(method, target, *fields, **options)

    def get(self, target, *fields):
        return self.request("GET", target, *fields)

    def exchange(self, data, methods=(), timeout=10.0):
        """Send these bytes on a new connection, read until it is closed, return the responses."""
        with self.connect(timeout=timeout) as connection:
            try:
                connection.send(data)
            except (BrokenPipeError, ConnectionResetError):
                pass                 # it answered early and closed: read that
            return split_responses(connection.read_until_close(), methods)

    def path(self, name):
        return os.path.join(self.running().root, name)

    def errors(self):
        """All that the server wrote to standard error so far."""
        with open(self._errors.name, "rb") as file:
            return file.read().decode("utf-8", "replace")

    def news(self):
        """What was written to standard error since the last call."""
        text = self.errors()
        new, self._told = text[self._told:], len(text)
        return new[-4000:]

    def connections(self):
        """How many connections the server holds."""
        return processes.accepted(self.port_number)

    def wait_for_reading(self, timeout=5.0):
        """Wait until the server has read all that was sent to it."""
        wait_for(lambda: processes.unread(self.port_number) == 0, timeout,
                 "the moment with nothing left to read")

    def wait_for_connections(self, count, timeout=5.0):
        """Wait until the server itself has closed all connections but `count`."""
        wait_for(lambda: self.connections() <= count, timeout,
                 "the moment with %d connections in the server" % count)

    def send_signal(self, number):
        os.kill(self.pid, number)

    # Stopping

    def wait(self, timeout=5.0):
        """Wait until the first process has ended; returns its status (negative: the signal)."""
        try:
            return self.process.wait(patience(timeout))
        except subprocess.TimeoutExpired:
            raise Failure("the server did not end within %.1f s" % patience(timeout)) from None

    def stop(self, number=signal.SIGTERM):
        """Stop it as an administrator would, and insist that it ends well and leaves nothing."""
        try:
            if self.process.poll() is None:
                self.process.send_signal(number)
            equal(self.wait(), 0, "exit status after %s" % signal.Signals(number).name)
            wait_for(lambda: not processes.in_session(self.process.pid), 5,
                     "the end of all its processes")
            report = SANITIZER.search(self.errors())
            check(not report, "sanitizer report: %s" % (report and report[0]))
            check(self.killed or BAD_CALL not in self.errors(), "the sandbox ended a worker")
        except Failure:
            self._last_words()
            raise
        finally:
            self._kill()

    def stop_session(self, number=signal.SIGTERM):
        """Stop all that is left of its session (after an upgrade the first process is gone)."""
        for pid in processes.in_session(self.process.pid):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        try:
            self.process.wait(patience(5))
            wait_for(lambda: not processes.in_session(self.process.pid), 5,
                     "the end of all its processes")
        finally:
            self._kill()

    def kill(self):
        """End it as kill -9 does. It can be started again."""
        self._kill()

    def _last_words(self):
        _recent_errors.append("the server said:\n" + self.errors()[-8000:])

    def _kill(self):
        """End what is left, whatever happened before."""
        if self.process is None:
            return
        for pid in processes.in_session(self.process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        if self in _running:
            _running.remove(self)
        self._errors.close()
        self.process = None

    def trouble(self):
        """What is wrong with a server that should be running: it died, or a sanitizer spoke."""
        errors = self.errors()
        reports = SANITIZER.findall(errors)
        if self.process.poll() is not None:
            text = "the server died with status %d; it said:\n%s" % (self.process.returncode,
                                                                     errors[-8000:])
            self._kill()
            return text
        if len(reports) > self._reports_seen:
            self._reports_seen = len(reports)
            return "sanitizer report:\n" + errors[-8000:]
        return None


_recent_errors = []


@after_each
def _check_running():
    return "\n".join(filter(None, [server.trouble() for server in list(_running)]))


@on_failure
def _say_recent_errors():
    """What the servers said during the test that failed."""
    words = _recent_errors + ["the server said:\n" + news for news in
                              (server.news() for server in list(_running)) if news]
    return "\n".join(words)


@before_each
def _forget_old_errors():
    _recent_errors.clear()
    for server in _running:
        server.news()


@at_end
def _stop_all():
    problems = []
    _recent_errors.clear()
    for server in list(_running):
        try:
            server.stop()
        except Failure as problem:
            problems.append(str(problem))
    left = trees.leftovers()
    if left:
        problems.append("these folders cannot be removed: " + ", ".join(left))
    return "\n".join(problems + _recent_errors) if problems else ""


@atexit.register
def _kill_all():
    for server in list(_running):
        server._kill()


def need_root():
    if not AM_ROOT:
        skip("needs root")


def need_tool(name):
    """The path of a program of the system; skips when it is not installed."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        skip(name + " is not installed")
    return path


@contextlib.contextmanager
def mounted(folder, *arguments):
    """A file system of its own at a folder; skips where this machine does not mount."""
    need_root()
    done = subprocess.run([need_tool("mount"), *arguments, folder], stderr=subprocess.PIPE)
    if done.returncode:
        skip("cannot mount %s: %s" % (" ".join(arguments), done.stderr.decode().strip()))
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


def listens(address):
    """Whether somebody takes connections there."""
    try:
        socket.create_connection(address, patience(5)).close()
        return True
    except (ConnectionRefusedError, ConnectionResetError):
        return False  # reset: it came at the very moment when the listener closed


def hurry(deadline):
    """Seconds until a time.monotonic() value, never negative."""
    return max(0.0, deadline - time.monotonic())
