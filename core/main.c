/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lhttpd: the server of files.
 */
#include "config.h"

#include <stddef.h>

#include "program.h"

int main(int argc, char **argv)
{
	static const struct program lhttpd = {
		.name = "lhttpd",
		.synopsis = "[options]",
		.summary = "Serves the files below a folder over HTTP. Sizes take k, m or g at "
			   "their end;\n"
			   "times are seconds, or take ms, s, m or h. With -M NAME the options of "
			   "that\n"
			   "module are shown as well.\n",
		.serves_files = true,
	};

	return program_run(&lhttpd, argc, argv);
}
