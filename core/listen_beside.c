/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listeners as modules want them: a port beside those of the user.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* Makes the listeners that modules asked for. */
int listeners_add_besides(struct listeners *listeners)
{
	const size_t count = listeners->count;

	for (size_t i = 0; i < listeners->beside_count; i++)
		for (size_t j = 0; j < count; j++) {
			const struct beside *wanted = &listeners->besides[i];
			struct address address = listeners->items[j].address;
			struct listener *listener;

			if (strcmp(listeners->items[j].transport, wanted->beside) != 0 ||
			    address.socket.base.sa_family == AF_UNIX)
				continue;
			address_set_port(&address, wanted->port);
			if (has_owner(listeners, &address, wanted->owner))
				continue;
			listener = listeners_append(listeners, wanted->transport);
			if (listener == NULL)
				return -ENOMEM;
			listener->address = address;
			listener->owner = wanted->owner;
			/* The same proxy is in front of it. */
			listener->proxy = listeners->items[j].proxy;
		}
	return 0;
}
