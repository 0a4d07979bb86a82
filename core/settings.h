/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the user asked for: filled by options_read() before anything else starts, constant
 * afterwards. Strings are owned by the settings and live as long as the process.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct string_list {
	char **items;
	size_t count;
};

struct settings {
	/* what is served, and where */
	const char *root;          /* NULL: the default */
	const char *index;         /* file that answers for a folder, "index.html" */
	const char *mime_types;    /* NULL: the system's */
	int port;                  /* 0: the kernel picks one; -1: not given */
	struct string_list listen; /* as typed: ADDR, ADDR:PORT, [V6]:PORT, unix:PATH, each with an
	                            * optional ",TRANSPORT" and ",proxy" */
	bool ipv6;                 /* -6 */
	struct string_list proxy_from; /* ranges, comma-separated */
	bool defer_accept;

	/* processes */
	const char *user; /* USER or USER:GROUP; NULL: the default */
	int workers;      /* 0: one a core, with a master */
	bool daemon;
	const char *pid_file;
	const char *config; /* -c */
	bool test;          /* -t */
	bool list_modules;
	bool list_hooks;
	bool no_sandbox;
	bool sandbox_show;
	bool help;
	bool version;

	/* modules, log */
	struct string_list modules; /* -M */
	const char *log_provider;   /* -L, NULL: file */
	const char *log_file;       /* -o, NULL: the default */
	const char *log_format;     /* "combined", "common", "json" or a pattern */
	bool log_in_root;           /* a log that clients can read is wanted */
	bool quiet;

	/* limits; times in ns, sizes in bytes */
	int max_connections; /* a worker */
	size_t max_header_size;
	size_t max_target_size;
	int max_headers;
	int64_t max_body_size;
	int64_t header_timeout;
	int64_t body_timeout;
	int64_t min_body_rate; /* bytes a second, averaged over body_timeout */
	int64_t keepalive_timeout;
	int64_t send_timeout;
	int64_t min_send_rate; /* bytes a second, averaged over send_timeout */
	int64_t drain_timeout;
	bool keep_on_error;

	/* file cache, a worker */
	size_t cache_entries;
	size_t cache_size;      /* bytes of bodies kept in memory */
	size_t cache_file_size; /* the largest body kept */
	size_t cache_secure_file_size; /* where sending a file copies it */
	int64_t cache_check;    /* an entry is looked at again after this time, at most 1 s */
};

#endif
