#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Special files: FIFOs, sockets and character devices are 403 and never block; /proc and /sys are
read to their end; a block device has its real size."""
import errno
import os
import re
import socket
import stat
import subprocess

from harness import *

A = b"alpha\n"
site = Server({"a.txt": A, "index.html": A, "folder": None})


def refused_quickly(server, target):
    """403 for GET, HEAD and a range, though nobody opens the other end, and it stays usable."""
    with server.connect() as connection:
        for method, field in (("GET", "X: y"), ("HEAD", "X: y"), ("GET", "Range: bytes=0-9")):
            response = connection.request(method, target, field)
            equal(response.status, 403, "status of %s %s" % (method, target))


def make_fifo(name):
    path = site.path(name)
    if not os.path.exists(path):
        os.mkfifo(path)
        os.chmod(path, 0o666)
    return path


def make_device(name, kind, major, minor):
    """A device node in the tree; skips where the system forbids it."""
    need_root()
    path = site.path(name)
    try:
        os.mknod(path, kind | 0o666, os.makedev(major, minor))
        os.chmod(path, 0o666)
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError as problem:
        if os.path.exists(path):
            os.unlink(path)
        skip("no device nodes here: " + os.strerror(problem.errno or errno.EPERM))
    return path


@test
def a_fifo_is_403():
    make_fifo("fifo")
    refused_quickly(site, "/fifo")
    equal(site.get("/a.txt").body, A, "body of a file afterwards")


@test
def a_fifo_as_index_is_refused():
    make_fifo("folder/index.html")
    within(site.get("/folder/").status, (403, 404), "status")


@test
def a_fifo_with_a_writer_loses_nothing():
    """A request must not take what another process writes into the FIFO."""
    path = make_fifo("busy")
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        os.write(descriptor, b"for somebody else")
        refused_quickly(site, "/busy")
        equal(os.read(descriptor, 100), b"for somebody else", "what is in the FIFO")
    finally:
        os.close(descriptor)


@test
def a_link_to_a_fifo_is_403():
    make_fifo("fifo")
    if not os.path.islink(site.path("link")):
        os.symlink("fifo", site.path("link"))
    refused_quickly(site, "/link")


@test
def a_socket_is_403():
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(site.path("socket"))
    os.chmod(site.path("socket"), 0o777)
    listener.listen(1)
    try:
        refused_quickly(site, "/socket")
        listener.setblocking(False)
        try:
            listener.accept()
            raise Failure("the server connected to the socket")
        except BlockingIOError:
            pass
    finally:
        listener.close()


@test
def character_devices_are_403():
    make_device("zero", stat.S_IFCHR, 1, 5)
    make_device("tty", stat.S_IFCHR, 5, 0) if os.path.exists("/dev/tty") and os.isatty(0) else None
    refused_quickly(site, "/zero")
    equal(site.get("/a.txt").body, A, "body of a file afterwards")


@test
def the_devices_of_the_system_are_403():
    with Server("/dev", as_user=True) as server:
        for name in ("null", "zero", "urandom", "full"):
            if os.path.exists("/dev/" + name):
                refused_quickly(server, "/" + name)


@test
def all_special_files_at_once_do_not_stop_the_service():
    make_fifo("fifo")
    connections = [site.connect() for _ in range(50)]
    for connection in connections:
        connection.send(make_request("GET", "/fifo") * 3)
    equal(site.get("/a.txt").body, A, "body")
    for connection in connections:
        for _ in range(3):
            equal(connection.read_response().status, 403, "status")
        connection.close()


def readable_text(paths):
    """The first of these files that an ordinary user can read and that has content."""
    for path in paths:
        try:
            if os.stat(path).st_mode & stat.S_IROTH:
                with open(path, "rb") as file:
                    content = file.read()
                if content:
                    return path, content
        except OSError:
            pass
    return None, None


def as_in(path, ask, allowed):
    """The answer has what is in the file; asked anew if that changed meanwhile: frequencies do."""
    for _ in range(20):
        content = readable_text([path])[1]
        response = ask()
        found = (response.status, response.body)
        if found in allowed(content) or content == readable_text([path])[1]:
            break
    within(found, allowed(content), "answer for " + path)
    return response


def synthetic(root, names, options=()):
    """Files whose st_size lies: GET has all, HEAD says the same, the connection stays in step."""
    if not os.path.ismount(root):
        skip(root + " is not mounted")
    with Server(root, *options, as_user=True) as server:
        found = 0
        for name in names:
            path = readable_text([root + name])[0]
            if not path:
                continue
            found += 1
            with server.connect() as connection:
                response = as_in(path, lambda: connection.get(name), lambda text: [(200, text)])
                head = connection.request("HEAD", name)
                equal(head.status, 200, "status of HEAD " + path)
                within(head.get("Content-Length"), (None, str(len(response.body))),
                       "Content-Length of HEAD " + path)
                equal(head.get("Content-Type"), response.get("Content-Type"),
                      "Content-Type of HEAD " + path)
                as_in(path, lambda: connection.get(name), lambda text: [(200, text)])
                as_in(path, lambda: connection.get(name, "Range: bytes=0-3"),
                      lambda text: [(206, text[:4]), (200, text)])
        check(found, "no file of this kind can be read here")


@test
def files_of_proc_are_read_to_their_end():
    synthetic("/proc", ["/version", "/filesystems", "/cpuinfo", "/devices", "/sys/kernel/ostype"])


@test
def a_long_file_of_proc_is_read_to_its_end():
    path = "/proc/kallsyms"
    try:
        with open(path, "rb") as file:
            lines = sum(1 for _ in file)
    except OSError:
        skip("no " + path)
    with Server("/proc", as_user=True) as server:
        response = server.get("/kallsyms")
        equal(response.status, 200, "status")
        count = response.body.count(b"\n")
        check(abs(count - lines) <= lines // 100, "%d lines instead of %d" % (count, lines))


@test
def a_changing_file_of_proc_is_read_anew():
    with Server("/proc", as_user=True) as server, server.connect() as connection:
        def uptime():
            response = connection.get("/uptime")
            equal(response.status, 200, "status")
            check(re.fullmatch(rb"[0-9.]+ [0-9.]+\n", response.body),
                  "content: " + short(response.body))
            return response.body
        first = uptime()
        wait_for(lambda: uptime() != first, 1.5, "another uptime", 0.02)


@test
def files_of_sys_are_read_to_their_end():
    synthetic("/sys", ["/kernel/mm/transparent_hugepage/enabled", "/kernel/profiling",
                       "/kernel/uevent_seqnum", "/power/state", "/devices/system/cpu/online",
                       "/devices/system/cpu/possible", "/class/net/lo/mtu",
                       "/class/net/lo/address"])


@test
def a_connection_with_http_1_0_gets_proc_files_too():
    path, content = readable_text(["/proc/version"])
    if not path:
        skip("no /proc/version")
    with Server("/proc", as_user=True) as server:
        for field in ("Connection: keep-alive", "X: y"):
            [response] = server.exchange(make_request("GET", "/version", field, version="1.0")) \
                if field == "X: y" else [server.request("GET", "/version", field, version="1.0")]
            equal(response.body, content, "content")
            equal(response.get("Transfer-Encoding"), None, "Transfer-Encoding with HTTP/1.0")


@test
def a_file_that_cannot_be_read_though_it_opens_is_an_error():
    """/proc/PID/mem opens for its owner and fails at the first read."""
    with Server("/proc", as_user=True) as server:
        status = server.get("/%d/mem" % server.pid).status
        within(status, (403, 404, 500), "status")
        equal(server.get("/version").status, 200, "status afterwards")


@test
def a_block_device_has_its_real_size_and_ranges():
    need_root()
    losetup = need_tool("losetup")
    content = pattern(3 << 20, 11)
    image = tree({"image": content}) + "/image"
    done = subprocess.run([losetup, "-f", "--show", "-r", image], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    if done.returncode:
        skip("losetup does not work here: " + done.stderr.decode().strip())
    loop = done.stdout.decode().strip()
    try:
        device = os.stat(loop).st_rdev
        path = make_device("disk", stat.S_IFBLK, os.major(device), os.minor(device))
        response = site.request("HEAD", "/disk")
        equal((response.status, response.get("Content-Length")), (200, str(len(content))), "HEAD")
        equal(response.get("Accept-Ranges"), "bytes", "Accept-Ranges")
        response = site.get("/disk")
        check(response.body == content, "the content of the device is wrong")
        for value, first, last in (("0-511", 0, 511), ("1000-1999", 1000, 1999),
                                   ("-100", len(content) - 100, len(content) - 1)):
            response = site.get("/disk", "Range: bytes=" + value)
            equal(response.get("Content-Range"), "bytes %d-%d/%d" % (first, last, len(content)),
                  "Content-Range")
            check(response.body == content[first:last + 1], "the content of %s is wrong" % value)
        equal(site.get("/disk", "Range: bytes=%d-" % len(content)).status, 416,
              "status beyond the end")
        os.chmod(path, 0o600)
        wait_for(lambda: site.get("/disk").status == 403, 2, "403 without the permission")
        os.unlink(path)
        wait_for(lambda: site.get("/disk").status == 404, 2, "404 without the device")
    finally:
        def detached():
            return subprocess.run([losetup, "-d", loop], stderr=subprocess.DEVNULL).returncode == 0
        wait_for(detached, 3, "the end of " + loop)


if __name__ == "__main__":
    main()
