#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154 # make check sets srcdir and builddir
# Nothing that lies in the tree is forgotten in the lists of the build.
# shellcheck source=tests/build/tap.sh
. "$srcdir/tests/build/tap.sh"

# listed NAME FRAGMENT FILE...: each file, without its .c, stands in the fragment as a word.
listed() {
	name=$1
	fragment=$2
	shift 2
	status=0
	for file; do
		[ -e "$file" ] || continue
		file=${file#"$srcdir"/}
		pattern=$(printf '%s' "${file%.c}" | sed 's/[.]/[.]/g')
		if ! grep -Eq "(^|[[:space:]])$pattern([.](c|la))?([[:space:]]|\$)" "$srcdir/$fragment"; then
			echo "# $file is not in $fragment"
			status=1
		fi
	done
	ok "$name" $status
}

listed "every public header is installed" include/local.mk "$srcdir"/include/lophttpd/*.h
listed "every source of the core is built" core/local.mk "$srcdir"/core/*.[ch]
listed "every module is built" modules/local.mk "$srcdir"/modules/*.c \
	"$srcdir"/modules/*/*.[ch]
listed "every source of the proxy is built" proxy/local.mk "$srcdir"/proxy/*.[ch]
listed "every icon is installed" modules/local.mk "$srcdir"/icons/*.svg
listed "every unit test runs" tests/local.mk "$srcdir"/tests/unit/test_*.c
listed "every behaviour test runs" tests/local.mk "$srcdir"/tests/behaviour/test_*.py
listed "every helper of the tests is released" tests/local.mk "$srcdir"/tests/behaviour/*.py \
	"$srcdir"/tests/build/*.sh "$srcdir"/tests/unit/*.h "$srcdir"/tests/fuzz/*.h
listed "every file of the benchmark is released" tests/local.mk "$srcdir"/tests/bench/*.*
listed "every test of outside modules runs" tests/local.mk "$srcdir"/tests/module/test_*.py \
	"$srcdir"/tests/module/*/*.*
listed "every fuzz target replays its corpus" tests/local.mk "$srcdir"/tests/fuzz/fuzz_*.c
listed "every build test runs" tests/local.mk "$srcdir"/tests/build/test_*.sh
listed "every manual page and document is installed" doc/local.mk "$srcdir"/man/*.[0-9] \
	"$srcdir"/doc/*.md "$srcdir"/doc/*.conf

status=0
for source in "$srcdir"/tests/fuzz/fuzz_*.c; do
	[ -e "$source" ] || continue
	name=${source##*/fuzz_}
	if [ -z "$(ls "$srcdir/tests/fuzz/corpus/${name%.c}" 2>/dev/null)" ]; then
		echo "# tests/fuzz/corpus/${name%.c} is empty or missing"
		status=1
	fi
done
ok "every fuzz target has a corpus" $status

finish
