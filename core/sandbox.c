/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "sandbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lophttpd/message.h>
#include <lophttpd/sandbox.h>

#include "core.h"

int sandbox_enter(struct lop_core *core, bool alone)
{
	const struct loaded_module *loaded = modules_sandbox(&core->modules);
	const struct lop_sandbox_enter how = {
		.size = sizeof(how),
		.chrooted = core->chrooted,
		.needs = modules_needs(core),
		.roots = &core->root->descriptor,
		.root_count = 1,
		.alone = alone,
		.log_folder = alone ? core->log.folder : -1,
	};
	int result;

	if (loaded == NULL)
		return 0;
	result = loaded->module->sandbox->enter(loaded->state, &how);
	core->sandboxed = result == 0;
	if (result < 0)
		lop_core_message(core, LOP_LOG_ERROR,
		                 "the sandbox '%s' does not close: %s; without one the server starts "
		                 "with --no-sandbox",
		                 loaded->module->sandbox->name, strerror(-result));
	return result;
}

int sandbox_show(struct lop_core *core)
{
	const struct modules *modules = &core->modules;
	const struct loaded_module *loaded = modules_sandbox(modules);
	const struct lop_sandbox_enter how = {
		.size = sizeof(how),
		.needs = modules_needs(core),
		.alone = core->settings.workers == 1,
		.log_folder = -1,
	};
	struct lop_sandbox_party *parties;
	int result;

	if (loaded == NULL || loaded->module->sandbox->show == NULL)
		return -ENOENT;
	parties = calloc(modules->count + 1, sizeof(*parties));
	if (parties == NULL)
		return -ENOMEM;
	for (size_t i = 0; i <= modules->count; i++)
		parties[i] = (struct lop_sandbox_party){
			.size = sizeof(parties[i]),
			.name = i == 0 ? "the core" : modules->items[i - 1].module->name,
			.needs = i == 0 ? MODULES_CORE_NEEDS
			                : modules_needs_of(core, &modules->items[i - 1]),
		};
	result = loaded->module->sandbox->show(loaded->state, &how, parties,
	                                       (int)modules->count + 1);
	free(parties);
	return result;
}
