# SPDX-License-Identifier: BSD-2-Clause
"""TLS for the tests: certificates that openssl makes, and connections through Python's ssl.

A certificate is made once a run and a name. `Authority` signs, for hosts and for clients; a
`Certificate` has the paths of its files, with the chain behind it.
"""
import _ssl
import ctypes
import os
import shutil
import socket
import ssl
import subprocess
import sys

import trees
from server import AM_ROOT, Server
from tap import Failure, check, patience, skip
from wire import Connection

KEYS = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "rsa": ["-newkey", "rsa:2048"]}


def _skip_all(reason):
    print("1..0 # SKIP " + reason)
    sys.exit(0)


# Nothing of a file that imports this can be tested without these.
if not shutil.which("openssl"):
    _skip_all("openssl is not installed")
if not os.path.exists(os.path.join(os.environ.get("LOPHTTPD_MODULE_PATH", ""), "tls.so")):
    _skip_all("the module tls is not built")


def openssl(*arguments, data=b"", timeout=30):
    """Run openssl; returns its standard output."""
    done = subprocess.run(["openssl", *arguments], input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=patience(timeout))
    if done.returncode != 0:
        raise Failure("openssl %s: %s" % (" ".join(arguments), done.stderr.decode()))
    return done.stdout


class Certificate:
    def __init__(self, folder, name):
        self.path = os.path.join(folder, name + ".pem")
        self.key = os.path.join(folder, name + ".key")
        self.both = os.path.join(folder, name + ".both.pem")
        self.authority = os.path.join(folder, "ca.pem")

    def text(self):
        with open(self.path, "rb") as file:
            return file.read()

    def key_text(self):
        with open(self.key, "rb") as file:
            return file.read()


class Authority:
    """Signs certificates in a folder of its own, which lies outside every served one."""

    def __init__(self, subject="Test Authority"):
        self._folder = None
        self._subject = subject
        self._made = {}

    @property
    def folder(self):
        if self._folder is None:
            self._folder = trees.scratch()
            openssl("req", "-x509", *KEYS["ec"], "-nodes", "-days", "30", "-subj",
                    "/CN=" + self._subject, "-keyout", self._folder + "/ca.key", "-out",
                    self._folder + "/ca.pem", "-addext", "basicConstraints=critical,CA:TRUE")
        return self._folder

    @property
    def path(self):
        return self.folder + "/ca.pem"

    def make(self, name, names=(), kind="ec", subject=None, start=None, end=None, fresh=False):
        """A certificate for these DNS names; `start` and `end` are openssl's YYYYMMDDHHMMSSZ."""
        if name in self._made and not fresh:
            return self._made[name]
        made = Certificate(self.folder, name)
        base = os.path.join(self.folder, name)
        names = names or [name + ".test"]
        openssl("req", "-new", *KEYS[kind], "-nodes", "-subj", subject or "/CN=" + names[0],
                "-keyout", made.key, "-out", base + ".csr")
        with open(base + ".ext", "w") as file:
            file.write("subjectAltName=%s\n" % ",".join("DNS:" + each for each in names))
        if start or end:
            self._sign_between(base, made, start or "20200101000000Z", end or "20400101000000Z")
        else:
            openssl("x509", "-req", "-in", base + ".csr", "-CA", self.path, "-CAkey",
                    self.folder + "/ca.key", "-CAcreateserial", "-days", "20", "-extfile",
                    base + ".ext", "-out", made.path)
        with open(made.path, "ab") as file, open(self.path, "rb") as chain:
            file.write(chain.read())
        with open(made.both, "wb") as file:
            file.write(made.text() + made.key_text())
        os.chmod(made.key, 0o600)
        os.chmod(made.both, 0o600)
        if AM_ROOT:
            os.chmod(self.folder, 0o755)
        self._made[name] = made
        return made

    def _sign_between(self, base, made, start, end):
        """What `openssl ca` is for: dates of one's own."""
        index = os.path.join(self.folder, "index.txt")
        open(index, "w").close()
        config = base + ".cnf"
        with open(config, "w") as file:
            file.write("[ca]\ndefault_ca=a\n[a]\ndatabase=%s\nnew_certs_dir=%s\nrand_serial=yes\n"
                       "default_md=sha256\npolicy=p\nunique_subject=no\n"
                       "[p]\ncommonName=supplied\n" % (index, self.folder))
        openssl("ca", "-batch", "-notext", "-config", config, "-cert", self.path, "-keyfile",
                self.folder + "/ca.key", "-in", base + ".csr", "-out", made.path,
                "-extfile", base + ".ext", "-startdate", start, "-enddate", end)


def client_context(authority=None, certificate=None):
    """A client's settings: trusts the authority, or anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authority is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(authority.path)
    if certificate is not None:
        context.load_cert_chain(certificate.path, certificate.key)
    return context


class SecureConnection(Connection):
    """A Connection through TLS. An end without the server's goodbye is an ssl.SSLEOFError."""

    def __init__(self, address, context=None, name=None, session=None, **options):
        super().__init__(address, **options)
        context = context or client_context()
        try:
            self.socket = context.wrap_socket(self.socket, server_hostname=name, session=session,
                                              suppress_ragged_eofs=False)
        except BaseException:
            self.socket.close()
            raise

    def certificate_names(self):
        """The DNS names of the server's certificate (the context must have verified it)."""
        return [name for kind, name in self.socket.getpeercert().get("subjectAltName", ())
                if kind == "DNS"]


class SecureServer(Server):
    """A Server whose first listener speaks TLS."""

    def connect(self, **options):
        return SecureConnection(self.address, **options)

    @property
    def url(self):
        return "https://127.0.0.1:%d" % self.port_number


def refused(address, context, name=None, session=None):
    """Why a handshake fails, as text; None when it does not."""
    try:
        with SecureConnection(address, context, name, session) as connection:
            connection.get("/")
    except (ssl.SSLError, ConnectionError, socket.timeout) as error:
        return str(error) or type(error).__name__
    return None


class LibraryClient:
    """A client of TLS 1.3 on a plain Connection, by the functions of Python's OpenSSL: for what the
    module ssl does not offer. `seen` holds what the server said beside data: (content type, first
    byte, second byte)."""

    def __init__(self, connection):
        try:
            self._library = ctypes.CDLL(_ssl.__file__)
            self._library.SSL_key_update
        except (AttributeError, OSError):
            skip("Python's OpenSSL is out of reach")
        self.connection = connection
        self.seen = []
        self._buffer = ctypes.create_string_buffer(1 << 20)
        self._context = self._call("SSL_CTX_new", self._call("TLS_client_method"))
        self._ssl = self._call("SSL_new", self._context)
        self._in, self._out = (self._call("BIO_new", self._call("BIO_s_mem")) for _ in range(2))
        self._call("SSL_set_bio", self._ssl, self._in, self._out)
        self._call("SSL_set_connect_state", self._ssl)
        kind = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_void_p,
                                ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p)
        self._watch = kind(self._see)
        self._library.SSL_set_msg_callback(ctypes.c_void_p(self._ssl), self._watch)
        while (self._call("SSL_do_handshake", self._ssl) or 0) != 1:
            connection.send(self.written())
            check(self._receive(), "the handshake was cut")
        connection.send(self.written())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._call("SSL_free", self._ssl)
        self._call("SSL_CTX_free", self._context)

    def _call(self, name, *arguments):
        function = getattr(self._library, name)
        function.restype = ctypes.c_void_p
        return function(*(ctypes.c_void_p(each) if isinstance(each, int) else each
                          for each in arguments))

    def _see(self, writes, _version, kind, data, length, _ssl_, _argument):
        if not writes and kind in (21, 22) and length > 1:
            self.seen.append((kind, *ctypes.string_at(data, 2)))

    def _receive(self):
        data = self.connection.socket.recv(65536)
        self._call("BIO_write", self._in, data, len(data))
        return data

    def written(self):
        """What there is to send, encrypted."""
        length = ctypes.c_int(self._call("BIO_read", self._out, self._buffer,
                                         len(self._buffer)) or 0).value
        return self._buffer.raw[:max(length, 0)]

    def encrypt(self, data):
        self._call("SSL_write", self._ssl, data, len(data))
        return self.written()

    def change_key(self, ask=False):
        """Has the next data be encrypted with another key, and asks the server to do the same."""
        check(self._call("SSL_key_update", self._ssl, int(ask)) == 1, "SSL_key_update()")
        self._call("SSL_do_handshake", self._ssl)

    def say_goodbye(self):
        self._call("SSL_shutdown", self._ssl)
        self.connection.send(self.written())

    def send(self, data):
        self.connection.send(self.encrypt(data))

    def read(self, length):
        """So many bytes, fewer at the end of what the server sends."""
        data = b""
        while len(data) < length:
            count = ctypes.c_int(self._call("SSL_read", self._ssl, self._buffer,
                                            min(len(self._buffer), length - len(data))) or 0).value
            if count > 0:
                data += self._buffer.raw[:count]
            elif self.seen[-1:] and self.seen[-1][0] == 21 or not self._receive():
                break
        return data

    def get(self, target):
        """The body of a response with a length."""
        self.send(b"GET %s HTTP/1.1\r\nHost: a.test\r\n\r\n" % target.encode())
        return self.read(self.read_head())

    def read_head(self):
        """Reads a response's head; returns the length of its body."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            more = self.read(1)
            check(more, "no head, but %r and %r" % (head, self.seen))
            head += more
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                return int(line[15:])
        raise Failure("no length in %r" % head)


__all__ = ["Authority", "Certificate", "LibraryClient", "SecureConnection", "SecureServer", "client_context",
           "openssl", "refused"]
