# SPDX-License-Identifier: BSD-2-Clause
"""Tables, ratios and targets from the samples: samples[workload][server] = [sample of a round]."""

import statistics

from servers import BARE, PEERS, PROXY_PEERS

SUBJECT = "lhttpd"
LOG_COSTS = {"1k-log": 1.08, "1k-mmap": 1.04}
STALL_MS = 5.0
SANDBOX_COST = 1.05
FLOOR_COST = 1.15
IDLE_BYTES = 512
WAITING_BYTES = 4096
WORKER_KIB = 3 * 1024
START_MS = 20.0
BULK_COST = 1.15       # of TLS, in what the same costs plain and what the cipher costs alone
LEAST_COST = 1.5       # of TLS, in what the bare loop that encrypts costs


def median(samples, key):
    values = [sample[key] for sample in samples if sample and key in sample]
    return statistics.median(values) if values else None


def ratio(above, below, key):
    """Median over the rounds of above/below, round by round: slow drifts cancel."""
    values = [a[key] / b[key] for a, b in zip(above, below)
              if a and b and key in a and b.get(key)]
    return statistics.median(values) if values else None


def show(value, form="{:.2f}"):
    return "-" if value is None else form.format(value)


def table(rows, out, left=()):
    """Prints rows of cells; the first column and those in left are aligned to the left."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(width) if column in (0, *left) else cell.rjust(width)
                 for column, (cell, width) in enumerate(zip(row, widths))]
        print("  " + "  ".join(cells).rstrip(), file=out)


def base_server(results):
    return next((name for name in (SUBJECT, "floor") if name in results), None)


def load_rows(workload, results):
    bulk = workload.bulk or workload.kind == "fair"
    base = base_server(results)
    rows = [["server", "GiB/s" if bulk else "req/s", "CPU ms/GiB" if bulk else "CPU us/req",
             "min-max", "p99 ms", "PSS MiB", "busy", "errors"]]
    if base:
        rows[0] += [f"CPU/{base}", f"rate/{base}", f"p99/{base}"]
    if workload.kind == "fair":
        rows[0].append("Jain")
    if workload.busy_disk:
        rows[0].append("stall ms")
    for name, samples in results.items():
        costs = [sample["cpu"] for sample in samples if sample]
        p99 = median(samples, "p99_us")
        row = [name,
               show(median(samples, "rate"), "{:.2f}" if bulk else "{:,.0f}"),
               show(median(samples, "cpu")),
               f"{min(costs):.2f}-{max(costs):.2f}",
               show(p99 / 1000 if p99 else None, "{:.3f}"),   # wrk has none when pipelining
               show(median(samples, "pss_kib") / 1024),
               show(median(samples, "busy"), "{:.0%}"),
               str(sum(sample["errors"] for sample in samples if sample))]
        if base:
            row += [show(ratio(samples, results[base], key)) for key in ("cpu", "rate", "p99_us")]
        if workload.kind == "fair":
            row.append(show(median(samples, "jain"), "{:.3f}"))
        if workload.busy_disk:
            row.append(show(longest_stall(samples), "{:.1f}"))
        rows.append(row)
    return rows


def longest_stall(samples):
    return max((sample["stall_ms"] for sample in samples if sample and "stall_ms" in sample),
               default=None)


def idle_rows(results):
    rows = [["server", "connections", "bytes a connection", "PSS idle MiB", "PSS with all MiB"]]
    for name, samples in results.items():
        rows.append([name, show(median(samples, "connections"), "{:.0f}"),
                     show(median(samples, "bytes_each"), "{:.0f}"),
                     show(median(samples, "pss_kib") / 1024),
                     show(median(samples, "full_kib") / 1024)])
    return rows


def start_rows(results):
    rows = [["server", "median ms", "worst ms"]]
    for name, samples in results.items():
        rows.append([name, show(median(samples, "ms")), show(median(samples, "worst_ms"))])
    return rows


def calls_rows(results):
    rows = [["server", "calls a request", "idle calls/s", "which"]]
    for name, samples in results.items():
        calls = next(sample for sample in samples if sample)["calls"]
        which = " ".join(f"{call} {count:.2f}" for call, count in
                         sorted(calls.items(), key=lambda item: -item[1]))
        rows.append([name, show(sum(calls.values())), show(median(samples, "idle_per_second")),
                     which])
    return rows


def print_workload(workload, results, skipped, out):
    print(f"\n{workload.name}: {workload.title}", file=out)
    present = {name: samples for name, samples in results.items() if any(samples)}
    if present:
        kinds = {"idle": idle_rows, "waiting": idle_rows, "start": start_rows, "calls": calls_rows}
        maker = kinds.get(workload.kind)
        table(maker(present) if maker else load_rows(workload, present), out,
              left=(3,) if workload.kind == "calls" else ())
    for name, reason in skipped.items():
        print(f"  {name}: not measured: {reason}", file=out)


# Targets ---------------------------------------------------------------------------------


class Targets:
    """What is promised of lhttpd, each with the figure that was reached."""

    def __init__(self, samples):
        self.samples = samples
        self.lines = []

    def add(self, what, value, limit, form="{:.2f}", at_least=False):
        if value is None:
            return
        if limit is None:
            self.lines.append(["for comparison", what, form.format(value), "", ""])
            return
        reached = value >= limit if at_least else value <= limit
        sign = ">=" if at_least else "<="
        self.lines.append([("reached" if reached else "SHORT"), what, form.format(value),
                           sign, form.format(limit)])

    def peers(self, workload, key, what, at_least=False, bound=1.0):
        own = self.samples.get(workload, {}).get(SUBJECT)
        for peer in PEERS:
            other = self.samples.get(workload, {}).get(peer)
            if own and other:
                self.add(f"{workload}: {what} / {peer}", ratio(own, other, key), bound,
                         "{:.3f}", at_least)

    def collect(self):
        for workload in ("1k", "4k"):
            results = self.samples.get(workload, {})
            if SUBJECT in results and "floor" in results:
                self.add(f"{workload}: CPU / floor",
                         ratio(results[SUBJECT], results["floor"], "cpu"), FLOOR_COST, "{:.3f}")
            self.peers(workload, "cpu", "CPU")
        results = self.samples.get("1k", {})
        if SUBJECT in results and BARE in results:
            self.add("1k: CPU / CPU without the sandbox",
                     ratio(results[SUBJECT], results[BARE], "cpu"), SANDBOX_COST, "{:.3f}")
        plain = self.samples.get("1k", {}).get(SUBJECT)
        for workload, cost in LOG_COSTS.items():
            logged = self.samples.get(workload, {}).get(SUBJECT)
            if logged and plain:
                self.add(f"{workload}: CPU / CPU of 1k", ratio(logged, plain, "cpu"), cost,
                         "{:.3f}")
        for workload in ("disk-log", "disk-mmap", "disk-aio"):
            self.add(f"{workload}: ms of the longest stall",
                     longest_stall(self.samples.get(workload, {}).get(SUBJECT, [])), STALL_MS,
                     "{:.1f}")
        for workload in ("close", "pipeline", "304", "404", "range", "ranges", "zipf"):
            self.peers(workload, "cpu", "CPU")
        for workload in ("64k", "100m"):
            self.peers(workload, "rate", "throughput", at_least=True)
            self.peers(workload, "cpu", "CPU a GiB")
        self.peers("fair", "p99_us", "p99")
        for workload in ("tls-1k", "tls-64k", "tls-1m", "tls-ecdsa", "tls-rsa", "tls-resumed"):
            self.peers(workload, "cpu", "CPU")
        self.collect_bulk()
        self.collect_proxies()
        self.collect_single()
        return self.lines

    def collect_bulk(self):
        """Where the kernel does not encrypt, the bare loop alone needs about what BULK_COST allows."""
        for name, limit in (("tls-1m", BULK_COST), ("tls-least", None)):
            rows = [self.samples.get(row, {}).get(SUBJECT) for row in (name, "plain-1m", "cipher")]
            costs = [whole["cpu"] / (plain["cpu"] + cipher["cpu"])
                     for whole, plain, cipher in zip(*rows) if whole and plain and cipher
                     ] if all(rows) else []
            if costs:
                self.add(f"{name}: CPU / (CPU of plain-1m + cipher)", statistics.median(costs),
                         limit)
        whole, least = (self.samples.get(row, {}).get(SUBJECT) for row in ("tls-1m", "tls-least"))
        if whole and least:
            self.add("tls-1m: CPU / tls-least", ratio(whole, least, "cpu"), LEAST_COST)

    def collect_proxies(self):
        for name in ("1k", "1k-new", "64k", "64k-new", "100m", "100m-new", "1k-rate",
                     "1k-new-rate", "64k-rate", "64k-new-rate"):
            results = self.samples.get("proxy-" + name, {})
            for peer in PROXY_PEERS:
                if results.get(SUBJECT) and results.get(peer):
                    pair = results[SUBJECT], results[peer]
                    self.add(f"proxy-{name}: CPU / {peer}", ratio(*pair, "cpu"), 1.0, "{:.3f}")
                    self.add(f"proxy-{name}: p99 / {peer}", ratio(*pair, "p99_us"), 1.0, "{:.3f}")
        waiting = self.samples.get("proxy-waiting", {}).get(SUBJECT)
        if waiting:
            self.add("proxy-waiting: bytes a request, with its buffers",
                     median(waiting, "bytes_each"), WAITING_BYTES, "{:.0f}")

    def collect_single(self):
        idle = self.samples.get("idle", {}).get(SUBJECT)
        if idle:
            self.add("idle: bytes a connection", median(idle, "bytes_each"), IDLE_BYTES, "{:.0f}")
            self.add("idle: KiB of a worker", median(idle, "pss_kib"), WORKER_KIB, "{:.0f}")
        start = self.samples.get("start", {}).get(SUBJECT)
        if start:
            self.add("start: ms to the first byte", median(start, "ms"), START_MS, "{:.1f}")
        calls = [sample for sample in self.samples.get("calls", {}).get(SUBJECT, []) if sample]
        if calls:
            waits = ("epoll_wait", "epoll_pwait", "epoll_pwait2")
            each = sum(count for call, count in calls[0]["calls"].items() if call not in waits)
            self.add("calls: a request, without the wait", each, 2.05)
            self.add("calls: an idle second", calls[0]["idle_per_second"], 0.0)


def print_targets(samples, out):
    lines = Targets(samples).collect()
    if lines:
        print(f"\nTargets of {SUBJECT} (ratios are medians over the rounds)", file=out)
        table(lines, out, left=(1,))
