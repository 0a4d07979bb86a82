/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file on its way to disk. It has no name until it is whole and synced (O_TMPFILE); where the
 * file system or the process's place (a chroot on an older kernel) does not allow that, it has a
 * hidden name, locked by its writer, so that one left by a killed process is known by its missing
 * lock and removed.
 *
 * Functions return 0 or a negative errno. store_commit(), store_flush() and folder_survey() wait
 * for the disk: they are for the helper thread, and touch nothing but their arguments.
 */
#ifndef UPLOAD_STORE_H
#define UPLOAD_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include <lophttpd/file.h>

#include "names.h"

struct store {
	struct lop_file *folder; /* holds a reference */
	int descriptor;
	int64_t size;
	char temporary[sizeof(NAME_TEMPORARY) + NAME_TOKEN_LENGTH]; /* empty: it has no name */
	bool by_proc;            /* the name is given by way of /proc */
	/* what commit is to do */
	char name[NAME_SIZE];
	bool replace;            /* a file of that name may be replaced */
	bool expected;           /* only if it is still this one */
	struct stat expect;
	bool replaced;           /* set by commit */
};

/* -ENOSPC when the disk has no room for `length` bytes (-1: not known). */
int store_open(struct store *store, struct lop_file *folder, int64_t length);
int store_write(struct store *store, const char *data, size_t length);
/* Appends what a pipe holds, without copying it through this process: length bytes, of which those that
 * an error has left stay in the pipe. -EOPNOTSUPP: the file system cannot do that. */
int store_splice(struct store *store, int pipe, size_t length);
/* Has the system begin to write out what lies in memory. */
void store_flush(int descriptor, int64_t offset, int64_t length);
/* Syncs and gives the name. -EEXIST, -ESTALE: not the expected one any more. */
int store_commit(struct store *store);
/* Closes, and removes what is not committed. */
void store_close(struct store *store);

/* Removes what a killed process left in a folder, and adds up its files. */
int folder_survey(int folder, int64_t *bytes);

#endif
