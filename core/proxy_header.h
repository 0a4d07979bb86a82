/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header of the PROXY protocol that a proxy in front of the server sends before anything else:
 * for whom the connection is. Versions 1 (a line) and 2 (binary) as haproxy's
 * doc/proxy-protocol.txt describes them. Pure; every byte may be hostile.
 *
 * The extensions of version 2 (TLVs) are passed over, a checksum among them is not compared: TCP
 * has one.
 */
#ifndef PROXY_HEADER_H
#define PROXY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "address.h"

/* The longest header that is taken; the protocol allows 64 KiB, which nobody needs. */
#define PROXY_HEADER_MAX 4096

struct proxy_header {
	/* The proxy's own connection (a health check), or it does not know for whom it is: the
	 * addresses of the socket stay. */
	bool own;
	struct address source; /* a UNIX socket's has no path */
	struct address destination;
};

/* Reads the header at the beginning of data. Returns its length, 0 when more bytes are needed, or
 * -EBADMSG: this is no such header, however it goes on. */
ssize_t proxy_header_read(const void *data, size_t length, struct proxy_header *header);

#endif
