/* SPDX-License-Identifier: BSD-2-Clause */
#include "tickets.h"

#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "compat.h"
#include "tls.h"
#include "transport.h"

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

#define SECRET 32
#define SLOTS 3 /* this generation, the one before, and the one that may be written next */

/* In shared memory. Every process derives the same secret for a generation, so that two that write
 * it at once write the same bytes; a slot is written while no generation uses it. */
struct shared {
	atomic_uint generation;
	int64_t began_s; /* of generation 0 */
	unsigned char secrets[SLOTS][SECRET];
};

struct tickets {
	struct shared *shared;
	unsigned generation;       /* that the keys are of */
	bool has_keys;
	struct ticket_key keys[2]; /* this generation's, and the one before */
	bool has_before;
};

static bool derive_key(const unsigned char secret[SECRET], struct ticket_key *key)
{
	unsigned char name[32];

	if (!compat_hmac(secret, "name", name) || !compat_hmac(secret, "cipher", key->cipher) ||
	    !compat_hmac(secret, "mac", key->mac))
		return false;
	memcpy(key->name, name, sizeof(key->name));
	return true;
}

struct tickets *tickets_new(int64_t now_s)
{
	struct tickets *tickets = calloc(1, sizeof(*tickets));
	struct shared *shared;

	if (tickets == NULL)
		return NULL;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	if (shared == MAP_FAILED || RAND_bytes(shared->secrets[0], SECRET) != 1) {
		if (shared != MAP_FAILED)
			(void)munmap(shared, sizeof(*shared));
		free(tickets);
		return NULL;
	}
	atomic_init(&shared->generation, 0);
	shared->began_s = now_s;
	tickets->shared = shared;
	return tickets;
}

void tickets_free(struct tickets **pointer)
{
	struct tickets *tickets = *pointer;

	*pointer = NULL;
	if (tickets == NULL)
		return;
	(void)munmap(tickets->shared, sizeof(*tickets->shared));
	OPENSSL_cleanse(tickets, sizeof(*tickets));
	free(tickets);
}

/* Goes on to the generation that it is time for. The clock may have been set back: then the
 * generation stays. */
static void advance(struct shared *shared, unsigned wanted)
{
	unsigned generation = atomic_load(&shared->generation);

	while (generation < wanted) {
		const unsigned next = generation + 1;
		unsigned char secret[SECRET];

		if (!compat_hmac(shared->secrets[generation % SLOTS], "next", secret))
			return;
		/* Another process may be further already, and have wiped what this was made of. */
		if (atomic_load(&shared->generation) == generation)
			memcpy(shared->secrets[next % SLOTS], secret, SECRET);
		OPENSSL_cleanse(secret, SECRET);
		if (atomic_compare_exchange_strong(&shared->generation, &generation, next)) {
			generation = next;
			if (next >= 2)
				OPENSSL_cleanse(shared->secrets[(next - 2) % SLOTS], SECRET);
		}
	}
}

/* Derives the keys of the generation that stands. */
static bool renew(struct tickets *tickets)
{
	struct shared *shared = tickets->shared;
	unsigned generation;

	do {
		generation = atomic_load(&shared->generation);
		tickets->has_keys =
			derive_key(shared->secrets[generation % SLOTS], &tickets->keys[0]);
		tickets->has_before = generation > 0 &&
		                      derive_key(shared->secrets[(generation - 1) % SLOTS],
		                                 &tickets->keys[1]);
	} while (generation != atomic_load(&shared->generation));
	tickets->generation = generation;
	return tickets->has_keys;
}

int tickets_find(struct tickets *tickets, int64_t now_s, const unsigned char *name,
                 struct ticket_key *key)
{
	struct shared *shared = tickets->shared;
	const int64_t age = now_s - shared->began_s;
	const int64_t wanted = age > 0 ? age / TICKETS_PERIOD_S : 0;

	if (wanted < UINT32_MAX / 2)
		advance(shared, (unsigned)wanted);
	if ((!tickets->has_keys || tickets->generation != atomic_load(&shared->generation)) &&
	    !renew(tickets))
		return 0;
	for (int i = 0; i < 2; i++) {
		if (i == 1 && !tickets->has_before)
			break;
		if (name != NULL &&
		    memcmp(name, tickets->keys[i].name, sizeof(tickets->keys[i].name)) != 0)
			continue;
		*key = tickets->keys[i];
		return i + 1;
	}
	return 0;
}

int tickets_key(SSL *ssl, const unsigned char *name, struct ticket_key *key)
{
	struct tls *tls = transport_module(ssl);

	return tickets_find(tls->tickets, lop_worker_wall(tls->worker) / 1000000000, name, key);
}

void tickets_prepare(SSL_CTX *context)
{
	/* No ticket outlives the keys of two generations. */
	SSL_CTX_set_timeout(context, TICKETS_PERIOD_S);
	compat_tickets(context);
}
