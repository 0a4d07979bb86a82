/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FreeBSD: capability mode, in which a process has the descriptors that it holds and no global
 * names: no path, no process, no address to connect to. The folders' descriptors are limited to
 * the rights that were declared; what is opened beneath them inherits these.
 */
#include "config.h"

#include "door.h"

#include <sys/types.h>
#include <sys/capsicum.h>
#include <sys/procctl.h>

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

const char door_name[] = "Capsicum";

const char *door_gap(uint64_t needs)
{
	if ((needs & LOP_NEEDS_CONNECT) == 0)
		return NULL;
	return "Capsicum knows no outgoing connections, which a module declared to need; workers "
	       "have their user, chroot and limits only";
}

static int limit(int descriptor, const cap_rights_t *rights)
{
	return cap_rights_limit(descriptor, rights) < 0 ? -errno : 0;
}

static int limit_root(int descriptor, uint64_t needs)
{
	cap_rights_t rights;

	cap_rights_init(&rights, CAP_LOOKUP, CAP_READ, CAP_SEEK, CAP_FSTAT, CAP_FSTATFS, CAP_FCNTL,
	                CAP_IOCTL, CAP_EVENT);
	if (needs & LOP_NEEDS_WRITE_FILES)
		cap_rights_set(&rights, CAP_CREATE, CAP_WRITE, CAP_FTRUNCATE, CAP_FSYNC, CAP_FCHMOD,
		               CAP_FCHMODAT, CAP_FUTIMES, CAP_FUTIMESAT, CAP_FLOCK, CAP_MKDIRAT,
		               CAP_UNLINKAT, CAP_RENAMEAT_SOURCE, CAP_RENAMEAT_TARGET,
		               CAP_LINKAT_SOURCE, CAP_LINKAT_TARGET, CAP_SYMLINKAT);
	if (needs & LOP_NEEDS_MAP_SHARED)
		cap_rights_set(&rights, CAP_MMAP_RW);
	return limit(descriptor, &rights);
}

static int limit_log_folder(int descriptor)
{
	cap_rights_t rights;

	cap_rights_init(&rights, CAP_LOOKUP, CAP_CREATE, CAP_READ, CAP_WRITE, CAP_SEEK, CAP_FSTAT,
	                CAP_FTRUNCATE, CAP_FSYNC, CAP_FLOCK, CAP_FCNTL, CAP_EVENT, CAP_MMAP_RW);
	return limit(descriptor, &rights);
}

int door_close(const struct lop_sandbox_enter *how, bool log)
{
	int result = 0;

	for (int i = 0; i < how->root_count && result == 0; i++)
		result = limit_root(how->roots[i], how->needs);
	if (result == 0 && how->log_folder >= 0)
		result = limit_log_folder(how->log_folder);
	if (result < 0)
		return result;
#ifdef PROC_TRAPCAP_CTL
	/* What is not allowed ends the process, instead of failing. */
	int trap = PROC_TRAPCAP_CTL_ENABLE;

	if (!log && procctl(P_PID, getpid(), PROC_TRAPCAP_CTL, &trap) < 0)
		return -errno;
#else
	(void)log;
#endif
	return cap_enter() < 0 ? -errno : 0;
}

static void print_askers(uint64_t needs, const struct lop_sandbox_party *parties, int party_count)
{
	const char *between = ": asked for by ";

	for (int i = 0; i < party_count; i++) {
		if ((parties[i].needs & needs) == 0)
			continue;
		printf("%s%s", between, parties[i].name);
		between = ", ";
	}
	putchar('\n');
}

void door_show(const struct lop_sandbox_enter *how, const struct lop_sandbox_party *parties,
               int party_count)
{
	static const struct {
		const char *words;
		uint64_t needs;
	} opened[] = {
		{ "read beneath the root", LOP_NEEDS_READ_FILES | LOP_NEEDS_LIST_DIRS },
		{ "write beneath the root", LOP_NEEDS_WRITE_FILES },
		{ "map shared", LOP_NEEDS_MAP_SHARED },
	};

	printf("capability mode, with the descriptors that are open: always\n");
	for (size_t i = 0; i < sizeof(opened) / sizeof(opened[0]); i++) {
		if ((how->needs & opened[i].needs) == 0)
			continue;
		fputs(opened[i].words, stdout);
		print_askers(opened[i].needs, parties, party_count);
	}
	if (how->alone)
		printf("write beneath the log's folder: there is no master (-n 1)\n");
}
