/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a user types: one table of the core's options, from which the parser, --help, the config
 * file and the manual page come. Options of loaded modules join in by the same rules.
 *
 * The command line is gone through twice: the first time only modules and the config file are
 * looked for, because a module's options are known after it is loaded. An option given twice: the
 * last wins, unless it is repeatable. The command line wins over the config file.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "settings.h"

struct lop_core;

enum option_kind {
	OPTION_FLAG,   /* bool */
	OPTION_TEXT,   /* const char * */
	OPTION_LIST,   /* struct string_list: repeatable */
	OPTION_NUMBER, /* int */
	OPTION_BYTES,  /* size_t */
	OPTION_BYTES64, /* int64_t */
	OPTION_TIME,   /* int64_t, ns */
};

struct option {
	const char *name;     /* without dashes */
	const char *argument; /* NULL for a flag */
	const char *help;
	const char *preset;   /* value when it is not given; NULL: 0 */
	int64_t low, high;    /* bounds of a number */
	size_t offset;        /* of its field in struct settings */
	enum option_kind kind;
	char letter;          /* 0: none */
	bool joins;           /* a list that adds to the config file's instead of replacing it */
	bool typed_only;      /* has no place in a config file */
};

/* A heading of --help with its options, which end with a NULL name. */
struct option_group {
	const char *title;
	const struct option *options;
};
extern const struct option_group option_groups[]; /* ends with a NULL title */

/* Options by name (not NUL-terminated) or letter; NULL. */
const struct option *option_by_name(const char *name, size_t length);
const struct option *option_by_letter(char letter);
/* Position in the table, below OPTION_COUNT_MAX. */
size_t option_index(const struct option *option);
#define OPTION_COUNT_MAX 64

/* Sets a field from text. On failure returns -EINVAL (or -ENOMEM) and one line in error. */
int option_apply(const struct option *option, struct settings *settings, const char *value,
                 char *error, size_t error_size);
/* Forgets what a list holds. */
void option_clear(const struct option *option, struct settings *settings);

/* "64", "16k", "1m", "2g" (any case). Returns 0 or -EINVAL. */
int option_parse_bytes(const char *text, int64_t *bytes);
/* "1.5" (seconds), "250ms", "20s", "5m", "1h". Returns 0 or -EINVAL. */
int option_parse_time(const char *text, int64_t *ns);

/* Fills settings with the presets. Returns 0 or -ENOMEM. */
int options_preset(struct settings *settings);
void options_free(struct settings *settings);

/* Reads the command line and the config file, loads the modules they name, and sets everything.
 * Returns 0, -EINVAL for wrong usage, or another negative errno; then error holds one line. */
int options_read(struct lop_core *core, int argc, char **argv, char *error, size_t error_size);

/* --help: at most 80 columns, with the options of the loaded modules. */
void options_print_help(const struct lop_core *core, FILE *out);

#endif
