/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "names_hosts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Lists of unwanted servers, which some keep there, are about this long. */
#define FILE_MAX ((size_t)8 * 1024 * 1024)
#define BLANKS " \t\r\f\v"

int hosts_read(const char *path, struct hosts *hosts)
{
	FILE *file = fopen(path, "re");
	size_t size = 0, count = 1;

	*hosts = (struct hosts){ .text = NULL };
	if (file == NULL)
		return 0;
	while (count > 0 && size < FILE_MAX) {
		char *grown = realloc(hosts->text, size += 16384);

		if (grown == NULL) {
			hosts_clear(hosts);
			fclose(file);
			return -ENOMEM;
		}
		hosts->text = grown;
		count = fread(grown + hosts->length, 1, size - hosts->length, file);
		hosts->length += count;
	}
	fclose(file);
	return 0;
}

void hosts_clear(struct hosts *hosts)
{
	free(hosts->text);
	*hosts = (struct hosts){ .text = NULL };
}

/* Takes the next word of a line; false at its end. */
static bool next_word(struct lop_str *line, struct lop_str *word)
{
	while (line->length > 0 && strchr(BLANKS, line->data[0]) != NULL) {
		line->data++;
		line->length--;
	}
	*word = (struct lop_str){ line->data, 0 };
	while (word->length < line->length && line->data[word->length] != '\0' &&
	       strchr(BLANKS, line->data[word->length]) == NULL)
		word->length++;
	line->data += word->length;
	line->length -= word->length;
	return word->length > 0;
}

static bool is_name(struct lop_str word, struct lop_str name)
{
	return word.length == name.length && strncasecmp(word.data, name.data, name.length) == 0;
}

static bool read_address(struct lop_str word, struct dns_address *address)
{
	char text[INET6_ADDRSTRLEN];

	if (word.length >= sizeof(text))
		return false;
	memcpy(text, word.data, word.length);
	text[word.length] = '\0';
	*address = (struct dns_address){ .v6 = false };
	if (inet_pton(AF_INET, text, address->bytes) == 1)
		return true;
	address->v6 = true;
	return inet_pton(AF_INET6, text, address->bytes) == 1;
}

static void add(const struct dns_address *address, enum dns_type type, struct dns_answer *answer)
{
	if (address->v6 == (type == DNS_AAAA) && answer->count < NAMES_ADDRESSES_MAX)
		answer->records.addresses[answer->count++] = *address;
}

/* "ADDRESS NAME…" with a comment perhaps. */
static bool find_in_line(struct lop_str line, struct lop_str name, enum dns_type type,
                         struct dns_answer *answer)
{
	const char *comment = memchr(line.data, '#', line.length);
	struct dns_address address;
	struct lop_str word;

	if (comment != NULL)
		line.length = (size_t)(comment - line.data);
	if (!next_word(&line, &word) || !read_address(word, &address))
		return false;
	while (next_word(&line, &word))
		if (is_name(word, name)) {
			add(&address, type, answer);
			return true;
		}
	return false;
}

static bool is_localhost(struct lop_str name)
{
	static const char local[] = "localhost";
	const size_t length = sizeof(local) - 1;

	return name.length >= length &&
	       strncasecmp(name.data + name.length - length, local, length) == 0 &&
	       (name.length == length || name.data[name.length - length - 1] == '.');
}

bool hosts_find(const struct hosts *hosts, const char *name, enum dns_type type,
                struct dns_answer *answer)
{
	struct lop_str rest = { hosts->text, hosts->length }, wanted = { name, strlen(name) };
	bool found = false;

	if (wanted.length > 0 && name[wanted.length - 1] == '.')
		wanted.length--;
	while (rest.length > 0) {
		const char *end = memchr(rest.data, '\n', rest.length);
		size_t length = end != NULL ? (size_t)(end - rest.data) : rest.length;

		found |= find_in_line((struct lop_str){ rest.data, length }, wanted, type, answer);
		length += end != NULL;
		rest.data += length;
		rest.length -= length;
	}
	if (!found && is_localhost(wanted)) {
		static const struct dns_address v4 = { .bytes = { 127, 0, 0, 1 } };
		static const struct dns_address v6 = { .v6 = true, .bytes = { [15] = 1 } };

		add(type == DNS_AAAA ? &v6 : &v4, type, answer);
		found = true;
	}
	return found;
}
