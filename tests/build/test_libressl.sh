#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154 # make check sets srcdir and builddir
# What uses OpenSSL is compiled against a stand-in for LibreSSL (libressl.h), which has what LibreSSL
# has and no more; nothing is linked or run. And configure takes LibreSSL from its oldest version on.
# shellcheck source=tests/build/tap.sh
. "$srcdir/tests/build/tap.sh"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/lophttpd-libressl.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

mkdir "$scratch/openssl"
for header in bio crypto dh err evp hmac ocsp pem rand ssl x509 x509v3; do
	echo '#include "libressl.h"' >"$scratch/openssl/$header.h"
done

# cc ARGUMENT...: the compiler, as the build would call it with LibreSSL.
cc() {
	# shellcheck disable=SC2086 # CC may hold options
	$CC -D_GNU_SOURCE -DHAVE_OPENSSL=1 -Wall -Wextra -Wshadow -Wcast-qual -Werror \
		-I"$scratch" -I"$srcdir/tests/build" -I"$builddir" -I"$srcdir/include" \
		-iquote "$srcdir/core" -iquote "$srcdir/proxy" "$@"
}

# reads FILE: the headers of the library that it reads, itself or by way of others, a line each.
reads() {
	cc -M -MG "$1" | tr -s ' ' '\n' | grep -E '(^|/)openssl/'
}

# compiles FILE: without a warning, and without a header that LibreSSL does not have. What is wrong is
# in $scratch/said.
compiles() {
	reads "$1" | grep -v "^$scratch/" >"$scratch/said" && return 1
	cc -fsyntax-only "$1" >"$scratch/said" 2>&1
}

for folder in "$srcdir/core" "$srcdir/modules" "$srcdir"/modules/* "$srcdir/proxy"; do
	cat "$folder"/*.[ch] 2>/dev/null | grep -q '<openssl/' || continue
	for file in "$folder"/*.c; do
		reads "$file" >/dev/null || continue
		compiles "$file"
		status=$?
		[ $status = 0 ] || sed 's/^/# /' "$scratch/said"
		ok "${file#"$srcdir"/} compiles" $status
	done
done

# refused NAME: the file on standard input does not compile.
refused() {
	cat >"$scratch/wrong.c"
	! compiles "$scratch/wrong.c"
	ok "$1 is refused" $?
}

refused "a function that LibreSSL does not have" <<'END'
#include <openssl/ssl.h>
void f(SSL_CTX *context);
void f(SSL_CTX *context)
{
	SSL_CTX_set_client_hello_cb(context, NULL, NULL);
}
END
refused "a constant that LibreSSL does not have" <<'END'
#include <openssl/ssl.h>
long f(SSL_CTX *context);
long f(SSL_CTX *context)
{
	return SSL_CTX_set_options(context, SSL_OP_ENABLE_KTLS);
}
END
refused "a header that LibreSSL does not have" <<'END'
#include <openssl/core_names.h>
END

# configured VERSION: what configure says of a LibreSSL of that version.
configured() {
	echo "#define LIBRESSL_VERSION_NUMBER $1" >"$scratch/old/openssl/opensslv.h"
	(cd "$scratch/out" && "$srcdir/configure" -C CC="$CC" OPENSSL_CFLAGS="-I$scratch/old" \
		OPENSSL_LIBS="$scratch/old/ssl.o") >"$scratch/said" 2>&1 || return 1
	sed -n 's/^    openssl *\(.*\);.*/\1/p' "$scratch/said"
}

# configures NAME VERSION WANTED
configures() {
	said=$(configured "$2")
	[ "$said" = "$3" ]
	status=$?
	[ $status = 0 ] || tail -n 5 "$scratch/said" | sed 's/^/# /'
	ok "$1" $status
}

if [ -e "$srcdir/config.status" ]; then
	skip "configure and LibreSSL" "the source folder itself is configured"
	finish
fi
mkdir "$scratch/out" "$scratch/old" "$scratch/old/openssl"
echo 'void SSL_CTX_new(void);' >"$scratch/old/openssl/ssl.h"
# shellcheck disable=SC2086
echo 'void SSL_CTX_new(void); void SSL_CTX_new(void) {}' |
	$CC -x c -c -o "$scratch/old/ssl.o" - || exit 1
configures "configure takes LibreSSL 4.1" 0x4010000fL "found LibreSSL"
configures "configure refuses an older one" 0x4000000fL \
	"found LibreSSL, but cannot use it: it must be 4.1 or later"
finish
