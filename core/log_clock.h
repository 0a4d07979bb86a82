/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Times as text for the log, made once a second and kept between calls: local time needs the time
 * zone's rules, which is too slow for each line.
 */
#ifndef LOG_CLOCK_H
#define LOG_CLOCK_H

#include <stdint.h>

#define LOG_CLOCK_LOCAL 26 /* length of "10/Oct/2000:13:55:36 -0700" */
#define LOG_CLOCK_ISO 25   /* length of "2000-10-10T13:55:36-07:00" */

/* All zero at the start. */
struct log_clock {
	int64_t second; /* since 1970-01-01 UTC; that of the texts below, once local[0] is not 0 */
	int32_t pid;    /* of this process */
	char local[LOG_CLOCK_LOCAL + 1];
	char iso[LOG_CLOCK_ISO + 1];
};

/* Reads the time zone: once, before a chroot. */
void log_clock_zone(void);

/* Makes the texts of that second. Times outside the years 1 to 9999 are clamped. */
void log_clock_set(struct log_clock *clock, int64_t second);

static inline void log_clock_update(struct log_clock *clock, int64_t second)
{
	if (clock->second != second || clock->local[0] == '\0')
		log_clock_set(clock, second);
}

#endif
