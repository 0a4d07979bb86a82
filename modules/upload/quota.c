/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "quota.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#define WORKERS 1024

struct shared {
	_Atomic int64_t published;
	_Atomic int64_t reserved[WORKERS]; /* by each worker */
};

struct quota {
	int64_t limit;
	int worker;
	struct shared *shared;
};

int quota_new(int64_t limit, struct quota **quota)
{
	struct quota *made = calloc(1, sizeof(*made));
	void *memory;

	if (made == NULL)
		return -ENOMEM;
	memory = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
	              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		free(made);
		return -ENOMEM;
	}
	made->limit = limit;
	made->shared = memory;
	*quota = made;
	return 0;
}

void quota_free(struct quota **pointer)
{
	struct quota *quota = *pointer;

	*pointer = NULL;
	if (quota == NULL)
		return;
	munmap(quota->shared, sizeof(struct shared));
	free(quota);
}

void quota_enter(struct quota *quota, int worker)
{
	quota->worker = worker % WORKERS;
	atomic_store(&quota->shared->reserved[quota->worker], 0);
}

void account_begin(const struct quota *quota, struct account *account)
{
	account->published = atomic_load(&quota->shared->published);
}

static int64_t reserved_by_all(const struct quota *quota)
{
	int64_t sum = 0;

	for (int i = 0; i < WORKERS; i++)
		sum += atomic_load(&quota->shared->reserved[i]);
	return sum;
}

int account_reserve(struct quota *quota, struct account *account, int64_t bytes)
{
	int64_t more = bytes - account->reserved, used;

	if (more <= 0)
		return 0;
	if (more > quota->limit)
		return -EDQUOT;
	/* Reserved first and counted then: of two workers at the same moment, at least one sees
	 * the other. */
	atomic_fetch_add(&quota->shared->reserved[quota->worker], more);
	used = account->found + reserved_by_all(quota) +
	       atomic_load(&quota->shared->published) - account->published;
	if (used <= quota->limit) {
		account->reserved = bytes;
		return 0;
	}
	atomic_fetch_sub(&quota->shared->reserved[quota->worker], more);
	return -EDQUOT;
}

void account_end(struct quota *quota, struct account *account, int64_t stored)
{
	atomic_fetch_add(&quota->shared->published, stored);
	atomic_fetch_sub(&quota->shared->reserved[quota->worker], account->reserved);
	account->reserved = 0;
}
