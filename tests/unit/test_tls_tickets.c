/* SPDX-License-Identifier: BSD-2-Clause */
/* The module tls: keys of tickets over time and in several processes; contents of files in shared
 * memory. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../modules/tls/bundle.h"
#include "../../modules/tls/files.h"
#include "../../modules/tls/tickets.h"
#include "../../modules/tls/transport.h"

#define START INT64_C(1000000)

/* What the module's other parts would answer. */
struct tls *transport_module(const SSL *ssl)
{
	(void)ssl;
	return NULL;
}

bool transport_choose_host(SSL *ssl, const unsigned char *body, size_t length)
{
	(void)ssl;
	(void)body;
	(void)length;
	return true;
}

static struct ticket_key current(struct tickets *tickets, int64_t now)
{
	struct ticket_key key;

	ck_assert_int_eq(tickets_find(tickets, now, NULL, &key), 1);
	return key;
}

START_TEST(a_ticket_is_taken_for_two_generations)
{
	struct tickets *tickets = tickets_new(START);
	struct ticket_key first = current(tickets, START), key;

	ck_assert_int_eq(tickets_find(tickets, START + TICKETS_PERIOD_S - 1, first.name, &key), 1);
	ck_assert_mem_eq(&first, &key, sizeof(key));
	ck_assert_int_eq(tickets_find(tickets, START + TICKETS_PERIOD_S, first.name, &key), 2);
	ck_assert_mem_eq(&first, &key, sizeof(key));
	key = current(tickets, START + TICKETS_PERIOD_S);
	ck_assert_mem_ne(&first, &key, sizeof(key));
	ck_assert_int_eq(tickets_find(tickets, START + 2 * TICKETS_PERIOD_S, first.name, &key), 0);
	tickets_free(&tickets);
}
END_TEST

START_TEST(an_unknown_name_has_no_key)
{
	struct tickets *tickets = tickets_new(START), *other = tickets_new(START);
	struct ticket_key key = current(other, START);
	unsigned char name[16];

	memcpy(name, key.name, sizeof(name));
	ck_assert_int_eq(tickets_find(tickets, START, name, &key), 0);
	tickets_free(&tickets);
	tickets_free(&other);
}
END_TEST

START_TEST(a_clock_that_goes_back_keeps_the_generation)
{
	struct tickets *tickets = tickets_new(START);
	struct ticket_key late = current(tickets, START + 5 * TICKETS_PERIOD_S), key;

	key = current(tickets, START);
	ck_assert_mem_eq(&late, &key, sizeof(key));
	key = current(tickets, 0);
	ck_assert_mem_eq(&late, &key, sizeof(key));
	tickets_free(&tickets);
}
END_TEST

/* Runs the same in another process; its key comes back through a pipe. */
static struct ticket_key elsewhere(struct tickets *tickets, int64_t now)
{
	struct ticket_key key;
	int line[2], status;
	pid_t pid;

	ck_assert_int_eq(pipe(line), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		int found = tickets_find(tickets, now, NULL, &key);

		_exit(found == 1 && write(line[1], &key, sizeof(key)) == sizeof(key) ? 0 : 1);
	}
	ck_assert_int_eq(read(line[0], &key, sizeof(key)), sizeof(key));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	close(line[0]);
	close(line[1]);
	return key;
}

START_TEST(every_process_has_the_same_keys)
{
	struct tickets *tickets = tickets_new(START);

	for (int step = 0; step < 7; step += 2) {
		const int64_t now = START + step * TICKETS_PERIOD_S;
		struct ticket_key there = elsewhere(tickets, now), here = current(tickets, now);

		ck_assert_mem_eq(&there, &here, sizeof(here));
		here = current(tickets, now + TICKETS_PERIOD_S);
		there = elsewhere(tickets, now + TICKETS_PERIOD_S);
		ck_assert_mem_eq(&there, &here, sizeof(here));
	}
	tickets_free(&tickets);
}
END_TEST

/* Contents of files */

static struct files *make_files(const char *first, const char *second)
{
	unsigned char packed[256];
	const char *texts[] = { first, second };
	size_t size = sizeof(size_t), count = 2;

	memcpy(packed, &count, sizeof(count));
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(texts[i]);

		memcpy(packed + size, &length, sizeof(length));
		memcpy(packed + size + sizeof(length), texts[i], length);
		size += sizeof(length) + length;
	}
	return files_unpack(packed, size);
}

START_TEST(contents_go_through_one_piece_of_memory)
{
	struct files *files = make_files("certificate", ""), *again;
	size_t size = files_packed_size(files);
	unsigned char *packed = malloc(size);

	files_pack(files, packed);
	again = files_unpack(packed, size);
	ck_assert(files_equal(files, again));
	ck_assert_uint_eq(again->items[0].length, 11);
	ck_assert_str_eq((char *)again->items[0].data, "certificate");
	files_free(&again);
	for (size_t cut = 0; cut < size; cut++)
		ck_assert_ptr_null(files_unpack(packed, cut));
	free(packed);
	files_free(&files);
}
END_TEST

START_TEST(other_contents_are_not_equal)
{
	struct files *one = make_files("a", "b"), *other = make_files("a", "c");

	ck_assert(!files_equal(one, other));
	ck_assert(!files_equal(one, NULL));
	files_free(&one);
	files_free(&other);
}
END_TEST

START_TEST(a_bundle_is_taken_once)
{
	struct files *one = make_files("a", "b"), *other = make_files("c", "d"), *taken;
	struct bundle *bundle = bundle_new(one);
	int status;
	pid_t pid;

	ck_assert_ptr_null(bundle_take(bundle));
	pid = fork();
	if (pid == 0) /* puts, so that this process has something to take */
		_exit(bundle_put(bundle, one) == 0 && bundle_put(bundle, other) == 0 ? 0 : 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	bundle_seal(bundle);
	taken = bundle_take(bundle);
	ck_assert(files_equal(taken, other));
	ck_assert_ptr_null(bundle_take(bundle));
	files_free(&taken);
	files_free(&one);
	files_free(&other);
	bundle_free(&bundle);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tls_tickets");
	TCase *tickets = tcase_create("tickets"), *files = tcase_create("files");

	tcase_add_test(tickets, a_ticket_is_taken_for_two_generations);
	tcase_add_test(tickets, an_unknown_name_has_no_key);
	tcase_add_test(tickets, a_clock_that_goes_back_keeps_the_generation);
	tcase_add_test(tickets, every_process_has_the_same_keys);
	suite_add_tcase(suite, tickets);
	tcase_add_test(files, contents_go_through_one_piece_of_memory);
	tcase_add_test(files, other_contents_are_not_equal);
	tcase_add_test(files, a_bundle_is_taken_once);
	suite_add_tcase(suite, files);

	SRunner *runner = srunner_create(suite);

	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
