/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Containment: the same table of paths through the kernel's resolution and through our own walk.
 */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "root.h"

static char *base; /* holds inside/ and what must not be reached */
static struct lop_root *root;

static char *in_base(const char *name)
{
	static char path[4][PATH_MAX];
	static unsigned next;
	char *out = path[next++ % 4];

	snprintf(out, PATH_MAX, "%s/%s", base, name);
	return out;
}

static void put_file(const char *name, const char *text)
{
	FILE *file = fopen(in_base(name), "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static void put_link(const char *target, const char *name)
{
	ck_assert_int_eq(symlink(target, in_base(name)), 0);
}

static void put_folder(const char *name)
{
	ck_assert_int_eq(mkdir(in_base(name), 0755), 0);
}

/* l0 -> f, l1 -> l0, …: a file behind `count` links. */
static void put_chain(int count)
{
	char from[64], to[64];

	for (int i = 0; i < count; i++) {
		snprintf(from, sizeof(from), "inside/chain%d", i);
		snprintf(to, sizeof(to), "chain%d", i - 1);
		put_link(i == 0 ? "file" : to, from);
	}
}

static void put_special(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_int_eq(mkfifo(in_base("inside/fifo"), 0644), 0);
	ck_assert_int_eq(mkfifo(in_base("fifo"), 0644), 0);
	put_link("fifo", "inside/to-fifo");
	put_link("../fifo", "inside/out-fifo");
	ck_assert_uint_lt((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s",
	                                   in_base("inside/socket")),
	                  sizeof(address.sun_path));
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	close(listener);
}

static void setup(void)
{
	char template[] = "/tmp/lophttpd-root.XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(template));
	base = realpath(template, NULL);
	put_file("secret", "outside");
	put_folder("outside");
	put_file("outside/secret", "outside");
	put_folder("inside");
	put_file("inside/file", "inside");
	put_file("inside/..hidden", "inside");
	put_folder("inside/sub");
	put_folder("inside/sub/deep");
	put_file("inside/sub/file", "inside");
	put_link("file", "inside/link");
	put_link("sub", "inside/to-sub");
	put_link("../file", "inside/sub/up");
	put_link("deep/../../to-sub/./deep/../file", "inside/sub/winding");
	put_link("..", "inside/sub/parent");
	put_link("../..", "inside/sub/above");
	put_link("..", "inside/above");
	put_link("../secret", "inside/escape");
	put_link("../inside/file", "inside/out-and-in");
	put_link("../outside", "inside/escape-folder");
	put_link("/etc/passwd", "inside/absolute");
	put_link("/", "inside/slash");
	put_link("missing", "inside/dangling");
	put_link("loop", "inside/loop");
	put_link("/proc/self/root/etc/passwd", "inside/magic");
	put_link(in_base("inside/sub/file"), "inside/absolute-in");
	put_link(in_base("inside/../secret"), "inside/absolute-out");
	put_link(in_base("inside"), "inside/absolute-root");
	put_link(in_base("inside-not"), "inside/absolute-near");
	put_chain(ROOT_LINKS_MAX + 5);
	put_special();
	ck_assert_int_eq(root_new(in_base("inside"), &root), 0);
}

static void teardown(void)
{
	char command[PATH_MAX + 16];

	lop_root_release(&root);
	ck_assert_ptr_null(root);
	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	ck_assert_int_eq(system(command), 0);
	free(base);
}

static const struct {
	const char *path;
	int result; /* 0: opens */
} cases[] = {
	{ "", 0 },
	{ ".", 0 },
	{ "./", 0 },
	{ "file", 0 },
	{ "./file", 0 },
	{ "sub", 0 },
	{ "sub/", 0 },
	{ "sub//file", 0 },
	{ "sub/./file", 0 },
	{ "..hidden", 0 },
	{ "link", 0 },
	{ "to-sub", 0 },
	{ "to-sub/", 0 },
	{ "to-sub/file", 0 },
	{ "sub/up", 0 },
	{ "sub/../file", 0 },
	{ "sub/deep/../../file", 0 },
	{ "to-sub/deep/../file", 0 },
	{ "sub/winding", 0 },
	{ "sub/parent", 0 },
	{ "sub/parent/file", 0 },
	{ "sub/parent/sub/parent/sub/file", 0 },
	{ "chain0", 0 },
	{ "chain10", 0 },
	{ "chain39", 0 },
	{ "fifo", -EACCES },
	{ "to-fifo", -EACCES },
	{ "socket", -EACCES },
	{ "chain40", -ELOOP },
	{ "loop", -ELOOP },
	{ "loop/file", -ELOOP },
	{ "missing", -ENOENT },
	{ "missing/file", -ENOENT },
	{ "missing/../file", -ENOENT },
	{ "dangling", -ENOENT },
	{ "sub/missing", -ENOENT },
	{ "file/", -ENOTDIR },
	{ "file/.", -ENOTDIR },
	{ "file/..", -ENOTDIR },
	{ "file/more", -ENOTDIR },
	{ "link/", -ENOTDIR },
	{ "link/more", -ENOTDIR },
	{ "..", -EXDEV },
	{ "../", -EXDEV },
	{ "../secret", -EXDEV },
	{ "../inside/file", -EXDEV },
	{ "sub/../../secret", -EXDEV },
	{ "sub/../..", -EXDEV },
	{ "to-sub/../../secret", -EXDEV },
	{ "above", -EXDEV },
	{ "above/secret", -EXDEV },
	{ "sub/above/secret", -EXDEV },
	{ "sub/above/inside/file", -EXDEV },
	{ "sub/parent/..", -EXDEV },
	{ "escape", -EXDEV },
	{ "escape-folder", -EXDEV },
	{ "escape-folder/secret", -EXDEV },
	{ "out-and-in", -EXDEV },
	{ "out-fifo", -EXDEV },
	{ "/etc/passwd", -EXDEV },
	{ "/", -EXDEV },
	{ "//file", -EXDEV },
	{ "absolute", -EXDEV },
	{ "slash", -EXDEV },
	{ "slash/etc/passwd", -EXDEV },
	{ "magic", -EXDEV },
};

/* Absolute links that stay inside: the walk resolves them, the kernel leaves them to it. */
static const struct {
	const char *path;
	int result;
} absolute_cases[] = {
	{ "absolute-in", 0 },
	{ "absolute-root", 0 },
	{ "absolute-root/file", 0 },
	{ "absolute-root/absolute-root/absolute-in", 0 },
	{ "absolute-root/sub/parent/file", 0 },
	{ "absolute-root/missing", -ENOENT },
	{ "absolute-root/../secret", -EXDEV },
	{ "absolute-out", -EXDEV },
	{ "absolute-near", -EXDEV },
};

typedef int open_f(const struct lop_root *root, const char *path, int flags, mode_t mode);

/* 0 when it opened what belongs to the root. */
static int attempt(open_f *open_below, const char *path)
{
	char text[16] = "";
	int descriptor = open_below(root, path, O_RDONLY, 0);

	if (descriptor < 0)
		return descriptor;
	if (read(descriptor, text, sizeof(text) - 1) > 0)
		ck_assert_msg(strcmp(text, "inside") == 0, "%s led to %s", path, text);
	close(descriptor);
	return 0;
}

START_TEST(walk_resolves_the_table)
{
	ck_assert_msg(attempt(root_walk, cases[_i].path) == cases[_i].result, "%s: %d, not %d",
	              cases[_i].path, attempt(root_walk, cases[_i].path), cases[_i].result);
}
END_TEST

START_TEST(openat2_resolves_the_table)
{
#ifdef HAVE_OPENAT2
	int result = attempt(root_openat2, cases[_i].path);

	/* By itself it opens a FIFO, though without blocking. */
	if (!root->beneath || cases[_i].result == -EACCES)
		return;
	ck_assert_msg(result == cases[_i].result, "%s: %d, not %d", cases[_i].path, result,
	              cases[_i].result);
#endif
}
END_TEST

static int attempt_file(const char *path)
{
	struct lop_file *file = NULL;
	int result = lop_root_open(root, path, &file);

	ck_assert_int_eq(result == 0, file != NULL);
	lop_file_release(&file);
	return result;
}

START_TEST(files_open_by_the_table)
{
	const char *path = cases[_i].path;
	int expected = cases[_i].result, result;

	for (int beneath = 0; beneath < 2; beneath++) {
		bool kept = root->beneath;

		root->beneath = root->beneath && beneath;
		result = attempt_file(path);
		root->beneath = kept;
		ck_assert_msg(result == expected, "%s: %d, not %d", path, result, expected);
	}
}
END_TEST

START_TEST(absolute_links_stay_inside)
{
	const char *path = absolute_cases[_i].path;
	int expected = absolute_cases[_i].result;

	ck_assert_msg(attempt(root_walk, path) == expected, "walk %s: %d", path,
	              attempt(root_walk, path));
	ck_assert_msg(attempt(root_open_descriptor, path) == expected, "open %s: %d", path,
	              attempt(root_open_descriptor, path));
}
END_TEST

START_TEST(a_chroot_sees_absolute_links_as_its_own)
{
	put_link("/sub/file", "inside/chrooted");
	put_link("/sub/../../secret", "inside/chrooted-out");
	ck_assert_int_eq(attempt(root_walk, "chrooted"), -EXDEV);
	root->chrooted = true;
	ck_assert_int_eq(attempt(root_walk, "chrooted"), 0);
	ck_assert_int_eq(attempt_file("chrooted"), 0);
	ck_assert_int_eq(attempt_file("absolute-in"), 0);
	ck_assert_int_eq(attempt_file("missing"), -ENOENT);
	ck_assert_int_eq(attempt(root_walk, "chrooted-out"), -EXDEV);
}
END_TEST

START_TEST(a_child_root_cannot_reach_its_parent)
{
	struct lop_root *child = NULL, *grandchild = NULL;
	uint32_t id = root->id;

	put_link("/sub/file", "inside/sub/as-chroot");
	put_link("/file", "inside/sub/as-chroot-out");
	put_link(in_base("inside/sub/file"), "inside/sub/from-outside");
	ck_assert_int_eq(lop_root_descend(root, "escape-folder", &child), -EXDEV);
	ck_assert_int_eq(lop_root_descend(root, "file", &child), -ENOTDIR);
	ck_assert_int_eq(lop_root_descend(root, "sub", &child), 0);
	ck_assert_uint_ne(child->id, id);
	ck_assert_int_eq(lop_root_descend(child, "deep", &grandchild), 0);
	ck_assert_uint_ne(grandchild->id, child->id);
	lop_root_release(&root);
	root = child;
	ck_assert_int_eq(attempt_file("file"), 0);
	ck_assert_int_eq(attempt_file("from-outside"), 0);
	ck_assert_int_eq(attempt_file("up"), -EXDEV);
	ck_assert_int_eq(attempt_file("parent"), -EXDEV);
	ck_assert_int_eq(attempt_file("../file"), -EXDEV);
	ck_assert_int_eq(attempt(root_walk, "as-chroot"), -EXDEV);
	root->chrooted = true;
	ck_assert_int_eq(attempt(root_walk, "as-chroot"), 0);
	ck_assert_int_eq(attempt(root_walk, "as-chroot-out"), -EXDEV);
	lop_root_release(&grandchild);
}
END_TEST

START_TEST(long_paths_are_refused)
{
	char path[3 * PATH_MAX], name[NAME_MAX + 2];

	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(attempt(root_walk, name), -ENAMETOOLONG);
	ck_assert_int_eq(attempt_file(name), -ENAMETOOLONG);
	for (size_t i = 0; i + 1 < sizeof(path); i++)
		path[i] = i % 2 ? '/' : '.';
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(attempt(root_walk, path), -ENAMETOOLONG);
	ck_assert_int_eq(attempt_file(path), -ENAMETOOLONG);
}
END_TEST

START_TEST(files_are_created_only_inside)
{
	static open_f *const ways[] = { root_open_descriptor, root_walk };

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		int descriptor = ways[i](root, "to-sub/new", O_WRONLY | O_CREAT | O_EXCL, 0600);

		ck_assert_int_ge(descriptor, 0);
		close(descriptor);
		ck_assert_int_eq(ways[i](root, "sub/new", O_WRONLY | O_CREAT | O_EXCL, 0600),
		                 -EEXIST);
		ck_assert_int_eq(ways[i](root, "link", O_WRONLY | O_CREAT | O_EXCL, 0600), -EEXIST);
		ck_assert_int_eq(ways[i](root, "escape-folder/new", O_WRONLY | O_CREAT, 0600),
		                 -EXDEV);
		ck_assert_int_eq(ways[i](root, "above/new", O_WRONLY | O_CREAT, 0600), -EXDEV);
		ck_assert_int_eq(unlink(in_base("inside/sub/new")), 0);
	}
}
END_TEST

START_TEST(stat_tells_kind_and_size)
{
	struct lop_file *file = NULL, *again;

	ck_assert_int_eq(lop_root_open(root, "file", &file), 0);
	ck_assert_int_eq(lop_file_stat(file)->kind, LOP_FILE_REGULAR);
	ck_assert_int_eq(lop_file_stat(file)->size, 6);
	ck_assert_int_gt(lop_file_stat(file)->mtime_ns, INT64_C(1000000000000000000));
	again = lop_file_retain(file);
	lop_file_release(&file);
	ck_assert_ptr_null(file);
	ck_assert_int_ge(fcntl(lop_file_descriptor(again), F_GETFD), FD_CLOEXEC);
	lop_file_release(&again);
	ck_assert_int_eq(lop_root_open(root, "sub", &file), 0);
	ck_assert_int_eq(lop_file_stat(file)->kind, LOP_FILE_FOLDER);
	lop_file_release(&file);
}
END_TEST

START_TEST(pseudo_files_have_no_size)
{
#ifdef __linux__
	struct lop_root *proc = NULL;
	struct lop_file *file = NULL;

	if (access("/proc/self/status", R_OK) < 0)
		return;
	ck_assert_int_eq(root_new("/proc", &proc), 0);
	ck_assert_int_eq(lop_root_open(proc, "self/status", &file), 0);
	ck_assert_int_eq(lop_file_stat(file)->kind, LOP_FILE_UNSIZED);
	ck_assert_int_eq(lop_file_stat(file)->size, -1);
	lop_file_release(&file);
	/* Magic links lead anywhere. */
	ck_assert_int_lt(lop_root_open(proc, "self/cwd", &file), 0);
	ck_assert_int_lt(lop_root_open(proc, "self/root/etc/passwd", &file), 0);
	ck_assert_int_lt(root_walk(proc, "self/root", O_RDONLY, 0), 0);
	ck_assert_int_lt(root_walk(proc, "self/cwd/secret", O_RDONLY, 0), 0);
	lop_root_release(&proc);
#endif
}
END_TEST

/* A thread swaps a folder for a link that leaves the root, and back. */
static atomic_bool swapping;

static void *swap(void *unused)
{
	char *folder = strdup(in_base("inside/swap")), *aside = strdup(in_base("inside/aside"));
	char *link = strdup(in_base("inside/swap-link")), *moved = strdup(in_base("outside/moved"));

	while (atomic_load(&swapping)) {
		rename(folder, aside);
		rename(link, folder);
		rename(folder, link);
		rename(aside, folder);
		/* and moves it out of the root, so that ".." leads elsewhere */
		rename(folder, moved);
		rename(moved, folder);
	}
	free(folder);
	free(aside);
	free(link);
	free(moved);
	return unused;
}

START_TEST(swapped_links_never_lead_outside)
{
	static const char *const paths[] = { "swap/secret", "swap/in/../secret",
		                             "swap/in/up/secret", "swap/in/../../secret" };
	static open_f *const ways[] = { root_open_descriptor, root_walk };
	pthread_t thread;

	put_folder("inside/swap");
	put_folder("inside/swap/in");
	put_link("..", "inside/swap/in/up");
	put_file("inside/swap/secret", "inside");
	put_file("inside/secret", "inside");
	put_folder("outside/in");
	put_link("../outside", "inside/swap-link");
	atomic_store(&swapping, true);
	ck_assert_int_eq(pthread_create(&thread, NULL, swap, NULL), 0);
	for (int i = 0; i < 20000; i++)
		attempt(ways[i & 1], paths[i / 2 % 4]);
	atomic_store(&swapping, false);
	pthread_join(thread, NULL);
}
END_TEST

START_TEST(memory_is_counted)
{
	struct lop_memory *memory = lop_memory_new(0), *again;

	ck_assert_uint_ge(lop_memory_size(memory), 1);
	lop_memory_data(memory)[0] = 'x';
	again = lop_memory_retain(memory);
	lop_memory_release(&memory);
	ck_assert_ptr_null(memory);
	ck_assert_int_eq(lop_memory_data(again)[0], 'x');
	lop_memory_release(&again);
	lop_memory_release(&again);
	ck_assert_ptr_null(lop_memory_new(SIZE_MAX));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("root");
	TCase *test = tcase_create("root");
	SRunner *runner = srunner_create(suite);
	int count = (int)(sizeof(cases) / sizeof(cases[0])), failed;

	tcase_set_timeout(test, 60);
	tcase_add_checked_fixture(test, setup, teardown);
	tcase_add_loop_test(test, walk_resolves_the_table, 0, count);
	tcase_add_loop_test(test, openat2_resolves_the_table, 0, count);
	tcase_add_loop_test(test, files_open_by_the_table, 0, count);
	tcase_add_loop_test(test, absolute_links_stay_inside, 0,
	                    (int)(sizeof(absolute_cases) / sizeof(absolute_cases[0])));
	tcase_add_test(test, a_chroot_sees_absolute_links_as_its_own);
	tcase_add_test(test, a_child_root_cannot_reach_its_parent);
	tcase_add_test(test, long_paths_are_refused);
	tcase_add_test(test, files_are_created_only_inside);
	tcase_add_test(test, stat_tells_kind_and_size);
	tcase_add_test(test, pseudo_files_have_no_size);
	tcase_add_test(test, swapped_links_never_lead_outside);
	tcase_add_test(test, memory_is_counted);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
