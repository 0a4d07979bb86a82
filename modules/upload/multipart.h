/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * multipart/form-data, RFC 7578, taken apart while it arrives: nothing of a file is held.
 *
 * The caller feeds bytes in pieces of any size, and gets one event a call until the piece is
 * used up. Data of an event lies in the piece or in the parser, valid until the next call.
 */
#ifndef UPLOAD_MULTIPART_H
#define UPLOAD_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include <lophttpd/base.h>

#define MULTIPART_BOUNDARY_MAX 70 /* RFC 2046 5.1.1 */
#define MULTIPART_HEAD_MAX 4096   /* bytes of one part's fields */

enum multipart_kind {
	MULTIPART_MORE,  /* the piece is used up */
	MULTIPART_PART,  /* a part begins: has_file, file */
	MULTIPART_DATA,  /* bytes of it: data */
	MULTIPART_ENDED, /* the part is complete */
	MULTIPART_LAST,  /* so is the form; what follows does not count */
};

struct multipart_event {
	enum multipart_kind kind;
	struct lop_str data;
	bool has_file;       /* the part is a file: file is its name, perhaps empty */
	struct lop_str file;
};

enum multipart_state {
	MULTIPART_PREAMBLE,
	MULTIPART_DELIMITED, /* behind a boundary, in its line */
	MULTIPART_HEAD,
	MULTIPART_BODY,
	MULTIPART_DONE,
};

struct multipart {
	enum multipart_state state;
	size_t matched;       /* bytes of the delimiter that were seen */
	bool begun;           /* bytes of the body were seen */
	size_t delimiter_length;
	char delimiter[4 + MULTIPART_BOUNDARY_MAX + 1]; /* CR LF "--" boundary */
	size_t head_length;
	char head[MULTIPART_HEAD_MAX];
	size_t line_length;   /* what stands behind a boundary */
	char line[4];
};

/* Finds the boundary in a Content-Type. Returns 0, or -EINVAL when that is not
 * multipart/form-data with a boundary. */
int multipart_open(struct multipart *multipart, struct lop_str content_type);

/* Takes some of the bytes. Returns how many, or -EBADMSG for what is no form. */
long multipart_feed(struct multipart *multipart, const char *data, size_t length,
                    struct multipart_event *event);

#endif
