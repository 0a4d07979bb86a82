#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A third party's module: built outside the tree, from what `make install` installs and nothing
else, with the commands of doc/writing-a-module.md; loaded, and seen writing."""
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "behaviour"))

from harness import *  # noqa: E402

BUILD = os.environ.get("builddir") or os.getcwd()
CC = os.environ.get("CC") or "cc"
CXX = os.environ.get("CXX") or "c++"
MAKE = os.environ.get("MAKE") or "make"
PKG_CONFIG = os.environ.get("PKG_CONFIG") or "pkg-config"
TEXT = os.path.join(HERE, "..", "..", "doc", "writing-a-module.md")
SOURCE = os.path.join(HERE, "log_brief")
CONTENT = {"a.txt": b"alpha\n"}
LINE = re.compile(r"^(\d{3}) (\d+) (\S+)$")


def command(line, folder, env=None, status=0):
    """Run a line of shell; returns what it printed. Its words for tools are those of the build."""
    done = subprocess.run(["sh", "-ec", line], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = done.stdout.decode("utf-8", "replace")
    equal(done.returncode, status, "status of `%s`, which printed\n%s\nthat" % (line, text))
    return text


class Installed:
    """What is below DESTDIR after `make install`, made with the first use."""

    def __init__(self):
        self._root = None

    @property
    def root(self):
        if self._root is None:
            root = scratch()
            plain = {name: value for name, value in os.environ.items()
                     if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
            command("%s install DESTDIR=%s" % (MAKE, shlex.quote(root)), BUILD, plain)
            self._root = root
        return self._root

    def find(self, end):
        """The one path below it that ends so."""
        found = [os.path.join(folder, name) for folder, folders, files in os.walk(self.root)
                 for name in folders + files if os.path.join(folder, name).endswith("/" + end)]
        equal(len(found), 1, "number of %s in %s" % (end, self.root))
        return found[0]

    @property
    def include(self):
        return os.path.dirname(self.find("include/lophttpd"))

    @property
    def modules(self):
        return os.path.dirname(self.find("lophttpd/log_file.so"))

    def environment(self):
        """As somebody has it whose server is installed where this one is only staged."""
        tools = scratch()
        for name, value in (("cc", CC), ("pkg-config", PKG_CONFIG), ("make", MAKE)):
            with open(os.path.join(tools, name), "w", encoding="ascii") as script:
                script.write("#!/bin/sh\nexec env PATH=%s %s \"$@\"\n"
                             % (shlex.quote(os.environ["PATH"]), value))
            os.chmod(script.name, 0o755)
        return {**environment(), "PATH": tools + ":" + os.environ["PATH"],
                "PKG_CONFIG_PATH": os.path.dirname(self.find("lophttpd.pc")),
                "PKG_CONFIG_SYSROOT_DIR": self.root,
                "ACLOCAL_PATH": os.path.dirname(self.find("lophttpd.m4"))}


installed = Installed()


def need_pkg_config():
    need_tool(shlex.split(PKG_CONFIG)[0])


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def text_command(start):
    """The one line of the text's shell examples that begins so, continued lines joined."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", text_of(TEXT), re.M | re.S)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    found = [line for line in lines if line.startswith(start)]
    check(found, "the text has no command that begins with " + start)
    return found[0]


def module_folder(*names):
    """A new folder with these files of the module's source."""
    folder = os.path.join(scratch(), "log_brief")
    os.mkdir(folder)
    for name in names:
        shutil.copy(os.path.join(SOURCE, name), folder)
    return folder


def built():
    """Path of the module, built by the plain command."""
    need_pkg_config()
    folder = module_folder("log_brief.c")
    said = command(text_command("cc "), folder, installed.environment())
    equal(said, "", "what the compiler said")
    return os.path.join(folder, "log_brief.so")


def future(major, minor):
    """Path of a module that was built for this ABI."""
    folder = scratch()
    path = os.path.join(folder, "log_future.so")
    command("%s -shared -fPIC -DFUTURE_MAJOR=%d -DFUTURE_MINOR=%d -I%s -o %s %s/log_future.c"
            % (CC, major, minor, installed.include, path, os.path.join(HERE, "log_future")), folder)
    return path


def abi():
    text = text_of(os.path.join(installed.include, "lophttpd", "module.h"))
    return [int(re.search(r"#define LOP_ABI_%s\s+(\d+)" % word, text)[1])
            for word in ("MAJOR", "MINOR")]


def serve(*options, **arguments):
    """The installed program, as it was installed, with its own modules."""
    return Server(CONTENT, *options, quiet=False, program=installed.find("sbin/lhttpd"),
                  env={"LOPHTTPD_MODULE_PATH": arguments.pop("modules", installed.modules)},
                  **arguments)


def run_installed(*options):
    done = subprocess.run([installed.find("sbin/lhttpd"), *options], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/",
                          env=environment(LOPHTTPD_MODULE_PATH=installed.modules),
                          timeout=patience(10))
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def log_path():
    folder = scratch()
    if AM_ROOT:
        os.chown(folder, run_uid(), -1)
    return folder + "/brief"


def written(path):
    try:
        return text_of(path).splitlines()
    except FileNotFoundError:
        return []


@test(limit=120)
def each_public_header_compiles_alone_as_c11():
    folder = scratch()
    for name in sorted(os.listdir(os.path.join(installed.include, "lophttpd"))):
        said = command("printf '#include <lophttpd/%s>\\n' >alone.c && %s -std=c11 -pedantic -Wall "
                       "-Wextra -Werror -I%s -fsyntax-only alone.c"
                       % (name, CC, shlex.quote(installed.include)), folder)
        equal(said, "", "what the compiler said of " + name)


@test(limit=120)
def each_public_header_compiles_alone_as_cpp17():
    need_tool(shlex.split(CXX)[0])
    folder = scratch()
    for name in sorted(os.listdir(os.path.join(installed.include, "lophttpd"))):
        said = command("printf '#include <lophttpd/%s>\\n' >alone.cc && %s -std=c++17 -pedantic "
                       "-Wall -Wextra -Werror -I%s -fsyntax-only alone.cc"
                       % (name, CXX, shlex.quote(installed.include)), folder)
        equal(said, "", "what the compiler said of " + name)


@test
def log_h_is_the_only_header_that_a_log_provider_needs():
    source = text_of(os.path.join(SOURCE, "log_brief.c"))
    equal(re.findall(r"<lophttpd/(.*)>", source), ["log.h"], "public headers")


@test
def the_text_shows_the_module_as_it_is():
    text = text_of(TEXT)
    for name in ("log_brief.c", "configure.ac", "Makefile.am"):
        source = text_of(os.path.join(SOURCE, name))
        check(source in text, "%s is not in %s word by word" % (name, TEXT))


@test(limit=60)
def the_plain_command_builds_a_module_that_is_loaded_by_its_path():
    path = log_path()
    with serve("-M", built(), "-o", path) as server:
        equal(server.get("/a.txt").status, 200, "status")
        equal(server.get("/no\u00e9\n".encode("utf-8").strip()).status, 404, "status")
        lines = wait_for(lambda: len(written(path)) == 2 and written(path), 6, "two lines")
        for line, status, target in zip(lines, ("200", "404"), ("/a.txt", "/no??")):
            match = LINE.match(line)
            check(match, "not a line of log_brief: " + line)
            equal((match[1], match[3]), (status, target), "status and target")


@test(limit=60)
def the_text_runs_it_as_it_says():
    folder = os.path.dirname(built())
    options = shlex.split(text_command("lhttpd ").replace("$PWD", folder))[1:]
    options[options.index("-p") + 1] = "0"
    with serve(*options, pass_root=False, port=None, workers=None, cwd=folder) as server:
        equal(server.get("/log_brief.c").status, 200, "status")
        path = os.path.normpath(os.path.join(folder, options[options.index("-o") + 1]))
        lines = wait_for(lambda: written(path), 6, "a line in " + path)
        check(re.fullmatch(r"200 \d+ /log_brief\.c", lines[0]), "the line is " + lines[0])


@test(limit=60)
def it_is_found_by_its_name_as_a_provider():
    modules = scratch()
    shutil.copy(built(), modules)
    path = log_path()
    with serve("-L", "brief", "-o", path, modules=modules) as server:
        server.get("/a.txt")
        wait_for(lambda: written(path), 6, "a line")
    with serve("-M", modules + "/log_brief.so", "-L", "brief", "-o", path) as server:
        server.get("/a.txt")
        wait_for(lambda: len(written(path)) == 2, 6, "a line")


@test(limit=60)
def it_goes_on_in_a_new_file_after_hup():
    path = log_path()
    with serve("-M", built(), "-o", path) as server:
        server.get("/a.txt?1")
        os.rename(path, path + ".old")
        server.get("/a.txt?2")
        server.send_signal(signal.SIGHUP)
        wait_for(lambda: os.path.exists(path), 6, "the new file")
        wait_for(lambda: len(written(path + ".old")) == 2, 6, "both lines in the old file")
        server.get("/a.txt?3")
        wait_for(lambda: written(path), 6, "a line in the new file")
    check(written(path)[0].endswith("/a.txt?3"), "the wrong line: %s" % written(path))


@test(limit=120)
def its_own_configure_builds_and_installs_it():
    need_pkg_config()
    for tool in ("autoreconf", "automake"):
        need_tool(tool)
    folder = module_folder("log_brief.c", "configure.ac", "Makefile.am")
    stage = scratch()
    env = {**installed.environment(), "DESTDIR": stage}
    for start in ("autoreconf", "./configure", "make", "make install"):
        command(text_command(start), folder, env)
    found = [os.path.join(place, name) for place, _, names in os.walk(stage) for name in names]
    equal([os.path.basename(name) for name in found], ["log_brief.so"], "installed files")
    check(found[0].endswith("/lophttpd/log_brief.so"), "not in the module folder: " + found[0])
    path = log_path()
    with serve("-M", found[0], "-o", path) as server:
        server.get("/a.txt")
        wait_for(lambda: written(path), 6, "a line")


@test(limit=60)
def a_module_of_another_abi_is_refused_with_both_versions():
    major, minor = abi()
    for other in ((major + 1, 0), (major - 1, 7), (major, minor + 1)):
        path = future(*other)
        status, output, errors = run_installed("-R", tree(CONTENT), "-p", "0", "-M", path)
        equal(status, 1, "exit status")
        check("%d.%d" % other in errors and "%d.%d" % (major, minor) in errors and path in errors,
              "the message lacks a version or the file: " + errors)
        equal((output, errors.count("\n")), ("", 1), "output, and number of lines")


@test(limit=60)
def a_function_that_the_server_lacks_is_found_out_at_start():
    folder = scratch()
    path = os.path.join(folder, "lacking.so")
    with open(folder + "/lacking.c", "w", encoding="ascii") as file:
        file.write("""#include <lophttpd/module.h>
int lop_no_such_function(void);
static int stage(void *state, enum lop_stage now, struct lop_worker *worker)
{ (void)state; (void)worker; return now == LOP_STAGE_EXIT ? lop_no_such_function() : 0; }
LOP_EXPORT_MODULE = { LOP_MODULE_HEADER("lacking", "1", "x", 0), .stage = stage };
""")
    command("%s -shared -fPIC -I%s -o lacking.so lacking.c" % (CC, installed.include), folder)
    status, _, errors = run_installed("-R", tree(CONTENT), "-p", "0", "-M", path)
    equal(status, 1, "exit status")
    check("lop_no_such_function" in errors and path in errors, "message: " + errors)


@test(limit=60)
def list_modules_describes_what_is_not_loaded_too():
    modules = scratch()
    major, minor = abi()
    for path in (built(), future(major + 1, 0), os.path.join(installed.modules, "log_file.so")):
        shutil.copy(path, modules)
    with open(modules + "/notes.so", "w", encoding="ascii") as file:
        file.write("no module\n")
    with open(modules + "/README", "w", encoding="ascii") as file:
        file.write("no module\n")
    done = subprocess.run([installed.find("sbin/lhttpd"), "--list-modules"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=patience(10),
                          env=environment(LOPHTTPD_MODULE_PATH=modules))
    text = done.stdout.decode()
    equal(done.returncode, 0, "exit status")
    check(re.search(r"^log_brief +1\.0 .*status, time and target only \(needs log-write\)$", text,
                    re.M), "log_brief is not described:\n" + text)
    check(re.search(r"^log_file .* loaded ", text, re.M), "log_file is not loaded:\n" + text)
    check(re.search(r"^log_future +refused: .*%d\.0.*%d\.%d" % (major + 1, major, minor), text,
                    re.M), "log_future is not refused:\n" + text)
    check(re.search(r"^notes +refused: ", text, re.M), "notes.so is not refused:\n" + text)
    check("README" not in text, "README is listed:\n" + text)


@test(limit=60)
def as_root_a_module_that_others_can_write_is_refused():
    need_root()
    path = built()
    os.chmod(path, 0o777)
    status, _, errors = run_installed("-R", tree(CONTENT), "-p", "0", "-M", path)
    equal(status, 1, "exit status")
    check(path in errors and "0777" in errors, "message: " + errors)
    os.chmod(path, 0o755)
    os.chmod(os.path.dirname(path), 0o777)
    status, _, errors = run_installed("-R", tree(CONTENT), "-p", "0", "-M", path)
    equal(status, 1, "exit status")
    check(os.path.dirname(path) + " can be written" in errors, "message: " + errors)


@test(limit=60)
def the_skeleton_works():
    path = os.path.join(BUILD, "modules", ".libs", "skeleton.so")
    if not os.path.exists(path):
        skip("no %s: it is not built with libtool" % path)
    path = shutil.copy(path, scratch())
    with serve("-q", "-M", path, "--skeleton-greeting", "good day") as server:
        equal(server.get("/a.txt").get("X-Skeleton"), "good day", "the field")
        equal(server.get("/missing").get("X-Skeleton"), "good day", "the field of a 404")
    status, output, _ = run_installed("-q", "-R", tree(CONTENT), "-M", path, "--list-hooks")
    equal(status, 0, "exit status")
    check(re.search(r"^RESPONSE +100 +add greeting +skeleton$", output, re.M), output)
    status, output, _ = run_installed("-q", "-M", path, "--help")
    check("--skeleton-greeting" in output, output)


if __name__ == "__main__":
    main()
