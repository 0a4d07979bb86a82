/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pipes through which bytes go from one socket to another without being copied: a worker keeps a
 * few that are empty. Whoever takes one has it alone until it is put back.
 */
#ifndef PIPES_H
#define PIPES_H

#include <stdbool.h>
#include <stddef.h>

#define PIPE_SIZE ((size_t)256 * 1024) /* bytes that a pipe is to hold, where it may */
#define PIPES_MAX 256 /* of a worker: each costs two descriptors */
#define PIPES_IDLE 16

struct pipe {
	struct pipe *next; /* while it is idle */
	struct pipes *pipes;
	int read;
	int write;
};

struct pipes {
	struct pipe *idle;
	unsigned idle_count;
	unsigned count;
	bool allowed; /* somebody declared a need for them: a sandbox lets them be made */
};

void pipes_init(struct pipes *pipes, bool allowed);
/* Closes the idle ones; none may be in use. */
void pipes_fini(struct pipes *pipes);

/* An empty pipe, or NULL: without it then. */
struct pipe *pipe_get(struct pipes *pipes);
/* Clears the pointer. What is not empty is closed, and what it held is lost. */
void pipe_put(struct pipe **pipe, bool empty);

#endif
