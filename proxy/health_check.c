/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "pool_private.h"

int checker_start(struct pool *pool)
{
	(void)pool;
	return 0;
}

void checker_stop(struct pool *pool)
{
	(void)pool;
}

void checker_update(struct pool *pool)
{
	(void)pool;
}

void checker_forget(struct server *server)
{
	(void)server;
}
