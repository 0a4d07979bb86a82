/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages for the person who runs the server, one line each: what failed, on what, why, and what
 * to do about it. Bytes that came from outside are escaped on the way.
 */
#ifndef CORE_MESSAGE_H
#define CORE_MESSAGE_H

#include <stdarg.h>

#include <lophttpd/message.h>

struct access_log;

/* A worker's message: through the log's provider (log may be NULL), and as "lhttpd: text" to
 * standard error in the foreground or when no provider took it. Never blocks: what standard error
 * cannot take at once is lost. */
void message_write(struct lop_core *core, struct access_log *log, enum lop_log_level level,
                   const char *format, va_list arguments);

#endif
