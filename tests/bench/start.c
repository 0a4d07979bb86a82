/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Measures a start: the milliseconds from the fork that executes a server to the first byte of
 * its first answer. Then stops the server with SIGTERM, after a grace with SIGKILL.
 *
 * The server runs on the core given with the first argument; the caller pins this program to
 * another one, as it asks for the connection again and again.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

enum {
	RETRY_NS = 20 * 1000,
	PATIENCE_MS = 5000,
	GRACE_MS = 2000,
};

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void nap(long ns)
{
	struct timespec t = { .tv_nsec = ns };

	nanosleep(&t, NULL);
}

static pid_t execute(unsigned cpu, char **command)
{
	pid_t pid = fork();
	cpu_set_t set;
	int null;

	if (pid != 0)
		return pid;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		_exit(126);
	null = open("/dev/null", O_RDWR);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execv(command[0], command);
	_exit(127);
}

/* Asks once. Returns 1 when the first byte came, 0 when nobody listens yet, -1 on an error. */
static int try_request(unsigned port, const char *path)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	char request[1024], byte;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int n, result = -1;

	if (fd < 0)
		return -1;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
		result = errno == ECONNREFUSED ? 0 : -1;
		goto out;
	}
	n = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path);
	if (n < 0 || (size_t)n >= sizeof(request))
		goto out;
	if (send(fd, request, (size_t)n, MSG_NOSIGNAL) != n)
		goto out;
	if (recv(fd, &byte, 1, 0) == 1)
		result = 1;
out:
	close(fd);
	return result;
}

static void stop(pid_t pid)
{
	double until = now_ms() + GRACE_MS;

	kill(pid, SIGTERM);
	while (waitpid(pid, NULL, WNOHANG) == 0) {
		if (now_ms() > until)
			kill(pid, SIGKILL);
		nap(1000 * 1000);
	}
}

int main(int argc, char **argv)
{
	unsigned cpu, port;
	double began, took;
	int result;
	pid_t pid;

	if (argc < 5) {
		fprintf(stderr, "usage: start CPU PORT PATH COMMAND [ARGUMENT...]\n");
		return 2;
	}
	cpu = (unsigned)strtoul(argv[1], NULL, 10);
	port = (unsigned)strtoul(argv[2], NULL, 10);
	prctl(PR_SET_TIMERSLACK, 1000UL, 0, 0, 0);
	began = now_ms();
	pid = execute(cpu, argv + 4);
	if (pid < 0) {
		perror("start: fork");
		return 1;
	}
	do {
		result = try_request(port, argv[3]);
		took = now_ms() - began;
		if (result == 0)
			nap(RETRY_NS);
	} while (result == 0 && took < PATIENCE_MS && waitpid(pid, NULL, WNOHANG) == 0);
	stop(pid);
	if (result != 1) {
		fprintf(stderr, "start: no answer from %s\n", argv[4]);
		return 1;
	}
	printf("%.3f\n", took);
	return 0;
}
