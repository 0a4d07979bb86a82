# SPDX-License-Identifier: BSD-2-Clause
# Tests. Every one prints TAP. A new file is one line here; tests/build/test_lists.sh fails when one
# is forgotten.

# Black-box tests over sockets.
behaviour_tests = \
	tests/behaviour/test_autoindex.py \
	tests/behaviour/test_browser.py \
	tests/behaviour/test_clients.py \
	tests/behaviour/test_containment.py \
	tests/behaviour/test_files.py \
	tests/behaviour/test_fresh.py \
	tests/behaviour/test_frontend.py \
	tests/behaviour/test_headers.py \
	tests/behaviour/test_limits.py \
	tests/behaviour/test_listen.py \
	tests/behaviour/test_log.py \
	tests/behaviour/test_log_providers.py \
	tests/behaviour/test_methods.py \
	tests/behaviour/test_names.py \
	tests/behaviour/test_options.py \
	tests/behaviour/test_persistence.py \
	tests/behaviour/test_proxy.py \
	tests/behaviour/test_proxy_answers.py \
	tests/behaviour/test_proxy_balancing.py \
	tests/behaviour/test_proxy_bodies.py \
	tests/behaviour/test_proxy_differential.py \
	tests/behaviour/test_proxy_document.py \
	tests/behaviour/test_proxy_failures.py \
	tests/behaviour/test_proxy_fields.py \
	tests/behaviour/test_proxy_frontend.py \
	tests/behaviour/test_proxy_header.py \
	tests/behaviour/test_proxy_health.py \
	tests/behaviour/test_proxy_load.py \
	tests/behaviour/test_proxy_mapping.py \
	tests/behaviour/test_proxy_names.py \
	tests/behaviour/test_proxy_relay.py \
	tests/behaviour/test_proxy_smuggling.py \
	tests/behaviour/test_proxy_tunnels.py \
	tests/behaviour/test_proxy_upstream_tls.py \
	tests/behaviour/test_ranges.py \
	tests/behaviour/test_sandbox.py \
	tests/behaviour/test_signals.py \
	tests/behaviour/test_slow.py \
	tests/behaviour/test_smuggling.py \
	tests/behaviour/test_special.py \
	tests/behaviour/test_syscalls.py \
	tests/behaviour/test_target.py \
	tests/behaviour/test_tls.py \
	tests/behaviour/test_tls_browser.py \
	tests/behaviour/test_tls_clients.py \
	tests/behaviour/test_tls_http.py \
	tests/behaviour/test_tls_long.py \
	tests/behaviour/test_tls_reload.py \
	tests/behaviour/test_tls_resume.py \
	tests/behaviour/test_tls_start.py \
	tests/behaviour/test_upgrade.py \
	tests/behaviour/test_upload.py \
	tests/behaviour/test_validators.py \
	tests/behaviour/test_vhost.py \
	tests/behaviour/test_workers.py

# Modules of third parties, built outside the tree.
module_tests = \
	tests/module/test_gateway.py \
	tests/module/test_hostile.py \
	tests/module/test_module.py \
	tests/module/test_paces.py

if HAVE_OPENSSL
tls_unit_tests = tests/unit/test_tls_seal tests/unit/test_tls_tickets
endif

# Test programs of one subject each: tests/unit/NAME.c.
unit_tests = \
	tests/unit/test_access_log \
	tests/unit/test_address \
	tests/unit/test_answer \
	tests/unit/test_arena \
	tests/unit/test_autoindex \
	tests/unit/test_balance \
	tests/unit/test_chunked \
	tests/unit/test_chunks \
	tests/unit/test_conditional \
	tests/unit/test_config_file \
	tests/unit/test_date \
	tests/unit/test_fcache \
	tests/unit/test_forwarded \
	tests/unit/test_health \
	tests/unit/test_hooks \
	tests/unit/test_http1_parse \
	tests/unit/test_log_apart \
	tests/unit/test_log_file \
	tests/unit/test_log_format \
	tests/unit/test_log_mmap \
	tests/unit/test_log_open \
	tests/unit/test_log_window \
	tests/unit/test_mime \
	tests/unit/test_module \
	tests/unit/test_names \
	tests/unit/test_options \
	tests/unit/test_output \
	tests/unit/test_pool \
	tests/unit/test_pool_shared \
	tests/unit/test_privileges \
	tests/unit/test_proxy_header \
	tests/unit/test_proxy_write \
	tests/unit/test_range \
	tests/unit/test_root \
	tests/unit/test_route \
	tests/unit/test_route_translate \
	tests/unit/test_sched \
	tests/unit/test_share \
	tests/unit/test_store \
	tests/unit/test_store_named \
	tests/unit/test_target \
	tests/unit/test_timer \
	tests/unit/test_tls_names \
	$(tls_unit_tests) \
	tests/unit/test_upload \
	tests/unit/test_upstream \
	tests/unit/test_upstream_url

# Fuzz targets tests/fuzz/fuzz_NAME.c with their corpora in tests/fuzz/corpus/NAME. Each has its two
# lines below.
FUZZ_TARGETS = \
	tests/fuzz/fuzz_answer \
	tests/fuzz/fuzz_chunked \
	tests/fuzz/fuzz_chunks \
	tests/fuzz/fuzz_config \
	tests/fuzz/fuzz_dns \
	tests/fuzz/fuzz_forwarded \
	tests/fuzz/fuzz_health \
	tests/fuzz/fuzz_host \
	tests/fuzz/fuzz_hosts \
	tests/fuzz/fuzz_listing \
	tests/fuzz/fuzz_digest \
	tests/fuzz/fuzz_map \
	tests/fuzz/fuzz_multipart \
	tests/fuzz/fuzz_proxy_header \
	tests/fuzz/fuzz_range \
	tests/fuzz/fuzz_request \
	tests/fuzz/fuzz_server_name \
	tests/fuzz/fuzz_sticky \
	tests/fuzz/fuzz_target \
	tests/fuzz/fuzz_translate

# A module that shows what the proxy's names become.
check_LTLIBRARIES += tests/names/names_probe.la
tests_names_names_probe_la_SOURCES = tests/names/names_probe.c $(names_sources)
tests_names_names_probe_la_CPPFLAGS = $(AM_CPPFLAGS) -iquote $(srcdir)/proxy $(CARES_CFLAGS)
tests_names_names_probe_la_LDFLAGS = $(AM_LDFLAGS) -rpath $(moduledir)
tests_names_names_probe_la_LIBADD = $(CARES_LIBS)

# The build itself.
build_tests = \
	tests/build/test_doors.sh \
	tests/build/test_exports.sh \
	tests/build/test_hardening.sh \
	tests/build/test_headers.sh \
	tests/build/test_install.sh \
	tests/build/test_libressl.sh \
	tests/build/test_lists.sh \
	tests/build/test_manual.sh

# --- how they are built and run -----------------------------------------------------------------

AM_CPPFLAGS += $(CHECK_CFLAGS)
LDADD = libcore.a $(CHECK_LIBS) $(LTDL_LIBS)

TEST_EXTENSIONS = .py .sh
check_PROGRAMS += $(FUZZ_TARGETS)
if HAVE_CHECK
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
else
TESTS += tests/unit/test_none.sh
endif
# The short ones last, so that a parallel run does not end with waiting for a long one.
TESTS += $(behaviour_tests) $(module_tests) tests/fuzz/test_corpora.sh $(build_tests)

if FUZZING
FUZZ_MAIN =
else
FUZZ_MAIN = tests/fuzz/replay.c
endif
tests_fuzz_fuzz_chunked_SOURCES = tests/fuzz/fuzz_chunked.c $(FUZZ_MAIN)
tests_fuzz_fuzz_chunked_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c $(FUZZ_MAIN)
tests_fuzz_fuzz_config_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_dns_SOURCES = tests/fuzz/fuzz_dns.c proxy/names_answer.c $(FUZZ_MAIN)
tests_fuzz_fuzz_dns_CFLAGS = $(AM_CFLAGS)
tests_fuzz_fuzz_dns_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_hosts_SOURCES = tests/fuzz/fuzz_hosts.c proxy/names_hosts.c $(FUZZ_MAIN)
tests_fuzz_fuzz_hosts_CFLAGS = $(AM_CFLAGS)
tests_fuzz_fuzz_hosts_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_health_SOURCES = tests/fuzz/fuzz_health.c proxy/duration.c proxy/health_parse.c \
	$(FUZZ_MAIN)
tests_fuzz_fuzz_health_CPPFLAGS = $(PROXY_CPPFLAGS)
tests_fuzz_fuzz_health_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_host_SOURCES = tests/fuzz/fuzz_host.c modules/vhost/host.c $(FUZZ_MAIN)
tests_fuzz_fuzz_host_CFLAGS = $(AM_CFLAGS)
tests_fuzz_fuzz_host_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_listing_SOURCES = tests/fuzz/fuzz_listing.c $(AUTOINDEX_PURE) $(FUZZ_MAIN)
tests_fuzz_fuzz_listing_CFLAGS = $(AM_CFLAGS)
tests_fuzz_fuzz_listing_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_digest_SOURCES = tests/fuzz/fuzz_digest.c modules/upload/digest.c $(FUZZ_MAIN)
tests_fuzz_fuzz_digest_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_digest_LDADD = $(LDADD) $(CRYPTO_LIBS)
tests_fuzz_fuzz_multipart_SOURCES = \
	tests/fuzz/fuzz_multipart.c modules/upload/multipart.c $(FUZZ_MAIN)
tests_fuzz_fuzz_multipart_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_proxy_header_SOURCES = tests/fuzz/fuzz_proxy_header.c $(FUZZ_MAIN)
tests_fuzz_fuzz_proxy_header_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_range_SOURCES = tests/fuzz/fuzz_range.c $(FUZZ_MAIN)
tests_fuzz_fuzz_range_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_request_SOURCES = tests/fuzz/fuzz_request.c $(FUZZ_MAIN)
tests_fuzz_fuzz_request_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_sticky_SOURCES = tests/fuzz/fuzz_sticky.c proxy/sticky.c $(FUZZ_MAIN)
tests_fuzz_fuzz_sticky_CPPFLAGS = $(PROXY_CPPFLAGS)
tests_fuzz_fuzz_sticky_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_sticky_LDADD = $(LDADD) $(CRYPTO_LIBS)
tests_fuzz_fuzz_server_name_SOURCES = \
	tests/fuzz/fuzz_server_name.c modules/tls/names.c $(FUZZ_MAIN)
tests_fuzz_fuzz_server_name_CFLAGS = $(AM_CFLAGS)
tests_fuzz_fuzz_server_name_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_target_SOURCES = tests/fuzz/fuzz_target.c $(FUZZ_MAIN)
tests_fuzz_fuzz_target_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

# The parsers of the proxy.
tests_fuzz_fuzz_answer_SOURCES = tests/fuzz/fuzz_answer.c proxy/answer.c proxy/token.c \
	$(FUZZ_MAIN)
tests_fuzz_fuzz_answer_CPPFLAGS = $(PROXY_CPPFLAGS)
tests_fuzz_fuzz_answer_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_chunks_SOURCES = tests/fuzz/fuzz_chunks.c proxy/chunks.c proxy/token.c \
	$(FUZZ_MAIN)
tests_fuzz_fuzz_chunks_CPPFLAGS = $(PROXY_CPPFLAGS)
tests_fuzz_fuzz_chunks_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_forwarded_SOURCES = tests/fuzz/fuzz_forwarded.c proxy/forwarded.c proxy/token.c \
	$(FUZZ_MAIN)
tests_fuzz_fuzz_forwarded_CPPFLAGS = $(PROXY_CPPFLAGS)
tests_fuzz_fuzz_forwarded_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_map_SOURCES = tests/fuzz/fuzz_map.c $(PROXY_ROUTES) $(FUZZ_MAIN)
tests_fuzz_fuzz_map_CPPFLAGS = $(PROXY_CPPFLAGS)
tests_fuzz_fuzz_map_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_translate_SOURCES = tests/fuzz/fuzz_translate.c $(PROXY_ROUTES) $(FUZZ_MAIN)
tests_fuzz_fuzz_translate_CPPFLAGS = $(PROXY_CPPFLAGS)
tests_fuzz_fuzz_translate_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

# Parts of modules that stand alone. Flags of their own give these programs objects of their own,
# apart from libtool's.
AUTOINDEX_PURE = \
	modules/autoindex/query.c \
	modules/autoindex/sort.c \
	modules/autoindex/text.c
tests_unit_test_autoindex_SOURCES = tests/unit/test_autoindex.c $(AUTOINDEX_PURE)
tests_unit_test_autoindex_CFLAGS = $(AM_CFLAGS)
# A module's own parts.
tests_unit_test_store_SOURCES = \
	tests/unit/test_store.c modules/upload/names.c modules/upload/store.c
# The same on a system without unnamed files.
tests_unit_test_store_named_SOURCES = tests/unit/no_tmpfile.h $(tests_unit_test_store_SOURCES)
tests_unit_test_store_named_CPPFLAGS = $(AM_CPPFLAGS) -include $(srcdir)/tests/unit/no_tmpfile.h
tests_unit_test_upload_SOURCES = \
	tests/unit/test_upload.c \
	modules/upload/digest.c \
	modules/upload/multipart.c \
	modules/upload/names.c
tests_unit_test_upload_LDADD = $(LDADD) $(CRYPTO_LIBS)
# The pure parts of proxy/.
PROXY_CPPFLAGS = $(AM_CPPFLAGS) -iquote $(srcdir)/proxy
PROXY_ROUTES = \
	proxy/duration.c \
	proxy/path.c \
	proxy/route.c \
	proxy/route_translate.c \
	proxy/url.c
POOL_PARTS = \
	proxy/balance.c \
	proxy/balance_ring.c \
	proxy/duration.c \
	proxy/health.c \
	proxy/health_check.c \
	proxy/health_parse.c \
	proxy/pool.c \
	proxy/pool_budget.c \
	proxy/pool_key.c \
	proxy/pool_pick.c \
	proxy/pool_queue.c \
	proxy/shared.c \
	proxy/sticky.c \
	proxy/token.c \
	tests/unit/standin.c \
	tests/unit/standin.h
tests_unit_test_balance_SOURCES = tests/unit/test_balance.c $(POOL_PARTS)
tests_unit_test_balance_CPPFLAGS = $(PROXY_CPPFLAGS)
tests_unit_test_balance_LDADD = $(CHECK_LIBS) $(CRYPTO_LIBS)
tests_unit_test_health_SOURCES = tests/unit/test_health.c $(POOL_PARTS)
tests_unit_test_health_CPPFLAGS = $(PROXY_CPPFLAGS)
tests_unit_test_health_LDADD = $(CHECK_LIBS) $(CRYPTO_LIBS)
tests_unit_test_pool_SOURCES = tests/unit/test_pool.c $(POOL_PARTS)
tests_unit_test_pool_CPPFLAGS = $(PROXY_CPPFLAGS)
tests_unit_test_pool_shared_SOURCES = tests/unit/test_pool_shared.c $(POOL_PARTS)
tests_unit_test_pool_shared_CPPFLAGS = $(PROXY_CPPFLAGS)
tests_unit_test_pool_shared_LDADD = $(CHECK_LIBS) $(CRYPTO_LIBS)
tests_unit_test_pool_LDADD = $(CHECK_LIBS) $(CRYPTO_LIBS)
tests_unit_test_answer_SOURCES = tests/unit/test_answer.c proxy/answer.c proxy/token.c
tests_unit_test_answer_CPPFLAGS = $(PROXY_CPPFLAGS)
tests_unit_test_chunks_SOURCES = tests/unit/test_chunks.c proxy/chunks.c proxy/token.c
tests_unit_test_chunks_CPPFLAGS = $(PROXY_CPPFLAGS)
tests_unit_test_upstream_SOURCES = \
	tests/unit/standin.c \
	tests/unit/standin.h \
	tests/unit/test_upstream.c \
	proxy/secure_none.c \
	proxy/upstream.c \
	proxy/upstream_cache.c
tests_unit_test_upstream_CPPFLAGS = $(PROXY_CPPFLAGS)
tests_unit_test_upstream_LDADD = $(CHECK_LIBS)
tests_unit_test_forwarded_SOURCES = tests/unit/test_forwarded.c proxy/forwarded.c proxy/token.c
tests_unit_test_forwarded_CPPFLAGS = $(PROXY_CPPFLAGS)
tests_unit_test_route_SOURCES = tests/unit/test_route.c $(PROXY_ROUTES)
tests_unit_test_route_CPPFLAGS = $(PROXY_CPPFLAGS)
tests_unit_test_route_translate_SOURCES = tests/unit/test_route_translate.c $(PROXY_ROUTES)
tests_unit_test_route_translate_CPPFLAGS = $(PROXY_CPPFLAGS)
tests_unit_test_upstream_url_SOURCES = \
	tests/unit/test_upstream_url.c proxy/duration.c proxy/path.c proxy/url.c
tests_unit_test_upstream_url_CPPFLAGS = $(PROXY_CPPFLAGS)
# Parts of modules; flags of its own give it an object of its own.
tests_unit_test_log_apart_SOURCES = tests/unit/test_log_apart.c modules/log_apart.c
tests_unit_test_log_apart_CFLAGS = $(AM_CFLAGS) -pthread
tests_unit_test_log_apart_LDFLAGS = $(AM_LDFLAGS) -pthread
tests_unit_test_log_window_SOURCES = tests/unit/test_log_window.c modules/log_window.c
tests_unit_test_log_window_CFLAGS = $(AM_CFLAGS)
tests_unit_test_log_mmap_SOURCES = tests/unit/test_log_mmap.c modules/log_mmap.c \
	modules/log_buffer.c modules/log_queue.c modules/log_thread.c modules/log_mapped.c \
	modules/log_window.c modules/log_ahead.c
tests_unit_test_log_mmap_CFLAGS = $(AM_CFLAGS) -pthread
tests_unit_test_log_mmap_LDFLAGS = $(AM_LDFLAGS) -pthread

if SANDBOX_SECCOMP
unit_tests += tests/unit/test_sandbox_rules
endif
tests_unit_test_sandbox_rules_SOURCES = \
	tests/unit/test_sandbox_rules.c \
	modules/sandbox/filter.c \
	modules/sandbox/rules.c
tests_unit_test_sandbox_rules_CFLAGS = $(AM_CFLAGS) $(LIBSECCOMP_CFLAGS)
tests_unit_test_sandbox_rules_LDADD = $(LDADD) $(LIBSECCOMP_LIBS)

# Parts of the proxy.
tests_unit_test_names_SOURCES = \
	tests/unit/test_names.c \
	proxy/names_answer.c \
	proxy/names_hosts.c \
	proxy/names_set.c
tests_unit_test_names_CFLAGS = $(AM_CFLAGS)
tests_unit_test_proxy_write_SOURCES = tests/unit/test_proxy_write.c proxy/proxy_header.c
tests_unit_test_proxy_write_CFLAGS = $(AM_CFLAGS)

tests_unit_test_tls_names_SOURCES = tests/unit/test_tls_names.c modules/tls/names.c
tests_unit_test_tls_names_CFLAGS = $(AM_CFLAGS)
tests_unit_test_tls_seal_SOURCES = \
	tests/unit/test_tls_seal.c \
	modules/tls/seal.c
tests_unit_test_tls_seal_CFLAGS = $(AM_CFLAGS) $(OPENSSL_CFLAGS)
tests_unit_test_tls_seal_LDADD = $(CHECK_LIBS) $(OPENSSL_LIBS)

tests_unit_test_tls_tickets_SOURCES = \
	tests/unit/test_tls_tickets.c \
	modules/tls/bundle.c \
	modules/tls/compat.c \
	modules/tls/files.c \
	modules/tls/tickets.c
tests_unit_test_tls_tickets_CFLAGS = $(AM_CFLAGS) $(OPENSSL_CFLAGS)
tests_unit_test_tls_tickets_LDADD = $(WHOLE_CORE) $(OPENSSL_LIBS)
tests_unit_test_tls_tickets_LDFLAGS = $(AM_LDFLAGS) -export-dynamic

# Linked with all of the core, for modules that they load.
WHOLE_CORE = $(libcore_a_OBJECTS) $(CHECK_LIBS) $(LTDL_LIBS)
tests_unit_test_log_file_LDADD = $(WHOLE_CORE)
tests_unit_test_log_file_LDFLAGS = $(AM_LDFLAGS) -export-dynamic
tests_unit_test_module_LDADD = $(WHOLE_CORE)
tests_unit_test_module_LDFLAGS = $(AM_LDFLAGS) -export-dynamic

LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
PY_LOG_DRIVER = $(LOG_DRIVER)
SH_LOG_DRIVER = $(LOG_DRIVER)
LOG_COMPILER = $(SHELL) $(srcdir)/tests/run
PY_LOG_COMPILER = $(LOG_COMPILER)
SH_LOG_COMPILER = $(LOG_COMPILER)

# What a test may rely on; tests/README.md explains it. Leaks are looked for where a program ends
# in reach of /proc, which a worker that has dropped everything is not.
AM_TESTS_ENVIRONMENT = \
	srcdir='$(abs_top_srcdir)'; export srcdir; \
	builddir='$(abs_top_builddir)'; export builddir; \
	LHTTPD='$(abs_top_builddir)/lhttpd$(EXEEXT)'; export LHTTPD; \
	LOPHTTPD_MODULE_PATH='$(abs_top_builddir)/modules/.libs'; export LOPHTTPD_MODULE_PATH; \
	CC='$(CC)'; export CC; \
	NM='$(NM)'; export NM; \
	MAKE='$(MAKE)'; export MAKE; \
	PYTHON3='$(PYTHON3)'; export PYTHON3; \
	TEST_SHELL='$(SHELL)'; export TEST_SHELL; \
	FUZZ_TARGETS='$(FUZZ_TARGETS)'; export FUZZ_TARGETS; \
	LTDL_CPPFLAGS='$(LTDL_CPPFLAGS)'; export LTDL_CPPFLAGS; \
	SANITIZERS='$(SANITIZERS)'; export SANITIZERS; \
	HARDEN_CFLAGS='$(HARDEN_CFLAGS)'; export HARDEN_CFLAGS; \
	HARDEN_LDFLAGS='$(HARDEN_LDFLAGS)'; export HARDEN_LDFLAGS; \
	PIE_LDFLAGS='$(PIE_LDFLAGS)'; export PIE_LDFLAGS; \
	PKG_CONFIG='$(PKG_CONFIG)'; export PKG_CONFIG; \
	ABI_VERSION='$(LOP_ABI_MAJOR).$(LOP_ABI_MINOR)'; export ABI_VERSION; \
	LOP_TEST_SLOWDOWN="$${LOP_TEST_SLOWDOWN-$(TEST_SLOWDOWN)}"; export LOP_TEST_SLOWDOWN; \
	PYTHONDONTWRITEBYTECODE=1; export PYTHONDONTWRITEBYTECODE; \
	CK_TAP_LOG_FILE_NAME=-; export CK_TAP_LOG_FILE_NAME; \
	CK_VERBOSITY=silent; export CK_VERBOSITY; \
	CK_DEFAULT_TIMEOUT=30; export CK_DEFAULT_TIMEOUT; \
	CK_TIMEOUT_MULTIPLIER='$(TEST_SLOWDOWN)'; export CK_TIMEOUT_MULTIPLIER; \
	case $$f in *.py | */test_privileges*) leaks=0 ;; *) leaks=1 ;; esac; \
	ASAN_OPTIONS="$${ASAN_OPTIONS-detect_leaks=$$leaks}"; export ASAN_OPTIONS; \
	UBSAN_OPTIONS="$${UBSAN_OPTIONS-print_stacktrace=1}"; export UBSAN_OPTIONS; \
	unset MAKEFLAGS MFLAGS MAKELEVEL 2>/dev/null;

# What the tests need besides, for the release.
test_helpers = \
	tests/behaviour/authority.py \
	tests/behaviour/backend.py \
	tests/behaviour/browser.py \
	tests/behaviour/harness.py \
	tests/behaviour/nameserver.py \
	tests/behaviour/processes.py \
	tests/behaviour/secure.py \
	tests/behaviour/server.py \
	tests/behaviour/tap.py \
	tests/behaviour/traffic.py \
	tests/behaviour/trees.py \
	tests/behaviour/websocket.py \
	tests/behaviour/wire.py \
	tests/build/libressl.h \
	tests/build/tap.sh

bench_files = \
	tests/bench/README.md \
	tests/bench/content.py \
	tests/bench/disk.py \
	tests/bench/encrypt.c \
	tests/bench/floor.c \
	tests/bench/idle.c \
	tests/bench/load.c \
	tests/bench/measure.py \
	tests/bench/report.py \
	tests/bench/run \
	tests/bench/servers.py \
	tests/bench/start.c \
	tests/bench/upload.py \
	tests/bench/workloads.py \
	tests/bench/wrk.lua

module_files = \
	tests/module/gateway/gateway.c \
	tests/module/hostile/hostile.c \
	tests/module/log_brief/Makefile.am \
	tests/module/log_brief/configure.ac \
	tests/module/log_brief/log_brief.c \
	tests/module/log_future/log_future.c \
	tests/module/paces/paces.c

EXTRA_DIST += \
	$(behaviour_tests) \
	$(bench_files) \
	$(build_tests) \
	$(module_files) \
	$(module_tests) \
	$(test_helpers) \
	tests/README.md \
	tests/audit \
	tests/coverage \
	tests/fuzz/corpus \
	tests/fuzz/replay.c \
	tests/fuzz/test_corpora.sh \
	tests/run \
	tests/summary \
	tests/unit/test_none.sh \
	tests/vm/ktls.py

shell_files = $(build_tests) tests/build/tap.sh tests/coverage tests/fuzz/test_corpora.sh \
	tests/run tests/summary tests/unit/test_none.sh
