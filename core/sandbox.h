/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The core's side of a sandbox module (lophttpd/sandbox.h): it is told what was declared and what
 * kind of process this is; what it makes of that is its own business.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stdbool.h>

struct lop_core;

/* Closes the door of this process for good, if a module for it is loaded. alone: there is no
 * master. Returns 0, or a negative errno after a message. */
int sandbox_enter(struct lop_core *core, bool alone);

/* --sandbox-show. -ENOENT: no loaded module has a sandbox that can be shown. */
int sandbox_show(struct lop_core *core);

#endif
