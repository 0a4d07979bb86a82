/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a connection and the cache of connections know of each other.
 */
#ifndef PROXY_UPSTREAM_PRIVATE_H
#define PROXY_UPSTREAM_PRIVATE_H

#include "secure.h"
#include "upstream.h"

/* Takes a kept connection out of the cache and closes it. */
void upstream_forget(struct upstream **upstream);

/* The TLS session to be resumed with its server; NULL: none. */
struct secure_session *upstream_session(const struct upstream *upstream);
/* context: the connection. */
void upstream_learn_session(void *context, struct secure_session *session);

#endif
