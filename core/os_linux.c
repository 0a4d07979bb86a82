/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <mntent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "os.h"

/* The kernel moves no more than this in one call. */
#define SENDFILE_MAX 0x7ffff000

/* capset(2) as the kernel has it since 2.6.26; libc has no header for it. */
#define CAPABILITY_VERSION 0x20080522

struct capability_header {
	uint32_t version;
	int pid;
};

struct capability_sets {
	uint32_t effective;
	uint32_t permitted;
	uint32_t inheritable;
};

/* As in <linux/sockios.h>, whose other names clash with libc's. */
#ifndef SIOCOUTQ
#define SIOCOUTQ TIOCOUTQ
#endif

ssize_t os_sendfile(int socket, int file, off_t offset, size_t length)
{
	ssize_t sent;

	if (length > SENDFILE_MAX)
		length = SENDFILE_MAX;
	do
		sent = sendfile(socket, file, &offset, length);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return sent;
	if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)
		return os_sendfile_copy(socket, file, offset, length);
	return -errno;
}

int os_accept(int listener, struct sockaddr *address, socklen_t *length)
{
	int socket;

	do
		socket = accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (socket < 0 && errno == EINTR);
	return socket < 0 ? -errno : socket;
}

int os_pipe(int ends[2], size_t size)
{
	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0)
		return -errno;
	/* Without that room it is only slower. */
	(void)fcntl(ends[1], F_SETPIPE_SZ, (int)size);
	return 0;
}

ssize_t os_splice(int from, int to, size_t length, int more)
{
	const unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0);
	ssize_t moved;

	do
		moved = splice(from, NULL, to, NULL, length, flags);
	while (moved < 0 && errno == EINTR);
	return moved < 0 ? -errno : moved;
}

int os_cpu_count(void)
{
	cpu_set_t set;
	long online;

	/* Fails on machines with more processors than the fixed set holds. */
	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
		return CPU_COUNT(&set);
	online = sysconf(_SC_NPROCESSORS_ONLN);
	return online < 1 ? 1 : (int)online;
}

int os_defer_accept(int listener)
{
	const int seconds = 1;

	return setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds)) < 0
	               ? -errno
	               : 0;
}

int os_unsent(int socket)
{
	int bytes;

	return ioctl(socket, SIOCOUTQ, &bytes) < 0 ? -ENOTSUP : bytes;
}

int64_t os_device_size(int descriptor)
{
	uint64_t size;
	off_t end;

	if (ioctl(descriptor, BLKGETSIZE64, &size) == 0)
		return size > INT64_MAX ? -EOVERFLOW : (int64_t)size;
	end = lseek(descriptor, 0, SEEK_END);
	return end < 0 ? -errno : end;
}

bool os_unsized(int descriptor)
{
	struct statfs fs;

	if (fstatfs(descriptor, &fs) < 0)
		return false;
	switch ((uint32_t)fs.f_type) {
	case 0x00009fa0: /* proc */
	case 0x62656572: /* sysfs */
	case 0x0027e0eb: /* cgroup */
	case 0x63677270: /* cgroup2 */
	case 0x64626720: /* debugfs */
	case 0x74726163: /* tracefs */
	case 0x73636673: /* securityfs */
	case 0x62656570: /* configfs */
	case 0x42494e4d: /* binfmt_misc */
	case 0xf97cff8c: /* selinuxfs */
	case 0x43415d53: /* smackfs */
	case 0x07655821: /* resctrl */
		return true;
	default:
		return false;
	}
}

void os_drop_bounding_set(void)
{
	/* Until one that this kernel does not have. */
	for (unsigned long capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0;)
		capability++;
}

int os_harden(void)
{
	struct capability_header header = { .version = CAPABILITY_VERSION };
	struct capability_sets none[2] = { { .effective = 0 } };

	/* EINVAL: kernels before 3.5 */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 && errno != EINVAL)
		return -errno;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	/* An ordinary user may have been given CAP_NET_BIND_SERVICE for the listeners. */
	if (geteuid() != 0 && syscall(SYS_capset, &header, none) < 0)
		return -errno;
	return 0;
}

bool os_each_mount(os_mount_f *look, void *context)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	const struct mntent *mount;
	bool found = false;

	if (mounts == NULL)
		return false;
	while (!found && (mount = getmntent(mounts)) != NULL)
		found = look(context, mount->mnt_dir);
	(void)endmntent(mounts);
	return found;
}
