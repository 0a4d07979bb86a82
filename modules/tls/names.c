/* SPDX-License-Identifier: BSD-2-Clause */
#include "names.h"

#include <string.h>

#define LENGTH_MAX 253
#define LABEL_MAX 63
#define NAME_TYPE_HOST 0

static bool is_name_byte(char c)
{
	/* The underscore is in use, though RFC 952 does not have it. */
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool name_normalise(struct lop_str text, char out[NAME_SIZE])
{
	size_t label = 0;

	if (text.length > 0 && text.data[text.length - 1] == '.')
		text.length--;
	if (text.length == 0 || text.length > LENGTH_MAX)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		char c = text.data[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (c == '.' ? label == 0 : !is_name_byte(c) || label == LABEL_MAX)
			return false;
		label = c == '.' ? 0 : label + 1;
		out[i] = c;
	}
	out[text.length] = '\0';
	return label > 0;
}

static bool is_address(struct lop_str text)
{
	for (size_t i = 0; i < text.length; i++)
		if (text.data[i] != '.' && (text.data[i] < '0' || text.data[i] > '9'))
			return false;
	return true;
}

const char *name_split(const char *value, char host[NAME_SIZE])
{
	const size_t length = strcspn(value, ":/");
	bool wildcard = strncmp(value, "*.", 2) == 0;
	struct lop_str name = { value, length };

	host[0] = '\0';
	if (value[length] != ':')
		return value;
	if (wildcard) {
		name.data += 2;
		name.length -= 2;
	}
	/* Clients name no address when they connect. */
	if (is_address(name) || !name_normalise(name, host))
		return NULL;
	if (wildcard) {
		const size_t size = strlen(host) + 1;

		if (size + 2 > NAME_SIZE)
			return NULL;
		memmove(host + 2, host, size);
		host[0] = '*';
		host[1] = '.';
	}
	return value + length + 1;
}

int name_indicated(const unsigned char *body, size_t length, char out[NAME_SIZE])
{
	size_t list, name;

	if (length < 2)
		return -1;
	list = (size_t)body[0] << 8 | body[1];
	if (list != length - 2)
		return -1;
	body += 2;
	while (list > 0) {
		if (list < 3)
			return -1;
		name = (size_t)body[1] << 8 | body[2];
		if (name > list - 3)
			return -1;
		if (body[0] == NAME_TYPE_HOST)
			return name_normalise((struct lop_str){ (const char *)body + 3, name },
			                      out);
		body += 3 + name;
		list -= 3 + name;
	}
	return 0;
}

bool name_of_host(struct lop_str host, char out[NAME_SIZE])
{
	const char *colon;

	if (host.data == NULL || host.length == 0 || host.data[0] == '[')
		return false;
	colon = memchr(host.data, ':', host.length);
	if (colon != NULL)
		host.length = (size_t)(colon - host.data);
	return !is_address(host) && name_normalise(host, out);
}

bool name_wildcard(const char *name, char out[NAME_SIZE])
{
	const char *dot = strchr(name, '.');

	if (dot == NULL || strlen(dot) + 2 > NAME_SIZE)
		return false;
	out[0] = '*';
	memcpy(out + 1, dot, strlen(dot) + 1);
	return true;
}
