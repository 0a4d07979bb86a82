/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listeners as the user wants them: what -l, -6, -p and --proxy-from say.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lophttpd/message.h>
#include <lophttpd/transport.h>

#include "core.h"
#include "listen.h"

#define PLAIN "plain"
#define PROXY "proxy"

bool listen_is_secure(const struct modules *modules, const char *transport)
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
	bool secure = listen_is_secure(&core->modules, transport);

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

struct listener *listeners_append(struct listeners *listeners, const char *transport)
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

static bool is(const char *word, size_t length, const char *name)
{
	return strlen(name) == length && memcmp(word, name, length) == 0;
}

/* The name of a transport, as its module (or the core) spells it; NULL: there is none. */
static const char *find_transport(const struct modules *modules, const char *word, size_t length)
{
	if (is(word, length, PLAIN))
		return PLAIN;
	for (size_t i = 0; i < modules->count; i++) {
		const struct lop_transport *transport = modules->items[i].module->transport;

		if (transport != NULL && is(word, length, transport->name))
			return transport->name;
	}
	return NULL;
}

/* Takes ",TRANSPORT" and ",proxy", in any order, off the end of a text. What is neither, or there
 * twice, stays. Returns the length of the rest. */
static size_t take_suffixes(const struct modules *modules, const char *text,
                            const char **transport, bool *proxy)
{
	size_t length = strlen(text);

	*transport = NULL;
	*proxy = false;
	for (;;) {
		size_t comma = length;
		const char *found;

		while (comma > 0 && text[comma - 1] != ',')
			comma--;
		if (comma == 0)
			return length;
		if (is(text + comma, length - comma, PROXY) && !*proxy) {
			*proxy = true;
		} else {
			found = find_transport(modules, text + comma, length - comma);
			if (found == NULL || *transport != NULL)
				return length;
			*transport = found;
		}
		length = comma - 1;
	}
}

void listen_read_name(const struct modules *modules, const char *name, const char **transport,
                      bool *proxy)
{
	*transport = NULL;
	*proxy = false;
	while (name != NULL && *name != '\0') {
		size_t length = strcspn(name, ",");
		const char *found = find_transport(modules, name, length);

		if (found != NULL)
			*transport = found;
		*proxy |= is(name, length, PROXY);
		name += length + (name[length] == ',');
	}
	if (*transport == NULL)
		*transport = default_transport(modules);
}

/* "ADDR", "ADDR,TRANSPORT", "ADDR,proxy,TRANSPORT". */
static int add_wanted(struct lop_core *core, const char *text)
{
	const char *transport, *word;
	bool proxy;
	size_t length = take_suffixes(&core->modules, text, &transport, &proxy);
	struct listener *listener;
	struct address address;
	int result;

	if (memchr(text, ',', length) != NULL && strncmp(text, "unix:", 5) != 0) {
		for (word = text + length; word[-1] != ','; word--)
			;
		lop_core_message(core, LOP_LOG_ERROR,
		                 "--listen %s: no loaded module brings the transport '%.*s'; load it "
		                 "with -M, and name one only",
		                 text, (int)(text + length - word), word);
		return -EINVAL;
	}
	if (transport == NULL)
		transport = default_transport(&core->modules);
	result = address_parse(text, length, default_port(core, transport), &address);
	if (result < 0)
		return bad_address(core, text, result);
	listener = listeners_append(&core->listeners, transport);
	if (listener == NULL)
		return -ENOMEM;
	listener->address = address;
	listener->proxy = proxy;
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

static int add_trusted(struct lop_core *core, const char *text)
{
	struct listeners *listeners = &core->listeners;

	for (size_t length; *text != '\0'; text += length + (text[length] == ',')) {
		struct address_range *ranges =
			realloc(listeners->trusted,
		                (listeners->trusted_count + 1) * sizeof(*ranges));

		if (ranges == NULL)
			return -ENOMEM;
		listeners->trusted = ranges;
		length = strcspn(text, ",");
		if (address_range_parse(text, length, &ranges[listeners->trusted_count]) < 0) {
			lop_core_message(core, LOP_LOG_ERROR,
			                 "--proxy-from: '%.*s' is no range of addresses; write "
			                 "192.0.2.1, 192.0.2.0/24 or 2001:db8::/32, without bits "
			                 "behind the prefix",
			                 (int)length, text);
			return -EINVAL;
		}
		listeners->trusted_count++;
	}
	return 0;
}

/* Ranges that protect nothing are a slip: the listener lacks its ",proxy". */
static int refuse_idle_trust(struct lop_core *core)
{
	const struct listeners *listeners = &core->listeners;

	for (size_t i = 0; i < listeners->count; i++)
		if (listeners->items[i].proxy)
			return 0;
	for (size_t i = 0; i < listeners->inherited_count; i++)
		if (listeners->inherited[i].from_manager)
			return 0;
	if (listeners->trusted_count == 0)
		return 0;
	lop_core_message(core, LOP_LOG_ERROR,
	                 "--proxy-from, but no listener takes the PROXY protocol; write "
	                 "-l ADDR:PORT,proxy");
	return -EINVAL;
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
	for (size_t i = 0; i < settings->proxy_from.count && result == 0; i++)
		result = add_trusted(core, settings->proxy_from.items[i]);
	if (result == 0)
		result = listeners_add_besides(core);
	share_v6(&core->listeners);
	if (result == 0)
		result = refuse_idle_trust(core);
	return result < 0 ? result : refuse_twice(core);
}
