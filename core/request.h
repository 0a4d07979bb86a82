/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A request and its response from the inside, independent of the protocol that carries them.
 *
 * The protocol makes a request, fills it, runs it through the phases, sends what the response
 * holds, and ends it. Field views are offsets from `base`, the first byte of the head, which lies in
 * the worker's read buffer at first: request_detach() moves it into the arena before the
 * request outlives that buffer.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lophttpd/hook.h>
#include <lophttpd/protocol.h>
#include <lophttpd/request.h>
#include <lophttpd/response.h>

#include "arena.h"
#include "http1_parse.h"
#include "list.h"

#define REQUEST_MAGIC 0x52455155u
#define REQUEST_FIRST 1024           /* bytes of the arena that come with the request */
#define REQUEST_LIMIT (256 * 1024)   /* bytes that it may allocate beyond, and two heads */
#define REQUEST_STATES 4             /* pointers kept for modules without allocation */

struct response_field {
	struct lop_str name;
	struct lop_str value;
};

enum body_kind {
	BODY_MEMORY,
	BODY_FILE,
	BODY_STREAM,
};

struct body_stream {
	lop_pull_f *pull;
	lop_splice_f *splice; /* NULL: only pull */
	lop_pull_end_f *end;
	void *context;
};

struct body_segment {
	enum body_kind kind;
	union {
		struct lop_memory *memory;
		struct lop_file *file;
		struct body_stream *stream; /* in the arena */
	} source;
	int64_t offset;
	int64_t length; /* left; -1 unknown (streams) */
};

/* The finished head of a response that is sent again and again, kept beside its body by whoever
 * owns the content; only the protocol looks inside. The head ends where the body begins, so that
 * both are one piece of memory. */
struct rendered {
	struct lop_memory *memory; /* NULL: no room for it */
	uint32_t body_offset;      /* the head may be written below it */
	uint32_t body_length;      /* 0 when the body is not in memory */
	uint32_t head_length;      /* 0: not rendered yet */
	uint32_t date_offset;
	int64_t date_second;
};

struct response {
	int status;
	bool close;          /* the hook asked for it */
	bool page;           /* it is the core's page for an error */
	bool upgrade;        /* behind it there are raw bytes, if the status says so */
	bool fields_shared;  /* fields belong to somebody else: copy before changing */
	uint16_t field_count;
	uint16_t field_size;
	uint16_t field_early; /* those from before CONTENT, which interim responses leave alone */
	uint16_t trailer_count;
	uint16_t trailer_size;
	uint16_t segment_count;
	uint16_t segment_size;
	struct response_field *fields;
	struct response_field *trailers;
	struct body_segment *segments;
	struct rendered *rendered; /* this very status, fields and body, or NULL */
	struct body_segment first_segments[2];
};

/* What the core's own protocol can do for a request besides reading its body. context is that of
 * body_read. */
struct request_carrier {
	/* Moves body bytes into a pipe. */
	ssize_t (*body_splice)(void *context, int pipe, size_t size);
	int (*abandoned)(void *context);
	int (*awaits_continue)(void *context);
	/* Sends fields from the index `first` on as an interim response. */
	int (*interim)(void *context, int status, unsigned first);
	/* Whether the connection can be handed over: 0 or a negative errno. */
	int (*upgradable)(void *context);
};

struct request_state {
	const void *key;
	void *value;
};

struct lop_request {
	uint32_t magic;
	uint8_t phase;  /* enum lop_phase; 0 before it runs */
	uint8_t state_count;
	uint16_t hook;  /* index in the phase */
	bool waiting;   /* a hook returned LOP_AGAIN */
	bool answered;  /* the response stands */
	bool detached;  /* the head lies in the arena */
	int fallback;   /* status when nobody claims it */
	struct list node; /* for the protocol */
	struct lop_connection *connection;
	struct lop_worker *worker;
	const char *base;
	struct lop_str path;
	struct lop_str query;
	struct lop_str host;
	struct lop_str user;
	struct lop_root *root;
	/* the content that fields and segments belong to; released at the end */
	void (*content_release)(void *content);
	void *content;
	/* body of the request */
	int64_t body_length;
	int64_t body_limit;
	int64_t body_taken;
	lop_body_read_f *body_read;
	void *body_context;
	const struct request_carrier *carrier; /* NULL: a protocol of a module */
	lop_body_ready_f *body_ready;
	void *body_ready_context;
	struct lop_str trailers; /* lines with their ends, checked */
	/* for the log */
	int64_t started;      /* ns, monotonic */
	int64_t started_wall; /* ns since 1970 */
	uint64_t head_sent;
	uint64_t body_sent;
	uint64_t start_mark; /* http1: bytes of the connection before its response, */
	uint64_t end_mark;   /* and with all of it */
	uint32_t number;   /* on its connection */
	struct request_state states[REQUEST_STATES];
	struct response response;
	struct arena arena;
	struct http1_head head;
	alignas(max_align_t) char first[REQUEST_FIRST];
};

/* NULL when memory is out. */
struct lop_request *request_new(struct lop_connection *connection);
/* Its first byte came at that time of the worker's clock, before request_new(). */
void request_began(struct lop_request *request, int64_t when);
/* Runs DONE, writes the log, releases everything. Clears the pointer. */
void request_end(struct lop_request **request);
/* As request_end for one that never became a request (nothing came): no log, no hooks. */
void request_discard(struct lop_request **request);

/* After head and base are filled: decodes the target, finds the host. Returns 0, or the status with
 * which the request was refused. */
int request_prepare(struct lop_request *request);
/* Makes an error the response, for which only the RESPONSE hooks are asked when it runs. Returns the
 * status. */
int request_refuse(struct lop_request *request, int status);
/* The status for a negative errno of a hook: those of lop_request_body_read() have their own. */
int status_of_error(int error);
/* Runs the phases: LOP_DONE the response stands, LOP_AGAIN. */
int request_run(struct lop_request *request);
/* Makes the response the core's page for a status; drops what was set before but keeps fields that hooks added
 * for this purpose (Allow, Retry-After, Content-Range). */
void request_fail(struct lop_request *request, int status);
/* Copies the head into the arena. 0 or -ENOMEM. */
int request_detach(struct lop_request *request);

/* The value of a field that is a list, from all its lines; data NULL also when memory is out. */
struct lop_str request_list(struct lop_request *request, enum http1_known known);

/* Keeps what fields and body are taken from until the end, then releases it. */
void response_hold(struct lop_request *request, void *content, void (*release)(void *content));
/* Takes over fields that belong to the content, behind those that hooks have added. */
int response_share(struct lop_request *request, struct response_field *fields, unsigned count);
/* Bytes of the body, -1 unknown. */
int64_t response_length(const struct lop_request *request);
void response_clear_body(struct lop_request *request);
/* Releases the first segment once it was taken. */
void response_drop_first(struct lop_request *request);

static inline struct lop_str request_known(const struct lop_request *request,
                                           enum http1_known known)
{
	return http1_value(&request->head, request->base, known);
}

#define STR(literal) ((struct lop_str){ (literal), sizeof(literal) - 1 })

#endif
