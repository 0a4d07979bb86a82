/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "upload.h"

#define CONTAINER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* The system is told to write out what it holds in steps of this size, so that the sync at the end
 * has little left to wait for. */
#define FLUSH_BYTES ((int64_t)16 * 1024 * 1024)

/* How old the sum of a folder's files may be. */
#define COUNTED_NS (INT64_C(10) * 1000000000)

int upload_below(const struct upload *upload, struct lop_str path)
{
	const size_t length = upload->folder_length;

	/* In any case of letters: the file system may not tell them apart. */
	if (path.length < length + 1 || path.data[0] != '/' ||
	    strncasecmp(path.data + 1, upload->folder, length) != 0)
		return 0;
	if (path.length == length + 1)
		return 1;
	if (path.data[length + 1] != '/')
		return 0;
	return path.length == length + 2 ? 1 : 2;
}

static bool is_linked(const struct lop_root *root, const char *folder)
{
	char path[FOLDER_MAX + 1];
	struct stat st;
	size_t end = 0;

	do {
		end += strcspn(folder + end, "/");
		memcpy(path, folder, end);
		path[end] = '\0';
		if (fstatat(lop_root_descriptor(root), path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISLNK(st.st_mode))
			return true;
	} while (folder[end++] != '\0');
	return false;
}

int upload_open_folder(const struct upload *upload, struct lop_root *root, struct lop_file **folder)
{
	if (upload->random && is_linked(root, upload->folder))
		return -ELOOP;
	return lop_root_open(root, upload->folder, folder);
}

int receive_new(struct upload *upload, struct lop_request *request, struct receive **receive)
{
	struct receive *made;
	struct lop_file *folder = NULL;
	int result = upload_open_folder(upload, lop_request_root(request), &folder);

	if (result == -ENOENT || result == -ENOTDIR)
		return 0;
	if (result < 0)
		return result;
	if (lop_file_stat(folder)->kind != LOP_FILE_FOLDER) {
		lop_file_release(&folder);
		return 0;
	}
	made = calloc(1, sizeof(*made));
	if (made == NULL || lop_request_set_state(request, upload, made) < 0) {
		free(made);
		lop_file_release(&folder);
		return -ENOMEM;
	}
	made->upload = upload;
	made->request = request;
	made->folder = folder;
	made->store.descriptor = -1;
	*receive = made;
	return 1;
}

static void receive_free(struct receive *receive)
{
	if (receive->request != NULL || receive->pending > 0)
		return;
	receive_close(receive, false);
	form_free(&receive->form);
	lop_file_release(&receive->folder);
	free(receive);
}

void receive_end(struct receive *receive)
{
	receive->request = NULL;
	receive_free(receive);
}

/* A job came back that the hook waits for. */
static void came_back(struct receive *receive)
{
	receive->pending--;
	if (receive->request != NULL)
		lop_request_wake(receive->request);
	else
		receive_free(receive);
}

static void submit(struct receive *receive, struct job *job)
{
	receive->pending++;
	thread_submit(receive->upload->thread, job);
}

/* The survey: leftovers of a killed process go, what lies there is added up */

static void survey_run(struct job *job)
{
	struct receive *receive = CONTAINER(job, struct receive, survey);

	receive->result = folder_survey(lop_file_descriptor(receive->folder),
	                                &receive->account.found);
}

static void survey_done(struct job *job)
{
	job->run = NULL; /* the hook sees that it has come back */
	came_back(CONTAINER(job, struct receive, survey));
}

/* The entry of a folder, made when there is none; *known says which. */
static struct upload_folder *folder_entry(struct upload *upload, const struct lop_stat *folder,
                                          bool *known)
{
	struct upload_folder *entry;

	for (unsigned i = 0; i < UPLOAD_FOLDERS; i++) {
		entry = &upload->folders[i];
		if (entry->device == folder->device && entry->inode == folder->inode) {
			*known = true;
			return entry;
		}
	}
	entry = &upload->folders[upload->next_folder];
	upload->next_folder = (upload->next_folder + 1) % UPLOAD_FOLDERS;
	*entry = (struct upload_folder){ .device = folder->device, .inode = folder->inode };
	*known = false;
	return entry;
}

int receive_survey(struct receive *receive, bool now)
{
	struct upload *upload = receive->upload;
	bool known;
	struct upload_folder *folder =
		folder_entry(upload, lop_file_stat(receive->folder), &known);

	receive->step = RECEIVE_SURVEY;
	if (known && upload->quota == NULL)
		return 0;
	/* What was stored since then is known; what others have changed may be some seconds old. */
	receive->remembered = known && !now && folder->counted != 0 &&
	                      lop_worker_now(upload->worker) - folder->counted < COUNTED_NS;
	if (receive->remembered) {
		receive->account = folder->account;
		return 0;
	}
	if (upload->quota != NULL)
		account_begin(upload->quota, &receive->account);
	receive->survey = (struct job){ .run = survey_run, .done = survey_done };
	submit(receive, &receive->survey);
	return 1;
}

/* A folder need not be readable to be written to; but who cannot be added up has no quota. */
int receive_surveyed(struct receive *receive)
{
	struct upload *upload = receive->upload;
	struct upload_folder *folder;
	bool known;

	if (upload->quota == NULL)
		return 0;
	if (receive->result < 0 || receive->remembered)
		return receive->result;
	folder = folder_entry(upload, lop_file_stat(receive->folder), &known);
	folder->counted = lop_worker_now(upload->worker);
	folder->account = receive->account;
	return 0;
}

/* One file */

int receive_open(struct receive *receive, int64_t length, bool digest)
{
	struct upload *upload = receive->upload;
	int result = 0;

	if (upload->max_size >= 0 && length > upload->max_size)
		return -EFBIG;
	if (upload->quota != NULL && length > 0)
		result = account_reserve(upload->quota, &receive->account, length);
	if (result == 0)
		result = store_open(&receive->store, receive->folder, length);
	if (result == 0 && digest)
		result = digest_new(&receive->digest);
	receive->flushed = 0;
	return result;
}

static void flush_run(struct job *job)
{
	struct receive *receive = CONTAINER(job, struct receive, flush);

	store_flush(receive->store.descriptor, receive->flush_from, receive->flush_length);
}

static void flush_done(struct job *job)
{
	struct receive *receive = CONTAINER(job, struct receive, flush);

	receive->flushing = false;
	receive->pending--;
	receive_free(receive);
}

static void flush(struct receive *receive)
{
	if (receive->flushing || receive->store.size - receive->flushed < FLUSH_BYTES)
		return;
	receive->flushing = true;
	receive->flush_from = receive->flushed;
	receive->flush_length = receive->store.size - receive->flushed;
	receive->flushed = receive->store.size;
	receive->flush = (struct job){ .run = flush_run, .done = flush_done };
	submit(receive, &receive->flush);
}

/* Whether so many bytes more may be stored. */
static int reserve(struct receive *receive, size_t length)
{
	struct upload *upload = receive->upload;
	int64_t size = receive->store.size + (int64_t)length;

	if (upload->max_size >= 0 && size > upload->max_size)
		return -EFBIG;
	return upload->quota != NULL ? account_reserve(upload->quota, &receive->account, size) : 0;
}

int receive_data(struct receive *receive, const char *data, size_t length)
{
	int result = reserve(receive, length);

	if (result == 0)
		result = store_write(&receive->store, data, length);
	if (result == 0 && receive->digest != NULL)
		result = digest_update(receive->digest, data, length);
	if (result == 0)
		flush(receive);
	return result;
}

void pipe_renew(struct upload *upload)
{
	for (int i = 0; i < 2; i++) {
		if (upload->pipe[i] >= 0)
			close(upload->pipe[i]);
		upload->pipe[i] = -1;
	}
#ifdef F_SETPIPE_SZ
	if (pipe2(upload->pipe, O_NONBLOCK | O_CLOEXEC) == 0)
		(void)fcntl(upload->pipe[1], F_SETPIPE_SZ, (int)UPLOAD_BUFFER);
#endif
}

/* What a file system that has no such way has left in the pipe goes by memory. */
static int copy_rest(struct receive *receive, size_t length)
{
	struct upload *upload = receive->upload;
	ssize_t count = read(upload->pipe[0], upload->buffer, length);

	receive->copies = true;
	if (count != (ssize_t)length)
		return -EIO;
	return store_write(&receive->store, upload->buffer, length);
}

ssize_t receive_splice(struct receive *receive, size_t size)
{
	struct upload *upload = receive->upload;
	const int64_t before = receive->store.size;
	ssize_t count;
	int result;

	if (receive->copies || receive->digest != NULL || upload->pipe[1] < 0)
		return -EOPNOTSUPP;
	count = lop_request_body_splice(receive->request, upload->pipe[1], size);
	receive->copies = count == -EOPNOTSUPP;
	/* What an error has left in the pipe is nobody's; least of all the next file's. */
	if (count < 0 && count != -EAGAIN && count != -EOPNOTSUPP)
		pipe_renew(upload);
	if (count <= 0)
		return count;
	result = reserve(receive, (size_t)count);
	if (result == 0)
		result = store_splice(&receive->store, upload->pipe[0], (size_t)count);
	if (result == -EOPNOTSUPP)
		result = copy_rest(receive, (size_t)(before + count - receive->store.size));
	if (result < 0) {
		pipe_renew(upload);
		return result;
	}
	flush(receive);
	return count;
}

int receive_digest(struct receive *receive)
{
	int result = 0;

	if (receive->digest != NULL)
		result = digest_end(receive->digest, receive->computed);
	digest_free(&receive->digest);
	return result;
}

static void commit_run(struct job *job)
{
	struct receive *receive = CONTAINER(job, struct receive, commit);

	receive->result = store_commit(&receive->store);
	if (receive->result == 0 && receive->upload->quota != NULL)
		account_end(receive->upload->quota, &receive->account, receive->store.size);
}

static void commit_done(struct job *job)
{
	job->run = NULL;
	came_back(CONTAINER(job, struct receive, commit));
}

void receive_commit(struct receive *receive)
{
	receive->step = RECEIVE_COMMIT;
	/* A job that never comes to run has failed. */
	receive->result = -EINTR;
	receive->commit = (struct job){ .run = commit_run, .done = commit_done };
	submit(receive, &receive->commit);
}

void receive_close(struct receive *receive, bool stored)
{
	if (!stored && receive->upload->quota != NULL)
		account_end(receive->upload->quota, &receive->account, 0);
	digest_free(&receive->digest);
	store_close(&receive->store);
}

static void tell(struct upload *upload, const char *advice, int error)
{
	const int64_t now = lop_worker_now(upload->worker);

	/* Who sends many must not fill the log. */
	if (upload->told != 0 && now - upload->told < INT64_C(1000000000))
		return;
	upload->told = now;
	lop_worker_message(upload->worker, LOP_LOG_ERROR, "upload: cannot store a file in %s: %s; %s",
	                   upload->folder, strerror(error), advice);
}

int receive_status(struct receive *receive, int error)
{
	switch (error) {
	case -EEXIST:
	case -EISDIR:
		return receive->none_match ? 412 : 409;
	case -ESTALE:
		return 412;
	case -EFBIG:
	case -EMSGSIZE:
		return 413;
	case -EINVAL:
	case -EBADMSG:
	case -ECONNRESET:
		return 400;
	case -ETIMEDOUT:
		return 408;
	case -EDQUOT:
		return 507;
	case -ENOSPC:
		tell(receive->upload, "make room on the disk", ENOSPC);
		return 507;
	case -EACCES:
	case -EPERM:
	case -EROFS:
		tell(receive->upload, receive->upload->quota != NULL
		             ? "let the server's user read and write there (chown, chmod)"
		             : "let the server's user write there (chown, chmod)", -error);
		return 403;
	default:
		tell(receive->upload, "look at the disk and the system's log", -error);
		return 500;
	}
}
