/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Named blocks of memory that all workers share; the functions for modules are
 * <lophttpd/share.h>.
 */
#ifndef SHARE_H
#define SHARE_H

#include <stddef.h>

#include <lophttpd/share.h>

struct share {
	struct share *next;
	void *block;
	size_t size;
	char name[];
};

/* Unmaps all of them in this process. */
void shares_free(struct share **shares);

#endif
