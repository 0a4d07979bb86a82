/* SPDX-License-Identifier: BSD-2-Clause */
/* How the module upload brings a file to disk. Built twice: as the system is, and as test_store_named
 * without unnamed files (O_TMPFILE), which some file systems do not have. */
#include "config.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../modules/upload/store.h"

static char path[64];
static struct lop_file *folder;

static void make_folder(void)
{
	int descriptor;

	strcpy(path, "/tmp/lophttpd-store.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(path));
	descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(descriptor, 0);
	ck_assert_int_eq(lop_file_adopt(descriptor, &folder), 0);
}

static void remove_folder(void)
{
	const struct dirent *entry;
	DIR *dir = opendir(path);

	while ((entry = readdir(dir)) != NULL)
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	ck_assert_int_eq(rmdir(path), 0);
	lop_file_release(&folder);
}

/* Entries of the folder. */
static int count(void)
{
	const struct dirent *entry;
	DIR *dir = opendir(path);
	int entries = -2;

	while ((entry = readdir(dir)) != NULL)
		entries++;
	closedir(dir);
	return entries;
}

static void check_content(const char *name, const char *wanted)
{
	char text[100] = "";
	struct stat st;
	int file = openat(lop_file_descriptor(folder), name, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(file, 0);
	ck_assert_int_ge(read(file, text, sizeof(text) - 1), 0);
	ck_assert_str_eq(text, wanted);
	ck_assert_int_eq(fstat(file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	ck_assert_uint_eq(st.st_nlink, 1);
	close(file);
}

static int begin(struct store *store, const char *name, const char *text)
{
	int result = store_open(store, folder, (int64_t)strlen(text));

	if (result == 0)
		result = store_write(store, text, strlen(text));
	snprintf(store->name, sizeof(store->name), "%s", name);
	return result;
}

START_TEST(a_file_has_no_name_of_its_own_before_it_is_whole)
{
	struct store store;

	ck_assert_int_eq(begin(&store, "a", "alpha"), 0);
#ifdef O_TMPFILE
	ck_assert_int_eq(count(), 0);
#else
	ck_assert_int_eq(strncmp(store.temporary, NAME_TEMPORARY, strlen(NAME_TEMPORARY)), 0);
	ck_assert(!name_safe(store.temporary, strlen(store.temporary)));
	ck_assert_int_eq(count(), 1);
#endif
	ck_assert_int_eq(faccessat(lop_file_descriptor(folder), "a", F_OK, 0), -1);
	ck_assert_int_eq(store_commit(&store), 0);
	store_close(&store);
	check_content("a", "alpha");
	ck_assert_int_eq(count(), 1);
}
END_TEST

START_TEST(what_is_not_committed_leaves_nothing)
{
	struct store store;

	ck_assert_int_eq(begin(&store, "a", "alpha"), 0);
	store_close(&store);
	ck_assert_int_eq(count(), 0);
	store_close(&store);
}
END_TEST

START_TEST(a_name_that_is_taken_is_left_alone)
{
	struct store first, second;

	ck_assert_int_eq(begin(&first, "a", "first"), 0);
	ck_assert_int_eq(begin(&second, "a", "second"), 0);
	ck_assert_int_eq(store_commit(&first), 0);
	ck_assert_int_eq(store_commit(&second), -EEXIST);
	store_close(&first);
	store_close(&second);
	check_content("a", "first");
	ck_assert_int_eq(count(), 1);
}
END_TEST

START_TEST(a_replacement_is_whole_and_the_late_one_notices)
{
	struct store first, second;

	ck_assert_int_eq(begin(&first, "a", "first"), 0);
	ck_assert_int_eq(store_commit(&first), 0);
	store_close(&first);
	ck_assert_int_eq(begin(&first, "a", "other"), 0);
	ck_assert_int_eq(begin(&second, "a", "third"), 0);
	first.replace = second.replace = true;
	first.expected = second.expected = true;
	ck_assert_int_eq(fstatat(lop_file_descriptor(folder), "a", &first.expect, 0), 0);
	second.expect = first.expect;
	ck_assert_int_eq(store_commit(&first), 0);
	ck_assert(first.replaced);
	ck_assert_int_eq(store_commit(&second), -ESTALE);
	store_close(&first);
	store_close(&second);
	check_content("a", "other");
	ck_assert_int_eq(count(), 1);
}
END_TEST

START_TEST(what_a_killed_process_left_is_removed_and_what_lives_is_not)
{
	struct store store;
	int64_t bytes;
	int status;
	pid_t child = fork();

	if (child == 0) {
		(void)begin(&store, "a", "alpha");
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(begin(&store, "b", "beta"), 0);
	ck_assert_int_eq(folder_survey(lop_file_descriptor(folder), &bytes), 0);
	ck_assert_int_eq(bytes, 0);
	ck_assert_int_eq(store_commit(&store), 0);
	store_close(&store);
	check_content("b", "beta");
	ck_assert_int_eq(count(), 1);
	ck_assert_int_eq(folder_survey(lop_file_descriptor(folder), &bytes), 0);
	ck_assert_int_eq(bytes, 4);
}
END_TEST

#ifdef SPLICE_F_MOVE
START_TEST(what_a_pipe_holds_is_appended)
{
	struct store store;
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(begin(&store, "a", "alpha"), 0);
	ck_assert_int_eq(write(ends[1], "bet", 3), 3);
	ck_assert_int_eq(store_splice(&store, ends[0], 3), 0);
	ck_assert_int_eq(store.size, 8);
	ck_assert_int_eq(store_commit(&store), 0);
	store_close(&store);
	check_content("a", "alphabet");
	close(ends[0]);
	close(ends[1]);
}
END_TEST
#endif

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tests = tcase_create("store");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, make_folder, remove_folder);
	tcase_add_test(tests, a_file_has_no_name_of_its_own_before_it_is_whole);
	tcase_add_test(tests, what_is_not_committed_leaves_nothing);
	tcase_add_test(tests, a_name_that_is_taken_is_left_alone);
	tcase_add_test(tests, a_replacement_is_whole_and_the_late_one_notices);
	tcase_add_test(tests, what_a_killed_process_left_is_removed_and_what_lives_is_not);
#ifdef SPLICE_F_MOVE
	tcase_add_test(tests, what_a_pipe_holds_is_appended);
#endif
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
