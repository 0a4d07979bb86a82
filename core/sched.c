/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "sched.h"

void sched_init(struct sched *sched)
{
	for (int class = 0; class < SCHED_CLASSES; class++)
		list_init(&sched->queues[class]);
	sched->bulk_count = 0;
}

void sched_entry_init(struct sched_entry *entry, sched_run_f *run)
{
	list_init(&entry->node);
	entry->run = run;
	entry->queued = false;
	entry->class = SCHED_FRESH;
}

void sched_push(struct sched *sched, struct sched_entry *entry, enum sched_class class)
{
	if (entry->queued)
		return;
	entry->queued = true;
	entry->class = (uint8_t)class;
	list_append(&sched->queues[class], &entry->node);
	if (class == SCHED_BULK)
		sched->bulk_count++;
}

void sched_remove(struct sched *sched, struct sched_entry *entry)
{
	if (!entry->queued)
		return;
	list_remove(&entry->node);
	entry->queued = false;
	if (entry->class == SCHED_BULK)
		sched->bulk_count--;
}

size_t sched_quantum(const struct sched *sched)
{
	size_t share = sched->bulk_count > 1 ? SCHED_ROUND_BYTES / sched->bulk_count
	                                     : SCHED_QUANTUM_MAX;

	if (share > SCHED_QUANTUM_MAX)
		return SCHED_QUANTUM_MAX;
	return share < SCHED_QUANTUM_MIN ? SCHED_QUANTUM_MIN : share;
}

/* What of a class is queued now. */
static void run_round(struct sched *sched, enum sched_class class)
{
	struct list round;

	list_init(&round);
	list_splice(&round, &sched->queues[class]);
	while (!list_empty(&round)) {
		struct sched_entry *entry = CONTAINER(round.next, struct sched_entry, node);

		sched_remove(sched, entry);
		entry->run(entry, SCHED_QUANTUM_MIN);
	}
}

static void run_bulk(struct sched *sched)
{
	const size_t quantum = sched_quantum(sched);
	struct list *bulk = &sched->queues[SCHED_BULK];
	size_t left = SCHED_TURN_BYTES;

	for (size_t count = sched->bulk_count; count > 0 && left > 0; count--) {
		struct sched_entry *entry;

		if (list_empty(bulk))
			break;
		entry = CONTAINER(bulk->next, struct sched_entry, node);
		sched_remove(sched, entry);
		entry->run(entry, quantum);
		left -= quantum < left ? quantum : left;
	}
}

void sched_turn(struct sched *sched)
{
	for (int rounds = 0; rounds < SCHED_FRESH_ROUNDS; rounds++) {
		/* A watch wakes a request. */
		run_round(sched, SCHED_BEGUN);
		run_round(sched, SCHED_BEGUN);
		if (list_empty(&sched->queues[SCHED_FRESH]))
			break;
		run_round(sched, SCHED_FRESH);
	}
	run_bulk(sched);
}
