/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The address of an upstream as a user types it:
 *
 *     http://host[:port][/path]   https://…   http://[::1]:8080/   http://host#8080/
 *     unix:/path/of/socket[:/path]      srv+http://_http._tcp.name/path  (port and weight from DNS)
 *
 * followed by parameters of the server, each behind a `;`: weight=N, max=N (connections over all
 * workers), backup, slow-start=TIME. A fragment stands for a port only when it is all digits (the
 * old spelling).
 */
#ifndef PROXY_URL_H
#define PROXY_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lophttpd/base.h>

enum upstream_kind {
	UPSTREAM_TCP,  /* host is a name or a literal address */
	UPSTREAM_UNIX, /* host is the path of the socket */
	UPSTREAM_SRV,  /* host is the name whose SRV records are the servers */
};

struct upstream_url {
	enum upstream_kind kind;
	bool secure;              /* https */
	bool literal;             /* host is an address: needs no resolver */
	bool backup;              /* used when no other server is left */
	uint16_t port;            /* filled in; 0 for UNIX and SRV */
	uint32_t weight;          /* 1 … 256, preset 1 */
	uint32_t max_connections; /* over all workers; 0 no bound */
	int64_t slow_start;       /* ns, 0 none */
	char *host;               /* without brackets */
	char *authority; /* for the Host field: host, and port unless the scheme's default; a UNIX
	                  * socket's is "localhost" */
	char *path;      /* begins with '/' */
};

/* Reads one URL of length bytes. Returns 0, or -EINVAL after one line into error that says what
 * would be right, or -ENOMEM. */
int upstream_url_parse(struct lop_str text, struct upstream_url *url, char *error,
                       size_t error_size);
/* Frees what parse has filled in, and clears it. */
void upstream_url_clear(struct upstream_url *url);

#endif
