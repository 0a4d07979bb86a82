/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "serve.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <lophttpd/message.h>

#include "core.h"
#include "landlock.h"
#include "sandbox.h"
#include "signals.h"
#include "systemd.h"
#include "worker.h"

/* The way from root to a process that may do only what its modules declared. */
static int close_doors(struct lop_core *core, bool alone)
{
	int result = privileges_drop(core);

	if (result == 0)
		result = modules_stage(core, LOP_STAGE_UNPRIVILEGED, NULL);
	if (result == 0)
		result = landlock_enter(core, alone);
	if (result == 0)
		result = sandbox_enter(core, alone);
	return result;
}

static int serve(struct worker_start *start, void (*ready)(struct lop_core *core))
{
	struct lop_core *core = start->core;

	start->signals = signals_open();
	if (start->signals < 0) {
		lop_core_message(core, LOP_LOG_ERROR, "cannot watch for signals: %s",
		                 strerror(-start->signals));
		return 1;
	}
	if (close_doors(core, start->control < 0) < 0)
		return 1;
	return worker_run(start, ready);
}

int serve_alone(struct lop_core *core)
{
	struct worker_start start = { .core = core, .log = -1, .control = -1 };

	if (!core->log.none && (start.log = log_target_start(core, 0)) < 0)
		return 1;
	return serve(&start, serve_ready);
}

int serve_worker(struct lop_core *core, int index, int log, int control)
{
	struct worker_start start = {
		.core = core, .index = index, .log = log, .control = control
	};

	return serve(&start, daemon_hide);
}

void serve_ready(struct lop_core *core)
{
	listeners_announce(core);
	upgrade_ready(core);
	systemd_ready(core);
	daemon_ready(core);
}
