/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "names.h"

#include <sys/socket.h>

#define NS_PER_S INT64_C(1000000000)

void names_preset(struct names_settings *settings)
{
	*settings = (struct names_settings){
		.hosts = "/etc/hosts",
		.ttl_min = 1 * NS_PER_S,
		.ttl_max = 300 * NS_PER_S,
		.retry = 1 * NS_PER_S,
		.gone = 30 * NS_PER_S,
		.timeout = 2 * NS_PER_S,
		.tries = 3,
		.family = AF_UNSPEC,
	};
}
