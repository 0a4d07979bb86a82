/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A page above --autoindex-limit becomes the folder's index.html: written under a hidden name, brought
 * to disk, then linked, so that it appears whole or not at all, and never in the place of one that is
 * there. Where the worker's user may not write, nothing happens and the page is made anew each time.
 *
 * The hidden name is the same for all, and its file is locked by who writes: only one worker does,
 * and what has no lock was left by one that was killed and is removed by the next.
 */
#include "config.h"

#include "autoindex.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART_NAME "." INDEX_NAME ".part"

struct store {
	struct autoindex *autoindex;
	struct page *page;
	struct lop_file *folder;
	struct lop_task *task;
	struct render render;
	struct store *next;
	int descriptor;
	off_t written;
	char buffer[CHUNK];
};

static void store_free(struct store *store)
{
	struct store **link = &store->autoindex->stores;

	while (*link != NULL && *link != store)
		link = &(*link)->next;
	if (*link == store)
		*link = store->next;
	if (store->descriptor >= 0) {
		/* While the lock is held: afterwards the name may be another's. */
		(void)unlinkat(lop_file_descriptor(store->folder), PART_NAME, 0);
		close(store->descriptor);
	}
	lop_task_free(&store->task);
	render_free(&store->render);
	page_release(&store->page);
	lop_file_release(&store->folder);
	free(store);
}

static void tell(const struct store *store, enum lop_log_level level, const char *what, int error)
{
	lop_worker_message(store->autoindex->worker, level, "autoindex: %s " INDEX_NAME " of /%s%s%s",
	                   what, store->page->listing->path, error != 0 ? ": " : "",
	                   error != 0 ? strerror(error) : "");
}

/* So that the sync at the end, for which everybody waits, has little left to do. */
static void start_writing(struct store *store, ssize_t count)
{
#ifdef SYNC_FILE_RANGE_WRITE
	(void)sync_file_range(store->descriptor, store->written, count, SYNC_FILE_RANGE_WRITE);
#endif
	store->written += count;
}

static int store_step(void *context)
{
	struct store *store = context;
	const int folder = lop_file_descriptor(store->folder);
	ssize_t count = render_fill(&store->render, store->buffer, CHUNK);

	if (count > 0) {
		ssize_t written = write(store->descriptor, store->buffer, (size_t)count);

		if (written == count) {
			start_writing(store, count);
			return 1;
		}
		tell(store, LOP_LOG_WARNING, "cannot write", written < 0 ? errno : ENOSPC);
	} else if (count == 0) {
		if (fchmod(store->descriptor, 0644) == 0 && fsync(store->descriptor) == 0 &&
		    linkat(folder, PART_NAME, folder, INDEX_NAME, 0) == 0)
			tell(store, LOP_LOG_INFO, "wrote", 0);
		else if (errno != EEXIST)
			tell(store, LOP_LOG_WARNING, "cannot write", errno);
	}
	store_free(store);
	return 0;
}

static bool is_wanted(const struct page *page)
{
	const struct listing *listing = page->listing;
	const struct autoindex *autoindex = listing->autoindex;
	const struct query *query = &page->query;

	if (autoindex->quiet || listing->root == NULL || listing->has_index ||
	    query->format != FORMAT_HTML || query->sort != SORT_NAME || query->descending ||
	    query->filter_length > 0)
		return false;
	for (const struct store *store = autoindex->stores; store != NULL; store = store->next) {
		const struct listing *other = store->page->listing;

		if (other->device == listing->device && other->inode == listing->inode)
			return false;
	}
	return true;
}

/* A file without a lock belongs to nobody any more. With the lock of one that still has its name,
 * nobody else can take the name away. Returns whether it was removed. */
static bool remove_stale(int folder)
{
	int descriptor = openat(folder, PART_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	bool stale;

	if (descriptor < 0)
		return false;
	stale = flock(descriptor, LOCK_EX | LOCK_NB) == 0 && fstat(descriptor, &st) == 0 &&
	        st.st_nlink > 0 && unlinkat(folder, PART_NAME, 0) == 0;
	close(descriptor);
	return stale;
}

static int create(int folder)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int descriptor = openat(folder, PART_NAME, flags, 0600);
	struct stat st;

	if (descriptor < 0 && errno == EEXIST && remove_stale(folder))
		descriptor = openat(folder, PART_NAME, flags, 0600);
	if (descriptor < 0)
		return -errno;
	/* The name exists before its lock does: another may have removed it in between. */
	if (flock(descriptor, LOCK_EX | LOCK_NB) == 0 && fstat(descriptor, &st) == 0 &&
	    st.st_nlink > 0)
		return descriptor;
	close(descriptor);
	return -EBUSY;
}

static int open_file(struct store *store)
{
	const struct listing *listing = store->page->listing;
	int result = lop_root_open(listing->root, listing->path, &store->folder);

	if (result < 0)
		return result;
	store->descriptor = create(lop_file_descriptor(store->folder));
	return store->descriptor < 0 ? store->descriptor : 0;
}

void store_begin(struct page *page)
{
	struct autoindex *autoindex = page->listing->autoindex;
	struct store *store;

	if (!is_wanted(page))
		return;
	store = calloc(1, sizeof(*store));
	if (store == NULL)
		return;
	store->autoindex = autoindex;
	store->descriptor = -1;
	store->page = page_retain(page);
	store->render = (struct render){ .page = page, .fixed = true };
	store->task = lop_task_new(autoindex->worker, store_step, store);
	if (store->task == NULL || open_file(store) < 0) {
		store_free(store);
		return;
	}
	store->next = autoindex->stores;
	autoindex->stores = store;
	lop_task_start(store->task);
}

void store_abandon(struct autoindex *autoindex)
{
	while (autoindex->stores != NULL)
		store_free(autoindex->stores);
}
