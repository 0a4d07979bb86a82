#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Listings in a real browser: hostile names are clicked and downloaded. Needs chromium."""
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

from harness import *

ICONS = os.path.join(SOURCE, "icons")
NAMES = [b"qu\"ote's", b"<b>&amp;", b"<img src=x onerror=alert(1)>", b"new\nline", b"tab\there",
         b"\x01\x7f", b"100%25 sure?#frag", b"%2e%2e", b"bad\xff\xfeutf8", b"\xed\xa0\x80",
         b"\xc2\x85", b"a:b", b"javascript:alert(1)", b"\\back\\slash", b" lead and trail ",
         b"n" * 255, b"\xf0\x9f\x90\x81" * 63, "sch\u00f6n \u2603".encode(), b"?sort=size", b"a+b"]
TREE = {b"sub/" + name: b"content of " + name for name in NAMES}
TREE["sub/folder/x"] = b"x"


class Browser:
    """Chromium, spoken to through its debugging pipe: JSON, each message ended by a NUL."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="lophttpd-browser-")
        ours, theirs = os.pipe(), os.pipe()

        # First out of the way: the pipes may have the very numbers that they are to get.
        read, write = (fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 100)
                       for one in (ours[0], theirs[1]))

        def arrange():
            os.dup2(read, 3)
            os.dup2(write, 4)
        self.process = subprocess.Popen(
            [need_tool("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--user-data-dir=" + self.folder + "/profile", "--remote-debugging-pipe",
             "about:blank"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, preexec_fn=arrange, close_fds=False, start_new_session=True)
        for one in (ours[0], theirs[1], read, write):
            os.close(one)
        self._out, self._in, self._data, self._number = ours[1], theirs[0], b"", 0
        self.events = []
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target,
                                 flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Runtime.enable")

    def _message(self, timeout):
        end = time.monotonic() + timeout
        while b"\0" not in self._data:
            ready, _, _ = select.select([self._in], [], [], max(0, end - time.monotonic()))
            if not ready:
                return None
            more = os.read(self._in, 1 << 20)
            check(more, "the browser ended")
            self._data += more
        message, self._data = self._data.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, whole=False, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self.session and not whole:
            message["sessionId"] = self.session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message(patience(30))
            check(answer is not None, "the browser does not answer " + method)
            if answer.get("id") == self._number:
                check("error" not in answer, "%s: %s" % (method, answer.get("error")))
                return answer["result"]
            self.events.append(answer)

    def wait(self, method, wanted=lambda parameters: True):
        end = time.monotonic() + patience(15)
        while time.monotonic() < end:
            for event in self.events:
                if event.get("method") == method and wanted(event["params"]):
                    self.events.remove(event)
                    return event["params"]
            event = self._message(0.5)
            if event:
                self.events.append(event)
        raise Failure("the browser did not say %s; it said %s"
                      % (method, [event.get("method") for event in self.events]))

    def evaluate(self, text):
        answer = self.call("Runtime.evaluate", expression=text, returnByValue=True,
                           awaitPromise=True)
        check("exceptionDetails" not in answer, "in the page: %s" % answer)
        return answer["result"].get("value")

    def open(self, url):
        self.events = [event for event in self.events
                       if event.get("method") != "Page.loadEventFired"]
        self.call("Page.navigate", url=url)
        self.wait("Page.loadEventFired")

    def close(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        os.close(self._out)
        os.close(self._in)
        shutil.rmtree(self.folder, ignore_errors=True)


@test(limit=120)
def hostile_names_are_clicked_and_downloaded():
    need_tool("chromium")
    browser = Browser()
    try:
        with Server(TREE, "-i", "--autoindex-icons", ICONS) as server:
            url = "http://127.0.0.1:%d/sub/" % server.port_number
            downloads = browser.folder + "/downloads"
            os.mkdir(downloads)
            browser.call("Browser.setDownloadBehavior", whole=True, behavior="allowAndName",
                         downloadPath=downloads, eventsEnabled=True)
            browser.open(url)
            equal(browser.evaluate("document.compatMode"), "CSS1Compat", "mode")
            count = browser.evaluate("document.querySelectorAll('td a.other').length")
            equal(count, len(NAMES), "files in the page")
            bodies = set()
            for index in range(count):
                browser.evaluate("document.querySelectorAll('td a.other')[%d].click()" % index)
                begun = browser.wait("Browser.downloadWillBegin")
                browser.wait("Browser.downloadProgress",
                             lambda now, guid=begun["guid"]: now["guid"] == guid
                             and now["state"] == "completed")
                with open(downloads + "/" + begun["guid"], "rb") as file:
                    bodies.add(file.read())
            equal(bodies, {b"content of " + name for name in NAMES}, "what was downloaded")
    finally:
        browser.close()


@test(limit=60)
def a_person_finds_the_way():
    need_tool("chromium")
    browser = Browser()
    try:
        with Server(TREE, "-i", "--autoindex-icons", ICONS) as server:
            url = "http://127.0.0.1:%d/" % server.port_number
            browser.open(url)

            def click(selector):
                browser.events.clear()
                browser.evaluate("document.querySelector(%s).click()" % json.dumps(selector))
                browser.wait("Page.loadEventFired")
                return browser.evaluate("location.pathname + location.search")
            equal(click("td a.folder"), "/sub/", "a folder")
            equal(click("th:nth-child(2) a"), "/sub/?sort=size", "a column")
            equal(click("th:nth-child(2) a"), "/sub/?sort=size&order=desc", "and again")
            browser.evaluate("document.querySelector('input[name=q]').value = 'LEAD'")
            equal(click("button"), "/sub/?q=LEAD&sort=size&order=desc", "the filter")
            equal(browser.evaluate("document.querySelectorAll('tbody td a.other').length"), 1,
                  "what it shows")
            equal(click("td a.parent"), "/", "the parent")
            equal(browser.evaluate(
                "fetch('/.lophttpd/icons/folder.svg').then(r => r.status)"), 200, "an icon")
            for width in (320, 1280):
                browser.call("Emulation.setDeviceMetricsOverride", width=width, height=800,
                             deviceScaleFactor=1, mobile=width < 800)
                browser.open(url + "sub/")
                check(browser.evaluate("document.documentElement.scrollWidth") <= width,
                      "the page is wider than %d pixels" % width)
    finally:
        browser.close()


if __name__ == "__main__":
    main()
