# SPDX-License-Identifier: BSD-2-Clause
"""A headless Chromium, driven over its DevTools protocol by the standard library alone."""
import base64
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import urllib.request

from tap import Failure, patience, skip, wait_for

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--remote-debugging-port=0", "--remote-allow-origins=*")


class Browser:
    """One page. Use with `with`; skips the test where there is no Chromium. `flags` are more
    arguments of the program."""

    def __init__(self, *flags):
        self.flags = flags
        self.program = shutil.which("chromium") or shutil.which("chromium-browser")
        self.count = 0
        self.messages = []   # what the page said on its console, and errors

    def __enter__(self):
        if not self.program:
            skip("chromium is not installed")
        self.profile = tempfile.mkdtemp(prefix="lophttpd-browser-")
        self.process = subprocess.Popen(
            [self.program, *FLAGS, *self.flags, "--user-data-dir=" + self.profile, "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            start_new_session=True)
        try:
            port = self._port()
            with urllib.request.urlopen("http://127.0.0.1:%d/json" % port, timeout=10) as answer:
                pages = [page for page in json.load(answer) if page["type"] == "page"]
            self._connect(port, pages[0]["webSocketDebuggerUrl"])
            for domain in ("Page", "DOM", "Runtime", "Log"):
                self.call(domain + ".enable")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process.stderr.close()
        wait_for(self._removed, 5, "the removal of the browser's profile")

    def _removed(self):
        shutil.rmtree(self.profile, ignore_errors=True)
        return not os.path.exists(self.profile)

    def _port(self):
        said, end = b"", time.monotonic() + patience(20)
        while time.monotonic() < end:
            if not select.select([self.process.stderr], [], [], 0.2)[0]:
                continue
            piece = os.read(self.process.stderr.fileno(), 65536)
            said += piece
            found = re.search(rb"DevTools listening on ws://127\.0\.0\.1:(\d+)/", said)
            if found:
                return int(found[1])
            if not piece:
                break
        skip("chromium does not start: " + said[-200:].decode("utf-8", "replace"))

    # WebSocket, RFC 6455, as far as this needs it

    def _connect(self, port, url):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=patience(20))
        self.socket.sendall(
            b"GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n"
            % (url[url.index("/", 5 + 2):].encode(), port, base64.b64encode(os.urandom(16))))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._read(1)

    def _read(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                raise Failure("the browser ended")
            data += piece
        return data

    def _receive(self):
        text = b""
        while True:
            first, length = self._read(2)
            length &= 127
            if length == 126:
                length = struct.unpack(">H", self._read(2))[0]
            elif length == 127:
                length = struct.unpack(">Q", self._read(8))[0]
            text += self._read(length)
            if first & 128:
                return json.loads(text)

    def call(self, method, **parameters):
        """One command of the protocol; returns its result."""
        self.count += 1
        data = json.dumps({"id": self.count, "method": method, "params": parameters}).encode()
        length = struct.pack(">BBH", 0x81, 128 | 126, len(data))
        self.socket.sendall(length + bytes(4) + data)   # a mask of zeros
        while True:
            message = self._receive()
            if message.get("id") == self.count:
                if "error" in message:
                    raise Failure("%s: %s" % (method, message["error"]))
                return message["result"]
            if message.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
                self.messages.append(json.dumps(message["params"]))

    # What tests do

    def evaluate(self, script):
        """The value of an expression in the page; promises are waited for."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in result:
            raise Failure("%s: %s" % (script, result["exceptionDetails"]))
        return result["result"].get("value")

    def open(self, url):
        self.call("Page.navigate", url=url)
        wait_for(lambda: self.evaluate("location.href") == url and
                 self.evaluate("document.readyState") == "complete", 10, "the page " + url)

    def allow_scripts(self, allowed):
        self.call("Emulation.setScriptExecutionDisabled", value=not allowed)

    def choose_files(self, selector, paths):
        """As if a person had chosen them in the element's dialogue."""
        self.call("DOM.setFileInputFiles", files=list(paths), nodeId=self._node(selector))

    def click(self, selector):
        box = self.call("DOM.getBoxModel", nodeId=self._node(selector))["model"]["content"]
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=(box[0] + box[2]) / 2,
                      y=(box[1] + box[5]) / 2, button="left", clickCount=1)

    def _node(self, selector):
        document = self.call("DOM.getDocument")["root"]["nodeId"]
        return self.call("DOM.querySelector", nodeId=document, selector=selector)["nodeId"]
