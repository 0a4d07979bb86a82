/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The head of a request as the upstream gets it: the client's, without what is of its hop only, and
 * with what this hop says.
 */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "exchange.h"

/* Fields that are not passed on as they are. */
enum kind {
	KIND_PLAIN,
	KIND_DROPPED,
	KIND_CONNECTION,
	KIND_EXPECT,
	KIND_FORWARDED,
	KIND_X_FORWARDED_FOR,
	KIND_X_FORWARDED_HOST,
	KIND_X_FORWARDED_PROTO,
	KIND_MAX_FORWARDS,
	KIND_TE,
	KIND_UPGRADE,
	KIND_VIA,
	KINDS,
};

static const struct {
	uint8_t length;
	uint8_t kind;
	const char *name;
} known[] = {
	{ 2, KIND_TE, "te" },
	{ 3, KIND_VIA, "via" },
	{ 4, KIND_DROPPED, "host" },
	{ 6, KIND_EXPECT, "expect" },
	{ 7, KIND_UPGRADE, "upgrade" },
	{ 9, KIND_FORWARDED, "forwarded" },
	{ 10, KIND_CONNECTION, "connection" },
	{ 12, KIND_MAX_FORWARDS, "max-forwards" },
	{ 14, KIND_DROPPED, "content-length" },
	{ 15, KIND_X_FORWARDED_FOR, "x-forwarded-for" },
	{ 16, KIND_X_FORWARDED_HOST, "x-forwarded-host" },
	{ 17, KIND_X_FORWARDED_PROTO, "x-forwarded-proto" },
	{ 17, KIND_DROPPED, "transfer-encoding" },
};

#define KNOWN_LONGEST 17

struct fields {
	uint8_t kinds[256]; /* by index */
	size_t count;
	struct lop_str values[KINDS]; /* joined with commas; data NULL: none */
};

struct writer {
	char *at;
	char *end; /* NULL: it did not fit */
};

static bool same_name(struct lop_str name, const char *lower)
{
	for (size_t i = 0; i < name.length; i++) {
		char byte = name.data[i];

		/* Programs behind CGI see no difference: nobody shall slip one past us. */
		if (byte == '_')
			byte = '-';
		if ((byte | 0x20) != lower[i] && byte != lower[i])
			return false;
	}
	return true;
}

static enum kind kind_of(struct lop_str name)
{
	if (name.length > KNOWN_LONGEST)
		return KIND_PLAIN;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (known[i].length != name.length || !same_name(name, known[i].name))
			continue;
		/* The spelling with '_' is no field that anybody here knows, and goes. */
		return memchr(name.data, '_', name.length) == NULL ? (enum kind)known[i].kind
		                                                   : KIND_DROPPED;
	}
	return KIND_PLAIN;
}

static int join(struct lop_request *request, struct lop_str *list, struct lop_str value)
{
	char *joined;

	if (list->data == NULL) {
		*list = value;
		return 0;
	}
	joined = lop_request_alloc(request, list->length + 2 + value.length);
	if (joined == NULL)
		return -ENOBUFS;
	memcpy(joined, list->data, list->length);
	memcpy(joined + list->length, ", ", 2);
	memcpy(joined + list->length + 2, value.data, value.length);
	*list = (struct lop_str){ joined, list->length + 2 + value.length };
	return 0;
}

static int collect(struct lop_request *request, struct fields *fields)
{
	struct lop_str name;
	struct lop_str value;

	memset(fields->values, 0, sizeof fields->values);
	for (fields->count = 0; lop_request_field_at(request, fields->count, &name, &value);
	     fields->count++) {
		enum kind kind = kind_of(name);

		if (fields->count == sizeof fields->kinds)
			return -ENOBUFS;
		fields->kinds[fields->count] = (uint8_t)kind;
		if (kind > KIND_DROPPED && join(request, &fields->values[kind], value) < 0)
			return -ENOBUFS;
	}
	return 0;
}

static void put(struct writer *writer, const char *text, size_t length)
{
	if (writer->end == NULL || (size_t)(writer->end - writer->at) < length) {
		writer->end = NULL;
		return;
	}
	memcpy(writer->at, text, length);
	writer->at += length;
}

#define PUT(writer, literal) put((writer), (literal), sizeof(literal) - 1)

static void put_str(struct writer *writer, struct lop_str text)
{
	put(writer, text.data, text.length);
}

static void put_number(struct writer *writer, uint64_t number)
{
	char digits[20];
	size_t count = 0;

	do {
		digits[sizeof digits - ++count] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	put(writer, digits + sizeof digits - count, count);
}

/* Whether a list has a token, any case. */
static bool has_token(struct lop_str list, const char *token)
{
	const size_t length = strlen(token);
	size_t at = 0;

	while (at < list.length) {
		size_t begin;
		size_t stop;

		while (at < list.length && strchr(" \t,", list.data[at]) != NULL)
			at++;
		begin = at;
		while (at < list.length && list.data[at] != ',')
			at++;
		for (stop = begin; stop < at && strchr(" \t;", list.data[stop]) == NULL; stop++)
			;
		if (stop - begin == length && strncasecmp(list.data + begin, token, length) == 0)
			return true;
	}
	return false;
}

/* Another protocol is asked for, and it is one that can be tunnelled. HTTP/2 (h2c) is not: the
 * requests inside would pass by everything that is done here. */
static bool wants_upgrade(const struct exchange *exchange, const struct fields *fields)
{
	return fields->values[KIND_UPGRADE].length > 0 &&
	       has_token(fields->values[KIND_CONNECTION], "upgrade") &&
	       !has_token(fields->values[KIND_UPGRADE], "h2c") && exchange->upload.length == 0 &&
	       lop_request_version(exchange->request) >= 101;
}

static void put_request_line(struct exchange *exchange, struct writer *writer, long *result)
{
	struct lop_request *request = exchange->request;

	put_str(writer, lop_request_method_name(request));
	PUT(writer, " ");
	*result = -ENOBUFS;
	if (writer->end == NULL)
		return;
	*result = route_target(exchange->route, lop_request_path(request),
	                       lop_request_target(request), writer->at,
	                       (size_t)(writer->end - writer->at));
	if (*result < 0)
		return;
	writer->at += *result;
	PUT(writer, " HTTP/1.1\r\n");
}

/* Host, and what frames the body. */
static void put_own(struct exchange *exchange, struct writer *writer)
{
	struct lop_request *request = exchange->request;
	const struct upload *upload = &exchange->upload;

	PUT(writer, "Host: ");
	put_str(writer, exchange_host(exchange));
	if (upload->length < 0) {
		PUT(writer, "\r\nTransfer-Encoding: chunked");
	} else if (upload->length > 0 || exchange->method == LOP_METHOD_POST ||
	           exchange->method == LOP_METHOD_PUT || exchange->method == LOP_METHOD_PATCH ||
	           lop_request_field(request, "Content-Length").data != NULL) {
		PUT(writer, "\r\nContent-Length: ");
		put_number(writer, (uint64_t)upload->length);
	}
	PUT(writer, "\r\n");
}

static void put_connection(struct exchange *exchange, struct writer *writer,
                           const struct fields *fields)
{
	const bool trailers = has_token(fields->values[KIND_TE], "trailers") &&
	                      lop_request_version(exchange->request) >= 101;

	if (exchange->upgrade) {
		PUT(writer, "Connection: upgrade\r\nUpgrade: ");
		put_str(writer, fields->values[KIND_UPGRADE]);
		PUT(writer, "\r\n");
	} else if (trailers) {
		PUT(writer, "Connection: TE\r\nTE: trailers\r\n");
	}
}

/* RFC 9110 7.6.2. */
static void put_max_forwards(const struct exchange *exchange, struct writer *writer,
                             struct lop_str value)
{
	uint64_t hops = 0;

	for (size_t i = 0; i < value.length; i++) {
		if (value.data[i] < '0' || value.data[i] > '9' || hops > 1000000)
			return;
		hops = hops * 10 + (uint64_t)(value.data[i] - '0');
	}
	if (exchange->method == LOP_METHOD_OPTIONS || exchange->method == LOP_METHOD_TRACE)
		hops -= hops > 0;
	PUT(writer, "Max-Forwards: ");
	put_number(writer, hops);
	PUT(writer, "\r\n");
}

static void put_fields(struct exchange *exchange, struct writer *writer,
                       const struct fields *fields)
{
	const struct lop_str connection = fields->values[KIND_CONNECTION];
	struct lop_str name;
	struct lop_str value;

	for (size_t i = 0; i < fields->count; i++) {
		(void)lop_request_field_at(exchange->request, i, &name, &value);
		switch ((enum kind)fields->kinds[i]) {
		case KIND_EXPECT:
			if (!exchange->upload.expecting)
				continue;
			break;
		case KIND_MAX_FORWARDS:
			put_max_forwards(exchange, writer, value);
			continue;
		case KIND_PLAIN:
			if (field_is_hop_by_hop(name, connection))
				continue;
			break;
		default:
			continue;
		}
		put_str(writer, name);
		PUT(writer, ": ");
		put_str(writer, value);
		PUT(writer, "\r\n");
	}
}

static void put_forwarded(struct exchange *exchange, struct writer *writer,
                          const struct fields *fields)
{
	struct lop_request *request = exchange->request;
	const struct lop_str address =
		lop_connection_remote_address(lop_request_connection(request));
	const struct client client = {
		.address = address,
		.host = lop_request_host(request),
		.scheme = lop_request_scheme(request),
		.trusted = trust_has(&exchange->proxy->settings.trust, address),
		.forwarded = fields->values[KIND_FORWARDED],
		.x_forwarded_for = fields->values[KIND_X_FORWARDED_FOR],
		.x_forwarded_proto = fields->values[KIND_X_FORWARDED_PROTO],
		.x_forwarded_host = fields->values[KIND_X_FORWARDED_HOST],
		.via = fields->values[KIND_VIA],
		.version = lop_request_version(request),
	};
	long length;

	if (writer->end == NULL)
		return;
	length = forwarded_write(&client, writer->at, (size_t)(writer->end - writer->at));
	if (length < 0)
		writer->end = NULL;
	else
		writer->at += length;
}

struct lop_str exchange_host(const struct exchange *exchange)
{
	const char *authority = exchange->server->url->authority;
	const struct lop_str host = lop_request_host(exchange->request);

	if (host.data != NULL && host.length > 0 && !exchange->proxy->settings.upstream_host)
		return host;
	return (struct lop_str){ authority, strlen(authority) };
}

long exchange_write_head(struct exchange *exchange, char *out, size_t size)
{
	struct writer writer = { out, out + size };
	struct fields fields;
	long result = collect(exchange->request, &fields);

	if (result < 0)
		return result;
	exchange->upgrade = wants_upgrade(exchange, &fields);
	put_request_line(exchange, &writer, &result);
	if (result < 0)
		return result;
	put_own(exchange, &writer);
	put_fields(exchange, &writer, &fields);
	put_forwarded(exchange, &writer, &fields);
	put_connection(exchange, &writer, &fields);
	PUT(&writer, "\r\n");
	return writer.end != NULL ? writer.at - out : -ENOBUFS;
}

bool field_may_trail(struct lop_str name)
{
	static const char *const refused[] = { "authorization", "content-encoding",
		                               "content-length", "content-range", "content-type",
		                               "expect", "host", "max-forwards", "set-cookie",
		                               "trailer" };

	if (field_is_hop_by_hop(name, (struct lop_str){ NULL, 0 }))
		return false;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		if (str_is(name, refused[i]))
			return false;
	}
	return true;
}
