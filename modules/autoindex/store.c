/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A page above --autoindex-limit becomes the folder's index.html: written under a hidden name, then
 * linked, so that it appears whole or not at all, and never in the place of one that is there. Where
 * the worker's user may not write, nothing happens and the page is made anew each time.
 */
#include "autoindex.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct store {
	struct autoindex *autoindex;
	struct page *page;
	struct lop_file *folder;
	struct lop_task *task;
	struct render render;
	struct store *next;
	int descriptor;
	char name[48];
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
		close(store->descriptor);
		(void)unlinkat(lop_file_descriptor(store->folder), store->name, 0);
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

static int store_step(void *context)
{
	struct store *store = context;
	const int folder = lop_file_descriptor(store->folder);
	ssize_t count = render_fill(&store->render, store->buffer, CHUNK);

	if (count > 0) {
		ssize_t written = write(store->descriptor, store->buffer, (size_t)count);

		if (written == count)
			return 1;
		tell(store, LOP_LOG_WARNING, "cannot write", written < 0 ? errno : ENOSPC);
	} else if (count == 0) {
		if (fchmod(store->descriptor, 0644) == 0 &&
		    linkat(folder, store->name, folder, INDEX_NAME, 0) == 0)
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

	if (autoindex->quiet || listing->has_index || query->format != FORMAT_HTML ||
	    query->sort != SORT_NAME || query->descending || query->filter_length > 0)
		return false;
	for (const struct store *store = autoindex->stores; store != NULL; store = store->next) {
		const struct listing *other = store->page->listing;

		if (other->root == listing->root && strcmp(other->path, listing->path) == 0)
			return false;
	}
	return true;
}

static int open_file(struct store *store)
{
	const struct listing *listing = store->page->listing;
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int result = lop_root_open(listing->root, listing->path, &store->folder);

	if (result < 0)
		return result;
	snprintf(store->name, sizeof(store->name), "." INDEX_NAME ".%ld-%d", (long)getpid(),
	         lop_worker_index(store->autoindex->worker));
	store->descriptor =
		openat(lop_file_descriptor(store->folder), store->name, flags, 0600);
	return store->descriptor < 0 ? -errno : 0;
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
