/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The run queue. An event only puts work here; a turn of the loop takes it off again.
 *
 * Three classes: work that had begun and that an event of another descriptor lets go on (a watch of
 * a module, the request that it wakes) goes first, since it has waited longest; fresh work (a
 * request that just came) runs to the last piece in every turn as well; bulk work (a download that
 * goes on, a slice of a long task) shares what is left, one quantum each, until the turn's budget
 * is used up. So a short answer never waits for a long one. The quantum shrinks as more bulk is
 * ready, so that a round over all of it stays short.
 */
#ifndef SCHED_H
#define SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "list.h"

enum sched_class {
	SCHED_BEGUN,
	SCHED_FRESH,
	SCHED_BULK,
	SCHED_CLASSES,
};

struct sched_entry;
/* Moves its owner on by at most quantum bytes; may put itself back, may free its owner. */
typedef void sched_run_f(struct sched_entry *entry, size_t quantum);

struct sched_entry {
	struct list node;
	sched_run_f *run;
	bool queued;
	uint8_t class;
};

struct sched {
	struct list queues[SCHED_CLASSES];
	size_t bulk_count;
};

#define SCHED_QUANTUM_MIN ((size_t)256 * 1024)
#define SCHED_QUANTUM_MAX ((size_t)2 * 1024 * 1024)
#define SCHED_TURN_BYTES ((size_t)2 * 1024 * 1024) /* of bulk between two looks at the sockets */
#define SCHED_ROUND_BYTES ((size_t)32 * 1024 * 1024) /* that a round over all bulk may take */
#define SCHED_FRESH_ROUNDS 4 /* of work that such work made, in one turn */

void sched_init(struct sched *sched);
void sched_entry_init(struct sched_entry *entry, sched_run_f *run);
/* Queues at the end of its class. Work that is queued as bulk stays bulk. */
void sched_push(struct sched *sched, struct sched_entry *entry, enum sched_class class);
void sched_remove(struct sched *sched, struct sched_entry *entry);
/* One turn: what had begun and all that is fresh, also what that makes (a connection that was just
 * accepted), then bulk up to the turn's budget. */
void sched_turn(struct sched *sched);

static inline bool sched_idle(const struct sched *sched)
{
	for (int class = 0; class < SCHED_CLASSES; class++) {
		if (!list_empty(&sched->queues[class]))
			return false;
	}
	return true;
}

/* Bytes that a bulk connection may send when it is its turn. */
size_t sched_quantum(const struct sched *sched);

#endif
