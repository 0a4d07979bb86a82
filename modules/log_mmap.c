/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_mmap: the access log in a file that is mapped, so that a line costs a copy and no system
 * call, and is in the file at once. The file is longer than its lines while it is written
 * (log_window.h), and is cut to its length on close, on HUP, when the server drains, and at the
 * next start after a crash.
 *
 * A write into a page that the kernel has written out waits for a busy disk. So the loop writes only
 * where a thread (log_ahead.h) has written a moment ago. Elsewhere the thread copies the line while
 * the loop waits a moment, and when the disk holds the thread up, lines wait in the buffer and the
 * loop touches no page until the disk has been quick for a while.
 *
 * Only one process may do that to a file, so it takes a lock (flock). During a change of the
 * program two processes have the same file: the old one gives the mapping up when it drains and
 * from then on both append, under a shared lock, as log_file does; when the old one has gone, the
 * new one maps. A file that cannot be mapped, a disk that is too full for a window, a pipe and
 * standard error are appended to as well.
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

#include "log_ahead.h"
#include "log_buffer.h"
#include "log_window.h"

/* How much is prepared ahead of the lines: twice as much as before when half of that is used up
 * while it is fresh, half as much when it is not. */
#define LEAD_LEAST ((ptrdiff_t)4 << 10)
#define LEAD_MOST ((ptrdiff_t)256 << 10)

/* How long it may be written to. The kernel may write it out earlier, but hardly does. */
#define FRESH_NS INT64_C(20000000)

/* A line that takes longer has waited for the disk. */
#define PUT_NS 10000000

/* How long the loop waits for the thread. */
#define WAIT_NS 2000000L

/* Flushes, one a second. */
#define BUSY 10

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
	struct log_window next;   /* to go on with; or closed */
	struct log_window old;    /* to be closed; or closed */
	int error;                /* of the thread's last task */
	char *touched;            /* so far in the window the thread has touched it, or NULL, ... */
	int64_t touched_at;       /* ... and this was when it began */
	ptrdiff_t lead;           /* how much is made ready */
	bool asked;               /* the thread has a task, ... */
	int64_t asked_at;         /* ... since then, ... */
	bool late;                /* ... and the loop has waited for it in vain */
	size_t copying;           /* bytes at the buffer's beginning that its task copies */
	int busy;                 /* flushes that the disk still counts as busy for */
	struct log_ahead *ahead;  /* NULL before the file's first window */
	struct log_buffer buffer; /* owns the descriptor, whatever the mode; lines that wait */
	off_t cut_at;             /* where the file has to be cut before it is appended to; -1 */
	uint64_t unchecked;       /* lines written since the file was looked at */
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

/* Cuts off what was extended, if that is still to be done: behind it nothing may be written. */
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

/* Lines of the buffer were copied to the window's position. */
static void consume(struct log *log, size_t length)
{
	struct log_buffer *buffer = &log->buffer;

	log->window.at += length;
	for (size_t i = 0; i < length; i++)
		log->unchecked += buffer->data[i] == '\n';
	buffer->used -= length;
	memmove(buffer->data, buffer->data + length, buffer->used);
}

static int64_t now_of(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Not exact, but quick. */
static int64_t now(void)
{
#ifdef CLOCK_MONOTONIC_COARSE
	return now_of(CLOCK_MONOTONIC_COARSE);
#else
	return now_of(CLOCK_MONOTONIC);
#endif
}

/* What the thread has done; waits for it so long (log_ahead.h). */
static void collect(struct log *log, long most_ns)
{
	struct log_window *window = &log->window;
	struct log_task task;

	if (!log->asked || !log_ahead_take(log->ahead, most_ns, &task))
		return;
	log->asked = log->late = false;
	log->copying = 0;
	log->error = task.result;
	if (task.slow || (task.written_out && log->asked_at < log->touched_at + FRESH_NS))
		log->busy = BUSY;
	if (task.next.from != NULL)
		log->next = task.next;
	if (!task.prepared)
		return;
	log->unchecked -= task.unchecked;
	window->end = task.window.end;
	if (log_window_faulted(window))
		return;
	if (task.to > window->at) {
		log->touched = task.to;
		log->touched_at = log->asked_at;
	}
	consume(log, task.length);
}

static void close_windows(struct log *log)
{
	collect(log, -1);
	log_window_close(&log->old);
	log_window_close(&log->next);
	log_window_close(&log->window);
	log->error = 0;
	log->touched = NULL;
}

/* How many bytes of whole lines of the buffer fit into `room`. */
static size_t fitting(const struct log_buffer *buffer, size_t room)
{
	size_t length = buffer->used < room ? buffer->used : room;

	while (length > 0 && buffer->data[length - 1] != '\n')
		length--;
	return length;
}

/* How much the loop may write now. */
static ptrdiff_t room(const struct log *log, int64_t time)
{
	if (log->touched == NULL || log->busy > 0 || time >= log->touched_at + FRESH_NS)
		return 0;
	return log->touched - log->window.at;
}

/* How far to touch what is needed next. */
static char *next_touch(struct log *log, int64_t time)
{
	const struct log_window *window = &log->window;
	const ptrdiff_t left = room(log, time), most = window->to - window->at;
	const ptrdiff_t waiting = (ptrdiff_t)log->buffer.used;
	ptrdiff_t length = waiting;

	if (log->busy == 0) {
		if (waiting == 0 && (left == 0 || left == most || left > log->lead / 2))
			return window->at;
		if (left == 0 && waiting <= log->lead / 2)
			log->lead = log->lead > LEAD_LEAST ? log->lead / 2 : log->lead;
		else
			log->lead = log->lead < LEAD_MOST ? log->lead * 2 : log->lead;
		length += log->lead;
	}
	if (length > LEAD_MOST)
		length = LEAD_MOST;
	return window->at + (length < most ? length : most);
}

/* Has the thread do what is needed next. check: it looks at the file in any case. */
static void ask(struct log *log, bool check)
{
	const struct log_window *window = &log->window;
	const int64_t time = now();
	struct log_task task;
	char *to;

	if (log->asked || log->error != 0)
		return;
	to = next_touch(log, time);
	/* The next window is opened along with something else, or when it is about to be needed. */
	if (to == window->at && !check && log->old.from == NULL &&
	    (log->next.from != NULL || window->to - window->at >= LEAD_MOST))
		return;
	task = (struct log_task){
		.old = log->old,
		.window = *window,
		.to = to,
		.touched = log->touched,
		.lines = log->buffer.data,
		.length = fitting(&log->buffer, (size_t)(to - window->at)),
		.unchecked = log->unchecked,
		.open = log->next.from == NULL,
	};
	log->old.from = NULL;
	log->copying = task.length;
	log->asked = true;
	log->asked_at = time;
	log_ahead_give(log->ahead, &task);
}

/* From the mapping to the buffer; what was written ends the file. */
static void unmap(struct log *log)
{
	if (log->mode != MAPPED)
		return;
	collect(log, -1);
	log->cut_at = log_window_position(&log->window);
	close_windows(log);
	log->buffer.error = cut(log);
	log->unchecked = 0;
	share(log);
}

/* Whether a window may open another time although it did not now. */
static bool passes(int result)
{
	return result == -ENOSPC || result == -EDQUOT || result == -EFBIG || result == -ENOMEM ||
	       result == -ESTALE;
}

/* With the lock: recovers the file's end, writes the buffer out, and opens the window. */
static bool open_window(struct log *log)
{
	int fd = log->buffer.fd;
	bool complete;
	off_t end = log_window_find_end(fd, &complete);
	int result = end < 0 ? (int)end : log_window_cut(fd, end);

	log->mappable = result == 0 || passes(result);
	if (result < 0)
		return false;
	/* The end of a line that somebody else did not finish. */
	if (!complete && !log->buffer.torn && write(fd, "\n", 1) < 0)
		return false;
	if (log_buffer_flush(&log->buffer) != 0)
		return false;
	end = lseek(fd, 0, SEEK_END);
	result = end < 0 ? -errno : 0;
	if (result == 0 && log->ahead == NULL)
		result = log_ahead_start(&log->ahead, fd);
	if (result == 0)
		result = log_window_open(&log->window, fd, end);
	if (result == 0)
		result = log_window_extend(&log->window, log->window.at + LEAD_LEAST);
	if (result == 0)
		return true;
	close_windows(log);
	log->mappable = passes(result);
	(void)log_window_cut(fd, end);
	return false;
}

/* To the mapping, when nobody else has the file. */
static void map(struct log *log)
{
	if (log->mode == MAPPED || !log->mappable || cut(log) < 0)
		return;
	if (lock(log, LOCK_EX) && open_window(log))
		log->mode = MAPPED;
	else
		share(log);
}

/* When nobody else has the file mapped any more. It may have been killed: so what it left is recovered
 * before anything is appended. */
static void stop_waiting(struct log *log)
{
	map(log);
	if (log->draining)
		unmap(log);
	if (log->mode == WAITING)
		share(log);
}

/* Writing */

/* Whether lines went where the file no longer was: into the rest of its last page. In any other
 * page they would have faulted. */
static bool lost_lines(off_t size, off_t position)
{
	const off_t page = sysconf(_SC_PAGESIZE);

	return size % page != 0 && size / page == position / page;
}

/* Somebody has cut the file, or its disk has failed: the line at the window's position hit nothing,
 * and neither did those before it if they were in the file's last page. */
static void leave_after_fault(struct log *log)
{
	struct stat st;
	off_t position;

	collect(log, -1);
	position = log_window_position(&log->window);
	if (position > 0 && fstat(log->buffer.fd, &st) == 0 && lost_lines(st.st_size, position - 1))
		log->lost += log->unchecked;
	close_windows(log);
	log->mode = APPENDING;
	log->unchecked = 0;
	map(log);
}

/* The disk is full, or nearly so: what goes in line by line still does. Or it has failed. */
static void leave_after_error(struct log *log)
{
	if (!passes(log->error))
		log->lost += log->unchecked;
	unmap(log);
}

/* Where there is room. Returns whether it hit the file. */
static bool put(struct log *log, const char *line, size_t length)
{
	memcpy(log->window.at, line, length);
	if (log_window_faulted(&log->window))
		return false;
	log->window.at += length;
	log->unchecked++;
	return true;
}

/* Puts lines that wait where there is room now. */
static void drain(struct log *log)
{
	struct log_window *window = &log->window;
	size_t length;

	if (log->copying > 0)
		return;
	length = fitting(&log->buffer, (size_t)room(log, now()));
	if (length == 0)
		return;
	log_window_copy(window->at, log->buffer.data, length);
	if (!log_window_faulted(window))
		consume(log, length);
}

/* Whether the first line that waits does not fit into the window any more. */
static bool is_full(const struct log *log)
{
	const struct log_buffer *buffer = &log->buffer;
	const char *newline;

	if (buffer->used == 0)
		return false;
	newline = memchr(buffer->data, '\n', buffer->used);
	return newline + 1 - buffer->data > log->window.to - log->window.at;
}

/* Lines that wait, and the window's end. */
static void go_on(struct log *log, bool check)
{
	collect(log, 0);
	drain(log);
	if (!log->asked && is_full(log) && log->next.from != NULL && log->old.from == NULL) {
		log_window_slide(&log->window, &log->next, &log->old);
		log->touched = NULL;
	}
	if (log->error == -ESTALE || log_window_faulted(&log->window))
		leave_after_fault(log);
	else if (log->error != 0)
		leave_after_error(log);
	else
		ask(log, check);
}

/* Behind what waits, for the thread to write. A quick disk has the line in the file by the end, also
 * when the thread has to end something else first, or to open the next window. */
static int hand_over(struct log *log, const char *line, size_t length)
{
	const int64_t until = now_of(CLOCK_MONOTONIC) + WAIT_NS;
	int64_t left;

	if (!log_buffer_add(&log->buffer, line, length))
		return -EAGAIN;
	do {
		go_on(log, false);
		if (log->mode != MAPPED || log->buffer.used == 0 || log->busy > 0 || log->late)
			break;
		left = until - now_of(CLOCK_MONOTONIC);
		collect(log, left > 0 ? (long)left : 0);
		log->late = log->asked;
	} while (log->buffer.used > 0);
	return 0;
}

static int append(struct log *log, const char *line, size_t length)
{
	if (log->mode == WAITING) {
		if (log_buffer_add(&log->buffer, line, length))
			return 0;
		stop_waiting(log);
	}
	if (log->mode == MAPPED)
		return hand_over(log, line, length);
	if (log->mode == WAITING)
		return -EAGAIN;
	if (log->cut_at >= 0)
		return log_buffer_add(&log->buffer, line, length) ? 0 : log->buffer.error;
	return log_buffer_write(&log->buffer, line, length);
}

static int write_line(struct log *log, const char *line, size_t length)
{
	int64_t time = now();

	if (log->mode == MAPPED && room(log, time) < (ptrdiff_t)length + log->lead / 2) {
		go_on(log, false);
		time = now();
	}
	if (log->mode == MAPPED && log->buffer.used == 0 && (ptrdiff_t)length <= room(log, time)) {
		if (put(log, line, length)) {
			if (now() > time + PUT_NS)
				log->busy = BUSY;
			return 0;
		}
		leave_after_fault(log);
	}
	return log->mode == MAPPED ? hand_over(log, line, length) : append(log, line, length);
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
	int result;

	if (log->busy > 0)
		log->busy--;
	if (log->mode == MAPPED)
		go_on(log, log->unchecked > 0);
	if (log->mode == MAPPED)
		return log->buffer.used > 0 || log->unchecked > 0;
	if (log->mode == WAITING)
		stop_waiting(log);
	if (log->mode == WAITING)
		return log->buffer.used > 0;
	result = cut(log);
	if (result < 0)
		return result;
	result = log_buffer_flush(&log->buffer);
	if (result == 0 && !log->draining)
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
	log->lead = LEAD_LEAST;
	/* Others write to standard error. */
	log->mappable = log->buffer.regular && strcmp(how->path, "-") != 0 && flags >= 0 &&
	                (flags & O_ACCMODE) == O_RDWR;
	log->locking = log->mappable;
	share(log);
	if (!log->draining)
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
	/* It may be the same file, whose lock the old descriptor has, and the thread's. */
	log_ahead_stop(&log->ahead);
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
		stop_waiting(log);
	}
	unmap(log);
	log_window_unguard();
	if (log->mode == WAITING || log->cut_at >= 0)
		log->buffer.used = 0; /* behind the end of the lines nobody would find them */
	log_ahead_stop(&log->ahead);
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
	                  LOP_NEEDS_LOG_WRITE | LOP_NEEDS_MAP_SHARED | LOP_NEEDS_THREADS),
	.init = log_mmap_init,
	.stage = log_mmap_stage,
	.fini = log_mmap_fini,
	.log = &provider,
};
