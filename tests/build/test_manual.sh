#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154 # make check sets srcdir and builddir
# The manual pages are sound, and what is written of the options is what the program says of them.
# shellcheck source=tests/build/tap.sh
. "$srcdir/tests/build/tap.sh"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/lophttpd-manual.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

page=$srcdir/man/lhttpd.8

# tell WHAT: prints the lines of standard input as diagnostics; fails when there are any.
tell() {
	sed "s|^|# $1: |" >"$scratch/told"
	cat "$scratch/told"
	[ ! -s "$scratch/told" ]
}

# --- form -----------------------------------------------------------------------------------------

for file in "$srcdir"/man/*.[0-9]; do
	name="${file##*/} has no lint"
	if ! command -v mandoc >/dev/null 2>&1; then
		skip "$name" "no mandoc"
		continue
	fi
	# Which other pages are installed here, and known to mandoc, is not the page's fault.
	mandoc -Tlint -W style "$file" 2>&1 |
		grep -v -e 'referenced manual not found' -e 'outdated mandoc.db' | tell lint
	ok "$name" $?
done

# --- what a log provider sees ---------------------------------------------------------------------

# Members, functions and constants of the header, a line each.
tr '\n' ' ' <"$srcdir/include/lophttpd/log.h" |
	sed -e 's|/[*][^*]*[*][*]*\([^/*][^*]*[*][*]*\)*/| |g' | tr -s '[:space:]' '[\n*]' |
	sed -n -e 's/^[*]*\([a-z_]*\);$/\1/p' -e 's/^([*]\([a-z_]*\))(.*/\1/p' \
		-e 's/^\(LOP_LOG_[A-Z_]*\).*/\1/p' | sort -u >"$scratch/names"
sed -n -e '1,/^\.Sh DESCRIPTION/d' -e '/^\.It [FD][av] /p' -e '/^\.[FD][av] /p' \
	"$srcdir/man/lophttpd-log.3" >"$scratch/named"
while read -r name; do
	grep -qw -e "$name" "$scratch/named" || echo "$name"
done <"$scratch/names" | tell "in log.h, not in lophttpd-log.3"
told=$?
[ "$(wc -l <"$scratch/names")" -gt 40 ] && [ $told -eq 0 ]
ok "lophttpd-log.3 describes all of log.h" $?

# --- options --------------------------------------------------------------------------------------

# The options of every module that is installed, all at once.
set --
for module in "$LOPHTTPD_MODULE_PATH"/*.so; do
	name=${module##*/}
	name=${name%.so}
	case $name in skeleton | log_*) continue ;; esac
	set -- "$@" -M "$name"
done
"$LHTTPD" "$@" --help >"$scratch/help" 2>"$scratch/said"
status=$?
tell lhttpd <"$scratch/said"
ok "lhttpd --help works" $status

# Of --help: one line an option, "letter name argument", each "-" when there is none, then its
# text. The text of an option goes on in lines that have nothing else.
awk '
function flush() { if (name != "") print letter, name, argument, text; name = "" }
/^  (-[^-], |    )--/ {
	flush()
	letter = substr($1, 2, 1) # of "--name" the second dash
	at = letter == "-" ? 1 : 2
	name = substr($at, 3)
	argument = "-"
	text = $0
	sub(/^  (-[^-], |    )--[a-z0-9-]+/, "", text)
	if (text ~ /^ [[A-Z]/) { argument = $(at + 1); sub(/^ [^ ]+/, "", text) }
	sub(/^ +/, "", text)
	next
}
name != "" && /^ +[^ ]/ { sub(/^ +/, ""); text = text " " $0; next }
{ flush() }
END { flush() }
' "$scratch/help" >"$scratch/options"

# Of the page: the same, with the text of the item up to the next one, in one line.
awk '
function flush() { if (name != "") print letter, name, argument, text; name = "" }
/^\.It Fl ([^ -] , Fl )?-[a-z]/ {
	flush()
	letter = "-"
	at = 3
	if ($4 == ",") { letter = $3; at = 6 }
	name = substr($at, 2)
	argument = $(at + 1) == "Ar" ? toupper($(at + 2)) : "-"
	text = ""
	next
}
/^\.(It|El|Bl|Ss|Sh)/ { flush(); next }
{ line = $0; sub(/^\.[A-Z][a-z] /, "", line); text = text " " line }
END { flush() }
' "$page" >"$scratch/items"

[ "$(wc -l <"$scratch/options")" -gt 30 ]
ok "the options of --help are found" $?

# spellings FILE: letter, name and argument of each option, sorted.
spellings() {
	cut -d ' ' -f 1-3 "$1" | sort
}
spellings "$scratch/options" >"$scratch/wanted"
spellings "$scratch/items" >"$scratch/described"
comm -23 "$scratch/wanted" "$scratch/described" | tell "in --help, not in lhttpd.8"
ok "lhttpd.8 describes every option of --help" $?
# A module that is not built here is described all the same.
sed -n 's/.*LOP_OPTION([^"]*"\([a-z-]*\)".*/\1/p' "$srcdir"/modules/*.c "$srcdir"/modules/*/*.c |
	sort -u >"$scratch/modules"
comm -13 "$scratch/wanted" "$scratch/described" | while read -r letter name argument; do
	grep -qx -e "$name" "$scratch/modules" || echo "$letter $name $argument"
done | tell "in lhttpd.8, not in --help"
ok "lhttpd.8 describes no other option" $?

# A default that --help tells ends its text: "...; default 20s", or "... (64)".
while read -r _ name _ text; do
	case $text in
	*'; default '*) value=${text##*; default } ;;
	*' ('[0-9]*')') value=${text##*\(} value=${value%)} ;;
	*) continue ;;
	esac
	# Choices of several words are told in words of their own.
	case $value in *' '*) continue ;; esac
	awk -v name="$name" -v value="$value" '
		$2 == name { found = 1; exit index($0 " ", " default is " value " ") == 0 &&
			index($0, " default is " value ".") == 0 }
		END { if (!found) exit 1 }' "$scratch/items" ||
		echo "$name $value"
done <"$scratch/options" >"$scratch/untold"
tell "default not in lhttpd.8" <"$scratch/untold"
ok "lhttpd.8 tells the defaults of --help" $?

# Each directive of frontend is in its page, and each of the page is one of frontend.
sed -n 's/.*{ \.name = "\([a-z-]*\)", \.option.*/\1/p' "$srcdir/proxy/frontend.c" | sort >"$scratch/directives"
sed -n 's/^\.It Cm \([a-z]*\) .*/\1/p' "$srcdir/man/frontend.8" | sort >"$scratch/paged"
[ -s "$scratch/directives" ] && comm -23 "$scratch/directives" "$scratch/paged" | tell "not in frontend.8"
ok "frontend.8 describes every directive" $?
comm -13 "$scratch/directives" "$scratch/paged" | while read -r name; do
	cut -d ' ' -f 2 "$scratch/options" | grep -qx -e "$name" || echo "$name"
done | tell "neither directive nor option"
ok "frontend.8 describes no other directive" $?

# --- mentions -------------------------------------------------------------------------------------

# Those of other programs are known too: of bootstrap, configure, curl, pkg-config, the benchmark. An option
# of the example module is one of a module that is built here.
{
	cut -d ' ' -f 2 "$scratch/options"
	sed -n 's/^[[:space:]]*--\([a-z][a-z-]*\)).*/\1/p' "$srcdir/bootstrap"
	grep -o -e '--[a-z][a-z0-9-]*' "$srcdir/configure.ac" | sed 's/^--//'
	sed -n 's/.*add_argument("--\([a-z-]*\)".*/\1/p' "$srcdir/tests/bench/run"
	sed -n 's/.*LOP_OPTION([^"]*"\([a-z-]*\)".*/\1/p' "$srcdir"/modules/*.c "$srcdir"/modules/*/*.c
	printf '%s\n' cacert cflags libs variable
} | sort -u >"$scratch/known"

# mentioned FILE...: every --name in these files, once.
mentioned() {
	sed -e 's/\.Fl -/ --/g' -e 's/ Fl -/ --/g' "$@" | tr -c 'a-zA-Z0-9=-' '\n' |
		sed -n 's/^--\([a-z][a-z0-9-]*\).*/\1/p' | sort -u
}
for file in "$page" "$srcdir/man/frontend.8" "$srcdir/README.md" "$srcdir"/doc/*.md; do
	mentioned "$file" | comm -23 - "$scratch/known" | tell "unknown option"
	ok "${file#"$srcdir"/} mentions only options that exist" $?
done

# Letters: of the page, of README, and of the commands that are shown anywhere. One that is not in
# --help must be a module's, and lhttpd says so.
{
	sed -n 's/^\.\(It \)*Fl //p' "$page" | tr ' ' '\n' | grep -x '[A-Za-z0-9]'
	grep -o "\`-[A-Za-z0-9][\` ]" "$srcdir/README.md" | cut -c 3
	cat "$page" "$srcdir/README.md" "$srcdir"/doc/*.md | sed -n 's/^.*[$#] lhttpd //p' |
		sed 's/ #.*//' | tr ' ' '\n' | sed -n 's/^-\([A-Za-z0-9]\)$/\1/p'
} | sort -u >"$scratch/letters"
while read -r letter; do
	grep -q "^$letter " "$scratch/options" ||
		"$LHTTPD" "-$letter" value -t 2>&1 | grep -q 'needs the module' ||
		echo "-$letter"
done <"$scratch/letters" >"$scratch/strange"
tell "unknown letter" <"$scratch/strange"
ok "the letters of options that are mentioned exist" $?

finish
