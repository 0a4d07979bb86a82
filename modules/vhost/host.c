/* SPDX-License-Identifier: BSD-2-Clause */
#include "host.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Reads the port behind the name, if there is one. Returns false when that is no port. */
static bool read_port(const char *text, size_t length, unsigned *port)
{
	unsigned value = 0;

	if (length == 0)
		return true;
	if (text[0] != ':')
		return false;
	for (size_t i = 1; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (unsigned)(text[i] - '0');
		if (value > 65535)
			return false;
	}
	if (length > 1)
		*port = value;
	return true;
}

/* "[0:0::1]" -> "[::1]". Returns the length written, 0 when it is no IPv6 address. */
static size_t put_literal(const char *text, size_t length, char *out)
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr binary;

	if (length < 2 || length - 2 >= sizeof(address))
		return 0;
	memcpy(address, text + 1, length - 2);
	address[length - 2] = '\0';
	if (inet_pton(AF_INET6, address, &binary) != 1 ||
	    inet_ntop(AF_INET6, &binary, address, sizeof(address)) == NULL)
		return 0;
	length = strlen(address);
	out[0] = '[';
	memcpy(out + 1, address, length);
	out[length + 1] = ']';
	return length + 2;
}

/* Lower case, without the dot of an absolute name. Returns the length written, 0 when no folder
 * can have that name: what is percent-encoded is no host name. */
static size_t put_name(const char *text, size_t length, char *out)
{
	if (length > 0 && text[length - 1] == '.')
		length--;
	if (length == 0 || length > HOST_NAME_MAX_LENGTH)
		return 0;
	for (size_t i = 0; i < length; i++) {
		char byte = text[i];

		if (byte == '%' || byte == '/' || byte == '\0')
			return 0;
		out[i] = (char)(byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
	}
	return length;
}

size_t host_folder(struct lop_str host, const char *scheme, char out[HOST_FOLDER_SIZE])
{
	const unsigned usual = strcmp(scheme, "https") == 0 ? 443 : 80;
	const char *end;
	unsigned port = usual;
	size_t name, length;

	if (host.data == NULL || host.length == 0)
		return 0;
	if (host.data[0] == '[') {
		end = memchr(host.data, ']', host.length);
		name = end == NULL ? 0 : (size_t)(end + 1 - host.data);
		length = put_literal(host.data, name, out + HOST_PREFIX_LENGTH);
	} else {
		end = memchr(host.data, ':', host.length);
		name = end == NULL ? host.length : (size_t)(end - host.data);
		length = put_name(host.data, name, out + HOST_PREFIX_LENGTH);
	}
	if (length == 0 || !read_port(host.data + name, host.length - name, &port))
		return 0;
	memcpy(out, HOST_PREFIX, HOST_PREFIX_LENGTH);
	length += HOST_PREFIX_LENGTH;
	out[length] = '\0';
	if (port != usual)
		length += (size_t)snprintf(out + length, HOST_FOLDER_SIZE - length, ":%u", port);
	return length;
}
