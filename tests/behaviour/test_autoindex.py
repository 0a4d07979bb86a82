#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Listings of folders: the page, the formats for programs, big folders, what is kept."""
import fcntl
import html.parser
import json
import os
import re
import signal
import threading
import time
import urllib.parse

from harness import *

ICONS = os.path.join(SOURCE, "icons")
OPTIONS = ("-i", "--autoindex-icons", ICONS)
HOSTILE = [b"qu\"ote's", b"<b>&amp;", b"<script>alert(1)</script>".replace(b"/", b"|"), b"new\nline",
           b"tab\there", b"cr\rlf", b"\x01\x7f", b"100%25 sure?#frag", b"%2e%2e", b"bad\xff\xfeutf8",
           b"\xc3", b"\xed\xa0\x80", b"\xc2\x85", b"a:b", b"javascript:alert(1)", b"\\back\\slash",
           b" lead and trail ", b"n" * 255, b"\xf0\x9f\x90\x81" * 63, "sch\u00f6n \u2603.txt".encode(),
           b"?sort=size", b"&lt;", b"*", b"~", b"a+b", b"a;b=c,d@e", b"{}[]|^`"]
TREE = {
    "file2.txt": b"22", "file10.txt": b"1" * 10, "File1.txt": b"1", "photo.jpg": b"p" * 2000,
    "sub/deep/x": b"x", "sub/y": b"y", "Alpha/x": b"x", "empty": None, "indexed/index.html": b"mine",
    ".hidden": b"h", ".secret/x": b"x", "out": Link("/etc"), "out-file": Link("/etc/passwd"),
    "up": Link("../.."), "gone": Link("nowhere"), "in": Link("sub"), "in-file": Link("sub/y"),
    "icons/folder.svg": b"the site's own",
    "notes/HEADER.html": b"<h1>head & shoulders</h1>", "notes/README": b"read <me>\nnow",
}
TREE.update({b"hostile/" + name: b"content of " + name for name in HOSTILE})
site = Server(TREE, *OPTIONS)
as_somebody = Server(TREE, *OPTIONS, as_user=True)


class Page(html.parser.HTMLParser):
    """Rows (href, text, title of the size), and what else a test asks for."""

    VOID = {"meta", "input", "base", "br", "link"}

    def __init__(self, response):
        super().__init__()
        self.rows, self.links, self.tags, self.base, self.title = [], [], [], None, ""
        self._cell, self._link = 0, None
        self.text = response.body.decode("utf-8")  # valid, or it raises
        self.feed(self.text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        if tag == "base":
            self.base = attributes["href"]
        elif tag == "tr":
            self._cell = 0
        elif tag == "td":
            self._cell += 1
            if self._cell == 2 and self.rows:
                self.rows[-1][2] = attributes.get("title")
        elif tag == "a":
            self.links.append(attributes["href"])
            if self._cell == 1:
                self.rows.append([attributes["href"], "", None])
                self._link = self.rows[-1]

    def handle_endtag(self, tag):
        if tag == "a":
            self._link = None

    def handle_data(self, data):
        if self._link:
            self._link[1] += data

    def names(self):
        return [row[1] for row in self.rows if row[0] not in ("../", "./") and
                row[1] != "Parent folder"]


def listing(target="/", server=site, *fields):
    response = server.get(target, *fields)
    equal(response.status, 200, "status of " + target)
    return Page(response)


def entries(target="/", server=site):
    response = server.get(target, "Accept: application/json")
    equal(response.get("Content-Type"), "application/json", "type")
    return json.loads(response.body)


def resolve(page_target, href):
    return urllib.parse.urljoin("http://x" + page_target, href)[len("http://x"):]


@test
def a_folder_without_index_is_listed():
    for server in (site, as_somebody):
        page = listing("/", server)
        equal(page.names(), ["Alpha/", "empty/", "hostile/", "icons/", "in/", "indexed/", "notes/",
                             "sub/", "File1.txt", "file2.txt", "file10.txt", "in-file",
                             "photo.jpg"], "names, folders first, in natural order")
        equal(listing("/empty/", server).names(), [], "entries of an empty folder")


@test
def a_folder_with_an_index_is_not():
    equal(site.get("/indexed/").body, b"mine", "body")


@test
def a_folder_without_its_slash_is_redirected():
    response = site.get("/sub?sort=size")
    equal((response.status, response.get("Location")), (301, "sub/?sort=size"), "answer")


@test
def the_page_is_sound():
    response = site.get("/sub/")
    equal(response.get("Content-Type"), "text/html; charset=utf-8", "type")
    equal(response.get("X-Content-Type-Options"), "nosniff", "options")
    page = Page(response)
    check(page.text.startswith("<!DOCTYPE html>\n<html lang=\"en\">"), "doctype and language")
    names = [tag for tag, _ in page.tags]
    check("script" not in names, "a script")
    for needed in ("title", "main", "nav", "h1", "table", "thead", "tbody", "form", "button"):
        check(needed in names, "no " + needed)
    check(("meta", {"name": "viewport", "content": "width=device-width,initial-scale=1"})
          in page.tags, "no viewport")
    check("color-scheme:light dark" in page.text, "one colour scheme only")
    check(any(tag == "th" and attributes.get("aria-sort") == "ascending" for tag, attributes
              in page.tags), "no aria-sort")
    check("../" in page.links and "./" in page.links, "no breadcrumb")
    times = [attributes["datetime"] for tag, attributes in page.tags if tag == "time"]
    check(times and all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", each) for each in times),
          "times: %s" % times)


@test
def sizes_are_for_people_and_exact():
    rows = {row[1]: row for row in listing("/").rows}
    equal(rows["photo.jpg"][2], "2000 bytes", "title")
    check("2.0 KiB" in listing("/").text, "no size for people")
    equal(rows["File1.txt"][2], "1 byte", "title")
    equal(rows["sub/"][2], None, "title of a folder")


@test
def links_lead_where_they_say():
    for target in ("/", "/sub/", "/sub/deep/", "/in/"):
        for href in listing(target).links:
            if href.startswith("?"):
                continue
            check(not href.startswith("/"), "absolute link " + href)
            equal(site.get(resolve(target, href)).status, 200, "status of %s in %s" % (href, target))


@test
def hostile_names_go_around():
    for server in (site, as_somebody):
        page = listing("/hostile/", server)
        rows = [row for row in page.rows if row[1] != "Parent folder"]
        equal(len(rows), len(HOSTILE), "number of entries")
        found = set()
        for href, text, _ in rows:
            check(re.fullmatch(r"[A-Za-z0-9._~%-]+", href), "href " + href)
            name = urllib.parse.unquote_to_bytes(href)
            found.add(name)
            equal(server.get("/hostile/" + href).body, b"content of " + name, "body of " + href)
            if name.isascii() and name.isalnum():
                equal(text, name.decode(), "text of " + href)
            check(not any(byte < " " or byte == "\x7f" for byte in text), "control byte in a text")
        equal(found, set(HOSTILE), "names")
        check("<script>" not in page.text and "<b>" not in page.text, "unescaped")


@test
def hostile_names_in_json():
    found = entries("/hostile/")
    equal({urllib.parse.unquote_to_bytes(entry["url"]) for entry in found}, set(HOSTILE), "names")
    for entry in found:
        name = urllib.parse.unquote_to_bytes(entry["url"])
        equal(entry["size"], len(b"content of " + name), "size")
        try:
            equal(entry["name"], name.decode("utf-8"), "name")
        except UnicodeDecodeError:
            check("\ufffd" in entry["name"], "no replacement in %r" % entry["name"])


@test
def json_says_all():
    found = {entry["name"]: entry for entry in entries("/")}
    info = os.stat(site.path("photo.jpg"))
    equal(found["photo.jpg"], {"name": "photo.jpg", "url": "photo.jpg", "type": "file", "size": 2000,
                               "mtime": time.strftime("%Y-%m-%dT%H:%M:%SZ",
                                                      time.gmtime(info.st_mtime))}, "entry")
    equal((found["sub"]["type"], found["sub"]["url"]), ("directory", "sub/"), "a folder")
    equal(json.loads(site.get("/empty/?format=json").body), [], "an empty folder")
    equal([entry["name"] for entry in entries("/?sort=size&order=desc")][-2:],
          ["in-file", "File1.txt"], "order")


@test
def text_is_one_name_a_line():
    response = site.get("/sub/?format=text")
    equal((response.get("Content-Type"), response.body),
          ("text/plain; charset=utf-8", b"deep/\ny\n"), "answer")
    lines = site.get("/hostile/", "Accept: text/plain").body.split(b"\n")
    equal(len(lines), len(HOSTILE) + 1, "lines")
    check(b"new\\x0aline" in lines and b"\\x5cback\\x5cslash" in lines, "escapes")


@test
def accept_chooses_and_vary_says_so():
    for accept, kind in (("application/json", "json"), ("text/plain", "plain"), ("*/*", "html"),
                         ("text/html,application/xhtml+xml,*/*;q=0.8", "html"),
                         ("application/json, text/plain, */*", "json"),
                         ("text/html;q=0.5, application/json", "json"),
                         ("application/json;q=0", "html"), ("image/png", "html"),
                         ("text/plain;q=0.2, text/html;q=0.1", "plain"), ("", "html")):
        response = site.get("/sub/", "Accept: " + accept)
        check(kind in response.get("Content-Type"), "%s for %s" % (response.get("Content-Type"),
                                                                  accept))
        check(response.has_token("Vary", "Accept"), "no Vary")
    response = site.get("/sub/?format=json", "Accept: text/html")
    equal((response.get("Content-Type"), response.get("Vary")), ("application/json", None),
          "a format that is asked for by name")


@test
def validators_work():
    etags = set()
    for target in ("/sub/", "/sub/?sort=size", "/sub/?order=desc", "/sub/?format=json",
                   "/sub/?format=text", "/sub/?q=y"):
        response = site.get(target)
        etag, modified = response.get("ETag"), response.get("Last-Modified")
        check(etag and DATE.fullmatch(modified), "no validators on " + target)
        etags.add(etag)
        for field in ("If-None-Match: " + etag, "If-Modified-Since: " + modified):
            again = site.get(target, field)
            equal((again.status, again.body), (304, b""), "answer with " + field)
            equal(again.get("ETag"), etag, "ETag of the 304")
            equal(again.get("Vary"), response.get("Vary"), "Vary of the 304")
        equal(site.get(target, "If-Match: \"other\"").status, 412, "status with If-Match")
        head = site.request("HEAD", target)
        equal((head.status, head.get("Content-Length")), (200, str(len(response.body))), "HEAD")
    equal(len(etags), 6, "different ETags")


@test
def sorting_by_links():
    page = listing("/")
    check("?sort=name&order=desc" in page.links and "?sort=size" in page.links
          and "?sort=time" in page.links, "sort links: %s" % page.links)
    files = [name for name in listing("/?sort=size").names() if not name.endswith("/")]
    equal(files, ["File1.txt", "in-file", "file2.txt", "file10.txt", "photo.jpg"], "by size")
    backwards = listing("/?sort=size&order=desc").names()
    check(backwards[0].endswith("/"), "folders do not come first")
    equal([name for name in backwards if not name.endswith("/")], files[::-1], "by size, backwards")
    equal(listing("/?order=desc").names()[:2], ["sub/", "notes/"], "backwards by name")
    for number, name in enumerate(("file10.txt", "photo.jpg", "File1.txt")):
        os.utime(site.path(name), (1e9 + number, 1e9 + number))
    site.send_signal(signal.SIGUSR1)
    wait_for(lambda: [name for name in listing("/?sort=time").names() if not name.endswith("/")][:3]
             == ["file10.txt", "photo.jpg", "File1.txt"], 3, "the order by time")


@test
def a_filter_by_a_form():
    page = listing("/?q=FILE")
    equal(page.names(), ["File1.txt", "file2.txt", "file10.txt", "in-file"], "names")
    check(any(tag == "input" and attributes.get("name") == "q" and attributes.get("value") == "FILE"
              for tag, attributes in page.tags), "the field forgets its value")
    check("?sort=size&q=FILE" in page.links, "sorting forgets the filter")
    equal(listing("/hostile/?q=%22ote%27s").names(), ["qu\"ote's"], "an encoded filter")
    equal(listing("/hostile/?q=lead+and").names(), [" lead and trail "], "a plus")
    page = listing("/?q=%22%3E%3Cb%3E")
    equal(page.names(), [], "names")
    check("<b>" not in page.text, "unescaped filter")


@test
def hidden_names_only_when_asked():
    check(not [name for name in listing("/").names() if name.startswith(".")], "hidden names")
    with Server(site.running().root, *OPTIONS, "--autoindex-hidden") as server:
        names = listing("/", server).names()
        check(".hidden" in names and ".secret/" in names, "no hidden names")
        check("./" not in names and "../" not in names, "dots")


@test
def links_that_leave_the_root_are_not_listed():
    for server in (site, as_somebody):
        names = listing("/", server).names()
        for name in ("out/", "out-file", "up/", "gone", "gone/", "out"):
            check(name not in names or (name == "up/" and server is site), name + " is listed")
        check("in/" in names and "in-file" in names, "links inside are not listed")


@test
def the_end_of_a_name_tells_its_kind():
    kinds = {"a.deb": "package", "a.tar.GZ": "archive", "a.AppImage": "package", "a.c": "code",
             "a.txt": "text", "a.jpeg": "image", "a.flac": "audio", "a.mkv": "video",
             "a.iso": "disk", "a.pdf": "document", "a.7z": "archive", "deb": "other",
             "a.": "other", "a.nothing": "other", "a.debdebdeb": "other", "a.d": "other",
             "a. deb": "other", "a.deb ": "other", "d.deb/x": None}
    with Server(tree({name: b"" for name in kinds}), *OPTIONS) as server:
        found = {urllib.parse.unquote(attributes["href"]): attributes.get("class")
                 for tag, attributes in listing("/", server).tags if tag == "a"}
        for name, kind in kinds.items():
            if kind:
                equal(found[name], kind, "kind of %r" % name)
        equal(found["d.deb/"], "folder", "kind of a folder")


@test
def hundreds_of_the_longest_names_come_once_each_in_every_format():
    """Rows of kilobytes, most of them across the end of some piece that is sent."""
    names = [b"%03d" % number + b"\x01\xff<'"[number % 4:][:1] * 252 for number in range(300)]
    root = tree({b"f/" + name: b"" for name in names})
    shown = ["%03d" % number + "\u2401\ufffd<'"[number % 4] * 252 for number in range(300)]
    decoded = ["%03d" % number + "\x01\ufffd<'"[number % 4] * 252 for number in range(300)]
    with Server(root, *OPTIONS, "-B", "http://proxy/" + "x" * 100 + "/") as server:
        page = listing("/f/", server)
        equal(page.names(), shown, "names in HTML")
        equal([urllib.parse.unquote_to_bytes(row[0]) for row in page.rows[1:]],
              [b"f/" + name for name in names], "links")
        equal([entry["name"] for entry in entries("/f/", server)], decoded, "names in JSON")
        lines = server.get("/f/?format=text").body.split(b"\n")
        equal([line[:3] for line in lines[:-1]], [name[:3] for name in names], "lines of text")
    with Server(root, *OPTIONS, "--autoindex-limit", "1k") as server:
        equal(listing("/f/", server).names(), shown, "names in a page that is not kept")


@test
def icons_come_under_a_path_of_their_own():
    for server in (site, as_somebody):
        page = listing("/sub/deep/", server)
        found = set(re.findall(r"url\(([^)]*)\)", page.text))
        equal(len(found), 12, "icons")
        for href in found:
            response = server.get(resolve("/sub/deep/", href))
            equal((response.status, response.get("Content-Type")), (200, "image/svg+xml"), href)
            check(len(response.body) < 2000 and b"<svg" in response.body, "no small icon")
            equal(server.get(resolve("/sub/deep/", href),
                             "If-None-Match: " + response.get("ETag")).status, 304, "status")
        equal(server.get("/icons/folder.svg").body, b"the site's own", "the site's icons")
        for name in ("nothing.svg", "", "../folder.svg", "folder.svg/", "folder"):
            equal(server.get("/.lophttpd/icons/" + name).status, 404, "status of " + name)


@test
def a_program_that_is_not_installed_finds_its_icons_by_its_environment():
    with Server(site.running().root, "-i", env={"LOPHTTPD_DATA_PATH": os.path.dirname(ICONS)}) as own:
        equal(own.get("/.lophttpd/icons/folder.svg").status, 200, "status of an icon")
        check("url(" in listing("/", own).text, "the page has no icons")
    with Server(site.running().root, "-i", env={"LOPHTTPD_DATA_PATH": "/nonexistent"}) as own:
        equal(own.get("/.lophttpd/icons/folder.svg").status, 404, "status without icons")
        check("url(" not in listing("/", own).text, "the page names icons")


@test
def a_base_is_carried():
    base = "http://proxy.example/path/"
    with Server(site.running().root, "-B", base, "--autoindex-icons", ICONS) as server:
        for target in ("/", "/sub/", "/sub/deep/"):
            page = listing(target, server)
            equal(page.base, base, "base")
            for href in page.links + re.findall(r"url\(([^)]*)\)", page.text):
                url = urllib.parse.urljoin(base, href)
                check(url.startswith(base), "%s leaves the base" % href)
                equal(server.get(url[len(base) - 1:]).status, 200, "status of " + href)


@test
def a_bad_base_is_refused():
    for base in ("http://proxy/path", "proxy/path/", "/path/", "http://a/\"/", ""):
        status, _, errors = run("-B", base, "-R", "/", "-q", "-t")
        equal(status, 2, "status for %r" % base)
        check("ends in '/'" in errors, "message: " + errors)


@test
def notes_only_when_asked():
    check("shoulders" not in listing("/notes/").text, "a note")
    with Server(site.running().root, *OPTIONS, "--autoindex-readme") as server:
        text = listing("/notes/", server).text
        check("&lt;h1&gt;head &amp; shoulders&lt;/h1&gt;" in text, "no header")
        check("read &lt;me&gt;\nnow" in text, "no readme")
        check(text.index("shoulders") < text.index("<table") < text.index("&lt;me"), "order")


@test
def changes_are_seen():
    for server in (site, as_somebody):
        folder = "changing-%s" % server.as_user
        grow(server.running().root, {folder + "/a": b"1"})
        target = "/%s/" % folder
        equal(listing(target, server).names(), ["a"], "names")
        etag = server.get(target).get("ETag")
        time.sleep(0.02)
        grow(server.root, {folder + "/b": b"1"})
        wait_for(lambda: listing(target, server).names() == ["a", "b"], 1.5, "a new entry")
        check(server.get(target).get("ETag") != etag, "same ETag")
        with open(server.path(folder + "/a"), "ab") as file:
            file.write(b"23456")
        wait_for(lambda: entries(target, server)[0]["size"] == 6, 2.5, "a size that grew")
        os.unlink(server.path(folder + "/b"))
        wait_for(lambda: listing(target, server).names() == ["a"], 1.5, "an entry less")


def fill(path, count):
    os.makedirs(path)
    for number in range(count):
        os.close(os.open("%s/package-%d.deb" % (path, number), os.O_CREAT | os.O_WRONLY, 0o644))


@test
def a_folder_that_nobody_may_list_is_403():
    root = tree({"locked/x": b"x"})
    os.chmod(root + "/locked", 0o311)
    try:
        with Server(root, *OPTIONS) as server:
            equal(server.get("/locked/").status, 403, "status")
            equal(server.get("/locked/x").body, b"x", "body")
    finally:
        os.chmod(root + "/locked", 0o755)


@test(limit=120, punctual=0.2)
def a_big_folder_holds_up_nobody():
    count = 100000 if SLOWDOWN == 1 else 5000
    root = tree({"kib": b"k" * 1024, "x/y": b"y"})
    fill(root + "/big", count)
    times = []
    with Server(root, *OPTIONS) as server:
        ended = threading.Event()

        def ask():
            with server.connect() as connection:
                while not ended.is_set():
                    begin = time.perf_counter()
                    equal(len(connection.get("/kib").body), 1024, "length")
                    times.append(time.perf_counter() - begin)
        thread = threading.Thread(target=ask)
        thread.start()
        try:
            begin = time.perf_counter()
            with server.connect(timeout=60) as connection:
                connection.send(make_request("GET", "/big/"))
                first = connection.socket.recv(1)
                first_byte = time.perf_counter() - begin
                rest, size = b"", 0
                while not rest.endswith(b"</html>\n\r\n0\r\n\r\n") and not rest.endswith(
                        b"</html>\n"):
                    more = connection.socket.recv(1 << 20)
                    check(more, "the page ends early")
                    size += len(more)
                    rest = rest[-64:] + more
        finally:
            ended.set()
            thread.join()
        check(first == b"H" and size > count * 100, "size of the page: %d" % size)
        # What is promised is promised on a machine with nothing else to do: others that run on the
        # same processors have their share, here twice as much as the load says.
        crowd = 2 * max(1.0, os.getloadavg()[0] / os.cpu_count())
        late = sorted(times)[int(len(times) * 0.99)]
        check(first_byte < patience(1.0) * crowd, "the first byte took %.2f s" % first_byte)
        check(late < patience(0.02) * crowd, "p99 of another client: %.1f ms" % (late * 1000))
        if SLOWDOWN == 1:
            with open("/proc/%d/status" % server.worker_pids()[0], encoding="ascii") as status:
                peak = int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1])
            check(peak < 65536, "memory: %d KiB" % peak)
        names = server.get("/big/?format=text").body.split()
        equal(names, [b"package-%d.deb" % number for number in range(count)], "natural order")


@test
def many_ask_for_the_same_folder_at_once():
    root = tree({"x": b"x"})
    fill(root + "/big", 3000)
    with Server(root, *OPTIONS) as server:
        connections = [server.connect() for _ in range(20)]
        for connection in connections:
            connection.send(make_request("GET", "/big/"))
        for connection in connections[::3]:
            connection.close()      # these do not wait
        bodies = {connection.read_response().body for index, connection in enumerate(connections)
                  if index % 3}
        equal(len(bodies), 1, "different pages")
        for connection in connections:
            connection.close()
        equal(server.get("/big/").status, 200, "status afterwards")


@test
def a_cache_of_nothing_still_lists():
    with Server(site.running().root, *OPTIONS, "--autoindex-cache", "0") as server:
        for _ in range(3):
            check("sub/" in listing("/", server).names(), "names")
            check(listing("/hostile/?q=a&sort=size", server).names(), "names")


@test
def the_cache_keeps_its_bound():
    root = tree({"%d/%s" % (number, "f" * 200): b"" for number in range(200)})
    with Server(root, *OPTIONS, "--autoindex-cache", "100k") as server:
        for _ in range(2):
            for number in range(200):
                equal(len(listing("/%d/" % number, server).names()), 1, "entries")


def owned(root, as_user=False):
    """Let the worker's user write into the root."""
    if AM_ROOT:
        os.chown(root, run_uid(as_user), -1)
    return root


@test
def a_page_above_the_limit_becomes_the_index():
    for quiet, as_user in ((False, False), (False, True), (True, False)):
        root = owned(tree({"file%d" % number: b"" for number in range(300)}), as_user)
        with Server(root, *OPTIONS, "--autoindex-limit", "4k", quiet=quiet,
                    as_user=as_user) as server:
            first = server.get("/")
            check(first.body.endswith(b"</html>\n"), "the page is not whole")
            if quiet:
                time.sleep(0.3)
                check(not os.path.exists(root + "/index.html"), "written in spite of -q")
                continue
            wait_for(lambda: os.path.exists(root + "/index.html"), 3, "index.html")
            with open(root + "/index.html", "rb") as file:
                written = file.read()
            check(written.endswith(b"</html>\n") and written.count(b"<tr><td>") == 300, "its rows")
            check(b"<form" not in written and b"?sort" not in written, "what a file cannot do")
            equal([name for name in os.listdir(root) if name.startswith(".")], [], "left over")
            wait_for(lambda: server.get("/").body == written, 3, "the new index")
            equal(os.stat(root + "/index.html").st_mode & 0o777, 0o644, "mode")


@test
def what_a_killed_worker_left_of_an_index_is_removed_and_what_lives_is_not():
    root = tree(dict({".index.html.part": b"half"},
                     **{"file%d" % number: b"" for number in range(300)}))
    part = root + "/.index.html.part"
    if AM_ROOT:
        for path in (root, part):
            os.chown(path, run_uid(), -1)
    with Server(root, *OPTIONS, "--autoindex-limit", "4k", "-n", "3", quiet=False) as server, \
            open(part, "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        equal(len(Page(server.get("/")).names()), 300, "entries while another writes")
        time.sleep(0.3)
        equal(other.read(), b"half", "what the other has written")
        check(not os.path.exists(root + "/index.html"), "written")
        fcntl.flock(other, fcntl.LOCK_UN)
        server.send_signal(signal.SIGUSR1)
        wait_for(lambda: server.get("/") and os.path.exists(root + "/index.html"), 3, "index.html")
        wait_for(lambda: not os.path.exists(part), 3, "the end of what was left")
        with open(root + "/index.html", "rb") as file:
            equal(file.read().count(b"<tr><td>"), 300, "rows")


@test
def an_index_that_cannot_be_written_is_streamed():
    need_root()
    root = tree({"file%d" % number: b"" for number in range(300)})
    with Server(root, *OPTIONS, "--autoindex-limit", "4k", quiet=False) as server:
        for version in ("1.0", "1.1"):
            with server.connect() as connection:
                response = connection.request("GET", "/", "Connection: close", version=version)
            equal(len(Page(response).names()), 300, "entries")
        check(not os.path.exists(root + "/index.html"), "written")


@test
def eager_walks_the_whole_tree():
    root = owned(tree(dict({"a/b/c/d/x": b"x", "loop": Link("."), "a/up": Link("..")},
                           **{"a/b/big/file%d" % number: b"" for number in range(300)})))
    if AM_ROOT:
        os.chown(root + "/a/b/big", run_uid(), -1)
    with Server(root, *OPTIONS, "--autoindex-eager", "--autoindex-limit", "9k",
                quiet=False) as server:
        wait_for(lambda: "listed 6 folders" in server.errors(), 5, "the end of the walk")
        wait_for(lambda: os.path.exists(root + "/a/b/big/index.html"), 3, "a big folder's index")
        check(not os.path.exists(root + "/a/index.html"), "an index of a small folder")
        equal(listing("/a/b/c/", server).names(), ["d/"], "names")
        server.send_signal(signal.SIGUSR1)
        wait_for(lambda: server.errors().count("folders") == 2, 5, "another walk")


@test
def eager_walks_the_roots_of_hosts():
    root = owned(tree(dict({"a/x": b"", "vhostfile": b"", "vhostone/b/c/d": b"", "VHostOther/x": b"",
                            "vhosttwo": Link("vhostone"), "vhostout": Link("/etc")},
                           **{"vhostbig/e/file%d" % number: b"" for number in range(300)})))
    if AM_ROOT:
        os.chown(root + "/vhostbig/e", run_uid(), -1)
    with Server(root, *OPTIONS, "-H", "--autoindex-eager", "--autoindex-limit", "9k",
                quiet=False) as server:
        # /, a; one, b, c, and that again by its other name; big, e; Other
        wait_for(lambda: "listed 11 folders" in server.errors(), 5, "the end of the walk")
        wait_for(lambda: os.path.exists(root + "/vhostbig/e/index.html"), 3, "the index of a host")
        with server.connect() as connection:
            equal(Page(connection.request("GET", "/b/", host="one")).names(), ["c/"], "names")
        equal(listing("/", server).names(), ["a/"], "names in the default root")
        os.mkdir(root + "/vhostthree")
        server.send_signal(signal.SIGUSR1)
        wait_for(lambda: "listed 12 folders" in server.errors(), 5, "a walk with the new host")


@test
def eager_keeps_no_host_open():
    root = tree({"vhost%d/a/x" % number: b"" for number in range(150)})
    with Server(root, *OPTIONS, "-H", "--autoindex-eager", quiet=False) as server:
        wait_for(lambda: "listed 301 folders" in server.errors(), 10, "the end of the walk")
        count = len(processes.descriptors(server.pid))
        check(count < 100, "%d open files" % count)
        with server.connect() as connection:
            equal(Page(connection.request("GET", "/a/", host="7")).names(), ["x"], "names")


@test
def a_host_in_the_default_root_itself_shows_hosts_to_nobody_else():
    root = tree({"a": b"", "vhostone/b": b"", "vhostall": Link(".")})
    with Server(root, *OPTIONS, "-H") as server:
        def names(host):
            with server.connect() as connection:
                return Page(connection.request("GET", "/", host=host)).names()
        equal(names("all"), ["vhostall/", "vhostone/", "a"], "names for the host")
        equal(names("unknown"), ["a"], "names for others")
        equal(names("all"), ["vhostall/", "vhostone/", "a"], "names for the host, again")


@test
def with_vhost_each_host_lists_its_own():
    root = tree({"a": b"", "vhostone/b": b"", "vhosttwo/c/d": b"", "sub/vhostx": b""})
    with Server(root, *OPTIONS, "-H") as server:
        def names(host, target="/"):
            with server.connect() as connection:
                return Page(connection.request("GET", target, host=host)).names()
        equal(names("unknown"), ["sub/", "a"], "the default host")
        equal(names("one"), ["b"], "the first host")
        equal(names("two"), ["c/"], "the second host")
        equal(names("two", "/c/"), ["d"], "a folder of the second host")
        equal(names("unknown", "/sub/"), ["vhostx"], "further below a name is a name")


@test
def other_methods_are_as_without():
    for method, status in (("POST", 405), ("DELETE", 405), ("OPTIONS", 204)):
        equal(site.request(method, "/sub/").status, status, "status of " + method)


@test
def bad_sizes_are_refused():
    for value in ("-1", "x", "1x", "", "99999999999999999999g"):
        status, _, errors = run("-i", "--autoindex-cache=" + value, "-R", "/", "-q", "-t")
        equal(status, 2, "status for %r" % value)
        check("is not a size" in errors, "message: " + errors)


if __name__ == "__main__":
    main()
