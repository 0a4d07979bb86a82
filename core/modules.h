/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loaded modules: loading, stages in order of loading (DRAIN and EXIT in reverse), and who
 * provides what. Finding and opening files is module_file.h, the ABI check module_abi.h.
 */
#ifndef MODULES_H
#define MODULES_H

#include <stddef.h>
#include <stdint.h>

#include <lophttpd/hook.h>
#include <lophttpd/log.h>
#include <lophttpd/module.h>

struct loaded_module {
	/* A copy in the core's own layout, whatever minor version the module was built for: tables
	 * and entries of arrays have their full size, what the module did not know is zero. */
	const struct lop_module *module;
	void *state; /* what its init returned */
	char *path;
};

struct modules {
	struct loaded_module *items; /* in order of loading */
	size_t count;
};

/* Loads a module (a name in the module folder, or an absolute path), checks it and calls its init.
 * A name or a file that is loaded already is no error and loads nothing. On failure returns a
 * negative errno (-EINVAL: no module can have that name) and writes one line for the user into
 * error: which file, why (for an ABI mismatch both versions; for a module that is not there what
 * to install). As root a file or a folder on its path that others can write is refused. */
int modules_load(struct lop_core *core, const char *name, char *error, size_t error_size);

/* The folder that names are looked up in: LOPHTTPD_MODULE_PATH (not when set-uid) or the built-in
 * one. */
const char *modules_folder(void);
/* Whether the folder holds a module of that name (for messages). */
int modules_installed(const char *name);

/* Runs a stage in every module. CONFIGURED to WORKER stop at the first failure, the others go on
 * with the next module. Returns 0, or the first negative errno after having said which module
 * failed. */
int modules_stage(struct lop_core *core, enum lop_stage stage, struct lop_worker *worker);

/* Runs fini in reverse order and frees the list (the objects stay in memory). */
void modules_fini(struct lop_core *core);

/* The core itself opens and reads files below a root. */
#define MODULES_CORE_NEEDS LOP_NEEDS_READ_FILES
/* The ALPN identifier of the protocol that the core itself speaks. */
#define MODULES_CORE_PROTOCOL "http/1.1"
/* Union of what the core and the loaded modules need. */
uint64_t modules_needs(const struct lop_core *core);
/* What one module needs as the server was started: a log provider nothing when there is no log. */
uint64_t modules_needs_of(const struct lop_core *core, const struct loaded_module *loaded);

/* The loaded module that has the log provider, the sandbox, or the transport of that name; NULL if
 * none. There is at most one: loading a second is refused. */
const struct loaded_module *modules_log(const struct modules *modules);
const struct loaded_module *modules_sandbox(const struct modules *modules);
const struct loaded_module *modules_transport(const struct modules *modules, const char *name);

/* --list-modules: on standard output, the loaded ones and those in the module folder, with
 * version, needs and summary. Those that are not loaded are opened for it, checked as for loading,
 * and not called. */
void modules_print(struct lop_core *core);

#endif
