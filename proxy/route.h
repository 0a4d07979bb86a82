/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Routes: which requests go to which pool, and how names are translated on the way there and back.
 *
 * `--map [HOST]/PATH=URL[,URL…]`: the longest prefix of whole path segments wins, a map of the
 * request's host before one of any host. Several maps of one path, and several URLs of one map,
 * share the load of that path: one pool. All URLs of a pool have the same path.
 *
 * A prefix "/foo" stands for /foo and all below it, "/foo/" for what is below it only; neither for
 * /foobar. What follows the prefix is put behind the URL's path with one slash between, however
 * the two were typed: /foo=http://h/bar and /foo/=http://h/bar/ both turn /foo/x into /bar/x.
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
	char *prefix;   /* decoded; begins with '/' */
	char *encoded;  /* the prefix as it stands in a URL, without a '/' at its end: "" for "/" */
	char *upstream; /* path that takes the prefix's place, from the URLs; encoded */
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

/* The target to ask the upstream for: the prefix exchanged, the rest in the client's own encoding,
 * the query as it was sent. It always means the path that was routed (and that other modules
 * looked at): path is lop_request_path(), and dot segments and empty segments of target, which is
 * lop_request_target() in any of its forms, are gone as they are there. When a hook has rewritten
 * the path, that is encoded and the client's spelling is not used. Writes at most size bytes, no
 * NUL (the length of upstream, three times that of path and that of target together, and one more,
 * are always enough); returns the length, or -ENOBUFS; or -EINVAL, to be answered with 400: path is not below the
 * prefix ("*" is not), or has what upstreams read in different ways: a backslash, or a dot segment
 * with a parameter ("..;x"), each also encoded. */
long route_target(const struct route *route, struct lop_str path, struct lop_str target, char *out,
                  size_t size);

/* How the way back is named: scheme://authority[/path] of the outside (--location, else from the
 * request), without a '/' at its end. */
struct outside {
	struct lop_str origin; /* "https://www.example" */
	struct lop_str path;   /* "" or "/below" */
};

/* What the translations below need to know of an exchange. */
struct way_back {
	const struct route *route;
	struct outside outside;
	struct lop_str authority; /* the Host field that the upstream was sent */
	bool secure;              /* whether it was spoken to by TLS */
};

/* A URL in a response (Location, Content-Location): one that points at the upstream below its path,
 * absolute ("http://", "//") or path-absolute, is translated to the outside; any other stays. The
 * upstream is known by the Host that it was sent and by the authorities of the route's URLs.
 * Returns the length, or -ENOBUFS. */
long route_location(const struct way_back *back, struct lop_str url, char *out, size_t size);
/* The same for whole values of fields. */
long route_refresh(const struct way_back *back, struct lop_str value, char *out, size_t size);
long route_link(const struct way_back *back, struct lop_str value, char *out, size_t size);
/* Set-Cookie: a Path below the upstream's path becomes the prefix's; a Domain that holds the
 * upstream but not the outside is taken away (the cookie is for whom the client asked). */
long route_cookie(const struct way_back *back, struct lop_str value, char *out, size_t size);

#endif
