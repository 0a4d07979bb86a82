#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Files and folders: indexes, sizes, huge sparse files, odd names, permissions, symbolic links."""
import os
import threading
import urllib.parse

from harness import *

A = b"alpha\n"
BIG = pattern(5 << 20, 5)
SIZES = (0, 1, 2, 511, 512, 4095, 4096, 4097, 8191, 8192, 16383, 16384, 16385, 32768, 65535, 65536,
         65537, 131072, 262143, 262144, 262145, 1048576, 1048577)
NAMES = ["sp ace", "two  spaces ", " lead", "quo\"te", "apo'strophe", "per%cent", "%41", "ha#sh",
         "qu?estion", "amp&er", "se;mi", "co:lon", "plu+s", "eq=ual", "com,ma", "at@t", "dol$lar",
         "ex!cl", "tilde~", "br[ack]et", "br{ace}", "pi|pe", "ca^ret", "grave`", "less<more>",
         "paren(s)", "star*", "-dash", "--help", "_", "\u00e4\u00f6\u00fc", "\u65e5\u672c\u8a9e",
         "\U0001f427", "e\u0301", "x" * 255, ".dot", "trailing.", "a.b.c", "CON", "nul"]
RAW_NAMES = [b"latin-\xe4", b"\xff\xfe\xfd", b"cut-\xc3", b"\x80"]
site = Server({
    "index.html": b"index\n", "a.txt": A, "big.bin": BIG, "folder/index.html": b"inner\n",
    "folder/b.txt": b"beta\n", "bare": None, "odd/index.html/x": b"x",
    "links/inside": Link("../a.txt"), "links/folder": Link("../folder"),
    "links/chain": Link("inside"), "links/dangling": Link("nowhere"), "links/loop": Link("loop"),
    "links/ping": Link("pong"), "links/pong": Link("ping"), "links/index.html": Link("../a.txt"),
    "links/self": Link("."), **{"sizes/%d" % size: pattern(size, 9) for size in SIZES},
    **{b"names/" + name.encode(): b"content of " + name.encode() for name in NAMES},
    **{b"names/" + name: b"content of " + name for name in RAW_NAMES},
})


@test
def a_folder_is_its_index():
    equal(site.get("/").body, b"index\n", "body of /")
    equal(site.get("/folder/").body, b"inner\n", "body of /folder/")
    equal(site.get("/").get("Content-Type").split(";")[0], "text/html", "Content-Type of /")


@test
def a_folder_without_its_slash_is_a_redirect():
    for target in ("/folder", "/bare"):
        equal(site.get(target).status, 301, "status of " + target)


@test
def a_folder_without_an_index_is_403():
    equal(site.get("/bare/").status, 403, "status of /bare/")
    equal(site.get("/sizes/").status, 403, "status of /sizes/")


@test
def an_index_that_is_a_folder_is_no_index():
    within(site.get("/odd/").status, (403, 404), "status of /odd/")
    equal(site.get("/odd/index.html").status, 301, "status of the folder itself")


@test
def what_is_missing_is_404():
    for target in ("/missing", "/missing/", "/folder/missing", "/missing/a.txt", "/index.htm",
                   "/a.txt.", "/a"):
        equal(site.get(target).status, 404, "status of " + target)


@test
def a_name_that_no_file_can_have_is_404():
    for target in ("/" + "x" * 256, "/" + "x" * 3000, "/folder/" + "y" * 300, "/" + "a/" * 1000):
        within(site.get(target).status, (404, 414), "status of " + target[:20])


@test
def each_size_comes_whole():
    with site.connect() as connection:
        for size in SIZES:
            response = connection.get("/sizes/%d" % size)
            equal(response.get("Content-Length"), str(size), "Content-Length")
            check(response.body == pattern(size, 9), "the content of a file of %d bytes is wrong"
                  % size)
            head = connection.request("HEAD", "/sizes/%d" % size)
            equal(head.get("Content-Length"), str(size), "Content-Length of HEAD")


@test
def the_second_and_third_answer_are_as_the_first():
    with site.connect() as connection:
        for _ in range(3):
            for size in (0, 1, 4096, 65537, 1048577):
                check(connection.get("/sizes/%d" % size).body == pattern(size, 9),
                      "%d bytes" % size)


@test
def an_empty_file_is_200():
    response = site.get("/sizes/0")
    equal((response.status, response.get("Content-Length"), response.body), (200, "0", b""),
          "answer")


@test
def a_sparse_file_beyond_4_gib_and_its_ranges():
    size = (5 << 30) + 12345
    path = site.path("huge.iso")
    with open(path, "wb") as file:
        file.truncate(size)
        for offset in (0, (4 << 30) - 3, size - 6):
            file.seek(offset)
            file.write(b"marker"[:6])
    try:
        response = site.request("HEAD", "/huge.iso")
        equal((response.status, response.get("Content-Length")), (200, str(size)), "HEAD")
        for value, first, last in (("-6", size - 6, size - 1), ("0-5", 0, 5),
                                   ("%d-" % (size - 6), size - 6, size - 1),
                                   ("%d-%d" % ((4 << 30) - 3, (4 << 30) + 2), (4 << 30) - 3,
                                    (4 << 30) + 2)):
            response = site.get("/huge.iso", "Range: bytes=" + value)
            equal(response.get("Content-Range"), "bytes %d-%d/%d" % (first, last, size),
                  "Content-Range")
            equal(response.body, b"marker", "body of " + value)
        first = (1 << 32) - (1 << 20)
        response = site.get("/huge.iso", "Range: bytes=%d-%d" % (first, first + (2 << 20) - 1))
        equal(len(response.body), 2 << 20, "length of a range over the 4 GiB line")
        equal(response.body.find(b"marker"), (1 << 20) - 3, "place of the mark in it")
        equal(site.get("/huge.iso", "Range: bytes=%d-" % size).status, 416, "status beyond the end")
    finally:
        os.unlink(path)


@test
def the_whole_of_a_huge_file_has_its_length_and_starts():
    path = site.path("huge2.iso")
    with open(path, "wb") as file:
        file.truncate(6 << 30)
    try:
        with site.connect() as connection:
            connection.send(make_request("GET", "/huge2.iso"))
            head = connection.read_head()
            equal(head.get("Content-Length"), str(6 << 30), "Content-Length")
            equal(connection._take(1 << 20), bytes(1 << 20), "the first MiB")
    finally:
        os.unlink(path)


@test
def names_with_odd_characters():
    for name in [name.encode() for name in NAMES] + RAW_NAMES:
        target = "/names/" + urllib.parse.quote(name)
        response = site.get(target)
        equal((response.status, response.body), (200, b"content of " + name), "answer to " + target)


@test
def names_with_odd_characters_fully_encoded():
    for name in [name.encode() for name in NAMES] + RAW_NAMES:
        response = site.get("/names/" + "".join("%%%02x" % byte for byte in name))
        equal((response.status, response.body), (200, b"content of " + name), "answer to %r" % name)


@test
def a_name_with_a_control_byte_is_served_when_it_comes_encoded():
    grow(site.path(""), {b"new\nline": b"x", b"tab\there": b"x"})
    for target in ("/new%0aline", "/tab%09here"):
        equal(site.get(target).body, b"x", "body of " + target)
    equal(site.get("/new%00line").status, 400, "status of a NUL")


@test
def a_deep_path():
    path = "/".join("level%d" % number for number in range(60))
    grow(site.path(""), {path + "/end.txt": b"the end\n"})
    equal(site.get("/" + path + "/end.txt").body, b"the end\n", "body")
    equal(site.get("/" + path).status, 301, "status of the folder")


@test
def what_may_not_be_read_is_403():
    grow(site.path(""), {"private.txt": b"x", "closed/b.txt": b"x", "closed/index.html": b"x",
                         "hidden/index.html": b"x"})
    os.chmod(site.path("private.txt"), 0)
    os.chmod(site.path("closed"), 0)
    os.chmod(site.path("hidden/index.html"), 0)
    try:
        for target in ("/private.txt", "/closed/b.txt", "/closed/", "/hidden/"):
            for method in ("GET", "HEAD"):
                equal(site.request(method, target).status, 403,
                      "status of %s %s" % (method, target))
        equal(site.get("/private.txt", "Range: bytes=0-1").status, 403, "status with a range")
    finally:
        os.chmod(site.path("closed"), 0o755)


@test
def a_folder_that_may_be_passed_but_not_listed_serves_its_files():
    grow(site.path(""), {"passage/b.txt": b"beta\n"})
    os.chmod(site.path("passage"), 0o711)
    equal(site.get("/passage/b.txt").body, b"beta\n", "body")


@test
def symbolic_links_inside_the_root_work():
    for target, content in (("/links/inside", A), ("/links/chain", A),
                            ("/links/folder/b.txt", b"beta\n"), ("/links/folder/", b"inner\n"),
                            ("/links/", A), ("/links/self/self/inside", A)):
        response = site.get(target)
        equal((response.status, response.body), (200, content), "answer to " + target)
    equal(site.get("/links/folder").status, 301, "status of a link to a folder")


@test
def symbolic_links_that_lead_nowhere_are_404():
    for target in ("/links/dangling", "/links/loop", "/links/ping", "/links/loop/x"):
        within(site.get(target).status, (404,), "status of " + target)


@test
def fifty_downloads_at_once_come_whole():
    wrong = []

    def download(number):
        try:
            with site.connect(timeout=30) as connection:
                if connection.get("/big.bin").body != BIG:
                    wrong.append("client %d: wrong content" % number)
        except (Failure, OSError) as problem:
            wrong.append("client %d: %s" % (number, problem))
    threads = [threading.Thread(target=download, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(not wrong, "; ".join(wrong[:5]))


@test
def three_thousand_files_do_not_use_up_the_descriptors():
    grow(site.path(""), {"many/%d" % number: b"file %d" % number for number in range(3000)})
    with site.connect() as connection:
        for start in range(0, 3000, 100):
            connection.send(b"".join(make_request("GET", "/many/%d" % number)
                                     for number in range(start, start + 100)))
            for number in range(start, start + 100):
                equal(connection.read_response().body, b"file %d" % number, "body")
    used, limit = len(processes.descriptors(site.pid)), int(_soft_limit(site.pid))
    check(used < limit * 0.9, "%d of %d descriptors are open" % (used, limit))


def _soft_limit(pid):
    with open("/proc/%d/limits" % pid) as file:
        return next(line.split()[3] for line in file if line.startswith("Max open files"))


@test
def missing_files_do_not_use_up_the_descriptors():
    with site.connect() as connection:
        connection.get("/missing")
        before = len(processes.descriptors(site.pid))
        for number in range(500):
            equal(connection.get("/missing/%d" % number).status, 404, "status")
        check(len(processes.descriptors(site.pid)) <= before + 2, "descriptors leak")


@test
def another_index_can_be_named():
    with Server({"start.htm": b"start\n", "index.html": b"index\n"}, "--index",
                "start.htm") as server:
        equal(server.get("/").body, b"start\n", "body of /")


if __name__ == "__main__":
    main()
