/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Active checks: a GET to each server every interval, by one worker for all.
 *
 * Which worker that is stands in the shared memory, with the time until which it is good for; the
 * worker renews it well before. One that dies is followed by whoever looks first after that time,
 * or by the one that takes its place. Two may check for a moment when one was held up: that does no
 * harm.
 *
 * A server counts as up until a check says otherwise, the first one by itself. While it is down, or
 * after a failed check, the next ones come so soon that a change of mind takes no longer than one
 * interval.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "health_parse.h"
#include "pool_private.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* the process ignores SIGPIPE */
#endif

#define LEASE (2 * NANOSECONDS)
#define LEASE_BEAT (500 * MILLISECONDS)
#define SOONEST (10 * MILLISECONDS)
#define ANSWER_MAX 4096
#define REASON_SIZE 128

enum phase {
	PHASE_IDLE, /* the timer is for the next check; else for the end of this one */
	PHASE_CONNECTING,
	PHASE_GREETING, /* what goes before everything else (PROXY protocol) */
	PHASE_ASKING,
	PHASE_LISTENING,
};

struct check {
	struct server *server;
	enum phase phase;
	int descriptor;
	struct lop_timer *timer;
	struct lop_watch *watch;
	const struct check_transport *transport; /* NULL: plain */
	void *stream;
	char *request;
	size_t sent;
	size_t received;
	char answer[ANSWER_MAX];
	int64_t started;
	unsigned good; /* checks in a row */
	unsigned bad;
	bool proven;           /* some check was good before */
	int64_t ejected_until; /* the ejection that `good` counts from */
};

struct checker {
	struct pool *pool;
	struct lop_timer *timer; /* of the lease */
	bool holds;
};

/* ---- what a check says ---------------------------------------------------------------------- */

static void is_good(struct check *check)
{
	struct server *server = check->server;
	struct lop_proxy_server *shared = server->shared;
	const int64_t ejected = atomic_load(&shared->ejected_until);

	check->bad = 0;
	check->good++;
	check->proven = true;
	if (ejected != check->ejected_until) {
		check->ejected_until = ejected;
		check->good = 1;
	}
	if (check->good < server->pool->settings.health.rise)
		return;
	if (atomic_exchange(&shared->down, 0) != 0) {
		health_return(server);
		health_say(server, "is up again");
	} else if (ejected != 0 && atomic_load(&shared->reason) == LOP_PROXY_FAILED) {
		/* It did not answer, and does so now. Of bad and late answers a check knows
		 * nothing. */
		health_return(server);
	}
}

static void is_bad(struct check *check, const char *reason)
{
	struct server *server = check->server;
	const unsigned fall = server->pool->settings.health.fall;

	check->good = 0;
	check->bad++;
	atomic_fetch_add(&server->shared->checks_failed, 1);
	if ((check->bad < fall && check->proven) || atomic_exchange(&server->shared->down, 1) != 0)
		return;
	pool_changed(server->pool);
	health_say(server, "is down: %s; it is asked for %s again", reason,
	           server->pool->settings.health.path);
}

/* ---- when ----------------------------------------------------------------------------------- */

static int64_t spacing(const struct check *check)
{
	const struct health_check *settings = &check->server->pool->settings.health;
	const struct lop_proxy_server *shared = check->server->shared;

	if (atomic_load(&shared->down) != 0 || atomic_load(&shared->ejected_until) != 0)
		return settings->interval / settings->rise;
	return check->bad > 0 ? settings->interval / settings->fall : settings->interval;
}

static void check_close(struct check *check)
{
	if (check->stream != NULL)
		check->transport->end(check->stream);
	check->stream = NULL;
	if (check->watch != NULL)
		lop_watch_stop(&check->watch);
	if (check->descriptor >= 0)
		close(check->descriptor);
	check->descriptor = -1;
	check->phase = PHASE_IDLE;
}

/* reason NULL: it is well. */
static void check_end(struct check *check, const char *reason)
{
	int64_t left;

	check_close(check);
	atomic_fetch_add(&check->server->shared->checks, 1);
	if (reason == NULL)
		is_good(check);
	else
		is_bad(check, reason);
	left = check->started + spacing(check) - lop_worker_now(check->server->pool->worker);
	lop_timer_start(check->timer, left < SOONEST ? SOONEST : left);
}

static void check_fail(struct check *check, const char *what, int result)
{
	char reason[REASON_SIZE];

	snprintf(reason, sizeof reason, "%s: %s", what, strerror(-result));
	check_end(check, reason);
}

/* ---- the connection ------------------------------------------------------------------------- */

static int open_socket(const struct server *server)
{
	int descriptor = socket(server->address.any.sa_family, SOCK_STREAM, 0);
	int result = 0;

	if (descriptor < 0)
		return -errno;
	if (fcntl(descriptor, F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl(descriptor, F_SETFL, O_NONBLOCK) < 0 ||
	    (connect(descriptor, &server->address.any, server->address_length) < 0 &&
	     errno != EINPROGRESS))
		result = -errno;
	if (result == 0)
		return descriptor;
	close(descriptor);
	return result;
}

/* 0: it is, -EAGAIN: not yet, or why it never will be. */
static int connected(int descriptor)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof peer;
	int error = 0;
	socklen_t error_length = sizeof error;

	if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &error_length) < 0)
		return -errno;
	if (error != 0)
		return -error;
	if (getpeername(descriptor, (struct sockaddr *)&peer, &length) == 0)
		return 0;
	return errno == ENOTCONN ? -EAGAIN : -errno;
}

static ssize_t check_write(struct check *check, const char *data, size_t size, bool plain)
{
	ssize_t sent;

	if (!plain && check->stream != NULL)
		return check->transport->write(check->stream, data, size);
	sent = send(check->descriptor, data, size, MSG_NOSIGNAL);
	return sent >= 0 ? sent : errno == EINTR ? -EAGAIN : -errno;
}

static ssize_t check_read(struct check *check, char *data, size_t size)
{
	ssize_t received;

	if (check->stream != NULL)
		return check->transport->read(check->stream, data, size);
	received = recv(check->descriptor, data, size, 0);
	return received >= 0 ? received : errno == EINTR ? -EAGAIN : -errno;
}

/* ---- steps: 0 the next phase, -EAGAIN, or a negative errno ----------------------------------- */

static int send_all(struct check *check, const char *data, size_t size, bool plain)
{
	while (check->sent < size) {
		ssize_t sent = check_write(check, data + check->sent, size - check->sent, plain);

		if (sent < 0)
			return (int)sent;
		check->sent += (size_t)sent;
	}
	check->sent = 0;
	return 0;
}

static int step_connect(struct check *check)
{
	return connected(check->descriptor);
}

static int step_greet(struct check *check)
{
	const struct lop_str preface = check->server->pool->settings.check_preface;
	int result = send_all(check, preface.data, preface.length, true);

	if (result < 0 || check->transport == NULL)
		return result;
	return check->transport->begin(check->transport->context, check->server, check->descriptor,
	                               &check->stream);
}

static int step_ask(struct check *check)
{
	return send_all(check, check->request, strlen(check->request), false);
}

/* Ends the check itself, unless there is more to come. */
static int step_listen(struct check *check)
{
	const struct health_check *settings = &check->server->pool->settings.health;
	char reason[REASON_SIZE];

	for (;;) {
		ssize_t received = check_read(check, check->answer + check->received,
		                              sizeof check->answer - check->received);
		int status;

		if (received < 0)
			return (int)received;
		if (received == 0)
			return -ECONNRESET;
		check->received += (size_t)received;
		status = health_answer(check->answer, check->received);
		if (status < 0 || (status == 0 && check->received == sizeof check->answer))
			return -EBADMSG;
		if (status == 0)
			continue;
		if (status >= settings->expect_low && status <= settings->expect_high) {
			check_end(check, NULL);
		} else {
			snprintf(reason, sizeof reason, "it answers %d", status);
			check_end(check, reason);
		}
		return -EAGAIN;
	}
}

static const struct {
	int (*run)(struct check *check);
	const char *what;
} steps[] = {
	[PHASE_CONNECTING] = { step_connect, "cannot connect" },
	[PHASE_GREETING] = { step_greet, "cannot connect" },
	[PHASE_ASKING] = { step_ask, "cannot ask" },
	[PHASE_LISTENING] = { step_listen, "no good answer" },
};

static void check_ready(void *context, unsigned events)
{
	struct check *check = context;
	int result = 0;

	(void)events;
	while (result == 0 && check->phase != PHASE_IDLE) {
		const struct server *server = check->server;

		result = steps[check->phase].run(check);
		/* Without TLS at hand, that it can be connected to has to do. */
		if (result == 0 && check->phase == PHASE_CONNECTING && server->url->secure &&
		    check->transport == NULL)
			check_end(check, NULL);
		else if (result == 0)
			check->phase++;
	}
	if (result < 0 && result != -EAGAIN)
		check_fail(check, steps[check->phase].what, result);
}

static void check_begin(struct check *check)
{
	struct server *server = check->server;
	struct pool *pool = server->pool;
	int result;

	check->started = lop_worker_now(pool->worker);
	check->transport = server->url->secure ? pool->settings.secure : NULL;
	check->sent = 0;
	check->received = 0;
	result = open_socket(server);
	if (result >= 0) {
		check->descriptor = result;
		check->phase = PHASE_CONNECTING;
		lop_timer_start(check->timer, pool->settings.health.timeout);
		result = lop_watch_start(pool->worker, check->descriptor, check_ready, check,
		                         &check->watch);
	}
	if (result < 0)
		check_fail(check, "cannot connect", result);
}

static void check_due(void *context)
{
	struct check *check = context;

	if (check->phase == PHASE_IDLE)
		check_begin(check);
	else
		check_end(check, "no answer in time");
}

/* ---- one for each server -------------------------------------------------------------------- */

static void check_free(struct check **pointer)
{
	struct check *check = *pointer;

	*pointer = NULL;
	if (check == NULL)
		return;
	check_close(check);
	lop_timer_free(&check->timer);
	free(check->request);
	free(check);
}

static char *make_request(const struct server *server)
{
	static const char format[] = "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: lophttpd-check\r\n"
				     "Accept: */*\r\nConnection: close\r\n\r\n";
	const struct health_check *settings = &server->pool->settings.health;
	const char *host = settings->host != NULL ? settings->host : server->url->authority;
	const int length = snprintf(NULL, 0, format, settings->path, host);
	char *request = length < 0 ? NULL : malloc((size_t)length + 1);

	if (request != NULL)
		snprintf(request, (size_t)length + 1, format, settings->path, host);
	return request;
}

static void check_new(struct server *server)
{
	struct pool *pool = server->pool;
	struct check *check = calloc(1, sizeof *check);
	const uint64_t before = atomic_load(&server->shared->checks);

	if (check == NULL)
		return; /* tried again with the lease's next beat */
	check->server = server;
	check->descriptor = -1;
	check->proven = before > atomic_load(&server->shared->checks_failed);
	check->request = make_request(server);
	check->timer = lop_timer_new(pool->worker, check_due, check);
	if (check->request == NULL || check->timer == NULL) {
		check_free(&check);
		return;
	}
	server->check = check;
	/* A new one at once; those that an earlier worker has checked spread over the interval. */
	lop_timer_start(check->timer,
	                before == 0 ? 0 : (int64_t)(random_next(pool) % (uint64_t)spacing(check)));
}

void checker_forget(struct server *server)
{
	check_free(&server->check);
}

void checker_update(struct pool *pool)
{
	if (pool->checker == NULL || !pool->checker->holds)
		return;
	for (unsigned i = 0; i < pool->count; i++)
		if (pool->servers[i]->check == NULL)
			check_new(pool->servers[i]);
}

static void forget_all(struct pool *pool)
{
	for (unsigned i = 0; i < pool->count; i++)
		checker_forget(pool->servers[i]);
}

/* ---- the lease ------------------------------------------------------------------------------ */

static uint64_t lease_of(const struct pool *pool, int64_t until)
{
	return (uint64_t)(until / MILLISECONDS) << 16 | (pool->shared->index + 1);
}

/* Takes it, or renews it. */
static bool hold_lease(struct pool *pool)
{
	const int64_t now = lop_worker_now(pool->worker);
	uint64_t lease = atomic_load(&pool->shared->pools[pool->index].checker);

	if ((lease & 0xffff) != pool->shared->index + 1 &&
	    (int64_t)(lease >> 16) * MILLISECONDS > now)
		return false;
	return atomic_compare_exchange_strong(&pool->shared->pools[pool->index].checker, &lease,
	                                      lease_of(pool, now + LEASE));
}

static void lease_beat(void *context)
{
	struct checker *checker = context;

	checker->holds = hold_lease(checker->pool);
	if (checker->holds)
		checker_update(checker->pool);
	else
		forget_all(checker->pool);
	lop_timer_start(checker->timer, LEASE_BEAT);
}

int checker_start(struct pool *pool)
{
	struct checker *checker = calloc(1, sizeof *checker);

	if (checker == NULL)
		return -ENOMEM;
	checker->pool = pool;
	checker->timer = lop_timer_new(pool->worker, lease_beat, checker);
	if (checker->timer == NULL) {
		free(checker);
		return -ENOMEM;
	}
	pool->checker = checker;
	lop_timer_start(checker->timer, 0);
	return 0;
}

void checker_stop(struct pool *pool)
{
	struct checker *checker = pool->checker;
	uint64_t lease;

	if (checker == NULL)
		return;
	forget_all(pool);
	lease = atomic_load(&pool->shared->pools[pool->index].checker);
	if ((lease & 0xffff) == pool->shared->index + 1)
		(void)atomic_compare_exchange_strong(&pool->shared->pools[pool->index].checker,
		                                     &lease, 0);
	lop_timer_free(&checker->timer);
	free(checker);
	pool->checker = NULL;
}
