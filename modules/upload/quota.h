/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many bytes the upload folder may hold, counted over all workers: what lies there, which a
 * survey adds up before each upload, and what is on its way, which is kept in memory that the
 * workers share. What a killed worker had reserved is given back when its successor starts.
 */
#ifndef UPLOAD_QUOTA_H
#define UPLOAD_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

struct quota;

/* Before the workers are forked. Returns 0 or a negative errno. */
int quota_new(int64_t limit, struct quota **quota);
void quota_free(struct quota **quota);
/* In a worker, before anything else. */
void quota_enter(struct quota *quota, int worker);

/* One upload's account. */
struct account {
	int64_t found;     /* bytes in the folder when it was surveyed */
	int64_t published; /* bytes that all uploads had published by then */
	int64_t reserved;
};

/* To be called before the survey whose sum becomes `found`. */
void account_begin(const struct quota *quota, struct account *account);
/* Makes sure that `bytes` in all are reserved. Returns 0 or -EDQUOT. */
int account_reserve(struct quota *quota, struct account *account, int64_t bytes);
/* Gives back what is reserved; `stored` bytes are in the folder now. */
void account_end(struct quota *quota, struct account *account, int64_t stored);

#endif
