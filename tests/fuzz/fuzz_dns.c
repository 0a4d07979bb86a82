/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A name server's answer. The first byte chooses the type of record.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "../../proxy/names_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static void check_service(const struct dns_service *service)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
	size_t length = strnlen(service->host, sizeof(service->host));

	expect(length > 0 && length < sizeof(service->host));
	expect(strspn(service->host, allowed) == length && service->port != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA, DNS_SRV };
	static struct dns_answer answer;
	enum dns_type type;
	int result;

	if (size == 0)
		return 0;
	type = types[data[0] % 3];
	memset(&answer, 0xff, sizeof(answer));
	result = dns_answer_read(data + 1, size - 1, type, &answer);
	expect(result <= 0);
	if (result < 0) {
		expect(answer.count == 0);
		return 0;
	}
	expect(answer.ttl <= INT32_MAX);
	expect(answer.count <= (type == DNS_SRV ? NAMES_TARGETS_MAX : NAMES_ADDRESSES_MAX));
	for (size_t i = 0; i < answer.count; i++)
		if (type == DNS_SRV)
			check_service(&answer.records.services[i]);
		else
			expect(answer.records.addresses[i].v6 == (type == DNS_AAAA));
	return 0;
}
