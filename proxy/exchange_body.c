/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The body of an answer on its way to the client: at once when all of it came with the head, else
 * as a stream that is pulled as fast as the client takes it. However the upstream framed it, the
 * client gets a framing of its own, and a body that is not whole never looks as if it were.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "exchange.h"

/* Below this length copying through memory is cheaper than a pipe. */
#define SPLICE_MIN (INT64_C(128) * 1024)

static ssize_t broken(struct exchange *exchange, ssize_t error)
{
	exchange_fail(exchange, OUTCOME_FAILED);
	return error;
}

/* Nothing has come. */
static ssize_t await(struct exchange *exchange)
{
	if (exchange->upstream->timed_out)
		return broken(exchange, -ETIMEDOUT);
	if (exchange->upstream->deadline == 0)
		exchange_deadline(exchange, exchange->proxy->settings.between_timeout);
	return -EAGAIN;
}

/* What a receive says, once it is not a count. */
static ssize_t no_bytes(struct exchange *exchange, ssize_t result)
{
	if (result == -EAGAIN)
		return await(exchange);
	if (result == 0 && exchange->framing == ANSWER_CLOSE) {
		exchange->ended = true;
		exchange->keep = false;
		exchange_finish(exchange);
		return 0;
	}
	return broken(exchange, result == 0 ? -ECONNRESET : result);
}

/* Takes note of bytes of a body that is not chunked. */
static ssize_t took(struct exchange *exchange, ssize_t count)
{
	upstream_deadline(exchange->upstream, 0);
	if (exchange->framing != ANSWER_LENGTH)
		return count;
	exchange->left -= count;
	if (exchange->left == 0) {
		exchange->ended = true;
		exchange_finish(exchange);
	}
	return count;
}

static ssize_t pull_plain(struct exchange *exchange, char *buffer, size_t size)
{
	bool last = false;
	char extra;
	ssize_t count;

	if (exchange->framing == ANSWER_LENGTH && (int64_t)size >= exchange->left) {
		size = (size_t)exchange->left;
		last = true;
	}
	count = upstream_receive(exchange->upstream, buffer, size, last ? &extra : NULL);
	if (count <= 0)
		return no_bytes(exchange, count);
	/* More than it had announced: nobody knows what that belongs to. */
	if (count > (ssize_t)size) {
		exchange->keep = false;
		count = (ssize_t)size;
	}
	return took(exchange, count);
}

static void relay_trailers(struct exchange *exchange)
{
	struct lop_str name;
	struct lop_str value;
	size_t offset = 0;

	while (chunks_trailer(&exchange->chunks, &offset, &name, &value) == 1) {
		char text[256];

		if (!field_may_trail(name) || name.length >= sizeof text)
			continue;
		memcpy(text, name.data, name.length);
		text[name.length] = '\0';
		(void)lop_response_add_trailer(exchange->request, text, value);
	}
}

/* Decodes in place. The count of bytes of the body, or -EBADMSG; notes its end. */
static ssize_t decode(struct exchange *exchange, char *data, size_t length)
{
	size_t taken;
	ssize_t count = chunks_decode(&exchange->chunks, data, length, &taken);

	if (count < 0 || !chunks_ended(&exchange->chunks))
		return count;
	exchange->ended = true;
	if (taken < length)
		exchange->keep = false;
	relay_trailers(exchange);
	return count;
}

static ssize_t pull_chunked(struct exchange *exchange, char *buffer, size_t size)
{
	ssize_t count;

	do {
		count = upstream_receive(exchange->upstream, buffer, size, NULL);
		if (count <= 0)
			return no_bytes(exchange, count);
		upstream_deadline(exchange->upstream, 0);
		count = decode(exchange, buffer, (size_t)count);
		if (count < 0)
			return broken(exchange, count);
	} while (count == 0 && !exchange->ended);
	if (exchange->ended)
		exchange_finish(exchange);
	return count;
}

static ssize_t body_pull(void *context, char *buffer, size_t size)
{
	struct exchange *exchange = context;

	if (exchange->ended)
		return 0;
	if (exchange->state == EXCHANGE_OVER)
		return -ECONNRESET;
	if (exchange->framing == ANSWER_CHUNKED)
		return pull_chunked(exchange, buffer, size);
	return pull_plain(exchange, buffer, size);
}

static ssize_t body_splice(void *context, int pipe, size_t size)
{
	struct exchange *exchange = context;
	ssize_t count;

	if (exchange->ended)
		return 0;
	if (exchange->state == EXCHANGE_OVER)
		return -ECONNRESET;
	if (exchange->framing == ANSWER_LENGTH && (int64_t)size > exchange->left)
		size = (size_t)exchange->left;
	count = upstream_receive_splice(exchange->upstream, pipe, size);
	if (count == -EOPNOTSUPP)
		return count;
	return count > 0 ? took(exchange, count) : no_bytes(exchange, count);
}

static void body_end(void *context)
{
	struct exchange *exchange = context;

	if (exchange->state != EXCHANGE_STREAM)
		return;
	lop_request_body_watch(exchange->request, NULL, NULL);
	if (exchange->ended)
		exchange_finish(exchange);
	else
		exchange_fail(exchange, OUTCOME_ABANDONED);
}

/* The stream of what is still to come: length bytes, -1 unknown. */
static int stream(struct exchange *exchange, int64_t length)
{
	const bool whole = exchange->framing == ANSWER_CLOSE || length >= SPLICE_MIN;

	exchange->state = EXCHANGE_STREAM;
	upstream_deadline(exchange->upstream, 0);
	if (!exchange->upload.done && !exchange->upload.stopped)
		lop_request_body_watch(exchange->request, exchange_go_on, exchange);
	if (whole && exchange->framing != ANSWER_CHUNKED && exchange->upstream->stream == NULL)
		return lop_response_body_splice(exchange->request, length, body_pull, body_splice,
		                                body_end, exchange);
	return lop_response_body_stream(exchange->request, length, body_pull, body_end, exchange);
}

static ssize_t nothing_pull(void *context, char *buffer, size_t size)
{
	(void)context;
	(void)buffer;
	(void)size;
	return 0;
}

/* No body is sent, but its length is told as it would be for GET. */
static int set_none(struct exchange *exchange, const struct answer *answer, size_t length)
{
	int result = 0;

	if (length > 0)
		exchange->keep = false;
	if (exchange->method == LOP_METHOD_HEAD)
		result = lop_response_body_stream(exchange->request, answer->length, nothing_pull,
		                                  NULL, NULL);
	if (result == 0)
		exchange_finish(exchange);
	return result;
}

/* What came with the head, length bytes of the input, as the body's first part. */
static int set_first(struct exchange *exchange, const char *data, size_t length)
{
	struct lop_memory *input = exchange->proxy->input;

	if (length == 0)
		return 0;
	return lop_response_body_memory(exchange->request, input,
	                                (size_t)(data - lop_memory_data(input)), length);
}

/* Whether the upstream has closed, and everything that it sent is here. */
static bool is_over(const struct exchange *exchange)
{
	return exchange->upstream->hangup && !exchange->upstream->readable;
}

/* Behind a hang-up the rest is at hand: receives it too, as far as there is room. An error ends it:
 * whoever needs more than there is finds it over. */
static int receive_rest(struct exchange *exchange, const char *data, size_t *length)
{
	const char *end = lop_memory_data(exchange->proxy->input) + INPUT_SIZE;

	while (exchange->upstream->hangup && exchange->upstream->readable &&
	       data + *length < end) {
		char *next = (char *)(uintptr_t)data + *length;
		ssize_t count = upstream_receive(exchange->upstream, next, (size_t)(end - next),
		                                 NULL);

		if (count > 0)
			*length += (size_t)count;
		else
			exchange->upstream->readable = false;
		if (count < 0 && count != -EAGAIN) {
			exchange->keep = false;
			return (int)count;
		}
	}
	return 0;
}

static int set_length(struct exchange *exchange, char *data, size_t length)
{
	int result;

	if ((int64_t)length > exchange->left) {
		exchange->keep = false;
		length = (size_t)exchange->left;
	}
	exchange->left -= (int64_t)length;
	/* Nothing was passed on yet: the client can be told. */
	if (exchange->left > 0 && is_over(exchange))
		return -ECONNRESET;
	result = set_first(exchange, data, length);
	if (result < 0)
		return result;
	if (exchange->left > 0)
		return stream(exchange, exchange->left);
	exchange->ended = true;
	exchange_finish(exchange);
	return 0;
}

static int set_chunked(struct exchange *exchange, char *data, size_t length)
{
	ssize_t count = decode(exchange, data, length);
	int result;

	if (count < 0)
		return (int)count;
	if (!exchange->ended && is_over(exchange))
		return -ECONNRESET;
	result = set_first(exchange, data, (size_t)count);
	if (result < 0)
		return result;
	/* Trailers need chunks to stand behind. */
	if (exchange->ended && exchange->chunks.trailer_length == 0) {
		exchange_finish(exchange);
		return 0;
	}
	return stream(exchange, -1);
}

static int set_until_close(struct exchange *exchange, const char *data, size_t length)
{
	int result = set_first(exchange, data, length);

	if (result < 0 || !is_over(exchange))
		return result < 0 ? result : stream(exchange, -1);
	exchange->ended = true;
	exchange->keep = false;
	exchange_finish(exchange);
	return 0;
}

int exchange_set_body(struct exchange *exchange, const struct answer *answer, char *data,
                      size_t length)
{
	int result;

	exchange->framing = (uint8_t)answer->framing;
	exchange->left = answer->length;
	if (answer->framing == ANSWER_NONE && exchange->upload.ended)
		return set_none(exchange, answer, length);
	/* The client is still sending: with a stream the answer does not wait for that. */
	if (!exchange->upload.ended) {
		result = upstream_unread(exchange->upstream, data, length);
		exchange->ended = answer->framing == ANSWER_NONE ||
		                  (answer->framing == ANSWER_LENGTH && answer->length == 0);
		if (exchange->ended && length > 0)
			exchange->keep = false;
		if (result < 0)
			return result;
		if (exchange->upload.stopped)
			lop_response_close(exchange->request);
		if (answer->framing == ANSWER_LENGTH)
			return stream(exchange, answer->length);
		return stream(exchange, answer->framing == ANSWER_NONE ? 0 : -1);
	}
	result = receive_rest(exchange, data, &length);
	if (answer->framing == ANSWER_LENGTH)
		return set_length(exchange, data, length);
	if (answer->framing == ANSWER_CHUNKED)
		return set_chunked(exchange, data, length);
	return result < 0 ? result : set_until_close(exchange, data, length);
}
