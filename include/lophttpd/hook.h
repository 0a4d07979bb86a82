/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hooks: where a module takes part in a request.
 *
 * A request goes through the phases in order. Within a phase hooks run by rising priority, and
 * at equal priority in the order of loading; DONE runs in reverse. In CONTENT the first hook that
 * does not decline has claimed the request.
 */
#ifndef LOPHTTPD_HOOK_H
#define LOPHTTPD_HOOK_H

#include <lophttpd/base.h>

LOP_BEGIN_DECLS

enum lop_phase {
	LOP_PHASE_ROUTE = 1, /* which root the request is served from */
	LOP_PHASE_ACCESS,    /* whether it may be served at all */
	LOP_PHASE_CONTENT,   /* who answers */
	LOP_PHASE_RESPONSE,  /* the response's fields before they are sent */
	LOP_PHASE_DONE,      /* after the last byte, or after the connection died */
};

/* What a hook returns; any value from 300 to 599 is a status that ends the phases before
 * RESPONSE with the core's page for it. Of negative errnos, -EBADMSG, -ETIMEDOUT and -EMSGSIZE (from
 * lop_request_body_read()) are answered with 400, 408 and 413, others with 500. */
enum lop_result {
	LOP_DECLINED = 0, /* not mine: ask the next */
	LOP_DONE = 1,     /* ROUTE, ACCESS: skip the rest of the phase. CONTENT: the response is set */
	LOP_AGAIN = 2,    /* call me again after lop_request_wake(), or when the body moves; calls
	                   * without either must be expected */
};

/* Priorities of the core's own content hooks, so that modules can place themselves. */
#define LOP_PRIORITY_FIRST 100
#define LOP_PRIORITY_BEFORE_STATIC 400
#define LOP_PRIORITY_STATIC 500
#define LOP_PRIORITY_AFTER_STATIC 600 /* a folder without index arrives here */

typedef int lop_hook_f(void *state, struct lop_request *request);

struct lop_hook {
	uint32_t size; /* sizeof(struct lop_hook); 0 ends the array */
	int32_t phase; /* enum lop_phase */
	int32_t priority;
	const char *name; /* for --list-hooks */
	lop_hook_f *run;
};

#define LOP_HOOK(phase_, priority_, name_, run_)                                                   \
	{ .size = sizeof(struct lop_hook), .phase = (phase_), .priority = (priority_),             \
	  .name = (name_), .run = (run_) }
#define LOP_HOOK_END { .size = 0 }

LOP_END_DECLS

#endif
