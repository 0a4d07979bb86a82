/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The head of an answer: interim responses are relayed, the final one becomes the response's status
 * and fields, with URLs and cookies translated to the outside.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "exchange.h"

/* More interim responses to one request are no information. */
#define INTERIMS_MAX 100

typedef long translate_f(const struct way_back *back, struct lop_str value, char *out, size_t size);

/* What is not passed on as it is. */
static const struct {
	uint8_t length;
	const char *name;
	translate_f *translate; /* NULL: dropped */
} known[] = {
	{ 4, "link", route_link },
	{ 7, "refresh", route_refresh },
	{ 8, "location", route_location },
	{ 10, "set-cookie", route_cookie },
	{ 14, "content-length", NULL },
	{ 16, "content-location", route_location },
};

/* The kept view of a head and what was received behind it. */
struct received {
	char *data;
	size_t length;
};

static bool is_name(struct lop_str name, const char *lower, size_t length)
{
	return name.length == length && strncasecmp(name.data, lower, length) == 0;
}

/* How the outside is called: by --location, else as the client asked. */
static struct outside outside_of(const struct exchange *exchange)
{
	const struct proxy_settings *settings = &exchange->proxy->settings;
	const struct lop_str host = lop_request_host(exchange->request);
	const char *scheme = lop_request_scheme(exchange->request);
	const size_t scheme_length = strlen(scheme);
	char *origin;

	if (settings->location != NULL)
		return (struct outside){
			.origin = { settings->location, settings->location_origin },
			.path = { settings->location + settings->location_origin,
				  strlen(settings->location + settings->location_origin) },
		};
	origin = lop_request_alloc(exchange->request, scheme_length + 3 + host.length);
	if (origin == NULL)
		return (struct outside){ .origin = { "", 0 }, .path = { "", 0 } };
	memcpy(origin, scheme, scheme_length);
	memcpy(origin + scheme_length, "://", 3);
	memcpy(origin + scheme_length + 3, host.data != NULL ? host.data : "", host.length);
	return (struct outside){ .origin = { origin, scheme_length + 3 + host.length },
		                 .path = { "", 0 } };
}

/* All values of Connection. */
static struct lop_str connection_of(struct exchange *exchange, const struct answer *answer)
{
	struct lop_str list = { NULL, 0 };

	for (size_t i = 0; i < answer->field_count; i++) {
		const struct lop_str value = answer->fields[i].value;
		char *joined;

		if (!is_name(answer->fields[i].name, "connection", 10))
			continue;
		if (list.data == NULL) {
			list = value;
			continue;
		}
		joined = lop_request_alloc(exchange->request, list.length + 1 + value.length);
		if (joined == NULL)
			break;
		memcpy(joined, list.data, list.length);
		joined[list.length] = ',';
		memcpy(joined + list.length + 1, value.data, value.length);
		list = (struct lop_str){ joined, list.length + 1 + value.length };
	}
	return list;
}

static int add_translated(struct exchange *exchange, struct way_back *back, translate_f *translate,
                          const char *name, struct lop_str value)
{
	char *out = exchange->proxy->scratch;
	long length;

	if (back->route == NULL)
		*back = (struct way_back){
			.route = exchange->route,
			.outside = outside_of(exchange),
			.authority = exchange_host(exchange),
			.secure = exchange->server->url->secure,
		};
	length = translate(back, value, out, SCRATCH_HEAD);
	if (length < 0)
		return -EBADMSG;
	return lop_response_add_field(exchange->request, name,
	                              (struct lop_str){ out, (size_t)length });
}

/* Which of the known fields; their number for all others. */
static size_t find_known(struct lop_str name)
{
	size_t i;

	for (i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (is_name(name, known[i].name, known[i].length))
			break;
	}
	return i;
}

static int add_fields(struct exchange *exchange, const struct answer *answer)
{
	const struct lop_str connection = connection_of(exchange, answer);
	struct way_back back = { .route = NULL };
	int result = 0;

	for (size_t i = 0; i < answer->field_count && result == 0; i++) {
		const struct answer_field *field = &answer->fields[i];
		/* Behind it stood a colon, which is read. */
		char *end = (char *)(uintptr_t)field->name.data + field->name.length;
		size_t which;

		if (field_is_hop_by_hop(field->name, connection))
			continue;
		which = find_known(field->name);
		*end = '\0';
		if (which == sizeof known / sizeof known[0])
			result = lop_response_add_field(exchange->request, field->name.data,
			                                field->value);
		else if (known[which].translate != NULL)
			result = add_translated(exchange, &back, known[which].translate,
			                        field->name.data, field->value);
		*end = ':';
	}
	return result;
}

/* Binds the client to the server, when that is how the load is shared. */
static int add_cookie(struct exchange *exchange)
{
	char *out = exchange->proxy->scratch;
	long length;

	length = pool_cookie(exchange->route->pool, &exchange->pick, exchange->server,
	                     strcmp(lop_request_scheme(exchange->request), "https") == 0, out,
	                     SCRATCH_HEAD);
	if (length <= 0)
		return 0;
	return lop_response_add_field(exchange->request, "Set-Cookie",
	                              (struct lop_str){ out, (size_t)length });
}

static int relay_interim(struct exchange *exchange, const struct answer *answer)
{
	int result;

	if (++exchange->interims > INTERIMS_MAX)
		return -EBADMSG;
	if (answer->status == 101)
		return -EBADMSG; /* nobody asked for it */
	if (answer->status == 100)
		exchange->upload.expecting = false;
	exchange->spoilt |= !answer->keep;
	result = add_fields(exchange, answer);
	if (result < 0)
		return result;
	result = lop_response_interim(exchange->request, answer->status);
	/* A client that takes nothing just now can do without. */
	return result == -ENOMEM ? result : 0;
}

static void judge(struct exchange *exchange, const struct answer *answer)
{
	const int64_t first_byte = lop_worker_now(exchange->proxy->worker) - exchange->sent_at;
	const int status = answer->status;

	exchange->outcome = OUTCOME_OK;
	if (status >= 502 && status <= 504)
		exchange->outcome = OUTCOME_ERROR;
	else
		pool_answered(exchange->server, first_byte > 0 ? first_byte : 0);
}

/* Takes back what an answer that cannot be used has set. */
static int take_back(struct exchange *exchange, const struct answer *answer, int result)
{
	for (size_t i = 0; i < answer->field_count; i++) {
		const struct answer_field *field = &answer->fields[i];
		char *end = (char *)(uintptr_t)field->name.data + field->name.length;

		*end = '\0';
		(void)lop_response_remove_field(exchange->request, field->name.data);
		*end = ':';
	}
	(void)lop_response_remove_field(exchange->request, "Set-Cookie"); /* of the pool */
	lop_response_body_clear(exchange->request);
	return result;
}

static int respond(struct exchange *exchange, const struct answer *answer,
                   const struct received *rest)
{
	int result;

	if (answer->upgrade && !exchange->upgrade)
		return -EBADMSG;
	lop_response_set_status(exchange->request, answer->status);
	result = add_fields(exchange, answer);
	if (result == 0 && !answer->upgrade)
		result = add_cookie(exchange);
	if (result < 0)
		return take_back(exchange, answer, result);
	judge(exchange, answer);
	/* An answer that refuses the request wants no more of it; another may come while the
	 * request still goes on. */
	exchange->upload.expecting = false;
	if (answer->status >= 300)
		exchange->upload.stopped = true;
	exchange->keep = answer->keep && !exchange->spoilt &&
	                 exchange->proxy->settings.send_proxy == PROXY_HEADER_OFF;
	result = answer->upgrade ? tunnel_begin(exchange, answer, rest->data, rest->length)
	                         : exchange_set_body(exchange, answer, rest->data, rest->length);
	return result < 0 ? take_back(exchange, answer, result) : 0;
}

/* Looks at what has come. LOP_DONE, 0 when more is needed, or a negative errno. */
static int parse(struct exchange *exchange, struct received *received)
{
	struct answer answer;

	for (;;) {
		int result = answer_parse(received->data, received->length,
		                          exchange->method == LOP_METHOD_HEAD, false,
		                          &exchange->scanned, &answer);

		if (result <= 0)
			return result;
		received->data += answer.head_size;
		received->length -= answer.head_size;
		exchange->scanned = 0;
		if (answer.status >= 200 || answer.upgrade) {
			result = respond(exchange, &answer, received);
			return result < 0 ? result : LOP_DONE;
		}
		result = relay_interim(exchange, &answer);
		if (result < 0)
			return result;
	}
}

/* Memory to receive into, that no response holds any more. */
static char *input_of(struct proxy *proxy)
{
	if (lop_memory_shared(proxy->input)) {
		struct lop_memory *other = lop_memory_new(INPUT_SIZE);

		if (other == NULL)
			return NULL;
		lop_memory_release(&proxy->input);
		proxy->input = other;
	}
	return lop_memory_data(proxy->input);
}

/* Receives behind what an earlier look left. */
static ssize_t receive(struct upstream *upstream, struct received *received)
{
	ssize_t count;

	if (upstream->pending_length > 0)
		received->length = (size_t)upstream_receive(upstream, received->data, INPUT_SIZE,
		                                            NULL);
	if (received->length == INPUT_SIZE)
		return -EMSGSIZE;
	count = upstream_receive(upstream, received->data + received->length,
	                         INPUT_SIZE - received->length, NULL);
	if (count > 0)
		received->length += (size_t)count;
	return count == 0 ? -ECONNRESET : count;
}

int exchange_read_answer(struct exchange *exchange)
{
	struct upstream *upstream = exchange->upstream;

	while (upstream->readable) {
		struct received received = { input_of(exchange->proxy), 0 };
		ssize_t count;
		int result;

		if (received.data == NULL)
			return -ENOMEM;
		count = receive(upstream, &received);
		if (count < 0 && count != -EAGAIN)
			return (int)count;
		if (count > 0) {
			exchange->answered = true;
			result = parse(exchange, &received);
			if (result != 0)
				return result;
		}
		if (upstream_unread(upstream, received.data, received.length) < 0)
			return -ENOMEM;
	}
	return LOP_AGAIN;
}
