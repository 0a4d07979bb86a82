/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the log files are, and opening them: at start, and again on HUP, from inside a chroot too.
 *
 * Files are opened for appending. A new one gets mode 0640 and belongs to the worker's user; one
 * that exists keeps its owner. As root, where others than root can write to the folder, a symbolic
 * or a hard link in the file's place is refused: it would lead root's hand.
 *
 * A log lies outside the web root. Under another name, by a hard link, a file that is being written
 * may still be inside: so each worker knows what all of them write to, and serves none of it.
 */
#ifndef LOG_OPEN_H
#define LOG_OPEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct log_identity;
struct stat;

struct log_target {
	char *path;    /* absolute, or "-" for standard error; the module's name when it needs no
	                * file */
	char *name;    /* its last component, within path */
	int folder;    /* descriptor of its folder, -1 when none is held. It leads out of a
	                * chroot: a worker whose master opens its logs (control.h) closes it */
	bool many;     /* PATH.N for worker N */
	bool none;     /* no file: -q, or the provider needs none */
	bool readable; /* the provider wants to read what it writes */
	bool chrooted; /* the folder is outside of this process's root */
	int workers;
	struct log_identity *open; /* what each worker's log is, in memory that all of them share; NULL:
	                            * it may be served */
};

struct lop_core;

/* Fills core->log from the settings and the loaded provider: the default file, "-", a relative path
 * against the current folder. Opens the folder. Returns 0, or a negative errno after a message:
 * -EINVAL when the file would lie inside the web root and that was not asked for. Modules are loaded and core->root stands. */
int log_target_init(struct lop_core *core, int workers);

/* As far as that goes without opening anything: what is not there is found at the start only. */
int log_target_test(struct lop_core *core, int workers);

/* Opens the file of one worker, for the user uid and the group gid, -1 when they do not change.
 * Returns a descriptor (never 0 to 2), or a negative errno: -ENXIO a pipe nobody reads or a socket,
 * -ELOOP a link that is refused, -EXDEV one that a chroot leads astray, -EEXIST one that leads
 * nowhere. "-" gives a duplicate of standard error. */
int log_target_open(const struct log_target *target, int worker, uid_t uid, gid_t gid);

/* The same as the process that starts workers: for the user that they will be, and what fails is
 * said. */
int log_target_start(struct lop_core *core, int worker);
/* And once more on HUP, when a worker has its old one. */
int log_target_reopen(struct lop_core *core, int worker);

/* Why it did not open, for a message. error: what log_target_open returned. */
const char *log_target_reason(int error);

/* Path with the worker's suffix, into out. */
void log_target_path(const struct log_target *target, int worker, char *out, size_t size);

/* The worker writes its log to this from now on. */
void log_target_note(struct log_target *target, int worker, const struct stat *st);
/* Whether a worker writes its log to this file. */
bool log_target_is_open(const struct log_target *target, uint64_t device, uint64_t inode);

/* Closes the folder; path and name stay for messages. */
void log_target_close(struct log_target *target);
void log_target_fini(struct log_target *target);

#endif
