/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "log_apart.h"

#include <signal.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif
#include <unistd.h>

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1U << 1)
#endif

int log_apart_start(pthread_t *id, void *(*work)(void *), void *context)
{
	sigset_t most, old;
	int result;

	sigfillset(&most);
	sigdelset(&most, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &most, &old);
	result = -pthread_create(id, NULL, work, context);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return result;
}

bool log_apart_keep(int fd)
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
