#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154 # make check sets srcdir and builddir
# lhttpd exports what core/api.sym lists, all of it and nothing else.
# shellcheck source=tests/build/tap.sh
. "$srcdir/tests/build/tap.sh"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/lophttpd-exports.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$srcdir/core/api.sym" | sort >"$scratch/listed"

# Darwin's nm knows -g for -D and puts an underscore before each name.
{ ${NM:-nm} -D --defined-only "$LHTTPD" 2>/dev/null || ${NM:-nm} -gU "$LHTTPD"; } |
	awk 'NF >= 3 { print $3 }' | sed -e 's/@.*//' -e 's/^_lop_/lop_/' | sort -u >"$scratch/exported"

grep '^lop_' "$scratch/exported" | comm -23 "$scratch/listed" - >"$scratch/missing"
sed 's/^/# listed, not exported: /' "$scratch/missing"
[ ! -s "$scratch/missing" ]
ok "every function of api.sym is exported" $?

grep '^lop_' "$scratch/exported" | comm -13 "$scratch/listed" - >"$scratch/unlisted"
sed 's/^/# exported, not listed: /' "$scratch/unlisted"
[ ! -s "$scratch/unlisted" ]
ok "every exported function is in api.sym" $?

# What the linker and the C runtime add has a name of its own kind; a sanitizer's runtime exports
# whatever it intercepts.
if [ "$SANITIZERS" = no ]; then
	grep -Ev '^(lop_|_|data_start$|main$|environ$|optarg$|opt|std(in|out|err)$)' "$scratch/exported" \
		>"$scratch/strange"
	sed 's/^/# exported: /' "$scratch/strange"
	[ ! -s "$scratch/strange" ]
	ok "no private function is exported" $?
fi

# Every function that a public header declares LOP_API is one that a module can link with.
sed -n 's/.*LOP_API.*[ *]\(lop_[a-z0-9_]*\)(.*/\1/p' "$srcdir"/include/lophttpd/*.h | sort -u |
	comm -3 "$scratch/listed" - >"$scratch/differs"
sed 's/^/# in api.sym or in a header, not in both: /' "$scratch/differs"
[ ! -s "$scratch/differs" ]
ok "api.sym lists what the public headers declare" $?

finish
