#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The module upload: what is stored, what is refused, and that nothing is ever left behind."""
import base64
import contextlib
import errno
import hashlib
import os
import random
import re
import select
import signal
import socket
import stat
import subprocess
import threading
import time
import urllib.parse

from harness import *
from browser import Browser  # noqa: E402

HAS_DIGESTS = "libcrypto" in subprocess.run(
    ["ldd", os.path.join(os.environ.get("LOPHTTPD_MODULE_PATH", "."), "upload.so")],
    capture_output=True, text=True).stdout


def server(*options, as_user=False, folder="upload", **arguments):
    """A server whose upload folder belongs to its worker's user."""
    root = tree({"a.txt": b"alpha\n", folder: None})
    if AM_ROOT:
        os.chown(os.path.join(root, folder), run_uid(as_user), -1)
    return Server(root, "-U", folder, *options, as_user=as_user, **arguments)


site = server()
replacing = server("--upload-overwrite")


def stored(where, name="", folder="upload"):
    with open(where.path(os.path.join(folder, name)), "rb") as file:
        return file.read()


def names(where, folder="upload"):
    return sorted(os.listdir(os.fsencode(where.path(folder))))


def put(where, target, body, *fields):
    return where.request("PUT", target, "Content-Length: %d" % len(body), *fields, body=b"") \
        if not body else where.request("PUT", target, *fields, body=body)


def field_of(data):
    return "sha-256=:%s:" % base64.b64encode(hashlib.sha256(data).digest()).decode()


def chunked(data, piece=1000):
    parts = [data[at:at + piece] for at in range(0, len(data), piece)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def form(*parts, boundary="xyz"):
    """A body of multipart/form-data; parts are (file name, content)."""
    return b"".join(b'--%s\r\nContent-Disposition: form-data; name="files"; filename="%s"\r\n'
                    b"Content-Type: application/octet-stream\r\n\r\n%s\r\n"
                    % (boundary.encode(), name, content) for name, content in parts) + \
        b"--%s--\r\n" % boundary.encode()


def post(where, body, *fields, boundary="xyz", target="/upload/"):
    return where.request("POST", target, "Content-Type: multipart/form-data; boundary=" + boundary,
                         *fields, body=body)


# --- PUT ------------------------------------------------------------------------------------------


@test
def a_put_is_stored_and_answered_with_its_location():
    data = pattern(100000)
    response = put(site, "/plain.bin", data)
    equal((response.status, response.get("Location")), (201, "/upload/plain.bin"), "answer")
    equal(stored(site, "plain.bin"), data, "what was stored")
    equal(site.get("/upload/plain.bin").body, data, "what is served")


@test
def a_put_below_the_folder_means_the_same():
    equal(put(site, "/upload/below.bin", b"x").status, 201, "status")
    equal(stored(site, "below.bin"), b"x", "what was stored")


@test
def curl_uploads_a_file():
    for as_user in ((False, True) if AM_ROOT else (False,)):
        data = pattern(3000000, seed=7)
        with server(as_user=as_user) as own:
            source = os.path.join(scratch(), "f")
            with open(source, "wb") as file:
                file.write(data)
            said = subprocess.run([need_tool("curl"), "-sS", "-w", "%{http_code}", "--upload-file",
                                   source, own.url], capture_output=True, timeout=patience(20))
            equal(said.stdout, b"/upload/f\n201", "what curl says")
            equal(stored(own, "f"), data, "what was stored")


@test
def a_stored_file_belongs_to_the_worker_and_has_mode_0640():
    put(site, "/mode", b"x")
    found = os.stat(site.path("upload/mode"))
    equal(stat.S_IMODE(found.st_mode), 0o640, "mode")
    equal(found.st_uid, run_uid(), "owner")
    equal(found.st_nlink, 1, "links")


@test
def empty_and_chunked_bodies_are_stored():
    equal(put(site, "/empty", b"").status, 201, "status of an empty one")
    equal(stored(site, "empty"), b"", "what was stored")
    data = pattern(777777)
    with site.connect() as connection:
        connection.send(make_request("PUT", "/chunked", "Transfer-Encoding: chunked") +
                        chunked(data, 7000))
        equal(connection.read_response().status, 201, "status of a chunked one")
        equal(connection.get("/a.txt").body, b"alpha\n", "what follows")
    equal(stored(site, "chunked"), data, "what was stored")


@test
def a_put_without_a_length_is_411():
    equal(site.request("PUT", "/nolength").status, 411, "status")


@test
def the_methods_that_are_allowed_name_put():
    with server("--upload-form") as own:
        for target, more in (("/new", ", PUT"), ("/upload/new", ", PUT"), ("/a.txt", ", PUT"),
                             ("/", ""), ("/upload/x/y", ""), ("/x/y", ""), ("/upload/", ", POST")):
            equal(own.request("OPTIONS", target).get("Allow"), "GET, HEAD, OPTIONS" + more,
                  "Allow for OPTIONS of " + target)
            response = own.request("DELETE", target)
            equal((response.status, response.get("Allow")), (405, "GET, HEAD, OPTIONS" + more),
                  "status and Allow for DELETE of " + target)
    equal(site.request("OPTIONS", "/upload/").get("Allow"), "GET, HEAD, OPTIONS",
          "Allow without a form")


@test
def an_existing_file_is_not_replaced():
    put(site, "/once", b"first")
    equal(put(site, "/once", b"second").status, 409, "status")
    equal(stored(site, "once"), b"first", "what is there")


@test
def a_refusal_comes_before_the_body():
    put(site, "/early", b"first")
    with site.connect() as connection:
        connection.send(make_request("PUT", "/early", "Content-Length: 1000000000",
                                     "Expect: 100-continue"))
        equal(connection.read_response().status, 409, "status")


@test
def of_several_at_once_one_wins():
    answers = []

    def send(number):
        answers.append(put(site, "/race", b"%d" % number * 100000).status)
    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(sorted(answers), [201] + [409] * 7, "answers")
    equal(len(set(stored(site, "race"))), 1, "kinds of bytes in it")


@test
def a_folder_in_the_way_is_a_conflict():
    os.makedirs(replacing.path("upload/folder"))
    equal(put(replacing, "/folder", b"x").status, 409, "status")


@test
def unsafe_names_are_400():
    before = names(site)
    for target in ("/.hidden", "/..%5Cx", "/a%5Cb", "/sub/name", "/upload/sub/name", "/a%2Fb",
                   "/a%00b", "/a%0Ab", "/" + "x" * 256, "/.lophttpd-upload-x", "/../x", "/",
                   "/upload/"):
        equal(put(site, target, b"x").status, 400, "status of PUT " + target)
        # Nor does a large file, one that waits to be asked for, or one of unknown size change it.
        size = "Content-Length: %d" % (1 << 30)
        for fields, body in (((size,), b""), ((size, "Expect: 100-continue"), b""),
                             (("Transfer-Encoding: chunked",), b"%x\r\n" % (1 << 30) + b"x" * 200000)):
            with site.connect() as connection:
                connection.send(make_request("PUT", target, *fields) + body)
                equal(connection.read_response().status, 400, "status of PUT " + target)
    equal(names(site), before, "names in the folder")


@test
def strange_names_are_stored_as_they_are():
    for name in (b"\"<b>&'", b"100%", b"a b", b"\xff\xfe", "ä".encode(), b"x" * 255, b"a?b#c",
                 b"-", b"~", b"a..b"):
        target = "/" + urllib.parse.quote(name, safe="")
        response = put(site, target, name)
        equal(response.status, 201, "status of PUT %r" % name)
        equal(urllib.parse.unquote_to_bytes(response.get("Location")), b"/upload/" + name,
              "Location")
        check(name in names(site), "%r is not there" % name)
        equal(site.get(response.get("Location")).body, name, "what Location leads to")


@test
def a_part_is_not_taken_for_the_whole():
    equal(put(site, "/part", b"x", "Content-Range: bytes 0-0/2").status, 400, "status")
    check(b"part" not in names(site), "it was stored")


@test
def without_the_folder_nothing_is_taken():
    with server(folder="in/box") as own:
        os.rmdir(own.path("in/box"))
        equal(put(own, "/x", b"x").status, 405, "status")
    status, _, errors = run("-R", scratch(), "-M", "upload", "-t")
    equal(status, 1, "exit status without -U")
    check("-U DIR" in errors, "no advice in: " + errors)
    for value in ("..", ".", "", "/", "a/../b", "a//b"):
        equal(run("-R", scratch(), "-U", value, "-t")[0], 2, "exit status of -U " + value)


# --- replacing ------------------------------------------------------------------------------------


@test
def overwriting_replaces_and_is_204():
    equal(put(replacing, "/o", b"first").status, 201, "status of the first")
    response = put(replacing, "/o", b"second")
    equal((response.status, response.body), (204, b""), "answer to the second")
    equal(stored(replacing, "o"), b"second", "what is there")


@test
def a_replacement_is_seen_whole_at_every_moment():
    put(replacing, "/whole", b"0" * 300000)
    stop = threading.Event()
    seen = []

    def look():
        while not stop.is_set():
            data = stored(replacing, "whole")
            seen.append((len(data), len(set(data))))
    thread = threading.Thread(target=look)
    thread.start()
    for number in range(1, 10):
        put(replacing, "/whole", b"%d" % number * 300000)
    stop.set()
    thread.join()
    equal(set(seen), {(300000, 1)}, "lengths and kinds of bytes seen")


@test
def of_several_new_ones_at_once_each_may_replace():
    with replacing.connect() as first, replacing.connect() as second:
        for connection in (first, second):
            connection.send(make_request("PUT", "/both", "Content-Length: 2",
                                         "Expect: 100-continue"))
            go_on = b""
            while not go_on.endswith(b"\r\n\r\n"):
                go_on += connection.socket.recv(1)
            check(b" 100 " in go_on, "it was not asked for")
        for connection, status in ((first, 201), (second, 204)):
            connection.send(b"ab")
            equal(connection.read_response().status, status, "status")
    equal(stored(replacing, "both"), b"ab", "content")


@test
def conditions_are_honoured():
    equal(put(site, "/cond", b"1", "If-None-Match: *").status, 201, "new, If-None-Match: *")
    equal(put(site, "/cond", b"2", "If-None-Match: *").status, 412, "old, If-None-Match: *")
    equal(put(site, "/nothing", b"2", "If-Match: *").status, 412, "new, If-Match: *")
    put(replacing, "/cond", b"1")
    tag = replacing.get("/upload/cond").get("ETag")
    equal(put(replacing, "/cond", b"2", 'If-Match: "other"').status, 412, "a wrong tag")
    equal(put(replacing, "/cond", b"2", "If-Match: " + tag).status, 204, "the right tag")
    equal(put(replacing, "/cond", b"3", "If-Match: " + tag).status, 412, "the tag of before")
    equal(stored(replacing, "cond"), b"2", "what is there")


@test
def of_two_that_replace_the_same_one_is_late():
    put(replacing, "/late", b"1")
    tag = replacing.get("/upload/late").get("ETag")
    with replacing.connect() as slow:
        slow.send(make_request("PUT", "/late", "Content-Length: 4", "If-Match: " + tag) + b"sl")
        equal(put(replacing, "/late", b"quick", "If-Match: " + tag).status, 204, "the quick one")
        slow.send(b"ow")
        equal(slow.read_response().status, 412, "status of the slow one")
    equal(stored(replacing, "late"), b"quick", "what is there")


# --- limits ---------------------------------------------------------------------------------------


@test
def more_than_the_largest_size_is_413():
    with server("--upload-max-size", "1k", "--upload-form") as own:
        equal(put(own, "/fits", b"x" * 1024).status, 201, "what fits")
        equal(put(own, "/large", b"x" * 1025).status, 413, "what does not")
        [response] = own.exchange(make_request("PUT", "/chunked", "Transfer-Encoding: chunked",
                                               "Connection: close") + chunked(b"x" * 5000, 100))
        equal(response.status, 413, "status of chunks")
        equal(post(own, form((b"x", b"x" * 5000))).status, 413, "status of a form")
        equal(names(own), [b"fits"], "names in the folder")


@test
def the_body_may_be_larger_than_the_core_allows_others():
    with server("--max-body-size", "1k") as own:
        equal(put(own, "/large", pattern(100000)).status, 201, "status")


@test
def a_quota_is_kept():
    with server("--upload-quota", "10k", "--upload-form", workers=2) as own:
        equal(put(own, "/one", b"x" * 6000).status, 201, "the first")
        equal(put(own, "/two", b"x" * 6000).status, 507, "the second")
        [response] = own.exchange(make_request("PUT", "/chunked", "Transfer-Encoding: chunked",
                                               "Connection: close") + chunked(b"x" * 6000, 100))
        equal(response.status, 507, "status of chunks")
        equal(post(own, form((b"x", b"x" * 6000))).status, 507, "status of a form")
        equal(names(own), [b"one"], "names in the folder")
        equal(put(own, "/three", b"x" * 4240).status, 201, "what fits in exactly")
        os.unlink(own.path("upload/one"))
        equal(put(own, "/four", b"x" * 6000).status, 201, "what fits when room was made")


@test
def a_quota_of_a_folder_that_cannot_be_added_up_stores_nothing():
    own = server("--upload-quota", "100", "--upload-form", as_user=True)
    os.chmod(own.path("upload"), 0o300)
    try:
        equal(put(own, "/a", b"a" * 60).status, 403, "status of a PUT")
        equal(post(own, form((b"b", b"b" * 60))).status, 403, "status of a form")
    finally:
        os.chmod(own.path("upload"), 0o700)
    equal(names(own), [], "names in the folder")


def announce(connection, target, length):
    """Begins a PUT and waits until the server wants its body."""
    connection.send(make_request("PUT", target, "Content-Length: %d" % length,
                                 "Expect: 100-continue"))
    check(connection.socket.recv(1000).startswith(b"HTTP/1.1 100 "), "no 100 Continue")


@test
def a_quota_counts_what_is_on_its_way():
    with server("--upload-quota", "10k", workers=1) as own, own.connect() as slow:
        announce(slow, "/slow", 6000)
        equal(put(own, "/probe", b"x" * 6000).status, 507, "status while one is on its way")
        slow.send(b"x" * 6000)
        equal(slow.read_response().status, 201, "status of the slow one")
        with own.connect() as gone:
            announce(gone, "/gone", 4000)
            equal(put(own, "/probe", b"x" * 4000).status, 507, "status while one is on its way")
        wait_for(lambda: put(own, "/last", b"x" * 4000).status == 201, 5,
                 "room after a client that vanished")


@contextlib.contextmanager
def small_disk(own, size):
    """A file system of that size for the files of a server that runs."""
    folder = own.path("upload")
    with mounted(folder, "-t", "tmpfs", "-o", "size=%s,uid=%d" % (size, run_uid()), "none"):
        yield folder


def fill(folder):
    """A file in the folder that leaves no room."""
    path = os.path.join(folder, "filler")
    with open(path, "wb", buffering=0) as file:
        for size in (65536, 4096):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                equal(error.errno, errno.ENOSPC, "how the disk fills")
    equal(os.statvfs(folder).f_bfree, 0, "free blocks")
    return path


@test
def a_full_disk_is_507_and_nothing_is_left():
    with server("--upload-form") as own, small_disk(own, "256k") as folder:
        free = os.statvfs(folder).f_bfree
        equal(put(own, "/large", b"x" * 300000).status, 507, "status with a length")
        [response] = own.exchange(make_request("PUT", "/chunked", "Transfer-Encoding: chunked",
                                               "Connection: close") + chunked(b"x" * 300000, 9000))
        equal(response.status, 507, "status of chunks")
        equal(post(own, form((b"x", b"x" * 300000))).status, 507, "status of a form")
        equal(names(own), [], "names in the folder")
        wait_for(lambda: os.statvfs(folder).f_bfree == free, 5, "the blocks to be free again")
        equal(put(own, "/small", b"x" * 1000).status, 201, "status of a small one")


def upload_until_full(own, folder, data, rest):
    """A PUT below which the disk fills when only `rest` bytes are missing; the connection and the answer."""
    free = os.statvfs(folder).f_bfree
    early = len(data) - rest
    connection = own.connect()
    connection.send(make_request("PUT", "/large", "Content-Length: %d" % len(data)) + data[:early])
    wait_for(lambda: free - os.statvfs(folder).f_bfree >= early // 4096, 5,
             "what was sent on the disk")
    filler = fill(folder)
    try:
        connection.send(data[early:])
    except OSError:
        pass  # the answer came before
    response = connection.read_response()
    os.unlink(filler)
    return connection, response


@test
def a_disk_that_fills_up_below_an_upload_is_507():
    """There was room for the whole when it began: it is a splice that meets the end of the disk, and a
    part of its bytes stays in the pipe. 5000 bytes fill a block that was begun, and need another."""
    data = pattern(1 << 20)
    for options in ((), ("-E",)):
        with server(*options) as own, small_disk(own, "2m") as folder:
            free = os.statvfs(folder).f_bfree
            for rest in (1 << 19, 5000):
                connection, response = upload_until_full(own, folder, data, rest)
                equal(response.status, 507, "status")
                equal(names(own), [], "names in the folder")
                wait_for(lambda: os.statvfs(folder).f_bfree == free, 5, "the blocks to be free")
                # The rest of the body is no request; more than a little is not waited for either.
                equal(response.says_close, not options or rest > 65536, "the connection ends")
                if response.says_close:
                    connection.close()
                    connection = own.connect()
                with connection:
                    response = connection.request("PUT", "/next", body=data[:300000])
                    equal(response.status, 201, "status of the next")
                equal(stored(own, "next"), data[:300000], "what that stored")
                os.unlink(os.path.join(folder, "next"))


@test
def an_unwritable_folder_is_told():
    need_root()
    with server() as own:
        os.chmod(own.path("upload"), 0o555)
        os.chown(own.path("upload"), 0, 0)
        equal(put(own, "/x", b"x").status, 403, "status")
        check("chown" in own.errors(), "no advice in: " + own.errors())


# --- nothing stays --------------------------------------------------------------------------------


@test
def a_client_that_vanishes_leaves_nothing():
    with server() as own:
        for sent in (b"", b"x", b"x" * 500000):
            with own.connect() as connection:
                connection.send(make_request("PUT", "/gone", "Content-Length: 1000000") + sent)
            with own.connect() as connection:
                connection.send(make_request("PUT", "/gone", "Transfer-Encoding: chunked") +
                                b"fffff\r\n" + sent)
        own.wait_for_connections(0)
        equal(names(own), [], "names in the folder")
        equal([name for name in os.listdir("/proc/%d/fd" % own.pid)
               if "deleted" in os.readlink("/proc/%d/fd/%s" % (own.pid, name))
               and "/upload/" in os.readlink("/proc/%d/fd/%s" % (own.pid, name))]
              if AM_ROOT else [], [], "open files")


@test
def a_client_that_stalls_is_408_and_leaves_nothing():
    with server("--body-timeout", "1") as own, own.connect() as connection:
        connection.send(make_request("PUT", "/stall", "Content-Length: 1000") + b"x")
        equal(connection.read_response().status, 408, "status")
        equal(names(own), [], "names in the folder")


@test(punctual=0.4)
def a_body_that_trickles_is_408_and_leaves_nothing():
    """Bytes that come all the time, and too few of them, do not hold a connection for ever."""
    with server("--body-timeout", "%.1f" % seconds(1), "--min-body-rate", "1k") as own, \
            own.connect() as slow, own.connect() as steady:
        slow.send(make_request("PUT", "/slow", "Content-Length: 100000"))
        steady.send(make_request("PUT", "/steady", "Transfer-Encoding: chunked"))
        begun, rounds = time.monotonic(), 0
        while rounds < 16 or not select.select([slow.socket], [], [], 0)[0]:
            check(time.monotonic() < begun + patience(4), "the slow one was not answered")
            if not select.select([slow.socket], [], [], 0)[0]:
                slow.send(b"x")
            steady.send(b"1388\r\n" + bytes(5000) + b"\r\n")
            time.sleep(seconds(1) / 10)
            rounds += 1
        equal(slow.read_response().status, 408, "status")
        steady.send(b"0\r\n\r\n")
        equal(steady.read_response().status, 201, "status of the steady one")
        equal(names(own), [b"steady"], "names in the folder")


@test
def broken_chunks_are_400_and_leave_nothing():
    [response] = site.exchange(make_request("PUT", "/broken", "Transfer-Encoding: chunked") +
                               b"5\r\nhello\r\nzz\r\n")
    equal(response.status, 400, "status")
    check(b"broken" not in names(site), "it was stored")


def killed_while_it_sends(own, connection, name, body, after):
    """A PUT whose server is killed after so many seconds; returns the answer, if one came."""
    killer = threading.Timer(after, os.kill, (own.pid, signal.SIGKILL))
    killer.start()
    try:
        connection.send(make_request("PUT", "/" + name.decode(), body=body))
        answer = connection.socket.recv(1000)
    except OSError:
        answer = b""
    killer.join()
    own.process.wait()
    return answer


@test(limit=150)
def killed_at_any_moment_nothing_partial_is_there():
    data = pattern(2000000)
    for options in ((), ("--upload-overwrite",)):
        own = server(*options).start()
        sent = {}
        chance = random.Random(7)
        reach = 0.012                # of the moments: comes to twice what an upload takes here
        enough = time.monotonic() + seconds(50)
        try:
            for number in range(100):
                if time.monotonic() > enough:
                    break
                name = b"k%d" % (number if not options else number % 5)
                body = b"%08d" % number + data
                sent.setdefault(name, []).append(body)
                with own.connect() as connection:
                    answer = killed_while_it_sends(own, connection, name, body,
                                                   chance.random() * reach)
                reach *= 0.8 if answer else 1.25
                if answer:
                    check(answer.startswith(b"HTTP/1.1 20"), "refused with " + short(answer))
                    check(stored(own, name.decode()) == body, "%r is not there" % name)
                for found in names(own):
                    if not found.startswith(b"."):
                        check(stored(own, found.decode()) in sent[found],
                              "%r is not whole after kill %d" % (found, number))
                own._kill()
                own.start()
                hidden = [found for found in names(own) if found.startswith(b".")]
                equal(hidden, [], "hidden files after the next start")
            equal(put(own, "/last", data).status, 201, "status of one that nothing kills")
            equal(stored(own, "last"), data, "what it stored")
        finally:
            own._kill()


@test
def what_a_killed_process_left_is_removed_and_what_lives_is_not():
    with server() as own:
        left = own.path("upload/.lophttpd-upload-left")
        with open(left, "wb") as file:
            file.write(b"x")
        equal(put(own, "/.lophttpd-upload-left", b"x").status, 400, "status of its name")
        own.stop()
        own.start()
        equal(names(own), [], "names after the next start")


@test
def others_are_served_while_it_is_synced():
    with server() as own:
        stop = threading.Event()
        data = pattern(30000000)

        def send():
            number = 0
            while not stop.is_set():
                number += 1
                put(own, "/sync%d" % number, data)
                os.unlink(own.path("upload/sync%d" % number))
        thread = threading.Thread(target=send)
        thread.start()
        waits = []
        with own.connect() as connection:
            for _ in range(200):
                start = time.monotonic()
                equal(connection.get("/a.txt").body, b"alpha\n", "a small file meanwhile")
                waits.append(time.monotonic() - start)
                time.sleep(0.005)
        stop.set()
        thread.join()
        waits.sort()
        check(waits[-10] < patience(0.2), "95 %% waited less than %.3f s" % waits[-10])


# --- random names, and telling nobody -------------------------------------------------------------


@test
def random_names_are_told_and_lead_to_the_file_only():
    with server("-r") as own:
        first, second = put(own, "/f.txt", b"one"), put(own, "/f.txt", b"two")
        equal((first.status, second.status), (201, 201), "status")
        check(re.fullmatch(r"/upload/f\.txt-[A-Za-z0-9_-]{22}", first.get("Location")),
              "strange Location: " + first.get("Location"))
        check(first.get("Location") != second.get("Location"), "the same name twice")
        equal(own.get(first.get("Location")).body, b"one", "what Location leads to")
        grow(own.path("upload"), {"index.html": b"list", "sub/index.html": b"list"})
        for target in ("/upload/", "/UPLOAD/", "/upload/?format=json", "/upload/index.html",
                       "/upload/sub/", "/x/../upload/", "/upload/f.txt"):
            within(own.get(target).status, (403,), "status of GET " + target)


@test
def a_link_is_no_secret_folder():
    """What it leads to would be served under its own name."""
    root = tree({"real/sub": None, "direct": Link("real/sub"), "over": Link("real")})
    if AM_ROOT:
        os.chown(root + "/real/sub", run_uid(), -1)
    for folder in ("direct", "over/sub"):
        for option, status in (("-Q", 403), ("-r", 403), ("--upload-overwrite", 201)):
            with Server(root, "-U", folder, option) as own:
                equal(put(own, "/x", b"x").status, status, "%s %s" % (option, folder))
                equal("symbolic link" in own.errors(), status == 403, "the warning")
            if status == 201:
                os.unlink(root + "/real/sub/x")
    equal(os.listdir(root + "/real/sub"), [], "what was stored")


@test
def a_submit_only_box_tells_nobody():
    with server("-Q", "--upload-form") as own:
        response = put(own, "/f", b"one")
        equal((response.status, response.get("Location"), response.body), (201, None, b""),
              "answer")
        [name] = names(own)
        check(re.fullmatch(rb"f-[A-Za-z0-9_-]{22}", name), "strange name %r" % name)
        for method in ("GET", "HEAD"):
            equal(own.request(method, "/upload/" + name.decode()).status, 403, "status of " + method)
        equal(own.get("/upload/").status, 200, "status of the page")
        check(name not in own.get("/upload/").body, "the page tells the name")
        answer = post(own, form((b"g", b"two")))
        equal(answer.status, 201, "status of a form")
        check(not re.search(rb"g-[A-Za-z0-9_-]{22}", answer.body), "the answer to a form tells the name")


# --- digests --------------------------------------------------------------------------------------


@test
def a_digest_is_verified():
    if not HAS_DIGESTS:
        equal(put(site, "/digest", b"x", "Repr-Digest: " + field_of(b"x")).status, 501, "status")
        skip("built without OpenSSL")
    data = pattern(300000)
    for number, name in enumerate(("Content-Digest", "Repr-Digest")):
        right, wrong = "%s: %s" % (name, field_of(data)), "%s: %s" % (name, field_of(b"other"))
        equal(put(site, "/wrong%d" % number, data, wrong).status, 400, "status of a wrong " + name)
        equal(put(site, "/right%d" % number, data, right).status, 201, "status of a right " + name)
        equal(put(site, "/bad%d" % number, data, name + ": sha-256=:x:").status, 400,
              "status of what is none")
        equal(put(site, "/other%d" % number, data, name + ": md5=:AAAA:").status, 201,
              "status of an algorithm that is not known")
    equal(put(site, "/twice", data, "Content-Digest: " + field_of(data),
              "Repr-Digest: " + field_of(b"other")).status, 400, "status of two that differ")
    check(not [name for name in names(site) if name[:3] in (b"wro", b"bad", b"twi")],
          "a wrong one was stored")


@test
def a_digest_that_is_wanted_is_told():
    if not HAS_DIGESTS:
        skip("built without OpenSSL")
    with site.connect() as connection:
        connection.send(make_request("PUT", "/want", "Transfer-Encoding: chunked",
                                     "Want-Repr-Digest: sha-512=3, sha-256=10") + chunked(b"hello"))
        equal(connection.read_response().get("Repr-Digest"), field_of(b"hello"), "Repr-Digest")
    equal(put(site, "/wantnot", b"x", "Want-Repr-Digest: sha-256=0").get("Repr-Digest"), None,
          "Repr-Digest that is not wanted")


# --- the form -------------------------------------------------------------------------------------


with_form = server("--upload-form")


@test
def the_page_is_there_only_when_asked_for():
    page = with_form.get("/upload/")
    equal((page.status, page.get("Content-Type")), (200, "text/html; charset=utf-8"), "page")
    nonce = re.search(r"script-src 'nonce-([^']+)'", page.get("Content-Security-Policy"))[1]
    equal(page.body.decode().count('nonce="%s"' % nonce), 2, "places of the nonce")
    equal(with_form.request("HEAD", "/upload/").status, 200, "status of HEAD")
    equal(site.get("/upload/").status, 403, "status without --upload-form")
    equal(post(site, form((b"x", b"x"))).status, 405, "status of POST without --upload-form")


@test
def a_form_stores_several_files():
    data = pattern(500000)
    answer = post(with_form, form((b"one.bin", data), (b"two & <b>.bin", b"\r\n--xy\r\n"),
                                  (b"", b""), (b"C:\\Users\\me\\three.bin", b"")))
    equal(answer.status, 201, "status")
    equal(stored(with_form, "one.bin"), data, "the first")
    equal(stored(with_form, "two & <b>.bin"), b"\r\n--xy\r\n", "the second")
    equal(stored(with_form, "three.bin"), b"", "the third")
    check(b'href="two%20%26%20%3Cb%3E.bin">two &amp; &lt;b&gt;.bin<' in answer.body,
          "names are not escaped: " + short(answer.body))


@test
def a_form_goes_on_after_a_name_that_is_taken():
    post(with_form, form((b"taken", b"first")))
    answer = post(with_form, form((b"taken", b"second"), (b".hidden", b"x"), (b"next", b"third")))
    equal(answer.status, 409, "status")
    equal(stored(with_form, "taken"), b"first", "what was there")
    equal(stored(with_form, "next"), b"third", "what came behind")
    check(b".hidden" not in names(with_form), "a hidden name was stored")


@test
def curl_sends_a_form():
    curl = need_tool("curl")
    source = os.path.join(scratch(), 'quo"te')
    with open(source, "wb") as file:
        file.write(b"by curl")
    said = subprocess.run([curl, "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-F",
                           'files=@"%s"' % source.replace('"', '\\"'),
                           with_form.url + "/upload/"], capture_output=True, timeout=patience(10))
    equal(said.stdout, b"201", "status; %s" % said.stderr)
    equal(stored(with_form, 'quo"te'), b"by curl", "what was stored")


@test
def broken_forms_leave_nothing():
    body = form((b"broken", b"x" * 1000))
    before = names(with_form)
    equal(post(with_form, body[:-10]).status, 400, "status of a form that ends early")
    equal(post(with_form, body[:300]).status, 400, "status of a file that ends early")
    equal(post(with_form, b"no form").status, 400, "status of what is none")
    equal(post(with_form, body, boundary="").status, 415, "status without a boundary")
    equal(post(with_form, form()).status, 400, "status of a form without files")
    with with_form.connect() as connection:
        connection.send(make_request("POST", "/upload/",
                                     "Content-Type: multipart/form-data; boundary=xyz",
                                     "Content-Length: 2000") + body[:500])
    with_form.wait_for_connections(0)
    within(set(names(with_form)) - set(before), (set(), {b"broken"}), "new names in the folder")


@test
def what_is_no_file_in_a_form_is_bounded():
    def field(size):
        return b'--xyz\r\nContent-Disposition: form-data; name="note"\r\n\r\n%s\r\n' % (b"x" * size)
    before = names(with_form)
    sent = form((b"beside", b"y" * 300000))
    equal(post(with_form, field(1000) * 10 + sent).status, 201, "status with short fields")
    equal(post(with_form, field(100000) + form((b"never", b"y"))).status, 413, "of a long field")
    equal(post(with_form, field(0) * 2000 + form((b"never", b"y"))).status, 413, "of many fields")
    equal(post(with_form, b"x" * 100000 + b"\r\n" + form((b"never", b"y"))).status, 413,
          "of what comes before the first part")
    equal(post(with_form, form((b"first", b"y")) + b"x" * 100000).status, 413,
          "of what comes behind the last part")
    many = form(*((b"many%d" % i, b"z") for i in range(300)))
    equal(post(with_form, many).status, 201, "status of many files")
    check(b"never" not in set(names(with_form)) - set(before), "a file behind it was stored")


@test
def forms_of_other_sites_are_refused():
    for field in ("Sec-Fetch-Site: cross-site", "Origin: http://evil.invalid", "Origin: null"):
        equal(post(with_form, form((b"evil", b"x")), field).status, 403, "status with " + field)
    check(b"evil" not in names(with_form), "it was stored")
    equal(post(with_form, form((b"own", b"x")), "Origin: http://test.invalid").status, 201,
          "status of the own site")


def browser_files():
    folder = scratch()
    grow(folder, {'a b&<i>".bin': pattern(20000000), "\u00fc 100%.txt": b"short", "taken": b"new"})
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]


def check_sent(own, paths, said):
    for path in paths:
        name = os.path.basename(path)
        with open(path, "rb") as file:
            data = b"old" if name == "taken" else file.read()
        check(stored(own, name) == data, "%s is not what was sent" % name)
        check(name + (": not stored" if name == "taken" else ": stored") in said,
              "%s is not told right: %s" % (name, said))


@test(limit=90)
def a_browser_sends_several_files_and_shows_how_far_it_is():
    paths = browser_files()
    with server("--upload-form") as own, Browser() as browser:
        put(own, "/taken", b"old")
        browser.open(own.url + "/upload/")
        browser.choose_files("#files", paths)
        browser.evaluate("window.bars = new Set(), setInterval(() => bars.add(bar.value), 1)")
        browser.click("button")
        wait_for(lambda: browser.evaluate("report.children.length") == 3, 20, "three reports")
        check_sent(own, paths, browser.evaluate("report.innerText"))
        equal(browser.evaluate("bar.value"), 1, "the bar at the end")
        check(browser.evaluate("bars.size") > 2, "the bar did not move")
        equal(browser.evaluate("fetch(report.querySelector('a').href).then(r => r.status)"), 200,
              "status of what the report leads to")
        check(not [said for said in browser.messages if "409" not in said],
              "the console: %s" % browser.messages)


@test(limit=90)
def a_browser_without_script_sends_several_files():
    paths = browser_files()
    text = "document.body ? document.body.innerText : ''"
    with server("--upload-form") as own, Browser() as browser:
        put(own, "/taken", b"old")
        browser.allow_scripts(False)
        browser.open(own.url + "/upload/")
        browser.choose_files("#files", paths)
        browser.click("button")
        wait_for(lambda: "Send more" in browser.evaluate(text), 20,
                 "the answer")
        check_sent(own, paths, browser.evaluate(text))


if __name__ == "__main__":
    main()
