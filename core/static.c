/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a path becomes: a file, a part of it, "not modified", a redirect to a folder, or a status.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conditional.h"
#include "conn.h"
#include "fcache.h"
#include "memory.h"
#include "random.h"
#include "range.h"
#include "request.h"
#include "root.h"
#include "static.h"
#include "target.h"
#include "worker_private.h"

#define SHORT_PART (16 * 1024) /* bytes */
#define ALLOW "GET, HEAD, OPTIONS"

/* The response gets the first `count` of the entry's fields. */
static int share_fields(struct lop_request *request, struct fcache_entry *entry, unsigned count)
{
	return response_share(request, &entry->fields[entry->first_field], count);
}

/* A short part is read and goes out with what is around it: cheaper than a sendfile of its own.
 * Returns 1 when it was, 0 when the file gave less, or a negative errno. */
static int body_short_part(struct lop_request *request, struct fcache_entry *entry, int64_t first,
                           size_t length)
{
	struct lop_memory *memory = lop_memory_new(length);
	int result = 0;

	if (memory == NULL)
		return -ENOMEM;
	if (pread(entry->file->descriptor, memory->data, length, (off_t)first) == (ssize_t)length) {
		result = lop_response_body_memory(request, memory, 0, length);
		result = result < 0 ? result : 1;
	}
	memory_release(&memory);
	return result;
}

/* Appends a part of the entry's bytes to the body. */
static int body_part(struct lop_request *request, struct fcache_entry *entry, int64_t first,
                     int64_t length)
{
	if (length == 0)
		return 0;
	if (entry->file != NULL && length <= SHORT_PART) {
		int result = body_short_part(request, entry, first, (size_t)length);

		if (result != 0)
			return result < 0 ? result : 0;
	}
	if (entry->file != NULL)
		return lop_response_body_file(request, entry->file, first, length);
	return lop_response_body_memory(request, entry->rendered.memory,
	                                entry->rendered.body_offset + (size_t)first,
	                                (size_t)length);
}

/* The rest of a file without size, behind what was read at once. */
struct unsized {
	struct lop_file *file;
	off_t offset;
};

static ssize_t unsized_pull(void *context, char *buffer, size_t size)
{
	struct unsized *unsized = context;
	ssize_t count = pread(lop_file_descriptor(unsized->file), buffer, size, unsized->offset);

	if (count < 0)
		return errno == EAGAIN ? 0 : -errno;
	unsized->offset += count;
	return count;
}

static void unsized_end(void *context)
{
	struct unsized *unsized = context;

	lop_file_release(&unsized->file);
}

static int body_unsized(struct lop_request *request, struct fcache_entry *entry)
{
	struct unsized *unsized;
	int result = lop_response_body_memory(request, entry->rendered.memory,
	                                      entry->rendered.body_offset,
	                                      entry->rendered.body_length);

	if (result < 0 || entry->size >= 0)
		return result;
	unsized = lop_request_alloc(request, sizeof *unsized);
	if (unsized == NULL)
		return -ENOMEM;
	unsized->file = lop_file_retain(entry->file);
	unsized->offset = (off_t)entry->rendered.body_length;
	result = lop_response_body_stream(request, -1, unsized_pull, unsized_end, unsized);
	if (result < 0)
		unsized_end(unsized);
	return result;
}

static int send_whole(struct lop_request *request, struct fcache_entry *entry)
{
	const struct response *response = &request->response;
	const bool untouched = response->status == 200 && response->field_count == 0 &&
	                       response->segment_count == 0;

	if (share_fields(request, entry, entry->field_count) < 0)
		return 500;
	if (entry->stat.kind == LOP_FILE_UNSIZED)
		return body_unsized(request, entry) < 0 ? 500 : LOP_DONE;
	if (body_part(request, entry, 0, entry->size) < 0)
		return 500;
	request->response.rendered = untouched ? &entry->rendered : NULL;
	return LOP_DONE;
}

static int add_content_range(struct lop_request *request, const struct range *range, int64_t size)
{
	char text[80];
	int length = snprintf(text, sizeof text, "bytes %lld-%lld/%lld", (long long)range->first,
	                      (long long)(range->first + range->length - 1), (long long)size);

	return lop_response_add_field(request, "Content-Range",
	                              (struct lop_str){ text, (size_t)length });
}

static int send_range(struct lop_request *request, struct fcache_entry *entry,
                      const struct range *range)
{
	request->response.status = 206;
	if (share_fields(request, entry, entry->field_count) < 0 ||
	    add_content_range(request, range, entry->size) < 0 ||
	    body_part(request, entry, range->first, range->length) < 0)
		return 500;
	return LOP_DONE;
}

/* A line that does not stand in the content: 128 random bits. */
static void make_boundary(char out[33])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[16];

	random_bytes(bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[32] = '\0';
}

/* RFC 9110 14.6: multipart/byteranges. */
static int send_ranges(struct lop_request *request, struct fcache_entry *entry,
                       const struct range *ranges, int count)
{
	const struct lop_str type = entry->fields[FCACHE_FIELD_TYPE].value;
	char boundary[33];
	char text[512];
	int length;

	if (share_fields(request, entry, entry->field_count) < 0)
		return 500;
	make_boundary(boundary);
	for (int i = 0; i < count; i++) {
		const struct range *range = &ranges[i];

		length = snprintf(text, sizeof text,
		                  "%s--%s\r\nContent-Type: %.*s\r\n"
		                  "Content-Range: bytes %lld-%lld/%lld\r\n\r\n",
		                  i > 0 ? "\r\n" : "", boundary, (int)type.length, type.data,
		                  (long long)range->first,
		                  (long long)(range->first + range->length - 1),
		                  (long long)entry->size);
		if (length < 0 || (size_t)length >= sizeof text ||
		    lop_response_body_copy(request, text, (size_t)length) < 0 ||
		    body_part(request, entry, range->first, range->length) < 0)
			return 500;
	}
	length = snprintf(text, sizeof text, "\r\n--%s--\r\n", boundary);
	if (lop_response_body_copy(request, text, (size_t)length) < 0)
		return 500;
	length = snprintf(text, sizeof text, "multipart/byteranges; boundary=%s", boundary);
	if (lop_response_set_field(request, "Content-Type",
	                           (struct lop_str){ text, (size_t)length }) < 0)
		return 500;
	request->response.status = 206;
	return LOP_DONE;
}

static int refuse_range(struct lop_request *request, const struct fcache_entry *entry)
{
	char text[40];
	int length = snprintf(text, sizeof text, "bytes */%lld", (long long)entry->size);

	(void)lop_response_add_field(request, "Content-Range",
	                             (struct lop_str){ text, (size_t)length });
	(void)lop_response_add_field(request, "Accept-Ranges", STR("bytes"));
	return 416;
}

static bool has_conditions(const struct http1_head *head)
{
	return (head->known[HTTP1_IF_MATCH] | head->known[HTTP1_IF_NONE_MATCH] |
	        head->known[HTTP1_IF_MODIFIED_SINCE] | head->known[HTTP1_IF_UNMODIFIED_SINCE]) != 0;
}

static struct validators validators_of(const struct fcache_entry *entry, int64_t now)
{
	struct validators validators = { .modified = INT64_MIN, .exists = true };

	if (entry->validators) {
		validators.etag = entry->fields[FCACHE_FIELD_ETAG].value;
		validators.modified = entry->modified_second;
		validators.modified_strong = validators.modified < now - 1;
	}
	return validators;
}

static int send_file(struct lop_request *request, struct fcache_entry *entry)
{
	const struct http1_head *head = &request->head;
	const int64_t now = request->worker->wall / NS_PER_S;
	const bool ranges = head->known[HTTP1_RANGE] != 0 && head->method == LOP_METHOD_GET &&
	                    entry->ranges;
	struct conditions conditions;
	struct validators validators;
	struct range list[RANGE_MAX];
	int count;

	response_hold(request, entry, fcache_release);
	if (!ranges && !has_conditions(head))
		return send_whole(request, entry);

	conditions = (struct conditions){
		.if_match = request_list(request, HTTP1_IF_MATCH),
		.if_none_match = request_list(request, HTTP1_IF_NONE_MATCH),
		.if_modified_since = request_known(request, HTTP1_IF_MODIFIED_SINCE),
		.if_unmodified_since = request_known(request, HTTP1_IF_UNMODIFIED_SINCE),
		.if_range = request_known(request, HTTP1_IF_RANGE),
	};
	validators = validators_of(entry, now);
	switch (conditional_check(&conditions, &validators, true, now)) {
	case 304:
		request->response.status = 304;
		if (share_fields(request, entry, entry->validators ? FCACHE_FIELD_RANGES : 0) < 0)
			return 500;
		return LOP_DONE;
	case 412:
		return 412;
	default:
		break;
	}
	if (!ranges || !conditional_range(&conditions, &validators, now))
		return send_whole(request, entry);
	count = range_parse(request_known(request, HTTP1_RANGE), entry->size, list);
	if (count == -ERANGE)
		return refuse_range(request, entry);
	if (count <= 0)
		return send_whole(request, entry);
	return count == 1 ? send_range(request, entry, &list[0])
	                  : send_ranges(request, entry, list, count);
}

/* To the same name with a slash at its end, relative to itself: whatever the client or a proxy before
 * it calls this server, the answer leads nowhere else. */
static int redirect_to_folder(struct lop_request *request)
{
	const struct lop_str path = request->path;
	const char *name = path.data + path.length;
	char *location;
	size_t length;

	while (name[-1] != '/')
		name--;
	length = (size_t)(path.data + path.length - name);
	location = lop_request_alloc(request, 3 * length + 4 + request->query.length);
	if (location == NULL)
		return 500;
	length = target_encode(name, length, location);
	location[length++] = '/';
	if (request->query.data != NULL) {
		location[length++] = '?';
		memcpy(location + length, request->query.data, request->query.length);
		length += request->query.length;
	}
	if (lop_response_add_field(request, "Location", (struct lop_str){ location, length }) < 0)
		return 500;
	return 301;
}

static int answer_options(struct lop_request *request)
{
	request->response.status = 204;
	return lop_response_add_field(request, "Allow", STR(ALLOW)) < 0 ? 500 : LOP_DONE;
}

static int static_content(void *state, struct lop_request *request)
{
	struct fcache_entry *entry;
	int status;

	(void)state;
	switch (request->head.method) {
	case LOP_METHOD_GET:
	case LOP_METHOD_HEAD:
		break;
	case LOP_METHOD_OPTIONS:
		return answer_options(request);
	case LOP_METHOD_UNKNOWN:
		return 501;
	default:
		return lop_response_add_field(request, "Allow", STR(ALLOW)) < 0 ? 500 : 405;
	}
	entry = fcache_get(request->worker->cache, request->root, request->path);
	if (entry == NULL)
		return 503;
	if (entry->file != NULL && request->head.method == LOP_METHOD_GET &&
	    conn_copies(request->connection))
		entry = fcache_keep(request->worker->cache, request->root, entry);
	switch (entry->kind) {
	case FCACHE_FILE:
		return send_file(request, entry);
	case FCACHE_REDIRECT:
		status = redirect_to_folder(request);
		break;
	case FCACHE_FOLDER:
		request->fallback = 403;
		status = LOP_DECLINED;
		break;
	default:
		status = entry->status;
		break;
	}
	fcache_release(entry);
	return status;
}

const struct lop_hook static_hooks[] = {
	LOP_HOOK(LOP_PHASE_CONTENT, LOP_PRIORITY_STATIC, "static", static_content),
	LOP_HOOK_END,
};
