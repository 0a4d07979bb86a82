/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker's access log: renders a line once, hands it to the provider, counts what was lost, and
 * reports a log that fails once and its recovery once.
 *
 * The worker flushes it within a second whenever `dirty` is set, also after a flush.
 */
#ifndef ACCESS_LOG_H
#define ACCESS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lophttpd/log.h>

#include "log_format.h"

struct access_log {
	const struct lop_log_provider *provider; /* NULL: nothing is logged */
	void *state;                             /* the provider's */
	const struct log_format *format;
	struct log_clock clock;
	int worker;
	bool needs_local;  /* records must have their local address: the provider or the format uses
	                    * it */
	bool busy;         /* within a call of the provider: messages go past it */
	bool dirty;        /* a flush is due within a second */
	bool failing;      /* a write or flush failed, was reported, and no flush succeeded since */
	int reason;        /* negative errno of that report */
	uint64_t written;  /* lines that the provider took */
	uint64_t dropped;  /* lines that were lost, all in all */
	uint64_t reported; /* lines of those that were told about */
	uint64_t dropped_then; /* what `dropped` and `written` were at the last flush */
	uint64_t written_then;
	struct lop_core *core;
	char *line;        /* LOG_LINE_MAX bytes */
};

/* fd: from log_target_open(), taken over, also on failure; -1 for a provider without file. Without
 * a provider among the modules, or with -q, the log stays silent and 0 is returned. Returns 0, or
 * a negative errno after a message. */
int access_log_open(struct access_log *log, struct lop_core *core, int worker, int fd);
void access_log_write(struct access_log *log, const struct lop_log_record *record);
/* Clears dirty unless something is left to be written. */
void access_log_flush(struct access_log *log);
/* fd: the new file, taken over; negative: there is none, and the log goes on with the old one. */
void access_log_reopen(struct access_log *log, int fd);
/* text: one line without newline, escaped here. Returns whether the provider took it. */
bool access_log_message(struct access_log *log, enum lop_log_level level, const char *text,
                        size_t length);
void access_log_close(struct access_log *log);

#endif
