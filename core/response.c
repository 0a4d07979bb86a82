/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Building a response: <lophttpd/response.h>, and the body's reading for protocols that do not send
 * segments as they are.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "field_bytes.h"
#include "memory.h"
#include "request.h"

int lop_response_status(const struct lop_request *request)
{
	return request->response.status;
}

void lop_response_set_status(struct lop_request *request, int status)
{
	request->response.rendered = NULL;
	request->response.status = status;
}

void response_hold(struct lop_request *request, void *content, void (*release)(void *content))
{
	request->content = content;
	request->content_release = release;
}

static bool same_name(struct lop_str name, const char *other, size_t length)
{
	return name.length == length && strncasecmp(name.data, other, length) == 0;
}

/* Makes room for one more field, in memory of the request's own. */
static int fields_reserve(struct lop_request *request, unsigned more)
{
	struct response *response = &request->response;
	unsigned wanted = response->field_count + more;
	struct response_field *fields;

	response->rendered = NULL;
	if (!response->fields_shared && wanted <= response->field_size)
		return 0;
	wanted = wanted < 8 ? 8 : wanted * 2;
	if (wanted > UINT16_MAX)
		return -ENOMEM;
	fields = arena_alloc(&request->arena, wanted * sizeof *fields);
	if (fields == NULL)
		return -ENOMEM;
	if (response->field_count > 0)
		memcpy(fields, response->fields, response->field_count * sizeof *fields);
	response->fields = fields;
	response->field_size = (uint16_t)wanted;
	response->fields_shared = false;
	return 0;
}

int response_share(struct lop_request *request, struct response_field *fields, unsigned count)
{
	struct response *response = &request->response;

	if (response->field_count > 0) {
		if (fields_reserve(request, count) < 0)
			return -ENOMEM;
		memcpy(response->fields + response->field_count, fields, count * sizeof *fields);
		response->field_count += (uint16_t)count;
		return 0;
	}
	response->fields = fields;
	response->field_count = (uint16_t)count;
	response->field_size = (uint16_t)count;
	response->fields_shared = true;
	return 0;
}

/* Length of a name that is a token, 0 for any other. */
static size_t token_length(const char *name)
{
	size_t length = 0;

	while (is_token_byte(name[length]))
		length++;
	return name[length] == '\0' ? length : 0;
}

static bool is_value(struct lop_str value)
{
	const char *const end = value.data + value.length;
	const char *at = value.data;

	if (value.length == 0)
		return true;
	while ((at = skip_visible(at, end, 0x20)) < end) {
		if (*at != '\t')
			return false;
		at++;
	}
	return true;
}

/* Copies a field to where it will stand: one piece, each part with a '\0' behind. */
static int field_copy(struct lop_request *request, struct response_field *field, const char *name,
                      size_t name_length, struct lop_str value)
{
	const size_t size = name_length + value.length + 2;
	char *copy = size > value.length ? arena_alloc(&request->arena, size) : NULL;

	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, name, name_length + 1);
	field->name = (struct lop_str){ copy, name_length };
	copy += name_length + 1;
	if (value.length > 0)
		memcpy(copy, value.data, value.length);
	copy[value.length] = '\0';
	field->value = (struct lop_str){ copy, value.length };
	return 0;
}

int lop_response_add_field(struct lop_request *request, const char *name, struct lop_str value)
{
	struct response *response = &request->response;
	const size_t length = token_length(name);

	if (length == 0 || !is_value(value))
		return -EINVAL;
	if (fields_reserve(request, 1) < 0 ||
	    field_copy(request, &response->fields[response->field_count], name, length, value) < 0)
		return -ENOMEM;
	response->field_count++;
	return 0;
}

/* RFC 9110 6.5.1: what says how a message is framed or where it goes must not come behind it. */
static bool frames(const char *name)
{
	static const char *const names[] = { "Connection", "Content-Length", "Host", "Trailer",
		                             "Transfer-Encoding" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcasecmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

int lop_response_add_trailer(struct lop_request *request, const char *name, struct lop_str value)
{
	struct response *response = &request->response;
	const size_t length = token_length(name);

	if (length == 0 || !is_value(value) || frames(name))
		return -EINVAL;
	if (response->trailer_count == response->trailer_size) {
		const unsigned wanted = response->trailer_size * 2u + 4;
		struct response_field *grown;

		if (wanted > UINT16_MAX)
			return -ENOMEM;
		grown = arena_alloc(&request->arena, wanted * sizeof *grown);
		if (grown == NULL)
			return -ENOMEM;
		if (response->trailer_count > 0)
			memcpy(grown, response->trailers, response->trailer_count * sizeof *grown);
		response->trailers = grown;
		response->trailer_size = (uint16_t)wanted;
	}
	if (field_copy(request, &response->trailers[response->trailer_count], name, length,
	               value) < 0)
		return -ENOMEM;
	response->trailer_count++;
	return 0;
}

int lop_response_interim(struct lop_request *request, int status)
{
	struct response *response = &request->response;
	int result = 0;

	if (status < 100 || status > 199 || status == 101 || request->answered ||
	    request->phase != LOP_PHASE_CONTENT)
		return -EINVAL;
	if (request->carrier != NULL && request->head.version >= 101)
		result = request->carrier->interim(request->body_context, status,
		                                   response->field_early);
	if (response->field_count > response->field_early)
		response->field_count = response->field_early;
	return result;
}

int lop_response_remove_field(struct lop_request *request, const char *name)
{
	struct response *response = &request->response;
	const size_t length = strlen(name);
	unsigned kept = 0;

	if (response->field_count == 0)
		return 0;
	if (fields_reserve(request, 0) < 0)
		return -ENOMEM;
	for (unsigned i = 0; i < response->field_count; i++) {
		if (!same_name(response->fields[i].name, name, length))
			response->fields[kept++] = response->fields[i];
	}

	int removed = (int)(response->field_count - kept);

	response->field_count = (uint16_t)kept;
	return removed;
}

int lop_response_set_field(struct lop_request *request, const char *name, struct lop_str value)
{
	int result = lop_response_remove_field(request, name);

	return result < 0 ? result : lop_response_add_field(request, name, value);
}

struct lop_str lop_response_field(const struct lop_request *request, const char *name)
{
	const struct response *response = &request->response;
	const size_t length = strlen(name);

	for (unsigned i = 0; i < response->field_count; i++) {
		if (same_name(response->fields[i].name, name, length))
			return response->fields[i].value;
	}
	return (struct lop_str){ NULL, 0 };
}

int lop_response_field_at(const struct lop_request *request, size_t index, struct lop_str *name,
                          struct lop_str *value)
{
	if (index >= request->response.field_count)
		return 0;
	*name = request->response.fields[index].name;
	*value = request->response.fields[index].value;
	return 1;
}

static struct body_segment *segment_add(struct lop_request *request)
{
	struct response *response = &request->response;

	response->rendered = NULL;
	if (response->segment_count == response->segment_size) {
		unsigned wanted = response->segment_size * 2u + 2;
		struct body_segment *grown;

		if (wanted > UINT16_MAX)
			return NULL;
		grown = arena_alloc(&request->arena, wanted * sizeof *grown);
		if (grown == NULL)
			return NULL;
		memcpy(grown, response->segments, response->segment_count * sizeof *grown);
		response->segments = grown;
		response->segment_size = (uint16_t)wanted;
	}
	return &response->segments[response->segment_count++];
}

int lop_response_body_memory(struct lop_request *request, struct lop_memory *memory,
                             size_t offset, size_t length)
{
	struct body_segment *segment;

	if (offset > memory->size || length > memory->size - offset)
		return -EINVAL;
	segment = segment_add(request);
	if (segment == NULL)
		return -ENOMEM;
	segment->kind = BODY_MEMORY;
	segment->source.memory = memory_retain(memory);
	segment->offset = (int64_t)offset;
	segment->length = (int64_t)length;
	return 0;
}

int lop_response_body_copy(struct lop_request *request, const void *data, size_t length)
{
	struct lop_memory *memory = lop_memory_new(length);
	int result;

	if (memory == NULL)
		return -ENOMEM;
	memcpy(memory->data, data, length);
	result = lop_response_body_memory(request, memory, 0, length);
	memory_release(&memory);
	return result;
}

int lop_response_body_file(struct lop_request *request, struct lop_file *file, int64_t offset,
                           int64_t length)
{
	struct body_segment *segment;

	if (offset < 0 || length < 0)
		return -EINVAL;
	segment = segment_add(request);
	if (segment == NULL)
		return -ENOMEM;
	segment->kind = BODY_FILE;
	segment->source.file = lop_file_retain(file);
	segment->offset = offset;
	segment->length = length;
	return 0;
}

int lop_response_body_stream(struct lop_request *request, int64_t length, lop_pull_f *pull,
                             lop_pull_end_f *end, void *context)
{
	return lop_response_body_splice(request, length, pull, NULL, end, context);
}

int lop_response_body_splice(struct lop_request *request, int64_t length, lop_pull_f *pull,
                             lop_splice_f *splice, lop_pull_end_f *end, void *context)
{
	struct body_stream *stream = arena_alloc(&request->arena, sizeof *stream);
	struct body_segment *segment = stream != NULL ? segment_add(request) : NULL;

	if (segment == NULL)
		return -ENOMEM;
	*stream = (struct body_stream){ pull, splice, end, context };
	segment->kind = BODY_STREAM;
	segment->source.stream = stream;
	segment->offset = 0;
	segment->length = length;
	return 0;
}

static void segment_drop(struct body_segment *segment)
{
	switch (segment->kind) {
	case BODY_MEMORY:
		memory_release(&segment->source.memory);
		break;
	case BODY_FILE:
		lop_file_release(&segment->source.file);
		break;
	case BODY_STREAM:
		if (segment->source.stream->end != NULL)
			segment->source.stream->end(segment->source.stream->context);
		break;
	}
}

void response_clear_body(struct lop_request *request)
{
	struct response *response = &request->response;

	for (unsigned i = 0; i < response->segment_count; i++)
		segment_drop(&response->segments[i]);
	response->segment_count = 0;
	response->rendered = NULL;
}

void lop_response_body_clear(struct lop_request *request)
{
	response_clear_body(request);
}

void response_drop_first(struct lop_request *request)
{
	struct response *response = &request->response;

	segment_drop(&response->segments[0]);
	response->segments++;
	response->segment_count--;
	response->segment_size--;
}

int64_t response_length(const struct lop_request *request)
{
	const struct response *response = &request->response;
	int64_t total = 0;

	for (unsigned i = 0; i < response->segment_count; i++) {
		if (response->segments[i].length < 0)
			return -1;
		total += response->segments[i].length;
	}
	return total;
}

int64_t lop_response_body_length(const struct lop_request *request)
{
	return response_length(request);
}

/* Reads from the first segment. */
static ssize_t segment_read(struct body_segment *segment, char *buffer, size_t size)
{
	ssize_t count;

	if (segment->length >= 0 && (int64_t)size > segment->length)
		size = (size_t)segment->length;
	if (size == 0)
		return 0;
	switch (segment->kind) {
	case BODY_MEMORY:
		memcpy(buffer, segment->source.memory->data + segment->offset, size);
		count = (ssize_t)size;
		break;
	case BODY_FILE:
		count = pread(lop_file_descriptor(segment->source.file), buffer, size,
		              (off_t)segment->offset);
		if (count < 0)
			return -errno;
		break;
	default:
		count = segment->source.stream->pull(segment->source.stream->context, buffer, size);
		if (count < 0)
			return count;
		break;
	}
	/* Less than was promised: the file shrank, or the stream stopped. */
	if (count == 0 && segment->length > 0)
		return -ENODATA;
	segment->offset += count;
	if (segment->length >= 0)
		segment->length -= count;
	return count;
}

ssize_t lop_response_body_read(struct lop_request *request, void *buffer, size_t size)
{
	struct response *response = &request->response;

	while (response->segment_count > 0) {
		ssize_t count = segment_read(&response->segments[0], buffer, size);

		if (count != 0)
			return count;
		response_drop_first(request);
	}
	return 0;
}

int lop_response_upgrade(struct lop_request *request)
{
	int result;

	if (request->carrier == NULL)
		return -EOPNOTSUPP;
	if (request->head.version < 101)
		return -EINVAL;
	result = request->carrier->upgradable(request->body_context);
	request->response.upgrade = result == 0;
	return result;
}

void lop_response_close(struct lop_request *request)
{
	request->response.close = true;
}
