/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A seccomp filter from the table of rules. Making one changes nothing; loading it is for good.
 */
#ifndef FILTER_H
#define FILTER_H

#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>

#include "rules.h"

struct filter_settings {
	uint64_t needs;
	bool alone;
	bool log;       /* let what is not allowed pass, and have the kernel log it */
	int log_folder; /* or -1 */
};

/* Number of a rule's call. Negative: this library, or this processor, does not have it. */
int filter_call(const struct rule *rule);

/* Returns 0 or a negative errno; the caller releases *filter with seccomp_release(). */
int filter_make(const struct filter_settings *settings, scmp_filter_ctx *filter);

#endif
