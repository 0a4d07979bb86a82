#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154 # make check sets srcdir and builddir
# make install puts everything below DESTDIR, what is installed is enough to build a module with, and
# make uninstall leaves nothing behind.
# shellcheck source=tests/build/tap.sh
. "$srcdir/tests/build/tap.sh"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/lophttpd-install.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

# quietly COMMAND...: what it says is told only when it fails.
quietly() {
	"$@" >"$scratch/said" 2>&1 && return
	sed 's/^/# /' "$scratch/said"
	return 1
}

# shellcheck disable=SC2317 # called by quietly
in_build() {
	(cd "$builddir" && "$MAKE" "$@")
}

quietly in_build install DESTDIR="$scratch/root"
ok "make install works with DESTDIR" $?

status=0
for file in sbin/lhttpd sbin/frontend man8/frontend.8 lophttpd/sample.conf lophttpd/proxy.so \
	include/lophttpd/log.h lophttpd/log_file.so \
	lophttpd/autoindex.so lophttpd/vhost.so lophttpd/icons/folder.svg pkgconfig/lophttpd.pc \
	aclocal/lophttpd.m4; do
	# The prefix differs (make distcheck has its own); what lies below does not.
	if [ -z "$(find "$scratch/root" -path "*/$file")" ]; then
		echo "# no $file"
		status=1
	fi
done
ok "programs, headers, modules and build files are installed" $status

[ -z "$(find "$scratch/root" -name '*.la' -o -name 'skeleton.so')" ]
ok "no libtool files and no example are installed" $?

# The programs find the modules where they were installed; a name says which program it is.
module_folder=$(dirname "$(find "$scratch/root" -name proxy.so)")
status=0
for program in lhttpd frontend; do
	said=$(LOPHTTPD_MODULE_PATH=$module_folder \
		"$(find "$scratch/root" -path "*/sbin/$program")" -V 2>&1)
	case $said in
	"$program "*) ;;
	*)
		echo "# $said"
		status=1
		;;
	esac
done
ok "the installed programs run" $status

# --- a module of a third party --------------------------------------------------------------------

name="LOP_MODULE finds an installed server"
if ! command -v autoconf >/dev/null 2>&1 || ! command -v aclocal >/dev/null 2>&1; then
	skip "$name" "no autoconf"
elif [ -z "$PKG_CONFIG" ]; then
	skip "$name" "no pkg-config"
else
	PKG_CONFIG_SYSROOT_DIR=$scratch/root
	PKG_CONFIG_PATH=$(find "$scratch/root" -type d -name pkgconfig)
	export PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_PATH
	mkdir "$scratch/module" && cd "$scratch/module" || exit 1
	cat >template.ac <<'EOF'
AC_INIT([log_mine], [1.0])
AC_PROG_CC
LOP_MODULE(ABI)
AC_CONFIG_FILES([Makefile])
AC_OUTPUT
EOF
	cat >Makefile.in <<'EOF'
log_mine.so: log_mine.c
	@CC@ @CFLAGS@ @LOPHTTPD_CFLAGS@ -o $@ log_mine.c @LDFLAGS@ @LOPHTTPD_LIBS@
EOF
	cat >log_mine.c <<'EOF'
#include <lophttpd/log.h>
LOP_EXPORT_MODULE = { LOP_MODULE_HEADER("log_mine", "1.0", "a log provider", 0) };
EOF
	# configured_for ABI: runs a configure script that asks for this ABI.
	configured_for() {
		rm -rf autom4te.cache configure aclocal.m4
		sed "s/(ABI)/([$1])/" template.ac >configure.ac &&
			aclocal -I "$(find "$scratch/root" -type d -name aclocal)" &&
			autoconf &&
			./configure CC="$CC"
	}
	quietly configured_for "$ABI_VERSION" && quietly "$MAKE" && [ -s log_mine.so ]
	ok "$name" $?
	configured_for "${ABI_VERSION%.*}.99" >"$scratch/said" 2>&1
	status=$?
	grep -q "has module ABI $ABI_VERSION, ${ABI_VERSION%.*}.99 is needed" "$scratch/said" && [ $status -ne 0 ]
	ok "LOP_MODULE refuses a server that is too old and names both versions" $?
	cd / || exit 1
fi

# --- and away again -------------------------------------------------------------------------------

quietly in_build uninstall DESTDIR="$scratch/root"
ok "make uninstall works" $?
find "$scratch/root" ! -type d >"$scratch/left"
sed 's/^/# left: /' "$scratch/left"
[ ! -s "$scratch/left" ]
ok "make uninstall leaves no file" $?

finish
