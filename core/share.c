/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "share.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core.h"
#include "os.h"

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

int lop_core_workers(const struct lop_core *core)
{
	return core->settings.workers > 0 ? core->settings.workers : os_cpu_count();
}

static const struct share *find(const struct lop_core *core, const char *name)
{
	const struct share *share = core->shares;

	while (share != NULL && strcmp(share->name, name) != 0)
		share = share->next;
	return share;
}

int lop_core_share(struct lop_core *core, const char *name, size_t size, void **block)
{
	const size_t name_size = strlen(name) + 1;
	struct share *share;

	if (find(core, name) != NULL)
		return -EEXIST;
	share = malloc(sizeof(*share) + name_size);
	if (share == NULL)
		return -ENOMEM;
	share->block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (share->block == MAP_FAILED) {
		free(share);
		return -ENOMEM;
	}
	share->size = size;
	memcpy(share->name, name, name_size);
	share->next = core->shares;
	core->shares = share;
	*block = share->block;
	return 0;
}

void *lop_core_shared(const struct lop_core *core, const char *name, size_t *size)
{
	const struct share *share = find(core, name);

	if (share == NULL)
		return NULL;
	if (size != NULL)
		*size = share->size;
	return share->block;
}

void shares_free(struct share **shares)
{
	while (*shares != NULL) {
		struct share *share = *shares;

		*shares = share->next;
		(void)munmap(share->block, share->size);
		free(share);
	}
}
