/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests as hooks and protocols see them: <lophttpd/request.h>, <lophttpd/protocol.h>.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include <lophttpd/connection.h>

#include "conn.h"
#include "request.h"
#include "target.h"
#include "worker_private.h"

enum lop_method lop_request_method(const struct lop_request *request)
{
	return request->head.method;
}

struct lop_str lop_request_method_name(const struct lop_request *request)
{
	return (struct lop_str){ request->base + request->head.method_offset,
		                 request->head.method_length };
}

int lop_request_version(const struct lop_request *request)
{
	return request->head.version;
}

struct lop_str lop_request_target(const struct lop_request *request)
{
	return (struct lop_str){ request->base + request->head.target,
		                 request->head.target_length };
}

struct lop_str lop_request_path(const struct lop_request *request)
{
	return request->path;
}

struct lop_str lop_request_query(const struct lop_request *request)
{
	return request->query;
}

struct lop_str lop_request_host(const struct lop_request *request)
{
	return request->host;
}

const char *lop_request_scheme(const struct lop_request *request)
{
	return lop_connection_secure(request->connection) ? "https" : "http";
}

int lop_request_field_at(const struct lop_request *request, size_t index, struct lop_str *name,
                         struct lop_str *value)
{
	if (index >= request->head.field_count)
		return 0;

	const struct http1_field *field = &request->head.fields[index];

	*name = (struct lop_str){ request->base + field->name, field->name_length };
	*value = (struct lop_str){ request->base + field->value, field->value_length };
	return 1;
}

struct lop_str lop_request_field(const struct lop_request *request, const char *name)
{
	const size_t length = strlen(name);
	struct lop_str found;
	struct lop_str value;

	for (size_t i = 0; lop_request_field_at(request, i, &found, &value); i++) {
		if (found.length == length && strncasecmp(found.data, name, length) == 0)
			return value;
	}
	return (struct lop_str){ NULL, 0 };
}

struct lop_connection *lop_request_connection(const struct lop_request *request)
{
	return request->connection;
}

struct lop_worker *lop_request_worker(const struct lop_request *request)
{
	return request->worker;
}

struct lop_root *lop_request_root(const struct lop_request *request)
{
	return request->root;
}

void lop_request_set_root(struct lop_request *request, struct lop_root *root)
{
	struct lop_root *old = request->root;

	request->root = lop_root_retain(root);
	lop_root_release(&old);
}

int lop_request_set_path(struct lop_request *request, struct lop_str path)
{
	struct lop_str copy;

	if (path.length == 0 || path.data[0] != '/')
		return -EINVAL;
	copy = arena_copy(&request->arena, path);
	if (copy.data == NULL)
		return -ENOMEM;
	request->path = copy;
	return 0;
}

int lop_request_set_user(struct lop_request *request, struct lop_str user)
{
	struct lop_str copy = arena_copy(&request->arena, user);

	if (copy.data == NULL)
		return -ENOMEM;
	request->user = copy;
	return 0;
}

void *lop_request_alloc(struct lop_request *request, size_t size)
{
	return arena_alloc(&request->arena, size);
}

struct lop_str lop_request_copy(struct lop_request *request, struct lop_str text)
{
	return arena_copy(&request->arena, text);
}

int lop_request_set_state(struct lop_request *request, const void *key, void *value)
{
	for (unsigned i = 0; i < request->state_count; i++) {
		if (request->states[i].key == key) {
			request->states[i].value = value;
			return 0;
		}
	}
	if (request->state_count == REQUEST_STATES)
		return -ENOSPC;
	request->states[request->state_count].key = key;
	request->states[request->state_count].value = value;
	request->state_count++;
	return 0;
}

void *lop_request_state(const struct lop_request *request, const void *key)
{
	for (unsigned i = 0; i < request->state_count; i++) {
		if (request->states[i].key == key)
			return request->states[i].value;
	}
	return NULL;
}

int64_t lop_request_body_length(const struct lop_request *request)
{
	return request->body_length;
}

/* Whether the body is known to be too long before a byte of it was read. */
static bool body_exceeds(const struct lop_request *request)
{
	return request->body_limit >= 0 && request->body_length > request->body_limit;
}

static ssize_t body_count(struct lop_request *request, ssize_t count)
{
	if (count > 0) {
		request->body_taken += count;
		if (request->body_limit >= 0 && request->body_taken > request->body_limit)
			return -EMSGSIZE;
	}
	return count;
}

ssize_t lop_request_body_read(struct lop_request *request, void *buffer, size_t size)
{
	if (request->body_read == NULL || request->body_length == 0)
		return 0;
	if (body_exceeds(request))
		return -EMSGSIZE;
	return body_count(request, request->body_read(request->body_context, buffer, size));
}

ssize_t lop_request_body_splice(struct lop_request *request, int pipe, size_t size)
{
	if (request->body_read == NULL || request->body_length == 0)
		return 0;
	if (request->carrier == NULL || !request->worker->pipes.allowed)
		return -EOPNOTSUPP;
	if (body_exceeds(request))
		return -EMSGSIZE;
	return body_count(request,
	                  request->carrier->body_splice(request->body_context, pipe, size));
}

void lop_request_body_watch(struct lop_request *request, lop_body_ready_f *ready, void *context)
{
	request->body_ready = ready;
	request->body_ready_context = context;
}

int lop_request_trailer_at(const struct lop_request *request, size_t index, struct lop_str *name,
                           struct lop_str *value)
{
	const char *at = request->trailers.data;
	const char *end = at + request->trailers.length;
	const char *line_end;
	const char *colon;

	for (;; at = line_end + 1) {
		if (at == end || (line_end = memchr(at, '\n', (size_t)(end - at))) == NULL ||
		    (colon = memchr(at, ':', (size_t)(line_end - at))) == NULL)
			return 0;
		if (index-- == 0)
			break;
	}
	*name = (struct lop_str){ at, (size_t)(colon - at) };
	for (at = colon + 1; *at == ' ' || *at == '\t'; at++)
		;
	line_end--; /* the carriage return */
	while (line_end > at && (line_end[-1] == ' ' || line_end[-1] == '\t'))
		line_end--;
	*value = (struct lop_str){ at, (size_t)(line_end - at) };
	return 1;
}

int lop_request_abandoned(const struct lop_request *request)
{
	if (request->carrier == NULL)
		return request->connection->broken;
	return request->carrier->abandoned(request->body_context);
}

int lop_request_awaits_continue(struct lop_request *request)
{
	if (request->carrier == NULL)
		return 0;
	return request->carrier->awaits_continue(request->body_context);
}

void lop_request_body_limit(struct lop_request *request, int64_t bytes)
{
	request->body_limit = bytes;
}

void lop_request_wake(struct lop_request *request)
{
	struct lop_connection *connection = request->connection;

	if (connection->protocol->woken != NULL)
		connection->protocol->woken(connection->protocol_state, request);
	sched_push(&connection->worker->sched, &connection->run, SCHED_BEGUN);
}

/* For protocols other than the core's own. */

struct lop_request *lop_request_new(struct lop_connection *connection)
{
	struct lop_request *request = request_new(connection);

	if (request != NULL)
		memset(&request->head, 0, offsetof(struct http1_head, fields));
	return request;
}

int lop_request_start(struct lop_request *request, int version, struct lop_str method,
                      struct lop_str target)
{
	const struct http1_limits *limits = &request->worker->limits;
	struct http1_head *head = &request->head;
	char *text;

	request->number = ++request->connection->requests;
	head->version = (uint16_t)version;
	head->content_length = -1;
	if (target.length > limits->target)
		return request_refuse(request, 414);
	/* One block for everything that comes, so that views stay offsets from one base. */
	if (method.length > 64 || target.length + method.length > limits->head)
		return request_refuse(request, 431);
	text = arena_alloc(&request->arena, limits->head);
	if (text == NULL)
		return request_refuse(request, 500);
	memcpy(text, method.data, method.length);
	memcpy(text + method.length, target.data, target.length);
	request->base = text;
	request->detached = true;
	head->method = http1_method(method.data, method.length);
	head->method_length = (uint32_t)method.length;
	head->target = (uint32_t)method.length;
	head->target_length = (uint32_t)target.length;
	head->length = (uint32_t)(method.length + target.length);
	return request_prepare(request);
}

int lop_request_add_field(struct lop_request *request, struct lop_str name, struct lop_str value)
{
	const struct http1_limits *limits = &request->worker->limits;
	struct http1_head *head = &request->head;
	char *text = (char *)(uintptr_t)request->base;
	enum http1_known known;

	if (text == NULL || head->field_count >= limits->fields ||
	    head->field_count >= HTTP1_MAX_FIELDS ||
	    name.length + value.length > limits->head - head->length)
		return 431;

	struct http1_field *field = &head->fields[head->field_count++];

	field->name = head->length;
	field->name_length = (uint32_t)name.length;
	field->value = field->name + field->name_length;
	field->value_length = (uint32_t)value.length;
	memcpy(text + field->name, name.data, name.length);
	memcpy(text + field->value, value.data, value.length);
	head->length += field->name_length + field->value_length;
	known = http1_known(name.data, name.length);
	if (known < HTTP1_KNOWN_COUNT && head->known[known] == 0)
		head->known[known] = (uint8_t)head->field_count;
	if (known == HTTP1_HOST && request->host.data == NULL)
		request->host = (struct lop_str){ text + field->value, field->value_length };
	return 0;
}

void lop_request_set_body(struct lop_request *request, int64_t length, lop_body_read_f *read,
                          void *context)
{
	request->body_length = length;
	request->body_read = read;
	request->body_context = context;
}

int lop_request_run(struct lop_request *request)
{
	return request_run(request);
}

void lop_request_sent(struct lop_request *request, uint64_t head_bytes, uint64_t body_bytes)
{
	request->head_sent += head_bytes;
	request->body_sent += body_bytes;
}

void lop_request_end(struct lop_request **request)
{
	request_end(request);
}
