#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Real clients: curl, wget, Python's http.client, and apt with a repository made by hand."""
import gzip
import hashlib
import http.client
import io
import os
import subprocess
import tarfile
import time

from harness import *

BIG = pattern((20 << 20) + 777, 19)
site = Server({"index.html": b"<a href='a.txt'>a</a> <a href='folder/b.txt'>b</a> "
                             b"<a href='sp%20ace.txt'>s</a>\n",
               "a.txt": b"alpha\n", "folder/index.html": b"inner\n", "folder/b.txt": b"beta\n",
               "sp ace.txt": b"space\n", "big.iso": BIG})
# No proxy, no configuration of the machine that runs the tests.
CLEAN = {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin", "LC_ALL": "C",
         "HOME": "/nonexistent", "no_proxy": "*"}


def client(*command, cwd=None, status=0):
    """Run a client program; its exit status must be this. Returns what it printed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=CLEAN,
                          cwd=cwd or scratch(), timeout=patience(25), stdin=subprocess.DEVNULL)
    equal(done.returncode, status, "exit status of %s (%s)"
          % (" ".join(command), done.stdout.decode("utf-8", "replace")[-2000:]))
    return done.stdout


def content(path):
    with open(path, "rb") as file:
        return file.read()


@test
def curl_downloads():
    curl, folder = need_tool("curl"), scratch()
    client(curl, "-qsSf", "-o", "big", site.url + "/big.iso", cwd=folder)
    check(content(folder + "/big") == BIG, "the content is wrong")
    equal(client(curl, "-qsSf", site.url + "/a.txt", site.url + "/folder/b.txt",
                 site.url + "/sp%20ace.txt"),
          b"alpha\nbeta\nspace\n", "three files on one connection")


@test
def curl_reuses_the_connection():
    output = client(need_tool("curl"), "-qsS", "-w", "%{num_connects}\n", "-o", "/dev/null", "-o",
                    "/dev/null", "-o", "/dev/null", site.url + "/a.txt", site.url + "/missing",
                    site.url + "/a.txt").split()
    equal(output, [b"1", b"0", b"0"], "new connections for each of three requests")


@test
def curl_resumes():
    curl, folder = need_tool("curl"), scratch()
    with open(folder + "/big", "wb") as file:
        file.write(BIG[:5000001])
    client(curl, "-qsSf", "-C", "-", "-o", "big", site.url + "/big.iso", cwd=folder)
    check(content(folder + "/big") == BIG, "the content is wrong")


@test
def curl_asks_for_several_ranges():
    output = client(need_tool("curl"), "-qsSf", "-r", "0-9,100-109", site.url + "/big.iso")
    check(BIG[:10] in output and BIG[100:110] in output
          and b"Content-Range: bytes 100-109/" in output, "the parts are missing")


@test
def curl_follows_the_redirect_of_a_folder():
    output = client(need_tool("curl"), "-qsSfL", "-w", "%{url_effective}", site.url + "/folder?x=y")
    equal(output, b"inner\n" + site.url.encode() + b"/folder/?x=y", "output")


@test
def curl_with_http_1_0_and_head():
    curl = need_tool("curl")
    equal(client(curl, "-qsSf", "-0", site.url + "/a.txt"), b"alpha\n", "HTTP/1.0")
    check(b"Content-Length: %d" % len(BIG) in client(curl, "-qsSf", "-I", site.url + "/big.iso"),
          "HEAD")


@test
def curl_compares_with_its_copy():
    curl, folder = need_tool("curl"), scratch()
    client(curl, "-qsSf", "-R", "-o", "a.txt", site.url + "/a.txt", cwd=folder)
    equal(client(curl, "-qsS", "-z", "a.txt", "-w", "%{http_code}", "-o", "again",
                 site.url + "/a.txt", cwd=folder), b"304", "status by date")
    client(curl, "-qsSf", "--etag-save", "etag", "-o", "a.txt", site.url + "/a.txt", cwd=folder)
    equal(client(curl, "-qsS", "--etag-compare", "etag", "-w", "%{http_code}", "-o", "again",
                 site.url + "/a.txt", cwd=folder), b"304",
          "status by ETag")


@test
def curl_uploads_and_is_refused_politely():
    curl, folder = need_tool("curl"), scratch()
    with open(folder + "/up", "wb") as file:
        file.write(BIG)
    for flags in (["-T", "up"], ["--data-binary", "@up"],
                  ["-T", "up", "-H", "Transfer-Encoding: chunked"]):
        output = client(curl, "-qsS", "-m", "%d" % patience(10), "-o", "/dev/null", "-w",
                        "%{http_code}", *flags, site.url + "/a.txt", cwd=folder)
        within(output, (b"405", b"413"), "status of curl %s" % " ".join(flags))


@test
def wget_downloads_and_resumes():
    wget, folder = need_tool("wget"), scratch()
    client(wget, "--no-config", "-nv", site.url + "/big.iso", cwd=folder)
    check(content(folder + "/big.iso") == BIG, "the content is wrong")
    os.truncate(folder + "/big.iso", 7000001)
    client(wget, "--no-config", "-nv", "-c", site.url + "/big.iso", cwd=folder)
    check(content(folder + "/big.iso") == BIG, "the resumed content is wrong")
    client(wget, "--no-config", "-nv", "-c", site.url + "/big.iso",
           cwd=folder)  # 416: it is complete already
    check(content(folder + "/big.iso") == BIG, "the content after a third run is wrong")


@test
def wget_mirrors():
    wget, folder = need_tool("wget"), scratch()
    for _ in range(2):
        client(wget, "--no-config", "-nv", "-nH", "-m", "-e", "robots=off", site.url + "/",
               cwd=folder)
        equal(content(folder + "/sp ace.txt"), b"space\n", "sp ace.txt")
        equal(content(folder + "/folder/b.txt"), b"beta\n", "folder/b.txt")


@test
def wget_reports_what_is_missing():
    client(need_tool("wget"), "--no-config", "-nv", site.url + "/missing", status=8)


@test
def the_http_client_of_python():
    connection = http.client.HTTPConnection("127.0.0.1", site.port_number, timeout=patience(10))
    try:
        for target, status, body in (("/a.txt", 200, b"alpha\n"), ("/missing", 404, None),
                                     ("/folder", 301, None), ("/big.iso", 200, BIG)):
            connection.request("GET", target)
            response = connection.getresponse()
            data = response.read()
            equal(response.status, status, "status of " + target)
            check(body in (None, data), "the content of %s is wrong" % target)
        connection.request("HEAD", "/big.iso")
        response = connection.getresponse()
        equal((response.read(), response.getheader("Content-Length")), (b"", str(len(BIG))), "HEAD")
    finally:
        connection.close()


def member(name, data):
    """One member of an ar archive."""
    head = "%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (name, 0, 0, 0, "100644", len(data))
    return head.encode() + data + b"\n" * (len(data) % 2)


def tarball(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def make_repository():
    """The smallest repository that apt accepts: a flat one with a package of 3 MB."""
    control = (b"Package: lophttpd-test\nVersion: 1.0\nArchitecture: all\n"
               b"Maintainer: Nobody <nobody@test.invalid>\nDescription: a test\n")
    package = (b"!<arch>\n" + member("debian-binary", b"2.0\n")
               + member("control.tar.gz", tarball({"./control": control}))
               + member("data.tar.gz", tarball({"./usr/share/lophttpd-test": os.urandom(3 << 20)})))
    name = "lophttpd-test_1.0+b~1_all.deb"  # a plus and a tilde, as in many names of packages
    index = control + ("Filename: ./%s\nSize: %d\nSHA256: %s\n\n"
                       % (name, len(package), hashlib.sha256(package).hexdigest())).encode()
    files = {"Packages": index, "Packages.gz": gzip.compress(index)}
    now = time.strftime("%a, %d %b %Y %H:%M:%S UTC", time.gmtime())
    release = "Origin: test\nSuite: test\nDate: %s\nSHA256:\n" % now
    for entry, data in files.items():
        release += " %s %d %s\n" % (hashlib.sha256(data).hexdigest(), len(data), entry)
    return {**{"repo/" + entry: data for entry, data in files.items()},
            "repo/Release": release.encode(), "repo/" + name: package}, package


@test(limit=60)
def apt_updates_and_downloads():
    apt = need_tool("apt-get")
    files, package = make_repository()
    state = tree({"lists/partial": None, "cache/archives/partial": None, "etc/apt.conf.d": None,
                  "etc/preferences.d": None, "status": b"", "work": None})
    with Server(files) as server:
        with open(state + "/etc/sources.list", "w") as file:
            file.write("deb [trusted=yes] %s/repo ./\n" % server.url)
        options = ["-q", "-o", "APT::Sandbox::User=", "-o", "Acquire::http::Proxy=DIRECT", "-o",
                   "Acquire::Languages=none"]
        for key, value in (("Dir::State::lists", "lists"), ("Dir::State::status", "status"),
                           ("Dir::Cache", "cache"), ("Dir::Etc", "etc"),
                           ("Dir::Etc::sourcelist", "etc/sources.list"),
                           ("Dir::Etc::sourceparts", "etc/none"), ("Dir::Etc::main", "etc/none"),
                           ("Dir::Etc::parts", "etc/apt.conf.d"), ("Dir::State", "")):
            options += ["-o", "%s=%s/%s" % (key, state, value)]
        for _ in range(2):  # the second time most is 304
            output = client(apt, *options, "update", cwd=state + "/work").decode()
            check("Err:" not in output and "W:" not in output.replace("W: Download is performed",
                                                                      ""), output)
        check("Hit:" in output, "nothing was a 304: " + output)
        client(apt, *options, "download", "lophttpd-test", cwd=state + "/work")
        [name] = os.listdir(state + "/work")
        check(content(state + "/work/" + name) == package, "the package is wrong")
        # Half a package is there: apt resumes with Range and If-Range.
        partial = state + "/cache/archives/partial/lophttpd-test_1.0_all.deb"
        with open(partial, "wb") as file:
            file.write(package[:1000000])
        client(apt, *options, "-y", "-d", "install", "lophttpd-test", cwd=state + "/work")
        check(content(state + "/cache/archives/lophttpd-test_1.0_all.deb") == package,
              "the resumed package is wrong")


if __name__ == "__main__":
    main()
