/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker's loop for modules: timers, descriptors, and long work cut into slices.
 *
 * All handles belong to the caller, who stops what was started before freeing its context.
 */
#ifndef LOPHTTPD_LOOP_H
#define LOPHTTPD_LOOP_H

#include <lophttpd/base.h>

LOP_BEGIN_DECLS

struct lop_timer;
struct lop_watch;
struct lop_task;

/* Nanoseconds of a clock that never goes back, read once a turn of the loop. */
LOP_API int64_t lop_worker_now(const struct lop_worker *worker);
/* Nanoseconds since 1970-01-01 UTC, read once a turn of the loop. */
LOP_API int64_t lop_worker_wall(const struct lop_worker *worker);
LOP_API int lop_worker_index(const struct lop_worker *worker);
/* The server's web root. */
LOP_API struct lop_root *lop_worker_root(const struct lop_worker *worker);

/* A one-shot timer; fire may start it again. NULL when memory is out. */
typedef void lop_timer_f(void *context);
LOP_API struct lop_timer *lop_timer_new(struct lop_worker *worker, lop_timer_f *fire,
                                        void *context);
LOP_API void lop_timer_start(struct lop_timer *timer, int64_t after_ns);
LOP_API void lop_timer_stop(struct lop_timer *timer);
LOP_API void lop_timer_free(struct lop_timer **timer);

/* Watches a descriptor, edge-triggered in both directions; ready is called after each edge. */
#define LOP_READABLE 1u
#define LOP_WRITABLE 2u
#define LOP_HANGUP 4u /* the other side writes no more: read to the end, no further edge tells of it */
typedef void lop_watch_f(void *context, unsigned events);
LOP_API int lop_watch_start(struct lop_worker *worker, int descriptor, lop_watch_f *ready,
                            void *context, struct lop_watch **watch);
LOP_API void lop_watch_stop(struct lop_watch **watch); /* does not close the descriptor */

/* Long work: run does at most about a millisecond's worth and returns 1 to be called again, after
 * everybody else had a turn, or 0 when it has ended. */
typedef int lop_task_f(void *context);
LOP_API struct lop_task *lop_task_new(struct lop_worker *worker, lop_task_f *run, void *context);
LOP_API void lop_task_start(struct lop_task *task);
LOP_API void lop_task_free(struct lop_task **task);

LOP_END_DECLS

#endif
