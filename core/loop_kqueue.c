/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BSD and macOS: kqueue. EV_CLEAR is what epoll calls edge-triggered.
 */
#include "config.h"

#include <sys/types.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/event.h>
#include <sys/time.h>
#include <unistd.h>

#include "loop.h"

#define BATCH 256

/* NetBSD declared udata as intptr_t before version 10. */
#if defined(__NetBSD__) && defined(KEVENT_UDATA_IS_INTEGER)
#define UDATA(pointer) ((intptr_t)(pointer))
#else
#define UDATA(pointer) ((void *)(pointer))
#endif

static int kqueue_init(struct loop *loop)
{
	loop->events = calloc(BATCH, sizeof(struct kevent));
	if (loop->events == NULL)
		return -ENOMEM;
	loop->descriptor = kqueue();
	if (loop->descriptor < 0) {
		int error = -errno;

		free(loop->events);
		loop->events = NULL;
		return error;
	}
	return 0;
}

static int kqueue_add(struct loop *loop, int descriptor, struct loop_source *source,
                      enum loop_trigger trigger)
{
	struct kevent changes[2];
	int count = 1;

	if (trigger == LOOP_LEVEL) {
		EV_SET(&changes[0], descriptor, EVFILT_READ, EV_ADD, 0, 0, UDATA(source));
	} else {
		EV_SET(&changes[0], descriptor, EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0, UDATA(source));
		EV_SET(&changes[1], descriptor, EVFILT_WRITE, EV_ADD | EV_CLEAR, 0, 0,
		       UDATA(source));
		count = 2;
	}
	return kevent(loop->descriptor, changes, count, NULL, 0, NULL) < 0 ? -errno : 0;
}

static int kqueue_remove(struct loop *loop, int descriptor)
{
	struct kevent change;

	EV_SET(&change, descriptor, EVFILT_READ, EV_DELETE, 0, 0, UDATA(NULL));
	(void)kevent(loop->descriptor, &change, 1, NULL, 0, NULL);
	/* A level-triggered source has no write filter: that this fails then is expected. */
	EV_SET(&change, descriptor, EVFILT_WRITE, EV_DELETE, 0, 0, UDATA(NULL));
	(void)kevent(loop->descriptor, &change, 1, NULL, 0, NULL);
	return 0;
}

static int kqueue_wait(struct loop *loop, int timeout)
{
	struct kevent *events = loop->events;
	struct timespec limit = { timeout / 1000, timeout % 1000 * 1000000L };
	int count = kevent(loop->descriptor, NULL, 0, events, BATCH, timeout < 0 ? NULL : &limit);

	/* As in loop_epoll.c. */
	if (count < 0 && errno == EINTR)
		count = kevent(loop->descriptor, NULL, 0, events, BATCH, &(struct timespec){ 0, 0 });
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < count; i++) {
		struct loop_source *source = (struct loop_source *)events[i].udata;
		unsigned out = events[i].filter == EVFILT_WRITE ? LOOP_WRITE : LOOP_READ;

		if (events[i].flags & (EV_EOF | EV_ERROR))
			out |= LOOP_READ | LOOP_HUP;
		/* Nobody reads any more what is written: the whole connection is gone. */
		if (events[i].filter == EVFILT_WRITE && (events[i].flags & (EV_EOF | EV_ERROR)))
			out |= LOOP_ERROR;
		source->ready(source, out);
	}
	return count;
}

static void kqueue_fini(struct loop *loop)
{
	close(loop->descriptor);
	free(loop->events);
	loop->events = NULL;
}

const struct loop_backend loop_kqueue = {
	.name = "kqueue",
	.init = kqueue_init,
	.add = kqueue_add,
	.remove = kqueue_remove,
	.wait = kqueue_wait,
	.fini = kqueue_fini,
};
