/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One request as a line: the steps that log_format.h has made of the pattern, done for a record.
 * This happens for each request, so that it counts instructions: what is short is copied as a block
 * of constant size, which is cheaper than asking how long it is, and text that needs no escape is
 * copied and looked at in one pass.
 */
#ifndef LOG_RENDER_H
#define LOG_RENDER_H

#include <stddef.h>
#include <stdint.h>

#include <lophttpd/log.h>

#include "log_clock.h"

#define LOG_LEAD_MAX 16
#define LOG_FIELD_FIXED 32  /* a value that no client chose takes at most so many bytes */
#define LOG_FIELD_LEAST 128 /* a value that a client chose gets at least so many */

/* Writes a few bytes of the pattern and then a value. */
struct log_step {
	char lead[LOG_LEAD_MAX];
	uint8_t lead_length;
	uint8_t field;    /* enum log_field */
	uint8_t escape;   /* enum log_escape */
	uint16_t reserve; /* bytes at the end of the buffer that later steps must find */
};

/* What the values are taken from. */
struct log_source {
	const struct lop_log_record *record;
	const struct log_clock *clock; /* set to the record's second */
	int worker;
};

/* Does `count` steps from out on, escaping what came from outside. A step's value does not pass
 * end - reserve, which leaves it the room stated above; up to LOG_LEAD_MAX bytes behind the line
 * are overwritten. Returns the end of the line. */
char *log_render(const struct log_step *steps, size_t count, const struct log_source *source,
                 char *out, char *end);

#endif
