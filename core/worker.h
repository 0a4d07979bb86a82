/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker: one loop and everything that it owns. Nothing is shared between workers but the
 * listening sockets' ports.
 */
#ifndef WORKER_H
#define WORKER_H

#include <stdbool.h>
#include <stdint.h>

struct lop_core;

struct worker_start {
	struct lop_core *core;
	int index;       /* from 0 */
	int log;         /* descriptor of its log file, -1 none; owned by the worker */
	int control;     /* line to the master, -1 when there is none */
	int signals;     /* from signals_open() */
};

/* Runs the worker: makes its state, runs stage WORKER, says that it is ready (through control, or
 * by calling `ready`, which may be NULL, when there is no master), serves until told to stop, and
 * runs EXIT. Privileges were dropped before. Returns the process's exit status. */
int worker_run(const struct worker_start *start, void (*ready)(struct lop_core *core));

#endif
