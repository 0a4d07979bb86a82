/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --autoindex-eager: makes the pages of the whole tree, one folder after the other, so that they are
 * there when somebody asks. Links to folders are not followed: what they lead to is met elsewhere.
 */
#include "autoindex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct folder {
	struct folder *next;
	size_t length;
	char path[];
};

struct walk {
	struct autoindex *autoindex;
	struct lop_task *task;
	struct folder *folders; /* to be visited */
	struct page *page;      /* that is being made */
	uint64_t visited;
};

static void push(struct walk *walk, const struct listing *listing, const struct entry *entry)
{
	const size_t before = listing != NULL ? listing->path_length : 0;
	const size_t name = entry != NULL ? (size_t)entry->length + 1 : 0;
	struct folder *folder = malloc(sizeof(*folder) + before + name + 1);

	if (folder == NULL)
		return; /* its page is made when somebody asks */
	if (before > 0)
		memcpy(folder->path, listing->path, before);
	if (entry != NULL) {
		memcpy(folder->path + before, entry->name, entry->length);
		folder->path[before + name - 1] = '/';
	}
	folder->length = before + name;
	folder->path[folder->length] = '\0';
	folder->next = walk->folders;
	walk->folders = folder;
}

static void begin_folder(struct walk *walk)
{
	static const struct query plain = { .sort = SORT_NAME, .format = FORMAT_HTML };
	struct autoindex *autoindex = walk->autoindex;
	struct lop_root *root = lop_worker_root(autoindex->worker);
	struct folder *folder = walk->folders;
	struct listing *listing;
	struct lop_file *file;

	walk->folders = folder->next;
	if (lop_root_open(root, folder->path, &file) == 0) {
		if (cache_get(autoindex, root, (struct lop_str){ folder->path, folder->length },
		              file, &listing) == 0) {
			(void)page_get(listing, &plain, &walk->page);
			listing_release(&listing);
			walk->visited++;
		}
		lop_file_release(&file);
	}
	free(folder);
}

static void end_folder(struct walk *walk)
{
	const struct listing *listing = walk->page->listing;
	const uint32_t *order = listing->sorts[SORT_NAME].order;

	/* Folders come first; the first of them is visited next. */
	for (size_t i = listing->folder_count; walk->page->state == PAGE_READY && i > 0; i--) {
		const struct entry *entry = listing_entry(listing, order[i - 1]);

		if (!entry->link)
			push(walk, listing, entry);
	}
	page_release(&walk->page);
}

static int walk_step(void *context)
{
	struct walk *walk = context;
	struct autoindex *autoindex = walk->autoindex;

	if (walk->page != NULL) {
		/* Its own task goes on with it. */
		if (walk->page->state != PAGE_READY && walk->page->state != PAGE_FAILED)
			return 1;
		end_folder(walk);
	}
	if (walk->folders != NULL) {
		begin_folder(walk);
		return 1;
	}
	lop_worker_message(autoindex->worker, LOP_LOG_INFO, "autoindex: listed %llu folders",
	                   (unsigned long long)walk->visited);
	walk_end(autoindex);
	return 0;
}

int walk_begin(struct autoindex *autoindex)
{
	struct walk *walk;

	walk_end(autoindex);
	walk = calloc(1, sizeof(*walk));
	if (walk == NULL)
		return -ENOMEM;
	walk->autoindex = autoindex;
	walk->task = lop_task_new(autoindex->worker, walk_step, walk);
	if (walk->task == NULL) {
		free(walk);
		return -ENOMEM;
	}
	push(walk, NULL, NULL);
	autoindex->walk = walk;
	lop_task_start(walk->task);
	return 0;
}

void walk_end(struct autoindex *autoindex)
{
	struct walk *walk = autoindex->walk;

	autoindex->walk = NULL;
	if (walk == NULL)
		return;
	while (walk->folders != NULL) {
		struct folder *folder = walk->folders;

		walk->folders = folder->next;
		free(folder);
	}
	page_release(&walk->page);
	lop_task_free(&walk->task);
	free(walk);
}
