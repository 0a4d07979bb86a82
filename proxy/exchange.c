/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The states of an exchange, and the hooks.
 */
#include "config.h"

#include "exchange.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Of a step: on with the next state. Else LOP_AGAIN, LOP_DONE, or what a hook returns. */
#define GO_ON 0
/* The client went away before there was an answer; only the log sees it. */
#define STATUS_GONE 499
/* So often a request may have come through this program: more is a loop. */
#define HOPS_MAX 8

#define OWNER(pointer, type, field) ((type *)(void *)((char *)(pointer) - offsetof(type, field)))

void exchange_wake(void *context)
{
	struct exchange *exchange = context;

	/* The stream of the response is asked only when the client takes more. What the client sends
	 * must not wait for that. */
	if (exchange->state == EXCHANGE_STREAM && exchange->tunnel != NULL)
		tunnel_move(exchange);
	else if (exchange->state == EXCHANGE_STREAM && !exchange->upload.done)
		exchange_go_on(exchange);
	lop_request_wake(exchange->request);
}

void exchange_go_on(void *context)
{
	struct exchange *exchange = context;
	int result;

	if (exchange->state != EXCHANGE_STREAM)
		return;
	result = upload_run(exchange);
	if (exchange->upload.error < 0 || (result < 0 && result != -EAGAIN))
		exchange->upload.stopped = true;
}

bool exchange_is_safe(const struct exchange *exchange)
{
	switch ((enum lop_method)exchange->method) {
	case LOP_METHOD_GET:
	case LOP_METHOD_HEAD:
	case LOP_METHOD_OPTIONS:
	case LOP_METHOD_TRACE:
		return true;
	default:
		return false;
	}
}

static bool is_idempotent(const struct exchange *exchange)
{
	return exchange_is_safe(exchange) || exchange->method == LOP_METHOD_PUT ||
	       exchange->method == LOP_METHOD_DELETE;
}

void exchange_deadline(struct exchange *exchange, int64_t after)
{
	if (exchange->over_by != 0) {
		int64_t left = exchange->over_by - lop_worker_now(exchange->proxy->worker);

		if (left <= 0)
			left = 1;
		if (after == 0 || after > left)
			after = left;
	}
	upstream_deadline(exchange->upstream, after);
}

/* Ends */

static void leave_queue(struct exchange *exchange)
{
	if (exchange->queued)
		pool_wait_cancel(exchange->route->pool, &exchange->waiter);
	exchange->queued = false;
}

static void leave_server(struct exchange *exchange, enum outcome outcome)
{
	if (exchange->server != NULL)
		pool_done(exchange->server, outcome, -1);
	exchange->server = NULL;
}

static void end(struct exchange *exchange, enum outcome outcome)
{
	exchange_leave_names(exchange);
	leave_queue(exchange);
	leave_server(exchange, outcome);
	upload_clear(exchange);
	chunks_clear(&exchange->chunks);
	tunnel_end(exchange);
	exchange->state = EXCHANGE_OVER;
}

void exchange_finish(struct exchange *exchange)
{
	const enum outcome outcome = (enum outcome)exchange->outcome;

	if (exchange->state == EXCHANGE_OVER)
		return;
	/* Sent are both the body and the head. */
	if (exchange->keep && exchange->upload.done && exchange->upload.unsent.end == 0)
		upstream_keep(&exchange->upstream);
	upstream_close(&exchange->upstream);
	end(exchange, outcome);
}

void exchange_fail(struct exchange *exchange, enum outcome outcome)
{
	if (exchange->state == EXCHANGE_OVER)
		return;
	upstream_close(&exchange->upstream);
	end(exchange, outcome);
}

/* The proxy's own answer: a page that says what, not where. */
static int give_up(struct exchange *exchange, int status)
{
	exchange_fail(exchange, OUTCOME_ABANDONED);
	if (status == 503) {
		char seconds[16];
		const unsigned after = pool_retry_after(exchange->route->pool);
		const int length = snprintf(seconds, sizeof seconds, "%u", after);

		(void)lop_response_set_field(exchange->request, "Retry-After",
		                             (struct lop_str){ seconds, (size_t)length });
	}
	return status;
}

/* The server did not answer, and maybe another one will. */
static int next_server(struct exchange *exchange, int status)
{
	struct pick *pick = &exchange->pick;
	/* Of an answer that was broken nothing was passed on. */
	const bool repeatable = !exchange->upload.consumed &&
	                        (!exchange->sent || exchange_is_safe(exchange));

	exchange->failure = status;
	if (pick->tried_count < POOL_TRIED_MAX)
		pick->tried[pick->tried_count++] = exchange->server;
	leave_server(exchange, OUTCOME_FAILED);
	upstream_close(&exchange->upstream);
	if (!repeatable || pick->tried_count > exchange->proxy->settings.retries ||
	    !pool_may_retry(exchange->route->pool))
		return give_up(exchange, status);
	chunks_clear(&exchange->chunks);
	exchange->ended = false;
	exchange->keep = false;
	exchange->fresh = false;
	exchange->state = EXCHANGE_PICK;
	return GO_ON;
}

/* The connection broke before an answer. A kept one may have been closed at the other end while the
 * request was on its way: that is nobody's failure. */
static int lost(struct exchange *exchange)
{
	const bool stale = exchange->upstream->reused && !exchange->answered;

	if (!stale || exchange->upload.consumed || (exchange->sent && !is_idempotent(exchange)))
		return next_server(exchange, 502);
	upstream_close(&exchange->upstream);
	exchange->fresh = true;
	exchange->state = EXCHANGE_CONNECT;
	return GO_ON;
}

/* The client's body is at fault: the core answers. */
static int refuse(struct exchange *exchange, int result)
{
	exchange_fail(exchange, OUTCOME_ABANDONED);
	return result;
}

/* Steps */

static int step_gather(struct exchange *exchange)
{
	int result = upload_gather(exchange);

	if (result == -EAGAIN)
		return LOP_AGAIN;
	if (result < 0)
		return refuse(exchange, result);
	exchange->state = EXCHANGE_PICK;
	return GO_ON;
}

/* From the loop, once. */
static void queue_ready(struct pool_waiter *waiter, struct server *server)
{
	struct exchange *exchange = OWNER(waiter, struct exchange, waiter);

	exchange->queued = false;
	exchange->queue_over = server == NULL;
	exchange->server = server;
	exchange_wake(exchange);
}

static int step_pick(struct exchange *exchange)
{
	struct pool *pool = exchange->route->pool;

	switch (pool_pick(pool, &exchange->pick, &exchange->server)) {
	case PICK_OK:
		exchange->state = EXCHANGE_CONNECT;
		return GO_ON;
	case PICK_BUSY:
		exchange->waiter.pick = &exchange->pick;
		exchange->waiter.ready = queue_ready;
		exchange->queue_over = false;
		if (pool_wait(pool, &exchange->waiter) < 0)
			return give_up(exchange, 503);
		exchange->queued = true;
		exchange->state = EXCHANGE_QUEUE;
		return GO_ON;
	default:
		if (exchange->failure != 0)
			return give_up(exchange, exchange->failure);
		if (!exchange_await_names(exchange))
			return give_up(exchange, 503);
		exchange->state = EXCHANGE_NAMES;
		return GO_ON;
	}
}

static int step_names(struct exchange *exchange)
{
	if (exchange->awaits_names)
		return LOP_AGAIN;
	exchange->state = EXCHANGE_PICK;
	return GO_ON;
}

static int step_queue(struct exchange *exchange)
{
	if (exchange->queue_over)
		return give_up(exchange, 503);
	if (exchange->server == NULL)
		return LOP_AGAIN;
	exchange->state = EXCHANGE_CONNECT;
	return GO_ON;
}

/* What goes in front of everything else. */
static struct lop_str greeting(const struct exchange *exchange, char out[PROXY_HEADER_SIZE])
{
	struct lop_connection *connection = lop_request_connection(exchange->request);
	struct proxy_header header;

	if (exchange->proxy->settings.send_proxy == PROXY_HEADER_OFF)
		return (struct lop_str){ NULL, 0 };
	header.source = lop_connection_remote_address(connection);
	header.source_port = lop_connection_remote_port(connection);
	header.destination = lop_connection_local_address(connection);
	header.destination_port = lop_connection_local_port(connection);
	return (struct lop_str){
		out, proxy_header_write(exchange->proxy->settings.send_proxy, &header, out)
	};
}

static int open_connection(struct exchange *exchange)
{
	struct proxy *proxy = exchange->proxy;
	char header[PROXY_HEADER_SIZE];
	const struct lop_str first = greeting(exchange, header);
	int result;

	exchange->sent = false;
	exchange->answered = false;
	exchange->spoilt = false;
	exchange->scanned = 0;
	/* A connection that was opened for one client is not another's. */
	if (!exchange->fresh && first.length == 0)
		exchange->upstream = upstreams_take(exchange->server, exchange_wake, exchange);
	if (exchange->upstream != NULL)
		return 0;
	result = upstream_open(&proxy->upstreams, exchange->server, first, exchange_wake, exchange,
	                       &exchange->upstream);
	if (result == 0)
		exchange_deadline(exchange, proxy->settings.connect_timeout);
	return result;
}

static int step_connect(struct exchange *exchange)
{
	int result = 0;

	if (exchange->upstream == NULL)
		result = open_connection(exchange);
	if (result == 0)
		result = upstream_prepare(exchange->upstream);
	if (result == -EAGAIN)
		return exchange->upstream->timed_out ? next_server(exchange, 504) : LOP_AGAIN;
	if (result < 0) {
		if (exchange->upstream == NULL || exchange->upstream->stream == NULL)
			upstreams_complain(&exchange->proxy->upstreams, exchange->server,
			                   "cannot connect", strerror(-result));
		return next_server(exchange, 502);
	}
	exchange->state = EXCHANGE_SEND;
	return GO_ON;
}

static int step_send(struct exchange *exchange)
{
	struct proxy *proxy = exchange->proxy;
	long length = exchange_write_head(exchange, proxy->scratch, SCRATCH_HEAD);
	int result;

	if (length < 0)
		return refuse(exchange, length == -EINVAL ? 400 : 431);
	upload_restart(exchange);
	exchange_deadline(exchange, exchange->upload.done ? proxy->settings.response_timeout
	                                                  : proxy->settings.between_timeout);
	exchange->sent_at = lop_worker_now(proxy->worker);
	result = upload_send_head(exchange, (size_t)length);
	if (exchange->upload.error < 0)
		return refuse(exchange, exchange->upload.error);
	if (result < 0)
		return lost(exchange);
	exchange->state = EXCHANGE_ANSWER;
	return GO_ON;
}

static int step_answer(struct exchange *exchange)
{
	bool expecting;
	int result;

	do {
		expecting = exchange->upload.expecting;
		result = upload_run(exchange);
		if (exchange->upload.error < 0)
			return refuse(exchange, exchange->upload.error);
		/* The upstream takes no more; what it says to that may be on its way. */
		if (result < 0 && result != -EAGAIN) {
			exchange->upload.stopped = true;
			exchange->upstream->readable = true;
		}
		result = exchange_read_answer(exchange);
	} while (result == LOP_AGAIN && expecting && !exchange->upload.expecting);
	if (result == LOP_AGAIN && exchange->upstream->timed_out)
		return next_server(exchange, 504);
	return result < 0 ? lost(exchange) : result;
}

typedef int exchange_step_f(struct exchange *exchange);

static exchange_step_f *const steps[EXCHANGE_STATES] = {
	[EXCHANGE_GATHER] = step_gather,   [EXCHANGE_PICK] = step_pick,
	[EXCHANGE_NAMES] = step_names,     [EXCHANGE_QUEUE] = step_queue,
	[EXCHANGE_CONNECT] = step_connect, [EXCHANGE_SEND] = step_send,
	[EXCHANGE_ANSWER] = step_answer,
};

static int run(struct exchange *exchange)
{
	int result = GO_ON;

	while (result == GO_ON) {
		assert(steps[exchange->state] != NULL);
		result = steps[exchange->state](exchange);
	}
	return result;
}

/* Beginnings */

static struct exchange *begin(struct proxy *proxy, struct lop_request *request,
                              const struct route *route)
{
	struct exchange *exchange = lop_request_alloc(request, sizeof *exchange);

	if (exchange == NULL)
		return NULL;
	memset(exchange, 0, sizeof *exchange);
	exchange->proxy = proxy;
	exchange->request = request;
	exchange->route = route;
	exchange->pick.request = request;
	exchange->method = (uint8_t)lop_request_method(request);
	if (lop_request_set_state(request, proxy, exchange) < 0)
		return NULL;
	if (proxy->settings.exchange_timeout > 0)
		exchange->over_by = lop_worker_now(proxy->worker) + proxy->settings.exchange_timeout;
	upload_begin(exchange);
	exchange->state = EXCHANGE_PICK;
	if (proxy->settings.buffer_requests > 0 && !exchange->upload.ended &&
	    !exchange->upload.expecting)
		exchange->state = EXCHANGE_GATHER;
	pool_count_request(route->pool);
	return exchange;
}

/* RFC 9110 7.6.2: a request that may go no further is answered here. 0: it may. */
static int last_hop(struct lop_request *request)
{
	const enum lop_method method = lop_request_method(request);
	struct lop_str hops;

	if (method != LOP_METHOD_OPTIONS && method != LOP_METHOD_TRACE)
		return 0;
	hops = lop_request_field(request, "Max-Forwards");
	if (hops.length != 1 || hops.data[0] != '0')
		return 0;
	(void)lop_response_set_field(request, "Allow",
	                             (struct lop_str){ "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
	                                               44 });
	if (method == LOP_METHOD_TRACE)
		return 405;
	lop_response_set_status(request, 204);
	return LOP_DONE;
}

/* What is refused before a server hears of it. */
static int check_request(struct lop_request *request)
{
	/* A gateway opens no tunnels to where the client likes. */
	if (lop_request_method(request) == LOP_METHOD_CONNECT)
		return 501;
	if (forwarded_hops(lop_request_field(request, "Via")) >= HOPS_MAX)
		return 508;
	return last_hop(request);
}

int proxy_content(void *state, struct lop_request *request)
{
	struct proxy *proxy = state;
	struct exchange *exchange = lop_request_state(request, proxy);

	if (exchange == NULL) {
		const struct route *route = routes_find(&proxy->routes, lop_request_host(request),
		                                        lop_request_path(request));
		int result;

		if (route == NULL)
			return LOP_DECLINED;
		result = check_request(request);
		if (result != 0)
			return result;
		exchange = begin(proxy, request, route);
		if (exchange == NULL)
			return -ENOMEM;
	}
	if (exchange->state == EXCHANGE_OVER)
		return STATUS_GONE;
	if (lop_request_abandoned(request))
		return refuse(exchange, STATUS_GONE);
	return run(exchange);
}

int proxy_done(void *state, struct lop_request *request)
{
	struct exchange *exchange = lop_request_state(request, state);

	if (exchange != NULL)
		exchange_fail(exchange, OUTCOME_ABANDONED);
	return LOP_DECLINED;
}
