/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "log_outside.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <lophttpd/message.h>

#include "core.h"
#include "os.h"

/* Whether path (absolute, links resolved) is that folder or below it, under whatever name: a mount
 * may show the folder elsewhere. */
static bool is_below(const char *path, const struct stat *folder)
{
	char above[PATH_MAX];
	struct stat st;
	char *slash;

	snprintf(above, sizeof(above), "%s", path);
	for (;;) {
		if (stat(above[0] == '\0' ? "/" : above, &st) == 0 && st.st_dev == folder->st_dev &&
		    st.st_ino == folder->st_ino)
			return true;
		slash = strrchr(above, '/');
		if (slash == NULL)
			return false;
		*slash = '\0';
	}
}

struct search {
	const char *path;
	const char *root;
	char where[PATH_MAX]; /* in the root it is seen there */
};

/* A mount point within the root that shows the path, or a folder above it, once more. */
static bool shows(void *context, const char *point)
{
	struct search *search = context;
	const size_t length = strlen(search->root);
	struct stat st;

	if (strncmp(point, search->root, length) != 0 || point[length] != '/' ||
	    stat(point, &st) < 0 || !is_below(search->path, &st))
		return false;
	snprintf(search->where, sizeof(search->where), "%s", point);
	return true;
}

int log_outside_check(struct lop_core *core, const char *path)
{
	struct search search = { .root = core->root == NULL ? NULL : core->root->path };
	char real[PATH_MAX];
	struct stat root;

	if (search.root == NULL || core->settings.log_in_root)
		return 0;
	if (realpath(path, real) == NULL) {
		int result = -errno;

		/* What a test of the options cannot see, the start finds. */
		if (result == -ENOENT || core->settings.test)
			return 0;
		lop_core_message(core, LOP_LOG_ERROR, "log file %s: %s; name another file with -o",
		                 path, strerror(-result));
		return result;
	}
	search.path = real;
	if ((fstat(core->root->descriptor, &root) < 0 || !is_below(real, &root)) &&
	    !os_each_mount(shows, &search))
		return 0;
	lop_core_message(core, LOP_LOG_ERROR,
	                 "log file %s lies inside the web root %s%s%s, where clients can read it: "
	                 "name one outside with -o, or -o - for standard error, or -q for no log; "
	                 "--log-in-root takes it all the same",
	                 core->log.path, search.root,
	                 search.where[0] == '\0' ? "" : ", mounted at ", search.where);
	return -EINVAL;
}
