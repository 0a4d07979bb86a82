/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys of session tickets, the same in all workers. They change every 12 hours; tickets of the
 * generation before are still taken. Each generation's secret is made of the one before by a
 * function that cannot be turned around, and the old one is wiped: who learns a secret cannot read
 * what was recorded two generations ago.
 */
#ifndef TLS_TICKETS_H
#define TLS_TICKETS_H

#include <openssl/ssl.h>
#include <stdint.h>

#define TICKETS_PERIOD_S INT64_C(43200)

struct tickets;

struct ticket_key {
	unsigned char name[16];
	unsigned char cipher[32];
	unsigned char mac[32];
};

/* In memory that is shared with the processes forked later. NULL when there is none. */
struct tickets *tickets_new(int64_t now_s);
void tickets_free(struct tickets **tickets);

/* What a context needs to issue and take tickets. */
void tickets_prepare(SSL_CTX *context);

/* The key of the ticket with that name; name NULL: the one to make a ticket with. Returns 1, 2 for
 * the generation before, 0 when there is none. */
int tickets_key(SSL *ssl, const unsigned char *name, struct ticket_key *key);
int tickets_find(struct tickets *tickets, int64_t now_s, const unsigned char *name,
                 struct ticket_key *key);

#endif
