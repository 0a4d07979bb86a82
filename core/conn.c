/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lophttpd/connection.h>

#include "address.h"
#include "conn.h"
#include "http1.h"
#include "os.h"
#include "transport_plain.h"
#include "worker_private.h"

static void conn_ready(struct loop_source *source, unsigned events)
{
	struct lop_connection *conn = CONTAINER(source, struct lop_connection, source);

	/* A child on its way from fork to exec still has the socket, which then reports events though
	 * it was closed here; the pool keeps the memory. */
	if (conn->magic != CONN_MAGIC)
		return;
	if (events & LOOP_READ)
		conn->readable = true;
	if (events & LOOP_WRITE)
		conn->writable = true;
	if (events & LOOP_HUP)
		conn->hup = true;
	if (events & LOOP_ERROR)
		conn->broken = true;
	/* An edge of writing matters only to those who wait for it. */
	if ((events & (LOOP_READ | LOOP_HUP | LOOP_ERROR)) || conn->output != NULL ||
	    conn->crossed)
		sched_push(&conn->worker->sched, &conn->run,
		           conn->output != NULL ? SCHED_BULK : SCHED_FRESH);
	if (conn->crossed) {
		conn->crossed = false;
		conn->readable = true;
		conn->writable = true;
	}
}

static void conn_expired(struct timer *timer)
{
	struct lop_connection *conn = CONTAINER(timer, struct lop_connection, timer);
	struct lop_worker *worker = conn->worker;

	if (conn->deadline == 0)
		return;
	if (conn->deadline > worker->now) {
		timer_arm(&worker->timers, timer, worker_ms(conn->deadline));
		return;
	}
	conn->deadline = 0;
	switch (conn->state == CONN_OPEN ? conn->protocol->expired(conn->protocol_state, conn)
	                                 : LOP_STEP_CLOSE) {
	case LOP_STEP_WAIT:
		break;
	case LOP_STEP_MORE:
		conn_wake(conn);
		break;
	case LOP_STEP_CLOSE:
		conn_close(conn);
		break;
	}
}

void lop_connection_deadline(struct lop_connection *conn, int64_t after_ns)
{
	struct lop_worker *worker = conn->worker;

	if (after_ns <= 0) {
		conn->deadline = 0;
		return;
	}
	conn->deadline = worker->now + after_ns;
	/* The timer may stand too early, never too late: moving a deadline further away, as every
	 * request does, touches no wheel. */
	uint64_t when = worker_ms(conn->deadline);
	if (!timer_armed(&conn->timer) || conn->timer.when > when)
		timer_arm(&worker->timers, &conn->timer, when);
}

static int conn_start_protocol(struct lop_connection *conn, const struct lop_protocol *protocol,
                               void *module)
{
	int result = protocol->open(module, conn, &conn->protocol_state);

	if (result < 0)
		return result;
	conn->protocol = protocol;
	conn->state = CONN_OPEN;
	return 0;
}

/* By ALPN, when the transport negotiated one. Returns 1 when a protocol was started. */
static int choose_by_alpn(struct lop_connection *conn)
{
	const struct lop_transport *transport = conn->acceptor->transport;
	struct lop_worker *worker = conn->worker;
	struct lop_str name = { NULL, 0 };

	if (transport->negotiated != NULL)
		name = transport->negotiated(conn->transport_state);
	for (size_t i = 0; name.data != NULL && i < worker->protocol_count; i++) {
		const struct loaded_module *module = worker->protocols[i];
		const struct lop_protocol *protocol = module->module->protocol;

		if (protocol->alpn != NULL && strlen(protocol->alpn) == name.length &&
		    memcmp(protocol->alpn, name.data, name.length) == 0)
			return conn_start_protocol(conn, protocol, module->state) < 0 ? -ENOMEM : 1;
	}
	if (name.data == NULL)
		return 0;
	/* What was agreed upon holds, whatever the first bytes look like. */
	return conn_start_protocol(conn, &protocol_http1, worker) < 0 ? -ENOMEM : 1;
}

/* Copies what is at hand of a connection's first bytes, without taking it. */
static ssize_t conn_peek(struct lop_connection *conn, char *first, size_t size)
{
	const bool looked = conn->pending_length > 0;
	ssize_t count = conn_read(conn, first, size);

	if (count <= 0)
		return count == 0 ? -ECONNRESET : count;
	/* That was what an earlier look left: more may have come. */
	if (looked && (size_t)count < size) {
		ssize_t more = conn_read(conn, first + count, size - (size_t)count);

		if (more <= 0 && more != -EAGAIN)
			return more == 0 ? -ECONNRESET : more;
		if (more > 0)
			count += more;
	}
	return conn_unread(conn, first, (size_t)count) < 0 ? -ENOMEM : count;
}

/* By the first bytes. Returns 1 when a protocol was started, 0 when more bytes are needed. */
static int choose_by_preface(struct lop_connection *conn)
{
	struct lop_worker *worker = conn->worker;
	char first[64];
	ssize_t count = conn_peek(conn, first, sizeof first);
	bool maybe = false;

	if (count < 0)
		return count == -EAGAIN ? 0 : (int)count;
	for (size_t i = 0; i < worker->protocol_count; i++) {
		const struct lop_protocol *protocol = worker->protocols[i]->module->protocol;
		size_t compare = protocol->preface.length;

		if (protocol->preface.data == NULL || compare > sizeof first)
			continue;
		if ((size_t)count < compare)
			compare = (size_t)count;
		if (memcmp(protocol->preface.data, first, compare) != 0)
			continue;
		if (compare == protocol->preface.length)
			return conn_start_protocol(conn, protocol, worker->protocols[i]->state) < 0
			               ? -ENOMEM
			               : 1;
		maybe = true;
	}
	if (maybe)
		return 0;
	return conn_start_protocol(conn, &protocol_http1, worker) < 0 ? -ENOMEM : 1;
}

static int conn_open_transport(struct lop_connection *conn)
{
	struct acceptor *acceptor = conn->acceptor;
	int result = acceptor->transport->open(acceptor->transport_module, conn, conn->descriptor,
	                                       &conn->transport_state);

	if (result == 0)
		conn->state = CONN_HANDSHAKE;
	return result;
}

/* Brings a connection as far as its protocol. Returns 1 when that can step, 0 to wait. */
static int conn_prepare(struct lop_connection *conn)
{
	const struct lop_transport *transport = conn->acceptor->transport;

	if (conn->state == CONN_PROXY) {
		int result = conn_proxy_step(conn);

		if (result == 1)
			result = conn_open_transport(conn);
		if (conn->state == CONN_PROXY)
			return result;
	}
	if (conn->state == CONN_HANDSHAKE) {
		int result = transport->handshake != NULL
		                     ? transport->handshake(conn->transport_state)
		                     : 0;

		/* As in conn_read(): the peer's end may not have been seen. */
		if (result == LOP_WANT_READ && conn->hup)
			result = transport->handshake(conn->transport_state);
		conn->crossed = result == LOP_WANT_WRITE;
		if (result == LOP_WANT_READ || result == LOP_WANT_WRITE)
			return 0;
		if (result < 0)
			return result;
		conn->state = CONN_CHOOSE;
		if (conn->worker->protocol_count > 0) {
			result = choose_by_alpn(conn);
			if (result != 0)
				return result;
		} else {
			result = conn_start_protocol(conn, &protocol_http1, conn->worker);
			return result < 0 ? result : 1;
		}
	}
	return choose_by_preface(conn);
}

/* Queues itself again, or waits for the socket. */
static void conn_after_step(struct lop_connection *conn, enum lop_step step)
{
	struct lop_worker *worker = conn->worker;

	if (step == LOP_STEP_CLOSE) {
		conn_close(conn);
		return;
	}
	if (step == LOP_STEP_MORE) {
		sched_push(&worker->sched, &conn->run, SCHED_BULK);
		return;
	}
	/* Registered only now: many a short connection is answered and gone before it has to be. */
	if (!conn->registered) {
		conn->registered = true;
		if (loop_add(&worker->loop, conn->descriptor, &conn->source, LOOP_EDGE) < 0)
			conn_close(conn);
	}
}

static void conn_run(struct sched_entry *entry, size_t quantum)
{
	struct lop_connection *conn = CONTAINER(entry, struct lop_connection, run);

	assert(conn->magic == CONN_MAGIC);
	if (conn->state != CONN_OPEN) {
		int result = conn_prepare(conn);

		if (result <= 0) {
			conn_after_step(conn, result < 0 ? LOP_STEP_CLOSE : LOP_STEP_WAIT);
			return;
		}
	}
	conn_after_step(conn, conn->protocol->step(conn->protocol_state, conn, quantum));
}

void conn_set_remote(struct lop_connection *conn, const struct address *remote)
{
	conn->remote_port = address_port(remote);
	if (remote->length == 0 || remote->socket.base.sa_family == AF_UNIX) {
		memcpy(conn->remote, "unix:", 6);
		conn->remote_length = 5;
		return;
	}
	conn->remote_length = (uint8_t)address_host(remote, conn->remote, sizeof conn->remote);
}

int conn_open(struct acceptor *acceptor, int descriptor, const struct address *remote)
{
	struct lop_worker *worker = acceptor->worker;
	struct lop_connection *conn;
	int result = 0;

	if (acceptor->listener->proxy && !conn_proxy_trusts(acceptor, remote)) {
		close(descriptor);
		return -EACCES;
	}
	conn = pool_get(&worker->conns);
	if (conn == NULL) {
		close(descriptor);
		return -ENOMEM;
	}
	memset(conn, 0, sizeof *conn);
	conn->magic = CONN_MAGIC;
	conn->descriptor = descriptor;
	conn->source.ready = conn_ready;
	sched_entry_init(&conn->run, conn_run);
	timer_init(&conn->timer, conn_expired);
	conn->worker = worker;
	conn->acceptor = acceptor;
	conn->number = ++worker->connection_number;
	conn->readable = true;
	conn->writable = true;
	conn->state = CONN_PROXY;
	conn_set_remote(conn, remote);

	conn->surplus = worker->connection_count >= (size_t)worker->settings->max_connections;
	if (!acceptor->listener->proxy)
		result = conn_open_transport(conn);
	if (result < 0) {
		close(descriptor);
		conn->magic = 0;
		pool_put(&worker->conns, conn);
		return result;
	}
	list_append(&worker->connections, &conn->node);
	worker->connection_count++;
	lop_connection_deadline(conn, worker->settings->header_timeout);
	conn_wake(conn);
	return 0;
}

void conn_wake(struct lop_connection *conn)
{
	sched_push(&conn->worker->sched, &conn->run, SCHED_FRESH);
}

static void conn_drop_output(struct lop_connection *conn)
{
	if (conn->output == NULL)
		return;
	output_clear(conn->output);
	pool_put(&conn->worker->outputs, conn->output);
	conn->output = NULL;
}

/* An encrypted connection that ends between two requests ends in good order: its client knows that
 * nobody cut it. One that is in the middle of something must not say so. */
static void say_goodbye(struct lop_connection *conn)
{
	const struct lop_transport *transport = conn->acceptor->transport;

	if (transport->secure && transport->shutdown != NULL && conn->state == CONN_OPEN &&
	    conn->protocol_state == NULL && conn->output == NULL && !conn->broken)
		(void)transport->shutdown(conn->transport_state);
}

void conn_close(struct lop_connection *conn)
{
	struct lop_worker *worker = conn->worker;

	assert(conn->magic == CONN_MAGIC);
	say_goodbye(conn);
	if (conn->protocol != NULL)
		conn->protocol->close(conn->protocol_state, conn);
	if (conn->state != CONN_PROXY)
		conn->acceptor->transport->close(conn->transport_state);
	conn_drop_output(conn);
	free(conn->pending);
	free(conn->local);
	sched_remove(&worker->sched, &conn->run);
	timer_cancel(&worker->timers, &conn->timer);
	list_remove(&conn->node);
	worker->connection_count--;
	close(conn->descriptor);
	conn->magic = 0;
	pool_put(&worker->conns, conn);
}

void conn_reset_on_close(struct lop_connection *conn)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(conn->descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

ssize_t conn_read(struct lop_connection *conn, void *buffer, size_t size)
{
	if (conn->pending_length > 0) {
		size_t count = conn->pending_length < size ? conn->pending_length : size;

		memcpy(buffer, conn->pending, count);
		conn->pending_length -= (uint32_t)count;
		if (conn->pending_length > 0) {
			memmove(conn->pending, conn->pending + count, conn->pending_length);
		} else {
			free(conn->pending);
			conn->pending = NULL;
			conn->pending_size = 0;
		}
		return (ssize_t)count;
	}
	if (!conn->readable)
		return -EAGAIN;

	const struct lop_transport *transport = conn->acceptor->transport;
	ssize_t count = transport->read(conn->transport_state, buffer, size);

	/* No further edge comes after the peer's end: a transport that read less than it could may
	 * not have seen it. */
	if (count == LOP_WANT_READ && conn->hup)
		count = transport->read(conn->transport_state, buffer, size);
	if (count > 0) {
		/* A plain socket that gave less than was asked for is empty; after the peer's last
		 * byte no further edge comes, so then it is read to its end. Another transport may
		 * hold more. */
		if ((size_t)count < size && !conn->hup &&
		    transport == &transport_plain)
			conn->readable = false;
		return count;
	}
	if (count == LOP_WANT_READ || count == LOP_WANT_WRITE) {
		conn->readable = false;
		conn->crossed |= count == LOP_WANT_WRITE;
		return -EAGAIN;
	}
	return count;
}

bool conn_copies(const struct lop_connection *conn)
{
	const struct lop_transport *transport = conn->acceptor->transport;

	return transport->copies != NULL && transport->copies(conn->transport_state) != 0;
}

ssize_t conn_splice(struct lop_connection *conn, int pipe, size_t size)
{
	ssize_t count;

	if (conn->acceptor->transport != &transport_plain || conn->pending_length > 0)
		return -EOPNOTSUPP;
	if (!conn->readable)
		return -EAGAIN;
	count = os_splice(conn->descriptor, pipe, size, 0);
	if (count == -EAGAIN)
		conn->readable = false; /* the pipe is empty: it was not that */
	return count == -EINVAL ? -EOPNOTSUPP : count;
}

int conn_unread(struct lop_connection *conn, const char *data, size_t length)
{
	size_t total = length + conn->pending_length;

	if (total == 0)
		return 0;
	if (total > conn->pending_size) {
		char *grown = realloc(conn->pending, total);

		if (grown == NULL)
			return -ENOMEM;
		conn->pending = grown;
		conn->pending_size = (uint32_t)total;
	}
	memmove(conn->pending + length, conn->pending, conn->pending_length);
	memcpy(conn->pending, data, length);
	conn->pending_length = (uint32_t)total;
	return 0;
}

struct output *conn_output(struct lop_connection *conn)
{
	if (conn->output == NULL) {
		conn->output = pool_get(&conn->worker->outputs);
		if (conn->output != NULL)
			output_init(conn->output);
	}
	return conn->output;
}

int conn_flush(struct lop_connection *conn, size_t quantum)
{
	if (conn->output == NULL)
		return 1;
	if (!conn->writable)
		return -EAGAIN;

	int result = output_flush(conn->output, conn->acceptor->transport, conn->transport_state,
	                          quantum);

	if (result == LOP_WANT_WRITE || result == LOP_WANT_READ) {
		conn->writable = false;
		conn->crossed |= result == LOP_WANT_READ;
		return -EAGAIN;
	}
	if (result == 1)
		conn_drop_output(conn);
	return result;
}
