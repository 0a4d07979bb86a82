# SPDX-License-Identifier: BSD-2-Clause
# Manual pages and documents.
dist_man_MANS = \
	man/lophttpd-module.3
dist_doc_DATA = \
	doc/writing-a-module.md
