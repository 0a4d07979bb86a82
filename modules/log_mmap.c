/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_mmap: the access log in a file that is mapped, so that a line costs a copy and no system
 * call, and is in the file at once (log_mapped.h). The file is cut to its length on close, on HUP,
 * when the server drains, and at the next start after a crash.
 *
 * While the disk is busy the mapping is given up, and lines are appended as log_file does it
 * (log_queue.h), only sooner. The same goes for a file that cannot be mapped, a disk that is too full,
 * a pipe and standard error.
 *
 * Only one process may map a file, so it takes a lock (flock). During a change of the program two
 * processes have the same file: the old one gives the mapping up when it drains and from then on
 * both append, under a shared lock; when the old one has gone, the new one maps.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <lophttpd/log.h>

#include "log_buffer.h"
#include "log_mapped.h"
#include "log_queue.h"
#include "log_thread.h"

/* What waits while nothing may be written, or for a busy disk; as in log_file. */
#define PART (64 * LOG_KIB)
#define PARTS 256

/* How long a line that is appended waits for others. */
#define PUSH_NS INT64_C(5000000)

/* For so long the disk counts as busy. */
#define BUSY_NS INT64_C(10000000000)

/* How long the loop waits for what a quick disk does at once, and the start for any disk. */
#define WAIT_NS 1000000L
#define START_NS 500000000L

#define CLOSE_STEPS 30
#define CLOSE_STEP_NS 100000000L

enum mode {
	WAITING,   /* for the file's end, as while another process has it mapped: lines wait */
	APPENDING, /* through the queue */
	MAPPED,
	LEAVING, /* the mapping is being closed: lines wait */
};

struct log {
	enum mode mode;
	bool mappable; /* it is a file, and mapping it did not fail for good */
	bool locking;  /* its file system has locks */
	bool draining; /* the mapping is for the next process */
	int fd;        /* the queue's */
	int next_fd;   /* after HUP: to go on with; -1 */
	bool next_mappable;
	int error;   /* of the change, for the next flush to tell */
	void *queue; /* empty while mapped */
	struct log_mapped mapped;
	int64_t pushed_at;
	int64_t busy_until;
	uint64_t lost;
};

/* The module's: the log of this process, for the stages. */
struct log_mmap {
	struct log *log;
};

/* Locks and modes */

/* Returns whether it is had. A file system without locks is as if nobody else were there. */
static bool lock(struct log *log, int how)
{
	if (!log->locking || flock(log->fd, how | LOCK_NB) == 0)
		return true;
	if (errno == EWOULDBLOCK)
		return false;
	log->locking = false;
	return true;
}

static void set_mode(struct log *log, enum mode mode)
{
	log->mode = mode;
	log_queue_hold(log->queue, mode != APPENDING);
}

/* Whatever lock there was before, also none. */
static void share(struct log *log)
{
	set_mode(log, lock(log, LOCK_SH) ? APPENDING : WAITING);
}

/* When the thread has closed the mapping. */
static int stop_leaving(struct log *log, long wait_ns)
{
	struct log_mapped *mapped = &log->mapped;
	const int result = log_mapped_wait(mapped, wait_ns);

	/* Behind what is still to be cut off nothing may be written; only another file ends that. */
	if (result == -EAGAIN || (result < 0 && (log->next_fd < 0 || mapped->asked)))
		return result;
	log->lost += mapped->lost;
	log->mappable = log_mapped_passes(mapped->error);
	if (mapped->slow)
		log->busy_until = log_mapped_now() + BUSY_NS;
	log_mapped_end(mapped);
	if (result < 0) {
		log->error = result;
		set_mode(log, WAITING);
	} else {
		share(log);
	}
	return 0;
}

static int leave(struct log *log, long wait_ns)
{
	set_mode(log, LEAVING);
	log_mapped_close(&log->mapped);
	return stop_leaving(log, wait_ns);
}

/* To the mapping, when nobody else has the file and nothing is being written. If lines wait only
 * the end of the file is recovered: whoever had it mapped may have been killed. */
static void enter(struct log *log, long wait_ns)
{
	int result;

	if (!log->mappable || !lock(log, LOCK_EX)) {
		share(log);
		return;
	}
	result = log_mapped_open(&log->mapped, log->fd);
	if (result < 0 && log->mode == APPENDING) {
		share(log);
	} else if (result < 0) {
		/* What is at its end nobody has seen yet. */
		log->error = result;
		set_mode(log, WAITING);
	} else if (log_mapped_wait(&log->mapped, wait_ns) == 0 && !log->draining &&
	           log_queue_is_empty(log->queue)) {
		set_mode(log, MAPPED);
	} else {
		(void)leave(log, log_mapped_wait(&log->mapped, 0) == -EAGAIN ? 0 : wait_ns);
	}
}

/* From appending, when the disk is not busy any more. */
static void enter_again(struct log *log)
{
	if (!log->mappable || log->draining || log->next_fd >= 0 ||
	    log_mapped_now() < log->busy_until)
		return;
	log_queue_push(log->queue);
	if (log_queue_rests(log->queue, WAIT_NS) && log_queue_is_empty(log->queue))
		enter(log, WAIT_NS);
}

/* HUP. Lines that come while the old file is still written to wait for the new one. */
static void take_next(struct log *log, long wait_ns)
{
	const struct lop_log_open how = { .size = sizeof(how), .fd = log->next_fd };
	int result;

	if (log->mode == APPENDING)
		log_queue_push(log->queue);
	log_queue_hold(log->queue, true);
	if (!log_queue_rests(log->queue, wait_ns))
		return;
	log->next_fd = -1;
	result = log_queue_reopen(log->queue, &how);
	if (result < 0) {
		log->error = result;
		close(how.fd);
		set_mode(log, log->mode);
		return;
	}
	log->fd = how.fd;
	log->mappable = log->locking = log->next_mappable;
	set_mode(log, WAITING);
}

/* Goes on when what holds the log up is over. Returns 0, -EAGAIN while the mapping is being closed,
 * or a negative errno when that failed. */
static int turn(struct log *log, long wait_ns)
{
	int result = log->mode == LEAVING ? stop_leaving(log, wait_ns) : 0;

	if (result < 0)
		return result;
	if (log->next_fd >= 0)
		take_next(log, wait_ns);
	if (log->mode == WAITING && log->next_fd < 0)
		enter(log, WAIT_NS);
	return 0;
}

/* Writing */

static int write_line(struct log *log, const char *line, size_t length)
{
	int result;

	if (log->mode == LEAVING || log->next_fd >= 0)
		(void)turn(log, 0);
	if (log->mode == MAPPED) {
		if (log_mapped_put(&log->mapped, line, length) == 0)
			return 0;
		(void)leave(log, 0);
	}
	result = log_queue_write(log->queue, NULL, line, length);
	if (log->mode == APPENDING && log->mappable &&
	    log_mapped_now() >= log->pushed_at + PUSH_NS) {
		log_queue_push(log->queue);
		log->pushed_at = log_mapped_now();
	}
	return result;
}

static int log_write(void *state, const struct lop_log_record *record, const char *line,
                     size_t length)
{
	(void)record;
	return write_line(state, line, length);
}

static void log_message(void *state, const struct lop_log_message *message)
{
	(void)write_line(state, message->line.data, message->line.length);
}

static int log_flush(void *state)
{
	struct log *log = state;
	int result = log->error;

	log->error = 0;
	if (result < 0)
		return result;
	if (log->mode == MAPPED) {
		result = log_mapped_check(&log->mapped);
		if (result >= 0)
			return result;
		(void)leave(log, WAIT_NS);
	} else if (log->mode == LEAVING) {
		log_mapped_close(&log->mapped);
	}
	result = turn(log, WAIT_NS);
	if (result < 0)
		return result == -EAGAIN ? 1 : result;
	if (log->mode != APPENDING)
		return !log_queue_is_empty(log->queue);
	result = log_queue_flush(log->queue);
	if (result >= 0)
		enter_again(log);
	return log->mode == LEAVING ? 1 : result;
}

static uint64_t log_lost(void *state)
{
	struct log *log = state;
	uint64_t lost = log->lost + log_queue_lost(log->queue);

	log->lost = 0;
	return lost;
}

/* Opening and closing */

static bool is_mappable(const struct lop_log_open *how)
{
	int flags = fcntl(how->fd, F_GETFL);

	/* Others write to standard error. */
	return log_buffer_is_file(how->fd) && strcmp(how->path, "-") != 0 && flags >= 0 &&
	       (flags & O_ACCMODE) == O_RDWR;
}

static int log_open(void *module, const struct lop_log_open *how, void **state)
{
	struct log_mmap *mmap = module;
	struct log *log = calloc(1, sizeof(*log));
	int result;

	if (log == NULL)
		return -ENOMEM;
	result = log_queue_open(&log_thread, PART, PARTS, how, &log->queue);
	if (result < 0) {
		free(log);
		return result;
	}
	log_window_guard();
	log->fd = how->fd;
	log->next_fd = -1;
	log->mappable = log->locking = is_mappable(how);
	enter(log, START_NS);
	mmap->log = log;
	*state = log;
	return 0;
}

static int log_reopen(void *state, const struct lop_log_open *how)
{
	struct log *log = state;

	if (log->next_fd >= 0)
		close(log->next_fd);
	log->next_fd = how->fd;
	log->next_mappable = is_mappable(how);
	if (log->mode == MAPPED)
		(void)leave(log, WAIT_NS);
	(void)turn(log, WAIT_NS);
	return 0;
}

static bool is_held_up(const struct log *log)
{
	return log->mode == LEAVING || log->next_fd >= 0 ||
	       (log->mode == WAITING && !log_queue_is_empty(log->queue));
}

static void log_close(void *state)
{
	const struct timespec step = { .tv_nsec = CLOSE_STEP_NS };
	struct log *log = state;

	log->draining = true;
	if (log->mode == MAPPED)
		(void)leave(log, CLOSE_STEP_NS);
	for (int i = 0; i < CLOSE_STEPS && is_held_up(log); i++) {
		if (log->mode == LEAVING)
			log_mapped_close(&log->mapped);
		(void)turn(log, CLOSE_STEP_NS);
		if (log->mode == WAITING)
			nanosleep(&step, NULL);
	}
	log_mapped_end(&log->mapped);
	log_window_unguard();
	/* If lines still wait they are dropped: behind the end of the lines nobody would find them. */
	log_queue_close(log->queue);
	if (log->next_fd >= 0)
		close(log->next_fd);
	free(log);
}

static const struct lop_log_provider provider = {
	.size = sizeof(struct lop_log_provider),
	.flags = LOP_LOG_LINE_ONLY | LOP_LOG_READABLE,
	.open = log_open,
	.write = log_write,
	.message = log_message,
	.flush = log_flush,
	.reopen = log_reopen,
	.close = log_close,
	.lost = log_lost,
};

/* The module */

static int log_mmap_init(struct lop_core *core, void **state)
{
	(void)core;
	*state = calloc(1, sizeof(struct log_mmap));
	return *state == NULL ? -ENOMEM : 0;
}

static int log_mmap_stage(void *state, enum lop_stage stage, struct lop_worker *worker)
{
	struct log_mmap *mmap = state;

	(void)worker;
	if (stage == LOP_STAGE_DRAIN && mmap->log != NULL) {
		mmap->log->draining = true;
		if (mmap->log->mode == MAPPED)
			(void)leave(mmap->log, WAIT_NS);
	}
	return 0;
}

static void log_mmap_fini(void *state)
{
	free(state);
}

LOP_EXPORT_MODULE = {
	LOP_MODULE_HEADER("log_mmap", "1.0", "access log in a mapped file",
	                  LOP_NEEDS_LOG_WRITE | LOP_NEEDS_MAP_SHARED | LOP_NEEDS_THREADS),
	.init = log_mmap_init,
	.stage = log_mmap_stage,
	.fini = log_mmap_fini,
	.log = &provider,
};
