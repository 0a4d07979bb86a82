/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile: a worker that was taken over. A request for /hostile/ATTEMPT?ARGUMENT has it try one
 * thing that it must not be able to do, by a bare system call, and answers "done", or "no" and the
 * errno; mostly there is nobody left to answer. NEEDS is what the module declares.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <lophttpd/lophttpd.h>

#ifndef NEEDS
#define NEEDS 0
#endif
#define NEW_FILE (O_WRONLY | O_CREAT)
#define PAGE 4096

/* What an attempt may use: the text after '?', and the served folder. */
struct means {
	const char *argument;
	int root;
};

typedef long attempt_f(const struct means *means);

/* A process that must not be made does not go on as a second server. */
static long process(long pid)
{
	if (pid == 0)
		syscall(SYS_exit_group, 0);
	return pid;
}

static long try_execve(const struct means *means)
{
	char *none[] = { NULL };

	return syscall(SYS_execve, means->argument, none, none);
}

static long try_execveat(const struct means *means)
{
	char *none[] = { NULL };

	return syscall(SYS_execveat, means->root, "a.txt", none, none, 0);
}

static long try_fork(const struct means *means)
{
	(void)means;
	return process(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static long try_clone3(const struct means *means)
{
	unsigned long long arguments[8] = { [4] = SIGCHLD };

	(void)means;
	return process(syscall(SYS_clone3, arguments, sizeof(arguments)));
}

static long try_ptrace(const struct means *means)
{
	return syscall(SYS_ptrace, PTRACE_SEIZE, atol(means->argument), 0, 0);
}

static long try_memory(const struct means *means)
{
	return syscall(SYS_process_vm_readv, atol(means->argument), NULL, 0, NULL, 0, 0);
}

static long try_kill(const struct means *means)
{
	return syscall(SYS_kill, atol(means->argument), SIGTERM);
}

/* The signal with which one process replaces another. */
static long try_quit(const struct means *means)
{
	return syscall(SYS_kill, atol(means->argument), SIGQUIT);
}

static long try_tgkill(const struct means *means)
{
	return syscall(SYS_tgkill, atol(means->argument), atol(means->argument), SIGABRT);
}

static long try_abort(const struct means *means)
{
	(void)means;
	abort();
}

static long try_connect(const struct means *means)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(means->argument)),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	long made = syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return made < 0 ? made : syscall(SYS_connect, made, &to, sizeof(to));
}

static long try_unix(const struct means *means)
{
	(void)means;
	return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}

static long try_syslog(const struct means *means)
{
	(void)means;
	return syscall(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static long try_netlink(const struct means *means)
{
	(void)means;
	return syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 0);
}

static long try_raw(const struct means *means)
{
	(void)means;
	return syscall(SYS_socket, AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

/* What the kernel would load a module for, or knows as another kind of TCP. */
static long try_protocol(const struct means *means)
{
	(void)means;
	return syscall(SYS_socket, AF_INET, SOCK_STREAM, 262 /* MPTCP */);
}

static long try_ping(const struct means *means)
{
	(void)means;
	return syscall(SYS_socket, AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
}

static long try_tcp(const struct means *means)
{
	(void)means;
	return syscall(SYS_socket, AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
}

static long try_udp(const struct means *means)
{
	(void)means;
	return syscall(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_UDP);
}

static long try_layer(const struct means *means)
{
	(void)means;
	return syscall(SYS_setsockopt, 3, IPPROTO_TCP, 31 /* TCP_ULP */, "tls", 3);
}

static long try_bind(const struct means *means)
{
	struct sockaddr_in any = { .sin_family = AF_INET };

	(void)means;
	return syscall(SYS_bind, 3, &any, sizeof(any));
}

static long try_read(const struct means *means)
{
	return syscall(SYS_openat, AT_FDCWD, means->argument, O_RDONLY);
}

static long try_read_beneath(const struct means *means)
{
	struct open_how how = { .flags = O_RDONLY };

	return syscall(SYS_openat2, AT_FDCWD, means->argument, &how, sizeof(how));
}

static long try_write(const struct means *means)
{
	return syscall(SYS_openat, means->root, "made", NEW_FILE, 0600);
}

static long try_write_beneath(const struct means *means)
{
	struct open_how how = { .flags = NEW_FILE, .mode = 0600 };

	return syscall(SYS_openat2, means->root, "made", &how, sizeof(how));
}

static long try_overwrite(const struct means *means)
{
	struct open_how how = { .flags = O_WRONLY };

	return syscall(SYS_openat2, means->root, "free.txt", &how, sizeof(how));
}

static long try_mkdir(const struct means *means)
{
	return syscall(SYS_mkdirat, means->root, "made", 0700);
}

static long try_remove(const struct means *means)
{
	return syscall(SYS_unlinkat, means->root, "free.txt", 0);
}

static long try_rename(const struct means *means)
{
	return syscall(SYS_renameat2, means->root, "free.txt", means->root, "other", 0);
}

static long try_list(const struct means *means)
{
	char names[PAGE];
	long folder = syscall(SYS_openat, means->root, ".", O_RDONLY | O_DIRECTORY);

	return folder < 0 ? folder : syscall(SYS_getdents64, folder, names, sizeof(names));
}

static long try_mprotect(const struct means *means)
{
	char *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)means;
	return syscall(SYS_mprotect, memory, PAGE, PROT_READ | PROT_EXEC);
}

static long try_mmap(const struct means *means)
{
	(void)means;
	return syscall(SYS_mmap, NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
	               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long try_share(const struct means *means)
{
	(void)means;
	return syscall(SYS_mmap, NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	               0);
}

/* The flags of a thread without its stack: the kernel checks them after the filter and refuses. */
static long try_thread(const struct means *means)
{
	(void)means;
	return syscall(SYS_clone, CLONE_THREAD | CLONE_VM | CLONE_SIGHAND | CLONE_PIDFD | CLONE_DETACHED,
	               0, 0, 0, 0);
}

static long try_namespace(const struct means *means)
{
	(void)means;
	return syscall(SYS_clone,
	               CLONE_THREAD | CLONE_VM | CLONE_SIGHAND | CLONE_NEWUTS | CLONE_DETACHED |
	                       CLONE_PIDFD,
	               0, 0, 0, 0);
}

/* A call by its number in another of the processor's ways to call. */
static long try_x32(const struct means *means)
{
	(void)means;
#if defined(__x86_64__)
	return syscall(0x40000000 + SYS_getpid);
#else
	return syscall(SYS_execve, NULL, NULL, NULL);
#endif
}

static long try_i386(const struct means *means)
{
	long result;

	(void)means;
#if defined(__x86_64__)
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20L /* getpid */) : "memory", "r8", "r9", "r10",
	                 "r11");
#else
	result = syscall(SYS_execve, NULL, NULL, NULL);
#endif
	return result;
}

static long try_code_key(const struct means *means)
{
	char *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)means;
	return syscall(SYS_pkey_mprotect, memory, PAGE, PROT_READ | PROT_EXEC, -1);
}

/* The upper half of an argument must not hide the lower one. */
static long try_wide(const struct means *means)
{
	(void)means;
	return syscall(SYS_mmap, NULL, PAGE, (1L << 32) + PROT_READ + PROT_EXEC,
	               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long try_timer(const struct means *means)
{
	(void)means;
	return syscall(SYS_timerfd_create, CLOCK_MONOTONIC, TFD_CLOEXEC);
}

static long try_uring(const struct means *means)
{
	char parameters[256] = { 0 };

	(void)means;
	return syscall(SYS_io_uring_setup, 4, parameters);
}

static long try_bpf(const struct means *means)
{
	char attributes[128] = { 0 };

	(void)means;
	return syscall(SYS_bpf, 0, attributes, sizeof(attributes));
}

#define PLAIN(name, ...)                                                                           \
	static long try_##name(const struct means *means)                                          \
	{                                                                                          \
		(void)means;                                                                       \
		return syscall(__VA_ARGS__);                                                       \
	}
PLAIN(setuid, SYS_setuid, 0)
PLAIN(unshare, SYS_unshare, CLONE_NEWUSER)
PLAIN(chroot, SYS_chroot, ".")
PLAIN(mount, SYS_mount, "none", "/", "tmpfs", 0, NULL)
PLAIN(memfd, SYS_memfd_create, "code", 0)
PLAIN(attach, SYS_shmat, 0, NULL, 0)
PLAIN(handle, SYS_open_by_handle_at, 3, NULL, 0)
PLAIN(personality, SYS_personality, 0x0400000 /* READ_IMPLIES_EXEC */)
PLAIN(userfaultfd, SYS_userfaultfd, 0)
PLAIN(perf, SYS_perf_event_open, NULL, 0, -1, -1, 0)
PLAIN(keyctl, SYS_keyctl, 0, -3, 0)
PLAIN(prctl, SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0)
PLAIN(ioctl, SYS_ioctl, 0, 0x5412 /* TIOCSTI */, "x")
PLAIN(limit, SYS_prlimit64, 0, 4 /* RLIMIT_CORE */, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", NULL)

static const struct {
	const char *name;
	attempt_f *run;
} attempts[] = {
	{ "execve", try_execve },
	{ "execveat", try_execveat },
	{ "fork", try_fork },
	{ "clone3", try_clone3 },
	{ "ptrace", try_ptrace },
	{ "memory", try_memory },
	{ "kill", try_kill },
	{ "quit", try_quit },
	{ "tgkill", try_tgkill },
	{ "abort", try_abort },
	{ "connect", try_connect },
	{ "unix", try_unix },
	{ "syslog", try_syslog },
	{ "netlink", try_netlink },
	{ "raw", try_raw },
	{ "bind", try_bind },
	{ "protocol", try_protocol },
	{ "ping", try_ping },
	{ "tcp", try_tcp },
	{ "udp", try_udp },
	{ "layer", try_layer },
	{ "namespace", try_namespace },
	{ "x32", try_x32 },
	{ "i386", try_i386 },
	{ "code-key", try_code_key },
	{ "wide", try_wide },
	{ "memfd", try_memfd },
	{ "attach", try_attach },
	{ "handle", try_handle },
	{ "personality", try_personality },
	{ "read", try_read },
	{ "read-beneath", try_read_beneath },
	{ "write", try_write },
	{ "write-beneath", try_write_beneath },
	{ "overwrite", try_overwrite },
	{ "mkdir", try_mkdir },
	{ "remove", try_remove },
	{ "rename", try_rename },
	{ "list", try_list },
	{ "mprotect", try_mprotect },
	{ "mmap", try_mmap },
	{ "share", try_share },
	{ "thread", try_thread },
	{ "timer", try_timer },
	{ "uring", try_uring },
	{ "bpf", try_bpf },
	{ "setuid", try_setuid },
	{ "unshare", try_unshare },
	{ "chroot", try_chroot },
	{ "mount", try_mount },
	{ "userfaultfd", try_userfaultfd },
	{ "perf", try_perf },
	{ "keyctl", try_keyctl },
	{ "prctl", try_prctl },
	{ "ioctl", try_ioctl },
	{ "limit", try_limit },
};

static int content(void *state, struct lop_request *request)
{
	static const char prefix[] = "/hostile/";
	struct lop_str path = lop_request_path(request), query = lop_request_query(request);
	struct means means = { .root = lop_root_descriptor(lop_request_root(request)) };
	char argument[512], text[64];

	(void)state;
	if (path.length < sizeof(prefix) || memcmp(path.data, prefix, sizeof(prefix) - 1) != 0)
		return LOP_DECLINED;
	snprintf(argument, sizeof(argument), "%.*s", (int)query.length,
	         query.data != NULL ? query.data : "");
	means.argument = argument;
	path.data += sizeof(prefix) - 1;
	path.length -= sizeof(prefix) - 1;
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		long result;
		int error;

		if (strlen(attempts[i].name) != path.length ||
		    memcmp(attempts[i].name, path.data, path.length) != 0)
			continue;
		result = attempts[i].run(&means);
		error = errno;
		if (result >= 0)
			snprintf(text, sizeof(text), "done");
		else
			snprintf(text, sizeof(text), "no %d", error);
		result = lop_response_body_copy(request, text, strlen(text));
		return result < 0 ? (int)result : LOP_DONE;
	}
	return LOP_DECLINED;
}

static const struct lop_hook hooks[] = {
	LOP_HOOK(LOP_PHASE_CONTENT, LOP_PRIORITY_FIRST, "try something", content),
	LOP_HOOK_END,
};

LOP_EXPORT_MODULE = {
	LOP_MODULE_HEADER("hostile", "1.0", "tries what it must not do", NEEDS),
	.hooks = hooks,
};
