/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A module: a shared object that exports one object named lop_module.
 *
 * Life: the file is opened (-M) -> `init` makes the module's state -> `set` of each option that
 * the user gave -> the stages in order -> `fini`. With several workers, everything up to BOUND
 * happens once in the master (as root when started so) and the rest in each worker after fork, so
 * a worker works on its own copy of the state. `fini` runs in every process that exits in good
 * order. DRAIN, EXIT and `fini` run in reverse order of loading.
 *
 * The first fields of struct lop_module, `magic` to `needs`, are frozen for ever. Every struct that
 * a module fills begins with its own size and only grows at the end; arrays of such structs end
 * with an entry of size 0.
 */
#ifndef LOPHTTPD_MODULE_H
#define LOPHTTPD_MODULE_H

#include <lophttpd/base.h>

LOP_BEGIN_DECLS

#define LOP_MODULE_MAGIC 0x4c4f504du /* "LOPM" */
#define LOP_ABI_MAJOR 1              /* must be equal */
#define LOP_ABI_MINOR 0              /* the module's may not be newer than the core's */

enum lop_stage {
	LOP_STAGE_CONFIGURED = 1, /* options are set; a negative errno ends the start */
	LOP_STAGE_BOUND,          /* listeners are bound; still privileged: open keys, paths */
	LOP_STAGE_UNPRIVILEGED,   /* chroot and user are dropped; the sandbox closes after it */
	LOP_STAGE_WORKER,         /* in the worker, its loop is about to run; worker is not NULL */
	LOP_STAGE_REOPEN,         /* HUP: read certificates and maps again, keep the old if bad; first
	                           * with worker NULL in the process that watches over the workers,
	                           * whose rights are those of BOUND, then in each worker */
	LOP_STAGE_REFRESH,        /* USR1: drop caches, rebuild indexes */
	LOP_STAGE_DRAIN,          /* no new connection will come */
	LOP_STAGE_EXIT,           /* the loop has ended; flush */
};

/* What a module does: the sandbox allows the union of what the loaded modules declare. */
#define LOP_NEEDS_READ_FILES (UINT64_C(1) << 0)  /* open and read below a root */
#define LOP_NEEDS_WRITE_FILES (UINT64_C(1) << 1) /* create, write, link, rename below a root */
#define LOP_NEEDS_LIST_DIRS (UINT64_C(1) << 2)   /* getdents */
#define LOP_NEEDS_CONNECT (UINT64_C(1) << 3)     /* outgoing sockets */
#define LOP_NEEDS_MAP_SHARED (UINT64_C(1) << 4)  /* shared file mappings */
#define LOP_NEEDS_AIO (UINT64_C(1) << 5)         /* POSIX aio and the threads it makes */
#define LOP_NEEDS_LOG_WRITE (UINT64_C(1) << 6)   /* write and truncate the log's descriptor */
#define LOP_NEEDS_THREADS (UINT64_C(1) << 7)
#define LOP_NEEDS_CLOCK (UINT64_C(1) << 8) /* timerfd, sleeping; struct lop_timer needs none */
#define LOP_NEEDS_ENCRYPT (UINT64_C(1) << 9) /* what TLS libraries call, and the kernel's TLS */

/* Takes the value (NULL for an option without argument). On a bad value writes one line that
 * says what would be right into error, and returns a negative errno. */
typedef int lop_option_set_f(void *state, const char *value, char *error, size_t error_size);

struct lop_option {
	uint32_t size;        /* sizeof(struct lop_option); 0 ends the array */
	int32_t letter;       /* short form, or 0 */
	const char *name;     /* long form without dashes */
	const char *argument; /* e.g. "DIR"; NULL when it takes none */
	const char *help;     /* one line for --help and the manual page */
	lop_option_set_f *set;
};

#define LOP_OPTION(letter_, name_, argument_, help_, set_)                                         \
	{ .size = sizeof(struct lop_option), .letter = (letter_), .name = (name_),                 \
	  .argument = (argument_), .help = (help_), .set = (set_) }
#define LOP_OPTION_END { .size = 0 }

/* Makes the module's state; what it stores in *state is handed to everything else. Returns 0 or
 * a negative errno. */
typedef int lop_init_f(struct lop_core *core, void **state);
/* worker is NULL before LOP_STAGE_WORKER. */
typedef int lop_stage_f(void *state, enum lop_stage stage, struct lop_worker *worker);
typedef void lop_fini_f(void *state);

/* Not 0 when the user asked that nothing be written to disk (-q). */
LOP_API int lop_core_quiet(const struct lop_core *core);
/* The server's web root, from BOUND on. */
LOP_API struct lop_root *lop_core_root(const struct lop_core *core);

/* ALPN identifiers of the protocols that the process speaks, by index from 0, the preferred first:
 * those of the modules in order of loading, then the core's own. NULL past the last. From
 * CONFIGURED on. */
LOP_API const char *lop_core_protocol(const struct lop_core *core, size_t index);

/* In CONFIGURED: has the process listen with a transport ("plain") on another port of each address
 * that it listens on with the transport `beside`. The owner, any pointer but NULL, is what
 * lop_connection_listener() tells of connections that come there. -ENOMEM. */
LOP_API int lop_core_listen(struct lop_core *core, uint16_t port, const char *transport,
                            const char *beside, void *owner);
/* The port of the first listener with that transport, 0 when there is none. From BOUND on. */
LOP_API uint16_t lop_core_port(const struct lop_core *core, const char *transport);

/* In CONFIGURED or BOUND: looks at a file again and again, and runs REOPEN as for HUP when it was
 * changed or replaced. The path is copied. -ENOMEM. */
LOP_API int lop_core_watch(struct lop_core *core, const char *path);

struct lop_hook;
struct lop_log_provider;
struct lop_transport;
struct lop_protocol;
struct lop_sandbox;

struct lop_module {
	/* frozen */
	uint32_t magic; /* LOP_MODULE_MAGIC */
	uint32_t size;  /* sizeof(struct lop_module) */
	uint16_t abi_major;
	uint16_t abi_minor;
	uint32_t reserved;   /* 0 */
	const char *name;    /* as in -M */
	const char *version; /* the module's own */
	const char *summary; /* one line for --list-modules */
	uint64_t needs;      /* LOP_NEEDS_... */
	/* grows at the end; each may be NULL */
	const struct lop_option *options;
	lop_init_f *init;
	lop_stage_f *stage;
	lop_fini_f *fini;
	const struct lop_hook *hooks;
	const struct lop_log_provider *log;
	const struct lop_transport *transport;
	const struct lop_protocol *protocol;
	const struct lop_sandbox *sandbox;
};

/* The head of every module: LOP_MODULE_HEADER("name", "1.0", "summary", needs), */
#define LOP_MODULE_HEADER(name_, version_, summary_, needs_)                                       \
	.magic = LOP_MODULE_MAGIC, .size = sizeof(struct lop_module), .abi_major = LOP_ABI_MAJOR,  \
	.abi_minor = LOP_ABI_MINOR, .reserved = 0, .name = (name_), .version = (version_),         \
	.summary = (summary_), .needs = (needs_)

/* Declares the exported object; write `LOP_EXPORT_MODULE = { LOP_MODULE_HEADER(...), ... };` */
#ifdef __cplusplus
#define LOP_EXPORT_MODULE extern "C" LOP_API const struct lop_module lop_module
#else
#define LOP_EXPORT_MODULE                                                                          \
	extern LOP_API const struct lop_module lop_module;                                         \
	const struct lop_module lop_module
#endif

LOP_END_DECLS

#endif
