/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "loop.h"

int loop_init(struct loop *loop)
{
#ifdef HAVE_SYS_EPOLL_H
	loop->backend = &loop_epoll;
#else
	loop->backend = &loop_kqueue;
#endif
	return loop->backend->init(loop);
}
