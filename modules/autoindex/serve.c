/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a request for a folder to its page.
 */
#include "autoindex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STR(literal) ((struct lop_str){ (literal), sizeof(literal) - 1 })
#define PIECES_MAX 32 /* of a body that are sent without copying */

/* --- the body ----------------------------------------------------------------------------------- */

struct stream {
	struct page *page;
	size_t chunk, offset;
	struct render rest;
};

static ssize_t stream_pull(void *context, char *buffer, size_t size)
{
	struct stream *stream = context;
	struct page *page = stream->page;

	if (stream->chunk < page->chunk_count) {
		struct lop_memory *memory = page->chunks[stream->chunk];
		size_t left = lop_memory_size(memory) - stream->offset;

		if (size > left)
			size = left;
		memcpy(buffer, lop_memory_data(memory) + stream->offset, size);
		stream->offset += size;
		if (size == left) {
			stream->chunk++;
			stream->offset = 0;
		}
		return (ssize_t)size;
	}
	return page->whole ? 0 : render_fill(&stream->rest, buffer, size);
}

static void stream_end(void *context)
{
	struct stream *stream = context;

	render_free(&stream->rest);
	page_release(&stream->page);
	free(stream);
}

static int add_stream(struct lop_request *request, struct page *page)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	int result;

	if (stream == NULL)
		return -ENOMEM;
	if (render_copy(&page->render, &stream->rest) < 0) {
		free(stream);
		return -ENOMEM;
	}
	stream->page = page_retain(page);
	result = lop_response_body_stream(request, page->whole ? (int64_t)page->bytes : -1,
	                                  stream_pull, stream_end, stream);
	if (result < 0)
		stream_end(stream);
	return result;
}

static int add_body(struct lop_request *request, struct page *page)
{
	if (!page->whole || page->chunk_count > PIECES_MAX)
		return add_stream(request, page);
	for (size_t i = 0; i < page->chunk_count; i++) {
		struct lop_memory *chunk = page->chunks[i];
		int result =
			lop_response_body_memory(request, chunk, 0, lop_memory_size(chunk));

		if (result < 0)
			return result;
	}
	return 0;
}

static int respond(struct lop_request *request, struct page *page)
{
	const char *type = format_of(page->query.format)->type;
	int status;

	if (page->state == PAGE_FAILED)
		return page->status;
	status = lop_response_validate(request,
	                               (struct lop_str){ page->etag, strlen(page->etag) },
	                               page->listing->modified);
	if (status < 0 || status == 412)
		return status;
	/* A browser that has the page asks whether it is still right. */
	if (lop_response_add_field(request, "Cache-Control", STR("no-cache")) < 0)
		return -ENOMEM;
	if (status == 304) {
		lop_response_set_status(request, 304);
		return LOP_DONE;
	}
	if (lop_response_add_field(request, "Content-Type",
	                           (struct lop_str){ type, strlen(type) }) < 0 ||
	    lop_response_add_field(request, "X-Content-Type-Options", STR("nosniff")) < 0 ||
	    add_body(request, page) < 0)
		return -ENOMEM;
	return LOP_DONE;
}

/* --- finding the page --------------------------------------------------------------------------- */

static int status_of(int error)
{
	switch (error) {
	case -EACCES: /* nobody may list it: as without this module */
	case -EPERM:
		return LOP_DECLINED;
	case -ENOENT:
	case -ENOTDIR:
	case -ELOOP:
	case -EXDEV:
	case -ENAMETOOLONG:
		return 404;
	default:
		return 503;
	}
}

/* All Accept fields as one; data NULL also when memory is out. */
static struct lop_str accept_of(struct lop_request *request)
{
	struct lop_str name, value, accept = { NULL, 0 };

	for (size_t i = 0; lop_request_field_at(request, i, &name, &value); i++) {
		char *joined;

		if (name.length != 6 || memcmp(name.data, "Accept", 6) != 0) {
			static const char lower[] = "accept";
			size_t j = 0;

			while (j < name.length && j < 6 && (name.data[j] | 0x20) == lower[j])
				j++;
			if (name.length != 6 || j != 6)
				continue;
		}
		if (accept.data == NULL) {
			accept = value;
			continue;
		}
		joined = lop_request_alloc(request, accept.length + value.length + 1);
		if (joined == NULL)
			break;
		memcpy(joined, accept.data, accept.length);
		joined[accept.length] = ',';
		memcpy(joined + accept.length + 1, value.data, value.length);
		accept = (struct lop_str){ joined, accept.length + value.length + 1 };
	}
	return accept;
}

static int find_page(struct autoindex *autoindex, struct lop_request *request,
                     const struct query *query, struct page **page)
{
	struct lop_root *root = lop_request_root(request);
	struct lop_str path = lop_request_path(request);
	struct listing *listing;
	struct lop_file *folder;
	int result;

	path.data++;
	path.length--;
	result = lop_root_open(root, path.data, &folder);
	if (result < 0)
		return result;
	if (lop_file_stat(folder)->kind != LOP_FILE_FOLDER)
		result = -ENOENT; /* it was a folder a moment ago */
	else
		result = cache_get(autoindex, root, path, folder, &listing);
	lop_file_release(&folder);
	if (result < 0)
		return result;
	result = page_get(listing, query, page);
	listing_release(&listing);
	return result;
}

static int begin(struct autoindex *autoindex, struct lop_request *request)
{
	struct waiter *waiter = lop_request_alloc(request, sizeof(*waiter));
	struct query query;
	int result;

	if (waiter == NULL)
		return -ENOMEM;
	query_parse(lop_request_query(request), &query);
	if (!query.format_given) {
		query.format = query_accept(accept_of(request));
		if (lop_response_add_field(request, "Vary", STR("Accept")) < 0)
			return -ENOMEM;
	}
	*waiter = (struct waiter){ .request = request };
	result = lop_request_set_state(request, autoindex, waiter);
	if (result < 0)
		return result;
	result = find_page(autoindex, request, &query, &waiter->page);
	if (result < 0)
		return status_of(result);
	if (waiter->page->state == PAGE_READY)
		return respond(request, waiter->page);
	waiter->waiting = true;
	waiter->next = waiter->page->waiters;
	waiter->page->waiters = waiter;
	return LOP_AGAIN;
}

static int list_folder(void *state, struct lop_request *request)
{
	struct autoindex *autoindex = state;
	struct waiter *waiter = lop_request_state(request, autoindex);
	const enum lop_method method = lop_request_method(request);
	struct lop_str path;

	if (waiter != NULL)
		return waiter->waiting ? LOP_AGAIN : respond(request, waiter->page);
	path = lop_request_path(request);
	if ((method != LOP_METHOD_GET && method != LOP_METHOD_HEAD) ||
	    path.data[path.length - 1] != '/')
		return LOP_DECLINED;
	return begin(autoindex, request);
}

static int forget_request(void *state, struct lop_request *request)
{
	struct waiter *waiter = lop_request_state(request, state), **link;

	if (waiter == NULL || waiter->page == NULL)
		return LOP_DECLINED;
	if (waiter->waiting) {
		for (link = &waiter->page->waiters; *link != waiter; link = &(*link)->next)
			;
		*link = waiter->next;
	}
	page_release(&waiter->page);
	return LOP_DECLINED;
}

static int serve_icon(void *state, struct lop_request *request)
{
	const struct autoindex *autoindex = state;

	return autoindex->has_icons ? icons_serve(autoindex->icons, request) : LOP_DECLINED;
}

const struct lop_hook serve_hooks[] = {
	LOP_HOOK(LOP_PHASE_CONTENT, LOP_PRIORITY_BEFORE_STATIC, "autoindex icons", serve_icon),
	LOP_HOOK(LOP_PHASE_CONTENT, LOP_PRIORITY_AFTER_STATIC, "autoindex", list_folder),
	LOP_HOOK(LOP_PHASE_DONE, LOP_PRIORITY_FIRST, "autoindex", forget_request),
	LOP_HOOK_END,
};
