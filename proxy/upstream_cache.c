/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which connections are kept, and the TLS sessions of servers.
 */
#include "config.h"

#include <stdlib.h>

#include <lophttpd/message.h>

#include "upstream_private.h"

/* A session that was not used for so long goes when room is made. */
#define SESSION_NS (INT64_C(600) * 1000000000)
/* One message at most in so long: each request may fail. */
#define COMPLAIN_NS (INT64_C(10) * 1000000000)

/* One server: in server->idle. Holds a reference to it. */
struct kept {
	struct upstreams *owner;
	struct kept *next, *previous;
	struct server *server;
	struct upstream *first; /* the latest: the least likely to be closed at the other end */
	unsigned count;
	struct secure_session *session;
	int64_t session_until;
};

static void kept_free(struct kept *kept)
{
	if (kept->previous != NULL)
		kept->previous->next = kept->next;
	else
		kept->owner->kept = kept->next;
	if (kept->next != NULL)
		kept->next->previous = kept->previous;
	secure_session_free(&kept->session);
	kept->server->idle = NULL;
	server_release(&kept->server);
	free(kept);
}

/* Lets go of servers that are no longer used, so that names whose addresses change leave nothing. */
static void forget_old(struct upstreams *upstreams)
{
	const int64_t now = lop_worker_now(upstreams->worker);
	struct kept *next;

	for (struct kept *kept = upstreams->kept; kept != NULL; kept = next) {
		next = kept->next;
		if (kept->count == 0 && kept->session_until < now)
			kept_free(kept);
	}
}

static struct kept *kept_of(struct upstreams *upstreams, struct server *server)
{
	struct kept *kept = server->idle;

	if (kept != NULL)
		return kept;
	forget_old(upstreams);
	kept = calloc(1, sizeof *kept);
	if (kept == NULL)
		return NULL;
	kept->owner = upstreams;
	kept->server = server;
	server_retain(server);
	kept->next = upstreams->kept;
	if (kept->next != NULL)
		kept->next->previous = kept;
	upstreams->kept = kept;
	server->idle = kept;
	return kept;
}

static void unlink_kept(struct upstream *upstream)
{
	struct kept *kept = upstream->server->idle;

	if (upstream->previous != NULL)
		upstream->previous->next = upstream->next;
	else
		kept->first = upstream->next;
	if (upstream->next != NULL)
		upstream->next->previous = upstream->previous;
	upstream->next = upstream->previous = NULL;
	kept->count--;
}

void upstream_forget(struct upstream **pointer)
{
	struct kept *kept = (*pointer)->server->idle;

	unlink_kept(*pointer);
	upstream_close(pointer);
	if (kept->count == 0 && kept->session == NULL)
		kept_free(kept);
}

struct upstream *upstreams_take(struct server *server, upstream_ready_f *ready, void *context)
{
	for (;;) {
		struct kept *kept = server->idle;
		struct upstream *upstream = kept != NULL ? kept->first : NULL;

		if (upstream == NULL)
			return NULL;
		/* What came just now, and no event has told of, would be taken for the answer to a
		 * request that is not yet sent. */
		upstream->readable = true;
		if (!upstream_quiet(upstream)) {
			upstream_forget(&upstream);
			continue;
		}
		unlink_kept(upstream);
		upstream->ready = ready;
		upstream->context = context;
		upstream->reused = true;
		upstream->timed_out = false;
		upstream_deadline(upstream, 0);
		return upstream;
	}
}

void upstream_keep(struct upstream **pointer)
{
	struct upstream *upstream = *pointer;
	struct upstreams *upstreams = upstream->owner;
	struct kept *kept;

	if (upstreams->draining || upstreams->max_idle == 0 || upstream->server->gone ||
	    !upstream_quiet(upstream)) {
		upstream_close(pointer);
		return;
	}
	kept = kept_of(upstreams, upstream->server);
	if (kept == NULL || kept->count >= upstreams->max_idle) {
		upstream_close(pointer);
		return;
	}
	upstream->ready = NULL;
	upstream->context = NULL;
	upstream->next = kept->first;
	if (kept->first != NULL)
		kept->first->previous = upstream;
	kept->first = upstream;
	kept->count++;
	upstream_deadline(upstream, upstreams->idle_timeout);
	*pointer = NULL;
}

static void kept_close(struct kept *kept)
{
	while (kept->first != NULL) {
		struct upstream *upstream = kept->first;

		unlink_kept(upstream);
		upstream_close(&upstream);
	}
	kept_free(kept);
}

void upstreams_forget(struct server *server)
{
	if (server->idle != NULL)
		kept_close(server->idle);
}

void upstreams_drain(struct upstreams *upstreams)
{
	upstreams->draining = true;
	while (upstreams->kept != NULL)
		kept_close(upstreams->kept);
}

struct secure_session *upstream_session(const struct upstream *upstream)
{
	const struct kept *kept = upstream->server->idle;

	return kept != NULL ? kept->session : NULL;
}

void upstream_learn_session(void *context, struct secure_session *session)
{
	struct upstream *upstream = context;
	struct upstreams *upstreams = upstream->owner;
	struct kept *kept = NULL;

	if (!upstreams->draining && !upstream->server->gone)
		kept = kept_of(upstreams, upstream->server);
	if (kept == NULL) {
		secure_session_free(&session);
		return;
	}
	secure_session_free(&kept->session);
	kept->session = session;
	kept->session_until = lop_worker_now(upstreams->worker) + SESSION_NS;
}

void upstreams_complain(struct upstreams *upstreams, const struct server *server, const char *what,
                        const char *why)
{
	const struct upstream_url *url = server->url;
	const int64_t now = lop_worker_now(upstreams->worker);

	if (upstreams->complained != 0 && now - upstreams->complained < COMPLAIN_NS)
		return;
	upstreams->complained = now;
	lop_worker_message(upstreams->worker, LOP_LOG_WARNING, "proxy: cannot speak to %s: %s: %s",
	                   url->kind == UPSTREAM_UNIX ? url->host : url->authority, what, why);
}
