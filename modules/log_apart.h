/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread beside the loop that works on one file.
 *
 * It has descriptors of its own where the system knows of that (Linux 5.9). While threads share
 * theirs, each call of the loop has to count who uses the file that it names, which costs a request
 * about as much as it costs to render its line. Nor does the thread hold anything that the loop has
 * closed.
 */
#ifndef LOG_APART_H
#define LOG_APART_H

#include <pthread.h>
#include <stdbool.h>

/* Signals go to the loop, except a fault, which goes to who made it. Returns 0 or a negative
 * errno. */
int log_apart_start(pthread_t *id, void *(*work)(void *), void *context);

/* The first thing that the thread does: lets go of all descriptors but fd. Returns whether that is
 * its own now, and open until it closes it or ends. */
bool log_apart_keep(int fd);

#endif
