/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A log lies outside the web root: one that is served tells everybody who else was here.
 */
#ifndef LOG_OUTSIDE_H
#define LOG_OUTSIDE_H

struct lop_core;

/* Whether a path, with its links resolved, may take the log: refused is what lies in the root, by
 * whatever name, or what a mount shows there (on Linux), unless --log-in-root was given. Returns 0,
 * also when it is not there, or a negative errno after a message. core->root stands. */
int log_outside_check(struct lop_core *core, const char *path);

#endif
