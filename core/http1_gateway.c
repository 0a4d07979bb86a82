/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a gateway needs beyond a request that is read and a response that follows: both at once,
 * interim responses, connections that are handed over, and to know when nobody waits for the
 * response any more.
 */
#include "config.h"

#include <errno.h>

#include "http1_private.h"

static int abandoned(void *context)
{
	struct http1 *http1 = context;
	struct lop_connection *conn = http1->conn;
	char ahead[512];
	ssize_t count;

	if (conn->broken || http1->abandoned)
		return 1;
	/* The client has sent more before it closed: it waits for that to be answered. */
	if (!conn->hup || http1->in_length > 0 || conn->pending_length > 0)
		return 0;
	count = conn_read(conn, ahead, sizeof ahead);
	if (count > 0 && conn_unread(conn, ahead, (size_t)count) == 0)
		return 0;
	http1->abandoned = count != -EAGAIN;
	return http1->abandoned;
}

static int awaits_continue(void *context)
{
	struct http1 *http1 = context;
	struct lop_connection *conn = http1->conn;
	char ahead[512];
	ssize_t count;

	if (!http1->continue_expected || http1->in_length > 0 || conn->pending_length > 0)
		return 0;
	count = conn_read(conn, ahead, sizeof ahead);
	if (count > 0)
		return conn_unread(conn, ahead, (size_t)count) < 0;
	/* An end or an error is what reading the body tells. */
	return count == -EAGAIN;
}

static int interim(void *context, int status, unsigned first)
{
	struct http1 *http1 = context;

	if (status == 100) {
		if (!http1->continue_expected)
			return 0;
		http1->continue_expected = false;
	}
	/* A step sends what it has queued when it can go no further. */
	if (!http1_stepping(http1))
		conn_wake(http1->conn);
	return http1_queue_interim(http1, status, first);
}

static int upgradable(void *context)
{
	const struct http1 *http1 = context;

	return http1->body_done ? 0 : -EBUSY;
}

const struct request_carrier http1_carrier = {
	.body_splice = http1_body_splice,
	.abandoned = abandoned,
	.awaits_continue = awaits_continue,
	.interim = interim,
	.upgradable = upgradable,
};

void http1_body_ready(struct http1 *http1)
{
	const struct lop_connection *conn = http1->conn;
	struct lop_request *request = http1->request;

	if (http1->state != HTTP1_SEND && http1->state != HTTP1_HALF)
		return;
	if (request->body_ready != NULL &&
	    (conn->readable || conn->pending_length > 0 || conn->timed_out))
		request->body_ready(request->body_ready_context);
}

bool http1_is_duplex(const struct http1 *http1)
{
	const struct response *response = &http1->request->response;

	for (unsigned i = 0; http1->body_wanted && i < response->segment_count; i++) {
		if (response->segments[i].kind == BODY_STREAM)
			return true;
	}
	return false;
}

void http1_try_upgrade(struct http1 *http1)
{
	struct lop_request *request = http1->request;
	const int status = request->response.status;

	if (!request->response.upgrade || !http1->body_done)
		return;
	if (status != 101 &&
	    (request->head.method != LOP_METHOD_CONNECT || status < 200 || status > 299))
		return;
	http1->tunnel = true;
	http1->duplex = true;
	http1->close = true;
	http1->body_done = false;
	http1->body_chunked = false;
	http1->body_left = INT64_MAX;
	request->body_length = -1;
	request->body_limit = -1;
	http1->conn->deadline = 0;
}

/* Everything that was to be sent is on its way; whoever watches the other direction goes on. */
enum http1_next http1_step_half(struct http1 *http1)
{
	struct lop_connection *conn = http1->conn;
	struct lop_request *request = http1->request;
	int result;

	if (conn->broken)
		return HTTP1_CLOSE;
	if (conn->output != NULL)
		return HTTP1_WAIT;
	if (!http1->half_closed) {
		result = conn->acceptor->transport->shutdown(conn->transport_state);
		if (result == LOP_WANT_READ || result == LOP_WANT_WRITE) {
			conn->crossed = true;
			return HTTP1_WAIT;
		}
		if (result < 0)
			return HTTP1_CLOSE;
		http1->half_closed = true;
	}
	request->waiting = !http1->body_done && request->body_ready != NULL;
	if (request->waiting)
		return HTTP1_WAIT;
	http1->linger = !http1->body_done;
	http1_end_exchange(http1);
	return HTTP1_GO;
}
