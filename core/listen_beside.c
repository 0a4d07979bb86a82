/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listeners as modules want them: a port beside those of the user.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lophttpd/message.h>

#include "core.h"
#include "listen.h"

int lop_core_listen(struct lop_core *core, uint16_t port, const char *transport,
                    const char *beside, void *owner)
{
	struct listeners *listeners = &core->listeners;
	struct beside *besides = realloc(listeners->besides,
	                                 (listeners->beside_count + 1) * sizeof(*besides));

	if (besides == NULL)
		return -ENOMEM;
	listeners->besides = besides;
	besides[listeners->beside_count++] = (struct beside){
		.transport = transport, .beside = beside, .owner = owner, .port = port
	};
	return 0;
}

uint16_t lop_core_port(const struct lop_core *core, const char *transport)
{
	for (size_t i = 0; i < core->listeners.count; i++) {
		const struct listener *listener = &core->listeners.items[i];

		if (strcmp(listener->transport, transport) == 0)
			return address_port(&listener->address);
	}
	return 0;
}

/* One address with several ports gets one more, not one for each. */
static bool has_owner(const struct listeners *listeners, const struct address *address,
                      const void *owner)
{
	for (size_t i = 0; i < listeners->count; i++)
		if (listeners->items[i].owner == owner &&
		    address_equal(&listeners->items[i].address, address))
			return true;
	return false;
}

/* Makes one beside this address, if it may have one. Returns 1, 0 or -ENOMEM. */
static int add_beside(struct listeners *listeners, const struct beside *wanted,
                      const struct address *of, bool proxy)
{
	struct address address = *of;
	struct listener *listener;

	if (address.socket.base.sa_family == AF_UNIX)
		return 0;
	address_set_port(&address, wanted->port);
	if (has_owner(listeners, &address, wanted->owner))
		return 1;
	listener = listeners_append(listeners, wanted->transport);
	if (listener == NULL)
		return -ENOMEM;
	listener->address = address;
	listener->owner = wanted->owner;
	/* The same proxy is in front of it. */
	listener->proxy = proxy;
	return 1;
}

/* Beside the listeners of the user, and the sockets that systemd gave. Returns how many there are. */
static int add_besides(struct lop_core *core, const struct beside *wanted, size_t count)
{
	struct listeners *listeners = &core->listeners;
	int made = 0, result = 0;

	for (size_t i = 0; i < count && result >= 0; i++) {
		const struct address address = listeners->items[i].address;

		if (strcmp(listeners->items[i].transport, wanted->beside) != 0)
			continue;
		result = add_beside(listeners, wanted, &address, listeners->items[i].proxy);
		made += result;
	}
	for (size_t i = 0; i < listeners->inherited_count && result >= 0; i++) {
		const struct inherited *one = &listeners->inherited[i];
		const char *transport;
		bool proxy;

		listen_read_name(&core->modules, one->transport, &transport, &proxy);
		if (!one->from_manager || strcmp(transport, wanted->beside) != 0 ||
		    address_port(&one->address) == wanted->port)
			continue;
		result = add_beside(listeners, wanted, &one->address, proxy);
		made += result;
	}
	return result < 0 ? result : made;
}

int listeners_add_besides(struct lop_core *core)
{
	struct listeners *listeners = &core->listeners;
	const size_t count = listeners->count;

	for (size_t i = 0; i < listeners->beside_count; i++) {
		const struct beside *wanted = &listeners->besides[i];
		const int made = add_besides(core, wanted, count);

		if (made < 0)
			return made;
		if (made > 0)
			continue;
		lop_core_message(core, LOP_LOG_ERROR,
		                 "port %u is to be opened beside listeners with '%s', but none of "
		                 "those has a port; name one with -l ADDR:PORT,%s",
		                 wanted->port, wanted->beside, wanted->beside);
		return -EINVAL;
	}
	return 0;
}
