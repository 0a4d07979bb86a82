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
#include "prepare.h"
#include "program.h"
#include "sandbox.h"
#include "serve.h"
#include "static.h"
#include "systemd.h"

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

static int go_to_background(struct lop_core *core)
{
	/* What an upgrade starts is in the background already. */
	return core->settings.daemon && core->upgrade.old == 0 ? daemon_start(core) : 0;
}

static enum status start(struct lop_core *core, int workers)
{
	if (prepare_files(core) == 0) {
		privileges_limits(core);
		if (listeners_open(core, workers) == 0 && prepare_logs(core, workers) == 0 &&
		    modules_stage(core, LOP_STAGE_BOUND, NULL) == 0 &&
		    go_to_background(core) == 0 && pid_file_write(core) == 0)
			return GO_ON;
	}
	return STATUS_FAILED;
}

static enum status prepare(struct lop_core *core)
{
	enum status status;

	if (upgrade_prepare(core) < 0) {
		lop_core_message(core, LOP_LOG_ERROR, "cannot start: %s", strerror(ENOMEM));
		return STATUS_FAILED;
	}
	if (systemd_start(core) < 0)
		return STATUS_FAILED;
	status = prepare_options(core);
	if (status == GO_ON)
		status = print_what_was_asked(core);
	if (status == GO_ON)
		status = prepare_settings(core);
	if (status == GO_ON && core->settings.test) {
		if (prepare_test(core) < 0)
			return STATUS_FAILED;
		lop_core_message(core, LOP_LOG_NOTICE, "the options are in order");
		return STATUS_STOPPED;
	}
	return status;
}

int program_run(const struct program *program, int argc, char **argv)
{
	struct lop_core *core;
	int status, workers;

	if (argc < 1)
		return STATUS_USAGE;
	keep_standard_descriptors();
	core = core_new(program, argv);
	if (core == NULL)
		return STATUS_FAILED;
	status = prepare(core);
	if (status == GO_ON) {
		workers = lop_core_workers(core);
		status = start(core, workers);
		if (status == GO_ON)
			status = core->settings.workers == 1 ? serve_alone(core)
			                                     : master_run(&core, workers);
	}
	core_free(&core);
	return status;
}
