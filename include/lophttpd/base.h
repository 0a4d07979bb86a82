/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words that every public header uses.
 *
 * Objects named here are opaque: a module reaches into them through functions only, so their
 * layout may change without an ABI change. Functions return 0 or a count on success and a
 * negative errno on failure unless they say otherwise. Everything runs on the one thread of a
 * worker's loop; nothing here may be called from another thread.
 */
#ifndef LOPHTTPD_BASE_H
#define LOPHTTPD_BASE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
#define LOP_API __attribute__((visibility("default")))
#define LOP_PRINTF(string, first) __attribute__((format(printf, string, first)))
#else
#define LOP_API
#define LOP_PRINTF(string, first)
#endif

#ifdef __cplusplus
#define LOP_BEGIN_DECLS extern "C" {
#define LOP_END_DECLS }
#else
#define LOP_BEGIN_DECLS
#define LOP_END_DECLS
#endif

/* A view of bytes that somebody else owns; not NUL-terminated. An absent value has data NULL,
 * an empty one has data set and length 0. */
struct lop_str {
	const char *data;
	size_t length;
};

struct lop_core;       /* the process before and while it serves: configuration, modules */
struct lop_worker;     /* one event loop and all that it owns */
struct lop_connection; /* one accepted socket */
struct lop_request;    /* one request and the response to it */
struct lop_root;       /* a folder that paths cannot leave */
struct lop_file;       /* an open file, reference-counted */
struct lop_memory;     /* immutable bytes, reference-counted */
struct lop_stat;       /* what is known of a file; file.h */

#endif
