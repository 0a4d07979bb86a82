/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Level L has 64 slots of 64^L ms each. A timer lies in the lowest level whose span holds it; when
 * the clock enters a slot of a higher level, that slot's timers are spread over the levels below.
 */
#include "config.h"

#include "timer.h"

#define SLOT_BITS 6
#define SLOT_MASK (TIMER_SLOTS - 1)
#define SPAN (UINT64_C(1) << (SLOT_BITS * TIMER_LEVELS))

void timers_init(struct timers *timers, uint64_t now)
{
	timers->now = now;
	for (unsigned level = 0; level < TIMER_LEVELS; level++) {
		timers->used[level] = 0;
		for (unsigned index = 0; index < TIMER_SLOTS; index++)
			list_init(&timers->slots[level][index]);
	}
}

void timer_init(struct timer *timer, timer_fire_f *fire)
{
	list_init(&timer->node);
	timer->when = 0;
	timer->fire = fire;
	timer->slot = TIMER_IDLE;
}

/* The slot of a time that is not before `now`: by the highest group of bits in which they differ. */
static unsigned slot_of(uint64_t now, uint64_t when)
{
	uint64_t differ = now ^ when;
	unsigned level = 0;

	if (differ != 0)
		level = (63u - (unsigned)__builtin_clzll(differ)) / SLOT_BITS;
	return level * TIMER_SLOTS + (unsigned)((when >> (level * SLOT_BITS)) & SLOT_MASK);
}

void timer_arm(struct timers *timers, struct timer *timer, uint64_t when)
{
	timer_cancel(timers, timer);
	timer->when = when;
	if (when < timers->now)
		when = timers->now;
	if (when >= SPAN)
		when = SPAN - 1;

	unsigned slot = slot_of(timers->now, when);
	unsigned level = slot / TIMER_SLOTS;

	list_append(&timers->slots[level][slot & SLOT_MASK], &timer->node);
	timers->used[level] |= UINT64_C(1) << (slot & SLOT_MASK);
	timer->slot = (int16_t)slot;
}

void timer_cancel(struct timers *timers, struct timer *timer)
{
	list_remove(&timer->node);
	if (timer->slot >= 0) {
		unsigned level = (unsigned)timer->slot / TIMER_SLOTS;
		unsigned index = (unsigned)timer->slot & SLOT_MASK;

		if (list_empty(&timers->slots[level][index]))
			timers->used[level] &= ~(UINT64_C(1) << index);
	}
	timer->slot = TIMER_IDLE;
}

/* The earliest time at which a used slot begins; false when no timer is armed. Lower levels come
 * first: all of a lower level lies before the next slot of a higher one. */
static bool next_slot(const struct timers *timers, uint64_t *begins)
{
	for (unsigned level = 0; level < TIMER_LEVELS; level++) {
		if (timers->used[level] == 0)
			continue;
		unsigned shift = level * SLOT_BITS;
		unsigned index = (unsigned)__builtin_ctzll(timers->used[level]);
		uint64_t base = timers->now >> (shift + SLOT_BITS) << (shift + SLOT_BITS);

		*begins = base + ((uint64_t)index << shift);
		if (*begins < timers->now)
			*begins = timers->now;
		return true;
	}
	return false;
}

int64_t timers_next(const struct timers *timers, uint64_t now)
{
	uint64_t begins;

	if (!next_slot(timers, &begins))
		return -1;
	return begins <= now ? 0 : (int64_t)(begins - now);
}

/* Opens the slots that begin at timers->now: what is due goes to `due`, the rest is spread over the
 * levels below. */
static void open_slots(struct timers *timers, struct list *due)
{
	for (unsigned level = TIMER_LEVELS; level-- > 0;) {
		unsigned index = (unsigned)((timers->now >> (level * SLOT_BITS)) & SLOT_MASK);
		struct list taken;

		if ((timers->used[level] & (UINT64_C(1) << index)) == 0)
			continue;
		list_init(&taken);
		list_splice(&taken, &timers->slots[level][index]);
		timers->used[level] &= ~(UINT64_C(1) << index);
		while (!list_empty(&taken)) {
			struct timer *timer = CONTAINER(taken.next, struct timer, node);

			list_remove(&timer->node);
			timer->slot = TIMER_IDLE;
			if (timer->when > timers->now) {
				timer_arm(timers, timer, timer->when);
			} else {
				timer->slot = TIMER_DUE;
				list_append(due, &timer->node);
			}
		}
	}
}

unsigned timers_advance(struct timers *timers, uint64_t now)
{
	struct list due;
	unsigned fired = 0;
	uint64_t begins;

	list_init(&due);
	while (next_slot(timers, &begins) && begins <= now) {
		timers->now = begins;
		open_slots(timers, &due);
		if (begins == now)
			break;
		timers->now = begins + 1;
	}
	if (timers->now < now)
		timers->now = now;

	/* Fired only now that the clock stands: a timer that always arms itself anew waits for the
	 * next turn, and one may cancel another that is due as well. */
	while (!list_empty(&due)) {
		struct timer *timer = CONTAINER(due.next, struct timer, node);

		list_remove(&timer->node);
		timer->slot = TIMER_IDLE;
		fired++;
		timer->fire(timer);
	}
	return fired;
}
