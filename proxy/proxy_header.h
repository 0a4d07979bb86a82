/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header of the PROXY protocol, written in front of everything else that goes to an upstream
 * (before its TLS handshake too): whom the connection is made for. Version 1 is a line of text,
 * version 2 is binary; haproxy's doc/proxy-protocol.txt describes both.
 *
 * An upstream connection then belongs to that one client: it must not be reused for another.
 */
#ifndef PROXY_PROXY_HEADER_H
#define PROXY_PROXY_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include <lophttpd/base.h>

enum proxy_header_version {
	PROXY_HEADER_OFF,
	PROXY_HEADER_V1,
	PROXY_HEADER_V2,
};

/* The longest of both versions: a line of version 1. */
#define PROXY_HEADER_SIZE 107

/* Both ends of the client's connection, addresses in text form as <lophttpd/connection.h> gives
 * them: with a scope, v4-mapped or "unix:" too. */
struct proxy_header {
	struct lop_str source; /* the client; data NULL: nobody's, as of a health check */
	struct lop_str destination;
	uint16_t source_port;
	uint16_t destination_port;
};

/* "v1", "v2" or "off". Returns 0, or -EINVAL after one line into error. */
int proxy_header_version(const char *text, enum proxy_header_version *version, char *error,
                         size_t error_size);
/* Writes the header and returns its length, 0 for OFF. IPv4 and IPv6 at the two ends of one
 * connection become IPv6; ends that have no address (a UNIX socket) are told as unknown. */
size_t proxy_header_write(enum proxy_header_version version, const struct proxy_header *header,
                          char out[PROXY_HEADER_SIZE]);

#endif
