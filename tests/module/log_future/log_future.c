/* SPDX-License-Identifier: BSD-2-Clause */
/* A module for a server that does not exist yet: its ABI is given on the command line. */
#include <lophttpd/module.h>

LOP_EXPORT_MODULE = {
	.magic = LOP_MODULE_MAGIC,
	.size = sizeof(struct lop_module),
	.abi_major = FUTURE_MAJOR,
	.abi_minor = FUTURE_MINOR,
	.name = "log_future",
	.version = "9.0",
	.summary = "does not fit",
};
