/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Giving up root. The user is looked up at the start, while its databases are in reach; the drop is
 * made in each worker after its fork: chroot to the web root, groups, user, and a check that there
 * is no way back. Any failure ends the start. An ordinary user keeps its identity and has no
 * chroot.
 */
#ifndef PRIVILEGES_H
#define PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

struct lop_core;

struct privileges {
	bool root;    /* started by root: uid and the rest are set */
	char *user;   /* name for messages */
	uid_t uid;
	gid_t gid;
};

/* Looks the user up. Returns 0, or a negative errno after a message. */
int privileges_prepare(struct lop_core *core);

/* Raises the limit of open files to what connections and cache need. The cache makes do with what
 * there is; when it is too little for the connections, says so and lowers their number. */
void privileges_limits(struct lop_core *core);

/* The drop, in this process. Returns 0, or a negative errno after a message. */
int privileges_drop(struct lop_core *core);

void privileges_free(struct privileges *privileges);

#endif
