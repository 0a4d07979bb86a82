/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file with the process number. It appears whole or not at all, and a lock on it tells whether
 * its server still runs: one that was left behind by a crash is replaced.
 */
#ifndef PID_FILE_H
#define PID_FILE_H

#include <stdbool.h>

struct lop_core;

struct pid_file {
	char *path;     /* absolute; NULL: none is wanted */
	int descriptor; /* holds the lock; -1 */
};

/* Writes it. In an upgrade the old server's is replaced. Returns 0, or a negative errno after a
 * message. */
int pid_file_write(struct lop_core *core);
/* After an upgrade that failed: makes it name this process again. */
void pid_file_restore(struct lop_core *core);
/* A worker lets go of it without removing it. */
void pid_file_leave(struct lop_core *core);
/* Removes it, unless another server's stands there now. From a chroot it can only be emptied. */
void pid_file_remove(struct lop_core *core);

#endif
