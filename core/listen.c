/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "listen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lophttpd/message.h>
#include <lophttpd/transport.h>

#include "core.h"

/* ---- what was there before ------------------------------------------------------------------ */

int listeners_inherit(struct lop_core *core, int descriptor, const char *transport,
                      bool from_manager)
{
	struct listeners *listeners = &core->listeners;
	struct inherited one = { .descriptor = descriptor,
		                 .from_manager = from_manager,
		                 .address.length = sizeof(one.address.socket) };
	struct inherited *items;
	int type = 0, listening = 0, result = -EINVAL;
	socklen_t size = sizeof(type);

	if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM)
		goto fail;
	size = sizeof(listening);
	if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && !listening)
		goto fail;
	if (getsockname(descriptor, &one.address.socket.base, &one.address.length) < 0)
		goto fail;
	result = listen_prepare(descriptor, one.address.socket.base.sa_family);
	if (result < 0)
		goto fail;
	result = -ENOMEM;
	if (transport != NULL && (one.transport = strdup(transport)) == NULL)
		goto fail;
	items = realloc(listeners->inherited, (listeners->inherited_count + 1) * sizeof(*items));
	if (items == NULL) {
		free(one.transport);
		goto fail;
	}
	listeners->inherited = items;
	items[listeners->inherited_count++] = one;
	return 0;
fail:
	close(descriptor);
	return result;
}

static bool fits(const struct address *wanted, const struct address *there)
{
	struct address same_port = *there;

	/* -p 0: the port that was picked once. */
	if (address_port(wanted) == 0)
		address_set_port(&same_port, 0);
	return address_equal(wanted, &same_port);
}

/* Moves the inherited sockets of a listener's address into it. Returns how many, or -ENOMEM. */
static int adopt(struct listeners *listeners, struct listener *listener)
{
	struct address wanted = listener->address;

	for (size_t i = 0; i < listeners->inherited_count; i++) {
		struct inherited *one = &listeners->inherited[i];
		int *sockets;

		/* A port that the kernel is to pick for a module is none of systemd's. */
		if (one->descriptor < 0 || (one->from_manager && listener->owner != NULL &&
		                            address_port(&wanted) == 0) ||
		    !fits(listener->count > 0 ? &listener->address : &wanted, &one->address))
			continue;
		sockets = realloc(listener->sockets, (listener->count + 1) * sizeof(*sockets));
		if (sockets == NULL)
			return -ENOMEM;
		listener->sockets = sockets;
		sockets[listener->count++] = one->descriptor;
		listener->address = one->address;
		listener->from_manager = one->from_manager;
		listener->unlink =
			one->address.socket.base.sa_family == AF_UNIX && !one->from_manager;
		one->descriptor = -1;
	}
	return (int)listener->count;
}

/* What systemd gave and nobody asked for by its address is served all the same; the rest of an old
 * binary's sockets is no longer wanted. */
static int adopt_rest(struct lop_core *core)
{
	struct listeners *listeners = &core->listeners;

	for (size_t i = 0; i < listeners->inherited_count; i++) {
		struct inherited *one = &listeners->inherited[i];
		const char *transport;
		struct listener *listener;
		bool proxy;

		if (one->descriptor < 0)
			continue;
		if (!one->from_manager) {
			close(one->descriptor);
			one->descriptor = -1;
			continue;
		}
		listen_read_name(&core->modules, one->transport, &transport, &proxy);
		listener = listeners_append(listeners, transport);
		if (listener == NULL)
			return -ENOMEM;
		listener->proxy = proxy;
		listener->address = one->address;
		if (adopt(listeners, listener) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* ---- sockets -------------------------------------------------------------------------------- */

static int cannot_listen(struct lop_core *core, const struct address *address, int result)
{
	char text[ADDRESS_TEXT_MAX];
	const char *advice = "";

	address_text(address, text, sizeof(text));
	if (result == -EADDRINUSE)
		advice = "; stop the server that has it, or choose another with -p or -l";
	else if (result == -EADDRNOTAVAIL)
		advice = "; this machine has no such address";
	else if (result == -EEXIST)
		advice = " and is no socket; remove it, or choose another path";
	else if (result == -EACCES && address->socket.base.sa_family != AF_UNIX)
		advice = "; ports below 1024 are root's: choose another with -p, such as -p 8080";
	lop_core_message(core, LOP_LOG_ERROR, "cannot listen on %s: %s%s", text, strerror(-result),
	                 advice);
	return result;
}

/* Makes the sockets that a listener still lacks. */
static int open_one(struct lop_core *core, struct listener *listener, size_t wanted)
{
	int family = listener->address.socket.base.sa_family, result;
	int *sockets =
		realloc(listener->sockets,
	                (wanted > listener->count ? wanted : listener->count) * sizeof(*sockets));

	if (sockets == NULL)
		return -ENOMEM;
	listener->sockets = sockets;
	if (listener->count == 0) {
		result = listen_probe(&listener->address, listener->v6only);
		if (result < 0)
			return cannot_listen(core, &listener->address, result);
	} else if (listener->from_manager) {
		return 0;
	}
	while (listener->count < wanted) {
		result = listen_socket(&listener->address, listener->v6only);
		/* Inherited from one who did not share the port: so it is shared by the workers. */
		if (result == -EADDRINUSE && listener->count > 0)
			return 0;
		if (result < 0)
			return cannot_listen(core, &listener->address, result);
		sockets[listener->count++] = result;
		listener->unlink = family == AF_UNIX;
	}
	return 0;
}

/* More sockets than workers: the others become a listener of their own. */
static int split(struct listeners *listeners, size_t index, size_t workers)
{
	struct listener *rest = listeners_append(listeners, listeners->items[index].transport);
	struct listener *first = &listeners->items[index];

	if (rest == NULL)
		return -ENOMEM;
	rest->address = first->address;
	rest->proxy = first->proxy;
	rest->from_manager = first->from_manager;
	rest->owner = first->owner;
	rest->surplus = true;
	rest->count = first->count - workers;
	rest->sockets = malloc(rest->count * sizeof(*rest->sockets));
	if (rest->sockets == NULL)
		return -ENOMEM;
	memcpy(rest->sockets, first->sockets + workers, rest->count * sizeof(*rest->sockets));
	first->count = workers;
	return 0;
}

int listeners_open(struct lop_core *core, int workers)
{
	struct listeners *listeners = &core->listeners;
	int result = 0;

	for (size_t i = 0; i < listeners->count && result >= 0; i++)
		result = adopt(listeners, &listeners->items[i]);
	if (result >= 0)
		result = adopt_rest(core);
	for (size_t i = 0; i < listeners->count && result >= 0; i++) {
		struct listener *listener = &listeners->items[i];
		int family = listener->address.socket.base.sa_family;

		result = open_one(core, listener, listen_balanced(family) ? (size_t)workers : 1);
		if (result == 0 && listeners->items[i].count > (size_t)workers)
			result = split(listeners, i, (size_t)workers);
	}
	return result < 0 ? result : 0;
}

void listeners_keep(struct lop_core *core, int worker)
{
	for (size_t i = 0; i < core->listeners.count; i++) {
		struct listener *listener = &core->listeners.items[i];
		int own = listener_socket(listener, worker);

		listener->unlink = false;
		for (size_t j = 0; j < listener->count; j++) {
			if (listener->sockets[j] == own || listener->sockets[j] < 0)
				continue;
			close(listener->sockets[j]);
			listener->sockets[j] = -1;
		}
	}
}

void listeners_announce(struct lop_core *core)
{
	char text[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < core->listeners.count; i++) {
		const struct listener *listener = &core->listeners.items[i];
		const char *how = listener->proxy ? " behind the PROXY protocol" : "";

		if (listener->surplus)
			continue;
		address_text(&listener->address, text, sizeof(text));
		if (listener->address.socket.base.sa_family == AF_UNIX)
			lop_core_message(core, LOP_LOG_NOTICE, "listening on %s%s", text, how);
		else
			lop_core_message(core, LOP_LOG_NOTICE, "listening on %s://%s/%s",
			                 listen_is_secure(&core->modules, listener->transport) ? "https"
			                                                                : "http",
			                 text, how);
	}
}

void listeners_close(struct lop_core *core)
{
	for (size_t i = 0; i < core->listeners.count; i++) {
		struct listener *listener = &core->listeners.items[i];

		for (size_t j = 0; j < listener->count; j++) {
			if (listener->sockets[j] >= 0)
				close(listener->sockets[j]);
			listener->sockets[j] = -1;
		}
		/* The binary that replaces this one has it now. */
		if (listener->unlink && core->upgrade.child == 0)
			(void)unlink(listener->address.socket.un.sun_path);
		listener->unlink = false;
	}
}

void listeners_free(struct lop_core *core)
{
	struct listeners *listeners = &core->listeners;

	while (listeners->count > 0) {
		struct listener *listener = &listeners->items[--listeners->count];

		free(listener->transport);
		free(listener->sockets);
	}
	while (listeners->inherited_count > 0) {
		struct inherited *one = &listeners->inherited[--listeners->inherited_count];

		if (one->descriptor >= 0)
			close(one->descriptor);
		free(one->transport);
	}
	free(listeners->items);
	free(listeners->besides);
	free(listeners->inherited);
	free(listeners->trusted);
	*listeners = (struct listeners){ .items = NULL };
}
