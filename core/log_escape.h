/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Escaping of bytes that came from outside, for lines that people and programs read later. What is
 * written holds no control byte and no newline, whatever came in.
 */
#ifndef LOG_ESCAPE_H
#define LOG_ESCAPE_H

#include <stddef.h>

#include <lophttpd/base.h>

enum log_escape {
	LOG_ESCAPE_QUOTED, /* in double quotes: \xXX for controls, '"', '\', bytes from 0x7F */
	LOG_ESCAPE_BARE, /* between spaces: spaces as well */
	LOG_ESCAPE_JSON, /* in a JSON string: \uXXXX for UTF-8, \u00XX for other bytes from 0x7F */
};

/* Writes text escaped from out on, not past end; what does not fit is cut, never within an escape
 * or a character, and ends in "..." (end - out is at least 3). Returns the end of what was
 * written. */
char *log_escape(enum log_escape how, char *out, char *end, struct lop_str text);

/* For messages: as QUOTED, but '"', '\' and valid UTF-8 stay as they are. */
char *log_escape_message(char *out, char *end, struct lop_str text);

#endif
