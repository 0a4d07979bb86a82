#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Nothing outside the root, by any spelling, link or race: as root with a chroot, and as a user.

A canary lies outside of the root, readable by everyone. Whatever is asked for, it must not come,
and no more may the system's own files (/etc/passwd, /proc/self/environ).
"""
import itertools
import os
import re
import signal
import time

from harness import *

CANARY = b"canary: this text must never leave by HTTP"
INSIDE = b"inside: this text may leave\n"
DOTS = ["..", "%2e%2e", ".%2e", "%2E.", "%252e%252e", "%25%32%65%25%32%65", "%c0%ae%c0%ae",
        "%c0%2e%c0%2e", "%e0%80%ae%e0%80%ae", "%f0%80%80%ae%f0%80%80%ae", "%u002e%u002e", "..%00",
        "..;", "..%20", "..%09", "...", "....", "%ef%bc%8e%ef%bc%8e", ".%00.", "..%0d", "..%0a",
        "..%ff", "%%32%65%%32%65", ".%2e%2f.%2e", "..?", "..#", "\\..", "..\\", "%2e%2e%5c",
        "..::$DATA"]
SLASHES = ["/", "//", "%2f", "%2F", "%5c", "\\", "%252f", "%c0%af", "%e0%80%af", "/./", "/%2e/",
           "/;/", "%2f%2f", "/\\", "%u2215", "%ef%bc%8f", "/.//"]
STARTS = ["/", "//", "/folder/", "/folder/deep/", "/a.txt/", "/folder//", "/./", "/missing/", "",
          "/%2f", "/\\", "/%00/"]


def make_world():
    """A folder with the canary beside the root, and links of all kinds in the root."""
    base = tree({"canary.txt": CANARY, "outside/canary.txt": CANARY, "root/a.txt": INSIDE,
                 "root/folder/deep/b.txt": INSIDE, "root/index.html": INSIDE,
                 "root-sibling/canary.txt": CANARY})
    out = base + "/outside"
    grow(base + "/root", {
        "good/file": Link("../a.txt"), "good/folder": Link("../folder"),
        "good/chain": Link("folder/deep/b.txt"), "good/dots": Link("../folder/../a.txt"),
        "good/here": Link("."), "good/absolute": Link(base + "/root/a.txt"),
        "folder/up": Link(".."), "bad/file": Link("../../canary.txt"),
        "bad/absolute": Link(base + "/canary.txt"), "bad/parent": Link("../.."),
        "bad/folder": Link("../../outside"), "bad/absolute-folder": Link(out),
        "bad/slash": Link("/"), "bad/chain1": Link("chain2"), "bad/chain2": Link("file"),
        "bad/etc": Link("/etc"), "bad/passwd": Link("/etc/passwd"),
        "bad/deep": Link("../../../../../../../../../../etc/passwd"),
        "bad/proc-root": Link("/proc/self/root"), "bad/proc-cwd": Link("/proc/self/cwd/.."),
        "bad/sibling": Link("../../root-sibling"), "bad/back": Link("../../root/a.txt"),
        "bad/mixed": Link("../folder/../../canary.txt"),
        "bad/through": Link("../good/here/../../../canary.txt"), "bad/dev": Link("/dev"),
    })
    return base


BASE = make_world()
as_root = Server(BASE + "/root")
as_somebody = Server(BASE + "/root", as_user=True)


def both():
    """The two ways to run: with a chroot, when the tests are root, and as an ordinary user."""
    return [as_root, as_somebody] if AM_ROOT else [as_somebody]


def check_clean(data, what):
    check(CANARY not in data, "ESCAPED: the canary came by " + what)
    check(b"root:x:0:" not in data and b"root:*:0:" not in data,
          "ESCAPED: /etc/passwd came by " + what)
    check(b"LHTTPD=" not in data, "ESCAPED: the environment came by " + what)


def ask_many(server, targets):
    """Ask for each target, a hundred on the way at once; look at every byte that comes back."""
    waiting = list(targets)
    while waiting:
        batch, waiting = waiting[:100], waiting[100:]
        while batch:  # a refusal closes: go on after it
            with server.connect() as connection:
                try:
                    connection.send(b"".join(make_request("GET", target) for target in batch)
                                    + make_request("GET", "/", "Connection: close"))
                except (BrokenPipeError, ConnectionResetError):
                    pass
                data = connection.read_until_close()
            check_clean(data, "one of %s" % short(batch))
            answers = split_responses(data)
            check(answers, "no answer to " + short(batch[0]))
            for target, answer in zip(batch, answers):
                within(answer.status, (200, 301, 400, 403, 404, 414), "status of " + short(target))
            batch = batch[len(answers):]


def spellings():
    for start, dots, slash in itertools.product(STARTS, DOTS, SLASHES):
        for depth in (1, 3):
            for goal in ("canary.txt", "outside/canary.txt"):
                yield start + (dots + slash) * depth + goal
    for dots, slash in itertools.product(DOTS, SLASHES):
        for depth in (2, 6, 12):
            climb = (dots + slash) * depth
            yield "/" + climb + "etc/passwd"
            yield "/folder/" + climb + BASE.lstrip("/").replace("/", slash) + slash + "canary.txt"


def other_spellings():
    absolute = BASE + "/canary.txt"
    for target in (absolute, "/" + absolute, "//" + absolute, absolute.replace("/", "%2f"),
                   "/" + absolute.replace("/", "%2F"), "file://" + absolute, "file:" + absolute,
                   "http://x/../canary.txt", "http://x/%2e%2e/canary.txt", "http://x" + absolute,
                   "http://../canary.txt", "http:/../canary.txt", "../canary.txt", "..", ".",
                   "canary.txt", "~root/.profile", "/~root/.profile", "/~/../canary.txt",
                   "/folder/up/../canary.txt", "/folder/up/../../canary.txt",
                   "/folder/up/up/canary.txt", "/..%2fcanary.txt", "/root/../canary.txt",
                   "/../root/a.txt", "/../root-sibling/canary.txt",
                   "/%2e%2e/root-sibling/canary.txt", "-sibling/canary.txt", "/-sibling/canary.txt",
                   "/../root-sibling", "/.%2e/canary.txt?", "/a.txt/../../canary.txt",
                   "/a.txt%00/../canary.txt", "/" + "folder/deep/../../" * 100 + "../canary.txt",
                   "/" + "./" * 300 + "../canary.txt", "/" + "a/" * 300 + "../" * 301
                   + "canary.txt", "/proc/self/root" + absolute, "/proc/self/cwd/../canary.txt",
                   "/dev/fd/3/../canary.txt", "/dev/fd/3", "/proc/self/environ", "/etc/passwd",
                   "//etc/passwd", "/./etc/passwd", "/.../.../etc/passwd"):
        yield target


def link_targets():
    for name in ("file", "absolute", "chain1", "chain2", "passwd", "deep", "back", "mixed",
                 "through"):
        yield "/bad/" + name
        yield "/good/here/../bad/" + name
    for name in ("parent", "folder", "absolute-folder", "slash", "proc-root", "proc-cwd", "sibling",
                 "etc", "dev"):
        for rest in ("", "/", "/canary.txt", "/passwd", "/etc/passwd", "/root/a.txt",
                     "/outside/canary.txt", "/../canary.txt", BASE + "/canary.txt", "/null"):
            yield "/bad/" + name + rest


@test(limit=90)
def no_spelling_escapes_with_a_chroot():
    need_root()
    targets = list(spellings())
    check(len(targets) > 10000, "only %d spellings" % len(targets))
    ask_many(as_root, targets if SLOWDOWN == 1 else targets[::7])


@test(limit=90)
def no_spelling_escapes_as_an_ordinary_user():
    targets = list(spellings())
    ask_many(as_somebody, targets if SLOWDOWN == 1 else targets[::7])


@test
def no_other_spelling_escapes():
    for server in both():
        for target in other_spellings():
            for version in ("1.1", "1.0"):
                answers = server.exchange(make_request("GET", target, "Connection: close",
                                                       version=version))
                equal(len(answers), 1, "number of answers to " + short(target))
                check_clean(answers[0].head + answers[0].body, short(target))
                within(answers[0].status, (200, 301, 400, 403, 404, 414),
                       "status of " + short(target))


@test
def other_methods_and_headers_do_not_escape():
    for server in both():
        for method, target, field in (("HEAD", "/../canary.txt", "X: y"),
                                      ("POST", "/../canary.txt", "X: y"),
                                      ("GET", "/a.txt", "X-Original-URL: /../canary.txt"),
                                      ("GET", "/a.txt", "X-Rewrite-URL: /../canary.txt"),
                                      ("GET", "/a.txt", "X-Sendfile: " + BASE + "/canary.txt"),
                                      ("GET", "/canary.txt", "Host: .."),
                                      ("GET", "/canary.txt", "Host: ../"),
                                      ("GET", "/a.txt", "Range: bytes=0-1000000"),
                                      ("OPTIONS", "/../canary.txt", "X: y")):
            host = None if field.startswith("Host") else "x"
            for answer in server.exchange(make_request(method, target, field, "Connection: close",
                                                       host=host), [method]):
                check_clean(answer.head + answer.body, "%s %s with %s" % (method, target, field))


@test
def links_inside_the_root_work():
    for server in both():
        for target in ("/good/file", "/good/absolute", "/good/folder/deep/b.txt", "/good/chain",
                       "/good/dots", "/good/here/file", "/good/here/here/here/file",
                       "/folder/up/a.txt", "/folder/up/folder/up/a.txt", "/good/here/"):
            response = server.get(target)
            if target.endswith("/"):
                equal(response.status, 403, "status of " + target)
            else:
                equal((response.status, response.body), (200, INSIDE), "answer to " + target)


@test
def links_that_leave_the_root_are_404():
    for server in both():
        for target in link_targets():
            response = server.get(target)
            check_clean(response.head + response.body, target)
            if server is as_somebody or not target.startswith(("/bad/slash", "/bad/parent",
                                                               "/bad/proc", "/bad/deep")):
                within(response.status, (404,), "status of " + target)
            else:  # in a chroot / and .. are the root itself
                within(response.status, (200, 301, 403, 404), "status of " + target)


@test
def links_to_what_is_outside_look_like_what_is_missing():
    """The answer does not tell whether the target of such a link exists."""
    grow(BASE + "/root", {"tell/exists": Link("../../canary.txt"),
                          "tell/missing": Link("../../no-such-file"),
                          "tell/yyyy": Link("../../outside"),
                          "tell/zzzz": Link("../../no-such-folder")})
    for server in both():
        for first, second in (("/tell/wwww", "/tell/xxxx"), ("/tell/yyyy", "/tell/zzzz")):
            one, two = server.get(first), server.get(second)
            equal((one.status, one.body.replace(first.encode(), b"")),
                  (two.status, two.body.replace(second.encode(), b"")),
                  "answers to %s and %s" % (first, second))


@test
def an_index_that_leads_outside_is_not_followed():
    grow(BASE + "/root", {"lure/index.html": Link("../../canary.txt")})
    for server in both():
        response = server.get("/lure/")
        check_clean(response.body, "an index that is a link")
        within(response.status, (403, 404), "status")


@test
def a_link_that_is_turned_outwards_later_is_noticed():
    path = BASE + "/root/turning"
    for server in both():
        if os.path.lexists(path):
            os.unlink(path)
        os.symlink("folder/deep/b.txt", path)
        server.send_signal(signal.SIGUSR1)
        wait_for(lambda: server.get("/turning").body == INSIDE, 2, "the link inside")
        os.symlink("../canary.txt", path + ".new")
        os.rename(path + ".new", path)

        def noticed():
            response = server.get("/turning")
            check_clean(response.body, "a link that was turned")
            return response.status == 404
        wait_for(noticed, 1.5, "the 404")


@test
def a_hard_link_is_a_file_of_the_root():
    os.link(BASE + "/root/a.txt", BASE + "/root/hard.txt")
    for server in both():
        equal(server.get("/hard.txt").body, INSIDE, "body")


@test
def a_root_that_is_moved_away_is_still_the_root():
    base = make_world()
    for as_user in ((False, True) if AM_ROOT else (True,)):
        with Server(base + "/root", as_user=as_user) as server:
            equal(server.get("/a.txt").body, INSIDE, "body before")
            os.rename(base + "/root", base + "/moved")
            try:
                for target in ("/../canary.txt", "/bad/file", "/bad/parent/canary.txt"):
                    check_clean(server.get(target).body, target)
                within(server.get("/a.txt").status, (200, 404), "status")
            finally:
                os.rename(base + "/moved", base + "/root")


def swap(base, server_pid):
    """In a process of its own: exchange the folder `door` with a link to the outside, quickly."""
    door, folder, link = base + "/root/door", base + "/root/.folder", base + "/root/.link"
    entry, inner = base + "/root/entry", base + "/root/.entry"
    os.makedirs(door)
    os.symlink("../outside", link)
    os.symlink("a.txt", entry)
    for number in range(200):
        for where in (door, base + "/outside"):
            with open("%s/%d" % (where, number), "wb") as file:
                file.write(CANARY if where != door else INSIDE)
    child = os.fork()
    if child:
        return child
    try:
        turn = 0
        while os.getppid() != 1:
            turn += 1
            os.rename(door, folder)
            os.rename(link, door)
            os.symlink("../canary.txt", inner)
            os.rename(inner, entry)
            if turn % 5 == 0:
                os.kill(server_pid, signal.SIGUSR1)  # or the cache would answer most of the time
            os.rename(door, link)
            os.rename(folder, door)
            os.symlink("a.txt", inner)
            os.rename(inner, entry)
    finally:
        os._exit(0)


def race(as_user):
    total = 100000 if SLOWDOWN == 1 else 10000
    base = make_world()
    counts = {}
    with Server(base + "/root", as_user=as_user) as server:
        swapper = swap(base, server.pid)
        try:
            targets = ["/door/%d" % number for number in range(200)] + ["/entry", "/door/../door/7",
                                                                        "/entry?x"] * 10
            requests = [make_request("GET", target) for target in targets]
            status_line = re.compile(rb"HTTP/1\.1 (\d\d\d) ")
            asked = 0

            def raced():
                """Both sides were seen often enough: the requests met the swaps."""
                return min(counts.get(b"200", 0), counts.get(b"404", 0)) > total // 200

            with server.connect(timeout=20) as connection:
                # A machine with other work may not let the swapper run for a while.
                while asked < total or (not raced() and asked < 10 * total):
                    batch = [requests[(asked + index) % len(requests)] for index in range(100)]
                    connection.send(b"".join(batch))
                    data, answered = b"", 0
                    while answered < 100 or not data.endswith(b"\n"):
                        more = connection.socket.recv(262144)
                        check(more, "the server closed the connection after: " + short(data[-200:]))
                        data += more
                        if data.endswith(b"\n"):
                            answered = len(status_line.findall(data))
                    check_clean(data, "a race after %d requests" % asked)
                    for status in status_line.findall(data):
                        counts[status] = counts.get(status, 0) + 1
                    asked += 100
        finally:
            os.kill(swapper, signal.SIGKILL)
            os.waitpid(swapper, 0)
    check(raced(), "the race was none: %s" % counts)
    check(not set(counts) - {b"200", b"404", b"301", b"403"}, "unexpected statuses: %s" % counts)


@test(limit=90)
def no_race_escapes_with_a_chroot():
    need_root()
    race(False)


@test(limit=90)
def no_race_escapes_as_an_ordinary_user():
    race(True)


@test
def the_worker_cannot_open_what_is_outside():
    """With a chroot the outside does not even exist for the worker."""
    need_root()
    equal(as_root.get("/a.txt").status, 200, "status")
    for pid in as_root.worker_pids():
        equal(os.readlink("/proc/%d/root" % pid), BASE + "/root", "root of the worker")
        check(time.time() > 0 and not os.path.exists("/proc/%d/root/canary.txt" % pid),
              "the canary can be seen")


if __name__ == "__main__":
    main()
