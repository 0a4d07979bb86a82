/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers: a hierarchical wheel with a resolution of a millisecond. Arming and cancelling are O(1)
 * for any number of timers; the next deadline is found by bitmaps. A timer is embedded in its
 * owner and never allocates. Times are milliseconds of the caller's monotonic clock; a timer
 * never fires early.
 */
#ifndef TIMER_H
#define TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "list.h"

#define TIMER_LEVELS 7 /* 64^7 ms: 139 years after the clock began */
#define TIMER_SLOTS 64

#define TIMER_IDLE (-1) /* not armed */
#define TIMER_DUE (-2)  /* taken out of the wheel, about to fire */

struct timer;
typedef void timer_fire_f(struct timer *timer);

struct timer {
	struct list node;
	uint64_t when; /* ms */
	timer_fire_f *fire;
	int16_t slot; /* level * TIMER_SLOTS + index; TIMER_IDLE or TIMER_DUE */
};

struct timers {
	uint64_t now; /* ms, everything before it has fired */
	uint64_t used[TIMER_LEVELS]; /* bit i: slot i is not empty */
	struct list slots[TIMER_LEVELS][TIMER_SLOTS];
};

void timers_init(struct timers *timers, uint64_t now);
void timer_init(struct timer *timer, timer_fire_f *fire);

static inline bool timer_armed(const struct timer *timer)
{
	return timer->slot != TIMER_IDLE;
}

/* Arms, or moves an armed one. */
void timer_arm(struct timers *timers, struct timer *timer, uint64_t when);
void timer_cancel(struct timers *timers, struct timer *timer);

/* Milliseconds from now until the wheel must be advanced: 0 something is due, -1 nothing is armed.
 * May be earlier than the next timer (a slot of a higher level has to be opened), never later. */
int64_t timers_next(const struct timers *timers, uint64_t now);

/* Fires everything that is due at `now`, in order of slots; returns how many fired. */
unsigned timers_advance(struct timers *timers, uint64_t now);

#endif
