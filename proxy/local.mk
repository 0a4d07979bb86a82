# SPDX-License-Identifier: BSD-2-Clause
# The module proxy, built beside the others so that one folder holds all. Without openssl it speaks
# to plain upstreams only, without cares it knows addresses but no names.

module_LTLIBRARIES += modules/proxy.la
modules_proxy_la_SOURCES = \
	proxy/answer.c \
	proxy/answer.h \
	proxy/duration.c \
	proxy/duration.h \
	proxy/forwarded.c \
	proxy/forwarded.h \
	proxy/module.c \
	proxy/names.h \
	proxy/path.c \
	proxy/path.h \
	proxy/pool.h \
	proxy/proxy_header.c \
	proxy/proxy_header.h \
	proxy/route.c \
	proxy/route.h \
	proxy/route_translate.c \
	proxy/shared.h \
	proxy/sticky.h \
	proxy/url.c \
	proxy/url.h
modules_proxy_la_CPPFLAGS = $(AM_CPPFLAGS) -iquote $(srcdir)/proxy $(OPENSSL_CFLAGS) $(CARES_CFLAGS)
modules_proxy_la_LIBADD = $(OPENSSL_LIBS) $(CARES_LIBS)
