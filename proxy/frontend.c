/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frontend: the same core as a reverse proxy that one file describes.
 */
#include "config.h"

#include <stddef.h>

#include "program.h"

static const struct directive directives[] = {
	{ .name = "host", .option = "listen" },
	{ .name = "chroot", .option = "root" },
	{ .name = "logfile", .option = "log-file" },
	{ .name = "logprovider", .option = "log" },
	{ .name = "map", .option = "map", .joined = true },
	{ .name = NULL },
};

int main(int argc, char **argv)
{
	static const char *const modules[] = { "proxy", NULL };
	static const struct program frontend = {
		.name = "frontend",
		.synopsis = "[options] FILE",
		.summary = "Passes requests on to other servers, as the lines of FILE say: host "
		           "ADDR,\n"
			   "port N, user USER, chroot DIR, logfile PATH, logprovider NAME,\n"
			   "map /path http://host:port/path/ (several for a path share its load),\n"
			   "location URL, and each option below by its long name. '#' begins a "
			   "comment.\n",
		.modules = modules,
		.directives = directives,
		.wants_file = "no FILE is given: frontend FILE reads lines such as "
			      "'map / http://127.0.0.1:8080/'; frontend --help tells more",
	};

	return program_run(&frontend, argc, argv);
}
