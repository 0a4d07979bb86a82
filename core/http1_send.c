/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Responses as HTTP/1 bytes: RFC 9112 sections 4, 6 and 7.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "error_page.h"
#include "http1_private.h"
#include "memory.h"

#define SERVER "lophttpd"
/* Status line, Date, Server, Content-Length, Connection and the empty line. */
#define HEAD_FIXED 256
#define CHUNK_MAX ((size_t)64 * 1024)
/* Up to this size a body in memory is copied behind its head: cheaper than a second segment. */
#define GATHER_MAX 4096
#define CHUNK_FRAME 10 /* up to 8 hex digits and CRLF before the data */

/* How the body's end is found by the client. */
struct framing {
	int64_t length; /* Content-Length, -1 none */
	bool chunked;
	bool close;      /* say that the connection ends */
	bool keep_alive; /* say that it stays: HTTP/1.0 */
	bool upgrade;    /* say that it speaks something else from now on */
};

static char *put(char *out, const char *text, size_t length)
{
	memcpy(out, text, length);
	return out + length;
}

#define PUT(out, literal) put((out), (literal), sizeof(literal) - 1)

static char *put_number(char *out, uint64_t number)
{
	char digits[20];
	size_t count = 0;

	do {
		digits[sizeof digits - ++count] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return put(out, digits + sizeof digits - count, count);
}

static size_t head_size(const struct lop_request *request)
{
	const struct response *response = &request->response;
	size_t size = HEAD_FIXED;

	for (unsigned i = 0; i < response->field_count; i++)
		size += response->fields[i].name.length + response->fields[i].value.length + 4;
	return size;
}

/* "HTTP/1.1 200 OK" and the end of the line. */
static char *put_status(char *out, int status)
{
	const char *reason = status_reason(status);

	out = PUT(out, "HTTP/1.1 ");
	out = put_number(out, (uint64_t)status);
	*out++ = ' ';
	out = put(out, reason, strlen(reason));
	return PUT(out, "\r\n");
}

static char *put_field(char *out, const struct response_field *field)
{
	out = put(out, field->name.data, field->name.length);
	out = PUT(out, ": ");
	out = put(out, field->value.data, field->value.length);
	return PUT(out, "\r\n");
}

static bool has_field(const struct response *response, const char *name, size_t length)
{
	for (unsigned i = 0; i < response->field_count; i++) {
		if (response->fields[i].name.length == length &&
		    strncasecmp(response->fields[i].name.data, name, length) == 0)
			return true;
	}
	return false;
}

/* Renders the head into out, which holds head_size() bytes; *date is where the date stands. */
static size_t render_head(const struct lop_request *request, const struct framing *framing,
                          char *out, size_t *date)
{
	const struct response *response = &request->response;
	char *p = put_status(out, response->status);

	*date = 0;
	if (!has_field(response, "server", 6))
		p = PUT(p, "Server: " SERVER "\r\n");
	if (!has_field(response, "date", 4)) {
		p = PUT(p, "Date: ");
		*date = (size_t)(p - out);
		p = put(p, worker_date(request->worker), DATE_LENGTH);
		p = PUT(p, "\r\n");
	}
	for (unsigned i = 0; i < response->field_count; i++)
		p = put_field(p, &response->fields[i]);
	if (framing->length >= 0) {
		p = PUT(p, "Content-Length: ");
		p = put_number(p, (uint64_t)framing->length);
		p = PUT(p, "\r\n");
	}
	if (framing->chunked)
		p = PUT(p, "Transfer-Encoding: chunked\r\n");
	if (framing->close)
		p = PUT(p, "Connection: close\r\n");
	else if (framing->keep_alive)
		p = PUT(p, "Connection: keep-alive\r\n");
	else if (framing->upgrade)
		p = PUT(p, "Connection: Upgrade\r\n");
	p = PUT(p, "\r\n");
	return (size_t)(p - out);
}

static void count_queued(struct http1 *http1, uint64_t length)
{
	http1->bytes_queued += length;
}

int http1_queue_text(struct http1 *http1, const char *text, size_t length)
{
	struct output *output = conn_output(http1->conn);
	size_t offset;
	struct lop_memory *memory = worker_scratch(http1->worker, length, &offset);

	if (output == NULL || memory == NULL)
		return -ENOMEM;
	if (output_room(output) == 0)
		return -ENOBUFS;
	memcpy(memory->data + offset, text, length);
	worker_scratch_commit(http1->worker, length);
	output_memory(output, memory, offset, length);
	count_queued(http1, length);
	return 0;
}

int http1_queue_interim(struct http1 *http1, int status, unsigned first)
{
	const struct response *response = &http1->request->response;
	struct output *output = conn_output(http1->conn);
	size_t offset;
	struct lop_memory *memory =
		worker_scratch(http1->worker, head_size(http1->request), &offset);
	char *head;
	char *p;

	if (output == NULL || memory == NULL)
		return -ENOMEM;
	if (output_room(output) < 2) /* one is for the response */
		return -ENOBUFS;
	head = memory->data + offset;
	p = put_status(head, status);
	for (unsigned i = first; i < response->field_count; i++)
		p = put_field(p, &response->fields[i]);
	p = PUT(p, "\r\n");
	worker_scratch_commit(http1->worker, (size_t)(p - head));
	output_memory(output, memory, offset, (size_t)(p - head));
	count_queued(http1, (uint64_t)(p - head));
	return 0;
}

static bool has_body(int status)
{
	return status >= 200 && status != 204 && status != 304;
}

/* Decides how the response is framed, and whether the connection stays. */
static struct framing choose_framing(struct http1 *http1)
{
	struct lop_request *request = http1->request;
	const struct http1_head *head = &request->head;
	const int status = request->response.status;
	struct framing framing = { .length = response_length(request) };

	http1->framed = false;
	if (http1->tunnel)
		return (struct framing){ .length = -1, .upgrade = status == 101 };
	if (request->response.close || http1->worker->draining)
		http1->close = true;
	/* A body that was not read to its end here never is: it must not be taken for a request. */
	if (!http1->body_done && !http1->duplex) {
		http1->close = true;
		http1->linger = true;
	}
	if (!has_body(status)) {
		framing.length = -1;
	} else if (framing.length < 0) {
		if (head->version >= 101)
			framing.chunked = true;
		else
			http1->close = true;
	}
	framing.close = http1->close;
	framing.keep_alive = !http1->close && head->version < 101;
	http1->framed = framing.chunked && head->method != LOP_METHOD_HEAD;
	return framing;
}

/* Makes the head of a response that comes again and again, once; later only its date changes.
 * Returns false when it cannot be used this time. */
static bool rendered_ready(struct http1 *http1, struct rendered *rendered)
{
	struct lop_request *request = http1->request;
	struct lop_worker *worker = http1->worker;
	const uint32_t own = 1 + (rendered->body_length > 0 && request->response.segment_count > 0);
	char *body = rendered->memory->data + rendered->body_offset;

	if (rendered->date_second == worker->date_second && rendered->head_length > 0)
		return true;
	/* Somebody is still sending this head: it must not change under them. */
	if (rendered->memory->references > own)
		return false;
	if (rendered->head_length == 0) {
		const struct framing framing = { .length = response_length(request) };
		char head[1024];
		size_t date;
		size_t length;

		if (head_size(request) > sizeof head)
			return false;
		length = render_head(request, &framing, head, &date);
		if (length > rendered->body_offset)
			return false;
		memcpy(body - length, head, length);
		rendered->head_length = (uint32_t)length;
		rendered->date_offset = (uint32_t)(rendered->body_offset - length + date);
	} else {
		memcpy(rendered->memory->data + rendered->date_offset, worker_date(worker),
		       DATE_LENGTH);
	}
	rendered->date_second = worker->date_second;
	return true;
}

/* The whole answer as one piece of memory (and a file behind it), rendered before. Returns 1 when
 * that was possible. */
static int respond_rendered(struct http1 *http1, struct output *output)
{
	struct lop_request *request = http1->request;
	struct rendered *rendered = request->response.rendered;
	size_t length;

	if (rendered == NULL || rendered->memory == NULL || request->head.version < 101 ||
	    http1->close || request->response.close || http1->worker->draining ||
	    !http1->body_done)
		return 0;
	(void)worker_date(http1->worker);
	if (!rendered_ready(http1, rendered))
		return 0;
	length = rendered->head_length;
	request->head_sent = length;
	if (request->head.method == LOP_METHOD_HEAD) {
		response_clear_body(request);
	} else if (rendered->body_length > 0) {
		length += rendered->body_length;
		response_clear_body(request);
	}
	output_memory(output, rendered->memory, rendered->body_offset - rendered->head_length,
	              length);
	count_queued(http1, length);
	http1->framed = false;
	return 1;
}

/* Copies the segments that are short and in memory to out, at most GATHER_MAX bytes. */
static size_t gather_body(struct lop_request *request, char *out)
{
	const struct response *response = &request->response;
	size_t length = 0;

	while (response->segment_count > 0) {
		const struct body_segment *segment = &response->segments[0];

		if (segment->kind != BODY_MEMORY ||
		    segment->length > (int64_t)(GATHER_MAX - length))
			break;
		memcpy(out + length, segment->source.memory->data + segment->offset,
		       (size_t)segment->length);
		length += (size_t)segment->length;
		response_drop_first(request);
	}
	return length;
}

int http1_respond(struct http1 *http1)
{
	struct lop_request *request = http1->request;
	struct output *output = conn_output(http1->conn);
	struct framing framing;
	struct lop_memory *memory;
	size_t offset;
	size_t length;
	size_t date;

	if (output == NULL)
		return -ENOMEM;
	if (output_room(output) == 0)
		return -ENOBUFS;
	request->start_mark = http1->bytes_queued;
	if (respond_rendered(http1, output))
		return 0;
	framing = choose_framing(http1);
	if (!http1->tunnel &&
	    (request->head.method == LOP_METHOD_HEAD || !has_body(request->response.status)))
		response_clear_body(request);
	memory = worker_scratch(http1->worker, head_size(request) + GATHER_MAX, &offset);
	if (memory == NULL)
		return -ENOMEM;
	length = render_head(request, &framing, memory->data + offset, &date);
	request->head_sent = length;
	if (!http1->framed)
		length += gather_body(request, memory->data + offset + length);
	worker_scratch_commit(http1->worker, length);
	output_memory(output, memory, offset, length);
	count_queued(http1, length);
	return 0;
}

/* Writes size as hexadecimal digits and CRLF so that they end at `end`; returns where they begin. */
static char *chunk_frame(char *end, size_t size)
{
	static const char digits[] = "0123456789abcdef";

	*--end = '\n';
	*--end = '\r';
	do {
		*--end = digits[size & 15];
		size >>= 4;
	} while (size > 0);
	return end;
}

/* Pulls the next bytes of the body into memory, with their chunk's frame around them. */
static int queue_pulled(struct http1 *http1, struct output *output)
{
	struct lop_memory *memory = lop_memory_new(CHUNK_FRAME + CHUNK_MAX + 2);
	char *data;
	char *begin;
	ssize_t count;

	if (memory == NULL)
		return -ENOMEM;
	data = memory->data + CHUNK_FRAME;
	begin = data;
	count = lop_response_body_read(http1->request, data, CHUNK_MAX);
	if (count > 0) {
		size_t length = (size_t)count;

		if (http1->framed) {
			memcpy(data + count, "\r\n", 2);
			begin = chunk_frame(data, (size_t)count);
			length = (size_t)(data - begin) + (size_t)count + 2;
		}
		output_memory(output, memory, (size_t)(begin - memory->data), length);
		count_queued(http1, length);
	}
	memory_release(&memory);
	return count < 0 ? (int)count : 0;
}

/* Has the stream fill a pipe, and puts its chunk's frame around that. -EOPNOTSUPP: pull then. */
static int queue_spliced(struct http1 *http1, struct output *output, struct body_segment *segment)
{
	struct body_stream *stream = segment->source.stream;
	struct pipe *pipe;
	char frame[CHUNK_FRAME];
	size_t size = PIPE_SIZE;
	ssize_t count = 0;

	if (segment->length >= 0 && segment->length < (int64_t)size)
		size = (size_t)segment->length;
	if (size > 0) {
		pipe = pipe_get(&http1->worker->pipes);
		if (pipe == NULL)
			return -EOPNOTSUPP;
		count = stream->splice(stream->context, pipe->write, size);
		if (count <= 0)
			pipe_put(&pipe, count == 0 || count == -EAGAIN || count == -EOPNOTSUPP);
	}
	if (count == -EOPNOTSUPP)
		stream->splice = NULL;
	if (count < 0)
		return (int)count;
	if (count == 0) {
		if (segment->length > 0)
			return -ENODATA;
		response_drop_first(http1->request);
		return 0;
	}
	if (segment->length > 0)
		segment->length -= count;
	if (http1->framed) {
		char *begin = chunk_frame(frame + sizeof frame, (size_t)count);

		if (http1_queue_text(http1, begin, (size_t)(frame + sizeof frame - begin)) < 0) {
			pipe_put(&pipe, false);
			return -ENOMEM;
		}
	}
	output_pipe(output, pipe, (size_t)count);
	count_queued(http1, (uint64_t)count);
	return http1->framed ? http1_queue_text(http1, "\r\n", 2) : 0;
}

/* Moves the next bytes of a stream, or of a body that is sent in chunks, to the output. */
static int queue_stream(struct http1 *http1, struct output *output, struct body_segment *segment)
{
	int result = -EOPNOTSUPP;

	if (segment->kind == BODY_STREAM && segment->source.stream->splice != NULL &&
	    http1->conn->acceptor->transport->splice != NULL)
		result = queue_spliced(http1, output, segment);
	return result == -EOPNOTSUPP ? queue_pulled(http1, output) : result;
}

/* The chunk of size 0, and trailers. */
static int queue_last_chunk(struct http1 *http1, struct output *output)
{
	const struct response *response = &http1->request->response;
	size_t size = 5;
	size_t offset;
	struct lop_memory *memory;
	char *p;

	for (unsigned i = 0; i < response->trailer_count; i++)
		size += response->trailers[i].name.length + response->trailers[i].value.length + 4;
	memory = worker_scratch(http1->worker, size, &offset);
	if (memory == NULL)
		return -ENOMEM;
	p = PUT(memory->data + offset, "0\r\n");
	for (unsigned i = 0; i < response->trailer_count; i++)
		p = put_field(p, &response->trailers[i]);
	PUT(p, "\r\n");
	worker_scratch_commit(http1->worker, size);
	output_memory(output, memory, offset, size);
	count_queued(http1, size);
	return 1;
}

int http1_queue_body(struct http1 *http1)
{
	struct lop_request *request = http1->request;
	struct response *response = &request->response;
	struct output *output = conn_output(http1->conn);

	if (output == NULL)
		return -ENOMEM;
	while (response->segment_count > 0) {
		struct body_segment *segment = &response->segments[0];
		int result = 0;

		/* A stream fills no more than what the transport takes. */
		if (output_room(output) < 4 || (segment->kind == BODY_STREAM && output->count > 1))
			return 0;
		if (http1->framed || segment->kind == BODY_STREAM) {
			result = queue_stream(http1, output, segment);
			if (result < 0)
				return result;
			continue;
		}
		if (segment->kind == BODY_MEMORY)
			output_memory(output, segment->source.memory, (size_t)segment->offset,
			              (size_t)segment->length);
		else
			output_file(output, segment->source.file, segment->offset, segment->length);
		count_queued(http1, (uint64_t)segment->length);
		response_drop_first(request);
	}
	if (http1->framed) {
		if (output_room(output) == 0)
			return 0;
		http1->framed = false;
		return queue_last_chunk(http1, output);
	}
	return 1;
}
