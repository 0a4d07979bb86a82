/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Landlock: the kernel refuses this process every file outside the web root, and every port, that
 * its modules did not declare to need. A third wall where the kernel has it (Linux 5.13 and newer);
 * nothing fails where it has not.
 *
 * A process without a master, and neither in a chroot nor in a sandbox, must be able to start a new
 * binary on USR2, which inherits the restrictions: there only writing is restricted.
 */
#ifndef LANDLOCK_H
#define LANDLOCK_H

#include <stdbool.h>

struct lop_core;

/* alone: there is no master. Returns 0, or a negative errno after a message. */
int landlock_enter(struct lop_core *core, bool alone);

#endif
