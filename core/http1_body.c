/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The body of a request: Content-Length or chunked, read when a hook asks for it or when it has
 * to be thrown away.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "http1_private.h"
#include "transport_plain.h"

/* Framing beyond this and eight times the data is no body but a burden. */
#define FRAMES_MAX (64 * 1024)

void http1_body_start(struct http1 *http1)
{
	struct lop_request *request = http1->request;
	const struct http1_head *head = &request->head;

	http1->body_chunked = head->chunked;
	http1->body_frames = 0;
	http1->body_window = false;
	http1->body_wanted = false;
	http1->body_starved = false;
	http1->duplex = false;
	http1->tunnel = false;
	http1->half_closed = false;
	http1->body_left = head->content_length > 0 ? head->content_length : 0;
	http1->body_done = !head->chunked && http1->body_left == 0;
	http1->continue_expected = head->expect_continue && !http1->body_done;
	if (head->chunked)
		memset(&http1->chunked, 0, sizeof http1->chunked);
	request->body_length = head->chunked ? -1 : http1->body_left;
	request->body_read = http1_body_read;
	request->body_context = http1;
	request->carrier = &http1_carrier;
}

bool http1_body_drainable(const struct http1 *http1)
{
	if (http1->body_done)
		return true;
	/* Whoever waits for 100 may send the body or not: only closing is unambiguous. */
	if (http1->continue_expected && http1->in_length == 0)
		return false;
	return http1->body_chunked || http1->body_left <= HTTP1_DRAIN_MAX;
}

/* Keeps trailers for whoever asks; the line that ends them alone costs nothing. They are bounded by
 * the decoder. */
static int keep_trailers(struct http1 *http1, const char *lines, size_t length)
{
	struct lop_request *request = http1->request;
	struct lop_str *kept = &request->trailers;
	char *room = (char *)(uintptr_t)kept->data;

	if (room == NULL) {
		if (lines[0] == '\r' || lines[0] == '\n')
			return 0;
		room = lop_request_alloc(request, CHUNKED_MAX_TRAILER);
		if (room == NULL)
			return -ENOMEM;
		kept->data = room;
	}
	memcpy(room + kept->length, lines, length);
	kept->length += length;
	return 0;
}

static ssize_t read_chunked(struct http1 *http1, void *buffer, size_t size)
{
	for (;;) {
		const uint32_t trailer = http1->chunked.trailer;
		size_t taken;
		ssize_t count;

		if (http1->in_length == 0) {
			count = http1_fill(http1);
			if (count <= 0)
				return count == 0 ? -ECONNRESET : count;
		}
		count = chunked_decode(&http1->chunked, http1->in, http1->in_length, &taken, buffer,
		                       size);
		http1_consume(http1, taken);
		if (count < 0)
			return count;
		if (http1->chunked.trailer > trailer &&
		    keep_trailers(http1, http1->in - (http1->chunked.trailer - trailer),
		                  http1->chunked.trailer - trailer) < 0)
			return -ENOMEM;
		http1->body_frames += taken - (size_t)count;
		if (http1->body_frames > FRAMES_MAX + 8 * (uint64_t)http1->request->body_taken)
			return -EBADMSG;
		/* A chunk says how long it is: no need to wait for what will be too much. */
		if (http1->request->body_limit >= 0 &&
		    http1->chunked.left > (uint64_t)http1->request->body_limit)
			return -EMSGSIZE;
		if (chunked_done(&http1->chunked))
			http1->body_done = true;
		if (count > 0 || http1->body_done)
			return count;
	}
}

/* Bytes that were taken, or what a read came to otherwise. */
static ssize_t count_plain(struct http1 *http1, ssize_t count)
{
	if (count == 0 && http1->tunnel) {
		http1->body_done = true;
		return 0;
	}
	if (count <= 0)
		return count == 0 ? -ECONNRESET : count;
	http1->body_left -= count;
	http1->body_done = http1->body_left == 0;
	return count;
}

static ssize_t read_plain(struct http1 *http1, void *buffer, size_t size)
{
	ssize_t count;

	if ((int64_t)size > http1->body_left)
		size = (size_t)http1->body_left;
	if (http1->in_length > 0) {
		count = (ssize_t)(http1->in_length < size ? http1->in_length : size);
		memcpy(buffer, http1->in, (size_t)count);
		http1_consume(http1, (size_t)count);
	} else {
		count = conn_read(http1->conn, buffer, size);
	}
	return count_plain(http1, count);
}

static ssize_t splice_plain(struct http1 *http1, int pipe, size_t size)
{
	ssize_t count;

	if ((int64_t)size > http1->body_left)
		size = (size_t)http1->body_left;
	if (http1->in_length == 0 && http1->conn->pending_length > 0) {
		count = http1_fill(http1);
		if (count <= 0)
			return count_plain(http1, count);
	}
	if (http1->in_length == 0)
		return count_plain(http1, conn_splice(http1->conn, pipe, size));
	count = write(pipe, http1->in, http1->in_length < size ? http1->in_length : size);
	if (count < 0)
		return errno == EAGAIN ? -ENOBUFS : -errno;
	http1_consume(http1, (size_t)count);
	return count_plain(http1, count);
}

static int send_continue(struct http1 *http1)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	int result;

	http1->continue_expected = false;
	/* It has begun to send without waiting: RFC 9110 10.1.1 lets 100 be left out. */
	if (http1->in_length > 0 || http1->conn->pending_length > 0)
		return 0;
	result = http1_queue_text(http1, go_on, sizeof go_on - 1);
	if (result == 0)
		result = conn_flush(http1->conn, sizeof go_on);
	return result < 0 && result != -EAGAIN ? result : 0;
}

/* The time in which more of the body has to come. It starts anew only when the least rate's bytes
 * have come: else a byte now and then would hold a connection, and what a hook keeps for it, for ever. */
static void await_body(struct http1 *http1)
{
	const struct settings *settings = http1->worker->settings;
	const double seconds = (double)settings->body_timeout / (double)NS_PER_S;
	const int64_t taken = http1->request->body_taken;
	int64_t least = (int64_t)((double)settings->min_body_rate * seconds);

	if (least == 0)
		least = 1;
	if (http1->body_window && http1->conn->deadline != 0 &&
	    taken - http1->body_before < least)
		return;
	http1->body_window = true;
	http1->body_before = taken;
	lop_connection_deadline(http1->conn, settings->body_timeout);
}

/* After a read, which a hook may do whenever the loop calls it, also between two steps. */
static ssize_t after_read(struct http1 *http1, ssize_t result)
{
	http1->body_starved = result == -EAGAIN;
	/* Who waits for the body is bound by the client's time, others by their own. */
	if (http1->body_starved && !http1->tunnel &&
	    (http1->state == HTTP1_RUN || http1->state == HTTP1_SEND))
		await_body(http1);
	if (http1_stepping(http1))
		return result;
	if (http1->body_done)
		conn_wake(http1->conn);
	return http1_leave_input(http1) < 0 ? -ENOMEM : result;
}

/* Before a read: 0, or why there is none. */
static int before_read(struct http1 *http1)
{
	http1->body_wanted = true;
	http1->started_with = 0; /* is consumed, at least in part */
	if (http1->conn->timed_out)
		return -ETIMEDOUT;
	return http1->continue_expected ? send_continue(http1) : 0;
}

ssize_t http1_body_read(void *context, void *buffer, size_t size)
{
	struct http1 *http1 = context;
	int result;

	if (http1->body_done || size == 0)
		return 0;
	result = before_read(http1);
	if (result < 0)
		return result;
	return after_read(http1, http1->body_chunked ? read_chunked(http1, buffer, size)
	                                             : read_plain(http1, buffer, size));
}

ssize_t http1_body_splice(void *context, int pipe, size_t size)
{
	struct http1 *http1 = context;
	int result;

	if (http1->body_done || size == 0)
		return 0;
	if (http1->body_chunked || http1->conn->acceptor->transport != &transport_plain)
		return -EOPNOTSUPP;
	result = before_read(http1);
	return result < 0 ? result : after_read(http1, splice_plain(http1, pipe, size));
}
