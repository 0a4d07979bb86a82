/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The proxy module: options and life.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include <lophttpd/lophttpd.h>

#include "pool.h"
#include "route.h"

struct proxy {
	struct routes routes;
};

static int proxy_init(struct lop_core *core, void **state)
{
	struct proxy *proxy = calloc(1, sizeof *proxy);

	(void)core;
	if (proxy == NULL)
		return -ENOMEM;
	*state = proxy;
	return 0;
}

static void proxy_fini(void *state)
{
	free(state);
}

LOP_EXPORT_MODULE = {
	LOP_MODULE_HEADER("proxy", "1.0", "passes requests on to other servers and shares the load",
	                  LOP_NEEDS_CONNECT | LOP_NEEDS_CLOCK),
	.init = proxy_init,
	.fini = proxy_fini,
};
