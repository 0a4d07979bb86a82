dnl SPDX-License-Identifier: BSD-2-Clause
dnl Libraries that the build can do without, and libltdl, which it cannot.

dnl LOP_LIBRARY(NAME, PKG-CONFIG SPEC, HEADER, FUNCTION, FALLBACK LIBS, TITLE, [AFTER HEADER])
dnl
dnl Looks for a library with pkg-config when there is one and with FALLBACK LIBS else, unless
dnl --without-NAME was given; with --with-NAME it must be there. FUNCTION is one that the oldest
dnl usable version has, or AFTER HEADER is C that only usable versions compile. Sets NAME_CFLAGS,
dnl NAME_LIBS (upper case), the automake conditional and the C macro HAVE_NAME, and for the summary
dnl have_NAME (yes or no) and found_NAME (a few words).
AC_DEFUN([LOP_LIBRARY], [
m4_pushdef([LOP_UP], m4_toupper([$1]))
AC_ARG_WITH([$1], [AS_HELP_STRING([--without-$1], [build without $6])], [], [with_$1=auto])
have_$1=no
found_$1="left out by --without-$1"
AS_IF([test "x$with_$1" != xno], [
	AC_MSG_CHECKING([for $6])
	lop_version=
	AS_IF([test -z "$LOP_UP[]_LIBS" && test -n "$PKG_CONFIG" && $PKG_CONFIG --exists "$2"], [
		LOP_UP[]_CFLAGS=`$PKG_CONFIG --cflags "$2"`
		LOP_UP[]_LIBS=`$PKG_CONFIG --libs "$2"`
		lop_version=`$PKG_CONFIG --modversion m4_bregexp([$2], [^[^ ]*], [\&])`
	])
	: "${LOP_UP[]_LIBS=$5}"
	lop_saved_CPPFLAGS=$CPPFLAGS
	lop_saved_LIBS=$LIBS
	CPPFLAGS="$CPPFLAGS $LOP_UP[]_CFLAGS"
	LIBS="$LOP_UP[]_LIBS $LIBS"
	AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <$3>
$7]], [[return (void (*)(void)) $4 == 0;]])],
		[have_$1=yes
		 found_$1="found${lop_version:+ $lop_version}"
		 AC_DEFINE([HAVE_]LOP_UP, [1], [Define to 1 when $6 is there.])],
		[found_$1="$6 not found"
		 LOP_UP[]_CFLAGS= LOP_UP[]_LIBS=])
	CPPFLAGS=$lop_saved_CPPFLAGS
	LIBS=$lop_saved_LIBS
	AC_MSG_RESULT([$have_$1])
], [LOP_UP[]_CFLAGS= LOP_UP[]_LIBS=])
AS_IF([test "x$with_$1" = xyes && test "x$have_$1" = xno],
	[AC_MSG_ERROR([--with-$1 was given, but $6 was not found: install its development files])])
AM_CONDITIONAL([HAVE_]LOP_UP, [test "x$have_$1" = xyes])
AC_ARG_VAR(LOP_UP[]_CFLAGS, [compiler flags for $6])
AC_ARG_VAR(LOP_UP[]_LIBS, [linker flags for $6])
m4_append_uniq([lop_library_names], [$1], [ ])
m4_popdef([LOP_UP])
])

dnl LOP_LTDL: libltdl has no pkg-config file and lives below a prefix that the compiler does not
dnl search on FreeBSD and with Homebrew or MacPorts. Sets LTDL_CPPFLAGS and LTDL_LIBS or ends
dnl configure.
AC_DEFUN([LOP_LTDL], [
AC_MSG_CHECKING([for libltdl])
lop_found=no
lop_brew=`(brew --prefix libtool) 2>/dev/null`
lop_saved_CPPFLAGS=$CPPFLAGS
lop_saved_LIBS=$LIBS
for lop_prefix in '' $lop_brew /opt/homebrew /usr/local /usr/pkg /opt/local; do
	AS_IF([test -n "$lop_prefix" && test ! -f "$lop_prefix/include/ltdl.h"], [continue])
	LTDL_CPPFLAGS=${lop_prefix:+-I$lop_prefix/include}
	LTDL_LIBS="${lop_prefix:+-L$lop_prefix/lib }-lltdl"
	CPPFLAGS="$lop_saved_CPPFLAGS $LTDL_CPPFLAGS"
	LIBS="$LTDL_LIBS $lop_saved_LIBS"
	AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <ltdl.h>]], [[
		lt_dladvise advise;
		return lt_dlinit() || lt_dladvise_init(&advise) || lt_dladvise_local(&advise) ||
		       lt_dladvise_resident(&advise) || !lt_dlopenadvise("", advise);]])],
		[lop_found=yes; break])
	# A cross compiler must not look at this machine's folders.
	AS_IF([test "x$cross_compiling" = xyes], [break])
done
CPPFLAGS=$lop_saved_CPPFLAGS
LIBS=$lop_saved_LIBS
AC_MSG_RESULT([$lop_found])
AS_IF([test "x$lop_found" = xno], [AC_MSG_ERROR(m4_normalize([
	libltdl and ltdl.h, which open modules, were not found: install libltdl-dev (Debian, Ubuntu),
	libtool-ltdl-devel (Fedora), libltdl and libtool (Alpine, FreeBSD) or libtool (Homebrew), or
	point CPPFLAGS and LDFLAGS at them]))])
AC_SUBST([LTDL_CPPFLAGS])
AC_SUBST([LTDL_LIBS])
])
