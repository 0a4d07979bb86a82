/* SPDX-License-Identifier: BSD-2-Clause */
#include "log_window.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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

/* What the handler of SIGBUS must know. */
static struct {
	char *volatile from;
	volatile sig_atomic_t faulted;
} guarded;

static void on_fault(int number, siginfo_t *info, void *context)
{
	char *address = info->si_addr, *from = guarded.from;

	(void)context;
	if (from != NULL && address >= from && address < from + WINDOW &&
	    mmap(from, WINDOW, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1,
	         0) == from) {
		guarded.faulted = 1;
		return;
	}
	/* Not ours: it happens again, and ends the process as it should. */
	(void)signal(number, SIG_DFL);
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

bool log_window_faulted(void)
{
	return guarded.faulted != 0;
}

/* The end of what was written */

/* Reads the block that ends at `to`, or less at the file's beginning. Returns its length. */
static ssize_t read_before(int fd, off_t to, char block[BLOCK])
{
	size_t length = to < BLOCK ? (size_t)to : BLOCK;
	size_t done = 0;

	while (done < length) {
		ssize_t count =
			pread(fd, block + done, length - done, to - (off_t)(length - done));

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count < 0 ? -errno : -EIO;
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
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_size <= position || ftruncate(fd, position) == 0 ? 0 : -errno;
}

/* The window */

/* Where a file system cannot allocate: it appends, so that this is the same. */
static int write_zeros(int fd, off_t length)
{
	static const char zeros[BLOCK];

	while (length > 0) {
		ssize_t count = write(fd, zeros, length < BLOCK ? (size_t)length : BLOCK);

		if (count < 0 && errno != EINTR)
			return -errno;
		if (count > 0)
			length -= count;
	}
	return 0;
}

/* Makes the file reach to `end`, with space on the disk. */
static int allocate(int fd, off_t end)
{
	struct stat st;
	int result = EOPNOTSUPP;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size >= end)
		return 0;
#if defined(_POSIX_ADVISORY_INFO) && _POSIX_ADVISORY_INFO > 0
	do
		result = posix_fallocate(fd, st.st_size, end - st.st_size);
	while (result == EINTR);
#endif
	/* EBADF: the C library would do it by writing, and not while appending. */
	if (result == EOPNOTSUPP || result == ENOTSUP || result == EINVAL || result == ENOSYS ||
	    result == EBADF)
		return write_zeros(fd, end - st.st_size);
	return -result;
}

int log_window_open(struct log_window *window, int fd, off_t position)
{
	off_t base = position - position % STEP;
	char *from;
	int result;

	*window = (struct log_window){ .fd = fd };
	result = allocate(fd, base + (off_t)WINDOW);
	if (result < 0)
		return result;
	from = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED, fd, base);
	if (from == MAP_FAILED)
		return -errno;
	*window = (struct log_window){
		.fd = fd,
		.from = from,
		.at = from + (position - base),
		.to = from + WINDOW,
		.base = base,
	};
	guarded.faulted = 0;
	guarded.from = from;
	return 0;
}

off_t log_window_position(const struct log_window *window)
{
	return window->base + (window->at - window->from);
}

void log_window_close(struct log_window *window)
{
	if (window->from == NULL)
		return;
	guarded.from = NULL;
	(void)munmap(window->from, WINDOW);
	window->from = window->at = window->to = NULL;
}

int log_window_slide(struct log_window *window)
{
	off_t position = log_window_position(window);

	log_window_close(window);
	return log_window_open(window, window->fd, position);
}
