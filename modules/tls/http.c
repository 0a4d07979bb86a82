/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What TLS means for requests: a client that spoke HTTP to the TLS port is told so, one that came to
 * the redirecting port is sent to https, one that asks for another host than it connected to is
 * refused, and browsers are asked to use nothing but https.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tls.h"
#include "transport.h"

#define STR(text) ((struct lop_str){ (text), sizeof(text) - 1 })
#define HTTPS_PORT 443
#define BEFORE_OTHERS (LOP_PRIORITY_FIRST - 50)

static bool is_redirected(const struct tls *tls, const struct lop_request *request)
{
	return tls->options.redirect >= 0 &&
	       lop_connection_listener(lop_request_connection(request)) == tls;
}

/* The host that the Host field names, -1: none that was configured. */
static int asked_host(const struct tls *tls, const struct lop_request *request)
{
	char name[NAME_SIZE];

	return name_of_host(lop_request_host(request), name)
	               ? options_find_host(&tls->options, name)
	               : -1;
}

/* RFC 9110 7.4: with one host's certificate nobody asks for another's content. A client that named no
 * host when it connected has not named another one. */
static bool is_misdirected(const struct tls *tls, const struct tls_connection *connection,
                           const struct lop_request *request)
{
	const int connected = transport_host(connection);
	int asked;

	if (connected < 0 || tls->options.host_count < 2)
		return false;
	asked = asked_host(tls, request);
	return (asked < 0 ? tls->options.default_host : asked) != connected;
}

static int route(void *state, struct lop_request *request)
{
	const struct tls *tls = state;
	struct tls_connection *connection =
		lop_connection_transport(lop_request_connection(request), tls);
	const char *subject;

	if (connection == NULL)
		return is_redirected(tls, request) ? 308 : LOP_DECLINED;
	if (transport_is_plain(connection))
		return 400;
	if (is_misdirected(tls, connection, request))
		return 421;
	if (tls->options.verify != VERIFY_NONE) {
		subject = transport_subject(connection);
		if (subject != NULL &&
		    lop_request_set_user(request,
		                         (struct lop_str){ subject, strlen(subject) }) < 0)
			return 500;
	}
	return LOP_DECLINED;
}

/* ---- responses ------------------------------------------------------------------------------ */

/* The host without its port; an IPv6 address keeps its brackets. */
static struct lop_str without_port(struct lop_str host)
{
	const char *colon = host.data[0] == '['
	                            ? memchr(host.data, ']', host.length)
	                            : memchr(host.data, ':', host.length);

	if (colon != NULL)
		host.length = (size_t)(colon - host.data) + (host.data[0] == '[');
	return host;
}

static struct lop_str own_host(struct lop_request *request)
{
	struct lop_str host = lop_request_host(request);

	if (host.data != NULL && host.length > 0)
		return without_port(host);
	return lop_connection_local_address(lop_request_connection(request));
}

/* The target's path and query as sent; of an absolute target, what stands behind the authority. Of
 * one without a path only the query, if any. */
static struct lop_str own_target(const struct lop_request *request)
{
	struct lop_str target = lop_request_target(request);
	const char *end = target.data + target.length, *at;

	if (target.length > 0 && target.data[0] == '/')
		return target;
	for (at = target.data; at + 2 < end; at++)
		if (memcmp(at, "://", 3) == 0)
			break;
	at = at + 3 < end ? at + 3 : end;
	while (at < end && *at != '/' && *at != '?')
		at++;
	return at < end ? (struct lop_str){ at, (size_t)(end - at) } : STR("/");
}

/* https://host[:port], and the target when there is one; NULL data: memory is out. */
static struct lop_str secure_address(const struct tls *tls, struct lop_request *request,
                                     struct lop_str target)
{
	const struct lop_str host = own_host(request);
	const bool bare_v6 = host.data != NULL && host.data[0] != '[' &&
	                     memchr(host.data, ':', host.length) != NULL;
	const size_t size = host.length + target.length + sizeof("https://[]:65535");
	char *text = host.data != NULL ? lop_request_alloc(request, size) : NULL;
	char port[8] = "";
	int length;

	if (text == NULL)
		return (struct lop_str){ NULL, 0 };
	if (tls->port != HTTPS_PORT)
		snprintf(port, sizeof(port), ":%d", tls->port);
	length = snprintf(text, size, "https://%s%.*s%s%s", bare_v6 ? "[" : "", (int)host.length,
	                  host.data, bare_v6 ? "]" : "", port);
	if (target.length > 0)
		memcpy(text + length, target.data, target.length);
	return (struct lop_str){ text, (size_t)length + target.length };
}

/* Not a page: what speaks HTTP here is mostly a program. */
static int explain(const struct tls *tls, struct lop_request *request)
{
	static const char before[] = "This port speaks HTTPS, and the request came without "
	                             "encryption. Use ";
	const struct lop_str address = secure_address(tls, request, (struct lop_str){ NULL, 0 });
	int result;

	lop_response_body_clear(request);
	lop_response_set_status(request, 400);
	lop_response_close(request);
	result = lop_response_set_field(request, "Content-Type", STR("text/plain"));
	if (result == 0)
		result = lop_response_body_copy(request, before, sizeof(before) - 1);
	if (result == 0)
		result = address.data != NULL
		                 ? lop_response_body_copy(request, address.data, address.length)
		                 : lop_response_body_copy(request, "https://", 8);
	if (result == 0)
		result = lop_response_body_copy(request, "/\n", 2);
	return result;
}

static int respond(void *state, struct lop_request *request)
{
	const struct tls *tls = state;
	const struct tls_connection *connection =
		lop_connection_transport(lop_request_connection(request), tls);
	struct lop_str address;

	if (connection != NULL && transport_is_plain(connection))
		return explain(tls, request);
	if (connection != NULL && tls->options.hsts != NULL)
		return lop_response_set_field(
			request, "Strict-Transport-Security",
			(struct lop_str){ tls->options.hsts, strlen(tls->options.hsts) });
	if (connection == NULL && lop_response_status(request) == 308 &&
	    is_redirected(tls, request)) {
		address = secure_address(tls, request, own_target(request));
		return address.data != NULL
		               ? lop_response_set_field(request, "Location", address)
		               : -ENOMEM;
	}
	return 0;
}

const struct lop_hook tls_hooks[] = {
	LOP_HOOK(LOP_PHASE_ROUTE, BEFORE_OTHERS, "tls: which host", route),
	LOP_HOOK(LOP_PHASE_RESPONSE, BEFORE_OTHERS, "tls: fields", respond),
	LOP_HOOK_END,
};
