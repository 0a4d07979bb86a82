/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The plain transport: the socket itself. Its state is the descriptor, so a connection costs no
 * memory here.
 */
#include "config.h"

#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>

#include "os.h"
#include "transport_plain.h"

#ifndef MSG_MORE
#define MSG_MORE 0
#endif
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

static inline int descriptor_of(void *state)
{
	return (int)(intptr_t)state;
}

static int plain_open(void *module, struct lop_connection *connection, int descriptor,
                      void **state)
{
	(void)module;
	(void)connection;
	*state = (void *)(intptr_t)descriptor;
	return 0;
}

static ssize_t plain_read(void *state, void *buffer, size_t size)
{
	ssize_t count;

	do
		count = recv(descriptor_of(state), buffer, size, 0);
	while (count < 0 && errno == EINTR);
	if (count >= 0)
		return count;
	return errno == EAGAIN || errno == EWOULDBLOCK ? LOP_WANT_READ : -errno;
}

static ssize_t plain_writev(void *state, const struct iovec *vector, int count, int more)
{
	const int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
	ssize_t sent;

	do {
		if (count == 1) {
			sent = send(descriptor_of(state), vector->iov_base, vector->iov_len, flags);
		} else {
			struct msghdr message = { .msg_name = NULL };

			/* sendmsg does not change the vector; its type only says it might. */
			message.msg_iov = (struct iovec *)(uintptr_t)vector;
			message.msg_iovlen = (size_t)count;
			sent = sendmsg(descriptor_of(state), &message, flags);
		}
	} while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return sent;
	return errno == EAGAIN || errno == EWOULDBLOCK ? LOP_WANT_WRITE : -errno;
}

static ssize_t plain_sendfile(void *state, int file, off_t offset, size_t length, int more)
{
	(void)more;

	ssize_t sent = os_sendfile(descriptor_of(state), file, offset, length);

	return sent == -EAGAIN ? LOP_WANT_WRITE : sent;
}

static ssize_t plain_splice(void *state, int pipe, size_t length, int more)
{
	ssize_t sent = os_splice(pipe, descriptor_of(state), length, more);

	return sent == -EAGAIN ? LOP_WANT_WRITE : sent;
}

static int plain_shutdown(void *state)
{
	return shutdown(descriptor_of(state), SHUT_WR) < 0 ? -errno : 0;
}

static void plain_close(void *state)
{
	(void)state;
}

const struct lop_transport transport_plain = {
	.size = sizeof(struct lop_transport),
	.secure = 0,
	.name = "plain",
	.open = plain_open,
	.read = plain_read,
	.writev = plain_writev,
	.sendfile = plain_sendfile,
	.shutdown = plain_shutdown,
	.close = plain_close,
	.splice = plain_splice,
};
