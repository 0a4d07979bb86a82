/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who gets the next request: the methods that need no key, and the option that chooses one.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool_private.h"
#include "token.h"

/* ---- methods -------------------------------------------------------------------------------- */

static bool may_get(const struct pool *pool, unsigned server)
{
	return pool->weights[server] > 0 && pool->marks[server] != pool->mark;
}

/* Smooth: among weights 5, 1, 1 the order is a a b a c a a. Each worker has its own round. */
int balance_round_robin(struct pool *pool, const struct level *level)
{
	int32_t total = 0;
	int best = -1;

	for (unsigned i = level->from; i < level->to; i++) {
		if (!may_get(pool, i))
			continue;
		pool->currents[i] += (int32_t)pool->weights[i];
		total += (int32_t)pool->weights[i];
		if (best < 0 || pool->currents[i] > pool->currents[best])
			best = (int)i;
	}
	if (best >= 0)
		pool->currents[best] -= total;
	return best;
}

/* SplitMix64 (Steele, Lea, Flood 2014): load needs spreading, not secrecy. */
uint64_t random_next(struct pool *pool)
{
	uint64_t value = pool->random += UINT64_C(0x9e3779b97f4a7c15);

	value = (value ^ value >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ value >> 27) * UINT64_C(0x94d049bb133111eb);
	return value ^ value >> 31;
}

/* One by weight, except the server `other`. */
static int draw(struct pool *pool, const struct level *level, int other)
{
	uint32_t total = level->total, left;

	if (pool->marked > 0) {
		total = 0;
		for (unsigned i = level->from; i < level->to; i++)
			total += may_get(pool, i) ? pool->weights[i] : 0;
	}
	if (other >= 0)
		total -= pool->weights[other];
	if (total == 0)
		return -1;
	left = (uint32_t)(((random_next(pool) >> 32) * total) >> 32);
	for (unsigned i = level->from; i < level->to; i++) {
		if ((int)i == other || !may_get(pool, i))
			continue;
		if (left < pool->weights[i])
			return (int)i;
		left -= pool->weights[i];
	}
	return -1;
}

int balance_random(struct pool *pool, const struct level *level)
{
	return draw(pool, level, -1);
}

/* The power of two choices: nearly as even as asking all, at the cost of two, and workers that
 * choose at the same time do not run to the same server. */
int balance_least(struct pool *pool, const struct level *level)
{
	const int one = draw(pool, level, -1);
	int two;
	uint64_t one_active, two_active;

	if (one < 0 || (two = draw(pool, level, one)) < 0)
		return one;
	one_active = shared_server_active(pool->shared, pool->servers[one]->slot);
	two_active = shared_server_active(pool->shared, pool->servers[two]->slot);
	return (two_active + 1) * pool->weights[one] < (one_active + 1) * pool->weights[two] ? two
	                                                                                     : one;
}

/* ---- the option ----------------------------------------------------------------------------- */

static int take_name(struct balance *balance, enum balance_key key, const char *name,
                     const char *text, char *error, size_t error_size)
{
	if (!is_token((struct lop_str){ name, strlen(name) })) {
		snprintf(error, error_size, "%s: '%s' is no name of a %s", text, name,
		         key == KEY_COOKIE ? "cookie" : "field");
		return -EINVAL;
	}
	balance->key = key;
	balance->field = strdup(name);
	return balance->field == NULL ? -ENOMEM : 0;
}

static int parse_hash(const char *text, struct balance *balance, char *error, size_t error_size)
{
	static const struct {
		const char *name;
		enum balance_key key;
	} keys[] = {
		{ "$remote_addr", KEY_ADDRESS },
		{ "$target", KEY_TARGET },
		{ "$host", KEY_HOST },
	};
	const char *field = text + strlen("hash:");

	balance->method = BALANCE_HASH;
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		if (strcmp(field, keys[i].name) == 0) {
			balance->key = keys[i].key;
			return 0;
		}
	}
	if (strncmp(field, "$cookie_", strlen("$cookie_")) == 0)
		return take_name(balance, KEY_COOKIE, field + strlen("$cookie_"), text, error,
		                 error_size);
	if (*field == '$') {
		snprintf(error, error_size,
		         "%s: there is no %s; there are $remote_addr, $target, $host and "
		         "$cookie_NAME, or write the name of a field",
		         text, field);
		return -EINVAL;
	}
	return take_name(balance, KEY_FIELD, field, text, error, error_size);
}

static int parse_sticky(const char *text, struct balance *balance, char *error, size_t error_size)
{
	const char *name = STICKY_COOKIE;

	balance->method = BALANCE_STICKY;
	if (strcmp(text, "sticky:address") == 0) {
		balance->key = KEY_ADDRESS;
		return 0;
	}
	if (strncmp(text, "sticky:cookie=", strlen("sticky:cookie=")) == 0)
		name = text + strlen("sticky:cookie=");
	else if (strcmp(text, "sticky") != 0 && strcmp(text, "sticky:cookie") != 0) {
		snprintf(error, error_size,
		         "%s: after sticky comes nothing, :cookie, :cookie=NAME or "
		         ":address",
		         text);
		return -EINVAL;
	}
	if (!sticky_available()) {
		snprintf(error, error_size,
		         "%s: cookies are signed, and this was built without OpenSSL; "
		         "use sticky:address",
		         text);
		return -EINVAL;
	}
	return take_name(balance, KEY_COOKIE, name, text, error, error_size);
}

int balance_parse(const char *text, struct balance *balance, char *error, size_t error_size)
{
	static const struct {
		const char *name;
		enum balance_method method;
	} methods[] = {
		{ "round-robin", BALANCE_ROUND_ROBIN },
		{ "least-connections", BALANCE_LEAST },
		{ "random", BALANCE_RANDOM },
	};

	*balance = (struct balance){ .method = BALANCE_ROUND_ROBIN };
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		if (strcmp(text, methods[i].name) == 0) {
			balance->method = methods[i].method;
			return 0;
		}
	}
	if (strncmp(text, "hash:", strlen("hash:")) == 0)
		return parse_hash(text, balance, error, error_size);
	if (strncmp(text, "sticky", strlen("sticky")) == 0)
		return parse_sticky(text, balance, error, error_size);
	snprintf(error, error_size,
	         "%s: expected round-robin, least-connections, random, hash:FIELD or "
	         "sticky[:cookie[=NAME]|:address]",
	         text);
	return -EINVAL;
}

void balance_clear(struct balance *balance)
{
	free(balance->field);
	*balance = (struct balance){ .method = BALANCE_ROUND_ROBIN };
}
