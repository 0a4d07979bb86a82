# SPDX-License-Identifier: BSD-2-Clause
"""The servers that are compared: where they are, and how an expert sets each for static files,
and as a proxy.

Every server gets one worker, its sendfile or best sending path, its file cache, unlimited
keep-alive and no access log (or, for the log rows, its buffered log in the combined format).
A configuration touches nothing outside the folder that it is given.
"""

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

BARE = "no-sandbox"      # lhttpd without its sandbox
PEERS = ("nginx", "lighttpd", "h2o")
PROXY_PEERS = ("nginx", "haproxy", "h2o")
DEBIAN_PACKAGES = ("nginx", "lighttpd", "lighttpd-mod-openssl", "h2o", "haproxy", "wrk", "strace",
                   "openssl")
OPEN_FILES = 11000      # that a file cache may hold: all of the Zipf workload's
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


@dataclass
class Setup:
    """What a configuration needs to know. Paths are absolute."""
    root: Path              # the served folder
    folder: Path            # this server's own folder: configuration, logs, temporary files
    port: int
    log: bool = False
    provider: str = ""      # lhttpd's -L
    tls: str = ""           # kind of the certificate, "" for none; names its files
    latency: bool = False   # small answers shall not wait for bulk
    connections: int = 4096
    backend: int = 0        # as a proxy: the port that requests go to
    floor: list = field(default_factory=list)   # arguments of the floor program


def find(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + ":" + SBIN)


def nginx(binary, setup):
    """Small files: without sendfile a head and a body are one writev, which costs a third less."""
    types = Path("/etc/nginx/mime.types")
    log = f"{setup.folder}/access.log combined buffer=64k flush=1s" if setup.log else "off"
    user = "user www-data;" if os.geteuid() == 0 else ""
    encrypted = (f"ssl_certificate {setup.tls}.pem; ssl_certificate_key {setup.tls}.key; "
                 "ssl_protocols TLSv1.2 TLSv1.3;" if setup.tls else "")
    temporary = "".join(
        f"    {name}_temp_path {setup.folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    text = f"""{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 131072;
pid {setup.folder}/nginx.pid;
error_log {setup.folder}/error.log crit;
events {{
    use epoll;
    worker_connections {setup.connections};
    multi_accept on;
}}
http {{
{temporary}    {f'include {types};' if types.exists() else ''}
    default_type application/octet-stream;
    access_log {log};
    log_not_found off;
    sendfile off;
    sendfile_max_chunk {'512k' if setup.latency else '2m'};
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_timeout 3600;
    keepalive_requests 1000000000;
    reset_timedout_connection on;
    open_file_cache max={OPEN_FILES} inactive=60s;
    open_file_cache_valid 60s;
    open_file_cache_min_uses 1;
    open_file_cache_errors on;
    server {{
        listen 127.0.0.1:{setup.port} {'ssl' if setup.tls else ''} backlog=4096 deferred;
        {encrypted}
        root {setup.root};
        location /big/ {{ sendfile on; }}
    }}
}}
"""
    path = setup.folder / "nginx.conf"
    path.write_text(text)
    return [binary, "-p", str(setup.folder), "-e", f"{setup.folder}/error.log", "-c", str(path)]


def lighttpd(binary, setup):
    user = ('server.username = "www-data"\nserver.groupname = "www-data"'
            if os.geteuid() == 0 else "")
    log = (f'server.modules += ("mod_accesslog")\n'
           f'accesslog.filename = "{setup.folder}/access.log"' if setup.log else "")
    encrypted = (f'server.modules += ("mod_openssl")\nssl.engine = "enable"\n'
                 f'ssl.pemfile = "{setup.tls}.pem"\nssl.privkey = "{setup.tls}.key"'
                 if setup.tls else "")
    text = f"""server.document-root = "{setup.root}"
server.bind = "127.0.0.1"
server.port = {setup.port}
{user}
server.errorlog = "{setup.folder}/error.log"
server.event-handler = "linux-sysepoll"
server.network-backend = "sendfile"
server.stat-cache-engine = "simple"
server.defer-accept = 1
server.listen-backlog = 4096
server.max-fds = {2 * setup.connections + OPEN_FILES}
server.max-connections = {setup.connections}
server.max-keep-alive-requests = 65535
server.max-keep-alive-idle = 3600
server.max-read-idle = 3600
server.max-write-idle = 3600
server.feature-flags = ("server.h2proto" => "disable")
mimetype.assign = (".html" => "text/html; charset=utf-8", "" => "application/octet-stream")
{encrypted}
{log}
"""
    path = setup.folder / "lighttpd.conf"
    path.write_text(text)
    return [binary, "-D", "-f", str(path)]


def h2o(binary, setup):
    user = "user: www-data" if os.geteuid() == 0 else ""
    log = f"access-log: {setup.folder}/access.log" if setup.log else ""
    encrypted = (f"""  ssl:
    certificate-file: {setup.tls}.pem
    key-file: {setup.tls}.key
    minimum-version: TLSv1.2
    ocsp-update-interval: 0
""" if setup.tls else "")
    text = f"""{user}
num-threads: 1
max-connections: 65536
tcp-fastopen: 0
http1-request-timeout: 3600
http1-upgrade-to-http2: OFF
error-log: {setup.folder}/error.log
{log}
listen:
  host: 127.0.0.1
  port: {setup.port}
{encrypted}hosts:
  default:
    paths:
      /:
        file.dir: {setup.root}
        file.dirlisting: OFF
"""
    path = setup.folder / "h2o.conf"
    path.write_text(text)
    return [binary, "-c", str(path)]


def nginx_proxy(binary, setup):
    """The static files' configuration with a pool of kept connections in the place of the root;
    no temporary files, which would be a copy on the disk."""
    command = nginx(binary, setup)
    path = setup.folder / "nginx.conf"
    text = path.read_text()
    text = text.replace("        location /big/ { sendfile on; }\n", """        location / {
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_buffers 8 32k;
            proxy_max_temp_file_size 0;
        }
""")
    text = text.replace("    server {\n", f"""    upstream backend {{
        server 127.0.0.1:{setup.backend};
        keepalive 256;
        keepalive_requests 1000000000;
        keepalive_timeout 3600;
    }}
    server {{
""")
    path.write_text(text)
    return command


def haproxy(binary, setup):
    """The log goes to standard output, a file here: one write for each request."""
    log = "log stdout format raw daemon info" if setup.log else ""
    user = "user www-data\n    group www-data" if os.geteuid() == 0 else ""
    text = f"""global
    nbthread 1
    maxconn {setup.connections}
    {log}
    {user}
defaults
    mode http
    {"log global" if log else ""}
    {"option httplog" if log else ""}
    option splice-auto
    http-reuse always
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout http-keep-alive 1h
frontend outside
    bind 127.0.0.1:{setup.port} backlog 4096 defer-accept
    option forwardfor
    http-request set-header X-Forwarded-Proto http
    default_backend inside
backend inside
    server one 127.0.0.1:{setup.backend} pool-max-conn 256
"""
    path = setup.folder / "haproxy.conf"
    path.write_text(text)
    return ["/bin/sh", "-c", f'exec "$0" -db -f "$1" >"$2"', binary, str(path),
            f"{setup.folder}/access.log"]


def h2o_proxy(binary, setup):
    command = h2o(binary, setup)
    path = setup.folder / "h2o.conf"
    text = path.read_text()
    text = text.replace(f"""        file.dir: {setup.root}
        file.dirlisting: OFF
""", f"""        proxy.reverse.url: http://127.0.0.1:{setup.backend}/
        proxy.preserve-host: ON
        proxy.timeout.keepalive: 60000
""")
    path.write_text(text)
    return command


def floor(binary, setup):
    return [binary, "-l", "127.0.0.1", "-p", str(setup.port), *setup.floor]


class Servers:
    """Finds binaries and builds command lines. Servers that are not there have a reason."""

    def __init__(self, programs, lhttpd=None, lhttpd_args="", lhttpd_log_args=""):
        self.lhttpd_args = shlex.split(lhttpd_args)
        self.lhttpd_log_args = shlex.split(lhttpd_log_args)
        self.binaries = {"lhttpd": lhttpd, BARE: lhttpd, "floor": str(programs / "floor")}
        self.binaries.update({name: find(name) for name in (*PEERS, "haproxy")})
        self.makers = {"nginx": nginx, "lighttpd": lighttpd, "h2o": h2o, "floor": floor,
                       "lhttpd": self.lhttpd, BARE: self.bare}
        self.proxies = {"nginx": nginx_proxy, "haproxy": haproxy, "h2o": h2o_proxy,
                        "lhttpd": self.lhttpd_proxy}

    def lhttpd(self, binary, setup):
        command = [binary, "--defer-accept", "-n", "1", "-R", str(setup.root), "-l", "127.0.0.1",
                   "-p", str(setup.port), "--keepalive-timeout", "3600"]
        if setup.connections > 10000:
            command += ["-N", str(setup.connections)]
        if setup.log:
            command += ["-o", str(setup.folder / "access.log"), *self.lhttpd_log_args]
            if setup.provider:
                command += ["-L", setup.provider]
        else:
            command += ["-q"]
        if setup.tls:       # the cipher that the others' clients choose
            command += ["-C", setup.tls + ".pem", "-K", setup.tls + ".key", "--tls-ciphers",
                        "TLS_AES_256_GCM_SHA384"]
        return command + self.lhttpd_args

    def lhttpd_proxy(self, binary, setup):
        return self.lhttpd(binary, setup) + ["-M", "proxy", "--map",
                                             f"/=http://127.0.0.1:{setup.backend}"]

    def bare(self, binary, setup):
        return self.lhttpd(binary, setup) + ["--no-sandbox"]

    def missing(self, name):
        """Why this server cannot run, or None."""
        if self.binaries.get(name):
            return None
        return ("give --lhttpd PATH" if name in ("lhttpd", BARE)
                else f"no '{name}' in PATH: install it, or run with --install")

    def command(self, name, setup):
        makers = self.proxies if setup.backend else self.makers
        return makers[name](self.binaries[name], setup)

    def version(self, name):
        flags = {"nginx": "-v", "lighttpd": "-v", "h2o": "-v", "haproxy": "-v", "lhttpd": "-V", BARE: "-V"}
        if name not in flags:
            return "constant answer"
        try:
            out = subprocess.run([self.binaries[name], flags[name]], capture_output=True,
                                 text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"unknown ({error})"
        found = re.search(r"\d+\.\d+[\w.+-]*", out.stdout + out.stderr)
        return found.group(0) if found else "unknown"


def install():
    """Installs the peers and the load generator (Debian, Ubuntu), without starting a service."""
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    print("installing with apt-get:", " ".join(DEBIAN_PACKAGES), flush=True)
    try:
        if ours:
            policy.write_text("#!/bin/sh\nexit 101\n")
            policy.chmod(0o755)
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *DEBIAN_PACKAGES],
                       check=True)
    finally:
        if ours:
            policy.unlink(missing_ok=True)
