/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an upstream says of itself: the values of Location, Refresh, Link and Set-Cookie. The first
 * byte of the input chooses the route; the rest is a value.
 */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef long translate_f(const struct way_back *back, struct lop_str value, char *out, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static struct lop_str str(const char *text)
{
	return (struct lop_str){ text, strlen(text) };
}

/* No byte appears that neither the value nor the configuration holds; what does not fit is said,
 * and nothing is written beyond. Returns the length. */
static size_t check(translate_f *translate, const struct way_back *back, struct lop_str value,
                    char **result)
{
	size_t room = 64 * (value.length + 1);
	*result = malloc(room);
	expect(*result != NULL);
	long length = translate(back, value, *result, room);
	expect(length >= 0);
	for (size_t i = 0; i < (size_t)length; i++) {
		unsigned char byte = (unsigned char)(*result)[i];
		expect((byte > ' ' && byte < 0x7f) ||
		       memchr(value.data, byte, value.length) != NULL);
	}
	if (length > 0) {
		char *small = malloc((size_t)length - 1 + (length == 1));
		expect(small != NULL);
		expect(translate(back, value, small, (size_t)length - 1) == -ENOBUFS);
		free(small);
	}
	return (size_t)length;
}

/* A path-absolute URL must not become one that a browser takes for another host. */
static void check_location(const struct way_back *back, struct lop_str value)
{
	char *out;
	size_t length = check(route_location, back, value, &out);
	bool path = value.length > 0 && value.data[0] == '/' &&
	            (value.length < 2 || strchr("/\\\t", value.data[1]) == NULL);
	if (path && length > 1)
		expect(out[0] != '/' || strchr("/\\\t", out[1]) == NULL);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const maps[] = {
		"/=http://backend:8080/bar",
		"/foo=http://backend/",
		"/foo/=https://backend/bar/",
		"/=unix:/run/app.sock",
	};
	static translate_f *const others[] = { route_refresh, route_link, route_cookie };
	struct routes routes = { 0 };
	char error[128];

	if (size == 0)
		return 0;
	expect(routes_add(&routes, maps[data[0] % 4], error, sizeof error) == 0);
	struct way_back back = {
		.route = &routes.items[0],
		.outside = { str("https://www.example"), str(data[0] & 4 ? "/below" : "") },
		.authority = str(data[0] & 8 ? "www.example" : "backend"),
		.secure = routes.items[0].urls[0].secure,
	};
	char *exact = malloc(size);
	expect(exact != NULL);
	memcpy(exact, data + 1, size - 1);
	struct lop_str value = { exact, size - 1 };
	/* The parser of heads lets no NUL through. */
	if (memchr(exact, '\0', value.length) == NULL) {
		check_location(&back, value);
		for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
			char *out;
			check(others[i], &back, value, &out);
			free(out);
		}
	}
	free(exact);
	routes_clear(&routes);
	return 0;
}
