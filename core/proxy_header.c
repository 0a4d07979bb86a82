/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "proxy_header.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* Of version 1, with CR LF. */
#define LINE_MAX_LENGTH 107
#define V2_PREFIX 16

static const char v1_start[] = "PROXY ";
static const char v2_start[] = "\r\n\r\n\0\r\nQUIT\n";

/* ---- version 1 ------------------------------------------------------------------------------ */

/* Takes a word up to a single blank, or up to the end when it is the last. */
static bool take_word(const char **at, const char *end, bool last, char *out, size_t size)
{
	const char *blank = memchr(*at, ' ', (size_t)(end - *at));
	size_t length;

	if (last != (blank == NULL))
		return false;
	length = (size_t)((last ? end : blank) - *at);
	if (length == 0 || length >= size || memchr(*at, '\0', length) != NULL)
		return false;
	memcpy(out, *at, length);
	out[length] = '\0';
	*at = last ? end : blank + 1;
	return true;
}

static bool take_host(const char **at, const char *end, int family, struct address *address)
{
	char text[INET6_ADDRSTRLEN];

	memset(address, 0, sizeof(*address));
	if (!take_word(at, end, false, text, sizeof(text)))
		return false;
	address->socket.base.sa_family = (sa_family_t)family;
	if (family == AF_INET) {
		address->length = sizeof(address->socket.in);
		return inet_pton(family, text, &address->socket.in.sin_addr) == 1;
	}
	address->length = sizeof(address->socket.in6);
	return inet_pton(family, text, &address->socket.in6.sin6_addr) == 1;
}

static bool take_port(const char **at, const char *end, bool last, struct address *address)
{
	char text[6];
	unsigned long port = 0;

	if (!take_word(at, end, last, text, sizeof(text)))
		return false;
	for (const char *digit = text; *digit != '\0'; digit++) {
		if (*digit < '0' || *digit > '9' || (digit > text && text[0] == '0'))
			return false;
		port = port * 10 + (unsigned long)(*digit - '0');
	}
	if (port > UINT16_MAX)
		return false;
	address_set_port(address, (uint16_t)port);
	return true;
}

static bool read_addresses(const char *at, const char *end, int family, struct proxy_header *header)
{
	return take_host(&at, end, family, &header->source) &&
	       take_host(&at, end, family, &header->destination) &&
	       take_port(&at, end, false, &header->source) &&
	       take_port(&at, end, true, &header->destination);
}

static bool begins(const char *at, const char *end, const char *word)
{
	size_t length = strlen(word);

	return (size_t)(end - at) >= length && memcmp(at, word, length) == 0;
}

static ssize_t read_v1(const char *data, size_t length, struct proxy_header *header)
{
	size_t looked = length < LINE_MAX_LENGTH ? length : LINE_MAX_LENGTH;
	const char *end = memchr(data, '\n', looked), *at = data + sizeof(v1_start) - 1;
	bool fits;

	if (end == NULL)
		return length < LINE_MAX_LENGTH ? 0 : -EBADMSG;
	if (*--end != '\r')
		return -EBADMSG;
	if (begins(at, end, "TCP4 ")) {
		fits = read_addresses(at + 5, end, AF_INET, header);
	} else if (begins(at, end, "TCP6 ")) {
		fits = read_addresses(at + 5, end, AF_INET6, header);
	} else {
		/* What follows the word is to be passed over. */
		fits = begins(at, end, "UNKNOWN") && (end == at + 7 || at[7] == ' ');
		header->own = true;
	}
	return fits ? end + 2 - data : -EBADMSG;
}

/* ---- version 2 ------------------------------------------------------------------------------ */

enum {
	COMMAND_LOCAL = 0x20,
	COMMAND_PROXY = 0x21,
};

/* Address families and protocols that there are; 0 bytes: no addresses that are of use. */
static const struct family {
	unsigned char code;
	unsigned char size; /* of an address */
	unsigned char least; /* bytes that must be there */
	int domain;
} families[] = {
	{ .code = 0x00, .size = 0, .least = 0, .domain = AF_UNSPEC },
	{ .code = 0x11, .size = 4, .least = 12, .domain = AF_INET },
	{ .code = 0x12, .size = 0, .least = 12, .domain = AF_UNSPEC }, /* UDP */
	{ .code = 0x21, .size = 16, .least = 36, .domain = AF_INET6 },
	{ .code = 0x22, .size = 0, .least = 36, .domain = AF_UNSPEC },
	{ .code = 0x31, .size = 0, .least = 216, .domain = AF_UNIX },
	{ .code = 0x32, .size = 0, .least = 216, .domain = AF_UNSPEC },
};

static void fill(struct address *address, const struct family *family, const unsigned char *host,
                 const unsigned char *port)
{
	memset(address, 0, sizeof(*address));
	address->socket.base.sa_family = (sa_family_t)family->domain;
	switch (family->domain) {
	case AF_INET:
		address->length = sizeof(address->socket.in);
		memcpy(&address->socket.in.sin_addr, host, 4);
		memcpy(&address->socket.in.sin_port, port, 2);
		break;
	case AF_INET6:
		address->length = sizeof(address->socket.in6);
		memcpy(&address->socket.in6.sin6_addr, host, 16);
		memcpy(&address->socket.in6.sin6_port, port, 2);
		break;
	default:
		/* Paths of another machine, or of another container, name nothing here. */
		address->length = offsetof(struct sockaddr_un, sun_path);
	}
}

static ssize_t read_v2(const unsigned char *data, size_t length, struct proxy_header *header)
{
	const unsigned char *block = data + V2_PREFIX;
	const struct family *family = NULL;
	size_t rest;

	if (length > 12 && data[12] != COMMAND_LOCAL && data[12] != COMMAND_PROXY)
		return -EBADMSG;
	if (length < V2_PREFIX)
		return 0;
	rest = (size_t)data[14] << 8 | data[15];
	if (rest > PROXY_HEADER_MAX - V2_PREFIX)
		return -EBADMSG;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (families[i].code == data[13])
			family = &families[i];
	/* What LOCAL says of addresses is to be passed over. */
	header->own = data[12] == COMMAND_LOCAL || (family != NULL && family->domain == AF_UNSPEC);
	if (data[12] == COMMAND_PROXY && (family == NULL || rest < family->least))
		return -EBADMSG;
	if (length - V2_PREFIX < rest)
		return 0;
	if (!header->own) {
		const unsigned char *ports = block + 2 * family->size;

		fill(&header->source, family, block, ports);
		fill(&header->destination, family, block + family->size, ports + 2);
	}
	return (ssize_t)(V2_PREFIX + rest);
}

ssize_t proxy_header_read(const void *data, size_t length, struct proxy_header *header)
{
	const size_t v1_length = sizeof(v1_start) - 1, v2_length = sizeof(v2_start) - 1;

	memset(header, 0, sizeof(*header));
	if (memcmp(data, v1_start, length < v1_length ? length : v1_length) == 0)
		return length < v1_length ? 0 : read_v1(data, length, header);
	if (memcmp(data, v2_start, length < v2_length ? length : v2_length) == 0)
		return length < v2_length ? 0 : read_v2(data, length, header);
	return -EBADMSG;
}
