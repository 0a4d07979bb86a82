/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "reload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lophttpd/message.h>

#include "config_file.h"
#include "core.h"
#include "prepare.h"

/* Paths were typed as seen from the folder of the start, which the background has left. Returns a
 * way back, or -1. */
static int enter_folder(const struct lop_core *core)
{
	int back = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (back >= 0 && chdir(core->upgrade.folder) == 0)
		return back;
	if (back >= 0)
		close(back);
	return -1;
}

static void leave_folder(int back)
{
	if (back < 0)
		return;
	if (fchdir(back) < 0)
		errno = 0; /* it is there as long as the descriptor */
	close(back);
}

/* A pipe or a device was read once and for all. */
static bool can_read_again(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 || S_ISREG(st.st_mode);
}

bool reload_wanted(struct lop_core *core)
{
	const struct config_text *config = &core->config;
	char *text = NULL, error[512];
	bool wanted = false;
	size_t length;
	int back;

	if (config->path == NULL)
		return false;
	back = enter_folder(core);
	if (can_read_again(config->path)) {
		if (config_read(config->path, &text, &length, error, sizeof(error)) < 0)
			lop_core_message(core, LOP_LOG_ERROR, "%s; going on with the old settings",
			                 error);
		else
			wanted =
				length != config->length || memcmp(text, config->text, length) != 0;
	}
	leave_folder(back);
	free(text);
	return wanted;
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_list(const struct string_list *a, const struct string_list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

static bool same_listeners(const struct listeners *a, const struct listeners *b)
{
	size_t surplus = 0;

	for (size_t i = 0; i < a->count; i++) {
		if (a->items[i].surplus)
			surplus++;
		else if (i - surplus >= b->count ||
		         strcmp(a->items[i].transport, b->items[i - surplus].transport) != 0)
			return false;
	}
	return a->count - surplus == b->count;
}

/* What only a new process can change, NULL: nothing of that. */
static const char *find_fixed(const struct lop_core *old, const struct lop_core *fresh)
{
	const struct settings *a = &old->settings, *b = &fresh->settings;

	if (a->port != b->port || a->ipv6 != b->ipv6 || a->defer_accept != b->defer_accept ||
	    !same_list(&a->listen, &b->listen) || !same_list(&a->proxy_from, &b->proxy_from) ||
	    !same_listeners(&old->listeners, &fresh->listeners))
		return "where and how the server listens";
	if (a->workers != b->workers)
		return "the number of workers";
	if (a->daemon != b->daemon || !same_text(a->pid_file, b->pid_file))
		return "the background and the pid file";
	return NULL;
}

static int make(struct lop_core *old, struct lop_core *fresh, int workers)
{
	const char *fixed;

	if (prepare_options(fresh) != GO_ON || prepare_settings(fresh) != GO_ON)
		return -EINVAL;
	fixed = find_fixed(old, fresh);
	if (fixed != NULL) {
		lop_core_message(old, LOP_LOG_ERROR,
		                 "%s: %s changed, which HUP cannot do; send USR2, or restart",
		                 fresh->config.path, fixed);
		return -EINVAL;
	}
	listeners_free(fresh);
	if (prepare_files(fresh) < 0 || prepare_logs(fresh, workers) < 0)
		return -EINVAL;
	/* A module may look at the listeners, and what it makes is for the workers. */
	fresh->listeners = old->listeners;
	return modules_stage(fresh, LOP_STAGE_BOUND, NULL);
}

struct lop_core *reload_prepare(struct lop_core *core, int workers)
{
	struct lop_core *fresh = core_new(core->program, core->arguments);
	int back, result = -ENOMEM;

	if (fresh != NULL) {
		fresh->foreground = core->foreground;
		back = enter_folder(core);
		result = make(core, fresh, workers);
		leave_folder(back);
	}
	if (result == 0) {
		fresh->pid_file = core->pid_file;
		fresh->daemon_line = core->daemon_line;
		fresh->notify = core->notify;
		fresh->upgrade = core->upgrade;
		return fresh;
	}
	lop_core_message(core, LOP_LOG_ERROR,
	                 "the new settings are not used%s%s; going on with the old",
	                 fresh == NULL ? ": " : "", fresh == NULL ? strerror(ENOMEM) : "");
	if (fresh != NULL) {
		if (fresh->listeners.items == core->listeners.items)
			reload_forget(fresh);
		core_free(&fresh);
	}
	return NULL;
}

void reload_forget(struct lop_core *core)
{
	core->listeners = (struct listeners){ .items = NULL };
	core->pid_file = (struct pid_file){ .descriptor = -1 };
	core->daemon_line = (struct daemon_line){ .descriptor = -1, .null = -1 };
	core->upgrade = (struct upgrade){ .program = NULL };
	core->notify = -1;
}
