/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hosts file: the first line is the name, the rest the file.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "../../proxy/names_hosts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dns_answer answer;
	const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
	struct hosts hosts;
	char *name;

	if (end == NULL)
		return 0;
	name = strndup((const char *)data, (size_t)(end - data));
	hosts.length = size - (size_t)(end - data) - 1;
	hosts.text = malloc(hosts.length + 1);
	if (name == NULL || hosts.text == NULL)
		abort();
	memcpy(hosts.text, end + 1, hosts.length);
	answer.count = 0;
	if (!hosts_find(&hosts, name, DNS_A, &answer) && answer.count > 0)
		abort();
	if (answer.count > NAMES_ADDRESSES_MAX)
		abort();
	hosts_clear(&hosts);
	free(name);
	return 0;
}
