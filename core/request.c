/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include <lophttpd/connection.h>

#include "conn.h"
#include "request.h"
#include "target.h"
#include "worker_private.h"

struct lop_request *request_new(struct lop_connection *connection)
{
	struct lop_worker *worker = connection->worker;
	struct lop_request *request = pool_get(&worker->requests);

	if (request == NULL)
		return NULL;
	/* Everything up to the head; the head is filled by the parser, the arena's block by use. */
	memset(request, 0, offsetof(struct lop_request, head));
	request->magic = REQUEST_MAGIC;
	request->connection = connection;
	request->worker = worker;
	request->root = lop_root_retain(worker->core->root);
	request->body_limit = worker->settings->max_body_size;
	request->started = worker->now;
	request->started_wall = worker->wall;
	request->fallback = 404;
	request->path = STR(""); /* until it is known: hooks also see requests that were refused */
	list_init(&request->node);
	request->response.status = 200;
	request->response.segments = request->response.first_segments;
	request->response.segment_size = 2;
	arena_init(&request->arena, request->first, sizeof request->first,
	           REQUEST_LIMIT + 2 * worker->limits.head);
	return request;
}

void request_began(struct lop_request *request, int64_t when)
{
	request->started_wall -= request->started - when;
	request->started = when;
}

void request_discard(struct lop_request **pointer)
{
	struct lop_request *request = *pointer;

	*pointer = NULL;
	assert(request->magic == REQUEST_MAGIC);
	response_clear_body(request);
	if (request->content_release != NULL)
		request->content_release(request->content);
	lop_root_release(&request->root);
	arena_fini(&request->arena);
	list_remove(&request->node);
	request->magic = 0;
	pool_put(&request->worker->requests, request);
}

static struct lop_str text_at(const struct lop_request *request, uint32_t offset, uint32_t length)
{
	if (request->base == NULL || length == 0)
		return (struct lop_str){ NULL, 0 };
	return (struct lop_str){ request->base + offset, length };
}

static void write_log(struct lop_request *request)
{
	struct lop_worker *worker = request->worker;
	struct lop_connection *connection = request->connection;
	const struct http1_head *head = &request->head;
	const bool sent = request->head_sent > 0;

	if (worker->log.provider == NULL)
		return;

	const struct lop_log_record record = {
		.size = sizeof record,
		.status = sent ? (uint16_t)request->response.status : 0,
		.protocol = head->version,
		.time_ns = request->started_wall,
		.duration_ns = worker->now - request->started,
		.bytes_sent = request->head_sent + request->body_sent,
		.body_bytes_sent = request->body_sent,
		.bytes_received = head->length + (uint64_t)request->body_taken,
		.connection = connection->number,
		.request = request->number,
		.remote_port = connection->remote_port,
		.local_port = lop_connection_local_port(connection),
		.remote_address = lop_connection_remote_address(connection),
		.local_address = worker->log.needs_local
		                         ? lop_connection_local_address(connection)
		                         : (struct lop_str){ NULL, 0 },
		.method = text_at(request, head->method_offset, head->method_length),
		.target = text_at(request, head->target, head->target_length),
		.host = request->host,
		.user = request->user,
		.referer = request_known(request, HTTP1_REFERER),
		.user_agent = request_known(request, HTTP1_USER_AGENT),
	};

	worker_log(worker, &record);
}

void request_end(struct lop_request **pointer)
{
	struct lop_request *request = *pointer;
	const struct hooks *hooks = &request->worker->hooks;

	request->phase = LOP_PHASE_DONE;
	for (size_t i = 0; i < hooks->count[LOP_PHASE_DONE]; i++) {
		const struct hook *hook = &hooks->items[LOP_PHASE_DONE][i];

		(void)hook->run(hook->state, request);
	}
	write_log(request);
	request_discard(pointer);
}

int request_refuse(struct lop_request *request, int status)
{
	request_fail(request, status);
	request->phase = LOP_PHASE_RESPONSE;
	return status;
}

int request_prepare(struct lop_request *request)
{
	const struct http1_head *head = &request->head;
	struct target target;
	char *path = arena_alloc(&request->arena, head->target_length + 2);
	int status;

	if (path == NULL)
		return request_refuse(request, 500);
	status = target_parse(head->method, request->base + head->target, head->target_length, path,
	                      &target);
	if (status < 0)
		return request_refuse(request, -status);
	request->path = target.path;
	request->query = target.query;
	request->host = target.authority.data != NULL ? target.authority
	                                              : request_known(request, HTTP1_HOST);
	return 0;
}

int status_of_error(int error)
{
	switch (error) {
	case -EBADMSG:
		return 400;
	case -ETIMEDOUT:
		return 408;
	case -EMSGSIZE:
		return 413;
	default:
		return 500;
	}
}

/* One phase. Returns LOP_DONE when it is over, LOP_AGAIN, or a status. */
static int run_phase(struct lop_request *request)
{
	const struct hooks *hooks = &request->worker->hooks;

	while (request->hook < hooks->count[request->phase]) {
		const struct hook *hook = &hooks->items[request->phase][request->hook];
		int result = hook->run(hook->state, request);

		if (result == LOP_AGAIN)
			return LOP_AGAIN;
		if (request->phase == LOP_PHASE_RESPONSE) {
			if (result < 0) {
				request->response.field_count = 0;
				request_fail(request, 500);
			}
			request->hook++;
			continue;
		}
		if (result < 0)
			return status_of_error(result);
		if (result >= 300)
			return result;
		if (result == LOP_DONE) {
			request->answered |= request->phase == LOP_PHASE_CONTENT;
			break;
		}
		request->hook++;
	}
	request->hook = 0;
	return LOP_DONE;
}

int request_run(struct lop_request *request)
{
	if (request->phase == 0)
		request->phase = LOP_PHASE_ROUTE;
	request->waiting = false;
	while (request->phase <= LOP_PHASE_RESPONSE) {
		int result = run_phase(request);

		if (result == LOP_AGAIN) {
			request->waiting = true;
			return LOP_AGAIN;
		}
		if (result >= 300) {
			request_refuse(request, result);
			request->hook = 0;
			continue;
		}
		if (request->phase == LOP_PHASE_CONTENT && !request->answered)
			request_fail(request, request->fallback);
		request->phase++;
		if (request->phase == LOP_PHASE_CONTENT)
			request->response.field_early = request->response.field_count;
	}
	return LOP_DONE;
}

/* Most pages have no other fields: then nothing is copied. */
static void set_page_fields(struct lop_request *request)
{
	static const struct response_field fields[] = {
		{ { "Content-Type", 12 }, { "text/html; charset=utf-8", 24 } },
		{ { "X-Content-Type-Options", 22 }, { "nosniff", 7 } },
	};
	struct response *response = &request->response;

	if (response->field_count == 0) {
		/* Shared fields are copied before they are changed. */
		response->fields = (struct response_field *)(uintptr_t)fields;
		response->field_count = response->field_size = 2;
		response->fields_shared = true;
		return;
	}
	for (unsigned i = 0; i < 2; i++)
		(void)lop_response_set_field(request, fields[i].name.data, fields[i].value);
}

void request_fail(struct lop_request *request, int status)
{
	struct lop_memory *page;

	response_clear_body(request);
	request->response.rendered = NULL;
	request->response.status = status;
	request->response.page = true;
	request->response.upgrade = false;
	request->answered = true;
	if (status == 503 && lop_response_field(request, "Retry-After").data == NULL)
		(void)lop_response_add_field(request, "Retry-After", STR("1"));
	page = error_page(&request->worker->errors, status);
	if (page == NULL)
		return;
	set_page_fields(request);
	(void)lop_response_body_memory(request, page, 0, lop_memory_size(page));
}

static void rebase(struct lop_str *view, const char *old, size_t length, const char *new)
{
	if (view->data != NULL && view->data >= old && view->data <= old + length)
		view->data = new + (view->data - old);
}

int request_detach(struct lop_request *request)
{
	const char *old = request->base;
	const size_t length = request->head.length;
	char *copy;

	if (request->detached || old == NULL || length == 0)
		return 0;
	copy = arena_alloc(&request->arena, length);
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, old, length);
	request->base = copy;
	request->detached = true;
	rebase(&request->query, old, length, copy);
	rebase(&request->host, old, length, copy);
	return 0;
}

struct lop_str request_list(struct lop_request *request, enum http1_known known)
{
	char *joined;

	if ((request->head.repeated & (UINT32_C(1) << known)) == 0)
		return request_known(request, known);
	joined = lop_request_alloc(request, request->head.length);
	if (joined == NULL)
		return (struct lop_str){ NULL, 0 };
	return (struct lop_str){ joined,
		                 http1_join(&request->head, request->base, known, joined) };
}
