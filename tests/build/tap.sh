# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh
# TAP for shell tests: source it, call ok and skip, end with finish.

number=0
failures=0

# ok NAME STATUS: status 0 is a pass. What went wrong is printed by the caller as `# ...' lines.
ok() {
	number=$((number + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $number - $1"
	else
		failures=$((failures + 1))
		echo "not ok $number - $1"
	fi
}

# skip NAME REASON
skip() {
	number=$((number + 1))
	echo "ok $number - $1 # SKIP $2"
}

finish() {
	echo "1..$number"
	[ "$failures" -eq 0 ]
	exit
}
