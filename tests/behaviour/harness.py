# SPDX-License-Identifier: BSD-2-Clause
"""What a test file imports: `from harness import *`. Each part explains itself in its own file."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import processes  # noqa: E402
from server import (AM_ROOT, LHTTPD, ORDINARY, RUN_USER, Server, environment,  # noqa: E402
                    hurry, listens, mounted, need_root, need_tool, run, run_uid)
from tap import (SLOWDOWN, Failure, Skipped, check, equal, main, patience, seconds,  # noqa: E402
                 short, skip, test, wait_for, within)
from trees import SOURCE, Link, grow, pattern, replace, scratch, tree  # noqa: E402
from wire import DATE, Connection, Response, make_request, split_responses  # noqa: E402

__all__ = ["AM_ROOT", "DATE", "LHTTPD", "ORDINARY", "RUN_USER", "SLOWDOWN", "SOURCE", "Connection",
           "Failure", "Link", "Response", "Server", "Skipped", "check", "environment", "equal",
           "grow", "hurry", "listens", "main", "make_request", "mounted", "need_root", "need_tool",
           "patience", "pattern", "processes", "replace", "run", "run_uid", "scratch", "seconds",
           "short", "skip", "split_responses", "test", "tree", "wait_for", "within"]
