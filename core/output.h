/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a connection still has to send: a short queue of memory, files and filled pipes. A connection
 * has one only while something waits; each segment holds a reference, and a pipe for itself.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lophttpd/file.h>
#include <lophttpd/transport.h>

struct pipe;

#define OUTPUT_SEGMENTS 16 /* a power of two */

struct segment {
	struct lop_memory *memory; /* one of the three is set */
	struct lop_file *file;
	struct pipe *pipe;
	int64_t offset; /* bytes, in the memory or the file */
	int64_t length; /* bytes left */
};

struct output {
	unsigned first; /* index of the oldest segment */
	unsigned count;
	int64_t bytes;  /* in all segments */
	uint64_t sent;  /* bytes the transport took since the output was made */
	bool ends;      /* behind it the transport is shut down */
	struct segment segments[OUTPUT_SEGMENTS];
};

void output_init(struct output *output);
/* Drops what was not sent. */
void output_clear(struct output *output);

static inline bool output_empty(const struct output *output)
{
	return output->count == 0;
}

static inline unsigned output_room(const struct output *output)
{
	return OUTPUT_SEGMENTS - output->count;
}

/* Appends; takes a reference of its own. There must be room. A length of 0 is ignored. */
void output_memory(struct output *output, struct lop_memory *memory, size_t offset,
                   size_t length);
void output_file(struct output *output, struct lop_file *file, int64_t offset, int64_t length);
/* Takes the pipe over, which holds exactly length bytes, for a transport that has splice. */
void output_pipe(struct output *output, struct pipe *pipe, size_t length);

/* Hands at most quantum bytes to the transport. Returns 1 when all is gone, 0 when the quantum is
 * used up, LOP_WANT_READ or LOP_WANT_WRITE when the transport waits, -ENODATA when a file ended
 * before its segment, or another negative errno. */
int output_flush(struct output *output, const struct lop_transport *transport, void *state,
                 size_t quantum);

#endif
