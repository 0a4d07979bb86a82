/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages for the person who runs the server: one line, what failed, on what, why, what to do.
 * They go to standard error in the foreground and through the log provider's message function.
 */
#ifndef LOPHTTPD_MESSAGE_H
#define LOPHTTPD_MESSAGE_H

#include <lophttpd/base.h>
#include <lophttpd/log.h>

LOP_BEGIN_DECLS

/* Before there is a worker (init, option, CONFIGURED … UNPRIVILEGED). */
LOP_API void lop_core_message(struct lop_core *core, enum lop_log_level level, const char *format,
                              ...) LOP_PRINTF(3, 4);
LOP_API void lop_worker_message(struct lop_worker *worker, enum lop_log_level level,
                                const char *format, ...) LOP_PRINTF(3, 4);

LOP_END_DECLS

#endif
