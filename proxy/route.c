/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "route.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "path.h"

static void route_clear(struct route *route)
{
	for (size_t i = 0; i < route->url_count; i++)
		upstream_url_clear(&route->urls[i]);
	free(route->urls);
	free(route->host);
	free(route->prefix);
	free(route->encoded);
	free(route->upstream);
	*route = (struct route){ 0 };
}

void routes_clear(struct routes *routes)
{
	for (size_t i = 0; i < routes->count; i++)
		route_clear(&routes->items[i]);
	free(routes->items);
	*routes = (struct routes){ 0 };
}

/* Length of a path without the '/' at its end. */
static size_t base_length(const char *path)
{
	size_t length = strlen(path);
	return length > 0 && path[length - 1] == '/' ? length - 1 : length;
}

/* A host without its port and the dot of the root; brackets stay. */
static struct lop_str host_name(struct lop_str host)
{
	if (host.length > 0 && host.data[0] == '[') {
		const char *close = memchr(host.data, ']', host.length);
		if (close != NULL)
			host.length = (size_t)(close - host.data) + 1;
		return host;
	}
	const char *colon = memchr(host.data, ':', host.length);
	if (colon != NULL)
		host.length = (size_t)(colon - host.data);
	if (host.length > 0 && host.data[host.length - 1] == '.')
		host.length--;
	return host;
}

/* --- adding ----------------------------------------------------------------------------------- */

static int fail(char *error, size_t error_size, const char *map, const char *reason)
{
	snprintf(error, error_size, "%s: %s", map, reason);
	return -EINVAL;
}

static int read_host(struct route *route, struct lop_str host, const char *map, char *error,
                     size_t error_size)
{
	if (host.length == 0)
		return 0;
	struct lop_str name = host_name(host);
	bool bracketed = host.data[0] == '[';
	if (name.length == 0 ||
	    (bracketed && (name.length < host.length || host.data[host.length - 1] != ']')) ||
	    (!bracketed && memchr(host.data, ':', host.length) != NULL))
		return fail(error, error_size, map,
		            "the host before the path is a name or [address], without a port");
	route->host = strndup(name.data, name.length);
	if (route->host == NULL)
		return -ENOMEM;
	for (char *at = route->host; *at != '\0'; at++) {
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at | 0x20);
		else if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f ||
		         strchr("*?#@\\\"<>", *at) != NULL)
			return fail(error, error_size, map,
			            "the host before the path is a name or an address");
	}
	return 0;
}

static int read_prefix(struct route *route, struct lop_str prefix, const char *map, char *error,
                       size_t error_size)
{
	if (memchr(prefix.data, '?', prefix.length) != NULL ||
	    memchr(prefix.data, '#', prefix.length) != NULL)
		return fail(error, error_size, map,
		            "a path is mapped without query or fragment; encode '?' as %3F, "
		            "'#' as %23");
	for (size_t at = 0; at < prefix.length;) {
		if (path_next(prefix, &at) == PATH_SLASH)
			return fail(error, error_size, map,
			            "no request with an encoded '/' in its path is taken");
	}
	route->prefix = malloc(prefix.length + 1);
	if (route->prefix == NULL)
		return -ENOMEM;
	size_t length = path_decode(prefix, route->prefix);
	route->prefix[length] = '\0';
	if (!path_is_clear((struct lop_str){ route->prefix, length }))
		return fail(error, error_size, map,
		            "the path begins with '/' and has no '//', '.', '..' and '\\'");
	length = base_length(route->prefix);
	route->encoded = malloc(3 * length + 1);
	if (route->encoded == NULL)
		return -ENOMEM;
	route->encoded[path_encode((struct lop_str){ route->prefix, length }, route->encoded,
	                           3 * length)] = '\0';
	return 0;
}

/* Adds a URL to the route; its path must be that of the others. */
static int add_url(struct route *route, struct lop_str text, char *error, size_t error_size)
{
	struct upstream_url *urls = realloc(route->urls, (route->url_count + 1) * sizeof *urls);
	if (urls == NULL)
		return -ENOMEM;
	route->urls = urls;
	int result = upstream_url_parse(text, &urls[route->url_count], error, error_size);
	if (result != 0)
		return result;
	struct upstream_url *url = &urls[route->url_count++];
	if (route->upstream == NULL) {
		route->upstream = strdup(url->path);
		return route->upstream == NULL ? -ENOMEM : 0;
	}
	if (strcmp(route->upstream, url->path) == 0)
		return 0;
	snprintf(error, error_size,
	         "%.*s: its path is not %s, the path of the other URL that shares the load of "
	         "%s%s",
	         (int)text.length, text.data, route->upstream,
	         route->host != NULL ? route->host : "", route->prefix);
	return -EINVAL;
}

static int add_urls(struct route *route, const char *text, char *error, size_t error_size)
{
	for (;;) {
		size_t length = strcspn(text, ",");
		int result = add_url(route, (struct lop_str){ text, length }, error, error_size);
		if (result != 0)
			return result;
		if (text[length] == '\0')
			return 0;
		text += length + 1;
	}
}

static int compare_hosts(const char *left, const char *right)
{
	if (left == NULL || right == NULL)
		return (left == NULL) - (right == NULL);
	return strcmp(left, right);
}

static struct route *find_same(const struct routes *routes, const struct route *route)
{
	for (size_t i = 0; i < routes->count; i++) {
		struct route *other = &routes->items[i];
		if (compare_hosts(other->host, route->host) == 0 &&
		    strcmp(other->prefix, route->prefix) == 0)
			return other;
	}
	return NULL;
}

static int add_route(struct routes *routes, struct route *route)
{
	struct route *items = realloc(routes->items, (routes->count + 1) * sizeof *items);
	if (items == NULL)
		return -ENOMEM;
	routes->items = items;
	items[routes->count++] = *route;
	*route = (struct route){ 0 };
	return 0;
}

/* A map that fails takes the server's start with it, so it may leave some of its URLs behind. */
int routes_add(struct routes *routes, const char *map, char *error, size_t error_size)
{
	struct route route = { 0 };
	size_t host = strcspn(map, "/=");
	size_t prefix = strcspn(map + host, "=");
	const char *urls = map + host + prefix;
	int result = -EINVAL;

	if (*urls == '\0' || prefix == 0) {
		fail(error, error_size, map,
		     "a map is PATH=URL, as in /app=http://127.0.0.1:8080/");
		goto done;
	}
	result = read_host(&route, (struct lop_str){ map, host }, map, error, error_size);
	if (result == 0)
		result = read_prefix(&route, (struct lop_str){ map + host, prefix }, map, error,
		                     error_size);
	if (result != 0)
		goto done;
	struct route *same = find_same(routes, &route);
	result = add_urls(same != NULL ? same : &route, urls + 1, error, error_size);
	if (result == 0 && same == NULL)
		result = add_route(routes, &route);
done:
	route_clear(&route);
	if (result == -ENOMEM)
		snprintf(error, error_size, "%s", strerror(ENOMEM));
	return result;
}

/* --- finding ---------------------------------------------------------------------------------- */

/* Routes of one host side by side, those of any host last; in each, longer prefixes first. */
static int compare_routes(const void *a, const void *b)
{
	const struct route *left = a, *right = b;
	int order = compare_hosts(left->host, right->host);
	if (order != 0)
		return order;
	size_t left_length = strlen(left->prefix), right_length = strlen(right->prefix);
	if (left_length != right_length)
		return left_length < right_length ? 1 : -1;
	return strcmp(left->prefix, right->prefix);
}

void routes_sort(struct routes *routes)
{
	if (routes->count > 1)
		qsort(routes->items, routes->count, sizeof *routes->items, compare_routes);
}

/* Whether path is the prefix or below it. */
static bool is_below(const char *prefix, struct lop_str path)
{
	size_t length = strlen(prefix);
	if (path.length < length || memcmp(path.data, prefix, length) != 0)
		return false;
	return prefix[length - 1] == '/' || path.length == length || path.data[length] == '/';
}

/* The order of compare_routes() between a route and a host without port in any case. */
static int compare_host(const struct route *route, struct lop_str host)
{
	if (route->host == NULL)
		return 1;
	for (size_t i = 0; i < host.length; i++) {
		unsigned char left = (unsigned char)route->host[i];
		unsigned char right = (unsigned char)host.data[i];
		if (right >= 'A' && right <= 'Z')
			right |= 0x20;
		if (left != right)
			return left < right ? -1 : 1;
	}
	return route->host[host.length] != '\0';
}

/* Index of the first route that is not before the host's, or, host NULL, of those of any host. */
static size_t first_of(const struct routes *routes, const struct lop_str *host)
{
	size_t low = 0, high = routes->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct route *route = &routes->items[middle];
		if (host != NULL ? compare_host(route, *host) < 0 : route->host != NULL)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct route *routes_find(const struct routes *routes, struct lop_str host,
                                struct lop_str path)
{
	const struct route *end = routes->items + routes->count;
	const struct route *route;

	if (routes->count == 0)
		return NULL;
	if (host.length > 0 && routes->items[0].host != NULL) {
		host = host_name(host);
		route = routes->items + first_of(routes, &host);
		for (; route < end && compare_host(route, host) == 0; route++) {
			if (is_below(route->prefix, path))
				return route;
		}
	}
	for (route = routes->items + first_of(routes, NULL); route < end; route++) {
		if (is_below(route->prefix, path))
			return route;
	}
	return NULL;
}

/* --- the way there ---------------------------------------------------------------------------- */

/* Splits a target of the origin-form or the absolute-form (RFC 9112 3.2) into path and query, which
 * begins with '?'. */
static void split_target(struct lop_str target, struct lop_str *path, struct lop_str *query)
{
	const char *at = target.data, *end = target.data + target.length;

	if (target.length > 0 && *at != '/') {
		const char *slashes = memchr(at, '/', target.length);
		at = slashes != NULL && end - slashes >= 2 ? slashes + 2 : end;
		while (at < end && *at != '/' && *at != '?')
			at++;
	}
	const char *question = at < end ? memchr(at, '?', (size_t)(end - at)) : NULL;
	const char *path_end = question != NULL ? question : end;
	*path = (struct lop_str){ at, (size_t)(path_end - at) };
	*query = (struct lop_str){ path_end, (size_t)(end - path_end) };
	if (path->length == 0)
		*path = (struct lop_str){ "/", 1 };
}

/* Whether the encoded text means path. *rest is set to where in it path[base] stands. */
static bool means(struct lop_str encoded, struct lop_str path, size_t base, size_t *rest)
{
	size_t at = 0, i = 0;

	*rest = encoded.length;
	while (at < encoded.length) {
		if (i == base)
			*rest = at;
		if (i == path.length || path_next(encoded, &at) != (unsigned char)path.data[i])
			return false;
		i++;
	}
	return i == path.length;
}

/* Puts rest, which may lie in out, behind the path of the upstream. The length, or -ENOBUFS. */
static long join(const struct route *route, struct lop_str rest, char *out, size_t size)
{
	size_t length = rest.length > 0 ? base_length(route->upstream) : strlen(route->upstream);
	if (length > size || rest.length > size - length)
		return -ENOBUFS;
	memmove(out + length, rest.data, rest.length);
	memcpy(out, route->upstream, length);
	return (long)(length + rest.length);
}

static long join_encoding(const struct route *route, struct lop_str rest, char *out, size_t size)
{
	long length = join(route, (struct lop_str){ rest.data, 0 }, out, size);
	if (length < 0 || rest.length == 0)
		return length;
	length = (long)base_length(route->upstream);
	long written = path_encode(rest, out + length, size - (size_t)length);
	return written < 0 ? written : length + written;
}

/* The client's own spelling, with dots and empty segments gone. 0: it does not mean the path. */
static long join_spelling(const struct route *route, struct lop_str raw, struct lop_str path,
                          size_t base, char *out, size_t size)
{
	size_t rest;

	if (raw.length + 1 > size)
		return -ENOBUFS;
	long length = path_normalise(raw, out);
	if (length < 0)
		return 0;
	if (!means((struct lop_str){ out, (size_t)length }, path, base, &rest))
		return 0;
	return join(route, (struct lop_str){ out + rest, (size_t)length - rest }, out, size);
}

long route_target(const struct route *route, struct lop_str path, struct lop_str target, char *out,
                  size_t size)
{
	size_t base = base_length(route->prefix);
	struct lop_str raw, query;
	long length;

	if (!path_is_clear(path) || !is_below(route->prefix, path))
		return -EINVAL;
	split_target(target, &raw, &query);
	struct lop_str rest = { path.data + base, path.length - base };
	if (raw.length == path.length && memcmp(raw.data, path.data, raw.length) == 0 &&
	    memchr(raw.data, '%', raw.length) == NULL) {
		length = join(route, rest, out, size);
	} else {
		length = join_spelling(route, raw, path, base, out, size);
		if (length == 0)
			length = join_encoding(route, rest, out, size);
	}
	if (length < 0)
		return length;
	if (query.length > size - (size_t)length)
		return -ENOBUFS;
	memcpy(out + length, query.data, query.length);
	return length + (long)query.length;
}
