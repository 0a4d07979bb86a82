#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Ranges: single, suffix, open, multiple (multipart/byteranges), and sets that are not worth it."""
import random
import re

from harness import *

A = pattern(1000)
BIG = pattern(9 << 20, 7)
site = Server({"a.bin": A, "a.html": b"<p>0123456789", "big.iso": BIG, "empty": b"", "one": b"x"})


def ranged(value, target="/a.bin", *fields):
    return site.get(target, "Range: " + value, *fields)


def parts_of(response):
    """Parse multipart/byteranges strictly: [(first, last, size, type, content)]."""
    equal(response.status, 206, "status")
    match = re.fullmatch(r'multipart/byteranges; ?boundary=("?)([0-9A-Za-z\'()+_,./:=?-]{1,70})\1',
                         response.get("Content-Type") or "")
    check(match, "Content-Type: %s" % response.get("Content-Type"))
    equal(response.get("Content-Range"), None, "Content-Range of a multipart")
    equal(int(response.get("Content-Length")), len(response.body), "Content-Length")
    mark = b"--" + match[2].encode()
    rest, found = response.body, []
    if rest.startswith(b"\r\n"):
        rest = rest[2:]
    while True:
        check(rest.startswith(mark), "no boundary where it should be: " + short(rest[:100]))
        rest = rest[len(mark):]
        if rest.startswith(b"--"):
            within(rest[2:], (b"", b"\r\n"), "what follows the last boundary")
            return found
        check(rest.startswith(b"\r\n"), "junk after a boundary: " + short(rest[:40]))
        head, separator, rest = rest[2:].partition(b"\r\n\r\n")
        check(separator, "a part without the end of its head")
        fields = dict(line.split(": ", 1) for line in head.decode("ascii").split("\r\n"))
        equal(sorted(name.lower() for name in fields), ["content-range", "content-type"],
              "fields of a part")
        values = {name.lower(): value for name, value in fields.items()}
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", values["content-range"])
        check(match, "bad Content-Range in a part: " + values["content-range"])
        first, last, size = map(int, match.groups())
        found.append((first, last, size, values["content-type"], rest[:last - first + 1]))
        check(rest[last - first + 1:last - first + 3] == b"\r\n", "a part does not end in CRLF")
        rest = rest[last - first + 3:]


@test
def a_200_offers_ranges():
    for target in ("/a.bin", "/big.iso", "/a.html"):
        equal(site.get(target).get("Accept-Ranges"), "bytes", "Accept-Ranges of " + target)


@test
def single_ranges():
    for value, first, last in (("0-0", 0, 0), ("0-9", 0, 9), ("10-19", 10, 19),
                               ("999-999", 999, 999), ("0-999", 0, 999), ("0-", 0, 999),
                               ("990-", 990, 999), ("999-", 999, 999), ("-1", 999, 999),
                               ("-10", 990, 999), ("-1000", 0, 999), ("-5000", 0, 999),
                               ("500-5000", 500, 999), ("0-1000", 0, 999), ("007-0008", 7, 8)):
        response = ranged("bytes=" + value)
        equal(response.status, 206, "status of " + value)
        equal(response.get("Content-Range"), "bytes %d-%d/1000" % (first, last),
              "Content-Range of " + value)
        equal(response.get("Content-Length"), str(last - first + 1), "Content-Length of " + value)
        equal(response.body, A[first:last + 1], "body of " + value)


@test
def a_206_has_the_fields_of_the_200():
    whole, part = site.get("/a.html"), ranged("bytes=1-2", "/a.html")
    for name in ("Content-Type", "ETag", "Last-Modified", "X-Content-Type-Options"):
        equal(part.get(name), whole.get(name), name)
    check(part.get("Date"), "a 206 without Date")


@test
def ranges_beyond_the_end_are_416_with_the_size():
    for value in ("1000-", "1000-1000", "5000-6000", "-0", "1000-,2000-3000"):
        response = ranged("bytes=" + value)
        equal(response.status, 416, "status of " + value)
        equal(response.get("Content-Range"), "bytes */1000", "Content-Range of " + value)


@test
def an_empty_file_has_no_satisfiable_range():
    for value in ("0-", "0-0", "1-"):
        response = ranged("bytes=" + value, "/empty")
        within(response.status, (416, 200), "status of " + value)
        if response.status == 416:
            equal(response.get("Content-Range"), "bytes */0", "Content-Range")
    within(ranged("bytes=-5", "/empty").status, (416, 200, 206), "status of a suffix")


@test
def a_range_field_that_is_none_is_ignored():
    for value in ("", "bytes", "bytes=", "bytes=a-b", "bytes=5-2", "bytes=--1", "bytes=1-2-3",
                  "bytes=-", "bytes=1", "items=0-1", "bytes:0-1", "0-1", "bytes=0x1-5",
                  "bytes=1-2;3-4", "bytes=+1-2", "bytes=1- 2", "bytes=1.5-3", "bytes=0-1,x",
                  "bytes=0-1,5-2", "bytes =0-1"):
        response = ranged(value)
        equal((response.status, response.body == A), (200, True), "answer with Range: " + value)


@test
def empty_elements_of_the_list_do_not_matter():
    equal(ranged("bytes=0-4,").body, A[:5], "a comma at the end")
    equal(ranged("bytes= 0-4").body in (A[:5], A), True, "a space after the equals sign")
    within(ranged("bytes=,").status, (200, 416), "only a comma")


@test
def the_name_of_the_unit_is_case_insensitive():
    response = ranged("BYTES=0-4")
    within((response.status, response.body), ((206, A[:5]), (200, A)), "answer")


@test
def numbers_beyond_64_bits_do_not_wrap_around():
    for number in (2 ** 31, 2 ** 32, 2 ** 63 - 1, 2 ** 63, 2 ** 64, 2 ** 64 + 5, 10 ** 40):
        response = ranged("bytes=0-%d" % number)
        within((response.status, response.body), ((206, A), (200, A)), "answer to 0-%d" % number)
        within(ranged("bytes=%d-" % number).status, (416, 200), "status of %d-" % number)
        response = ranged("bytes=-%d" % number)
        within((response.status, response.body), ((206, A), (200, A)), "answer to -%d" % number)


@test
def head_ignores_the_range():
    response = site.request("HEAD", "/a.bin", "Range: bytes=0-9")
    equal((response.status, response.get("Content-Length")), (200, "1000"), "answer")


@test
def two_range_fields_are_no_range():
    response = site.get("/a.bin", "Range: bytes=0-1", "Range: bytes=2-3")
    within(response.status, (200, 206, 400), "status")
    if response.status == 206 and response.get("Content-Type").startswith("multipart"):
        equal([part[:2] for part in parts_of(response)], [(0, 1), (2, 3)], "parts")


@test
def several_ranges_are_a_multipart():
    response = ranged("bytes=0-9,100-199,-5")
    equal([part[:3] for part in parts_of(response)], [(0, 9, 1000), (100, 199, 1000),
                                                      (995, 999, 1000)], "parts")
    for first, last, _, kind, content in parts_of(response):
        equal(content, A[first:last + 1], "content of %d-%d" % (first, last))
        equal(kind, site.get("/a.bin").get("Content-Type"), "Content-Type of a part")


@test
def the_list_may_hold_spaces_and_empty_elements():
    parts = parts_of(ranged("bytes=0-1 , 100-101,, \t200-201"))
    equal([part[:2] for part in parts], [(0, 1), (100, 101), (200, 201)], "parts")


@test
def ranges_in_any_order_all_come():
    parts = parts_of(ranged("bytes=500-509,0-9,900-"))
    equal(sorted(part[:2] for part in parts), [(0, 9), (500, 509), (900, 999)], "parts")
    for first, last, _, _, content in parts:
        equal(content, A[first:last + 1], "content of %d-%d" % (first, last))


@test
def only_the_satisfiable_ranges_come():
    response = ranged("bytes=5000-6000,10-19")
    equal((response.status, response.body), (206, A[10:20]), "answer")
    equal(response.get("Content-Range"), "bytes 10-19/1000", "Content-Range")
    equal([part[:2] for part in parts_of(ranged("bytes=0-1,1000-,100-101"))], [(0, 1), (100, 101)],
          "parts")


@test
def overlapping_ranges_are_coalesced():
    for value, first, last in (("0-9,5-14", 0, 14), ("0-99,10-19", 0, 99), ("5-14,0-9", 0, 14),
                               ("10-19,10-19", 10, 19), ("0-,5-", 0, 999), ("-10,-20", 980, 999)):
        response = ranged("bytes=" + value)
        equal(response.status, 206, "status of " + value)
        equal(response.get("Content-Range"), "bytes %d-%d/1000" % (first, last),
              "Content-Range of " + value)
        equal(response.body, A[first:last + 1], "body of " + value)
    parts = parts_of(ranged("bytes=0-9,100-109,105-120"))
    equal([part[:2] for part in parts], [(0, 9), (100, 120)], "parts")


@test
def absurd_sets_are_answered_with_the_whole_file():
    for value in (",".join("%d-%d" % (start, start) for start in range(0, 1000, 2)),
                  ",".join("%d-" % start for start in range(1000)),
                  ",".join(["0-0", "998-998"] * 200)):
        response = site.get("/a.bin", "Range: bytes=" + value[:6000].rsplit(",", 1)[0])
        equal((response.status, response.body == A), (200, True),
              "answer to a set of %d bytes" % len(value))


@test
def no_set_makes_the_answer_much_larger_than_the_file():
    for count in (2, 10, 50, 100, 500):
        for element in ("0-", "-1000", "0-999"):
            response = ranged("bytes=" + ",".join([element] * count))
            within(response.status, (200, 206), "status")
            check(len(response.body) < 4000, "%d times %s makes %d bytes"
                  % (count, element, len(response.body)))


@test
def the_boundary_is_not_in_the_content():
    response = ranged("bytes=0-1,100-101")
    boundary = response.get("Content-Type").partition("boundary=")[2].strip('"').encode()
    replace(site.path("evil.bin"), b"x" * 50 + b"\r\n--" + boundary + b"--\r\n" + b"y" * 50
            + b"z" * 500)
    response = ranged("bytes=0-150,300-310", "/evil.bin")
    equal([part[:2] for part in parts_of(response)], [(0, 150), (300, 310)], "parts")


@test
def multipart_of_a_one_byte_file_and_of_html():
    equal(ranged("bytes=0-0,0-", "/one").body, b"x", "body")
    parts = parts_of(ranged("bytes=0-1,8-9", "/a.html"))
    equal([part[3] for part in parts], [site.get("/a.html").get("Content-Type")] * 2,
          "types of the parts")


@test
def large_parts_come_whole():
    middle = len(BIG) // 2
    response = ranged("bytes=1-3000000,%d-%d,-1000001" % (middle, middle + 2000000), "/big.iso")
    parts = parts_of(response)
    equal(len(parts), 3, "number of parts")
    for first, last, size, _, content in parts:
        equal(size, len(BIG), "size")
        check(content == BIG[first:last + 1], "the content of %d-%d is wrong" % (first, last))


@test
def two_hundred_random_ranges_on_one_connection():
    dice = random.Random(9110)
    with site.connect() as connection:
        for _ in range(200):
            first = dice.randrange(len(BIG))
            last = min(len(BIG) - 1, first + dice.choice((0, 1, 100, 4095, 65536, 200000)))
            response = connection.get("/big.iso", "Range: bytes=%d-%d" % (first, last))
            equal(response.get("Content-Range"), "bytes %d-%d/%d" % (first, last, len(BIG)),
                  "Content-Range")
            check(response.body == BIG[first:last + 1],
                  "the content of %d-%d is wrong" % (first, last))


@test
def a_multipart_leaves_the_connection_in_step():
    with site.connect() as connection:
        request = make_request("GET", "/a.bin", "Range: bytes=0-9,100-109")
        connection.send((request + make_request("GET", "/one")) * 20)
        for _ in range(20):
            equal(len(parts_of(connection.read_response())), 2, "number of parts")
            equal(connection.read_response().body, b"x", "what follows")


@test
def a_range_on_what_is_no_file_is_ignored():
    equal(ranged("bytes=0-1", "/missing").status, 404, "status of a missing file")
    equal(site.request("OPTIONS", "/a.bin", "Range: bytes=0-1").status in (200, 204), True,
          "OPTIONS")


@test
def http_1_0_may_ask_for_a_range():
    [response] = site.exchange(make_request("GET", "/a.bin", "Range: bytes=0-9", version="1.0"))
    within((response.status, response.body), ((206, A[:10]), (200, A)), "answer")


if __name__ == "__main__":
    main()
