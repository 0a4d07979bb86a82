#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""kTLS: files over TLS are encrypted by the kernel and sent by sendfile, and arrive whole.

    make check-ktls, or: LHTTPD=… LOPHTTPD_MODULE_PATH=… tests/vm/ktls.py

The kernel here may have no tls.ko, and a test loads no module into it: a virtual machine boots
Debian's cloud kernel with a root file system made here (busybox, lhttpd, openssl, curl, strace and
what they are linked with). LOP_KERNEL_PACKAGE names the kernel's .deb; without it the newest one
is fetched with apt-get. Prints TAP; skips with a reason where something is missing.
"""
import glob
import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile

LHTTPD = os.path.abspath(os.environ.get("LHTTPD") or "lhttpd")
MODULES = os.path.abspath(os.environ.get("LOPHTTPD_MODULE_PATH") or "modules/.libs")
TIMEOUT = 240
# In the order of their loading, without what they depend on.
KERNEL_MODULES = ("ctr", "gcm", "ghash-generic", "tls")
SIZE_MIB = 16
# Each cipher with the protocol that it is for; what Debian's kernel and OpenSSL both offload.
CASES = (("tls13", "--tlsv1.3 --tls13-ciphers TLS_AES_128_GCM_SHA256"),
         ("tls13-256", "--tlsv1.3 --tls13-ciphers TLS_AES_256_GCM_SHA384"),
         ("tls12", "--tls-max 1.2 --ciphers ECDHE-ECDSA-AES128-GCM-SHA256"))

INIT = r"""#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
ip link set lo up
for module in %(modules)s; do insmod /modules/$module || echo "RESULT insmod $module failed"; done
mkdir /tmp/site
dd if=/dev/urandom of=/tmp/site/big.bin bs=1M count=%(size)d 2>/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
	-keyout /tmp/key.pem -out /tmp/cert.pem -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost 2>/dev/null
echo "RESULT sum $(sha256sum </tmp/site/big.bin | cut -c1-64)"
export LOPHTTPD_MODULE_PATH=/modules.d
# A port, what to trace, and options of the server.
serve() {
	port=$1 trace=$2; shift 2
	strace -f -qq -o /tmp/trace$port $trace \
		lhttpd "$@" -n 1 -u nobody -q -R /tmp/site -l 127.0.0.1 -p $port \
		-C /tmp/cert.pem -K /tmp/key.pem 2>/tmp/errors$port &
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		grep -q listening /tmp/errors$port && break
		sleep 0.5
	done
}
serve 8443 "-e trace=sendfile,setsockopt,write,sendto"
%(cases)s
# A socket that is full when it comes to the goodbye, as far as the server can see. That is the third
# message, behind the end of the handshake and the response's head.
serve 8444 "-e trace=sendmsg -e inject=sendmsg:error=EAGAIN:when=3" --no-sandbox
printf 'GET /big.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' |
	openssl s_client -quiet -ign_eof -tls1_2 -connect 127.0.0.1:8444 2>/tmp/client >/tmp/answer
echo "RESULT got-goodbye $(tail -c $((%(size)d << 20)) /tmp/answer | sha256sum | cut -c1-64)"
echo "RESULT injected $(grep -c INJECTED /tmp/trace8444)"
echo "RESULT missed $(grep -c 'unexpected eof' /tmp/client)"
sed 's/^/CLIENT /' /tmp/client
echo "RESULT TlsTxSw $(grep TlsTxSw /proc/net/tls_stat | tr -dc 0-9)"
echo "RESULT sendfile $(grep -c 'sendfile(.* = [1-9]' /tmp/trace8443)"
sed 's/^/SAID /' /tmp/errors8443 /tmp/errors8444
echo RESULT end
poweroff -f
"""
CASE = ("echo \"RESULT got-%s $(curl -s --max-time 100 --cacert /tmp/cert.pem %s "
        "https://localhost:8443/big.bin | sha256sum | cut -c1-64)\"\n")


class Missing(Exception):
    """Why the test cannot run here."""


def tool(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        raise Missing("no " + name)
    return path


def said(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          **options)
    if done.returncode:
        raise Missing("%s: %s" % (" ".join(command[:2]), done.stderr.strip()[-300:]))
    return done.stdout


def kernel(folder):
    """Unpacks Debian's kernel. Returns the image and its folder of modules."""
    package = os.environ.get("LOP_KERNEL_PACKAGE")
    if not package:
        names = re.findall(r"^(linux-image-[0-9]\S*-cloud-amd64-unsigned) ",
                           said(tool("apt-cache"), "search", "^linux-image-.*-cloud-amd64-unsigned"),
                           re.M)
        if not names:
            raise Missing("apt knows no linux-image-…-cloud-amd64-unsigned")
        newest = max(names, key=lambda name: [int(part) for part in re.findall(r"\d+", name)])
        said(tool("apt-get"), "download", newest, cwd=folder)
        [package] = glob.glob(folder + "/*.deb")
    said(tool("dpkg-deb"), "-x", package, folder + "/kernel")
    [image] = glob.glob(folder + "/kernel/boot/vmlinuz-*")
    version = os.path.basename(image)[len("vmlinuz-"):]
    [modules] = glob.glob(folder + "/kernel/**/modules/" + version, recursive=True)
    return image, modules


def module(path):
    """Its bytes; newer kernels' are compressed."""
    with (lzma.open if path.endswith(".xz") else open)(path, "rb") as file:
        return file.read()


def with_dependencies(folder):
    """Paths of KERNEL_MODULES and of what they need, in the order of loading."""
    paths = {os.path.basename(path).partition(".ko")[0].replace("-", "_"): path
             for path in glob.glob(folder + "/kernel/**/*.ko*", recursive=True)}
    wanted = {}

    def want(name):
        path = paths.get(name.replace("-", "_"))
        if path is None or path in wanted:
            return                   # built in, or there already
        depends = re.search(rb"\0depends=([^\0]*)\0", module(path))
        for other in depends[1].decode().split(",") if depends else ():
            want(other)
        wanted[path] = True

    for name in KERNEL_MODULES:
        want(name)
    return list(wanted)


def libraries(program):
    """What the dynamic linker would load for it."""
    done = subprocess.run(["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True)
    return re.findall(r"(/\S+) \(0x", done.stdout)


class Archive:
    """A cpio archive ("newc"), as the kernel reads it for its first root file system."""

    def __init__(self, file):
        self.file, self.folders, self.number = file, set(), 0

    def _add(self, name, mode, data):
        self.number += 1
        name = name.strip("/").encode() + b"\0"
        fields = (self.number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
        self.file.write(head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4))

    def folder(self, name):
        if name not in ("", "/") and name not in self.folders:
            self.folder(os.path.dirname(name))
            self.folders.add(name)
            self._add(name, 0o040755, b"")

    def text(self, name, data, mode=0o100755):
        self.folder(os.path.dirname(name))
        self._add(name, mode, data)

    def copy(self, source, name):
        with open(source, "rb") as file:
            self.text(name, file.read())

    def link(self, name, target):
        self.text(name, target.encode(), 0o120777)

    def end(self):
        self._add("TRAILER!!!", 0, b"")


def make_root(path, modules):
    programs = {"lhttpd": LHTTPD, "openssl": tool("openssl"), "curl": tool("curl"),
                "strace": tool("strace")}
    shared = set()
    with open(path, "wb") as file:
        archive = Archive(file)
        for folder in ("/proc", "/sys", "/dev", "/tmp", "/root"):
            archive.folder(folder)
        archive.copy(tool("busybox"), "/bin/busybox")
        for applet in ("sh", "mount", "ip", "insmod", "mkdir", "dd", "sha256sum", "cut", "grep",
                       "tr", "sed", "sleep", "tail", "printf", "poweroff", "cat"):
            archive.link("/bin/" + applet, "busybox")
        for name, source in programs.items():
            archive.copy(source, "/usr/bin/" + name)
            shared.update(libraries(source))
        for source in glob.glob(MODULES + "/*.so"):
            archive.copy(source, "/modules.d/" + os.path.basename(source))
            shared.update(libraries(source))
        for source in sorted(shared):
            archive.copy(os.path.realpath(source), source)
        for source in modules:
            archive.text("/modules/" + os.path.basename(source), module(source))
        for source in ("/etc/ssl/openssl.cnf", "/usr/lib/ssl/openssl.cnf"):
            if os.path.exists(source):
                archive.copy(source, source)
        archive.text("/etc/passwd", b"root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
        archive.text("/etc/group", b"root:x:0:\nnogroup:x:65534:\n")
        archive.text("/etc/hosts", b"127.0.0.1 localhost\n")
        cases = "".join(CASE % case for case in CASES)
        archive.text("/init", (INIT % {
            "modules": " ".join(os.path.basename(name) for name in modules), "size": SIZE_MIB,
            "cases": cases}).encode())
        archive.end()


def boot(folder):
    image, modules = kernel(folder)
    make_root(folder + "/root.cpio", with_dependencies(modules))
    # Without KVM, which may be there inside another virtual machine and not work.
    machine = [tool("qemu-system-x86_64"), "-m", "1024", "-nographic", "-no-reboot", "-nic", "none",
               "-cpu", "max", "-kernel", image, "-initrd", folder + "/root.cpio",
               "-append", "console=ttyS0 quiet panic=-1"]
    try:
        output = subprocess.run(machine, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, timeout=TIMEOUT).stdout
    except subprocess.TimeoutExpired as late:
        output = late.stdout or b""
    return output.decode("utf-8", "replace").replace("\r", "")


def main():
    if not os.path.exists(MODULES + "/tls.so"):
        print("1..0 # SKIP the module tls is not built")
        return 0
    folder = tempfile.mkdtemp(prefix="lophttpd-vm-")
    try:
        output = boot(folder)
    except Missing as reason:
        print("1..0 # SKIP %s" % reason)
        return 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    results = dict(re.findall(r"RESULT (\S+) (\S+)$", output, re.M))
    checks = [("every_file_arrives_whole_by_%s" % name,
               "sum" in results and results.get("got-" + name) == results["sum"])
              for name, _ in CASES]
    checks.append(("the_kernel_encrypts", int(results.get("TlsTxSw", "0")) >= len(CASES)))
    checks.append(("files_are_sent_by_sendfile", int(results.get("sendfile", "0")) > 0))
    checks.append(("a_goodbye_waits_for_room_in_the_socket",
                   "sum" in results and results.get("got-goodbye") == results["sum"] and
                   results.get("injected") == "1" and results.get("missed") == "0"))
    print("1..%d" % len(checks))
    for number, (name, passed) in enumerate(checks, 1):
        print("%sok %d - %s" % ("" if passed else "not ", number, name))
    if not all(passed for _, passed in checks):
        print("\n".join("# " + line for line in output.splitlines()[-60:]))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
