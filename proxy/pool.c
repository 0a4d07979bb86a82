/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_SYS_RANDOM_H
#include <sys/random.h>
#endif

#include "pool_private.h"

/* What joins this soon after the first server is of the start: there is no load to be spared. */
#define OPENING (5 * NANOSECONDS)
/* How finely a slow start is followed, and where it begins. */
#define RAMP_STEPS 20

/* ---- servers -------------------------------------------------------------------------------- */

void server_retain(struct server *server)
{
	server->references++;
}

void server_release(struct server **pointer)
{
	struct server *server = *pointer;

	*pointer = NULL;
	if (server == NULL || --server->references > 0)
		return;
	shared_release(server->pool->shared, server);
	free(server);
}

static void name_server(struct server *server)
{
	char *name = server->shared->name, text[INET6_ADDRSTRLEN] = "?";
	const union server_address *address = &server->address;

	if (address->any.sa_family == AF_UNIX) {
		snprintf(name, LOP_PROXY_NAME_SIZE, "unix:%.*s",
		         (int)(LOP_PROXY_NAME_SIZE - sizeof "unix:"), address->un.sun_path);
	} else if (address->any.sa_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &address->in6.sin6_addr, text, sizeof text);
		snprintf(name, LOP_PROXY_NAME_SIZE, "[%s]:%u", text, ntohs(address->in6.sin6_port));
	} else {
		(void)inet_ntop(AF_INET, &address->in.sin_addr, text, sizeof text);
		snprintf(name, LOP_PROXY_NAME_SIZE, "%s:%u", text, ntohs(address->in.sin_port));
	}
}

/* Of what makes the address, and not of the padding around it. */
static uint64_t address_identity(const union server_address *address)
{
	uint64_t hash = hash_bytes(0, &address->any.sa_family, sizeof address->any.sa_family);

	switch (address->any.sa_family) {
	case AF_UNIX:
		return hash_bytes(hash, address->un.sun_path, strlen(address->un.sun_path));
	case AF_INET6:
		hash = hash_bytes(hash, &address->in6.sin6_addr, sizeof address->in6.sin6_addr);
		hash = hash_bytes(hash, &address->in6.sin6_scope_id,
		                  sizeof address->in6.sin6_scope_id);
		return hash_bytes(hash, &address->in6.sin6_port, sizeof address->in6.sin6_port);
	default:
		hash = hash_bytes(hash, &address->in.sin_addr, sizeof address->in.sin_addr);
		return hash_bytes(hash, &address->in.sin_port, sizeof address->in.sin_port);
	}
}

/* What all workers see of it. Each of them writes the same. */
static void describe(struct server *server, bool fresh)
{
	struct pool *pool = server->pool;
	struct lop_proxy_server *shared = server->shared;
	const int64_t now = lop_worker_now(pool->worker);
	int64_t opened = 0;

	atomic_store(&shared->pool, pool->index);
	atomic_store(&shared->flags,
	             (server->url->backup ? LOP_PROXY_SERVER_BACKUP : 0) |
	                     (pool->settings.health.active ? LOP_PROXY_SERVER_CHECKED : 0));
	atomic_store(&shared->weight, server->weight);
	atomic_store(&shared->max_connections, server->url->max_connections);
	name_server(server);
	if (!fresh || atomic_compare_exchange_strong(&pool->state->opened, &opened, now))
		return;
	if (now - opened > OPENING)
		atomic_store(&shared->since, now);
}

static int server_new(struct pool *pool, const struct upstream_url *url,
                      const union server_address *address, socklen_t length, uint32_t weight,
                      struct server **out)
{
	const uint64_t place[2] = { pool->index, (uint64_t)(url - pool->urls) };
	struct server *server = calloc(1, sizeof *server);
	bool fresh;
	int result;

	if (server == NULL)
		return -ENOMEM;
	server->pool = pool;
	server->url = url;
	memcpy(&server->address, address, length);
	server->address_length = length;
	server->references = 1;
	server->weight = weight;
	server->identity = address_identity(&server->address);
	server->key = hash_bytes(server->identity, place, sizeof place) | 1;
	result = shared_claim(pool->shared, server, &fresh);
	if (result < 0) {
		free(server);
		return result;
	}
	if (pool->settings.secret != NULL)
		sticky_server(pool->settings.secret, &server->identity, sizeof server->identity,
		              server->cookies);
	describe(server, fresh);
	*out = server;
	return 0;
}

/* It gets no more requests; who has it may finish. */
static void server_leave(struct server *server)
{
	struct pool *pool = server->pool;

	server->gone = true;
	checker_forget(server);
	if (pool->settings.server_gone != NULL)
		pool->settings.server_gone(server);
	server_release(&server);
}

/* ---- who may be chosen ---------------------------------------------------------------------- */

void pool_changed(struct pool *pool)
{
	atomic_fetch_add_explicit(&pool->state->epoch, 1, memory_order_release);
	if (pool->first != NULL && pool->queue_timer != NULL)
		lop_timer_start(pool->queue_timer, 0);
}

/* The weight that a server has now; *change: when that will be another. */
static uint32_t weight_now(const struct server *server, int64_t now, int64_t *change)
{
	const int64_t slow_start = server->url->slow_start;
	const uint32_t whole = server->weight * WEIGHT_SCALE;
	int64_t since, steps;

	if (atomic_load(&server->shared->down) != 0 || health_ejected(server))
		return 0;
	since = atomic_load(&server->shared->since);
	if (slow_start <= 0 || since == 0 || now - since >= slow_start)
		return whole;
	steps = now < since ? 0 : (now - since) * RAMP_STEPS / slow_start;
	if (since + (steps + 1) * slow_start / RAMP_STEPS + 1 < *change)
		*change = since + (steps + 1) * slow_start / RAMP_STEPS + 1;
	return (uint32_t)((uint64_t)whole * (uint64_t)(steps + 1) / (RAMP_STEPS + 1)) + 1;
}

static void refresh_level(struct pool *pool, struct level *level, int64_t now)
{
	level->up = 0;
	level->total = 0;
	for (unsigned i = level->from; i < level->to; i++) {
		pool->weights[i] = weight_now(pool->servers[i], now, &pool->next_change);
		if (pool->weights[i] > 0)
			level->up++;
		level->total += pool->weights[i];
	}
}

void pool_refresh(struct pool *pool, int64_t now)
{
	const uint32_t generation = atomic_load(&pool->shared->front->generation);

	pool->epoch = atomic_load(&pool->state->epoch);
	for (unsigned i = 0; generation != pool->generation && i < pool->count; i++)
		shared_settle(pool->shared, pool->servers[i]);
	pool->generation = generation;
	pool->next_change = INT64_MAX;
	refresh_level(pool, &pool->levels[0], now);
	refresh_level(pool, &pool->levels[1], now);
	pool->next_trial = INT64_MAX;
	for (unsigned i = 0; i < pool->count; i++) {
		const struct server *server = pool->servers[i];
		const int64_t trial = server->url->backup && pool->levels[0].up > 0
		                              ? INT64_MAX
		                              : health_trial_time(server, false);

		if (trial < pool->next_trial)
			pool->next_trial = trial;
	}
}

/* ---- joining and leaving -------------------------------------------------------------------- */

struct change {
	struct server **servers;
	uint32_t *weights;
	int32_t *currents;
	uint32_t *marks;
	unsigned count;
	bool differs; /* from what there is */
};

static void change_free(struct change *change)
{
	free(change->servers);
	free(change->weights);
	free(change->currents);
	free(change->marks);
}

static int change_begin(struct change *change, size_t most)
{
	change->servers = calloc(most + 1, sizeof *change->servers);
	change->weights = calloc(most + 1, sizeof *change->weights);
	change->currents = calloc(most + 1, sizeof *change->currents);
	change->marks = calloc(most + 1, sizeof *change->marks);
	change->count = 0;
	change->differs = false;
	if (change->servers != NULL && change->weights != NULL && change->currents != NULL &&
	    change->marks != NULL)
		return 0;
	change_free(change);
	return -ENOMEM;
}

/* Primary servers first. The order among those of one URL is that of the identities, so
 * that it is the same in all workers, however their names were resolved. */
static int by_level(const void *left, const void *right)
{
	const struct server *a = *(struct server *const *)left;
	const struct server *b = *(struct server *const *)right;

	if (a->url->backup != b->url->backup)
		return a->url->backup ? 1 : -1;
	if (a->url != b->url)
		return a->url < b->url ? -1 : 1;
	return (a->identity > b->identity) - (a->identity < b->identity);
}

/* Without rings (no memory) keys are balanced by turns. */
static void build_rings(struct pool *pool)
{
	const struct balance *balance = &pool->settings.balance;

	if (balance->method == BALANCE_HASH || balance->key == KEY_ADDRESS)
		(void)rings_build(pool);
}

/* Exchanges the arrays. */
static void change_apply(struct pool *pool, struct change *change)
{
	struct change old = { pool->servers, pool->weights, pool->currents, pool->marks, 0, false };
	unsigned primary = 0;

	qsort(change->servers, change->count, sizeof *change->servers, by_level);
	while (primary < change->count && !change->servers[primary]->url->backup)
		primary++;
	pool->servers = change->servers;
	pool->weights = change->weights;
	pool->currents = change->currents;
	pool->marks = change->marks;
	pool->mark = 1;
	pool->count = change->count;
	pool->levels[0] = (struct level){ .from = 0, .to = primary };
	pool->levels[1] = (struct level){ .from = primary, .to = change->count };
	change_free(&old);
	if (!pool->starting)
		build_rings(pool);
	pool_refresh(pool, lop_worker_now(pool->worker));
	/* So that not all workers begin their rounds with the same server. */
	for (unsigned i = 0; i < pool->shared->index && pool->levels[0].up > 0; i++)
		(void)balance_round_robin(pool, &pool->levels[0]);
	checker_update(pool);
	if (pool->waiting > 0)
		lop_timer_start(pool->queue_timer, 0);
}

static bool same_address(const struct server *server, const union server_address *address,
                         socklen_t length)
{
	return server->address_length == length && server->identity == address_identity(address);
}

static struct server *find_server(const struct pool *pool, const struct upstream_url *url,
                                  const union server_address *address, socklen_t length)
{
	for (unsigned i = 0; i < pool->count; i++) {
		struct server *server = pool->servers[i];

		if (server->url == url && same_address(server, address, length))
			return server;
	}
	return NULL;
}

static bool chosen(const struct change *change, const struct server *server)
{
	for (unsigned i = 0; i < change->count; i++)
		if (change->servers[i] == server)
			return true;
	return false;
}

/* The server of an address joins or stays. */
static int keep_or_join(struct pool *pool, struct change *change, const struct upstream_url *url,
                        const union server_address *address, socklen_t length, uint32_t weight)
{
	struct server *server;
	int result;

	if (length > sizeof *address)
		return -EINVAL;
	weight = weight < 1 ? 1 : weight > WEIGHT_MOST ? WEIGHT_MOST : weight;
	server = find_server(pool, url, address, length);
	if (server == NULL) {
		result = server_new(pool, url, address, length, weight, &server);
		if (result < 0)
			return result;
		change->differs = true;
	} else if (chosen(change, server)) {
		return 0; /* given twice */
	} else if (server->weight != weight) {
		server->weight = weight;
		atomic_store(&server->shared->weight, weight);
		change->differs = true;
	}
	change->servers[change->count++] = server;
	return 0;
}

int pool_update(struct pool *pool, const struct upstream_url *url,
                const union server_address *addresses, const socklen_t *lengths,
                const uint32_t *weights, size_t count)
{
	struct change change;
	struct server **old;
	const unsigned old_count = pool->count;
	int result, first = 0;

	old = malloc((old_count + 1) * sizeof(struct server *));
	if (old == NULL)
		return -ENOMEM;
	if (old_count > 0)
		memcpy(old, pool->servers, old_count * sizeof(struct server *));
	result = change_begin(&change, old_count + count);
	if (result < 0) {
		free(old);
		return result;
	}
	for (unsigned i = 0; i < pool->count; i++)
		if (pool->servers[i]->url != url)
			change.servers[change.count++] = pool->servers[i];
	for (size_t i = 0; i < count; i++) {
		result = keep_or_join(pool, &change, url, &addresses[i], lengths[i],
		                      weights == NULL ? url->weight : weights[i]);
		if (result < 0 && first == 0)
			first = result;
	}
	if (!change.differs && change.count == old_count) {
		change_free(&change);
		free(old);
		return first;
	}
	change_apply(pool, &change);
	for (unsigned i = 0; i < old_count; i++)
		if (!chosen(&change, old[i]))
			server_leave(old[i]);
	free(old);
	return first;
}

/* ---- life ----------------------------------------------------------------------------------- */

struct pool *pool_new(struct shared *shared, unsigned index, const struct upstream_url *urls,
                      size_t url_count, const struct pool_settings *settings)
{
	struct pool *pool = calloc(1, sizeof *pool);

	if (pool == NULL)
		return NULL;
	pool->shared = shared;
	pool->index = index;
	pool->urls = urls;
	pool->url_count = url_count;
	pool->settings = *settings;
	pool->state = &shared->pool_states[index];
	pool->next_change = INT64_MAX;
	pool->next_trial = INT64_MAX;
	for (size_t i = 0; i < url_count; i++)
		pool->bounded = pool->bounded || urls[i].max_connections > 0;
	snprintf(shared->pools[index].name, LOP_PROXY_NAME_SIZE, "%s",
	         settings->name == NULL ? "" : settings->name);
	return pool;
}

void pool_free(struct pool **pointer)
{
	struct pool *pool = *pointer;

	*pointer = NULL;
	if (pool == NULL)
		return;
	pool_stop(pool);
	for (unsigned i = 0; i < pool->count; i++)
		server_release(&pool->servers[i]);
	change_free(&(struct change){ pool->servers, pool->weights, pool->currents, pool->marks, 0,
	                              false });
	rings_free(pool);
	free(pool);
}

/* The address that needs no resolver. False: it is not one, or one too long. */
static bool literal_address(const struct upstream_url *url, union server_address *address,
                            socklen_t *length)
{
	memset(address, 0, sizeof *address);
	if (url->kind == UPSTREAM_UNIX) {
		if (strlen(url->host) >= sizeof address->un.sun_path)
			return false;
		address->un.sun_family = AF_UNIX;
		strcpy(address->un.sun_path, url->host);
		*length = sizeof address->un;
		return true;
	}
	if (url->kind != UPSTREAM_TCP || !url->literal)
		return false;
	if (inet_pton(AF_INET, url->host, &address->in.sin_addr) == 1) {
		address->in.sin_family = AF_INET;
		address->in.sin_port = htons(url->port);
		*length = sizeof address->in;
		return true;
	}
	if (inet_pton(AF_INET6, url->host, &address->in6.sin6_addr) != 1)
		return false;
	address->in6.sin6_family = AF_INET6;
	address->in6.sin6_port = htons(url->port);
	*length = sizeof address->in6;
	return true;
}

int pool_start(struct pool *pool, struct lop_worker *worker)
{
	int result = 0;

	pool->worker = worker;
	pool->share = shared_pool_share(pool->shared, pool->index, pool->shared->index);
	pool->budget = &pool->shared->budgets[(size_t)pool->index * pool->shared->worker_count +
	                                      pool->shared->index];
	if (getentropy(&pool->random, sizeof pool->random) < 0)
		pool->random = (uint64_t)lop_worker_now(worker) ^ pool->shared->index;
	pool->queue_timer = lop_timer_new(worker, pool_queue_due, pool);
	if (pool->queue_timer == NULL)
		return -ENOMEM;
	pool->next_started = pool->shared->started;
	pool->shared->started = pool;
	if (pool->settings.health.active)
		result = checker_start(pool);
	/* With many servers that is work: once is enough. */
	pool->starting = true;
	for (size_t i = 0; result == 0 && i < pool->url_count; i++) {
		union server_address address;
		socklen_t length;

		if (literal_address(&pool->urls[i], &address, &length))
			result = pool_update(pool, &pool->urls[i], &address, &length, NULL, 1);
	}
	pool->starting = false;
	build_rings(pool);
	return result;
}

void pool_stop(struct pool *pool)
{
	struct pool **link = &pool->shared->started;

	while (*link != NULL && *link != pool)
		link = &(*link)->next_started;
	if (*link == pool)
		*link = pool->next_started;
	checker_stop(pool);
	pool_queue_stop(pool);
}
