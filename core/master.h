/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master: forks workers, passes signals on, opens logs anew for them, and starts another when
 * one dies. It keeps the privileges of the start and never reads a byte from the network.
 */
#ifndef MASTER_H
#define MASTER_H

struct lop_core;

/* Returns the exit status: once in the master, when all workers have ended, and in each worker. */
int master_run(struct lop_core *core, int workers);

#endif
