/* SPDX-License-Identifier: BSD-2-Clause */
/* A writer of batches (log_queue.h): a thread, and one writev a batch. */
#ifndef LOG_THREAD_H
#define LOG_THREAD_H

#include "log_queue.h"

extern const struct log_writer log_thread;

#endif
