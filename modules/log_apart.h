/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread beside the loop that works on one file.
 *
 * It has descriptors of its own where the system knows of that (Linux 5.9). While threads share
 * theirs, each call of the loop has to count who uses the file that it names. Nor does the thread
 * hold anything that the loop has closed.
 */
#ifndef LOG_APART_H
#define LOG_APART_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* Has a thread do work(context), which has no descriptor but fd, and closes that before it can be
 * joined. Signals go to the loop, except a fault, which goes to who made it. Returns 0 or a
 * negative errno. */
int log_apart_start(pthread_t *id, int fd, void *(*work)(void *), void *context);

/* In nanoseconds, for how long something takes. */
int64_t log_apart_now(void);

/* A condition that is waited for with log_apart_until(). */
void log_apart_cond_init(pthread_cond_t *condition);

/* When so many nanoseconds are over, as pthread_cond_timedwait() wants it: by a clock that nobody
 * sets, where conditions know one. */
struct timespec log_apart_until(long ns);

#endif
