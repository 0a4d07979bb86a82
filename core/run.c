/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The start, from the command line to serving, and the way back.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <lophttpd/message.h>

#include "core.h"
#include "master.h"
#include "options.h"
#include "os.h"
#include "program.h"
#include "sandbox.h"
#include "serve.h"
#include "static.h"
#include "systemd.h"

#define DEFAULT_ROOT "/srv/www/htdocs"

/* Exit status, or GO_ON. */
enum status {
	STATUS_STOPPED = 0, /* as asked */
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	GO_ON = -1,
};

/* A socket must not become standard error because that was closed. */
static void keep_standard_descriptors(void)
{
	int descriptor;

	do
		descriptor = open("/dev/null", O_RDWR);
	while (descriptor >= 0 && descriptor <= 2);
	if (descriptor > 2)
		close(descriptor);
}

static enum status read_options(struct lop_core *core, int argc, char **argv)
{
	char error[1024];
	int result = options_read(core, argc, argv, error, sizeof(error));

	if (result == 0)
		return GO_ON;
	lop_core_message(core, LOP_LOG_ERROR, "%s", error);
	return result == -EINVAL ? STATUS_USAGE : STATUS_FAILED;
}

static enum status list_hooks(struct lop_core *core)
{
	struct hooks hooks;

	if (hooks_build(&hooks, &core->modules, core->program->serves_files ? static_hooks : NULL,
	                NULL) < 0)
		return STATUS_FAILED;
	hooks_print(&hooks);
	hooks_free(&hooks);
	return STATUS_STOPPED;
}

static enum status show_sandbox(struct lop_core *core)
{
	int result = sandbox_show(core);

	if (result == 0)
		return STATUS_STOPPED;
	if (result == -ENOENT)
		lop_core_message(core, LOP_LOG_ERROR,
		                 "--sandbox-show: no module with a sandbox is loaded; leave out "
		                 "--no-sandbox, or install one in %s",
		                 modules_folder());
	else
		lop_core_message(core, LOP_LOG_ERROR, "--sandbox-show: %s", strerror(-result));
	return STATUS_FAILED;
}

/* What is printed instead of serving. */
static enum status print_what_was_asked(struct lop_core *core)
{
	const struct settings *settings = &core->settings;
	enum status status = STATUS_STOPPED;

	if (settings->help)
		options_print_help(core, stdout);
	else if (settings->version)
		printf("%s %s, module ABI %d.%d, modules in %s\n", core->program->name,
		       PACKAGE_VERSION, LOP_ABI_MAJOR, LOP_ABI_MINOR, modules_folder());
	else if (settings->list_modules)
		modules_print(core);
	else if (settings->list_hooks)
		status = list_hooks(core);
	else if (settings->sandbox_show)
		status = show_sandbox(core);
	else
		return GO_ON;
	if (fflush(stdout) == 0)
		return status;
	lop_core_message(core, LOP_LOG_ERROR, "cannot write to standard output: %s",
	                 strerror(errno));
	return STATUS_FAILED;
}

/* The rest of what can be checked without touching the system. */
static enum status check_settings(struct lop_core *core)
{
	const char *format = core->settings.log_format;
	char error[512];

	if (modules_stage(core, LOP_STAGE_CONFIGURED, NULL) < 0)
		return STATUS_FAILED;
	if (log_format_new(format, &core->log_format, error, sizeof(error)) < 0) {
		lop_core_message(core, LOP_LOG_ERROR, "--log-format: %s", error);
		return STATUS_USAGE;
	}
	if (listeners_configure(core) < 0)
		return STATUS_USAGE;
	if (!core->settings.test)
		return GO_ON;
	lop_core_message(core, LOP_LOG_NOTICE, "the options are in order");
	return STATUS_STOPPED;
}

/* Whether the user that serves can enter the root is known better now than by a row of 403. */
static void warn_unreachable(struct lop_core *core)
{
	const struct privileges *to = &core->privileges;
	mode_t wanted = S_IXOTH;
	struct stat st;

	if (!to->root || fstat(core->root->descriptor, &st) < 0)
		return;
	if (to->gid == st.st_gid)
		wanted = S_IXGRP;
	if (to->uid == st.st_uid)
		wanted = S_IXUSR;
	if (!(st.st_mode & wanted))
		lop_core_message(
			core, LOP_LOG_WARNING,
			"user %s may not enter %s, so nothing there can be served; give it "
			"the right (chmod o+x), or name another with --user",
			to->user, core->root->path);
}

/* A folder that is in no tree any more once it is open: there is nothing in it, and nothing can be
 * made there. */
static int open_empty_root(struct lop_core *core)
{
	const char *folder = getenv("TMPDIR");
	char path[PATH_MAX];
	int result;

	if (folder == NULL || *folder != '/')
		folder = "/tmp";
	snprintf(path, sizeof(path), "%s/%s-XXXXXX", folder, core->program->name);
	result = mkdtemp(path) == NULL ? -errno : 0;
	if (result == 0) {
		result = chmod(path, 0555) < 0 ? -errno : root_new(path, &core->root);
		if (rmdir(path) < 0 && result == 0)
			result = -errno;
	}
	if (result < 0)
		lop_core_message(core, LOP_LOG_ERROR,
		                 "cannot make an empty folder in %s: %s; set TMPDIR, or name one "
		                 "with --root",
		                 folder, strerror(-result));
	return result;
}

static int open_root(struct lop_core *core)
{
	const char *path = core->settings.root;
	int result;

	if (path == NULL && !core->program->serves_files)
		return open_empty_root(core);
	if (path == NULL)
		path = geteuid() == 0 ? DEFAULT_ROOT : ".";
	result = root_new(path, &core->root);
	if (result == 0 && faccessat(core->root->descriptor, ".", X_OK, AT_EACCESS) < 0)
		result = -errno;
	if (result < 0)
		lop_core_message(core, LOP_LOG_ERROR,
		                 core->program->serves_files
		                         ? "cannot serve %s: %s; name the folder with -R DIR"
		                         : "cannot enter %s: %s; name another root folder",
		                 path, strerror(-result));
	else if (core->program->serves_files)
		warn_unreachable(core);
	return result;
}

static int read_mime_types(struct lop_core *core)
{
	const char *path = core->settings.mime_types;

	if (path != NULL && access(path, R_OK) < 0) {
		int result = -errno;

		lop_core_message(core, LOP_LOG_ERROR,
		                 "cannot read %s: %s; name another with --mime-types", path,
		                 strerror(-result));
		return result;
	}
	core->mime = mime_new(path);
	return core->mime == NULL ? -ENOMEM : 0;
}

static int prepare_logs(struct lop_core *core, int workers)
{
	struct settings *settings = &core->settings;
	const struct loaded_module *provider = modules_log(&core->modules);
	bool to_error =
		settings->log_file == NULL ? geteuid() != 0 : strcmp(settings->log_file, "-") == 0;

	/* The log's times are the system's: its zone is read while it is in reach. */
	tzset();
	if (!settings->quiet && provider == NULL) {
		lop_core_message(core, LOP_LOG_WARNING,
		                 "there is no access log: the module log_file is not installed in "
		                 "%s; install it, choose another with -L, or say -q",
		                 modules_folder());
	} else if (!settings->quiet && settings->daemon && to_error &&
	           (provider->module->log->flags & LOP_LOG_NO_FILE) == 0) {
		lop_core_message(
			core, LOP_LOG_WARNING,
			"there is no access log: the background has no standard error; name "
			"a file with -o, or say -q");
		settings->quiet = true;
	}
	if (settings->quiet || provider == NULL)
		log_format_free(&core->log_format);
	return log_target_init(core, workers);
}

static int go_to_background(struct lop_core *core)
{
	/* What an upgrade starts is in the background already. */
	return core->settings.daemon && core->upgrade.old == 0 ? daemon_start(core) : 0;
}

static enum status start(struct lop_core *core, int workers)
{
	if (privileges_prepare(core) == 0 && open_root(core) == 0 && read_mime_types(core) == 0) {
		privileges_limits(core);
		if (listeners_open(core, workers) == 0 && prepare_logs(core, workers) == 0 &&
		    modules_stage(core, LOP_STAGE_BOUND, NULL) == 0 &&
		    go_to_background(core) == 0 && pid_file_write(core) == 0)
			return GO_ON;
	}
	return STATUS_FAILED;
}

static int run(struct lop_core *core, int argc, char **argv)
{
	enum status status = GO_ON;
	int workers;

	if (upgrade_prepare(core) < 0) {
		lop_core_message(core, LOP_LOG_ERROR, "cannot start: %s", strerror(ENOMEM));
		return STATUS_FAILED;
	}
	if (systemd_start(core) < 0)
		return STATUS_FAILED;
	status = read_options(core, argc, argv);
	if (status == GO_ON)
		status = print_what_was_asked(core);
	if (status == GO_ON)
		status = check_settings(core);
	if (status != GO_ON)
		return status;
	workers = lop_core_workers(core);
	status = start(core, workers);
	if (status != GO_ON)
		return status;
	return core->settings.workers == 1 ? serve_alone(core) : master_run(core, workers);
}

static void stop(struct lop_core *core)
{
	listeners_close(core);
	pid_file_remove(core);
	modules_fini(core);
	shares_free(&core->shares);
	log_target_fini(&core->log);
	log_format_free(&core->log_format);
	mime_free(&core->mime);
	lop_root_release(&core->root);
	privileges_free(&core->privileges);
	listeners_free(core);
	watch_free(&core->watch);
	upgrade_free(&core->upgrade);
	options_free(&core->settings);
}

int program_run(const struct program *program, int argc, char **argv)
{
	struct lop_core core = {
		.program = program,
		.arguments = argv,
		.log.folder = -1,
		.pid_file.descriptor = -1,
		.daemon_line = { .descriptor = -1, .null = -1 },
		.notify = -1,
		.foreground = true,
	};
	int status;

	if (argc < 1)
		return STATUS_USAGE;
	keep_standard_descriptors();
	status = run(&core, argc, argv);
	stop(&core);
	return status;
}
