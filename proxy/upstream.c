/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection to an upstream. Which of them are kept is upstream_cache.c's.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <lophttpd/message.h>

#include "secure.h"
#include "upstream.h"
#include "upstream_private.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* the process ignores SIGPIPE */
#endif

/* What happens to it */

static void upstream_watched(void *context, unsigned events)
{
	struct upstream *upstream = context;

	if (events & LOP_READABLE)
		upstream->readable = true;
	if (events & LOP_WRITABLE)
		upstream->writable = true;
	if (events & LOP_HANGUP)
		upstream->hangup = true;
	/* TLS may read to write, and the other way round. */
	if (upstream->stream != NULL)
		upstream->readable = upstream->writable = true;
	if (upstream->ready != NULL)
		upstream->ready(upstream->context);
	else if (!upstream_quiet(upstream))
		upstream_forget(&upstream);
}

static void upstream_expired(void *context)
{
	struct upstream *upstream = context;
	const int64_t now = lop_worker_now(upstream->owner->worker);

	upstream->timer_at = 0;
	if (upstream->deadline == 0)
		return;
	if (upstream->deadline > now) {
		upstream->timer_at = upstream->deadline;
		lop_timer_start(upstream->timer, upstream->deadline - now);
		return;
	}
	upstream->deadline = 0;
	upstream->timed_out = true;
	if (upstream->ready != NULL)
		upstream->ready(upstream->context);
	else
		upstream_forget(&upstream);
}

void upstream_deadline(struct upstream *upstream, int64_t after)
{
	if (after <= 0) {
		upstream->deadline = 0;
		return;
	}
	/* A deadline that moves away, as with every exchange, leaves the timer where it is: that
	 * looks again when it fires. */
	upstream->deadline = lop_worker_now(upstream->owner->worker) + after;
	if (upstream->timer_at == 0 || upstream->timer_at > upstream->deadline) {
		upstream->timer_at = upstream->deadline;
		lop_timer_start(upstream->timer, after);
	}
}

/* Opening */

static int make_socket(int family)
{
#ifdef SOCK_NONBLOCK
	int descriptor = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return descriptor < 0 ? -errno : descriptor;
#else
	int descriptor = socket(family, SOCK_STREAM, 0);

	if (descriptor < 0)
		return -errno;
	(void)fcntl(descriptor, F_SETFD, FD_CLOEXEC);
	(void)fcntl(descriptor, F_SETFL, O_NONBLOCK);
	return descriptor;
#endif
}

static int begin_connect(struct upstream *upstream)
{
	const struct server *server = upstream->server;
	const int on = 1;
	int descriptor = make_socket(server->address.any.sa_family);

	if (descriptor < 0)
		return descriptor;
	upstream->descriptor = descriptor;
	/* A body may come behind its head in a packet of its own: it must not wait for an answer. */
	if (server->address.any.sa_family != AF_UNIX)
		(void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(descriptor, &server->address.any, server->address_length) == 0)
		return 0;
	/* A UNIX socket whose queue is full says EAGAIN, and nothing more happens to it. */
	return errno == EINPROGRESS || errno == EINTR ? -EAGAIN : errno == EAGAIN ? -EBUSY : -errno;
}

int upstream_open(struct upstreams *upstreams, struct server *server, struct lop_str greeting,
                  upstream_ready_f *ready, void *context, struct upstream **out)
{
	struct upstream *upstream = calloc(1, sizeof *upstream);
	int result = -ENOMEM;

	if (upstream == NULL)
		return -ENOMEM;
	upstream->owner = upstreams;
	upstream->server = server;
	upstream->descriptor = -1;
	upstream->ready = ready;
	upstream->context = context;
	server_retain(server);
	upstream->timer = lop_timer_new(upstreams->worker, upstream_expired, upstream);
	if (upstream->timer == NULL)
		goto fail;
	if (greeting.length > 0) {
		upstream->greeting = malloc(greeting.length);
		if (upstream->greeting == NULL)
			goto fail;
		memcpy(upstream->greeting, greeting.data, greeting.length);
		upstream->greeting_length = greeting.length;
	}
	result = begin_connect(upstream);
	if (result < 0 && result != -EAGAIN)
		goto fail;
	upstream->phase = result == 0 ? UPSTREAM_GREETING : UPSTREAM_CONNECTING;
	upstream->writable = result == 0;
	result = lop_watch_start(upstreams->worker, upstream->descriptor, upstream_watched, upstream,
	                         &upstream->watch);
	if (result < 0)
		goto fail;
	*out = upstream;
	return 0;
fail:
	upstream_close(&upstream);
	return result;
}

static int finish_connect(struct upstream *upstream)
{
	int error = 0;
	socklen_t length = sizeof error;

	if (!upstream->writable)
		return -EAGAIN;
	if (getsockopt(upstream->descriptor, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		return -errno;
	return -error;
}

static ssize_t plain_send(struct upstream *upstream, const struct iovec *pieces, int count)
{
	struct msghdr message = { .msg_name = NULL };
	size_t wanted = 0;
	ssize_t sent;

	for (int i = 0; i < count; i++)
		wanted += pieces[i].iov_len;
	do {
		if (count == 1) {
			sent = send(upstream->descriptor, pieces->iov_base, pieces->iov_len,
			            MSG_NOSIGNAL);
		} else {
			/* sendmsg does not change the vector; its type only says it might. */
			message.msg_iov = (struct iovec *)(uintptr_t)pieces;
			message.msg_iovlen = (size_t)count;
			sent = sendmsg(upstream->descriptor, &message, MSG_NOSIGNAL);
		}
	} while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		return -errno;
	if (sent < (ssize_t)wanted)
		upstream->writable = false;
	return sent < 0 ? -EAGAIN : sent;
}

static int send_greeting(struct upstream *upstream)
{
	while (upstream->greeting_length > 0) {
		const struct iovec piece = { upstream->greeting, upstream->greeting_length };
		ssize_t sent = plain_send(upstream, &piece, 1);

		if (sent < 0)
			return (int)sent;
		upstream->greeting_length -= (size_t)sent;
		memmove(upstream->greeting, upstream->greeting + sent, upstream->greeting_length);
	}
	free(upstream->greeting);
	upstream->greeting = NULL;
	return 0;
}

static int begin_handshake(struct upstream *upstream)
{
	if (!upstream->server->url->secure)
		return 0;
	upstream->readable = true;
	return secure_open(upstream->owner->secure, upstream->descriptor, upstream->server->url,
	                   upstream_session(upstream), upstream_learn_session, upstream,
	                   &upstream->stream);
}

static void complain(const struct upstream *upstream, int result)
{
	upstreams_complain(upstream->owner, upstream->server,
	                   result == -EACCES ? "its certificate does not hold" : "TLS failed",
	                   secure_error(upstream->stream));
}

static int step_handshake(struct upstream *upstream)
{
	int result;

	if (upstream->stream == NULL)
		return 0;
	result = secure_handshake(upstream->stream);
	if (result < 0 && result != -EAGAIN)
		complain(upstream, result);
	return result;
}

int upstream_prepare(struct upstream *upstream)
{
	int result = 0;

	while (result == 0 && upstream->phase != UPSTREAM_OPEN) {
		switch ((enum upstream_phase)upstream->phase) {
		case UPSTREAM_CONNECTING:
			result = finish_connect(upstream);
			break;
		case UPSTREAM_GREETING:
			result = upstream->writable ? send_greeting(upstream) : -EAGAIN;
			if (result == 0)
				result = begin_handshake(upstream);
			break;
		case UPSTREAM_HANDSHAKE:
			result = step_handshake(upstream);
			break;
		case UPSTREAM_OPEN:
			break;
		}
		if (result == 0)
			upstream->phase++;
	}
	return result;
}

/* Moving bytes */

ssize_t upstream_send(struct upstream *upstream, const struct iovec *pieces, int count)
{
	ssize_t total = 0;

	if (upstream->stream == NULL)
		return plain_send(upstream, pieces, count);
	for (int i = 0; i < count; i++) {
		size_t done = 0;

		while (done < pieces[i].iov_len) {
			ssize_t sent = secure_write(upstream->stream,
			                            (const char *)pieces[i].iov_base + done,
			                            pieces[i].iov_len - done);

			if (sent < 0) {
				if (sent == -EAGAIN)
					upstream->writable = false;
				return total > 0 && sent == -EAGAIN ? total : sent;
			}
			done += (size_t)sent;
			total += sent;
		}
	}
	return total;
}

static ssize_t plain_receive(struct upstream *upstream, void *buffer, size_t size, char *extra)
{
	struct iovec pieces[2] = { { buffer, size }, { extra, 1 } };
	struct msghdr message = { .msg_iov = pieces, .msg_iovlen = 2 };
	const size_t wanted = extra != NULL ? size + 1 : size;
	ssize_t count;

	do {
		count = extra != NULL ? recvmsg(upstream->descriptor, &message, 0)
		                      : recv(upstream->descriptor, buffer, size, 0);
	} while (count < 0 && errno == EINTR);
	if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		return -errno;
	/* Less than was asked for: it is empty. Behind a hang-up stands its end, of which no further
	 * edge tells. */
	if (count < (ssize_t)wanted && (count <= 0 || !upstream->hangup))
		upstream->readable = false;
	return count < 0 ? -EAGAIN : count;
}

static ssize_t secure_receive(struct upstream *upstream, void *buffer, size_t size, char *extra)
{
	ssize_t count = secure_read(upstream->stream, buffer, size);

	if (count == (ssize_t)size && extra != NULL) {
		ssize_t more = secure_read(upstream->stream, extra, 1);

		if (more == 1)
			return count + 1;
		if (more == -EAGAIN)
			upstream->readable = false;
	}
	if (count == -EAGAIN)
		upstream->readable = false;
	/* In TLS 1.3 it may say only now that it wants another certificate. */
	if (count == -EPROTO)
		complain(upstream, -EPROTO);
	return count;
}

ssize_t upstream_receive(struct upstream *upstream, void *buffer, size_t size, char *extra)
{
	if (upstream->pending_length > 0) {
		size_t count = upstream->pending_length;

		if (count > size)
			count = size;
		memcpy(buffer, upstream->pending, count);
		upstream->pending_length -= count;
		memmove(upstream->pending, upstream->pending + count, upstream->pending_length);
		if (upstream->pending_length > 0)
			return (ssize_t)count;
		free(upstream->pending);
		upstream->pending = NULL;
		return (ssize_t)count;
	}
	if (!upstream->readable)
		return -EAGAIN;
	return upstream->stream != NULL ? secure_receive(upstream, buffer, size, extra)
	                                : plain_receive(upstream, buffer, size, extra);
}

int upstream_unread(struct upstream *upstream, const char *data, size_t length)
{
	char *copy;

	if (length == 0)
		return 0;
	copy = malloc(length + upstream->pending_length);
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, data, length);
	if (upstream->pending_length > 0)
		memcpy(copy + length, upstream->pending, upstream->pending_length);
	free(upstream->pending);
	upstream->pending = copy;
	upstream->pending_length += length;
	return 0;
}

#ifdef SPLICE_F_MOVE

ssize_t upstream_receive_splice(struct upstream *upstream, int pipe, size_t size)
{
	ssize_t count;

	if (upstream->stream != NULL || upstream->pending_length > 0)
		return -EOPNOTSUPP;
	if (!upstream->readable)
		return -EAGAIN;
	do {
		count = splice(upstream->descriptor, NULL, pipe, NULL, size,
		               SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	} while (count < 0 && errno == EINTR);
	if (count < 0 && errno == EINVAL)
		return -EOPNOTSUPP;
	if (count < 0 && errno != EAGAIN)
		return -errno;
	/* It ends where a packet does, or when the pipe is full: only "nothing" says that the
	 * socket is empty. */
	if (count < 0)
		upstream->readable = false;
	return count < 0 ? -EAGAIN : count;
}

ssize_t upstream_send_splice(struct upstream *upstream, int pipe, size_t size, bool more)
{
	ssize_t count;

	if (upstream->stream != NULL)
		return -EOPNOTSUPP;
	do {
		count = splice(pipe, NULL, upstream->descriptor, NULL, size,
		               SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0));
	} while (count < 0 && errno == EINTR);
	if (count < 0 && errno != EAGAIN)
		return -errno;
	/* As above. */
	if (count < 0)
		upstream->writable = false;
	return count < 0 ? -EAGAIN : count;
}

#else

ssize_t upstream_receive_splice(struct upstream *upstream, int pipe, size_t size)
{
	(void)upstream;
	(void)pipe;
	(void)size;
	return -EOPNOTSUPP;
}

ssize_t upstream_send_splice(struct upstream *upstream, int pipe, size_t size, bool more)
{
	(void)upstream;
	(void)pipe;
	(void)size;
	(void)more;
	return -EOPNOTSUPP;
}

#endif

void upstream_shutdown(struct upstream *upstream)
{
	if (upstream->stream != NULL)
		secure_shutdown(upstream->stream);
	else
		(void)shutdown(upstream->descriptor, SHUT_WR);
}

bool upstream_quiet(struct upstream *upstream)
{
	char byte;
	ssize_t count;

	if (upstream->hangup || upstream->pending_length > 0)
		return false;
	if (!upstream->readable)
		return true;
	upstream->readable = false;
	/* TLS has messages of its own, such as a new session: reading takes them in. */
	if (upstream->stream != NULL)
		return secure_read(upstream->stream, &byte, 1) == -EAGAIN;
	do
		count = recv(upstream->descriptor, &byte, 1, MSG_PEEK);
	while (count < 0 && errno == EINTR);
	return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void upstream_close(struct upstream **pointer)
{
	struct upstream *upstream = *pointer;

	*pointer = NULL;
	if (upstream == NULL)
		return;
	if (upstream->stream != NULL) {
		if (upstream->phase == UPSTREAM_OPEN && !upstream->hangup)
			secure_shutdown(upstream->stream);
		secure_close(&upstream->stream);
	}
	lop_watch_stop(&upstream->watch);
	lop_timer_free(&upstream->timer);
	if (upstream->descriptor >= 0)
		close(upstream->descriptor);
	free(upstream->greeting);
	free(upstream->pending);
	server_release(&upstream->server);
	free(upstream);
}
