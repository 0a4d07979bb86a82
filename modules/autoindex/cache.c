/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is kept: listings with their pages, the longest unused ones leave when there are too many
 * bytes.
 */
#include "autoindex.h"

#include <string.h>

static struct listing **bucket_of(struct cache *cache, const struct lop_root *root,
                                  const char *path, size_t length)
{
	uint32_t hash = 2166136261u ^ (uint32_t)((uintptr_t)root >> 4);

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)path[i]) * 16777619u;
	return &cache->buckets[(hash ^ hash >> 16) % 256];
}

static void unlink_age(struct cache *cache, struct listing *listing)
{
	*(listing->older != NULL ? &listing->older->newer : &cache->oldest) = listing->newer;
	*(listing->newer != NULL ? &listing->newer->older : &cache->newest) = listing->older;
}

static void link_newest(struct cache *cache, struct listing *listing)
{
	listing->newer = NULL;
	listing->older = cache->newest;
	*(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = listing;
	cache->newest = listing;
}

/* What is being made or sent of it goes on. */
static void drop(struct cache *cache, struct listing *listing)
{
	struct listing **link =
		bucket_of(cache, listing->root, listing->path, listing->path_length);
	struct page *page = listing->pages;

	while (*link != listing)
		link = &(*link)->chain;
	*link = listing->chain;
	unlink_age(cache, listing);
	cache->bytes -= listing->cached_bytes;
	listing->cached = false;
	while (page != NULL) {
		struct page *next = page->next;

		if (page->kept) {
			page->kept = false;
			page_release(&page);
		}
		page = next;
	}
	listing_release(&listing);
}

void cache_account(struct cache *cache, struct listing *listing)
{
	size_t bytes = listing->bytes;

	for (const struct page *page = listing->pages; page != NULL; page = page->next) {
		if (page->kept)
			bytes += page->bytes + sizeof(*page);
	}
	cache->bytes += bytes - listing->cached_bytes;
	listing->cached_bytes = bytes;
	while (cache->bytes > cache->bytes_max && cache->oldest != NULL)
		drop(cache, cache->oldest);
}

void cache_page_gone(struct listing *listing)
{
	struct cache *cache = &listing->autoindex->cache;

	if (!listing->cached)
		return;
	/* Nobody goes on with it. */
	if (listing->state != LISTING_READY && listing->pages == NULL)
		drop(cache, listing);
	else
		cache_account(cache, listing);
}

static bool is_current(const struct listing *listing, struct lop_file *folder, int64_t now)
{
	const struct lop_stat *stat = lop_file_stat(folder);

	return listing->device == stat->device && listing->inode == stat->inode &&
	       listing->mtime_ns == stat->mtime_ns && listing->ctime_ns == stat->ctime_ns &&
	       (listing->state == LISTING_SCANNING ||
	        (listing->state == LISTING_READY && now - listing->begun < listing->believe));
}

int cache_get(struct autoindex *autoindex, struct lop_root *root, struct lop_str path,
              struct lop_file *folder, struct listing **listing)
{
	struct cache *cache = &autoindex->cache;
	struct listing **bucket = bucket_of(cache, root, path.data, path.length), *found = *bucket;
	int result;

	while (found != NULL &&
	       (found->root != root || found->path_length != path.length ||
	        memcmp(found->path, path.data, path.length) != 0))
		found = found->chain;
	if (found != NULL && !is_current(found, folder, lop_worker_now(autoindex->worker))) {
		drop(cache, found);
		found = NULL;
	}
	if (found != NULL) {
		unlink_age(cache, found);
		link_newest(cache, found);
		*listing = listing_retain(found);
		return 0;
	}
	result = listing_new(autoindex, root, path, folder, &found);
	if (result < 0)
		return result;
	found->chain = *bucket;
	*bucket = found;
	link_newest(cache, found);
	found->cached = true;
	*listing = listing_retain(found);
	return 0;
}

void cache_clear(struct cache *cache)
{
	while (cache->oldest != NULL)
		drop(cache, cache->oldest);
}
