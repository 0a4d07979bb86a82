/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The master: forks workers, passes signals on, opens logs anew for them, and starts another when
 * one dies. When the config file has changed, it has new workers take over (reload.h). It keeps the
 * privileges of the start and never reads a byte from the network.
 */
#ifndef MASTER_H
#define MASTER_H

struct lop_core;

/* Returns the exit status: once in the master, when all workers have ended, and in each worker. The
 * core may be another one then, and is the only one that is left. */
int master_run(struct lop_core **core, int workers);

#endif
