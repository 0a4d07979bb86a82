/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state in which a connection waits for a request: reading until a head is complete, or not.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "http1_private.h"

/* Responses are gathered up to here before they are sent together. */
#define GATHER_MAX (64 * 1024)
/* What a read has room for at least, once something must be kept before it. */
#define FILL_MIN ((size_t)4096)

ssize_t http1_fill(struct http1 *http1)
{
	struct lop_worker *worker = http1->worker;
	/* Behind a long pipeline reads would become ever smaller. */
	const size_t least = http1->keep > 0 ? FILL_MIN : 1;
	char *end;
	ssize_t count;

	/* A hook of another connection reads this one's body: that has its turn first. */
	if (worker->stepping != NULL && !http1_stepping(http1)) {
		conn_wake(http1->conn);
		return -EAGAIN;
	}
	if (http1->in_length == 0)
		http1->in = worker->input + http1->keep;
	end = http1->in + http1->in_length;
	if (end == worker->input + worker->input_size && http1->keep == 0) {
		memmove(worker->input, http1->in, http1->in_length);
		http1->in = worker->input;
		end = http1->in + http1->in_length;
	}
	if ((size_t)(worker->input + worker->input_size - end) < least) {
		/* Views hold on to what lies in front: the next step begins with an empty buffer. */
		if (http1->keep == 0)
			return -ENOBUFS;
		conn_wake(http1->conn);
		return -EAGAIN;
	}
	count = conn_read(http1->conn, end, (size_t)(worker->input + worker->input_size - end));
	if (count > 0)
		http1->in_length += (size_t)count;
	return count;
}

/* Answers with an error for which no hook is asked, and ends the connection. */
static enum http1_next refuse(struct http1 *http1, int status)
{
	struct lop_request *request = http1->request;

	http1->close = true;
	http1->linger = true;
	http1->body_done = true;
	request_fail(request, status);
	if (http1_respond(http1) < 0)
		return HTTP1_CLOSE;
	http1->state = HTTP1_SEND;
	return HTTP1_GO;
}

/* Looks for a complete head. Returns its length, 0 when there is none, or a negative status. */
static int parse_head(struct http1 *http1, size_t before)
{
	struct lop_request *request = http1->request;
	const struct http1_limits *limits = &http1->worker->limits;

	/* Without a new end of line nothing can have become complete: a client that trickles
	 * bytes does not have its head parsed for each of them. */
	assert(before <= http1->in_length);
	if (before > 0 && http1->in_length <= limits->target && http1->in_length < limits->head &&
	    memchr(http1->in + before, '\n', http1->in_length - before) == NULL)
		return 0;
	return http1_parse_head(&request->head, http1->in, http1->in_length, limits);
}

static enum http1_next head_complete(struct http1 *http1, int length)
{
	struct lop_request *request = http1->request;
	const struct http1_head *head = &request->head;

	request->base = http1->in;
	request->number = ++http1->conn->requests;
	http1_consume(http1, (size_t)length);
	http1->keep = (size_t)(http1->in - http1->worker->input);
	http1->started_with = 0; /* what was left over is consumed, at least in part */
	http1->conn->partial = 0;
	http1->conn->deadline = 0;
	http1->close = (head->version >= 101 ? head->close : !head->keep_alive || head->close) ||
	               http1->worker->settings->keepalive_timeout == 0;
	http1_body_start(http1);
	(void)request_prepare(request); /* what it refuses has its response */
	http1->state = HTTP1_RUN;
	return HTTP1_GO;
}

/* Nothing came, or not all of it: how long may the rest take? */
static enum http1_next head_wait(struct http1 *http1)
{
	struct lop_connection *conn = http1->conn;
	const struct settings *settings = http1->worker->settings;

	if (http1->in_length == 0) {
		if (http1->worker->draining && conn->requests > 0)
			return HTTP1_CLOSE;
		if (conn->requests > 0)
			lop_connection_deadline(conn, settings->keepalive_timeout);
	} else if (conn->partial == 0) {
		/* Counted from a head's first byte, not from the latest; the first head of a
		 * connection from when that was accepted. */
		if (conn->requests > 0)
			lop_connection_deadline(conn, settings->header_timeout);
		conn->partial = http1->worker->now;
	}
	return HTTP1_WAIT;
}

static enum http1_next refuse_head(struct http1 *http1, int status)
{
	struct lop_request *request = http1->request;

	request->base = http1->in_length > 0 ? http1->in : NULL;
	request->number = ++http1->conn->requests;
	http1->conn->partial = 0;
	if (request->head.version == 0)
		request->head.version = 101;
	request->head.known[HTTP1_USER_AGENT] = 0;
	request->head.known[HTTP1_REFERER] = 0;
	request->head.known[HTTP1_HOST] = 0;
	request->head.length = (uint32_t)(http1->in_length < http1->worker->limits.head
	                                          ? http1->in_length
	                                          : http1->worker->limits.head);
	request->head.field_count = 0;
	return refuse(http1, status);
}

/* Parses what is at hand, and reads until a head is complete. */
static enum http1_next read_head(struct http1 *http1)
{
	struct lop_connection *conn = http1->conn;
	size_t seen = conn->partial != 0 ? http1->started_with : 0;
	ssize_t count;

	for (;;) {
		int length = parse_head(http1, seen);

		if (length > 0)
			return head_complete(http1, length);
		if (length < 0)
			return refuse_head(http1, -length);
		seen = http1->in_length;
		count = conn->output == NULL ? http1_fill(http1) : -EAGAIN;
		if (count <= 0)
			break;
	}
	if (conn->timed_out)
		return refuse_head(http1, 408);
	request_discard(&http1->request);
	return count == -EAGAIN ? head_wait(http1) : HTTP1_CLOSE;
}

enum http1_next http1_step_head(struct http1 *http1)
{
	struct lop_connection *conn = http1->conn;
	ssize_t count;

	/* Answers are gathered as long as requests are at hand, but not without bound. */
	if (conn->output != NULL &&
	    (output_room(conn->output) < 4 || conn->output->bytes > GATHER_MAX ||
	     http1->in_length == 0))
		return HTTP1_WAIT;
	if (conn->output == NULL)
		http1->keep = 0;
	if (http1->in_length == 0 && !conn->surplus) {
		count = http1_fill(http1);
		if (count <= 0)
			return count == -EAGAIN && !conn->timed_out ? head_wait(http1)
			                                            : HTTP1_CLOSE;
	}
	http1->request = request_new(conn);
	if (http1->request == NULL)
		return HTTP1_CLOSE;
	memset(&http1->request->head, 0, offsetof(struct http1_head, fields));
	if (conn->partial != 0)
		request_began(http1->request, conn->partial);
	return conn->surplus ? refuse_head(http1, 503) : read_head(http1);
}
