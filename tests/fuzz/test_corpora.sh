#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154 # make check sets srcdir and builddir
# Replays the corpus of each fuzz target: one test a target.
# shellcheck source=tests/build/tap.sh
. "$srcdir/tests/build/tap.sh"

for target in $FUZZ_TARGETS; do
	name=${target##*/fuzz_}
	corpus=$srcdir/tests/fuzz/corpus/${name%.exe}
	count=$(find "$corpus" -type f | wc -l)
	# -runs=0 is for libFuzzer: read the corpus, look for nothing new.
	said=$("./$target" -runs=0 "$corpus" 2>&1)
	status=$?
	if [ "$status" -ne 0 ]; then
		printf '%s\n' "$said" | tail -n 60 | sed 's/^/# /'
		echo "# exit status $status"
	fi
	[ "$count" -gt 0 ] || status=1
	ok "$name survives $((count)) inputs" "$status"
done

finish
