/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Consistent hashing with bounded load: each server has points on a ring, and a key belongs to the
 * first point behind its hash. A server that leaves, or is down, hands over its keys alone, to all
 * others in equal parts (Karger et al. 1997); nothing is made again when one goes down. One that
 * has far more than its share of the requests in flight passes keys on to the next on the ring
 * (Mirrokni, Thorup, Zadimoghaddam 2018).
 *
 * A ring was chosen over a table (Maglev) because the next server is at hand when one is full, and
 * over the highest random weight because it costs the same for many servers as for few.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pool_private.h"

/* Of the server with the least weight: servers differ by about 6 % then. */
#define POINTS 256
/* Of all servers: 1 MiB. */
#define POINTS_MOST ((size_t)65536)

/* A server takes a quarter more than its share, and a few requests in any case: among so few,
 * shares say nothing, and keeping keys together is worth more. */
#define BOUND_PERCENT 125
#define BOUND_FREE 4

/* FNV-1a, then the finish of MurmurHash3, since FNV's upper bits are poor. The same in all workers
 * and after a restart. */
uint64_t hash_bytes(uint64_t seed, const void *data, size_t length)
{
	const unsigned char *bytes = data;
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ seed;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
	hash = (hash ^ hash >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return hash ^ hash >> 33;
}

static int by_hash(const void *left, const void *right)
{
	const struct point *a = left, *b = right;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return (a->server > b->server) - (a->server < b->server);
}

static size_t points_of(const struct pool *pool, const struct level *level, unsigned server)
{
	const size_t servers = level->to - level->from;
	uint32_t least = UINT32_MAX;
	uint64_t sum = 0;
	size_t points;

	for (unsigned i = level->from; i < level->to; i++) {
		if (pool->servers[i]->weight < least)
			least = pool->servers[i]->weight;
		sum += pool->servers[i]->weight;
	}
	points = (size_t)POINTS * pool->servers[server]->weight / least;
	if (POINTS * sum / least > POINTS_MOST)
		points =
			(size_t)((POINTS_MOST - servers) * pool->servers[server]->weight / sum) + 1;
	return points;
}

static int build(struct pool *pool, const struct level *level, struct ring *ring)
{
	size_t total = 0, count = 0;
	struct point *points;

	for (unsigned i = level->from; i < level->to; i++)
		total += points_of(pool, level, i);
	points = malloc((total + 1) * sizeof *points);
	if (points == NULL)
		return -ENOMEM;
	for (unsigned i = level->from; i < level->to; i++) {
		const size_t own = points_of(pool, level, i);

		for (uint64_t j = 0; j < own; j++)
			points[count++] = (struct point){
				.hash = hash_bytes(pool->servers[i]->identity, &j, sizeof j),
				.server = i,
			};
	}
	qsort(points, count, sizeof *points, by_hash);
	free(ring->points);
	*ring = (struct ring){ points, count };
	return 0;
}

int rings_build(struct pool *pool)
{
	rings_free(pool);
	for (int i = 0; i < 2; i++) {
		int result = build(pool, &pool->levels[i], &pool->rings[i]);

		if (result < 0) {
			rings_free(pool);
			return result;
		}
	}
	return 0;
}

void rings_free(struct pool *pool)
{
	for (int i = 0; i < 2; i++) {
		free(pool->rings[i].points);
		pool->rings[i] = (struct ring){ NULL, 0 };
	}
}

static size_t first_behind(const struct ring *ring, uint64_t hash)
{
	size_t low = 0, high = ring->count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (ring->points[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low == ring->count ? 0 : low;
}

/* In a slow start a server takes a growing part of its keys, always the same ones first. */
static bool takes_key(const struct pool *pool, unsigned server, uint64_t hash)
{
	const uint64_t whole = (uint64_t)pool->servers[server]->weight * WEIGHT_SCALE;

	return pool->weights[server] == whole ||
	       hash_bytes(hash, "ramp", 4) % whole < pool->weights[server];
}

static bool has_room(const struct pool *pool, const struct level *level, unsigned server,
                     uint64_t total)
{
	const uint64_t active = shared_server_active(pool->shared, pool->servers[server]->slot);
	const uint64_t share = (total + 1) * pool->weights[server] * BOUND_PERCENT;
	const uint64_t whole = (uint64_t)level->total * 100;

	return active < BOUND_FREE || active < (share + whole - 1) / whole;
}

int balance_ring(struct pool *pool, unsigned which, uint64_t hash, bool bounded)
{
	const struct ring *ring = &pool->rings[which];
	const struct level *level = &pool->levels[which];
	const uint64_t total = bounded ? shared_pool_active(pool->shared, pool->index) : 0;
	size_t at;
	int last = -1, fallback = -1;

	if (ring->count == 0)
		return balance_round_robin(pool, level);
	at = first_behind(ring, hash);
	for (size_t i = 0; i < ring->count; i++) {
		const unsigned server = ring->points[at].server;

		at = at + 1 == ring->count ? 0 : at + 1;
		if ((int)server == last || pool->weights[server] == 0 ||
		    pool->marks[server] == pool->mark)
			continue;
		last = (int)server;
		if (fallback < 0)
			fallback = (int)server;
		if (takes_key(pool, server, hash) &&
		    (!bounded || has_room(pool, level, server, total)))
			return (int)server;
	}
	return fallback;
}
