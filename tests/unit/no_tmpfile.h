/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Included before everything else: a system without unnamed files.
 */
#ifndef NO_TMPFILE_H
#define NO_TMPFILE_H

#include "config.h"

#include <fcntl.h>

#undef O_TMPFILE

#endif
