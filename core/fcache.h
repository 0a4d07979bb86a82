/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file cache of a worker: path -> what is served under it.
 *
 * An entry holds the open file or, for a small one, its bytes; the validators; the fields of the
 * response; and room for the protocol's finished head right before the bytes. What is not there is
 * remembered too. An entry is believed for --cache-check (at most a second), then looked at again with one
 * system call; it is bounded by count, bytes and descriptors, and what nobody asks for is let go of,
 * so that an idle server holds nothing.
 */
#ifndef FCACHE_H
#define FCACHE_H

#include <stdbool.h>
#include <stdint.h>

#include <lophttpd/file.h>

#include "date.h"
#include "list.h"
#include "request.h"

#define FCACHE_MAGIC 0x46434143u
#define FCACHE_FIELDS 5
#define FCACHE_ETAG_MAX 96

enum fcache_kind {
	FCACHE_FILE,
	FCACHE_FOLDER,   /* without an index; the path ends in '/' */
	FCACHE_REDIRECT, /* a folder whose path does not end in '/' */
	FCACHE_ERROR,    /* status says what */
};

/* Order of an entry's fields: those of a 304 come first. */
enum fcache_field {
	FCACHE_FIELD_ETAG,
	FCACHE_FIELD_MODIFIED,
	FCACHE_FIELD_RANGES,
	FCACHE_FIELD_TYPE,
	FCACHE_FIELD_NOSNIFF,
};

struct fcache_entry {
	uint32_t magic;
	uint32_t references;
	uint64_t hash;
	struct fcache_entry *chain; /* next in the bucket */
	struct list age;            /* in the cache's list, oldest first */
	enum fcache_kind kind;
	int status;       /* of FCACHE_ERROR */
	bool cached;      /* reachable by its key */
	bool used;        /* since somebody looked for something to drop */
	bool wanted;      /* in memory, if it is asked for again */
	uint32_t root;    /* id */
	int64_t checked;  /* ns of the worker's clock */
	bool fresh;       /* changed so shortly before it was read that its times may not tell a
	                   * later change */
	struct lop_stat stat;
	struct lop_file *file; /* NULL when the bytes are in memory */
	struct rendered rendered;
	int64_t size;     /* of the representation in bytes, -1 unknown */
	bool ranges;      /* parts of it can be asked for */
	bool validators;  /* it has an ETag and a Last-Modified */
	unsigned first_field;
	unsigned field_count;
	struct response_field fields[FCACHE_FIELDS];
	int64_t modified_second; /* Last-Modified: never in the future, RFC 9110 8.8.2.1 */
	char etag[FCACHE_ETAG_MAX];
	char modified[DATE_LENGTH];
	const char *name;  /* what was opened, relative to the root: with the index's name */
	size_t key_length;
	char key[];        /* path, NUL; then name, if it is another */
};

struct lop_worker;

/* NULL when memory is out. */
struct fcache *fcache_new(struct lop_worker *worker);
void fcache_free(struct fcache **cache);

/* The entry for a path (as lop_request_path()), looked up or made; the caller holds a
 * reference. NULL when memory is out. */
struct fcache_entry *fcache_get(struct fcache *cache, struct lop_root *root, struct lop_str path);
/* An entry that a connection which copies is going to send: from the second time on its bytes are in
 * memory, within the bounds. Takes the caller's reference and returns one, perhaps of another entry. */
struct fcache_entry *fcache_keep(struct fcache *cache, struct lop_root *root,
                                 struct fcache_entry *entry);
/* A release function for response_hold(). */
void fcache_release(void *entry);

/* Forgets everything (what is being sent goes on). */
void fcache_clear(struct fcache *cache);
/* Gives descriptors back; returns how many. */
unsigned fcache_close_files(struct fcache *cache);

#endif
