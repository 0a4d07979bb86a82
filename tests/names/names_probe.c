/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * names_probe: a module that follows names as the proxy does, and answers GET /names with a line for
 * each: the name, how often it was told of, the status, then the addresses with their ports, and
 * "*weight" where there are weights.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lophttpd/lophttpd.h>

#include "names.h"

#define FOLLOWED_MAX 16
#define TEXT_MAX 4096
#define NS_PER_MS INT64_C(1000000)

struct followed {
	struct upstream_url url;
	unsigned told;
	char text[TEXT_MAX];
};

struct probe {
	struct names_settings settings;
	struct names *names;
	struct followed followed[FOLLOWED_MAX];
	size_t count;
};

/* HOST:PORT, or _service._tcp.NAME */
static int set_name(void *state, const char *value, char *error, size_t error_size)
{
	struct probe *probe = state;
	struct upstream_url *url = &probe->followed[probe->count].url;
	const char *colon = strrchr(value, ':');

	if (probe->count == FOLLOWED_MAX) {
		snprintf(error, error_size, "too many names");
		return -EINVAL;
	}
	*url = (struct upstream_url){ .kind = colon != NULL ? UPSTREAM_TCP : UPSTREAM_SRV };
	url->host = strndup(value, colon != NULL ? (size_t)(colon - value) : strlen(value));
	url->port = (uint16_t)(colon != NULL ? atoi(colon + 1) : 0);
	probe->count++;
	return url->host == NULL ? -ENOMEM : 0;
}

static int set_resolver(void *state, const char *value, char *error, size_t error_size)
{
	struct probe *probe = state;

	(void)error;
	(void)error_size;
	probe->settings.servers = strdup(value);
	return probe->settings.servers == NULL ? -ENOMEM : 0;
}

static int set_hosts(void *state, const char *value, char *error, size_t error_size)
{
	struct probe *probe = state;

	(void)error;
	(void)error_size;
	probe->settings.hosts = strdup(value);
	return probe->settings.hosts == NULL ? -ENOMEM : 0;
}

static int set_family(void *state, const char *value, char *error, size_t error_size)
{
	struct probe *probe = state;

	(void)error;
	(void)error_size;
	probe->settings.family = strcmp(value, "6") == 0 ? AF_INET6 : AF_INET;
	return 0;
}

/* ms: ttl_min,ttl_max,retry,gone,timeout */
static int set_times(void *state, const char *value, char *error, size_t error_size)
{
	struct names_settings *settings = &((struct probe *)state)->settings;
	int64_t *const fields[] = { &settings->ttl_min, &settings->ttl_max, &settings->retry,
		                    &settings->gone, &settings->timeout };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		char *end;

		*fields[i] = strtoll(value, &end, 10) * NS_PER_MS;
		if (end == value) {
			snprintf(error, error_size, "five numbers are wanted");
			return -EINVAL;
		}
		value = *end == ',' ? end + 1 : end;
	}
	return 0;
}

static const struct lop_option options[] = {
	LOP_OPTION(0, "probe-name", "NAME", "a name to follow", set_name),
	LOP_OPTION(0, "probe-resolver", "LIST", "name servers", set_resolver),
	LOP_OPTION(0, "probe-hosts", "FILE", "hosts file", set_hosts),
	LOP_OPTION(0, "probe-family", "4|6", "one family only", set_family),
	LOP_OPTION(0, "probe-times", "LIST", "times in ms", set_times),
	LOP_OPTION_END,
};

static void changed(void *context, int status, const union server_address *addresses,
                    const socklen_t *lengths, const uint32_t *weights, size_t count)
{
	struct followed *followed = context;
	size_t used = 0;

	followed->told++;
	used += (size_t)snprintf(followed->text, TEXT_MAX, " %s",
	                         status == 0 ? "ok" : status == -ENOENT ? "gone" : "failed");
	for (size_t i = 0; i < count && used + 64 < TEXT_MAX; i++) {
		char host[INET6_ADDRSTRLEN];
		int family = addresses[i].any.sa_family;
		const void *bytes = family == AF_INET ? (const void *)&addresses[i].in.sin_addr
		                                      : (const void *)&addresses[i].in6.sin6_addr;

		if (lengths[i] == 0)
			abort();
		inet_ntop(family, bytes, host, sizeof(host));
		used += (size_t)snprintf(followed->text + used, TEXT_MAX - used,
		                         family == AF_INET ? " %s:%u" : " [%s]:%u", host,
		                         ntohs(addresses[i].in.sin_port));
		if (weights != NULL)
			used += (size_t)snprintf(followed->text + used, TEXT_MAX - used,
			                         "*%" PRIu32, weights[i]);
	}
}

static int content(void *state, struct lop_request *request)
{
	struct probe *probe = state;
	char text[FOLLOWED_MAX * 64 + 8 * TEXT_MAX];
	size_t used = 0;

	if (strcmp(lop_request_path(request).data, "/names") != 0)
		return LOP_DECLINED;
	for (size_t i = 0; i < probe->count && used + TEXT_MAX + 300 < sizeof(text); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s %u%s\n",
		                         probe->followed[i].url.host, probe->followed[i].told,
		                         probe->followed[i].text);

	int result = lop_response_body_copy(request, text, used);

	return result < 0 ? result : LOP_DONE;
}

static const struct lop_hook hooks[] = {
	LOP_HOOK(LOP_PHASE_CONTENT, LOP_PRIORITY_FIRST, "names", content),
	LOP_HOOK_END,
};

static int probe_init(struct lop_core *core, void **state)
{
	struct probe *probe = calloc(1, sizeof(*probe));

	if (probe == NULL)
		return -ENOMEM;
	names_preset(&probe->settings);
	probe->settings.core = core;
	*state = probe;
	return 0;
}

static int prepare(struct probe *probe)
{
	char error[256];
	int result = names_new(&probe->settings, &probe->names, error, sizeof(error));

	for (size_t i = 0; i < probe->count && result == 0; i++)
		result = names_follow(probe->names, &probe->followed[i].url, changed,
		                      &probe->followed[i], error, sizeof(error));
	if (result < 0)
		lop_core_message(probe->settings.core, LOP_LOG_ERROR, "%s", error);
	return result;
}

static int probe_stage(void *state, enum lop_stage stage, struct lop_worker *worker)
{
	struct probe *probe = state;

	switch (stage) {
	case LOP_STAGE_BOUND:
		return prepare(probe);
	case LOP_STAGE_WORKER:
		return names_start(probe->names, worker);
	case LOP_STAGE_REFRESH:
		names_refresh(probe->names);
		return 0;
	case LOP_STAGE_EXIT:
		names_free(&probe->names);
		return 0;
	default:
		return 0;
	}
}

static void probe_fini(void *state)
{
	struct probe *probe = state;

	names_free(&probe->names);
	for (size_t i = 0; i < probe->count; i++)
		free(probe->followed[i].url.host);
	free((void *)(uintptr_t)probe->settings.servers);
	if (strcmp(probe->settings.hosts, "/etc/hosts") != 0)
		free((void *)(uintptr_t)probe->settings.hosts);
	free(probe);
}

LOP_EXPORT_MODULE = {
	LOP_MODULE_HEADER("names_probe", "1.0", "shows what names become",
	                  LOP_NEEDS_CONNECT),
	.options = options,
	.init = probe_init,
	.stage = probe_stage,
	.fini = probe_fini,
	.hooks = hooks,
};
