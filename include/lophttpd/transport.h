/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A transport moves bytes between a socket and a protocol: `plain` in the core, others as modules.
 *
 * It never calls back into the core: each function does what it can without blocking and says
 * what it waits for. The core watches the socket for both directions, edge-triggered, and calls
 * again. The descriptor belongs to the core.
 */
#ifndef LOPHTTPD_TRANSPORT_H
#define LOPHTTPD_TRANSPORT_H

#include <sys/types.h>
#include <sys/uio.h>

#include <lophttpd/base.h>

LOP_BEGIN_DECLS

/* Besides counts and negative errno: nothing moved, call again when the socket can be read or
 * written (a TLS read may have to wait for a write). */
#define LOP_WANT_READ (-100001)
#define LOP_WANT_WRITE (-100002)

/* What follows at once: more to write, or no more but shutdown, which sends what waited for it. A
 * short packet may wait for either. */
#define LOP_MORE_DATA 1
#define LOP_MORE_END 2

struct lop_transport {
	uint32_t size;   /* sizeof(struct lop_transport) */
	uint32_t secure; /* not 0: requests are https */
	const char *name; /* as in `-l ADDR:PORT,NAME` */

	/* Makes the state of one connection. */
	int (*open)(void *module, struct lop_connection *connection, int descriptor, void **state);
	/* Returns 0 when done, LOP_WANT_…, or a negative errno. NULL: there is none. */
	int (*handshake)(void *state);
	/* The protocol that was negotiated (ALPN), valid after the handshake; data NULL: none. */
	struct lop_str (*negotiated)(void *state);
	/* Returns > 0 bytes, 0 at the end, LOP_WANT_…, or a negative errno. */
	ssize_t (*read)(void *state, void *buffer, size_t size);
	/* more: LOP_MORE_…, or 0. */
	ssize_t (*writev)(void *state, const struct iovec *vector, int count, int more);
	/* Sends a part of a file; 0: the file ends before offset. */
	ssize_t (*sendfile)(void *state, int file, off_t offset, size_t length, int more);
	/* Says that nothing more will be written. Returns 0 when done, LOP_WANT_…, negative errno. */
	int (*shutdown)(void *state);
	/* Frees the state. */
	void (*close)(void *state);
	/* Sends what a pipe holds without copying it. NULL: there is no such way. */
	ssize_t (*splice)(void *state, int pipe, size_t length, int more);
	/* Not 0: sendfile reads what it sends, so that a file that is asked for again and again is better
	 * kept in memory, and given to writev. NULL: it does not. */
	int (*copies)(void *state);
};

LOP_END_DECLS

#endif
