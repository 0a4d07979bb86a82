/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandbox: the system calls of a worker. After `enter` the kernel ends the process at once for any
 * call that neither the core nor a loaded module declared to need (rules.c), on Linux by a seccomp
 * filter. Where files lie is Landlock's business, in the core.
 */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <lophttpd/lophttpd.h>

#include "filter.h"
#include "show.h"

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

static int sandbox_enter(void *module, const struct lop_sandbox_enter *how)
{
	const struct sandbox *sandbox = module;
	const struct filter_settings settings = {
		.needs = how->needs,
		.alone = how->alone,
		.log = sandbox->log,
		.log_folder = how->log_folder,
	};
	scmp_filter_ctx filter;
	int result = filter_make(&settings, &filter);

	if (result < 0)
		return result;
	result = seccomp_load(filter);
	seccomp_release(filter);
	return result;
}

static int sandbox_show(void *module, const struct lop_sandbox_enter *how,
                        const struct lop_sandbox_party *parties, int party_count)
{
	(void)module;
	show_print(how, parties, party_count);
	return 0;
}

static const struct lop_sandbox table = {
	.size = sizeof(struct lop_sandbox),
	.name = "seccomp",
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
