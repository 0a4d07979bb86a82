/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --autoindex-eager: makes the pages of the whole tree, one folder after the other, so that they are
 * there when somebody asks. Links to folders are not followed: what they lead to is met elsewhere.
 *
 * Names that the default root hides are other roots (see lop_root_hide()), and so they are walked as
 * roots of their own, whoever made them so.
 */
#include "autoindex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct folder {
	struct folder *next;
	struct lop_root *root;
	bool is_root; /* the path leads from there to a root of its own */
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

/* Room for a path of that length; NULL: its page is made when somebody asks. */
static struct folder *push(struct walk *walk, struct lop_root *root, size_t length)
{
	struct folder *folder = malloc(sizeof(*folder) + length + 1);

	if (folder == NULL)
		return NULL;
	*folder = (struct folder){ .next = walk->folders, .length = length };
	folder->root = lop_root_retain(root);
	folder->path[length] = '\0';
	walk->folders = folder;
	return folder;
}

static void push_entry(struct walk *walk, const struct listing *listing, const struct entry *entry)
{
	const size_t before = listing->path_length;
	struct folder *folder = push(walk, listing->root, before + entry->length + 1);

	if (folder == NULL)
		return;
	memcpy(folder->path, listing->path, before);
	memcpy(folder->path + before, entry->name, entry->length);
	folder->path[folder->length - 1] = '/';
}

static void push_hidden(struct walk *walk, const struct listing *listing)
{
	const struct text *names = &listing->hidden;

	for (size_t i = 0; i < names->length; i += strlen(names->data + i) + 1) {
		struct folder *folder = push(walk, listing->root, strlen(names->data + i));

		if (folder == NULL)
			continue;
		memcpy(folder->path, names->data + i, folder->length);
		folder->is_root = true;
	}
}

static void pop(struct walk *walk)
{
	struct folder *folder = walk->folders;

	walk->folders = folder->next;
	lop_root_release(&folder->root);
	free(folder);
}

static void begin_folder(struct walk *walk)
{
	static const struct query plain = { .sort = SORT_NAME, .format = FORMAT_HTML };
	struct autoindex *autoindex = walk->autoindex;
	struct folder *folder = walk->folders;
	struct listing *listing;
	struct lop_file *file;

	if (folder->is_root) {
		struct lop_root *root;

		if (lop_root_descend(folder->root, folder->path, &root) < 0) {
			pop(walk); /* no folder */
			return;
		}
		lop_root_release(&folder->root);
		folder->root = root;
		folder->length = 0;
		folder->path[0] = '\0';
	}
	if (lop_root_open(folder->root, folder->path, &file) == 0) {
		if (cache_get(autoindex, folder->root, (struct lop_str){ folder->path, folder->length },
		              file, &listing) == 0) {
			(void)page_get(listing, &plain, &walk->page);
			listing_release(&listing);
			walk->visited++;
		}
		lop_file_release(&file);
	}
	pop(walk);
}

/* Folders come first in the order; the first of them is visited next. */
static void push_found(struct walk *walk, const struct listing *listing)
{
	const uint32_t *order = listing->sorts[SORT_NAME].order;

	push_hidden(walk, listing);
	for (size_t i = listing->folder_count; i > 0; i--) {
		const struct entry *entry = listing_entry(listing, order[i - 1]);

		if (!entry->link)
			push_entry(walk, listing, entry);
	}
}

static void end_folder(struct walk *walk)
{
	struct listing *listing = walk->page->listing;

	if (walk->page->state == PAGE_READY)
		push_found(walk, listing);
	/* Of roots there may be more than descriptors: who serves from this one has it open. */
	if (!listing->is_default)
		lop_root_release(&listing->root);
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
	(void)push(walk, lop_worker_root(autoindex->worker), 0);
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
	while (walk->folders != NULL)
		pop(walk);
	page_release(&walk->page);
	lop_task_free(&walk->task);
	free(walk);
}
