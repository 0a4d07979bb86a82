/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chunked transfer coding (RFC 9112 section 7.1) on the side of the upstreams: their bodies are
 * decoded where they lie, and request bodies are framed.
 *
 * Strict: only CRLF ends a line, a size is hex digits alone and below 2^63. Extensions are thrown
 * away, trailers are kept. Any split of the input gives the same result.
 */
#ifndef PROXY_CHUNKS_H
#define PROXY_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <lophttpd/base.h>

#define CHUNKS_LINE_MAX 1024    /* bytes of a chunk's size and extensions */
#define CHUNKS_TRAILER_MAX 8192 /* bytes of all trailers */
#define CHUNKS_FRAME_MAX 18     /* a frame before the data: 16 digits and CRLF */

/* All zero is the start. */
struct chunks {
	uint8_t place; /* in the grammar */
	uint16_t line; /* bytes of the current size line so far */
	uint32_t trailer_length;
	uint32_t trailer_size;
	uint32_t line_start; /* of the current trailer, in `trailers` */
	uint64_t left;       /* bytes of the current chunk still to come */
	uint64_t framing;    /* bytes of framing so far, against bodies of nothing else */
	uint64_t decoded;
	char *trailers;      /* lines as they came, each with CRLF; NULL: none */
};

/* Decodes length bytes of data in place. Returns how many decoded bytes now stand at its front, and
 * sets *taken to the bytes that belonged to the body: the rest, behind its end, is not touched.
 * -EBADMSG for what is not the coding (and trailers that memory is out for), also on every later
 * call. */
ssize_t chunks_decode(struct chunks *chunks, char *data, size_t length, size_t *taken);

bool chunks_ended(const struct chunks *chunks);

/* The trailer at *offset (0 to begin), which moves on. Returns 1, or 0 past the last. */
int chunks_trailer(const struct chunks *chunks, size_t *offset, struct lop_str *name,
                   struct lop_str *value);

/* Frees the trailers, and begins again. */
void chunks_clear(struct chunks *chunks);

/* Writes the frame of a chunk of size bytes so that it ends at `end`; returns where it begins. */
char *chunks_frame(char *end, size_t size);

#endif
