/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker's helper thread: what waits for the disk (fsync, a pass over a folder) is done there,
 * one job at a time, so that the loop goes on serving.
 *
 * `run` is called in the thread and touches nothing but its job and system calls; `done` is called
 * on the loop afterwards. A job belongs to the thread from submit until `done`.
 */
#ifndef UPLOAD_THREAD_H
#define UPLOAD_THREAD_H

#include <lophttpd/base.h>

struct thread;

struct job {
	void (*run)(struct job *job);
	void (*done)(struct job *job);
	struct job *next;
};

/* Returns 0 or a negative errno. */
int thread_start(struct lop_worker *worker, struct thread **thread);
void thread_submit(struct thread *thread, struct job *job);
/* Lets the job that runs come to its end, drops those that wait, and calls `done` of all. */
void thread_stop(struct thread **thread);

#endif
