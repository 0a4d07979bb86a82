# SPDX-License-Identifier: BSD-2-Clause
# One line adds a module: modules/NAME.la is made of modules/NAME.c. A module that needs a library
# stands between `if HAVE_LIBRARY' and `endif' and names $(LIBRARY_LIBS) in its _LIBADD; one of
# several files lists them in its _SOURCES. The summary of configure reads this file.

module_LTLIBRARIES += modules/autoindex.la
modules_autoindex_la_SOURCES = \
	modules/autoindex/autoindex.h \
	modules/autoindex/cache.c \
	modules/autoindex/html.c \
	modules/autoindex/kinds.c \
	modules/autoindex/listing.c \
	modules/autoindex/machine.c \
	modules/autoindex/module.c \
	modules/autoindex/page.c \
	modules/autoindex/query.c \
	modules/autoindex/query.h \
	modules/autoindex/serve.c \
	modules/autoindex/sort.c \
	modules/autoindex/sort.h \
	modules/autoindex/store.c \
	modules/autoindex/text.c \
	modules/autoindex/text.h \
	modules/autoindex/walk.c
icondir = $(pkgdatadir)/icons
dist_icon_DATA = \
	icons/archive.svg \
	icons/audio.svg \
	icons/code.svg \
	icons/disk.svg \
	icons/document.svg \
	icons/folder.svg \
	icons/image.svg \
	icons/other.svg \
	icons/package.svg \
	icons/parent.svg \
	icons/text.svg \
	icons/video.svg

# Log providers; some share code.
module_LTLIBRARIES += modules/log_file.la
modules_log_file_la_SOURCES = modules/log_file.c modules/log_buffer.c modules/log_buffer.h \
	modules/log_queue.c modules/log_queue.h modules/log_thread.c modules/log_thread.h \
	modules/log_apart.c modules/log_apart.h
modules_log_file_la_CFLAGS = $(AM_CFLAGS) -pthread
modules_log_file_la_LDFLAGS = $(AM_LDFLAGS) -pthread
module_LTLIBRARIES += modules/log_mmap.la
modules_log_mmap_la_SOURCES = modules/log_mmap.c modules/log_buffer.c modules/log_buffer.h \
	modules/log_queue.c modules/log_queue.h modules/log_thread.c modules/log_thread.h \
	modules/log_mapped.c modules/log_mapped.h modules/log_window.c modules/log_window.h \
	modules/log_ahead.c modules/log_ahead.h modules/log_apart.c modules/log_apart.h
modules_log_mmap_la_CFLAGS = $(AM_CFLAGS) -pthread
modules_log_mmap_la_LDFLAGS = $(AM_LDFLAGS) -pthread
module_LTLIBRARIES += modules/log_syslog.la
modules_log_syslog_la_SOURCES = modules/log_syslog.c modules/log_buffer.c modules/log_buffer.h
if HAVE_AIO
module_LTLIBRARIES += modules/log_aio.la
modules_log_aio_la_SOURCES = modules/log_aio.c modules/log_buffer.c modules/log_buffer.h \
	modules/log_queue.c modules/log_queue.h
modules_log_aio_la_LIBADD = $(AIO_LIBS)
endif

if HAVE_OPENSSL
module_LTLIBRARIES += modules/tls.la
modules_tls_la_SOURCES = \
	modules/tls/bundle.c \
	modules/tls/bundle.h \
	modules/tls/certificates.c \
	modules/tls/certificates.h \
	modules/tls/client.c \
	modules/tls/client.h \
	modules/tls/compat.c \
	modules/tls/compat.h \
	modules/tls/connection.h \
	modules/tls/context.c \
	modules/tls/context.h \
	modules/tls/files.c \
	modules/tls/files.h \
	modules/tls/http.c \
	modules/tls/module.c \
	modules/tls/names.c \
	modules/tls/names.h \
	modules/tls/ocsp.c \
	modules/tls/ocsp.h \
	modules/tls/options.c \
	modules/tls/seal.c \
	modules/tls/seal.h \
	modules/tls/store.c \
	modules/tls/store.h \
	modules/tls/tickets.c \
	modules/tls/tickets.h \
	modules/tls/tls.h \
	modules/tls/transport.c \
	modules/tls/transport.h \
	modules/tls/wire.c \
	modules/tls/wire.h \
	modules/tls/write.c
modules_tls_la_CFLAGS = $(AM_CFLAGS) $(OPENSSL_CFLAGS)
modules_tls_la_LIBADD = $(OPENSSL_LIBS)
endif

module_LTLIBRARIES += modules/vhost.la
modules_vhost_la_SOURCES = \
	modules/vhost/host.c \
	modules/vhost/host.h \
	modules/vhost/vhost.c

# Without openssl, upload verifies no digests.
module_LTLIBRARIES += modules/upload.la
modules_upload_la_SOURCES = \
	modules/upload/digest.c \
	modules/upload/digest.h \
	modules/upload/form.c \
	modules/upload/form_page.h \
	modules/upload/multipart.c \
	modules/upload/multipart.h \
	modules/upload/names.c \
	modules/upload/names.h \
	modules/upload/put.c \
	modules/upload/quota.c \
	modules/upload/quota.h \
	modules/upload/receive.c \
	modules/upload/store.c \
	modules/upload/store.h \
	modules/upload/thread.c \
	modules/upload/thread.h \
	modules/upload/upload.c \
	modules/upload/upload.h
modules_upload_la_CFLAGS = $(AM_CFLAGS) $(OPENSSL_CFLAGS) -pthread
modules_upload_la_LIBADD = $(CRYPTO_LIBS)
modules_upload_la_LDFLAGS = $(AM_LDFLAGS) -pthread
# Without libseccomp, sandbox is for OpenBSD and FreeBSD only.
#
# Sanitizers and coverage make calls of their own, which the sandbox would end the process for.
if HAVE_SANDBOX
if !INSTRUMENTED
module_LTLIBRARIES += modules/sandbox.la
endif
endif
modules_sandbox_la_SOURCES = modules/sandbox/door.h modules/sandbox/sandbox.c
if SANDBOX_SECCOMP
modules_sandbox_la_SOURCES += \
	modules/sandbox/door_seccomp.c \
	modules/sandbox/filter.c \
	modules/sandbox/filter.h \
	modules/sandbox/rules.c \
	modules/sandbox/rules.h
endif
if SANDBOX_PLEDGE
modules_sandbox_la_SOURCES += modules/sandbox/door_pledge.c
endif
if SANDBOX_CAPSICUM
modules_sandbox_la_SOURCES += modules/sandbox/door_capsicum.c
endif
modules_sandbox_la_CPPFLAGS = $(AM_CPPFLAGS) $(LIBSECCOMP_CFLAGS)
modules_sandbox_la_LIBADD = $(LIBSECCOMP_LIBS)

# Built so that it never rots, not installed. Without -rpath libtool would make no shared object.
noinst_LTLIBRARIES += modules/skeleton.la
modules_skeleton_la_LDFLAGS = $(AM_LDFLAGS) -rpath $(moduledir)

# A module is opened by its name and nobody links with it, so its .la file is not installed.
install-data-hook:
	@for module in $(module_LTLIBRARIES); do \
		rm -f "$(DESTDIR)$(moduledir)/`basename $$module`" || exit 1; \
	done

uninstall-hook:
	@for module in $(module_LTLIBRARIES); do \
		rm -f "$(DESTDIR)$(moduledir)/`basename $$module .la`.so" || exit 1; \
	done
