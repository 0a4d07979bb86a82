/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fcache.h"
#include "mime.h"
#include "core.h"
#include "root.h"
#include "worker_private.h"

static char folder[64];
static struct settings settings;
static struct lop_core core;
static struct lop_worker worker;
static struct fcache *cache;
static struct lop_root *root;

static void write_file(const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static void remove_file(const char *name)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	ck_assert_int_eq(unlink(path), 0);
}

static void make_folder(const char *name)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	ck_assert_int_eq(mkdir(path, 0755), 0);
}

static void setup(void)
{
	strcpy(folder, "/tmp/lop-fcache-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	settings = (struct settings){ .cache_entries = 100,
		                      .cache_size = 1 << 20,
		                      .cache_file_size = 1000,
		                      .cache_secure_file_size = 600000,
		                      .cache_check = NS_PER_S,
		                      .index = "index.html",
		                      .max_connections = 10 };
	memset(&worker, 0, sizeof worker);
	worker.settings = &settings;
	worker.core = &core;
	worker.now = 1000 * NS_PER_S;
	timers_init(&worker.timers, worker_ms(worker.now));
	worker.mime = mime_new("/dev/null");
	ck_assert_ptr_nonnull(worker.mime);
	ck_assert_int_eq(root_new(folder, &root), 0);
	cache = fcache_new(&worker);
	ck_assert_ptr_nonnull(cache);
}

static void teardown(void)
{
	char command[128];

	fcache_free(&cache);
	lop_root_release(&root);
	mime_free(&worker.mime);
	snprintf(command, sizeof command, "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static struct fcache_entry *get(const char *path)
{
	struct fcache_entry *entry = fcache_get(cache, root, (struct lop_str){ path, strlen(path) });

	ck_assert_ptr_nonnull(entry);
	return entry;
}

static void pass(int64_t ns)
{
	worker.now += ns;
	timers_advance(&worker.timers, (uint64_t)(worker.now / NS_PER_MS));
}

static const char *body(const struct fcache_entry *entry)
{
	return lop_memory_data(entry->rendered.memory) + entry->rendered.body_offset;
}

START_TEST(a_small_file_is_kept_in_memory)
{
	struct fcache_entry *entry;
	struct fcache_entry *again;

	write_file("a.txt", "hello");
	entry = get("/a.txt");
	ck_assert_int_eq(entry->kind, FCACHE_FILE);
	ck_assert_int_eq(entry->size, 5);
	ck_assert_ptr_null(entry->file);
	ck_assert_int_eq(memcmp(body(entry), "hello", 5), 0);
	again = get("/a.txt");
	ck_assert_ptr_eq(again, entry);
	fcache_release(again);
	fcache_release(entry);
}
END_TEST

START_TEST(a_large_file_stays_open)
{
	char text[1002];
	struct fcache_entry *entry;

	memset(text, 'x', 1001);
	text[1001] = '\0';
	write_file("large", text);
	entry = get("/large");
	ck_assert_ptr_nonnull(entry->file);
	ck_assert_uint_eq(entry->rendered.body_length, 0);
	fcache_release(entry);
}
END_TEST

static void write_long(const char *name, size_t size)
{
	char *text = malloc(size + 1);

	ck_assert_ptr_nonnull(text);
	memset(text, 'x', size);
	text[size] = '\0';
	write_file(name, text);
	free(text);
}

/* For a connection that copies. */
static struct fcache_entry *get_copied(const char *path)
{
	return fcache_keep(cache, root, get(path));
}

START_TEST(what_is_copied_again_is_kept_in_memory)
{
	struct fcache_entry *first, *second, *plain;

	write_long("long", 500000);
	first = get_copied("/long");
	ck_assert_ptr_nonnull(first->file);
	second = get_copied("/long");
	ck_assert_ptr_null(second->file);
	ck_assert_uint_eq(second->rendered.body_length, 500000);
	ck_assert_int_eq(body(second)[499999], 'x');
	ck_assert_ptr_nonnull(first->file);
	plain = get("/long");
	ck_assert_ptr_eq(plain, second);
	fcache_release(plain);
	fcache_release(second);
	fcache_release(first);
}
END_TEST

START_TEST(what_is_copied_is_seen_when_it_changes)
{
	struct fcache_entry *entry;

	write_long("long", 500000);
	fcache_release(get_copied("/long"));
	fcache_release(get_copied("/long"));
	write_long("long", 400000);
	pass(2 * NS_PER_S);
	entry = get_copied("/long");
	ck_assert_int_eq(entry->size, 400000);
	fcache_release(entry);
}
END_TEST

START_TEST(what_is_copied_displaces_nothing)
{
	struct fcache_entry *first, *other;

	write_long("a", 600000);
	write_long("b", 600000);
	write_long("too-long", 600001);
	for (int i = 0; i < 3; i++) {
		fcache_release(get_copied("/a"));
		fcache_release(get_copied("/b"));
		fcache_release(get_copied("/too-long"));
	}
	first = get("/a");
	ck_assert_ptr_null(first->file);
	other = get("/b");
	ck_assert_ptr_nonnull(other->file);
	fcache_release(other);
	other = get("/too-long");
	ck_assert_ptr_nonnull(other->file);
	fcache_release(other);
	/* Out of the cache, but not out of memory. */
	fcache_clear(cache);
	for (int i = 0; i < 3; i++)
		fcache_release(get_copied("/b"));
	other = get("/b");
	ck_assert_ptr_nonnull(other->file);
	fcache_release(other);
	fcache_release(first);
	fcache_release(get_copied("/b"));
	other = get_copied("/b");
	ck_assert_ptr_null(other->file);
	fcache_release(other);
}
END_TEST

START_TEST(what_is_copied_may_be_gone_meanwhile)
{
	struct fcache_entry *entry;

	write_long("long", 500000);
	fcache_release(get_copied("/long"));
	remove_file("long");
	entry = get_copied("/long");
	ck_assert_int_eq(entry->kind, FCACHE_ERROR);
	ck_assert_int_eq(entry->status, 404);
	fcache_release(entry);
}
END_TEST

START_TEST(an_entry_is_believed_only_for_the_check_time)
{
	struct fcache_entry *entry;

	write_file("a", "one");
	entry = get("/a");
	write_file("a", "three");
	pass(NS_PER_S - 1);
	fcache_release(entry);
	entry = get("/a");
	ck_assert_int_eq(entry->size, 3);
	fcache_release(entry);
	pass(2);
	entry = get("/a");
	ck_assert_int_eq(entry->size, 5);
	ck_assert_int_eq(memcmp(body(entry), "three", 5), 0);
	fcache_release(entry);
}
END_TEST

START_TEST(what_is_not_there_is_remembered_and_found_when_it_appears)
{
	struct fcache_entry *entry = get("/late");

	ck_assert_int_eq(entry->kind, FCACHE_ERROR);
	ck_assert_int_eq(entry->status, 404);
	fcache_release(entry);
	write_file("late", "x");
	entry = get("/late");
	ck_assert_int_eq(entry->kind, FCACHE_ERROR);
	fcache_release(entry);
	pass(NS_PER_S);
	entry = get("/late");
	ck_assert_int_eq(entry->kind, FCACHE_FILE);
	fcache_release(entry);
}
END_TEST

START_TEST(what_vanished_is_gone_and_being_sent_goes_on)
{
	struct fcache_entry *sending;
	struct fcache_entry *entry;

	write_file("a", "bytes");
	sending = get("/a");
	remove_file("a");
	pass(NS_PER_S);
	entry = get("/a");
	ck_assert_int_eq(entry->status, 404);
	ck_assert_int_eq(memcmp(body(sending), "bytes", 5), 0);
	fcache_release(entry);
	fcache_release(sending);
}
END_TEST

START_TEST(clearing_forgets_at_once)
{
	struct fcache_entry *entry;

	write_file("a", "one");
	fcache_release(get("/a"));
	write_file("a", "three");
	fcache_clear(cache);
	entry = get("/a");
	ck_assert_int_eq(entry->size, 5);
	fcache_release(entry);
}
END_TEST

START_TEST(folders_are_their_index_or_a_redirect_or_nothing)
{
	struct fcache_entry *entry;

	make_folder("plain");
	make_folder("site");
	write_file("site/index.html", "<p>");
	entry = get("/site/");
	ck_assert_int_eq(entry->kind, FCACHE_FILE);
	ck_assert_str_eq(entry->name, "site/index.html");
	ck_assert_int_eq(strncmp(entry->fields[FCACHE_FIELD_TYPE].value.data, "text/html", 9), 0);
	fcache_release(entry);
	entry = get("/site");
	ck_assert_int_eq(entry->kind, FCACHE_REDIRECT);
	fcache_release(entry);
	entry = get("/plain/");
	ck_assert_int_eq(entry->kind, FCACHE_FOLDER);
	fcache_release(entry);
	entry = get("/");
	ck_assert_int_eq(entry->kind, FCACHE_FOLDER);
	fcache_release(entry);
	entry = get("/site/index.html/");
	ck_assert_int_eq(entry->status, 404);
	fcache_release(entry);
}
END_TEST

START_TEST(an_index_that_appears_is_served)
{
	struct fcache_entry *entry;

	make_folder("site");
	fcache_release(get("/site/"));
	write_file("site/index.html", "now");
	pass(NS_PER_S);
	entry = get("/site/");
	ck_assert_int_eq(entry->kind, FCACHE_FILE);
	fcache_release(entry);
	remove_file("site/index.html");
	pass(NS_PER_S);
	entry = get("/site/");
	ck_assert_int_eq(entry->kind, FCACHE_FOLDER);
	fcache_release(entry);
}
END_TEST

START_TEST(the_number_of_entries_is_bounded_also_for_misses)
{
	char path[32];
	unsigned cached = 0;
	struct fcache_entry *entries[500];

	for (int i = 0; i < 500; i++) {
		snprintf(path, sizeof path, "/missing-%d", i);
		entries[i] = get(path);
	}
	for (int i = 0; i < 500; i++) {
		cached += entries[i]->cached;
		fcache_release(entries[i]);
	}
	ck_assert_uint_le(cached, 100);
	ck_assert_uint_ge(cached, 90);
}
END_TEST

START_TEST(bytes_are_bounded_and_what_is_used_stays)
{
	char name[32];
	char text[901];
	struct fcache_entry *hot;

	fcache_free(&cache);
	settings.cache_size = 40000;
	cache = fcache_new(&worker);
	memset(text, 'y', 900);
	text[900] = '\0';
	write_file("hot", text);
	fcache_release(get("/hot"));
	for (int i = 0; i < 90; i++) {
		snprintf(name, sizeof name, "/cold-%d", i);
		write_file(name + 1, text);
		fcache_release(get(name));
		fcache_release(get("/hot"));
	}
	hot = get("/hot");
	ck_assert_uint_eq(hot->references, 2);
	/* It was never loaded anew: that would have made a younger entry. */
	ck_assert_int_eq(hot->checked, worker.now);
	fcache_release(hot);
	fcache_release(get("/cold-0"));
}
END_TEST

START_TEST(descriptors_are_given_back)
{
	char text[1500];
	struct fcache_entry *sending;

	memset(text, 'z', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	write_file("one", text);
	write_file("two", text);
	fcache_release(get("/one"));
	sending = get("/two");
	ck_assert_uint_eq(fcache_close_files(cache), 1);
	fcache_release(sending);
	ck_assert_uint_eq(fcache_close_files(cache), 1);
}
END_TEST

START_TEST(an_idle_cache_holds_nothing_and_has_no_timer)
{
	write_file("a", "x");
	fcache_release(get("/a"));
	ck_assert_int_ge(timers_next(&worker.timers, worker_ms(worker.now)), 0);
	for (int i = 0; i < 5; i++)
		pass(20 * NS_PER_S);
	ck_assert_int_eq(timers_next(&worker.timers, worker_ms(worker.now)), -1);
}
END_TEST

START_TEST(an_etag_changes_with_every_write)
{
	struct fcache_entry *entry;
	char etag[FCACHE_ETAG_MAX];

	write_file("a", "same");
	entry = get("/a");
	strcpy(etag, entry->etag);
	fcache_release(entry);
	/* The kernel's clock for files may stand still for some milliseconds. */
	usleep(20000);
	write_file("a", "same");
	pass(NS_PER_S);
	entry = get("/a");
	ck_assert_str_ne(entry->etag, etag);
	ck_assert_int_eq(entry->etag[0], '"');
	fcache_release(entry);
}
END_TEST

START_TEST(roots_do_not_share_entries)
{
	struct lop_root *child;
	struct fcache_entry *entry;

	make_folder("sub");
	write_file("a", "top");
	write_file("sub/a", "inner");
	ck_assert_int_eq(lop_root_descend(root, "sub", &child), 0);
	fcache_release(get("/a"));
	entry = fcache_get(cache, child, (struct lop_str){ "/a", 2 });
	ck_assert_int_eq(entry->size, 5);
	fcache_release(entry);
	lop_root_release(&child);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fcache");
	TCase *test = tcase_create("fcache");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(test, setup, teardown);
	tcase_add_test(test, a_small_file_is_kept_in_memory);
	tcase_add_test(test, a_large_file_stays_open);
	tcase_add_test(test, what_is_copied_again_is_kept_in_memory);
	tcase_add_test(test, what_is_copied_is_seen_when_it_changes);
	tcase_add_test(test, what_is_copied_displaces_nothing);
	tcase_add_test(test, what_is_copied_may_be_gone_meanwhile);
	tcase_add_test(test, an_entry_is_believed_only_for_the_check_time);
	tcase_add_test(test, what_is_not_there_is_remembered_and_found_when_it_appears);
	tcase_add_test(test, what_vanished_is_gone_and_being_sent_goes_on);
	tcase_add_test(test, clearing_forgets_at_once);
	tcase_add_test(test, folders_are_their_index_or_a_redirect_or_nothing);
	tcase_add_test(test, an_index_that_appears_is_served);
	tcase_add_test(test, the_number_of_entries_is_bounded_also_for_misses);
	tcase_add_test(test, bytes_are_bounded_and_what_is_used_stays);
	tcase_add_test(test, descriptors_are_given_back);
	tcase_add_test(test, an_idle_cache_holds_nothing_and_has_no_timer);
	tcase_add_test(test, an_etag_changes_with_every_write);
	tcase_add_test(test, roots_do_not_share_entries);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
