/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each platform does in its own way, behind one function each. os_linux.c, os_bsd.c or
 * os_darwin.c is compiled, chosen by configure; os_copy.c always.
 *
 * Results are counts or negative errnos; a call that a signal interrupts is repeated here. None
 * of these raises SIGPIPE as long as the process ignores it, as signals_open() sees to.
 */
#ifndef OS_H
#define OS_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Flags that open a folder only to reach what is below it: no permission to list it is needed.
 * Open "." below such a descriptor to list. */
#if defined(O_PATH)
#define OS_FOLDER (O_PATH | O_DIRECTORY | O_CLOEXEC)
#elif defined(O_SEARCH)
#define OS_FOLDER (O_SEARCH | O_DIRECTORY | O_CLOEXEC)
#else
#define OS_FOLDER (O_RDONLY | O_DIRECTORY | O_CLOEXEC)
#endif

/* A stat's times in ns. */
#if defined(__APPLE__)
#define OS_MTIME(st) ((st)->st_mtimespec)
#define OS_CTIME(st) ((st)->st_ctimespec)
#else
#define OS_MTIME(st) ((st)->st_mtim)
#define OS_CTIME(st) ((st)->st_ctim)
#endif

/* Sends at most length bytes of a file from offset to a non-blocking socket, without moving the
 * file's own offset. Returns > 0 bytes taken, 0 the file ends at or before offset, -EAGAIN the
 * socket is full, negative errno. Files that the system's sendfile cannot read (procfs, some
 * network file systems) are copied. */
ssize_t os_sendfile(int socket, int file, off_t offset, size_t length);
/* The same by pread and send, at most 64 KiB a call. */
ssize_t os_sendfile_copy(int socket, int file, off_t offset, size_t length);

/* A pipe, non-blocking and close-on-exec, with room for size bytes if the system has it. Returns 0 or
 * a negative errno; -EOPNOTSUPP where os_splice() does not exist. */
int os_pipe(int ends[2], size_t size);
/* Moves at most length bytes from one to the other, of which one is a pipe, inside the kernel and without
 * waiting. Returns > 0 bytes, 0 at the end, or a negative errno. `more` not 0: more will follow. */
ssize_t os_splice(int from, int to, size_t length, int more);

/* accept(2); the new socket is non-blocking, close-on-exec and raises no SIGPIPE. address and
 * length may be NULL. Returns the descriptor or a negative errno. */
int os_accept(int listener, struct sockaddr *address, socklen_t *length);

/* Has a listening socket hand a connection over when its first bytes are there, or after about a
 * second without. Returns 0 or a negative errno. */
int os_defer_accept(int listener);

/* Makes a descriptor non-blocking and close-on-exec. Returns 0 or a negative errno. */
int os_prepare(int descriptor);
int os_close_on_exec(int descriptor);

/* Processors that this process may use, at least 1. */
int os_cpu_count(void);

/* Bytes in the socket's send queue that the peer has not acknowledged, or -ENOTSUP. */
int os_unsent(int socket);

/* Size of an open block device in bytes, or a negative errno. */
int64_t os_device_size(int descriptor);

/* What a process that faces the network gives up once and for all: gaining privileges by exec,
 * being traced or dumped by others of its user, capabilities. Returns 0 or a negative errno; what
 * the system does not have is no error. */
int os_harden(void);

/* What root gives up before it becomes another user: capabilities for whatever is executed later.
 * Without the right to do so they stay, and os_harden() makes them of no use. */
void os_drop_bounding_set(void);

/* Whether a file lies on a file system whose st_size says nothing of what can be read. */
bool os_unsized(int descriptor);

/* Calls look with each mount point that the process sees until that returns true, and returns
 * whether it did. Without any where a folder that is mounted once more is another folder. */
typedef bool os_mount_f(void *context, const char *point);
bool os_each_mount(os_mount_f *look, void *context);

#endif
