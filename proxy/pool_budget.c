/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The budget of retries: retry_percent of the requests of the last seconds, over all workers, and a
 * few in any case, so that a quiet pool may retry as well. So a sick pool gets little more than the
 * requests that there are, where each failure being tried again would bury it.
 */
#include "config.h"

#include "pool_private.h"

#define WINDOW 10 /* s, less than SHARED_SECONDS */
#define IN_ANY_CASE 10

static uint64_t second_of(const struct pool *pool)
{
	return (uint64_t)(lop_worker_now(pool->worker) / NANOSECONDS) & UINT32_MAX;
}

static void count(_Atomic(uint64_t) *seconds, uint64_t second)
{
	_Atomic(uint64_t) *cell = &seconds[second % SHARED_SECONDS];
	uint64_t value = atomic_load_explicit(cell, memory_order_relaxed);

	if (value >> 32 != second)
		value = second << 32;
	atomic_store_explicit(cell, value + 1, memory_order_relaxed);
}

static uint64_t sum(const _Atomic(uint64_t) *seconds, uint64_t second)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < SHARED_SECONDS; i++) {
		const uint64_t value = atomic_load_explicit(&seconds[i], memory_order_relaxed);

		if (((second - (value >> 32)) & UINT32_MAX) < WINDOW)
			total += value & UINT32_MAX;
	}
	return total;
}

void pool_count_request(struct pool *pool)
{
	count(pool->budget->requests, second_of(pool));
	SHARED_ADD(pool->share->requests, 1);
}

bool pool_may_retry(struct pool *pool)
{
	const struct shared *shared = pool->shared;
	const struct shared_budget *budgets =
		&shared->budgets[(size_t)pool->index * shared->worker_count];
	const uint64_t second = second_of(pool);
	uint64_t requests = 0, retries = 0;

	if (pool->settings.retry_percent == 0)
		return false;
	for (unsigned i = 0; i < shared->worker_count; i++) {
		requests += sum(budgets[i].requests, second);
		retries += sum(budgets[i].retries, second);
	}
	if (retries >= IN_ANY_CASE + requests * pool->settings.retry_percent / 100)
		return false;
	count(pool->budget->retries, second);
	SHARED_ADD(pool->share->retries, 1);
	return true;
}
