/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

/* "%" and an interface's name after an IPv6 address. */
#define HOST_TEXT_MAX (INET6_ADDRSTRLEN + 1 + IF_NAMESIZE)

static int parse_unix(const char *path, size_t length, struct address *address)
{
	struct sockaddr_un *un = &address->socket.un;

	if (length < 2 || path[0] != '/' || memchr(path, '\0', length) != NULL)
		return -EINVAL;
	if (length >= sizeof(un->sun_path))
		return -ENAMETOOLONG;
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, length);
	address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
	return 0;
}

static int parse_port(const char *text, size_t length, uint16_t *port)
{
	unsigned value = 0;

	if (length == 0 || length > 5)
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	if (value > UINT16_MAX)
		return -EINVAL;
	*port = (uint16_t)value;
	return 0;
}

static int parse_v6(char *host, uint16_t port, struct address *address)
{
	struct sockaddr_in6 *in6 = &address->socket.in6;
	char *scope = strchr(host, '%');

	if (scope != NULL)
		*scope++ = '\0';
	if (inet_pton(AF_INET6, host, &in6->sin6_addr) != 1)
		return -EINVAL;
	if (scope != NULL && (in6->sin6_scope_id = if_nametoindex(scope)) == 0)
		return -EINVAL;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	address->length = sizeof(*in6);
	return 0;
}

static int parse_v4(const char *host, uint16_t port, struct address *address)
{
	struct sockaddr_in *in = &address->socket.in;

	if (inet_pton(AF_INET, host, &in->sin_addr) != 1)
		return -EINVAL;
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	address->length = sizeof(*in);
	return 0;
}

int address_parse(const char *text, size_t length, uint16_t default_port, struct address *address)
{
	char host[HOST_TEXT_MAX];
	const char *end = text + length, *host_end = end, *colon;
	uint16_t port = default_port;
	bool v6 = false;

	memset(address, 0, sizeof(*address));
	if (length >= 5 && memcmp(text, "unix:", 5) == 0)
		return parse_unix(text + 5, length - 5, address);
	colon = memchr(text, ':', length);
	if (length > 0 && text[0] == '[') {
		host_end = memchr(++text, ']', length - 1);
		if (host_end == NULL || (host_end + 1 < end && host_end[1] != ':'))
			return -EINVAL;
		colon = host_end + 1 < end ? host_end + 1 : NULL;
		v6 = true;
	} else if (colon != NULL && memchr(colon + 1, ':', (size_t)(end - colon - 1)) != NULL) {
		/* More than one colon: a bare IPv6 address, without a port. */
		colon = NULL;
		v6 = true;
	} else if (colon != NULL) {
		host_end = colon;
	}
	if (colon != NULL && parse_port(colon + 1, (size_t)(end - colon - 1), &port) < 0)
		return -EINVAL;
	length = (size_t)(host_end - text);
	if (length >= sizeof(host) || memchr(text, '\0', length) != NULL)
		return -EINVAL;
	memcpy(host, text, length);
	host[length] = '\0';
	return v6 ? parse_v6(host, port, address) : parse_v4(host, port, address);
}

static size_t copy_text(const char *text, size_t length, char *out, size_t size)
{
	if (size == 0)
		return 0;
	if (length >= size)
		length = size - 1;
	memcpy(out, text, length);
	out[length] = '\0';
	return length;
}

static size_t host_v6(const struct sockaddr_in6 *in6, char *out, size_t size)
{
	char text[HOST_TEXT_MAX], scope[IF_NAMESIZE];
	size_t length;

	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		if (inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], text, sizeof(text)) == NULL)
			return copy_text("", 0, out, size);
		return copy_text(text, strlen(text), out, size);
	}
	if (inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text)) == NULL)
		return copy_text("", 0, out, size);
	length = strlen(text);
	if (in6->sin6_scope_id != 0 && if_indextoname(in6->sin6_scope_id, scope) != NULL)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%%%s", scope);
	return copy_text(text, length, out, size);
}

static size_t host_unix(const struct address *address, char *out, size_t size)
{
	char text[5 + sizeof(address->socket.un.sun_path)] = "unix:";
	size_t start = offsetof(struct sockaddr_un, sun_path), length = 0;

	/* An unnamed peer has no path; an abstract one begins with NUL. */
	if (address->length > start)
		length = strnlen(address->socket.un.sun_path, address->length - start);
	memcpy(text + 5, address->socket.un.sun_path, length);
	return copy_text(text, 5 + length, out, size);
}

size_t address_host(const struct address *address, char *out, size_t size)
{
	char text[INET_ADDRSTRLEN];

	switch (address->socket.base.sa_family) {
	case AF_INET:
		if (inet_ntop(AF_INET, &address->socket.in.sin_addr, text, sizeof(text)) == NULL)
			return copy_text("", 0, out, size);
		return copy_text(text, strlen(text), out, size);
	case AF_INET6:
		return host_v6(&address->socket.in6, out, size);
	case AF_UNIX:
		return host_unix(address, out, size);
	default:
		return copy_text("", 0, out, size);
	}
}

uint16_t address_port(const struct address *address)
{
	switch (address->socket.base.sa_family) {
	case AF_INET:
		return ntohs(address->socket.in.sin_port);
	case AF_INET6:
		return ntohs(address->socket.in6.sin6_port);
	default:
		return 0;
	}
}

void address_set_port(struct address *address, uint16_t port)
{
	if (address->socket.base.sa_family == AF_INET)
		address->socket.in.sin_port = htons(port);
	else if (address->socket.base.sa_family == AF_INET6)
		address->socket.in6.sin6_port = htons(port);
}

size_t address_text(const struct address *address, char *out, size_t size)
{
	char host[ADDRESS_TEXT_MAX], text[ADDRESS_TEXT_MAX + 8];
	size_t length = address_host(address, host, sizeof(host));

	if (address->socket.base.sa_family == AF_UNIX)
		return copy_text(host, length, out, size);
	length = (size_t)snprintf(text, sizeof(text),
	                          strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host,
	                          address_port(address));
	return copy_text(text, length, out, size);
}

bool address_equal(const struct address *a, const struct address *b)
{
	if (a->socket.base.sa_family != b->socket.base.sa_family)
		return false;
	switch (a->socket.base.sa_family) {
	case AF_INET:
		return a->socket.in.sin_port == b->socket.in.sin_port &&
		       a->socket.in.sin_addr.s_addr == b->socket.in.sin_addr.s_addr;
	case AF_INET6:
		return a->socket.in6.sin6_port == b->socket.in6.sin6_port &&
		       a->socket.in6.sin6_scope_id == b->socket.in6.sin6_scope_id &&
		       memcmp(&a->socket.in6.sin6_addr, &b->socket.in6.sin6_addr,
		              sizeof(a->socket.in6.sin6_addr)) == 0;
	case AF_UNIX:
		return strcmp(a->socket.un.sun_path, b->socket.un.sun_path) == 0;
	default:
		return false;
	}
}
