/* SPDX-License-Identifier: BSD-2-Clause */
#include "log_mapped.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log_apart.h"

/* How much is prepared ahead of the lines: twice as much as before when half of that is used up
 * while it is fresh, half as much when it is not. When the kernel has written all of it out, each
 * page is dirtied anew by the loop until the thread notices; on a busy disk Linux makes a task wait
 * that has dirtied eight. */
#define LEAD_LEAST ((ptrdiff_t)4 << 10)
#define LEAD_MOST ((ptrdiff_t)32 << 10)

/* How long the loop may write to it. The kernel may write it out earlier, but hardly does. */
#define FRESH_NS INT64_C(8000000)

/* A line that takes longer has waited for the disk. */
#define PUT_NS 10000000

/* How long the loop waits for the thread. */
#define WAIT_NS 2000000L

int64_t log_mapped_now(void)
{
#ifdef CLOCK_MONOTONIC_COARSE
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
#else
	return log_apart_now();
#endif
}

/* The thread */

static void give(struct log_mapped *mapped, const struct log_task *task)
{
	mapped->asked = true;
	mapped->asked_at = log_mapped_now();
	log_ahead_give(mapped->ahead, task);
}

/* Whether the disk is, or the next write may have to wait for it. */
static bool is_busy(const struct log_mapped *mapped, const struct log_task *task)
{
	return task->slow ||
	       (task->written_out && mapped->asked_at < mapped->touched_at + FRESH_NS);
}

static void take_touched(struct log_mapped *mapped, const struct log_task *task)
{
	mapped->next = task->next;
	mapped->old = task->old;
	mapped->window.end = task->window.end;
	if (mapped->error == 0)
		mapped->error = task->result < 0        ? task->result
		                : is_busy(mapped, task) ? -EBUSY
		                                        : 0;
	if (task->result < 0)
		return;
	mapped->unchecked -= task->unchecked;
	if (task->to > mapped->window.at) {
		mapped->touched = task->to;
		mapped->touched_at = mapped->asked_at;
	}
}

/* What the thread has done; waits for it so long. */
static void collect(struct log_mapped *mapped, long most_ns)
{
	struct log_task task;

	if (!mapped->asked || !log_ahead_take(mapped->ahead, most_ns, &task))
		return;
	mapped->asked = false;
	mapped->slow |= task.slow;
	switch (task.kind) {
	case LOG_TASK_OPEN:
		mapped->window = task.window;
		mapped->cut_at = task.cut_at;
		/* fall through */
	case LOG_TASK_TOUCH:
		take_touched(mapped, &task);
		break;
	case LOG_TASK_CLOSE:
		mapped->window = task.window;
		mapped->next = task.next;
		mapped->old = task.old;
		mapped->closed = task.result;
		break;
	}
}

/* How much the loop may write now. */
static ptrdiff_t room(const struct log_mapped *mapped, int64_t time)
{
	if (mapped->touched == NULL || time >= mapped->touched_at + FRESH_NS)
		return 0;
	return mapped->touched - mapped->window.at;
}

/* How far to touch what is needed next; `length`: of a line for which there is no room. */
static char *next_touch(struct log_mapped *mapped, ptrdiff_t length, int64_t time)
{
	const struct log_window *window = &mapped->window;
	const ptrdiff_t left = room(mapped, time), most = window->to - window->at;

	if (length == 0 && (left == 0 || left == most || left > mapped->lead / 2))
		return window->at;
	if (left == 0 && length <= mapped->lead / 2)
		mapped->lead = mapped->lead > LEAD_LEAST ? mapped->lead / 2 : mapped->lead;
	else
		mapped->lead = mapped->lead < LEAD_MOST ? mapped->lead * 2 : mapped->lead;
	length += mapped->lead;
	return window->at + (length < most ? length : most);
}

/* Has the thread do what is needed next. check: it looks at the file in any case. */
static void ask(struct log_mapped *mapped, ptrdiff_t length, bool check)
{
	const struct log_window *window = &mapped->window;
	char *to;

	if (mapped->asked)
		return;
	to = next_touch(mapped, length, log_mapped_now());
	/* The next window is opened along with something else, or when it is about to be needed. */
	if (to == window->at && !check && mapped->old.from == NULL &&
	    (mapped->next.from != NULL || window->to - window->at >= LEAD_MOST))
		return;
	give(mapped, &(struct log_task){
			     .kind = LOG_TASK_TOUCH,
			     .old = mapped->old,
			     .window = *window,
			     .next = mapped->next,
			     .to = to,
			     .touched = mapped->touched,
			     .open_next = mapped->next.from == NULL,
			     .unchecked = mapped->unchecked,
		     });
}

/* Writing */

/* To the next window when this one has no room for so much; has the thread go ahead. */
static void go_on(struct log_mapped *mapped, ptrdiff_t length, bool check)
{
	collect(mapped, 0);
	if (!mapped->asked && length > mapped->window.to - mapped->window.at &&
	    mapped->next.from != NULL && mapped->old.from == NULL) {
		log_window_slide(&mapped->window, &mapped->next, &mapped->old);
		mapped->touched = NULL;
	}
	if (log_window_faulted(&mapped->window))
		mapped->error = -ESTALE;
	if (mapped->error == 0)
		ask(mapped, length, check);
}

/* A quick disk has the room by the end, also when the thread has to end something else first, or to
 * open the next window. */
static int await_room(struct log_mapped *mapped, ptrdiff_t length)
{
	const int64_t until = log_apart_now() + WAIT_NS;
	int64_t left = WAIT_NS;

	for (;;) {
		go_on(mapped, length, false);
		if (mapped->error != 0)
			return mapped->error;
		if (length <= room(mapped, log_mapped_now()))
			return 0;
		if (left <= 0)
			return -EAGAIN;
		left = until - log_apart_now();
		collect(mapped, left > 0 ? (long)left : 0);
	}
}

int log_mapped_put(struct log_mapped *mapped, const char *line, size_t size)
{
	const ptrdiff_t length = (ptrdiff_t)size;
	int64_t time = log_mapped_now();
	int result = mapped->error;

	if (result == 0 && room(mapped, time) < length + mapped->lead / 2) {
		go_on(mapped, 0, false);
		time = log_mapped_now();
		result = room(mapped, time) < length ? await_room(mapped, length) : mapped->error;
	}
	if (result < 0)
		return result;
	memcpy(mapped->window.at, line, size);
	if (log_window_faulted(&mapped->window))
		return mapped->error = -ESTALE;
	mapped->window.at += length;
	mapped->unchecked++;
	if (log_mapped_now() > time + PUT_NS) {
		mapped->slow = true;
		mapped->error = -EBUSY;
	}
	return 0;
}

int log_mapped_check(struct log_mapped *mapped)
{
	go_on(mapped, 0, mapped->unchecked > 0);
	return mapped->error != 0 ? mapped->error : mapped->unchecked > 0;
}

/* Opening and closing */

int log_mapped_open(struct log_mapped *mapped, int fd)
{
	int result;

	*mapped = (struct log_mapped){ .closed = -EAGAIN, .cut_at = -1, .lead = LEAD_LEAST };
	result = log_ahead_start(&mapped->ahead, fd);
	if (result < 0)
		return result;
	give(mapped, &(struct log_task){
			     .kind = LOG_TASK_OPEN,
			     .lead = LEAD_LEAST,
			     .cut_at = -1,
		     });
	return 0;
}

/* Whether lines went where the file no longer was: into the rest of its last page. In any other
 * page they would have faulted. */
static bool hit_nothing(int fd, off_t position)
{
	const off_t page = sysconf(_SC_PAGESIZE);
	struct stat st;

	return position > 0 && fstat(fd, &st) == 0 && st.st_size % page != 0 &&
	       st.st_size / page == (position - 1) / page;
}

bool log_mapped_passes(int error)
{
	return error == 0 || error == -EBUSY || error == -EAGAIN || error == -ESTALE ||
	       error == -ENOSPC || error == -EDQUOT || error == -EFBIG || error == -ENOMEM;
}

static void give_close(struct log_mapped *mapped)
{
	if (mapped->window.from != NULL) {
		mapped->cut_at = log_window_position(&mapped->window);
		if (log_window_faulted(&mapped->window))
			mapped->error = -ESTALE;
		if (!log_mapped_passes(mapped->error) ||
		    (mapped->error == -ESTALE && hit_nothing(mapped->window.fd, mapped->cut_at)))
			mapped->lost += mapped->unchecked;
	}
	give(mapped, &(struct log_task){
			     .kind = LOG_TASK_CLOSE,
			     .old = mapped->old,
			     .window = mapped->window,
			     .next = mapped->next,
			     .cut_at = mapped->cut_at,
		     });
}

void log_mapped_close(struct log_mapped *mapped)
{
	collect(mapped, 0);
	mapped->closing = true;
	if (!mapped->asked && mapped->closed != 0)
		give_close(mapped);
}

int log_mapped_wait(struct log_mapped *mapped, long most_ns)
{
	collect(mapped, most_ns);
	if (mapped->closing && !mapped->asked && mapped->closed == -EAGAIN) {
		give_close(mapped);
		collect(mapped, most_ns);
	}
	if (mapped->asked && (!mapped->closing || mapped->closed == -EAGAIN))
		return -EAGAIN;
	return mapped->closing ? mapped->closed : mapped->error;
}

void log_mapped_end(struct log_mapped *mapped)
{
	log_ahead_stop(&mapped->ahead);
}
