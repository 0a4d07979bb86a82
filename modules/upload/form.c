/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page for browsers, and what its form sends when there is no script: multipart/form-data
 * with several files, each stored by itself as soon as it is complete.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "form_page.h"
#include "upload.h"

#define PIECE ((size_t)64 * 1024)
#define REPORT_MAX ((size_t)64 * 1024)
/* Bytes of a form that belong to no file, and of the lines around each file. */
#define OTHER_MAX ((size_t)64 * 1024)
#define AROUND_MAX ((size_t)4 * 1024)
#define LINE_MAX_BYTES (9 * NAME_SIZE + 200)

struct form {
	struct multipart parser;
	char *piece;     /* PIECE bytes, of which those from at to length are not parsed yet */
	size_t at;
	size_t length;
	bool file;       /* the part is a file, */
	bool storing;    /* and one that is stored */
	size_t other;    /* bytes so far that are of no file */
	bool last;       /* the form is complete */
	unsigned files;  /* parts that were files */
	int status;      /* of the first one that failed; 0: none */
	char shown[NAME_SIZE]; /* the file's own name */
	size_t shown_length;
	char *report;    /* list items, HTML */
	size_t report_length;
};

void form_free(struct form **pointer)
{
	struct form *form = *pointer;

	*pointer = NULL;
	if (form == NULL)
		return;
	free(form->piece);
	free(form->report);
	free(form);
}

/* Pages */

/* The pieces of a page: head, style, body; a nonce allows its own style and script, nothing else. */
static int begin_page(struct lop_request *request, char nonce[NAME_TOKEN_LENGTH + 1])
{
	static const char policy[] =
		"default-src 'none'; style-src 'nonce-%s'; script-src 'nonce-%s'; "
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
	char text[sizeof(policy) + 2 * NAME_TOKEN_LENGTH];
	int result = name_token(nonce), length;

	if (result < 0)
		return result;
	length = snprintf(text, sizeof(text), policy, nonce, nonce);
	result = lop_response_add_field(request, "Content-Security-Policy",
	                                (struct lop_str){ text, (size_t)length });
	if (result == 0)
		result = lop_response_add_field(request, "Content-Type",
		                                STR("text/html; charset=utf-8"));
	if (result == 0)
		result = lop_response_add_field(request, "Cache-Control", STR("no-store"));
	if (result == 0)
		result = lop_response_add_field(request, "X-Content-Type-Options", STR("nosniff"));
	if (result == 0)
		result = lop_response_body_copy(request, page_head, sizeof(page_head) - 1);
	if (result == 0)
		result = lop_response_body_copy(request, nonce, NAME_TOKEN_LENGTH);
	if (result == 0)
		result = lop_response_body_copy(request, page_style, sizeof(page_style) - 1);
	return result;
}

int form_page(struct upload *upload, struct lop_request *request)
{
	char nonce[NAME_TOKEN_LENGTH + 1];
	int result = begin_page(request, nonce);

	(void)upload;
	if (result == 0)
		result = lop_response_body_copy(request, page_form, sizeof(page_form) - 1);
	if (result == 0)
		result = lop_response_body_copy(request, nonce, NAME_TOKEN_LENGTH);
	if (result == 0)
		result = lop_response_body_copy(request, page_script, sizeof(page_script) - 1);
	if (result == 0)
		result = lop_response_body_copy(request, page_end, sizeof(page_end) - 1);
	return result < 0 ? result : LOP_DONE;
}

static int answer(struct receive *receive)
{
	static const char none[] = "<p>No file was sent.\n", open[] = "<ul>\n", close[] = "</ul>\n",
			  back[] = "<p><a href=\"./\">Send more</a>\n";
	struct form *form = receive->form;
	struct lop_request *request = receive->request;
	char nonce[NAME_TOKEN_LENGTH + 1];
	int result;

	if (form->status == 0 && (!form->last || form->files == 0))
		form->status = 400;
	lop_response_set_status(request, form->status == 0 ? 201 : form->status);
	result = begin_page(request, nonce);
	if (result == 0 && form->report_length == 0)
		result = lop_response_body_copy(request, none, sizeof(none) - 1);
	if (result == 0 && form->report_length > 0)
		result = lop_response_body_copy(request, open, sizeof(open) - 1);
	if (result == 0 && form->report_length > 0)
		result = lop_response_body_copy(request, form->report, form->report_length);
	if (result == 0 && form->report_length > 0)
		result = lop_response_body_copy(request, close, sizeof(close) - 1);
	if (result == 0)
		result = lop_response_body_copy(request, back, sizeof(back) - 1);
	if (result == 0)
		result = lop_response_body_copy(request, page_end, sizeof(page_end) - 1);
	return result < 0 ? result : LOP_DONE;
}

static const char *reason(int status)
{
	switch (status) {
	case 400: return "this name cannot be stored, or the form broke off";
	case 403: return "the server may not store it";
	case 409: return "a file of this name is there already";
	case 413: return "it is too large";
	case 507: return "there is no room left";
	default: return "an error of the server";
	}
}

/* One line about the file; status 0: stored. */
static void report(struct receive *receive, int status)
{
	struct form *form = receive->form;
	char shown[6 * NAME_SIZE + 1], link[3 * NAME_SIZE + 1];
	char *to = form->report + form->report_length;
	size_t left = REPORT_MAX - form->report_length;

	if (status != 0 && form->status == 0)
		form->status = status;
	if (left < LINE_MAX_BYTES)
		return;
	(void)name_escape(form->shown, form->shown_length, shown);
	(void)name_encode(receive->store.name, strlen(receive->store.name), link);
	if (status != 0)
		snprintf(to, left, "<li>%s: not stored, %s\n", shown, reason(status));
	else if (receive->upload->silent)
		snprintf(to, left, "<li>%s: stored\n", shown);
	else
		snprintf(to, left, "<li><a href=\"%s\">%s</a>: stored\n", link, shown);
	form->report_length += strlen(to);
}

/* Parts */

/* Some clients send a path: its last component counts. */
static struct lop_str base_name(struct lop_str name)
{
	for (size_t i = name.length; i > 0; i--) {
		if (name.data[i - 1] == '/' || name.data[i - 1] == '\\')
			return (struct lop_str){ name.data + i, name.length - i };
	}
	return name;
}

static int begin_part(struct receive *receive, const struct multipart_event *event)
{
	struct form *form = receive->form;
	struct lop_str name = base_name(event->file);
	char stored[NAME_SIZE];
	int result;

	/* Another field of the form, or no file was chosen. */
	form->file = event->has_file && event->file.length > 0;
	if (!form->file)
		return 0;
	form->files++;
	form->shown_length = name.length < NAME_SIZE ? name.length : NAME_SIZE - 1;
	memcpy(form->shown, name.data, form->shown_length);
	result = name_make(name.data, name.length, receive->upload->random, stored);
	if (result == -EINVAL) {
		report(receive, 400);
		return 0;
	}
	if (result == 0)
		result = receive_open(receive, -1, false);
	if (result < 0)
		return result;
	memcpy(receive->store.name, stored, sizeof(stored));
	receive->store.replace = receive->upload->overwrite && !receive->upload->random;
	form->storing = true;
	return 0;
}

/* 0, LOP_AGAIN to wait for the disk, or a negative errno. */
static int take_event(struct receive *receive, const struct multipart_event *event)
{
	struct form *form = receive->form;

	switch (event->kind) {
	case MULTIPART_PART:
		return begin_part(receive, event);
	case MULTIPART_DATA:
		if (!form->storing)
			return 0;
		return receive_data(receive, event->data.data, event->data.length);
	case MULTIPART_ENDED:
		if (!form->storing)
			return 0;
		receive_commit(receive);
		return LOP_AGAIN;
	case MULTIPART_LAST:
		form->last = true;
		return 0;
	default:
		return 0;
	}
}

/* Parses what is at hand. 0: all of it, else as take_event(). */
static int parse(struct receive *receive)
{
	struct form *form = receive->form;

	while (form->at < form->length) {
		struct multipart_event event;
		long used = multipart_feed(&form->parser, form->piece + form->at,
		                           form->length - form->at, &event);
		int result;

		if (used < 0)
			return (int)used;
		form->at += (size_t)used;
		if (event.kind != MULTIPART_DATA || !form->file)
			form->other += (size_t)used;
		if (form->other > OTHER_MAX + form->files * AROUND_MAX)
			return -EFBIG;
		result = take_event(receive, &event);
		if (result != 0)
			return result;
	}
	return 0;
}

/* LOP_AGAIN, 0 at the end of the body, or a negative errno. */
static int take_body(struct receive *receive)
{
	struct form *form = receive->form;
	size_t taken = 0;

	for (;;) {
		ssize_t count;
		int result = parse(receive);

		if (result != 0)
			return result;
		if (taken >= UPLOAD_BUFFER)
			break;
		count = lop_request_body_read(receive->request, form->piece, PIECE);
		if (count == -EAGAIN)
			return LOP_AGAIN;
		if (count <= 0)
			return (int)count;
		form->at = 0;
		form->length = (size_t)count;
		taken += (size_t)count;
	}
	lop_request_wake(receive->request);
	return LOP_AGAIN;
}

/* The disk has answered for one file. 0 to go on, or a negative errno. */
static int committed(struct receive *receive)
{
	struct form *form = receive->form;
	const int result = receive->result;

	if (result == -EEXIST || result == -EISDIR)
		report(receive, 409);
	else if (result == 0)
		report(receive, 0);
	if (result == 0 || result == -EEXIST || result == -EISDIR) {
		form->storing = false;
		receive_close(receive, result == 0);
		receive->step = RECEIVE_BODY;
		return 0;
	}
	return result;
}

/* What failed ends the whole: the rest of the form is not read. */
static int fail(struct receive *receive, int result)
{
	struct form *form = receive->form;
	int status = receive_status(receive, result);

	if (form->storing || form->status == 0)
		report(receive, status);
	receive_close(receive, false);
	form->storing = false;
	lop_response_close(receive->request);
	return answer(receive);
}

int form_run(struct receive *receive)
{
	int result = 0;

	if (receive->step == RECEIVE_COMMIT) {
		if (receive->commit.run != NULL)
			return LOP_AGAIN;
		result = committed(receive);
	} else if (receive->step == RECEIVE_SURVEY) {
		if (receive->survey.run != NULL)
			return LOP_AGAIN;
		result = receive_surveyed(receive);
		receive->step = RECEIVE_BODY;
	}
	if (result == 0)
		result = take_body(receive);
	if (result == LOP_AGAIN)
		return LOP_AGAIN;
	/* It ended within a part. */
	if (result == 0 && receive->form->storing)
		result = -EBADMSG;
	return result < 0 ? fail(receive, result) : answer(receive);
}

/* A form of another site would have this one's visitors send what they do not know of. */
static bool from_elsewhere(struct lop_request *request)
{
	struct lop_str site = lop_request_field(request, "Sec-Fetch-Site");
	struct lop_str origin = lop_request_field(request, "Origin");
	struct lop_str host = lop_request_host(request);
	const char *found;

	if (site.data != NULL)
		return !(site.length == 11 && memcmp(site.data, "same-origin", 11) == 0) &&
		       !(site.length == 4 && memcmp(site.data, "none", 4) == 0);
	if (origin.data == NULL)
		return false;
	found = memchr(origin.data, '/', origin.length);
	if (found == NULL || host.data == NULL)
		return true;
	found += 2;
	return (size_t)(origin.data + origin.length - found) != host.length ||
	       memcmp(found, host.data, host.length) != 0;
}

int form_begin(struct upload *upload, struct lop_request *request)
{
	struct receive *receive = NULL;
	struct form *form;
	int result;

	if (from_elsewhere(request))
		return 403;
	result = receive_new(upload, request, &receive);
	if (result == 0)
		return LOP_DECLINED;
	if (result < 0)
		return result == -EACCES || result == -ELOOP ? 403 : result;
	form = calloc(1, sizeof(*form));
	receive->form = form;
	if (form == NULL)
		return -ENOMEM;
	form->piece = malloc(PIECE);
	form->report = malloc(REPORT_MAX);
	if (form->piece == NULL || form->report == NULL)
		return -ENOMEM;
	if (multipart_open(&form->parser, lop_request_field(request, "Content-Type")) < 0)
		return 415;
	/* Each file has its own limit. */
	lop_request_body_limit(request, -1);
	if (receive_survey(receive, true) > 0)
		return LOP_AGAIN;
	return form_run(receive);
}
