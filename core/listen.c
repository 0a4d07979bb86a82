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

#define PLAIN "plain"

/* ---- what is wanted ------------------------------------------------------------------------- */

static bool is_secure(const struct modules *modules, const char *transport)
{
	const struct loaded_module *module = modules_transport(modules, transport);

	return module != NULL && module->module->transport->secure;
}

/* A loaded module that encrypts is what the user wants, unless a listener says otherwise. */
static const char *default_transport(const struct modules *modules)
{
	for (size_t i = 0; i < modules->count; i++) {
		const struct lop_transport *transport = modules->items[i].module->transport;

		if (transport != NULL && transport->secure)
			return transport->name;
	}
	return PLAIN;
}

static uint16_t default_port(const struct lop_core *core, const char *transport)
{
	bool secure = is_secure(&core->modules, transport);

	if (core->settings.port >= 0)
		return (uint16_t)core->settings.port;
	if (geteuid() == 0)
		return secure ? 443 : 80;
	return secure ? 8443 : 8080;
}

static int bad_address(struct lop_core *core, const char *text, int result)
{
	if (result == -ENAMETOOLONG)
		lop_core_message(core, LOP_LOG_ERROR,
		                 "--listen %s: the path is longer than the system takes; choose a "
		                 "shorter one",
		                 text);
	else
		lop_core_message(
			core, LOP_LOG_ERROR,
			"--listen %s: not a numeric address; write 192.0.2.1, [::1]:8080 or "
			"unix:/run/x.sock",
			text);
	return -EINVAL;
}

static struct listener *append(struct listeners *listeners, const char *transport)
{
	struct listener *items = realloc(listeners->items, (listeners->count + 1) * sizeof(*items));
	char *copy = strdup(transport);

	if (items != NULL)
		listeners->items = items;
	if (items == NULL || copy == NULL) {
		free(copy);
		return NULL;
	}
	items += listeners->count++;
	*items = (struct listener){ .transport = copy };
	return items;
}

/* "ADDR", "ADDR,TRANSPORT". */
static int add_wanted(struct lop_core *core, const char *text)
{
	const char *comma = strrchr(text, ','), *transport = NULL;
	size_t length = strlen(text);
	struct listener *listener;
	struct address address;
	int result;

	if (comma != NULL && (strcmp(comma + 1, PLAIN) == 0 ||
	                      modules_transport(&core->modules, comma + 1) != NULL)) {
		transport = comma + 1;
		length = (size_t)(comma - text);
	} else if (comma != NULL && strncmp(text, "unix:", 5) != 0) {
		lop_core_message(core, LOP_LOG_ERROR,
		                 "--listen %s: no loaded module brings the transport '%s'; load it "
		                 "with -M",
		                 text, comma + 1);
		return -EINVAL;
	}
	if (transport == NULL)
		transport = default_transport(&core->modules);
	result = address_parse(text, length, default_port(core, transport), &address);
	if (result < 0)
		return bad_address(core, text, result);
	listener = append(&core->listeners, transport);
	if (listener == NULL)
		return -ENOMEM;
	listener->address = address;
	return 0;
}

/* "::" takes IPv4 as well, unless IPv4 has a listener of its own on that port. */
static void share_v6(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++) {
		const struct address *v6 = &listeners->items[i].address;

		for (size_t j = 0; j < listeners->count; j++) {
			const struct address *v4 = &listeners->items[j].address;

			if (v6->socket.base.sa_family == AF_INET6 &&
			    v4->socket.base.sa_family == AF_INET &&
			    address_port(v6) == address_port(v4))
				listeners->items[i].v6only = true;
		}
	}
}

static int refuse_twice(struct lop_core *core)
{
	const struct listeners *listeners = &core->listeners;
	char text[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < listeners->count; i++)
		for (size_t j = 0; j < i; j++) {
			const struct address *address = &listeners->items[i].address;

			if (!address_equal(address, &listeners->items[j].address) ||
			    (address->socket.base.sa_family != AF_UNIX &&
			     address_port(address) == 0))
				continue;
			address_text(address, text, sizeof(text));
			lop_core_message(core, LOP_LOG_ERROR, "--listen %s is given twice", text);
			return -EINVAL;
		}
	return 0;
}

int listeners_configure(struct lop_core *core)
{
	const struct settings *settings = &core->settings;
	bool any = settings->listen.count > 0 || settings->ipv6;
	int result = 0;

	for (size_t i = 0; i < settings->listen.count && result == 0; i++)
		result = add_wanted(core, settings->listen.items[i]);
	if (result == 0 && settings->ipv6)
		result = add_wanted(core, "[::]");
	for (size_t i = 0; i < core->listeners.inherited_count; i++)
		any = any || core->listeners.inherited[i].from_manager;
	if (result == 0 && (!any || (core->listeners.count == 0 && settings->port >= 0)))
		result = add_wanted(core, "0.0.0.0");
	share_v6(&core->listeners);
	return result < 0 ? result : refuse_twice(core);
}

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

		if (one->descriptor < 0 ||
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
		const char *transport = one->transport;
		struct listener *listener;

		if (one->descriptor < 0)
			continue;
		if (!one->from_manager) {
			close(one->descriptor);
			one->descriptor = -1;
			continue;
		}
		if (transport == NULL || (strcmp(transport, PLAIN) != 0 &&
		                          modules_transport(&core->modules, transport) == NULL))
			transport = default_transport(&core->modules);
		listener = append(listeners, transport);
		if (listener == NULL)
			return -ENOMEM;
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
	struct listener *rest = append(listeners, listeners->items[index].transport);
	struct listener *first = &listeners->items[index];

	if (rest == NULL)
		return -ENOMEM;
	rest->address = first->address;
	rest->from_manager = first->from_manager;
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

		if (listener->surplus)
			continue;
		address_text(&listener->address, text, sizeof(text));
		if (listener->address.socket.base.sa_family == AF_UNIX)
			lop_core_message(core, LOP_LOG_NOTICE, "listening on %s", text);
		else
			lop_core_message(core, LOP_LOG_NOTICE, "listening on %s://%s/",
			                 is_secure(&core->modules, listener->transport) ? "https"
			                                                                : "http",
			                 text);
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
	free(listeners->inherited);
	*listeners = (struct listeners){ .items = NULL };
}
