/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The core's options.
 */
#include "config.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "http1_parse.h"
#include "options.h"

#define FIELD(field) .offset = offsetof(struct settings, field)
#define NS INT64_C(1000000000)
#define DAY (86400 * NS)
#define SIZE_TOP (INT64_C(1) << (sizeof(size_t) > 4 ? 40 : 30))

static const struct option content[] = {
	{ .letter = 'R', .name = "root", .argument = "DIR", .kind = OPTION_TEXT, FIELD(root),
	  .help = "the folder to serve; default /srv/www/htdocs as root, else the current folder" },
	{ .name = "index", .argument = "NAME", .kind = OPTION_TEXT, FIELD(index),
	  .preset = "index.html", .help = "file that answers for its folder" },
	{ .name = "mime-types", .argument = "FILE", .kind = OPTION_TEXT, FIELD(mime_types),
	  .help = "content types by extension; default the system's mime.types, else a built-in "
	          "table" },
	{ .name = NULL },
};

static const struct option network[] = {
	{ .letter = 'p', .name = "port", .argument = "N", .kind = OPTION_NUMBER, FIELD(port),
	  .high = 65535,
	  .help = "default 80, 443 with encryption; 8080 and 8443 when not root; 0: any free one" },
	{ .letter = 'l', .name = "listen", .argument = "ADDR", .kind = OPTION_LIST, FIELD(listen),
	  .help = "local address, repeatable: 192.0.2.1, [::1]:8080, unix:/run/x.sock; ',NAME' at "
	          "its end chooses a transport, ',proxy' wants a PROXY header first; default 0.0.0.0" },
	{ .name = "proxy-from", .argument = "RANGE", .kind = OPTION_LIST, FIELD(proxy_from),
	  .help = "with ',proxy': take connections from these addresses only; repeatable: "
	          "192.0.2.0/24,2001:db8::1" },
	{ .letter = '6', .name = "ipv6", .kind = OPTION_FLAG, FIELD(ipv6),
	  .help = "listen on ::, which takes IPv4 as well" },
	{ .name = "defer-accept", .kind = OPTION_FLAG, FIELD(defer_accept),
	  .help = "take a connection only when its first bytes are there, or a second has passed "
	          "(Linux; FreeBSD with accf_data)" },
	{ .name = NULL },
};

static const struct option processes[] = {
	{ .letter = 'u', .name = "user", .argument = "USER", .kind = OPTION_TEXT, FIELD(user),
	  .help = "run as USER or USER:GROUP when started by root; default wwwrun, else www-data, "
	          "else nobody" },
	{ .letter = 'n', .name = "workers", .argument = "N", .kind = OPTION_NUMBER, FIELD(workers),
	  .low = 1, .high = 1024,
	  .help = "processes that serve; default one a core and a master; 1: one process does it "
	          "all" },
	{ .letter = 'd', .name = "daemon", .kind = OPTION_FLAG, FIELD(daemon),
	  .help = "go to the background as soon as the server listens" },
	{ .name = "pid-file", .argument = "FILE", .kind = OPTION_TEXT, FIELD(pid_file),
	  .help = "write the process number to FILE" },
	{ .name = "drain-timeout", .argument = "TIME", .kind = OPTION_TIME, FIELD(drain_timeout),
	  .high = DAY, .preset = "60s", .help = "on QUIT, what still runs after TIME is cut off" },
	{ .name = NULL },
};

static const struct option modules[] = {
	{ .letter = 'M', .name = "module", .argument = "NAME", .kind = OPTION_LIST, FIELD(modules),
	  .joins = true,
	  .help = "load a module: a name in the module folder, or an absolute path; repeatable" },
	{ .name = "list-modules", .kind = OPTION_FLAG, FIELD(list_modules), .typed_only = true,
	  .help = "print the modules that are loaded and installed, and exit" },
	{ .name = "list-hooks", .kind = OPTION_FLAG, FIELD(list_hooks), .typed_only = true,
	  .help = "print who takes part in a request, in order, and exit" },
	{ .name = "no-sandbox", .kind = OPTION_FLAG, FIELD(no_sandbox),
	  .help = "do not load the module sandbox, which is loaded where it is installed" },
	{ .name = "sandbox-show", .kind = OPTION_FLAG, FIELD(sandbox_show), .typed_only = true,
	  .help = "print what the sandbox leaves open and which module asked for it, and exit" },
	{ .name = NULL },
};

static const struct option logs[] = {
	{ .letter = 'L', .name = "log", .argument = "PROVIDER", .kind = OPTION_TEXT,
	  FIELD(log_provider), .help = "access log by the module log_PROVIDER; default file" },
	{ .letter = 'o', .name = "log-file", .argument = "PATH", .kind = OPTION_TEXT,
	  FIELD(log_file),
	  .help = "default /var/log/lophttpd; '-' is standard error, the default when not root; "
	          "with several workers PATH.0, PATH.1, ..." },
	{ .name = "log-format", .argument = "FORMAT", .kind = OPTION_TEXT, FIELD(log_format),
	  .preset = "combined", .help = "combined, common, json, or a pattern with $fields" },
	{ .name = "log-in-root", .kind = OPTION_FLAG, FIELD(log_in_root),
	  .help = "take a log file inside the web root, where clients can read it" },
	{ .letter = 'q', .name = "quiet", .kind = OPTION_FLAG, FIELD(quiet),
	  .help = "write nothing to disk: no log, no index" },
	{ .name = NULL },
};

static const struct option limits[] = {
	{ .letter = 'N', .name = "max-connections", .argument = "N", .kind = OPTION_NUMBER,
	  FIELD(max_connections), .low = 1, .high = 10000000, .preset = "10000",
	  .help = "a worker; more are answered with 503" },
	{ .name = "max-header-size", .argument = "SIZE", .kind = OPTION_BYTES,
	  FIELD(max_header_size), .low = 256, .high = 1 << 24, .preset = "16k",
	  .help = "the whole head of a request, else 431" },
	{ .name = "max-target-size", .argument = "SIZE", .kind = OPTION_BYTES,
	  FIELD(max_target_size), .low = 64, .high = 1 << 20, .preset = "8k",
	  .help = "the request's target, else 414" },
	{ .name = "max-headers", .argument = "N", .kind = OPTION_NUMBER, FIELD(max_headers),
	  .low = 1, .high = HTTP1_MAX_FIELDS, .preset = "100",
	  .help = "fields of a request, else 431" },
	{ .name = "max-body-size", .argument = "SIZE", .kind = OPTION_BYTES64, FIELD(max_body_size),
	  .high = INT64_MAX, .preset = "1m",
	  .help = "a request's body, else 413; a module may raise it for a request" },
	{ .name = "header-timeout", .argument = "TIME", .kind = OPTION_TIME, FIELD(header_timeout),
	  .low = 1, .high = DAY, .preset = "20s",
	  .help = "for the whole head of a request, from its first byte" },
	{ .name = "body-timeout", .argument = "TIME", .kind = OPTION_TIME, FIELD(body_timeout),
	  .low = 1, .high = DAY, .preset = "30s",
	  .help = "a client that sends less of a body than --min-body-rate for so long gets 408" },
	{ .name = "min-body-rate", .argument = "SIZE", .kind = OPTION_BYTES64, FIELD(min_body_rate),
	  .high = 1 << 30, .preset = "128", .help = "bytes a second" },
	{ .name = "keepalive-timeout", .argument = "TIME", .kind = OPTION_TIME,
	  FIELD(keepalive_timeout), .high = DAY, .preset = "65s",
	  .help = "for the next request on a connection; 0: one request each" },
	{ .name = "send-timeout", .argument = "TIME", .kind = OPTION_TIME, FIELD(send_timeout),
	  .low = 1, .high = DAY, .preset = "60s",
	  .help = "a client that takes less than --min-send-rate for so long is cut off" },
	{ .name = "min-send-rate", .argument = "SIZE", .kind = OPTION_BYTES64, FIELD(min_send_rate),
	  .high = 1 << 30, .preset = "128", .help = "bytes a second" },
	{ .letter = 'E', .name = "keep-on-error", .kind = OPTION_FLAG, FIELD(keep_on_error),
	  .help = "keep the connection after a harmless error" },
	{ .name = NULL },
};

static const struct option cache[] = {
	{ .name = "cache-entries", .argument = "N", .kind = OPTION_BYTES, FIELD(cache_entries),
	  .high = 10000000, .preset = "10000", .help = "files a worker remembers; 0: none" },
	{ .name = "cache-size", .argument = "SIZE", .kind = OPTION_BYTES, FIELD(cache_size),
	  .high = SIZE_TOP, .preset = "32m", .help = "memory for small files, a worker" },
	{ .name = "cache-file-size", .argument = "SIZE", .kind = OPTION_BYTES,
	  FIELD(cache_file_size), .high = 1 << 24, .preset = "16k",
	  .help = "the largest file that is kept in memory" },
	{ .name = "cache-secure-file-size", .argument = "SIZE", .kind = OPTION_BYTES,
	  FIELD(cache_secure_file_size), .high = 1 << 24, .preset = "1m",
	  .help = "the same for what is asked for encrypted, unless the kernel encrypts" },
	{ .name = "cache-check", .argument = "TIME", .kind = OPTION_TIME, FIELD(cache_check),
	  .high = NS, .preset = "1s",
	  .help = "a change on disk is seen after this time; at most 1s" },
	{ .name = NULL },
};

static const struct option general[] = {
	{ .letter = 'c', .name = "config", .argument = "FILE", .kind = OPTION_TEXT, FIELD(config),
	  .typed_only = true, .help = "read options from FILE: long names, one a line" },
	{ .letter = 't', .name = "test", .kind = OPTION_FLAG, FIELD(test), .typed_only = true,
	  .help = "check options and config file, and exit" },
	{ .letter = 'h', .name = "help", .kind = OPTION_FLAG, FIELD(help), .typed_only = true,
	  .help = "print this, and exit" },
	{ .letter = 'V', .name = "version", .kind = OPTION_FLAG, FIELD(version), .typed_only = true,
	  .help = "print the version, and exit" },
	{ .name = NULL },
};

const struct option_group option_groups[] = {
	{ .title = "Content", .options = content },
	{ .title = "Network", .options = network },
	{ .title = "Processes", .options = processes },
	{ .title = "Modules", .options = modules },
	{ .title = "Log", .options = logs },
	{ .title = "Limits", .options = limits },
	{ .title = "File cache", .options = cache },
	{ .title = "General", .options = general },
	{ .title = NULL },
};

const struct option *option_by_name(const char *name, size_t length)
{
	for (const struct option_group *group = option_groups; group->title != NULL; group++)
		for (const struct option *option = group->options; option->name != NULL; option++)
			if (strlen(option->name) == length &&
			    memcmp(option->name, name, length) == 0)
				return option;
	return NULL;
}

const struct option *option_by_letter(char letter)
{
	for (const struct option_group *group = option_groups; group->title != NULL; group++)
		for (const struct option *option = group->options; option->name != NULL; option++)
			if (option->letter == letter && letter != '\0')
				return option;
	return NULL;
}

size_t option_index(const struct option *wanted)
{
	size_t index = 0;

	for (const struct option_group *group = option_groups; group->title != NULL; group++)
		for (const struct option *option = group->options; option->name != NULL; option++) {
			if (option == wanted)
				return index;
			index++;
		}
	return index;
}
