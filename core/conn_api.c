/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections as modules see them: <lophttpd/connection.h> and what <lophttpd/protocol.h> says of
 * bytes.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <lophttpd/connection.h>

#include "address.h"
#include "conn.h"
#include "memory.h"
#include "worker_private.h"

struct lop_str lop_connection_remote_address(struct lop_connection *conn)
{
	return (struct lop_str){ conn->remote, conn->remote_length };
}

uint16_t lop_connection_remote_port(const struct lop_connection *conn)
{
	return conn->remote_port;
}

struct lop_str lop_connection_local_address(struct lop_connection *conn)
{
	if (conn->local == NULL) {
		struct address address = { .length = sizeof address.socket };
		char text[ADDRESS_TEXT_MAX];

		if (getsockname(conn->descriptor, &address.socket.base, &address.length) < 0)
			return (struct lop_str){ NULL, 0 };
		address_host(&address, text, sizeof text);
		conn->local = strdup(text);
		if (conn->local == NULL)
			return (struct lop_str){ NULL, 0 };
	}
	return (struct lop_str){ conn->local, strlen(conn->local) };
}

uint16_t lop_connection_local_port(const struct lop_connection *conn)
{
	return conn->local_port != 0 ? conn->local_port
	                             : address_port(&conn->acceptor->listener->address);
}

uint64_t lop_connection_number(const struct lop_connection *conn)
{
	return conn->number;
}

int lop_connection_secure(const struct lop_connection *conn)
{
	return conn->acceptor->transport->secure != 0;
}

void *lop_connection_transport(const struct lop_connection *conn, const void *module)
{
	return conn->acceptor->transport_module == module ? conn->transport_state : NULL;
}

void *lop_connection_listener(const struct lop_connection *conn)
{
	return conn->acceptor->listener->owner;
}

ssize_t lop_connection_read(struct lop_connection *conn, void *buffer, size_t size)
{
	return conn_read(conn, buffer, size);
}

/* -ENOBUFS: flush first. */
static struct output *output_with_room(struct lop_connection *conn, int *error)
{
	struct output *output = conn_output(conn);

	*error = output == NULL ? -ENOMEM : output_room(output) == 0 ? -ENOBUFS : 0;
	return output;
}

int lop_connection_queue_copy(struct lop_connection *conn, const void *data, size_t length)
{
	int error;
	size_t offset;
	struct output *output = output_with_room(conn, &error);

	if (error < 0)
		return error;

	struct lop_memory *memory = worker_scratch(conn->worker, length, &offset);

	if (memory == NULL)
		return -ENOMEM;
	memcpy(memory->data + offset, data, length);
	worker_scratch_commit(conn->worker, length);
	output_memory(output, memory, offset, length);
	return 0;
}

int lop_connection_queue_memory(struct lop_connection *conn, struct lop_memory *memory,
                                size_t offset, size_t length)
{
	int error;
	struct output *output = output_with_room(conn, &error);

	if (error < 0)
		return error;
	if (offset > memory->size || length > memory->size - offset)
		return -EINVAL;
	output_memory(output, memory, offset, length);
	return 0;
}

int lop_connection_queue_file(struct lop_connection *conn, struct lop_file *file, int64_t offset,
                              int64_t length)
{
	int error;
	struct output *output = output_with_room(conn, &error);

	if (error < 0)
		return error;
	if (offset < 0 || length < 0)
		return -EINVAL;
	output_file(output, file, offset, length);
	return 0;
}

int64_t lop_connection_queued(const struct lop_connection *conn)
{
	return conn->output == NULL ? 0 : conn->output->bytes;
}

int lop_connection_flush(struct lop_connection *conn, size_t quantum)
{
	return conn_flush(conn, quantum);
}
