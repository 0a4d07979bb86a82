/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "landlock.h"

#include "core.h"

#ifdef HAVE_LANDLOCK

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <lophttpd/message.h>

/* The system's headers may be older than its kernel. */
#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define FS_REMOVE_DIR (UINT64_C(1) << 4)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)
#define FS_MAKE_DIR (UINT64_C(1) << 7)
#define FS_MAKE_REG (UINT64_C(1) << 8)
#define FS_MAKE_SOCK (UINT64_C(1) << 9)
#define FS_REFER (UINT64_C(1) << 13)
#define FS_TRUNCATE (UINT64_C(1) << 14)
#define NET_BIND_TCP (UINT64_C(1) << 0)
#define NET_CONNECT_TCP (UINT64_C(1) << 1)
#define SCOPE_ABSTRACT_UNIX (UINT64_C(1) << 0)
#define SCOPE_SIGNAL (UINT64_C(1) << 1)

/* All of WRITE_FILE, REMOVE_… and MAKE_…, devices too. */
#define FS_CHANGES                                                                                 \
	(FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | (UINT64_C(0x7f) << 6) | FS_REFER |       \
	 FS_TRUNCATE)
/* What a module that writes below the root may do there. */
#define FS_UPLOAD                                                                                  \
	(FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG |              \
	 FS_REFER | FS_TRUNCATE)

#define PROC_MAGIC 0x9fa0

struct ruleset {
	uint64_t fs;
	uint64_t net;    /* ABI 4 */
	uint64_t scoped; /* ABI 6 */
};

struct abi {
	int version;
	uint64_t fs; /* rights that this version knows */
	size_t size; /* of struct ruleset, as far as it knows it */
};

static const struct abi abis[] = {
	{ .version = 6, .fs = UINT64_C(0xffff), .size = sizeof(struct ruleset) },
	{ .version = 5, .fs = UINT64_C(0xffff), .size = 16 },
	{ .version = 4, .fs = UINT64_C(0x7fff), .size = 16 },
	{ .version = 3, .fs = UINT64_C(0x7fff), .size = 8 },
	{ .version = 2, .fs = UINT64_C(0x3fff), .size = 8 },
	{ .version = 1, .fs = UINT64_C(0x1fff), .size = 8 },
};

/* NULL: this kernel has no Landlock, or it is switched off. */
static const struct abi *find_abi(void)
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	for (size_t i = 0; i < sizeof(abis) / sizeof(abis[0]); i++)
		if (version >= abis[i].version)
			return &abis[i];
	return NULL;
}

static int allow(int rules, int descriptor, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights,
		                                   .parent_fd = descriptor };

	if (rights == 0)
		return 0;
	return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0
	               ? -errno
	               : 0;
}

/* The folder of a path; not there: there is nothing to allow. */
static int allow_folder_of(int rules, const char *path, uint64_t rights)
{
	const char *slash = strrchr(path, '/');
	char folder[4096] = ".";
	int descriptor, result;

	if (slash != NULL) {
		size_t length = slash == path ? 1 : (size_t)(slash - path);

		if (length >= sizeof(folder))
			return -ENAMETOOLONG;
		memcpy(folder, path, length);
		folder[length] = '\0';
	}
	descriptor = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (descriptor < 0)
		return 0;
	result = allow(rules, descriptor, rights);
	close(descriptor);
	return result;
}

/* What a process without a master does itself at its end, on HUP and for its successor. */
static int allow_housekeeping(struct lop_core *core, int rules, uint64_t known)
{
	int result = 0;

	if (core->log.folder >= 0)
		result = allow(rules, core->log.folder,
		               known & (FS_WRITE_FILE | FS_READ_FILE | FS_MAKE_REG | FS_TRUNCATE));
	if (core->chrooted)
		return result;
	if (result == 0 && core->pid_file.path != NULL)
		result = allow_folder_of(
			rules, core->pid_file.path,
			known & (FS_WRITE_FILE | FS_MAKE_REG | FS_REMOVE_FILE | FS_TRUNCATE));
	for (size_t i = 0; i < core->listeners.count && result == 0; i++) {
		const struct listener *listener = &core->listeners.items[i];

		if (listener->unlink)
			result = allow_folder_of(rules, listener->address.socket.un.sun_path,
			                         known & (FS_MAKE_SOCK | FS_REMOVE_FILE));
	}
	return result;
}

static int restrict_self(struct lop_core *core, const struct abi *abi, bool alone)
{
	uint64_t needs = modules_needs(core), rights = FS_READ_FILE, known;
	struct ruleset set = { .fs = abi->fs };
	bool inherited = alone && !core->chrooted && modules_sandbox(&core->modules) == NULL;
	int rules, result;

	if (inherited) {
		set.fs &= FS_CHANGES;
	} else {
		set.net = NET_BIND_TCP | (needs & LOP_NEEDS_CONNECT ? 0 : NET_CONNECT_TCP);
		set.scoped = SCOPE_SIGNAL | (needs & LOP_NEEDS_CONNECT ? 0 : SCOPE_ABSTRACT_UNIX);
	}
	known = set.fs;
	rules = (int)syscall(SYS_landlock_create_ruleset, &set, abi->size, 0);
	if (rules < 0)
		return -errno;
	if (needs & LOP_NEEDS_LIST_DIRS)
		rights |= FS_READ_DIR;
	if (needs & LOP_NEEDS_WRITE_FILES)
		rights |= FS_UPLOAD;
	result = allow(rules, core->root->descriptor, rights & known);
	if (result == 0 && alone)
		result = allow_housekeeping(core, rules, known);
	if (result == 0 && syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		result = -errno;
	close(rules);
	/* Each upgrade adds a layer, up to the kernel's limit: what stands is as strict. */
	return inherited && result == -E2BIG ? 0 : result;
}

/* Restricted processes may not look into others, which is what much of procfs is about. */
static bool serves_procfs(const struct lop_core *core)
{
	struct statfs fs;

	return fstatfs(core->root->descriptor, &fs) == 0 && fs.f_type == PROC_MAGIC;
}

int landlock_enter(struct lop_core *core, bool alone)
{
	const struct abi *abi = find_abi();
	int result;

	if (abi == NULL || serves_procfs(core))
		return 0;
	result = restrict_self(core, abi, alone);
	if (result < 0)
		lop_core_message(
			core, LOP_LOG_ERROR,
			"cannot restrict the process with Landlock: %s; this is a defect of "
			"the server or the system, please report it",
			strerror(-result));
	return result;
}

#else

int landlock_enter(struct lop_core *core, bool alone)
{
	(void)core;
	(void)alone;
	return 0;
}

#endif
