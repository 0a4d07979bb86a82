/* SPDX-License-Identifier: BSD-2-Clause */
#include "autoindex.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME_BLOCK ((size_t)64 * 1024)
#define NOTE_MAX ((size_t)64 * 1024) /* of HEADER.html and README */
#define BELIEVE_MAX (60 * NS_PER_S)
#define SLICE_NS INT64_C(1000000)
#define SORT_MOVES 1024

int64_t slice_begin(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

bool slice_over(int64_t since)
{
	return slice_begin() - since >= SLICE_NS;
}

int listing_new(struct autoindex *autoindex, struct lop_root *root, struct lop_str path,
                struct lop_file *folder, struct listing **listing)
{
	const struct lop_stat *stat = lop_file_stat(folder);
	struct listing *made;
	struct stat st;
	int descriptor, result;

	if (fstat(lop_root_descriptor(root), &st) < 0)
		return -errno;
	made = calloc(1, sizeof(*made));
	if (made == NULL)
		return -ENOMEM;
	made->references = 1;
	made->autoindex = autoindex;
	made->root = lop_root_retain(root);
	made->is_default = root == lop_worker_root(autoindex->worker);
	made->root_device = (uint64_t)st.st_dev;
	made->root_inode = (uint64_t)st.st_ino;
	made->path = strndup(path.data, path.length);
	made->path_length = path.length;
	made->device = stat->device;
	made->inode = stat->inode;
	made->mtime_ns = stat->mtime_ns;
	made->ctime_ns = stat->ctime_ns;
	made->modified = stat->mtime_ns / NS_PER_S;
	made->begun = lop_worker_now(autoindex->worker);
	made->begun_wall = lop_worker_wall(autoindex->worker);
	result = -ENOMEM;
	if (made->path == NULL)
		goto fail;
	/* A position of its own; the folder itself was reached below the root. */
	descriptor = openat(lop_file_descriptor(folder), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (descriptor >= 0) {
		made->folder = fdopendir(descriptor);
		if (made->folder == NULL)
			close(descriptor);
	}
	if (made->folder == NULL) {
		result = -errno;
		goto fail;
	}
	*listing = made;
	return 0;
fail:
	listing_release(&made);
	return result;
}

struct listing *listing_retain(struct listing *listing)
{
	listing->references++;
	return listing;
}

void listing_release(struct listing **listing)
{
	struct listing *gone = *listing;

	*listing = NULL;
	if (gone == NULL || --gone->references > 0)
		return;
	if (gone->folder != NULL)
		closedir(gone->folder);
	for (int i = 0; i < SORT_COUNT; i++)
		sort_free(&gone->sorts[i]);
	for (size_t i = 0; i * LISTING_BLOCK < gone->count; i++)
		free(gone->blocks[i]);
	for (size_t i = 0; i < gone->name_count; i++)
		free(gone->names[i]);
	free(gone->blocks);
	free(gone->names);
	free(gone->keys);
	text_free(&gone->header);
	text_free(&gone->readme);
	text_free(&gone->hidden);
	lop_root_release(&gone->root);
	free(gone->path);
	free(gone);
}

/* --- the pass ----------------------------------------------------------------------------------- */

static uint64_t hash_word(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

static uint64_t hash_bytes(uint64_t hash, const char *bytes, size_t length)
{
	uint64_t word;

	hash = hash_word(hash, length);
	for (; length >= sizeof(word); bytes += sizeof(word), length -= sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		hash = hash_word(hash, word);
	}
	word = 0;
	for (size_t i = 0; i < length; i++)
		word = word << 8 | (unsigned char)bytes[i];
	return hash_word(hash, word);
}

/* Does not depend on the order in which entries come. */
static void hash_entry(struct listing *listing, const struct entry *entry)
{
	uint64_t hash = hash_bytes(entry->kind, entry->name, entry->length);

	hash = hash_word(hash, (uint64_t)entry->size);
	listing->hash += hash_word(hash, (uint64_t)entry->modified);
}

/* The arrays of pointers grow by doubling; the blocks never move. */
static void *grow_array(void *array, size_t used, size_t size)
{
	if (used >= 8 && (used & (used - 1)) != 0)
		return array;
	return realloc(array, (used < 8 ? 8 : used * 2) * size);
}

static const char *keep_name(struct listing *listing, const char *name, size_t length)
{
	char *kept;

	if (length + 1 > listing->name_size - listing->name_used) {
		char **names = grow_array(listing->names, listing->name_count, sizeof(char *));

		if (names == NULL)
			return NULL;
		listing->names = names;
		/* The first is small: most folders are. */
		listing->name_size = listing->name_count == 0 ? 2048 : NAME_BLOCK;
		names[listing->name_count] = malloc(listing->name_size);
		if (names[listing->name_count] == NULL) {
			listing->name_size = listing->name_used = 0;
			return NULL;
		}
		listing->name_count++;
		listing->name_used = 0;
		listing->bytes += listing->name_size;
	}
	kept = listing->names[listing->name_count - 1] + listing->name_used;
	memcpy(kept, name, length + 1);
	listing->name_used += length + 1;
	return kept;
}

static void narrow_prefix(struct listing *listing, const struct entry *entry)
{
	if (listing->file == NULL) {
		listing->file = entry->name;
		listing->prefix = entry->length;
	}
	if (listing->prefix > entry->length)
		listing->prefix = entry->length;
	while (listing->prefix > 0 &&
	       memcmp(listing->file, entry->name, listing->prefix) != 0)
		listing->prefix--;
}

static int add_entry(struct listing *listing, const struct entry *entry)
{
	const size_t at = listing->count % LISTING_BLOCK;
	struct entry *kept;

	if (listing->count >= UINT32_MAX)
		return -ENOMEM;
	if (at == 0) {
		size_t block = listing->count / LISTING_BLOCK;
		struct entry **blocks =
			grow_array(listing->blocks, block, sizeof(struct entry *));

		if (blocks == NULL)
			return -ENOMEM;
		listing->blocks = blocks;
		blocks[block] = malloc(LISTING_BLOCK * sizeof(struct entry));
		if (blocks[block] == NULL)
			return -ENOMEM;
		listing->bytes += LISTING_BLOCK * sizeof(struct entry);
	}
	kept = &listing->blocks[listing->count / LISTING_BLOCK][at];
	*kept = *entry;
	listing->count++;
	kept->name = keep_name(listing, entry->name, entry->length);
	if (kept->name == NULL) {
		kept->name = "";
		kept->length = 0;
		return -ENOMEM;
	}
	if (entry->kind == KIND_FOLDER)
		listing->folder_count++;
	else
		narrow_prefix(listing, kept);
	listing->name_bytes += entry->length;
	if (entry->modified > listing->modified)
		listing->modified = entry->modified;
	hash_entry(listing, kept);
	return 0;
}

/* What a link leads to, when that is inside the root and is served. Returns 1, or 0. */
static int follow(struct listing *listing, struct entry *entry)
{
	char path[PATH_MAX];
	struct lop_file *file;
	const struct lop_stat *stat;

	if (listing->path_length + entry->length >= sizeof(path))
		return 0;
	memcpy(path, listing->path, listing->path_length);
	memcpy(path + listing->path_length, entry->name, (size_t)entry->length + 1);
	if (lop_root_open(listing->root, path, &file) < 0)
		return 0;
	stat = lop_file_stat(file);
	entry->link = true;
	entry->size = stat->size;
	entry->modified = stat->mtime_ns / NS_PER_S;
	if (stat->kind == LOP_FILE_FOLDER)
		entry->kind = KIND_FOLDER;
	lop_file_release(&file);
	return 1;
}

/* Fills the rest of an entry that has its name. Returns 1, or 0 when it is not to be listed. */
static int examine(struct listing *listing, struct entry *entry)
{
	struct stat st;

	if (fstatat(dirfd(listing->folder), entry->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	entry->size = (int64_t)st.st_size;
	entry->modified = (int64_t)st.st_mtime;
	entry->kind = (uint8_t)(S_ISDIR(st.st_mode) ? KIND_FOLDER
	                                            : kind_of(listing->autoindex->endings,
	                                                      entry->name, entry->length));
	/* The size of a device is known to who opens it. */
	if (S_ISLNK(st.st_mode) || S_ISBLK(st.st_mode))
		return follow(listing, entry);
	return S_ISDIR(st.st_mode) || S_ISREG(st.st_mode);
}

static bool is_listed(struct listing *listing, const char *name)
{
	if (name[0] == '.' && (!listing->autoindex->hidden || name[1] == '\0' ||
	                       (name[1] == '.' && name[2] == '\0')))
		return false;
	if (listing->path_length > 0 || !lop_root_hides(listing->root, name))
		return true;
	if (listing->autoindex->eager)
		text_add(&listing->hidden, name, strlen(name) + 1);
	return false;
}

static int take_name(struct listing *listing, const char *name)
{
	struct entry entry = { .name = name };
	size_t length = strlen(name);

	if (length > UINT16_MAX || !is_listed(listing, name))
		return 0;
	entry.length = (uint16_t)length;
	if (strcmp(name, INDEX_NAME) == 0)
		listing->has_index = true;
	return examine(listing, &entry) ? add_entry(listing, &entry) : 0;
}

/* Reads a small file of the folder; not there, or not readable: there is no note. */
static void read_note(struct listing *listing, const char *name, struct text *text)
{
	char path[PATH_MAX], *buffer;
	struct lop_file *file;
	ssize_t count;

	if (text->length > 0 || listing->path_length + strlen(name) >= sizeof(path))
		return;
	memcpy(path, listing->path, listing->path_length);
	strcpy(path + listing->path_length, name);
	if (lop_root_open(listing->root, path, &file) < 0)
		return;
	buffer = malloc(NOTE_MAX);
	if (buffer != NULL && lop_file_stat(file)->kind == LOP_FILE_REGULAR) {
		count = pread(lop_file_descriptor(file), buffer, NOTE_MAX, 0);
		if (count > 0)
			text_add(text, buffer, (size_t)count);
	}
	free(buffer);
	lop_file_release(&file);
}

static void finish(struct listing *listing)
{
	struct autoindex *autoindex = listing->autoindex;
	int64_t cost = slice_begin() - listing->begun;

	closedir(listing->folder);
	listing->folder = NULL;
	if (autoindex->readme) {
		read_note(listing, "HEADER.html", &listing->header);
		read_note(listing, "README", &listing->readme);
		read_note(listing, "README.md", &listing->readme);
		read_note(listing, "README.txt", &listing->readme);
		listing->hash = hash_bytes(listing->hash, listing->header.data,
		                           listing->header.length);
		listing->hash = hash_bytes(listing->hash, listing->readme.data,
		                           listing->readme.length);
		listing->bytes += listing->header.size + listing->readme.size;
	}
	listing->bytes += listing->hidden.size;
	/* Entries that grow do not change the folder's times, so no listing is believed for long;
	 * but the longer the pass took, the longer. One that the folder may have changed under
	 * within a tick of its clock is believed for the least time. */
	listing->believe = NS_PER_S;
	if (listing->begun_wall - listing->mtime_ns > 2 * NS_PER_S && cost > 0)
		listing->believe += cost < BELIEVE_MAX / 50 ? cost * 50 : BELIEVE_MAX;
	listing->bytes += sizeof(*listing) + listing->count * sizeof(uint32_t);
	listing->state = LISTING_READY;
}

void listing_step(struct listing *listing)
{
	const int64_t since = slice_begin();

	for (unsigned i = 1; listing->state == LISTING_SCANNING; i++) {
		const struct dirent *found;

		errno = 0;
		found = readdir(listing->folder);
		if (found == NULL && errno == 0) {
			finish(listing);
		} else if (found == NULL || take_name(listing, found->d_name) < 0) {
			closedir(listing->folder);
			listing->folder = NULL;
			listing->state = LISTING_FAILED;
		} else if (i % 32 == 0 && slice_over(since)) {
			break;
		}
	}
}

/* --- orders ------------------------------------------------------------------------------------- */

static int folders_first(const struct entry *a, const struct entry *b)
{
	return (b->kind == KIND_FOLDER) - (a->kind == KIND_FOLDER);
}

/* Makes the keys for the order of names, folders before files. Returns true when all are there, or
 * memory for them is not. */
static bool make_keys(struct listing *listing, int64_t since)
{
	if (!listing->keys_tried) {
		listing->keys_tried = true;
		listing->keys = malloc((listing->count + 1) * sizeof(*listing->keys));
		/* A number is compared as a whole. */
		while (listing->prefix > 0 && listing->file[listing->prefix - 1] >= '0' &&
		       listing->file[listing->prefix - 1] <= '9')
			listing->prefix--;
	}
	for (; listing->keys != NULL && listing->keyed < listing->count; listing->keyed++) {
		const struct entry *entry = listing_entry(listing, (uint32_t)listing->keyed);
		const bool folder = entry->kind == KIND_FOLDER;
		const size_t skip = folder ? 0 : listing->prefix;

		if (listing->keyed % 256 == 255 && slice_over(since))
			return false;
		listing->keys[listing->keyed] =
			natural_key(entry->name + skip, entry->length - skip) >> 1 |
			(uint64_t)!folder << 63;
	}
	return true;
}

static int by_name(const void *context, uint32_t first, uint32_t second)
{
	const uint64_t *keys = ((const struct listing *)context)->keys;

	if (keys != NULL && keys[first] != keys[second])
		return keys[first] < keys[second] ? -1 : 1;

	const struct entry *a = listing_entry(context, first), *b = listing_entry(context, second);
	int result = folders_first(a, b);

	return result != 0 ? result : natural_compare(a->name, a->length, b->name, b->length);
}

static int by_size(const void *context, uint32_t first, uint32_t second)
{
	const struct entry *a = listing_entry(context, first), *b = listing_entry(context, second);
	int result = folders_first(a, b);

	/* That of a folder says nothing. */
	if (result != 0 || a->kind == KIND_FOLDER)
		return result;
	return (a->size > b->size) - (a->size < b->size);
}

static int by_time(const void *context, uint32_t first, uint32_t second)
{
	const struct entry *a = listing_entry(context, first), *b = listing_entry(context, second);
	int result = folders_first(a, b);

	return result != 0 ? result : (a->modified > b->modified) - (a->modified < b->modified);
}

static sort_compare_f *const compares[SORT_COUNT] = {
	[SORT_NAME] = by_name,
	[SORT_SIZE] = by_size,
	[SORT_TIME] = by_time,
};

int listing_sort(struct listing *listing, enum sort_key key)
{
	const int64_t since = slice_begin();
	struct sort *sort = &listing->sorts[key];
	const uint32_t *from = NULL;
	int result;

	/* The others begin with the order of names, so that this is what decides between equals. */
	if (key != SORT_NAME) {
		result = listing_sort(listing, SORT_NAME);
		if (result != 1)
			return result;
		from = listing->sorts[SORT_NAME].order;
	}
	if (key == SORT_NAME && !sort->done && !make_keys(listing, since))
		return 0;
	if (!listing->sort_begun[key]) {
		result = sort_begin(sort, from, listing->count);
		if (result < 0)
			return result;
		listing->sort_begun[key] = true;
		if (key != SORT_NAME)
			listing->bytes += listing->count * sizeof(uint32_t);
	}
	while (!sort_step(sort, compares[key], listing, SORT_MOVES)) {
		if (slice_over(since))
			return 0;
	}
	free(listing->keys);
	listing->keys = NULL;
	return 1;
}
