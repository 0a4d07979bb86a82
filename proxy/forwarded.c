/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "forwarded.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token.h"

#define PSEUDONYM "lophttpd" /* in Via */

static struct lop_str str(const char *text)
{
	return (struct lop_str){ text, strlen(text) };
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

/* --- who is trusted --------------------------------------------------------------------------- */

/* Reads an address of either family, without a zone; IPv4 becomes the mapped form. Returns how many
 * bits of address came before it, or -EINVAL. */
static int read_address(struct lop_str text, uint8_t address[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char copy[INET6_ADDRSTRLEN];

	const char *zone = memchr(text.data, '%', text.length);
	if (zone != NULL)
		text.length = (size_t)(zone - text.data);
	if (text.length >= sizeof copy || memchr(text.data, '\0', text.length) != NULL)
		return -EINVAL;
	memcpy(copy, text.data, text.length);
	copy[text.length] = '\0';
	if (inet_pton(AF_INET6, copy, address) == 1)
		return 0;
	memcpy(address, mapped, sizeof mapped);
	return inet_pton(AF_INET, copy, address + sizeof mapped) == 1 ? 96 : -EINVAL;
}

/* Whether the first bits are the same. */
static bool same_network(const uint8_t *left, const uint8_t *right, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;
	if (memcmp(left, right, bytes) != 0)
		return false;
	return rest == 0 || ((left[bytes] ^ right[bytes]) >> (8 - rest)) == 0;
}

/* After the '/': at most 128 - offset. Returns -EINVAL for anything but digits. */
static int read_bits(struct lop_str text, int offset, uint8_t *bits)
{
	int value = 0;

	if (text.length == 0 || text.length > 3)
		return -EINVAL;
	for (size_t i = 0; i < text.length; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return -EINVAL;
		value = value * 10 + (text.data[i] - '0');
	}
	if (value > 128 - offset)
		return -EINVAL;
	*bits = (uint8_t)(value + offset);
	return 0;
}

/* Bits behind the prefix that are set: somebody meant something else. */
static bool has_host_bits(const struct network *network)
{
	for (unsigned bit = network->bits; bit < 128; bit++) {
		if (network->address[bit / 8] & (0x80u >> bit % 8))
			return true;
	}
	return false;
}

static int read_network(const char *text, struct network *network, char *error, size_t error_size)
{
	size_t length = strcspn(text, "/");
	int offset;

	if (strcmp(text, "unix:") == 0) {
		network->any_unix = true;
		return 0;
	}
	offset = strchr(text, '%') == NULL
	                 ? read_address((struct lop_str){ text, length }, network->address)
	                 : -EINVAL;
	if (offset < 0) {
		snprintf(
			error, error_size,
			"%s: a network is 192.0.2.0/24, 2001:db8::/32, an address, or unix:", text);
		return -EINVAL;
	}
	network->bits = 128;
	if (text[length] == '/' && read_bits(str(text + length + 1), offset, &network->bits) != 0) {
		snprintf(error, error_size, "%s: behind the '/' stands a number of bits up to %d",
		         text, 128 - offset);
		return -EINVAL;
	}
	if (has_host_bits(network)) {
		snprintf(error, error_size, "%s: the address has bits set beyond its first %d",
		         text, network->bits - offset);
		return -EINVAL;
	}
	return 0;
}

int trust_add(struct trust *trust, const char *text, char *error, size_t error_size)
{
	struct network network = { 0 };

	int result = read_network(text, &network, error, error_size);
	if (result != 0)
		return result;
	struct network *items = realloc(trust->items, (trust->count + 1) * sizeof *items);
	if (items == NULL) {
		snprintf(error, error_size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	items[trust->count++] = network;
	trust->items = items;
	return 0;
}

bool trust_has(const struct trust *trust, struct lop_str address)
{
	bool any_unix = address.length >= 5 && memcmp(address.data, "unix:", 5) == 0;
	uint8_t bytes[16];

	if (trust->count == 0 || (!any_unix && read_address(address, bytes) < 0))
		return false;
	for (size_t i = 0; i < trust->count; i++) {
		const struct network *network = &trust->items[i];
		if (network->any_unix != any_unix)
			continue;
		if (any_unix || same_network(network->address, bytes, network->bits))
			return true;
	}
	return false;
}

void trust_clear(struct trust *trust)
{
	free(trust->items);
	*trust = (struct trust){ 0 };
}

/* --- what an upstream is told ----------------------------------------------------------------- */

/* Where the fields grow; `full` once something did not fit. */
struct sink {
	char *out;
	size_t size;
	size_t length;
	bool full;
};

static void put(struct sink *sink, struct lop_str text)
{
	if (text.length > sink->size - sink->length)
		sink->full = true;
	if (sink->full || text.length == 0)
		return;
	memcpy(sink->out + sink->length, text.data, text.length);
	sink->length += text.length;
}

#define PUT(sink, literal) put((sink), (struct lop_str){ (literal), sizeof(literal) - 1 })

/* An element of a list that may hold what the client sent before. */
static void put_before(struct sink *sink, struct lop_str before)
{
	if (before.length == 0)
		return;
	put(sink, before);
	PUT(sink, ", ");
}

/* token or quoted-string, RFC 9110 5.6. */
static void put_value(struct sink *sink, struct lop_str value)
{
	if (is_token(value)) {
		put(sink, value);
		return;
	}
	PUT(sink, "\"");
	for (const char *at = value.data, *end = at + value.length; at < end;) {
		const char *start = at++;
		if (*start == '"' || *start == '\\')
			PUT(sink, "\\");
		while (at < end && *at != '"' && *at != '\\')
			at++;
		put(sink, (struct lop_str){ start, (size_t)(at - start) });
	}
	PUT(sink, "\"");
}

/* The zone of a link-local address means nothing to another host. */
static struct lop_str without_zone(struct lop_str address)
{
	const char *zone = address.length > 0 ? memchr(address.data, '%', address.length) : NULL;
	if (zone != NULL)
		address.length = (size_t)(zone - address.data);
	return address;
}

/* for= of RFC 7239 section 6: an address, IPv6 in brackets and so in quotes. What is neither is
 * "unknown", as a client on a UNIX socket is. */
static void put_node(struct sink *sink, struct lop_str address)
{
	uint8_t bytes[16];
	bool brackets = address.length > 2 && address.data[0] == '[';

	if (brackets && address.data[address.length - 1] == ']') {
		address.data++;
		address.length -= 2;
	}
	address = without_zone(address);
	PUT(sink, "for=");
	int family = address.length > 0 ? read_address(address, bytes) : -EINVAL;
	if (family < 0 || (brackets && family == 96)) {
		PUT(sink, "unknown");
	} else if (family == 96) {
		put(sink, address);
	} else {
		PUT(sink, "\"[");
		put(sink, address);
		PUT(sink, "]\"");
	}
}

static void put_hop(struct sink *sink, struct lop_str host, struct lop_str scheme)
{
	if (host.length > 0) {
		PUT(sink, ";host=");
		put_value(sink, host);
	}
	if (scheme.length > 0) {
		PUT(sink, ";proto=");
		put_value(sink, scheme);
	}
}

/* The first element of a list. */
static struct lop_str first_of(struct lop_str list)
{
	const char *comma = list.length > 0 ? memchr(list.data, ',', list.length) : NULL;
	if (comma != NULL)
		list.length = (size_t)(comma - list.data);
	while (list.length > 0 && is_blank(list.data[list.length - 1]))
		list.length--;
	return list;
}

/* A trusted client that knows only X-Forwarded-For: its list in the form of Forwarded, so that the
 * two do not name different clients (RFC 7239 7.4). What it said of scheme and host holds for the
 * first hop. */
static void put_converted(struct sink *sink, const struct client *client)
{
	const char *at = client->x_forwarded_for.data;
	const char *end = at + client->x_forwarded_for.length;
	bool first = true;

	while (at < end) {
		while (at < end && (is_blank(*at) || *at == ','))
			at++;
		if (at == end)
			break;
		struct lop_str address = first_of((struct lop_str){ at, (size_t)(end - at) });
		put_node(sink, address);
		if (first)
			put_hop(sink, first_of(client->x_forwarded_host),
			        first_of(client->x_forwarded_proto));
		PUT(sink, ", ");
		first = false;
		at += address.length;
	}
}

/* The client's own address: what the core says need not be read to know its kind. */
static void put_client(struct sink *sink, const struct client *client, bool on_unix)
{
	const struct lop_str address = without_zone(client->address);

	if (on_unix || address.length == 0) {
		PUT(sink, "for=unknown");
	} else if (memchr(address.data, ':', address.length) == NULL) {
		PUT(sink, "for=");
		put(sink, address);
	} else {
		PUT(sink, "for=\"[");
		put(sink, address);
		PUT(sink, "]\"");
	}
}

static void put_forwarded(struct sink *sink, const struct client *client, bool on_unix)
{
	PUT(sink, "Forwarded: ");
	if (client->trusted && client->forwarded.length > 0)
		put_before(sink, client->forwarded);
	else if (client->trusted && client->x_forwarded_for.length > 0)
		put_converted(sink, client);
	put_client(sink, client, on_unix);
	put_hop(sink, client->host, str(client->scheme));
	PUT(sink, "\r\n");
}

/* What a trusted client said, else what is known here. */
static void put_single(struct sink *sink, const struct client *client, const char *name,
                       struct lop_str said, struct lop_str known)
{
	struct lop_str value = client->trusted && said.length > 0 ? said : known;
	if (value.length == 0)
		return;
	put(sink, str(name));
	put(sink, value);
	PUT(sink, "\r\n");
}

static void put_via(struct sink *sink, const struct client *client)
{
	const int major = client->version / 100, minor = client->version % 100;
	const char version[] = { (char)('0' + major), '.', (char)('0' + minor) };

	PUT(sink, "Via: ");
	put_before(sink, client->via);
	put(sink, (struct lop_str){ version, major >= 2 && minor == 0 ? 1 : sizeof version });
	PUT(sink, " " PSEUDONYM "\r\n");
}

long forwarded_write(const struct client *client, char *out, size_t size)
{
	struct sink sink = { .out = out, .size = size };
	bool on_unix = client->address.length >= 5 && memcmp(client->address.data, "unix:", 5) == 0;

	PUT(&sink, "X-Forwarded-For: ");
	if (client->trusted)
		put_before(&sink, client->x_forwarded_for);
	put(&sink, on_unix ? str("unknown") : without_zone(client->address));
	PUT(&sink, "\r\n");
	put_single(&sink, client, "X-Forwarded-Proto: ", client->x_forwarded_proto,
	           str(client->scheme));
	put_single(&sink, client, "X-Forwarded-Host: ", client->x_forwarded_host, client->host);
	put_forwarded(&sink, client, on_unix);
	put_via(&sink, client);
	return sink.full ? -ENOBUFS : (long)sink.length;
}

unsigned forwarded_hops(struct lop_str via)
{
	static const char name[] = " " PSEUDONYM;
	size_t length = sizeof name - 1;
	unsigned count = 0;

	for (size_t i = 0; via.length >= length && i <= via.length - length; i++) {
		if (memcmp(via.data + i, name, length) == 0)
			count++;
	}
	return count;
}
