/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * The least that a file over TLS costs where the kernel does not encrypt: read, encrypt in records of
 * TLS 1.3, send, and nothing else. Prints one line of JSON: seconds, bytes, and the processor time in
 * nanoseconds of the side that sends. The other side, on another processor, reads and throws away.
 *
 *     encrypt CLIENT-CPU SECONDS FILE
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <sys/prctl.h>
#include <sys/socket.h>

enum { RECORD = 16384, HEAD = 5, TAG = 16, BATCH = 16, PAGE = 4096 };

static void fail(const char *what)
{
	fprintf(stderr, "encrypt: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double seconds_of(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void take(const struct sockaddr_in *address, int cpu)
{
	static char buffer[256 * 1024];
	const int peer = socket(AF_INET, SOCK_STREAM, 0);
	cpu_set_t set;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0 ||
	    connect(peer, (const struct sockaddr *)address, sizeof(*address)) != 0)
		fail("the reader");
	while (recv(peer, buffer, sizeof(buffer), 0) > 0)
		;
	_exit(0);
}

static int connect_reader(int cpu)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	const int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(listener, 1) != 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &length) != 0)
		fail("listen");
	switch (fork()) {
	case -1:
		fail("fork");
		break;
	case 0:
		take(&address, cpu);
		break;
	}
	return accept(listener, NULL, NULL);
}

/* Returns the length of the record. */
static size_t encrypt(EVP_CIPHER_CTX *cipher, const unsigned char *in, size_t length,
                      unsigned char *out)
{
	static unsigned char nonce[12];
	int part;

	nonce[11]++; /* the nonces repeat after a while, which costs the same */
	out[0] = 23;
	out[1] = out[2] = 3;
	out[3] = (unsigned char)((length + TAG) >> 8);
	out[4] = (unsigned char)(length + TAG);
	if (EVP_EncryptInit_ex(cipher, NULL, NULL, NULL, nonce) != 1 ||
	    EVP_EncryptUpdate(cipher, NULL, &part, out, HEAD) != 1 ||
	    EVP_EncryptUpdate(cipher, out + HEAD, &part, in, (int)length) != 1 ||
	    EVP_EncryptFinal_ex(cipher, out + HEAD + length, &part) != 1 ||
	    EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG, out + HEAD + length) != 1)
		fail("the cipher");
	return HEAD + length + TAG;
}

static void send_all(int peer, const unsigned char *data, size_t length)
{
	while (length > 0) {
		const ssize_t sent = send(peer, data, length, MSG_NOSIGNAL);

		if (sent < 0)
			fail("send");
		data += sent;
		length -= (size_t)sent;
	}
}

int main(int count, char **arguments)
{
	unsigned char *in = aligned_alloc(PAGE, (size_t)BATCH * RECORD);
	unsigned char *out = aligned_alloc(PAGE, (size_t)BATCH * (RECORD + PAGE));
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	unsigned char key[32] = { 1 };
	double sent = 0, begun, cpu, limit;
	off_t offset = 0;
	int file, peer;

	if (count != 4) {
		fprintf(stderr, "usage: encrypt CLIENT-CPU SECONDS FILE\n");
		return 2;
	}
	limit = atof(arguments[2]);
	file = open(arguments[3], O_RDONLY);
	if (file < 0)
		fail(arguments[3]);
	if (in == NULL || out == NULL || cipher == NULL ||
	    EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key, NULL) != 1)
		fail("memory");
	peer = connect_reader(atoi(arguments[1]));
	begun = seconds_of(CLOCK_MONOTONIC);
	cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	while (seconds_of(CLOCK_MONOTONIC) - begun < limit) {
		const ssize_t got = pread(file, in, (size_t)BATCH * RECORD, offset);
		size_t length = 0;

		if (got <= 0 && offset == 0)
			fail("read");
		for (ssize_t i = 0; i < got; i += RECORD)
			length += encrypt(cipher, in + i,
			                  (size_t)(got - i < RECORD ? got - i : RECORD),
			                  out + length);
		send_all(peer, out, length);
		sent += (double)(got > 0 ? got : 0);
		offset = got > 0 ? offset + got : 0;
	}
	cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("{\"seconds\": %.6f, \"bytes\": %.0f, \"cpu_ns\": %.0f}\n",
	       seconds_of(CLOCK_MONOTONIC) - begun, sent, cpu * 1e9);
	return 0;
}
