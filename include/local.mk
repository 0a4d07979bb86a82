# SPDX-License-Identifier: BSD-2-Clause
# The public headers: what a module may include.
pkginclude_HEADERS = \
	include/lophttpd/base.h \
	include/lophttpd/connection.h \
	include/lophttpd/file.h \
	include/lophttpd/hook.h \
	include/lophttpd/log.h \
	include/lophttpd/loop.h \
	include/lophttpd/lophttpd.h \
	include/lophttpd/message.h \
	include/lophttpd/module.h \
	include/lophttpd/protocol.h \
	include/lophttpd/proxy.h \
	include/lophttpd/request.h \
	include/lophttpd/response.h \
	include/lophttpd/sandbox.h \
	include/lophttpd/share.h \
	include/lophttpd/transport.h
