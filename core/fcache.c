/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeping entries: a chained hash table, and a list by age with a second chance (what was used since the
 * last look stays), so that a hit writes one flag and moves nothing.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "fcache.h"
#include "fcache_entry.h"
#include "memory.h"
#include "random.h"
#include "root.h"
#include "worker_private.h"

#define BUCKETS_MIN 256
/* What nobody asked for during one to two of these is let go of. */
#define SWEEP_NS (15 * NS_PER_S)
/* File times move on in ticks of the kernel or coarser: two changes may carry the same one. */
#define FRESH_NS (100 * NS_PER_MS)

struct fcache {
	struct lop_worker *worker;
	struct fcache_loader loader;
	struct fcache_entry **buckets;
	size_t bucket_count; /* a power of two */
	size_t count;
	size_t bytes;
	size_t files; /* entries that hold a descriptor */
	size_t count_max;
	size_t copied_max; /* bytes of a file that is kept in memory where sending it copies it */
	size_t bytes_max;
	size_t files_max;
	int64_t check;
	uint64_t seed;
	struct list age; /* oldest first */
	struct timer sweep;
};

/* Descriptors that are left when every connection has one. */
static size_t files_limit(const struct settings *settings)
{
	struct rlimit limit;
	const size_t others = (size_t)settings->max_connections + 128;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 64;
	if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > others + settings->cache_entries)
		return settings->cache_entries;
	/* Too few for all: connections are rarely as many as they may be. */
	return limit.rlim_cur > 2 * others ? (size_t)limit.rlim_cur - others
	                                   : (size_t)limit.rlim_cur / 4 + 1;
}

static void sweep(struct timer *timer);

struct fcache *fcache_new(struct lop_worker *worker)
{
	const struct settings *settings = worker->settings;
	struct fcache *cache = calloc(1, sizeof *cache);

	if (cache == NULL)
		return NULL;
	cache->buckets = calloc(BUCKETS_MIN, sizeof(struct fcache_entry *));
	if (cache->buckets == NULL) {
		free(cache);
		return NULL;
	}
	cache->bucket_count = BUCKETS_MIN;
	cache->worker = worker;
	cache->loader.mime = worker->mime;
	cache->loader.log = &worker->core->log;
	cache->loader.index = settings->index;
	cache->loader.memory_max = settings->cache_file_size;
	cache->copied_max = settings->cache_secure_file_size;
	cache->count_max = settings->cache_entries;
	cache->bytes_max = settings->cache_size;
	cache->files_max = files_limit(settings);
	cache->check = settings->cache_check;
	random_bytes(&cache->seed, sizeof cache->seed);
	list_init(&cache->age);
	timer_init(&cache->sweep, sweep);
	return cache;
}

static inline uint64_t mix(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
	__extension__ typedef unsigned __int128 wide;
	const wide product = (wide)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
	uint64_t x = (a ^ (b >> 29)) * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 32)) * (b | 1);
	return x ^ (x >> 29);
#endif
}

/* Keyed by the seed, so that nobody can choose paths that fall into one bucket. */
static uint64_t hash_path(const struct fcache *cache, uint32_t root, struct lop_str path)
{
	const char *p = path.data;
	size_t left = path.length;
	uint64_t hash = cache->seed ^ mix(root + UINT64_C(0xa0761d6478bd642f), path.length);
	uint64_t word;

	for (; left >= 8; left -= 8, p += 8) {
		memcpy(&word, p, 8);
		hash = mix(hash ^ word, UINT64_C(0xe7037ed1a0b428db) ^ cache->seed);
	}
	word = 0;
	memcpy(&word, p, left);
	return mix(hash ^ word, UINT64_C(0x8ebc6af09c88c6e3) ^ cache->seed);
}

static struct fcache_entry **find(struct fcache *cache, uint64_t hash, uint32_t root,
                                  struct lop_str path)
{
	struct fcache_entry **link = &cache->buckets[hash & (cache->bucket_count - 1)];

	for (; *link != NULL; link = &(*link)->chain) {
		const struct fcache_entry *entry = *link;

		if (entry->hash == hash && entry->root == root &&
		    entry->key_length == path.length &&
		    memcmp(entry->key, path.data, path.length) == 0)
			break;
	}
	return link;
}

void fcache_release(void *pointer)
{
	struct fcache_entry *entry = pointer;

	assert(entry->magic == FCACHE_MAGIC && entry->references > 0);
	if (--entry->references == 0)
		fcache_entry_free(entry);
}

/* Takes an entry out of the table; it lives on as long as somebody sends it. */
static void drop(struct fcache *cache, struct fcache_entry *entry)
{
	struct fcache_entry **link = &cache->buckets[entry->hash & (cache->bucket_count - 1)];

	while (*link != entry)
		link = &(*link)->chain;
	*link = entry->chain;
	list_remove(&entry->age);
	cache->count--;
	cache->bytes -= fcache_entry_bytes(entry);
	cache->files -= entry->file != NULL;
	entry->cached = false;
	fcache_release(entry);
}

/* Makes room: the oldest that was not used since the last look goes. */
static void trim(struct fcache *cache)
{
	while (cache->count > cache->count_max || cache->bytes > cache->bytes_max ||
	       cache->files > cache->files_max) {
		struct fcache_entry *entry;

		if (list_empty(&cache->age))
			return;
		entry = CONTAINER(cache->age.next, struct fcache_entry, age);
		if (entry->used) {
			entry->used = false;
			list_remove(&entry->age);
			list_append(&cache->age, &entry->age);
		} else {
			drop(cache, entry);
		}
	}
}

/* Drops what was not used since the last sweep; without entries there is no timer. */
static void sweep(struct timer *timer)
{
	struct fcache *cache = CONTAINER(timer, struct fcache, sweep);
	struct list *node = cache->age.next;

	while (node != &cache->age) {
		struct fcache_entry *entry = CONTAINER(node, struct fcache_entry, age);

		node = node->next;
		if (entry->used)
			entry->used = false;
		else
			drop(cache, entry);
	}
	if (cache->count > 0)
		timer_arm(&cache->worker->timers, timer,
		          worker_ms(cache->worker->now + SWEEP_NS));
}

static void grow(struct fcache *cache)
{
	const size_t wanted = cache->bucket_count * 2;
	struct fcache_entry **buckets = calloc(wanted, sizeof(struct fcache_entry *));

	if (buckets == NULL)
		return; /* longer chains, no harm */
	for (size_t i = 0; i < cache->bucket_count; i++) {
		while (cache->buckets[i] != NULL) {
			struct fcache_entry *entry = cache->buckets[i];

			cache->buckets[i] = entry->chain;
			entry->chain = buckets[entry->hash & (wanted - 1)];
			buckets[entry->hash & (wanted - 1)] = entry;
		}
	}
	free(cache->buckets);
	cache->buckets = buckets;
	cache->bucket_count = wanted;
}

static void insert(struct fcache *cache, struct fcache_entry *entry)
{
	struct fcache_entry **bucket;

	/* What has no size is read anew each time, and a shortage is not remembered. */
	if ((entry->kind == FCACHE_FILE && entry->stat.kind == LOP_FILE_UNSIZED) ||
	    (entry->kind == FCACHE_ERROR && entry->status >= 500))
		return;
	if (cache->count >= cache->bucket_count)
		grow(cache);
	bucket = &cache->buckets[entry->hash & (cache->bucket_count - 1)];
	entry->chain = *bucket;
	*bucket = entry;
	entry->cached = true;
	entry->used = true;
	entry->references++;
	list_append(&cache->age, &entry->age);
	cache->count++;
	cache->bytes += fcache_entry_bytes(entry);
	cache->files += entry->file != NULL;
	if (!timer_armed(&cache->sweep))
		timer_arm(&cache->worker->timers, &cache->sweep,
		          worker_ms(cache->worker->now + SWEEP_NS));
	trim(cache);
}

static struct fcache_entry *load(struct fcache *cache, uint64_t hash, struct lop_root *root,
                                 struct lop_str path)
{
	struct fcache_entry *entry;
	int error;

	cache->loader.now = cache->worker->wall / NS_PER_S;
	entry = fcache_load(&cache->loader, root, path, &error);
	if (entry == NULL && error != -ENOMEM && fcache_close_files(cache) > 0)
		entry = fcache_load(&cache->loader, root, path, &error);
	if (entry == NULL)
		return NULL;
	entry->hash = hash;
	entry->checked = cache->worker->now;
	entry->fresh = entry->stat.ctime_ns > cache->worker->wall - FRESH_NS;
	insert(cache, entry);
	return entry;
}

struct fcache_entry *fcache_get(struct fcache *cache, struct lop_root *root, struct lop_str path)
{
	const uint64_t hash = hash_path(cache, root->id, path);
	struct fcache_entry *entry = *find(cache, hash, root->id, path);

	if (entry != NULL) {
		if (cache->worker->now - entry->checked < cache->check) {
			entry->used = true;
			entry->references++;
			return entry;
		}
		if (!entry->fresh && fcache_unchanged(entry, root)) {
			entry->checked = cache->worker->now;
			entry->used = true;
			entry->references++;
			return entry;
		}
		drop(cache, entry);
	}
	return load(cache, hash, root, path);
}

/* Nothing is dropped for it: where more is asked for in turn than there is room for, reading it into
 * memory each time would cost more than it saves. */
static bool has_room(const struct fcache *cache, size_t size)
{
	return size <= cache->bytes_max && cache->bytes <= cache->bytes_max - size &&
	       cache->worker->copied_bytes <= cache->bytes_max - size;
}

struct fcache_entry *fcache_keep(struct fcache *cache, struct lop_root *root,
                                 struct fcache_entry *entry)
{
	const size_t room = cache->loader.memory_max;
	const struct lop_str path = { entry->key, entry->key_length };
	struct fcache_entry *kept;

	if (!entry->cached || entry->file == NULL || entry->stat.kind != LOP_FILE_REGULAR ||
	    (uint64_t)entry->stat.size > cache->copied_max ||
	    !has_room(cache, (size_t)entry->stat.size))
		return entry;
	if (!entry->wanted) {
		entry->wanted = true;
		return entry;
	}
	cache->loader.memory_max = cache->copied_max;
	kept = load(cache, entry->hash, root, path);
	cache->loader.memory_max = room;
	if (kept == NULL)
		return entry;
	if (kept->rendered.memory != NULL) {
		kept->rendered.memory->account = &cache->worker->copied_bytes;
		cache->worker->copied_bytes += kept->rendered.memory->size;
	}
	if (entry->cached)
		drop(cache, entry);
	fcache_release(entry);
	return kept;
}

void fcache_clear(struct fcache *cache)
{
	while (!list_empty(&cache->age))
		drop(cache, CONTAINER(cache->age.next, struct fcache_entry, age));
	timer_cancel(&cache->worker->timers, &cache->sweep);
}

unsigned fcache_close_files(struct fcache *cache)
{
	struct list *node = cache->age.next;
	unsigned closed = 0;

	while (node != &cache->age) {
		struct fcache_entry *entry = CONTAINER(node, struct fcache_entry, age);

		node = node->next;
		/* One that is being sent keeps its descriptor whatever happens here. */
		if (entry->file != NULL && entry->references == 1) {
			drop(cache, entry);
			closed++;
		}
	}
	return closed;
}

void fcache_free(struct fcache **pointer)
{
	struct fcache *cache = *pointer;

	*pointer = NULL;
	if (cache == NULL)
		return;
	fcache_clear(cache);
	free(cache->buckets);
	free(cache);
}
