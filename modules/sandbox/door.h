/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The door of a worker, one file a system: door_seccomp.c (Linux), door_pledge.c (OpenBSD),
 * door_capsicum.c (FreeBSD), chosen by configure. Each maps the same bits of what was declared to
 * what its kernel has.
 */
#ifndef DOOR_H
#define DOOR_H

#include <stdbool.h>
#include <stdint.h>

#include <lophttpd/module.h>
#include <lophttpd/sandbox.h>

extern const char door_name[]; /* for messages */

/* Why the door cannot be closed for a process of these needs: one line that says what holds instead,
 * or NULL. door_close() does nothing then. */
const char *door_gap(uint64_t needs);

/* Closes the door of this process for good. log: what is not allowed fails or passes, and is told
 * to the kernel's log, instead of ending the process. Returns 0 or a negative errno. */
int door_close(const struct lop_sandbox_enter *how, bool log);

/* Prints what would be open, and which party asked for it: a group's line begins at the margin,
 * what it opens follows with two spaces before it, a line each. */
void door_show(const struct lop_sandbox_enter *how, const struct lop_sandbox_party *parties,
               int party_count);

#endif
