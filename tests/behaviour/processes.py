# SPDX-License-Identifier: BSD-2-Clause
"""Look at processes through /proc: who lives in a session, whose child, identity, files."""
import os

from tap import skip


def _field(pid, name):
    try:
        with open("/proc/%d/%s" % (pid, name), "rb") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _stat(pid):
    """The fields of /proc/PID/stat after the name: state, parent, group, session, …"""
    text = _field(pid, "stat")
    if not text:
        return None
    return text[text.rindex(b")") + 2:].split()


def processor_time(pid):
    """Seconds that a process has computed so far, in user and system mode."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def alive(pid):
    fields = _stat(pid)
    return fields is not None and fields[0] not in (b"Z", b"X")


def _all():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def children(pid):
    found = []
    for other in _all():
        fields = _stat(other)
        if fields and fields[0] not in (b"Z", b"X") and int(fields[1]) == pid:
            found.append(other)
    return sorted(found)


def in_session(session):
    """The living processes of a session, the leader first."""
    found = []
    for other in _all():
        fields = _stat(other)
        if fields and fields[0] not in (b"Z", b"X") and int(fields[3]) == session:
            found.append(other)
    return sorted(found, key=lambda pid: (pid != session, pid))


def status(pid):
    """/proc/PID/status as a dict of text."""
    pairs = (line.split(":", 1) for line in _field(pid, "status").decode().splitlines()
             if ":" in line)
    return {name: value.strip() for name, value in pairs}


def traced(pid):
    """Whether strace has a process that waits, which is in its call again."""
    found = status(pid)
    return found.get("TracerPid", "0") != "0" and found.get("State", "").startswith("S")


def threads(pid):
    """The threads of a process but the first."""
    return sorted(int(name) for name in os.listdir("/proc/%d/task" % pid) if int(name) != pid)


def descriptors(pid):
    """What the open descriptors of a process, or of a thread, point at: {number: text}.

    The server hides them from all but root: without root a test that needs them is skipped.
    """
    found = {}
    try:
        for name in os.listdir("/proc/%d/fd" % pid):
            try:
                found[int(name)] = os.readlink("/proc/%d/fd/%s" % (pid, name))
            except FileNotFoundError:
                pass
    except FileNotFoundError:
        pass
    except PermissionError:
        skip("only root may look at the descriptors of the server")
    return found


def sockets(pid):
    return [text for text in descriptors(pid).values() if text.startswith("socket:")]


def program(pid):
    """The inode of the program that a process runs; root only, like descriptors()."""
    try:
        return os.stat("/proc/%d/exe" % pid).st_ino
    except PermissionError:
        skip("only root may look at the program of the server")


def has_sandbox():
    """Whether the module sandbox is there: then every server of the tests has it on."""
    folder = os.environ.get("LOPHTTPD_MODULE_PATH")
    return bool(folder) and os.path.exists(folder + "/sandbox.so")


def _connections(port):
    """The fields of /proc/net/tcp for the accepted IPv4 connections to this port."""
    with open("/proc/net/tcp") as file:
        next(file)
        for line in file:
            fields = line.split()
            if int(fields[1].split(":")[1], 16) == port and fields[3] != "0A":
                yield fields


def accepted(port):
    """How many accepted IPv4 connections to this port are held open by some process."""
    return sum(int(fields[9]) != 0 for fields in _connections(port))


def unread(port):
    """How many bytes came to this port that no process has read yet."""
    return sum(int(fields[4].split(":")[1], 16) for fields in _connections(port))
