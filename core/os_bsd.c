/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FreeBSD, DragonFly, NetBSD and OpenBSD; the latter two have no sendfile.
 */
#include "config.h"

#include <sys/param.h>
#include <sys/types.h>

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#if defined(__FreeBSD__) || defined(__DragonFly__)
#include <sys/disk.h>
#endif
#if defined(__FreeBSD__)
#include <sys/procctl.h>
#endif
#if defined(__NetBSD__)
#include <sys/statvfs.h>
#endif

#include "os.h"

#if defined(__FreeBSD__) || defined(__DragonFly__)
ssize_t os_sendfile(int socket, int file, off_t offset, size_t length)
{
	off_t sent = 0;
	int result;

	/* Length 0 would mean "to the end of the file". */
	if (length == 0)
		return 0;
	do
		result = sendfile(file, socket, offset, length, NULL, &sent, 0);
	while (result < 0 && errno == EINTR && sent == 0);
	/* EAGAIN comes together with what was sent before the socket was full. */
	if (sent > 0 || result == 0)
		return (ssize_t)sent;
	if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)
		return os_sendfile_copy(socket, file, offset, length);
	return -errno;
}
#else
ssize_t os_sendfile(int socket, int file, off_t offset, size_t length)
{
	return os_sendfile_copy(socket, file, offset, length);
}
#endif

int os_accept(int listener, struct sockaddr *address, socklen_t *length)
{
	int socket;

#ifdef HAVE_ACCEPT4
	do
		socket = accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (socket < 0 && errno == EINTR);
	return socket < 0 ? -errno : socket;
#else
	int result;

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
	return socket;
#endif
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
#ifdef SO_ACCEPTFILTER
	struct accept_filter_arg filter = { .af_name = "dataready" };

	return setsockopt(listener, SOL_SOCKET, SO_ACCEPTFILTER, &filter, sizeof(filter)) < 0
	               ? -errno
	               : 0;
#else
	(void)listener;
	return -ENOTSUP;
#endif
}

int os_unsent(int socket)
{
#ifdef FIONWRITE
	int bytes;

	if (ioctl(socket, FIONWRITE, &bytes) == 0)
		return bytes;
#else
	(void)socket;
#endif
	return -ENOTSUP;
}

int64_t os_device_size(int descriptor)
{
	off_t end;

#ifdef DIOCGMEDIASIZE
	off_t size;

	if (ioctl(descriptor, DIOCGMEDIASIZE, &size) == 0)
		return size;
#endif
	end = lseek(descriptor, 0, SEEK_END);
	return end < 0 ? -errno : end;
}

bool os_unsized(int descriptor)
{
	static const char *const names[] = { "procfs", "linprocfs", "linsysfs", "kernfs",
		                             "fdescfs" };
#if defined(__NetBSD__)
	struct statvfs fs;
	int result = fstatvfs(descriptor, &fs);
#else
	struct statfs fs;
	int result = fstatfs(descriptor, &fs);
#endif

	for (size_t i = 0; result == 0 && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(fs.f_fstypename, names[i]) == 0)
			return true;
	return false;
}

void os_drop_bounding_set(void)
{
}

int os_harden(void)
{
#if defined(PROC_NO_NEW_PRIVS_CTL)
	int no_new_privileges = PROC_NO_NEW_PRIVS_ENABLE;

	(void)procctl(P_PID, getpid(), PROC_NO_NEW_PRIVS_CTL, &no_new_privileges);
#endif
#if defined(PROC_TRACE_CTL)
	int no_trace = PROC_TRACE_CTL_DISABLE;

	(void)procctl(P_PID, getpid(), PROC_TRACE_CTL, &no_trace);
#endif
	return 0;
}

bool os_each_mount(os_mount_f *look, void *context)
{
	(void)look;
	(void)context;
	return false;
}
