/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --sandbox-show: each open group with who asked for it, and its calls, one a line. A group's line
 * begins at the margin, a call's with two spaces; a condition or a refusal follows in brackets.
 */
#ifndef SHOW_H
#define SHOW_H

#include <lophttpd/sandbox.h>

void show_print(const struct lop_sandbox_enter *how, const struct lop_sandbox_party *parties,
                int party_count);

#endif
