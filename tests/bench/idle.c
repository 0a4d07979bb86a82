/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Opens many keep-alive connections, asks once on each, reads the answer, and lets them idle.
 *
 * Prints "idle N" when all N have their answer, then waits for the end of its standard input;
 * in the meantime the caller measures the server's memory. Every SOURCE_SHARE connections take
 * another source address of 127.0.0.0/8, since one address has too few ports for all.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

enum {
	SOURCE_SHARE = 4000, /* connections from one source address */
	WINDOW = 64,         /* connections that are asked before the first is read */
	SPARE_FDS = 16,
	ANSWER_ROOM = 16 * 1024,
	ANSWER_SECONDS = 10,
};

static void fail(const char *what)
{
	fprintf(stderr, "idle: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void raise_descriptor_limit(unsigned long count)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		fail("getrlimit");
	if (limit.rlim_cur >= count + SPARE_FDS)
		return;
	limit.rlim_cur = count + SPARE_FDS;
	if (limit.rlim_max < limit.rlim_cur)
		limit.rlim_max = limit.rlim_cur;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		fail("setrlimit: too few descriptors (ulimit -n)");
}

static int open_connection(unsigned port, unsigned long index)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct timeval patience = { .tv_sec = ANSWER_SECONDS };
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fail("socket");
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)(index / SOURCE_SHARE));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	/* The port is then chosen at connect, when the whole four-tuple is known. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (bind(fd, (const struct sockaddr *)&from, sizeof(from)) != 0)
		fail("bind");
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0)
		fail("connect");
	return fd;
}

static void ask(int fd, const char *path)
{
	char request[1024];
	int n = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
	                 path);

	if (n < 0 || (size_t)n >= sizeof(request))
		exit(2);
	if (send(fd, request, (size_t)n, MSG_NOSIGNAL) != n)
		fail("send");
}

/* Reads one whole small answer; a server that closes or refuses here ends the measurement. */
static void read_answer(int fd)
{
	char answer[ANSWER_ROOM + 1];
	size_t size = 0, wanted = 0;

	do {
		ssize_t n = recv(fd, answer + size, ANSWER_ROOM - size, 0);
		const char *end, *length;

		if (n <= 0) {
			if (n == 0)
				errno = ECONNRESET;
			fail("the answer");
		}
		size += (size_t)n;
		answer[size] = '\0';
		end = strstr(answer, "\r\n\r\n");
		length = strcasestr(answer, "\r\nContent-Length:");
		if (end && length)
			wanted = (size_t)(end + 4 - answer) +
			         strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
	} while (wanted == 0 || size < wanted);
	if (strncmp(answer, "HTTP/1.1 200 ", 13) != 0) {
		fprintf(stderr, "idle: not a 200: %.40s\n", answer);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	unsigned port = argc == 4 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	unsigned long count = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
	int *fds;
	char byte;

	if (port == 0 || port > 65535 || count == 0) {
		fprintf(stderr, "usage: idle PORT COUNT PATH\n");
		return 2;
	}
	raise_descriptor_limit(count);
	fds = calloc(count, sizeof(*fds));
	if (!fds)
		fail("calloc");
	for (unsigned long i = 0; i < count + WINDOW; i++) {
		if (i < count) {
			fds[i] = open_connection(port, i);
			ask(fds[i], argv[3]);
		}
		if (i >= WINDOW && i - WINDOW < count)
			read_answer(fds[i - WINDOW]);
	}
	printf("idle %lu\n", count);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	free(fds);
	return 0;
}
