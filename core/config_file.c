/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLANKS " \t\r\f\v"

static bool is_name(const char *text)
{
	return *text != '-' && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

/* Takes the quotes off in place. *rest is what follows. Returns NULL or a complaint. */
static const char *unquote(char *text, char **rest)
{
	char quote = *text, *out = text, *in = text + 1;

	for (; *in != quote; in++) {
		if (quote == '"' && *in == '\\' && in[1] != '\0')
			in++;
		if (*in == '\0')
			return "a quote is not closed";
		*out++ = *in;
	}
	*rest = in + 1;
	if (**rest != '\0' && strchr(BLANKS, **rest) == NULL)
		return "text follows a closing quote; leave a blank between";
	*out = '\0';
	return NULL;
}

struct line {
	char *name; /* NULL: it says nothing */
	char *values[CONFIG_VALUES_MAX];
	size_t count;
};

/* Cuts the value that text begins with. *rest is what follows. Returns NULL or a complaint. */
static const char *cut_value(char *text, char **rest)
{
	if (*text == '"' || *text == '\'')
		return unquote(text, rest);
	*rest = text + strcspn(text, BLANKS);
	if (**rest != '\0')
		*(*rest)++ = '\0';
	return NULL;
}

/* Returns NULL or a complaint. */
static const char *cut_line(char *text, struct line *line)
{
	char *rest;

	text += strspn(text, BLANKS);
	if (*text == '\0' || *text == '#')
		return NULL;
	rest = text + strcspn(text, BLANKS);
	if (*rest != '\0')
		*rest++ = '\0';
	if (!is_name(text))
		return "a line begins with the long name of an option, as in 'port 8080'";
	line->name = text;
	for (;;) {
		const char *complaint;

		rest += strspn(rest, BLANKS);
		if (*rest == '\0' || *rest == '#')
			return NULL;
		if (line->count == 0 && *rest == '=' &&
		    (rest[1] == '\0' || strchr(BLANKS, rest[1]) != NULL))
			return "write 'name value', without '='";
		if (line->count == CONFIG_VALUES_MAX)
			return "too many values for one line";
		line->values[line->count++] = rest;
		complaint = cut_value(rest, &rest);
		if (complaint != NULL)
			return complaint;
	}
}

static int parse_line(char *text, const char *where, config_line_f *take, void *context,
                      char *error, size_t error_size)
{
	char inner[512] = "";
	struct line line = { .name = NULL };
	const char *complaint = cut_line(text, &line);
	int result = 0;

	if (complaint != NULL) {
		snprintf(error, error_size, "%s: %s", where, complaint);
		return -EINVAL;
	}
	if (line.name != NULL)
		result = take(context, line.name, line.values, line.count, inner, sizeof(inner));
	if (result < 0)
		snprintf(error, error_size, "%s: %s", where, inner);
	return result;
}

int config_parse(const char *text, size_t length, const char *file, config_line_f *line,
                 void *context, char *error, size_t error_size)
{
	char where[320];
	const char *end = text + length;
	int result = 0;

	if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	for (unsigned number = 1; text < end && result == 0; number++) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t size = (size_t)((newline != NULL ? newline : end) - text);
		char *copy = strndup(text, size);

		snprintf(where, sizeof(where), "%s:%u", file, number);
		if (copy == NULL) {
			snprintf(error, error_size, "%s: %s", where, strerror(ENOMEM));
			return -ENOMEM;
		}
		if (strlen(copy) < size) {
			snprintf(error, error_size, "%s: a NUL byte; this is not a text file",
			         where);
			result = -EINVAL;
		} else {
			result = parse_line(copy, where, line, context, error, error_size);
		}
		free(copy);
		text = newline != NULL ? newline + 1 : end;
	}
	return result;
}

int config_read(const char *path, char **text, size_t *length, char *error, size_t error_size)
{
	/* O_NONBLOCK: a FIFO without a writer must not hang the start. */
	int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	ssize_t got;
	int result;

	*text = NULL;
	*length = 0;
	if (descriptor < 0 || fstat(descriptor, &st) < 0)
		goto fail;
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		goto fail;
	}
	if (fcntl(descriptor, F_SETFL, 0) < 0)
		goto fail;
	*text = malloc(CONFIG_SIZE_MAX);
	if (*text == NULL)
		goto fail;
	while ((got = read(descriptor, *text + *length, CONFIG_SIZE_MAX - *length)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			goto fail;
		*length += (size_t)got;
	}
	if (*length == CONFIG_SIZE_MAX) {
		errno = EFBIG;
		goto fail;
	}
	close(descriptor);
	return 0;
fail:
	result = -errno;
	snprintf(error, error_size, "cannot read the config file %s: %s", path, strerror(errno));
	if (descriptor >= 0)
		close(descriptor);
	free(*text);
	*text = NULL;
	return result;
}
