/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "thread.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include <lophttpd/loop.h>

struct thread {
	pthread_t id;
	pthread_mutex_t lock;
	pthread_cond_t wanted;
	struct job *first; /* waiting */
	struct job **last;
	struct job *finished;
	bool stop;
	int wake[2]; /* a byte: something is finished */
	struct lop_watch *watch;
};

static void *work(void *context)
{
	struct thread *thread = context;

	pthread_mutex_lock(&thread->lock);
	for (;;) {
		struct job *job = thread->first;
		ssize_t written;

		if (thread->stop)
			break;
		if (job == NULL) {
			pthread_cond_wait(&thread->wanted, &thread->lock);
			continue;
		}
		thread->first = job->next;
		if (thread->first == NULL)
			thread->last = &thread->first;
		pthread_mutex_unlock(&thread->lock);
		job->run(job);
		pthread_mutex_lock(&thread->lock);
		job->next = thread->finished;
		thread->finished = job;
		/* A full pipe has woken the loop already. */
		written = write(thread->wake[1], "", 1);
		(void)written;
	}
	pthread_mutex_unlock(&thread->lock);
	return NULL;
}

static void finish(struct job *job)
{
	while (job != NULL) {
		struct job *next = job->next;

		job->done(job);
		job = next;
	}
}

static void collect(void *context, unsigned events)
{
	struct thread *thread = context;
	struct job *finished;
	char waste[64];

	(void)events;
	while (read(thread->wake[0], waste, sizeof(waste)) > 0)
		;
	pthread_mutex_lock(&thread->lock);
	finished = thread->finished;
	thread->finished = NULL;
	pthread_mutex_unlock(&thread->lock);
	finish(finished);
}

static int open_wake(int wake[2])
{
	if (pipe(wake) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		(void)fcntl(wake[i], F_SETFD, FD_CLOEXEC);
		(void)fcntl(wake[i], F_SETFL, O_NONBLOCK);
	}
	return 0;
}

/* Signals are the loop's: the thread is made with all of them blocked. */
static int spawn(struct thread *thread)
{
	sigset_t all, old;
	int result;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	result = -pthread_create(&thread->id, NULL, work, thread);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return result;
}

int thread_start(struct lop_worker *worker, struct thread **thread)
{
	struct thread *made = calloc(1, sizeof(*made));
	int result;

	if (made == NULL)
		return -ENOMEM;
	made->last = &made->first;
	pthread_mutex_init(&made->lock, NULL);
	pthread_cond_init(&made->wanted, NULL);
	result = open_wake(made->wake);
	if (result < 0)
		goto fail;
	result = lop_watch_start(worker, made->wake[0], collect, made, &made->watch);
	if (result < 0)
		goto fail_pipe;
	result = spawn(made);
	if (result == 0) {
		*thread = made;
		return 0;
	}
	lop_watch_stop(&made->watch);
fail_pipe:
	close(made->wake[0]);
	close(made->wake[1]);
fail:
	free(made);
	return result;
}

void thread_submit(struct thread *thread, struct job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&thread->lock);
	*thread->last = job;
	thread->last = &job->next;
	pthread_cond_signal(&thread->wanted);
	pthread_mutex_unlock(&thread->lock);
}

void thread_stop(struct thread **pointer)
{
	struct thread *thread = *pointer;

	*pointer = NULL;
	if (thread == NULL)
		return;
	pthread_mutex_lock(&thread->lock);
	thread->stop = true;
	pthread_cond_signal(&thread->wanted);
	pthread_mutex_unlock(&thread->lock);
	pthread_join(thread->id, NULL);
	lop_watch_stop(&thread->watch);
	finish(thread->finished);
	finish(thread->first);
	close(thread->wake[0]);
	close(thread->wake[1]);
	pthread_cond_destroy(&thread->wanted);
	pthread_mutex_destroy(&thread->lock);
	free(thread);
}
