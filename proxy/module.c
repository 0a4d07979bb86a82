/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proxy: passes requests on to other servers and shares the load.
 *
 *   lhttpd -M proxy --map /=http://127.0.0.1:8080/,http://127.0.0.1:8081/
 *
 * All files are read, names' configuration too, and all that workers share is made, in CONFIGURED:
 * before privileges go and before the first fork. What belongs to one worker begins in WORKER.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy.h"

#define NAME_SLOTS 128 /* addresses that a name may have over time, until gone ones are forgotten */
#define ERROR_SIZE 256

static int proxy_init(struct lop_core *core, void **state)
{
	struct proxy *proxy = calloc(1, sizeof *proxy);

	if (proxy == NULL)
		return -ENOMEM;
	proxy->core = core;
	proxy->pipe[0] = proxy->pipe[1] = -1;
	proxy_presets(proxy);
	*state = proxy;
	return 0;
}

/* Made before the first fork */

static size_t url_count(const struct proxy *proxy)
{
	size_t count = 0;

	for (size_t i = 0; i < proxy->routes.count; i++)
		count += proxy->routes.items[i].url_count;
	return count;
}

static bool is_name(const struct upstream_url *url)
{
	return url->kind == UPSTREAM_SRV || (url->kind == UPSTREAM_TCP && !url->literal);
}

static int make_secure(struct proxy *proxy, char *error)
{
	for (size_t i = 0; i < proxy->routes.count; i++) {
		const struct route *route = &proxy->routes.items[i];

		for (size_t j = 0; j < route->url_count; j++) {
			if (route->urls[j].secure)
				return secure_new(&proxy->settings.secure, &proxy->secure, error,
				                  ERROR_SIZE);
		}
	}
	return 0;
}

static int make_secret(struct proxy *proxy, char *error)
{
	const struct balance *balance = &proxy->pools.balance;

	if (balance->method != BALANCE_STICKY || balance->key != KEY_COOKIE)
		return 0;
	return secret_new(proxy->settings.sticky_key, &proxy->secret, error, ERROR_SIZE);
}

static int check_begin(void *context, const struct server *server, int descriptor, void **state)
{
	struct proxy *proxy = context;
	struct secure_stream *stream;
	int result = secure_open(proxy->secure, descriptor, server->url, NULL, NULL, NULL, &stream);

	if (result == 0)
		*state = stream;
	return result;
}

static ssize_t check_read(void *state, void *buffer, size_t size)
{
	return secure_read(state, buffer, size);
}

static ssize_t check_write(void *state, const void *data, size_t size)
{
	return secure_write(state, data, size);
}

static void check_end(void *state)
{
	struct secure_stream *stream = state;

	secure_shutdown(stream);
	secure_close(&stream);
}

/* [host]/path, for people. */
static char *pool_name(const struct route *route)
{
	const char *host = route->host != NULL ? route->host : "";
	const size_t size = strlen(host) + strlen(route->prefix) + 1;
	char *name = malloc(size);

	if (name != NULL)
		snprintf(name, size, "%s%s", host, route->prefix);
	return name;
}

static int make_pools(struct proxy *proxy)
{
	struct pool_settings settings = proxy->pools;
	unsigned slots = 0;
	bool wake = false;
	int result;

	for (size_t i = 0; i < proxy->routes.count; i++) {
		const struct route *route = &proxy->routes.items[i];

		for (size_t j = 0; j < route->url_count; j++) {
			slots += is_name(&route->urls[j]) ? NAME_SLOTS : 1;
			wake |= route->urls[j].max_connections > 0;
		}
	}
	proxy->names_of_pools = calloc(proxy->routes.count, sizeof *proxy->names_of_pools);
	if (proxy->names_of_pools == NULL)
		return -ENOMEM;
	result = shared_new(proxy->core, (unsigned)proxy->routes.count, slots, wake, &proxy->shared);
	if (result < 0)
		return result;
	proxy->checks = (struct check_transport){ check_begin, check_read, check_write, check_end,
		                                  proxy };
	settings.check_preface = (struct lop_str){
		proxy->check_header,
		proxy_header_write(proxy->settings.send_proxy, &(struct proxy_header){ .source_port = 0 },
		                   proxy->check_header),
	};
	settings.secure = proxy->secure != NULL ? &proxy->checks : NULL;
	settings.secret = proxy->secret;
	settings.server_gone = upstreams_forget;
	if (proxy->settings.location != NULL)
		settings.cookie_base = proxy->settings.location + proxy->settings.location_origin;
	for (size_t i = 0; i < proxy->routes.count; i++) {
		struct route *route = &proxy->routes.items[i];

		settings.name = proxy->names_of_pools[i] = pool_name(route);
		if (settings.name == NULL)
			return -ENOMEM;
		settings.cookie_path = route->encoded;
		route->pool = pool_new(proxy->shared, (unsigned)i, route->urls, route->url_count,
		                       &settings);
		if (route->pool == NULL)
			return -ENOMEM;
	}
	return 0;
}

static int follow_names(struct proxy *proxy, char *error)
{
	struct names_settings settings;
	size_t count = 0;
	int result;

	names_preset(&settings);
	settings.core = proxy->core;
	settings.servers = proxy->settings.resolver;
	proxy->followed = calloc(url_count(proxy) + 1, sizeof *proxy->followed);
	if (proxy->followed == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < proxy->routes.count; i++) {
		const struct route *route = &proxy->routes.items[i];

		for (size_t j = 0; j < route->url_count; j++) {
			if (!is_name(&route->urls[j]))
				continue;
			if (proxy->names == NULL) {
				result = names_new(&settings, &proxy->names, error, ERROR_SIZE);
				if (result < 0)
					return result;
			}
			proxy->followed[count] = (struct followed){
				.proxy = proxy, .pool = route->pool, .url = &route->urls[j]
			};
			result = names_follow(proxy->names, &route->urls[j], exchange_names_changed,
			                      &proxy->followed[count++], error, ERROR_SIZE);
			if (result < 0)
				return result;
		}
	}
	return 0;
}

static int configured(struct proxy *proxy)
{
	char error[ERROR_SIZE] = "";
	int result;

	if (proxy->routes.count == 0) {
		lop_core_message(proxy->core, LOP_LOG_ERROR,
		                 "proxy: there is nothing to pass on: say where to, as in --map "
		                 "/=http://127.0.0.1:8080/");
		return -EINVAL;
	}
	routes_sort(&proxy->routes);
	result = make_secure(proxy, error);
	if (result == 0)
		result = make_secret(proxy, error);
	if (result == 0)
		result = make_pools(proxy);
	if (result == 0)
		result = follow_names(proxy, error);
	if (result < 0 && error[0] != '\0')
		lop_core_message(proxy->core, LOP_LOG_ERROR, "proxy: %s", error);
	return result;
}

/* The worker's own */

/* In a chroot, paths mean something else than to who typed them. */
static void look_for_sockets(struct proxy *proxy)
{
	for (size_t i = 0; i < proxy->routes.count; i++) {
		const struct route *route = &proxy->routes.items[i];

		for (size_t j = 0; j < route->url_count; j++) {
			const struct upstream_url *url = &route->urls[j];
			struct stat status;

			if (url->kind != UPSTREAM_UNIX || lstat(url->host, &status) == 0)
				continue;
			lop_worker_message(proxy->worker, LOP_LOG_WARNING,
			                   "proxy: cannot see the socket %s: %s; in a chroot it must be "
			                   "below the web root, and is named as seen from there",
			                   url->host, strerror(errno));
		}
	}
}

static int worker_begins(struct proxy *proxy, struct lop_worker *worker)
{
	int result;

	proxy->worker = worker;
	proxy->upstreams.worker = worker;
	proxy->upstreams.secure = proxy->secure;
	proxy->scratch = malloc(SCRATCH_HEAD + SCRATCH_BODY);
	proxy->input = lop_memory_new(INPUT_SIZE);
	if (proxy->scratch == NULL || proxy->input == NULL)
		return -ENOMEM;
	if (lop_worker_index(worker) == 0)
		look_for_sockets(proxy);
	result = shared_start(proxy->shared, worker);
	for (size_t i = 0; i < proxy->routes.count && result == 0; i++)
		result = pool_start(proxy->routes.items[i].pool, worker);
	if (result == 0 && proxy->names != NULL)
		result = names_start(proxy->names, worker);
	return result;
}

static void worker_drains(struct proxy *proxy)
{
	proxy->draining = true;
	upstreams_drain(&proxy->upstreams);
	tunnels_drain(proxy);
}

static void worker_ends(struct proxy *proxy)
{
	names_free(&proxy->names);
	for (size_t i = 0; i < proxy->routes.count; i++)
		pool_stop(proxy->routes.items[i].pool);
	shared_stop(proxy->shared);
	upstreams_drain(&proxy->upstreams);
	lop_memory_release(&proxy->input);
	free(proxy->scratch);
	proxy->scratch = NULL;
	proxy_close_pipe(proxy->pipe);
}

static int proxy_stage(void *state, enum lop_stage stage, struct lop_worker *worker)
{
	struct proxy *proxy = state;

	switch (stage) {
	case LOP_STAGE_CONFIGURED:
		return configured(proxy);
	case LOP_STAGE_WORKER:
		return worker_begins(proxy, worker);
	case LOP_STAGE_REFRESH:
		if (proxy->names != NULL)
			names_refresh(proxy->names);
		break;
	case LOP_STAGE_DRAIN:
		worker_drains(proxy);
		break;
	case LOP_STAGE_EXIT:
		worker_ends(proxy);
		break;
	default:
		break;
	}
	return 0;
}

static void proxy_fini(void *state)
{
	struct proxy *proxy = state;

	names_free(&proxy->names);
	for (size_t i = 0; i < proxy->routes.count; i++)
		pool_free(&proxy->routes.items[i].pool);
	for (size_t i = 0; i < proxy->routes.count && proxy->names_of_pools != NULL; i++)
		free(proxy->names_of_pools[i]);
	free(proxy->names_of_pools);
	shared_free(&proxy->shared);
	secret_free(&proxy->secret);
	secure_free(&proxy->secure);
	free(proxy->followed);
	routes_clear(&proxy->routes);
	proxy_settings_clear(proxy);
	free(proxy);
}

static const struct lop_hook hooks[] = {
	LOP_HOOK(LOP_PHASE_CONTENT, LOP_PRIORITY_FIRST, "proxy", proxy_content),
	LOP_HOOK(LOP_PHASE_DONE, LOP_PRIORITY_FIRST, "proxy-done", proxy_done),
	LOP_HOOK_END,
};

/* OpenSSL speaks to https servers, and signs cookies. */
#ifdef HAVE_OPENSSL
#define PROXY_NEEDS (LOP_NEEDS_CONNECT | LOP_NEEDS_ENCRYPT)
#else
#define PROXY_NEEDS LOP_NEEDS_CONNECT
#endif

LOP_EXPORT_MODULE = {
	LOP_MODULE_HEADER("proxy", "1.0", "passes requests on to other servers and shares the load",
	                  PROXY_NEEDS),
	.options = proxy_options,
	.init = proxy_init,
	.stage = proxy_stage,
	.fini = proxy_fini,
	.hooks = hooks,
};
