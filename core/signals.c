/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "os.h"

static const struct {
	int number;
	unsigned bit; /* 0: ignored */
} handled[] = {
	{ SIGTERM, SIGNAL_STOP },    { SIGINT, SIGNAL_STOP },     { SIGQUIT, SIGNAL_DRAIN },
	{ SIGHUP, SIGNAL_REOPEN },   { SIGUSR1, SIGNAL_REFRESH }, { SIGUSR2, SIGNAL_UPGRADE },
	{ SIGCHLD, SIGNAL_CHILD },   { SIGPIPE, 0 },
	{ SIGXFSZ, 0 }, /* a log that reached the limit of ulimit -f is a full disk, not the end */
};
#define HANDLED (sizeof(handled) / sizeof(handled[0]))

static atomic_uint arrived;
static int ends[2] = { -1, -1 };

static void handler(int number)
{
	int error = errno;

	for (size_t i = 0; i < HANDLED; i++)
		if (handled[i].number == number)
			atomic_fetch_or(&arrived, handled[i].bit);
	/* A full pipe wakes the reader as well as one byte more. */
	if (write(ends[1], "", 1) < 0)
		errno = 0;
	errno = error;
}

static void close_ends(void)
{
	for (int i = 0; i < 2; i++) {
		if (ends[i] >= 0)
			close(ends[i]);
		ends[i] = -1;
	}
}

static int install(bool ours)
{
	struct sigaction action;

	for (size_t i = 0; i < HANDLED; i++) {
		action = (struct sigaction){ .sa_flags = SA_RESTART | SA_NOCLDSTOP };
		sigemptyset(&action.sa_mask);
		action.sa_handler = !ours ? SIG_DFL : handled[i].bit != 0 ? handler : SIG_IGN;
		if (sigaction(handled[i].number, &action, NULL) < 0)
			return -errno;
	}
	return 0;
}

static void block(int how)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < HANDLED; i++)
		sigaddset(&set, handled[i].number);
	sigprocmask(how, &set, NULL);
}

int signals_open(void)
{
	int result;

	close_ends();
	atomic_store(&arrived, 0);
	if (pipe(ends) < 0)
		return -errno;
	result = os_prepare(ends[0]);
	if (result == 0)
		result = os_prepare(ends[1]);
	if (result == 0)
		result = install(true);
	if (result < 0) {
		close_ends();
		return result;
	}
	signals_unblock();
	return ends[0];
}

unsigned signals_take(void)
{
	char bytes[64];

	while (read(ends[0], bytes, sizeof(bytes)) > 0)
		continue;
	/* After the pipe: a signal in between leaves a byte that says nothing, never the
	 * reverse. */
	return atomic_exchange(&arrived, 0);
}

void signals_reset(void)
{
	install(false);
	close_ends();
	signals_unblock();
}

void signals_block(void)
{
	block(SIG_BLOCK);
}

void signals_unblock(void)
{
	block(SIG_UNBLOCK);
}
