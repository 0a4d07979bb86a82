/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * autoindex from the inside: listings of folders that have no index.
 *
 * A *listing* is what one pass over a folder found; a *page* is one way to show it (order, filter,
 * format), rendered. Both are counted, both are made by tasks in slices of a millisecond, so that
 * a folder of a million entries holds up nobody. Requests for the same page wait for the same
 * work. The cache keeps listings, and with each the pages that were made of it, within a bound.
 *
 *   serve.c    request -> page -> response          module.c   options and life
 *   listing.c  the pass over the folder             kinds.c    kind by name, icons
 *   page.c     sort, filter, render                 store.c    a huge page becomes index.html
 *   html.c, machine.c  what the formats look like   walk.c     --autoindex-eager
 *   cache.c    what is kept, and for how long       text.c, sort.c, query.c  pure parts
 */
#ifndef AUTOINDEX_H
#define AUTOINDEX_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lophttpd/lophttpd.h>

#include "query.h"
#include "sort.h"
#include "text.h"

#define NS_PER_S INT64_C(1000000000)
#define INDEX_NAME "index.html"

enum kind {
	KIND_OTHER,
	KIND_FOLDER,
	KIND_PARENT, /* only for the icon */
	KIND_TEXT,
	KIND_IMAGE,
	KIND_AUDIO,
	KIND_VIDEO,
	KIND_ARCHIVE,
	KIND_PACKAGE,
	KIND_DISK,
	KIND_DOCUMENT,
	KIND_CODE,
	KIND_COUNT,
};

/* --- kinds.c ------------------------------------------------------------------------------------ */

extern const char *const kind_names[KIND_COUNT]; /* also of the icons' files */

#define ENDING_MAX 8 /* bytes */
#define ENDINGS_BITS 9
#define ENDINGS_SIZE (1u << ENDINGS_BITS) /* four times as many as there are */

struct ending {
	uint64_t number; /* 0: none */
	enum kind kind;
};

void kinds_prepare(struct ending table[ENDINGS_SIZE]);
enum kind kind_of(struct ending table[ENDINGS_SIZE], const char *name, size_t length);

struct icon {
	struct lop_memory *memory; /* NULL: not installed */
	char etag[24];
	int64_t modified; /* seconds since 1970 */
};

/* Reads the icons of a folder, before it is out of reach. Returns how many there are, or a
 * negative errno. */
int icons_read(struct icon icons[KIND_COUNT], const char *folder);
void icons_free(struct icon icons[KIND_COUNT]);
/* Hook for the reserved path. */
#define ICONS_PATH ".lophttpd/icons/"
int icons_serve(const struct icon icons[KIND_COUNT], struct lop_request *request);

/* --- listing.c ---------------------------------------------------------------------------------- */

struct entry {
	const char *name;
	int64_t size;
	int64_t modified; /* seconds since 1970 */
	uint16_t length;
	uint8_t kind;
	bool link;
};

enum listing_state {
	LISTING_SCANNING,
	LISTING_READY,
	LISTING_FAILED,
};

#define LISTING_BLOCK 1024u /* entries */

struct listing {
	uint32_t references;
	enum listing_state state;
	struct autoindex *autoindex;
	struct lop_root *root; /* NULL: only the walk needed it */
	bool is_default;       /* it is the worker's root, which may hide names */
	uint64_t root_device, root_inode;
	char *path; /* below the root: "" or "folder/" */
	size_t path_length;
	/* the folder when the pass began */
	uint64_t device, inode;
	int64_t mtime_ns, ctime_ns;
	int64_t begun;       /* ns of the worker's clock */
	int64_t believe;     /* so long is it used without another pass, ns */
	int64_t begun_wall;
	DIR *folder;         /* during the pass */
	struct entry **blocks;
	size_t count;
	char **names; /* blocks of names */
	size_t name_count, name_used, name_size;
	struct text header, readme; /* of --autoindex-readme */
	struct text hidden;         /* names that the root hides, each with its NUL; --autoindex-eager */
	bool has_index;
	size_t bytes;
	uint64_t hash;    /* of all that is shown */
	int64_t modified; /* the latest */
	size_t folder_count;
	size_t name_bytes;
	size_t prefix;      /* bytes with which all files' names begin */
	const char *file;   /* the name of one */
	uint64_t *keys;     /* natural_key() of each entry, while they are ordered by name; may be NULL */
	size_t keyed;
	bool keys_tried;
	struct sort sorts[SORT_COUNT];
	bool sort_begun[SORT_COUNT];
	struct page *pages; /* that are being made, or kept */
	/* cache.c */
	bool cached;
	size_t cached_bytes;
	struct listing *chain;
	struct listing *older, *newer;
};

/* Begins a pass over an open folder. */
int listing_new(struct autoindex *autoindex, struct lop_root *root, struct lop_str path,
                struct lop_file *folder, struct listing **listing);
struct listing *listing_retain(struct listing *listing);
void listing_release(struct listing **listing);
static inline const struct entry *listing_entry(const struct listing *listing, uint32_t index)
{
	return &listing->blocks[index / LISTING_BLOCK][index % LISTING_BLOCK];
}
/* A slice of the pass; what it ends with is in `state`. */
void listing_step(struct listing *listing);
/* A slice of sorting. Returns 1 when that order stands, 0 to come back, -ENOMEM. */
int listing_sort(struct listing *listing, enum sort_key key);

/* --- page.c ------------------------------------------------------------------------------------- */

/* Writes a page piece by piece. */
struct render {
	struct page *page; /* borrowed */
	bool fixed;        /* a file: without what only a server can do */
	enum { RENDER_HEAD, RENDER_ROWS, RENDER_TAIL, RENDER_END } at;
	size_t row;
	struct text text; /* made and not yet taken */
	size_t taken;
};

enum page_state {
	PAGE_SCAN,
	PAGE_SORT,
	PAGE_FILTER,
	PAGE_RENDER,
	PAGE_READY,
	PAGE_FAILED,
};

struct waiter {
	struct lop_request *request;
	struct page *page;
	struct waiter *next;
	bool waiting;
};

struct page {
	uint32_t references;
	enum page_state state;
	int status; /* when it failed */
	struct listing *listing;
	struct query query;
	struct lop_task *task;
	struct waiter *waiters;
	uint32_t *matches; /* of the filter, in order; NULL: all */
	size_t match_count, match_folders;
	uint32_t filtered; /* entries that were looked at */
	/* the beginning of the page, or all of it */
	struct lop_memory **chunks;
	size_t chunk_count, chunk_size;
	size_t bytes;
	bool whole;
	struct render render; /* goes on behind the chunks */
	char etag[40];
	bool kept;
	struct page *next;
};

#define CHUNK ((size_t)64 * 1024)

/* The page of a listing for a query, found or begun; the caller holds a reference. */
int page_get(struct listing *listing, const struct query *query, struct page **page);
struct page *page_retain(struct page *page);
/* One that nobody waits for any more is not finished. */
void page_release(struct page **page);
size_t page_count(const struct page *page);
/* The row-th entry to show. */
const struct entry *page_entry(const struct page *page, size_t row);

/* Writes the next bytes: > 0, 0 the end, -ENOMEM. */
ssize_t render_fill(struct render *render, char *buffer, size_t size);
/* A copy that goes on from the same place. Returns 0 or -ENOMEM. */
int render_copy(const struct render *render, struct render *copy);
void render_free(struct render *render);

/* html.c and machine.c: head, a row, and what follows the last. */
struct format {
	const char *type;
	void (*head)(const struct render *render, struct text *text);
	void (*row)(const struct render *render, size_t row, struct text *text);
	void (*tail)(const struct render *render, struct text *text);
};
extern const struct format format_html, format_json, format_text;
const struct format *format_of(enum query_format format);

/* --- cache.c ------------------------------------------------------------------------------------ */

struct cache {
	struct listing *buckets[256]; /* by device and inode of the folder */
	struct listing *oldest, *newest;
	size_t bytes;
	size_t bytes_max;
};

/* The listing of a folder, found or begun; the caller holds a reference. */
int cache_get(struct autoindex *autoindex, struct lop_root *root, struct lop_str path,
              struct lop_file *folder, struct listing **listing);
/* To be called when a listing or its pages have grown: keeps the bound. */
void cache_account(struct cache *cache, struct listing *listing);
/* To be called when a page of the listing was taken away. */
void cache_page_gone(struct listing *listing);
void cache_clear(struct cache *cache);

/* --- store.c ------------------------------------------------------------------------------------ */

/* Writes the page as index.html into its folder, in the background. Does nothing when that is not
 * possible. */
void store_begin(struct page *page);
void store_abandon(struct autoindex *autoindex);

/* --- walk.c ------------------------------------------------------------------------------------- */

int walk_begin(struct autoindex *autoindex);
void walk_end(struct autoindex *autoindex);

/* --- the module --------------------------------------------------------------------------------- */

struct autoindex {
	/* options */
	char *base;
	char *icon_folder;
	size_t limit;
	bool eager;
	bool hidden;
	bool readme;
	bool quiet;
	struct lop_core *core;
	struct icon icons[KIND_COUNT];
	bool has_icons;
	struct ending endings[ENDINGS_SIZE];
	/* in a worker */
	struct lop_worker *worker;
	struct cache cache;
	struct walk *walk;
	struct store *stores;
};

extern const struct lop_hook serve_hooks[];

/* Whether the slice that began at `since` is over. */
int64_t slice_begin(void);
bool slice_over(int64_t since);

#endif
