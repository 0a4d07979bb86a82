/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP/1.0 and HTTP/1.1 on a connection: RFC 9112. The core's own instance of the protocol table.
 *
 * A state machine: a table of steps, one function each. What it needs between requests is nothing:
 * struct http1 exists only while a connection has bytes to read or write.
 */
#ifndef HTTP1_H
#define HTTP1_H

#include <lophttpd/protocol.h>

extern const struct lop_protocol protocol_http1;

#endif
