/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The line between master and worker: the master hands over log descriptors opened anew, the worker
 * says that it is ready. When the line breaks the other side has gone.
 */
#ifndef CONTROL_H
#define CONTROL_H

/* A pair of connected sockets, close-on-exec, non-blocking. */
int control_pair(int pair[2]);

enum control_kind {
	CONTROL_NONE = 0, /* nothing now */
	CONTROL_READY,    /* worker -> master: accepting */
	CONTROL_LOG,      /* master -> worker, with the descriptor of the new log file; the HUP
	                   * itself is passed on as a signal */
	CONTROL_REOPEN,   /* master -> worker: stage REOPEN, without the logs */
	CONTROL_RETIRE,   /* master -> worker: another serves now; end with the last connection */
};

/* descriptor -1: none. Returns 0 or a negative errno. */
int control_send(int line, enum control_kind kind, int descriptor);
/* Returns the kind, or -EPIPE when the other side has gone; *descriptor is owned by the caller, -1
 * if none came. */
int control_receive(int line, int *descriptor);

#endif
