#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Hosts by folder: which root a Host field chooses, and that roots stay apart."""
import os
import shutil
import signal

from harness import *

HOSTS = {
    "a.txt": b"default", "only-default.txt": b"default only",
    "vhostexample.org/a.txt": b"example", "vhostexample.org/only.txt": b"example only",
    "vhostexample.org:8080/a.txt": b"example on 8080",
    "vhostother.example/a.txt": b"other", "vhostother.example/sub/b.txt": b"other sub",
    "vhostxn--mnchen-3ya.example/a.txt": b"umlaut",
    "vhost[::1]/a.txt": b"literal", "vhost[2001:db8::1]:8080/a.txt": b"literal on 8080",
    "vhost192.0.2.1/a.txt": b"address", "vhostx/a.txt": b"short",
    "vhostalias": Link("vhostexample.org"), "vhostescape": Link("/etc"), "vhostfile": b"no folder",
    "vhostexample.org/up": Link("../a.txt"), "vhostexample.org/across": Link("../vhostother.example"),
}
site = Server(HOSTS, "-H")
strict = Server(HOSTS, "-H", "--vhost-strict")
as_somebody = Server(HOSTS, "-M", "vhost", as_user=True)


def ask(server, host, target="/a.txt", version="1.1"):
    with server.connect() as connection:
        return connection.request("GET", target, host=host, version=version)


def served(host, body, server=site):
    response = ask(server, host)
    equal((response.status, response.body), (200, body), "answer for Host: %s" % host)


@test
def a_host_chooses_its_folder():
    for server in (site, as_somebody):
        served("example.org", b"example", server)
        served("other.example", b"other", server)
        served("192.0.2.1", b"address", server)
        equal(ask(server, "other.example", "/sub/b.txt").body, b"other sub", "a file further below")


@test
def case_and_a_dot_at_the_end_do_not_count():
    for host in ("EXAMPLE.org", "Example.Org", "example.org.", "EXAMPLE.ORG."):
        served(host, b"example")


@test
def the_port_counts_unless_it_is_the_scheme_s():
    for host in ("example.org:80", "example.org:", "example.org.:80", "example.org:0080"):
        served(host, b"example")
    served("example.org:8080", b"example on 8080")
    served("EXAMPLE.org.:8080", b"example on 8080")
    served("example.org:81", b"default")
    served("other.example:8080", b"default")


@test
def each_port_that_is_listened_on_may_have_its_folder():
    """What a client sends by itself for a URL with a port; files, listings and uploads."""
    with Server({"a.txt": b"default"}, "-H", "-i", "-U", "in", "-l", "127.0.0.1:0", "-l",
                "127.0.0.1:0", port=None, listeners=2) as own:
        addresses = own.running().addresses
        for address in addresses:
            folder = own.path("vhostlocalhost:%d" % address[1])
            os.makedirs(folder + "/in")
            with open(folder + "/port.txt", "w", encoding="ascii") as file:
                file.write("port %d" % address[1])
            if AM_ROOT:
                os.chown(folder + "/in", run_uid(), -1)
        for address in addresses:
            host = "localhost:%d" % address[1]
            with Connection(address) as connection:
                equal(connection.request("GET", "/port.txt", host=host).body,
                      b"port %d" % address[1], "the file of " + host)
                check(b"port.txt" in connection.request("GET", "/", host=host).body,
                      "the listing of " + host)
                equal(connection.request("PUT", "/sent", host=host, body=b"some").status, 201,
                      "status of an upload to " + host)
                equal(os.listdir(own.path("vhostlocalhost:%d/in" % address[1])), ["sent"],
                      "the uploads of " + host)
                equal(connection.request("GET", "/a.txt", host="localhost").body, b"default",
                      "what is served without a port")


@test
def ipv6_literals_in_any_spelling():
    for host in ("[::1]", "[0:0:0:0:0:0:0:1]", "[::0001]:80", "[0::1]"):
        served(host, b"literal")
    for host in ("[2001:db8::1]:8080", "[2001:DB8:0:0::1]:8080"):
        served(host, b"literal on 8080")
    served("[2001:db8::1]", b"default")


@test
def internationalised_names_are_punycode():
    served("xn--mnchen-3ya.example", b"umlaut")
    served("XN--MNCHEN-3YA.example", b"umlaut")


@test
def an_absolute_target_names_the_host():
    equal(ask(site, "example.org", "http://other.example/a.txt").body, b"other", "body")


@test
def unknown_names_get_the_default_root():
    for host in ("unknown.example", "vhostexample.org", "..", ".", "%65xample.org", "a" * 253,
                 "a" * 254, ""):
        served(host, b"default")
    response = ask(site, None, version="1.0")
    equal((response.status, response.body), (200, b"default"), "answer without Host")


@test
def unknown_names_are_421_when_strict():
    served("example.org", b"example", strict)
    for host in ("unknown.example", "example.org:81", "..", "a" * 254):
        equal(ask(strict, host).status, 421, "status for " + host)
    equal(ask(strict, None, version="1.0").status, 404, "status without Host")


@test
def what_is_no_folder_inside_is_no_host():
    for host in ("file", "escape"):
        served(host, b"default")
        equal(ask(strict, host).status, 421, "status for " + host)
    served("alias", b"example")


@test
def no_path_leaves_a_host():
    for server in (site, as_somebody):
        for target in ("/../a.txt", "/..%2fa.txt", "/%2e%2e/a.txt", "/only-default.txt", "/up",
                       "/across/a.txt", "/across/", "/vhostother.example/a.txt",
                       "/../vhostother.example/a.txt"):
            within(ask(server, "example.org", target).status, (400, 404), "status of " + target)


@test
def folders_of_hosts_are_not_reachable_from_the_default_one():
    for server in (site, as_somebody):
        for target in ("/vhostexample.org/a.txt", "/vhostexample.org", "/vhostexample.org/",
                       "/VHOSTexample.org/a.txt", "/%76host%65xample.org/a.txt", "/./vhostx/a.txt",
                       "//vhostx/a.txt", "/x/../vhostx/a.txt", "/vhostalias/a.txt", "/vhostfile"):
            equal(ask(server, "unknown", target).status, 404, "status of " + target)


@test
def hosts_come_and_go_without_a_restart():
    for server in (site, as_somebody):
        root = server.running().root
        served("new.example", b"default", server)
        grow(root, {"vhostnew.example/a.txt": b"new"})
        wait_for(lambda: ask(server, "new.example").body == b"new", 2, "the new host")
        shutil.rmtree(root + "/vhostnew.example")
        wait_for(lambda: ask(server, "new.example").body == b"default", 2, "its end")


@test
def a_folder_that_is_exchanged_is_the_new_one():
    root = site.running().root
    grow(root, {"vhostswap/a.txt": b"one", ".next/a.txt": b"two"})
    wait_for(lambda: ask(site, "swap").body == b"one", 2, "the first")
    os.rename(root + "/vhostswap", root + "/.last")
    os.rename(root + "/.next", root + "/vhostswap")
    wait_for(lambda: ask(site, "swap").body == b"two", 2.5, "the second")


@test
def a_signal_looks_again_at_once():
    root = site.running().root
    served("soon.example", b"default")
    grow(root, {"vhostsoon.example/a.txt": b"soon"})
    site.send_signal(signal.SIGUSR1)
    wait_for(lambda: ask(site, "soon.example").body == b"soon", 0.8, "the host")


@test
def many_made_up_names_cost_no_descriptors():
    need_root()  # nobody else may look at what a worker has open
    pid = as_somebody.worker_pids()[0]
    served("example.org", b"example", as_somebody)
    before = len(os.listdir("/proc/%d/fd" % pid))
    with as_somebody.connect() as connection:
        for number in range(3000):
            response = connection.request("GET", "/a.txt", host="made-up-%d" % number)
            equal(response.body, b"default", "body")
    check(len(os.listdir("/proc/%d/fd" % pid)) <= before + 2, "descriptors were left open")
    served("example.org", b"example", as_somebody)


@test
def one_connection_may_ask_for_several_hosts():
    with site.connect() as connection:
        for host, body in (("example.org", b"example"), ("other.example", b"other"),
                           ("none", b"default"), ("example.org", b"example")):
            equal(connection.request("GET", "/a.txt", host=host).body, body, "body for " + host)


if __name__ == "__main__":
    main()
