/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The set of addresses that a name stands for: made of its targets, sorted, each once. Pure.
 */
#ifndef NAMES_SET_H
#define NAMES_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "names_answer.h"
#include "pool.h"

/* Addresses of one family of a target. */
struct found {
	struct dns_address *items;
	size_t count;
	bool missing; /* the last answer was that there are none (any more) */
};

/* A host and port: one of the SRV records, or all that a plain name has. */
struct target {
	char *host;
	uint16_t port;
	uint16_t priority;
	uint16_t weight;
	struct found found[2]; /* A, AAAA */
};

struct name_set {
	union server_address *addresses;
	socklen_t *lengths;
	uint32_t *weights; /* 1 … 256, of SRV; else NULL */
	size_t count;
};

/* Makes the set of the targets' addresses that are not missing, of the best priority class that has
 * any; at most NAMES_ADDRESSES_MAX. A target's weight is divided among its addresses. Returns 0 or
 * -ENOMEM. */
int name_set_make(const struct target *targets, size_t count, bool weighted, struct name_set *set);
bool name_set_equal(const struct name_set *a, const struct name_set *b);
void name_set_clear(struct name_set *set);

#endif
