/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "master.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <lophttpd/message.h>

#include "control.h"
#include "core.h"
#include "serve.h"
#include "signals.h"
#include "systemd.h"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

/* A worker that dies younger than this is not started again at once. */
#define YOUNG (1 * NS_PER_S)
#define DELAY_FIRST (100 * NS_PER_MS)
#define DELAY_MOST (10 * NS_PER_S)
/* What workers get beyond the time that they know of themselves. */
#define DRAIN_GRACE (2 * NS_PER_S)
#define STOP_GRACE (5 * NS_PER_S)

enum phase {
	PHASE_STARTING, /* until every worker has said once that it accepts */
	PHASE_SERVING,
	PHASE_DRAINING, /* QUIT was passed on */
	PHASE_STOPPING, /* TERM was sent */
	PHASE_KILLING,
};

struct slot {
	pid_t pid; /* 0: none runs */
	int control;
	bool ready;
	int64_t started;
	int64_t start_at; /* when the next is due, while none runs */
	int64_t delay;
};

struct master {
	struct lop_core *core;
	struct slot *slots;
	struct pollfd *polls; /* signals, then each slot's control */
	int count;
	int signals;
	enum phase phase;
	int64_t deadline; /* of DRAINING and STOPPING */
	int64_t look_at;  /* when the watched files are looked at */
	int status;
	bool is_worker; /* this process is one of the forked */
};

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * NS_PER_S + time.tv_nsec;
}

/* ---- phases --------------------------------------------------------------------------------- */

static void signal_all(const struct master *master, int number)
{
	for (int i = 0; i < master->count; i++)
		if (master->slots[i].pid > 0)
			(void)kill(master->slots[i].pid, number);
}

static void change_phase(struct master *master, enum phase phase)
{
	const struct settings *settings = &master->core->settings;

	if (phase <= master->phase)
		return;
	if (master->phase < PHASE_DRAINING) {
		systemd_stopping(master->core);
		listeners_close(master->core);
	}
	master->phase = phase;
	if (phase == PHASE_DRAINING) {
		signal_all(master, SIGQUIT);
		master->deadline = now() + settings->drain_timeout + DRAIN_GRACE;
	} else if (phase == PHASE_STOPPING) {
		signal_all(master, SIGTERM);
		master->deadline = now() + STOP_GRACE;
	} else if (phase == PHASE_KILLING) {
		signal_all(master, SIGKILL);
	}
}

/* What fails at the start fails again: the user is there to see to it. */
static void give_up(struct master *master)
{
	master->status = 1;
	change_phase(master, PHASE_STOPPING);
}

/* ---- workers -------------------------------------------------------------------------------- */

/* Not when nothing is logged. */
static int open_log(struct lop_core *core, int index)
{
	const struct privileges *to = &core->privileges;
	char path[4096];
	int log;

	log = log_target_open(&core->log, index, to->root ? to->uid : (uid_t)-1,
	                      to->root ? to->gid : (gid_t)-1);
	if (log >= 0)
		return log;
	log_target_path(&core->log, index, path, sizeof(path));
	lop_core_message(core, LOP_LOG_ERROR,
	                 "cannot open the log %s: %s; name another with -o, or say -q", path,
	                 strerror(-log));
	return log;
}

/* In the child: only what this worker needs stays open. */
static void become_worker(struct master *master, int index, int log, int control)
{
	struct lop_core *core = master->core;

	master->is_worker = true;
	for (int i = 0; i < master->count; i++)
		if (master->slots[i].pid > 0)
			close(master->slots[i].control);
	listeners_keep(core, index);
	log_target_close(&core->log);
	pid_file_leave(core);
	daemon_leave(core);
	if (core->notify >= 0)
		close(core->notify);
	core->notify = -1;
	core->upgrade.child = 0;
	master->status = serve_worker(core, index, log, control);
}

static int cannot_start(struct master *master, int index, int result)
{
	lop_core_message(master->core, LOP_LOG_ERROR, "cannot start worker %d: %s", index,
	                 strerror(-result));
	return result;
}

/* Forks a worker; in the worker it returns when that has ended. Says what failed. */
static int spawn(struct master *master, int index)
{
	struct slot *slot = &master->slots[index];
	int log = -1, line[2], result;
	pid_t pid;

	if (!master->core->log.none && (log = open_log(master->core, index)) < 0)
		return log;
	result = control_pair(line);
	if (result < 0) {
		if (log >= 0)
			close(log);
		return cannot_start(master, index, result);
	}
	signals_block();
	pid = fork();
	result = pid < 0 ? -errno : 0;
	if (pid == 0) {
		close(line[0]);
		become_worker(master, index, log, line[1]);
		return 0;
	}
	signals_unblock();
	close(line[1]);
	if (log >= 0)
		close(log);
	if (pid < 0) {
		close(line[0]);
		return cannot_start(master, index, result);
	}
	slot->pid = pid;
	slot->control = line[0];
	slot->ready = false;
	slot->started = now();
	return 0;
}

static void delay_next(struct slot *slot)
{
	slot->delay = slot->delay == 0 ? DELAY_FIRST : 2 * slot->delay;
	if (slot->delay > DELAY_MOST)
		slot->delay = DELAY_MOST;
	slot->start_at = now() + slot->delay;
}

/* Starts what is due. */
static void start_due(struct master *master)
{
	for (int i = 0; i < master->count && !master->is_worker; i++) {
		struct slot *slot = &master->slots[i];

		if (slot->pid > 0 || now() < slot->start_at || spawn(master, i) == 0)
			continue;
		delay_next(slot);
		if (master->phase == PHASE_STARTING)
			give_up(master);
		return;
	}
}

/* ---- what happens to them ------------------------------------------------------------------- */

static void report_death(struct master *master, int index, pid_t pid, int status)
{
	struct slot *slot = &master->slots[index];
	char next[64] = "";

	/* One that does not start has said why. */
	if (WIFEXITED(status) && (master->phase == PHASE_STARTING || master->status != 0 ||
	                          (master->phase >= PHASE_DRAINING && WEXITSTATUS(status) == 0)))
		return;
	if (master->phase == PHASE_SERVING && slot->delay > 0)
		snprintf(next, sizeof(next), "; starting another in %.1f s",
		         (double)slot->delay / (double)NS_PER_S);
	else if (master->phase == PHASE_SERVING)
		snprintf(next, sizeof(next), "; starting another");
	if (WIFSIGNALED(status))
		lop_core_message(master->core, LOP_LOG_ERROR,
		                 "worker %d (process %ld) was killed by signal %d (%s)%s", index,
		                 (long)pid, WTERMSIG(status), strsignal(WTERMSIG(status)), next);
	else
		lop_core_message(master->core, LOP_LOG_ERROR,
		                 "worker %d (process %ld) ended with status %d%s", index, (long)pid,
		                 WEXITSTATUS(status), next);
}

static void worker_ended(struct master *master, int index, int status)
{
	struct slot *slot = &master->slots[index];
	pid_t pid = slot->pid;

	close(slot->control);
	slot->pid = 0;
	slot->control = -1;
	slot->start_at = 0;
	if (!slot->ready || now() - slot->started < YOUNG)
		delay_next(slot);
	else
		slot->delay = 0;
	report_death(master, index, pid, status);
	if (master->phase == PHASE_STARTING)
		give_up(master);
}

static void reap(struct master *master)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (upgrade_ended(master->core, pid, status))
			continue;
		for (int i = 0; i < master->count; i++)
			if (master->slots[i].pid == pid)
				worker_ended(master, i, status);
	}
}

static void receive(struct master *master, int index)
{
	struct slot *slot = &master->slots[index];
	int descriptor, kind;

	while ((kind = control_receive(slot->control, &descriptor)) > 0) {
		if (descriptor >= 0)
			close(descriptor);
		if (kind == CONTROL_READY)
			slot->ready = true;
	}
	if (master->phase != PHASE_STARTING)
		return;
	for (int i = 0; i < master->count; i++)
		if (!master->slots[i].ready)
			return;
	master->phase = PHASE_SERVING;
	serve_ready(master->core);
}

/* A watched file is another now: as HUP, without the logs. */
static void reopen_modules(struct master *master)
{
	(void)modules_stage(master->core, LOP_STAGE_REOPEN, NULL);
	for (int i = 0; i < master->count; i++)
		if (master->slots[i].pid > 0)
			(void)control_send(master->slots[i].control, CONTROL_REOPEN, -1);
}

static void watch_files(struct master *master)
{
	if (master->core->watch.count == 0 || now() < master->look_at)
		return;
	master->look_at = now() + WATCH_NS;
	if (watch_look(&master->core->watch))
		reopen_modules(master);
}

/* HUP: the master opens the logs, because workers cannot; the old ones stay where that fails. What
 * modules read anew it reads for them, with its rights. */
static void reopen(struct master *master)
{
	systemd_reloading(master->core);
	(void)modules_stage(master->core, LOP_STAGE_REOPEN, NULL);
	for (int i = 0; i < master->count; i++) {
		struct slot *slot = &master->slots[i];
		int log;

		if (slot->pid <= 0)
			continue;
		log = master->core->log.none ? -1 : open_log(master->core, i);
		if (log >= 0) {
			(void)control_send(slot->control, CONTROL_LOG, log);
			close(log);
		}
		(void)kill(slot->pid, SIGHUP);
	}
	systemd_ready(master->core);
}

static void obey(struct master *master, unsigned signals)
{
	if (signals & SIGNAL_CHILD)
		reap(master);
	if (signals & SIGNAL_REOPEN)
		reopen(master);
	if (signals & SIGNAL_REFRESH)
		signal_all(master, SIGUSR1);
	if ((signals & SIGNAL_UPGRADE) && master->phase == PHASE_SERVING)
		upgrade_start(master->core);
	if (signals & SIGNAL_DRAIN)
		change_phase(master, PHASE_DRAINING);
	if (signals & SIGNAL_STOP)
		change_phase(master, PHASE_STOPPING);
}

/* ---- the loop ------------------------------------------------------------------------------- */

static bool any_worker(const struct master *master)
{
	for (int i = 0; i < master->count; i++)
		if (master->slots[i].pid > 0)
			return true;
	return false;
}

/* Milliseconds until something is due, -1 never. */
static int wait_time(const struct master *master)
{
	int64_t due = INT64_MAX, left;

	if (master->phase == PHASE_DRAINING || master->phase == PHASE_STOPPING)
		due = master->deadline;
	for (int i = 0; i < master->count && master->phase <= PHASE_SERVING; i++)
		if (master->slots[i].pid == 0 && master->slots[i].start_at < due)
			due = master->slots[i].start_at;
	if (master->core->watch.count > 0 && master->phase == PHASE_SERVING &&
	    master->look_at < due)
		due = master->look_at;
	if (due == INT64_MAX)
		return -1;
	left = due - now();
	if (left <= 0)
		return 0;
	return left > 60 * NS_PER_S ? 60000 : (int)(left / NS_PER_MS) + 1;
}

static void turn(struct master *master)
{
	int ready;

	master->polls[0] = (struct pollfd){ .fd = master->signals, .events = POLLIN };
	for (int i = 0; i < master->count; i++)
		master->polls[i + 1] = (struct pollfd){
			.fd = master->slots[i].pid > 0 ? master->slots[i].control : -1,
			/* A closed line wakes too: its owner's end is told by CHLD. */
			.events = master->slots[i].ready ? 0 : POLLIN,
		};
	ready = poll(master->polls, (nfds_t)master->count + 1, wait_time(master));
	for (int i = 0; i < master->count && ready > 0; i++) {
		if (master->polls[i + 1].revents & POLLIN)
			receive(master, i);
	}
	obey(master, signals_take());
	if (master->phase >= PHASE_DRAINING && master->phase < PHASE_KILLING &&
	    now() >= master->deadline)
		change_phase(master, master->phase + 1);
	if (master->phase == PHASE_SERVING)
		watch_files(master);
	if (master->phase <= PHASE_SERVING)
		start_due(master);
}

int master_run(struct lop_core *core, int workers)
{
	struct master master = { .core = core, .count = workers };

	master.slots = calloc((size_t)workers, sizeof(*master.slots));
	master.polls = calloc((size_t)workers + 1, sizeof(*master.polls));
	master.signals = signals_open();
	if (master.slots == NULL || master.polls == NULL || master.signals < 0) {
		lop_core_message(core, LOP_LOG_ERROR, "cannot start the master: %s",
		                 strerror(master.signals < 0 ? -master.signals : ENOMEM));
		master.status = 1;
	} else {
		start_due(&master);
		while (!master.is_worker && (master.phase <= PHASE_SERVING || any_worker(&master)))
			turn(&master);
	}
	free(master.slots);
	free(master.polls);
	return master.status;
}
