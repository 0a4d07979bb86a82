/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Module files: where they are, whether they may be trusted, and opening them with libltdl: bound
 * now, local, resident.
 *
 * As root, whoever can write the file or move a folder on its path could run code as root, so both
 * are refused. A folder like /tmp, where the sticky bit keeps others' hands off root's entries, may
 * lie on the path, but not hold modules.
 */
#ifndef MODULE_FILE_H
#define MODULE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include <lophttpd/module.h>

#define MODULE_SUFFIX ".so"

/* The folder that names are looked up in. */
const char *module_file_folder(void);

/* Whether name can be that of a module: letters, digits, '_' and '-'. */
bool module_file_name_valid(const char *name, size_t length);

/* Path of the file that name (a module's, or an absolute path) stands for, links resolved. The
 * caller frees *path. Returns 0, or a negative errno with a line in error; -ENOENT: it is not
 * there, -EINVAL: no module can have that name. */
int module_file_find(const char *name, char **path, char *error, size_t error_size);

/* As root, 0 if nobody else can change what path (absolute) leads to, else -EPERM with a line in
 * error. As another user always 0. */
int module_file_trust(const char *path, char *error, size_t error_size);

/* Opens the file that module_file_find() gave, for good. *module is what it exports, unchecked.
 * Returns 0, or -ENOEXEC with a line in error. */
int module_file_open(const char *path, const struct lop_module **module, char *error,
                     size_t error_size);

#endif
