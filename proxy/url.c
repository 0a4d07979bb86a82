/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "duration.h"
#include "path.h"

#define NAME_LENGTH_MAX 253 /* RFC 1035 2.3.4 */
#define LABEL_LENGTH_MAX 63
#define WEIGHT_MAX 256

/* What is being read, and where a complaint goes. */
struct reader {
	struct lop_str text; /* all of the URL, for messages */
	struct upstream_url *url;
	char *error;
	size_t error_size;
};

static int complain(const struct reader *reader, const char *format, ...) LOP_PRINTF(2, 3);

static int complain(const struct reader *reader, const char *format, ...)
{
	char reason[192];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof reason, format, arguments);
	va_end(arguments);
	snprintf(reader->error, reader->error_size, "%.*s: %s", (int)reader->text.length,
	         reader->text.data, reason);
	return -EINVAL;
}

static struct lop_str skip(struct lop_str text, size_t count)
{
	return (struct lop_str){ text.data + count, text.length - count };
}

/* The front of text up to the first of the bytes in stops. */
static struct lop_str until(struct lop_str text, const char *stops)
{
	size_t length = 0;
	while (length < text.length && strchr(stops, text.data[length]) == NULL)
		length++;
	return (struct lop_str){ text.data, length };
}

static bool equals(struct lop_str text, const char *other)
{
	return text.length == strlen(other) && memcmp(text.data, other, text.length) == 0;
}

static char lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
}

/* Whether text begins with the lower-case front, in any case. */
static bool begins(struct lop_str text, const char *front)
{
	size_t i = 0;
	for (; front[i] != '\0'; i++) {
		if (i == text.length || lower(text.data[i]) != front[i])
			return false;
	}
	return true;
}

/* A number of digits only. */
static int read_number(struct lop_str text, uint32_t least, uint32_t most, uint32_t *number)
{
	uint64_t value = 0;

	if (text.length == 0 || text.length > 10)
		return -EINVAL;
	for (size_t i = 0; i < text.length; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return -EINVAL;
		value = value * 10 + (uint64_t)(text.data[i] - '0');
	}
	if (value < least || value > most)
		return -ERANGE;
	*number = (uint32_t)value;
	return 0;
}

static int read_parameter(const struct reader *reader, struct lop_str parameter)
{
	struct upstream_url *url = reader->url;
	struct lop_str name = until(parameter, "=");
	bool has_value = name.length < parameter.length;
	struct lop_str value =
		has_value ? skip(parameter, name.length + 1) : (struct lop_str){ "", 0 };

	if (equals(name, "backup") && !has_value) {
		url->backup = true;
		return 0;
	}
	if (equals(name, "weight")) {
		if (read_number(value, 1, WEIGHT_MAX, &url->weight) == 0)
			return 0;
		return complain(reader, "weight is a number from 1 to %d", WEIGHT_MAX);
	}
	if (equals(name, "max")) {
		if (read_number(value, 1, UINT32_MAX, &url->max_connections) == 0)
			return 0;
		return complain(reader, "max is a number of connections, from 1");
	}
	if (equals(name, "slow-start")) {
		if (duration_parse(value, &url->slow_start) == 0)
			return 0;
		return complain(reader, "slow-start is a time such as 30s or 2m");
	}
	return complain(reader,
	                "what follows a ';' is weight=N, max=N, backup or slow-start=TIME, "
	                "not '%.*s'",
	                (int)parameter.length, parameter.data);
}

/* All from the first ';' on. */
static int read_parameters(const struct reader *reader, struct lop_str rest)
{
	while (rest.length > 0) {
		rest = skip(rest, 1);
		struct lop_str parameter = until(rest, ";");
		int result = read_parameter(reader, parameter);
		if (result != 0)
			return result;
		rest = skip(rest, parameter.length);
	}
	return 0;
}

/* Labels of letters, digits, '-' and '_' (which service names have), with a dot at the end or not.
 * One whose last label is a number would be an address to some resolvers: those are refused. */
static bool is_name(struct lop_str name)
{
	size_t label = 0;
	bool number = true;

	if (name.length == 0 || name.length > NAME_LENGTH_MAX)
		return false;
	for (size_t i = 0; i < name.length; i++) {
		char byte = lower(name.data[i]);
		bool digit = byte >= '0' && byte <= '9';
		if (byte == '.') {
			if (label == 0)
				return false;
			if (i + 1 == name.length)
				break;
			label = 0;
			number = true;
			continue;
		}
		if (!digit && byte != '-' && byte != '_' && (byte < 'a' || byte > 'z'))
			return false;
		number = number && digit;
		if (++label > LABEL_LENGTH_MAX)
			return false;
	}
	return !number;
}

static char *copy_lower(struct lop_str text)
{
	char *copy = malloc(text.length + 1);
	if (copy == NULL)
		return NULL;
	for (size_t i = 0; i < text.length; i++)
		copy[i] = lower(text.data[i]);
	copy[text.length] = '\0';
	return copy;
}

/* Sets host and literal; bracketed says that it stood in brackets. */
static int read_host(const struct reader *reader, struct lop_str host, bool bracketed)
{
	struct upstream_url *url = reader->url;
	struct in6_addr address;

	url->host = copy_lower(host);
	if (url->host == NULL)
		return -ENOMEM;
	url->literal = inet_pton(bracketed ? AF_INET6 : AF_INET, url->host, &address) == 1;
	if (url->literal && strlen(url->host) == host.length)
		return 0;
	if (bracketed)
		return complain(reader, "an IPv6 address stands in the brackets, as in [::1]");
	if (!is_name(host))
		return complain(reader,
		                host.length == 0
		                        ? "a host is missing, as in http://127.0.0.1:8080/"
		                        : "the host is a name (an international one as xn--…) "
		                          "or an address");
	return 0;
}

static int read_port(const struct reader *reader, struct lop_str text)
{
	uint32_t port;

	if (reader->url->kind == UPSTREAM_SRV)
		return complain(reader, "a port has no place here: the SRV records name it");
	if (read_number(text, 1, UINT16_MAX, &port) != 0)
		return complain(reader, "the port is a number from 1 to 65535");
	reader->url->port = (uint16_t)port;
	return 0;
}

/* host [":" port | "#" port], RFC 3986 3.2 without userinfo. Sets *used. */
static int read_authority(const struct reader *reader, struct lop_str text, size_t *used)
{
	struct lop_str host;
	bool bracketed = text.length > 0 && text.data[0] == '[';
	size_t at;

	if (bracketed) {
		host = until(skip(text, 1), "]/");
		at = host.length + 2;
		if (at > text.length || text.data[at - 1] != ']')
			return complain(reader, "a ']' is missing behind the address");
	} else {
		host = until(text, ":#/;?");
		at = host.length;
		if (memchr(host.data, '@', host.length) != NULL)
			return complain(reader, "a user and password have no place in this URL");
	}
	int result = read_host(reader, host, bracketed);
	if (result != 0)
		return result;
	if (at < text.length && (text.data[at] == ':' || text.data[at] == '#')) {
		struct lop_str port = until(skip(text, at + 1), "/;?#:");
		if ((result = read_port(reader, port)) != 0)
			return result;
		at += 1 + port.length;
	}
	*used = at;
	return 0;
}

/* What stands behind the authority. */
static int read_path(const struct reader *reader, struct lop_str path)
{
	struct upstream_url *url = reader->url;

	if (path.length == 0)
		path = (struct lop_str){ "/", 1 };
	if (path.data[0] != '/')
		return complain(reader, "'/' and a path are expected behind the host, not '%.*s'",
		                (int)path.length, path.data);
	if (memchr(path.data, '?', path.length) != NULL ||
	    memchr(path.data, '#', path.length) != NULL)
		return complain(reader, "a query or fragment has no place in this URL; "
		                        "encode '?' as %%3F and '#' as %%23");
	if (!path_is_encoded(path))
		return complain(reader,
		                "the path may have no '//', '.', '..', '\\' or encoded '/', "
		                "and other bytes that a URL may not hold are encoded as %%XX");
	url->path = strndup(path.data, path.length);
	return url->path == NULL ? -ENOMEM : 0;
}

/* For the Host field: lower case, the port only when it is not the scheme's. */
static int set_authority(struct upstream_url *url)
{
	bool bracketed = url->literal && strchr(url->host, ':') != NULL;
	bool standard = url->port == 0 || url->port == (url->secure ? 443 : 80);
	size_t size = strlen(url->host) + sizeof "[]:65535";

	url->authority = malloc(size);
	if (url->authority == NULL)
		return -ENOMEM;
	int length = snprintf(url->authority, size, bracketed ? "[%s]" : "%s", url->host);
	if (!standard)
		snprintf(url->authority + length, size - (size_t)length, ":%u", url->port);
	return 0;
}

/* After "unix:". A ':' ends the socket's path. */
static int read_unix(const struct reader *reader, struct lop_str text)
{
	struct upstream_url *url = reader->url;
	struct lop_str path = until(text, ":");

	url->kind = UPSTREAM_UNIX;
	if (path.length < 2 || path.data[0] != '/' || memchr(path.data, '\0', path.length) != NULL)
		return complain(reader,
		                "the absolute path of a socket is expected behind 'unix:', as in "
		                "unix:/run/app.sock:/path");
	if (path.length >= sizeof((struct sockaddr_un *)NULL)->sun_path)
		return complain(reader, "a socket's path has at most %zu bytes",
		                sizeof((struct sockaddr_un *)NULL)->sun_path - 1);
	url->host = strndup(path.data, path.length);
	url->authority = strdup("localhost");
	if (url->host == NULL || url->authority == NULL)
		return -ENOMEM;
	return read_path(reader, skip(text, path.length + (path.length < text.length)));
}

/* After the scheme and "://". */
static int read_network(const struct reader *reader, struct lop_str text)
{
	struct upstream_url *url = reader->url;
	size_t used = 0;

	int result = read_authority(reader, text, &used);
	if (result != 0)
		return result;
	if (url->kind == UPSTREAM_SRV && url->literal)
		return complain(reader, "SRV records belong to a name, not to an address");
	if (url->kind != UPSTREAM_SRV && url->port == 0)
		url->port = url->secure ? 443 : 80;
	if ((result = set_authority(url)) != 0)
		return result;
	return read_path(reader, skip(text, used));
}

/* Everything but the parameters. */
static int read_url(const struct reader *reader, struct lop_str text)
{
	static const struct {
		const char *front;
		enum upstream_kind kind;
		bool secure;
	} schemes[] = {
		{ "http://", UPSTREAM_TCP, false },
		{ "https://", UPSTREAM_TCP, true },
		{ "srv+http://", UPSTREAM_SRV, false },
		{ "srv+https://", UPSTREAM_SRV, true },
	};

	if (begins(text, "unix:"))
		return read_unix(reader, skip(text, strlen("unix:")));
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		if (!begins(text, schemes[i].front))
			continue;
		reader->url->kind = schemes[i].kind;
		reader->url->secure = schemes[i].secure;
		return read_network(reader, skip(text, strlen(schemes[i].front)));
	}
	return complain(reader, "a URL begins with http://, https://, srv+http://, srv+https:// or "
	                        "unix:");
}

int upstream_url_parse(struct lop_str text, struct upstream_url *url, char *error,
                       size_t error_size)
{
	struct reader reader = { text, url, error, error_size };

	*url = (struct upstream_url){ .weight = 1 };
	struct lop_str location = until(text, ";");
	int result = read_url(&reader, location);
	if (result == 0)
		result = read_parameters(&reader, skip(text, location.length));
	if (result == -ENOMEM)
		snprintf(error, error_size, "%s", strerror(ENOMEM));
	if (result != 0)
		upstream_url_clear(url);
	return result;
}

void upstream_url_clear(struct upstream_url *url)
{
	free(url->host);
	free(url->authority);
	free(url->path);
	*url = (struct upstream_url){ 0 };
}
