/* SPDX-License-Identifier: BSD-2-Clause */
/* --list-modules. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"
#include "module_abi.h"
#include "module_file.h"
#include "modules.h"

static const struct {
	uint64_t bit;
	const char *name;
} needs_names[] = {
	{ LOP_NEEDS_READ_FILES, "read-files" },
	{ LOP_NEEDS_WRITE_FILES, "write-files" },
	{ LOP_NEEDS_LIST_DIRS, "list-dirs" },
	{ LOP_NEEDS_CONNECT, "connect" },
	{ LOP_NEEDS_MAP_SHARED, "map-shared" },
	{ LOP_NEEDS_AIO, "aio" },
	{ LOP_NEEDS_LOG_WRITE, "log-write" },
	{ LOP_NEEDS_THREADS, "threads" },
	{ LOP_NEEDS_CLOCK, "clock" },
	{ LOP_NEEDS_ENCRYPT, "encrypt" },
};

static void print_module(const struct lop_module *module, const char *state)
{
	uint64_t left = module->needs;
	const char *between = "";

	printf("%-16s %-9s ABI %u.%u  %-6s  %s (needs ", module->name, module->version,
	       (unsigned)module->abi_major, (unsigned)module->abi_minor, state, module->summary);
	if (left == 0)
		printf("nothing");
	for (size_t i = 0; i < sizeof(needs_names) / sizeof(needs_names[0]); i++) {
		if ((left & needs_names[i].bit) == 0)
			continue;
		printf("%s%s", between, needs_names[i].name);
		between = ", ";
		left &= ~needs_names[i].bit;
	}
	if (left != 0)
		printf("%s0x%llx", between, (unsigned long long)left);
	puts(")");
}

static bool is_loaded(const struct modules *modules, const char *path)
{
	for (size_t i = 0; i < modules->count; i++)
		if (strcmp(modules->items[i].path, path) == 0)
			return true;
	return false;
}

/* Opens a module of the folder for its description only: trusted and checked as for loading, since
 * opening runs its constructors, but neither init nor anything else of it is called. */
static void print_installed(const struct modules *modules, const char *name)
{
	char error[512];
	const struct lop_module *module = NULL;
	char *path = NULL;
	int result;

	result = module_file_find(name, &path, error, sizeof(error));
	if (result == 0 && is_loaded(modules, path))
		goto out;
	if (result == 0)
		result = module_file_trust(path, error, sizeof(error));
	if (result == 0)
		result = module_file_open(path, &module, error, sizeof(error));
	if (result == 0)
		result = module_abi_check(module, path, error, sizeof(error));
	if (result == 0)
		print_module(module, "");
	else
		printf("%-16s refused: %s\n", name, error);
out:
	free(path);
}

static int is_module_file(const struct dirent *entry)
{
	const char *suffix = strrchr(entry->d_name, '.');

	return suffix != NULL && strcmp(suffix, MODULE_SUFFIX) == 0 &&
	       module_file_name_valid(entry->d_name, (size_t)(suffix - entry->d_name));
}

void modules_print(struct lop_core *core)
{
	const struct modules *modules = &core->modules;
	struct dirent **entries = NULL;
	int count;

	for (size_t i = 0; i < modules->count; i++)
		print_module(modules->items[i].module, "loaded");
	count = scandir(module_file_folder(), &entries, is_module_file, alphasort);
	if (count < 0) {
		printf("no modules in %s: %s\n", module_file_folder(), strerror(errno));
		return;
	}
	for (int i = 0; i < count; i++) {
		*strrchr(entries[i]->d_name, '.') = '\0';
		print_installed(modules, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	printf("modules are looked for in %s\n", module_file_folder());
}
