/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a mistyped option might have been.
 */
#ifndef OPTIONS_SUGGEST_H
#define OPTIONS_SUGGEST_H

#include <stddef.h>

#include "modules.h"
#include "program.h"

/* The nearest long name among the core's and the loaded modules' options and these directives (NULL:
 * none), or NULL when none is near. */
const char *options_suggest(const struct modules *modules, const struct directive *directives,
                            const char *name, size_t length);

#endif
