/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A request as hooks see it.
 *
 * Views (struct lop_str) of method, target and fields are valid until the hook returns: after
 * LOP_AGAIN fetch them again, or copy with lop_request_copy(). Memory from lop_request_alloc()
 * lives as long as the request and is bounded.
 */
#ifndef LOPHTTPD_REQUEST_H
#define LOPHTTPD_REQUEST_H

#include <sys/types.h>

#include <lophttpd/base.h>

LOP_BEGIN_DECLS

enum lop_method {
	LOP_METHOD_UNKNOWN = 0,
	LOP_METHOD_GET,
	LOP_METHOD_HEAD,
	LOP_METHOD_OPTIONS,
	LOP_METHOD_POST,
	LOP_METHOD_PUT,
	LOP_METHOD_DELETE,
	LOP_METHOD_PATCH,
	LOP_METHOD_TRACE,
	LOP_METHOD_CONNECT,
};

LOP_API enum lop_method lop_request_method(const struct lop_request *request);
LOP_API struct lop_str lop_request_method_name(const struct lop_request *request);

/* major * 100 + minor: 100, 101, 200, … */
LOP_API int lop_request_version(const struct lop_request *request);

/* As sent, query included. */
LOP_API struct lop_str lop_request_target(const struct lop_request *request);

/* The path: decoded once, no dot segments, no empty segments, no NUL, begins with '/'; a '/' at
 * its end says that a folder was meant. NUL-terminated as well. "*" for `OPTIONS *`. */
LOP_API struct lop_str lop_request_path(const struct lop_request *request);

/* After '?', undecoded; data NULL when there was no '?'. */
LOP_API struct lop_str lop_request_query(const struct lop_request *request);

/* Host field or authority of an absolute target, port included; RFC 9110 7.2. Data NULL when an
 * HTTP/1.0 client sent none. Valid syntax is ensured. */
LOP_API struct lop_str lop_request_host(const struct lop_request *request);

/* "http" or "https". */
LOP_API const char *lop_request_scheme(const struct lop_request *request);

/* First field of that name (any case); data NULL when there is none. */
LOP_API struct lop_str lop_request_field(const struct lop_request *request, const char *name);

/* The index-th field, from 0, in order of arrival. Returns 1, or 0 past the last. */
LOP_API int lop_request_field_at(const struct lop_request *request, size_t index,
                                 struct lop_str *name, struct lop_str *value);

LOP_API struct lop_connection *lop_request_connection(const struct lop_request *request);
LOP_API struct lop_worker *lop_request_worker(const struct lop_request *request);

/* The root that the request is served from; set takes a reference of its own. */
LOP_API struct lop_root *lop_request_root(const struct lop_request *request);
LOP_API void lop_request_set_root(struct lop_request *request, struct lop_root *root);

/* Replaces the path (same form as lop_request_path()); copied. For rewriting in ROUTE.
 * -EINVAL when it does not begin with '/', -ENOMEM past the arena's bound. */
LOP_API int lop_request_set_path(struct lop_request *request, struct lop_str path);

/* The authenticated name, for the log; copied. */
LOP_API int lop_request_set_user(struct lop_request *request, struct lop_str user);

/* From the request's arena, aligned for any object; NULL past its bound. */
LOP_API void *lop_request_alloc(struct lop_request *request, size_t size);
LOP_API struct lop_str lop_request_copy(struct lop_request *request, struct lop_str text);

/* One pointer a hook and request; key is any address that the module owns, e.g. of its state. */
LOP_API int lop_request_set_state(struct lop_request *request, const void *key, void *value);
LOP_API void *lop_request_state(const struct lop_request *request, const void *key);

/* Compares the request's preconditions, RFC 9110 13.1, with a file as it stands now and as it is
 * served (its ETag and Last-Modified are those of static files); current NULL: there is none.
 * Returns 0 to go on, 304 or 412. */
LOP_API int lop_request_precondition(struct lop_request *request, const struct lop_stat *current);

/* Length of the request's body: 0 none, -1 chunked. */
LOP_API int64_t lop_request_body_length(const struct lop_request *request);

/* Reads decoded body bytes: > 0 a count, 0 the end, -EAGAIN come back (return LOP_AGAIN: the
 * hook runs again when there is more), -EBADMSG bad framing, -ECONNRESET the client is gone,
 * -EMSGSIZE above the limit, -ETIMEDOUT the client was too slow. The first call sends 100 Continue if
 * the client waits for it. May be called from the hook and from any other function that the loop
 * calls. A hook that has begun to read may answer with a stream before it has read all, and go on
 * reading; what is left when that stream ends is thrown away, or ends the connection. */
LOP_API ssize_t lop_request_body_read(struct lop_request *request, void *buffer, size_t size);

/* Not 0 while the client waits for 100 Continue and has sent nothing of its body. Who leaves the
 * decision to somebody else reads the body only when this is 0, after relaying the 100 by
 * lop_response_interim(), or when the client stops waiting: then the hook runs again. */
LOP_API int lop_request_awaits_continue(struct lop_request *request);

/* Moves at most size body bytes into an empty pipe, without copying them; those that were already
 * read ahead are written to it. Results as lop_request_body_read(); -EOPNOTSUPP: it is not possible
 * (chunked, encrypted, another system), read instead. Needs LOP_NEEDS_CONNECT or
 * LOP_NEEDS_WRITE_FILES, as do pipe2() and splice(). */
LOP_API ssize_t lop_request_body_splice(struct lop_request *request, int pipe, size_t size);

/* The index-th trailer field of the body, from 0, once lop_request_body_read() has returned 0. Returns 1, or
 * 0 past the last. They are what the client sent: none of them may frame, route or authorise. */
LOP_API int lop_request_trailer_at(const struct lop_request *request, size_t index,
                                   struct lop_str *name, struct lop_str *value);

/* Has ready called from the loop whenever the body may have moved while the response is on its way: more
 * came, it ended, or the client's time is over. It reads with lop_request_body_read(), as the pull of the
 * response's stream may too; but a pull is only called while the client takes the response. Before
 * the response stands the hook is called instead. ready NULL: no more. */
typedef void lop_body_ready_f(void *context);
LOP_API void lop_request_body_watch(struct lop_request *request, lop_body_ready_f *ready,
                                    void *context);

/* Raises or lowers the limit of this request's body, in bytes; -1 none. */
LOP_API void lop_request_body_limit(struct lop_request *request, int64_t bytes);

/* Not 0 when nobody waits for the response any more, as far as that can be known: the client has
 * closed its sending side, and everything that it sent before is read. Some clients do so and
 * still read. A hook that returned LOP_AGAIN and a stream that waits are called when it becomes so;
 * when the whole connection is gone, the request ends. */
LOP_API int lop_request_abandoned(const struct lop_request *request);

/* Has a hook that returned LOP_AGAIN, or a stream that returned -EAGAIN, called again from the loop. May
 * be called at any time before DONE, also from within the hook. */
LOP_API void lop_request_wake(struct lop_request *request);

LOP_END_DECLS

#endif
