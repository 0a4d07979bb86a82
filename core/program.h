/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one program of this package is: all of them are the same core, and differ in what they load
 * by themselves and how they are asked. Each is a main file of its own with one constant of this.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>

/* A further name in the program's config file for an option, with a word of its own. */
struct directive {
	const char *name;
	const char *option; /* long name */
	bool joined;        /* "NAME A B C" is the option's value "A=B,C"; a '=' in A is encoded */
};

struct program {
	const char *name;     /* in messages */
	const char *synopsis; /* after the name, in --help */
	const char *summary;  /* lines of --help */
	/* Arrays end with NULL, or an entry whose name is NULL. Each may be NULL. */
	const char *const *modules; /* loaded before all others */
	const struct directive *directives;
	const char *wants_file; /* one argument is the config file, and without it this is said;
	                         * NULL: there is no such argument */
	bool serves_files; /* else the root is nothing but the place of the chroot: when none is
	                         * named, an empty folder that is in no tree */
};

/* main() of each. Returns the exit status. */
int program_run(const struct program *program, int argc, char **argv);

#endif
