/* SPDX-License-Identifier: BSD-2-Clause */
#include "bundle.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "files.h"

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

#define ROOM ((size_t)1024 * 1024) /* pages that nobody writes to cost nothing */
#define GROWTH 4

/* Two halves: the writer fills the one that is not being read, then counts. */
struct shared {
	atomic_uint generation;
	size_t sizes[2];
	unsigned char data[];
};

struct bundle {
	struct shared *shared;
	size_t half;
	unsigned taken; /* generation that this process has */
	size_t filled[2]; /* by this process, which does not believe what the shared memory says */
};

static size_t mapped_size(const struct bundle *bundle)
{
	return sizeof(struct shared) + 2 * bundle->half;
}

struct bundle *bundle_new(const struct files *files)
{
	struct bundle *bundle = calloc(1, sizeof(*bundle));
	void *memory;

	if (bundle == NULL)
		return NULL;
	bundle->half = GROWTH * files_packed_size(files) + ROOM;
	memory = mmap(NULL, mapped_size(bundle), PROT_READ | PROT_WRITE,
	              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		free(bundle);
		return NULL;
	}
	bundle->shared = memory;
	atomic_init(&bundle->shared->generation, 0);
	return bundle;
}

void bundle_free(struct bundle **pointer)
{
	struct bundle *bundle = *pointer;

	*pointer = NULL;
	if (bundle == NULL)
		return;
	(void)munmap(bundle->shared, mapped_size(bundle));
	free(bundle);
}

int bundle_put(struct bundle *bundle, const struct files *files)
{
	struct shared *shared = bundle->shared;
	const unsigned generation = bundle->taken + 1;
	unsigned char *half = shared->data + (generation & 1) * bundle->half;
	const size_t size = files_packed_size(files);

	if (size > bundle->half)
		return -EFBIG;
	OPENSSL_cleanse(half, bundle->filled[generation & 1]);
	files_pack(files, half);
	shared->sizes[generation & 1] = bundle->filled[generation & 1] = size;
	atomic_store(&shared->generation, generation);
	bundle->taken = generation;
	return 0;
}

struct files *bundle_take(struct bundle *bundle)
{
	struct shared *shared = bundle->shared;
	struct files *files;
	unsigned generation;

	do {
		generation = atomic_load(&shared->generation);
		if (generation == bundle->taken)
			return NULL;
		files = files_unpack(shared->data + (generation & 1) * bundle->half,
		                     shared->sizes[generation & 1]);
		atomic_thread_fence(memory_order_acquire); /* the reading comes before this look */
		/* Overtaken by two writers at once: what was read may be of both. */
		if (generation != atomic_load(&shared->generation))
			files_free(&files);
		else if (files == NULL)
			return NULL;
	} while (files == NULL);
	bundle->taken = generation;
	return files;
}

void bundle_seal(struct bundle *bundle)
{
	(void)mprotect(bundle->shared, mapped_size(bundle), PROT_READ);
}
