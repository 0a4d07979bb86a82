# SPDX-License-Identifier: BSD-2-Clause
# The module proxy, built beside the others so that one folder holds all.
# Without openssl, proxy speaks to plain upstreams only.
# Without cares, proxy resolves names once, at its start.

# How names become addresses.
names_sources = \
	proxy/names.h \
	proxy/names_answer.h \
	proxy/names_preset.c \
	proxy/names_set.c \
	proxy/names_set.h
if HAVE_CARES
names_sources += \
	proxy/names.c \
	proxy/names_answer.c \
	proxy/names_ares.c \
	proxy/names_ares.h \
	proxy/names_hosts.c \
	proxy/names_hosts.h
else
names_sources += proxy/names_once.c
endif

# TLS to upstreams.
secure_sources = proxy/secure.h
if HAVE_OPENSSL
secure_sources += proxy/secure.c proxy/secure_compat.h
else
secure_sources += proxy/secure_none.c
endif

module_LTLIBRARIES += modules/proxy.la
modules_proxy_la_SOURCES = \
	proxy/answer.c \
	proxy/answer.h \
	proxy/balance.c \
	proxy/balance_ring.c \
	proxy/chunks.c \
	proxy/chunks.h \
	proxy/duration.c \
	proxy/duration.h \
	proxy/exchange.c \
	proxy/exchange.h \
	proxy/exchange_answer.c \
	proxy/exchange_body.c \
	proxy/exchange_head.c \
	proxy/exchange_names.c \
	proxy/exchange_splice.c \
	proxy/exchange_upload.c \
	proxy/forwarded.c \
	proxy/forwarded.h \
	proxy/health.c \
	proxy/health_check.c \
	proxy/health_parse.c \
	proxy/health_parse.h \
	proxy/module.c \
	$(names_sources) \
	proxy/options.c \
	proxy/path.c \
	proxy/path.h \
	proxy/pool.c \
	proxy/pool.h \
	proxy/pool_budget.c \
	proxy/pool_key.c \
	proxy/pool_pick.c \
	proxy/pool_private.h \
	proxy/pool_queue.c \
	proxy/proxy.h \
	proxy/proxy_header.c \
	proxy/proxy_header.h \
	proxy/route.c \
	proxy/route.h \
	proxy/route_translate.c \
	proxy/shared.c \
	$(secure_sources) \
	proxy/shared.h \
	proxy/sticky.c \
	proxy/sticky.h \
	proxy/token.c \
	proxy/token.h \
	proxy/tunnel.c \
	proxy/upstream.c \
	proxy/upstream.h \
	proxy/upstream_cache.c \
	proxy/upstream_private.h \
	proxy/url.c \
	proxy/url.h
modules_proxy_la_CPPFLAGS = $(AM_CPPFLAGS) -iquote $(srcdir)/proxy $(OPENSSL_CFLAGS) $(CARES_CFLAGS)
modules_proxy_la_LIBADD = $(OPENSSL_LIBS) $(CARES_LIBS)

# The same core by another name.
sbin_PROGRAMS += frontend
frontend_SOURCES = proxy/frontend.c
frontend_CFLAGS = $(lhttpd_CFLAGS)
frontend_LDFLAGS = $(lhttpd_LDFLAGS)
frontend_LDADD = $(lhttpd_LDADD)
