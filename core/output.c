/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <assert.h>
#include <errno.h>

#include "memory.h"
#include "output.h"
#include "pipes.h"
#include "transport_plain.h"

#define MASK (OUTPUT_SEGMENTS - 1)
/* When less than this is left behind a quantum, it goes along. */
#define REST_MAX ((int64_t)64 * 1024)
/* One sendfile moves at most this much, so that a quantum larger than the socket's buffer does
 * not make the kernel set up pages that nobody takes. */
#define SENDFILE_MAX ((size_t)2 * 1024 * 1024)

void output_init(struct output *output)
{
	output->first = 0;
	output->count = 0;
	output->bytes = 0;
	output->sent = 0;
	output->ends = false;
}

static void segment_release(struct segment *segment)
{
	memory_release(&segment->memory);
	if (segment->file != NULL)
		lop_file_release(&segment->file);
	if (segment->pipe != NULL)
		pipe_put(&segment->pipe, segment->length == 0);
}

void output_clear(struct output *output)
{
	while (output->count > 0) {
		segment_release(&output->segments[output->first]);
		output->first = (output->first + 1) & MASK;
		output->count--;
	}
	output->bytes = 0;
}

static struct segment *append(struct output *output, int64_t offset, int64_t length)
{
	assert(output->count < OUTPUT_SEGMENTS);

	struct segment *segment = &output->segments[(output->first + output->count) & MASK];

	output->count++;
	output->bytes += length;
	segment->offset = offset;
	segment->length = length;
	segment->memory = NULL;
	segment->file = NULL;
	segment->pipe = NULL;
	return segment;
}

void output_memory(struct output *output, struct lop_memory *memory, size_t offset,
                   size_t length)
{
	if (length > 0)
		append(output, (int64_t)offset, (int64_t)length)->memory = memory_retain(memory);
}

void output_file(struct output *output, struct lop_file *file, int64_t offset, int64_t length)
{
	if (length > 0)
		append(output, offset, length)->file = lop_file_retain(file);
}

void output_pipe(struct output *output, struct pipe *pipe, size_t length)
{
	append(output, 0, (int64_t)length)->pipe = pipe;
}

static void consume(struct output *output, size_t taken)
{
	output->sent += taken;
	output->bytes -= (int64_t)taken;
	while (taken > 0) {
		struct segment *segment = &output->segments[output->first];

		if ((int64_t)taken < segment->length) {
			segment->offset += (int64_t)taken;
			segment->length -= (int64_t)taken;
			return;
		}
		taken -= (size_t)segment->length;
		segment->length = 0;
		segment_release(segment);
		output->first = (output->first + 1) & MASK;
		output->count--;
	}
}

/* What follows when so many bytes have gone. */
static int what_follows(const struct output *output, size_t length)
{
	if ((int64_t)length < output->bytes)
		return LOP_MORE_DATA;
	return output->ends ? LOP_MORE_END : 0;
}

/* Sends the run of memory segments at the front, up to the quantum and a rest. */
static ssize_t flush_memory(struct output *output, const struct lop_transport *transport,
                            void *state, size_t quantum, size_t *wanted)
{
	struct iovec vector[OUTPUT_SEGMENTS];
	unsigned count = 0;
	bool cut = false;

	*wanted = 0;
	while (count < output->count && !cut) {
		struct segment *segment = &output->segments[(output->first + count) & MASK];
		size_t length = (size_t)segment->length;

		if (segment->memory == NULL)
			break;
		cut = *wanted + length > quantum + (size_t)REST_MAX;
		if (cut)
			length = quantum > *wanted ? quantum - *wanted : 0;
		if (length == 0)
			break;
		vector[count].iov_base = segment->memory->data + segment->offset;
		vector[count].iov_len = length;
		*wanted += length;
		count++;
	}
	return transport->writev(state, vector, (int)count, what_follows(output, *wanted));
}

static ssize_t flush_file(struct output *output, const struct lop_transport *transport,
                          void *state, size_t quantum)
{
	struct segment *segment = &output->segments[output->first];
	size_t length = quantum < SENDFILE_MAX ? quantum : SENDFILE_MAX;

	if (segment->length - (int64_t)length <= REST_MAX)
		length = (size_t)segment->length;

	ssize_t sent = transport->sendfile(state, lop_file_descriptor(segment->file),
	                                   (off_t)segment->offset, length,
	                                   what_follows(output, length));

	return sent == 0 ? -ENODATA : sent;
}

/* What a pipe holds goes whole, as memory does. */
static ssize_t flush_pipe(struct output *output, const struct lop_transport *transport,
                          void *state)
{
	struct segment *segment = &output->segments[output->first];
	ssize_t sent = transport->splice(state, segment->pipe->read, (size_t)segment->length,
	                                 what_follows(output, (size_t)segment->length));

	return sent == 0 ? -ENODATA : sent;
}

int output_flush(struct output *output, const struct lop_transport *transport, void *state,
                 size_t quantum)
{
	while (output->count > 0) {
		const struct segment *first = &output->segments[output->first];
		size_t wanted;
		ssize_t sent;

		/* What is short goes along: another turn would cost more. */
		if (quantum == 0 && (first->memory == NULL || first->length > REST_MAX))
			return 0;
		if (first->memory != NULL) {
			sent = flush_memory(output, transport, state, quantum, &wanted);
			/* A plain socket that takes less than it was given is full. Another transport
			 * may take only a part, and will say itself that it has to wait. */
			if (sent == 0 || (sent > 0 && (size_t)sent < wanted &&
			                  transport == &transport_plain)) {
				consume(output, (size_t)sent);
				return LOP_WANT_WRITE;
			}
		} else if (first->file != NULL) {
			sent = flush_file(output, transport, state, quantum);
		} else {
			sent = flush_pipe(output, transport, state);
		}
		if (sent < 0)
			return (int)sent;
		consume(output, (size_t)sent);
		quantum -= (size_t)sent < quantum ? (size_t)sent : quantum;
	}
	return 1;
}
