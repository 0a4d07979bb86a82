/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of upstreams, resolved by c-ares inside the worker's loop: A, AAAA and SRV, again when the
 * records' time to live has passed.
 *
 * A resolver that fails (no answer, SERVFAIL) leaves the last good set in place for as long as it
 * fails. A name that is said not to exist, or to have no address, leaves it in place for `gone`:
 * then the set becomes empty. What worked before and fails now is told in one message, and when
 * it works again; of several workers the first tells it.
 *
 * The configuration (resolv.conf, hosts, --resolver) is read by names_new(), before the chroot, and
 * not again. A name that stands in hosts has those addresses and no others, as has "localhost";
 * of relative names the search list of resolv.conf is tried.
 *
 * Built without c-ares, names are resolved by getaddrinfo() within names_follow(), once.
 */
#ifndef PROXY_NAMES_H
#define PROXY_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include <lophttpd/loop.h>

#include "pool.h"
#include "url.h"

struct names;

/* Of one name; what a resolver gives beyond is passed over. */
#define NAMES_TARGETS_MAX 64
#define NAMES_ADDRESSES_MAX 256

/* Times in ns. */
struct names_settings {
	struct lop_core *core; /* for messages; may be NULL */
	const char *servers; /* --resolver "192.0.2.53,[2001:db8::53]:5353"; NULL: the system's */
	const char *hosts;   /* the hosts file; not there: none */
	int64_t ttl_min;     /* records are believed at least this long */
	int64_t ttl_max;
	int64_t retry;       /* after a failure; doubles up to ttl_max */
	int64_t gone;        /* a name must be missing for so long before its addresses are dropped */
	int64_t timeout;     /* of the first try of a question; a later try has more */
	int tries;
	int family;          /* AF_UNSPEC, AF_INET, AF_INET6 */
};

/* The system's servers and hosts, both families, 1 s to 5 min, retry 1 s, gone 30 s, three tries
 * from 2 s on. */
void names_preset(struct names_settings *settings);

/* The addresses to use from now on, sorted; ports filled in. status says how the last asking ended:
 * 0, -ENOENT (the name does not exist or has no address), or -EAGAIN (no answer; the set is the last
 * good one and count may be 0). weights: from SRV (1 … 256), or NULL; records of a lower SRV priority
 * class are not given while there is a higher. Must not call names_… itself. */
typedef void names_changed_f(void *context, int status, const union server_address *addresses,
                             const socklen_t *lengths, const uint32_t *weights, size_t count);

/* Privileged, before fork: reads the configuration. Returns 0, or a negative errno after one line
 * into error. Settings are copied, their strings not needed any more. */
int names_new(const struct names_settings *settings, struct names **names, char *error,
              size_t error_size);
/* Follows the name of a URL (kind TCP with a name, or SRV) until names_free(). Before names_start()
 * (each worker then has its own copy), with c-ares also after it. `changed` is called from the loop,
 * first as soon as there is an answer or a failure, then whenever the set or the status differs.
 * Returns 0, or a negative errno after one line into error. */
int names_follow(struct names *names, const struct upstream_url *url, names_changed_f *changed,
                 void *context, char *error, size_t error_size);
/* In the worker (LOP_STAGE_WORKER). */
int names_start(struct names *names, struct lop_worker *worker);
/* Asks for all again now (USR1). */
void names_refresh(struct names *names);
/* Calls nobody any more. While the loop still is there (LOP_STAGE_EXIT). */
void names_free(struct names **names);

#endif
