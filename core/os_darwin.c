/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <sys/disk.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "os.h"

ssize_t os_sendfile(int socket, int file, off_t offset, size_t length)
{
	off_t count;
	int result;

	/* Length 0 would mean "to the end of the file". */
	if (length == 0)
		return 0;
	do {
		count = (off_t)length;
		result = sendfile(file, socket, offset, &count, NULL, 0);
	} while (result < 0 && errno == EINTR && count == 0);
	/* EAGAIN comes together with what was sent before the socket was full. */
	if (result == 0 || ((errno == EAGAIN || errno == EINTR) && count > 0))
		return (ssize_t)count;
	if (errno == EINVAL || errno == ENOTSUP || errno == EOPNOTSUPP || errno == ENOSYS)
		return os_sendfile_copy(socket, file, offset, length);
	return -errno;
}

int os_accept(int listener, struct sockaddr *address, socklen_t *length)
{
	int socket, result, on = 1;

	do
		socket = accept(listener, address, length);
	while (socket < 0 && errno == EINTR);
	if (socket < 0)
		return -errno;
	result = os_prepare(socket);
	if (result < 0) {
		close(socket);
		return result;
	}
	setsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
	return socket;
}

int os_pipe(int ends[2], size_t size)
{
	(void)ends;
	(void)size;
	return -EOPNOTSUPP;
}

ssize_t os_splice(int from, int to, size_t length, int more)
{
	(void)from;
	(void)to;
	(void)length;
	(void)more;
	return -EOPNOTSUPP;
}

int os_cpu_count(void)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);

	return online < 1 ? 1 : (int)online;
}

int os_defer_accept(int listener)
{
	(void)listener;
	return -ENOTSUP;
}

int os_unsent(int socket)
{
	int bytes;
	socklen_t size = sizeof(bytes);

	if (getsockopt(socket, SOL_SOCKET, SO_NWRITE, &bytes, &size) == 0)
		return bytes;
	return -ENOTSUP;
}

int64_t os_device_size(int descriptor)
{
	uint64_t blocks;
	uint32_t block;
	off_t end;

	if (ioctl(descriptor, DKIOCGETBLOCKCOUNT, &blocks) == 0 &&
	    ioctl(descriptor, DKIOCGETBLOCKSIZE, &block) == 0)
		return (int64_t)(blocks * block);
	end = lseek(descriptor, 0, SEEK_END);
	return end < 0 ? -errno : end;
}

bool os_unsized(int descriptor)
{
	(void)descriptor;
	return false;
}

void os_drop_bounding_set(void)
{
}

int os_harden(void)
{
	return 0;
}

bool os_each_mount(os_mount_f *look, void *context)
{
	(void)look;
	(void)context;
	return false;
}
