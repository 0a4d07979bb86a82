#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154 # make check sets srcdir and builddir
# Each header compiles alone, public ones also as strict C11 and as C++; modules see public headers
# only.
# shellcheck source=tests/build/tap.sh
. "$srcdir/tests/build/tap.sh"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/lophttpd-headers.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

# compiles NAME COMMAND...: prints what the compiler said when it said something.
compiles() {
	name=$1
	shift
	"$@" >"$scratch/said" 2>&1
	status=$?
	[ -s "$scratch/said" ] && sed 's/^/# /' "$scratch/said" && status=1
	ok "$name" $status
}

# CC may hold options: it is split on purpose.
for header in "$srcdir"/include/lophttpd/*.h; do
	name=${header#"$srcdir"/include/}
	echo "#include <$name>" >"$scratch/alone.c"
	# shellcheck disable=SC2086
	compiles "$name compiles alone" $CC -std=c11 -pedantic -Wall -Wextra -Wstrict-prototypes \
		-I"$srcdir/include" -fsyntax-only "$scratch/alone.c"
done
for header in "$srcdir"/core/*.h; do
	name=${header#"$srcdir"/}
	printf '#include "config.h"\n#include "%s"\n' "$name" >"$scratch/alone.c"
	# shellcheck disable=SC2086
	compiles "$name compiles alone" $CC $LTDL_CPPFLAGS -Wall -Wextra -I"$builddir" \
		-I"$srcdir/include" -iquote "$srcdir" -iquote "$srcdir/core" -fsyntax-only \
		"$scratch/alone.c"
done

name="public headers compile as C++"
if command -v "${CXX:-c++}" >/dev/null 2>&1; then
	for header in "$srcdir"/include/lophttpd/*.h; do
		echo "#include <${header#"$srcdir"/include/}>"
	done >"$scratch/all.cc"
	compiles "$name" "${CXX:-c++}" -Wall -Wextra -I"$srcdir/include" -fsyntax-only "$scratch/all.cc"
else
	skip "$name" "no C++ compiler"
fi

grep -n '^#[ 	]*include *"' "$srcdir"/modules/*.c "$srcdir"/modules/*/*.[ch] 2>/dev/null |
	grep -v '"config\.h"' | while IFS= read -r line; do
	included=${line#*\"}
	[ -f "$(dirname "${line%%:*}")/${included%\"*}" ] || echo "# $line"
done >"$scratch/private"
cat "$scratch/private"
[ ! -s "$scratch/private" ]
ok "modules include public headers and their own only" $?

finish
