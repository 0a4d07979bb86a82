/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The response to a request: a status, fields, and a body that is a list of segments. A segment
 * is memory, a range of a file, or a stream that the core pulls; everything that can be sent is one
 * of these three, in any order.
 *
 * The protocol adds Connection, Content-Length or chunked framing by itself: do not set those. It adds
 * Date and Server unless they are set, as a gateway does with those of the origin. A body that was set is not sent with HEAD, 204 and 304.
 */
#ifndef LOPHTTPD_RESPONSE_H
#define LOPHTTPD_RESPONSE_H

#include <sys/types.h>

#include <lophttpd/base.h>

LOP_BEGIN_DECLS

LOP_API int lop_response_status(const struct lop_request *request);
LOP_API void lop_response_set_status(struct lop_request *request, int status);

/* Adds a field; name and value are copied. -EINVAL for bytes that would break the framing (CR,
 * LF, NUL), -ENOMEM past the request's bound. */
LOP_API int lop_response_add_field(struct lop_request *request, const char *name,
                                   struct lop_str value);
/* Replaces every field of that name, or adds it. */
LOP_API int lop_response_set_field(struct lop_request *request, const char *name,
                                   struct lop_str value);
/* Removes every field of that name; returns how many there were. */
LOP_API int lop_response_remove_field(struct lop_request *request, const char *name);
LOP_API struct lop_str lop_response_field(const struct lop_request *request, const char *name);

/* Adds a trailer field, which goes behind a body whose length was not known; to be called before that has
 * ended. Clients of HTTP/1.0 and a body of known length get none. As lop_response_add_field();
 * -EINVAL also for fields of the framing. */
LOP_API int lop_response_add_trailer(struct lop_request *request, const char *name,
                                     struct lop_str value);

/* Sends an interim response, RFC 9110 15.2, with the fields that CONTENT hooks have set so far, and drops
 * those; before the response stands. Clients of HTTP/1.0 and of protocols that have none get nothing; 100 goes
 * only to who waits for it and has not had it. -EINVAL for 101 and what is not 1xx, or when it is too
 * late, -ENOBUFS when the client takes nothing. */
LOP_API int lop_response_interim(struct lop_request *request, int status);

/* Adds ETag (in its quotes) and Last-Modified (seconds since 1970), and compares the request's
 * preconditions with them, RFC 9110 13.2.2. Returns 0: go on, 304: set that status and return
 * LOP_DONE, 412: return it; or a negative errno. */
LOP_API int lop_response_validate(struct lop_request *request, struct lop_str etag,
                                  int64_t modified);

/* Appends length bytes of memory from offset; takes a reference of its own. */
LOP_API int lop_response_body_memory(struct lop_request *request, struct lop_memory *memory,
                                     size_t offset, size_t length);
/* Appends a copy. */
LOP_API int lop_response_body_copy(struct lop_request *request, const void *data, size_t length);
/* Appends a range of a file; takes a reference of its own. A file that ends early ends the
 * connection. */
LOP_API int lop_response_body_file(struct lop_request *request, struct lop_file *file,
                                   int64_t offset, int64_t length);

/* Gives the next bytes: > 0 a count written to buffer, 0 the end, -EAGAIN nothing now (call
 * lop_request_wake() when there is), other negative errno: the connection is cut. Called only
 * when the client can take more. */
typedef ssize_t lop_pull_f(void *context, char *buffer, size_t size);
/* Called once, when the stream is no longer needed, also when the client went away. May be NULL. */
typedef void lop_pull_end_f(void *context);

/* Appends a stream of length bytes, -1 when not known beforehand (chunked, or until close). */
LOP_API int lop_response_body_stream(struct lop_request *request, int64_t length, lop_pull_f *pull,
                                     lop_pull_end_f *end, void *context);

/* Moves at most size bytes into an empty pipe, without copying them. Results as pull's; -EOPNOTSUPP: from
 * now on pull is used. After a negative result the pipe is as empty as it was. */
typedef ssize_t lop_splice_f(void *context, int pipe, size_t size);

/* As lop_response_body_stream(), for bytes that can be handed over inside the kernel: splice is called
 * instead of pull where the transport allows it. Needs LOP_NEEDS_CONNECT or LOP_NEEDS_WRITE_FILES. */
LOP_API int lop_response_body_splice(struct lop_request *request, int64_t length, lop_pull_f *pull,
                                     lop_splice_f *splice, lop_pull_end_f *end, void *context);

/* With status 101, or 2xx to CONNECT: behind the head both directions are raw bytes. The response's
 * body, mostly a stream, is sent as it is, and lop_request_body_read() goes on with what the client
 * sends; 0: it has closed its sending side. The end of the body half-closes the connection, which ends
 * when both directions have; lop_request_body_watch() tells of the other one meanwhile, and
 * without it what still comes is thrown away. Neither a drain nor the client's time limits apply: the
 * hook has its own. With another status nothing changes. The field Connection is the protocol's, Upgrade
 * the hook's. -EINVAL to HTTP/1.0, -EBUSY before the request's body was read to its end,
 * -EOPNOTSUPP: the protocol has no such thing. */
LOP_API int lop_response_upgrade(struct lop_request *request);

/* Drops every segment so far. */
LOP_API void lop_response_body_clear(struct lop_request *request);

/* Asks that the connection be closed after this response. */
LOP_API void lop_response_close(struct lop_request *request);

LOP_END_DECLS

#endif
