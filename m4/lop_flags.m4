dnl SPDX-License-Identifier: BSD-2-Clause
dnl Compiler and linker flags that are used only where they are accepted.

dnl LOP_COMPILE_FLAGS(VARIABLE, FLAG...): appends to VARIABLE each of the blank-separated flags
dnl that the compiler takes without a word. Flags that belong together are quoted as one.
AC_DEFUN([LOP_COMPILE_FLAGS], [
for lop_flag in $2; do
	AC_MSG_CHECKING([whether $CC accepts $lop_flag])
	lop_saved_CFLAGS=$CFLAGS
	CFLAGS="$CFLAGS $lop_flag -Werror"
	AC_COMPILE_IFELSE([AC_LANG_SOURCE([[
#include <string.h>
int main(int count, char **values);
int main(int count, char **values)
{
	char copy[8] = "";
	if (count > 0)
		strncpy(copy, values[0], sizeof(copy) - 1);
	return copy[0] == '/';
}
]])],
		[AC_MSG_RESULT([yes])
		 AS_VAR_APPEND([$1], [" $lop_flag"])],
		[AC_MSG_RESULT([no])])
	CFLAGS=$lop_saved_CFLAGS
done
])

dnl LOP_LINK_FLAGS(VARIABLE, FLAG...): the same for the linker.
AC_DEFUN([LOP_LINK_FLAGS], [
for lop_flag in $2; do
	AC_MSG_CHECKING([whether linking accepts $lop_flag])
	lop_saved_LDFLAGS=$LDFLAGS
	lop_saved_CFLAGS=$CFLAGS
	CFLAGS="$CFLAGS $PIE_CFLAGS -Werror"
	LDFLAGS="$LDFLAGS $lop_flag"
	AC_LINK_IFELSE([AC_LANG_SOURCE([[int main(void) { return 0; }]])],
		[AC_MSG_RESULT([yes])
		 AS_VAR_APPEND([$1], [" $lop_flag"])],
		[AC_MSG_RESULT([no])])
	CFLAGS=$lop_saved_CFLAGS
	LDFLAGS=$lop_saved_LDFLAGS
done
])

dnl LOP_HARDENING: sets HARDEN_CFLAGS, HARDEN_CPPFLAGS, HARDEN_LDFLAGS, PIE_CFLAGS, PIE_LDFLAGS
dnl unless --disable-hardening was given. _FORTIFY_SOURCE needs an optimizing compiler, and its
dnl wrappers hide calls from the sanitizers.
AC_DEFUN([LOP_HARDENING], [
AC_ARG_ENABLE([hardening],
	[AS_HELP_STRING([--disable-hardening], [leave out PIE, RELRO, stack protector and the like])],
	[], [enable_hardening=yes])
PIE_CFLAGS= PIE_LDFLAGS= HARDEN_CPPFLAGS= HARDEN_CFLAGS= HARDEN_LDFLAGS=
AS_IF([test "x$enable_hardening" != xno], [
	LOP_COMPILE_FLAGS([PIE_CFLAGS], [-fPIE])
	LOP_LINK_FLAGS([PIE_LDFLAGS], [-pie])
	LOP_COMPILE_FLAGS([HARDEN_CFLAGS],
		[-fstack-protector-strong -fstack-clash-protection -fcf-protection])
	LOP_LINK_FLAGS([HARDEN_LDFLAGS], [-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack])
	AS_CASE(["$lop_instrumented $CFLAGS"],
		[yes*], [],
		[*-O@<:@1-9sz@:>@*|*-Ofast*], [
			LOP_COMPILE_FLAGS([HARDEN_CPPFLAGS], ["-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3"])
			AS_IF([test -z "$HARDEN_CPPFLAGS"],
				[LOP_COMPILE_FLAGS([HARDEN_CPPFLAGS],
					["-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"])])])
])
AC_SUBST([PIE_CFLAGS])
AC_SUBST([PIE_LDFLAGS])
AC_SUBST([HARDEN_CPPFLAGS])
AC_SUBST([HARDEN_CFLAGS])
AC_SUBST([HARDEN_LDFLAGS])
])
