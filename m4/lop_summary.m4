dnl SPDX-License-Identifier: BSD-2-Clause
dnl What configure says at its end. The modules are read from the lists below, so a module that is
dnl added there appears here by itself, under the library whose conditional surrounds it.

dnl LOP_MODULE_FILES: the lists of modules.
AC_DEFUN([LOP_MODULE_FILES], ["$srcdir/modules/local.mk" "$srcdir/proxy/local.mk"])

dnl LOP_MODULE_LIST: sets lop_module_list to words of the form NAME:LIBRARY:INSTALLED, where
dnl LIBRARY is empty for a module that needs none. INSTALLED is yes, no, or "plain" for one that
dnl stands under `if !INSTRUMENTED' as well.
AC_DEFUN([LOP_MODULE_LIST], [
lop_module_list=`$AWK '
	/^if HAVE_/ { library = tolower(substr($[]2, 6)) }
	/^if !INSTRUMENTED/ { plain = 1 }
	/^endif/ { library = ""; plain = 0 }
	/^[[a-z]]*_LTLIBRARIES \+= / {
		name = $[]3
		sub(/^.*\//, "", name)
		sub(/\.la$/, "", name)
		print name ":" library ":" ($[]1 !~ /^module_/ ? "no" : plain ? "plain" : "yes")
	}' LOP_MODULE_FILES`
])

dnl A module that is built in any case, but with less in it, says so in its list by a line of comment
dnl for each library: "Without LIBRARY, NAME does this or that."

dnl LOP_SUMMARY_MODULES: one line a module, then one line a library of LOP_LIBRARY.
AC_DEFUN([LOP_SUMMARY_MODULES], [
LOP_MODULE_LIST
AS_ECHO(["  modules"])
for lop_entry in $lop_module_list; do
	lop_name=${lop_entry%%:*}
	lop_library=${lop_entry#*:}
	lop_installed=${lop_library#*:}
	lop_library=${lop_library%:*}
	lop_state=built
	AS_IF([test "$lop_installed" = no], [lop_state="built, not installed"])
	AS_IF([test "$lop_installed" = plain && test "$lop_instrumented" = yes],
		[lop_state="left out: sanitizers and coverage make calls that it forbids"])
	AS_IF([test -n "$lop_library"], [
		AS_VAR_COPY([lop_have], [have_$lop_library])
		AS_VAR_COPY([lop_words], [found_$lop_library])
		AS_IF([test "$lop_have" = no], [lop_state="not built: $lop_words"])
	])
	for lop_library in $1; do
		lop_less=`$SED -n "s/^. Without $lop_library, $lop_name \(.*\)[[.]]/\1/p" \
			LOP_MODULE_FILES`
		AS_VAR_COPY([lop_have], [have_$lop_library])
		AS_IF([test -n "$lop_less" && test "$lop_have" = no], [
			AS_CASE([$lop_state],
				[built*], [lop_state="$lop_state, but $lop_less: no $lop_library"])
		])
	done
	printf '    %-14s %s\n' "$lop_name" "$lop_state"
done
AS_ECHO(["  libraries"])
for lop_library in $1; do
	AS_VAR_COPY([lop_words], [found_$lop_library])
	lop_users=`cat LOP_MODULE_FILES |
		$SED -n "s/^. Without $lop_library, \([[a-z_]]*\) .*/ \1/p" | tr -d '\n'`
	for lop_entry in $lop_module_list; do
		AS_CASE([$lop_entry],
			[*:$lop_library:*], [AS_VAR_APPEND([lop_users], [" ${lop_entry%%:*}"])])
	done
	AS_IF([test -n "$lop_users"], [lop_users="used by$lop_users"],
		[lop_users="no module that uses it is built yet"])
	printf '    %-14s %s\n' "$lop_library" "$lop_words; $lop_users"
done
])
