/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names without c-ares: the system's resolver is asked once, at the start, when waiting disturbs
 * nobody and its files are in reach.
 */
#include "config.h"

#include "names.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lophttpd/message.h>

#include "names_set.h"

struct name {
	struct name *next;
	struct name_set set;
	names_changed_f *changed;
	void *context;
};

struct names {
	struct name *list;
	struct lop_timer *timer; /* what tells the names to those who follow, in the loop */
	struct lop_core *core;
	int family;
	bool told;
};

static void take(struct target *target, const struct addrinfo *list)
{
	for (; list != NULL; list = list->ai_next) {
		bool v6 = list->ai_family == AF_INET6;
		struct found *found = &target->found[v6];
		struct dns_address *address = &found->items[found->count];

		if ((!v6 && list->ai_family != AF_INET) || found->count == NAMES_ADDRESSES_MAX)
			continue;
		*address = (struct dns_address){ .v6 = v6 };
		if (v6)
			memcpy(address->bytes, (const char *)list->ai_addr +
			                               offsetof(struct sockaddr_in6, sin6_addr), 16);
		else
			memcpy(address->bytes, (const char *)list->ai_addr +
			                               offsetof(struct sockaddr_in, sin_addr), 4);
		found->count++;
	}
}

static int resolve(const struct names *names, const struct upstream_url *url, struct name_set *set,
                   char *error, size_t error_size)
{
	const struct addrinfo hints = { .ai_family = names->family, .ai_socktype = SOCK_STREAM };
	struct target target = { .host = url->host, .port = url->port };
	struct addrinfo *list;
	int result = -ENOMEM, status = getaddrinfo(url->host, NULL, &hints, &list);

	if (status != 0) {
		snprintf(error, error_size,
		         "cannot resolve %s: %s; built without c-ares the server does so at its "
		         "start only",
		         url->host, gai_strerror(status));
		return -ENOENT;
	}
	for (size_t i = 0; i < 2; i++)
		target.found[i].items = calloc(NAMES_ADDRESSES_MAX, sizeof(struct dns_address));
	if (target.found[0].items != NULL && target.found[1].items != NULL) {
		take(&target, list);
		result = name_set_make(&target, 1, false, set);
	}
	free(target.found[0].items);
	free(target.found[1].items);
	freeaddrinfo(list);
	return result;
}

static void give(void *context)
{
	const struct names *names = context;

	for (struct name *name = names->list; name != NULL; name = name->next)
		name->changed(name->context, 0, name->set.addresses, name->set.lengths, NULL,
		              name->set.count);
}

int names_new(const struct names_settings *settings, struct names **out, char *error,
              size_t error_size)
{
	struct names *names = calloc(1, sizeof(*names));

	if (names == NULL) {
		snprintf(error, error_size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	if (settings->servers != NULL) {
		snprintf(error, error_size,
		         "built without c-ares, the server cannot ask other name servers than the "
		         "system's");
		free(names);
		return -EOPNOTSUPP;
	}
	names->core = settings->core;
	names->family = settings->family;
	*out = names;
	return 0;
}

int names_follow(struct names *names, const struct upstream_url *url, names_changed_f *changed,
                 void *context, char *error, size_t error_size)
{
	struct name *name;
	int result;

	if (url->kind == UPSTREAM_SRV || names->timer != NULL) {
		snprintf(error, error_size, "built without c-ares, the server cannot follow %s",
		         url->host);
		return -EOPNOTSUPP;
	}
	name = calloc(1, sizeof(*name));
	snprintf(error, error_size, "%s", strerror(ENOMEM));
	result = name == NULL ? -ENOMEM : resolve(names, url, &name->set, error, error_size);
	if (result < 0) {
		free(name);
		return result;
	}
	if (!names->told && names->core != NULL)
		lop_core_message(names->core, LOP_LOG_NOTICE,
		                 "built without c-ares: names of upstreams are resolved now and not "
		                 "again; restart the server when they have changed");
	names->told = true;
	name->changed = changed;
	name->context = context;
	name->next = names->list;
	names->list = name;
	return 0;
}

int names_start(struct names *names, struct lop_worker *worker)
{
	names->timer = lop_timer_new(worker, give, names);
	if (names->timer == NULL)
		return -ENOMEM;
	lop_timer_start(names->timer, 0);
	return 0;
}

void names_refresh(struct names *names)
{
	(void)names;
}

void names_free(struct names **pointer)
{
	struct names *names = *pointer;

	*pointer = NULL;
	if (names == NULL)
		return;
	lop_timer_free(&names->timer);
	while (names->list != NULL) {
		struct name *name = names->list;

		names->list = name->next;
		name_set_clear(&name->set);
		free(name);
	}
	free(names);
}
