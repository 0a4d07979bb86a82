/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a name server answered: records of one type out of a DNS message (RFC 1035, RFC 2782), with
 * how long they may be believed. Pure; every byte may be hostile.
 */
#ifndef NAMES_ANSWER_H
#define NAMES_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "names.h"

/* With dots, without the last, NUL included. */
#define DNS_NAME_SIZE 255

enum dns_type {
	DNS_A = 1,
	DNS_AAAA = 28,
	DNS_SRV = 33,
};

struct dns_address {
	bool v6;
	unsigned char bytes[16]; /* the first four of v4 */
};

struct dns_service {
	uint16_t priority;
	uint16_t weight;
	uint16_t port;
	char host[DNS_NAME_SIZE]; /* lower case; letters, digits, '-', '_' and '.' only */
};

struct dns_answer {
	uint32_t ttl; /* s; without records how long that may be believed, 0: it was not said */
	size_t count;
	union {
		struct dns_address addresses[NAMES_ADDRESSES_MAX];
		struct dns_service services[NAMES_TARGETS_MAX];
	} records;
};

/* Reads the records of the type that belong to the name that was asked for, through its aliases.
 * What is beyond the bounds is passed over. Returns 0, also when there are none of the type; -ENOENT:
 * the name does not exist; -EAGAIN: the server could not answer; -EBADMSG: not an answer. */
int dns_answer_read(const unsigned char *message, size_t length, enum dns_type type,
                    struct dns_answer *answer);

#endif
