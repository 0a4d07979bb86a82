/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a gateway needs beyond a request that is read and a response that follows: both at once,
 * and to know when nobody waits for the response any more.
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

static int interim(void *context, int status, unsigned first)
{
	struct http1 *http1 = context;

	if (status == 100) {
		if (!http1->continue_expected)
			return 0;
		http1->continue_expected = false;
	}
	/* A step sends what it has queued when it can go no further. */
	if (!http1->stepping)
		conn_wake(http1->conn);
	return http1_queue_interim(http1, status, first);
}

const struct request_carrier http1_carrier = {
	.abandoned = abandoned,
	.interim = interim,
};

void http1_body_ready(struct http1 *http1)
{
	const struct lop_connection *conn = http1->conn;
	struct lop_request *request = http1->request;

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
