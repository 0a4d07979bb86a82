#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""frontend: one file describes a reverse proxy; HUP reads it again."""
import os
import signal
import socket
import subprocess
import threading
import time

from harness import *
from server import identity
from traffic import SMALL, Traffic

FRONTEND = os.path.join(os.path.dirname(LHTTPD), "frontend")
BIG = pattern(16 << 20, 23)

one = Server({"a.txt": SMALL, "who": b"one", "sub/who": b"one below", "big.bin": BIG,
              "moved/x": b"x"}, workers=1)
two = Server({"a.txt": SMALL, "who": b"two", "sub/who": b"two below"}, workers=1)


class Frontend(Server):
    """frontend with the lines of a file; {one} and {two} stand for the ports of the servers."""

    def __init__(self, lines, *options, **how):
        how.setdefault("workers", None)
        super().__init__(scratch(), *options, program=FRONTEND, pass_root=False, port=None, **how)
        self.file = os.path.join(self.content, "frontend.conf")
        self.write(lines)

    def write(self, lines):
        """Put other lines in the file's place, whole."""
        text = "host 127.0.0.1\nport 0\nquiet\n" + lines
        if AM_ROOT and not self.as_user and "\nuser " not in text:
            text += "\nuser %s\n" % RUN_USER
        replace(self.file, expand(text).encode())

    def command(self):
        workers = [] if self.workers is None else ["-n", str(self.workers)]
        return [*self.wrapper, FRONTEND, *workers, *self.options, self.file]

    def hup(self, lines, said):
        """Change the file, send HUP, and wait until `said` is said. Returns what was said."""
        self.news()
        self.write(lines)
        self.send_signal(signal.SIGHUP)
        told = []

        def has_said():
            told.append(self.news())
            return said in "".join(told)
        wait_for(has_said, 10, "the words '%s'" % said)
        return "".join(told)


    def change(self, lines):
        """As hup, for a good file without requests that run: until the old workers have ended."""
        old = self.worker_pids()
        self.hup(lines, DONE)
        wait_for(lambda: not any(processes.alive(pid) for pid in old), 10,
                 "the end of the old workers")


def expand(text):
    return text.replace("{one}", str(one.port_number)).replace("{two}", str(two.port_number))


def run_frontend(*arguments, as_user=False):
    """Run it to its end. Returns (status, stdout, stderr)."""
    done = subprocess.run([FRONTEND, *arguments], stdin=subprocess.DEVNULL, cwd="/",
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
                          timeout=patience(10), start_new_session=True, **identity(as_user))
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def check_file(text, *options):
    """frontend -t of a file with these lines. Returns status, message, and the file's name."""
    path = os.path.join(scratch(), "f.conf")
    replace(path, expand(text).encode())
    status, _, errors = run_frontend(*options, "-t", path)
    return status, errors, path


# --- what is read ---------------------------------------------------------------------------------

@test
def without_a_file_it_explains_itself():
    status, out, errors = run_frontend()
    equal((status, out, errors.count("\n")), (2, "", 1), "status, output, lines")
    for word in ("frontend FILE", "map / http://", "--help"):
        check(word in errors, "no %s in: %s" % (word, errors))
    for option in ("--help", "-V", "--list-modules", "--list-hooks"):
        status, out, errors = run_frontend(option)
        equal((status, errors), (0, ""), option)
    check("FILE" in run_frontend("--help")[1], "--help does not speak of FILE")


@test
def a_file_is_checked():
    status, errors, _ = check_file("""
        # what may stand in a file
        host 127.0.0.1
        host ::1            # a second address
        port 8080
        user nobody
        chroot /usr
        logfile -
        logprovider file
        map /a http://127.0.0.1#8081/x/   # the old spelling
        map /a http://127.0.0.1:8082/x/   # shares the load
        map /b https://[::1]:8443/ unix:/run/b.sock http://192.0.2.1;backup
        map "/c=d" 'http://127.0.0.1/'
        map www.example/=http://127.0.0.1/
        location https://www.example/below
        retries 1
        keepalive-timeout 5s
        """)
    equal((status, errors), (0, "frontend: the options are in order\n"), "a good file")


@test
def each_line_of_the_example_can_stand():
    """As it is, and with each commented line."""
    with open(os.path.join(SOURCE, "doc", "sample.conf")) as file:
        lines = file.read().splitlines()
    examples = [number for number, line in enumerate(lines)
                if line.startswith("#") and not line.startswith("# ")]
    check(len(examples) > 10, "only %d examples" % len(examples))
    for number in [None, *examples]:
        text = "\n".join(line[1:] if at == number else line for at, line in enumerate(lines))
        status, errors, _ = check_file(text)
        equal((status, errors), (0, "frontend: the options are in order\n"),
              "with line %s" % (number and lines[number]))


WRONG = (
    ("map /a http//127.0.0.1/", "map: http//127.0.0.1/: a URL begins with"),
    ("map /a http://127.0.0.1:99999/", "1 to 65535"),
    ("map /a http://127.0.0.1#x/", "1 to 65535"),
    ("map a http://127.0.0.1/", "map: a=http://127.0.0.1/: a map is PATH=URL"),
    ("map /a", "a map is PATH=URL"),
    ("map", "map: a value is needed"),
    ("map /a /b", "a URL begins with"),
    ("map /a http://127.0.0.1/x http://127.0.0.1/y", "not /x"),
    ("map /../a http://127.0.0.1/", "'..'"),
    ("host", "host: a value is needed: ADDR"),
    ("hots 127.0.0.1", "unknown option hots"),
    ("port 80 81", "one value is expected"),
    ("port http", "port: 'http' is not a number"),
    ("chroot", "chroot: a value is needed"),
    ("location www.example", "location: "),
    ("config x", "config belongs on the command line"),
    ("map /a 'http://127.0.0.1/", "a quote is not closed"),
)


@test
def errors_name_file_and_line():
    for line, words in WRONG:
        status, errors, path = check_file("# first\nmap / http://127.0.0.1:1/\n" + line + "\n")
        equal(status, 2, "status of '%s'" % line)
        check(errors.startswith("frontend: %s:3: " % path), "%s: %s" % (line, errors))
        check(words in errors and errors.count("\n") == 1, "%s: %s" % (line, errors))


@test
def a_file_that_says_nothing_is_refused():
    status, errors, _ = check_file("# nothing\n")
    check(status != 0 and "nothing to pass on" in errors, errors)
    status, _, errors = run_frontend("-t", "/nonexistent/f.conf")
    check(status == 1 and "cannot read the config file /nonexistent/f.conf" in errors, errors)


@test
def there_is_one_file():
    path = os.path.join(scratch(), "f.conf")
    replace(path, b"map / http://127.0.0.1:1/\n")
    for arguments in (("-t", "-c", path), ("-t", path), (path, "-t"), ("-tp", "80", "--", path),
                      ("--map", "/x=http://127.0.0.1:2/", "-t", path)):
        equal(run_frontend(*arguments)[0], 0, "status of %s" % (arguments,))
    for arguments in (("-t", "-c", path, path), ("-t", "other", path)):
        status, _, errors = run_frontend(*arguments)
        check(status == 2 and errors.count("\n") == 1, "%s: %s" % (arguments, errors))


# --- what it does ---------------------------------------------------------------------------------

@test
def requests_are_passed_on_as_the_lines_say():
    with Frontend("""
            map /one http://127.0.0.1#{one}/      # old
            map /two http://127.0.0.1:{two}/sub/
            map /both http://127.0.0.1:{one}/
            map /both http://127.0.0.1:{two}/
            """) as server:
        equal(server.get("/one/who").body, b"one", "/one/who")
        equal(server.get("/two/who").body, b"two below", "/two/who")
        both = {server.get("/both/who").body for _ in range(20)}
        equal(both, {b"one", b"two"}, "who answers for /both")


def answering(answer):
    """A port where each connection gets this answer."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)
    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


@test
def the_outside_is_named_by_a_line():
    port = answering(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nConnection: close\r\n"
                     b"Content-Length: 0\r\n\r\n")
    with Frontend("map /one http://127.0.0.1:%d/\nlocation https://www.example/below\n"
                  % port) as server:
        moved = server.get("/one/who")
        equal((moved.status, moved.get("Location")), (302, "/below/one/x"), "status, Location")


@test
def what_is_not_mapped_is_not_found():
    """Not even a file of the folder that it is confined to."""
    folder = tree({"secret.txt": b"secret"})
    lines = "map /one http://127.0.0.1:{one}/\n"
    for chroot in ("", "chroot %s\n" % folder):
        with Frontend(lines + chroot) as server:
            for target in ("/", "/secret.txt", "/oneself", "/one/../secret.txt", "/frontend.conf"):
                equal(server.get(target).status, 404, target)
            equal(server.get("/one/who").status, 200, "/one/who")


@test
def it_is_confined_to_an_empty_folder():
    need_root()
    with Frontend("map / http://127.0.0.1:{one}/\n") as server:
        equal(server.get("/who").status, 200, "status")
        for pid in server.worker_pids():
            root = "/proc/%d/root" % pid
            check(os.stat(root).st_nlink == 0, "the folder is still in a tree")
            equal(os.listdir(root), [], "what is in it")
            try:
                os.mkdir(root + "/x")
            except OSError:
                pass
            else:
                raise Failure("a folder could be made in it")


@test
def an_ordinary_user_needs_no_folder_either():
    with Frontend("map / http://127.0.0.1:{one}/\n", as_user=True) as server:
        equal(server.get("/who").body, b"one", "body")


@test
def the_command_line_wins_over_the_file():
    with Frontend("port 1\nmap / http://127.0.0.1:{one}/\n", "-p", "0") as server:
        check(server.port_number != 1, "the port is the file's")
        equal(server.get("/who").body, b"one", "body")


@test
def logs_go_where_the_file_says():
    folder = scratch()
    os.chmod(folder, 0o777)
    server = Frontend("map / http://127.0.0.1:{one}/\nlogfile %s/log\nlogprovider file\n" % folder,
                      "-n", "1")
    text = open(server.file).read().replace("quiet\n", "")
    replace(server.file, text.encode())
    with server:
        equal(server.get("/who?x").status, 200, "status")
    with open(folder + "/log") as log:
        check('"GET /who?x HTTP/1.1" 200' in log.read(), "the request is not in the log")


# --- HUP ------------------------------------------------------------------------------------------

ONE, TWO = "map / http://127.0.0.1:{one}/\n", "map / http://127.0.0.1:{two}/\n"
DONE, KEPT = "serving by the new ", "going on with the old"


@test
def hup_reads_the_file_again():
    with Frontend(ONE, workers=2) as server:
        master, old = server.pid, server.worker_pids()
        equal(server.get("/who").body, b"one", "before")
        server.change(TWO)
        equal({server.get("/who").body for _ in range(20)}, {b"two"}, "after")
        check(not any(processes.alive(pid) for pid in old), "the old workers are there")
        equal((server.pid, len(server.worker_pids())), (master, 2), "the same master, two workers")
        server.change(ONE)
        equal(server.get("/who").body, b"one", "back again")


@test
def hup_without_a_change_keeps_the_workers():
    with Frontend(ONE, workers=2) as server:
        equal(server.get("/who").body, b"one", "before")
        old = sorted(server.worker_pids())
        server.send_signal(signal.SIGHUP)
        # The next HUP, which changes something, comes after it.
        time.sleep(0.2)
        equal(sorted(server.worker_pids()), old, "the workers")
        check(DONE not in server.errors(), "it changed over to the same file")


@test
def a_bad_file_changes_nothing():
    with Frontend(ONE, workers=2) as server:
        equal(server.get("/who").body, b"one", "before")
        old = sorted(server.worker_pids())
        for lines, words in (("map /a http//x\n", "frontend.conf:4: map: http//x: a URL begins"),
                             ("# no map\n", "nothing to pass on"),
                             (TWO + "port 1\n", "where and how the server listens changed"),
                             (TWO + "chroot /nonexistent\n", "/nonexistent"),
                             (TWO + "module nonexistent\n", "nonexistent")):
            told = server.hup(lines, KEPT)
            check(words in told, "%s: %s" % (lines, told))
            equal(server.get("/who").body, b"one", "body after %r" % lines)
            equal(sorted(server.worker_pids()), old, "workers after %r" % lines)
        os.unlink(server.file)
        server.send_signal(signal.SIGHUP)
        wait_for(lambda: "cannot read the config file" in server.errors(), 5, "a message")
        server.change(TWO)
        equal(server.get("/who").body, b"two", "a good file afterwards")


@test
def no_request_fails_when_the_file_changes():
    with Frontend(ONE, workers=2) as server:
        with Traffic(server) as traffic, Traffic(server, keep_alive=True) as steady:
            for lines in (TWO, ONE, TWO, ONE):
                server.hup(lines, DONE)
        traffic.check("new connections")
        # A kept connection may be closed between two requests, as at any drain.
        closed = ("in the middle of a response head; so far: b''", "BrokenPipe", "ConnectionReset")
        hard = [problem for problem in steady.problems
                if not any(word in problem for word in closed)]
        check(not hard, "kept connections: " + "; ".join(hard[:3]))


@test
def what_runs_is_finished_however_long_it_takes():
    """Not even --drain-timeout ends it: nobody asked for an end."""
    with Frontend(ONE, "--drain-timeout", "0.3", workers=2) as server:
        with server.connect(receive_buffer=8192) as busy:
            busy.send(make_request("GET", "/big.bin"))
            busy.read_head()
            first = busy._take(100000)
            server.hup(TWO, DONE)
            wait_for(lambda: server.get("/who").body == b"two", 5, "the new settings")
            time.sleep(seconds(0.8))
            server.hup(ONE, DONE)
            check(first + busy._take(len(BIG) - 100000) == BIG, "the download is wrong")
        wait_for(lambda: len(server.worker_pids()) == 2, 5, "the end of the old workers")


@test
def it_stops_also_with_workers_that_are_leaving():
    server = Frontend(ONE, "--drain-timeout", "0.3", workers=2)
    with server:
        with server.connect(receive_buffer=8192) as busy:
            busy.send(make_request("GET", "/big.bin"))
            busy.read_head()
            server.hup(TWO, DONE)
            check(len(server.worker_pids()) > 2, "the busy worker is gone already")
            server.send_signal(signal.SIGQUIT)
            equal(server.wait(10), 0, "exit status")


@test
def workers_that_do_not_start_change_nothing():
    """The second of the new ones cannot have its log: the first ends, the old ones go on."""
    folder = scratch()
    os.chmod(folder, 0o777)
    os.mkdir(folder + "/log.1")
    with Frontend(ONE, workers=2) as server:
        old = sorted(server.worker_pids())
        with open(server.file) as file:
            text = file.read().replace("quiet\n", "logfile %s/log\n" % folder)
        replace(server.file, text.encode())
        server.send_signal(signal.SIGHUP)
        wait_for(lambda: "do not start; " + KEPT in server.errors(), 10, "a message")
        wait_for(lambda: sorted(server.worker_pids()) == old, 5, "the old workers alone")
        equal(server.get("/who").body, b"one", "body")
        server.change(TWO)
        equal(server.get("/who").body, b"two", "a good file afterwards")


@test
def a_request_that_servers_could_read_in_two_ways_is_refused():
    with Frontend("map /x http://127.0.0.1:{one}/sub/\n") as server:
        for target in ("/x/..;/who", "/x/..%3b/who", "/x/%2e%2e;a/who", "/x/..%5cwho", "/x/a\\b",
                       "/x/..%2fwho", "/x/../../who"):
            equal(server.get(target).status, 400, target)
        for target in ("/x/../who", "/x/%2e%2e/who", "/x%2fwho", "//x/../who"):
            check(server.get(target).status in (400, 404), target)
        for target in ("/x/who", "//x//who", "/x/./who", "/y/../x/who", "/%78/%77ho"):
            equal(server.get(target).body, b"one below", target)


@test
def one_process_alone_says_that_it_cannot_read_again():
    with Frontend(ONE, workers=1) as server:
        equal(server.get("/who").body, b"one", "before")
        server.hup(TWO, "cannot read")
        equal(server.get("/who").body, b"one", "after")


if __name__ == "__main__":
    main()
