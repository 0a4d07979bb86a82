/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PUT /name and PUT /DIR/name.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "upload.h"

/* The last component, when there is no other in front but the folder; length 0: another path. */
static struct lop_str wanted_name(const struct upload *upload, struct lop_str path)
{
	size_t skip = 1;

	if (upload_below(upload, path) == 2)
		skip = upload->folder_length + 2;
	if (path.length < skip)
		return (struct lop_str){ path.data, 0 };
	return (struct lop_str){ path.data + skip, path.length - skip };
}

bool put_takes(const struct upload *upload, struct lop_str path)
{
	struct lop_str name = wanted_name(upload, path);

	return name.length > 0 && path.data[0] == '/' && memchr(name.data, '/', name.length) == NULL;
}

/* Reads one field of digests. 0 or a status. */
static int read_digest(struct receive *receive, const char *field)
{
	unsigned char digest[DIGEST_SIZE];
	struct lop_str name, value;
	int result;

	for (size_t i = 0; lop_request_field_at(receive->request, i, &name, &value); i++) {
		if (name.length != strlen(field) || strncasecmp(name.data, field, name.length) != 0)
			continue;
		result = digest_parse(value, digest);
		if (result < 0)
			return 400;
		if (result == 0)
			continue;
		if (receive->expects && memcmp(digest, receive->expected, DIGEST_SIZE) != 0)
			return 400;
		memcpy(receive->expected, digest, DIGEST_SIZE);
		receive->expects = true;
	}
	return 0;
}

/* For a whole PUT, content and representation are the same bytes. 0 or a status. */
static int read_digests(struct receive *receive)
{
	struct lop_str want = lop_request_field(receive->request, "Want-Repr-Digest");
	int status = read_digest(receive, "Content-Digest");

	if (status == 0)
		status = read_digest(receive, "Repr-Digest");
	if (status != 0)
		return status;
	/* What cannot be verified must not become visible. */
	if (receive->expects && !digest_available())
		return 501;
	receive->wants = want.data != NULL && digest_available() && digest_wanted(want) > 0;
	return 0;
}

/* What the target is now; with a random name it can only be new. 0 or a status. */
static int check_target(struct receive *receive)
{
	struct upload *upload = receive->upload;
	struct lop_request *request = receive->request;
	struct store *store = &receive->store;
	struct lop_file *file = NULL;
	char path[4096];
	int status;

	receive->none_match = lop_request_field(request, "If-None-Match").data != NULL;
	receive->match = lop_request_field(request, "If-Match").data != NULL ||
	                 lop_request_field(request, "If-Unmodified-Since").data != NULL;
	if (upload->random || fstatat(lop_file_descriptor(receive->folder), store->name,
	                              &store->expect, AT_SYMLINK_NOFOLLOW) < 0) {
		/* Another may come first, and may be replaced too. */
		store->replace = upload->overwrite && !upload->random && !receive->none_match;
		return lop_request_precondition(request, NULL);
	}
	if (!S_ISREG(store->expect.st_mode))
		return 409;
	snprintf(path, sizeof(path), "%s/%s", upload->folder, store->name);
	if (lop_root_open(lop_request_root(request), path, &file) == 0) {
		status = lop_request_precondition(request, lop_file_stat(file));
		lop_file_release(&file);
	} else {
		/* It is there and cannot be read: no tag of it can be known. */
		status = receive->match || receive->none_match ? 412 : 0;
	}
	if (status != 0)
		return status;
	if (!upload->overwrite)
		return 409;
	store->replace = true;
	store->expected = receive->match;
	return 0;
}

/* Everything that can be said before the first byte of the body. 0 or a status. */
static int check_request(struct receive *receive)
{
	struct lop_request *request = receive->request;
	struct lop_str name = wanted_name(receive->upload, lop_request_path(request));
	const int64_t length = lop_request_body_length(request);
	int result;

	if (length == 0 && lop_request_field(request, "Content-Length").data == NULL)
		return 411;
	/* RFC 9110 14.5: a part must not be taken for the whole. */
	if (lop_request_field(request, "Content-Range").data != NULL)
		return 400;
	result = name_make(name.data, name.length, receive->upload->random, receive->store.name);
	if (result < 0)
		return result == -EINVAL ? 400 : 500;
	if (receive->upload->max_size >= 0 && length > receive->upload->max_size)
		return 413;
	result = check_target(receive);
	return result != 0 ? result : read_digests(receive);
}

int put_begin(struct upload *upload, struct lop_request *request)
{
	struct receive *receive = NULL;
	int result = receive_new(upload, request, &receive);

	if (result == 0)
		return LOP_DECLINED;
	if (result < 0)
		return result == -EACCES || result == -ELOOP ? 403 : result;
	lop_request_body_limit(request, upload->max_size);
	result = check_request(receive);
	if (result != 0)
		return result;
	if (receive_survey(receive, lop_request_body_length(request) < 0) > 0)
		return LOP_AGAIN;
	return put_run(receive);
}

static int open_file(struct receive *receive)
{
	/* What the checks found out is kept over the opening. */
	const struct store found = receive->store;
	int result = receive_open(receive, lop_request_body_length(receive->request),
	                          receive->expects || receive->wants);

	memcpy(receive->store.name, found.name, sizeof(found.name));
	receive->store.replace = found.replace;
	receive->store.expected = found.expected;
	receive->store.expect = found.expect;
	receive->step = RECEIVE_BODY;
	return result;
}

/* The body has come to its end. */
static int complete(struct receive *receive)
{
	int result = receive_digest(receive);

	if (result < 0)
		return result;
	if (receive->expects && memcmp(receive->computed, receive->expected, DIGEST_SIZE) != 0)
		return -EBADMSG;
	receive_commit(receive);
	return LOP_AGAIN;
}

/* Takes what is at hand, up to one slice. LOP_AGAIN or a negative errno. */
static int take_body(struct receive *receive)
{
	struct upload *upload = receive->upload;
	size_t taken = 0;

	while (taken < UPLOAD_BUFFER) {
		ssize_t count = receive_splice(receive, UPLOAD_BUFFER);
		const bool copy = count == -EOPNOTSUPP;
		int result = 0;

		if (copy)
			count = lop_request_body_read(receive->request, upload->buffer,
			                              UPLOAD_BUFFER);
		if (count == -EAGAIN)
			return LOP_AGAIN;
		if (count < 0)
			return (int)count;
		if (count == 0)
			return complete(receive);
		if (copy)
			result = receive_data(receive, upload->buffer, (size_t)count);
		if (result < 0)
			return result;
		taken += (size_t)count;
	}
	lop_request_wake(receive->request);
	return LOP_AGAIN;
}

static int answer(struct receive *receive)
{
	struct upload *upload = receive->upload;
	struct lop_request *request = receive->request;
	char location[3 * (4096 + NAME_SIZE) + 2], digest[DIGEST_FIELD_SIZE];
	struct lop_str text = { location, 1 };
	int result = 0;

	lop_response_set_status(request, receive->store.replaced ? 204 : 201);
	if (receive->wants) {
		size_t length = digest_format(receive->computed, digest);

		result = lop_response_add_field(request, "Repr-Digest",
		                                (struct lop_str){ digest, length });
	}
	if (upload->silent || receive->store.replaced || result < 0)
		return result < 0 ? result : LOP_DONE;
	location[0] = '/';
	text.length += name_encode(upload->folder, upload->folder_length, location + 1);
	location[text.length++] = '/';
	text.length += name_encode(receive->store.name, strlen(receive->store.name),
	                           location + text.length);
	result = lop_response_add_field(request, "Location", text);
	if (result == 0)
		result = lop_response_add_field(request, "Content-Type", STR("text/plain"));
	location[text.length++] = '\n';
	if (result == 0)
		result = lop_response_body_copy(request, text.data, text.length);
	return result < 0 ? result : LOP_DONE;
}

static int end(struct receive *receive, int result)
{
	int status = result == 0 ? answer(receive) : receive_status(receive, result);

	receive_close(receive, result == 0);
	return status;
}

int put_run(struct receive *receive)
{
	int result = 0;

	if (receive->step == RECEIVE_COMMIT) {
		/* Woken by the connection: the disk is not ready. */
		if (receive->commit.run != NULL)
			return LOP_AGAIN;
		return end(receive, receive->result);
	}
	if (receive->step == RECEIVE_SURVEY) {
		if (receive->survey.run != NULL)
			return LOP_AGAIN;
		result = receive_surveyed(receive);
		if (result == 0)
			result = open_file(receive);
		if (result == -EDQUOT && receive->remembered && receive_survey(receive, true) > 0)
			return LOP_AGAIN;
	}
	if (result == 0)
		result = take_body(receive);
	return result == LOP_AGAIN ? LOP_AGAIN : end(receive, result);
}
