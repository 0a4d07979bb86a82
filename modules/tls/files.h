/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands in the files that the options name, in their order. Keys are wiped when it is freed.
 */
#ifndef TLS_FILES_H
#define TLS_FILES_H

#include <stdbool.h>
#include <stddef.h>

struct tls;

struct content {
	unsigned char *data; /* NUL behind it, which does not count */
	size_t length;
	/* It was in use already: a certificate that has expired since does not keep those of other
	 * hosts from being renewed. */
	bool known;
};

struct files {
	size_t count;
	struct content items[];
};

/* Reads all. On failure returns a negative errno and says which file, why and what to do; a key that
 * others can read is warned of. */
int files_read(struct tls *tls, struct files **files, char *error, size_t error_size);
/* Whether there is a private key in it, as far as one can see. */
bool files_has_key(const struct content *content);
bool files_equal(const struct files *a, const struct files *b);
void files_free(struct files **files);

/* The same as one piece of memory, and back. */
size_t files_packed_size(const struct files *files);
void files_pack(const struct files *files, unsigned char *out);
/* NULL when memory is out or the piece is damaged. */
struct files *files_unpack(const unsigned char *packed, size_t size);

#endif
