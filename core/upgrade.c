/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lophttpd/message.h>

#include "core.h"
#include "signals.h"

extern char **environ;

/* "PID:FOREGROUND FD:MANAGED:TRANSPORT …", written by the old binary for the new one. */
#define VARIABLE "LOPHTTPD_UPGRADE"

/* ---- the new binary ------------------------------------------------------------------------- */

static void inherit(struct lop_core *core, const char *text)
{
	int descriptor, managed, used;
	char transport[64];

	while (sscanf(text, " %d:%d:%63s%n", &descriptor, &managed, transport, &used) == 3) {
		int result = listeners_inherit(core, descriptor, transport, managed != 0);

		if (result < 0)
			lop_core_message(core, LOP_LOG_WARNING,
			                 "socket %d of the old server is not used: %s", descriptor,
			                 strerror(-result));
		text += used;
	}
}

static char *absolute(const char *folder, const char *path)
{
	char *whole;

	if (path[0] == '/')
		return strdup(path);
	return asprintf(&whole, "%s/%s", folder, path) < 0 ? NULL : whole;
}

/* Where a shell would find the program. The path is not resolved further: what it leads to may be
 * another file at the time of an upgrade. */
static char *find_program(const char *folder, const char *name)
{
	const char *path = getenv("PATH");
	char *whole;

	if (strchr(name, '/') != NULL)
		return absolute(folder, name);
	while (path != NULL && *path != '\0') {
		size_t length = strcspn(path, ":");

		if (asprintf(&whole, "%.*s/%s", (int)length, path, name) < 0)
			return NULL;
		if (whole[0] == '/' && access(whole, X_OK) == 0)
			return whole;
		free(whole);
		path += length + (path[length] == ':');
	}
	return strdup(name);
}

int upgrade_prepare(struct lop_core *core)
{
	const char *variable = getenv(VARIABLE);
	struct upgrade *upgrade = &core->upgrade;
	char folder[PATH_MAX];
	int foreground, used;
	long old;

	/* Without one (it was removed) relative paths lead nowhere anyway. */
	if (getcwd(folder, sizeof(folder)) == NULL)
		strcpy(folder, "/");
	upgrade->folder = strdup(folder);
	upgrade->program = find_program(folder, core->arguments[0]);
	if (upgrade->folder == NULL || upgrade->program == NULL)
		return -ENOMEM;
	if (variable == NULL)
		return 0;
	/* From another time, or passed on by something that was started meanwhile. */
	if (sscanf(variable, "%ld:%d%n", &old, &foreground, &used) == 2 && old > 1 &&
	    old == (long)getppid()) {
		upgrade->old = (pid_t)old;
		if (!foreground)
			daemon_resume(core);
		inherit(core, variable + used);
	}
	unsetenv(VARIABLE);
	return 0;
}

void upgrade_ready(struct lop_core *core)
{
	pid_t old = core->upgrade.old;

	/* When it has ended meanwhile, its number may be another's. */
	if (old > 1 && old == getppid() && kill(old, SIGQUIT) < 0)
		lop_core_message(
			core, LOP_LOG_WARNING,
			"cannot ask the old server (process %ld) to finish: %s; send it QUIT",
			(long)old, strerror(errno));
	core->upgrade.old = 0;
}

/* ---- the old binary ------------------------------------------------------------------------- */

static char *make_variable(const struct lop_core *core)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out == NULL)
		return NULL;
	fprintf(out, VARIABLE "=%ld:%d", (long)getpid(), core->foreground);
	for (size_t i = 0; i < core->listeners.count; i++) {
		const struct listener *listener = &core->listeners.items[i];

		for (size_t j = 0; j < listener->count; j++)
			if (listener->sockets[j] >= 0)
				fprintf(out, " %d:%d:%s%s", listener->sockets[j],
				        listener->from_manager, listener->transport,
				        listener->proxy ? ",proxy" : "");
	}
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* The environment with one more variable; only the array is to be freed. */
static char **make_environment(char *variable)
{
	size_t count = 0;
	char **copy;

	while (environ[count] != NULL)
		count++;
	copy = malloc((count + 2) * sizeof(*copy));
	if (copy == NULL)
		return NULL;
	memcpy(copy, environ, count * sizeof(*copy));
	copy[count] = variable;
	copy[count + 1] = NULL;
	return copy;
}

/* In the child: nothing here may allocate, other threads may have been in the middle of it. */
static void become(const struct lop_core *core, char **environment)
{
	for (size_t i = 0; i < core->listeners.count; i++) {
		const struct listener *listener = &core->listeners.items[i];

		for (size_t j = 0; j < listener->count; j++)
			if (listener->sockets[j] >= 0)
				(void)fcntl(listener->sockets[j], F_SETFD, 0);
	}
	signals_reset();
	if (chdir(core->upgrade.folder) < 0)
		_exit(126);
	execve(core->upgrade.program, core->arguments, environment);
	_exit(127);
}

/* Whether it makes sense to try; says why not. */
static bool possible(struct lop_core *core)
{
	struct upgrade *upgrade = &core->upgrade;

	if (upgrade->child > 0) {
		lop_core_message(core, LOP_LOG_WARNING,
		                 "an upgrade is under way (process %ld); wait for it",
		                 (long)upgrade->child);
		return false;
	}
	if (core->chrooted) {
		lop_core_message(
			core, LOP_LOG_ERROR,
			"cannot start a new binary from within the chroot of %s; restart the "
			"server, or run it with a master (-n 2, or without -n)",
			core->root->path);
		return false;
	}
	if (core->sandboxed) {
		lop_core_message(
			core, LOP_LOG_ERROR,
			"cannot start a new binary from within the sandbox; restart the server, or "
			"run it with a master (-n 2, or without -n) or with --no-sandbox");
		return false;
	}
	if (access(upgrade->program, X_OK) < 0) {
		lop_core_message(core, LOP_LOG_ERROR,
		                 "cannot start the new binary %s: %s; going on with the old one",
		                 upgrade->program, strerror(errno));
		return false;
	}
	return true;
}

void upgrade_start(struct lop_core *core)
{
	char *variable, **environment = NULL;
	pid_t child;

	if (!possible(core))
		return;
	variable = make_variable(core);
	if (variable != NULL)
		environment = make_environment(variable);
	signals_block();
	child = environment == NULL ? -1 : fork();
	if (child == 0)
		become(core, environment);
	signals_unblock();
	free(environment);
	free(variable);
	if (child < 0) {
		lop_core_message(core, LOP_LOG_ERROR,
		                 "cannot start the new binary: %s; going on with the old one",
		                 strerror(errno));
		return;
	}
	core->upgrade.child = child;
	lop_core_message(core, LOP_LOG_NOTICE, "starting %s as process %ld", core->upgrade.program,
	                 (long)child);
}

bool upgrade_ended(struct lop_core *core, pid_t child, int status)
{
	if (child != core->upgrade.child || child <= 0)
		return false;
	core->upgrade.child = 0;
	if (WIFSIGNALED(status))
		lop_core_message(
			core, LOP_LOG_ERROR,
			"the new binary (process %ld) was killed by signal %d (%s); going on "
			"with the old one",
			(long)child, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		lop_core_message(
			core, LOP_LOG_ERROR,
			"the new binary (process %ld) did not start: status %d; going on with "
			"the old one",
			(long)child, WEXITSTATUS(status));
	pid_file_restore(core);
	return true;
}

void upgrade_reap(struct lop_core *core)
{
	pid_t child = core->upgrade.child;
	int status;

	if (child > 0 && waitpid(child, &status, WNOHANG) == child)
		upgrade_ended(core, child, status);
}

void upgrade_free(struct upgrade *upgrade)
{
	free(upgrade->program);
	free(upgrade->folder);
	*upgrade = (struct upgrade){ .program = NULL };
}
