/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request target, decoded once: RFC 9112 section 3, RFC 3986 sections 2.1 and 5.2.4.
 *
 * The result is a path that can be given to the file system below a root without another look:
 * percent-decoded, dot segments resolved, empty segments dropped, no NUL. Other control bytes may
 * stand in a file's name, so they may stand here when they came encoded.
 */
#ifndef TARGET_H
#define TARGET_H

#include <lophttpd/base.h>
#include <lophttpd/request.h>

struct target {
	struct lop_str path;      /* begins with '/', NUL-terminated; "*" if OPTIONS *, CONNECT */
	struct lop_str query;     /* raw, data NULL when there is no '?' */
	struct lop_str authority; /* of the absolute form or CONNECT, else data NULL; valid */
};

/*
 * Normalises raw into out, which holds at least length + 2 bytes and does not overlap raw. query
 * and authority point into raw, path into out. Returns 0, or -400 for
 *
 *   - a byte that may not stand in a target: control, space, DEL (from 0x80 on they are taken as
 *     they are);
 *   - in the path, a '%' without two hex digits, an encoded NUL or slash;
 *   - dot segments, also encoded ones, that climb above the root;
 *   - a fragment;
 *   - a form that the method does not allow, a scheme other than http and https (any case), a bad
 *     or empty authority, one with userinfo.
 *
 * Encoded backslashes and any other byte are part of a name: nothing is read as UTF-8, so an
 * overlong '.' or '/' is no dot and no slash. Empty segments are dropped before dot segments are
 * resolved. A query is only checked for bytes that may not stand there; it is never decoded.
 */
int target_parse(enum lop_method method, const char *raw, size_t length, char *out,
                 struct target *target);

/* Checks a Host field or an authority: host [":" port], RFC 3986 3.2.2, with a port of at most
 * 65535 or an empty one; no userinfo, no zone, nothing encoded that is a space or a control byte,
 * and no comma, which is how two fields look that somebody has joined. Empty text is allowed, as
 * it is for Host. Returns 0 or -400. */
int target_check_authority(const char *text, size_t length);

/* Writes path percent-encoded so that it can stand in a relative reference: all is encoded but
 * unreserved characters, '/', '@' and sub-delims without the quote; ':' too, lest a first segment
 * reads as a scheme. out holds at least 3 * length bytes. Returns the length written. */
size_t target_encode(const char *path, size_t length, char *out);

#endif
