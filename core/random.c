/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#ifdef HAVE_SYS_RANDOM_H
#include <sys/random.h>
#endif

#include "random.h"

void random_bytes(void *buffer, size_t size)
{
	if (getentropy(buffer, size) < 0)
		abort();
}
