/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an upstream is told of the client: X-Forwarded-For, -Proto, -Host, Forwarded (RFC 7239) and
 * Via (RFC 9110 7.6.3). What the client itself sent of these is passed on only when its address is
 * in a trusted network (--trust CIDR), and dropped else; but Via, which is there to find loops, is
 * always continued.
 */
#ifndef PROXY_FORWARDED_H
#define PROXY_FORWARDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lophttpd/base.h>

struct network {
	uint8_t address[16]; /* IPv4 as mapped */
	uint8_t bits;
	bool any_unix; /* "unix:": clients on UNIX sockets */
};

struct trust {
	struct network *items;
	size_t count;
};

/* "192.0.2.0/24", "2001:db8::/32", an address alone, or "unix:". Returns 0, -EINVAL after one line
 * into error, -ENOMEM. */
int trust_add(struct trust *trust, const char *text, char *error, size_t error_size);
/* address as lop_connection_remote_address(). */
bool trust_has(const struct trust *trust, struct lop_str address);
void trust_clear(struct trust *trust);

struct client {
	struct lop_str address; /* as lop_connection_remote_address(); "unix:" for a UNIX socket */
	struct lop_str host;    /* as it asked for; data NULL: none */
	const char *scheme;
	bool trusted;
	/* values that the client sent, joined with ", "; data NULL: none */
	struct lop_str forwarded;
	struct lop_str x_forwarded_for;
	struct lop_str x_forwarded_proto;
	struct lop_str x_forwarded_host;
	struct lop_str via;
	int version; /* 100, 101, 200 */
};

/* Appends the fields, each with CRLF. Returns the length or -ENOBUFS. */
long forwarded_write(const struct client *client, char *out, size_t size);

/* How often this program stands in a Via value: past a few times it is a loop (508). */
unsigned forwarded_hops(struct lop_str via);

#endif
