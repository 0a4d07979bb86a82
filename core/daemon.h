/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * To the background: the process that the user started waits until the server listens, and its
 * exit status tells whether it does. From then on messages go to syslog.
 */
#ifndef DAEMON_H
#define DAEMON_H

struct lop_core;

struct daemon_line {
	int descriptor; /* to the process that waits, -1 */
	int null;       /* /dev/null, opened while it is in reach, -1 */
};

/* Returns in the background process only: 0, or a negative errno after a message. */
int daemon_start(struct lop_core *core);
/* Lets the waiting process end well, and hides. Nothing happens without daemon_start(). */
void daemon_ready(struct lop_core *core);
/* After a fork: a worker has no part in it but to hide when it is ready itself. */
void daemon_leave(struct lop_core *core);
/* In the background already, by the server that this one replaces. */
void daemon_resume(struct lop_core *core);
/* Lets standard input, output and error go. */
void daemon_hide(struct lop_core *core);

#endif
