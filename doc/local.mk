# SPDX-License-Identifier: BSD-2-Clause
# Manual pages and documents.
dist_man_MANS = \
	man/frontend.8 \
	man/lhttpd.8 \
	man/lophttpd-log.3 \
	man/lophttpd-module.3
dist_doc_DATA = \
	README.md \
	doc/architecture.md \
	doc/balancing.md \
	doc/sample.conf \
	doc/security.md \
	doc/tuning.md \
	doc/writing-a-module.md
