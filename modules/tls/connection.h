/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection, as the two halves of the transport see it: transport.c makes it and reads from it,
 * write.c writes to it.
 */
#ifndef TLS_CONNECTION_H
#define TLS_CONNECTION_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "seal.h"
#include "tls.h"
#include "wire.h"

struct tls_connection {
	struct wire wire;
	struct seal seal;
	struct tls *tls;
	SSL *ssl;
	char *subject;
	unsigned char *held; /* bytes taken and not yet encrypted, malloc'ed, NULL mostly */
	size_t held_length;
	size_t owed;      /* bytes encrypted, sent in part, and not yet reported as taken */
	size_t gathered;  /* bytes in records that wait in the wire for the next */
	int64_t written;  /* when something was written last */
	uint32_t ramp;    /* bytes written since the last pause, as far as they matter */
	int host;
	bool named;       /* the client said which host it wants */
	bool kernel;      /* the kernel encrypts what is written */
	bool looked;      /* for the client's certificate */
	bool said_goodbye;
};

/* What a result of OpenSSL's that is not positive means to the transport's caller. What OpenSSL had
 * to say to the peer goes out. */
int connection_outcome(struct tls_connection *connection, int result);

/* The writing functions of struct lop_transport. */
ssize_t connection_writev(void *state, const struct iovec *vector, int count, int more);
ssize_t connection_sendfile(void *state, int file, off_t offset, size_t length, int more);
int connection_shutdown(void *state);
int connection_copies(void *state);

#endif
