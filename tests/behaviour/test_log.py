#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The access log: formats, escaping, one line a request, several workers, quiet, a full disk."""
import datetime
import json
import os
import re
import signal
import threading
import time

from harness import *

A = b"alpha\n"
CONTENT = {"a.txt": A, "index.html": b"index\n", "big.bin": pattern(8 << 20), "folder": None}
COMMON = (r'(?P<addr>\S+) - (?P<user>\S+) '
          r'\[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] '
          r'"(?P<request>[\x21\x23-\x7e ]*)" (?P<status>\d{3}) (?P<bytes>\d+|-)')
COMBINED = COMMON + r' "(?P<referer>[\x21\x23-\x7e ]*)" "(?P<agent>[\x21\x23-\x7e ]*)"'


def log_folder(as_user=False):
    path = scratch()
    if AM_ROOT:
        os.chown(path, run_uid(as_user), -1)
    return path


def raw(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def lines(path):
    """The lines of requests (messages of the server start with #)."""
    return [line for line in raw(path).split(b"\n")[:-1] if not line.startswith(b"#")]


class Logged(Server):
    """A server with a log file of its own."""

    def __init__(self, *options, **arguments):
        self.folder = log_folder(arguments.get("as_user", False))
        self.log = self.folder + "/access"
        super().__init__(CONTENT, "-o", self.log, *options, quiet=False, **arguments)

    def logged(self, count):
        """Wait for exactly so many lines, and return them."""
        self.send_signal(signal.SIGHUP)  # writes at once what is buffered
        wait_for(lambda: len(lines(self.log)) >= count, 6, "line %d of the log" % count)
        found = lines(self.log)
        equal(len(found), count, "number of lines")
        return [line.decode("ascii") for line in found]


def parsed(pattern_text, line):
    match = re.fullmatch(pattern_text, line)
    check(match, "not in the format: " + line)
    return match.groupdict()


@test
def combined_is_the_default():
    with Logged() as server:
        server.request("GET", "/a.txt?x=y", "Referer: http://from.invalid/",
                       "User-Agent: Test/1.0 (x; y)")
        [line] = server.logged(1)
        record = parsed(COMBINED, line)
        moment = datetime.datetime.strptime(record.pop("time"), "%d/%b/%Y:%H:%M:%S %z")
        check(abs(moment.timestamp() - time.time()) < patience(10), "the time is wrong: " + line)
        equal(record, {"addr": "127.0.0.1", "user": "-", "request": "GET /a.txt?x=y HTTP/1.1",
                       "status": "200", "bytes": "6", "referer": "http://from.invalid/",
                       "agent": "Test/1.0 (x; y)"}, "record")


@test
def what_is_absent_is_a_dash():
    with Logged() as server:
        server.get("/missing")
        server.request("HEAD", "/a.txt", version="1.0")
        first, second = (parsed(COMBINED, line) for line in server.logged(2))
        equal((first["referer"], first["agent"], first["status"]), ("-", "-", "404"), "the first")
        within(second["bytes"], ("0", "-"), "bytes of HEAD")
        equal(second["request"], "HEAD /a.txt HTTP/1.0", "request")


@test
def common_has_no_referer():
    with Logged("--log-format", "common") as server:
        server.request("GET", "/a.txt", "Referer: http://from.invalid/")
        [line] = server.logged(1)
        parsed(COMMON, line)


@test
def json_lines_are_json():
    with Logged("--log-format", "json") as server:
        server.request("GET", "/a.txt", 'User-Agent: "quoted" \\ back', "Referer: \xff\xfe")
        server.request("GET", "/%22%0", "User-Agent: \t")
        server.request("GET", "/caf\u00e9".encode(), b"User-Agent: \xf0\x9f\x90\xa7")
        for line in server.logged(3):
            record = json.loads(line)
            check(isinstance(record, dict) and len(record) > 4, "not an object: " + line)
        text = server.logged(3)[0]
        record = json.loads(text)
        check(200 in record.values() or "200" in record.values(), "no status in " + text)
        check('"quoted" \\ back' in record.values(), "the quotes are lost: " + text)


@test
def a_pattern_like_that_of_nginx():
    text = ('$remote_addr "$request" $status $body_bytes_sent ${request_method}x $$ '
            '"$http_user_agent"')
    with Logged("--log-format", text) as server:
        server.request("GET", "/a.txt", "User-Agent: me")
        [line] = server.logged(1)
        equal(line, '127.0.0.1 "GET /a.txt HTTP/1.1" 200 6 GETx $ "me"', "line")


@test
def each_field_of_a_pattern_has_a_value():
    fields = """remote_addr remote_port time_local time_iso8601 msec request request_method
        request_uri server_protocol status bytes_sent body_bytes_sent request_length request_time
        http_referer http_user_agent host connection connection_requests pid worker""".split()
    with Logged("--log-format", " | ".join("%s=$%s" % (name, name) for name in fields)) as server:
        with server.connect() as connection:
            connection.get("/a.txt?q")
            response = connection.get("/a.txt?q")
            sent = len(response.head) + 4 + len(A)
        line = server.logged(2)[1]
        record = dict(item.split("=", 1) for item in line.split(" | "))
        equal(sorted(record), sorted(fields), "fields")
        equal((record["status"], record["body_bytes_sent"], record["bytes_sent"]),
              ("200", "6", str(sent)), "sizes")
        equal((record["request_uri"], record["host"]), ("/a.txt?q", "test.invalid"),
              "target and host")
        equal(record["connection_requests"], "2", "connection_requests")
        check(re.fullmatch(r"\d+\.\d{3}", record["request_time"]),
              "request_time: " + record["request_time"])
        check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)",
                           record["time_iso8601"]), record["time_iso8601"])


@test(punctual=0.15)
def the_time_of_a_request_begins_with_its_first_byte():
    limit = seconds(0.3)
    with Logged("--log-format", "$request_time $msec $status", "--header-timeout",
                "%.2fs" % limit) as server:
        with server.connect() as connection:
            connection.send(make_request("GET", "/a.txt"))
            connection.read_response()
            began = time.time()
            connection.send(b"GET /a.txt HTTP/1.1\r\n")
            connection.read_response()  # after the timeout, which is counted from there too
            ended = time.time()
        took, start, status = server.logged(2)[1].split()
        equal(status, "408", "status")
        check(float(took) >= limit - 0.01, "it took only " + took)
        # The server's clock of the day goes in steps.
        check(began - 0.05 <= float(start) <= ended - limit + 0.05,
              "it began at %s, not from %f to %f" % (start, began, ended))


@test
def an_unknown_field_of_a_pattern_is_explained():
    status, _, errors = run("-R", tree(CONTENT), "-p", "0", "-n", "1", "-o", scratch() + "/access",
                            "--log-format", "$remote_addr $no_such_field")
    within(status, (1, 2), "exit status")
    check("no_such_field" in errors, "message: " + errors)


@test
def no_client_byte_can_forge_a_line():
    with Logged() as server:
        evil = [b'" 200 5 "-" "-', b"\\", b'\\"', b"\xff\xfe\xfd", "\u2028\u2029".encode(),
                b"\x1b[31m".replace(b"\x1b", b"\xc2\x9b"), b"%n%s%d", b'" "', b"a\tb", b"\\x22",
                b"\\n", b"a" * 3000]
        count = 0
        for text in evil:
            server.request("GET", "/a.txt", b"User-Agent: " + text, b"Referer: " + text)
            count += 1
        for target in (b'/%0a127.0.0.1%20-%20-', b'/"quoted"', b"/%22%22", b"/\xff\xfe",
                       b"/a.txt?\"x\"", b"/\\", b"/%5c%22"):
            server.request("GET", target)
            count += 1
        found = server.logged(count)
        for line in found:
            record = parsed(COMBINED, line)
            equal(record["addr"], "127.0.0.1", "address in " + line)
        content = raw(server.log)
        check(all(byte == 10 or 32 <= byte < 127 for byte in content),
              "bytes that are not printable ASCII")


def with_byte(number):
    """A request for each place that a client fills in, with that byte in it."""
    text = b"a" + bytes([number]) + b"z"
    for line, fields in ((b"GET /a.txt HTTP/1.1", b"User-Agent: " + text),
                         (b"GET /a.txt HTTP/1.1", b"Referer: " + text),
                         (b"GET /a.txt HTTP/1.1", b"Host: " + text),
                         (b"GET /" + text + b" HTTP/1.1", b"Host: x"),
                         (b"GET " + text[1:] + b" HTTP/1.1", b"Host: x"),
                         (text[1:] + b" /a.txt HTTP/1.1", b"Host: x"),
                         (b"GET /a.txt " + text, b"Host: x")):
        host = b"" if fields.startswith(b"Host") else b"\r\nHost: x"
        yield line + host + b"\r\n" + fields + b"\r\nConnection: close\r\n\r\n"


@test(limit=90)
def each_byte_in_each_place_gives_one_whole_line():
    bare, quoted = r"[\x21\x23-\x7e]+", r"[\x20\x21\x23-\x7e]*"
    formats = {"combined": COMBINED,
               "$request|$status|$host|$request_method|$request_uri|$http_user_agent|end":
               r"(?!#)[\x20-\x7e]+\|\d{3}(\|%s){4}\|end" % bare,
               '"$request" "$host" "$http_referer" "$http_user_agent" $remote_addr':
               '("%s" ){4}127.0.0.1' % quoted,
               "json": None}
    for text, pattern_text in formats.items():
        with Logged("--log-format", text) as server:
            total = 0
            for number in range(256):
                for request in with_byte(number):
                    server.exchange(request)
                    total += 1
        found = raw(server.log).decode("ascii").split("\n")
        equal((len(found) - 1, found[-1]), (total, ""), "lines, and what is behind the last")
        for line in found[:-1]:
            if pattern_text is None:
                equal(json.loads(line)["remote_addr"], "127.0.0.1", "address in " + line)
            else:
                check(re.fullmatch(pattern_text, line), "not in the format: " + line)


@test
def refused_requests_are_logged_too():
    with Logged() as server:
        server.exchange(b"GET /a.txt HTTP/1.1\r\n\r\n")
        server.exchange(b"\x16\x03\x01\x02\x00\r\n\r\n")
        server.exchange(make_request("GET", "/" + "x" * 100000))
        for line, statuses in zip(server.logged(3), (("400",), ("400",), ("414", "431"))):
            within(parsed(COMBINED, line)["status"], statuses, "status in " + line[:100])


@test
def a_connection_without_a_request_is_not_logged():
    with Logged() as server:
        for _ in range(5):
            server.connect().close()
        server.get("/a.txt")
        server.logged(1)


@test
def bytes_of_a_download_that_was_broken_off():
    with Logged() as server:
        with server.connect(receive_buffer=8192) as connection:
            connection.send(make_request("GET", "/big.bin"))
            connection.read_head()
        record = parsed(COMBINED, server.logged(1)[0])
        check(int(record["bytes"]) < 8 << 20, "bytes: " + record["bytes"])
        equal(record["request"], "GET /big.bin HTTP/1.1", "request")


@test
def bytes_of_ranges_and_of_304():
    with Logged() as server:
        etag = server.get("/a.txt").get("ETag")
        server.get("/a.txt", "Range: bytes=1-3")
        server.get("/a.txt", "If-None-Match: " + etag)
        found = [(parsed(COMBINED, line)["status"], parsed(COMBINED, line)["bytes"])
                 for line in server.logged(3)]
        equal(found[:2], [("200", "6"), ("206", "3")], "status and bytes")
        within(found[2], (("304", "0"), ("304", "-")), "the 304")


@test
def lines_equal_requests():
    total = 5000
    with Logged() as server:
        with server.connect() as connection:
            sender = threading.Thread(target=connection.send, args=(
                b"".join(make_request("GET", "/a.txt?%d" % number) for number in range(total)),))
            sender.start()
            for _ in range(total):
                connection.read_response()
            sender.join()
        found = server.logged(total)
        for number, line in enumerate(found):
            check("/a.txt?%d " % number in line, "line %d is %s" % (number, line))


@test
def what_is_still_buffered_is_written_at_the_end():
    with Logged() as server:
        for number in range(7):
            server.get("/a.txt?%d" % number)
    equal(len(lines(server.log)), 7, "lines after the stop")


@test
def several_workers_write_a_file_each():
    with Logged(workers=3) as server:
        for number in range(120):
            server.get("/a.txt?%d" % number)
        names = ["%s.%d" % (server.log, number) for number in range(3)]
        wait_for(lambda: sum(len(lines(name)) for name in names) == 120, 6,
                 "120 lines in three files")
        equal(os.path.exists(server.log), False, "a file without a number")
        check(all(lines(name) for name in names), "a worker wrote nothing")
        numbers = sorted(int(re.search(rb"\?(\d+) ", line)[1]) for name in names
                         for line in lines(name))
        equal(numbers, list(range(120)), "requests")


@test
def an_ordinary_user_logs_where_it_may():
    with Logged(as_user=True) as server:
        server.get("/a.txt")
        server.logged(1)


@test
def an_existing_log_is_continued():
    server = Logged()
    with open(server.log, "wb") as file:
        file.write(b"what was there\n")
    if AM_ROOT:
        os.chown(server.log, run_uid(), -1)
    with server:
        server.get("/a.txt")
        equal(server.logged(2)[0], "what was there", "the first line")


@test
def a_new_log_is_not_for_everybody():
    with Logged() as server:
        server.get("/a.txt")
        wait_for(lambda: lines(server.log), 6, "a line without any signal")
        equal(os.stat(server.log).st_mode & 0o027, 0, "permissions for others")


@test
def a_dash_is_standard_error():
    with Server(CONTENT, "-o", "-", quiet=False) as server:
        server.get("/a.txt?marker")
        wait_for(lambda: re.search('"GET /a.txt\\?marker HTTP/1.1" 200 6 ', server.errors()), 6,
                 "the line")


@test
def standard_error_is_the_default_of_an_ordinary_user():
    with Server(CONTENT, as_user=True, quiet=False) as server:
        server.get("/a.txt?marker")
        wait_for(lambda: "?marker" in server.errors(), 6, "the line")


@test
def quiet_writes_nothing():
    with Logged("-q") as server:
        for _ in range(20):
            server.get("/a.txt")
        before = server.errors()
        time.sleep(0.2)
        equal(os.listdir(server.folder), [], "files in the log's folder")
        equal(sorted(os.listdir(server.root)), sorted({name.split("/")[0] for name in CONTENT}),
              "files in the root")
        equal(len(before.splitlines()), 1, "lines on standard error")


@test
def the_provider_can_be_named():
    with Logged("-L", "file") as server:
        server.get("/a.txt")
        server.logged(1)


@test
def an_unknown_provider_is_explained():
    status, _, errors = run("-R", tree(CONTENT), "-p", "0", "-n", "1", "-L", "nosuch", "-o",
                            scratch() + "/access")
    within(status, (1, 2), "exit status")
    check("log_nosuch" in errors and errors.count("\n") == 1, "message: " + errors)


@test
def a_log_that_cannot_be_written_ends_the_start():
    path = scratch() + "/no/such/folder/access"
    status, _, errors = run("-R", tree(CONTENT), "-p", "0", "-n", "1", "-o", path)
    equal(status, 1, "exit status")
    check("no/such/folder" in errors and errors.count("\n") == 1, "message: " + errors)


@test
def a_log_inside_the_root_is_refused():
    root = tree(CONTENT)
    status, _, errors = run("-R", root, "-p", "0", "-n", "1", "-o", root + "/access.log")
    within(status, (1, 2), "exit status")
    check("access.log" in errors and errors.count("\n") == 1, "message: " + errors)


@test
def a_link_to_a_log_inside_the_root_is_refused():
    root, folder = tree(CONTENT), scratch()
    for name, workers in (("access", "1"), ("access.1", "2")):
        os.symlink(root + "/a.txt", folder + "/" + name)
        status, _, errors = run("-R", root, "-p", "0", "-n", workers, "-o", folder + "/access")
        within(status, (1, 2), "exit status")
        check("web root" in errors and errors.count("\n") == 1, "message: " + errors)
        os.remove(folder + "/" + name)


@test
def a_log_inside_the_root_is_refused_under_the_name_of_a_mount_too():
    root, elsewhere = tree(dict(CONTENT, logs=None)), scratch()
    with mounted(elsewhere, "--bind", root):
        for served, folder in ((root, elsewhere), (root, elsewhere + "/logs"),
                               (elsewhere, root + "/logs")):
            status, _, errors = run("-R", served, "-p", "0", "-n", "1", "-o", folder + "/access")
            within(status, (1, 2), "exit status")
            check("web root" in errors and errors.count("\n") == 1, "message: " + errors)


@test
def a_log_that_a_mount_shows_inside_the_root_is_refused():
    root, elsewhere = tree(dict(CONTENT, logs=None)), scratch()
    for name in ("the logs", "the logs/deep", "other"):
        os.mkdir("%s/%s" % (elsewhere, name))
    with open(elsewhere + "/other/access", "wb"):
        pass

    def refused(log, *options):
        status, _, errors = run("-R", root, "-p", "0", "-n", "1", "-o", elsewhere + log, *options)
        equal(status, 1, "exit status for " + log)
        check("web root" in errors and "mounted at " + root in errors, "message: " + errors)
        equal(errors.count("\n"), 1, "lines of the message")

    with mounted(root + "/logs", "--bind", elsewhere + "/the logs"):
        for folder in ("/the logs", "/the logs/deep"):
            refused(folder + "/access")
            refused(folder + "/access", "-t")
        equal(run("-R", root, "-o", elsewhere + "/other/access", "-t")[0], 0, "status beside it")
    with mounted(root + "/a.txt", "--bind", elsewhere + "/other/access"):
        refused("/other/access")
    with mounted(elsewhere + "/other", "--bind", elsewhere + "/the logs"):
        equal(run("-R", root, "-o", elsewhere + "/the logs/access", "-t")[0], 0,
              "status when a mount shows it outside")


@test
def a_test_of_the_options_finds_a_log_inside_the_root():
    root = tree(dict(CONTENT, logs=None))
    for options, expected in ((("-R", root, "-o", root + "/logs/access"), 1),
                              (("-R", root, "-o", root + "/logs/access", "-n", "2"), 1),
                              (("-R", root, "-o", root + "/logs/access", "--log-in-root"), 0),
                              (("-R", root, "-o", root + "/logs/access", "-q"), 0),
                              (("-R", root, "-o", root + "/nothing/access"), 0),
                              (("-R", root + "/nothing", "-o", root + "/logs/access"), 0),
                              (("-R", root, "-o", "-"), 0)):
        status, _, errors = run(*options, "-t")
        equal(status, expected, "exit status of %s, which said %s" % (options, errors))
        equal("web root" in errors, expected == 1, "message: " + errors)
        equal(errors.count("\n"), 1, "lines of the message")
    equal(os.listdir(root + "/logs"), [], "files that a test made")


@test
def a_log_that_does_not_reopen_is_told_and_goes_on():
    for workers in (1, 2):
        with Logged(workers=workers) as server:
            last = server.log if workers == 1 else server.log + ".1"
            os.rename(last, last + ".old")
            os.mkdir(last)
            server.send_signal(signal.SIGHUP)
            wait_for(lambda: "cannot reopen the log %s: Is a directory; going on with the old file"
                     % last in server.errors(), 5, "the message")
            for count in range(20):
                server.get("/a.txt?%d" % count)
            names = [last + ".old"] + [server.log + ".0"] * (workers - 1)
            wait_for(lambda: sum(len(lines(name)) for name in names) == 20, 5, "20 lines")


@test
def a_single_process_reopens_a_log_that_was_made_for_it():
    """In a folder that is root's, as /var/log."""
    need_root()
    folder = scratch()
    os.chmod(folder, 0o755)
    with Server(CONTENT, "-o", folder + "/access", quiet=False, workers=1) as server:
        server.get("/a.txt?1")
        os.rename(folder + "/access", folder + "/old")
        with open(folder + "/access", "wb"):
            os.chown(folder + "/access", run_uid(), -1)
        server.send_signal(signal.SIGHUP)
        wait_for(lambda: lines(folder + "/old"), 5, "a line in the old log")
        server.get("/a.txt?2")
        wait_for(lambda: lines(folder + "/access"), 5, "a line in the new log")
        equal((len(lines(folder + "/old")), len(lines(folder + "/access"))), (1, 1), "lines")


@test
def a_single_process_follows_no_link_of_the_log_into_its_chroot():
    """Where it may write when clients can upload."""
    need_root()
    root, folder, elsewhere = tree(CONTENT), scratch(), log_folder()
    os.chmod(folder, 0o755)
    os.makedirs(root + elsewhere)
    os.chown(root + "/folder", run_uid(), -1)
    for path in (elsewhere + "/log", root + elsewhere + "/log"):
        with open(path, "wb"):
            os.chown(path, run_uid(), -1)
    os.symlink(elsewhere + "/log", folder + "/access")
    with Server(root, "-o", folder + "/access", "-U", "folder", quiet=False,
                workers=1) as server:
        server.send_signal(signal.SIGHUP)
        wait_for(lambda: "cannot reopen" in server.errors(), 5, "a message")
        server.get("/a.txt")
    equal(len(lines(elsewhere + "/log")), 1, "lines in the log")
    equal(raw(root + elsewhere + "/log"), b"", "what is in the root")


@test
def what_is_no_file_of_ours_is_explained():
    need_root()
    folder = scratch()
    os.chmod(folder, 0o777)
    os.symlink("/etc/hostname", folder + "/link")
    with open(folder + "/twice", "wb"):
        os.link(folder + "/twice", folder + "/hard")
    os.mkfifo(folder + "/pipe")
    for name, reason in (("link", "a link stands there, and others than root can write"),
                         ("hard", "a link stands there, and others than root can write"),
                         ("pipe", "nobody reads that pipe")):
        for workers in ("1", "2"):
            if workers == "2":
                os.rename("%s/%s" % (folder, name), "%s/%s.0" % (folder, name))
            status, _, errors = run("-R", tree(CONTENT), "-p", "0", "-n", workers, "-o",
                                    "%s/%s" % (folder, name))
            equal(status, 1, "exit status")
            check(reason in errors, "message for %s: %s" % (name, errors))


@test
def a_log_inside_the_root_can_be_forced():
    root = tree(dict(CONTENT, logs=None))
    if AM_ROOT:
        os.chown(root + "/logs", run_uid(), -1)
    with Server(root, "-o", root + "/logs/access.log", "--log-in-root", quiet=False) as server:
        server.get("/a.txt?forced")
        wait_for(lambda: b"?forced" in raw(root + "/logs/access.log"), 5, "the line")


def linked(server, root, path):
    """The answer for one more name of that file, inside the root."""
    name = "/link%d" % len(os.listdir(root))
    os.link(path, root + name)
    return server.get(name)


@test
def a_log_is_not_served_under_another_name():
    """A hard link may lead from the root to a log outside, of any worker, also after HUP."""
    for workers in (1, 2):
        root, folder = tree({"a.txt": b"alpha\n"}), scratch()
        if AM_ROOT:
            os.chown(folder, run_uid(), -1)
        with Server(root, "-o", folder + "/log", quiet=False, workers=workers) as server:
            os.link(root + "/a.txt", root + "/b.txt")
            equal(server.get("/b.txt").status, 200, "another file with two names")
            for turn in ("first", "second"):
                names = sorted(name for name in os.listdir(folder) if "old" not in name)
                for name in names:
                    wait_for(lambda: linked(server, root, folder + "/" + name).status == 403, 5,
                             "the refusal of the %s %s" % (turn, name))
                for name in names:
                    os.rename(folder + "/" + name, folder + "/" + name + ".old" + turn)
                server.send_signal(signal.SIGHUP)
                wait_for(lambda: all(os.path.exists(folder + "/" + name) for name in names), 5,
                         "new logs")


@test(limit=45)
def a_full_disk_is_reported_once_and_survived():
    folder = scratch()
    with mounted(folder, "-t", "tmpfs", "-o", "size=96k,mode=0777", "lophttpd-test"):
        with Server(CONTENT, "-o", folder + "/access", quiet=False) as server:
            with server.connect() as connection:
                for _ in range(3):  # several flushes onto the full disk
                    for _ in range(600):
                        equal(connection.get("/a.txt").status, 200, "status with a full disk")
                    time.sleep(seconds(0.3))
                wait_for(lambda: os.statvfs(folder).f_bavail == 0, 5, "a full disk")
                reports = wait_for(lambda: [line for line in server.errors().splitlines()
                                            if "access" in line], 6,
                                   "a message about the full disk")
                for _ in range(300):
                    connection.get("/a.txt")
                time.sleep(seconds(0.5))
                reports = [line for line in server.errors().splitlines() if "access" in line]
                equal(len(reports), 1, "messages: %s; number" % reports)
                os.truncate(folder + "/access", 0)  # somebody makes room
                connection.get("/a.txt?room")
                wait_for(lambda: connection.get("/a.txt?room").status == 200
                         and b"?room" in raw(folder + "/access"), 10,
                         "lines after there was room again", 0.1)
                wait_for(lambda: re.search(r"\d+ (lines?|records?|entries)",
                                           server.errors() + raw(folder + "/access").decode()),
                         6, "the number of lines that were dropped")


@test
def a_deleted_log_does_not_stop_the_service():
    with Logged() as server:
        server.get("/a.txt")
        server.logged(1)
        os.unlink(server.log)
        for _ in range(50):
            equal(server.get("/a.txt").status, 200, "status")


if __name__ == "__main__":
    main()
