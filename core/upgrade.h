/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USR2: the newly installed binary is started with the same arguments and the listening sockets of
 * this one. When it serves it asks this one to drain (QUIT); when it fails to start, this one goes
 * on and says so. No connection is lost either way.
 *
 * A process in a chroot cannot start a binary that lies outside: with one process started by root
 * (-n 1) there is no upgrade.
 */
#ifndef UPGRADE_H
#define UPGRADE_H

#include <stdbool.h>
#include <sys/types.h>

struct lop_core;

struct upgrade {
	char *program; /* absolute path of this program, as it was called */
	char *folder;  /* the current folder at the start */
	pid_t old;     /* the process that this one replaces, 0 */
	pid_t child;   /* the process that replaces this one, 0 */
};

/* Remembers how the program was called, and takes the old one's sockets over if there is one.
 * Returns 0 or a negative errno. */
int upgrade_prepare(struct lop_core *core);

/* Starts the new binary; says why when it cannot. */
void upgrade_start(struct lop_core *core);
/* Looks whether the new binary has ended, after CHLD. */
void upgrade_reap(struct lop_core *core);
/* A process that was waited for: true when it was the new binary. */
bool upgrade_ended(struct lop_core *core, pid_t child, int status);

/* In the new binary, when it serves: asks the old one to drain. */
void upgrade_ready(struct lop_core *core);

void upgrade_free(struct upgrade *upgrade);

#endif
