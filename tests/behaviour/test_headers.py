#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Response fields: Date, Server, Content-Type, charset, nosniff, Content-Length; error pages."""
import email.utils
import html.parser
import re
import time

from harness import *

TEXT_TYPES = {"page.html": "text/html", "page.htm": "text/html", "PAGE.HTML": "text/html",
              "notes.txt": "text/plain", "style.css": "text/css", "a.b.c.html": "text/html",
              "table.csv": "text/csv"}
BINARY_TYPES = {"image.png": "image/png", "photo.jpg": "image/jpeg", "photo.jpeg": "image/jpeg",
                "move.gif": "image/gif", "modern.webp": "image/webp",
                "paper.pdf": "application/pdf", "clip.mp4": "video/mp4",
                "data.bin": "application/octet-stream", "noextension": "application/octet-stream",
                "strange.qzxyw": "application/octet-stream"}
SEVERAL_TYPES = {"data.json": ("application/json",), "drawing.svg": ("image/svg+xml",),
                 "program.js": ("text/javascript", "application/javascript"),
                 "feed.xml": ("text/xml", "application/xml"),
                 "font.woff2": ("font/woff2", "application/font-woff2"),
                 "module.wasm": ("application/wasm",), "a.tar": ("application/x-tar",),
                 "a.zip": ("application/zip",),
                 "package.deb": ("application/vnd.debian.binary-package",
                                 "application/x-debian-package", "application/octet-stream"),
                 "image.iso": ("application/x-iso9660-image", "application/vnd.efi.iso",
                               "application/octet-stream"),
                 "a.tar.gz": ("application/gzip", "application/x-gzip", "application/octet-stream"),
                 "a.tar.xz": ("application/x-xz", "application/octet-stream")}
CONTENT = {name: b"content\n" for table in (TEXT_TYPES, BINARY_TYPES, SEVERAL_TYPES)
           for name in table}
site = Server({**CONTENT, "folder": None, "index.html": b"index\n"})


def media_type(name):
    value = site.get("/" + name).get("Content-Type") or ""
    kind, _, parameters = value.partition(";")
    return kind, parameters.strip()


@test
def date_is_now_in_the_fixed_format():
    for method, target in (("GET", "/data.bin"), ("HEAD", "/data.bin"), ("GET", "/missing"),
                           ("GET", "/folder"), ("POST", "/data.bin"), ("GET", "/folder/"),
                           ("OPTIONS", "/")):
        response = site.request(method, target)
        value = response.get("Date") or ""
        check(DATE.fullmatch(value), "Date of %s %s is '%s'" % (method, target, value))
        moment = email.utils.parsedate_to_datetime(value)
        check(abs(moment.timestamp() - time.time()) <= patience(2), "Date is %s" % value)
        equal(email.utils.format_datetime(moment, usegmt=True), value, "day of the week of Date")


@test
def date_moves_on():
    first = site.get("/data.bin").get("Date")
    wait_for(lambda: site.get("/data.bin").get("Date") != first, 2.5, "another Date", 0.05)


@test
def server_names_the_program_on_each_answer():
    for method, target in (("GET", "/data.bin"), ("GET", "/missing"), ("POST", "/data.bin")):
        value = site.request(method, target).get("Server") or ""
        check(re.fullmatch(r"l(op)?httpd(/[0-9A-Za-z.-]+)?", value),
              "Server of %s %s is '%s'" % (method, target, value))


@test
def text_has_its_type_and_a_charset():
    for name, kind in TEXT_TYPES.items():
        actual, parameters = media_type(name)
        equal(actual, kind, "type of " + name)
        equal(parameters.lower(), "charset=utf-8", "parameters of " + name)


@test
def binary_types_have_no_charset():
    for name, kind in BINARY_TYPES.items():
        equal(media_type(name), (kind, ""), "type of " + name)


@test
def types_of_common_formats():
    for name, kinds in SEVERAL_TYPES.items():
        within(media_type(name)[0], kinds, "type of " + name)


@test
def no_content_encoding_is_claimed():
    for name in ("a.tar.gz", "a.tar.xz"):
        equal(site.get("/" + name).get("Content-Encoding"), None, "Content-Encoding of " + name)


@test
def nosniff_is_on_each_answer_with_content():
    for method, target, field in (("GET", "/page.html", "X: y"),
                                  ("GET", "/data.bin", "Range: bytes=0-1"),
                                  ("HEAD", "/data.bin", "X: y"), ("GET", "/missing", "X: y"),
                                  ("GET", "/folder/", "X: y")):
        response = site.request(method, target, field)
        equal(response.get("X-Content-Type-Options"), "nosniff", "%s %s" % (method, target))


@test
def content_length_is_exact_everywhere():
    for method, target in (("GET", "/data.bin"), ("HEAD", "/data.bin"), ("GET", "/missing"),
                           ("GET", "/folder"), ("GET", "/folder/"), ("POST", "/data.bin"),
                           ("HEAD", "/missing")):
        response = site.request(method, target)
        check(response.get("Content-Length") is not None,
              "no Content-Length for %s %s" % (method, target))
        if method != "HEAD":
            equal(int(response.get("Content-Length")), len(response.body),
                  "%s %s" % (method, target))
        else:
            equal(response.get("Content-Length"), site.get(target).get("Content-Length"),
                  "HEAD " + target)


@test
def error_pages_are_small_and_readable():
    for method, target, status, reason in (
            ("GET", "/missing", 404, "Not Found"), ("GET", "/folder/", 403, "Forbidden"),
            ("POST", "/data.bin", 405, "Method Not Allowed"), ("BREW", "/", 501, "Not Implemented"),
            ("GET", "/%00", 400, "Bad Request")):
        response = site.request(method, target)
        equal((response.status, response.reason), (status, reason),
              "status line of %s %s" % (method, target))
        within((response.get("Content-Type") or "").replace(" ", "").lower(),
               ("text/html;charset=utf-8", "text/plain;charset=utf-8"),
               "Content-Type of %d" % status)
        check(str(status).encode() in response.body and reason.encode() in response.body,
              "the page does not say what happened: " + short(response.body))
        check(20 < len(response.body) < 2048, "the page has %d bytes" % len(response.body))
        if response.get("Content-Type").startswith("text/html"):
            html.parser.HTMLParser().feed(response.body.decode("utf-8"))
            check(b"<title>" in response.body, "the page has no title")


@test
def error_pages_echo_no_markup():
    for target in ("/<script>alert(1)</script>", "/%3Cscript%3Ealert(1)%3C/script%3E",
                   "/\"onload=x", "/x?<script>"):
        for field in ("X: y", "Referer: http://<script>/", "Host: <script>"):
            host = None if field.startswith("Host") else "x"
            for response in site.exchange(make_request("GET", target, field, "Connection: close",
                                                       host=host)):
                check(b"<script" not in response.body.lower(),
                      "the page of %s holds a script" % target)
                check(b"<script" not in response.head.lower(),
                      "the head of %s holds a script" % target)


@test
def errors_must_not_be_cached_as_the_file():
    for target in ("/missing", "/folder/"):
        response = site.get(target)
        equal(response.get("ETag"), None, "ETag of " + target)
        equal(response.get("Last-Modified"), None, "Last-Modified of " + target)


@test
def nothing_of_the_request_can_add_a_field():
    for target in ("/folder%0d%0aX-Evil:%20yes", "/folder%0aX-Evil:yes",
                   "/folder?x%0d%0aX-Evil:yes", "/%0d%0aX-Evil:yes/..", "/folder?%0d%0aX-Evil:yes"):
        response = site.get(target)
        equal(response.get("X-Evil"), None, "the field from " + target)


@test
def own_mime_types_can_be_given():
    table = tree({"mime.types": b"# comment\ntext/x-special\tspecial sp2\n"
                                b"application/x-foo  html\n"})
    with Server({"a.special": b"x", "a.html": b"x"}, "--mime-types",
                table + "/mime.types") as server:
        value = server.get("/a.special").get("Content-Type") or ""
        equal(value.split(";")[0], "text/x-special", "type of a.special")
        check("charset=" in value.lower(), "a text type without a charset: " + value)
        equal(server.get("/a.html").get("Content-Type"), "application/x-foo", "type of a.html")


if __name__ == "__main__":
    main()
