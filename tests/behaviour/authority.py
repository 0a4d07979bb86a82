# SPDX-License-Identifier: BSD-2-Clause
"""A certificate authority of the test's own, by the program openssl."""
import os
import subprocess

import trees
from server import need_tool


class Authority:
    """`certificate` is its own file; issue() makes leaves. Skips where openssl is missing."""

    def __init__(self, name="Test Authority"):
        self.openssl = need_tool("openssl")
        self.folder = trees.scratch()
        self.certificate, self.key = self._path("ca.pem"), self._path("ca.key")
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                  "-keyout", self.key, "-out", self.certificate, "-days", "30",
                  "-subj", "/CN=" + name, "-addext", "basicConstraints=critical,CA:TRUE")
        self.count = 0

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _run(self, *arguments):
        subprocess.run([self.openssl, *arguments], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)

    def issue(self, *names, days=30):
        """(certificate, key) for these names: "IP:127.0.0.1", "DNS:a.invalid". days < 0: over."""
        self.count += 1
        base = self._path("leaf%d" % self.count)
        with open(base + ".ext", "w", encoding="ascii") as file:
            file.write("subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n"
                       % ",".join(names))
        self._run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                  "-keyout", base + ".key", "-out", base + ".csr", "-subj", "/CN=leaf%d"
                  % self.count)
        self._run("x509", "-req", "-in", base + ".csr", "-CA", self.certificate, "-CAkey",
                  self.key, "-CAcreateserial", "-days", str(days), "-extfile", base + ".ext",
                  "-out", base + ".pem")
        os.chmod(base + ".key", 0o644)   # an ordinary user of the tests reads it too
        return base + ".pem", base + ".key"
