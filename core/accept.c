/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking connections off the listening sockets.
 *
 * Listeners are level-triggered: one accept a turn, more only while there is a backlog, so that in
 * the usual case no accept is spent on learning that there is nothing to accept.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <lophttpd/loop.h>
#include <lophttpd/message.h>

#include "address.h"
#include "conn.h"
#include "fcache.h"
#include "os.h"
#include "transport_plain.h"
#include "worker_private.h"

#define BURST_MAX 64
/* Connections above the limit that are told so in good order; beyond them only in haste. */
#define SURPLUS_MAX 64
#define PAUSE_NS (100 * NS_PER_MS)

static const char refusal[] = "HTTP/1.1 503 Service Unavailable\r\n"
                              "Retry-After: 1\r\n"
                              "Content-Length: 0\r\n"
                              "Connection: close\r\n"
                              "\r\n";

/* Tells a client that there is no room, without making a connection of it. */
static void refuse(const struct acceptor *acceptor, int descriptor)
{
	if (acceptor->transport == &transport_plain)
		(void)send(descriptor, refusal, sizeof refusal - 1, MSG_DONTWAIT);
	(void)shutdown(descriptor, SHUT_WR);
	close(descriptor);
}

/* No descriptor is left: gives up the spare one to take the connection and refuse it, instead of
 * leaving it in the queue, where it would wake the loop again and again. Returns 0, or the error
 * of accept. */
static int refuse_with_spare(struct acceptor *acceptor)
{
	struct lop_worker *worker = acceptor->worker;
	int descriptor;

	if (worker->spare < 0)
		return -EMFILE;
	close(worker->spare);
	descriptor = os_accept(acceptor->socket, NULL, NULL);
	if (descriptor >= 0)
		refuse(acceptor, descriptor);
	worker->spare = fcntl(acceptor->socket, F_DUPFD_CLOEXEC, 0);
	return descriptor < 0 ? descriptor : 0;
}

/* Returns 1 when a connection was taken, 0 when there is none, or a negative errno. */
static int accept_one(struct acceptor *acceptor)
{
	struct lop_worker *worker = acceptor->worker;
	struct address remote = { .length = sizeof remote.socket };
	int descriptor = os_accept(acceptor->socket, &remote.socket.base, &remote.length);
	int result;

	if (descriptor >= 0) {
		if (worker->connection_count >=
		    (size_t)worker->settings->max_connections + SURPLUS_MAX)
			refuse(acceptor, descriptor);
		else
			(void)conn_open(acceptor, descriptor, &remote);
		return 1;
	}
	switch (descriptor) {
	case -EAGAIN:
		return 0;
	case -ECONNABORTED:
	case -EPROTO:
	case -EPERM: /* a firewall rule; the connection is gone */
	case -ENETDOWN:
	case -EHOSTUNREACH:
	case -ENETUNREACH:
		return 1;
	case -EMFILE:
	case -ENFILE:
		if (fcache_close_files(worker->cache) > 0)
			return 1; /* a descriptor is free now: once more */
		result = refuse_with_spare(acceptor);
		/* Without a descriptor, accept does not say that there was nothing to accept. */
		return result == -EAGAIN ? 0 : result < 0 ? descriptor : 1;
	default:
		return descriptor;
	}
}

static void accept_resume(void *context)
{
	struct acceptor *acceptor = context;
	struct lop_worker *worker = acceptor->worker;

	if (worker->draining)
		return;
	if (worker->spare < 0)
		worker->spare = fcntl(acceptor->socket, F_DUPFD_CLOEXEC, 0);
	if (loop_add(&worker->loop, acceptor->socket, &acceptor->source, LOOP_LEVEL) < 0)
		lop_timer_start(acceptor->pause, PAUSE_NS);
}

/* The system is out of something: looks away from the listener for a while. */
static void accept_pause(struct acceptor *acceptor, int error)
{
	lop_worker_message(acceptor->worker, LOP_LOG_ERROR,
	                   "cannot accept connections: %s; trying again in 0.1 s (raise the limit "
	                   "of open files, or lower --max-connections)",
	                   strerror(-error));
	(void)loop_remove(&acceptor->worker->loop, acceptor->socket);
	if (acceptor->pause == NULL)
		acceptor->pause = lop_timer_new(acceptor->worker, accept_resume, acceptor);
	if (acceptor->pause != NULL)
		lop_timer_start(acceptor->pause, PAUSE_NS);
}

static void acceptor_run(struct sched_entry *entry, size_t quantum)
{
	struct acceptor *acceptor = CONTAINER(entry, struct acceptor, run);
	unsigned count = 0;

	(void)quantum;
	while (count < acceptor->burst) {
		int result = accept_one(acceptor);

		if (result == 0) {
			acceptor->burst = 1;
			return;
		}
		if (result < 0) {
			accept_pause(acceptor, result);
			return;
		}
		count++;
	}
	if (acceptor->burst < BURST_MAX)
		acceptor->burst *= 2;
}

static void acceptor_ready(struct loop_source *source, unsigned events)
{
	struct acceptor *acceptor = CONTAINER(source, struct acceptor, source);

	(void)events;
	sched_push(&acceptor->worker->sched, &acceptor->run, SCHED_FRESH);
}

/* The listener's transport: plain, or a module's. */
static int acceptor_transport(struct acceptor *acceptor)
{
	const char *name = acceptor->listener->transport;
	const struct loaded_module *module;

	acceptor->transport = &transport_plain;
	acceptor->transport_module = NULL;
	if (strcmp(name, transport_plain.name) == 0)
		return 0;
	module = modules_transport(&acceptor->worker->core->modules, name);
	if (module == NULL)
		return -ENOENT;
	acceptor->transport = module->module->transport;
	acceptor->transport_module = module->state;
	return 0;
}

static void defer(struct acceptor *acceptor)
{
	int result;

	if (acceptor->listener->address.socket.base.sa_family == AF_UNIX)
		return;
	result = os_defer_accept(acceptor->socket);
	if (result < 0)
		lop_worker_message(acceptor->worker, LOP_LOG_WARNING,
		                   "--defer-accept has no effect: %s", strerror(-result));
}

int acceptors_open(struct lop_worker *worker)
{
	const struct listeners *listeners = &worker->core->listeners;

	worker->acceptors = calloc(listeners->count, sizeof *worker->acceptors);
	if (worker->acceptors == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < listeners->count; i++) {
		struct acceptor *acceptor = &worker->acceptors[i];
		int result;

		acceptor->worker = worker;
		acceptor->listener = &listeners->items[i];
		acceptor->socket = listener_socket(acceptor->listener, worker->index);
		acceptor->source.ready = acceptor_ready;
		acceptor->burst = 1;
		sched_entry_init(&acceptor->run, acceptor_run);
		result = acceptor_transport(acceptor);
		if (result == 0)
			result = loop_add(&worker->loop, acceptor->socket, &acceptor->source,
			                  LOOP_LEVEL);
		if (result < 0)
			return result;
		worker->acceptor_count++;
		if (worker->settings->defer_accept)
			defer(acceptor);
	}
	worker->spare = worker->acceptor_count > 0
	                        ? fcntl(worker->acceptors[0].socket, F_DUPFD_CLOEXEC, 0)
	                        : -1;
	return 0;
}

/* Who is already in the queue was promised a connection: closing the listener would reset it. */
static void accept_waiting(struct acceptor *acceptor)
{
	const struct lop_worker *worker = acceptor->worker;

	while (worker->connection_count < (size_t)worker->settings->max_connections + SURPLUS_MAX) {
		if (accept_one(acceptor) <= 0)
			return;
	}
}

void acceptors_drain(struct lop_worker *worker)
{
	for (size_t i = 0; i < worker->acceptor_count; i++)
		accept_waiting(&worker->acceptors[i]);
	acceptors_close(worker);
}

void acceptors_close(struct lop_worker *worker)
{
	for (size_t i = 0; i < worker->acceptor_count; i++) {
		struct acceptor *acceptor = &worker->acceptors[i];

		(void)loop_remove(&worker->loop, acceptor->socket);
		sched_remove(&worker->sched, &acceptor->run);
		lop_timer_free(&acceptor->pause);
	}
	worker->acceptor_count = 0;
	if (worker->spare >= 0)
		close(worker->spare);
	worker->spare = -1;
}
