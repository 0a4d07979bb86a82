/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandbox: what a worker can ask of the kernel. After `enter` that is what the core and the loaded
 * modules declared to need, and nothing more, by whatever the system has for it (door.h).
 */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <lophttpd/lophttpd.h>

#include "door.h"

struct sandbox {
	struct lop_core *core;
	bool log;
};

static int set_log(void *state, const char *value, char *error, size_t error_size)
{
	struct sandbox *sandbox = state;

	(void)value;
	(void)error;
	(void)error_size;
	sandbox->log = true;
	return 0;
}

static const struct lop_option options[] = {
	LOP_OPTION(0, "sandbox-log", NULL,
	           "let a worker do what is not allowed, and have the kernel log it", set_log),
	LOP_OPTION_END,
};

/* What a worker never asks for it cannot have too much of: no processes, nor threads unless they
 * were declared, no locked memory, no queues of messages. */
static int limits_lower(uint64_t needs)
{
	static const struct rlimit nothing = { .rlim_cur = 0, .rlim_max = 0 };
	static const int limits[] = {
#ifdef RLIMIT_MEMLOCK
		RLIMIT_MEMLOCK,
#endif
#ifdef RLIMIT_MSGQUEUE
		RLIMIT_MSGQUEUE,
#endif
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (setrlimit(limits[i], &nothing) < 0)
			return -errno;
	}
	if ((needs & (LOP_NEEDS_THREADS | LOP_NEEDS_AIO)) == 0 &&
	    setrlimit(RLIMIT_NPROC, &nothing) < 0)
		return -errno;
	return 0;
}

static int sandbox_enter(void *module, const struct lop_sandbox_enter *how)
{
	const struct sandbox *sandbox = module;
	const char *gap = door_gap(how->needs);
	int result = limits_lower(how->needs);

	if (result < 0)
		return result;
	if (gap != NULL) {
		lop_core_message(sandbox->core, LOP_LOG_WARNING, "the sandbox stays open: %s", gap);
		return 0;
	}
	return door_close(how, sandbox->log);
}

static int sandbox_show(void *module, const struct lop_sandbox_enter *how,
                        const struct lop_sandbox_party *parties, int party_count)
{
	const char *gap = door_gap(how->needs);

	(void)module;
	if (gap != NULL)
		printf("%s\n", gap);
	else
		door_show(how, parties, party_count);
	return 0;
}

static const struct lop_sandbox table = {
	.size = sizeof(struct lop_sandbox),
	.name = door_name,
	.enter = sandbox_enter,
	.show = sandbox_show,
};

static int sandbox_init(struct lop_core *core, void **state)
{
	struct sandbox *sandbox = calloc(1, sizeof(*sandbox));

	if (sandbox == NULL)
		return -ENOMEM;
	sandbox->core = core;
	*state = sandbox;
	return 0;
}

static int sandbox_stage(void *state, enum lop_stage stage, struct lop_worker *worker)
{
	const struct sandbox *sandbox = state;

	(void)worker;
	if (stage == LOP_STAGE_BOUND && sandbox->log)
		lop_core_message(sandbox->core, LOP_LOG_WARNING,
		                 "the sandbox only logs (--sandbox-log): what is not allowed is "
		                 "told to the kernel's log, and done");
	return 0;
}

static void sandbox_fini(void *state)
{
	free(state);
}

LOP_EXPORT_MODULE = {
	LOP_MODULE_HEADER("sandbox", "1.0", "a worker can call only what the modules declared", 0),
	.options = options,
	.init = sandbox_init,
	.stage = sandbox_stage,
	.fini = sandbox_fini,
	.sandbox = &table,
};
