/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hosts file: kept as text, because few names are looked up and most files are short.
 */
#ifndef NAMES_HOSTS_H
#define NAMES_HOSTS_H

#include <stddef.h>

#include "names_answer.h"

struct hosts {
	char *text; /* NULL: there is none */
	size_t length;
};

/* A file that is not there, or cannot be read, has no names. Returns 0 or -ENOMEM. */
int hosts_read(const char *path, struct hosts *hosts);
void hosts_clear(struct hosts *hosts);
/* Adds the addresses of a name (without regard to case; a last dot does not count) to the answer, up
 * to its bound. "localhost" and what ends in ".localhost" is this machine, if the file does not say
 * something else (RFC 6761 6.3). Returns whether the name is known. */
bool hosts_find(const struct hosts *hosts, const char *name, enum dns_type type,
                struct dns_answer *answer);

#endif
