/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "module_file.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <ltdl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *module_file_folder(void)
{
	const char *folder = NULL;

	/* The environment of a set-uid program is the caller's, who must not choose its code. */
	if (getuid() == geteuid() && getgid() == getegid())
		folder = getenv("LOPHTTPD_MODULE_PATH");
	return folder != NULL && folder[0] != '\0' ? folder : LOP_MODULEDIR;
}

bool module_file_name_valid(const char *name, size_t length)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	return length > 0 && length <= NAME_MAX - strlen(MODULE_SUFFIX) &&
	       strspn(name, allowed) >= length;
}

/* Finding */

static bool has_suffix(const char *path)
{
	size_t length = strlen(path);
	size_t suffix = strlen(MODULE_SUFFIX);

	return length > suffix && strcmp(path + length - suffix, MODULE_SUFFIX) == 0;
}

static int absent(const char *name, int reason, char *error, size_t error_size)
{
	if (name[0] == '/')
		snprintf(error, error_size, "module %s: %s", name, strerror(reason));
	else if (reason == ENOENT)
		snprintf(error, error_size,
		         "there is no module '%s' in %s: install it, or give -M an absolute path "
		         "(--list-modules shows what is there)",
		         name, module_file_folder());
	else
		snprintf(error, error_size, "module '%s' in %s: %s", name, module_file_folder(),
		         strerror(reason));
	return -reason;
}

int module_file_find(const char *name, char **path, char *error, size_t error_size)
{
	char typed[PATH_MAX];
	int length;

	if (name[0] == '/' && !has_suffix(name)) {
		snprintf(error, error_size,
		         "module %s: the name of a module file ends in " MODULE_SUFFIX, name);
		return -EINVAL;
	}
	if (name[0] != '/' && !module_file_name_valid(name, strlen(name))) {
		snprintf(error, error_size,
		         "'%s' is not the name of a module: use letters, digits, '_' and '-', or "
		         "an absolute path",
		         name);
		return -EINVAL;
	}
	if (name[0] == '/')
		length = snprintf(typed, sizeof(typed), "%s", name);
	else
		length = snprintf(typed, sizeof(typed), "%s/%s" MODULE_SUFFIX, module_file_folder(),
		                  name);
	if (length < 0 || (size_t)length >= sizeof(typed))
		return absent(name, ENAMETOOLONG, error, error_size);
	*path = realpath(typed, NULL);
	if (*path == NULL)
		return absent(name, errno, error, error_size);
	if (!has_suffix(*path)) {
		snprintf(error, error_size,
		         "module %s leads to %s, which does not end in " MODULE_SUFFIX, typed,
		         *path);
		free(*path);
		*path = NULL;
		return -EINVAL;
	}
	return 0;
}

/* Trusting */

/* One file or folder on the way to a module; `holds` is the folder that has the module in it. */
static int trust_one(const char *path, bool holds, char *error, size_t error_size)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		int reason = errno;

		snprintf(error, error_size, "module path %s: %s", path, strerror(reason));
		return -reason;
	}
	if (st.st_uid != 0) {
		snprintf(error, error_size,
		         "%s belongs to user %ld: as root, modules and the folders above them must "
		         "belong to root; install them, or start as that user",
		         path, (long)st.st_uid);
		return -EPERM;
	}
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return 0;
	if (S_ISDIR(st.st_mode) && (st.st_mode & S_ISVTX) != 0 && !holds)
		return 0;
	snprintf(error, error_size,
	         "%s can be written by others than root (mode %04o): as root, modules and the "
	         "folders above them must not; try chmod go-w",
	         path, (unsigned)(st.st_mode & 07777));
	return -EPERM;
}

int module_file_trust(const char *path, char *error, size_t error_size)
{
	char prefix[PATH_MAX];
	const char *last = strrchr(path, '/');
	int result;

	if (geteuid() != 0)
		return 0;
	if (path[0] != '/' || strlen(path) >= sizeof(prefix)) {
		snprintf(error, error_size, "module path %s is not absolute, or too long", path);
		return -EPERM;
	}
	result = trust_one("/", last == path, error, error_size);
	for (const char *slash = strchr(path + 1, '/'); result == 0 && slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		memcpy(prefix, path, (size_t)(slash - path));
		prefix[slash - path] = '\0';
		result = trust_one(prefix, slash == last, error, error_size);
	}
	return result == 0 ? trust_one(path, false, error, error_size) : result;
}

/* Opening */

/*
 * libltdl's own loader binds lazily, so that a module that calls a function which this server does
 * not have would start well and die at its first request. This one binds everything at once. None
 * of its functions calls dlerror() after a failure, so that the caller can.
 */
static lt_module open_now(lt_user_data data, const char *file, lt_dladvise advise)
{
	(void)data;
	(void)advise; /* local is what dlopen() does by itself; resident is libltdl's affair */
	return dlopen(file, RTLD_NOW | RTLD_LOCAL);
}

static int close_module(lt_user_data data, lt_module module)
{
	(void)data;
	return dlclose(module);
}

static void *find_symbol(lt_user_data data, lt_module module, const char *name)
{
	(void)data;
	return dlsym(module, name);
}

static const lt_dlvtable loader = {
	.name = "lop_now",
	.sym_prefix = "",
	.module_open = open_now,
	.module_close = close_module,
	.find_sym = find_symbol,
	.priority = LT_DLLOADER_PREPEND,
};

/* Makes our loader the only one that opens files: another would try again, lazily. */
static int prepare_ltdl(void)
{
	if (lt_dlinit() != 0)
		return -1;
	if (lt_dlloader_find(loader.name) != NULL)
		return 0;
	free(lt_dlloader_remove("lt_dlopen")); /* libltdl allocated it and forgets it here */
	return lt_dlloader_add(&loader);
}

static lt_dlhandle open_file(const char *path)
{
	lt_dladvise advise;
	lt_dlhandle handle = NULL;

	if (lt_dladvise_init(&advise) != 0)
		return NULL;
	if (lt_dladvise_local(&advise) == 0 && lt_dladvise_resident(&advise) == 0)
		handle = lt_dlopenadvise(path, advise);
	lt_dladvise_destroy(&advise);
	return handle;
}

int module_file_open(const char *path, const struct lop_module **module, char *error,
                     size_t error_size)
{
	lt_dlhandle handle;
	const char *reason;

	if (prepare_ltdl() != 0) {
		snprintf(error, error_size, "libltdl does not start: %s", lt_dlerror());
		return -ENOEXEC;
	}
	dlerror();
	handle = open_file(path);
	if (handle == NULL) {
		reason = dlerror();
		if (reason == NULL)
			reason = lt_dlerror();
		/* Most often the linker's text begins with the path itself. */
		if (reason != NULL && strncmp(reason, path, strlen(path)) == 0)
			snprintf(error, error_size, "module %s", reason);
		else
			snprintf(error, error_size, "module %s: %s", path,
			         reason == NULL ? "cannot be opened" : reason);
		return -ENOEXEC;
	}
	*module = lt_dlsym(handle, "lop_module");
	if (*module == NULL) {
		snprintf(error, error_size,
		         "%s exports no lop_module: it is no module of lhttpd (LOP_EXPORT_MODULE "
		         "makes one)",
		         path);
		return -ENOEXEC;
	}
	return 0;
}
