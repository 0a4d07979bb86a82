/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chunked transfer coding, decoding: RFC 9112 section 7.1.
 *
 * Strict: only CRLF ends a line; a size is hex digits alone, without sign or prefix, below 2^63;
 * white space stands only where the grammar of extensions has BWS; extensions and trailers are
 * checked, bounded and thrown away. By how much `trailer` grows, so many of the bytes that were
 * taken, the last ones, were of trailers. Takes any split of the input, keeps 16 bytes of state.
 */
#ifndef CHUNKED_H
#define CHUNKED_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CHUNKED_MAX_LINE 1024    /* bytes of a chunk's size and extensions */
#define CHUNKED_MAX_TRAILER 4096 /* bytes of all trailers */

enum chunked_state {
	CHUNKED_SIZE = 0, /* in a size line */
	CHUNKED_DATA,     /* in a chunk's data or the CRLF after it */
	CHUNKED_TRAILER,  /* after the last chunk */
	CHUNKED_DONE,
};

/* All zero is the start. */
struct chunked {
	uint8_t state;    /* enum chunked_state */
	uint8_t detail;   /* the decoder's own: its place in the grammar */
	uint16_t line;    /* bytes of the current size line so far */
	uint32_t trailer; /* bytes of all trailers so far */
	uint64_t left;    /* bytes of the current chunk still to come */
};

/* Takes from in, writes decoded bytes to out (may be NULL to throw them away; then size bounds
 * nothing). Sets *taken to the bytes consumed and returns the bytes decoded, or -EBADMSG, also on
 * every later call. Framing is taken even when out is full, so that the end is seen without
 * another call. The body has ended when chunked_done(); bytes after the end are not taken. */
ssize_t chunked_decode(struct chunked *chunked, const char *in, size_t length, size_t *taken,
                       char *out, size_t size);

int chunked_done(const struct chunked *chunked);

#endif
