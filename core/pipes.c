/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "pipes.h"

#include <stdlib.h>
#include <unistd.h>

#include "os.h"

void pipes_init(struct pipes *pipes, bool allowed)
{
	*pipes = (struct pipes){ .allowed = allowed };
}

static void discard(struct pipe *pipe)
{
	pipe->pipes->count--;
	close(pipe->read);
	close(pipe->write);
	free(pipe);
}

void pipes_fini(struct pipes *pipes)
{
	while (pipes->idle != NULL) {
		struct pipe *pipe = pipes->idle;

		pipes->idle = pipe->next;
		discard(pipe);
	}
	pipes->idle_count = 0;
}

struct pipe *pipe_get(struct pipes *pipes)
{
	struct pipe *pipe = pipes->idle;
	int ends[2];

	if (pipe != NULL) {
		pipes->idle = pipe->next;
		pipes->idle_count--;
		return pipe;
	}
	if (!pipes->allowed || pipes->count == PIPES_MAX)
		return NULL;
	pipe = malloc(sizeof(*pipe));
	if (pipe == NULL)
		return NULL;
	if (os_pipe(ends, PIPE_SIZE) < 0) {
		free(pipe);
		return NULL;
	}
	*pipe = (struct pipe){ .pipes = pipes, .read = ends[0], .write = ends[1] };
	pipes->count++;
	return pipe;
}

void pipe_put(struct pipe **pointer, bool empty)
{
	struct pipe *pipe = *pointer;
	struct pipes *pipes = pipe->pipes;

	*pointer = NULL;
	if (!empty || pipes->idle_count == PIPES_IDLE) {
		discard(pipe);
		return;
	}
	pipe->next = pipes->idle;
	pipes->idle = pipe;
	pipes->idle_count++;
}
