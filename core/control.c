/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "os.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* the process ignores SIGPIPE */
#endif
#ifndef MSG_CMSG_CLOEXEC
#define MSG_CMSG_CLOEXEC 0 /* os_prepare() follows */
#endif

/* Room for one descriptor, aligned as the kernel wants it. */
union descriptor_room {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int control_pair(int pair[2])
{
	int result;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return -errno;
	result = os_prepare(pair[0]);
	if (result == 0)
		result = os_prepare(pair[1]);
	if (result < 0) {
		close(pair[0]);
		close(pair[1]);
	}
	return result;
}

int control_send(int line, enum control_kind kind, int descriptor)
{
	unsigned char byte = (unsigned char)kind;
	struct iovec vector = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
	union descriptor_room room;
	ssize_t sent;

	if (descriptor >= 0) {
		memset(&room, 0, sizeof(room));
		message.msg_control = &room;
		message.msg_controllen = sizeof(room.bytes);
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);

		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(descriptor));
		memcpy(CMSG_DATA(header), &descriptor, sizeof(descriptor));
	}
	do
		sent = sendmsg(line, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

int control_receive(int line, int *descriptor)
{
	unsigned char byte;
	struct iovec vector = { .iov_base = &byte, .iov_len = 1 };
	union descriptor_room room;
	struct msghdr message = { .msg_iov = &vector,
		                  .msg_iovlen = 1,
		                  .msg_control = &room,
		                  .msg_controllen = sizeof(room.bytes) };
	struct cmsghdr *header;
	ssize_t got;

	*descriptor = -1;
	do
		got = recvmsg(line, &message, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got == 0 || (got < 0 && errno == ECONNRESET))
		return -EPIPE;
	if (got < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? CONTROL_NONE : -errno;
	header = CMSG_FIRSTHDR(&message);
	if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(*descriptor))) {
		memcpy(descriptor, CMSG_DATA(header), sizeof(*descriptor));
		os_close_on_exec(*descriptor);
	}
	return byte;
}
