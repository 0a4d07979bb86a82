/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "names_ares.h"

/* The functions that every version since 1.16 has. */
#define CARES_NO_DEPRECATED
#include <ares.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

#define CLASS_IN 1
#define NS_PER_MS INT64_C(1000000)
/* Looks at the sockets before others have their turn. */
#define ROUNDS_MAX 64

/* A socket to a name server. The loop tells edges only, c-ares wants to be told as long as there is
 * something: so what the last call on the socket said is kept. */
struct dns_socket {
	struct dns_socket *next;
	struct resolver *resolver;
	struct lop_watch *watch; /* NULL: not connected yet */
	int descriptor;
	bool wants_read;
	bool wants_write;
	bool readable;
	bool writable;
};

struct resolver {
	ares_channel channel;
	bool library; /* initialised */
	struct lop_worker *worker;
	struct lop_timer *timer;
	struct dns_socket *sockets;
	bool busy; /* within drive() */
};

struct question {
	resolver_answer_f *answer;
	void *context;
};

static void drive(struct resolver *resolver);

/* ---- sockets -------------------------------------------------------------------------------- */

static struct dns_socket *find_socket(struct resolver *resolver, ares_socket_t descriptor)
{
	struct dns_socket *dns = resolver->sockets;

	while (dns != NULL && dns->descriptor != descriptor)
		dns = dns->next;
	return dns;
}

static ares_socket_t open_socket(int domain, int type, int protocol, void *context)
{
	struct resolver *resolver = context;
	struct dns_socket *dns = calloc(1, sizeof(*dns));
	int flags;

	if (dns == NULL)
		return ARES_SOCKET_BAD;
	dns->descriptor = socket(domain, type, protocol);
	if (dns->descriptor < 0)
		goto fail;
	flags = fcntl(dns->descriptor, F_GETFL);
	if (flags < 0 || fcntl(dns->descriptor, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(dns->descriptor, F_SETFD, FD_CLOEXEC) < 0) {
		close(dns->descriptor);
		goto fail;
	}
	dns->resolver = resolver;
	dns->next = resolver->sockets;
	resolver->sockets = dns;
	return dns->descriptor;
fail:
	free(dns);
	return ARES_SOCKET_BAD;
}

static int close_socket(ares_socket_t descriptor, void *context)
{
	struct resolver *resolver = context;

	for (struct dns_socket **at = &resolver->sockets; *at != NULL; at = &(*at)->next) {
		struct dns_socket *dns = *at;

		if (dns->descriptor != descriptor)
			continue;
		*at = dns->next;
		lop_watch_stop(&dns->watch);
		free(dns);
		break;
	}
	return close(descriptor);
}

static int connect_socket(ares_socket_t descriptor, const struct sockaddr *address,
                          ares_socklen_t length, void *context)
{
	(void)context;
	return connect(descriptor, address, length);
}

static ares_ssize_t receive(ares_socket_t descriptor, void *buffer, size_t size, int flags,
                            struct sockaddr *address, ares_socklen_t *length, void *context)
{
	struct dns_socket *dns = find_socket(context, descriptor);
	ssize_t count;

	do
		count = recvfrom(descriptor, buffer, size, flags, address, length);
	while (count < 0 && errno == EINTR);
	if (dns != NULL)
		dns->readable = count > 0;
	return count;
}

static ares_ssize_t transmit(ares_socket_t descriptor, const struct iovec *vector, int count,
                             void *context)
{
	struct dns_socket *dns = find_socket(context, descriptor);
	struct msghdr message = { .msg_name = NULL };
	ssize_t sent;

	/* sendmsg does not change the vector; its type only says it might. */
	message.msg_iov = (struct iovec *)(uintptr_t)vector;
	message.msg_iovlen = (size_t)count;
	do
		sent = sendmsg(descriptor, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (dns != NULL)
		dns->writable = sent > 0;
	return sent;
}

static const struct ares_socket_functions socket_functions = {
	.asocket = open_socket,
	.aclose = close_socket,
	.aconnect = connect_socket,
	.arecvfrom = receive,
	.asendv = transmit,
};

static void socket_ready(void *context, unsigned events)
{
	struct dns_socket *dns = context;

	dns->readable |= (events & LOP_READABLE) != 0;
	dns->writable |= (events & LOP_WRITABLE) != 0;
	drive(dns->resolver);
}

/* c-ares says what it waits for; first when the socket is connected, last before it is closed. */
static void socket_state(void *context, ares_socket_t descriptor, int readable, int writable)
{
	struct resolver *resolver = context;
	struct dns_socket *dns = find_socket(resolver, descriptor);

	if (dns == NULL)
		return;
	dns->wants_read = readable != 0;
	dns->wants_write = writable != 0;
	if (!readable && !writable)
		lop_watch_stop(&dns->watch);
	else if (dns->watch == NULL)
		/* Without a watch its questions time out. */
		(void)lop_watch_start(resolver->worker, dns->descriptor, socket_ready, dns,
		                      &dns->watch);
}

/* ---- the loop ------------------------------------------------------------------------------- */

/* One socket that has something to do, its flags taken off: the next call on it sets them again. */
static bool take_ready(struct resolver *resolver, ares_socket_t *readable, ares_socket_t *writable)
{
	for (struct dns_socket *dns = resolver->sockets; dns != NULL; dns = dns->next) {
		bool reads = dns->wants_read && dns->readable;
		bool writes = dns->wants_write && dns->writable;

		if (!reads && !writes)
			continue;
		*readable = reads ? dns->descriptor : ARES_SOCKET_BAD;
		*writable = writes ? dns->descriptor : ARES_SOCKET_BAD;
		if (reads)
			dns->readable = false;
		if (writes)
			dns->writable = false;
		return true;
	}
	return false;
}

/* Moves everything as far as it goes, then waits for sockets and the next timeout. */
static void drive(struct resolver *resolver)
{
	ares_socket_t readable, writable;
	struct timeval wait, *next;
	unsigned rounds = 0;

	if (resolver->busy || resolver->worker == NULL)
		return;
	resolver->busy = true;
	while (rounds < ROUNDS_MAX && take_ready(resolver, &readable, &writable)) {
		ares_process_fd(resolver->channel, readable, writable);
		rounds++;
	}
	resolver->busy = false;
	next = ares_timeout(resolver->channel, NULL, &wait);
	if (rounds == ROUNDS_MAX)
		lop_timer_start(resolver->timer, 0);
	else if (next != NULL)
		lop_timer_start(resolver->timer, (int64_t)next->tv_sec * 1000 * NS_PER_MS +
		                                         (int64_t)next->tv_usec * 1000);
	else
		lop_timer_stop(resolver->timer);
}

static void timed_out(void *context)
{
	struct resolver *resolver = context;

	resolver->busy = true;
	ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	resolver->busy = false;
	drive(resolver);
}

/* ---- questions ------------------------------------------------------------------------------ */

static void answered(void *context, int status, int timeouts, unsigned char *message, int length)
{
	struct question *question = context;
	int result = -EAGAIN;

	(void)timeouts;
	if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED)
		result = -EINTR;
	else if (status == ARES_SUCCESS)
		result = 0;
	else if (status == ARES_ENOTFOUND || status == ARES_ENODATA)
		result = -ENOENT;
	question->answer(question->context, result, ares_strerror(status), message,
	                 message != NULL && length > 0 ? (size_t)length : 0);
	free(question);
}

void resolver_ask(struct resolver *resolver, const char *name, bool exact, enum dns_type type,
                  resolver_answer_f *answer, void *context)
{
	struct question *question = malloc(sizeof(*question));
	bool outer = !resolver->busy;

	if (question == NULL) {
		answer(context, -EAGAIN, strerror(ENOMEM), NULL, 0);
		return;
	}
	*question = (struct question){ .answer = answer, .context = context };
	resolver->busy = true;
	if (exact)
		ares_query(resolver->channel, name, CLASS_IN, (int)type, answered, question);
	else
		ares_search(resolver->channel, name, CLASS_IN, (int)type, answered, question);
	if (outer) {
		resolver->busy = false;
		drive(resolver);
	}
}

/* ---- life ----------------------------------------------------------------------------------- */

static int say(int status, const char *what, char *error, size_t error_size)
{
	snprintf(error, error_size, "%s: %s", what, ares_strerror(status));
	return status == ARES_ENOMEM ? -ENOMEM : -EINVAL;
}

static int set_servers(struct resolver *resolver, const char *servers, char *error,
                       size_t error_size)
{
	int status = ares_set_servers_ports_csv(resolver->channel, servers);

	if (status == ARES_SUCCESS)
		return 0;
	snprintf(error, error_size,
	         "'%s' is no list of name servers (%s): write addresses with commas between, such as "
	         "192.0.2.53,[2001:db8::53]:5353",
	         servers, ares_strerror(status));
	return status == ARES_ENOMEM ? -ENOMEM : -EINVAL;
}

int resolver_new(const struct names_settings *settings, struct resolver **out, char *error,
                 size_t error_size)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));
	struct ares_options options = {
		/* HOSTALIASES would be read at the time of the question. */
		.flags = ARES_FLAG_NOALIASES,
		.timeout = (int)(settings->timeout / NS_PER_MS),
		.tries = settings->tries,
		.sock_state_cb = socket_state,
		.sock_state_cb_data = resolver,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
	int status, result;

#ifdef ARES_OPT_QUERY_CACHE
	/* When to ask again is decided here. */
	mask |= ARES_OPT_QUERY_CACHE;
#endif
	if (resolver == NULL) {
		snprintf(error, error_size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	status = ares_library_init(ARES_LIB_INIT_ALL);
	resolver->library = status == ARES_SUCCESS;
	if (status == ARES_SUCCESS)
		status = ares_init_options(&resolver->channel, &options, mask);
	if (status != ARES_SUCCESS) {
		resolver->channel = NULL;
		result = say(status, "cannot read how names are resolved (/etc/resolv.conf)", error,
		             error_size);
		goto fail;
	}
	ares_set_socket_functions(resolver->channel, &socket_functions, resolver);
	result = settings->servers == NULL
	                 ? 0
	                 : set_servers(resolver, settings->servers, error, error_size);
	if (result < 0)
		goto fail;
	*out = resolver;
	return 0;
fail:
	resolver_free(&resolver);
	return result;
}

int resolver_start(struct resolver *resolver, struct lop_worker *worker)
{
	resolver->timer = lop_timer_new(worker, timed_out, resolver);
	if (resolver->timer == NULL)
		return -ENOMEM;
	resolver->worker = worker;
	return 0;
}

void resolver_free(struct resolver **pointer)
{
	struct resolver *resolver = *pointer;

	*pointer = NULL;
	if (resolver == NULL)
		return;
	/* No driving from within the answers. */
	resolver->busy = true;
	if (resolver->channel != NULL)
		ares_destroy(resolver->channel);
	if (resolver->library)
		ares_library_cleanup();
	lop_timer_free(&resolver->timer);
	free(resolver);
}
