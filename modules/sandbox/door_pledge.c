/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OpenBSD: pledge(2) for what a worker may call and unveil(2) for the files it may see. Promises
 * are coarser than what modules declare: who accepts connections may also make them, threads and
 * shared mappings come with stdio.
 */
#include "config.h"

#include "door.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char door_name[] = "pledge";

struct promise {
	const char *words;
	uint64_t needs; /* opened by any of these; 0: always */
	int alone;      /* opened in a process without a master */
};

static const struct promise promises[] = {
	{ .words = "stdio inet unix" },
	{ .words = "rpath", .needs = LOP_NEEDS_READ_FILES | LOP_NEEDS_LIST_DIRS },
	{ .words = "wpath cpath fattr", .needs = LOP_NEEDS_WRITE_FILES },
	{ .words = "flock", .needs = LOP_NEEDS_WRITE_FILES | LOP_NEEDS_LOG_WRITE },
	/* The log is opened again on HUP; SIGQUIT goes to what an upgrade has started from. */
	{ .words = "rpath wpath cpath proc", .alone = 1 },
};

#define PROMISES (sizeof(promises) / sizeof(promises[0]))

static bool is_open(const struct promise *promise, const struct lop_sandbox_enter *how)
{
	if (promise->alone)
		return how->alone != 0;
	return promise->needs == 0 || (promise->needs & how->needs) != 0;
}

const char *door_gap(uint64_t needs)
{
	(void)needs;
	return NULL;
}

/* The folder of a descriptor, since unveil takes paths. */
static int unveil_folder(int descriptor, const char *permissions)
{
	if (fchdir(descriptor) < 0 || unveil(".", permissions) < 0)
		return -errno;
	return 0;
}

static int unveil_folders(const struct lop_sandbox_enter *how)
{
	const char *permissions = how->needs & LOP_NEEDS_WRITE_FILES ? "rwc" : "r";
	int result = 0;

	if (how->log_folder >= 0)
		result = unveil_folder(how->log_folder, "rwc");
	for (int i = 0; i < how->root_count && result == 0; i++)
		result = unveil_folder(how->roots[i], permissions);
	if (result == 0 && unveil(NULL, NULL) < 0)
		result = -errno;
	return result;
}

int door_close(const struct lop_sandbox_enter *how, bool log)
{
	char words[256] = "";
	int result = unveil_folders(how);

	if (result < 0)
		return result;
	for (size_t i = 0; i < PROMISES; i++) {
		if (!is_open(&promises[i], how))
			continue;
		strlcat(words, promises[i].words, sizeof(words));
		strlcat(words, " ", sizeof(words));
	}
	/* What is not promised fails with ENOSYS and is logged. */
	if (log)
		strlcat(words, "error", sizeof(words));
	return pledge(words, NULL) < 0 ? -errno : 0;
}

static void print_askers(const struct promise *promise, const struct lop_sandbox_party *parties,
                         int party_count)
{
	const char *between = ": asked for by ";

	for (int i = 0; i < party_count; i++) {
		if ((parties[i].needs & promise->needs) == 0)
			continue;
		printf("%s%s", between, parties[i].name);
		between = ", ";
	}
}

void door_show(const struct lop_sandbox_enter *how, const struct lop_sandbox_party *parties,
               int party_count)
{
	for (size_t i = 0; i < PROMISES; i++) {
		const struct promise *promise = &promises[i];

		if (!is_open(promise, how))
			continue;
		fputs(promise->words, stdout);
		if (promise->alone)
			fputs(": there is no master (-n 1)", stdout);
		else if (promise->needs == 0)
			fputs(": always", stdout);
		else
			print_askers(promise, parties, party_count);
		putchar('\n');
	}
}
