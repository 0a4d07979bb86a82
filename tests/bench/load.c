/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * A light HTTP load: many keep-alive connections, one request, in one epoll loop.
 *
 * wrk copies and parses every byte, which costs more than a good server spends to send it;
 * with large files wrk would be what is measured. This client reads the head of an answer and
 * lets the kernel discard the rest (MSG_TRUNC), so the server is the bottleneck.
 *
 * Without -w and -r every connection asks again as soon as it has its answer (a load). With -w
 * there is at most one new request every so many microseconds, each on an idle connection (a
 * probe). With -r requests are due at random moments, so many a second, the same ones in each run,
 * however quick the answers are; one that finds all connections busy waits for the first that is
 * not, and its latency counts from when it was due. An answer that is still missing at the end
 * counts with the time it has waited.
 *
 * Prints one line of JSON: seconds, answers, bytes, errors, the latency in microseconds, and
 * Jain's fairness index of the bytes that each connection received (1: all the same).
 */

#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

enum {
	EVENTS = 256,
	HEAD_ROOM = 2048,      /* bytes kept of an answer's head, and of its first recv */
	DISCARD = 1024 * 1024, /* bytes that one recv may discard */
	SUB_BUCKETS = 32,      /* latency classes in each power of two: 3 % exact */
	BUCKETS = 40 * SUB_BUCKETS,
};

struct connection {
	int fd;
	bool busy;
	bool in_body;
	uint64_t asked_ns;
	uint64_t body_left;
	uint64_t received;
	size_t head_size;
	char head[HEAD_ROOM];
};

struct settings {
	const char *address;
	const char *path;
	unsigned port;
	unsigned connections;
	double seconds;
	uint64_t pause_ns; /* of a probe */
	double rate;       /* requests a second, 0: as many as there are answers */
	bool close_each; /* a new connection for each request */
};

struct load {
	struct settings set;
	int epoll_fd;
	char request[1024];
	size_t request_size;
	struct connection *connections;
	unsigned next;       /* connection that is tried first for the next request */
	uint64_t due_ns;     /* when the next request is due, with a rate */
	uint32_t random;     /* state of the generator of gaps */
	uint64_t answers;
	uint64_t errors;
	uint64_t histogram[BUCKETS];
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The class of a latency: its power of two, split in SUB_BUCKETS. */
static unsigned bucket_of(uint64_t ns)
{
	unsigned shift = 0;

	while ((ns >> shift) >= 2 * SUB_BUCKETS)
		shift++;
	if (shift * SUB_BUCKETS + (ns >> shift) >= BUCKETS)
		return BUCKETS - 1;
	return shift * SUB_BUCKETS + (unsigned)(ns >> shift);
}

static uint64_t bucket_ns(unsigned bucket)
{
	unsigned shift = bucket < 2 * SUB_BUCKETS ? 0 : bucket / SUB_BUCKETS - 1;

	return ((uint64_t)(bucket - shift * SUB_BUCKETS) << shift) + ((1u << shift) >> 1);
}

static double percentile_us(const struct load *load, double share)
{
	uint64_t total = 0, seen = 0;

	for (unsigned i = 0; i < BUCKETS; i++)
		total += load->histogram[i];
	for (unsigned i = 0; i < BUCKETS; i++) {
		seen += load->histogram[i];
		if (total > 0 && (double)seen >= share * (double)total)
			return (double)bucket_ns(i) / 1000.0;
	}
	return 0.0;
}

static void break_off(struct load *load, struct connection *conn)
{
	load->errors++;
	close(conn->fd);
	conn->fd = -1;
	conn->busy = false;
}

/* The clock decides when to ask, not the answers. */
static bool is_timed(const struct load *load)
{
	return load->set.pause_ns > 0 || load->set.rate > 0.0;
}

static void ask(struct load *load, struct connection *conn, uint64_t since_ns)
{
	conn->asked_ns = since_ns;
	conn->busy = true;
	conn->head_size = 0;
	conn->in_body = false;
	if (send(conn->fd, load->request, load->request_size, MSG_NOSIGNAL) !=
	    (ssize_t)load->request_size)
		break_off(load, conn);
}

static void connect_one(struct load *load, struct connection *conn)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons((uint16_t)load->set.port) };
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = conn };
	int one = 1;

	inet_pton(AF_INET, load->set.address, &to.sin_addr);
	conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (conn->fd < 0)
		fail("socket");
	if (connect(conn->fd, (const struct sockaddr *)&to, sizeof(to)) != 0)
		fail("connect");
	setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) != 0)
		fail("epoll_ctl");
}

static void answered(struct load *load, struct connection *conn)
{
	load->answers++;
	load->histogram[bucket_of(now_ns() - conn->asked_ns)]++;
	conn->busy = false;
	if (load->set.close_each) {
		close(conn->fd);
		connect_one(load, conn);
	}
	if (!is_timed(load))
		ask(load, conn, now_ns());
}

/* Looks for the end of the head and for Content-Length. Returns false on a bad answer. */
static bool read_head(struct connection *conn)
{
	char *end = memmem(conn->head, conn->head_size, "\r\n\r\n", 4);
	const char *length;
	size_t body_seen;

	if (!end)
		return conn->head_size < HEAD_ROOM - 1;
	body_seen = conn->head_size - (size_t)(end + 4 - conn->head);
	*end = '\0';
	length = strcasestr(conn->head, "\r\nContent-Length:");
	if (!length)
		return false;
	conn->body_left = strtoull(length + strlen("\r\nContent-Length:"), NULL, 10);
	if (conn->body_left < body_seen)
		return false;
	conn->body_left -= body_seen;
	conn->in_body = true;
	return true;
}

/* One recv. Returns 1 when more may be there, 0 when the socket is empty, -1 when broken. */
static int receive(struct connection *conn)
{
	size_t room;
	ssize_t n;

	if (conn->in_body) {
		room = conn->body_left < DISCARD ? (size_t)conn->body_left : DISCARD;
		n = recv(conn->fd, NULL, room, MSG_TRUNC);
	} else {
		room = HEAD_ROOM - 1 - conn->head_size;
		n = recv(conn->fd, conn->head + conn->head_size, room, 0);
	}
	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	if (n == 0)
		return -1;
	conn->received += (uint64_t)n;
	if (conn->in_body) {
		conn->body_left -= (uint64_t)n;
	} else {
		conn->head_size += (size_t)n;
		if (!read_head(conn))
			return -1;
	}
	return (size_t)n == room;
}

/*
 * Takes what the socket holds, up to a bound: a fast bulk sender must not keep the loop. What
 * is left is seen again, as the descriptors are level-triggered.
 */
static void serve(struct load *load, struct connection *conn)
{
	for (unsigned turns = 0; turns < 4; turns++) {
		int more = receive(conn);

		if (more < 0) {
			break_off(load, conn);
			return;
		}
		if (conn->in_body && conn->body_left == 0) {
			answered(load, conn);
			return;
		}
		if (more == 0)
			return;
	}
}

/* One request on the next connection that waits for none. False: there is no such one. */
static bool ask_next_idle(struct load *load, uint64_t since_ns)
{
	for (unsigned i = 0; i < load->set.connections; i++) {
		struct connection *conn = &load->connections[load->next];

		load->next = (load->next + 1) % load->set.connections;
		if (conn->fd >= 0 && !conn->busy) {
			ask(load, conn, since_ns);
			return true;
		}
	}
	return false;
}

/* Moves on to when the request after this one is due. Independent clients make gaps that are
 * distributed exponentially; the generator is Park and Miller's. */
static void next_due(struct load *load)
{
	load->random = (uint32_t)((uint64_t)load->random * 16807 % 2147483647);
	load->due_ns += (uint64_t)(-log(load->random / 2147483647.0) / load->set.rate * 1e9);
}

/* The moment of the next request, the end when there is none. */
static uint64_t next_request(const struct load *load, uint64_t asked, uint64_t end)
{
	if (load->set.rate > 0.0)
		return load->due_ns < end ? load->due_ns : end;
	return load->set.pause_ns ? asked + load->set.pause_ns : end;
}

static void start(struct load *load)
{
	const struct settings *set = &load->set;

	load->request_size = (size_t)snprintf(load->request, sizeof(load->request),
	                                      "GET %s HTTP/1.1\r\nHost: %s:%u\r\n%s\r\n", set->path,
	                                      set->address, set->port,
	                                      set->close_each ? "Connection: close\r\n" : "");
	if (load->request_size >= sizeof(load->request)) {
		errno = E2BIG;
		fail(set->path);
	}
	load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	load->connections = calloc(set->connections, sizeof(*load->connections));
	if (load->epoll_fd < 0 || !load->connections)
		fail("start");
	for (unsigned i = 0; i < set->connections; i++)
		connect_one(load, &load->connections[i]);
	if (is_timed(load))
		return;
	for (unsigned i = 0; i < set->connections; i++)
		ask(load, &load->connections[i], now_ns());
}

/* Runs until the time is over; returns the nanoseconds that it took. */
static uint64_t run(struct load *load)
{
	struct epoll_event events[EVENTS];
	uint64_t began = now_ns(), now = began, asked = began;
	uint64_t end = began + (uint64_t)(load->set.seconds * 1e9);
	bool full = false;

	load->due_ns = began;
	while (now < end) {
		/* While all connections are busy, only an answer makes a request possible. */
		uint64_t next = full ? end : next_request(load, asked, end);
		uint64_t wait = next > now ? next - now : 0;
		struct timespec timeout = { (time_t)(wait / 1000000000u),
			                    (long)(wait % 1000000000u) };
		int n = epoll_pwait2(load->epoll_fd, events, EVENTS, &timeout, NULL);

		if (n < 0 && errno != EINTR)
			fail("epoll_pwait2");
		for (int i = 0; i < n; i++)
			serve(load, events[i].data.ptr);
		now = now_ns();
		if (load->set.pause_ns && now >= asked + load->set.pause_ns) {
			asked = now;
			(void)ask_next_idle(load, now);
		}
		full = false;
		while (load->set.rate > 0.0 && load->due_ns <= now && !full) {
			full = !ask_next_idle(load, load->due_ns);
			if (!full)
				next_due(load);
		}
	}
	return now - began;
}

static void report(struct load *load, uint64_t took_ns)
{
	uint64_t now = now_ns(), bytes = 0;
	double sum = 0.0, squares = 0.0, jain;

	for (unsigned i = 0; i < load->set.connections; i++) {
		const struct connection *conn = &load->connections[i];

		bytes += conn->received;
		sum += (double)conn->received;
		squares += (double)conn->received * (double)conn->received;
		if (is_timed(load) && conn->busy)
			load->histogram[bucket_of(now - conn->asked_ns)]++;
	}
	for (; load->set.rate > 0.0 && load->due_ns < now; next_due(load))
		load->histogram[bucket_of(now - load->due_ns)]++;
	jain = squares > 0.0 ? sum * sum / (load->set.connections * squares) : 0.0;
	printf("{\"seconds\": %.6f, \"answers\": %llu, \"bytes\": %llu, \"errors\": %llu, "
	       "\"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, "
	       "\"max_us\": %.1f, \"jain\": %.4f}\n",
	       (double)took_ns / 1e9, (unsigned long long)load->answers, (unsigned long long)bytes,
	       (unsigned long long)load->errors, percentile_us(load, 0.5),
	       percentile_us(load, 0.9), percentile_us(load, 0.99), percentile_us(load, 0.999),
	       percentile_us(load, 1.0), jain);
}

static void usage(void)
{
	fprintf(stderr, "usage: load -p PORT [-l ADDRESS] [-c CONNECTIONS] [-d SECONDS] "
	                "[-n] [-r RATE | -w MICROSECONDS] PATH\n");
	exit(2);
}

static void parse_arguments(struct settings *set, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "c:d:l:np:r:w:")) != -1) {
		switch (option) {
		case 'c':
			set->connections = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'd':
			set->seconds = strtod(optarg, NULL);
			break;
		case 'l':
			set->address = optarg;
			break;
		case 'n':
			set->close_each = true;
			break;
		case 'p':
			set->port = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'r':
			set->rate = strtod(optarg, NULL);
			break;
		case 'w':
			set->pause_ns = strtoull(optarg, NULL, 10) * 1000;
			break;
		default:
			usage();
		}
	}
	if (optind + 1 != argc || set->port == 0 || set->port > 65535 || set->connections == 0 ||
	    !isfinite(set->seconds) || set->seconds <= 0.0 || !isfinite(set->rate) ||
	    set->rate < 0.0 || (set->rate > 0.0 && set->pause_ns > 0))
		usage();
	set->path = argv[optind];
}

int main(int argc, char **argv)
{
	struct load load = {
		.set = { .address = "127.0.0.1", .connections = 64, .seconds = 1.0 },
		.random = 20240229,
	};

	parse_arguments(&load.set, argc, argv);
	/* A probe's timer must not be rounded up by the usual 50 us. */
	prctl(PR_SET_TIMERSLACK, 1000UL, 0, 0, 0);
	signal(SIGPIPE, SIG_IGN);
	start(&load);
	report(&load, run(&load));
	return 0;
}
