/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paths of URLs: what may be sent on, and how one spelling becomes another. RFC 3986 sections 2, 3.3
 * and 5.2.4.
 *
 * A path is clear when all readers take it for the same: it begins with '/', no segment but the last
 * is empty, none is "." or ".." (a parameter behind it, "..;x", does not help), and there is no
 * backslash and no NUL. An encoded path is clear when what it decodes to is, and no slash was
 * encoded.
 */
#ifndef PROXY_PATH_H
#define PROXY_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include <lophttpd/base.h>

/* Of a decoded path. */
bool path_is_clear(struct lop_str path);
/* Of one that is percent-encoded; strict: it also holds nothing that a URL's path may not hold. */
bool path_is_encoded(struct lop_str path);

/* The decoded byte at *at, which moves behind it; a '%' that nothing follows stands for itself. An
 * encoded slash gives PATH_SLASH. */
#define PATH_SLASH 256
int path_next(struct lop_str path, size_t *at);

/* Decodes all of path, out holds as many bytes as it. Returns the length. */
size_t path_decode(struct lop_str path, char *out);
/* Encodes what needs it; writes at most size bytes. Returns the length or -ENOBUFS. */
long path_encode(struct lop_str path, char *out, size_t size);
/* Takes dot segments (also encoded ones) and empty segments away and leaves the rest as it is
 * spelled; out holds path.length + 1 bytes. path begins with '/'. Returns the length, or -EINVAL
 * for dots that climb above the root. */
long path_normalise(struct lop_str path, char *out);

#endif
