/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gateway: a module that does what a reverse proxy does with the core, without anything behind it:
 * it answers before a request has ended, reads from the loop, and looks whether anybody still waits.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lophttpd/lophttpd.h>

#define NS_PER_MS INT64_C(1000000)

/* What one request has come to; those of the last are kept, for a request that asks. */
struct counts {
	uint64_t bytes;
	uint32_t sum;
	int ended;     /* the body was read to its end, or to an error: -errno, else 1 */
	int abandoned; /* hooks and streams that found nobody waiting */
	int released;  /* streams that were ended */
};

struct gateway {
	struct counts last;
	struct job *lender; /* whose body another request reads */
};

struct job {
	struct gateway *gateway;
	struct lop_request *request;
	struct lop_timer *timer;
	struct counts counts;
};

static int path_is(const struct lop_request *request, const char *text)
{
	return strcmp(lop_request_path(request).data, text) == 0;
}

static int query_is(const struct lop_request *request, const char *text)
{
	struct lop_str query = lop_request_query(request);

	return query.length == strlen(text) && memcmp(query.data, text, query.length) == 0;
}

static int host_is(const struct lop_request *request, const char *text)
{
	struct lop_str host = lop_request_host(request);

	return host.length == strlen(text) && memcmp(host.data, text, host.length) == 0;
}

static struct job *job_of(struct gateway *gateway, struct lop_request *request)
{
	struct job *job = lop_request_state(request, gateway);

	if (job != NULL)
		return job;
	job = lop_request_alloc(request, sizeof(*job));
	if (job == NULL || lop_request_set_state(request, gateway, job) < 0)
		return NULL;
	*job = (struct job){ .gateway = gateway, .request = request };
	gateway->last = job->counts;
	return job;
}

static void count(struct job *job, const char *data, ssize_t length)
{
	job->counts.bytes += (uint64_t)length;
	for (ssize_t i = 0; i < length; i++)
		job->counts.sum = job->counts.sum * 31 + (unsigned char)data[i];
	job->gateway->last = job->counts;
}

static void ended(struct job *job, ssize_t how)
{
	job->counts.ended = how == 0 ? 1 : (int)how;
	job->gateway->last = job->counts;
}

static void released(void *context)
{
	struct job *job = context;

	job->gateway->last.released++;
}

static int tell(struct lop_request *request, const struct counts *counts)
{
	char text[200];
	int length = snprintf(text, sizeof(text), "%llu %u %d %d %d\n",
	                      (unsigned long long)counts->bytes, (unsigned)counts->sum,
	                      counts->ended, counts->abandoned, counts->released);
	int result = lop_response_body_copy(request, text, (size_t)length);

	return result < 0 ? result : LOP_DONE;
}

/* The response is the body, while that comes. */

static int echo_trailers(struct lop_request *request)
{
	const struct lop_str two_lines = { "a\r\nb", 4 };
	const struct lop_str number = { "1", 1 };
	struct lop_str name;
	struct lop_str value;
	char text[100];

	if (lop_response_add_trailer(request, "content-length", number) != -EINVAL ||
	    lop_response_add_trailer(request, "X", two_lines) != -EINVAL)
		return -EPROTO;
	for (size_t i = 0; lop_request_trailer_at(request, i, &name, &value); i++) {
		snprintf(text, sizeof(text), "Echo-%.*s", (int)name.length, name.data);
		if (lop_response_add_trailer(request, text, value) < 0)
			return -ENOMEM;
	}
	return 0;
}

static ssize_t echo_pull(void *context, char *buffer, size_t size)
{
	struct job *job = context;
	ssize_t got = lop_request_body_read(job->request, buffer, size);

	if (got > 0)
		count(job, buffer, got);
	else if (got != -EAGAIN)
		ended(job, got);
	return got == 0 ? echo_trailers(job->request) : got;
}

/* Begins once it has seen the first bytes, which it keeps out of the answer. */
static int content_echo(struct job *job)
{
	char first[4];
	ssize_t got = lop_request_body_read(job->request, first, sizeof(first));

	if (got == -EAGAIN)
		return LOP_AGAIN;
	if (got < 0)
		return (int)got;
	return lop_response_body_stream(job->request, -1, echo_pull, released, job) < 0 ? 500
	                                                                                : LOP_DONE;
}

/* The answer ends before the body does. */
static ssize_t early_pull(void *context, char *buffer, size_t size)
{
	struct job *job = context;

	(void)size;
	if (job->counts.sum > 0)
		return 0;
	job->counts.sum = 1;
	memcpy(buffer, "early\n", 6);
	return 6;
}

static int content_early(struct job *job)
{
	char first[4];
	ssize_t got = lop_request_body_read(job->request, first, sizeof(first));

	if (got == -EAGAIN)
		return LOP_AGAIN;
	return lop_response_body_stream(job->request, 6, early_pull, released, job) < 0 ? 500
	                                                                                : LOP_DONE;
}

static int content_trailed(struct job *job)
{
	const int64_t length = query_is(job->request, "known") ? 6 : -1;

	if (lop_response_add_trailer(job->request, "X-Sum", (struct lop_str){ "1", 1 }) < 0)
		return 500;
	return lop_response_body_stream(job->request, length, early_pull, released, job) < 0
	               ? 500
	               : LOP_DONE;
}

/* Both directions on their own: an endless response, and a body that is only counted. */
static ssize_t flood_pull(void *context, char *buffer, size_t size)
{
	(void)context;
	memset(buffer, 'x', size);
	return (ssize_t)size;
}

static void pump_ready(void *context)
{
	struct job *job = context;
	char piece[5000];
	ssize_t got;

	while ((got = lop_request_body_read(job->request, piece, sizeof(piece))) > 0)
		count(job, piece, got);
	if (got != -EAGAIN)
		ended(job, got);
}

static int content_pump(struct job *job)
{
	lop_request_body_watch(job->request, pump_ready, job);
	pump_ready(job);
	return lop_response_body_stream(job->request, INT64_C(1) << 40, flood_pull, released,
	                                job) < 0
	               ? 500
	               : LOP_DONE;
}

/* The body comes through a pipe. */
static int content_drain(struct job *job)
{
	char piece[65536];
	int ends[2];
	ssize_t got;

	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0)
		return 500;
	while ((got = lop_request_body_splice(job->request, ends[1], sizeof(piece))) > 0) {
		job->counts.abandoned++; /* times that it came by pipe */
		if (read(ends[0], piece, sizeof(piece)) != got)
			got = -EPIPE;
		else
			count(job, piece, got);
	}
	close(ends[0]);
	close(ends[1]);
	if (got == -EOPNOTSUPP) {
		while ((got = lop_request_body_read(job->request, piece, sizeof(piece))) > 0)
			count(job, piece, got);
	}
	if (got == -EAGAIN)
		return LOP_AGAIN;
	if (got < 0)
		return (int)got;
	job->counts.abandoned = job->counts.abandoned > 0;
	ended(job, got);
	return tell(job->request, &job->counts);
}

/* Takes four bytes each time that it is called, and then does not look for more. */
static int content_fours(struct job *job)
{
	char piece[4];
	ssize_t got = lop_request_body_read(job->request, piece, sizeof(piece));

	if (got > 0)
		count(job, piece, got);
	if (got > 0 || got == -EAGAIN)
		return LOP_AGAIN;
	return got < 0 ? (int)got : tell(job->request, &job->counts);
}

/* Reads from a timer, that is: between the steps of the connection. */
static void slow_fired(void *context)
{
	struct job *job = context;
	char piece[1000];
	ssize_t got = lop_request_body_read(job->request, piece, sizeof(piece));

	if (got > 0)
		count(job, piece, got);
	else if (got != -EAGAIN)
		ended(job, got);
	if (job->counts.ended)
		lop_request_wake(job->request);
	else
		lop_timer_start(job->timer, NS_PER_MS);
}

static int content_slow(struct job *job)
{
	if (job->timer == NULL) {
		job->timer = lop_timer_new(lop_request_worker(job->request), slow_fired, job);
		if (job->timer == NULL)
			return -ENOMEM;
		lop_timer_start(job->timer, NS_PER_MS);
	}
	return job->counts.ended ? tell(job->request, &job->counts) : LOP_AGAIN;
}

/* A body that is read while another connection is in its step. */

static int content_lend(struct job *job)
{
	char piece[1000];
	ssize_t got = -EAGAIN;

	job->gateway->lender = job;
	while (job->counts.abandoned > 0 &&
	       (got = lop_request_body_read(job->request, piece, sizeof(piece))) > 0)
		count(job, piece, got);
	return got == -EAGAIN ? LOP_AGAIN : tell(job->request, &job->counts);
}

static int content_borrow(struct job *job)
{
	struct job *lender = job->gateway->lender;
	char piece[1000];
	ssize_t got;

	if (lender == NULL)
		return 409;
	got = lop_request_body_read(lender->request, piece, sizeof(piece));
	if (got > 0)
		count(lender, piece, got);
	lender->counts.abandoned = 1;
	lop_request_wake(lender->request);
	return tell(job->request, &job->counts);
}

/* Connections that are handed over. */

static int hand_over(struct job *job, lop_pull_f *pull)
{
	struct lop_request *request = job->request;
	int result = lop_response_upgrade(request);

	if (result < 0)
		return result == -EBUSY ? 409 : 426;
	if (lop_request_method(request) != LOP_METHOD_CONNECT) {
		lop_response_set_status(request, 101);
		(void)lop_response_add_field(request, "Upgrade", (struct lop_str){ "raw", 3 });
	}
	return lop_response_body_stream(request, -1, pull, released, job) < 0 ? 500 : LOP_DONE;
}

static ssize_t bye_pull(void *context, char *buffer, size_t size)
{
	struct job *job = context;

	(void)size;
	if (job->counts.released)
		return 0;
	job->counts.released = 1;
	memcpy(buffer, "bye\n", 4);
	return 4;
}

static int content_upgrade(struct job *job)
{
	if (query_is(job->request, "half") || query_is(job->request, "pump"))
		lop_request_body_watch(job->request, pump_ready, job);
	if (query_is(job->request, "half") || query_is(job->request, "bye"))
		return hand_over(job, bye_pull);
	return hand_over(job, query_is(job->request, "pump") ? flood_pull : echo_pull);
}

/* Bytes that come through a pipe: a pattern by their offset. */

#define PATTERN 251
#define SPLICED (INT64_C(20) << 20)

static size_t fill(struct job *job, char *buffer, size_t size)
{
	const uint64_t left = (uint64_t)SPLICED - job->counts.bytes;

	if (size > left)
		size = (size_t)left;
	for (size_t i = 0; i < size; i++)
		buffer[i] = (char)((job->counts.bytes + i) % PATTERN);
	return size;
}

static ssize_t filled(struct job *job, ssize_t result)
{
	if (result > 0)
		job->counts.bytes += (uint64_t)result;
	job->gateway->last = job->counts;
	return result;
}

static ssize_t pattern_pull(void *context, char *buffer, size_t size)
{
	struct job *job = context;

	job->counts.abandoned++; /* times that it was pulled */
	return filled(job, (ssize_t)fill(job, buffer, size));
}

static void again_fired(void *context)
{
	struct job *job = context;

	lop_request_wake(job->request);
}

static ssize_t pattern_splice(void *context, int pipe, size_t size)
{
	struct job *job = context;
	char piece[30000];
	size_t length;

	if (query_is(job->request, "some") && job->counts.bytes > SPLICED / 2)
		return -EOPNOTSUPP;
	if (query_is(job->request, "cut") && job->counts.bytes > SPLICED / 2)
		return 0;
	/* Now and then there is nothing at hand. */
	if (job->counts.bytes / 1000000 > (uint64_t)job->counts.ended) {
		job->counts.ended++;
		lop_timer_start(job->timer, NS_PER_MS);
		return -EAGAIN;
	}
	length = fill(job, piece, size < sizeof(piece) ? size : sizeof(piece));
	return filled(job, length == 0 ? 0 : write(pipe, piece, length));
}

static int content_splice(struct job *job, int64_t length)
{
	job->timer = lop_timer_new(lop_request_worker(job->request), again_fired, job);
	if (job->timer == NULL ||
	    lop_response_body_splice(job->request, length, pattern_pull, pattern_splice, released,
	                             job) < 0)
		return 500;
	return LOP_DONE;
}

/* Tells the client something beforehand: from the hook, and from a timer. */

static int early_hints(struct lop_request *request, const char *link)
{
	int result = lop_response_add_field(request, "Link",
	                                    (struct lop_str){ link, strlen(link) });

	return result < 0 ? result : lop_response_interim(request, 103);
}

static void hints_fired(void *context)
{
	struct job *job = context;

	job->counts.bytes++;
	(void)early_hints(job->request, "</late>");
	lop_request_wake(job->request);
}

static int content_hints(struct job *job)
{
	if (job->timer == NULL) {
		if (lop_response_interim(job->request, 101) != -EINVAL ||
		    lop_response_interim(job->request, 200) != -EINVAL ||
		    lop_response_interim(job->request, 100) < 0 ||
		    early_hints(job->request, "</early>") < 0)
			return 500;
		job->timer = lop_timer_new(lop_request_worker(job->request), hints_fired, job);
		if (job->timer == NULL)
			return -ENOMEM;
		lop_timer_start(job->timer, 5 * NS_PER_MS);
	}
	if (job->counts.bytes == 0)
		return LOP_AGAIN;
	(void)lop_response_add_field(job->request, "X-Final", (struct lop_str){ "yes", 3 });
	return lop_response_body_copy(job->request, "final\n", 6) < 0 ? 500 : LOP_DONE;
}

/* An answer with the method's name, a field of the request, and its body. */
static int content_method(struct job *job)
{
	struct lop_request *request = job->request;
	struct lop_str seen = lop_request_method_name(request);
	char body[64];
	ssize_t got = lop_request_body_read(request, body, sizeof(body));

	if (got == -EAGAIN)
		return LOP_AGAIN;
	if (got < 0)
		return (int)got;
	lop_response_set_status(request, 599);
	(void)lop_response_add_field(request, "X-Method", seen);
	(void)lop_response_add_field(request, "X-Host", lop_request_host(request));
	(void)lop_response_add_field(request, "X-Upgrade", lop_request_field(request, "Upgrade"));
	(void)lop_response_add_field(request, "X-Expect", lop_request_field(request, "Expect"));
	return lop_response_body_copy(request, body, (size_t)got) < 0 ? 500 : LOP_DONE;
}

/* Waits for ever, until nobody waits for it. */
static int content_gone(struct job *job)
{
	if (!lop_request_abandoned(job->request))
		return LOP_AGAIN;
	job->gateway->last.abandoned++;
	return 503;
}

static ssize_t gone_pull(void *context, char *buffer, size_t size)
{
	struct job *job = context;

	(void)buffer;
	(void)size;
	if (!lop_request_abandoned(job->request))
		return -EAGAIN;
	job->gateway->last.abandoned++;
	return -ECONNRESET;
}

static int access_field(void *state, struct lop_request *request)
{
	(void)state;
	return lop_response_add_field(request, "X-Access", (struct lop_str){ "granted", 7 });
}

static int content(void *state, struct lop_request *request)
{
	struct gateway *gateway = state;
	struct job *job;

	if (path_is(request, "/last"))
		return tell(request, &gateway->last);
	job = job_of(gateway, request);
	if (job == NULL)
		return -ENOMEM;
	if (path_is(request, "/echo"))
		return content_echo(job);
	if (path_is(request, "/early"))
		return content_early(job);
	if (path_is(request, "/trailed"))
		return content_trailed(job);
	if (path_is(request, "/pump"))
		return content_pump(job);
	if (path_is(request, "/drain"))
		return content_drain(job);
	if (path_is(request, "/fours"))
		return content_fours(job);
	if (path_is(request, "/slow"))
		return content_slow(job);
	if (path_is(request, "/lend"))
		return content_lend(job);
	if (path_is(request, "/borrow"))
		return content_borrow(job);
	if (path_is(request, "/splice"))
		return content_splice(job, -1);
	if (path_is(request, "/splice-known"))
		return content_splice(job, SPLICED);
	if (path_is(request, "/hints"))
		return content_hints(job);
	if (path_is(request, "/upgrade") ||
	    (lop_request_method(request) == LOP_METHOD_CONNECT && host_is(request, "tunnel:1")))
		return content_upgrade(job);
	if (path_is(request, "/method") || query_is(request, "method") ||
	    lop_request_method(request) == LOP_METHOD_CONNECT)
		return content_method(job);
	if (path_is(request, "/gone"))
		return content_gone(job);
	if (path_is(request, "/gone-stream"))
		return lop_response_body_stream(request, -1, gone_pull, released, job) < 0
		               ? 500
		               : LOP_DONE;
	return LOP_DECLINED;
}

static int done(void *state, struct lop_request *request)
{
	struct job *job = lop_request_state(request, state);

	if (job != NULL)
		lop_timer_free(&job->timer);
	if (job != NULL && job->gateway->lender == job)
		job->gateway->lender = NULL;
	return LOP_DECLINED;
}

static const struct lop_hook hooks[] = {
	LOP_HOOK(LOP_PHASE_ACCESS, LOP_PRIORITY_FIRST, "field", access_field),
	LOP_HOOK(LOP_PHASE_CONTENT, LOP_PRIORITY_FIRST, "content", content),
	LOP_HOOK(LOP_PHASE_DONE, LOP_PRIORITY_FIRST, "free", done),
	LOP_HOOK_END,
};

static int gateway_init(struct lop_core *core, void **state)
{
	(void)core;
	*state = calloc(1, sizeof(struct gateway));
	return *state == NULL ? -ENOMEM : 0;
}

static void gateway_fini(void *state)
{
	free(state);
}

LOP_EXPORT_MODULE = {
	LOP_MODULE_HEADER("gateway", "1.0", "does with the core what a reverse proxy does",
	                  LOP_NEEDS_CONNECT),
	.init = gateway_init,
	.fini = gateway_fini,
	.hooks = hooks,
};
