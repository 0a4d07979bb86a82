/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The contents of the files on their way from the process that may read them to the workers, which
 * may not: memory that both have. One writes, rarely; the others look whether it is new to them.
 */
#ifndef TLS_BUNDLE_H
#define TLS_BUNDLE_H

#include <stdbool.h>

struct bundle;
struct files;

/* With room for files that have grown a good deal. NULL when memory is out. */
struct bundle *bundle_new(const struct files *files);
void bundle_free(struct bundle **bundle);

/* 0, or -EFBIG: they have outgrown it. */
int bundle_put(struct bundle *bundle, const struct files *files);
/* What was put since the last call; NULL: nothing, or memory is out (then the next call gives it). */
struct files *bundle_take(struct bundle *bundle);
/* This process will not write to it any more. */
void bundle_seal(struct bundle *bundle);

#endif
