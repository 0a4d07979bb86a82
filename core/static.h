/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Static files: the core's own CONTENT hook.
 */
#ifndef STATIC_H
#define STATIC_H

#include <lophttpd/hook.h>

/* Ends with size 0. Their state is not used: what they need is the request's worker's. */
extern const struct lop_hook static_hooks[];

#endif
