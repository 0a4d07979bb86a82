/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The config file's form: one `name value` a line, '#' at the beginning of a word begins a comment,
 * blank lines are skipped. What means several values by a name takes them apart by blanks.
 *
 * A value with blanks or with '#' at its beginning stands in quotes: in "..." a backslash takes the
 * next character as it is, in '...' nothing is special. A line without a value is a flag.
 */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <stddef.h>

/* The largest file that is read, in bytes. */
#define CONFIG_SIZE_MAX ((size_t)1 << 20)

/* The most values of a line. */
#define CONFIG_VALUES_MAX 64

/* Called for each line that says something; count is 0 for a flag. The texts are valid during the
 * call. A negative errno with one line in error ends the parsing. */
typedef int config_line_f(void *context, const char *name, char *const *values, size_t count,
                          char *error, size_t error_size);

/* Parses text. Returns 0, -EINVAL for what is not in the form above, or what the callback
 * returned; error then begins with "file:line: ". */
int config_parse(const char *text, size_t length, const char *file, config_line_f *line,
                 void *context, char *error, size_t error_size);

/* Reads a whole file; the caller frees *text. Returns 0, or a negative errno with one line in
 * error. */
int config_read(const char *path, char **text, size_t *length, char *error, size_t error_size);

#endif
