#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154 # make check sets srcdir and builddir
# The doors of other systems (modules/sandbox/door_*.c), compiled against stand-ins for their system
# and run: what they ask of it for which needs.
# shellcheck source=tests/build/tap.sh
. "$srcdir/tests/build/tap.sh"

if [ "$(uname -s)" != Linux ]; then
	skip "doors of other systems" "the stand-ins are for Linux"
	finish
fi
scratch=$(mktemp -d "${TMPDIR:-/tmp}/lophttpd-doors.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

mkdir "$scratch/sys"
cat >"$scratch/stand_in.h" <<'END'
#include <stddef.h>
int pledge(const char *promises, const char *exec_promises);
int unveil(const char *path, const char *permissions);
#define strlcat stand_in_strlcat
size_t stand_in_strlcat(char *to, const char *from, size_t size);
END
cat >"$scratch/sys/capsicum.h" <<'END'
typedef struct { unsigned long long bits; } cap_rights_t;
#define CAP_LOOKUP 1ull
#define CAP_READ 2ull
#define CAP_WRITE 4ull
#define CAP_CREATE 8ull
#define CAP_MMAP_RW 16ull
#define CAP_SEEK 0ull
#define CAP_FSTAT 0ull
#define CAP_FSTATFS 0ull
#define CAP_FCNTL 0ull
#define CAP_IOCTL 0ull
#define CAP_EVENT 0ull
#define CAP_FTRUNCATE 0ull
#define CAP_FSYNC 0ull
#define CAP_FCHMOD 0ull
#define CAP_FCHMODAT 0ull
#define CAP_FUTIMES 0ull
#define CAP_FUTIMESAT 0ull
#define CAP_FLOCK 0ull
#define CAP_MKDIRAT 0ull
#define CAP_UNLINKAT 0ull
#define CAP_RENAMEAT_SOURCE 0ull
#define CAP_RENAMEAT_TARGET 0ull
#define CAP_LINKAT_SOURCE 0ull
#define CAP_LINKAT_TARGET 0ull
#define CAP_SYMLINKAT 0ull
void stand_in_rights(cap_rights_t *rights, int fresh, ...);
#define cap_rights_init(rights, ...) stand_in_rights(rights, 1, __VA_ARGS__, ~0ull)
#define cap_rights_set(rights, ...) stand_in_rights(rights, 0, __VA_ARGS__, ~0ull)
int cap_rights_limit(int descriptor, const cap_rights_t *rights);
int cap_enter(void);
END
cat >"$scratch/sys/procctl.h" <<'END'
#include <sys/wait.h>
#define PROC_TRAPCAP_CTL 1
#define PROC_TRAPCAP_CTL_ENABLE 1
int procctl(idtype_t kind, id_t id, int command, void *data);
END
# Prints each call that a door makes; arguments: needs, alone, log.
cat >"$scratch/driver.c" <<'END'
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capsicum.h>
#include <sys/procctl.h>
#include "stand_in.h"
#include "door.h"
int pledge(const char *promises, const char *exec_promises)
{
	(void)exec_promises;
	printf("pledge %s\n", promises);
	return 0;
}
int unveil(const char *path, const char *permissions)
{
	printf("unveil %s\n", path != NULL ? permissions : "no more");
	return 0;
}
size_t stand_in_strlcat(char *to, const char *from, size_t size)
{
	snprintf(to + strlen(to), size - strlen(to), "%s", from);
	return strlen(to);
}
void stand_in_rights(cap_rights_t *rights, int fresh, ...)
{
	unsigned long long bit;
	va_list list;
	va_start(list, fresh);
	if (fresh)
		rights->bits = 0;
	while ((bit = va_arg(list, unsigned long long)) != ~0ull)
		rights->bits |= bit;
	va_end(list);
}
int cap_rights_limit(int descriptor, const cap_rights_t *rights)
{
	printf("limit %s %llu\n", descriptor == 3 ? "root" : "log", rights->bits);
	return 0;
}
int cap_enter(void)
{
	puts("enter");
	return 0;
}
int procctl(idtype_t kind, id_t id, int command, void *data)
{
	(void)kind, (void)id, (void)command;
	printf("trap %d\n", *(int *)data);
	return 0;
}
int main(int argc, char **argv)
{
	const int root = 3;
	struct lop_sandbox_enter how = { .size = sizeof(how), .roots = &root, .root_count = 1,
	                                 .log_folder = -1 };
	if (argc != 4)
		return 2;
	how.needs = strtoull(argv[1], NULL, 10);
	how.alone = atoi(argv[2]);
	if (dup2(open(".", O_RDONLY), root) < 0)
		return 1;
	if (how.alone)
		how.log_folder = dup2(root, 4);
	if (door_gap(how.needs) != NULL)
		puts("gap");
	else if (door_close(&how, atoi(argv[3])) != 0)
		return 1;
	return fflush(stdout) != 0;
}
END

# build DOOR: compiles it without a warning.
build() {
	# shellcheck disable=SC2086 # CC may hold options
	$CC -D_GNU_SOURCE -Wall -Wextra -Werror -include "$scratch/stand_in.h" -I"$scratch" \
		-I"$builddir" -I"$srcdir/include" -iquote "$srcdir/modules/sandbox" \
		-o "$scratch/$1" "$srcdir/modules/sandbox/door_$1.c" "$scratch/driver.c" \
		>"$scratch/said" 2>&1
	status=$?
	sed 's/^/# /' "$scratch/said"
	ok "$1 compiles" $status
}

# asks DOOR NEEDS ALONE LOG WANTED: what it did, its lines joined by ';'.
asks() {
	got=$(cd "$scratch" && "./$1" "$2" "$3" "$4" | tr '\n' ';')
	[ "$got" = "$5" ]
	status=$?
	[ $status = 0 ] || echo "# got: $got"
	ok "$1: needs $2, alone $3, log $4" $status
}

# Bits of needs: read-files 1, write-files 2, list-dirs 4, connect 8, map-shared 16, log-write 64.
build pledge
asks pledge 1 0 0 "unveil r;unveil no more;pledge stdio inet unix rpath ;"
asks pledge 3 0 0 "unveil rwc;unveil no more;pledge stdio inet unix rpath wpath cpath fattr flock ;"
asks pledge 65 0 0 "unveil r;unveil no more;pledge stdio inet unix rpath flock ;"
asks pledge 1 1 1 "unveil rwc;unveil r;unveil no more;pledge stdio inet unix rpath rpath wpath cpath proc error;"

build capsicum
asks capsicum 1 0 0 "limit root 3;trap 1;enter;"
asks capsicum 3 0 0 "limit root 15;trap 1;enter;"
asks capsicum 17 1 1 "limit root 19;limit log 31;enter;"
asks capsicum 9 0 0 "gap;"

finish
