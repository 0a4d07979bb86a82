/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core.h"
#include "os.h"

#define NS_PER_S INT64_C(1000000000)

static int64_t ns_of(const struct timespec *time)
{
	return (int64_t)time->tv_sec * NS_PER_S + time->tv_nsec;
}

/* Returns true when the file is another than at the last look. */
static bool look(struct watched *file)
{
	struct watched now = { .path = file->path };
	struct stat st;

	if (stat(file->path, &st) < 0)
		return false;
	now.device = (uint64_t)st.st_dev;
	now.inode = (uint64_t)st.st_ino;
	now.mtime_ns = ns_of(&OS_MTIME(&st));
	now.ctime_ns = ns_of(&OS_CTIME(&st));
	now.size = (int64_t)st.st_size;
	if (now.device == file->device && now.inode == file->inode &&
	    now.mtime_ns == file->mtime_ns && now.ctime_ns == file->ctime_ns &&
	    now.size == file->size)
		return false;
	*file = now;
	return true;
}

int lop_core_watch(struct lop_core *core, const char *path)
{
	struct watch *watch = &core->watch;
	struct watched *items = realloc(watch->items, (watch->count + 1) * sizeof(*items));
	char *copy = strdup(path);

	if (items != NULL)
		watch->items = items;
	if (items == NULL || copy == NULL) {
		free(copy);
		return -ENOMEM;
	}
	items[watch->count] = (struct watched){ .path = copy };
	(void)look(&items[watch->count]);
	watch->count++;
	return 0;
}

bool watch_look(struct watch *watch)
{
	const bool before = watch->changed;

	watch->changed = false;
	for (size_t i = 0; i < watch->count; i++)
		if (look(&watch->items[i]))
			watch->changed = true;
	return before && !watch->changed;
}

void watch_free(struct watch *watch)
{
	while (watch->count > 0)
		free(watch->items[--watch->count].path);
	free(watch->items);
	watch->items = NULL;
}
