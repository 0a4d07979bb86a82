/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "proxy_header.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define V2_LOCAL 0x20
#define V2_PROXY 0x21
#define V2_TCP4 0x11
#define V2_TCP6 0x21
#define V2_PREFIX 16

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";

/* An address as bytes; v4 as the last four of its mapped form. */
struct end {
	unsigned char bytes[16];
	bool v4;
};

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

int proxy_header_version(const char *text, enum proxy_header_version *version, char *error,
                         size_t error_size)
{
	static const char *const names[] = {
		[PROXY_HEADER_OFF] = "off",
		[PROXY_HEADER_V1] = "v1",
		[PROXY_HEADER_V2] = "v2",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0) {
			*version = (enum proxy_header_version)i;
			return 0;
		}
	snprintf(error, error_size, "'%s' is not v1, v2 or off", text);
	return -EINVAL;
}

/* False: no address of IPv4 or IPv6. */
static bool read_end(struct lop_str text, struct end *end)
{
	char copy[INET6_ADDRSTRLEN];
	const char *scope;
	size_t length = text.length;

	if (text.data == NULL)
		return false;
	/* A scope means something on one machine only. */
	scope = memchr(text.data, '%', length);
	if (scope != NULL)
		length = (size_t)(scope - text.data);
	if (length >= sizeof(copy) || memchr(text.data, '\0', length) != NULL)
		return false;
	memcpy(copy, text.data, length);
	copy[length] = '\0';
	if (inet_pton(AF_INET, copy, end->bytes + sizeof(mapped)) == 1) {
		memcpy(end->bytes, mapped, sizeof(mapped));
		end->v4 = true;
		return true;
	}
	if (inet_pton(AF_INET6, copy, end->bytes) != 1)
		return false;
	end->v4 = memcmp(end->bytes, mapped, sizeof(mapped)) == 0;
	return true;
}

static size_t write_v1(const struct proxy_header *header, const struct end *source,
                       const struct end *destination, char *out)
{
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
	bool v4 = source->v4 && destination->v4;
	size_t skip = v4 ? sizeof(mapped) : 0;
	int family = v4 ? AF_INET : AF_INET6;

	inet_ntop(family, source->bytes + skip, from, sizeof(from));
	inet_ntop(family, destination->bytes + skip, to, sizeof(to));
	/* Its NUL may need one byte more than the line. */
	char line[PROXY_HEADER_SIZE + 1];
	int length = snprintf(line, sizeof(line), "PROXY TCP%c %s %s %u %u\r\n", v4 ? '4' : '6',
	                      from, to, header->source_port, header->destination_port);

	memcpy(out, line, (size_t)length);
	return (size_t)length;
}

static void write_port(char *out, uint16_t port)
{
	out[0] = (char)(port >> 8);
	out[1] = (char)(port & 0xff);
}

static size_t write_v2_prefix(char command, char family, size_t length, char *out)
{
	memcpy(out, signature, sizeof(signature) - 1);
	out[12] = command;
	out[13] = family;
	write_port(out + 14, (uint16_t)length);
	return V2_PREFIX;
}

static size_t write_v2(const struct proxy_header *header, const struct end *source,
                       const struct end *destination, char *out)
{
	bool v4 = source->v4 && destination->v4;
	size_t skip = v4 ? sizeof(mapped) : 0, width = 16 - skip;
	size_t at = write_v2_prefix(V2_PROXY, v4 ? V2_TCP4 : V2_TCP6, 2 * width + 4, out);

	memcpy(out + at, source->bytes + skip, width);
	memcpy(out + at + width, destination->bytes + skip, width);
	write_port(out + at + 2 * width, header->source_port);
	write_port(out + at + 2 * width + 2, header->destination_port);
	return at + 2 * width + 4;
}

size_t proxy_header_write(enum proxy_header_version version, const struct proxy_header *header,
                          char out[PROXY_HEADER_SIZE])
{
	static const char unknown[] = "PROXY UNKNOWN\r\n";
	struct end source, destination;
	bool known = read_end(header->source, &source) &&
	             read_end(header->destination, &destination);

	if (version == PROXY_HEADER_OFF)
		return 0;
	if (known)
		return version == PROXY_HEADER_V1 ? write_v1(header, &source, &destination, out)
		                                  : write_v2(header, &source, &destination, out);
	if (version == PROXY_HEADER_V2)
		return write_v2_prefix(header->source.data == NULL ? V2_LOCAL : V2_PROXY, 0, 0, out);
	memcpy(out, unknown, sizeof(unknown) - 1);
	return sizeof(unknown) - 1;
}
