/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a worker may call: one table of groups, each opened by something that was declared. Nothing
 * here calls the kernel; filter.c makes a filter of it and show.c prints it.
 *
 * Calls are named, not numbered: a name that the system's library or processor does not know is
 * passed over, so that the table holds the calls of all of them.
 */
#ifndef RULES_H
#define RULES_H

#include <stddef.h>
#include <stdint.h>

#include <lophttpd/module.h>

#define CHECKS_MAX 3

/* Where the wanted value of an argument comes from. */
enum check_kind {
	CHECK_NONE = 0, /* ends the checks of a rule */
	CHECK_BITS,     /* (argument & mask) == value */
	CHECK_OWN_PID,
	CHECK_PARENT_PID,
	CHECK_LOG_FOLDER, /* a rule that has it is passed over where there is none */
};

struct check {
	enum check_kind kind;
	unsigned argument; /* counted from 0 */
	uint64_t mask;
	uint64_t value;
};

struct rule {
	const char *call; /* NULL ends the rules of a group */
	int number;       /* of a call whose name some libraries do not know yet, or 0 */
	const char *only; /* the condition in words; NULL: there is none */
	int refuse;       /* 0: allowed; else the call fails with this errno, and nothing worse */
	struct check checks[CHECKS_MAX];
};

struct group {
	const char *name;
	uint64_t needs;   /* opened by any of these; 0: see alone */
	int alone;        /* opened in a process without a master */
	int closed_by_needs; /* … is left out when one of `needs` was declared */
	const struct rule *rules;
};

extern const struct group groups[]; /* ends with a NULL name */

/* Whether a group is open. */
int group_open(const struct group *group, uint64_t needs, int alone);

#endif
