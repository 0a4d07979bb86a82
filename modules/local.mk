# SPDX-License-Identifier: BSD-2-Clause
# One line adds a module: modules/NAME.la is made of modules/NAME.c. A module that needs a library
# stands between `if HAVE_LIBRARY' and `endif' and names $(LIBRARY_LIBS) in its _LIBADD; one of
# several files lists them in its _SOURCES. The summary of configure reads this file.

module_LTLIBRARIES += modules/log_file.la
module_LTLIBRARIES += modules/vhost.la

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
