/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_mmap: the access log in a file that is mapped, so that a line costs a copy and no system
 * call, and is in the file at once. The file is longer than its lines while it is written
 * (log_window.h), and is cut to its length on close, on HUP, when the server drains, and at the next
 * start after a crash.
 *
 * Only one process may do that to a file, so it takes a lock (flock). During a change of the program
 * two processes have the same file: the old one gives the mapping up when it drains and from then
 * on both append, under a shared lock, as log_file does; when the old one has gone, the new one
 * maps. A file that cannot be mapped, a disk that is too full for a window, a pipe and standard
 * error are appended to as well.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <lophttpd/log.h>

#include "log_buffer.h"
#include "log_window.h"

/* Holds what arrives between the start of a new program and the moment the old one drains. Memory
 * that is never touched costs nothing. */
#define BUFFER (4 * LOG_KIB * LOG_KIB)
#define CLOSE_STEPS 10
#define CLOSE_STEP_NS 50000000

enum mode {
	WAITING,   /* another process has the file mapped: nothing may be written yet */
	APPENDING, /* through the buffer, as log_file does */
	MAPPED,
};

struct log {
	enum mode mode;
	bool mappable;            /* it is a file, and mapping it did not fail for good */
	bool locking;             /* its file system has locks */
	bool draining;            /* the mapping is for the next process */
	struct log_window window; /* MAPPED */
	struct log_buffer buffer; /* owns the descriptor, whatever the mode */
	off_t cut_at;             /* where the file has to be cut before it is appended to; -1 */
	uint64_t unchecked;       /* lines written since the file's length was looked at */
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
	if (!log->locking || flock(log->buffer.fd, how | LOCK_NB) == 0)
		return true;
	if (errno == EWOULDBLOCK)
		return false;
	log->locking = false;
	return true;
}

/* Whatever lock there was before, also none. */
static void share(struct log *log)
{
	log->mode = lock(log, LOCK_SH) ? APPENDING : WAITING;
}

/* Cuts off what was allocated, if that is still to be done: behind it nothing may be written. */
static int cut(struct log *log)
{
	int result;

	if (log->cut_at < 0)
		return 0;
	result = log_window_cut(log->buffer.fd, log->cut_at);
	if (result == 0)
		log->cut_at = -1;
	return result;
}

/* From the mapping to the buffer; what was written, up to position, ends the file. */
static void leave_window(struct log *log, off_t position)
{
	log_window_close(&log->window);
	log->cut_at = position;
	log->buffer.error = cut(log);
	log->unchecked = 0;
	share(log);
}

static void unmap(struct log *log)
{
	if (log->mode == MAPPED)
		leave_window(log, log_window_position(&log->window));
}

/* Whether a window may open another time although it did not now. */
static bool passes(int result)
{
	return result == -ENOSPC || result == -EDQUOT || result == -EFBIG || result == -ENOMEM;
}

/* With the lock: recovers the file's end, writes the buffer out, and opens the window. */
static bool open_window(struct log *log)
{
	int fd = log->buffer.fd, result;
	bool complete;
	off_t end = log_window_find_end(fd, &complete);

	log->mappable = end >= 0 && log_window_cut(fd, end) == 0;
	if (!log->mappable)
		return false;
	/* The end of a line that somebody else did not finish. */
	if (!complete && !log->buffer.torn && write(fd, "\n", 1) < 0)
		return false;
	if (log_buffer_flush(&log->buffer) != 0)
		return false;
	end = lseek(fd, 0, SEEK_END);
	result = end < 0 ? -errno : log_window_open(&log->window, fd, end);
	if (result == 0)
		return true;
	log->mappable = passes(result);
	(void)log_window_cut(fd, end);
	return false;
}

/* To the mapping, when nobody else has the file. */
static void map(struct log *log)
{
	if (log->mode == MAPPED || !log->mappable || log->draining || cut(log) < 0)
		return;
	if (lock(log, LOCK_EX) && open_window(log))
		log->mode = MAPPED;
	else
		share(log);
}

/* Writing */

static int append(struct log *log, const char *line, size_t length)
{
	if (log->mode == WAITING) {
		if (log_buffer_add(&log->buffer, line, length))
			return 0;
		share(log);
	}
	if (log->mode == WAITING)
		return -EAGAIN;
	if (log->cut_at >= 0)
		return log_buffer_add(&log->buffer, line, length) ? 0 : log->buffer.error;
	return log_buffer_write(&log->buffer, line, length);
}

/* Somebody has cut the file, or its disk has failed: the line hit nothing. */
static int write_after_fault(struct log *log, const char *line, size_t length)
{
	log_window_close(&log->window);
	log->mode = APPENDING;
	log->unchecked = 0;
	map(log);
	if (log->mode == MAPPED) {
		memcpy(log->window.at, line, length);
		log->window.at += length;
		if (!log_window_faulted())
			return 0;
		log_window_close(&log->window);
		log->mode = APPENDING;
		log->mappable = false;
	}
	return append(log, line, length);
}

static int write_at_end_of_window(struct log *log, const char *line, size_t length)
{
	off_t position = log_window_position(&log->window);

	if (log_window_slide(&log->window) == 0) {
		memcpy(log->window.at, line, length);
		log->window.at += length;
		log->unchecked++;
		return log_window_faulted() ? write_after_fault(log, line, length) : 0;
	}
	/* The disk is full, or nearly so: what goes in line by line still does. */
	leave_window(log, position);
	return append(log, line, length);
}

static int write_line(struct log *log, const char *line, size_t length)
{
	if (log->mode != MAPPED)
		return append(log, line, length);
	if (length > (size_t)(log->window.to - log->window.at))
		return write_at_end_of_window(log, line, length);
	memcpy(log->window.at, line, length);
	log->window.at += length;
	log->unchecked++;
	return log_window_faulted() ? write_after_fault(log, line, length) : 0;
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

/* Whether lines went where the file no longer was: into the rest of its last page. In any other
 * page they would have faulted. */
static bool lost_lines(const struct log *log, off_t size)
{
	const off_t page = sysconf(_SC_PAGESIZE);

	return size % page != 0 && size / page == log_window_position(&log->window) / page;
}

/* Somebody may have cut the file, or its file system may have become read-only, of which a write
 * of nothing tells (and a mapping does not). */
static void check_file(struct log *log)
{
	struct stat st;

	if (write(log->buffer.fd, "", 0) < 0 && errno != EINTR) {
		log->lost += log->unchecked;
		unmap(log);
	} else if (fstat(log->buffer.fd, &st) == 0 &&
	    st.st_size < log->window.base + (log->window.to - log->window.from)) {
		if (lost_lines(log, st.st_size))
			log->lost += log->unchecked;
		log_window_close(&log->window);
		log->mode = APPENDING;
		map(log);
	}
	log->unchecked = 0;
}

static int log_flush(void *state)
{
	struct log *log = state;
	int result;

	if (log->mode == MAPPED)
		check_file(log);
	if (log->mode == MAPPED)
		return 0;
	if (log->mode == WAITING)
		share(log);
	if (log->mode == WAITING)
		return log->buffer.used > 0;
	result = cut(log);
	if (result < 0)
		return result;
	result = log_buffer_flush(&log->buffer);
	if (result == 0)
		map(log);
	return result;
}

static uint64_t log_lost(void *state)
{
	struct log *log = state;
	uint64_t lost = log->lost + log_buffer_lost(&log->buffer);

	log->lost = 0;
	return lost;
}

/* Opening and closing */

static void use_file(struct log *log, const struct lop_log_open *how)
{
	int flags = fcntl(how->fd, F_GETFL);

	log_buffer_use(&log->buffer, how->fd);
	log->cut_at = -1;
	/* Others write to standard error. */
	log->mappable = log->buffer.regular && strcmp(how->path, "-") != 0 && flags >= 0 &&
	                (flags & O_ACCMODE) == O_RDWR;
	log->locking = log->mappable;
	share(log);
	map(log);
}

static int log_open(void *module, const struct lop_log_open *how, void **state)
{
	struct log_mmap *mmap = module;
	struct log *log = calloc(1, sizeof(*log));

	if (log == NULL || log_buffer_init(&log->buffer, BUFFER) < 0) {
		free(log);
		return -ENOMEM;
	}
	log_window_guard();
	use_file(log, how);
	mmap->log = log;
	*state = log;
	return 0;
}

static int log_reopen(void *state, const struct lop_log_open *how)
{
	struct log *log = state;

	unmap(log);
	/* It may be the same file, whose lock the old descriptor has. */
	if (log->mode == WAITING || log->cut_at >= 0)
		close(log->buffer.fd);
	else
		log_buffer_reopen(&log->buffer, how->fd);
	use_file(log, how);
	return 0;
}

static void log_close(void *state)
{
	const struct timespec step = { .tv_nsec = CLOSE_STEP_NS };
	struct log *log = state;

	unmap(log);
	for (int i = 0; i < CLOSE_STEPS && log->mode == WAITING && log->buffer.used > 0; i++) {
		nanosleep(&step, NULL);
		share(log);
	}
	log_window_unguard();
	if (log->mode == WAITING || log->cut_at >= 0)
		log->buffer.used = 0; /* behind the end of the lines nobody would find them */
	log_buffer_close(&log->buffer);
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
		unmap(mmap->log);
	}
	return 0;
}

static void log_mmap_fini(void *state)
{
	free(state);
}

LOP_EXPORT_MODULE = {
	LOP_MODULE_HEADER("log_mmap", "1.0", "access log in a mapped file",
	                  LOP_NEEDS_LOG_WRITE | LOP_NEEDS_MAP_SHARED),
	.init = log_mmap_init,
	.stage = log_mmap_stage,
	.fini = log_mmap_fini,
	.log = &provider,
};
