/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a client says of who came before it, and networks that are trusted. The input is lines: the
 * client's address, Forwarded, X-Forwarded-For, -Proto, -Host, Via, and Host.
 */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

/* One line, in a buffer of its own; none of the bytes that the parser of requests refuses. */
static struct lop_str next_line(const uint8_t **at, const uint8_t *end)
{
	const uint8_t *start = *at;
	const uint8_t *newline = start < end ? memchr(start, '\n', (size_t)(end - start)) : NULL;
	size_t length = (size_t)((newline != NULL ? newline : end) - start);
	char *line = malloc(length + 1);

	expect(line != NULL);
	*at = newline != NULL ? newline + 1 : end;
	for (size_t i = 0; i < length; i++)
		line[i] = start[i] < ' ' ? ' ' : (char)start[i];
	line[length] = '\0';
	return (struct lop_str){ line, length };
}

/* Lines that end with CR LF, each a field of a name that is written here. */
static void check_fields(const char *out, size_t length, unsigned fields)
{
	unsigned count = 0;
	for (size_t i = 0; i < length; i++) {
		expect(out[i] != '\n' || (i > 0 && out[i - 1] == '\r'));
		expect(out[i] != '\r' || (i + 1 < length && out[i + 1] == '\n'));
		count += out[i] == '\n';
	}
	expect(count == fields && memcmp(out + length - 2, "\r\n", 2) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *at = data, *end = data + size;
	struct lop_str lines[7];
	struct trust trust = { 0 };
	char error[128] = "";

	for (int i = 0; i < 7; i++)
		lines[i] = next_line(&at, end);
	struct client client = {
		.address = lines[0],
		.host = lines[6],
		.scheme = "http",
		.trusted = true,
		.forwarded = lines[1],
		.x_forwarded_for = lines[2],
		.x_forwarded_proto = lines[3],
		.x_forwarded_host = lines[4],
		.via = lines[5],
		.version = 101,
	};
	int result = trust_add(&trust, lines[0].data, error, sizeof error);
	expect(result == 0 || (result == -EINVAL && error[0] != '\0'));
	if (result == 0 && strchr(lines[0].data, '/') == NULL)
		expect(trust_has(&trust, lines[0]));
	(void)trust_has(&trust, lines[6]);

	size_t room = 64 * (size + 8);
	char *out = malloc(room);
	expect(out != NULL);
	unsigned host = lines[6].length > 0 || lines[4].length > 0;
	long length = forwarded_write(&client, out, room);
	expect(length > 0);
	check_fields(out, (size_t)length, 4 + host);
	expect(forwarded_write(&client, out, (size_t)length - 1) == -ENOBUFS);
	client.trusted = false;
	length = forwarded_write(&client, out, room);
	expect(length > 0);
	check_fields(out, (size_t)length, 4 + (lines[6].length > 0));
	expect(forwarded_hops(lines[5]) <= lines[5].length);
	free(out);
	trust_clear(&trust);
	for (int i = 0; i < 7; i++) {
		char *line = (char *)(uintptr_t)lines[i].data;
		free(line);
	}
	return 0;
}
