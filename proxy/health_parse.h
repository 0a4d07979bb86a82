/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The answer to an active check. Pure: bytes in, a status out. Nothing behind the status line of
 * the final response is looked at, since the connection is closed then.
 */
#ifndef PROXY_HEALTH_PARSE_H
#define PROXY_HEALTH_PARSE_H

#include <stddef.h>

/* The status of the final response that begins in data, interim ones before it left out; 0: more is
 * needed; -EBADMSG: it is none. */
int health_answer(const char *data, size_t size);

#endif
