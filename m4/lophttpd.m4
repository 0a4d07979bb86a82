dnl SPDX-License-Identifier: BSD-2-Clause
dnl For configure scripts of modules that are built outside lophttpd's tree.

# LOP_MODULE([ABI-MAJOR.MINOR], [ACTION-IF-FOUND], [ACTION-IF-NOT-FOUND])
# -----------------------------------------------------------------------
# Finds the installed headers of lophttpd with pkg-config and sets, for the Makefile:
#
#   LOPHTTPD_CFLAGS     compile a module with these
#   LOPHTTPD_LIBS       link it with these (they make a shared object; there is no library)
#   LOPHTTPD_MODULEDIR  install it here
#   LOPHTTPD_ABI        the ABI of the installed server, MAJOR.MINOR
#
# With a first argument the installed server must have this ABI major and at least this minor.
# Without a third argument configure ends with a message when something is missing. The user may
# set each variable to keep pkg-config out. For example:
#
#   LOP_MODULE([1.0])
#
# and in Makefile.in:
#
#   log_mine.so: log_mine.c
#   	$(CC) $(CFLAGS) $(LOPHTTPD_CFLAGS) -o $@ log_mine.c $(LDFLAGS) $(LOPHTTPD_LIBS)
AC_DEFUN([LOP_MODULE], [
AC_REQUIRE([AC_PROG_CC])
AC_ARG_VAR([LOPHTTPD_CFLAGS], [compiler flags for a lophttpd module])
AC_ARG_VAR([LOPHTTPD_LIBS], [linker flags for a lophttpd module])
AC_ARG_VAR([LOPHTTPD_MODULEDIR], [folder that lhttpd loads modules from])
AC_ARG_VAR([PKG_CONFIG], [path of pkg-config])
AS_IF([test -z "$PKG_CONFIG"], [AC_PATH_TOOL([PKG_CONFIG], [pkg-config])])
AC_MSG_CHECKING([for lophttpd])
lop_problem=
LOPHTTPD_ABI=
AS_IF([test -n "$PKG_CONFIG" && $PKG_CONFIG --exists lophttpd], [
	: "${LOPHTTPD_CFLAGS=`$PKG_CONFIG --cflags lophttpd`}"
	: "${LOPHTTPD_LIBS=`$PKG_CONFIG --libs lophttpd`}"
	: "${LOPHTTPD_MODULEDIR=`$PKG_CONFIG --variable=moduledir lophttpd`}"
	LOPHTTPD_ABI=`$PKG_CONFIG --variable=abi_version lophttpd`
], [test -z "$LOPHTTPD_CFLAGS" || test -z "$LOPHTTPD_LIBS" || test -z "$LOPHTTPD_MODULEDIR"], [
	lop_problem="lophttpd.pc was not found: install lophttpd or set PKG_CONFIG_PATH"
])
m4_ifval([$1], [
AS_IF([test -n "$LOPHTTPD_ABI"], [
	lop_major=`AS_ECHO(["$LOPHTTPD_ABI"]) | sed 's/[[.]].*//'`
	lop_minor=`AS_ECHO(["$LOPHTTPD_ABI"]) | sed 's/.*[[.]]//'`
	AS_IF([test "$lop_major" -ne m4_bpatsubst([$1], [\..*]) ||
	       test "$lop_minor" -lt m4_bpatsubst([$1], [.*\.])],
		[lop_problem="the installed lophttpd has module ABI $LOPHTTPD_ABI, $1 is needed"])
])])
AC_SUBST([LOPHTTPD_ABI])
AS_IF([test -n "$lop_problem"], [
	AC_MSG_RESULT([no])
	m4_default([$3], [AC_MSG_ERROR([$lop_problem])])
], [
	AC_MSG_RESULT([yes${LOPHTTPD_ABI:+, module ABI $LOPHTTPD_ABI}])
	$2
])
])
