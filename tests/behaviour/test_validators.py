#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""ETag and Last-Modified, and the conditional requests of RFC 9110 section 13 in their order."""
import email.utils
import itertools
import os
import re
import signal
import time

from harness import *

MODIFIED = 1700000000  # a fixed time, long ago
A = pattern(1000)
site = Server({"a.bin": A, "index.html": b"index\n", "folder/index.html": b"inner\n"})


def date(moment):
    return email.utils.formatdate(moment, usegmt=True)


def aged(name="a.bin"):
    """The path of a file whose modification time is MODIFIED; the server knows it."""
    path = site.path(name)
    os.utime(path, (MODIFIED, MODIFIED))
    wait_for(lambda: site.get("/" + name).get("Last-Modified") == date(MODIFIED), 2, "the new time")
    return path


def validators(name="a.bin"):
    aged(name)
    return site.get("/" + name).get("ETag")


def status(*fields, method="GET", target="/a.bin"):
    return site.request(method, target, *fields).status


@test
def etag_is_strong_and_stable():
    first, second = site.get("/a.bin").get("ETag"), site.get("/a.bin").get("ETag")
    check(first and re.fullmatch(r'"[\x21\x23-\x7e]+"', first), "not a strong ETag: %s" % first)
    equal(second, first, "ETag of the second request")
    equal(site.request("HEAD", "/a.bin").get("ETag"), first, "ETag of HEAD")
    equal(site.get("/a.bin", "Range: bytes=0-1").get("ETag"), first, "ETag of a 206")
    check(site.get("/index.html").get("ETag") != first, "two files have one ETag")


@test
def last_modified_is_the_time_of_the_file():
    aged()
    equal(site.get("/a.bin").get("Last-Modified"), date(MODIFIED), "Last-Modified")


@test
def last_modified_is_never_later_than_the_date():
    path = site.path("future.txt")
    replace(path, b"x")
    os.utime(path, (time.time() + 86400, time.time() + 86400))
    response = site.get("/future.txt")
    equal(response.status, 200, "status")
    stamp = response.get("Last-Modified")
    if stamp:
        modified, now = map(email.utils.parsedate_to_datetime, (stamp, response.get("Date")))
        check(modified <= now, "Last-Modified %s lies in the future" % stamp)


def changes_etag(change):
    """change(path) must give the file another ETag, within the second that freshness allows."""
    path = site.path("changing.txt")
    replace(path, b"0123456789")
    site.send_signal(signal.SIGUSR1)     # a miss of an earlier test is forgotten
    before = wait_for(lambda: site.get("/changing.txt").get("ETag"), 2, "an ETag")
    time.sleep(0.01)  # a tick of the file system's clock
    change(path)
    wait_for(lambda: site.get("/changing.txt").get("ETag") != before, 1.5, "another ETag")


@test
def etag_changes_with_the_size():
    def append(path):
        stamp = os.stat(path)
        with open(path, "ab") as file:
            file.write(b"x")
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    changes_etag(append)


@test
def etag_changes_with_a_nanosecond_of_mtime():
    def touch(path):
        os.utime(path, ns=(0, os.stat(path).st_mtime_ns + 1))
    changes_etag(touch)


@test
def etag_changes_with_the_content_though_size_and_mtime_are_put_back():
    def rewrite(path):
        stamp = os.stat(path)
        with open(path, "r+b") as file:
            file.write(b"abcdefghij")
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    changes_etag(rewrite)


@test
def etag_changes_with_the_inode():
    def exchange(path):
        stamp = os.stat(path)
        with open(path + ".new", "wb") as file:
            file.write(b"abcdefghij")
        os.utime(path + ".new", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        os.rename(path + ".new", path)
    changes_etag(exchange)


@test
def if_none_match_that_matches_is_304():
    etag = validators()
    for value in (etag, "W/" + etag, '"other", ' + etag, etag + ',"other"',
                  '"a" , W/%s ,"b"' % etag, "*", '"with,comma", ' + etag):
        for method in ("GET", "HEAD"):
            equal(status("If-None-Match: " + value, method=method), 304,
                  "%s with %s" % (method, value))
    equal(status('If-None-Match: "other"', "If-None-Match: " + etag), 304,
          "two If-None-Match fields")


@test
def if_none_match_that_does_not_match_is_200():
    etag = validators()
    for value in ('"other"', 'W/"other"', '"a", "b"', etag[:-1] + 'x"', etag.strip('"'),
                  '"' + etag + '"', 'w/' + etag, '""', etag[:-1], "", '"*"'):
        equal(status("If-None-Match: " + value), 200, "status with " + value)


@test
def a_304_has_the_validators_and_no_body():
    etag = validators()
    with site.connect() as connection:
        whole = connection.get("/a.bin")
        response = connection.get("/a.bin", "If-None-Match: " + etag)
        equal(response.status, 304, "status")
        equal(response.get("ETag"), etag, "ETag")
        check(response.get("Date"), "a 304 without Date")
        within(response.get("Last-Modified"), (None, whole.get("Last-Modified")), "Last-Modified")
        within(response.get("Content-Length"), (None, "1000"), "Content-Length of a 304")
        equal(connection.get("/a.bin").body, A, "answer after the 304")


@test
def if_modified_since_compares_with_the_date():
    aged()
    for moment, expected in ((MODIFIED, 304), (MODIFIED - 1, 200), (MODIFIED + 1, 304), (0, 200)):
        equal(status("If-Modified-Since: " + date(moment)), expected, "status with " + date(moment))
        equal(status("If-Modified-Since: " + date(moment), method="HEAD"), expected,
              "HEAD with " + date(moment))


@test
def all_three_date_formats_are_understood():
    aged()
    for form in ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"):
        text = time.strftime(form, time.gmtime(MODIFIED))
        equal(status("If-Modified-Since: " + text), 304, "status with " + text)
        text = time.strftime(form, time.gmtime(MODIFIED - 3600))
        equal(status("If-Modified-Since: " + text), 200, "status with " + text)


@test
def a_date_that_is_none_is_ignored():
    aged()
    for text in ("", "yesterday", "0", "Tue, 14 Nov 2023", "Tue, 32 Nov 2033 00:00:00 GMT", "*",
                 '"etag"', "Tue, 14 Foo 2033 00:00:00 GMT", "Tue, 14 Nov 2033 25:00:00 GMT",
                 "9" * 30, "Tue, 14 Nov 99999 00:00:00 GMT", "Tue, 14 Nov 2033 00:00:00 GMT x"):
        equal(status("If-Modified-Since: " + text), 200, "If-Modified-Since: " + text)
        equal(status("If-Unmodified-Since: " + text), 200, "If-Unmodified-Since: " + text)


@test
def if_match_that_fails_is_412():
    etag = validators()
    for value in ('"other"', "W/" + etag, '"a", "b"', etag.strip('"')):
        equal(status("If-Match: " + value), 412, "status with " + value)
    equal(status('If-Match: "other"', method="HEAD"), 412, "HEAD")


@test
def if_match_that_matches_is_200():
    etag = validators()
    for value in (etag, "*", '"other", ' + etag, 'W/%s, %s' % (etag, etag)):
        equal(status("If-Match: " + value), 200, "status with " + value)


@test
def if_unmodified_since_compares_with_the_date():
    aged()
    for moment, expected in ((MODIFIED, 200), (MODIFIED - 1, 412), (MODIFIED + 1, 200)):
        equal(status("If-Unmodified-Since: " + date(moment)), expected,
              "status with " + date(moment))


@test
def the_order_of_preconditions():
    """Each combination of the four, against the order of RFC 9110 section 13.2.2."""
    etag = validators()
    choices = ((None, etag, '"other"'), (None, date(MODIFIED), date(MODIFIED - 1)),
               (None, etag, '"other"'), (None, date(MODIFIED), date(MODIFIED - 1)))
    with site.connect() as connection:
        for match, unmodified, none_match, modified in itertools.product(*choices):
            expected = 200
            if match == '"other"' or (match is None and unmodified == date(MODIFIED - 1)):
                expected = 412
            elif none_match is not None:
                expected = 304 if none_match == etag else 200
            elif modified is not None:
                expected = 304 if modified == date(MODIFIED) else 200
            fields = ["%s: %s" % (name, value) for name, value in (
                ("If-Modified-Since", modified), ("If-None-Match", none_match),
                ("If-Unmodified-Since", unmodified), ("If-Match", match)) if value]
            for order in (fields, fields[::-1]):
                equal(connection.get("/a.bin", *order).status, expected,
                      "status with " + "; ".join(order))


@test
def preconditions_do_not_matter_when_the_answer_is_an_error():
    for fields in (['If-None-Match: *'], ['If-Match: "x"'],
                   ["If-Modified-Since: " + date(time.time())]):
        equal(status(*fields, target="/missing"), 404, "status with %s" % fields)
        equal(status(*fields, method="POST"), 405, "POST with %s" % fields)
        equal(status(*fields, target="/folder"), 301, "redirect with %s" % fields)


@test
def the_index_of_a_folder_has_validators():
    response = site.get("/folder/")
    equal(status("If-None-Match: " + response.get("ETag"), target="/folder/"), 304, "status")


RANGE = "Range: bytes=10-19"


@test
def if_range_with_the_current_validator_is_206():
    etag = validators()
    for value in (etag, date(MODIFIED)):
        response = site.get("/a.bin", RANGE, "If-Range: " + value)
        equal((response.status, response.body), (206, A[10:20]), "answer with " + value)


@test
def if_range_with_another_validator_is_200():
    etag = validators()
    for value in ('"other"', "W/" + etag, date(MODIFIED - 1), date(MODIFIED + 1), "x", "", "*",
                  "%s, %s" % (etag, etag)):
        response = site.get("/a.bin", RANGE, "If-Range: " + value)
        equal((response.status, response.body), (200, A), "answer with " + value)


@test
def if_range_that_fails_hides_an_unsatisfiable_range():
    validators()
    equal(status("Range: bytes=5000-", 'If-Range: "other"'), 200, "status")
    equal(status("Range: bytes=5000-"), 416, "status without If-Range")


@test
def if_range_without_range_means_nothing():
    validators()
    equal(status('If-Range: "other"'), 200, "status")


@test
def if_range_with_a_date_is_no_strong_validator_for_a_file_that_has_just_changed():
    replace(site.path("young.bin"), A)
    response = site.get("/young.bin")
    answer = site.get("/young.bin", RANGE, "If-Range: " + response.get("Last-Modified"))
    within(answer.status, (200, 206), "status")
    equal(answer.body, A if answer.status == 200 else A[10:20], "body")


@test
def preconditions_come_before_the_range():
    etag = validators()
    equal(status(RANGE, "If-None-Match: " + etag), 304, "If-None-Match and Range")
    equal(status(RANGE, 'If-Match: "other"'), 412, "If-Match and Range")
    equal(status(RANGE, 'If-None-Match: "other"'), 206, "If-None-Match that passes, and Range")
    equal(status("Range: bytes=5000-", "If-None-Match: " + etag), 304,
          "an unsatisfiable range of a 304")


if __name__ == "__main__":
    main()
