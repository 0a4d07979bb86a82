/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "module_abi.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lophttpd/hook.h>
#include <lophttpd/log.h>
#include <lophttpd/protocol.h>
#include <lophttpd/sandbox.h>
#include <lophttpd/transport.h>

#include "module_file.h"

/*
 * Sizes of ABI 1.0: the least that a module of major version 1 has. When a struct grows, its line
 * here stays, as the offset of the first field that came later.
 */
#define MODULE_SIZE_LEAST sizeof(struct lop_module)
#define OPTION_SIZE_LEAST sizeof(struct lop_option)
#define HOOK_SIZE_LEAST sizeof(struct lop_hook)
#define LOG_SIZE_LEAST sizeof(struct lop_log_provider)
#define TRANSPORT_SIZE_LEAST sizeof(struct lop_transport)
#define PROTOCOL_SIZE_LEAST sizeof(struct lop_protocol)
#define SANDBOX_SIZE_LEAST sizeof(struct lop_sandbox)

/* Every table and every entry of an array begins with its size. */
static uint32_t size_of(const void *table)
{
	uint32_t size;

	memcpy(&size, table, sizeof(size));
	return size;
}

/* Checking */

static int refuse(const char *path, const char *what, char *error, size_t error_size)
{
	snprintf(error, error_size, "module %s is malformed: %s", path, what);
	return -ENOEXEC;
}

static int check_version(const struct lop_module *module, const char *path, char *error,
                         size_t error_size)
{
	const char *advice = "build it against the headers of this server";

	if (module->abi_major == LOP_ABI_MAJOR && module->abi_minor <= LOP_ABI_MINOR)
		return 0;
	if (module->abi_major == LOP_ABI_MAJOR)
		advice = "update the server, or build it against the headers of this one";
	snprintf(error, error_size, "module %s has ABI %u.%u, this server has ABI %d.%d: %s", path,
	         (unsigned)module->abi_major, (unsigned)module->abi_minor, LOP_ABI_MAJOR,
	         LOP_ABI_MINOR, advice);
	return -ENOEXEC;
}

/* A size that can be that of a table: not less than in the first version of this ABI, not more than
 * the core's, since a module that knows more has a newer minor version. */
static bool size_fits(const void *table, size_t least, size_t most)
{
	return table == NULL || (size_of(table) >= least && size_of(table) <= most);
}

static const char *check_tables(const struct lop_module *module)
{
	if (!size_fits(module->log, LOG_SIZE_LEAST, sizeof(*module->log)))
		return "wrong size of its log provider";
	if (module->log != NULL &&
	    (module->log->open == NULL || module->log->write == NULL || module->log->close == NULL))
		return "its log provider lacks open, write or close";
	if (!size_fits(module->transport, TRANSPORT_SIZE_LEAST, sizeof(*module->transport)))
		return "wrong size of its transport";
	if (!size_fits(module->protocol, PROTOCOL_SIZE_LEAST, sizeof(*module->protocol)))
		return "wrong size of its protocol";
	if (!size_fits(module->sandbox, SANDBOX_SIZE_LEAST, sizeof(*module->sandbox)))
		return "wrong size of its sandbox";
	return NULL;
}

/* Arrays end with an entry of size 0; each entry is as long as it says. */
static const char *check_arrays(const struct lop_module *module)
{
	const struct lop_option *option = module->options;
	const struct lop_hook *hook = module->hooks;

	while (option != NULL && option->size != 0) {
		if (!size_fits(option, OPTION_SIZE_LEAST, sizeof(*option)))
			return "wrong size of an option (LOP_OPTION_END ends them)";
		if (option->name == NULL || option->help == NULL || option->set == NULL)
			return "an option lacks its name, its help or its setter";
		option = (const void *)((const char *)option + option->size);
	}
	while (hook != NULL && hook->size != 0) {
		if (!size_fits(hook, HOOK_SIZE_LEAST, sizeof(*hook)))
			return "wrong size of a hook (LOP_HOOK_END ends them)";
		if (hook->phase < LOP_PHASE_ROUTE || hook->phase > LOP_PHASE_DONE)
			return "a hook names no phase";
		if (hook->name == NULL || hook->run == NULL)
			return "a hook lacks its name or its function";
		hook = (const void *)((const char *)hook + hook->size);
	}
	return NULL;
}

int module_abi_check(const struct lop_module *module, const char *path, char *error,
                     size_t error_size)
{
	const char *wrong;

	if (module->magic != LOP_MODULE_MAGIC)
		return refuse(path, "lop_module has not the magic number of a module", error,
		              error_size);
	if (check_version(module, path, error, error_size) < 0)
		return -ENOEXEC;
	if (module->size < MODULE_SIZE_LEAST || module->size > sizeof(*module))
		return refuse(path, "wrong size of lop_module (LOP_MODULE_HEADER sets it)", error,
		              error_size);
	if (module->name == NULL || module->version == NULL || module->summary == NULL)
		return refuse(path, "it lacks its name, version or summary", error, error_size);
	if (!module_file_name_valid(module->name, strlen(module->name)))
		return refuse(path, "its name is not of letters, digits, '_' and '-'", error,
		              error_size);
	wrong = check_tables(module);
	if (wrong == NULL)
		wrong = check_arrays(module);
	return wrong == NULL ? 0 : refuse(path, wrong, error, error_size);
}

/* Adopting */

/* A copy in the core's size, filled up with zeros. NULL stays NULL; *failed: memory is out. */
static void *adopt_table(const void *table, size_t full, bool *failed)
{
	uint32_t size = (uint32_t)full;
	void *copy;

	if (table == NULL)
		return NULL;
	copy = calloc(1, full);
	if (copy == NULL) {
		*failed = true;
		return NULL;
	}
	memcpy(copy, table, size_of(table));
	memcpy(copy, &size, sizeof(size));
	return copy;
}

static void *adopt_array(const void *array, size_t full, bool *failed)
{
	const char *entry = array;
	uint32_t size = (uint32_t)full;
	size_t count = 0;
	char *copy;

	if (array == NULL)
		return NULL;
	for (; size_of(entry) != 0; entry += size_of(entry))
		count++;
	copy = calloc(count + 1, full);
	if (copy == NULL) {
		*failed = true;
		return NULL;
	}
	entry = array;
	for (size_t i = 0; i < count; i++, entry += size_of(entry)) {
		memcpy(copy + i * full, entry, size_of(entry));
		memcpy(copy + i * full, &size, sizeof(size));
	}
	return copy;
}

const struct lop_module *module_abi_adopt(const struct lop_module *module)
{
	bool failed = false;
	struct lop_module *copy = calloc(1, sizeof(*copy));
	const struct lop_module *result = copy;

	if (copy == NULL)
		return NULL;
	memcpy(copy, module, module->size);
	copy->size = sizeof(*copy);
	copy->options = adopt_array(module->options, sizeof(*copy->options), &failed);
	copy->hooks = adopt_array(module->hooks, sizeof(*copy->hooks), &failed);
	copy->log = adopt_table(module->log, sizeof(*copy->log), &failed);
	copy->transport = adopt_table(module->transport, sizeof(*copy->transport), &failed);
	copy->protocol = adopt_table(module->protocol, sizeof(*copy->protocol), &failed);
	copy->sandbox = adopt_table(module->sandbox, sizeof(*copy->sandbox), &failed);
	if (failed)
		module_abi_release(&result);
	return result;
}

/* Tables are const for everybody else; here they are the allocations that were made above. */
static void release(const void *table)
{
	free((void *)(uintptr_t)table);
}

void module_abi_release(const struct lop_module **adopted)
{
	const struct lop_module *module = *adopted;

	if (module == NULL)
		return;
	*adopted = NULL;
	release(module->options);
	release(module->hooks);
	release(module->log);
	release(module->transport);
	release(module->protocol);
	release(module->sandbox);
	release(module);
}
