/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skeleton: a module to copy. It shows the tables that most modules need, options, stages and
 * hooks, in something that works: responses get a field `X-Skeleton` with a greeting, and the
 * worker says at its end how many it greeted.
 *
 *   lhttpd -M skeleton --skeleton-greeting hello
 *
 * A log provider is shown in modules/log_file.c; transport.h, protocol.h and sandbox.h explain the
 * tables that are rarely filled.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lophttpd/lophttpd.h>

/* All that the module keeps. There is one of it in each process: it is made before the workers are
 * forked, and each of them goes on with its own copy. */
struct skeleton {
	char *greeting;
	uint64_t greeted;
};

/* Options: set after init and before any stage */

static int set_greeting(void *state, const char *value, char *error, size_t error_size)
{
	struct skeleton *skeleton = state;
	char *copy;

	(void)error; /* for a bad value: one line that says what would be right */
	(void)error_size;
	copy = strdup(value);
	if (copy == NULL)
		return -ENOMEM;
	free(skeleton->greeting);
	skeleton->greeting = copy;
	return 0;
}

static const struct lop_option options[] = {
	LOP_OPTION(0, "skeleton-greeting", "TEXT", "value of the response field X-Skeleton",
	           set_greeting),
	LOP_OPTION_END,
};

/* Hooks: called for each request, on the worker's one thread, and never block */

static int add_greeting(void *state, struct lop_request *request)
{
	struct skeleton *skeleton = state;
	struct lop_str value = { skeleton->greeting, strlen(skeleton->greeting) };
	int result = lop_response_set_field(request, "X-Skeleton", value);

	return result < 0 ? result : LOP_DECLINED;
}

static int count_greeting(void *state, struct lop_request *request)
{
	struct skeleton *skeleton = state;

	if (lop_response_field(request, "X-Skeleton").data != NULL)
		skeleton->greeted++;
	return LOP_DECLINED;
}

static const struct lop_hook hooks[] = {
	LOP_HOOK(LOP_PHASE_RESPONSE, LOP_PRIORITY_FIRST, "add greeting", add_greeting),
	LOP_HOOK(LOP_PHASE_DONE, LOP_PRIORITY_FIRST, "count greeting", count_greeting),
	LOP_HOOK_END,
};

/* Life */

static int skeleton_init(struct lop_core *core, void **state)
{
	struct skeleton *skeleton = calloc(1, sizeof(*skeleton));

	(void)core; /* for lop_core_message() */
	if (skeleton == NULL)
		return -ENOMEM;
	*state = skeleton;
	return 0;
}

static int skeleton_stage(void *state, enum lop_stage stage, struct lop_worker *worker)
{
	struct skeleton *skeleton = state;

	switch (stage) {
	case LOP_STAGE_CONFIGURED: /* every option is set: check them together, fill in defaults */
		if (skeleton->greeting == NULL)
			skeleton->greeting = strdup("hello");
		return skeleton->greeting == NULL ? -ENOMEM : 0;
	case LOP_STAGE_WORKER: /* the first one with a worker: timers and watches begin here */
		skeleton->greeted = 0;
		return 0;
	case LOP_STAGE_EXIT: /* the loop has ended: flush, stop what WORKER began */
		lop_worker_message(worker, LOP_LOG_INFO, "skeleton: %llu responses were greeted",
		                   (unsigned long long)skeleton->greeted);
		return 0;
	default: /* the other stages do not concern this module */
		return 0;
	}
}

static void skeleton_fini(void *state)
{
	struct skeleton *skeleton = state;

	free(skeleton->greeting);
	free(skeleton);
}

/* Name, own version, summary for --list-modules, and what the sandbox has to leave open. */
LOP_EXPORT_MODULE = {
	LOP_MODULE_HEADER("skeleton", "1.0", "an example: adds a field to responses", 0),
	.options = options,
	.init = skeleton_init,
	.stage = skeleton_stage,
	.fini = skeleton_fini,
	.hooks = hooks,
};
