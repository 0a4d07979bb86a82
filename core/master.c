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
#include "prepare.h"
#include "reload.h"
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

enum rank {
	RANK_SERVING, /* there is always one */
	RANK_TRIAL,   /* of new settings, not all of its workers accept yet */
	RANK_LEAVING, /* another serves in their place; none is started again */
};

/* The workers of one core. */
struct team {
	struct team *next;
	struct lop_core *core;
	enum rank rank;
	struct slot slots[];
};

struct master {
	struct lop_core *core; /* of the team that serves */
	struct team *teams;
	struct pollfd *polls; /* signals, then each slot's control */
	int count;            /* of workers in a team */
	int signals;
	enum phase phase;
	int64_t deadline; /* of DRAINING and STOPPING */
	int64_t look_at;  /* when the watched files are looked at */
	int status;
	bool is_worker; /* this process is one of the forked */
	bool again;     /* HUP came during a trial */
};

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * NS_PER_S + time.tv_nsec;
}

/* ---- phases --------------------------------------------------------------------------------- */

static void signal_team(const struct master *master, const struct team *team, int number)
{
	for (int i = 0; i < master->count; i++)
		if (team->slots[i].pid > 0)
			(void)kill(team->slots[i].pid, number);
}

static void signal_all(const struct master *master, int number)
{
	for (const struct team *team = master->teams; team != NULL; team = team->next)
		signal_team(master, team, number);
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

/* ---- teams ---------------------------------------------------------------------------------- */

static struct team *find_team(const struct master *master, enum rank rank)
{
	struct team *team = master->teams;

	while (team != NULL && team->rank != rank)
		team = team->next;
	return team;
}

static bool is_empty(const struct master *master, const struct team *team)
{
	for (int i = 0; i < master->count; i++)
		if (team->slots[i].pid > 0)
			return false;
	return true;
}

static bool is_ready(const struct master *master, const struct team *team)
{
	for (int i = 0; i < master->count; i++)
		if (!team->slots[i].ready)
			return false;
	return true;
}

/* With room for its workers among the polls. Returns NULL when there is no memory. */
static struct team *add_team(struct master *master, struct lop_core *core, enum rank rank)
{
	size_t workers = (size_t)master->count, slots = workers;
	struct team *team = calloc(1, sizeof(*team) + workers * sizeof(team->slots[0]));
	struct pollfd *polls;

	for (const struct team *other = master->teams; other != NULL; other = other->next)
		slots += workers;
	polls = realloc(master->polls, (1 + slots) * sizeof(*polls));
	if (polls != NULL)
		master->polls = polls;
	if (team == NULL || polls == NULL) {
		free(team);
		return NULL;
	}
	team->core = core;
	team->rank = rank;
	team->next = master->teams;
	master->teams = team;
	return team;
}

/* The process' own things are the serving core's. */
static void free_team(struct master *master, struct team *team)
{
	struct team **link = &master->teams;

	while (*link != team)
		link = &(*link)->next;
	*link = team->next;
	if (team->core != master->core) {
		reload_forget(team->core);
		core_free(&team->core);
	}
	free(team);
}

/* ---- workers -------------------------------------------------------------------------------- */

/* In the child: only what this worker needs stays open. */
static void become_worker(struct master *master, struct team *own, int index, int log, int control)
{
	struct lop_core *core = own->core;

	master->is_worker = true;
	master->core = core;
	for (struct team *team = master->teams, *next; team != NULL; team = next) {
		next = team->next;
		for (int i = 0; i < master->count; i++)
			if (team->slots[i].pid > 0)
				close(team->slots[i].control);
		if (team != own)
			free_team(master, team);
	}
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

static int cannot_start(const struct team *team, int index, int result)
{
	lop_core_message(team->core, LOP_LOG_ERROR, "cannot start worker %d: %s", index,
	                 strerror(-result));
	return result;
}

/* Forks a worker; in the worker it returns when that has ended. Says what failed. */
static int spawn(struct master *master, struct team *team, int index)
{
	struct slot *slot = &team->slots[index];
	int log = -1, line[2], result;
	pid_t pid;

	if (!team->core->log.none && (log = log_target_start(team->core, index)) < 0)
		return log;
	result = control_pair(line);
	if (result < 0) {
		if (log >= 0)
			close(log);
		return cannot_start(team, index, result);
	}
	signals_block();
	pid = fork();
	result = pid < 0 ? -errno : 0;
	if (pid == 0) {
		close(line[0]);
		become_worker(master, team, index, log, line[1]);
		return 0;
	}
	signals_unblock();
	close(line[1]);
	if (log >= 0)
		close(log);
	if (pid < 0) {
		close(line[0]);
		return cannot_start(team, index, result);
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

/* Starts what is due of those that serve. */
static void start_due(struct master *master)
{
	struct team *team = find_team(master, RANK_SERVING);

	for (int i = 0; i < master->count && !master->is_worker; i++) {
		struct slot *slot = &team->slots[i];

		if (slot->pid > 0 || now() < slot->start_at || spawn(master, team, i) == 0)
			continue;
		delay_next(slot);
		if (master->phase == PHASE_STARTING)
			give_up(master);
		return;
	}
}

/* ---- new settings --------------------------------------------------------------------------- */

/* The new workers do not work: they end, and the old ones go on as if nothing had been. */
static void end_trial(struct master *master, struct team *trial)
{
	lop_core_message(master->core, LOP_LOG_ERROR,
	                 "the workers of the new settings do not start; going on with the old");
	trial->rank = RANK_LEAVING;
	signal_team(master, trial, SIGTERM);
	systemd_ready(master->core);
}

/* All new workers accept: the old ones finish what they have. */
static void change_over(struct master *master, struct team *trial)
{
	struct team *old = find_team(master, RANK_SERVING);

	trial->core->upgrade = old->core->upgrade;
	old->rank = RANK_LEAVING;
	trial->rank = RANK_SERVING;
	master->core = trial->core;
	for (int i = 0; i < master->count; i++)
		if (old->slots[i].pid > 0)
			(void)control_send(old->slots[i].control, CONTROL_RETIRE, -1);
	lop_core_message(master->core, LOP_LOG_NOTICE, "serving by the new %s",
	                 master->core->config.path);
	systemd_ready(master->core);
	if (is_empty(master, old))
		free_team(master, old);
}

/* A bad file, or workers that do not start, leave all as it is. */
static void reload(struct master *master)
{
	struct lop_core *core = reload_prepare(master->core, master->count);
	struct team *team = NULL;

	if (core == NULL)
		return;
	team = add_team(master, core, RANK_TRIAL);
	if (team == NULL) {
		lop_core_message(master->core, LOP_LOG_ERROR, "cannot use the new settings: %s",
		                 strerror(ENOMEM));
		reload_forget(core);
		core_free(&core);
		return;
	}
	for (int i = 0; i < master->count; i++) {
		int result = spawn(master, team, i);

		if (master->is_worker)
			return;
		if (result < 0) {
			end_trial(master, team);
			if (is_empty(master, team))
				free_team(master, team);
			return;
		}
	}
}

/* ---- what happens to them ------------------------------------------------------------------- */

static void report_death(struct master *master, const struct team *team, int index, pid_t pid,
                         int status)
{
	const struct slot *slot = &team->slots[index];
	char next[64] = "";

	/* One that does not start has said why. */
	if (WIFEXITED(status) &&
	    (master->phase == PHASE_STARTING || master->status != 0 || team->rank == RANK_TRIAL ||
	     ((master->phase >= PHASE_DRAINING || team->rank == RANK_LEAVING) &&
	      WEXITSTATUS(status) == 0)))
		return;
	if (master->phase == PHASE_SERVING && team->rank != RANK_SERVING)
		next[0] = '\0';
	else if (master->phase == PHASE_SERVING && slot->delay > 0)
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

static void worker_ended(struct master *master, struct team *team, int index, int status)
{
	struct slot *slot = &team->slots[index];
	pid_t pid = slot->pid;

	close(slot->control);
	slot->pid = 0;
	slot->control = -1;
	slot->start_at = 0;
	if (!slot->ready || now() - slot->started < YOUNG)
		delay_next(slot);
	else
		slot->delay = 0;
	report_death(master, team, index, pid, status);
	if (master->phase == PHASE_STARTING)
		give_up(master);
	if (team->rank == RANK_TRIAL)
		end_trial(master, team);
}

/* Whether it was one of the team's; the team may be gone then. */
static bool reap_of(struct master *master, struct team *team, pid_t pid, int status)
{
	for (int i = 0; i < master->count; i++) {
		if (team->slots[i].pid != pid)
			continue;
		worker_ended(master, team, i, status);
		if (team->rank == RANK_LEAVING && is_empty(master, team))
			free_team(master, team);
		return true;
	}
	return false;
}

static void reap(struct master *master)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct team *team = master->teams, *next;

		if (upgrade_ended(master->core, pid, status))
			continue;
		for (; team != NULL; team = next) {
			next = team->next;
			if (reap_of(master, team, pid, status))
				break;
		}
	}
}

static void receive(struct master *master, struct team *team, int index)
{
	struct slot *slot = &team->slots[index];
	int descriptor, kind;

	while ((kind = control_receive(slot->control, &descriptor)) > 0) {
		if (descriptor >= 0)
			close(descriptor);
		if (kind == CONTROL_READY)
			slot->ready = true;
	}
	if (!is_ready(master, team))
		return;
	if (team->rank == RANK_TRIAL && master->phase == PHASE_SERVING)
		change_over(master, team);
	if (team->rank != RANK_SERVING || master->phase != PHASE_STARTING)
		return;
	master->phase = PHASE_SERVING;
	serve_ready(master->core);
}

/* A watched file is another now: as HUP, without the logs. */
static void reopen_modules(struct master *master)
{
	for (struct team *team = master->teams; team != NULL; team = team->next) {
		(void)modules_stage(team->core, LOP_STAGE_REOPEN, NULL);
		for (int i = 0; i < master->count; i++)
			if (team->slots[i].pid > 0)
				(void)control_send(team->slots[i].control, CONTROL_REOPEN, -1);
	}
}

static void watch_files(struct master *master)
{
	if (master->core->watch.count == 0 || now() < master->look_at)
		return;
	master->look_at = now() + WATCH_NS;
	if (watch_look(&master->core->watch))
		reopen_modules(master);
}

/* The master opens the logs, because workers cannot; the old ones stay where that fails. What
 * modules read anew it reads for them, with its rights. */
static void reopen(struct master *master, struct team *team)
{
	(void)modules_stage(team->core, LOP_STAGE_REOPEN, NULL);
	for (int i = 0; i < master->count; i++) {
		struct slot *slot = &team->slots[i];
		int log;

		if (slot->pid <= 0)
			continue;
		log = team->core->log.none ? -1 : log_target_reopen(team->core, i);
		if (log >= 0) {
			(void)control_send(slot->control, CONTROL_LOG, log);
			close(log);
		}
		(void)kill(slot->pid, SIGHUP);
	}
}

/* HUP. */
static void renew(struct master *master)
{
	master->again = find_team(master, RANK_TRIAL) != NULL;
	if (master->again)
		return;
	systemd_reloading(master->core);
	for (struct team *team = master->teams; team != NULL; team = team->next)
		reopen(master, team);
	if (master->phase == PHASE_SERVING && reload_wanted(master->core))
		reload(master);
	if (!master->is_worker && find_team(master, RANK_TRIAL) == NULL)
		systemd_ready(master->core);
}

static void obey(struct master *master, unsigned signals)
{
	if (signals & SIGNAL_CHILD)
		reap(master);
	if ((signals & SIGNAL_REOPEN) || (master->again && find_team(master, RANK_TRIAL) == NULL))
		renew(master);
	if (master->is_worker)
		return;
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
	for (const struct team *team = master->teams; team != NULL; team = team->next)
		if (!is_empty(master, team))
			return true;
	return false;
}

/* Milliseconds until something is due, -1 never. */
static int wait_time(const struct master *master)
{
	const struct team *team = find_team(master, RANK_SERVING);
	int64_t due = INT64_MAX, left;

	if (master->again && find_team(master, RANK_TRIAL) == NULL)
		return 0;
	if (master->phase == PHASE_DRAINING || master->phase == PHASE_STOPPING)
		due = master->deadline;
	for (int i = 0; i < master->count && master->phase <= PHASE_SERVING; i++)
		if (team->slots[i].pid == 0 && team->slots[i].start_at < due)
			due = team->slots[i].start_at;
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

static void wait_for_something(struct master *master)
{
	nfds_t count = 1, at = 1;
	int ready;

	master->polls[0] = (struct pollfd){ .fd = master->signals, .events = POLLIN };
	for (const struct team *team = master->teams; team != NULL; team = team->next)
		for (int i = 0; i < master->count; i++)
			master->polls[count++] = (struct pollfd){
				.fd = team->slots[i].pid > 0 ? team->slots[i].control : -1,
				/* A closed line wakes too: its owner's end is told by CHLD. */
				.events = team->slots[i].ready ? 0 : POLLIN,
			};
	ready = poll(master->polls, count, wait_time(master));
	for (struct team *team = master->teams; team != NULL && ready > 0; team = team->next)
		for (int i = 0; i < master->count; i++)
			if (master->polls[at++].revents & POLLIN)
				receive(master, team, i);
}

static void turn(struct master *master)
{
	wait_for_something(master);
	obey(master, signals_take());
	if (master->is_worker)
		return;
	if (master->phase >= PHASE_DRAINING && master->phase < PHASE_KILLING &&
	    now() >= master->deadline)
		change_phase(master, master->phase + 1);
	if (master->phase == PHASE_SERVING)
		watch_files(master);
	if (master->phase <= PHASE_SERVING)
		start_due(master);
}

/* All but the serving core is given back; in a worker that is its own. */
static void dismiss(struct master *master)
{
	while (master->teams != NULL)
		free_team(master, master->teams);
	free(master->polls);
}

int master_run(struct lop_core **core, int workers)
{
	struct master master = { .core = *core, .count = workers };
	struct team *team = add_team(&master, *core, RANK_SERVING);

	master.signals = signals_open();
	if (team == NULL || master.signals < 0) {
		lop_core_message(*core, LOP_LOG_ERROR, "cannot start the master: %s",
		                 strerror(master.signals < 0 ? -master.signals : ENOMEM));
		master.status = 1;
	} else {
		start_due(&master);
		while (!master.is_worker && (master.phase <= PHASE_SERVING || any_worker(&master)))
			turn(&master);
	}
	*core = master.core;
	dismiss(&master);
	return master.status;
}
