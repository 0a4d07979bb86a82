/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * After an upgrade (WebSocket): bytes in both directions until one side closes, nothing moves for
 * too long, or the worker's drain gives it no more time.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exchange.h"

struct tunnel {
	struct exchange *exchange;
	struct tunnel *next, *previous; /* in the worker */
	bool client_ended; /* the one direction, */
	bool server_ended; /* and the other */
};

static void moved(struct exchange *exchange)
{
	exchange_deadline(exchange, exchange->proxy->settings.tunnel_timeout);
}

/* Sends to the upstream what it did not take before. */
static int flush(struct exchange *exchange)
{
	struct unsent *unsent = &exchange->upload.unsent;

	while (unsent->begin < unsent->end) {
		const struct iovec piece = { unsent->data + unsent->begin,
			                     unsent->end - unsent->begin };
		ssize_t sent = exchange->upstream->writable
		                       ? upstream_send(exchange->upstream, &piece, 1)
		                       : -EAGAIN;

		if (sent < 0)
			return (int)sent;
		unsent->begin += (size_t)sent;
		moved(exchange);
	}
	unsent->begin = unsent->end = 0;
	return 0;
}

static int send_up(struct exchange *exchange, const char *data, size_t length)
{
	struct unsent *unsent = &exchange->upload.unsent;
	const struct iovec piece = { (void *)(uintptr_t)data, length };
	ssize_t sent = upstream_send(exchange->upstream, &piece, 1);
	char *rest;

	if (sent < 0 && sent != -EAGAIN)
		return (int)sent;
	if (sent > 0)
		moved(exchange);
	else
		sent = 0;
	if ((size_t)sent == length)
		return 0;
	rest = realloc(unsent->data, length - (size_t)sent);
	if (rest == NULL)
		return -ENOMEM;
	memcpy(rest, data + sent, length - (size_t)sent);
	*unsent = (struct unsent){ rest, 0, length - (size_t)sent, length - (size_t)sent };
	return -EAGAIN;
}

static void over(struct exchange *exchange)
{
	lop_request_body_watch(exchange->request, NULL, NULL);
	exchange_fail(exchange, OUTCOME_OK);
	lop_request_wake(exchange->request);
}

void tunnel_move(struct exchange *exchange)
{
	struct tunnel *tunnel = exchange->tunnel;
	int result = flush(exchange);

	while (result == 0 && !tunnel->client_ended && exchange->upstream->writable) {
		char *data = exchange->proxy->scratch;
		ssize_t count = lop_request_body_read(exchange->request, data, SCRATCH_BODY);

		if (count > 0) {
			result = send_up(exchange, data, (size_t)count);
		} else if (count == 0) {
			tunnel->client_ended = true;
			upstream_shutdown(exchange->upstream);
		} else {
			result = (int)count;
		}
	}
	if (tunnel->server_ended) {
		if (tunnel->client_ended || exchange->upstream->timed_out ||
		    (result < 0 && result != -EAGAIN))
			over(exchange);
		return;
	}
	/* The pull will find it, and end the response. */
	if (result < 0 && result != -EAGAIN) {
		exchange->upstream->timed_out = true;
		lop_request_wake(exchange->request);
	}
}

static void client_ready(void *context)
{
	struct exchange *exchange = context;

	if (exchange->state == EXCHANGE_STREAM)
		tunnel_move(exchange);
}

static ssize_t tunnel_pull(void *context, char *buffer, size_t size)
{
	struct exchange *exchange = context;
	ssize_t count;

	if (exchange->ended)
		return 0;
	if (exchange->state == EXCHANGE_OVER)
		return -ECONNRESET;
	if (exchange->upstream->timed_out) {
		exchange_fail(exchange, OUTCOME_OK);
		return -ETIMEDOUT;
	}
	count = upstream_receive(exchange->upstream, buffer, size, NULL);
	if (count > 0)
		moved(exchange);
	if (count > 0 || count == -EAGAIN)
		return count;
	if (count < 0) {
		exchange_fail(exchange, OUTCOME_OK);
		return count;
	}
	/* What the client sends still goes up. */
	exchange->ended = true;
	exchange->tunnel->server_ended = true;
	if (exchange->tunnel->client_ended)
		exchange_finish(exchange);
	return 0;
}

static void tunnel_over(void *context)
{
	struct exchange *exchange = context;

	/* With the end of one direction the other goes on. */
	if (exchange->state != EXCHANGE_STREAM || exchange->ended)
		return;
	over(exchange);
}

static int answer_upgrade(struct exchange *exchange, const struct answer *answer)
{
	for (size_t i = 0; i < answer->field_count; i++) {
		static const char name[] = "upgrade";
		const struct answer_field *field = &answer->fields[i];

		if (!str_is(field->name, name))
			continue;
		return lop_response_add_field(exchange->request, "Upgrade", field->value);
	}
	return -EBADMSG;
}

int tunnel_begin(struct exchange *exchange, const struct answer *answer, const char *data,
                 size_t length)
{
	struct proxy *proxy = exchange->proxy;
	int result = answer_upgrade(exchange, answer);
	struct tunnel *tunnel;

	if (result == 0)
		result = lop_response_upgrade(exchange->request);
	if (result == 0 && length > 0)
		result = lop_response_body_copy(exchange->request, data, length);
	if (result < 0)
		return result;
	tunnel = calloc(1, sizeof *tunnel);
	if (tunnel == NULL)
		return -ENOMEM;
	tunnel->exchange = exchange;
	tunnel->next = proxy->tunnels;
	if (tunnel->next != NULL)
		tunnel->next->previous = tunnel;
	proxy->tunnels = tunnel;
	exchange->tunnel = tunnel;
	exchange->keep = false;
	exchange->state = EXCHANGE_STREAM;
	exchange->over_by = proxy->draining
	                            ? lop_worker_now(proxy->worker) + proxy->settings.tunnel_drain
	                            : 0;
	moved(exchange);
	lop_request_body_watch(exchange->request, client_ready, exchange);
	return lop_response_body_stream(exchange->request, -1, tunnel_pull, tunnel_over, exchange);
}

void tunnel_end(struct exchange *exchange)
{
	struct tunnel *tunnel = exchange->tunnel;

	exchange->tunnel = NULL;
	if (tunnel == NULL)
		return;
	if (tunnel->previous != NULL)
		tunnel->previous->next = tunnel->next;
	else
		exchange->proxy->tunnels = tunnel->next;
	if (tunnel->next != NULL)
		tunnel->next->previous = tunnel->previous;
	free(tunnel);
}

void tunnels_drain(struct proxy *proxy)
{
	const int64_t over_by = lop_worker_now(proxy->worker) + proxy->settings.tunnel_drain;

	for (struct tunnel *tunnel = proxy->tunnels; tunnel != NULL; tunnel = tunnel->next) {
		tunnel->exchange->over_by = over_by;
		moved(tunnel->exchange);
	}
}
