/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The module's state: what the user asked for, what all workers share, and, after the fork, what
 * belongs to this worker.
 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lophttpd/lophttpd.h>

#include "forwarded.h"
#include "names.h"
#include "pool.h"
#include "proxy_header.h"
#include "route.h"
#include "secure.h"
#include "shared.h"
#include "sticky.h"
#include "upstream.h"

/* Where requests are written, and bodies on their way: heads in front, then bytes of a body. */
#define SCRATCH_HEAD ((size_t)64 * 1024)
#define SCRATCH_BODY ((size_t)64 * 1024)
/* Where answers are received. A head must fit; a body of 64 KiB and its head come in one piece. */
#define INPUT_SIZE ((size_t)72 * 1024)

/* Times in ns, 0: none. */
struct proxy_settings {
	int64_t connect_timeout;
	int64_t response_timeout; /* from the end of the request to the first byte */
	int64_t between_timeout;  /* in which something must move */
	int64_t exchange_timeout; /* the whole of it */
	int64_t tunnel_timeout;   /* in which something must move in a tunnel */
	int64_t tunnel_drain;     /* how long tunnels go on when the worker is to end */
	int64_t buffer_requests;  /* bytes of a body that are gathered before a server is asked */
	unsigned retries;
	bool upstream_host; /* the Host field is the upstream's, not the client's */
	enum proxy_header_version send_proxy;
	struct trust trust;
	char *location; /* the outside's origin and path as typed, without a '/' at the end */
	size_t location_origin; /* length of its origin */
	char *sticky_key;
	char *resolver;
	struct secure_settings secure; /* its strings are owned */
};

/* A URL whose name is followed. */
struct followed {
	struct proxy *proxy;
	struct pool *pool; /* NULL: the last one */
	const struct upstream_url *url;
	bool answered; /* in this worker: it has addresses, or it is known that it has none */
};

struct exchange;
struct tunnel;

struct proxy {
	struct lop_core *core;
	struct proxy_settings settings;
	struct pool_settings pools; /* the same for all routes, but for the name */
	struct routes routes;
	struct shared *shared;
	struct names *names;       /* NULL: there are addresses only */
	struct followed *followed;
	char **names_of_pools;
	struct secure *secure;     /* NULL: there is no https upstream */
	struct secret *secret;     /* of sticky cookies; NULL: there are none */
	struct check_transport checks;
	char check_header[PROXY_HEADER_SIZE];

	/* this worker's */
	struct lop_worker *worker;
	struct upstreams upstreams;
	char *scratch;             /* SCRATCH_HEAD + SCRATCH_BODY; holds nothing between steps */
	struct lop_memory *input;  /* INPUT_SIZE; responses may still hold it */
	int pipe[2];               /* an empty one, for request bodies; -1: none */
	struct tunnel *tunnels;    /* open ones */
	struct exchange *awaiting; /* requests that wait for names */
	bool draining;
};

/* options.c */
extern const struct lop_option proxy_options[];
void proxy_presets(struct proxy *proxy);
void proxy_settings_clear(struct proxy *proxy);

/* exchange.c: CONTENT and DONE */
int proxy_content(void *state, struct lop_request *request);
int proxy_done(void *state, struct lop_request *request);

/* exchange_names.c: context is a struct followed. */
void exchange_names_changed(void *context, int status,
                            const union server_address *addresses,
                            const socklen_t *lengths, const uint32_t *weights, size_t count);

/* exchange_splice.c: -1 when there is none to be had. */
void proxy_make_pipe(int pipe[2]);
void proxy_close_pipe(int pipe[2]);

/* tunnel.c */
void tunnels_drain(struct proxy *proxy);

#endif
