/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A sandbox closes the door of a worker: after `enter` the process can do only what the loaded
 * modules declared. At most one module fills this table.
 */
#ifndef LOPHTTPD_SANDBOX_H
#define LOPHTTPD_SANDBOX_H

#include <lophttpd/base.h>

LOP_BEGIN_DECLS

struct lop_sandbox_enter {
	uint32_t size;
	int chrooted;         /* the root folder is already the process's "/" */
	uint64_t needs;       /* union of LOP_NEEDS_… of the core and the loaded modules */
	const int *roots;     /* descriptors of the folders that are served */
	int root_count;
	int alone;            /* there is no master: this process opens its log again on HUP, removes
	                       * its pid file and sockets, and starts no other program */
	int log_folder;       /* descriptor of the folder that the log is opened in, or -1 */
};

/* Who asked for what. The first is the core itself. */
struct lop_sandbox_party {
	uint32_t size;
	const char *name;
	uint64_t needs;
};

struct lop_sandbox {
	uint32_t size;    /* sizeof(struct lop_sandbox) */
	const char *name; /* for messages */
	/* Called once in each worker, after UNPRIVILEGED of every module. A negative errno ends the
	 * worker: it never runs with the door open. */
	int (*enter)(void *module, const struct lop_sandbox_enter *how);
	/* Prints on standard output what would be allowed, and which party asked for it. Descriptors
	 * in `how` are not set. May be NULL. Returns 0 or a negative errno. */
	int (*show)(void *module, const struct lop_sandbox_enter *how,
	            const struct lop_sandbox_party *parties, int party_count);
};

LOP_END_DECLS

#endif
