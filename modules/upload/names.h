/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names under which files are stored: one component each, never hidden, never a control byte.
 */
#ifndef UPLOAD_NAMES_H
#define UPLOAD_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#define NAME_SIZE 256      /* with its NUL */
#define NAME_TOKEN_BYTES 16
#define NAME_TOKEN_LENGTH 22 /* base64url of 128 bits, without padding */

/* What the module's own temporary files begin with: no client can name one. */
#define NAME_TEMPORARY ".lophttpd-upload-"

/* Whether a name of this length may be stored: 1 to 255 bytes, no leading dot, no slash or
 * backslash, no control byte. */
bool name_safe(const char *name, size_t length);

/* Copies into name, with '-' and a token of random bits when `random`. Returns 0, -EINVAL for a
 * name that is not safe or becomes too long, or what failed. */
int name_make(const char *wanted, size_t length, bool random, char name[NAME_SIZE]);

/* Whether name ends in what name_make() appends. */
bool name_has_token(const char *name, size_t length);

/* 128 random bits in base64url, with a NUL. Returns 0 or a negative errno. */
int name_token(char token[NAME_TOKEN_LENGTH + 1]);

/* Percent-encodes all but unreserved characters and slashes. out holds at least 3 * length + 1
 * bytes; returns the length written, a NUL not counted. */
size_t name_encode(const char *name, size_t length, char *out);

/* Escapes for HTML text and quoted attributes, bytes that are not UTF-8 become U+FFFD. out holds
 * at least 6 * length + 1 bytes; returns the length written, a NUL not counted. */
size_t name_escape(const char *name, size_t length, char *out);

#endif
