/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process as a whole: settings, modules, and what is shared by master and workers. One
 * object, made by main and handed down; there is no global.
 */
#ifndef CORE_H
#define CORE_H

#include <stdbool.h>

#include "daemon.h"
#include "hooks.h"
#include "listen.h"
#include "log_format.h"
#include "log_open.h"
#include "mime.h"
#include "modules.h"
#include "pid_file.h"
#include "privileges.h"
#include "root.h"
#include "settings.h"
#include "share.h"
#include "upgrade.h"
#include "watch.h"

struct program;

/* The config file as it was read. */
struct config_text {
	char *path; /* NULL: there is none */
	char *text;
	size_t length;
};

struct lop_core {
	const struct program *program;
	char **arguments;    /* argv as given, for an upgrade */
	struct config_text config;
	struct settings settings;
	struct modules modules;
	struct share *shares; /* blocks that modules share over all workers */
	struct listeners listeners;
	struct log_target log; /* where logs go, one file a worker */
	struct log_format *log_format; /* compiled; NULL when nothing is logged */
	struct mime *mime;     /* read while its file is in reach */
	struct lop_root *root;
	struct privileges privileges;
	struct upgrade upgrade;
	struct watch watch; /* files whose change is as good as a HUP */
	struct pid_file pid_file;
	struct daemon_line daemon_line;
	int notify;      /* to the service manager, -1 */
	bool chrooted;
	bool sandboxed;  /* this process can do only what its modules declared */
	bool foreground; /* messages also go to standard error */
};

#endif
