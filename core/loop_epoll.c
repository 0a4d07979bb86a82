/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux: epoll.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "loop.h"

#define BATCH 256

static int epoll_init(struct loop *loop)
{
	loop->events = calloc(BATCH, sizeof(struct epoll_event));
	if (loop->events == NULL)
		return -ENOMEM;
	loop->descriptor = epoll_create1(EPOLL_CLOEXEC);
	if (loop->descriptor < 0) {
		int error = -errno;

		free(loop->events);
		loop->events = NULL;
		return error;
	}
	return 0;
}

static int epoll_add(struct loop *loop, int descriptor, struct loop_source *source,
                     enum loop_trigger trigger)
{
	struct epoll_event event = {
		.events = trigger == LOOP_LEVEL ? EPOLLIN : EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.ptr = source,
	};

	return epoll_ctl(loop->descriptor, EPOLL_CTL_ADD, descriptor, &event) < 0 ? -errno : 0;
}

static int epoll_remove(struct loop *loop, int descriptor)
{
	struct epoll_event unused = { .events = 0 };

	return epoll_ctl(loop->descriptor, EPOLL_CTL_DEL, descriptor, &unused) < 0 ? -errno : 0;
}

static int epoll_wait_batch(struct loop *loop, int timeout)
{
	struct epoll_event *events = loop->events;
	int count = epoll_wait(loop->descriptor, events, BATCH, timeout);

	/* So ends the wait of a process that was stopped for a while, too. What has come meanwhile
	 * is heard of before the timers, or whom it is from would be late. */
	if (count < 0 && errno == EINTR)
		count = epoll_wait(loop->descriptor, events, BATCH, 0);
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < count; i++) {
		struct loop_source *source = events[i].data.ptr;
		uint32_t bits = events[i].events;
		unsigned out = 0;

		if (bits & (EPOLLIN | EPOLLPRI))
			out |= LOOP_READ;
		if (bits & EPOLLOUT)
			out |= LOOP_WRITE;
		if (bits & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			out |= LOOP_READ | LOOP_HUP;
		if (bits & (EPOLLHUP | EPOLLERR))
			out |= LOOP_WRITE | LOOP_ERROR;
		source->ready(source, out);
	}
	return count;
}

static void epoll_fini(struct loop *loop)
{
	close(loop->descriptor);
	free(loop->events);
	loop->events = NULL;
}

const struct loop_backend loop_epoll = {
	.name = "epoll",
	.init = epoll_init,
	.add = epoll_add,
	.remove = epoll_remove,
	.wait = epoll_wait_batch,
	.fini = epoll_fini,
};
