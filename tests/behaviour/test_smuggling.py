#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Shapes that two parsers could read differently: each is refused with 400, the connection is
closed, and nothing that follows is taken for a request. Each is tried whole and byte by byte."""
from harness import *

SECRET = b"the smuggled request was answered\n"
site = Server({"a.txt": b"alpha\n", "secret.txt": SECRET, "index.html": b"index\n"})
INNER = b"GET /secret.txt HTTP/1.1\r\nHost: inner\r\n\r\n"
START = b"GET /a.txt HTTP/1.1\r\n"
HOST = b"Host: test.invalid\r\n"


def refused(request, allowed=(400,), before=0):
    """The request gets one answer (after `before` good ones), a refusal, and then the end."""
    for slowly in (False, True):
        with site.connect() as connection:
            try:
                if slowly:
                    connection.send_slowly(request + INNER, 1)
                else:
                    connection.send(request + INNER)
            except (BrokenPipeError, ConnectionResetError):
                pass
            answers = split_responses(connection.read_until_close())
        what = "%s, sent %s" % (short(request, 120), "byte by byte" if slowly else "at once")
        check(not any(SECRET in answer.body for answer in answers), "SMUGGLED by " + what)
        equal(len(answers), before + 1, "number of answers to " + what)
        within(answers[-1].status, allowed, "status of " + what)
        check(answers[-1].says_close, "the refusal lacks Connection: close; " + what)


def fields(*lines, start=START, host=HOST):
    """A request with these raw field lines (each without its CRLF)."""
    return start + host + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


CHUNKED = b"Transfer-Encoding: chunked"


@test
def content_length_with_transfer_encoding():
    for lines in ((b"Content-Length: 5", CHUNKED), (CHUNKED, b"Content-Length: 5"),
                  (CHUNKED, b"Content-Length: 0"), (b"Content-Length: %d" % len(INNER), CHUNKED),
                  (b"content-length:5", b"transfer-encoding:chunked"),
                  (CHUNKED, b"X: y", b"Content-Length: 5"),
                  (b"Content-Length: 5", b"Transfer-Encoding: identity")):
        refused(fields(*lines) + b"0\r\n\r\n")


@test
def several_content_lengths():
    for lines in ((b"Content-Length: 5", b"Content-Length: 6"),
                  (b"Content-Length: 0", b"Content-Length: 5"),
                  (b"Content-Length: 5", b"Content-Length: 5"), (b"Content-Length: 5, 5",),
                  (b"Content-Length: 5,6",), (b"Content-Length: 0", b"content-length: 0"),
                  (b"Content-Length: 5", b"X: y", b"Content-Length: 5")):
        refused(fields(*lines) + b"hello")


@test
def content_lengths_that_are_no_number():
    for value in (b"", b" ", b"+5", b"-5", b"-0", b"0x5", b"5a", b"a", b"5 5", b"5;x", b"5.0",
                  b"5e0", b'"5"', b"\xb2", b"5,", b",5", b"5\x0b", b"1_0", b"\xd9\xa5"):
        refused(fields(b"Content-Length: " + value) + b"hello")


@test
def content_lengths_that_overflow():
    for value in (b"18446744073709551616", b"18446744073709551621", b"4294967296000000000000000",
                  b"9" * 400):
        refused(fields(b"Content-Length: " + value) + b"hello", (400, 413))


@test
def transfer_encodings_other_than_chunked():
    for value in (b"identity", b"xchunked", b"chunkedx", b"chunked, identity", b"chunked, chunked",
                  b"gzip", b"chunked;q=1", b"chunked chunked", b'"chunked"', b"", b"\x0bchunked",
                  b"chunked\x00", b"cow", b"chunked\x0b", b"identity, identity",
                  b"chun\xc3\xabked"):
        refused(fields(b"Transfer-Encoding: " + value) + b"0\r\n\r\n", (400, 501))
    refused(fields(b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n", (400, 501))


@test
def several_transfer_encodings():
    for lines in ((CHUNKED, CHUNKED), (CHUNKED, b"Transfer-Encoding: identity"),
                  (b"Transfer-Encoding: identity", CHUNKED), (CHUNKED, b"Transfer-Encoding: cow")):
        refused(fields(*lines) + b"0\r\n\r\n", (400, 501))


@test
def transfer_encoding_with_http_1_0():
    start = b"GET /a.txt HTTP/1.0\r\n"
    refused(fields(CHUNKED, start=start) + b"0\r\n\r\n")
    refused(fields(CHUNKED, b"Connection: keep-alive", start=start) + b"0\r\n\r\n")
    refused(fields(CHUNKED, b"Content-Length: 5", b"Connection: keep-alive", start=start)
            + b"0\r\n\r\n")


@test
def transfer_encoding_in_other_case_is_still_chunked():
    for line in (b"transfer-encoding: CHUNKED", b"TRANSFER-ENCODING:\t Chunked \t"):
        with site.connect() as connection:
            connection.send(fields(line) + b"0\r\n\r\n"
                            + make_request("GET", "/", "Connection: close"))
            answers = split_responses(connection.read_until_close())
        equal([answer.body for answer in answers], [b"alpha\n", b"index\n"],
              "bodies with %s" % line)


@test
def bad_chunk_sizes():
    for size in (b"", b"g", b"5g", b"-5", b"+5", b"0x5", b" 5", b"5 ", b"5\t", b"\x0b5", b"5\x00",
                 b"-1", b"FFFFFFFFFFFFFFFFF", b"10000000000000005", b"8000000000000000", b"5,5",
                 b"\xb2", b"five", b"5:"):
        refused(fields(CHUNKED) + size + b"\r\nhello\r\n0\r\n\r\n", (400, 413))


@test
def bad_chunk_framing():
    for body in (b"5\nhello\r\n0\r\n\r\n", b"5\rhello\r\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n",
                 b"5\r\nhello\n0\r\n\r\n", b"5\r\nhelloworld\r\n0\r\n\r\n",
                 b"5\r\nhello\r\r\n0\r\n\r\n", b"5\r\nhell\r\n0\r\n\r\n",
                 b"5\r\nhello\r\n\r\n0\r\n\r\n", b"0\n\n", b"0\r\n\n", b"0\n\r\n", b"0\r\n\rx",
                 b"\r\n0\r\n\r\n"):
        refused(fields(CHUNKED) + body)


@test
def bad_chunk_extensions():
    for body in (b"5;a\nb\r\nhello\r\n0\r\n\r\n", b"5;a\rb\r\nhello\r\n0\r\n\r\n",
                 b"5;a\x00\r\nhello\r\n0\r\n\r\n", b"5 a\r\nhello\r\n0\r\n\r\n", b"0;a\n\r\n\r\n"):
        refused(fields(CHUNKED) + body)


@test
def bad_trailers():
    for trailer in (b"X : y\r\n", b" X: y\r\n", b"X\r\n", b"X: y\nZ: z\r\n", b"X: y\rz\r\n",
                    b": y\r\n", b"X: \x00\r\n", b"X: y\r\n folded\r\n"):
        refused(fields(CHUNKED) + b"5\r\nhello\r\n0\r\n" + trailer + b"\r\n")


@test
def a_trailer_does_not_change_the_framing():
    for trailer in (b"Content-Length: 50\r\n", b"Transfer-Encoding: chunked\r\n",
                    b"Host: other\r\n"):
        with site.connect() as connection:
            connection.send(fields(CHUNKED) + b"0\r\n" + trailer + b"\r\n"
                            + make_request("GET", "/", "Connection: close"))
            answers = split_responses(connection.read_until_close())
        check(len(answers) in (1, 2), "number of answers")
        if len(answers) == 1:
            equal(answers[0].status, 400, "status")
        else:
            equal(answers[1].body, b"index\n", "the answer after the trailer")


@test
def lines_that_end_in_a_bare_lf():
    refused(b"GET /a.txt HTTP/1.1\nHost: x\n\n")
    refused(b"GET /a.txt HTTP/1.1\nHost: x\r\n\r\n")
    refused(b"GET /a.txt HTTP/1.1\r\nHost: x\n\r\n")
    refused(b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\n")
    refused(b"GET /a.txt HTTP/1.1\r\nX: y\nHost: x\r\n\r\n")
    refused(b"GET /a.txt HTTP/1.1\r\nHost: x\r\nX: y\nContent-Length: 50\r\n\r\n")


@test
def bare_carriage_returns():
    refused(b"GET /a.txt HTTP/1.1\rHost: x\r\r")
    refused(b"GET /a.txt HTTP/1.1\r\rHost: x\r\n\r\n")
    refused(b"GET /a.txt HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n")
    refused(b"GET /a.txt HTTP/1.1\r\nHost: x\r\nX: a\r\r\n\r\n")
    refused(b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\rX: a\r\n\r\n")
    refused(b"GET /a.txt HTTP/1.1\r\nHost: x\r\nX: y\rContent-Length: 50\r\n\r\n")
    refused(b"GET /a.txt\r HTTP/1.1\r\nHost: x\r\n\r\n")
    refused(b"GET\r/a.txt HTTP/1.1\r\nHost: x\r\n\r\n")


@test
def folded_header_lines():
    for lines in ((b"X: y", b" folded"), (b"X: y", b"\tfolded"), (b"Content-Length: 5", b" 0"),
                  (b"X:", b" y"), (b"Transfer-Encoding:", b" chunked"), (b"X: y", b" ")):
        refused(fields(*lines))
    refused(START + b" X: y\r\n" + HOST + b"\r\n")
    refused(START + b"\t\r\n" + HOST + b"\r\n")


@test
def space_before_the_colon():
    for line in (b"Content-Length : 5", b"Transfer-Encoding : chunked", b"X : y", b"X\t: y",
                 b"X  : y", b"X\x0b: y", b"X\x00: y", b"Host : other"):
        refused(fields(line))


@test
def names_of_fields_that_are_no_token():
    for line in (b": y", b"X y: z", b"X(y): z", b"X/y: z", b"X@y: z", b'"X": y', b"X\xe9: y",
                 b"X\x7f: y", b"{X}: y", b"X,Y: z", b"X;Y: z", b"X=Y: z", b"[X]: y", b"X?: y"):
        refused(fields(line))


@test
def lines_without_a_colon():
    for line in (b"X", b"Host", b"GET /secret.txt HTTP/1.1", b"Content-Length 5", b"\x00"):
        refused(fields(line))


@test
def control_bytes_in_values():
    for byte in (*range(9), 11, 12, *range(14, 32), 127):
        refused(fields(b"X: a%cb" % byte))
    refused(fields(b"X: \x00"))


@test
def odd_but_legal_fields_are_accepted():
    for line in (b"X:", b"X: ", b"X:y", b"X:\t y \t", b"X: a:b:c", b"X: \xff\xfe",
                 b"!#$%&'*+-.^_`|~09: y",
                 b"X: a\tb", b"x: " + b"y" * 1000):
        with site.connect() as connection:
            connection.send(fields(line))
            equal(connection.read_response().body, b"alpha\n", "body with %s" % short(line))


@test
def missing_host():
    refused(START + b"\r\n")
    refused(START + b"X: y\r\n\r\n")
    refused(b"GET http://test.invalid/a.txt HTTP/1.1\r\n\r\n")


@test
def several_hosts():
    refused(fields(b"Host: other"))
    refused(fields(b"Host: test.invalid"))
    refused(fields(b"host: test.invalid"))
    refused(fields(b"Host: other", start=b"GET /a.txt HTTP/1.0\r\n"))


@test
def bad_hosts():
    for value in (b"a b", b"a/b", b"a@b", b"user:pw@host", b"a:b", b"a:80:80", b"a:-1", b"a:999999",
                  b"[::1", b"::1", b"[::1]x", b"a,b", b"a?b", b"a#b", b"a\\b", b"<a>", b'"a"',
                  b"a%zz", b"[x]", b"a\x7f", b"http://a/", b":80x"):
        refused(START + b"Host: " + value + b"\r\n\r\n")


@test
def good_hosts():
    for value in (b"a", b"A.B-c_d.invalid", b"127.0.0.1", b"127.0.0.1:8080", b"[::1]",
                  b"[::1]:8080", b"a.invalid:", b"xn--bcher-kva.invalid", b"a.invalid."):
        with site.connect() as connection:
            connection.send(START + b"Host: " + value + b"\r\n\r\n")
            equal(connection.read_response().status, 200, "status with Host: %s" % value)


@test
def bad_versions():
    for version in (b"HTTP/1.1x", b"HTTP/1.", b"HTTP/1", b"HTTP/", b"HTTP", b"http/1.1",
                    b"Http/1.1", b"HTTP/11", b"HTTP/1.10", b"HTTP/01.1", b"HTTP/1.01", b"HTTP/ 1.1",
                    b"HTTP /1.1", b"HTTP/1,1", b"HTTP/-1.1", b"HTTP/+1.1", b"HTP/1.1", b"HTTPS/1.1",
                    b"ICY/1.1", b"HTTP/1.1\x00", b"HTTP/x.1", b"HTTP/1.x", b"1.1", b"XHTTP/1.1",
                    b"HTTP/0.9"):
        refused(b"GET /a.txt " + version + b"\r\n" + HOST + b"\r\n", (400, 505))


@test
def major_versions_that_are_unknown():
    for version in (b"HTTP/2.0", b"HTTP/3.0", b"HTTP/9.9", b"HTTP/2"):
        refused(b"GET /a.txt " + version + b"\r\n" + HOST + b"\r\n", (400, 505))
    refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505))


@test
def http_0_9_is_refused():
    refused(b"GET /a.txt\r\n\r\n")
    refused(b"GET /a.txt\n")
    refused(b"GET /a.txt \r\n\r\n")
    refused(b"GET\r\n\r\n")


@test
def spaces_in_the_request_line():
    for line in (b"GET  /a.txt HTTP/1.1", b"GET /a.txt  HTTP/1.1", b"GET /a.txt HTTP/1.1 ",
                 b" GET /a.txt HTTP/1.1", b"GET\t/a.txt HTTP/1.1", b"GET /a.txt\tHTTP/1.1",
                 b"GET /a.txt HTTP/1.1 HTTP/1.1", b"GET /a.txt x HTTP/1.1",
                 b"GET\x0b/a.txt HTTP/1.1", b"GET\xa0/a.txt HTTP/1.1", b"GET HTTP/1.1",
                 b"/a.txt HTTP/1.1"):
        refused(line + b"\r\n" + HOST + b"\r\n")


@test
def what_is_no_http_at_all():
    for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50 + b"\r\n\r\n",
                 b"\x00\x00\x00\x00\r\n\r\n", b"hello\r\n\r\n", b"SSH-2.0-client\r\n\r\n",
                 b"\xff\xfe\r\n\r\n", b"{}\r\n\r\n", b"EHLO mail.invalid\r\n\r\n"):
        refused(data)


@test
def a_good_request_before_does_not_help():
    good = make_request("GET", "/a.txt")
    for bad in (fields(b"Content-Length: 5", CHUNKED), fields(b"X : y"), START + b"\r\n",
                b"GET /a.txt\r\n\r\n"):
        refused(good + bad, before=1)
        refused(good * 5 + bad, before=5)


@test
def a_refused_method_has_the_same_framing():
    for start in (b"POST /a.txt HTTP/1.1\r\n", b"BREW /a.txt HTTP/1.1\r\n",
                  b"HEAD /missing HTTP/1.1\r\n"):
        if not start.startswith(b"HEAD"):
            refused(fields(b"Content-Length: 5", CHUNKED, start=start))
            refused(fields(b"Content-Length: 5", b"Content-Length: 6", start=start))
        answers = site.exchange(fields(b"Content-Length: %d" % len(INNER), start=start) + INNER
                                + make_request("GET", "/", "Connection: close"),
                                [start[:4].decode().strip()])
        check(not any(SECRET in answer.body for answer in answers),
              "the body was read as a request")


@test
def connect_does_not_open_a_tunnel():
    answers = site.exchange(b"CONNECT inner:80 HTTP/1.1\r\nHost: inner:80\r\n\r\n"
                            + make_request("GET", "/", "Connection: close"))
    within(answers[0].status, (400, 405), "status")


@test
def an_upgrade_is_not_taken():
    for field in ("Upgrade: h2c", "Upgrade: websocket"):
        response = site.get("/a.txt", field, "Connection: Upgrade, HTTP2-Settings",
                            "HTTP2-Settings: AAMAAABk")
        equal((response.status, response.interim), (200, []), "answer with " + field)


@test
def framing_that_outweighs_the_data_is_refused():
    chunk = b"1;" + b"e" * 900 + b"\r\nx\r\n"
    request = make_request("GET", "/a.txt", "Transfer-Encoding: chunked")
    answers = site.exchange(request + chunk * 100 + b"0\r\n\r\n" + make_request("GET", "/a.txt"))
    equal([answer.status for answer in answers], [400], "statuses")


@test
def a_long_chunked_body_that_nobody_wants_is_no_request():
    for size in (60000, 66000, 100000, 300000):
        body = b"3e8\r\n" + b"x" * 1000 + b"\r\n"
        inner = b"%x\r\n\r\n%s\r\n0\r\n\r\n" % (len(INNER) + 2, INNER)
        for start in (b"GET /a.txt HTTP/1.1\r\n", b"POST /a.txt HTTP/1.1\r\n"):
            answers = site.exchange(fields(CHUNKED, start=start) + body * (size // 1000) + inner
                                    + make_request("GET", "/", "Connection: close"))
            check(not any(SECRET in answer.body for answer in answers),
                  "%d bytes: the body was read as a request" % size)
            equal([answer.status for answer in answers[1:]],
                  [] if answers[0].says_close else [200], "%d bytes: further answers" % size)


if __name__ == "__main__":
    main()
