/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * upload: takes files in.
 *
 *   lhttpd -U incoming -R /srv/www/htdocs
 *   curl --upload-file picture.png http://localhost/
 *
 * stores the file as /srv/www/htdocs/incoming/picture.png.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "upload.h"

/* Options */

/* Names below the root, without slashes at the ends, empty or dot components. */
static bool folder_valid(const char *path)
{
	while (*path != '\0') {
		size_t length = strcspn(path, "/");

		if (length == 0 || (path[0] == '.' && (length == 1 || (length == 2 && path[1] == '.'))))
			return false;
		path += length;
		if (*path == '/' && *++path == '\0')
			return false;
	}
	return true;
}

static int set_folder(void *state, const char *value, char *error, size_t error_size)
{
	struct upload *upload = state;
	size_t length;
	char *copy;

	value += strspn(value, "/");
	length = strlen(value);
	while (length > 0 && value[length - 1] == '/')
		length--;
	copy = strndup(value, length);
	if (copy == NULL)
		return -ENOMEM;
	if (length == 0 || length > FOLDER_MAX || !folder_valid(copy)) {
		free(copy);
		snprintf(error, error_size,
		         "name a folder below the web root, such as 'upload' for ROOT/upload");
		return -EINVAL;
	}
	free(upload->folder);
	upload->folder = copy;
	upload->folder_length = length;
	return 0;
}

static int parse_size(const char *value, int64_t *size, char *error, size_t error_size)
{
	static const char units[] = "kmgt";
	char *end;
	long long number;
	unsigned shift = 0;

	errno = 0;
	number = strtoll(value, &end, 10);
	if (*end != '\0' && end[1] == '\0') {
		const char *unit = strchr(units, *end | 0x20);

		if (unit != NULL) {
			shift = 10 * (unsigned)(unit - units + 1);
			end++;
		}
	}
	if (errno != 0 || end == value || *end != '\0' || value[0] < '0' || value[0] > '9' ||
	    number > INT64_MAX >> shift) {
		snprintf(error, error_size,
		         "'%s' is not a size: write a number of bytes, or one with k, m, g or t",
		         value);
		return -EINVAL;
	}
	*size = (int64_t)number << shift;
	return 0;
}

static int set_max_size(void *state, const char *value, char *error, size_t error_size)
{
	struct upload *upload = state;

	return parse_size(value, &upload->max_size, error, error_size);
}

static int set_quota(void *state, const char *value, char *error, size_t error_size)
{
	struct upload *upload = state;

	return parse_size(value, &upload->quota_limit, error, error_size);
}

static int set_random(void *state, const char *value, char *error, size_t error_size)
{
	struct upload *upload = state;

	(void)value;
	(void)error;
	(void)error_size;
	upload->random = true;
	return 0;
}

static int set_silent(void *state, const char *value, char *error, size_t error_size)
{
	struct upload *upload = state;

	upload->silent = true;
	return set_random(state, value, error, error_size);
}

static int set_overwrite(void *state, const char *value, char *error, size_t error_size)
{
	struct upload *upload = state;

	(void)value;
	(void)error;
	(void)error_size;
	upload->overwrite = true;
	return 0;
}

static int set_form(void *state, const char *value, char *error, size_t error_size)
{
	struct upload *upload = state;

	(void)value;
	(void)error;
	(void)error_size;
	upload->form = true;
	return 0;
}

static const struct lop_option options[] = {
	LOP_OPTION('U', "upload", "DIR", "store what is sent by PUT in this folder below the root",
	           set_folder),
	LOP_OPTION('r', "upload-random", NULL,
	           "append a random token to the names of uploads; no listing of the folder",
	           set_random),
	LOP_OPTION('Q', "upload-silent", NULL,
	           "as -r, and tell nobody: nothing of the folder can be read", set_silent),
	LOP_OPTION(0, "upload-overwrite", NULL, "let an upload replace a file", set_overwrite),
	LOP_OPTION(0, "upload-max-size", "SIZE", "largest upload; without it only the disk limits",
	           set_max_size),
	LOP_OPTION(0, "upload-quota", "SIZE", "bytes that all files of the upload folder may have",
	           set_quota),
	LOP_OPTION(0, "upload-form", NULL, "show browsers a page in the folder to send files with",
	           set_form),
	LOP_OPTION_END,
};

/* Hooks */

static bool reads(enum lop_method method)
{
	return method == LOP_METHOD_GET || method == LOP_METHOD_HEAD;
}

static bool is_folder(struct lop_str path)
{
	return path.data[path.length - 1] == '/';
}

/* With -Q nothing that was sent can be read, with -r only by who knows the token. */
static int guard(void *state, struct lop_request *request)
{
	const struct upload *upload = state;
	struct lop_str path;
	int below;

	if (!upload->random || upload->folder == NULL || !reads(lop_request_method(request)))
		return LOP_DECLINED;
	path = lop_request_path(request);
	below = upload_below(upload, path);
	if (below == 0)
		return LOP_DECLINED;
	/* The page, and the redirect to it. */
	if (below == 1 && (upload->form || !is_folder(path)))
		return LOP_DECLINED;
	if (!upload->silent && !is_folder(path) && name_has_token(path.data, path.length))
		return LOP_DECLINED;
	return 403;
}

static int take(void *state, struct lop_request *request)
{
	struct upload *upload = state;
	struct receive *receive = lop_request_state(request, upload);
	struct lop_str path;
	bool at_page;

	if (receive != NULL)
		return receive->form != NULL ? form_run(receive) : put_run(receive);
	if (upload->folder == NULL)
		return LOP_DECLINED;
	if (lop_request_method(request) == LOP_METHOD_PUT)
		return put_begin(upload, request);
	path = lop_request_path(request);
	at_page = upload->form && is_folder(path) && upload_below(upload, path) == 1;
	if (at_page && reads(lop_request_method(request)))
		return form_page(upload, request);
	if (at_page && lop_request_method(request) == LOP_METHOD_POST)
		return form_begin(upload, request);
	return LOP_DECLINED;
}

/* Where uploads are taken, the methods that the core names are not all. */
static int allow(void *state, struct lop_request *request)
{
	const struct upload *upload = state;
	struct lop_str path, named;
	char methods[128];
	int length;
	bool at_page;

	if (lop_response_status(request) != 405 &&
	    lop_request_method(request) != LOP_METHOD_OPTIONS)
		return LOP_DECLINED;
	path = lop_request_path(request);
	named = lop_response_field(request, "Allow");
	at_page = upload->form && is_folder(path) && upload_below(upload, path) == 1;
	if (upload->folder == NULL || named.data == NULL || named.length > sizeof(methods) - 8 ||
	    !(at_page || put_takes(upload, path)))
		return LOP_DECLINED;
	length = snprintf(methods, sizeof(methods), "%.*s, %s", (int)named.length, named.data,
	                  at_page ? "POST" : "PUT");
	return lop_response_set_field(request, "Allow",
	                              (struct lop_str){ methods, (size_t)length });
}

static int done(void *state, struct lop_request *request)
{
	struct receive *receive = lop_request_state(request, state);

	if (receive != NULL)
		receive_end(receive);
	return LOP_DECLINED;
}

static const struct lop_hook hooks[] = {
	LOP_HOOK(LOP_PHASE_ACCESS, LOP_PRIORITY_FIRST, "guard uploads", guard),
	LOP_HOOK(LOP_PHASE_CONTENT, LOP_PRIORITY_BEFORE_STATIC, "upload", take),
	LOP_HOOK(LOP_PHASE_RESPONSE, LOP_PRIORITY_FIRST, "allow uploads", allow),
	LOP_HOOK(LOP_PHASE_DONE, LOP_PRIORITY_FIRST, "end upload", done),
	LOP_HOOK_END,
};

/* Life */

/* Makes the folder when it is missing and its parent is writable. */
static int make_folder(const struct upload *upload, struct lop_root *root)
{
	const char *slash = strrchr(upload->folder, '/');
	char parent[FOLDER_MAX + 1] = "";
	struct lop_file *folder = NULL;
	int result;

	if (slash != NULL)
		memcpy(parent, upload->folder, (size_t)(slash - upload->folder));
	result = lop_root_open(root, parent, &folder);
	if (result < 0)
		return result;
	if (mkdirat(lop_file_descriptor(folder), slash != NULL ? slash + 1 : upload->folder, 0750) <
	            0 &&
	    errno != EEXIST)
		result = -errno;
	lop_file_release(&folder);
	return result;
}

/* What a worker that was killed has left is removed now, not with the next upload. */
static void look_at_folder(struct upload *upload)
{
	struct lop_root *root = lop_worker_root(upload->worker);
	struct lop_file *folder = NULL;
	int64_t bytes;
	int result = upload_open_folder(upload, root, &folder);

	if (result == -ENOENT) {
		result = make_folder(upload, root);
		if (result == 0)
			result = lop_root_open(root, upload->folder, &folder);
	}
	if (result == 0 && lop_file_stat(folder)->kind != LOP_FILE_FOLDER)
		result = -ENOTDIR;
	if (result == 0 && faccessat(lop_file_descriptor(folder), ".", W_OK | X_OK, 0) < 0)
		result = -errno;
	if (result == -ELOOP)
		lop_worker_message(upload->worker, LOP_LOG_WARNING,
		                   "upload: '%s' leads over a symbolic link, and what is stored "
		                   "could be read under the name of its target; nothing is taken: "
		                   "with -r or -Q name a folder itself",
		                   upload->folder);
	else if (result < 0)
		lop_worker_message(upload->worker, LOP_LOG_WARNING,
		                   "upload: cannot store in the folder '%s' of the web root: %s; "
		                   "make it, and give it to the server's user (mkdir, chown)",
		                   upload->folder, strerror(-result));
	if (folder != NULL && result == 0)
		(void)folder_survey(lop_file_descriptor(folder), &bytes);
	lop_file_release(&folder);
}

static int enter_worker(struct upload *upload, struct lop_worker *worker)
{
	upload->worker = worker;
	if (upload->quota != NULL)
		quota_enter(upload->quota, lop_worker_index(worker));
	upload->buffer = malloc(UPLOAD_BUFFER);
	if (upload->buffer == NULL)
		return -ENOMEM;
	pipe_renew(upload);
	look_at_folder(upload);
	return thread_start(worker, &upload->thread);
}

static int configured(struct upload *upload)
{
	if (upload->folder != NULL)
		return 0;
	lop_core_message(upload->core, LOP_LOG_ERROR,
	                 "the module upload stores nothing without a folder; name one below the web "
	                 "root: -U DIR");
	return -EINVAL;
}

static int upload_init(struct lop_core *core, void **state)
{
	struct upload *upload = calloc(1, sizeof(*upload));

	if (upload == NULL)
		return -ENOMEM;
	upload->core = core;
	upload->pipe[0] = upload->pipe[1] = -1;
	upload->max_size = -1;
	upload->quota_limit = -1;
	*state = upload;
	return 0;
}

static int upload_stage(void *state, enum lop_stage stage, struct lop_worker *worker)
{
	struct upload *upload = state;

	switch (stage) {
	case LOP_STAGE_CONFIGURED:
		return configured(upload);
	case LOP_STAGE_BOUND:
		return upload->quota_limit < 0 ? 0 : quota_new(upload->quota_limit, &upload->quota);
	case LOP_STAGE_WORKER:
		return enter_worker(upload, worker);
	case LOP_STAGE_EXIT:
		thread_stop(&upload->thread);
		return 0;
	default:
		return 0;
	}
}

static void upload_fini(void *state)
{
	struct upload *upload = state;

	thread_stop(&upload->thread);
	quota_free(&upload->quota);
	for (int i = 0; i < 2; i++) {
		if (upload->pipe[i] >= 0)
			close(upload->pipe[i]);
	}
	free(upload->buffer);
	free(upload->folder);
	free(upload);
}

LOP_EXPORT_MODULE = {
	LOP_MODULE_HEADER("upload", "1.0", "takes files in by PUT and from a browser's form",
	                  LOP_NEEDS_READ_FILES | LOP_NEEDS_WRITE_FILES | LOP_NEEDS_LIST_DIRS |
	                          LOP_NEEDS_MAP_SHARED | LOP_NEEDS_THREADS),
	.options = options,
	.init = upload_init,
	.stage = upload_stage,
	.fini = upload_fini,
	.hooks = hooks,
};
