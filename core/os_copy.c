/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The portable way to send a part of a file, and what else needs no platform of its own.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "os.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* os_accept() has told the socket instead */
#endif

#define COPY_SIZE 65536

ssize_t os_sendfile_copy(int socket, int file, off_t offset, size_t length)
{
	char buffer[COPY_SIZE];
	ssize_t got, sent;

	do
		got = pread(file, buffer, length < COPY_SIZE ? length : COPY_SIZE, offset);
	while (got < 0 && errno == EINTR);
	/* A file opened with O_NONBLOCK could say EAGAIN: that is not the socket's. */
	if (got < 0)
		return errno == EAGAIN ? -EIO : -errno;
	if (got == 0)
		return 0;
	do
		sent = send(socket, buffer, (size_t)got, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	return sent;
}

int os_prepare(int descriptor)
{
	int flags = fcntl(descriptor, F_GETFL);

	if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return os_close_on_exec(descriptor);
}

int os_close_on_exec(int descriptor)
{
	int flags = fcntl(descriptor, F_GETFD);

	return flags < 0 || fcntl(descriptor, F_SETFD, flags | FD_CLOEXEC) < 0 ? -errno : 0;
}
