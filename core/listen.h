/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listening sockets: made once, before privileges go, one SO_REUSEPORT socket a worker (where the
 * kernel balances them; else one shared), kept open by the master so that a worker that is replaced
 * loses no connection. They may also be inherited: from systemd, or from the binary that this one
 * replaces.
 */
#ifndef LISTEN_H
#define LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "address.h"
#include "address_range.h"

struct lop_core;
struct modules;

struct listener {
	struct address address; /* as bound, port filled in */
	char *transport;        /* name, "plain" when none was given */
	int *sockets;           /* non-blocking, close-on-exec; -1: not of this process */
	size_t count;           /* sockets: as many as workers, or fewer that are shared */
	bool proxy;             /* each connection begins with a PROXY header */
	bool v6only;
	bool unlink;            /* a UNIX path that this process made */
	bool from_manager;      /* systemd made it */
	void *owner;            /* the module that asked for it, NULL: the user */
	bool surplus;           /* sockets of the listener before it, inherited beyond the number of
	                         * workers; their queues must not be lost */
};

/* A socket that stood before this program started. */
struct inherited {
	struct address address;
	char *transport; /* NULL: not said; ",proxy" behind it */
	int descriptor;  /* -1: a listener has it now */
	bool from_manager;
};

/* What a module asked for: a port beside each listener with another transport. */
struct beside {
	const char *transport;
	const char *beside;
	void *owner;
	uint16_t port;
};

struct listeners {
	struct listener *items;
	size_t count;
	struct beside *besides;
	size_t beside_count;
	struct inherited *inherited;
	size_t inherited_count;
	struct address_range *trusted; /* --proxy-from */
	size_t trusted_count;
};

/* Makes the list from the settings, without a socket yet. Returns 0, or -EINVAL (wrong usage) or
 * another negative errno after a message. */
int listeners_configure(struct lop_core *core);
/* Takes over a listening socket; not one of a stream: -EINVAL. It is closed then. */
int listeners_inherit(struct lop_core *core, int descriptor, const char *transport,
                      bool from_manager);
/* Binds all (TCP_NODELAY is set on the listeners: accepted sockets inherit it). Returns 0, or a
 * negative errno after a message. */
int listeners_open(struct lop_core *core, int workers);
/* Closes the sockets of all workers but this. */
void listeners_keep(struct lop_core *core, int worker);
/* One line each on standard error: "lhttpd: listening on http://127.0.0.1:8080/". */
void listeners_announce(struct lop_core *core);
/* Closes them, and unlinks the UNIX paths made here. Twice is no error. */
void listeners_close(struct lop_core *core);
/* After listeners_close(). */
void listeners_free(struct lop_core *core);

/* The socket that a worker accepts from. */
static inline int listener_socket(const struct listener *listener, int worker)
{
	return listener->sockets[(size_t)worker % listener->count];
}

/* listen_wanted.c: a new one at the end of the list; NULL when memory is out. */
struct listener *listeners_append(struct listeners *listeners, const char *transport);
/* The name of an inherited socket (NULL: it has none): a transport, "proxy", or both with a comma
 * between. Other words mean nothing: systemd gives a name of its own where nobody did. Without a
 * transport it is what a new listener would have. */
void listen_read_name(const struct modules *modules, const char *name, const char **transport,
                      bool *proxy);
bool listen_is_secure(const struct modules *modules, const char *transport);

/* listen_beside.c: makes those that modules asked for. 0, -ENOMEM, or -EINVAL after a message. */
int listeners_add_besides(struct lop_core *core);

/* listen_socket.c: makes a socket that listens on the address and fills the port that the kernel
 * picked in. Returns it, or a negative errno. */
int listen_socket(struct address *address, bool v6only);
/* Whether somebody else has the address: sockets that share a port would not notice. 0 or a
 * negative errno. A UNIX path that nobody listens on any more is removed. */
int listen_probe(const struct address *address, bool v6only);
/* What is set on a listening socket, inherited ones too. */
int listen_prepare(int descriptor, int family);
/* Whether the kernel spreads connections over the sockets of one address. */
bool listen_balanced(int family);

#endif
