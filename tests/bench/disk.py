# SPDX-License-Identifier: BSD-2-Clause
"""A disk that is busy, and what that does to a server's loop.

The disk is an ext4 image whose writers the kernel throttles as soon as 8 MiB wait for it (a
strict limit of its own): what a disk does to them that is slower than what is written to it, and
on any machine. It takes root; without, the disk is the one of the temporary files.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

IMAGE_MIB = 1024
WAITING_BYTES = 8 << 20
SAMPLE_SECONDS = 0.0003
# 300 MiB again and again, never waiting for the disk by itself.
WRITER = """
import sys
block = bytes(1 << 20)
while True:
    with open(sys.argv[1], "wb", buffering=0) as file:
        for _ in range(300):
            file.write(block)
"""


def writer(folder):
    """The command of a process that saturates the disk of this folder."""
    return [sys.executable, "-c", WRITER, str(folder / "noise")]


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def limit_waiting(image):
    device = Path(run("losetup", "-j", str(image)).split(":")[0]).name
    number = Path(f"/sys/block/{device}/dev").read_text().strip()
    Path(f"/sys/class/bdi/{number}/strict_limit").write_text("1")
    Path(f"/sys/class/bdi/{number}/max_bytes").write_text(str(WAITING_BYTES))


@contextlib.contextmanager
def slow_disk(work):
    """A folder on such a disk, or None."""
    image, folder = work / "disk.img", work / "disk"
    mounted = False
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4", path=os.defpath + ":/sbin:/usr/sbin"):
        yield None
        return
    try:
        try:
            folder.mkdir(exist_ok=True)
            with open(image, "wb") as file:
                file.truncate(IMAGE_MIB << 20)
            run("mkfs.ext4", "-q", "-F", str(image))
            run("mount", "-o", "loop", str(image), str(folder))
            mounted = True
            folder.chmod(0o755)
            limit_waiting(image)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"no slow disk: {error}", file=sys.stderr)
            yield None
            return
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)
        image.unlink(missing_ok=True)


class Stalls:
    """The longest time that a process's first thread slept for a disk (state D), by looking."""

    def __init__(self, pid):
        self.path = f"/proc/{pid}/task/{pid}/stat"
        self.longest = 0.0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.look)

    def look(self):
        began = None
        with open(self.path, "rb", buffering=0) as stat:
            while not self.stop.is_set():
                state = os.pread(stat.fileno(), 512, 0).rsplit(b")", 1)[1].split()[0]
                now = time.monotonic()
                if state != b"D":
                    began = None
                elif began is None:
                    began = now
                else:
                    self.longest = max(self.longest, now - began)
                time.sleep(SAMPLE_SECONDS)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
