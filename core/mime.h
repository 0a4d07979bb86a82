/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Content types by file name: the system's mime.types when there is one, else a built-in table.
 */
#ifndef MIME_H
#define MIME_H

#include <lophttpd/base.h>

struct mime;

/* Reads path (NULL: the first there is of /etc/mime.types and the other usual places). What it
 * does not know, or all when there is no such file, comes from the built-in table. A bad line is
 * skipped; of two types for one extension the first counts. Text types, JavaScript, XML and SVG get
 * "; charset=utf-8"; JSON has none by definition (RFC 8259). Quick, as the start of the server
 * waits for it (well below 2 ms), and below 200 KiB. NULL when memory is out. */
struct mime *mime_new(const char *path);
void mime_free(struct mime **mime);

/* The type by the last extension of name, a file name or a path, in any case: "a.tar.gz" counts as
 * gz; ".profile" has none. Never NULL data: "application/octet-stream" when unknown. Lives as long
 * as mime. */
struct lop_str mime_type(const struct mime *mime, const char *name, size_t length);

#endif
