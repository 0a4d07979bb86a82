/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Large request bodies go from socket to socket through a pipe, without being copied. An exchange
 * holds a pipe only while there is something in it; the worker keeps an empty one for the next.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "exchange.h"

/* With less than this to come, copying is cheaper. */
#define SPLICE_MIN (INT64_C(128) * 1024)
#define PIPE_SIZE (256 * 1024)

#ifdef SPLICE_F_MOVE

void proxy_make_pipe(int pipe[2])
{
	if (pipe2(pipe, O_NONBLOCK | O_CLOEXEC) < 0) {
		pipe[0] = pipe[1] = -1;
		return;
	}
	/* Where that is more than a user may have, it stays as it is. */
	(void)fcntl(pipe[1], F_SETPIPE_SZ, PIPE_SIZE);
}

#else

void proxy_make_pipe(int pipe[2])
{
	pipe[0] = pipe[1] = -1;
}

#endif

void proxy_close_pipe(int pipe[2])
{
	for (int i = 0; i < 2; i++) {
		if (pipe[i] >= 0)
			close(pipe[i]);
		pipe[i] = -1;
	}
}

static bool take_pipe(struct exchange *exchange)
{
	struct proxy *proxy = exchange->proxy;
	struct upload *upload = &exchange->upload;

	if (proxy->pipe[0] < 0)
		proxy_make_pipe(proxy->pipe);
	upload->pipe[0] = proxy->pipe[0];
	upload->pipe[1] = proxy->pipe[1];
	proxy->pipe[0] = proxy->pipe[1] = -1;
	upload->has_pipe = upload->pipe[0] >= 0;
	return upload->has_pipe;
}

void splice_clear(struct exchange *exchange)
{
	struct proxy *proxy = exchange->proxy;
	struct upload *upload = &exchange->upload;

	if (!upload->has_pipe)
		return;
	upload->has_pipe = false;
	if (upload->piped > 0 || proxy->pipe[0] >= 0) {
		proxy_close_pipe(upload->pipe);
		upload->piped = 0;
		return;
	}
	proxy->pipe[0] = upload->pipe[0];
	proxy->pipe[1] = upload->pipe[1];
}

int splice_out(struct exchange *exchange)
{
	struct upload *upload = &exchange->upload;

	while (upload->piped > 0) {
		ssize_t count = exchange->upstream->writable
		                        ? upstream_send_splice(exchange->upstream, upload->pipe[0],
		                                               upload->piped,
		                                               upload->read < upload->length)
		                        : -EAGAIN;

		if (count <= 0)
			return count == 0 ? -ECONNRESET : (int)count;
		exchange->sent = true;
		upload->piped -= (size_t)count;
	}
	splice_clear(exchange);
	return 0;
}

ssize_t splice_in(struct exchange *exchange)
{
	struct upload *upload = &exchange->upload;
	ssize_t count;

	if (upload->copied || upload->length - upload->read < SPLICE_MIN ||
	    exchange->upstream->stream != NULL)
		return -EOPNOTSUPP;
	if (!take_pipe(exchange)) {
		upload->copied = true;
		return -EOPNOTSUPP;
	}
	count = lop_request_body_splice(exchange->request, upload->pipe[1], PIPE_SIZE);
	if (count > 0) {
		upload->piped = (size_t)count;
		return count;
	}
	splice_clear(exchange);
	upload->copied = count == -EOPNOTSUPP;
	return count;
}
