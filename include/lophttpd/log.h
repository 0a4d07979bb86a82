/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Access logs: all that a log provider needs. This header alone is enough to write one.
 *
 * A provider is a module (module.h) whose `log` points to a struct lop_log_provider. `-L NAME`
 * loads the module `log_NAME`; at most one provider is loaded. The core opens the file, fills one
 * record and renders one line a request after the last byte of the response was handed to the
 * kernel, and calls the provider on the worker's loop. A provider must never block there: what it
 * cannot take it refuses, and the core counts it and says so.
 *
 * Each worker has a state of its own, made by `open`; providers keep nothing in globals. All
 * functions of one state are called from one thread, one at a time. None of them waits
 * (`close`: not for long) or allocates without bound. Of the server they may call messages (message.h), which go
 * to standard error alone from within, and the watches and timers of the loop (loop.h). `open`,
 * `write` and `close` are required, the others may be NULL.
 */
#ifndef LOPHTTPD_LOG_H
#define LOPHTTPD_LOG_H

#include <lophttpd/base.h>
#include <lophttpd/module.h>

LOP_BEGIN_DECLS

enum lop_log_level {
	LOP_LOG_ERROR = 3, /* values are those of syslog(3) */
	LOP_LOG_WARNING = 4,
	LOP_LOG_NOTICE = 5,
	LOP_LOG_INFO = 6,
	LOP_LOG_DEBUG = 7,
};

/* One finished request. Views are valid during the call only, hold bytes as the client sent
 * them (escape before writing!), and have data NULL when the request did not have them. */
struct lop_log_record {
	uint32_t size;           /* of this struct, in bytes */
	uint16_t status;         /* as sent, e.g. 200; 0 when no response was sent */
	uint16_t protocol;       /* major * 100 + minor: 101 is HTTP/1.1; 0 unknown */
	int64_t time_ns;         /* start of the request, ns since 1970-01-01 UTC */
	int64_t duration_ns;     /* from its first byte to the last byte of the response, as the
	                          * loop's clock has it: 0 when one turn of the loop saw both */
	uint64_t bytes_sent;     /* head and body */
	uint64_t body_bytes_sent;
	uint64_t bytes_received; /* head and body of the request */
	uint64_t connection;     /* number of the connection in this worker */
	uint32_t request;        /* number of the request on its connection, from 1 */
	uint16_t remote_port;
	uint16_t local_port;
	struct lop_str remote_address; /* text form; "unix:" for a UNIX socket */
	struct lop_str local_address;
	struct lop_str method;
	struct lop_str target; /* undecoded, query included */
	struct lop_str host;
	struct lop_str user; /* authenticated name */
	struct lop_str referer;
	struct lop_str user_agent;
};

/* One message of the server or of a module. Views are valid during the call only. Providers with
 * times and levels of their own take `text`, others `line`. */
struct lop_log_message {
	uint32_t size;       /* of this struct, in bytes */
	int32_t level;       /* enum lop_log_level */
	int64_t time_ns;     /* ns since 1970-01-01 UTC */
	struct lop_str text; /* escaped, no newline */
	struct lop_str line; /* with time and level as a line of the access log, newline at its end:
	                      * "# 2000-10-10T13:55:36-07:00 error: text", in a log of JSON objects
	                      * {"time":"...","level":"error","message":"text"} */
};

/* What `open` and `reopen` are told. */
struct lop_log_open {
	uint32_t size;  /* of this struct, in bytes */
	int32_t worker; /* index from 0 */
	int32_t fd;     /* file, pipe, terminal or socket, open for appending (O_APPEND, O_NONBLOCK,
	                 * O_CLOEXEC), but standard error as it was found, which may be a file
	                 * without O_APPEND; -1 with LOP_LOG_NO_FILE. It is the provider's when the
	                 * call returns 0, else the core closes it. */
	const char *path; /* as configured, with this worker's suffix; "-" is standard error. Valid
	                   * during the call only. */
};

#define LOP_LOG_NO_FILE (UINT32_C(1) << 0)  /* writes elsewhere: the core opens no file */
#define LOP_LOG_READABLE (UINT32_C(1) << 1) /* a file is open for reading too, as mmap(2) wants it */
#define LOP_LOG_LINE_ONLY (UINT32_C(1) << 2) /* looks at the line only: the record's local_address,
                                              * which costs time, may be left out */

struct lop_log_provider {
	uint32_t size;  /* sizeof(struct lop_log_provider) */
	uint32_t flags; /* LOP_LOG_... */

	/* Makes the state of one worker, before its loop runs. `module` is what the module's init
	 * returned. Returns 0, or a negative errno, which ends the start. */
	int (*open)(void *module, const struct lop_log_open *how, void **state);

	/* Takes one request. `line` is the rendered line of --log-format, escaped, newline at its
	 * end and no other control byte but tabs of the format, of at most 16 KiB, valid during the
	 * call. Returns 0, or a negative errno when the line was refused: it is lost then, the core
	 * counts it, reports the first and, after the next flush that finds lines taken again, how
	 * many there were. */
	int (*write)(void *state, const struct lop_log_record *record, const char *line,
	             size_t length);

	/* Takes a message. May be NULL: messages then go to standard error only. */
	void (*message)(void *state, const struct lop_log_message *message);

	/* Writes out what is buffered. Called within a second after a write, and on DRAIN and EXIT.
	 * Returns 0 when nothing is left, a positive number when something is (it is called again
	 * within a second), or a negative errno: the same, and it is reported, once until a flush
	 * returns 0. May be NULL when write keeps nothing back. */
	int (*flush)(void *state);

	/* HUP: writes out to the old file, then goes on with the new one. Returns 0, or a negative
	 * errno and goes on with the old one. May be NULL: then HUP changes nothing. */
	int (*reopen)(void *state, const struct lop_log_open *how);

	/* Writes out what it can without waiting for long, closes, frees. */
	void (*close)(void *state);

	/* How many lines were lost since the last call although write had taken them. Asked after
	 * flush and reopen. May be NULL when that cannot happen. */
	uint64_t (*lost)(void *state);
};

LOP_END_DECLS

#endif
