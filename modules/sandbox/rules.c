/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "rules.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* Arguments are ints: the upper half of the register says nothing. */
#define ALL 0xffffffffu
/* Of O_TMPFILE only the bit that O_DIRECTORY has not. */
#define MAKES (O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))
#define SOCKET_TYPE (~(uint32_t)(SOCK_NONBLOCK | SOCK_CLOEXEC))

/* What makes of clone(2) a thread, and what would make more of it. */
#define THREAD (CLONE_THREAD | CLONE_VM | CLONE_SIGHAND)
#define NO_THREAD                                                                                  \
	(CLONE_VFORK | CLONE_PTRACE | CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID |  \
	 CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)
#ifdef __s390__
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

/* libseccomp knows it since 2.5.2, and the kernel since 5.9. */
#ifdef SYS_close_range
#define CLOSE_RANGE SYS_close_range
#else
#define CLOSE_RANGE 0
#endif

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

#define ANY(name) { .call = (name) }
#define ONLY(name, words, ...) { .call = (name), .only = (words), .checks = { __VA_ARGS__ } }
#define REFUSE(name, words, error, ...)                                                            \
	{ .call = (name), .only = (words), .refuse = (error), .checks = { __VA_ARGS__ } }
#define END { .call = NULL }

#define BITS(argument_, mask_, value_)                                                             \
	{ .kind = CHECK_BITS, .argument = (argument_), .mask = (uint32_t)(mask_),                  \
	  .value = (uint32_t)(value_) }
#define IS_NULL(argument_)                                                                         \
	{ .kind = CHECK_BITS, .argument = (argument_), .mask = UINT64_MAX, .value = 0 }
#define IS(argument_, value_) BITS(argument_, ALL, value_)
#define OWN_PID(argument_) { .kind = CHECK_OWN_PID, .argument = (argument_), .mask = ALL }
#define PARENT_PID(argument_) { .kind = CHECK_PARENT_PID, .argument = (argument_), .mask = ALL }
#define LOG_FOLDER(argument_) { .kind = CHECK_LOG_FOLDER, .argument = (argument_), .mask = ALL }

/* What a connection costs. No argument is looked at: the kernel then remembers the answer for the
 * call and does not run the filter for it. */
static const struct rule serving[] = {
	ANY("recvfrom"),
	ANY("recv"),
	ANY("sendto"),
	ANY("send"),
	ANY("epoll_wait"),
	ANY("epoll_pwait"),
	ANY("sendfile"),
	ANY("sendfile64"),
	ANY("sendmsg"),
	ANY("recvmsg"),
	ANY("read"),
	ANY("write"),
	ANY("writev"),
	ANY("accept4"),
	ANY("epoll_ctl"),
	ANY("close"),
	ANY("shutdown"),
	ANY("getsockname"),
	/* Of the TCP options only this: others load protocols into the kernel (TCP_ULP). */
	ONLY("setsockopt", "TCP_DEFER_ACCEPT", IS(1, IPPROTO_TCP), IS(2, TCP_DEFER_ACCEPT)),
	ONLY("setsockopt", "SO_LINGER", IS(1, SOL_SOCKET), IS(2, SO_LINGER)),
	ONLY("ioctl", "SIOCOUTQ", IS(1, SIOCOUTQ)),
	END,
};

static const struct rule process[] = {
	ANY("brk"),
	ONLY("mmap", "private, not executable", BITS(2, PROT_EXEC, 0), BITS(3, MAP_SHARED, 0)),
	ONLY("mmap2", "private, not executable", BITS(2, PROT_EXEC, 0), BITS(3, MAP_SHARED, 0)),
	ANY("munmap"),
	ANY("mremap"),
	ANY("madvise"),
	ONLY("mprotect", "not executable", BITS(2, PROT_EXEC, 0)),
	/* The clocks, where the vDSO has none. */
	ANY("clock_gettime"),
	ANY("clock_gettime64"),
	ANY("gettimeofday"),
	ANY("time"),
	ANY("getrandom"),
	ONLY("prlimit64", "to look at its own", IS(0, 0), IS_NULL(2)),
	ANY("getrlimit"),
	ANY("ugetrlimit"),
	/* glibc's qsort asks how much memory there is. */
	ANY("sysinfo"),
	ANY("getpid"),
	ANY("epoll_create1"),
	ANY("poll"),
	ANY("ppoll"),
	ANY("ppoll_time64"),
	ONLY("fcntl", "F_DUPFD_CLOEXEC", IS(1, F_DUPFD_CLOEXEC)),
	ONLY("fcntl", "F_GETFD", IS(1, F_GETFD)),
	ONLY("fcntl", "F_SETFD", IS(1, F_SETFD)),
	ONLY("fcntl", "F_GETFL", IS(1, F_GETFL)),
	ONLY("fcntl", "F_SETFL", IS(1, F_SETFL)),
	ONLY("fcntl64", "F_DUPFD_CLOEXEC", IS(1, F_DUPFD_CLOEXEC)),
	ONLY("fcntl64", "F_GETFD", IS(1, F_GETFD)),
	ONLY("fcntl64", "F_SETFD", IS(1, F_SETFD)),
	ONLY("fcntl64", "F_GETFL", IS(1, F_GETFL)),
	ONLY("fcntl64", "F_SETFL", IS(1, F_SETFL)),
	/* Into the background: the standard descriptors become /dev/null. */
	ANY("dup2"),
	ANY("dup3"),
	/* Signals, the process's own end, and abort(). */
	ANY("rt_sigreturn"),
	ANY("sigreturn"),
	ANY("restart_syscall"),
	ANY("rt_sigprocmask"),
	ANY("gettid"),
	ONLY("tgkill", "SIGABRT to itself", OWN_PID(0), IS(2, SIGABRT)),
	ANY("exit"),
	ANY("exit_group"),
	END,
};

/* Where a file lies is Landlock's and the root descriptor's business; whether it is only read, both
 * this filter's and Landlock's. The flags of openat2 lie in memory, out of a filter's sight. */
static const struct rule read_files[] = {
	ANY("openat2"),
	ONLY("openat", "to read", BITS(2, O_ACCMODE | MAKES, O_RDONLY)),
	ANY("newfstatat"),
	ANY("fstatat64"),
	ANY("statx"),
	ANY("fstat"),
	ANY("fstat64"),
	ANY("pread64"),
	ANY("readlinkat"),
	ANY("fstatfs"),
	ANY("fstatfs64"),
	ANY("lseek"),
	ANY("_llseek"),
	ONLY("ioctl", "BLKGETSIZE64", IS(1, BLKGETSIZE64)),
	END,
};

static const struct rule write_files[] = {
	ONLY("openat", "to write", BITS(2, O_PATH, 0)),
	ANY("pwrite64"),
	ANY("ftruncate"),
	ANY("ftruncate64"),
	ANY("fallocate"),
	ANY("fsync"),
	ANY("fdatasync"),
	ANY("sync_file_range"),
	ANY("sync_file_range2"),
	ANY("mkdirat"),
	ANY("unlinkat"),
	ANY("renameat"),
	ANY("renameat2"),
	ANY("linkat"),
	ANY("fchmod"),
	ANY("faccessat"),
	ANY("faccessat2"),
	ANY("flock"),
	END,
};

static const struct rule list_dirs[] = {
	ANY("getdents64"),
	END,
};

/* The protocol too: the default of the type, or its number. Others load a part of the kernel that
 * nobody needs here (SCTP, MPTCP, SMC), or send what is not TCP or UDP (ICMP). */
static const struct rule connecting[] = {
	ONLY("socket", "AF_INET, TCP", IS(0, AF_INET), BITS(1, SOCKET_TYPE, SOCK_STREAM),
	     BITS(2, ~IPPROTO_TCP, 0)),
	ONLY("socket", "AF_INET, UDP by default", IS(0, AF_INET), BITS(1, SOCKET_TYPE, SOCK_DGRAM),
	     IS(2, 0)),
	ONLY("socket", "AF_INET, UDP", IS(0, AF_INET), BITS(1, SOCKET_TYPE, SOCK_DGRAM),
	     IS(2, IPPROTO_UDP)),
	ONLY("socket", "AF_INET6, TCP", IS(0, AF_INET6), BITS(1, SOCKET_TYPE, SOCK_STREAM),
	     BITS(2, ~IPPROTO_TCP, 0)),
	ONLY("socket", "AF_INET6, UDP by default", IS(0, AF_INET6),
	     BITS(1, SOCKET_TYPE, SOCK_DGRAM), IS(2, 0)),
	ONLY("socket", "AF_INET6, UDP", IS(0, AF_INET6), BITS(1, SOCKET_TYPE, SOCK_DGRAM),
	     IS(2, IPPROTO_UDP)),
	ONLY("socket", "AF_UNIX, stream", IS(0, AF_UNIX), BITS(1, SOCKET_TYPE, SOCK_STREAM)),
	ONLY("socket", "AF_UNIX, datagram", IS(0, AF_UNIX), BITS(1, SOCKET_TYPE, SOCK_DGRAM)),
	ANY("connect"),
	ANY("getpeername"),
	ONLY("getsockopt", "SO_ERROR", IS(1, SOL_SOCKET), IS(2, SO_ERROR)),
	ONLY("setsockopt", "SO_SNDBUF", IS(1, SOL_SOCKET), IS(2, SO_SNDBUF)),
	ONLY("setsockopt", "SO_RCVBUF", IS(1, SOL_SOCKET), IS(2, SO_RCVBUF)),
	ONLY("setsockopt", "SO_KEEPALIVE", IS(1, SOL_SOCKET), IS(2, SO_KEEPALIVE)),
	ONLY("setsockopt", "TCP_NODELAY", IS(1, IPPROTO_TCP), IS(2, TCP_NODELAY)),
	END,
};

/* In the background syslog(3) comes back with a new socket when the system's log was restarted. It
 * has to do without, as in a chroot, but must not die of it. */
static const struct rule not_connecting[] = {
	REFUSE("socket", "AF_UNIX, datagram", EACCES, IS(0, AF_UNIX),
	       BITS(1, SOCKET_TYPE, SOCK_DGRAM)),
	END,
};

/* How bytes go from a socket to another, or to a file, without being copied. */
static const struct rule splicing[] = {
	ANY("splice"),
	ANY("pipe2"),
	ONLY("fcntl", "F_SETPIPE_SZ", IS(1, F_SETPIPE_SZ)),
	ONLY("fcntl64", "F_SETPIPE_SZ", IS(1, F_SETPIPE_SZ)),
	END,
};

static const struct rule map_shared[] = {
	ONLY("mmap", "shared, not executable", BITS(2, PROT_EXEC, 0), BITS(3, MAP_SHARED, MAP_SHARED)),
	ONLY("mmap2", "shared, not executable", BITS(2, PROT_EXEC, 0),
	     BITS(3, MAP_SHARED, MAP_SHARED)),
	ANY("msync"),
	ANY("fallocate"),
	ANY("pwrite64"),
	/* Whether a thread that touches pages has slept for the disk. */
	ANY("getrusage"),
	/* A page of a file that became shorter, or that the disk has no room for. */
	ONLY("rt_sigaction", "SIGBUS", IS(0, SIGBUS)),
	END,
};

/* A thread, never a process; clone3 keeps its flags in memory, and libc goes on with clone. */
static const struct rule threads[] = {
	ONLY("clone", "a thread of this process",
	     BITS(CLONE_FLAGS, THREAD | NO_THREAD, THREAD)),
	REFUSE("clone3", "always", ENOSYS),
	/* A thread lets go of what it needs not. */
	{ .call = "close_range", .number = CLOSE_RANGE },
	ANY("futex"),
	ANY("futex_time64"),
	ANY("set_robust_list"),
	ANY("rseq"),
	ANY("sched_getaffinity"),
	ANY("rt_sigaction"),
	/* How a thread wakes the loop. */
	ANY("pipe"),
	ANY("pipe2"),
	ANY("eventfd2"),
	END,
};

static const struct rule aio[] = {
	ANY("sched_getparam"),
	ANY("sched_getscheduler"),
	ANY("pwrite64"),
	ANY("fsync"),
	ANY("fdatasync"),
	END,
};

static const struct rule log_write[] = {
	ANY("flock"),
	ANY("lseek"),
	ANY("_llseek"),
	ANY("fstat"),
	ANY("fstat64"),
	ANY("ftruncate"),
	ANY("ftruncate64"),
	END,
};

static const struct rule clocks[] = {
	ANY("timerfd_create"),
	ANY("timerfd_settime"),
	ANY("timerfd_settime64"),
	ANY("clock_nanosleep"),
	ANY("clock_nanosleep_time64"),
	ANY("nanosleep"),
	END,
};

/* The protocol's name lies in memory, but one that is not in the kernel yet is loaded for the
 * administrator only. */
static const struct rule encrypting[] = {
	ONLY("setsockopt", "TCP_ULP", IS(1, IPPROTO_TCP), IS(2, TCP_ULP)),
	ONLY("setsockopt", "the keys of kernel TLS", IS(1, SOL_TLS)),
	/* What pthread_once() of a library ends with, though there is only one thread. */
	ONLY("futex", "to wake", BITS(1, ~FUTEX_PRIVATE_FLAG, FUTEX_WAKE)),
	ONLY("futex_time64", "to wake", BITS(1, ~FUTEX_PRIVATE_FLAG, FUTEX_WAKE)),
	END,
};

/* What a master would do. Landlock says where: in the folders of the log, of the pid file and of
 * the sockets. */
static const struct rule alone[] = {
	ONLY("openat", "the log, to append", LOG_FOLDER(0),
	     BITS(2, O_APPEND | O_TRUNC, O_APPEND)),
	ANY("geteuid"),
	ANY("geteuid32"),
	ANY("getppid"),
	ANY("unlink"),
	ANY("unlinkat"),
	ANY("stat"),
	ANY("stat64"),
	ANY("ftruncate"),
	ANY("ftruncate64"),
	ANY("chdir"),
	ONLY("kill", "SIGQUIT to what started it", PARENT_PID(0), IS(1, SIGQUIT)),
	END,
};

const struct group groups[] = {
	{ .name = "serving", .rules = serving },
	{ .name = "process", .rules = process },
	{ .name = "read-files", .needs = LOP_NEEDS_READ_FILES, .rules = read_files },
	{ .name = "write-files", .needs = LOP_NEEDS_WRITE_FILES, .rules = write_files },
	{ .name = "list-dirs", .needs = LOP_NEEDS_LIST_DIRS, .rules = list_dirs },
	{ .name = "connect", .needs = LOP_NEEDS_CONNECT, .rules = connecting },
	{ .name = "no connect", .needs = LOP_NEEDS_CONNECT, .closed_by_needs = 1,
	  .rules = not_connecting },
	{ .name = "splice", .needs = LOP_NEEDS_CONNECT | LOP_NEEDS_WRITE_FILES, .rules = splicing },
	{ .name = "map-shared", .needs = LOP_NEEDS_MAP_SHARED, .rules = map_shared },
	{ .name = "threads", .needs = LOP_NEEDS_THREADS | LOP_NEEDS_AIO, .rules = threads },
	{ .name = "aio", .needs = LOP_NEEDS_AIO, .rules = aio },
	{ .name = "log-write", .needs = LOP_NEEDS_LOG_WRITE, .rules = log_write },
	{ .name = "clock", .needs = LOP_NEEDS_CLOCK, .rules = clocks },
	{ .name = "encrypt", .needs = LOP_NEEDS_ENCRYPT, .rules = encrypting },
	{ .name = "one process", .alone = 1, .rules = alone },
	{ .name = NULL },
};

int group_open(const struct group *group, uint64_t needs, int is_alone)
{
	if (group->closed_by_needs)
		return (needs & group->needs) == 0;
	if (group->alone)
		return is_alone;
	return group->needs == 0 || (needs & group->needs) != 0;
}
