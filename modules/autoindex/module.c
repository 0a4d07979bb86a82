/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * autoindex: folders without an index file are listed.
 *
 *   lhttpd -i -R /srv/mirror
 *   lhttpd -B http://proxy.example/mirror/ -R /srv/mirror
 */
#include "autoindex.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB ((size_t)1024 * 1024)
#define CACHE_DEFAULT (32 * MIB)
#define LIMIT_DEFAULT (16 * MIB)

static int set_flag(void *state, const char *value, char *error, size_t error_size)
{
	(void)state; /* that the module is loaded is all it says */
	(void)value;
	(void)error;
	(void)error_size;
	return 0;
}

static int replace(char **text, const char *value)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

static int set_base(void *state, const char *value, char *error, size_t error_size)
{
	struct autoindex *autoindex = state;
	const size_t length = strlen(value);

	if ((strncmp(value, "http://", 7) != 0 && strncmp(value, "https://", 8) != 0) ||
	    value[length - 1] != '/' || strpbrk(value, " <>\"'?#") != NULL) {
		snprintf(error, error_size,
		         "'%s' is not a URL that ends in '/', like http://proxy/path/", value);
		return -EINVAL;
	}
	return replace(&autoindex->base, value);
}

static int set_icons(void *state, const char *value, char *error, size_t error_size)
{
	struct autoindex *autoindex = state;

	(void)error;
	(void)error_size;
	return replace(&autoindex->icon_folder, value);
}

/* "16m": a number of bytes, with k, m or g for their multiples. */
static int set_size(size_t *size, const char *value, char *error, size_t error_size)
{
	static const char units[] = "kmg";
	unsigned long long number;
	const char *unit;
	char *end;
	unsigned shift = 0;

	errno = 0;
	number = strtoull(value, &end, 10);
	if (*end != '\0') {
		unit = strchr(units, *end | 0x20);
		if (unit != NULL && end[1] == '\0')
			shift = 10 * (unsigned)(unit - units + 1);
		else
			end = NULL;
	}
	if (end == NULL || end == value || value[0] < '0' || value[0] > '9' || errno != 0 ||
	    number > (SIZE_MAX >> 1) >> shift) {
		snprintf(error, error_size, "'%s' is not a size, like 500k, 16m or 1g", value);
		return -EINVAL;
	}
	*size = (size_t)number << shift;
	return 0;
}

static int set_cache(void *state, const char *value, char *error, size_t error_size)
{
	struct autoindex *autoindex = state;

	return set_size(&autoindex->cache.bytes_max, value, error, error_size);
}

static int set_limit(void *state, const char *value, char *error, size_t error_size)
{
	struct autoindex *autoindex = state;

	return set_size(&autoindex->limit, value, error, error_size);
}

static int set_eager(void *state, const char *value, char *error, size_t error_size)
{
	struct autoindex *autoindex = state;

	(void)value;
	(void)error;
	(void)error_size;
	autoindex->eager = true;
	return 0;
}

static int set_hidden(void *state, const char *value, char *error, size_t error_size)
{
	struct autoindex *autoindex = state;

	(void)value;
	(void)error;
	(void)error_size;
	autoindex->hidden = true;
	return 0;
}

static int set_readme(void *state, const char *value, char *error, size_t error_size)
{
	struct autoindex *autoindex = state;

	(void)value;
	(void)error;
	(void)error_size;
	autoindex->readme = true;
	return 0;
}

static const struct lop_option options[] = {
	LOP_OPTION('i', "autoindex", NULL, "list folders that have no index file", set_flag),
	LOP_OPTION('B', "autoindex-base", "URL",
	           "the same, with links relative to URL, which ends in '/'", set_base),
	LOP_OPTION(0, "autoindex-cache", "SIZE",
	           "memory of a worker for listings; default 32m", set_cache),
	LOP_OPTION(0, "autoindex-eager", NULL, "list the whole tree at the start", set_eager),
	LOP_OPTION(0, "autoindex-hidden", NULL, "list names that begin with a dot, too", set_hidden),
	LOP_OPTION(0, "autoindex-icons", "DIR",
	           "the icons; default those that came with the server", set_icons),
	LOP_OPTION(0, "autoindex-limit", "SIZE",
	           "a larger page is written as index.html, or made anew each time; default 16m",
	           set_limit),
	LOP_OPTION(0, "autoindex-readme", NULL,
	           "show the text of HEADER.html above and of README below a listing", set_readme),
	LOP_OPTION_END,
};

/* --- life --------------------------------------------------------------------------------------- */

static int autoindex_init(struct lop_core *core, void **state)
{
	struct autoindex *autoindex = calloc(1, sizeof(*autoindex));

	if (autoindex == NULL)
		return -ENOMEM;
	autoindex->core = core;
	autoindex->cache.bytes_max = CACHE_DEFAULT;
	autoindex->limit = LIMIT_DEFAULT;
	kinds_prepare(autoindex->endings);
	*state = autoindex;
	return 0;
}

/* Where the icons lie that came with the server. A program that was not installed is told by its
 * environment, but not a set-uid one: whoever runs that is not to choose what it reads. */
static const char *default_icons(char *room, size_t size)
{
	const char *data = NULL;

	if (getuid() == geteuid() && getgid() == getegid())
		data = getenv("LOPHTTPD_DATA_PATH");
	if (data == NULL || data[0] == '\0' ||
	    snprintf(room, size, "%s/icons", data) >= (int)size)
		return LOP_DATADIR "/icons";
	return room;
}

/* While they are in reach. Without icons a listing is still a listing. */
static int configure(struct autoindex *autoindex)
{
	char room[4096];
	const char *folder = autoindex->icon_folder != NULL ? autoindex->icon_folder
	                                                    : default_icons(room, sizeof(room));
	int result = icons_read(autoindex->icons, folder);

	autoindex->quiet = lop_core_quiet(autoindex->core);
	autoindex->has_icons = result > 0;
	if (result > 0 || (result == -ENOENT && autoindex->icon_folder == NULL))
		return 0;
	lop_core_message(autoindex->core, LOP_LOG_ERROR,
	                 "autoindex: cannot read the icons in %s: %s; name their folder with "
	                 "--autoindex-icons",
	                 folder, strerror(-result));
	return autoindex->icon_folder != NULL ? result : 0;
}

static int autoindex_stage(void *state, enum lop_stage stage, struct lop_worker *worker)
{
	struct autoindex *autoindex = state;

	switch (stage) {
	case LOP_STAGE_CONFIGURED:
		return configure(autoindex);
	case LOP_STAGE_WORKER:
		autoindex->worker = worker;
		return autoindex->eager ? walk_begin(autoindex) : 0;
	case LOP_STAGE_REFRESH:
		cache_clear(&autoindex->cache);
		return autoindex->eager ? walk_begin(autoindex) : 0;
	case LOP_STAGE_DRAIN:
		walk_end(autoindex);
		return 0;
	case LOP_STAGE_EXIT:
		walk_end(autoindex);
		store_abandon(autoindex);
		cache_clear(&autoindex->cache);
		return 0;
	default:
		return 0;
	}
}

static void autoindex_fini(void *state)
{
	struct autoindex *autoindex = state;

	icons_free(autoindex->icons);
	free(autoindex->icon_folder);
	free(autoindex->base);
	free(autoindex);
}

LOP_EXPORT_MODULE = {
	LOP_MODULE_HEADER("autoindex", "1.0", "listings of folders without an index",
	                  LOP_NEEDS_READ_FILES | LOP_NEEDS_LIST_DIRS | LOP_NEEDS_WRITE_FILES),
	.options = options,
	.init = autoindex_init,
	.stage = autoindex_stage,
	.fini = autoindex_fini,
	.hooks = serve_hooks,
};
