/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections of listeners that want a header of the PROXY protocol first. It is taken off the
 * socket exactly, so that the transport finds what it would have found without a proxy.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <lophttpd/message.h>

#include "address_range.h"
#include "conn.h"
#include "proxy_header.h"
#include "worker_private.h"

#define TELL_AGAIN_NS (60 * NS_PER_S)

/* What a proxy that is set up wrongly, or somebody who is none, does with each connection. */
static void tell(struct acceptor *acceptor, const char *from, const char *what)
{
	struct lop_worker *worker = acceptor->worker;
	char to[ADDRESS_TEXT_MAX];

	if (acceptor->told != 0 && worker->now - acceptor->told < TELL_AGAIN_NS)
		return;
	acceptor->told = worker->now;
	address_text(&acceptor->listener->address, to, sizeof(to));
	lop_worker_message(worker, LOP_LOG_WARNING,
	                   "closing connections from %s to %s,proxy: %s (told once a minute)", from,
	                   to, what);
}

bool conn_proxy_trusts(struct acceptor *acceptor, const struct address *remote)
{
	const struct listeners *listeners = &acceptor->worker->core->listeners;
	char from[ADDRESS_TEXT_MAX];

	/* Who may connect to a UNIX socket is the file system's business. */
	if (listeners->trusted_count == 0 ||
	    acceptor->listener->address.socket.base.sa_family == AF_UNIX)
		return true;
	for (size_t i = 0; i < listeners->trusted_count; i++)
		if (address_range_holds(&listeners->trusted[i], remote))
			return true;
	address_host(remote, from, sizeof(from));
	tell(acceptor, from, "the address is in no range of --proxy-from");
	return false;
}

static int refuse(struct lop_connection *conn)
{
	tell(conn->acceptor, conn->remote,
	     "they do not begin with a header of the PROXY protocol; let the proxy in front send "
	     "one, or leave ',proxy' out");
	return -EBADMSG;
}

static int take_addresses(struct lop_connection *conn, const struct proxy_header *header)
{
	char text[ADDRESS_TEXT_MAX];

	address_host(&header->destination, text, sizeof(text));
	conn->local = strdup(text);
	if (conn->local == NULL)
		return -ENOMEM;
	conn->local_port = address_port(&header->destination);
	conn_set_remote(conn, &header->source);
	return 0;
}

/* As recv(2), but a negative errno. */
static ssize_t receive(const struct lop_connection *conn, size_t size, int flags)
{
	ssize_t count;

	do
		count = recv(conn->descriptor, conn->worker->input, size, flags);
	while (count < 0 && errno == EINTR);
	return count < 0 ? -errno : count;
}

int conn_proxy_step(struct lop_connection *conn)
{
	struct proxy_header header;
	ssize_t count = receive(conn, PROXY_HEADER_MAX, MSG_PEEK), length;

	if (count <= 0)
		return count == 0 ? -ECONNRESET : count == -EAGAIN ? 0 : (int)count;
	length = proxy_header_read(conn->worker->input, (size_t)count, &header);
	if (length < 0)
		return refuse(conn);
	/* More bytes are another edge; after the peer's last there is none. */
	if (length == 0)
		return conn->hup ? -ECONNRESET : 0;
	if (receive(conn, (size_t)length, 0) != length)
		return -ECONNRESET;
	if (header.own)
		return 1;
	return take_addresses(conn, &header) < 0 ? -ENOMEM : 1;
}
