/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "prepare.h"

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
#include "options.h"
#include "program.h"

#define DEFAULT_ROOT "/srv/www/htdocs"

struct lop_core *core_new(const struct program *program, char **arguments)
{
	struct lop_core *core = malloc(sizeof(*core));

	if (core != NULL)
		*core = (struct lop_core){
			.program = program,
			.arguments = arguments,
			.log.folder = -1,
			.pid_file.descriptor = -1,
			.daemon_line = { .descriptor = -1, .null = -1 },
			.notify = -1,
			.foreground = true,
		};
	return core;
}

void core_free(struct lop_core **owner)
{
	struct lop_core *core = *owner;

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
	free(core->config.path);
	free(core->config.text);
	free(core);
	*owner = NULL;
}

enum status prepare_options(struct lop_core *core)
{
	char error[1024];
	int argc = 0, result;

	while (core->arguments[argc] != NULL)
		argc++;
	result = options_read(core, argc, core->arguments, error, sizeof(error));

	if (result == 0)
		return GO_ON;
	lop_core_message(core, LOP_LOG_ERROR, "%s", error);
	return result == -EINVAL ? STATUS_USAGE : STATUS_FAILED;
}

enum status prepare_settings(struct lop_core *core)
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
	return GO_ON;
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

/* NULL: an empty folder. */
static const char *root_path(const struct lop_core *core)
{
	if (core->settings.root != NULL || !core->program->serves_files)
		return core->settings.root;
	return geteuid() == 0 ? DEFAULT_ROOT : ".";
}

static int open_root(struct lop_core *core)
{
	const char *path = root_path(core);
	int result;

	if (path == NULL)
		return open_empty_root(core);
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

int prepare_logs(struct lop_core *core, int workers)
{
	struct settings *settings = &core->settings;
	const struct loaded_module *provider = modules_log(&core->modules);
	bool to_error =
		settings->log_file == NULL ? geteuid() != 0 : strcmp(settings->log_file, "-") == 0;

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

int prepare_files(struct lop_core *core)
{
	int result = privileges_prepare(core);

	if (result == 0)
		result = open_root(core);
	if (result == 0)
		result = read_mime_types(core);
	return result;
}

int prepare_test(struct lop_core *core)
{
	const char *path = root_path(core);

	if (path == NULL || root_new(path, &core->root) < 0)
		return 0;
	return log_target_test(core, lop_core_workers(core));
}
