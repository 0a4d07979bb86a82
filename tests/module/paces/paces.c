/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * paces: a module that puts the core through its paces. Paths choose a content hook, the query a
 * change of what others made; a protocol answers to a preface, and a transport named "mask" gives
 * and takes as little as its contract allows.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <lophttpd/lophttpd.h>

#define NS_PER_MS INT64_C(1000000)

static int path_is(const struct lop_request *request, const char *text)
{
	return strcmp(lop_request_path(request).data, text) == 0;
}

static int query_is(const struct lop_request *request, const char *text)
{
	struct lop_str query = lop_request_query(request);

	return query.length == strlen(text) && memcmp(query.data, text, query.length) == 0;
}

/* A request that waits for a timer */

struct waiter {
	struct lop_request *request;
	struct lop_timer *timer;
	int rest;  /* pieces that a stream still has to give */
	int ready;
};

static void waiter_fired(void *context)
{
	struct waiter *waiter = context;

	waiter->ready = 1;
	lop_request_wake(waiter->request);
}

static struct waiter *waiter_of(void *state, struct lop_request *request)
{
	struct waiter *waiter = lop_request_state(request, state);

	if (waiter != NULL)
		return waiter;
	waiter = lop_request_alloc(request, sizeof(*waiter));
	if (waiter == NULL)
		return NULL;
	*waiter = (struct waiter){ .request = request, .rest = 5 };
	waiter->timer = lop_timer_new(lop_request_worker(request), waiter_fired, waiter);
	if (waiter->timer == NULL || lop_request_set_state(request, state, waiter) < 0)
		return NULL;
	lop_timer_start(waiter->timer, 20 * NS_PER_MS);
	return waiter;
}

static int answer(struct lop_request *request, const char *text)
{
	int result = lop_response_body_copy(request, text, strlen(text));

	return result < 0 ? result : LOP_DONE;
}

static int content_wait(void *state, struct lop_request *request)
{
	struct waiter *waiter = waiter_of(state, request);

	if (waiter == NULL)
		return -ENOMEM;
	return waiter->ready ? answer(request, "waited\n") : LOP_AGAIN;
}

/* One piece each 20 ms. */
static ssize_t stream_pull(void *context, char *buffer, size_t size)
{
	struct waiter *waiter = context;

	if (waiter->rest == 0)
		return 0;
	if (!waiter->ready || size < 6)
		return -EAGAIN;
	waiter->ready = 0;
	waiter->rest--;
	lop_timer_start(waiter->timer, 20 * NS_PER_MS);
	memcpy(buffer, "piece\n", 6);
	return 6;
}

static int content_stream(void *state, struct lop_request *request, int64_t length)
{
	struct waiter *waiter = waiter_of(state, request);
	int result;

	if (waiter == NULL)
		return -ENOMEM;
	result = lop_response_body_stream(request, length, stream_pull, NULL, waiter);
	return result < 0 ? result : LOP_DONE;
}

/* As many bytes as are wanted, always at hand. */
static ssize_t flood_pull(void *context, char *buffer, size_t size)
{
	(void)context;
	memset(buffer, 'x', size);
	return (ssize_t)size;
}

/* A request's body, read in small pieces */

struct upload {
	uint64_t bytes;
	uint32_t sum;
};

static int content_upload(void *state, struct lop_request *request)
{
	struct upload *upload = lop_request_state(request, state);
	struct lop_str view = lop_request_field(request, "X-View"); /* held over the reads */
	char text[512];
	char piece[700];
	ssize_t count;

	if (upload == NULL) {
		upload = lop_request_alloc(request, sizeof(*upload));
		if (upload == NULL || lop_request_set_state(request, state, upload) < 0)
			return -ENOMEM;
		*upload = (struct upload){ 0, 0 };
	}
	while ((count = lop_request_body_read(request, piece, sizeof(piece))) > 0) {
		upload->bytes += (uint64_t)count;
		for (ssize_t i = 0; i < count; i++)
			upload->sum = upload->sum * 31 + (unsigned char)piece[i];
	}
	if (count == -EAGAIN)
		return LOP_AGAIN;
	if (count < 0)
		return count == -EMSGSIZE ? 413 : count == -EBADMSG ? 400 : 500;
	snprintf(text, sizeof(text), "%llu %u %.*s\n", (unsigned long long)upload->bytes,
	         (unsigned)upload->sum, (int)view.length, view.length > 0 ? view.data : "");
	return answer(request, text);
}

static int content(void *state, struct lop_request *request)
{
	if (path_is(request, "/wait"))
		return content_wait(state, request);
	if (path_is(request, "/stream"))
		return content_stream(state, request, -1);
	if (path_is(request, "/stream30"))
		return content_stream(state, request, 30);
	if (path_is(request, "/flood"))
		return lop_response_body_stream(request, INT64_C(1) << 40, flood_pull, NULL, NULL) < 0
		               ? 500
		               : LOP_DONE;
	if (path_is(request, "/upload"))
		return content_upload(state, request);
	return LOP_DECLINED;
}

/* Changes to what others made */

static int access_field(void *state, struct lop_request *request)
{
	(void)state;
	if (!query_is(request, "access"))
		return LOP_DECLINED;
	return lop_response_add_field(request, "X-Access", (struct lop_str){ "granted", 7 });
}

static int response_change(void *state, struct lop_request *request)
{
	(void)state;
	if (query_is(request, "close"))
		lop_response_close(request);
	if (query_is(request, "append"))
		return lop_response_body_copy(request, "appended\n", 9);
	if (query_is(request, "fail"))
		return -EIO;
	return LOP_DECLINED;
}

static int response_mark(void *state, struct lop_request *request)
{
	(void)state;
	if (!query_is(request, "fail") && !query_is(request, "mark"))
		return LOP_DECLINED;
	return lop_response_set_field(request, "X-Mark", (struct lop_str){ "seen", 4 });
}

static int done(void *state, struct lop_request *request)
{
	struct waiter *waiter = lop_request_state(request, state);

	if (waiter != NULL && (path_is(request, "/wait") || path_is(request, "/stream") ||
	                       path_is(request, "/stream30")))
		lop_timer_free(&waiter->timer);
	return LOP_DECLINED;
}

static const struct lop_hook hooks[] = {
	LOP_HOOK(LOP_PHASE_ACCESS, LOP_PRIORITY_FIRST, "add a field", access_field),
	LOP_HOOK(LOP_PHASE_CONTENT, LOP_PRIORITY_BEFORE_STATIC, "content", content),
	LOP_HOOK(LOP_PHASE_RESPONSE, LOP_PRIORITY_FIRST, "change", response_change),
	LOP_HOOK(LOP_PHASE_RESPONSE, LOP_PRIORITY_FIRST, "mark", response_mark),
	LOP_HOOK(LOP_PHASE_DONE, LOP_PRIORITY_FIRST, "free", done),
	LOP_HOOK_END,
};

/* A protocol: after the preface each line is a path, and the answer is what the hooks make of it */

#define PREFACE "PACES * 1.0\r\n"

struct lines {
	size_t length;
	size_t preface; /* bytes of it still to be skipped */
	char line[512];
};

static int lines_open(void *module, struct lop_connection *connection, void **state)
{
	struct lines *lines = malloc(sizeof(*lines));

	(void)module;
	(void)connection;
	if (lines == NULL)
		return -ENOMEM;
	lines->length = 0;
	lines->preface = sizeof(PREFACE) - 1;
	*state = lines;
	return 0;
}

static int lines_answer(struct lop_connection *connection, struct lop_str path)
{
	struct lop_request *request = lop_request_new(connection);
	char head[64];
	char body[4096];
	ssize_t count;

	if (request == NULL)
		return -ENOMEM;
	(void)lop_request_start(request, 900, (struct lop_str){ "GET", 3 }, path);
	if (lop_request_run(request) == LOP_DONE) {
		count = snprintf(head, sizeof(head), "%d ", lop_response_status(request));
		(void)lop_connection_queue_copy(connection, head, (size_t)count);
		while ((count = lop_response_body_read(request, body, sizeof(body))) > 0)
			(void)lop_connection_queue_copy(connection, body, (size_t)count);
		(void)lop_connection_queue_copy(connection, ".\n", 2);
	}
	lop_request_end(&request);
	return 0;
}

static enum lop_step lines_step(void *state, struct lop_connection *connection, size_t quantum)
{
	struct lines *lines = state;
	char byte;
	ssize_t count;
	int flushed;

	while ((count = lop_connection_read(connection, &byte, 1)) > 0) {
		if (lines->preface > 0) {
			lines->preface--;
			continue;
		}
		if (byte != '\n') {
			if (lines->length == sizeof(lines->line))
				return LOP_STEP_CLOSE;
			lines->line[lines->length++] = byte;
			continue;
		}
		if (lines_answer(connection,
		                 (struct lop_str){ lines->line, lines->length }) < 0)
			return LOP_STEP_CLOSE;
		lines->length = 0;
	}
	if (count < 0 && count != -EAGAIN)
		return LOP_STEP_CLOSE;
	flushed = lop_connection_flush(connection, quantum);
	if (flushed < 0 && flushed != -EAGAIN)
		return LOP_STEP_CLOSE;
	if (flushed == 1 && count == 0)
		return LOP_STEP_CLOSE;
	return flushed == 0 ? LOP_STEP_MORE : LOP_STEP_WAIT;
}

static enum lop_step lines_expired(void *state, struct lop_connection *connection)
{
	(void)state;
	(void)connection;
	return LOP_STEP_CLOSE;
}

static void lines_close(void *state, struct lop_connection *connection)
{
	(void)connection;
	free(state);
}

static const struct lop_protocol lines_protocol = {
	.size = sizeof(struct lop_protocol),
	.name = "lines",
	.alpn = "lines/1",
	.preface = { PREFACE, sizeof(PREFACE) - 1 },
	.open = lines_open,
	.step = lines_step,
	.expired = lines_expired,
	.close = lines_close,
};

/* A transport: every byte's lowest bit is turned. It reads ahead and gives little; it takes at most
 * a part of the first piece; it wants to read before it writes for the first time. */

#define MASK 0x01

struct mask {
	int descriptor;
	int greeted; /* the first byte from the other side has been seen */
	size_t begin;
	size_t end;
	unsigned char ahead[4096];
};

static int mask_open(void *module, struct lop_connection *connection, int descriptor, void **state)
{
	struct mask *mask = malloc(sizeof(*mask));

	(void)module;
	(void)connection;
	if (mask == NULL)
		return -ENOMEM;
	mask->descriptor = descriptor;
	mask->greeted = 0;
	mask->begin = mask->end = 0;
	*state = mask;
	return 0;
}

static int mask_handshake(void *state)
{
	struct mask *mask = state;
	char byte;

	if (recv(mask->descriptor, &byte, 1, 0) != 1)
		return errno == EAGAIN ? LOP_WANT_READ : -ECONNRESET;
	return 0;
}

static ssize_t mask_read(void *state, void *buffer, size_t size)
{
	struct mask *mask = state;
	unsigned char *out = buffer;

	if (mask->begin == mask->end) {
		ssize_t count = recv(mask->descriptor, mask->ahead, sizeof(mask->ahead), 0);

		if (count <= 0)
			return count == 0 ? 0 : errno == EAGAIN ? LOP_WANT_READ : -errno;
		mask->begin = 0;
		mask->end = (size_t)count;
	}
	if (size > 10)
		size = 10;
	if (size > mask->end - mask->begin)
		size = mask->end - mask->begin;
	for (size_t i = 0; i < size; i++)
		out[i] = mask->ahead[mask->begin++] ^ MASK;
	return (ssize_t)size;
}

static ssize_t mask_send(struct mask *mask, unsigned char *data, size_t size)
{
	ssize_t sent;

	for (size_t i = 0; i < size; i++)
		data[i] ^= MASK;
	sent = send(mask->descriptor, data, size, MSG_NOSIGNAL);
	return sent >= 0 ? sent : errno == EAGAIN ? LOP_WANT_WRITE : -errno;
}

static ssize_t mask_writev(void *state, const struct iovec *vector, int count, int more)
{
	unsigned char data[100];
	size_t size = vector->iov_len < sizeof(data) ? vector->iov_len : sizeof(data);

	(void)count;
	(void)more;
	memcpy(data, vector->iov_base, size);
	return mask_send(state, data, size);
}

static ssize_t mask_sendfile(void *state, int file, off_t offset, size_t length, int more)
{
	unsigned char data[5000];
	ssize_t got = pread(file, data, length < sizeof(data) ? length : sizeof(data), offset);

	(void)more;
	return got <= 0 ? got : mask_send(state, data, (size_t)got);
}

static int mask_shutdown(void *state)
{
	struct mask *mask = state;

	return shutdown(mask->descriptor, SHUT_WR) < 0 ? -errno : 0;
}

static void mask_close(void *state)
{
	free(state);
}

static const struct lop_transport mask_transport = {
	.size = sizeof(struct lop_transport),
	.name = "mask",
	.open = mask_open,
	.handshake = mask_handshake,
	.read = mask_read,
	.writev = mask_writev,
	.sendfile = mask_sendfile,
	.shutdown = mask_shutdown,
	.close = mask_close,
};

/* Something to hand to hooks: its address is the key of what they keep in a request. */
static int paces_init(struct lop_core *core, void **state)
{
	(void)core;
	*state = malloc(1);
	return *state == NULL ? -ENOMEM : 0;
}

static void paces_fini(void *state)
{
	free(state);
}

LOP_EXPORT_MODULE = {
	LOP_MODULE_HEADER("paces", "1.0", "puts the core through its paces", LOP_NEEDS_READ_FILES),
	.init = paces_init,
	.fini = paces_fini,
	.hooks = hooks,
	.transport = &mask_transport,
	.protocol = &lines_protocol,
};
