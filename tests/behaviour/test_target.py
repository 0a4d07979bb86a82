#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The request target: decoded once, dot segments, what is refused, redirects that stay at home."""
import urllib.parse

from harness import *

A = b"alpha\n"
site = Server({
    "index.html": b"index\n", "a.txt": A, "sp ace.txt": b"space\n", "a+b": b"plus\n",
    "100%.txt": b"percent\n", "a%20b": b"literally a, percent, 20, b\n", "q?m.txt": b"question\n",
    "h#sh.txt": b"hash\n",
    "\u00fcml\u00e4ut.txt": b"umlaut\n", "semi;colon": b"semicolon\n", "~user": b"tilde\n",
    "a:b": b"colon\n", "...": b"three dots\n", "..a": b"dots a\n", "a..": b"a dots\n",
    ".hidden": b"hidden\n", "back\\slash": b"backslash\n", "folder/index.html": b"inner\n",
    "folder/b.txt": b"beta\n", "folder/deep/c.txt": b"gamma\n", "sp ace/index.html": b"x",
    "http:/index.html": b"x", "a?b/index.html": b"x", "%41/index.html": b"literal percent\n",
    "\u00fc/index.html": b"x", "evil.invalid/index.html": b"x", "\\evil.invalid/index.html": b"x",
    "evil.invalid/sub/index.html": b"x", "a&b<c>/index.html": b"x",
})
CLIMBS = ["/..", "/../", "/../a.txt", "/folder/../../a.txt", "/folder/deep/../../../a.txt",
          "/%2e%2e/a.txt", "/.%2e/a.txt", "/%2E./a.txt", "/./../a.txt",
          "/folder/%2e%2e/%2e%2e/a.txt", "/..?x", "//../a.txt", "/folder/..//../../a.txt",
          "/a.txt/../../a.txt"]


def body(target):
    response = site.get(target)
    return response.body if response.status == 200 else response.status


@test
def names_are_percent_decoded():
    for target, content in (("/%61.txt", A), ("/%61%2e%74%78%74", A), ("/%61%2E%74xt", A),
                            ("/sp%20ace.txt", b"space\n"), ("/100%25.txt", b"percent\n"),
                            ("/q%3Fm.txt", b"question\n"), ("/h%23sh.txt", b"hash\n"),
                            ("/%c3%bcml%C3%A4ut.txt", b"umlaut\n"), ("/%7Euser", b"tilde\n"),
                            ("/~user", b"tilde\n"), ("/semi;colon", b"semicolon\n"),
                            ("/semi%3bcolon", b"semicolon\n"), ("/a:b", b"colon\n"),
                            ("/a%3Ab", b"colon\n")):
        equal(body(target), content, "body of " + target)


@test
def names_are_decoded_once():
    equal(body("/a%2520b"), b"literally a, percent, 20, b\n", "body of /a%2520b")
    for target in ("/%2561.txt", "/sp%2520ace.txt", "/%25%36%31.txt", "/%252e%252e/a.txt",
                   "/folder%252fb.txt"):
        equal(site.get(target).status, 404, "status of " + target)


@test
def a_plus_is_a_plus():
    equal(body("/a+b"), b"plus\n", "body of /a+b")
    equal(site.get("/sp+ace.txt").status, 404, "status of /sp+ace.txt")


@test
def the_query_does_not_choose_the_file():
    for target in ("/a.txt?", "/a.txt?x=y", "/a.txt?/../..", "/a.txt?%00", "/a.txt?a?b",
                   "/a.txt?%zz", "/a.txt?a%2Fb", "/a.txt?" + "q" * 2000):
        equal(body(target), A, "body of " + target[:40])
    equal(body("/?/a.txt"), b"index\n", "body of /?/a.txt")


@test
def names_with_dots_are_names():
    for target, content in (("/...", b"three dots\n"), ("/..a", b"dots a\n"), ("/a..", b"a dots\n"),
                            ("/%2e%2e%2e", b"three dots\n")):
        equal(body(target), content, "body of " + target)


@test
def dot_segments_inside_the_root_are_removed():
    for target, content in (("/./a.txt", A), ("/folder/../a.txt", A),
                            ("/folder/./b.txt", b"beta\n"), ("/folder/deep/../b.txt", b"beta\n"),
                            ("/folder/deep/../../a.txt", A), ("/folder/%2e%2e/a.txt", A),
                            ("/folder/%2E/b.txt", b"beta\n"), ("/missing/../a.txt", A),
                            ("/folder/deep/..", b"inner\n"), ("/folder/.", b"inner\n")):
        response = site.get(target)
        if response.status == 301:  # to the path without dots: as good
            target = urllib.parse.urljoin("http://x" + target, response.get("Location"))[8:]
            response = site.get(target)
        equal((response.status, response.body), (200, content), "answer to " + target)


@test
def climbing_above_the_root_is_400():
    for target in CLIMBS:
        equal(site.get(target).status, 400, "status of " + target)


@test
def an_encoded_nul_is_400():
    for target in ("/a.txt%00", "/%00", "/a%00.txt"):
        equal(site.get(target).status, 400, "status of " + target)


@test
def encoded_control_bytes_are_part_of_a_name():
    names = {byte: b"control-%c-" % byte for byte in [*range(1, 0x20), 0x7f]}
    grow(site.running().root, {name: name for name in names.values()})
    for byte, name in names.items():
        response = site.get("/control-%%%02x-" % byte)
        equal((response.status, response.body), (200, name), "answer for byte 0x%02x" % byte)
        equal(site.get("/a.txt%%%02X" % byte).status, 404, "status of a missing name")


@test
def raw_control_bytes_are_400():
    for byte in [*range(0x20), 0x7f]:
        data = b"GET /a.txt%c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % byte
        answers = site.exchange(data)
        equal([answer.status for answer in answers], [400], "statuses for a raw 0x%02x" % byte)


@test
def bad_percent_encodings_are_400():
    for target in ("/%", "/%4", "/%zz", "/%G0", "/%0g", "/a%", "/a.txt%2", "/%%41", "/% 41",
                   "/%u0041", "/%+1", "/%-1", "/%0x41", "/a%.txt"):
        answers = site.exchange(make_request("GET", target, "Connection: close"))
        equal([answer.status for answer in answers], [400], "statuses for " + target)


@test
def an_encoded_slash_separates_nothing():
    for target in ("/folder%2fb.txt", "/folder%2Fb.txt", "/%2fa.txt", "/%2Fetc%2Fpasswd",
                   "/folder/..%2fa.txt", "/..%2f..%2fa.txt", "%2fa.txt"):
        within(site.get(target).status, (400, 404), "status of " + target)


@test
def overlong_utf_8_is_no_dot_and_no_slash():
    for target in ("/%c0%ae%c0%ae/a.txt", "/folder/%c0%ae%c0%ae/a.txt", "/folder%c0%afb.txt",
                   "/%e0%80%ae./a.txt", "/%c0%2e%c0%2e/a.txt", "/%f0%80%80%ae%f0%80%80%ae/",
                   "/folder/%ef%bc%8e%ef%bc%8e/a.txt", "/folder%e0%80%afb.txt", "/%c1%9c..",
                   "/%c0%80"):
        within(site.get(target).status, (400, 404), "status of " + target)


@test
def a_backslash_is_no_slash():
    for target in ("/folder\\b.txt", "/folder%5cb.txt", "/..\\a.txt", "/..%5ca.txt",
                   "/folder/..\\..\\a.txt", "\\a.txt", "/folder\\..\\a.txt"):
        within(site.get(target).status, (400, 404), "status of " + target)
    within(body("/back%5cslash"), (b"backslash\n", 400, 404), "a name with a backslash")


@test
def several_slashes_never_lead_elsewhere():
    for target in ("//a.txt", "/folder//b.txt", "///a.txt", "/folder///deep//c.txt",
                   "//folder/b.txt"):
        response = site.get(target)
        within(response.status, (200, 301, 400, 404), "status of " + target)
        if response.status == 301:
            check(not response.get("Location").startswith("//"),
                  "open redirect: " + response.get("Location"))
        if response.status == 200:
            within(response.body, (A, b"beta\n", b"gamma\n"), "body of " + target)


@test
def absolute_form_is_understood():
    for target in ("http://test.invalid/a.txt", "HTTP://test.invalid/a.txt",
                   "http://test.invalid:80/a.txt", "http://[::1]:8080/a.txt",
                   "http://test.invalid/%61.txt?x"):
        equal(body(target), A, "body of " + target)
    for target in ("http://test.invalid", "http://test.invalid/", "http://test.invalid?x"):
        equal(body(target), b"index\n", "body of " + target)


@test
def absolute_form_wins_over_host():
    response = site.request("GET", "http://test.invalid/a.txt", host="other.invalid")
    equal((response.status, response.body), (200, A), "answer")


@test
def strange_absolute_forms_are_400():
    for target in ("http://", "http:///a.txt", "http:/a.txt", "http:a.txt",
                   "ftp://test.invalid/a.txt", "a.txt", "test.invalid:80", "?x", "#", "",
                   "http://us er@x/a.txt", "http://x\\y/a.txt", "://x/",
                   "http://test.invalid:port/a.txt", "http://../a.txt/../.."):
        answers = site.exchange(make_request("GET", target, "Connection: close"))
        equal([answer.status for answer in answers], [400], "statuses for '%s'" % target)


@test
def a_raw_space_in_the_target_is_400():
    for target in ("/sp ace.txt", "/a.txt ", " /a.txt", "/a.txt\tx"):
        answers = site.exchange(make_request("GET", target, "Connection: close"))
        equal([answer.status for answer in answers], [400], "statuses for '%s'" % target)


@test
def raw_bytes_above_ascii_are_a_name_or_400():
    response = site.get("/\u00fcml\u00e4ut.txt".encode())
    within((response.status, response.body if response.status == 200 else None),
           ((200, b"umlaut\n"), (400, None)), "answer")
    within(site.get(b"/\xff\xfe").status, (400, 404), "status of /\\xff\\xfe")


@test
def a_fragment_is_not_part_of_a_request():
    within(site.get("/a.txt#x").status, (400, 404), "status of /a.txt#x")


@test
def a_file_is_no_folder():
    for target in ("/a.txt/", "/a.txt/.", "/a.txt/b", "/a.txt/index.html", "/a.txt//"):
        within(site.get(target).status, (404,), "status of " + target)


@test
def names_are_case_sensitive():
    for target in ("/A.TXT", "/Folder/", "/FOLDER/b.txt"):
        equal(site.get(target).status, 404, "status of " + target)


def redirect(target, **options):
    """The Location of a redirect, after the checks that hold for each of them."""
    response = site.request("GET", target, **options)
    equal(response.status, 301, "status of " + target)
    location = response.get("Location") or ""
    check(location and not location.startswith(("//", "/\\", "\\")),
          "open redirect of %s: %s" % (target, location))
    check(all(0x20 < ord(char) < 0x7f and char not in '"<>\\^`{|}' for char in location),
          "Location of %s is not a URI: %s" % (target, location))
    return location


@test
def a_folder_without_its_slash_is_redirected():
    within(redirect("/folder"), ("/folder/", "folder/"), "Location of /folder")
    within(redirect("/folder/deep"), ("/folder/deep/", "deep/"), "Location of /folder/deep")


@test
def a_redirect_keeps_the_query():
    for query in ("?x=y", "?", "?a=%20b&c=/d", "?//evil.invalid"):
        location = redirect("/folder" + query)
        within(location, ("/folder/" + query, "folder/" + query, "/folder/" + query.rstrip("?")),
               "Location")


@test
def a_redirect_is_encoded_again():
    for target in ("/sp%20ace", "/a%3Fb", "/%2541", "/%c3%bc", "/a&b%3Cc%3E"):
        location = redirect(target)
        base = "http://test.invalid"
        joined = urllib.parse.urljoin(base + target, location)
        equal(site.get(joined[len(base):]).status, 200,
              "status of where %s leads: %s" % (target, location))


@test
def a_redirect_never_leaves_the_host():
    """Browsers read //host and /\\host as another host, and `scheme:` as another scheme."""
    base = "http://test.invalid"
    for target in ("//evil.invalid", "///evil.invalid", "//evil.invalid/sub", "/./evil.invalid",
                   "/.//evil.invalid", "/folder/..//evil.invalid", "/%5cevil.invalid",
                   "/\\evil.invalid", "//evil.invalid/%2e", "/http:", "/folder/../http:",
                   "//evil.invalid/..//evil.invalid", "//%65vil.invalid", "/%2e/evil.invalid",
                   "//evil.invalid/sub/..", "http://test.invalid//evil.invalid",
                   "//evil.invalid/%2e%2e/folder", "//folder", "///folder//deep"):
        response = site.request("GET", target)
        within(response.status, (200, 301, 400, 404), "status of " + target)
        location = response.get("Location")
        if location is None:
            continue
        joined = urllib.parse.urlsplit(urllib.parse.urljoin(base + "/",
                                                            location.replace("\\", "/")))
        if not location.startswith("/"):  # as a browser joins it to what it asked for
            asked = base + urllib.parse.urlsplit(target).path
            joined = urllib.parse.urlsplit(urllib.parse.urljoin(asked, location))
        equal((joined.scheme, joined.netloc), ("http", "test.invalid"),
              "where %s leads (%s)" % (target, location))
        check(not location.startswith(("//", "/\\")), "open redirect of %s: %s"
              % (target, location))


@test
def a_redirect_does_not_trust_the_host_field():
    location = redirect("/folder", host="evil.invalid")
    within(location, ("/folder/", "folder/"), "Location")
    redirect("/folder", version="1.0", host=None)


@test
def the_targets_that_are_refused_do_not_break_the_server():
    for target in CLIMBS + ["/" + "../" * 500, "/" + "a/" * 800, "/" + "%2e" * 700,
                            "/" + "x" * 3000]:
        within(site.get(target).status, (400, 404, 414), "status of " + target[:40])
    equal(body("/a.txt"), A, "body of /a.txt")


if __name__ == "__main__":
    main()
