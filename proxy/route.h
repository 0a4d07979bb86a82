/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Routes: which requests go to which pool, and how names are translated on the way there and back.
 *
 * `--map [HOST]/PATH=URL[,URL…]`: the longest prefix of whole path segments wins, a map of the
 * request's host before one of any host. Several maps of one path, and several URLs of one map,
 * share the load of that path: one pool. All URLs of a pool have the same path.
 */
#ifndef PROXY_ROUTE_H
#define PROXY_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include <lophttpd/base.h>

#include "url.h"

struct pool;

struct route {
	char *host;     /* lower case, without port; NULL: any */
	char *prefix;   /* begins with '/' */
	char *upstream; /* path that takes the prefix's place, from the URLs */
	struct upstream_url *urls;
	size_t url_count;
	struct pool *pool; /* of these urls; made by whoever owns the routes */
};

struct routes {
	struct route *items; /* most specific first, once sorted */
	size_t count;
};

/* Adds a map as typed. Returns 0, -EINVAL after one line into error, or -ENOMEM. */
int routes_add(struct routes *routes, const char *map, char *error, size_t error_size);
/* After the last routes_add(). */
void routes_sort(struct routes *routes);
/* The route of a decoded, normalised path (lop_request_path()); host as in the Host field, with or
 * without port, any case; its data may be NULL. NULL: no route. */
const struct route *routes_find(const struct routes *routes, struct lop_str host,
                                struct lop_str path);
void routes_clear(struct routes *routes);

/* The target to ask the upstream for: the prefix of the target's path exchanged, the rest as the
 * client sent it (still encoded), query included. The prefix is matched in its decoded form, and
 * what could be read in two ways (an encoded slash or dot segment, backslash, NUL) was refused or
 * normalised before. Writes at most size bytes and returns the length, or -ENOBUFS, or -EINVAL for
 * a target that is not below the prefix. */
long route_target(const struct route *route, struct lop_str target, char *out, size_t size);

/* How the way back is named: scheme://authority[/path] of the outside (--location, else from the
 * request), without a '/' at its end. */
struct outside {
	struct lop_str origin; /* "https://www.example" */
	struct lop_str path;   /* "" or "/below" */
};

/* A URL in a response (Location, Content-Location, Refresh's, Link's): one that points at the
 * upstream below its path, absolute or path-absolute, is translated to the outside; any other
 * stays. authority is the server's that answered. Returns the length, or -ENOBUFS. */
long route_location(const struct route *route, const struct outside *outside,
                    struct lop_str authority, bool secure, struct lop_str url, char *out,
                    size_t size);
/* The same for whole values of fields. */
long route_refresh(const struct route *route, const struct outside *outside,
                   struct lop_str authority, bool secure, struct lop_str value, char *out,
                   size_t size);
long route_link(const struct route *route, const struct outside *outside,
                struct lop_str authority, bool secure, struct lop_str value, char *out,
                size_t size);
/* Set-Cookie: Path below the upstream's path becomes the prefix's; Domain of the upstream's host is
 * taken away (the cookie is for whom the client asked). */
long route_cookie(const struct route *route, struct lop_str upstream_host, struct lop_str value,
                  char *out, size_t size);

#endif
