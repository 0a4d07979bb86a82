/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of upstreams, resolved by c-ares inside the worker's loop: A, AAAA and SRV, again when the
 * records' time to live has passed. A resolver that fails leaves the last good set in place.
 *
 * The configuration (resolv.conf, hosts, --resolver) is read by names_new(), before the chroot.
 */
#ifndef PROXY_NAMES_H
#define PROXY_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include <lophttpd/loop.h>

#include "pool.h"
#include "url.h"

struct names;
struct name;

struct names_settings {
	const char *servers; /* --resolver "192.0.2.53,[2001:db8::53]:5353"; NULL: the system's */
	int64_t ttl_min;     /* ns; records are believed at least this long */
	int64_t ttl_max;
	int64_t retry;       /* after a failure; doubles up to ttl_max */
	int family;          /* AF_UNSPEC, AF_INET, AF_INET6 */
};

/* A name's addresses, sorted; ports filled in. status 0, or -ENOENT (the name does not exist),
 * -EAGAIN (no answer): then the set is the last good one and count may be 0. weights: from SRV (1 …
 * 256), or NULL; records of a lower SRV priority class are not given while there is a higher. */
typedef void names_changed_f(void *context, int status, const union server_address *addresses,
                             const socklen_t *lengths, const uint32_t *weights, size_t count);

/* Privileged, before fork: reads the configuration. Returns 0, or a negative errno after one line
 * into error. */
int names_new(const struct names_settings *settings, struct names **names, char *error,
              size_t error_size);
/* In the worker. */
int names_start(struct names *names, struct lop_worker *worker);
/* Follows the name of a URL (kind TCP with a name, or SRV) until names_free(). `changed` is called
 * from the loop, first as soon as there is an answer, then whenever the set differs. */
int names_follow(struct names *names, const struct upstream_url *url, names_changed_f *changed,
                 void *context);
/* Asks for all again now (USR1). */
void names_refresh(struct names *names);
void names_free(struct names **names);

#endif
