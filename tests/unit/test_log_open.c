/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core.h"
#include "log_open.h"
#include "program.h"
#include "root.h"

static const struct program program = { .name = "test", .serves_files = true };

#define NOBODY 12345

static struct lop_log_provider provider = { .size = sizeof(provider) };
static const struct lop_module module = { LOP_MODULE_HEADER("log_test", "1", "", 0),
	                                  .log = &provider };
static struct loaded_module items[] = { { &module, NULL, NULL } };
static struct lop_core core;
static char folder[64];
static char path[128];

static void setup(void)
{
	umask(022);
	strcpy(folder, "/tmp/lophttpd-open.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/log", folder);
	provider.flags = 0;
	core = (struct lop_core){
		.program = &program,
		.modules = { items, 1 },
		.settings = { .log_file = path },
		.log = { .folder = -1 },
	};
}

static void teardown(void)
{
	char command[128];

	log_target_fini(&core.log);
	lop_root_release(&core.root);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static int open_for(uid_t uid)
{
	return log_target_open(&core.log, 0, uid, (gid_t)-1);
}

static struct stat look(const char *name)
{
	struct stat st;

	ck_assert_int_eq(lstat(name, &st), 0);
	return st;
}

START_TEST(one_worker_writes_to_the_path_itself)
{
	char out[PATH_MAX];
	int fd;

	ck_assert_int_eq(log_target_init(&core, 1), 0);
	log_target_path(&core.log, 0, out, sizeof(out));
	ck_assert_str_eq(out, path);
	fd = open_for((uid_t)-1);
	ck_assert_int_gt(fd, 2);
	ck_assert_int_eq(look(path).st_mode & 0777, 0640);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & (O_APPEND | O_ACCMODE), O_APPEND | O_WRONLY);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}
END_TEST

START_TEST(several_workers_write_to_a_path_each)
{
	char out[PATH_MAX];
	int fd;

	ck_assert_int_eq(log_target_init(&core, 2), 0);
	log_target_path(&core.log, 7, out, sizeof(out));
	ck_assert_uint_eq(strlen(out), strlen(path) + 2);
	ck_assert_str_eq(out + strlen(path), ".7");
	fd = log_target_open(&core.log, 7, (uid_t)-1, (gid_t)-1);
	ck_assert_int_gt(fd, 2);
	close(fd);
	look(out);
}
END_TEST

START_TEST(a_relative_path_is_taken_from_the_current_folder)
{
	ck_assert_int_eq(chdir(folder), 0);
	core.settings.log_file = "log";
	ck_assert_int_eq(log_target_init(&core, 1), 0);
	ck_assert_str_eq(core.log.path, path);
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(an_existing_file_is_appended_to_and_keeps_its_owner)
{
	char text[16] = "";
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	ck_assert_int_eq(write(fd, "old\n", 4), 4);
	close(fd);
	ck_assert_int_eq(log_target_init(&core, 1), 0);
	fd = open_for(NOBODY);
	ck_assert_int_eq(write(fd, "new\n", 4), 4);
	close(fd);
	fd = open(path, O_RDONLY);
	ck_assert_int_eq(read(fd, text, sizeof(text) - 1), 8);
	close(fd);
	ck_assert_str_eq(text, "old\nnew\n");
	ck_assert_uint_eq(look(path).st_uid, geteuid());
	ck_assert_int_eq(look(path).st_mode & 0777, 0600);
}
END_TEST

START_TEST(a_new_file_is_given_to_the_workers_user)
{
	int fd;

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(log_target_init(&core, 1), 0);
	fd = open_for(NOBODY);
	ck_assert_int_gt(fd, 2);
	close(fd);
	ck_assert_uint_eq(look(path).st_uid, NOBODY);
}
END_TEST

/* Who may write to the folder must not make root open or give away another file. */
START_TEST(as_root_links_in_a_folder_of_others_are_refused)
{
	char target[128];
	int fd;

	if (geteuid() != 0)
		return;
	snprintf(target, sizeof(target), "%s/precious", folder);
	close(open(target, O_WRONLY | O_CREAT, 0600));
	ck_assert_int_eq(symlink(target, path), 0);
	ck_assert_int_eq(log_target_init(&core, 1), 0);
	fd = open_for(NOBODY); /* root's own folder: a link there is root's wish */
	ck_assert_int_gt(fd, 2);
	close(fd);
	ck_assert_int_eq(chown(folder, NOBODY, 0), 0);
	ck_assert_int_eq(open_for(NOBODY), -ELOOP);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(link(target, path), 0);
	ck_assert_int_eq(open_for(NOBODY), -ELOOP);
	ck_assert_uint_eq(look(target).st_uid, 0);
}
END_TEST

START_TEST(a_log_inside_the_web_root_is_refused)
{
	char other[256];

	ck_assert_int_eq(root_new(folder, &core.root), 0);
	ck_assert_int_eq(log_target_init(&core, 1), -EINVAL);
	snprintf(other, sizeof(other), "%s/sub", folder);
	ck_assert_int_eq(mkdir(other, 0755), 0);
	snprintf(other, sizeof(other), "%s/sub/../sub/log", folder);
	core.settings.log_file = other;
	ck_assert_int_eq(log_target_init(&core, 1), -EINVAL);
	lop_root_release(&core.root);
	snprintf(other, sizeof(other), "%s/sub", folder);
	ck_assert_int_eq(root_new(other, &core.root), 0);
	snprintf(other, sizeof(other), "%s/submarine", folder); /* "sub" is only its beginning */
	ck_assert_int_eq(log_target_init(&core, 1), 0);
}
END_TEST

START_TEST(no_file_is_opened_when_nobody_wants_one)
{
	core.settings.quiet = true;
	ck_assert_int_eq(log_target_init(&core, 1), 0);
	ck_assert(core.log.none);
	log_target_fini(&core.log);
	core.settings.quiet = false;
	provider.flags = LOP_LOG_NO_FILE;
	ck_assert_int_eq(log_target_init(&core, 1), 0);
	ck_assert(core.log.none);
	ck_assert_int_lt(open_for((uid_t)-1), 0);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(a_provider_that_maps_the_file_can_read_it)
{
	int fd;

	provider.flags = LOP_LOG_READABLE;
	ck_assert_int_eq(log_target_init(&core, 1), 0);
	fd = open_for((uid_t)-1);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	close(fd);
}
END_TEST

START_TEST(a_dash_is_standard_error)
{
	struct stat ours, theirs;
	int fd;

	core.settings.log_file = "-";
	ck_assert_int_eq(log_target_init(&core, 4), 0);
	ck_assert(!core.log.many);
	fd = open_for((uid_t)-1);
	ck_assert_int_gt(fd, 2);
	ck_assert_int_eq(fstat(fd, &ours) | fstat(STDERR_FILENO, &theirs), 0);
	ck_assert_uint_eq(ours.st_ino, theirs.st_ino);
	close(fd);
}
END_TEST

START_TEST(a_pipe_without_a_reader_is_refused_and_does_not_block)
{
	int fd, reader;

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	for (int readable = 0; readable < 2; readable++) {
		provider.flags = readable ? LOP_LOG_READABLE : 0;
		ck_assert_int_eq(log_target_init(&core, 1), 0);
		ck_assert_int_eq(open_for((uid_t)-1), -ENXIO);
		reader = open(path, O_RDONLY | O_NONBLOCK);
		fd = open_for((uid_t)-1);
		ck_assert_int_gt(fd, 2);
		ck_assert_int_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY);
		close(reader);
		close(fd);
		log_target_fini(&core.log);
	}
}
END_TEST

START_TEST(folders_that_are_not_there_and_files_that_are_folders_are_refused)
{
	char other[256];

	core.settings.log_file = "/nosuch/folder/log";
	ck_assert_int_eq(log_target_init(&core, 1), -ENOENT);
	snprintf(other, sizeof(other), "%s/", folder);
	core.settings.log_file = other;
	ck_assert_int_eq(log_target_init(&core, 1), -EINVAL);
	core.settings.log_file = folder;
	ck_assert_int_eq(log_target_init(&core, 1), 0);
	ck_assert_int_eq(open_for((uid_t)-1), -EISDIR);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log_open");
	TCase *test = tcase_create("log_open");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(test, setup, teardown);
	tcase_add_test(test, one_worker_writes_to_the_path_itself);
	tcase_add_test(test, several_workers_write_to_a_path_each);
	tcase_add_test(test, a_relative_path_is_taken_from_the_current_folder);
	tcase_add_test(test, an_existing_file_is_appended_to_and_keeps_its_owner);
	tcase_add_test(test, a_new_file_is_given_to_the_workers_user);
	tcase_add_test(test, as_root_links_in_a_folder_of_others_are_refused);
	tcase_add_test(test, a_log_inside_the_web_root_is_refused);
	tcase_add_test(test, no_file_is_opened_when_nobody_wants_one);
	tcase_add_test(test, a_provider_that_maps_the_file_can_read_it);
	tcase_add_test(test, a_dash_is_standard_error);
	tcase_add_test(test, a_pipe_without_a_reader_is_refused_and_does_not_block);
	tcase_add_test(test, folders_that_are_not_there_and_files_that_are_folders_are_refused);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
