/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "modules.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lophttpd/message.h>
#include <lophttpd/protocol.h>
#include <lophttpd/transport.h>

#include "core.h"
#include "module_abi.h"
#include "module_file.h"

/* Loading */

static const struct loaded_module *find_name(const struct modules *modules, const char *name)
{
	for (size_t i = 0; i < modules->count; i++)
		if (strcmp(modules->items[i].module->name, name) == 0)
			return &modules->items[i];
	return NULL;
}

static const struct loaded_module *find_path(const struct modules *modules, const char *path)
{
	for (size_t i = 0; i < modules->count; i++)
		if (strcmp(modules->items[i].path, path) == 0)
			return &modules->items[i];
	return NULL;
}

/* What there can be only one of must not come twice: which of them counts would be a guess. */
static int refuse_rival(const struct modules *modules, const struct lop_module *module,
                        const char *path, char *error, size_t error_size)
{
	const struct loaded_module *rival = find_name(modules, module->name);
	const char *what = "the same name";

	if (rival == NULL && module->log != NULL) {
		rival = modules_log(modules);
		what = "a log provider too";
	}
	if (rival == NULL && module->sandbox != NULL) {
		rival = modules_sandbox(modules);
		what = "a sandbox too";
	}
	if (rival == NULL && module->transport != NULL) {
		rival = modules_transport(modules, module->transport->name);
		what = "a transport of the same name";
	}
	if (rival == NULL)
		return 0;
	snprintf(error, error_size,
	         "module %s: '%s' from %s, which is loaded, has %s: load one of them", path,
	         rival->module->name, rival->path, what);
	return -EEXIST;
}

static int check_file_name(const char *name, const struct lop_module *module, const char *path,
                           char *error, size_t error_size)
{
	if (name[0] == '/' || strcmp(name, module->name) == 0)
		return 0;
	snprintf(error, error_size,
	         "module %s says that its name is '%s': rename the file to %s" MODULE_SUFFIX, path,
	         module->name, module->name);
	return -ENOEXEC;
}

static int append(struct modules *modules, const struct lop_module *module, char *path, void *state)
{
	struct loaded_module *items;

	items = realloc(modules->items, (modules->count + 1) * sizeof(*items));
	if (items == NULL)
		return -ENOMEM;
	items[modules->count] = (struct loaded_module){ module, state, path };
	modules->items = items;
	modules->count++;
	return 0;
}

/* Takes path over when it returns 0. */
static int start_module(struct lop_core *core, const struct lop_module *exported, char *path,
                        char *error, size_t error_size)
{
	const struct lop_module *module = module_abi_adopt(exported);
	void *state = NULL;
	int result = -ENOMEM;

	if (module == NULL)
		goto fail;
	result = module->init == NULL ? 0 : module->init(core, &state);
	if (result < 0)
		goto fail;
	result = append(&core->modules, module, path, state);
	if (result == 0)
		return 0;
	if (module->fini != NULL)
		module->fini(state);
fail:
	snprintf(error, error_size, "module %s does not start: %s", path, strerror(-result));
	module_abi_release(&module);
	return result;
}

int modules_load(struct lop_core *core, const char *name, char *error, size_t error_size)
{
	struct modules *modules = &core->modules;
	const struct lop_module *exported = NULL;
	char *path = NULL;
	int result;

	/* `-L mine` finds what `-M /somewhere/log_mine.so` has loaded. */
	if (find_name(modules, name) != NULL)
		return 0;
	result = module_file_find(name, &path, error, error_size);
	if (result < 0)
		return result;
	if (find_path(modules, path) != NULL)
		goto out;
	/* The path as typed as well: a link in a folder of others leads where they like. */
	if (name[0] == '/')
		result = module_file_trust(name, error, error_size);
	if (result == 0)
		result = module_file_trust(path, error, error_size);
	if (result == 0)
		result = module_file_open(path, &exported, error, error_size);
	if (result == 0)
		result = module_abi_check(exported, path, error, error_size);
	if (result == 0)
		result = check_file_name(name, exported, path, error, error_size);
	if (result == 0)
		result = refuse_rival(modules, exported, path, error, error_size);
	if (result == 0)
		result = start_module(core, exported, path, error, error_size);
	if (result == 0)
		return 0;
out:
	free(path);
	return result;
}

const char *modules_folder(void)
{
	return module_file_folder();
}

int modules_installed(const char *name)
{
	char error[256];
	char *path = NULL;
	int found;

	found = name[0] != '/' && module_file_find(name, &path, error, sizeof(error)) == 0;
	free(path);
	return found;
}

/* Life */

static const char *const stage_names[] = {
	[LOP_STAGE_CONFIGURED] = "CONFIGURED",
	[LOP_STAGE_BOUND] = "BOUND",
	[LOP_STAGE_UNPRIVILEGED] = "UNPRIVILEGED",
	[LOP_STAGE_WORKER] = "WORKER",
	[LOP_STAGE_REOPEN] = "REOPEN",
	[LOP_STAGE_REFRESH] = "REFRESH",
	[LOP_STAGE_DRAIN] = "DRAIN",
	[LOP_STAGE_EXIT] = "EXIT",
};

static int run_stage(struct lop_core *core, const struct loaded_module *loaded,
                     enum lop_stage stage, struct lop_worker *worker)
{
	int result;

	if (loaded->module->stage == NULL)
		return 0;
	result = loaded->module->stage(loaded->state, stage, worker);
	if (result >= 0)
		return 0;
	if (worker != NULL)
		lop_worker_message(worker, LOP_LOG_ERROR, "module '%s' failed in stage %s: %s",
		                   loaded->module->name, stage_names[stage], strerror(-result));
	else
		lop_core_message(core, LOP_LOG_ERROR, "module '%s' failed in stage %s: %s",
		                 loaded->module->name, stage_names[stage], strerror(-result));
	return result;
}

int lop_core_quiet(const struct lop_core *core)
{
	return core->settings.quiet;
}

struct lop_root *lop_core_root(const struct lop_core *core)
{
	return core->root;
}

const char *lop_core_protocol(const struct lop_core *core, size_t index)
{
	const struct modules *modules = &core->modules;

	for (size_t i = 0; i < modules->count; i++) {
		const struct lop_protocol *protocol = modules->items[i].module->protocol;

		if (protocol != NULL && protocol->alpn != NULL && index-- == 0)
			return protocol->alpn;
	}
	return index == 0 ? MODULES_CORE_PROTOCOL : NULL;
}

int modules_stage(struct lop_core *core, enum lop_stage stage, struct lop_worker *worker)
{
	const struct modules *modules = &core->modules;
	bool reverse = stage == LOP_STAGE_DRAIN || stage == LOP_STAGE_EXIT;
	bool starting = stage <= LOP_STAGE_WORKER;
	int first = 0;

	for (size_t i = 0; i < modules->count; i++) {
		size_t index = reverse ? modules->count - 1 - i : i;
		int result = run_stage(core, &modules->items[index], stage, worker);

		if (result < 0 && first == 0)
			first = result;
		if (result < 0 && starting)
			break;
	}
	return first;
}

void modules_fini(struct lop_core *core)
{
	struct modules *modules = &core->modules;

	while (modules->count > 0) {
		struct loaded_module *loaded = &modules->items[--modules->count];

		if (loaded->module->fini != NULL)
			loaded->module->fini(loaded->state);
		module_abi_release(&loaded->module);
		free(loaded->path);
	}
	free(modules->items);
	modules->items = NULL;
}

/* What they provide */

uint64_t modules_needs_of(const struct lop_core *core, const struct loaded_module *loaded)
{
	return loaded->module->log != NULL && core->settings.quiet ? 0 : loaded->module->needs;
}

uint64_t modules_needs(const struct lop_core *core)
{
	uint64_t needs = MODULES_CORE_NEEDS;

	for (size_t i = 0; i < core->modules.count; i++)
		needs |= modules_needs_of(core, &core->modules.items[i]);
	return needs;
}

const struct loaded_module *modules_log(const struct modules *modules)
{
	for (size_t i = 0; i < modules->count; i++)
		if (modules->items[i].module->log != NULL)
			return &modules->items[i];
	return NULL;
}

const struct loaded_module *modules_transport(const struct modules *modules, const char *name)
{
	for (size_t i = 0; i < modules->count; i++) {
		const struct lop_transport *transport = modules->items[i].module->transport;

		if (transport != NULL && strcmp(transport->name, name) == 0)
			return &modules->items[i];
	}
	return NULL;
}

const struct loaded_module *modules_sandbox(const struct modules *modules)
{
	for (size_t i = 0; i < modules->count; i++)
		if (modules->items[i].module->sandbox != NULL)
			return &modules->items[i];
	return NULL;
}
