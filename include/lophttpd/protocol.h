/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A protocol turns bytes into requests and responses into bytes. The core's HTTP/1.1 is one
 * instance of this table; a module registers another, chosen by ALPN or by the first bytes.
 *
 * Division of labour: the core accepts, schedules and times out connections and runs requests
 * through the hooks; the protocol parses, frames and decides what to send. Everything is driven
 * by `step`: it moves the connection as far as it goes without blocking, or one quantum.
 */
#ifndef LOPHTTPD_PROTOCOL_H
#define LOPHTTPD_PROTOCOL_H

#include <sys/types.h>

#include <lophttpd/base.h>
#include <lophttpd/request.h>
#include <lophttpd/response.h>

LOP_BEGIN_DECLS

enum lop_step {
	LOP_STEP_WAIT = 0, /* blocked: until the socket, a request or the deadline moves */
	LOP_STEP_MORE,     /* the quantum is used up, there is more to do */
	LOP_STEP_CLOSE,    /* close the connection */
};

struct lop_protocol {
	uint32_t size;    /* sizeof(struct lop_protocol) */
	const char *name; /* "h2" */
	const char *alpn; /* ALPN identifier, or NULL */
	struct lop_str preface; /* first bytes, at most 64, that select it without ALPN;
	                        * data NULL: none */

	int (*open)(void *module, struct lop_connection *connection, void **state);
	/* quantum: bytes that may be sent in this step. */
	enum lop_step (*step)(void *state, struct lop_connection *connection, size_t quantum);
	/* A request of this connection was woken; step follows. May be NULL. */
	void (*woken)(void *state, struct lop_request *request);
	/* The deadline has passed: WAIT goes on (with a new deadline), MORE has step called, CLOSE. */
	enum lop_step (*expired)(void *state, struct lop_connection *connection);
	/* No new request is wanted; step follows. */
	void (*drain)(void *state, struct lop_connection *connection);
	void (*close)(void *state, struct lop_connection *connection);
};

/* For protocols: bytes of the connection. Reads > 0, 0 at the end, -EAGAIN, negative errno. */
LOP_API ssize_t lop_connection_read(struct lop_connection *connection, void *buffer, size_t size);
/* Queues bytes for sending: a copy, memory or a file range (references are taken). */
LOP_API int lop_connection_queue_copy(struct lop_connection *connection, const void *data,
                                      size_t length);
LOP_API int lop_connection_queue_memory(struct lop_connection *connection,
                                        struct lop_memory *memory, size_t offset, size_t length);
LOP_API int lop_connection_queue_file(struct lop_connection *connection, struct lop_file *file,
                                      int64_t offset, int64_t length);
/* Bytes queued and not yet taken by the transport. */
LOP_API int64_t lop_connection_queued(const struct lop_connection *connection);
/* Sends what is queued, at most quantum bytes. Returns 1 all gone, 0 quantum used up, -EAGAIN,
 * negative errno. */
LOP_API int lop_connection_flush(struct lop_connection *connection, size_t quantum);
/* `expired` is called after_ns from now; 0 takes the deadline away. Cheap: call it at will. */
LOP_API void lop_connection_deadline(struct lop_connection *connection, int64_t after_ns);

/* For protocols: a request's life. new -> fill -> run (again after each wake, until it returns
 * LOP_DONE) -> send -> end. NULL when memory is out. */
LOP_API struct lop_request *lop_request_new(struct lop_connection *connection);
/* Copies. Return 0, or the status to answer with (400, 414, 431, 501, …). */
LOP_API int lop_request_start(struct lop_request *request, int version, struct lop_str method,
                              struct lop_str target);
LOP_API int lop_request_add_field(struct lop_request *request, struct lop_str name,
                                  struct lop_str value);
/* Where body bytes come from: read has the results of lop_request_body_read(). */
typedef ssize_t lop_body_read_f(void *context, void *buffer, size_t size);
LOP_API void lop_request_set_body(struct lop_request *request, int64_t length,
                                  lop_body_read_f *read, void *context);
/* Runs the phases up to RESPONSE: LOP_DONE the response stands, LOP_AGAIN wait for `woken`. */
LOP_API int lop_request_run(struct lop_request *request);
/* The index-th response field, from 0. Returns 1, or 0 past the last. */
LOP_API int lop_response_field_at(const struct lop_request *request, size_t index,
                                  struct lop_str *name, struct lop_str *value);
/* Length of the body, -1 when not known. */
LOP_API int64_t lop_response_body_length(const struct lop_request *request);
/* Pulls body bytes, whatever the segments are made of: > 0, 0 the end, -EAGAIN, negative errno. */
LOP_API ssize_t lop_response_body_read(struct lop_request *request, void *buffer, size_t size);
/* Counts what was sent for the log; then runs DONE, logs, and frees. Clears the pointer. */
LOP_API void lop_request_sent(struct lop_request *request, uint64_t head_bytes,
                              uint64_t body_bytes);
LOP_API void lop_request_end(struct lop_request **request);

LOP_END_DECLS

#endif
