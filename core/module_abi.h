/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ABI check: what a file exports as lop_module is believed only after it.
 *
 * A module of this major version and of this or an older minor version is taken. Its tables and
 * arrays may then be smaller than the core's: they are copied into the core's own layout, so that
 * nobody else has to care.
 */
#ifndef MODULE_ABI_H
#define MODULE_ABI_H

#include <stddef.h>

#include <lophttpd/module.h>

/* Returns 0, or -ENOEXEC with a line in error that names the file, and both versions if they do not
 * fit. */
int module_abi_check(const struct lop_module *module, const char *path, char *error,
                     size_t error_size);

/* A copy in the core's layout of a module that was checked; NULL when memory is out. */
const struct lop_module *module_abi_adopt(const struct lop_module *module);
/* Frees what module_abi_adopt() made and sets the pointer to NULL. */
void module_abi_release(const struct lop_module **adopted);

#endif
