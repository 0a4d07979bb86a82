/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tokens of HTTP: names of fields, and values that need no quotes (RFC 9110 5.6.2).
 */
#ifndef PROXY_TOKEN_H
#define PROXY_TOKEN_H

#include <lophttpd/base.h>
#include <stdbool.h>

extern const bool token_bytes[256];

static inline bool is_token_byte(char byte)
{
	return token_bytes[(unsigned char)byte];
}

/* Whether the whole text is one; an empty one is not. */
bool is_token(struct lop_str text);

#endif
