/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HUP, when the config file has changed: a second core is made of it beside the one that serves,
 * and new workers of that take over from the old, which end when their last connection has. Until
 * the new ones serve nothing is given up, so a file that is bad changes nothing.
 *
 * Sockets, pid file and the lines to the outside belong to the process: both cores name them, and
 * one of the two forgets them in the end. Where the server listens, the number of workers and the
 * like are the process's as well and do not change.
 */
#ifndef RELOAD_H
#define RELOAD_H

#include <stdbool.h>

struct lop_core;

/* Whether the config file, if there is one, has another content than when it was read. Says when it
 * cannot be read. */
bool reload_wanted(struct lop_core *core);

/* Makes the second core. NULL after a message. */
struct lop_core *reload_prepare(struct lop_core *core, int workers);

/* Has core forget what another core has as well: it may be freed then. */
void reload_forget(struct lop_core *core);

#endif
