/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way back: what an upstream says of itself, put as the client sees it.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "path.h"
#include "route.h"

/* Where the result grows; `full` once something did not fit. */
struct sink {
	char *out;
	size_t size;
	size_t length;
	bool full;
};

static void put(struct sink *sink, struct lop_str text)
{
	if (text.length > sink->size - sink->length)
		sink->full = true;
	if (sink->full || text.length == 0)
		return;
	memcpy(sink->out + sink->length, text.data, text.length);
	sink->length += text.length;
}

static long result(const struct sink *sink)
{
	return sink->full ? -ENOBUFS : (long)sink->length;
}

static struct lop_str str(const char *text)
{
	return (struct lop_str){ text, strlen(text) };
}

static struct lop_str between(const char *start, const char *end)
{
	return (struct lop_str){ start, (size_t)(end - start) };
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static struct lop_str trim(struct lop_str text)
{
	while (text.length > 0 && is_blank(text.data[0])) {
		text.data++;
		text.length--;
	}
	while (text.length > 0 && is_blank(text.data[text.length - 1]))
		text.length--;
	return text;
}

static char lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

static bool equals(struct lop_str left, struct lop_str right)
{
	if (left.length != right.length)
		return false;
	for (size_t i = 0; i < left.length; i++) {
		if (lower(left.data[i]) != lower(right.data[i]))
			return false;
	}
	return true;
}

/* Whether text begins with front in any case. */
static bool begins(struct lop_str text, const char *front)
{
	size_t length = strlen(front);
	return text.length >= length && equals((struct lop_str){ text.data, length }, str(front));
}

/* An absolute or path-absolute URL, taken apart. */
struct url {
	struct lop_str scheme;    /* without ':'; empty: the one of the page */
	struct lop_str authority; /* data NULL: path-absolute */
	struct lop_str rest;      /* path, query, fragment */
};

static bool split_url(struct lop_str text, struct url *url)
{
	const char *at = text.data, *end = text.data + text.length;

	*url = (struct url){ 0 };
	if (begins(text, "http://"))
		url->scheme = (struct lop_str){ at, 4 };
	else if (begins(text, "https://"))
		url->scheme = (struct lop_str){ at, 5 };
	else if (!begins(text, "/"))
		return false;
	if (url->scheme.length > 0)
		at += url->scheme.length + 1;
	if (begins(between(at, end), "//")) {
		const char *start = at + 2;
		for (at = start; at < end && *at != '/' && *at != '?' && *at != '#';)
			at++;
		url->authority = between(start, at);
	}
	url->rest = between(at, end);
	return true;
}

/* Takes away the port that the scheme implies, and the ':' of one that is empty. */
static struct lop_str without_port(struct lop_str authority, bool secure)
{
	struct lop_str port = str(secure ? ":443" : ":80");
	if (authority.length > port.length &&
	    memcmp(authority.data + authority.length - port.length, port.data, port.length) == 0)
		authority.length -= port.length;
	else if (authority.length > 0 && authority.data[authority.length - 1] == ':')
		authority.length--;
	return authority;
}

static bool same_origin(struct lop_str left, bool left_secure, struct lop_str right,
                        bool right_secure)
{
	return left_secure == right_secure &&
	       equals(without_port(left, left_secure), without_port(right, right_secure));
}

/* Whether the URL names the upstream: by the Host that it was sent, by an authority of the route,
 * or by the outside's origin when the Host that it was sent is that one's. */
static bool is_upstream(const struct way_back *back, const struct url *url)
{
	bool secure = url->scheme.length == 0 ? back->secure : url->scheme.length == 5;
	struct url outside;

	if (url->authority.data == NULL ||
	    same_origin(url->authority, secure, back->authority, back->secure))
		return true;
	for (size_t i = 0; i < back->route->url_count; i++) {
		const struct upstream_url *known = &back->route->urls[i];
		if (same_origin(url->authority, secure, str(known->authority), known->secure))
			return true;
	}
	return split_url(back->outside.origin, &outside) && outside.authority.data != NULL &&
	       equals(back->authority, outside.authority) &&
	       same_origin(url->authority, secure, outside.authority, outside.scheme.length == 5);
}

static size_t base_length(const char *path)
{
	size_t length = strlen(path);
	return length > 0 && path[length - 1] == '/' ? length - 1 : length;
}

/* Whether path lies below the upstream's path (or is it); *rest is what follows that. Two spellings
 * of a byte are the same here, but for an encoded slash. */
static bool below_upstream(const struct route *route, struct lop_str path, struct lop_str *rest)
{
	struct lop_str base = { route->upstream, base_length(route->upstream) };
	size_t at = 0;

	for (size_t i = 0; i < base.length;) {
		if (at == path.length || path_next(path, &at) != path_next(base, &i))
			return false;
	}
	*rest = (struct lop_str){ path.data + at, path.length - at };
	return rest->length == 0 || strchr("/?#", rest->data[0]) != NULL;
}

/* Puts the outside's path and what follows the upstream's. A prefix of "/foo/" is not "/foo". */
static void put_path(struct sink *sink, const struct way_back *back, struct lop_str rest)
{
	const char *prefix = back->route->prefix;
	put(sink, back->outside.path);
	put(sink, str(back->route->encoded));
	if ((rest.length == 0 || rest.data[0] != '/') && prefix[strlen(prefix) - 1] == '/')
		put(sink, str("/"));
	put(sink, rest);
}

/* Whether a client would take a path that begins so for a host: browsers drop tabs and read a
 * backslash as a slash. */
static bool looks_like_authority(const struct way_back *back, struct lop_str rest)
{
	return back->outside.path.length == 0 && back->route->encoded[0] == '\0' &&
	       rest.length > 1 && strchr("/\\\t", rest.data[1]) != NULL;
}

static void put_location(struct sink *sink, const struct way_back *back, struct lop_str text)
{
	struct lop_str rest;
	struct url url;

	if (!split_url(text, &url) || !is_upstream(back, &url)) {
		put(sink, text);
		return;
	}
	if (url.authority.data != NULL && (url.rest.length == 0 || url.rest.data[0] != '/')) {
		/* RFC 3986 6.2.3: no path is the path "/" */
		if (base_length(back->route->upstream) > 0) {
			put(sink, text);
			return;
		}
		rest = url.rest;
	} else if (!below_upstream(back->route, url.rest, &rest)) {
		put(sink, text);
		return;
	}
	if (url.authority.data != NULL || looks_like_authority(back, rest))
		put(sink, back->outside.origin);
	put_path(sink, back, rest);
}

long route_location(const struct way_back *back, struct lop_str url, char *out, size_t size)
{
	struct sink sink = { .out = out, .size = size };
	put_location(&sink, back, url);
	return result(&sink);
}

/* The form is HTML's: time [;,] ["url" =] URL, which may stand in quotes. */
long route_refresh(const struct way_back *back, struct lop_str value, char *out, size_t size)
{
	struct sink sink = { .out = out, .size = size };
	const char *at = value.data, *end = value.data + value.length;

	while (at < end && ((*at >= '0' && *at <= '9') || *at == '.'))
		at++;
	while (at < end && (is_blank(*at) || *at == ';' || *at == ','))
		at++;
	if (begins(between(at, end), "url")) {
		const char *equal = at + 3;
		while (equal < end && is_blank(*equal))
			equal++;
		if (equal < end && *equal == '=') {
			for (at = equal + 1; at < end && is_blank(*at);)
				at++;
		}
	}
	const char *url_end = end;
	if (at < end && (*at == '"' || *at == '\'')) {
		char quote = *at++;
		const char *close = memchr(at, quote, (size_t)(end - at));
		if (close != NULL)
			url_end = close;
	}
	put(&sink, between(value.data, at));
	put_location(&sink, back, between(at, url_end));
	put(&sink, between(url_end, end));
	return result(&sink);
}

/* Behind a quoted string that begins at `at`. */
static const char *skip_quoted(const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++) {
		if (*at == '\\' && end - at > 1)
			at++;
	}
	return at < end ? at + 1 : end;
}

/* RFC 8288: the targets stand in <>, elsewhere a '<' may stand in a quoted string only. */
long route_link(const struct way_back *back, struct lop_str value, char *out, size_t size)
{
	struct sink sink = { .out = out, .size = size };
	const char *at = value.data, *end = value.data + value.length;
	const char *copied = at;

	while (at < end) {
		if (*at == '"') {
			at = skip_quoted(at, end);
			continue;
		}
		if (*at++ != '<')
			continue;
		const char *close = memchr(at, '>', (size_t)(end - at));
		if (close == NULL)
			break;
		put(&sink, between(copied, at));
		put_location(&sink, back, trim(between(at, close)));
		copied = at = close;
	}
	put(&sink, between(copied, end));
	return result(&sink);
}

/* --- cookies ---------------------------------------------------------------------------------- */

/* The host of an authority, without port and the dot of the root. */
static struct lop_str host_of(struct lop_str authority)
{
	if (authority.length > 0 && authority.data[0] == '[')
		return authority;
	const char *colon = memchr(authority.data, ':', authority.length);
	if (colon != NULL)
		authority.length = (size_t)(colon - authority.data);
	if (authority.length > 0 && authority.data[authority.length - 1] == '.')
		authority.length--;
	return authority;
}

/* RFC 6265 5.1.3. */
static bool domain_matches(struct lop_str host, struct lop_str domain)
{
	if (equals(host, domain))
		return true;
	if (domain.length == 0 || host.length <= domain.length)
		return false;
	size_t before = host.length - domain.length;
	return host.data[before - 1] == '.' &&
	       equals((struct lop_str){ host.data + before, domain.length }, domain);
}

static bool is_inner_domain(const struct way_back *back, struct lop_str domain)
{
	struct url outside;

	if (domain.length > 0 && domain.data[0] == '.')
		domain = between(domain.data + 1, domain.data + domain.length);
	if (split_url(back->outside.origin, &outside) && outside.authority.data != NULL &&
	    domain_matches(host_of(outside.authority), domain))
		return false;
	if (back->authority.data != NULL && domain_matches(host_of(back->authority), domain))
		return true;
	for (size_t i = 0; i < back->route->url_count; i++) {
		struct lop_str authority = str(back->route->urls[i].authority);
		if (domain_matches(host_of(authority), domain))
			return true;
	}
	return false;
}

/* The Path of a cookie holds for what lies below it: "/foo", lest "/foo/" leave out /foo itself. */
static void put_cookie_path(struct sink *sink, const struct way_back *back, struct lop_str path)
{
	struct lop_str rest;

	if (path.length == 0 || path.data[0] != '/' || !below_upstream(back->route, path, &rest)) {
		put(sink, path);
		return;
	}
	if (rest.length == 1 && rest.data[0] == '/')
		rest.length = 0;
	size_t start = sink->length;
	put(sink, back->outside.path);
	put(sink, str(back->route->encoded));
	put(sink, rest);
	if (sink->length == start)
		put(sink, str("/"));
}

/* attribute begins with the ';' that ends what stands before it. */
static void put_attribute(struct sink *sink, const struct way_back *back, struct lop_str attribute)
{
	const char *end = attribute.data + attribute.length;
	const char *equal = memchr(attribute.data, '=', attribute.length);

	if (equal == NULL) {
		put(sink, attribute);
		return;
	}
	struct lop_str name = trim(between(attribute.data + 1, equal));
	struct lop_str value = trim(between(equal + 1, end));
	if (equals(name, str("domain")) && is_inner_domain(back, value))
		return;
	if (!equals(name, str("path"))) {
		put(sink, attribute);
		return;
	}
	put(sink, between(attribute.data, equal + 1));
	put_cookie_path(sink, back, value);
}

long route_cookie(const struct way_back *back, struct lop_str value, char *out, size_t size)
{
	struct sink sink = { .out = out, .size = size };
	const char *at = value.data, *end = value.data + value.length;
	bool first = true;

	while (at < end) {
		const char *start = at;
		const char *next = memchr(at + !first, ';', (size_t)(end - at) - !first);
		at = next != NULL ? next : end;
		if (first)
			put(&sink, between(start, at));
		else
			put_attribute(&sink, back, between(start, at));
		first = false;
	}
	return result(&sink);
}
