/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One way to show a listing: sorted, filtered, rendered, each in slices.
 */
#include "autoindex.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW_LEAST 120 /* bytes of a row in HTML, without the name, which is there twice */
#define AHEAD 8       /* rows */

/* In a function of its own gcc takes it for one that does nothing, and leaves it out. */
#ifdef __GNUC__
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void)0)
#endif

const struct format *format_of(enum query_format format)
{
	static const struct format *const formats[FORMAT_COUNT] = {
		[FORMAT_HTML] = &format_html,
		[FORMAT_JSON] = &format_json,
		[FORMAT_TEXT] = &format_text,
	};

	return formats[format];
}

size_t page_count(const struct page *page)
{
	return page->matches != NULL ? page->match_count : page->listing->count;
}

const struct entry *page_entry(const struct page *page, size_t row)
{
	const struct listing *listing = page->listing;
	const uint32_t *order = listing->sorts[page->query.sort].order;
	size_t folders = listing->folder_count;

	if (page->matches != NULL) {
		order = page->matches;
		folders = page->match_folders;
	}
	/* Folders come first in both directions. */
	if (page->query.descending)
		row = row < folders ? folders - 1 - row : page_count(page) - 1 - (row - folders);
	return listing_entry(listing, order[row]);
}

/* --- rendering ---------------------------------------------------------------------------------- */

/* Makes the next piece of text. */
static void render_more(struct render *render)
{
	const struct format *format = format_of(render->page->query.format);
	const size_t count = page_count(render->page);

	render->text.length = 0;
	render->taken = 0;
	switch (render->at) {
	case RENDER_HEAD:
		format->head(render, &render->text);
		render->at = RENDER_ROWS;
		break;
	case RENDER_ROWS:
		if (render->row < count)
			format->row(render, render->row++, &render->text);
		else
			render->at = RENDER_TAIL;
		break;
	case RENDER_TAIL:
		format->tail(render, &render->text);
		render->at = RENDER_END;
		break;
	case RENDER_END:
		break;
	}
}

/* Makes rows in the place where they are wanted, as many as fit. Returns bytes. */
static size_t render_rows(struct render *render, char *buffer, size_t size)
{
	const struct format *format = format_of(render->page->query.format);
	const size_t count = page_count(render->page);
	struct text text = { .data = buffer, .size = size, .fixed = true };
	size_t whole = 0; /* bytes of whole rows */

	while (render->row < count) {
		/* Entries lie in the order in which the folder told them: what rows to come need
		 * is anywhere in memory, and on its way while this one is written. */
		if (render->row + 2 * AHEAD < count) {
			PREFETCH(page_entry(render->page, render->row + 2 * AHEAD));
			PREFETCH(page_entry(render->page, render->row + AHEAD)->name);
		}
		format->row(render, render->row, &text);
		if (text.failed)
			break;
		render->row++;
		whole = text.length;
	}
	return whole;
}

ssize_t render_fill(struct render *render, char *buffer, size_t size)
{
	size_t done = 0;

	while (done < size) {
		size_t part = render->text.length - render->taken;

		if (part == 0 && render->at == RENDER_ROWS) {
			part = render_rows(render, buffer + done, size - done);
			if (part > 0) {
				done += part;
				continue;
			}
		}
		if (part == 0) {
			if (render->at == RENDER_END)
				break;
			render_more(render);
			if (render->text.failed)
				return -ENOMEM;
			continue;
		}
		if (part > size - done)
			part = size - done;
		memcpy(buffer + done, render->text.data + render->taken, part);
		render->taken += part;
		done += part;
	}
	return (ssize_t)done;
}

int render_copy(const struct render *render, struct render *copy)
{
	*copy = *render;
	copy->text = (struct text){ .data = NULL };
	copy->taken = 0;
	if (render->text.length > render->taken)
		text_add(&copy->text, render->text.data + render->taken,
		         render->text.length - render->taken);
	return copy->text.failed ? -ENOMEM : 0;
}

void render_free(struct render *render)
{
	text_free(&render->text);
}

/* Takes over the memory, of which `length` bytes are filled. Returns 0 or -ENOMEM. */
static int keep_chunk(struct page *page, struct lop_memory *memory, size_t length)
{
	if (length < CHUNK) {
		struct lop_memory *all = memory;

		memory = lop_memory_new(length);
		if (memory != NULL)
			memcpy(lop_memory_data(memory), lop_memory_data(all), length);
		lop_memory_release(&all);
		if (memory == NULL)
			return -ENOMEM;
	}
	if (page->chunk_count == page->chunk_size) {
		size_t size = page->chunk_size == 0 ? 4 : page->chunk_size * 2;
		struct lop_memory **chunks = realloc(page->chunks, size * sizeof(*chunks));

		if (chunks == NULL) {
			lop_memory_release(&memory);
			return -ENOMEM;
		}
		page->chunks = chunks;
		page->chunk_size = size;
	}
	page->chunks[page->chunk_count++] = memory;
	page->bytes += length;
	return 0;
}

/* --- steps -------------------------------------------------------------------------------------- */

static void make_etag(struct page *page)
{
	const struct query *query = &page->query;
	const unsigned view = (unsigned)query->sort << 8 | (unsigned)query->format << 4 |
	                      (unsigned)query->descending;
	const char *base = page->listing->autoindex->base;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; base != NULL && *base != '\0'; base++)
		hash = (hash ^ (unsigned char)*base) * UINT64_C(0x100000001b3);
	for (size_t i = 0; i < query->filter_length; i++)
		hash = (hash ^ (unsigned char)query->typed[i]) * UINT64_C(0x100000001b3);
	snprintf(page->etag, sizeof(page->etag), "\"%016llx-%x\"",
	         (unsigned long long)(page->listing->hash ^ hash), view);
}

static void wake(struct page *page)
{
	struct waiter *waiter = page->waiters;

	page->waiters = NULL;
	while (waiter != NULL) {
		struct waiter *next = waiter->next;

		waiter->waiting = false;
		lop_request_wake(waiter->request);
		waiter = next;
	}
}

static void fail(struct page *page, int status)
{
	page->state = PAGE_FAILED;
	page->status = status;
	wake(page);
}

static void ready(struct page *page)
{
	struct listing *listing = page->listing;
	struct cache *cache = &listing->autoindex->cache;

	page->state = PAGE_READY;
	if (page->whole)
		text_free(&page->render.text);
	/* Of filters there is no end. */
	if (page->whole && page->query.filter_length == 0 && listing->cached) {
		page->kept = true;
		page_retain(page);
	}
	if (!page->whole)
		store_begin(page);
	wake(page);
	if (listing->cached)
		cache_account(cache, listing);
}

static void step_filter(struct page *page)
{
	const struct listing *listing = page->listing;
	const uint32_t *order = listing->sorts[page->query.sort].order;
	const int64_t since = slice_begin();

	if (page->matches == NULL)
		page->matches = malloc((listing->count + 1) * sizeof(uint32_t));
	if (page->matches == NULL) {
		fail(page, 503);
		return;
	}
	while (page->filtered < listing->count) {
		const struct entry *entry = listing_entry(listing, order[page->filtered]);

		if (query_matches(&page->query, entry->name, entry->length)) {
			page->matches[page->match_count++] = order[page->filtered];
			page->match_folders += entry->kind == KIND_FOLDER;
		}
		if (++page->filtered % 256 == 0 && slice_over(since))
			return;
	}
	page->state = PAGE_RENDER;
}

/* Makes the next piece of the page and keeps it. Returns its bytes or -ENOMEM. */
static ssize_t render_chunk(struct page *page)
{
	struct lop_memory *memory = lop_memory_new(CHUNK);
	ssize_t count;

	if (memory == NULL)
		return -ENOMEM;
	count = render_fill(&page->render, lop_memory_data(memory), CHUNK);
	if (count <= 0)
		lop_memory_release(&memory);
	else if (keep_chunk(page, memory, (size_t)count) < 0)
		count = -ENOMEM;
	return count;
}

static bool is_too_large(const struct page *page)
{
	const struct listing *listing = page->listing;
	size_t least = page_count(page) * ROW_LEAST;

	if (page->matches == NULL)
		least += 2 * listing->name_bytes;
	return page->query.format == FORMAT_HTML && least > listing->autoindex->limit;
}

static void step_render(struct page *page)
{
	const size_t limit = page->listing->autoindex->limit;
	const int64_t since = slice_begin();
	ssize_t count;

	/* The first byte need not wait for a beginning to be kept. */
	if (is_too_large(page)) {
		ready(page);
		return;
	}
	do {
		count = render_chunk(page);
		if (count < 0) {
			fail(page, 503);
			return;
		}
		page->whole = count < (ssize_t)CHUNK;
		if (page->whole || page->bytes > limit) {
			ready(page);
			return;
		}
	} while (!slice_over(since));
}

static int page_step(void *context)
{
	struct page *page = context;
	struct listing *listing = page->listing;
	int result;

	switch (page->state) {
	case PAGE_SCAN:
		listing_step(listing);
		if (listing->state == LISTING_FAILED)
			fail(page, 503);
		else if (listing->state == LISTING_READY)
			page->state = PAGE_SORT;
		break;
	case PAGE_SORT:
		result = listing_sort(listing, page->query.sort);
		if (result < 0) {
			fail(page, 503);
		} else if (result == 1) {
			make_etag(page);
			page->state = page->query.filter_length > 0 ? PAGE_FILTER : PAGE_RENDER;
		}
		break;
	case PAGE_FILTER:
		step_filter(page);
		break;
	case PAGE_RENDER:
		step_render(page);
		break;
	case PAGE_READY:
	case PAGE_FAILED:
		break;
	}
	return page->state != PAGE_READY && page->state != PAGE_FAILED;
}

/* --- life --------------------------------------------------------------------------------------- */

int page_get(struct listing *listing, const struct query *query, struct page **page)
{
	struct page *made = listing->pages;

	while (made != NULL && !query_equal(&made->query, query))
		made = made->next;
	if (made != NULL && made->state != PAGE_FAILED) {
		*page = page_retain(made);
		return 0;
	}
	made = calloc(1, sizeof(*made));
	if (made == NULL)
		return -ENOMEM;
	made->task = lop_task_new(listing->autoindex->worker, page_step, made);
	if (made->task == NULL) {
		free(made);
		return -ENOMEM;
	}
	made->references = 1;
	made->listing = listing_retain(listing);
	made->query = *query;
	made->render.page = made;
	made->next = listing->pages;
	listing->pages = made;
	lop_task_start(made->task);
	*page = made;
	return 0;
}

struct page *page_retain(struct page *page)
{
	page->references++;
	return page;
}

void page_release(struct page **page)
{
	struct page *gone = *page, **link;

	*page = NULL;
	if (gone == NULL || --gone->references > 0)
		return;
	for (link = &gone->listing->pages; *link != gone; link = &(*link)->next)
		;
	*link = gone->next;
	lop_task_free(&gone->task);
	for (size_t i = 0; i < gone->chunk_count; i++)
		lop_memory_release(&gone->chunks[i]);
	free(gone->chunks);
	free(gone->matches);
	render_free(&gone->render);
	cache_page_gone(gone->listing);
	listing_release(&gone->listing);
	free(gone);
}
