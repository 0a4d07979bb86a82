#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`frontend FILE`: the same program by another name, configured by directives."""
import os

from backend import *
from harness import *

backend, other = Backend(), Backend()


def program():
    """`frontend` as it is installed: another name of the server."""
    beside = os.path.join(os.path.dirname(LHTTPD), "frontend")
    if os.path.exists(beside):
        return beside
    path = scratch() + "/frontend"
    os.symlink(LHTTPD, path)
    return path


def written(text):
    path = scratch() + "/frontend.conf"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


class Frontend(Server):
    """Started with its file alone."""

    def __init__(self, text, as_user=False, listeners=1):
        super().__init__({}, as_user=as_user, listeners=listeners, program=program())
        self.file = written(text)

    def command(self):
        return [self.program, self.file]


USER = "user %s\n" % RUN_USER if AM_ROOT else ""
BASE = "host 127.0.0.1\nport 0\nlogfile -\n" + USER


@test
def its_file_is_all_that_it_needs():
    for as_user in (False, True):
        text = BASE if not as_user else BASE.replace(USER, "")
        with Frontend(text + "map / %s/\n" % backend.url, as_user=as_user) as site:
            equal(site.get("/x?y").body, b"hello\n", "body")
        equal(backend.only().target, "/x?y", "target")


@test
def both_spellings_of_a_url_are_read():
    for spelling in ("http://127.0.0.1:%d/app/", "http://127.0.0.1#%d/app/"):
        with Frontend(BASE + "map /foo %s\n" % (spelling % backend.port)) as site:
            site.get("/foo/x")
        equal(backend.only().target, "/app/x", "target of " + spelling)


@test
def several_maps_of_a_path_share_its_load():
    with Frontend(BASE + "map / %s/\nmap / %s\n" % (backend.url, other.url)) as site:
        for _ in range(6):
            equal(site.get("/x").status, 200, "status")
    equal((len(backend.take()), len(other.take())), (3, 3), "requests")


@test
def location_names_the_outside():
    backend.script = ok(b"", "Location: " + backend.url + "/y", status=302)
    with Frontend(BASE + "map /foo %s/\nlocation https://www.invalid\n" % backend.url) as site:
        equal(site.get("/foo/x").get("Location"), "https://www.invalid/foo/y", "Location")
    backend.script = ok()


@test
def logfile_and_logprovider_are_read():
    folder = scratch()
    os.chmod(folder, 0o777)
    text = ("host 127.0.0.1\nport 0\nlogprovider file\nworkers 1\nlogfile %s/log\n%smap / %s/\n"
            % (folder, USER, backend.url))
    with Frontend(text) as site:
        site.get("/logged")
        wait_for(lambda: any("/logged" in open(folder + "/" + name, encoding="latin-1").read()
                             for name in os.listdir(folder)), 5, "a line in the log")


@test
def chroot_is_where_it_lives():
    need_root()
    folder = scratch()
    with Frontend(BASE + "chroot %s\nmap / %s/\n" % (folder, backend.url)) as site:
        equal(site.get("/x").status, 200, "status")
        for pid in site.worker_pids():
            equal(os.readlink("/proc/%d/root" % pid), folder, "root of a worker")
            equal(int(processes.status(pid)["Uid"].split()[0]), run_uid(), "user of a worker")


@test
def every_long_option_is_a_directive():
    with Frontend(BASE + "map / %s/\nbalance random\nretries 2\nconnect-timeout 2\nworkers 1\n"
                  "health path=/up,interval=5\ntrust 127.0.0.1\n" % backend.url) as site:
        site.request("GET", "/x", "X-Forwarded-For: 192.0.2.1")
    request = [one for one in backend.take() if one.target == "/x"][0]
    check(request.get("X-Forwarded-For").startswith("192.0.2.1"), "trust was not read")


@test
def comments_and_blank_lines_are_skipped():
    with Frontend("# a comment\n\n" + BASE + "  # another\n\nmap /\t%s/   # the rest\n"
                  % backend.url) as site:
        equal(site.get("/x").status, 200, "status")


def refuses(text, *words):
    import subprocess
    done = subprocess.run([program(), "-t", written(text)], capture_output=True, text=True,
                          cwd="/", env=environment(), timeout=patience(10))
    within(done.returncode, (1, 2), "exit status for %r" % text)
    said = done.stderr.strip()
    equal(len(said.splitlines()), 1, "lines: " + said)
    for word in words:
        check(word in said, "%s is not said: %s" % (word, said))


@test
def a_wrong_line_is_explained_with_its_number():
    refuses(BASE + "map / nonsense\n", "map", "frontend.conf")
    refuses(BASE + "colour red\n", "colour", "frontend.conf")
    refuses(BASE + "map\n", "map", "frontend.conf")
    refuses(BASE + "port x\nmap / %s/\n" % backend.url, "port")


@test
def without_a_file_it_says_what_it_wants():
    import subprocess
    done = subprocess.run([program()], capture_output=True, text=True, cwd="/",
                          env=environment(), timeout=patience(10), stdin=subprocess.DEVNULL)
    within(done.returncode, (1, 2), "exit status")
    check("FILE" in done.stderr or "file" in done.stderr, "message: " + done.stderr)


if __name__ == "__main__":
    main()
