/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a process can still do after it has given up what it need not have. Each test runs in a
 * process of its own.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core.h"
#include "landlock.h"
#include "os.h"
#include "program.h"

static const struct program program = { .name = "test", .serves_files = true };

/* The leak checker cannot work in a process that may open nothing any more. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}

static char *base; /* holds inside/, the web root */
static struct lop_core core;
static struct loaded_module loaded;
static struct lop_module module = { LOP_MODULE_HEADER("test", "1", "test", 0) };

static char *in_base(const char *name)
{
	static char path[4][PATH_MAX];
	static unsigned next;
	char *out = path[next++ % 4];

	snprintf(out, PATH_MAX, "%s/%s", base, name);
	return out;
}

static void put_file(const char *name)
{
	FILE *file = fopen(in_base(name), "w");

	ck_assert_ptr_nonnull(file);
	fputs(name, file);
	fclose(file);
	chmod(in_base(name), 0666);
}

/* Run outside of the tests' processes, which could not tidy up any more. */
static void setup(void)
{
	static char template[] = "/tmp/lophttpd-privileges.XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(template));
	base = realpath(template, NULL);
	chmod(base, 0777);
	mkdir(in_base("inside"), 0777);
	chmod(in_base("inside"), 0777);
	put_file("inside/file");
	put_file("outside");
}

static void teardown(void)
{
	char command[PATH_MAX + 16];

	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	ck_assert_int_eq(system(command), 0);
	free(base);
}

static void make_core(uint64_t needs)
{
	core.program = &program;
	core.log.folder = core.pid_file.descriptor = core.notify = -1;
	module.needs = needs;
	loaded.module = &module;
	core.modules.items = &loaded;
	core.modules.count = 1;
	ck_assert_int_eq(root_new(in_base("inside"), &core.root), 0);
}

/* 0 or a negative errno. */
static int attempt(const char *path, int flags)
{
	int descriptor = open(path, flags | O_CLOEXEC, 0600);

	if (descriptor < 0)
		return -errno;
	close(descriptor);
	return 0;
}

static int attempt_tcp(int (*call)(int, const struct sockaddr *, socklen_t), uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int descriptor = socket(AF_INET, SOCK_STREAM, 0), result;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	result = call(descriptor, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	close(descriptor);
	return result;
}

/* The version of Landlock, below 1 none. */
static long landlock_version(void)
{
#if defined(HAVE_LANDLOCK) && defined(SYS_landlock_create_ruleset)
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
#else
	return 0;
#endif
}

/* As privileges_drop() and what follows it, without the chroot. */
static void restrict_self(bool alone)
{
	ck_assert_int_eq(os_harden(), 0);
	ck_assert_int_eq(landlock_enter(&core, alone), 0);
}

/* ---- Landlock ------------------------------------------------------------------------------- */

START_TEST(a_worker_reads_below_the_root_only)
{
	make_core(0);
	restrict_self(false);
	ck_assert_int_eq(attempt(in_base("inside/file"), O_RDONLY), 0);
	if (landlock_version() < 1)
		return;
	ck_assert_int_eq(attempt(in_base("outside"), O_RDONLY), -EACCES);
	ck_assert_int_eq(attempt("/etc/passwd", O_RDONLY), -EACCES);
	ck_assert_int_eq(attempt(in_base("inside/file"), O_WRONLY), -EACCES);
	ck_assert_int_eq(attempt(in_base("inside/new"), O_WRONLY | O_CREAT), -EACCES);
	ck_assert_int_eq(attempt(in_base("inside"), O_RDONLY | O_DIRECTORY), -EACCES);
	ck_assert_int_lt(unlink(in_base("inside/file")), 0);
}
END_TEST

START_TEST(a_worker_makes_no_connection)
{
	make_core(0);
	restrict_self(false);
	if (landlock_version() < 4)
		return;
	ck_assert_int_eq(attempt_tcp(connect, 1), -EACCES);
	ck_assert_int_eq(attempt_tcp(bind, 0), -EACCES);
	if (landlock_version() < 6)
		return;
	ck_assert_int_lt(kill(getppid(), 0), 0);
}
END_TEST

START_TEST(declared_needs_are_met)
{
	make_core(LOP_NEEDS_WRITE_FILES | LOP_NEEDS_LIST_DIRS | LOP_NEEDS_CONNECT);
	restrict_self(false);
	ck_assert_int_eq(attempt(in_base("inside/new"), O_WRONLY | O_CREAT | O_TRUNC), 0);
	ck_assert_int_eq(mkdir(in_base("inside/folder"), 0700), 0);
	ck_assert_int_eq(rename(in_base("inside/new"), in_base("inside/folder/new")), 0);
	ck_assert_int_eq(unlink(in_base("inside/folder/new")), 0);
	ck_assert_int_eq(rmdir(in_base("inside/folder")), 0);
	ck_assert_int_eq(attempt(in_base("inside"), O_RDONLY | O_DIRECTORY), 0);
	ck_assert_int_eq(attempt_tcp(connect, 1), -ECONNREFUSED);
	if (landlock_version() < 1)
		return;
	ck_assert_int_eq(attempt(in_base("outside"), O_RDONLY), -EACCES);
	ck_assert_int_eq(attempt(in_base("outside"), O_WRONLY), -EACCES);
}
END_TEST

START_TEST(a_process_alone_can_still_start_its_successor)
{
	make_core(0);
	restrict_self(true);
	ck_assert_int_eq(attempt(in_base("outside"), O_RDONLY), 0);
	ck_assert_int_eq(system("exit 7") >> 8, 7);
	/* Each successor restricts itself again, in the end without effect. */
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(landlock_enter(&core, true), 0);
	if (landlock_version() < 1)
		return;
	ck_assert_int_eq(attempt(in_base("outside"), O_WRONLY), -EACCES);
	ck_assert_int_eq(attempt(in_base("inside/file"), O_WRONLY), -EACCES);
}
END_TEST

/* ---- dropping root -------------------------------------------------------------------------- */

static void as_root(const char *user)
{
	make_core(0);
	core.settings.user = user;
	ck_assert_int_eq(privileges_prepare(&core), 0);
}

START_TEST(root_becomes_the_user_in_a_chroot_for_good)
{
	if (geteuid() != 0)
		return;
	as_root("4242:4243");
	ck_assert_int_eq(privileges_drop(&core), 0);
	ck_assert(core.chrooted && core.root->chrooted);
	ck_assert_uint_eq(getuid(), 4242);
	ck_assert_uint_eq(getegid(), 4243);
	ck_assert_int_eq(getgroups(0, NULL), 0);
	ck_assert_int_lt(setuid(0), 0);
	ck_assert_int_eq(attempt("/file", O_RDONLY), 0);
	ck_assert_int_eq(attempt("/../../../../etc/passwd", O_RDONLY), -ENOENT);
	ck_assert_int_eq(attempt("/../outside", O_RDONLY), -ENOENT);
}
END_TEST

START_TEST(nobody_dumps_or_traces_it)
{
	struct rlimit limit;

	make_core(0);
	ck_assert_int_eq(geteuid() == 0 ? (as_root("4242:4243"), 0) : privileges_prepare(&core), 0);
	ck_assert_int_eq(privileges_drop(&core), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_CORE, &limit), 0);
	ck_assert_uint_eq(limit.rlim_max, 0);
}
END_TEST

static const char *const refused[] = {
	"root", "0:0", "no-such-user", "4242", "4242:no-such-group", "4242:0", ""
};

START_TEST(bad_users_are_refused)
{
	make_core(0);
	if (geteuid() != 0)
		return;
	core.settings.user = refused[_i];
	ck_assert_int_lt(privileges_prepare(&core), 0);
	ck_assert(!core.privileges.root);
}
END_TEST

START_TEST(an_ordinary_user_stays_itself)
{
	make_core(0);
	if (geteuid() == 0)
		ck_assert_int_eq(setuid(4242), 0);
	core.settings.user = "root";
	ck_assert_int_eq(privileges_prepare(&core), -EPERM);
	core.settings.user = NULL;
	ck_assert_int_eq(privileges_prepare(&core), 0);
	ck_assert_int_eq(privileges_drop(&core), 0);
	ck_assert(!core.chrooted);
}
END_TEST

START_TEST(a_low_limit_of_files_lowers_the_connections)
{
	struct rlimit limit = { .rlim_cur = 400, .rlim_max = 400 };

	make_core(0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(setuid(4242), 0);
	core.settings.cache_entries = 10000;
	core.settings.max_connections = 100;
	privileges_limits(&core);
	ck_assert_int_eq(core.settings.max_connections, 100);
	core.settings.max_connections = 10000;
	privileges_limits(&core);
	ck_assert_int_lt(core.settings.max_connections, 400);
	ck_assert_int_gt(core.settings.max_connections, 200);
	ck_assert_uint_eq(core.settings.cache_entries, 10000);
}
END_TEST

START_TEST(the_limit_of_files_is_raised_to_what_is_wanted)
{
	struct rlimit limit;

	make_core(0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 64;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	core.settings.max_connections = 100;
	privileges_limits(&core);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max >= 300)
		ck_assert_uint_ge(limit.rlim_cur, 100);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("privileges");
	TCase *test = tcase_create("privileges");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_unchecked_fixture(test, setup, teardown);
	tcase_add_test(test, a_worker_reads_below_the_root_only);
	tcase_add_test(test, a_worker_makes_no_connection);
	tcase_add_test(test, declared_needs_are_met);
	tcase_add_test(test, a_process_alone_can_still_start_its_successor);
	tcase_add_test(test, root_becomes_the_user_in_a_chroot_for_good);
	tcase_add_test(test, nobody_dumps_or_traces_it);
	tcase_add_loop_test(test, bad_users_are_refused, 0,
	                    (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_test(test, an_ordinary_user_stays_itself);
	tcase_add_test(test, a_low_limit_of_files_lowers_the_connections);
	tcase_add_test(test, the_limit_of_files_is_raised_to_what_is_wanted);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
