/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "names_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WEIGHT_MAX 256u

/* Before sorting: an address with its share of the load, in 256ths of an SRV weight. */
struct member {
	union server_address address;
	socklen_t length;
	uint64_t share;
};

static size_t usable(const struct target *target)
{
	size_t count = 0;

	for (size_t i = 0; i < 2; i++)
		if (!target->found[i].missing)
			count += target->found[i].count;
	return count;
}

static void fill(struct member *member, const struct dns_address *address, uint16_t port)
{
	memset(member, 0, sizeof(*member));
	if (address->v6) {
		member->address.in6.sin6_family = AF_INET6;
		member->address.in6.sin6_port = htons(port);
		memcpy(&member->address.in6.sin6_addr, address->bytes, 16);
		member->length = sizeof(member->address.in6);
	} else {
		member->address.in.sin_family = AF_INET;
		member->address.in.sin_port = htons(port);
		memcpy(&member->address.in.sin_addr, address->bytes, 4);
		member->length = sizeof(member->address.in);
	}
}

static int compare(const void *left, const void *right)
{
	const struct member *a = left, *b = right;

	if (a->length != b->length)
		return a->length < b->length ? -1 : 1;
	return memcmp(&a->address, &b->address, a->length);
}

static size_t collect(const struct target *targets, size_t count, struct member *members)
{
	unsigned best = UINT16_MAX + 1u;
	size_t used = 0;

	for (size_t i = 0; i < count; i++)
		if (usable(&targets[i]) > 0 && targets[i].priority < best)
			best = targets[i].priority;
	for (size_t i = 0; i < count; i++) {
		const struct target *target = &targets[i];

		for (size_t j = 0; j < 2 && target->priority == best; j++) {
			const struct found *found = &target->found[j];

			for (size_t k = 0; k < found->count && !found->missing &&
			                   used < NAMES_ADDRESSES_MAX;
			     k++) {
				fill(&members[used], &found->items[k], target->port);
				members[used++].share =
					(uint64_t)target->weight * WEIGHT_MAX / usable(target);
			}
		}
	}
	return used;
}

/* Sorts, and makes one of those that are there twice. */
static size_t unite(struct member *members, size_t count)
{
	size_t used = 0;

	qsort(members, count, sizeof(*members), compare);
	for (size_t i = 0; i < count; i++) {
		if (used > 0 && compare(&members[used - 1], &members[i]) == 0)
			members[used - 1].share += members[i].share;
		else
			members[used++] = members[i];
	}
	return used;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
	while (b != 0) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* The smallest whole numbers that stand for the shares, at most WEIGHT_MAX; what has no weight gets
 * the least there is. */
static void weigh(const struct member *members, size_t count, uint32_t *weights)
{
	uint64_t divisor = 0, most = 0;

	for (size_t i = 0; i < count; i++) {
		divisor = common_divisor(members[i].share, divisor);
		if (members[i].share > most)
			most = members[i].share;
	}
	for (size_t i = 0; i < count; i++) {
		uint64_t weight = divisor == 0 ? 1 : members[i].share / divisor;

		if (divisor != 0 && most / divisor > WEIGHT_MAX)
			weight = members[i].share * WEIGHT_MAX / most;
		weights[i] = weight > 0 ? (uint32_t)weight : 1;
	}
}

int name_set_make(const struct target *targets, size_t count, bool weighted, struct name_set *set)
{
	struct member *members = malloc(NAMES_ADDRESSES_MAX * sizeof(*members));
	int result = -ENOMEM;

	*set = (struct name_set){ .count = 0 };
	if (members == NULL)
		return -ENOMEM;
	count = unite(members, collect(targets, count, members));
	set->addresses = calloc(count + 1, sizeof(*set->addresses));
	set->lengths = calloc(count + 1, sizeof(*set->lengths));
	set->weights = weighted ? calloc(count + 1, sizeof(*set->weights)) : NULL;
	if (set->addresses == NULL || set->lengths == NULL || (weighted && set->weights == NULL)) {
		name_set_clear(set);
		goto out;
	}
	for (size_t i = 0; i < count; i++) {
		set->addresses[i] = members[i].address;
		set->lengths[i] = members[i].length;
	}
	if (weighted)
		weigh(members, count, set->weights);
	set->count = count;
	result = 0;
out:
	free(members);
	return result;
}

bool name_set_equal(const struct name_set *a, const struct name_set *b)
{
	if (a->count != b->count || (a->weights == NULL) != (b->weights == NULL))
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->lengths[i] != b->lengths[i] ||
		    memcmp(&a->addresses[i], &b->addresses[i], a->lengths[i]) != 0 ||
		    (a->weights != NULL && a->weights[i] != b->weights[i]))
			return false;
	return true;
}

void name_set_clear(struct name_set *set)
{
	free(set->addresses);
	free(set->lengths);
	free(set->weights);
	*set = (struct name_set){ .count = 0 };
}
