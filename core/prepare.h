/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the command line to a core that has all but its sockets: at the start, and again when the
 * config file has changed (reload.h). Each step says itself what is wrong.
 */
#ifndef PREPARE_H
#define PREPARE_H

struct lop_core;
struct program;

/* Exit status, or GO_ON. */
enum status {
	STATUS_STOPPED = 0, /* as asked */
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	GO_ON = -1,
};

/* NULL: no memory. */
struct lop_core *core_new(const struct program *program, char **arguments);
/* Gives everything back, and closes the sockets that it has. */
void core_free(struct lop_core **core);

/* Reads command line and config file, and loads the modules. */
enum status prepare_options(struct lop_core *core);
/* The rest of what can be checked without touching the system. */
enum status prepare_settings(struct lop_core *core);
/* What a test of the options looks at beyond that: whether the log lies in the root, if both are
 * there. Returns 0 or a negative errno. */
int prepare_test(struct lop_core *core);
/* User, root folder and content types. Returns 0 or a negative errno. */
int prepare_files(struct lop_core *core);
/* Where logs go, by workers processes. Returns 0 or a negative errno. */
int prepare_logs(struct lop_core *core, int workers);

#endif
