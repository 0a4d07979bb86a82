/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "log_apart.h"

#include <signal.h>
#include <stdbool.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif
#include <unistd.h>

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1U << 1)
#endif

#define NS_PER_SECOND 1000000000L

#ifdef HAVE_PTHREAD_CONDATTR_SETCLOCK
#define WAIT_CLOCK CLOCK_MONOTONIC
#else
#define WAIT_CLOCK CLOCK_REALTIME
#endif

struct start {
	int fd;
	void *(*work)(void *);
	void *context;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool begun;
};

/* Returns whether the thread has descriptors of its own now. */
static bool keep_only(int fd)
{
#if defined(__linux__) && defined(SYS_close_range)
	/* An older kernel does nothing, and they stay shared. */
	if (syscall(SYS_close_range, (unsigned)fd + 1, ~0U, CLOSE_RANGE_UNSHARE) < 0)
		return false;
	if (fd > 0)
		(void)syscall(SYS_close_range, 0U, (unsigned)fd - 1, 0U);
	return true;
#else
	(void)fd;
	return false;
#endif
}

static void *begin(void *context)
{
	struct start *start = context;
	const struct start what = *start; /* it is gone when that is known */
	const bool own = keep_only(what.fd);

	pthread_mutex_lock(&start->lock);
	start->begun = true;
	pthread_cond_signal(&start->changed);
	pthread_mutex_unlock(&start->lock);
	(void)what.work(what.context);
	/* Now, and not a moment after the join: a lock lasts as long as the file is open. */
	if (own)
		close(what.fd);
	return NULL;
}

int log_apart_start(pthread_t *id, int fd, void *(*work)(void *), void *context)
{
	struct start start = { .fd = fd, .work = work, .context = context };
	sigset_t most, old;
	int result;

	pthread_mutex_init(&start.lock, NULL);
	pthread_cond_init(&start.changed, NULL);
	sigfillset(&most);
	sigdelset(&most, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &most, &old);
	result = -pthread_create(id, NULL, begin, &start);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	/* A socket that the loop closes while the thread still has it would not be closed, and stay
	 * with its epoll: so the loop closes none meanwhile. */
	pthread_mutex_lock(&start.lock);
	while (result == 0 && !start.begun)
		pthread_cond_wait(&start.changed, &start.lock);
	pthread_mutex_unlock(&start.lock);
	pthread_cond_destroy(&start.changed);
	pthread_mutex_destroy(&start.lock);
	return result;
}

int64_t log_apart_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * NS_PER_SECOND + time.tv_nsec;
}

void log_apart_cond_init(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
#ifdef HAVE_PTHREAD_CONDATTR_SETCLOCK
	pthread_condattr_setclock(&attributes, WAIT_CLOCK);
#endif
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

struct timespec log_apart_until(long ns)
{
	struct timespec until;

	clock_gettime(WAIT_CLOCK, &until);
	until.tv_nsec += ns;
	until.tv_sec += until.tv_nsec / NS_PER_SECOND;
	until.tv_nsec %= NS_PER_SECOND;
	return until;
}
