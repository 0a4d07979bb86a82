/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <lophttpd/message.h>

#include "core.h"
#include "os.h"
#include "program.h"

/* Stays until the other process is ready, or has ended: then with its status. */
static void wait_and_exit(int line, pid_t child)
{
	char byte;
	int status;
	ssize_t got;

	do
		got = read(line, &byte, 1);
	while (got < 0 && errno == EINTR);
	if (got == 1)
		_exit(0);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		continue;
	_exit(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1);
}

/* At once: a chroot has no way to it. */
static void open_syslog(const struct lop_core *core)
{
	openlog(core->program->name, LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

int daemon_start(struct lop_core *core)
{
	struct daemon_line *line = &core->daemon_line;
	int ends[2], result = 0;
	pid_t child;

	line->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (line->null < 0 || pipe(ends) < 0)
		goto fail;
	os_close_on_exec(ends[0]);
	os_close_on_exec(ends[1]);
	child = fork();
	if (child < 0) {
		result = errno;
		close(ends[0]);
		close(ends[1]);
		errno = result;
		goto fail;
	}
	if (child > 0) {
		close(ends[1]);
		wait_and_exit(ends[0], child);
	}
	close(ends[0]);
	line->descriptor = ends[1];
	if (setsid() < 0)
		goto fail;
	open_syslog(core);
	return 0;
fail:
	result = -errno;
	lop_core_message(core, LOP_LOG_ERROR,
	                 "cannot go to the background: %s; run without --daemon",
	                 strerror(-result));
	return result;
}

void daemon_resume(struct lop_core *core)
{
	open_syslog(core);
	core->foreground = false;
}

void daemon_hide(struct lop_core *core)
{
	struct daemon_line *line = &core->daemon_line;

	if (line->null < 0)
		return;
	core->foreground = false;
	for (int i = 0; i <= 2; i++)
		dup2(line->null, i);
	close(line->null);
	line->null = -1;
}

void daemon_leave(struct lop_core *core)
{
	struct daemon_line *line = &core->daemon_line;

	if (line->descriptor >= 0)
		close(line->descriptor);
	line->descriptor = -1;
}

void daemon_ready(struct lop_core *core)
{
	struct daemon_line *line = &core->daemon_line;

	if (line->descriptor < 0)
		return;
	/* The current folder must not keep a file system busy; in a chroot it is "/" already. */
	if (chdir("/") < 0)
		errno = 0;
	daemon_hide(core);
	if (write(line->descriptor, "", 1) < 0)
		errno = 0;
	daemon_leave(core);
}
