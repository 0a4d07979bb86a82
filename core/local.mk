# SPDX-License-Identifier: BSD-2-Clause
# The program. libcore.a is all of it but main(), for unit tests and fuzz targets; lhttpd is linked
# with the objects themselves, because modules use functions that the core alone would not pull in.

sbin_PROGRAMS += lhttpd
noinst_LIBRARIES += libcore.a

libcore_a_SOURCES = \
	core/accept.c \
	core/access_log.c \
	core/access_log.h \
	core/address.c \
	core/address.h \
	core/address_range.c \
	core/address_range.h \
	core/arena.c \
	core/arena.h \
	core/chunked.c \
	core/chunked.h \
	core/conditional.c \
	core/conditional.h \
	core/config_file.c \
	core/config_file.h \
	core/conn.c \
	core/conn.h \
	core/conn_api.c \
	core/conn_proxy.c \
	core/control.c \
	core/control.h \
	core/core.h \
	core/daemon.c \
	core/daemon.h \
	core/date.c \
	core/date.h \
	core/error_page.c \
	core/error_page.h \
	core/fcache.c \
	core/fcache.h \
	core/fcache_entry.c \
	core/fcache_entry.h \
	core/field_bytes.c \
	core/field_bytes.h \
	core/file.c \
	core/hooks.c \
	core/hooks.h \
	core/http1.c \
	core/http1.h \
	core/http1_body.c \
	core/http1_gateway.c \
	core/http1_parse.c \
	core/http1_parse.h \
	core/http1_head.c \
	core/http1_private.h \
	core/http1_send.c \
	core/landlock.c \
	core/landlock.h \
	core/list.h \
	core/listen.c \
	core/listen.h \
	core/listen_beside.c \
	core/listen_socket.c \
	core/listen_wanted.c \
	core/log_clock.c \
	core/log_clock.h \
	core/log_escape.c \
	core/log_escape.h \
	core/log_fields.c \
	core/log_fields.h \
	core/log_format.c \
	core/log_format.h \
	core/log_open.c \
	core/log_open.h \
	core/log_outside.c \
	core/log_outside.h \
	core/log_render.c \
	core/log_render.h \
	core/loop.c \
	core/loop.h \
	core/loop_api.c \
	core/master.c \
	core/master.h \
	core/memory.c \
	core/memory.h \
	core/message.c \
	core/message.h \
	core/mime.c \
	core/mime.h \
	core/mime_types.h \
	core/module_abi.c \
	core/module_abi.h \
	core/module_file.c \
	core/module_file.h \
	core/modules.c \
	core/modules.h \
	core/modules_print.c \
	core/options.c \
	core/options.h \
	core/options_help.c \
	core/options_suggest.c \
	core/options_suggest.h \
	core/options_table.c \
	core/options_value.c \
	core/os.h \
	core/os_copy.c \
	core/output.c \
	core/output.h \
	core/pid_file.c \
	core/pid_file.h \
	core/pipes.c \
	core/pipes.h \
	core/pool.c \
	core/pool.h \
	core/precondition.c \
	core/prepare.c \
	core/prepare.h \
	core/privileges.c \
	core/privileges.h \
	core/random.c \
	core/random.h \
	core/program.h \
	core/proxy_header.c \
	core/proxy_header.h \
	core/range.c \
	core/range.h \
	core/reload.c \
	core/reload.h \
	core/request.c \
	core/request.h \
	core/request_api.c \
	core/response.c \
	core/root.c \
	core/root.h \
	core/root_walk.c \
	core/run.c \
	core/sandbox.c \
	core/sandbox.h \
	core/sched.c \
	core/sched.h \
	core/serve.c \
	core/serve.h \
	core/settings.h \
	core/share.c \
	core/share.h \
	core/signals.c \
	core/signals.h \
	core/static.c \
	core/static.h \
	core/systemd.c \
	core/systemd.h \
	core/target.c \
	core/target.h \
	core/timer.c \
	core/timer.h \
	core/transport_plain.c \
	core/transport_plain.h \
	core/upgrade.c \
	core/upgrade.h \
	core/watch.c \
	core/watch.h \
	core/worker.c \
	core/worker.h \
	core/worker_private.h

if LOOP_EPOLL
libcore_a_SOURCES += core/loop_epoll.c
endif
if LOOP_KQUEUE
libcore_a_SOURCES += core/loop_kqueue.c
endif
if OS_LINUX
libcore_a_SOURCES += core/os_linux.c
endif
if OS_BSD
libcore_a_SOURCES += core/os_bsd.c
endif
if OS_DARWIN
libcore_a_SOURCES += core/os_darwin.c
endif
if HAVE_OPENAT2
libcore_a_SOURCES += core/root_openat2.c
endif

libcore_a_CFLAGS = $(AM_CFLAGS) $(PIE_CFLAGS)

lhttpd_SOURCES = core/main.c
lhttpd_CFLAGS = $(libcore_a_CFLAGS)
lhttpd_LDFLAGS = $(HARDEN_LDFLAGS) $(INSTRUMENT_LDFLAGS) $(PIE_LDFLAGS) -export-dynamic
lhttpd_LDADD = $(libcore_a_OBJECTS) $(LTDL_LIBS)

EXTRA_DIST += core/api.sym
