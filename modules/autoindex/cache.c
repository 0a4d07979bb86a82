/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is kept: listings with their pages, the longest unused ones leave when there are too many
 * bytes.
 */
#include "autoindex.h"

#include <string.h>
#include <sys/stat.h>

/* By the folder itself, which is the same whoever opened its root. */
static struct listing **bucket_of(struct cache *cache, uint64_t device, uint64_t inode)
{
	const uint64_t hash = (inode ^ device << 32) * UINT64_C(0x9e3779b97f4a7c15);

	return &cache->buckets[hash >> 56];
}

/* A root is opened more than once: by the walk, and by who serves from it. But the default one is one
 * object: another that is the same folder hides nothing of it. */
static bool is_root_of(const struct listing *listing, const struct lop_root *root)
{
	struct stat st;

	if (listing->root == root)
		return true;
	if (listing->is_default || root == lop_worker_root(listing->autoindex->worker))
		return false;
	return fstat(lop_root_descriptor(root), &st) == 0 &&
	       listing->root_device == (uint64_t)st.st_dev &&
	       listing->root_inode == (uint64_t)st.st_ino;
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
	struct listing **link = bucket_of(cache, listing->device, listing->inode);
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

	return listing->mtime_ns == stat->mtime_ns && listing->ctime_ns == stat->ctime_ns &&
	       (listing->state == LISTING_SCANNING ||
	        (listing->state == LISTING_READY && now - listing->begun < listing->believe));
}

int cache_get(struct autoindex *autoindex, struct lop_root *root, struct lop_str path,
              struct lop_file *folder, struct listing **listing)
{
	struct cache *cache = &autoindex->cache;
	const struct lop_stat *stat = lop_file_stat(folder);
	struct listing **bucket = bucket_of(cache, stat->device, stat->inode), *found = *bucket;
	int result;

	/* The path and the root count, too: links and the page itself depend on them. */
	while (found != NULL &&
	       (found->device != stat->device || found->inode != stat->inode ||
	        found->path_length != path.length ||
	        memcmp(found->path, path.data, path.length) != 0 ||
	        !is_root_of(found, root)))
		found = found->chain;
	if (found != NULL && !is_current(found, folder, lop_worker_now(autoindex->worker))) {
		drop(cache, found);
		found = NULL;
	}
	if (found != NULL) {
		if (found->root != root) {
			lop_root_release(&found->root);
			found->root = lop_root_retain(root);
		}
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
