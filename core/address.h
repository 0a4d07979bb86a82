/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A socket address and its text forms.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct address {
	socklen_t length;
	union {
		struct sockaddr base;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} socket;
};

/* The longest text of any address, NUL included. */
#define ADDRESS_TEXT_MAX 128

/* "192.0.2.1", "192.0.2.1:80", "[::1]", "[::1]:80", "::1", "fe80::1%eth0", "unix:/path"; numeric
 * only. default_port is used when the text has none. Returns 0, -EINVAL, or -ENAMETOOLONG for the
 * path of a UNIX socket. */
int address_parse(const char *text, size_t length, uint16_t default_port, struct address *address);
/* Host part in text form without brackets ("unix:" + path for UNIX; v4-mapped as v4), cut to size
 * and NUL-terminated. Returns the length. */
size_t address_host(const struct address *address, char *out, size_t size);
/* 0 for UNIX. */
uint16_t address_port(const struct address *address);
/* No effect for UNIX. */
void address_set_port(struct address *address, uint16_t port);
/* "127.0.0.1:80", "[::1]:80", "unix:/path". */
size_t address_text(const struct address *address, char *out, size_t size);
bool address_equal(const struct address *a, const struct address *b);

#endif
