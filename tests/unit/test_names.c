/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pure parts of the proxy's names: answers of name servers, the hosts file, sets of addresses.
 */
#include "config.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../proxy/names_answer.h"
#include "../../proxy/names_hosts.h"
#include "../../proxy/names_set.h"

/* ---- answers -------------------------------------------------------------------------------- */

/* A message under construction. */
static unsigned char message[65536];
static size_t length;
static struct dns_answer answer;

static void put(const void *bytes, size_t count)
{
	memcpy(message + length, bytes, count);
	length += count;
}

static void put_16(unsigned value)
{
	const unsigned char bytes[] = { (unsigned char)(value >> 8), (unsigned char)value };

	put(bytes, 2);
}

static void put_32(uint32_t value)
{
	put_16(value >> 16);
	put_16(value & 0xffff);
}

static void put_name(const char *name)
{
	while (*name != '\0') {
		size_t label = strcspn(name, ".");
		unsigned char count = (unsigned char)label;

		put(&count, 1);
		put(name, label);
		name += label + (name[label] == '.');
	}
	put("", 1);
}

/* The head and the question; counts are of the records that follow. */
static void begin(unsigned flags, const char *name, enum dns_type type, unsigned records,
                  unsigned authority)
{
	length = 0;
	put_16(4711);
	put_16(flags);
	put_16(1);
	put_16(records);
	put_16(authority);
	put_16(0);
	put_name(name);
	put_16(type);
	put_16(1);
}

/* A record's head up to its length. */
static void begin_record(const char *name, unsigned type, uint32_t ttl, size_t size)
{
	put_name(name);
	put_16(type);
	put_16(1);
	put_32(ttl);
	put_16((unsigned)size);
}

static void put_a(const char *name, uint32_t ttl, const char *address)
{
	struct in_addr bytes;

	inet_pton(AF_INET, address, &bytes);
	begin_record(name, DNS_A, ttl, 4);
	put(&bytes, 4);
}

static void put_alias(const char *name, uint32_t ttl, const char *to)
{
	begin_record(name, 5, ttl, strlen(to) + 2);
	put_name(to);
}

static void put_service(const char *name, uint32_t ttl, unsigned priority, unsigned weight,
                        unsigned port, const char *host)
{
	begin_record(name, DNS_SRV, ttl, 6 + (*host != '\0' ? strlen(host) + 2 : 1));
	put_16(priority);
	put_16(weight);
	put_16(port);
	put_name(host);
}

static int understood(enum dns_type type)
{
	/* On the heap, so that a sanitizer sees a read past the end. */
	unsigned char *copy = malloc(length > 0 ? length : 1);
	int result;

	memcpy(copy, message, length);
	result = dns_answer_read(copy, length, type, &answer);
	free(copy);
	return result;
}

static void check_v4(size_t index, const char *address)
{
	char text[INET_ADDRSTRLEN];

	ck_assert(!answer.records.addresses[index].v6);
	inet_ntop(AF_INET, answer.records.addresses[index].bytes, text, sizeof(text));
	ck_assert_str_eq(text, address);
}

START_TEST(addresses_are_read_with_their_least_time)
{
	begin(0x8180, "Web.Test", DNS_A, 3, 0);
	put_a("web.test", 60, "192.0.2.1");
	put_a("other.test", 1, "192.0.2.9");
	put_a("WEB.test", 30, "192.0.2.2");
	ck_assert_int_eq(understood(DNS_A), 0);
	ck_assert_uint_eq(answer.count, 2);
	ck_assert_uint_eq(answer.ttl, 30);
	check_v4(0, "192.0.2.1");
	check_v4(1, "192.0.2.2");
}
END_TEST

START_TEST(aliases_are_followed_in_any_order)
{
	begin(0x8180, "web.test", DNS_A, 3, 0);
	put_a("c.test", 60, "192.0.2.1");
	put_alias("b.test", 20, "c.test");
	put_alias("web.test", 40, "b.test");
	ck_assert_int_eq(understood(DNS_A), 0);
	ck_assert_uint_eq(answer.count, 1);
	ck_assert_uint_eq(answer.ttl, 20);
}
END_TEST

START_TEST(a_circle_of_aliases_has_no_address)
{
	begin(0x8180, "web.test", DNS_A, 2, 0);
	put_alias("b.test", 20, "web.test");
	put_alias("web.test", 40, "b.test");
	ck_assert_int_eq(understood(DNS_A), 0);
	ck_assert_uint_eq(answer.count, 0);
	ck_assert_uint_eq(answer.ttl, 0);
}
END_TEST

START_TEST(compressed_names_are_read)
{
	begin(0x8180, "web.test", DNS_A, 1, 0);
	put("\xc0\x0c\0\x01\0\x01\0\0\0\x09\0\x04\xc0\0\x02\x01", 16);
	ck_assert_int_eq(understood(DNS_A), 0);
	ck_assert_uint_eq(answer.count, 1);
	check_v4(0, "192.0.2.1");
}
END_TEST

START_TEST(pointers_forwards_are_refused)
{
	begin(0x8180, "web.test", DNS_A, 1, 0);
	put_16(0xc000 | (unsigned)length);
	put("\0\x01\0\x01\0\0\0\x09\0\x04\xc0\0\x02\x01", 14);
	ck_assert_int_eq(understood(DNS_A), -EBADMSG);
	begin(0x8180, "web.test", DNS_A, 1, 0);
	put_16(0xffff);
	put("\0\x01\0\x01\0\0\0\x09\0\x04\xc0\0\x02\x01", 14);
	ck_assert_int_eq(understood(DNS_A), -EBADMSG);
}
END_TEST

START_TEST(services_are_read)
{
	begin(0x8180, "_http._tcp.test", DNS_SRV, 4, 0);
	put_service("_http._tcp.test", 9, 1, 2, 8080, "One.test");
	put_service("_http._tcp.test", 9, 1, 2, 0, "port-zero.test");
	put_service("_http._tcp.test", 9, 0, 0, 80, "");
	put_service("_http._tcp.test", 9, 0, 0, 80, "bad host.test");
	ck_assert_int_eq(understood(DNS_SRV), 0);
	ck_assert_uint_eq(answer.count, 1);
	ck_assert_str_eq(answer.records.services[0].host, "one.test");
	ck_assert_uint_eq(answer.records.services[0].priority, 1);
	ck_assert_uint_eq(answer.records.services[0].weight, 2);
	ck_assert_uint_eq(answer.records.services[0].port, 8080);
}
END_TEST

START_TEST(what_is_cut_off_is_refused_at_each_byte)
{
	size_t whole;

	begin(0x8180, "web.test", DNS_A, 2, 0);
	put_alias("web.test", 40, "b.test");
	put_a("b.test", 60, "192.0.2.1");
	whole = length;
	while (length-- > 0)
		ck_assert_int_eq(understood(DNS_A), -EBADMSG);
	length = whole;
	ck_assert_int_eq(understood(DNS_A), 0);
}
END_TEST

START_TEST(numbers_are_bounded)
{
	begin(0x8180, "web.test", DNS_A, 1000, 0);
	for (unsigned i = 0; i < 1000; i++)
		put_a("web.test", 60, "192.0.2.1");
	ck_assert_int_eq(understood(DNS_A), 0);
	ck_assert_uint_eq(answer.count, NAMES_ADDRESSES_MAX);
	begin(0x8180, "web.test", DNS_SRV, 1000, 0);
	for (unsigned i = 0; i < 1000; i++)
		put_service("web.test", 60, 1, 1, 80, "a.test");
	ck_assert_int_eq(understood(DNS_SRV), 0);
	ck_assert_uint_eq(answer.count, NAMES_TARGETS_MAX);
}
END_TEST

static void put_soa(uint32_t ttl, uint32_t minimum)
{
	begin_record("test", 6, ttl, 22);
	put("", 1);
	put("", 1);
	for (unsigned i = 0; i < 4; i++)
		put_32(7);
	put_32(minimum);
}

START_TEST(there_is_a_time_for_nothing_too)
{
	begin(0x8183, "web.test", DNS_A, 0, 1);
	put_soa(60, 30);
	ck_assert_int_eq(understood(DNS_A), -ENOENT);
	ck_assert_uint_eq(answer.ttl, 30);
	begin(0x8180, "web.test", DNS_A, 0, 1);
	put_soa(20, 30);
	ck_assert_int_eq(understood(DNS_A), 0);
	ck_assert_uint_eq(answer.count, 0);
	ck_assert_uint_eq(answer.ttl, 20);
	begin(0x8183, "web.test", DNS_A, 0, 0);
	ck_assert_int_eq(understood(DNS_A), -ENOENT);
	ck_assert_uint_eq(answer.ttl, 0);
}
END_TEST

START_TEST(what_is_no_answer_is_told_apart)
{
	begin(0x0100, "web.test", DNS_A, 0, 0);
	ck_assert_int_eq(understood(DNS_A), -EBADMSG);
	begin(0x8182, "web.test", DNS_A, 0, 0);
	ck_assert_int_eq(understood(DNS_A), -EAGAIN);
	begin(0x8185, "web.test", DNS_A, 0, 0);
	ck_assert_int_eq(understood(DNS_A), -EAGAIN);
	begin(0x8180, "web.test", DNS_AAAA, 0, 0);
	ck_assert_int_eq(understood(DNS_A), -EBADMSG);
}
END_TEST

START_TEST(addresses_of_a_wrong_size_are_passed_over)
{
	begin(0x8180, "web.test", DNS_A, 2, 0);
	begin_record("web.test", DNS_A, 5, 3);
	put("abc", 3);
	put_a("web.test", 60, "192.0.2.1");
	ck_assert_int_eq(understood(DNS_A), 0);
	ck_assert_uint_eq(answer.count, 1);
	ck_assert_uint_eq(answer.ttl, 60);
}
END_TEST

START_TEST(a_time_with_its_highest_bit_set_is_none)
{
	begin(0x8180, "web.test", DNS_A, 1, 0);
	put_a("web.test", 0x80000000u, "192.0.2.1");
	ck_assert_int_eq(understood(DNS_A), 0);
	ck_assert_uint_eq(answer.ttl, 0);
}
END_TEST

/* ---- hosts ---------------------------------------------------------------------------------- */

static char file[] = "127.0.0.1\tlocal web.test # other.test\n"
                     "# 192.0.2.9 web.test\n"
                     "\n"
                     "192.0.2.2   WEB.TEST\r\n"
                     "2001:db8::1 web.test\n"
                     "fe80::1%eth0 web.test\n"
                     "192.0.2.300 web.test\n"
                     "192.0.2.7 end";

static const struct {
	const char *name;
	bool known;
	size_t v4;
	size_t v6;
} hosts_cases[] = {
	{ "web.test", true, 2, 1 },  { "Web.Test.", true, 2, 1 },
	{ "local", true, 1, 0 },     { "end", true, 1, 0 },
	{ "other.test", false, 0, 0 }, { "eb.test", false, 0, 0 },
	{ "web.tes", false, 0, 0 },  { "127.0.0.1", false, 0, 0 },
	{ "localhost", true, 1, 1 }, { "a.localhost", true, 1, 1 },
	{ "nolocalhost", false, 0, 0 }, { "", false, 0, 0 },
};

START_TEST(names_are_found_in_hosts)
{
	const struct hosts hosts = { file, sizeof(file) - 1 };

	answer.count = 0;
	ck_assert(hosts_find(&hosts, hosts_cases[_i].name, DNS_A, &answer) == hosts_cases[_i].known);
	ck_assert_uint_eq(answer.count, hosts_cases[_i].v4);
	ck_assert(hosts_find(&hosts, hosts_cases[_i].name, DNS_AAAA, &answer) ==
	          hosts_cases[_i].known);
	ck_assert_uint_eq(answer.count, hosts_cases[_i].v4 + hosts_cases[_i].v6);
}
END_TEST

START_TEST(no_hosts_file_is_no_error)
{
	struct hosts hosts;

	ck_assert_int_eq(hosts_read("/nonexistent/hosts", &hosts), 0);
	answer.count = 0;
	ck_assert(!hosts_find(&hosts, "web.test", DNS_A, &answer));
	ck_assert(hosts_find(&hosts, "localhost", DNS_A, &answer));
	check_v4(0, "127.0.0.1");
	hosts_clear(&hosts);
}
END_TEST

/* ---- sets ----------------------------------------------------------------------------------- */

static struct dns_address some[] = {
	{ .bytes = { 192, 0, 2, 3 } },
	{ .bytes = { 192, 0, 2, 1 } },
	{ .bytes = { 192, 0, 2, 2 } },
};

static struct target target_of(size_t first, size_t count, unsigned priority, unsigned weight)
{
	struct target target = { .port = 80, .priority = (uint16_t)priority,
		                 .weight = (uint16_t)weight };

	target.found[0] = (struct found){ .items = &some[first], .count = count };
	return target;
}

START_TEST(a_set_is_sorted_and_has_each_address_once)
{
	const struct target targets[] = { target_of(0, 3, 0, 0), target_of(1, 2, 0, 0) };
	struct name_set set, other;

	ck_assert_int_eq(name_set_make(targets, 2, false, &set), 0);
	ck_assert_uint_eq(set.count, 3);
	ck_assert_ptr_null(set.weights);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(ntohl(set.addresses[i].in.sin_addr.s_addr), 0xc0000201 + i);
		ck_assert_uint_eq(ntohs(set.addresses[i].in.sin_port), 80);
		ck_assert_uint_eq(set.lengths[i], sizeof(struct sockaddr_in));
	}
	ck_assert_int_eq(name_set_make(targets, 1, false, &other), 0);
	ck_assert(name_set_equal(&set, &other));
	name_set_clear(&other);
	ck_assert_int_eq(name_set_make(targets + 1, 1, false, &other), 0);
	ck_assert(!name_set_equal(&set, &other));
	name_set_clear(&other);
	name_set_clear(&set);
}
END_TEST

static const struct {
	unsigned weights[3];
	uint32_t wanted[3];
} weight_cases[] = {
	{ { 0, 0, 0 }, { 1, 1, 1 } },
	{ { 10, 20, 30 }, { 1, 2, 3 } },
	{ { 7, 7, 7 }, { 1, 1, 1 } },
	{ { 0, 5, 5 }, { 1, 1, 1 } },
	{ { 1, 65535, 65535 }, { 1, 256, 256 } },
	{ { 0, 1, 65535 }, { 1, 1, 256 } },
	{ { 65535, 32768, 256 }, { 256, 128, 1 } },
	{ { 255, 256, 1 }, { 255, 256, 1 } },
};

START_TEST(weights_are_small_numbers)
{
	struct target targets[3];
	struct name_set set;

	/* In the order of the addresses. */
	targets[0] = target_of(1, 1, 0, weight_cases[_i].weights[0]);
	targets[1] = target_of(2, 1, 0, weight_cases[_i].weights[1]);
	targets[2] = target_of(0, 1, 0, weight_cases[_i].weights[2]);
	ck_assert_int_eq(name_set_make(targets, 3, true, &set), 0);
	ck_assert_uint_eq(set.count, 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_uint_eq(set.weights[i], weight_cases[_i].wanted[i]);
	name_set_clear(&set);
}
END_TEST

START_TEST(a_class_without_addresses_gives_way_to_the_next)
{
	/* In any order. */
	struct target spare = target_of(0, 1, 9, 1), best = target_of(1, 1, 2, 1);
	struct target targets[] = { _i == 0 ? spare : best, _i == 0 ? best : spare };
	struct name_set set;

	ck_assert_int_eq(name_set_make(targets, 2, true, &set), 0);
	ck_assert_uint_eq(set.count, 1);
	ck_assert_uint_eq(ntohl(set.addresses[0].in.sin_addr.s_addr), 0xc0000201);
	name_set_clear(&set);
	targets[1 - _i].found[0].missing = true;
	ck_assert_int_eq(name_set_make(targets, 2, true, &set), 0);
	ck_assert_uint_eq(set.count, 1);
	ck_assert_uint_eq(ntohl(set.addresses[0].in.sin_addr.s_addr), 0xc0000203);
	name_set_clear(&set);
}
END_TEST

static TCase *answers(void)
{
	TCase *test = tcase_create("answers");

	tcase_add_test(test, addresses_are_read_with_their_least_time);
	tcase_add_test(test, aliases_are_followed_in_any_order);
	tcase_add_test(test, a_circle_of_aliases_has_no_address);
	tcase_add_test(test, compressed_names_are_read);
	tcase_add_test(test, pointers_forwards_are_refused);
	tcase_add_test(test, services_are_read);
	tcase_add_test(test, what_is_cut_off_is_refused_at_each_byte);
	tcase_add_test(test, numbers_are_bounded);
	tcase_add_test(test, there_is_a_time_for_nothing_too);
	tcase_add_test(test, what_is_no_answer_is_told_apart);
	tcase_add_test(test, addresses_of_a_wrong_size_are_passed_over);
	tcase_add_test(test, a_time_with_its_highest_bit_set_is_none);
	return test;
}

static TCase *hosts_and_sets(void)
{
	TCase *test = tcase_create("hosts and sets");

	tcase_add_loop_test(test, names_are_found_in_hosts, 0,
	                    (int)(sizeof(hosts_cases) / sizeof(hosts_cases[0])));
	tcase_add_test(test, no_hosts_file_is_no_error);
	tcase_add_test(test, a_set_is_sorted_and_has_each_address_once);
	tcase_add_loop_test(test, weights_are_small_numbers, 0,
	                    (int)(sizeof(weight_cases) / sizeof(weight_cases[0])));
	tcase_add_loop_test(test, a_class_without_addresses_gives_way_to_the_next, 0, 2);
	return test;
}

int main(void)
{
	Suite *suite = suite_create("names");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, answers());
	suite_add_tcase(suite, hosts_and_sets());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
