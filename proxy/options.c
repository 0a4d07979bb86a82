/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The options of the module.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duration.h"
#include "proxy.h"

#define SECOND INT64_C(1000000000)

void proxy_presets(struct proxy *proxy)
{
	proxy->settings = (struct proxy_settings){
		.connect_timeout = 5 * SECOND,
		.response_timeout = 60 * SECOND,
		.between_timeout = 60 * SECOND,
		.tunnel_timeout = 3600 * SECOND,
		.tunnel_drain = 10 * SECOND,
		.retries = 2,
	};
	proxy->pools = (struct pool_settings){
		.fail_limit = 3,
		.eject_time = 10 * SECOND,
		.eject_max = 300 * SECOND,
		.queue_size = 1000,
		.queue_timeout = 10 * SECOND,
		.retry_percent = 20,
	};
	proxy->upstreams.max_idle = 256;
	proxy->upstreams.idle_timeout = 60 * SECOND;
}

void proxy_settings_clear(struct proxy *proxy)
{
	struct proxy_settings *settings = &proxy->settings;

	trust_clear(&settings->trust);
	free(settings->location);
	free(settings->sticky_key);
	free(settings->resolver);
	free((char *)(uintptr_t)settings->secure.authorities);
	free((char *)(uintptr_t)settings->secure.certificate);
	free((char *)(uintptr_t)settings->secure.key);
	balance_clear(&proxy->pools.balance);
	health_clear(&proxy->pools.health);
}

/* Values */

static int read_time(const char *value, int64_t *time, char *error, size_t error_size)
{
	if (duration_parse((struct lop_str){ value, strlen(value) }, time) == 0)
		return 0;
	snprintf(error, error_size,
	         "'%s' is not a time: write seconds, or a number with ms, s, m or h", value);
	return -EINVAL;
}

static int read_number(const char *value, unsigned low, unsigned high, unsigned *number,
                       char *error, size_t error_size)
{
	char *end;
	unsigned long read;

	errno = 0;
	read = strtoul(value, &end, 10);
	if (value[0] >= '0' && value[0] <= '9' && *end == '\0' && errno == 0 && read >= low &&
	    read <= high) {
		*number = (unsigned)read;
		return 0;
	}
	snprintf(error, error_size, "'%s' is not a number from %u to %u", value, low, high);
	return -EINVAL;
}

static int read_size(const char *value, int64_t *size, char *error, size_t error_size)
{
	static const char units[] = "kmg";
	char *end;
	long long number;
	unsigned shift = 0;

	errno = 0;
	number = strtoll(value, &end, 10);
	if (*end != '\0' && end[1] == '\0') {
		const char *unit = strchr(units, *end | 0x20);

		if (unit != NULL) {
			shift = 10 * (unsigned)(unit - units + 1);
			end++;
		}
	}
	if (errno != 0 || value[0] < '0' || value[0] > '9' || *end != '\0' ||
	    number > (INT64_C(1) << 40) >> shift) {
		snprintf(error, error_size,
		         "'%s' is not a size: write a number of bytes, or one with k, m or g",
		         value);
		return -EINVAL;
	}
	*size = (int64_t)number << shift;
	return 0;
}

static int keep_text(const char *value, char **text)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

static int keep_file(const char *value, const char **text)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return -ENOMEM;
	free((char *)(uintptr_t)*text);
	*text = copy;
	return 0;
}

/* Setters. Those of one kind differ in the place only. */

#define SETTER(name)                                                                               \
	static int set_##name(void *state, const char *value, char *error, size_t error_size)

#define TIME_SETTER(name, field)                                                                   \
	SETTER(name)                                                                               \
	{                                                                                          \
		struct proxy *proxy = state;                                                       \
                                                                                                   \
		return read_time(value, &proxy->field, error, error_size);                         \
	}

#define NUMBER_SETTER(name, field, low, high)                                                      \
	SETTER(name)                                                                               \
	{                                                                                          \
		struct proxy *proxy = state;                                                       \
                                                                                                   \
		return read_number(value, (low), (high), &proxy->field, error, error_size);        \
	}

#define FILE_SETTER(name, field)                                                                   \
	SETTER(name)                                                                               \
	{                                                                                          \
		struct proxy *proxy = state;                                                       \
                                                                                                   \
		(void)error;                                                                       \
		(void)error_size;                                                                  \
		return keep_file(value, &proxy->field);                                            \
	}

#define TEXT_SETTER(name, field)                                                                   \
	SETTER(name)                                                                               \
	{                                                                                          \
		struct proxy *proxy = state;                                                       \
                                                                                                   \
		(void)error;                                                                       \
		(void)error_size;                                                                  \
		return keep_text(value, &proxy->field);                                            \
	}

#define FLAG_SETTER(name, field)                                                                   \
	SETTER(name)                                                                               \
	{                                                                                          \
		struct proxy *proxy = state;                                                       \
                                                                                                   \
		(void)value;                                                                       \
		(void)error;                                                                       \
		(void)error_size;                                                                  \
		proxy->field = true;                                                               \
		return 0;                                                                          \
	}

TIME_SETTER(connect_timeout, settings.connect_timeout)
TIME_SETTER(response_timeout, settings.response_timeout)
TIME_SETTER(between_timeout, settings.between_timeout)
TIME_SETTER(exchange_timeout, settings.exchange_timeout)
TIME_SETTER(tunnel_timeout, settings.tunnel_timeout)
TIME_SETTER(tunnel_drain, settings.tunnel_drain)
TIME_SETTER(idle_timeout, upstreams.idle_timeout)
TIME_SETTER(eject_time, pools.eject_time)
TIME_SETTER(eject_max, pools.eject_max)
TIME_SETTER(slow_limit, pools.slow_limit)
TIME_SETTER(queue_timeout, pools.queue_timeout)
NUMBER_SETTER(max_idle, upstreams.max_idle, 0, 1000000)
NUMBER_SETTER(retries, settings.retries, 0, POOL_TRIED_MAX - 1)
NUMBER_SETTER(retry_budget, pools.retry_percent, 0, 100)
NUMBER_SETTER(fail_limit, pools.fail_limit, 1, 1000000)
NUMBER_SETTER(queue_size, pools.queue_size, 0, 1000000)
FILE_SETTER(authorities, settings.secure.authorities)
FILE_SETTER(certificate, settings.secure.certificate)
FILE_SETTER(key, settings.secure.key)
TEXT_SETTER(sticky_key, settings.sticky_key)
TEXT_SETTER(resolver, settings.resolver)
FLAG_SETTER(insecure, settings.secure.unverified)
FLAG_SETTER(eject_errors, pools.eject_errors)

SETTER(map)
{
	struct proxy *proxy = state;

	return routes_add(&proxy->routes, value, error, error_size);
}

SETTER(trust)
{
	struct proxy *proxy = state;

	return trust_add(&proxy->settings.trust, value, error, error_size);
}

SETTER(balance)
{
	struct proxy *proxy = state;

	balance_clear(&proxy->pools.balance);
	return balance_parse(value, &proxy->pools.balance, error, error_size);
}

SETTER(health)
{
	struct proxy *proxy = state;

	health_clear(&proxy->pools.health);
	return health_parse(value, &proxy->pools.health, error, error_size);
}

SETTER(send_proxy)
{
	struct proxy *proxy = state;

	return proxy_header_version(value, &proxy->settings.send_proxy, error, error_size);
}

SETTER(buffer_requests)
{
	struct proxy *proxy = state;

	return read_size(value, &proxy->settings.buffer_requests, error, error_size);
}

SETTER(upstream_host)
{
	struct proxy *proxy = state;

	if (strcmp(value, "keep") != 0 && strcmp(value, "upstream") != 0) {
		snprintf(error, error_size, "'%s': write 'keep' (the client's) or 'upstream'", value);
		return -EINVAL;
	}
	proxy->settings.upstream_host = value[0] == 'u';
	return 0;
}

/* http://outside[:port][/path] */
SETTER(location)
{
	struct proxy *proxy = state;
	const size_t scheme = strncmp(value, "http://", 7) == 0    ? 7
	                      : strncmp(value, "https://", 8) == 0 ? 8
	                                                           : 0;
	const size_t host = strcspn(value + scheme, "/?#\\ \t");
	size_t length = strlen(value);
	int result;

	if (scheme == 0 || host == 0 || strpbrk(value + scheme, "?#\\ \t\"<>@") != NULL) {
		snprintf(error, error_size,
		         "'%s' is not what the outside is called: write http://name, https://name or "
		         "the same with a port or a path",
		         value);
		return -EINVAL;
	}
	result = keep_text(value, &proxy->settings.location);
	if (result < 0)
		return result;
	while (length > scheme + host && value[length - 1] == '/')
		length--;
	proxy->settings.location[length] = '\0';
	proxy->settings.location_origin = scheme + host;
	return 0;
}

const struct lop_option proxy_options[] = {
	LOP_OPTION(0, "map", "MAP",
	           "[HOST]/PATH=URL[,URL...]: pass what is below it on to these servers; repeatable",
	           set_map),
	LOP_OPTION(0, "location", "URL",
	           "how clients call this server, for redirects; default: as each one asked",
	           set_location),
	LOP_OPTION(0, "upstream-host", "WHICH",
	           "the Host field that servers get: keep (the client's, the default) or upstream",
	           set_upstream_host),
	LOP_OPTION(0, "trust", "CIDR",
	           "take Forwarded and X-Forwarded-... from clients in this network; repeatable",
	           set_trust),
	LOP_OPTION(0, "balance", "METHOD",
	           "round-robin, least-connections, random, hash:FIELD or sticky; see the manual",
	           set_balance),
	LOP_OPTION(0, "health", "CHECK",
	           "ask each server: path=/up,interval=2s,rise=2,fall=3,expect=200", set_health),
	LOP_OPTION(0, "retries", "N", "ask so many other servers after one that failed; default 2",
	           set_retries),
	LOP_OPTION(0, "retry-budget", "PERCENT", "of all requests that may be retries; default 20",
	           set_retry_budget),
	LOP_OPTION(0, "fail-limit", "N", "failures in a row that eject a server; default 3",
	           set_fail_limit),
	LOP_OPTION(0, "eject-time", "TIME", "for the first time, later longer; default 10s",
	           set_eject_time),
	LOP_OPTION(0, "eject-max", "TIME", "the longest ejection; default 5m", set_eject_max),
	LOP_OPTION(0, "eject-errors", NULL, "count answers of 502, 503 and 504 as failures",
	           set_eject_errors),
	LOP_OPTION(0, "slow-limit", "TIME", "count a later first byte as a failure; default 0: none",
	           set_slow_limit),
	LOP_OPTION(0, "queue-size", "N",
	           "requests a worker lets wait while all servers have max; default 1000",
	           set_queue_size),
	LOP_OPTION(0, "queue-timeout", "TIME", "they wait so long, then get 503; default 10s",
	           set_queue_timeout),
	LOP_OPTION(0, "sticky-key", "FILE", "secrets of sticky cookies, one a line; default: random",
	           set_sticky_key),
	LOP_OPTION(0, "buffer-requests", "SIZE",
	           "gather bodies up to this before a server is asked; default 0: pass them on",
	           set_buffer_requests),
	LOP_OPTION(0, "max-idle", "N", "connections a worker keeps to each server; default 256",
	           set_max_idle),
	LOP_OPTION(0, "idle-timeout", "TIME", "it keeps them so long unused; default 60s",
	           set_idle_timeout),
	LOP_OPTION(0, "connect-timeout", "TIME", "to reach a server, TLS included; default 5s",
	           set_connect_timeout),
	LOP_OPTION(0, "response-timeout", "TIME", "to the first byte of an answer; default 60s",
	           set_response_timeout),
	LOP_OPTION(0, "between-timeout", "TIME", "in which the next byte must move; default 60s",
	           set_between_timeout),
	LOP_OPTION(0, "exchange-timeout", "TIME", "for request and answer together; default 0: none",
	           set_exchange_timeout),
	LOP_OPTION(0, "tunnel-timeout", "TIME", "in which a byte must move in a tunnel; default 1h",
	           set_tunnel_timeout),
	LOP_OPTION(0, "tunnel-drain", "TIME", "tunnels last so long after a QUIT; default 10s",
	           set_tunnel_drain),
	LOP_OPTION(0, "upstream-ca", "FILE",
	           "authorities that https servers are verified with; default: the system's",
	           set_authorities),
	LOP_OPTION(0, "upstream-cert", "FILE", "certificate that is shown to https servers",
	           set_certificate),
	LOP_OPTION(0, "upstream-key", "FILE", "its key; default: in the file of the certificate",
	           set_key),
	LOP_OPTION(0, "upstream-insecure", NULL, "do not verify the certificates of https servers",
	           set_insecure),
	LOP_OPTION(0, "send-proxy", "VERSION",
	           "begin connections to servers with a PROXY header: v1, v2 or off", set_send_proxy),
	LOP_OPTION(0, "resolver", "ADDRESSES", "name servers to ask; default: the system's",
	           set_resolver),
	LOP_OPTION_END,
};
