#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154 # make check sets srcdir and builddir
# What is built is hardened as configure promised.
# shellcheck source=tests/build/tap.sh
. "$srcdir/tests/build/tap.sh"

case $HARDEN_LDFLAGS in
*relro*now*) ;;
*)
	skip "programs and modules are hardened" "configure found or was told no linker flags for it"
	finish ;;
esac
if ! command -v "${READELF:=readelf}" >/dev/null 2>&1; then
	skip "programs and modules are hardened" "no readelf"
	finish
fi

for object in "$LHTTPD" "$LOPHTTPD_MODULE_PATH"/*.so; do
	name=${object##*/}
	headers=$($READELF -lW "$object")
	dynamic=$($READELF -dW "$object")

	printf '%s\n' "$headers" | grep -q GNU_RELRO
	ok "$name has read-only relocations" $?
	printf '%s\n' "$dynamic" | grep -Eq 'BIND_NOW|FLAGS.*NOW'
	ok "$name is bound at its start" $?
	! printf '%s\n' "$headers" | grep -q "GNU_STACK.* RWE "
	ok "$name has no executable stack" $?
	! printf '%s\n' "$headers" | grep -E '^ *LOAD' | grep -q 'RWE'
	ok "$name has no memory that can be written and executed" $?
	! printf '%s\n' "$dynamic" | grep -q TEXTREL
	ok "$name has no text relocations" $?
done

if [ -n "$PIE_LDFLAGS" ]; then
	$READELF -hW "$LHTTPD" | grep -q 'Type:.*DYN'
	ok "lhttpd is position independent" $?
fi
case $HARDEN_CFLAGS in
*stack-protector*)
	$READELF -sW "$LHTTPD" | grep -q '__stack_chk_fail'
	ok "lhttpd guards its stack" $? ;;
esac

finish
