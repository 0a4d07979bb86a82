/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that come before names have been resolved for the first time wait for that, instead of
 * being told that no server is up.
 */
#include "config.h"

#include "exchange.h"

static bool unresolved(const struct exchange *exchange)
{
	const struct followed *followed = exchange->proxy->followed;

	for (; followed->pool != NULL; followed++) {
		if (followed->pool == exchange->route->pool && !followed->answered)
			return true;
	}
	return false;
}

bool exchange_await_names(struct exchange *exchange)
{
	struct proxy *proxy = exchange->proxy;

	if (!unresolved(exchange))
		return false;
	exchange->awaits_names = true;
	exchange->previous = NULL;
	exchange->next = proxy->awaiting;
	if (exchange->next != NULL)
		exchange->next->previous = exchange;
	proxy->awaiting = exchange;
	return true;
}

void exchange_leave_names(struct exchange *exchange)
{
	if (!exchange->awaits_names)
		return;
	exchange->awaits_names = false;
	if (exchange->previous != NULL)
		exchange->previous->next = exchange->next;
	else
		exchange->proxy->awaiting = exchange->next;
	if (exchange->next != NULL)
		exchange->next->previous = exchange->previous;
}

void exchange_names_changed(void *context, int status,
                            const union server_address *addresses,
                            const socklen_t *lengths, const uint32_t *weights, size_t count)
{
	struct followed *followed = context;
	struct proxy *proxy = followed->proxy;

	(void)status; /* a message was written */
	(void)pool_update(followed->pool, followed->url, addresses, lengths, weights, count);
	if (followed->answered)
		return;
	followed->answered = true;
	while (proxy->awaiting != NULL) {
		struct exchange *exchange = proxy->awaiting;

		exchange_leave_names(exchange);
		exchange_wake(exchange);
	}
}
