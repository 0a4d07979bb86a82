/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "http1.h"
#include "http1_private.h"
#include "os.h"

#define LINGER_NS (2 * NS_PER_S)
/* Bytes that are thrown away in one step before others have their turn. */
#define LINGER_BYTES ((size_t)1024 * 1024)

/* Ends the requests that the transport has wholly taken, or all of them when the connection ends. */
static void end_sent(struct http1 *http1, bool all)
{
	const uint64_t sent = http1_bytes_sent(http1);

	while (!list_empty(&http1->queued)) {
		struct lop_request *request =
			CONTAINER(http1->queued.next, struct lop_request, node);
		uint64_t own;

		if (!all && request->end_mark > sent)
			break;
		own = sent > request->start_mark ? sent - request->start_mark : 0;
		if (own > request->end_mark - request->start_mark)
			own = request->end_mark - request->start_mark;
		if (request->head_sent > own)
			request->head_sent = own;
		request->body_sent = own - request->head_sent;
		request_end(&request);
	}
}

static void queue_request(struct http1 *http1)
{
	struct lop_request *request = http1->request;

	request->end_mark = http1->bytes_queued;
	/* What the client sends from now on belongs to the next. */
	request->body_read = NULL;
	request->body_ready = NULL;
	request->carrier = NULL;
	list_append(&http1->queued, &request->node);
	http1->request = NULL;
}

/* Whether a request whose framing is intact, but which ends in this page, ends the connection. What a
 * hook has made for an error, also somebody else's, does not. */
static bool closes_after(const struct http1 *http1, const struct response *response)
{
	const int status = response->status;

	if (http1->worker->settings->keep_on_error || !response->page)
		return false;
	return status == 400 || status == 408 || status == 413 || status >= 500;
}

/* The response stands: sends it. */
static enum http1_next answer(struct http1 *http1)
{
	if (closes_after(http1, &http1->request->response))
		http1->close = true;
	http1_try_upgrade(http1);
	if (http1_respond(http1) < 0)
		return HTTP1_CLOSE;
	http1->state = HTTP1_SEND;
	/* What came with the request may be the first of what is watched. */
	if (http1->duplex && http1->request->body_ready != NULL)
		conn_wake(http1->conn);
	return HTTP1_GO;
}

/* Answers with an error of the body instead of what the hooks made, and ends the connection. A
 * request that was wrong in itself stays that: no smaller body would help. */
static enum http1_next answer_instead(struct http1 *http1, int status)
{
	if (http1->request->response.status == 400)
		status = 400;
	http1->close = true;
	http1->linger = true;
	http1->body_done = true;
	http1->request->response.field_count = 0;
	request_fail(http1->request, status);
	return answer(http1);
}

static enum http1_next step_run(struct http1 *http1)
{
	struct lop_request *request = http1->request;
	struct lop_connection *conn = http1->conn;

	if (conn->broken)
		return HTTP1_CLOSE;
	if (conn->output != NULL && output_room(conn->output) == 0)
		return HTTP1_WAIT;
	if (request_run(request) == LOP_AGAIN) {
		if (http1->body_done)
			conn->deadline = 0;
		return HTTP1_WAIT;
	}
	if (http1->body_done)
		return answer(http1);
	if (request->body_limit >= 0 && request->body_length > request->body_limit)
		return answer_instead(http1, 413);
	http1->duplex = http1_is_duplex(http1);
	if (http1->duplex || !http1_body_drainable(http1))
		return answer(http1);
	http1->body_before = request->body_taken;
	http1->state = HTTP1_DRAIN;
	return HTTP1_GO;
}

/* Reads what is left of the body and throws it away. HTTP1_GO: that is over, with an error or because it
 * is too much. */
static enum http1_next throw_away(struct http1 *http1, int *error)
{
	struct lop_request *request = http1->request;
	char waste[4096];

	*error = 0;
	while (!http1->body_done && request->body_taken - http1->body_before <= HTTP1_DRAIN_MAX) {
		ssize_t count = lop_request_body_read(request, waste, sizeof waste);

		if (count == -EAGAIN) {
			/* Once, not for each piece: what trickles in is not worth more. */
			if (http1->conn->deadline == 0)
				lop_connection_deadline(http1->conn,
				                        http1->worker->settings->body_timeout);
			return HTTP1_WAIT;
		}
		if (count == -ECONNRESET)
			return HTTP1_CLOSE;
		if (count < 0) {
			*error = (int)count;
			break;
		}
	}
	http1->conn->deadline = 0;
	return HTTP1_GO;
}

/* The body that no hook wanted is read before the answer goes, so that a broken one is refused, and
 * the next request begins where this one ends. */
static enum http1_next step_drain(struct http1 *http1)
{
	int error;
	enum http1_next next = throw_away(http1, &error);

	if (next != HTTP1_GO)
		return next;
	return error < 0 ? answer_instead(http1, status_of_error(error)) : answer(http1);
}

void http1_end_exchange(struct http1 *http1)
{
	http1->body_done = true;
	queue_request(http1);
	http1->state = http1->close ? HTTP1_FINISH : HTTP1_HEAD;
}

/* A stream has ended before the body that was read meanwhile: a short rest keeps the connection. */
static enum http1_next step_rest(struct http1 *http1)
{
	int error = 0;
	enum http1_next next = HTTP1_GO;

	if (http1->conn->broken)
		return HTTP1_CLOSE;
	if (!http1->close && http1_body_drainable(http1))
		next = throw_away(http1, &error);
	if (next != HTTP1_GO)
		return next;
	if (!http1->body_done) {
		http1->close = true;
		http1->linger = true;
	}
	http1_end_exchange(http1);
	return HTTP1_GO;
}

/* The whole was promised: what there is goes, and the client must see that this is not the end.
 * Where that would be the connection's, only a reset tells. */
static enum http1_next cut_body(struct http1 *http1)
{
	if (!http1->framed && !http1->tunnel && response_length(http1->request) < 0)
		conn_reset_on_close(http1->conn);
	else
		(void)conn_flush(http1->conn, SCHED_QUANTUM_MIN);
	return HTTP1_CLOSE;
}

static enum http1_next step_send(struct http1 *http1)
{
	int result;

	if (http1->conn->broken)
		return HTTP1_CLOSE;
	result = http1_queue_body(http1);
	http1->request->waiting = result == -EAGAIN;
	if (result == 0)
		return HTTP1_WAIT;
	if (result == -EAGAIN) {
		/* It was the client who had to send something. */
		if (http1->duplex && http1->conn->timed_out)
			return HTTP1_CLOSE;
		/* The stream's owner knows how long it may take. */
		if (http1->body_done || http1->tunnel || !http1->body_starved)
			http1->conn->deadline = 0;
		return HTTP1_WAIT;
	}
	if (result < 0)
		return cut_body(http1);
	if (http1->body_done || !http1->duplex) {
		http1_end_exchange(http1);
		return HTTP1_GO;
	}
	http1->conn->deadline = 0;
	http1->body_before = http1->request->body_taken;
	http1->state = http1->tunnel ? HTTP1_HALF : HTTP1_REST;
	return HTTP1_GO;
}

/* Whether the peer has nothing more to say, as far as is known. A transport that may hold bytes back
 * is asked. */
static bool is_quiet(struct http1 *http1)
{
	struct lop_connection *conn = http1->conn;

	if (http1->linger || http1->in_length > 0)
		return false;
	return !conn->readable ||
	       (conn->acceptor->transport->secure &&
	        conn_read(conn, http1->worker->input, http1->worker->input_size) == -EAGAIN);
}

static enum http1_next step_finish(struct http1 *http1)
{
	struct lop_connection *conn = http1->conn;
	const struct lop_transport *transport = conn->acceptor->transport;
	int result;

	if (conn->output != NULL)
		return HTTP1_WAIT;
	/* With everything read, closing cannot make the kernel answer late bytes with a reset that
	 * would reach the client before the response. An encrypted one says goodbye in any case. */
	if (!transport->secure && is_quiet(http1))
		return HTTP1_CLOSE;
	const bool quiet = transport->secure && is_quiet(http1);

	http1->in_length = 0;
	result = transport->shutdown(conn->transport_state);
	if (result == LOP_WANT_READ || result == LOP_WANT_WRITE) {
		if (conn->timed_out)
			return HTTP1_CLOSE;
		if (conn->deadline == 0)
			lop_connection_deadline(conn, LINGER_NS);
		conn->crossed = true;
		return HTTP1_WAIT;
	}
	if (result < 0)
		return HTTP1_CLOSE;
	/* What an encrypted one still gets is the other side's goodbye, after which that reads no
	 * more. */
	if (quiet)
		return HTTP1_CLOSE;
	lop_connection_deadline(conn, LINGER_NS);
	conn->timed_out = false; /* that was what ended the request */
	http1->state = HTTP1_LINGER;
	return HTTP1_GO;
}

static enum http1_next step_linger(struct http1 *http1)
{
	size_t thrown_away = 0;

	if (http1->conn->timed_out)
		return HTTP1_CLOSE;
	while (thrown_away < LINGER_BYTES) {
		ssize_t count = conn_read(http1->conn, http1->worker->input,
		                          http1->worker->input_size);

		if (count <= 0)
			return count == -EAGAIN ? HTTP1_WAIT : HTTP1_CLOSE;
		thrown_away += (size_t)count;
	}
	return HTTP1_MORE;
}

typedef enum http1_next http1_step_f(struct http1 *http1);

static http1_step_f *const steps[HTTP1_STATES] = {
	[HTTP1_HEAD] = http1_step_head, [HTTP1_RUN] = step_run,   [HTTP1_DRAIN] = step_drain,
	[HTTP1_SEND] = step_send,       [HTTP1_REST] = step_rest, [HTTP1_HALF] = http1_step_half,
	[HTTP1_FINISH] = step_finish,   [HTTP1_LINGER] = step_linger,
};

/* Opens a window in which the client has to take the least rate's bytes. */
static void window_open(struct http1 *http1)
{
	const int unsent = os_unsent(http1->conn->descriptor);

	http1->window_acked = http1_bytes_sent(http1) - (unsent > 0 ? (uint64_t)unsent : 0);
	http1->body_window = false; /* a connection has one deadline */
	lop_connection_deadline(http1->conn, http1->worker->settings->send_timeout);
}

/* Sends what is queued. HTTP1_GO: all is gone. */
static enum http1_next flush(struct http1 *http1, size_t quantum)
{
	struct lop_connection *conn = http1->conn;
	int result;

	if (conn->output == NULL)
		return HTTP1_GO;
	/* An encrypted one says goodbye next: in the same packet. */
	conn->output->ends = http1->state == HTTP1_FINISH && conn->acceptor->transport->secure;
	result = conn_flush(conn, quantum);
	if (result == 1) {
		http1->window = false;
		end_sent(http1, false);
		return HTTP1_GO;
	}
	end_sent(http1, false);
	if (result == 0)
		return HTTP1_MORE;
	if (result != -EAGAIN)
		return HTTP1_CLOSE;
	if (!http1->window && !http1->tunnel) {
		http1->window = true;
		window_open(http1);
	}
	return HTTP1_WAIT;
}

/* Runs the states as far as they go. */
static enum http1_next run(struct http1 *http1, size_t quantum)
{
	const uint64_t begun = http1_bytes_sent(http1);

	for (;;) {
		enum http1_next next = steps[http1->state](http1);

		if (next == HTTP1_GO)
			continue;
		if (next == HTTP1_CLOSE || http1->conn->output == NULL)
			return next;
		/* The state cannot go on before the output went; then it can, unless it waits for
		 * a hook or a stream, or this step has sent its share. */
		next = flush(http1, quantum);
		if (next != HTTP1_GO)
			return next;
		if (http1->request != NULL && http1->request->waiting)
			return HTTP1_WAIT;
		if (http1->bytes_queued - begun >= quantum && http1->state != HTTP1_FINISH)
			return HTTP1_MORE;
	}
}

static void http1_end(struct http1 *http1)
{
	struct lop_connection *conn = http1->conn;

	end_sent(http1, true);
	if (http1->request != NULL) {
		if (http1->request->head_sent == 0) /* not answered: no byte so far was its own */
			http1->request->start_mark = http1->bytes_queued;
		http1->request->end_mark = http1->bytes_queued;
		if (http1->request->number == 0) {
			request_discard(&http1->request);
		} else {
			list_append(&http1->queued, &http1->request->node);
			end_sent(http1, true);
		}
	}
	conn->protocol_state = NULL;
	if (http1_stepping(http1))
		http1->worker->stepping = NULL;
	pool_put(&http1->worker->http1s, http1);
}

int http1_leave_input(struct http1 *http1)
{
	int result = conn_unread(http1->conn, http1->in, http1->in_length);

	http1->in_length = 0;
	http1->keep = 0;
	return result;
}

/* Leaves the input buffer to others: what is still needed moves out. */
static int end_step(struct http1 *http1)
{
	struct list *node;

	if (http1->in_length > 0 && http1_leave_input(http1) < 0)
		return -ENOMEM;
	for (node = http1->queued.next; node != &http1->queued; node = node->next) {
		if (request_detach(CONTAINER(node, struct lop_request, node)) < 0)
			return -ENOMEM;
	}
	if (http1->request != NULL && request_detach(http1->request) < 0)
		return -ENOMEM;
	http1->worker->stepping = NULL;
	return 0;
}

static struct http1 *http1_begin(struct lop_connection *conn)
{
	struct http1 *http1 = pool_get(&conn->worker->http1s);

	if (http1 == NULL)
		return NULL;
	memset(http1, 0, sizeof *http1);
	http1->conn = conn;
	http1->worker = conn->worker;
	http1->body_done = true;
	list_init(&http1->queued);
	conn->protocol_state = http1;
	return http1;
}

static enum lop_step http1_step(void *state, struct lop_connection *conn, size_t quantum)
{
	struct http1 *http1 = state != NULL ? state : http1_begin(conn);
	enum http1_next next;

	if (http1 == NULL)
		return LOP_STEP_CLOSE;
	http1->started_with = conn->pending_length;
	http1->keep = 0;
	http1->worker->stepping = http1;
	if (conn->broken && conn->output != NULL)
		return LOP_STEP_CLOSE;
	if (http1->duplex && !http1->body_done)
		http1_body_ready(http1);
	/* While the output is blocked, nothing else can move but a body that a hook watches. */
	next = flush(http1, quantum);
	if (next == HTTP1_GO)
		next = run(http1, quantum);
	conn->timed_out = false;
	if (next != HTTP1_CLOSE && end_step(http1) < 0)
		return LOP_STEP_CLOSE;
	/* Between two requests: it needs no state, and its end cuts nothing short. */
	if (http1->state == HTTP1_HEAD && list_empty(&http1->queued) && conn->output == NULL &&
	    (next != HTTP1_CLOSE || http1->request == NULL))
		http1_end(http1);
	if (next == HTTP1_CLOSE)
		return LOP_STEP_CLOSE;
	return next == HTTP1_MORE ? LOP_STEP_MORE : LOP_STEP_WAIT;
}

static int http1_open(void *module, struct lop_connection *conn, void **state)
{
	(void)module;
	(void)conn;
	*state = NULL;
	return 0;
}

/* The client must have taken the least rate's share of the window that has ended. */
static enum lop_step send_expired(struct http1 *http1)
{
	const struct settings *settings = http1->worker->settings;
	const uint64_t before = http1->window_acked;
	const double seconds = (double)settings->send_timeout / (double)NS_PER_S;
	uint64_t least = (uint64_t)((double)settings->min_send_rate * seconds);

	if (least == 0)
		least = 1;
	window_open(http1);
	if (http1->window_acked - before >= least)
		return LOP_STEP_WAIT;
	conn_reset_on_close(http1->conn);
	return LOP_STEP_CLOSE;
}

static enum lop_step http1_expired(void *state, struct lop_connection *conn)
{
	struct http1 *http1 = state;

	if (conn->output != NULL)
		return send_expired(http1);
	/* Idle: nobody is waiting for an answer, unless a request came at the last moment. */
	if (http1 == NULL && conn->pending_length == 0 && !conn->readable)
		return LOP_STEP_CLOSE;
	/* A body that its hook does not wait for: the client is not to blame. */
	if (http1 != NULL && !http1->body_done && !http1->body_starved) {
		http1->body_window = false;
		return LOP_STEP_WAIT;
	}
	conn->timed_out = true;
	return LOP_STEP_MORE;
}

static void http1_drain(void *state, struct lop_connection *conn)
{
	(void)state;
	conn->readable = true; /* look once more before an idle one is closed */
	conn_wake(conn);
}

static void http1_close(void *state, struct lop_connection *conn)
{
	(void)conn;
	if (state != NULL)
		http1_end(state);
}

const struct lop_protocol protocol_http1 = {
	.size = sizeof(struct lop_protocol),
	.name = "http/1.1",
	.alpn = MODULES_CORE_PROTOCOL,
	.open = http1_open,
	.step = http1_step,
	.expired = http1_expired,
	.drain = http1_drain,
	.close = http1_close,
};
