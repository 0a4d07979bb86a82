/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unpredictable bytes from the kernel.
 */
#ifndef RANDOM_H
#define RANDOM_H

#include <stddef.h>

/* Fills the buffer; at most 256 bytes. Ends the process when the kernel has none to give, which it
 * always has after boot. */
void random_bytes(void *buffer, size_t size);

#endif
