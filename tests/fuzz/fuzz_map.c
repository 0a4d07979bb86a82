/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Maps, and the targets that they send on. The input is a map, a newline, and a client's target.
 */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "route.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static char *copy(const void *data, size_t size)
{
	char *text = malloc(size + 1);
	expect(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

static void check_route(const struct route *route)
{
	expect(route->prefix[0] == '/' && route->upstream[0] == '/' && route->url_count > 0);
	for (size_t i = 0; i < route->url_count; i++) {
		const struct upstream_url *url = &route->urls[i];
		expect(strcmp(url->path, route->upstream) == 0);
		expect(url->host[0] != '\0' && url->authority[0] != '\0');
		expect(url->weight >= 1 && url->weight <= 256);
		expect(url->kind == UPSTREAM_UNIX ||
		       target_check_authority(url->authority, strlen(url->authority)) == 0);
	}
}

static bool begins(struct lop_str path, const char *front)
{
	size_t length = strlen(front);
	return path.length >= length && memcmp(path.data, front, length) == 0;
}

/* What is sent on means the upstream's path and what followed the prefix, to a reader as strict as
 * this server. */
static void check_sent(const struct route *route, struct lop_str path, struct lop_str query,
                       const char *sent, size_t length)
{
	char *base_out = malloc(strlen(route->upstream) + 2);
	char *out = malloc(length + 2);
	struct target again, base;
	size_t cut = strlen(route->prefix);

	expect(out != NULL && base_out != NULL && sent[0] == '/');
	expect(target_parse(LOP_METHOD_GET, sent, length, out, &again) == 0);
	expect(target_parse(LOP_METHOD_GET, route->upstream, strlen(route->upstream), base_out,
	                    &base) == 0);
	expect(again.authority.data == NULL && (query.data == NULL) == (again.query.data == NULL));
	expect(again.query.length == query.length);
	expect(query.length == 0 || memcmp(again.query.data, query.data, query.length) == 0);
	cut -= route->prefix[cut - 1] == '/';
	expect(begins(path, route->prefix));
	struct lop_str rest = { path.data + cut, path.length - cut };
	if (rest.length > 0 && base_out[base.path.length - 1] == '/')
		base_out[base.path.length - 1] = '\0';
	expect(begins(again.path, base_out));
	expect(again.path.length == strlen(base_out) + rest.length);
	expect(memcmp(again.path.data + strlen(base_out), rest.data, rest.length) == 0);
	expect(length < 2 || sent[1] != '/');
	expect(memchr(again.path.data, '\\', again.path.length) == NULL);
	free(out);
	free(base_out);
}

static void check_target(const struct routes *routes, const char *raw, size_t length)
{
	char *path = malloc(length + 2);
	struct target target;

	expect(path != NULL);
	if (target_parse(LOP_METHOD_GET, raw, length, path, &target) == 0) {
		const struct route *route = routes_find(routes, target.authority, target.path);
		if (route != NULL) {
			size_t room = strlen(route->upstream) + 3 * target.path.length + length + 1;
			char *sent = malloc(room);
			expect(sent != NULL);
			long result = route_target(route, target.path,
			                           (struct lop_str){ raw, length }, sent, room);
			expect(result > 0 || result == -EINVAL);
			if (result > 0)
				check_sent(route, target.path, target.query, sent, (size_t)result);
			free(sent);
		}
	}
	free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct routes routes = { 0 };
	char error[128] = "";
	const uint8_t *newline = size > 0 ? memchr(data, '\n', size) : NULL;
	size_t map_size = newline != NULL ? (size_t)(newline - data) : size;
	char *map = copy(data, map_size);

	int result = routes_add(&routes, map, error, sizeof error);
	expect(result == 0 || (result == -EINVAL && error[0] != '\0'));
	if (result == 0) {
		routes_sort(&routes);
		check_route(&routes.items[0]);
		if (newline != NULL) {
			size_t length = size - map_size - 1;
			char *raw = malloc(length > 0 ? length : 1);
			expect(raw != NULL);
			memcpy(raw, newline + 1, length);
			check_target(&routes, raw, length);
			free(raw);
		}
	}
	routes_clear(&routes);
	free(map);
	return 0;
}
