/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection as hooks and protocols see it: who is at the other end.
 */
#ifndef LOPHTTPD_CONNECTION_H
#define LOPHTTPD_CONNECTION_H

#include <lophttpd/base.h>

LOP_BEGIN_DECLS

/* Text form without port, e.g. "192.0.2.1", "2001:db8::1", "unix:". Lives as long as the
 * connection. */
LOP_API struct lop_str lop_connection_remote_address(struct lop_connection *connection);
LOP_API uint16_t lop_connection_remote_port(const struct lop_connection *connection);
LOP_API struct lop_str lop_connection_local_address(struct lop_connection *connection);
LOP_API uint16_t lop_connection_local_port(const struct lop_connection *connection);
/* Number of the connection in this worker, from 1. */
LOP_API uint64_t lop_connection_number(const struct lop_connection *connection);
/* Not 0 when the transport encrypts. */
LOP_API int lop_connection_secure(const struct lop_connection *connection);

/* For modules with a transport: the state that its `open` made; NULL when the connection is another
 * transport's. `module` is what the module's init returned. */
LOP_API void *lop_connection_transport(const struct lop_connection *connection,
                                       const void *module);
/* The module that asked for this connection's listener with lop_core_listen() (what its init
 * returned), or NULL: the user did. */
LOP_API void *lop_connection_listener(const struct lop_connection *connection);

LOP_END_DECLS

#endif
