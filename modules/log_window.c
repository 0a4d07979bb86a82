/* SPDX-License-Identifier: BSD-2-Clause */
#include "log_window.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP ((off_t)1 << 20)
#define WINDOW ((size_t)2 << 20) /* what is open always begins in its first half */
#define BLOCK 65536
#define LOG_LINE_MOST 16384 /* what <lophttpd/log.h> promises */

#if !defined(MAP_ANONYMOUS) && defined(MAP_ANON)
#define MAP_ANONYMOUS MAP_ANON
#endif

#if defined(__linux__) && !defined(MADV_POPULATE_WRITE)
#define MADV_POPULATE_WRITE 23
#endif

/* What the handler of SIGBUS must know: one in use, one to come, one that is over. */
#define SLOTS 3

static struct {
	char *volatile from; /* NULL: free */
	volatile sig_atomic_t faulted;
} slots[SLOTS];

static void on_fault(int number, siginfo_t *info, void *context)
{
	char *address = info->si_addr;

	(void)context;
	for (int i = 0; i < SLOTS; i++) {
		char *from = slots[i].from;

		if (from == NULL || address < from || address >= from + WINDOW)
			continue;
		/* First, so that nobody takes what goes to the memory for written. */
		slots[i].faulted = 1;
		if (mmap(from, WINDOW, PROT_READ | PROT_WRITE,
		         MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0) != from)
			break;
		return;
	}
	/* Not ours: it happens again, and ends the process as it should. */
	(void)signal(number, SIG_DFL);
}

static int take_slot(char *from)
{
	for (int i = 0; i < SLOTS; i++)
		if (slots[i].from == NULL) {
			slots[i].faulted = 0;
			slots[i].from = from;
			return i;
		}
	return -EMFILE;
}

void log_window_guard(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	sigemptyset(&action.sa_mask);
	(void)sigaction(SIGBUS, &action, NULL);
}

void log_window_unguard(void)
{
	(void)signal(SIGBUS, SIG_DFL);
}

bool log_window_faulted(const struct log_window *window)
{
	return slots[window->slot].faulted != 0;
}

/* The end of what was written */

/* Reads the block that ends at `to`, or less at the file's beginning. Returns its length. */
static ssize_t read_before(int fd, off_t to, char block[BLOCK])
{
	size_t length = to < BLOCK ? (size_t)to : BLOCK;
	size_t done = 0;

	while (done < length) {
		ssize_t count = pread(fd, block + done, length - done, to - (off_t)(length - done));

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count < 0 ? -errno : -ESTALE;
		done += (size_t)count;
	}
	return (ssize_t)length;
}

static off_t behind_last_byte(int fd, off_t size)
{
	char block[BLOCK];

	while (size > 0) {
		ssize_t length = read_before(fd, size, block);

		if (length < 0)
			return length;
		for (ssize_t i = length; i > 0; i--)
			if (block[i - 1] != '\0')
				return size - (length - i);
		size -= length;
	}
	return 0;
}

off_t log_window_find_end(int fd, bool *complete)
{
	char block[BLOCK];
	const char *line;
	ssize_t length;
	struct stat st;
	off_t end;

	if (fstat(fd, &st) < 0)
		return -errno;
	end = behind_last_byte(fd, st.st_size);
	*complete = true;
	if (end <= 0)
		return end;
	length = read_before(fd, end, block);
	if (length < 0)
		return length;
	line = block + length - 1; /* the last byte: of a newline, what is before it */
	while (line > block && line[-1] != '\n')
		line--;
	*complete = block[length - 1] == '\n';
	if (end < st.st_size && block + length - line <= LOG_LINE_MOST &&
	    (!*complete || memchr(line, '\0', (size_t)(block + length - line)) != NULL)) {
		/* The kill came in the middle of a line, whose bytes may be in any order. */
		end -= block + length - line;
		*complete = end == 0 || line > block;
	}
	return end;
}

int log_window_cut(int fd, off_t position)
{
	off_t end = position;
	struct stat st;
	bool complete;

	for (;;) {
		if (fstat(fd, &st) < 0)
			return -errno;
		if (st.st_size == end)
			return 0;
		if (st.st_size > end && ftruncate(fd, end) < 0)
			return -errno;
		/* It may have been shorter by then, and been made longer. */
		do
			end = log_window_find_end(fd, &complete);
		while (end == -ESTALE);
		if (end < 0)
			return (int)end;
	}
}

/* The window */

/* Makes the file reach from `size` to `end`. Zeros are written rather than space allocated: they
 * have space as well, and a page that was written is in memory, so that making it writable is quick.
 * A write of nothing tells, too, that the file system has become read-only. */
static int extend(int fd, off_t size, off_t end)
{
	static const char zeros[BLOCK];
	bool told = false;
	struct stat st;
	off_t left;
	ssize_t count;

	for (;;) {
		if (fstat(fd, &st) < 0)
			return -errno;
		/* If somebody has cut it just before, what was written is somewhere else. */
		if (st.st_size < size)
			return -ESTALE;
		size = st.st_size;
		if (told && size >= end)
			return 0;
		left = end > size ? end - size : 0;
		/* It appends, and leaves alone the position, for which the loop might wait. */
		count = pwrite(fd, zeros, left < BLOCK ? (size_t)left : BLOCK, size);
		if (count < 0 && errno != EINTR)
			return -errno;
		told = count >= 0;
		size += told ? count : 0;
	}
}

/* base: aligned to STEP. Beyond the file's end nothing may be touched, but it may be mapped. */
static int open_at(struct log_window *window, int fd, off_t base, off_t position)
{
	char *from = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED, fd, base);
	int slot;

	*window = (struct log_window){ .fd = fd };
	if (from == MAP_FAILED)
		return -errno;
	slot = take_slot(from);
	if (slot < 0) {
		(void)munmap(from, WINDOW);
		return slot;
	}
	*window = (struct log_window){
		.fd = fd,
		.slot = slot,
		.from = from,
		.at = from + (position - base),
		.end = from + (position - base),
		.to = from + WINDOW,
		.base = base,
	};
	return 0;
}

int log_window_open(struct log_window *window, int fd, off_t position)
{
	return open_at(window, fd, position - position % STEP, position);
}

int log_window_next(const struct log_window *window, struct log_window *next)
{
	return open_at(next, window->fd, window->base + STEP, window->base + (off_t)WINDOW);
}

void log_window_slide(struct log_window *window, struct log_window *next, struct log_window *old)
{
	off_t position = log_window_position(window);

	*old = *window;
	*window = *next;
	window->at = window->from + (position - window->base);
	next->from = NULL;
}

off_t log_window_position(const struct log_window *window)
{
	return window->base + (window->at - window->from);
}

void log_window_close(struct log_window *window)
{
	if (window->from == NULL)
		return;
	slots[window->slot].from = NULL;
	(void)munmap(window->from, WINDOW);
	window->from = window->at = window->end = window->to = NULL;
}

#if defined(__has_attribute)
#if __has_attribute(no_sanitize_thread)
#define MEETS_WRITES __attribute__((no_sanitize_thread))
#endif
#endif
#ifndef MEETS_WRITES
#define MEETS_WRITES
#endif

/* Somebody may be writing there: an exchange of a byte with itself changes nothing. That the other
 * writes without an exchange is no mistake, whatever a tool says that looks for races. */
MEETS_WRITES static void touch_page(char *page)
{
	_Atomic(char) *byte = (_Atomic(char) *)page;
	char value = '\0';

	while (!atomic_compare_exchange_weak_explicit(byte, &value, value, memory_order_relaxed,
	                                              memory_order_relaxed))
		;
}

void log_window_touch(char *from, const char *to)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *at = from - (uintptr_t)from % page;

	if (at >= to)
		return;
#ifdef MADV_POPULATE_WRITE
	/* All in one call (Linux 5.14), without a fault for each page. Where it fails, be it that
	 * somebody has cut the file, the write tells what there is to tell. */
	if (madvise(at, (size_t)(to - at), MADV_POPULATE_WRITE) == 0)
		return;
#endif
	for (; at < to; at += page)
		touch_page(at);
}

int log_window_extend(struct log_window *window, const char *to)
{
	off_t size = window->base + (window->end - window->from), end = size;
	int result;

	while (end < window->base + (to - window->from))
		end += BLOCK - end % BLOCK;
	result = extend(window->fd, size, end);
	if (result == 0)
		window->end = window->from + (end - window->base);
	return result;
}
