/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a prepared process to one that serves: privileges, the stage that follows, the sandbox, the
 * worker's loop.
 */
#ifndef SERVE_H
#define SERVE_H

struct lop_core;

/* The process without a master: opens its log and serves. Returns the exit status. */
int serve_alone(struct lop_core *core);
/* A worker after its fork; takes log and control over. Returns the exit status. */
int serve_worker(struct lop_core *core, int index, int log, int control);

/* When all workers accept: says so to whom it concerns. */
void serve_ready(struct lop_core *core);

#endif
