/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "listen.h"
#include "os.h"

/* The kernel takes less where it allows less (net.core.somaxconn). */
#define BACKLOG 32767

/* Where every socket gets its share of the connections; elsewhere the last one got them all. */
#if defined(HAVE_SO_REUSEPORT_LB)
#define SHARE_PORT SO_REUSEPORT_LB
#elif defined(__linux__)
#define SHARE_PORT SO_REUSEPORT
#else
#define SHARE_PORT 0
#endif

bool listen_balanced(int family)
{
	return SHARE_PORT != 0 && family != AF_UNIX;
}

static int set_option(int descriptor, int level, int name, int value)
{
	return setsockopt(descriptor, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

int listen_prepare(int descriptor, int family)
{
	int result = os_prepare(descriptor);

	/* Accepted sockets inherit it, which saves a call for each. */
	if (result == 0 && family != AF_UNIX)
		result = set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
	return result;
}

/* A socket that is bound, and shares its port if it may. */
static int bound_socket(const struct address *address, bool v6only, bool share)
{
	int family = address->socket.base.sa_family;
	int descriptor = socket(family, SOCK_STREAM, 0);
	int result;

	if (descriptor < 0)
		return -errno;
	result = listen_prepare(descriptor, family);
	if (result == 0 && family != AF_UNIX)
		result = set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
	if (result == 0 && family == AF_INET6)
		result = set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, v6only);
	if (result == 0 && share && listen_balanced(family))
		result = set_option(descriptor, SOL_SOCKET, SHARE_PORT, 1);
	if (result == 0 && bind(descriptor, &address->socket.base, address->length) < 0)
		result = -errno;
	if (result < 0) {
		close(descriptor);
		return result;
	}
	return descriptor;
}

static int probe_unix(const struct address *address)
{
	const char *path = address->socket.un.sun_path;
	struct stat st;
	int descriptor, result;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
	if (descriptor < 0)
		return -errno;
	result = connect(descriptor, &address->socket.base, address->length) < 0 ? -errno : 0;
	close(descriptor);
	if (result == 0)
		return -EADDRINUSE;
	if (result != -ECONNREFUSED)
		return result;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int listen_probe(const struct address *address, bool v6only)
{
	int descriptor;

	if (address->socket.base.sa_family == AF_UNIX)
		return probe_unix(address);
	if (address_port(address) == 0)
		return 0;
	descriptor = bound_socket(address, v6only, false);
	if (descriptor < 0)
		return descriptor;
	close(descriptor);
	return 0;
}

int listen_socket(struct address *address, bool v6only)
{
	int family = address->socket.base.sa_family;
	int descriptor = bound_socket(address, v6only, true);
	int result;

	if (descriptor < 0)
		return descriptor;
	/* As with a TCP port, who may connect is not the file's business: its folder's perhaps. */
	if (family == AF_UNIX && chmod(address->socket.un.sun_path, 0666) < 0)
		goto fail;
	if (listen(descriptor, BACKLOG) < 0)
		goto fail;
	if (family != AF_UNIX) {
		address->length = sizeof(address->socket);
		if (getsockname(descriptor, &address->socket.base, &address->length) < 0)
			goto fail;
	}
	return descriptor;
fail:
	result = -errno;
	close(descriptor);
	return result;
}
