/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hooks of the core and of all modules, sorted by phase and priority once at start. A phase
 * that nobody hooks costs one comparison a request.
 */
#ifndef HOOKS_H
#define HOOKS_H

#include <stddef.h>

#include <lophttpd/hook.h>

#include "modules.h"

#define HOOKS_PHASES (LOP_PHASE_DONE + 1)

struct hook {
	lop_hook_f *run;
	void *state;
	int priority;
	const char *name;
	const char *module; /* "core" for the core's own */
};

struct hooks {
	struct hook
		*items[HOOKS_PHASES]; /* by phase, in the order in which they run; [0] is unused */
	size_t count[HOOKS_PHASES];
};

/* core_hooks ends with size 0 (NULL: none) and comes before any module's of the same priority;
 * core_state is handed to them. Names and states belong to the modules and outlive the hooks.
 * Returns 0, -ENOMEM, or -EINVAL when a hook of the core names no phase (a module's was refused
 * when it was loaded). */
int hooks_build(struct hooks *hooks, const struct modules *modules,
                const struct lop_hook *core_hooks, void *core_state);
void hooks_free(struct hooks *hooks);

/* --list-hooks: on standard output, in the order in which they run. */
void hooks_print(const struct hooks *hooks);

#endif
