/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host names: as options write them, as a client's server name indication (RFC 6066) and as its Host
 * field say them. Pure functions; everything from the network goes through here.
 */
#ifndef TLS_NAMES_H
#define TLS_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include <lophttpd/base.h>

#define NAME_SIZE 256 /* 253 characters (RFC 1035 2.3.4) and NUL */

/* "[HOST:]FILE": writes the host in lower case, without a dot at its end ("" when there is none;
 * "*.example.org" is a wildcard), and says where the file's name begins. A file whose name has a
 * colon is written with a slash before it. NULL: the host is no name. */
const char *name_split(const char *value, char host[NAME_SIZE]);

/* Lower case, without a dot at its end. False when it is no host name. */
bool name_normalise(struct lop_str text, char out[NAME_SIZE]);

/* The first host name in the extension's body. Returns 1, 0 when it names no host, -1 when it is
 * malformed. */
int name_indicated(const unsigned char *body, size_t length, char out[NAME_SIZE]);

/* Of a Host field, without port. False when that is an address or no name. */
bool name_of_host(struct lop_str host, char out[NAME_SIZE]);

/* The wildcard that a name may be served by: "*.example.org" for "www.example.org". False when there
 * can be none. */
bool name_wildcard(const char *name, char out[NAME_SIZE]);

#endif
