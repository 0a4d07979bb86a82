# SPDX-License-Identifier: BSD-2-Clause
"""Temporary folders and the file trees that are served from them; all are removed at exit.

A tree is described by a dict: a path to its content. bytes make a file, None a folder, Link a
symbolic link.
Everything is readable by everyone, as a server that runs as another user needs it.
"""
import atexit
import os
import shutil
import tempfile

# Where the project's own files lie.
SOURCE = os.environ.get("srcdir") or os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                                  "..", "..")

_scratch = []


class Link:
    """A symbolic link to `target`, as it is written (relative or absolute)."""

    def __init__(self, target):
        self.target = target


def scratch():
    """A new empty folder that everyone may read; returns its path."""
    path = os.path.realpath(tempfile.mkdtemp(prefix="lophttpd-test-"))
    os.chmod(path, 0o755)
    _scratch.append(path)
    return path


def grow(root, content):
    """Make the described entries below `root`; names may be bytes."""
    for name, value in content.items():
        path = os.path.join(os.fsencode(root), os.fsencode(name))
        os.makedirs(path if value is None else os.path.dirname(path), exist_ok=True)
        if isinstance(value, Link):
            os.symlink(value.target, path)
        elif value is not None:
            with open(path, "wb") as file:
                file.write(value)
    return root


def tree(content):
    """A new folder with these entries."""
    return grow(scratch(), content)


def replace(path, content):
    """Put a new file in the place of `path` in one step, as a careful publisher does."""
    with open(path + ".new", "wb") as file:
        file.write(content)
    os.rename(path + ".new", path)


def pattern(size, seed=1):
    """`size` bytes without a short period, so that a piece from a wrong place is noticed."""
    block = b"".join((index * 2654435761 + seed * 40503 & 0xffffffff).to_bytes(4, "little")
                     for index in range(4099))
    return (block * (size // len(block) + 1))[:size]


@atexit.register
def _remove():
    for path in _scratch:
        shutil.rmtree(path, ignore_errors=True)


def leftovers():
    """The scratch folders that could not be removed. Called last."""
    _remove()
    return [path for path in _scratch if os.path.exists(path)]
