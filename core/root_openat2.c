/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Containment by the kernel (Linux 5.6 and newer).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "root.h"

int root_openat2(const struct lop_root *root, const char *path, int flags, mode_t mode)
{
	/* O_PATH goes with nothing that has a meaning only for open files. O_LARGEFILE is what
	 * libc adds to the other opens where off_t has 32 bits by itself. */
	int added = flags & O_PATH ? O_CLOEXEC : O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_LARGEFILE;
	struct open_how how = {
		.flags = (unsigned)(flags | added),
		.mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long descriptor;

	do
		descriptor = syscall(SYS_openat2, root->descriptor, *path != '\0' ? path : ".",
		                     &how, sizeof(how));
	while (descriptor < 0 && errno == EINTR);
	return descriptor < 0 ? -errno : (int)descriptor;
}
