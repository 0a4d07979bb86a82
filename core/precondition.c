/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Validators and preconditions for hooks: lop_response_validate(), lop_request_precondition().
 */
#include "config.h"

#include "conditional.h"
#include "date.h"
#include "request.h"
#include "root.h"
#include "worker_private.h"

static int check(struct lop_request *request, const struct validators *validators, int64_t now)
{
	const enum lop_method method = request->head.method;
	const bool safe = method == LOP_METHOD_GET || method == LOP_METHOD_HEAD;
	const struct conditions conditions = {
		.if_match = request_list(request, HTTP1_IF_MATCH),
		.if_none_match = request_list(request, HTTP1_IF_NONE_MATCH),
		.if_modified_since = request_known(request, HTTP1_IF_MODIFIED_SINCE),
		.if_unmodified_since = request_known(request, HTTP1_IF_UNMODIFIED_SINCE),
	};

	return conditional_check(&conditions, validators, safe, now);
}

static int set_fields(struct lop_request *request, struct lop_str etag, int64_t modified)
{
	char text[DATE_LENGTH];
	int result = lop_response_set_field(request, "ETag", etag);

	if (result < 0)
		return result;
	date_format(text, modified);
	return lop_response_set_field(request, "Last-Modified",
	                              (struct lop_str){ text, sizeof text });
}

int lop_response_validate(struct lop_request *request, struct lop_str etag, int64_t modified)
{
	const int64_t now = request->worker->wall / NS_PER_S;
	/* RFC 9110 8.8.2.1: never later than Date. */
	const int64_t second = modified > now ? now : modified;
	const struct validators validators = {
		.etag = etag,
		.modified = second,
		.modified_strong = second < now - 1,
		.exists = true,
	};
	int status = check(request, &validators, now);
	int result = status == 412 ? 0 : set_fields(request, etag, second);

	return result < 0 ? result : status;
}

int lop_request_precondition(struct lop_request *request, const struct lop_stat *current)
{
	const int64_t now = request->worker->wall / NS_PER_S;
	struct validators validators = { .modified = INT64_MIN, .exists = current != NULL };
	char etag[FILE_ETAG_SIZE];

	if (current != NULL) {
		validators.etag.data = etag;
		validators.etag.length = file_etag(current, etag, sizeof etag);
		validators.modified = current->mtime_ns / NS_PER_S -
		                      (current->mtime_ns % NS_PER_S < 0);
	}
	return check(request, &validators, now);
}
