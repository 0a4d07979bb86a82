#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The command line: help, mistakes and their messages, the config file, missing modules, -d."""
import os
import re
import signal

from harness import *

CONTENT = {"a.txt": b"alpha\n", "index.html": b"index\n"}
LONG_NAMES = """root port listen user workers max-connections module log log-file quiet
keep-on-error daemon pid-file config test help version list-modules list-hooks header-timeout
keepalive-timeout body-timeout min-body-rate send-timeout min-send-rate max-header-size max-target-size
max-headers max-body-size drain-timeout log-format""".split()
SHORT_NAMES = "R p l 6 u n N M L o q E d c t h V".split()
ROOT = tree(CONTENT)


def config(text):
    """A config file with this text; returns its path."""
    path = scratch() + "/lhttpd.conf"
    with open(path, "w") as file:
        file.write(text)
    return path


def wrong(*arguments, names=(), statuses=(2,), **options):
    """The start ends with one line on standard error that contains all of `names`."""
    status, output, errors = run(*arguments, **options)
    line = "lhttpd " + " ".join(arguments)
    within(status, statuses, "exit status of %s (%s)" % (line, errors.strip()))
    equal(errors.count("\n"), 1, "lines of the message of %s: %s; number" % (line, errors))
    check(errors.startswith("lhttpd: "), "the message does not start with the program's name: "
          + errors)
    for name in names:
        check(name in errors, "the message of '%s' does not name '%s': %s" % (line, name, errors))
    equal(output, "", "standard output of " + line)


@test
def help_lists_every_option():
    for flag in ("--help", "-h"):
        status, output, errors = run(flag)
        equal((status, errors), (0, ""), "status and standard error of " + flag)
        for name in LONG_NAMES:
            check(re.search(r"--%s\b" % name, output), "--%s is not in the help" % name)
        for name in SHORT_NAMES:
            check(re.search(r"(?m)(^|[\s,])-%s\b" % name, output), "-%s is not in the help" % name)
        check(max(map(len, output.splitlines())) <= 100, "lines longer than 100 characters")


@test
def version_is_printed():
    for flag in ("--version", "-V"):
        status, output, errors = run(flag)
        equal((status, errors), (0, ""), "status and standard error of " + flag)
        check(re.match(r"(lhttpd|lophttpd) \d+\.\d+", output), "output: " + output)


@test
def modules_and_hooks_are_listed():
    for flag in ("--list-modules", "--list-hooks"):
        status, output, errors = run(flag)
        equal((status, errors), (0, ""), "status and standard error of " + flag)
        check(output.strip(), "nothing is listed by " + flag)
    check("log_file" in run("--list-modules")[1], "log_file is not listed")


@test
def unknown_options_are_explained():
    wrong("--no-such-option", names=["no-such-option"])
    wrong("-Z", names=["Z"])
    wrong("-R", ROOT, "--bogus=1", names=["bogus"])
    wrong("-qZ", names=["Z"])


@test
def missing_arguments_are_explained():
    for flag, name in (("-R", "R"), ("--root", "root"), ("-p", "p"), ("--workers", "workers"),
                       ("-M", "M"), ("-c", "c")):
        wrong(flag, names=[name])


@test
def superfluous_arguments_are_explained():
    wrong("-R", ROOT, "-p", "0", "surplus", names=["surplus"])
    wrong("--quiet=yes", "surplus", statuses=(2,))


@test
def numbers_out_of_range_are_explained():
    for flag, values in (("-p", ("65536", "-1", "abc", "", "80x", "99999999999999999999", "0x50",
                                 "8 0")),
                         ("-n", ("-1", "abc", "", "1.5", "99999999999999999999")),
                         ("-N", ("0", "-5", "abc", "99999999999999999999")),
                         ("--max-headers", ("0", "-1", "x")),
                         ("--max-header-size", ("-1", "x", "")), ("--max-target-size", ("-1", "x")),
                         ("--max-body-size", ("-1", "x")),
                         ("--header-timeout", ("-1", "x", "", "1s2", "nan", "inf", "1e400")),
                         ("--drain-timeout", ("-1", "x")), ("--min-send-rate", ("-1", "x"))):
        for value in values:
            wrong("-R", ROOT, "-p", "0", "-q", flag, value, names=[flag.lstrip("-")])


@test
def addresses_that_are_none_are_explained():
    for value in ("nonsense!", "300.1.1.1", "[::1", "::1]:80", "127.0.0.1:99999", "127.0.0.1:x",
                  "unix:", ""):
        wrong("-R", ROOT, "-p", "0", "-q", "-n", "1", "-l", value, names=[value], statuses=(1, 2))


@test
def a_root_that_is_missing_is_explained():
    wrong("-R", ROOT + "/missing", "-p", "0", "-q", "-n", "1", names=[ROOT + "/missing"],
          statuses=(1,))
    wrong("-R", ROOT + "/a.txt", "-p", "0", "-q", "-n", "1", names=[ROOT + "/a.txt"], statuses=(1,))


@test
def a_root_that_cannot_be_read_is_explained():
    path = tree(CONTENT)
    os.chmod(path, 0)
    try:
        wrong("-R", path, "-l", "127.0.0.1:0", "-q", "-n", "1", names=[path], statuses=(1,),
              as_user=True, timeout=3)
    finally:
        os.chmod(path, 0o755)


@test
def a_port_in_use_is_explained():
    with Server(CONTENT) as server:
        port = str(server.port_number)
        for workers in ("1", "2"):
            wrong("-R", ROOT, "-l", "127.0.0.1", "-p", port, "-n", workers, "-q", names=[port],
                  statuses=(1,))
        equal(server.get("/a.txt").status, 200, "status of the first server")


@test
def an_address_that_is_not_ours_is_explained():
    wrong("-R", ROOT, "-l", "192.0.2.77", "-p", "0", "-n", "1", "-q", names=["192.0.2.77"],
          statuses=(1,))


@test
def log_formats_that_are_none_are_explained():
    wrong("-R", ROOT, "-p", "0", "-n", "1", "-o", scratch() + "/access", "--log-format",
          "$nonsense", names=["nonsense"], statuses=(1, 2))


@test
def a_missing_module_is_named():
    wrong("-R", ROOT, "-p", "0", "-n", "1", "-q", "-M", "no_such_module", names=["no_such_module"],
          statuses=(1, 2))
    wrong("-R", ROOT, "-p", "0", "-n", "1", "-q", "-M", "/no/such/module.so",
          names=["/no/such/module.so"], statuses=(1, 2))


@test
def what_is_no_module_is_refused():
    path = scratch() + "/bad.so"
    with open(path, "wb") as file:
        file.write(b"this is no shared object")
    wrong("-R", ROOT, "-p", "0", "-n", "1", "-q", "-M", path, names=[path], statuses=(1, 2))


@test
def a_short_flag_names_the_module_that_it_wants():
    empty = environment(LOPHTTPD_MODULE_PATH=scratch())
    for flags, module in ((["-i"], "autoindex"), (["-B", "/icons/"], "autoindex"),
                          (["-H"], "vhost"), (["-U", "/tmp"], "upload"), (["-r"], "upload"),
                          (["-Q"], "upload"), (["-C", "cert.pem"], "tls"),
                          (["-K", "key.pem"], "tls"), (["-L", "mmap"], "log_mmap")):
        wrong("-R", ROOT, "-p", "0", "-n", "1", *flags,
              names=[module, "-M"] if flags[0] != "-L" else [module], statuses=(1, 2), env=empty)


@test
def a_module_that_others_can_write_is_refused_by_root():
    need_root()
    folder = os.environ.get("LOPHTTPD_MODULE_PATH", "")
    source = next((os.path.join(where, "log_file.so") for part in folder.split(":")
                   for where in (part, part + "/.libs")
                   if os.path.exists(os.path.join(where, "log_file.so"))), None)
    if not source:
        skip("log_file.so is not in LOPHTTPD_MODULE_PATH")
    path = scratch() + "/log_copy.so"
    with open(source, "rb") as original, open(path, "wb") as copy:
        copy.write(original.read())
    os.chmod(path, 0o666)
    wrong("-R", ROOT, "-p", "0", "-n", "1", "-q", "-M", path, names=[path], statuses=(1, 2))
    os.chmod(path, 0o644)
    os.chmod(os.path.dirname(path), 0o777)
    wrong("-R", ROOT, "-p", "0", "-n", "1", "-q", "-M", path, names=[os.path.dirname(path)],
          statuses=(1, 2))


@test
def test_checks_and_ends():
    for arguments in (["-R", ROOT, "-p", "0", "-q", "-t"],
                      ["-c", config("root %s\nport 0\nquiet\n" % ROOT), "--test"]):
        status, _, errors = run(*arguments)
        equal(status, 0, "exit status of %s: %s" % (arguments, errors))
        check("listening on" not in errors, "-t listens")
    wrong("-t", "-R", ROOT, "-p", "x", statuses=(2,))
    wrong("-t", "-c", config("bogus 1\n"), names=["bogus"], statuses=(1, 2))


@test
def a_config_file_has_the_long_names():
    path = config("# a comment\n\n  # another\nroot %s\nport 0\nlisten 127.0.0.1\n"
                  "workers 1\nquiet\nmax-headers 10\n"
                  "header-timeout 5.5\n\tkeep-on-error\n%s"
                  % (ROOT, "user %s\n" % RUN_USER if AM_ROOT else ""))
    server = Server(ROOT, "-c", path, workers=None, port=None, pass_root=False, quiet=False)
    server.command = lambda: [LHTTPD, "-c", path]
    with server:
        equal(server.get("/a.txt").body, b"alpha\n", "body")
        equal(len(processes.in_session(server.pid)), 1, "number of processes")
        equal(server.get("/a.txt", *["X: y"] * 20).status, 431, "status with 20 fields")


@test
def the_logs_options_are_known_though_nothing_is_logged():
    path = config("root %s\nlog-buffer 128\n" % ROOT)
    status, _, errors = run("-t", "-q", "-c", path)
    equal(status, 0, "status (%s)" % errors)


@test
def a_config_file_may_end_without_a_newline_and_have_crlf():
    for text in ("root %s\nport 0\nquiet\nworkers 1",
                 "root %s\r\nport 0\r\nquiet\r\nworkers 1\r\n"):
        status, _, errors = run("-t", "-c", config(text % ROOT))
        equal(status, 0, "exit status (%s)" % errors)


@test
def an_error_in_a_config_file_has_its_line_number():
    for text, number, name in (("root %s\nbogus 1\n" % ROOT, 2, "bogus"),
                               ("# x\n\nport abc\n", 3, "port"),
                               ("workers\n", 1, "workers"),
                               ("root %s\nquiet perhaps\n" % ROOT, 2, "quiet"),
                               ("\n" * 50 + "header-timeout x\n", 51, "header-timeout"),
                               ("R %s\n" % ROOT, 1, ""), ("-p 80\n", 1, ""),
                               ("port 80 81\n", 1, "")):
        path = config(text)
        wrong("-c", path, names=["%s:%d" % (path, number), name], statuses=(1, 2))


@test
def a_config_file_that_is_missing_is_named():
    wrong("-c", ROOT + "/missing.conf", names=[ROOT + "/missing.conf"], statuses=(1, 2))
    wrong("-c", ROOT, names=[ROOT], statuses=(1, 2))


@test
def a_config_file_of_garbage_is_refused_politely():
    path = scratch() + "/garbage"
    for content in (b"\x00\x01\x02\n", b"\xff" * 5000 + b"\n", b"x" * 100000,
                    bytes(4096)):
        with open(path, "wb") as file:
            file.write(content)
        wrong("-c", path, names=[path + ":1"], statuses=(1, 2))


@test
def long_options_take_their_value_either_way():
    for words in (["--root", ROOT, "--port", "0", "--workers", "1"],
                  ["--root=" + ROOT, "--port=0", "--workers=1"], ["-R" + ROOT, "-p0", "-n1"]):
        status, _, errors = run("-t", "-q", *words)
        equal(status, 0, "exit status of %s: %s" % (words, errors))


@test
def the_default_root_of_an_ordinary_user_is_the_current_folder():
    with Server(ROOT, cwd=ROOT, pass_root=False, as_user=True) as server:
        equal(server.get("/a.txt").body, b"alpha\n", "body")


@test
def the_default_root_of_root_is_the_usual_folder():
    need_root()
    if os.path.exists("/srv/www/htdocs"):
        skip("/srv/www/htdocs exists")
    wrong("-l", "127.0.0.1:0", "-n", "1", "-q", names=["/srv/www/htdocs"], statuses=(1,))


@test
def the_default_port_of_an_ordinary_user_is_8080():
    server = Server(ROOT, "-l", "127.0.0.1", port=None, as_user=True)
    try:
        with server:
            equal(server.port_number, 8080, "port")
    except Failure as problem:           # somebody else has it: the message says so
        check("8080" in str(problem), str(problem))


@test
def a_relative_root_works():
    for as_user in (False, True):
        server = Server(ROOT, cwd=os.path.dirname(ROOT), as_user=as_user, pass_root=False)
        whole = server.command
        server.command = lambda: whole() + ["-R", os.path.basename(ROOT)]
        with server:
            equal(server.get("/a.txt").body, b"alpha\n", "body")


@test
def a_root_that_is_a_symbolic_link_works():
    folder = scratch()
    os.symlink(ROOT, folder + "/current")
    for as_user in (False, True):
        with Server(folder + "/current", as_user=as_user) as server:
            equal(server.get("/a.txt").body, b"alpha\n", "body")


def gone(pid_file):
    """One process in a chroot has no way to its folder: it can only empty the file."""
    return not os.path.exists(pid_file) or os.path.getsize(pid_file) == 0


@test
def daemon_goes_to_the_background():
    folder = scratch()
    if AM_ROOT:
        os.chown(folder, run_uid(), -1)
    for workers in ("1", "2"):
        pid_file = folder + "/pid"
        user = ["-u", RUN_USER] if AM_ROOT else []
        status, output, errors = run("-R", ROOT, "-l", "unix:%s/socket" % folder, "-n", workers,
                                     "-q", "-d", "--pid-file", pid_file, *user)
        equal(status, 0, "exit status (%s)" % errors)
        with open(pid_file) as file:  # it serves when the first process ends
            pid = int(file.read())
        try:
            with Connection(folder + "/socket") as connection:
                equal(connection.get("/a.txt").body, b"alpha\n", "body")
            equal(processes.descriptors(pid).get(0), "/dev/null", "standard input of the daemon")
            check(pid != os.getsid(0) and os.getsid(pid) != os.getsid(0),
                  "it is still in our session")
        finally:
            session = processes.in_session(os.getsid(pid))
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda: not any(processes.alive(other) for other in session), 5,
                     "the end of the daemon")
        wait_for(lambda: gone(pid_file), 2, "the end of the pid file")


@test
def a_daemon_that_cannot_start_says_so_in_the_foreground():
    with Server(CONTENT) as server:
        port = str(server.port_number)
        wrong("-R", ROOT, "-l", "127.0.0.1", "-p", port, "-n", "1", "-q", "-d", names=[port],
              statuses=(1,))
    wrong("-R", ROOT, "-l", "127.0.0.1", "-p", "0", "-n", "1", "-q", "-d", "--pid-file",
          ROOT + "/no/such/pid", names=["no/such/pid"], statuses=(1,))


@test
def a_pid_file_is_written_in_the_foreground_too():
    folder = scratch()
    if AM_ROOT:
        os.chown(folder, run_uid(), -1)
    with Server(CONTENT, "--pid-file", folder + "/pid", workers=2) as server:
        with open(folder + "/pid") as file:
            equal(int(file.read()), server.pid, "pid file")
    equal(os.path.exists(folder + "/pid"), False, "the pid file after the end")


@test
def a_pid_file_that_was_left_behind_is_replaced_but_not_that_of_a_running_server():
    folder = scratch()
    if AM_ROOT:
        os.chown(folder, run_uid(), -1)
    pid_file = folder + "/pid"
    with open(pid_file, "w") as file:
        file.write("4194303\n")
    with Server(CONTENT, "--pid-file", pid_file, workers=2) as server:
        server.get("/a.txt")
        wrong("-R", ROOT, "-l", "127.0.0.1:0", "-n", "1", "-q", "--pid-file", pid_file,
              names=[pid_file], statuses=(1,))
        with open(pid_file) as file:
            equal(int(file.read()), server.pid, "pid file")


if __name__ == "__main__":
    main()
